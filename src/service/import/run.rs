//! The course of one import: begin or take up, batch by batch, end.

use super::ledger::{ImportState, ImportSummary, KEPT_FAULTS, Resume, Subject};
use super::report::{ImportObserver, ImportReport, Importable, REPORTED_ERRORS};
use crate::files::{FilesError, Fingerprint, Format, LineError, Row};
use crate::service::register::changes;
use crate::service::{Service, ServiceError};
use crate::store::{Changed, ImportNote, Outcome, RegisterWriter, StoreError};

/// Good rows written in one transaction.
const BATCH_ROWS: usize = 20_000;
/// Rows of any kind after which a batch ends, so that a file of bad rows is noted, too.
const PENDING_ROWS: u64 = 80_000;

/// Where the rows of an import go.
pub(super) enum Lane<'a> {
    /// One transaction for each batch.
    Batches,
    /// One transaction for everything, which belongs to the caller; what ended in it is told there.
    Whole {
        /// Writes in the transaction.
        writer: &'a mut dyn RegisterWriter,
        /// The imports that came to their end.
        ended: &'a mut Vec<Ended>,
    },
}

/// An import inside a transaction that may still be undone.
pub(super) struct Ended {
    /// Its number, as long as the transaction that gave it stands.
    pub(super) import_no: Option<i64>,
    pub(super) identity: String,
    pub(super) summary: ImportSummary,
    pub(super) faults: Vec<LineError>,
}

/// What an import of one file needs to know beside its rows.
pub(super) struct Course<'a> {
    /// Which file it is.
    pub(super) subject: Subject,
    /// The name that its faults carry, where several files are read together.
    pub(super) named: Option<&'a str>,
    /// Which earlier import it may go on with.
    pub(super) resume: &'a Resume,
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
        let name = file.unwrap_or("rows");
        let course = Course {
            subject: Subject::new(name, Fingerprint::default(), Format::Csv, &[]),
            named: file,
            resume: &Resume::Never,
        };
        self.import_by(&course, rows, observer, &mut Lane::Batches)
    }

    pub(super) fn import_by<T: Importable>(
        &self,
        course: &Course<'_>,
        rows: impl Iterator<Item = Result<Row<T>, FilesError>>,
        observer: &mut dyn ImportObserver,
        lane: &mut Lane<'_>,
    ) -> Result<ImportReport, ServiceError> {
        let mut run = match self.taken_up::<T>(course)? {
            Some(mut run) if !run.summary.state.is_open() => {
                return Ok(std::mem::take(&mut run.report));
            }
            Some(run) => {
                let dropped = run.summary.dropped_fault_count();
                let kept = self.kept_faults(run.import_no, 0, KEPT_FAULTS as usize)?;
                observer.resumed(run.report.row_count, &kept, dropped);
                run
            }
            None => Run::begin(self, course, lane)?,
        };
        let mut rows = rows.into_iter();
        if let Err(failure) = run.pass_over(&mut rows) {
            run.report.failure = Some(failure);
        } else {
            run.read(rows, observer, lane)?;
        }
        run.end(course.subject.identity(T::KIND), observer, lane)?;
        Ok(std::mem::take(&mut run.report))
    }

    /// The import that this one goes on with, if there is one.
    fn taken_up<T: Importable>(
        &self,
        course: &Course<'_>,
    ) -> Result<Option<Run<'_, T>>, ServiceError> {
        let found = match course.resume {
            Resume::Never => return Ok(None),
            Resume::SameFile => {
                let Some(identity) = course.subject.identity(T::KIND) else {
                    return Ok(None);
                };
                self.store.last_import_of(&identity)?
            }
            Resume::Import(import_id) => {
                let found = self.store.import(import_id)?;
                Some(found.ok_or_else(|| ServiceError::UnknownImport(import_id.clone()))?)
            }
        };
        let Some(row) = found else {
            return Ok(None);
        };
        let summary: ImportSummary = serde_json::from_str(&row.document)?;
        let (subject, asked) = (&course.subject, matches!(course.resume, Resume::Import(_)));
        let is_same = summary.kind == T::KIND
            && summary.reading == subject.reading
            && summary.beginning.is_some()
            && summary.beginning == subject.fingerprint.beginning;
        if asked && !is_same {
            return Err(ServiceError::OtherFile {
                import_id: summary.import_id,
            });
        }
        if asked && summary.all_or_nothing && summary.state.is_open() {
            return Err(ServiceError::WholeImport {
                import_id: summary.import_id,
            });
        }
        // The same file once more is a new import, unless the last one did not come to its end.
        if !is_same || (!asked && (!summary.state.is_open() || summary.all_or_nothing)) {
            return Ok(None);
        }
        let errors = self.kept_faults(row.import_no, 0, REPORTED_ERRORS)?;
        let mut run = Run::new(
            self,
            row.import_no,
            summary,
            course.named.map(str::to_owned),
        );
        if run.summary.state.is_open() {
            run.take(errors)?;
        } else {
            run.report = run.summary.report(errors);
        }
        Ok(Some(run))
    }
}

/// An import under way.
struct Run<'a, T> {
    service: &'a Service,
    import_no: i64,
    holder: String,
    summary: ImportSummary,
    named: Option<String>,
    report: ImportReport,
    lines: Vec<u64>,
    batch: Vec<T>,
    /// Rows read since the last note.
    pending: u64,
    /// Faults found since the last note that may be kept.
    faults: Vec<LineError>,
    /// Faults that are kept already.
    noted_faults: u64,
}

impl<T> Drop for Run<'_, T> {
    fn drop(&mut self) {
        self.service.store.end_import(self.import_no);
    }
}

/// What became of a batch.
struct Settled {
    report: ImportReport,
    refused: Vec<LineError>,
    changed: Vec<Changed>,
}

impl<'a, T: Importable> Run<'a, T> {
    fn new(
        service: &'a Service,
        import_no: i64,
        summary: ImportSummary,
        named: Option<String>,
    ) -> Self {
        Self {
            service,
            import_no,
            holder: uuid::Uuid::now_v7().to_string(),
            summary,
            named,
            report: ImportReport::default(),
            lines: Vec::with_capacity(BATCH_ROWS),
            batch: Vec::with_capacity(BATCH_ROWS),
            pending: 0,
            faults: Vec::new(),
            noted_faults: 0,
        }
    }

    fn begin(
        service: &'a Service,
        course: &Course<'_>,
        lane: &mut Lane<'_>,
    ) -> Result<Self, ServiceError> {
        let whole = matches!(lane, Lane::Whole { .. });
        let import_id = uuid::Uuid::now_v7().to_string();
        let summary = ImportSummary::new(import_id, T::KIND, &course.subject, whole);
        let identity = course.subject.identity(T::KIND).unwrap_or_default();
        let mut run = Self::new(service, 0, summary, course.named.map(str::to_owned));
        let document = json(&run.summary)?;
        let begin = |writer: &mut dyn RegisterWriter| {
            let id = &run.summary.import_id;
            writer.begin_import(id, &identity, &run.holder, &document)
        };
        run.import_no = match lane {
            Lane::Whole { writer, .. } => begin(*writer)?,
            Lane::Batches => {
                let mut import_no = 0;
                service.store.in_one_transaction(&mut |writer| {
                    import_no = begin(writer)?;
                    Ok(true)
                })?;
                import_no
            }
        };
        run.report.import_ids = vec![run.summary.import_id.clone()];
        Ok(run)
    }

    /// Takes an import from whoever worked on it.
    fn take(&mut self, errors: Vec<LineError>) -> Result<(), ServiceError> {
        let (import_no, mut taken) = (self.import_no, None);
        self.service.store.in_one_transaction(&mut |writer| {
            taken = writer.take_import(import_no, &self.holder)?;
            Ok(true)
        })?;
        if let Some(row) = taken {
            self.summary = serde_json::from_str(&row.document)?;
        }
        self.noted_faults = self.summary.kept_fault_count;
        self.report = self.summary.report(errors);
        self.report.failure = None;
        Ok(())
    }

    /// Reads past the rows that an earlier run has dealt with, and remembers that they stood here.
    fn pass_over(
        &self,
        rows: &mut impl Iterator<Item = Result<Row<T>, FilesError>>,
    ) -> Result<(), String> {
        let (store, mut stood) = (self.service.store.as_ref(), Vec::new());
        for passed in 0..self.report.resumed_count {
            if stood.len() == BATCH_ROWS {
                T::recall(store, &stood, self.import_no);
                stood.clear();
            }
            match rows.next() {
                Some(Ok(Row::Good { item, .. })) => stood.push(item),
                Some(Ok(Row::Bad(_))) => {}
                Some(Err(failure)) => return Err(failure.to_string()),
                None => {
                    return Err(format!(
                        "the file ends after {passed} rows, but {} of it are in the register; it is another file",
                        self.report.resumed_count
                    ));
                }
            }
        }
        T::recall(store, &stood, self.import_no);
        Ok(())
    }

    fn read(
        &mut self,
        rows: impl Iterator<Item = Result<Row<T>, FilesError>>,
        observer: &mut dyn ImportObserver,
        lane: &mut Lane<'_>,
    ) -> Result<(), ServiceError> {
        for row in rows {
            match row {
                Ok(Row::Good { line, item }) => {
                    self.report.row_count += 1;
                    self.lines.push(line);
                    self.batch.push(item);
                }
                Ok(Row::Bad(error)) => {
                    self.report.row_count += 1;
                    let error = self.located(error);
                    observer.refused(&error);
                    self.report.refused_count += 1;
                    self.repeat(&error);
                    self.keep(error);
                }
                Err(failure) => {
                    self.report.failure = Some(failure.to_string());
                    return Ok(());
                }
            }
            self.pending += 1;
            if self.batch.len() == BATCH_ROWS || self.pending == PENDING_ROWS {
                self.write(observer, lane, ImportState::Running)?;
            }
        }
        Ok(())
    }

    /// Writes what is left, and how the import ended.
    fn end(
        &mut self,
        identity: Option<String>,
        observer: &mut dyn ImportObserver,
        lane: &mut Lane<'_>,
    ) -> Result<(), ServiceError> {
        let state = match self.report.failure {
            None => ImportState::Finished,
            Some(_) => ImportState::BrokenOff,
        };
        self.write(observer, lane, state)?;
        if let Lane::Whole { ended, .. } = lane {
            self.summary.take(&self.report, state);
            ended.push(Ended {
                import_no: Some(self.import_no),
                identity: identity.unwrap_or_default(),
                summary: self.summary.clone(),
                faults: std::mem::take(&mut self.faults),
            });
        }
        Ok(())
    }

    fn write(
        &mut self,
        observer: &mut dyn ImportObserver,
        lane: &mut Lane<'_>,
        state: ImportState,
    ) -> Result<(), ServiceError> {
        let is_noted = matches!(lane, Lane::Batches);
        let settled = match lane {
            // Nobody can see what is noted before the end, when the caller notes everything.
            Lane::Whole { writer, .. } => self.settle(*writer)?,
            Lane::Batches => {
                let mut settled = None;
                self.service.store.in_one_transaction(&mut |writer| {
                    let batch = self.settle(writer)?;
                    let kept = self.note(writer, &batch, state)?;
                    settled = Some((batch, kept));
                    Ok(true)
                })?;
                let Some((settled, kept)) = settled else {
                    return Err(ServiceError::Internal("a batch was not written".to_owned()));
                };
                self.noted_faults += kept;
                self.faults.clear();
                tokio::runtime::Handle::current()
                    .block_on(self.service.invalidate(&settled.changed));
                settled
            }
        };
        self.report = settled.report;
        for error in settled.refused {
            observer.refused(&error);
            self.repeat(&error);
            if !is_noted {
                self.keep(error);
            }
        }
        self.pending = 0;
        self.lines.clear();
        self.batch.clear();
        observer.progress(&self.report);
        Ok(())
    }

    /// Writes the batch and says what the report becomes by it.
    fn settle(&self, writer: &mut dyn RegisterWriter) -> Result<Settled, StoreError> {
        let mut settled = Settled {
            report: self.report.clone(),
            refused: Vec::new(),
            changed: Vec::new(),
        };
        if self.batch.is_empty() {
            return Ok(settled);
        }
        let outcomes = T::write(writer, &self.batch, self.import_no, self.service.today())?;
        for ((outcome, line), item) in outcomes.iter().zip(&self.lines).zip(&self.batch) {
            match outcome {
                Outcome::Created(_) => settled.report.created_count += 1,
                Outcome::Updated(_) => settled.report.updated_count += 1,
                Outcome::Unchanged => settled.report.unchanged_count += 1,
                Outcome::SetAside => settled.report.set_aside_count += 1,
                Outcome::Refused(refusal) => {
                    let (field, value) = item.refused_field(refusal);
                    settled.report.refused_count += 1;
                    settled.refused.push(LineError {
                        file: self.named.clone(),
                        line: *line,
                        field: Some(field.to_owned()),
                        value: Some(value),
                        reason: refusal.to_string(),
                    });
                }
            }
        }
        settled.changed = changes(&outcomes);
        Ok(settled)
    }

    /// Notes how far the import has come, in the transaction of the batch; tells how many faults are kept by it.
    fn note(
        &self,
        writer: &mut dyn RegisterWriter,
        settled: &Settled,
        state: ImportState,
    ) -> Result<u64, StoreError> {
        let mut summary = self.summary.clone();
        summary.take(&settled.report, state);
        let document = json(&summary)?;
        let room = usize::try_from(KEPT_FAULTS.saturating_sub(self.noted_faults)).unwrap_or(0);
        let faults = self.faults.iter().chain(&settled.refused).take(room);
        let faults = faults.map(json).collect::<Result<Vec<_>, _>>()?;
        let noted = writer.note_import(&ImportNote {
            import_no: self.import_no,
            holder: &self.holder,
            rows_done: settled.report.row_count,
            document: &document,
            faults: &faults,
        })?;
        if noted {
            return Ok(faults.len() as u64);
        }
        Err(StoreError::Aborted(format!(
            "another process has taken up import `{}` and goes on with it; nothing is lost",
            self.summary.import_id
        )))
    }

    /// Repeats a fault in the report, if it is one of the first.
    fn repeat(&mut self, error: &LineError) {
        if self.report.errors.len() < REPORTED_ERRORS {
            self.report.errors.push(error.clone());
        }
    }

    /// Remembers a fault for the note to come.
    fn keep(&mut self, error: LineError) {
        if (self.faults.len() as u64) < KEPT_FAULTS {
            self.faults.push(error);
        }
    }

    fn located(&self, error: LineError) -> LineError {
        match &self.named {
            Some(file) if error.file.is_none() => error.of_file(file),
            _ => error,
        }
    }
}

/// A document or fault as it is kept.
pub(super) fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Aborted(error.to_string()))
}
