//! Streamed import of enterprises and records: good rows go in, bad ones are told by line.

use jiff::civil::Date;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::register::changes;
use super::{Service, ServiceError};
use crate::domain::{Enterprise, Record};
use crate::files::{FilesError, LineError, Row};
use crate::store::{Outcome, Refusal, Store, StoreError};

/// Rows written in one transaction.
const BATCH_ROWS: usize = 20_000;
/// Faults that a report repeats in full; all are counted and told to the error sink.
const REPORTED_ERRORS: usize = 100;

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
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
    /// The first 100 faults by line.
    pub errors: Vec<LineError>,
    /// Why the file could not be read to its end; what came before it is in the register.
    pub failure: Option<String>,
}

/// A row that can be imported.
pub trait Importable: Clone + Send + 'static {
    /// Writes a batch in one transaction.
    ///
    /// # Errors
    ///
    /// When the store fails.
    fn write(
        store: &dyn Store,
        batch: &[Self],
        import_no: i64,
        today: Date,
    ) -> Result<Vec<Outcome>, StoreError>;

    /// The field that a refusal is about, and its value.
    fn refused_field(&self, refusal: &Refusal) -> (&'static str, String);
}

impl Importable for Enterprise {
    fn write(
        store: &dyn Store,
        batch: &[Self],
        import_no: i64,
        today: Date,
    ) -> Result<Vec<Outcome>, StoreError> {
        store.put_enterprises(batch, import_no, today)
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
    fn write(
        store: &dyn Store,
        batch: &[Self],
        import_no: i64,
        _today: Date,
    ) -> Result<Vec<Outcome>, StoreError> {
        store.put_records(batch, import_no)
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
        self.row_count += other.row_count;
        self.created_count += other.created_count;
        self.updated_count += other.updated_count;
        self.unchanged_count += other.unchanged_count;
        self.set_aside_count += other.set_aside_count;
        self.refused_count += other.refused_count;
        let room = REPORTED_ERRORS.saturating_sub(self.errors.len());
        self.errors.extend(other.errors.into_iter().take(room));
        self.failure = self.failure.take().or(other.failure);
    }

    fn refuse(&mut self, error: LineError, observer: &mut dyn ImportObserver) {
        self.refused_count += 1;
        observer.refused(&error);
        if self.errors.len() < REPORTED_ERRORS {
            self.errors.push(error);
        }
    }
}

impl Service {
    /// Imports rows as they are read; memory is bounded by one batch. Runs off the asynchronous threads, within the
    /// runtime: it tells the cache what changed before it goes on.
    ///
    /// # Errors
    ///
    /// When the store fails. A file that ends in the middle is no error here but the report's `failure`.
    pub fn import<T: Importable>(
        &self,
        file: Option<&str>,
        rows: impl Iterator<Item = Result<Row<T>, FilesError>>,
        observer: &mut dyn ImportObserver,
    ) -> Result<ImportReport, ServiceError> {
        let mut import = Import {
            service: self,
            file,
            import_no: self.store.begin_import()?,
            report: ImportReport::default(),
            lines: Vec::with_capacity(BATCH_ROWS),
            batch: Vec::with_capacity(BATCH_ROWS),
        };
        for row in rows {
            match row {
                Ok(Row::Good { line, item }) => {
                    import.report.row_count += 1;
                    import.lines.push(line);
                    import.batch.push(item);
                    if import.batch.len() == BATCH_ROWS {
                        import.write(observer)?;
                    }
                }
                Ok(Row::Bad(error)) => {
                    import.report.row_count += 1;
                    import.report.refuse(import.located(error), observer);
                }
                Err(failure) => {
                    import.report.failure = Some(failure.to_string());
                    break;
                }
            }
        }
        import.write(observer)?;
        Ok(std::mem::take(&mut import.report))
    }
}

struct Import<'a, T> {
    service: &'a Service,
    file: Option<&'a str>,
    import_no: i64,
    report: ImportReport,
    lines: Vec<u64>,
    batch: Vec<T>,
}

impl<T> Drop for Import<'_, T> {
    fn drop(&mut self) {
        self.service.store.end_import(self.import_no);
    }
}

impl<T: Importable> Import<'_, T> {
    fn write(&mut self, observer: &mut dyn ImportObserver) -> Result<(), ServiceError> {
        if !self.batch.is_empty() {
            let outcomes = T::write(
                self.service.store.as_ref(),
                &self.batch,
                self.import_no,
                self.service.today(),
            )?;
            for ((outcome, line), item) in outcomes.iter().zip(&self.lines).zip(&self.batch) {
                match outcome {
                    Outcome::Created(_) => self.report.created_count += 1,
                    Outcome::Updated(_) => self.report.updated_count += 1,
                    Outcome::Unchanged => self.report.unchanged_count += 1,
                    Outcome::SetAside => self.report.set_aside_count += 1,
                    Outcome::Refused(refusal) => {
                        let (field, value) = item.refused_field(refusal);
                        let error = LineError {
                            file: self.file.map(str::to_owned),
                            line: *line,
                            field: Some(field.to_owned()),
                            value: Some(value),
                            reason: refusal.to_string(),
                        };
                        self.report.refuse(error, observer);
                    }
                }
            }
            let changed = changes(&outcomes);
            tokio::runtime::Handle::current().block_on(self.service.invalidate(&changed));
            self.lines.clear();
            self.batch.clear();
        }
        observer.progress(&self.report);
        Ok(())
    }

    fn located(&self, error: LineError) -> LineError {
        match self.file {
            Some(file) if error.file.is_none() => error.of_file(file),
            _ => error,
        }
    }
}
