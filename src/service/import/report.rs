//! What an import tells while it runs and at its end.

use jiff::civil::Date;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::ledger::ImportKind;
use crate::domain::{Enterprise, Record};
use crate::files::{LineError, Tabular};
use crate::store::{Outcome, Refusal, RegisterWriter, Store, StoreError};

/// Faults that a report repeats in full; all are counted and told to the observer.
pub(super) const REPORTED_ERRORS: usize = 100;

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Ids of the imports that this report is about: one for each file.
    pub import_ids: Vec<String>,
    /// Rows read, good and bad.
    pub row_count: u64,
    /// Rows that are new.
    pub created_count: u64,
    /// Rows that replaced or followed an earlier version.
    pub updated_count: u64,
    /// Rows that said nothing new.
    pub unchanged_count: u64,
    /// Records whose enterprise is not in the register yet; they count once it arrives.
    pub set_aside_count: u64,
    /// Rows that were refused.
    pub refused_count: u64,
    /// Rows that an earlier run had dealt with; the counts above include them.
    pub resumed_count: u64,
    /// Whether nothing was written because something was refused.
    pub nothing_written: bool,
    /// The first 100 faults by line.
    pub errors: Vec<LineError>,
    /// Why the file could not be read to its end; what came before it is in the register.
    pub failure: Option<String>,
}

/// A row that can be imported.
pub trait Importable: Tabular + Clone {
    /// What an import of such rows is called.
    const KIND: ImportKind;

    /// Writes a batch in the present transaction.
    ///
    /// # Errors
    ///
    /// When the store fails.
    fn write(
        writer: &mut dyn RegisterWriter,
        batch: &[Self],
        import_no: i64,
        today: Date,
    ) -> Result<Vec<Outcome>, StoreError>;

    /// Remembers that a batch stood in an import that is taken up again.
    fn recall(store: &dyn Store, batch: &[Self], import_no: i64);

    /// The field that a refusal is about, and its value.
    fn refused_field(&self, refusal: &Refusal) -> (&'static str, String);
}

impl Importable for Enterprise {
    const KIND: ImportKind = ImportKind::Enterprises;

    fn write(
        writer: &mut dyn RegisterWriter,
        batch: &[Self],
        import_no: i64,
        today: Date,
    ) -> Result<Vec<Outcome>, StoreError> {
        writer.put_enterprises(batch, import_no, today)
    }

    fn recall(store: &dyn Store, batch: &[Self], import_no: i64) {
        store.recall_enterprises(batch, import_no);
    }

    fn refused_field(&self, refusal: &Refusal) -> (&'static str, String) {
        match refusal {
            Refusal::OtherEnterprise(_) | Refusal::DuplicateInImport => {
                ("enterprise_id", self.enterprise_id.to_string())
            }
        }
    }
}

impl Importable for Record {
    const KIND: ImportKind = ImportKind::Records;

    fn write(
        writer: &mut dyn RegisterWriter,
        batch: &[Self],
        import_no: i64,
        _today: Date,
    ) -> Result<Vec<Outcome>, StoreError> {
        writer.put_records(batch, import_no)
    }

    fn recall(store: &dyn Store, batch: &[Self], import_no: i64) {
        store.recall_records(batch, import_no);
    }

    fn refused_field(&self, refusal: &Refusal) -> (&'static str, String) {
        match refusal {
            Refusal::OtherEnterprise(_) | Refusal::DuplicateInImport => {
                ("record_id", self.record_id.clone())
            }
        }
    }
}

/// Who watches an import.
pub trait ImportObserver {
    /// Called before the first row of a file: its name, its size if known, and a counter of the bytes taken from it.
    fn begin(&mut self, _file: &str, _length: Option<u64>, _bytes_taken: Arc<AtomicU64>) {}
    /// Called when an import goes on where an earlier run stopped: the rows that are done, the faults kept of them, and
    /// how many more there were.
    fn resumed(&mut self, _rows_done: u64, _kept: &[LineError], _dropped_count: u64) {}
    /// Called after every batch.
    fn progress(&mut self, _report: &ImportReport) {}
    /// Called for every refused row.
    fn refused(&mut self, _error: &LineError) {}
}

/// Watches nothing.
impl ImportObserver for () {}

impl ImportReport {
    /// Whether every row went in, was there already, or waits for its enterprise.
    pub fn is_clean(&self) -> bool {
        self.refused_count == 0 && self.failure.is_none()
    }

    /// Adds the counts of another report.
    pub fn absorb(&mut self, other: Self) {
        let Self {
            import_ids,
            row_count,
            created_count,
            updated_count,
            unchanged_count,
            set_aside_count,
            refused_count,
            resumed_count,
            nothing_written,
            errors,
            failure,
        } = other;
        self.import_ids.extend(import_ids);
        self.row_count += row_count;
        self.created_count += created_count;
        self.updated_count += updated_count;
        self.unchanged_count += unchanged_count;
        self.set_aside_count += set_aside_count;
        self.refused_count += refused_count;
        self.resumed_count += resumed_count;
        self.nothing_written |= nothing_written;
        let room = REPORTED_ERRORS.saturating_sub(self.errors.len());
        self.errors.extend(errors.into_iter().take(room));
        self.failure = self.failure.take().or(failure);
    }

    /// Says that nothing of what was counted is in the register.
    pub(super) fn undone(mut self) -> Self {
        self.created_count = 0;
        self.updated_count = 0;
        self.unchanged_count = 0;
        self.set_aside_count = 0;
        self.nothing_written = true;
        self
    }
}
