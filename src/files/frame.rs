//! The frame's documented file form, over which its digest is taken.
//!
//! CSV (RFC 4180, LF, UTF-8) with the header below, one line per object in byte order of id; `tags` are separated by
//! `|`, what is not known is empty, numbers are whole.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};

use super::error::FilesError;
use crate::domain::field;
use crate::domain::{FieldError, Label};
use crate::sampling::{Frame, FrameRow, NO_BAND};

/// One line of the file, as text.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    enterprise_id: String,
    kind: String,
    division: String,
    industry: String,
    size: String,
    status: String,
    tags: String,
    tier: String,
    points: u16,
    complaints_milli: u32,
    upheld_count: u32,
    complaint_ratio_milli: u64,
    complaint_band: String,
}

/// Writes a frame.
///
/// # Errors
///
/// When the writer fails.
pub fn write_frame(frame: &Frame, writer: impl Write) -> Result<(), FilesError> {
    let fail = |cause: csv::Error| FilesError::Write {
        file: "frame".to_owned(),
        cause: cause.into(),
    };
    let mut csv = csv::WriterBuilder::new()
        .terminator(csv::Terminator::Any(b'\n'))
        .from_writer(writer);
    for row in frame.rows() {
        csv.serialize(Line::from(row)).map_err(fail)?;
    }
    csv.flush().map_err(|cause| FilesError::Write {
        file: "frame".to_owned(),
        cause,
    })
}

/// Reads a frame back; `as_of` is the day its tiers speak for.
///
/// # Errors
///
/// Names the line and field that is wrong, or the id that stands twice.
pub fn read_frame(reader: impl Read, as_of: Date) -> Result<Frame, FilesError> {
    let fail = |line: u64, reason: String| FilesError::Frame { line, reason };
    let mut csv = csv::ReaderBuilder::new().from_reader(reader);
    let mut rows = Vec::new();
    for line in csv.deserialize::<Line>() {
        let position = rows.len() as u64 + 2;
        let line = line.map_err(|error| fail(position, error.to_string()))?;
        rows.push(FrameRow::try_from(line).map_err(|error| fail(position, error.to_string()))?);
    }
    Frame::from_rows(as_of, rows).map_err(|error| fail(0, error.to_string()))
}

/// One row of a frame that others have made, unchecked. Only id and tier are needed: what is left out is an active
/// enterprise of unknown size that nobody has complained about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FrameDraft {
    pub(super) enterprise_id: String,
    pub(super) kind: Option<String>,
    pub(super) division: Option<String>,
    pub(super) industry: Option<String>,
    pub(super) size: Option<String>,
    pub(super) status: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) tier: String,
    pub(super) points: Option<u32>,
    pub(super) complaints_milli: Option<u32>,
    pub(super) upheld_count: Option<u32>,
    pub(super) complaint_ratio_milli: Option<f64>,
    pub(super) complaint_band: Option<String>,
}

impl FrameDraft {
    pub(super) fn check(self) -> Result<FrameRow, FieldError> {
        let text = |given: Option<String>| given.unwrap_or_default();
        let or = |given: &Option<String>, default: &str| {
            given.clone().unwrap_or_else(|| default.to_owned())
        };
        let points = self.points.unwrap_or(0);
        let ratio = self.complaint_ratio_milli.unwrap_or(1_000.0);
        if !((0.0..=1e15).contains(&ratio) && ratio.fract() == 0.0) {
            let reason = "is not a whole number of thousandths";
            return Err(FieldError::new(
                "complaint_ratio_milli",
                &ratio.to_string(),
                reason,
            ));
        }
        let line = Line {
            kind: or(&self.kind, "enterprise"),
            size: or(&self.size, "unknown"),
            status: or(&self.status, "active"),
            complaint_band: or(&self.complaint_band, NO_BAND),
            enterprise_id: self.enterprise_id,
            division: text(self.division),
            industry: text(self.industry),
            tags: String::new(),
            tier: self.tier,
            points: u16::try_from(points).map_err(|_| {
                FieldError::new("points", &points.to_string(), "is more than 65535 points")
            })?,
            complaints_milli: self.complaints_milli.unwrap_or(0),
            upheld_count: self.upheld_count.unwrap_or(0),
            complaint_ratio_milli: ratio as u64,
        };
        let mut row = FrameRow::try_from(line)?;
        let tags = self.tags.iter().enumerate();
        row.tags = tags
            .map(|(place, tag)| field::label(&format!("tags.{place}"), tag))
            .collect::<Result<_, _>>()?;
        Ok(row)
    }
}

impl From<&FrameRow> for FrameDraft {
    fn from(row: &FrameRow) -> Self {
        let label = |label: &Option<Label>| label.as_ref().map(ToString::to_string);
        Self {
            enterprise_id: row.enterprise_id.to_string(),
            kind: Some(row.kind.to_string()),
            division: label(&row.division),
            industry: label(&row.industry),
            size: Some(row.size.to_string()),
            status: Some(row.status.to_string()),
            tags: row.tags.iter().map(ToString::to_string).collect(),
            tier: row.tier.to_string(),
            points: Some(u32::from(row.points)),
            complaints_milli: Some(row.complaints_milli),
            upheld_count: Some(row.upheld_count),
            complaint_ratio_milli: Some(row.complaint_ratio_milli as f64),
            complaint_band: Some(row.complaint_band.to_string()),
        }
    }
}

impl From<&FrameRow> for Line {
    fn from(row: &FrameRow) -> Self {
        let text =
            |label: &Option<Label>| label.as_ref().map(ToString::to_string).unwrap_or_default();
        Self {
            enterprise_id: row.enterprise_id.to_string(),
            kind: row.kind.to_string(),
            division: text(&row.division),
            industry: text(&row.industry),
            size: row.size.to_string(),
            status: row.status.to_string(),
            tags: row
                .tags
                .iter()
                .map(Label::as_str)
                .collect::<Vec<_>>()
                .join("|"),
            tier: row.tier.to_string(),
            points: row.points,
            complaints_milli: row.complaints_milli,
            upheld_count: row.upheld_count,
            complaint_ratio_milli: row.complaint_ratio_milli,
            complaint_band: row.complaint_band.to_string(),
        }
    }
}

impl TryFrom<Line> for FrameRow {
    type Error = FieldError;

    fn try_from(line: Line) -> Result<Self, FieldError> {
        let tags = line.tags.split('|').filter(|tag| !tag.is_empty());
        Ok(Self {
            enterprise_id: field::enterprise_id("enterprise_id", &line.enterprise_id)?,
            kind: field::code("kind", &line.kind)?,
            division: field::optional("division", Some(&line.division), field::label)?,
            industry: field::optional("industry", Some(&line.industry), field::label)?,
            size: field::code("size", &line.size)?,
            status: field::code("status", &line.status)?,
            tags: tags
                .map(|tag| field::label("tags", tag))
                .collect::<Result<_, _>>()?,
            tier: field::code("tier", &line.tier)?,
            points: line.points,
            complaints_milli: line.complaints_milli,
            upheld_count: line.upheld_count,
            complaint_ratio_milli: line.complaint_ratio_milli,
            complaint_band: field::label("complaint_band", &line.complaint_band)?,
        })
    }
}
