//! Tiers of a whole register: the mix and the export.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Service, ServiceError};
use crate::domain::{Enterprise, Label, Tier};
use crate::files::{ColumnType, ExportWriter, FilesError, Format, Sink, Value};
use crate::model::Classification;

/// How many enterprises are in each tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierMix(BTreeMap<Tier, u64>);

impl Default for TierMix {
    fn default() -> Self {
        Self(Tier::ALL.iter().map(|tier| (*tier, 0)).collect())
    }
}

impl TierMix {
    /// Counts one enterprise.
    pub fn add(&mut self, tier: Tier) {
        *self.0.entry(tier).or_default() += 1;
    }

    /// Count by tier, from A to D.
    pub fn counts(&self) -> impl Iterator<Item = (Tier, u64)> + '_ {
        self.0.iter().map(|(tier, count)| (*tier, *count))
    }

    /// All enterprises.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

/// The columns of an export of tiers.
const COLUMNS: [(&str, ColumnType); 10] = [
    ("enterprise_id", ColumnType::Text),
    ("division", ColumnType::Text),
    ("industry", ColumnType::Text),
    ("kind", ColumnType::Text),
    ("size", ColumnType::Text),
    ("tier", ColumnType::Text),
    ("points", ColumnType::Count),
    ("as_of", ColumnType::Day),
    ("next_change_on", ColumnType::Day),
    ("epoch", ColumnType::Text),
];

/// Writes tiers as CSV, NDJSON or Parquet: one row per enterprise in id order. It names no enterprise but by its id.
pub struct TierWriter {
    rows: ExportWriter,
    epoch: String,
}

impl TierWriter {
    /// Creates the file, its format by its name; `-` is CSV on standard output.
    ///
    /// # Errors
    ///
    /// When it cannot be created.
    pub fn create(path: &Path, epoch: &str) -> Result<Self, ServiceError> {
        let is_stdout = path.as_os_str() == "-";
        Self::new(Sink::create(path, is_stdout.then_some(Format::Csv))?, epoch)
    }

    /// Writes to a sink.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn new(sink: Sink, epoch: &str) -> Result<Self, ServiceError> {
        Ok(Self {
            rows: ExportWriter::open(sink, &COLUMNS)?,
            epoch: epoch.to_owned(),
        })
    }

    /// Writes one row.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write(
        &mut self,
        enterprise: &Enterprise,
        classification: &Classification,
    ) -> Result<(), FilesError> {
        self.rows.row(&[
            Value::Text(enterprise.enterprise_id.as_str()),
            label(enterprise.division.as_ref()),
            label(enterprise.industry.as_ref()),
            Value::Text(enterprise.kind.as_str()),
            Value::Text(enterprise.size.as_str()),
            Value::Text(classification.tier.as_str()),
            Value::Count(u32::from(classification.points)),
            Value::Day(classification.as_of.day),
            classification
                .next_change_on
                .map_or(Value::Absent, Value::Day),
            Value::Text(&self.epoch),
        ])
    }

    /// Completes the file and says how many rows it has.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn finish(self) -> Result<u64, FilesError> {
        self.rows.finish()
    }
}

impl Service {
    /// Writes the tier of every enterprise on the present day, as the register is at one instant, under one epoch.
    ///
    /// # Errors
    ///
    /// When the store fails or the sink cannot be written; what was written by then is no whole file.
    pub fn export_tiers(&self, sink: Sink) -> Result<u64, ServiceError> {
        let current = self.current();
        let epoch = current.epoch().to_string();
        let mut writer = TierWriter::new(sink, &epoch)?;
        let mut failure = None;
        self.classify_under(
            &current,
            self.as_of_today(),
            &mut |enterprise, _, classification| {
                if failure.is_none() {
                    failure = writer.write(enterprise, classification).err();
                }
            },
        )?;
        match failure {
            Some(failure) => Err(failure.into()),
            None => Ok(writer.finish()?),
        }
    }
}

fn label(label: Option<&Label>) -> Value<'_> {
    label.map_or(Value::Absent, |label| Value::Text(label.as_str()))
}
