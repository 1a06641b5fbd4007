//! Calendars on plain files, without a store: a frame in, `calendar.tsv` and the visits out.

use jiff::civil::Date;
use std::path::{Path, PathBuf};

use super::document::{BatchLoad, loads};
use super::done::DoneNote;
use super::editions::{Frequencies, batches_from, frequencies, present, refused};
use super::visits::{VisitView, visits_of, write_visits};
use crate::domain::digest::{Digest, HashAlgorithm};
use crate::domain::{FieldError, field};
use crate::files::{CellRows, CellRowsError, Format, ReadOptions, Sink, Source, read_frame};
use crate::sampling::PoolFilter;
use crate::sampling::schedule::{
    Balance, BatchKind, Calendar, CalendarHeader, CalendarOrder, Done, plan_calendar,
};
use crate::sampling::seed::Seed;
use crate::service::{Models, ServiceError};

/// What a calendar on plain files is made of.
#[derive(Clone, Debug)]
pub struct FileCalendarRequest {
    /// The frame's file, as `GET /v1/frames/{id}/file` gives it.
    pub frame: Vec<u8>,
    /// Which of its objects.
    pub filter: PoolFilter,
    /// The seed of the tickets: that of a drawn plan. Left out with `before`, whose seed goes on.
    pub seed: Option<Digest>,
    /// The hash of the tickets.
    pub hash: HashAlgorithm,
    /// How the year is cut; with `before` as there.
    pub batches: BatchKind,
    /// What is level; absent: as the policy says.
    pub balance: Option<Balance>,
    /// How often.
    pub frequencies: Frequencies,
    /// The first batch is the one that begins on or after this day.
    pub from: Date,
    /// The file `calendar.tsv` of the edition before.
    pub before: Option<Vec<u8>>,
    /// What was done since then, CSV or Parquet: the columns `enterprise_id`, `visit` and `done_on`.
    pub done: Option<PathBuf>,
    /// The present day.
    pub today: Date,
}

/// A calendar that is in no store.
#[derive(Clone, Debug)]
pub struct FileCalendar {
    /// The bytes of `calendar.tsv`.
    pub file: Vec<u8>,
    /// SHA-256 of the file.
    pub file_digest: Digest,
    /// Its batches.
    pub batches: Vec<BatchLoad>,
    /// Its visits in order of object and number.
    pub visits: Vec<VisitView>,
    /// Objects that are visited.
    pub object_count: u64,
}

impl FileCalendarRequest {
    /// Plans the calendar under these model files.
    ///
    /// # Errors
    ///
    /// Names the file, line or field that is wrong.
    pub fn plan(&self, models: &Models) -> Result<FileCalendar, ServiceError> {
        let frequencies = frequencies(models, &self.frequencies)?;
        let frame = read_frame(self.frame.as_slice(), self.today)?;
        let before = self
            .before
            .as_deref()
            .map(Calendar::from_bytes)
            .transpose()
            .map_err(|error| FieldError::new("before", "", error.to_string()))?;
        let (kind, hash, seed) = match (&before, self.seed) {
            (Some(before), None) => {
                let header = &before.header;
                (header.batches, header.hash, header.seed)
            }
            (Some(before), Some(seed)) => {
                (before.header.batches, before.header.hash, Seed::new(seed))
            }
            (None, Some(seed)) => (self.batches, self.hash, Seed::new(seed)),
            (None, None) => {
                let reason = "is needed for a first edition: the seed of a drawn plan, as its transcript shows it";
                return Err(FieldError::new("seed", "", reason).into());
            }
        };
        let (year, from, batches) = batches_from(models, self.from, kind)?;
        let header = CalendarHeader {
            year,
            from,
            batches: kind,
            balance: self.balance.unwrap_or(models.calendar.balance),
            hash,
            seed,
        };
        let members = self.filter.select(&frame).members;
        let objects: Vec<_> = members
            .iter()
            .filter_map(|position| frame.rows().get(*position))
            .map(|row| present(row, &frequencies))
            .collect();
        let done = self.done.as_deref().map_or(Ok(Done::new()), read_done)?;
        let calendar = plan_calendar(&CalendarOrder {
            header: &header,
            batches: &batches,
            objects: &objects,
            before: before.as_ref(),
            done: &done,
        })
        .map_err(|error| refused(&error))?;
        let file = calendar.to_bytes()?;
        let batches = loads(&calendar, &batches);
        Ok(FileCalendar {
            file_digest: HashAlgorithm::Sha256.hash(&[&file]),
            file,
            visits: visits_of(&calendar, &batches, self.today),
            batches,
            object_count: objects.len() as u64,
        })
    }
}

/// Writes the visits of a calendar: CSV, NDJSON or Parquet by the file's name.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write_calendar_visits(visits: &[VisitView], path: &Path) -> Result<u64, ServiceError> {
    let is_stdout = path.as_os_str() == "-";
    write_visits(
        visits,
        Sink::create(path, is_stdout.then_some(Format::Csv))?,
    )
}

/// Reads what was done from CSV or Parquet: the columns `enterprise_id`, `visit` and `done_on`, as a list of visits has
/// them; rows without a day are passed over, an empty `visit` is the object's first that is not done.
///
/// # Errors
///
/// Names the column that is missing, or the line and field that is wrong.
pub fn read_done_notes(path: &Path) -> Result<Vec<DoneNote>, ServiceError> {
    let file = path.display().to_string();
    let source = Source::open(path, Format::of_path(path).or(Some(Format::Csv)))?;
    let rows = CellRows::open(source, &ReadOptions::default())?;
    let place = |name: &str| {
        let found = rows.header().iter().position(|column| column == name);
        found.ok_or_else(|| {
            let reason = "is missing; the columns are `enterprise_id` and `done_on`, and for calendars `visit`";
            FieldError::new(&format!("{file}: column"), name, reason)
        })
    };
    let (id, visit, day) = (
        place("enterprise_id")?,
        place("visit").ok(),
        place("done_on")?,
    );
    let (mut notes, mut wrong) = (Vec::new(), None);
    let read = rows.each(|line, cells| {
        let cells: Vec<&str> = cells.collect();
        let cell = |place: usize| cells.get(place).copied().unwrap_or_default();
        if cell(day).is_empty() || wrong.is_some() {
            return Ok(());
        }
        let note = || -> Result<DoneNote, FieldError> {
            let number = field::optional("visit", visit.map(cell), field::number)?;
            Ok(DoneNote {
                enterprise_id: field::enterprise_id("enterprise_id", cell(id))?,
                visit: number.map(|number| u32::try_from(number).unwrap_or(u32::MAX)),
                done_on: field::date("done_on", cell(day))?,
            })
        };
        match note() {
            Ok(note) => notes.push(note),
            Err(error) => {
                let place = format!("{file}: line {line}: {}", error.field);
                wrong = Some(FieldError::new(&place, &error.value, error.reason));
            }
        }
        Ok(())
    });
    match (read, wrong) {
        (_, Some(error)) => Err(error.into()),
        (Ok(()), None) => Ok(notes),
        (Err(CellRowsError::File(error)), None) => Err(error.into()),
        (Err(CellRowsError::Row(error)), None) => {
            Err(FieldError::new(&file, "", error.to_string()).into())
        }
    }
}

/// What was done, for the next edition of a file, which knows visits by their numbers only.
fn read_done(path: &Path) -> Result<Done, ServiceError> {
    let numbered = |(place, note): (usize, DoneNote)| {
        let id = note.enterprise_id.as_str().to_owned();
        match note.visit {
            Some(number) => Ok(((id, number), note.done_on)),
            None => {
                let name = format!("{}: row {}: visit", path.display(), place + 1);
                let reason = "is missing; give the visit's number as the list of visits has it";
                Err(FieldError::new(&name, "", reason).into())
            }
        }
    };
    let notes = read_done_notes(path)?.into_iter().enumerate();
    notes.map(numbered).collect()
}
