//! The file `calendar.tsv`: a calendar as it is kept, digested and handed on.
//!
//! The first line is `risktier-calendar/1 TAB` and the header in canonical JSON. Every other line is an object, in byte
//! order of id: `id TAB division TAB frequency TAB phase TAB visits LF`. The frequency is `-` once the object has left; a
//! visit is `number:due:planned` or `number:due:planned:done_on`; visits are separated by commas, `-` without any.

use std::fmt::Write;

use super::frequency::Frequency;
use super::plan::{Calendar, CalendarHeader, CalendarObject, CalendarVisit};
use crate::domain::EnterpriseId;
use crate::domain::canonical::{CanonicalError, canonical_bytes};
use crate::domain::dates::parse_date;

/// The only format that this version writes and reads.
pub const CALENDAR_FORMAT: &str = "risktier-calendar/1";

/// Why a file is no calendar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct CalendarFileError {
    /// Number of the line, from 1.
    pub line: u64,
    /// What is wrong with it and what to do.
    pub reason: String,
}

impl Calendar {
    /// The bytes of the file.
    ///
    /// # Errors
    ///
    /// When the header does not serialise; a valid one always does.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CanonicalError> {
        let header = canonical_bytes(&self.header)?;
        let mut text = format!("{CALENDAR_FORMAT}\t{}\n", String::from_utf8_lossy(&header));
        for object in &self.objects {
            let frequency = object
                .frequency
                .map_or_else(|| "-".to_owned(), |frequency| frequency.to_string());
            let mut visits = String::new();
            for CalendarVisit {
                number,
                due,
                planned,
                done_on,
            } in &object.visits
            {
                let comma = if visits.is_empty() { "" } else { "," };
                // Writing to memory does not fail.
                let _ = write!(visits, "{comma}{number}:{due}:{planned}");
                if let Some(day) = done_on {
                    let _ = write!(visits, ":{day}");
                }
            }
            if visits.is_empty() {
                visits.push('-');
            }
            let CalendarObject {
                id,
                division,
                phase_ppb,
                ..
            } = object;
            let _ = writeln!(text, "{id}\t{division}\t{frequency}\t{phase_ppb}\t{visits}");
        }
        Ok(text.into_bytes())
    }

    /// Reads a file strictly.
    ///
    /// # Errors
    ///
    /// [`CalendarFileError`] names the first line that is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CalendarFileError> {
        let fail = |line: u64, reason: String| CalendarFileError { line, reason };
        let text = std::str::from_utf8(bytes).map_err(|_| fail(1, "is not UTF-8".to_owned()))?;
        if !text.ends_with('\n') {
            let last = text.lines().count() as u64;
            return Err(fail(
                last,
                "does not end in a line feed: the file may be cut off".to_owned(),
            ));
        }
        let mut lines = (1_u64..).zip(text.lines());
        let first = lines.next().map_or("", |(_, line)| line);
        let header = match first.split_once('\t') {
            Some((CALENDAR_FORMAT, header)) => header,
            _ => {
                let shown = first.split('\t').next().unwrap_or_default();
                let shown: String = shown.chars().take(40).collect();
                let reason =
                    format!("begins with `{shown}`; this release reads `{CALENDAR_FORMAT}`");
                return Err(fail(1, reason));
            }
        };
        let header: CalendarHeader = serde_json::from_str(header)
            .map_err(|error| fail(1, format!("the header: {error}")))?;
        let mut objects: Vec<CalendarObject> = Vec::new();
        for (number, line) in lines {
            let object = object(line).map_err(|reason| fail(number, reason))?;
            if objects.last().is_some_and(|last| last.id >= object.id) {
                let reason = format!("`{}` is not in byte order of id, or there twice", object.id);
                return Err(fail(number, reason));
            }
            objects.push(object);
        }
        Ok(Self { header, objects })
    }
}

fn object(line: &str) -> Result<CalendarObject, String> {
    let cells: Vec<&str> = line.split('\t').collect();
    let [id, division, frequency, phase, visits] = cells.as_slice() else {
        return Err(
            "needs id, division, frequency, phase and visits, separated by tabs".to_owned(),
        );
    };
    let clean = EnterpriseId::parse(id).is_ok_and(|parsed| parsed.as_str() == *id);
    if !clean {
        return Err(format!("`{id}` is not a clean id"));
    }
    let frequency = match *frequency {
        "-" => None,
        text => Some(
            text.parse::<Frequency>()
                .map_err(|error| format!("frequency: `{text}` {error}"))?,
        ),
    };
    let phase_ppb = phase
        .parse()
        .map_err(|_| format!("the phase `{phase}` is not a whole number"))?;
    let visits = match *visits {
        "-" => Vec::new(),
        list => list.split(',').map(visit).collect::<Result<_, _>>()?,
    };
    Ok(CalendarObject {
        id: (*id).to_owned(),
        division: (*division).to_owned(),
        frequency,
        phase_ppb,
        visits,
    })
}

fn visit(text: &str) -> Result<CalendarVisit, String> {
    let mut parts = text.split(':');
    let (Some(number), Some(due), Some(planned), done, None) = (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) else {
        return Err(format!(
            "`{text}` is not number:due:planned or number:due:planned:done_on"
        ));
    };
    Ok(CalendarVisit {
        number: number
            .parse()
            .map_err(|_| format!("the number `{number}` of a visit is not whole"))?,
        due: due.parse()?,
        planned: planned.parse()?,
        done_on: done
            .map(|day| parse_date(day).map_err(|reason| format!("`{day}` {reason}")))
            .transpose()?,
    })
}
