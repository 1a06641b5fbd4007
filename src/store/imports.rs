//! What the store keeps of imports, so that one that was broken off goes on where it stopped, and transactions over many
//! batches.

use jiff::civil::Date;

use super::{Outcome, StoreError};
use crate::domain::{Enterprise, Record};

/// An import as the store keeps it. What is in the document is the caller's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportRow {
    /// Its number; the rows that it wrote carry it.
    pub import_no: i64,
    /// Its id.
    pub import_id: String,
    /// What tells one file, read in one way, from others.
    pub identity: String,
    /// Rows dealt with.
    pub rows_done: u64,
    /// Everything else, as JSON.
    pub document: String,
}

/// How far an import has come.
#[derive(Clone, Copy, Debug)]
pub struct ImportNote<'a> {
    /// Its number.
    pub import_no: i64,
    /// Who works on it.
    pub holder: &'a str,
    /// The rows that are dealt with now.
    pub rows_done: u64,
    /// The new document.
    pub document: &'a str,
    /// Faults to keep beside those kept before, each as JSON.
    pub faults: &'a [String],
}

/// Imports, beside the rows that they write.
pub trait ImportStore {
    /// Runs `work` in one transaction. It is kept where `work` says so; otherwise, and after any error, nothing of it is.
    ///
    /// `work` may be called again when other writers were in the way; a caller that cannot repeat it says so with
    /// [`StoreError::Aborted`].
    fn in_one_transaction(
        &self,
        work: &mut dyn FnMut(&mut dyn RegisterWriter) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError>;

    /// As [`ImportStore::in_one_transaction`], for work over many batches: what it changes goes to the log at its end, so
    /// that other writers wait for that alone. The outcomes carry no numbers of the log.
    fn in_one_long_transaction(
        &self,
        work: &mut dyn FnMut(&mut dyn RegisterWriter) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError>;

    /// Remembers that enterprises stood in an import that is taken up again, whatever they say, so that another content
    /// for one of them further down is told from a correction.
    fn recall_enterprises(&self, batch: &[Enterprise], import_no: i64);

    /// As [`ImportStore::recall_enterprises`], for records.
    fn recall_records(&self, batch: &[Record], import_no: i64);

    /// One import.
    fn import(&self, import_id: &str) -> Result<Option<ImportRow>, StoreError>;

    /// The last import with this identity.
    fn last_import_of(&self, identity: &str) -> Result<Option<ImportRow>, StoreError>;

    /// Imports before number `before`, latest first, at most `limit`.
    fn imports_before(
        &self,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<ImportRow>, StoreError>;

    /// The kept faults of an import after the first `after`, in the order in which they were found, at most `limit`.
    fn import_faults(
        &self,
        import_no: i64,
        after: u64,
        limit: usize,
    ) -> Result<Vec<String>, StoreError>;
}

/// Writes inside one transaction.
pub trait RegisterWriter {
    /// Begins an import that `holder` works on and returns its number.
    fn begin_import(
        &mut self,
        import_id: &str,
        identity: &str,
        holder: &str,
        document: &str,
    ) -> Result<i64, StoreError>;

    /// Makes `holder` the one who works on an import, and gives what has been noted of it.
    fn take_import(
        &mut self,
        import_no: i64,
        holder: &str,
    ) -> Result<Option<ImportRow>, StoreError>;

    /// Notes how far an import has come; `false`, and nothing is noted, where another holder has taken it.
    fn note_import(&mut self, note: &ImportNote<'_>) -> Result<bool, StoreError>;

    /// Writes enterprises; `day` is the day on which they are known to be so.
    fn put_enterprises(
        &mut self,
        batch: &[Enterprise],
        import_no: i64,
        day: Date,
    ) -> Result<Vec<Outcome>, StoreError>;

    /// Writes records; refused ones are told and the others go in.
    fn put_records(&mut self, batch: &[Record], import_no: i64)
    -> Result<Vec<Outcome>, StoreError>;
}
