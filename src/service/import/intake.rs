//! Files into the register: single files, or a folder in our own columns or with a mapping.

use std::path::Path;
use std::thread::available_parallelism;

use super::ledger::{ImportState, Resume, Subject};
use super::report::{ImportObserver, ImportReport, Importable};
use super::run::{Course, Ended, Lane, json};
use crate::domain::{Label, RecordDefaults};
use crate::files::{
    FilesError, Mapping, ReadOptions, Rows, Source, read_enterprises, read_records,
};
use crate::service::{Service, ServiceError, label};
use crate::store::{ImportNote, RegisterWriter, StoreError};

/// The names that the files of a folder without a mapping may have.
const FORMS: [&str; 11] = [
    "csv",
    "csv.gz",
    "csv.zst",
    "ndjson",
    "ndjson.gz",
    "ndjson.zst",
    "jsonl",
    "jsonl.gz",
    "jsonl.zst",
    "parquet",
    "parquet.gz",
];
/// Source of records that name none, in a folder without a mapping.
const UNNAMED: &str = "import";

/// How files are imported.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// Bounds of reading.
    pub read: ReadOptions,
    /// Whether a single fault anywhere keeps everything out.
    pub all_or_nothing: bool,
    /// Which earlier import may be gone on with.
    pub resume: Resume,
}

impl From<ReadOptions> for ImportOptions {
    fn from(read: ReadOptions) -> Self {
        Self {
            read,
            ..Self::default()
        }
    }
}

impl Service {
    /// Imports enterprises in our own columns; see [`Service::import`].
    ///
    /// # Errors
    ///
    /// When the file cannot be read at all, or the store fails.
    pub fn import_enterprises(
        &self,
        source: Source,
        options: &ImportOptions,
        observer: &mut dyn ImportObserver,
    ) -> Result<ImportReport, ServiceError> {
        self.in_lane(options, |lane| {
            self.enterprises_by(source, options, observer, lane)
        })
    }

    /// Imports records in our own columns; `source_name` is the source of those that name none.
    ///
    /// # Errors
    ///
    /// When the file cannot be read at all, or the store fails.
    pub fn import_records(
        &self,
        source: Source,
        source_name: &Label,
        options: &ImportOptions,
        observer: &mut dyn ImportObserver,
    ) -> Result<ImportReport, ServiceError> {
        self.in_lane(options, |lane| {
            self.records_by(source, source_name, options, observer, lane)
        })
    }

    /// Imports a folder: through a mapping, or `enterprises.*` and `records.*` in our own columns. Enterprises come
    /// first.
    ///
    /// # Errors
    ///
    /// When a file is missing or cannot be read at all, or the store fails.
    pub fn import_folder(
        &self,
        folder: &Path,
        mapping: Option<&Mapping>,
        options: &ImportOptions,
        observer: &mut dyn ImportObserver,
    ) -> Result<ImportReport, ServiceError> {
        self.in_lane(options, |lane| match mapping {
            None => {
                let enterprises = open_in(folder, "enterprises")?;
                let records = open_in(folder, "records")?;
                let mut total = self.enterprises_by(enterprises, options, observer, lane)?;
                let unnamed = label("source", UNNAMED)?;
                total.absorb(self.records_by(records, &unnamed, options, observer, lane)?);
                Ok(total)
            }
            Some(mapping) => self.mapped_by(folder, mapping, options, observer, lane),
        })
    }

    fn enterprises_by(
        &self,
        source: Source,
        options: &ImportOptions,
        observer: &mut dyn ImportObserver,
        lane: &mut Lane<'_>,
    ) -> Result<ImportReport, ServiceError> {
        let rows = |source| read_enterprises(source, &options.read);
        self.watched(source, None, &[], options, observer, lane, rows)
    }

    fn records_by(
        &self,
        source: Source,
        source_name: &Label,
        options: &ImportOptions,
        observer: &mut dyn ImportObserver,
        lane: &mut Lane<'_>,
    ) -> Result<ImportReport, ServiceError> {
        let defaults = RecordDefaults {
            source: source_name.clone(),
            known_on: self.today(),
        };
        let manner = [source_name.as_str()];
        let rows = |source| read_records(source, &options.read, defaults);
        self.watched(source, None, &manner, options, observer, lane, rows)
    }

    fn mapped_by(
        &self,
        folder: &Path,
        mapping: &Mapping,
        options: &ImportOptions,
        observer: &mut dyn ImportObserver,
        lane: &mut Lane<'_>,
    ) -> Result<ImportReport, ServiceError> {
        let mut total = ImportReport::default();
        for table in mapping.enterprise_tables() {
            let (file, digest) = (Some(table.file()), table.digest().to_string());
            let rows = |source| table.rows(source, &options.read, ());
            let source = table.open(folder)?;
            total.absorb(self.watched(source, file, &[&digest], options, observer, lane, rows)?);
        }
        for table in mapping.record_tables() {
            let (file, digest) = (Some(table.file()), table.digest().to_string());
            let defaults = RecordDefaults {
                source: label("source", table.name())?,
                known_on: self.today(),
            };
            let rows = |source| table.rows(source, &options.read, defaults);
            let source = table.open(folder)?;
            total.absorb(self.watched(source, file, &[&digest], options, observer, lane, rows)?);
        }
        Ok(total)
    }

    /// Imports one source; `file` is named in its faults where several files are read together, `manner` is what else
    /// decides what its rows become.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is of another kind, and all are named above"
    )]
    fn watched<T: Importable>(
        &self,
        source: Source,
        file: Option<&str>,
        manner: &[&str],
        options: &ImportOptions,
        observer: &mut dyn ImportObserver,
        lane: &mut Lane<'_>,
        rows: impl FnOnce(Source) -> Result<Rows<T>, FilesError>,
    ) -> Result<ImportReport, ServiceError> {
        observer.begin(source.name(), source.length(), source.bytes_taken());
        let fingerprint = source.fingerprint().clone();
        let subject = Subject::new(source.name(), fingerprint, source.format(), manner);
        let course = Course {
            subject,
            named: file,
            resume: match lane {
                Lane::Batches => &options.resume,
                // What is kept only as a whole has no middle to go on from.
                Lane::Whole { .. } => &Resume::Never,
            },
        };
        let cores = available_parallelism().map_or(1, Into::into);
        let rows = rows(source)?.in_parallel(cores);
        self.import_by(&course, rows, observer, lane)
    }

    /// Runs an import batch by batch, or in one transaction that a single fault undoes.
    fn in_lane(
        &self,
        options: &ImportOptions,
        work: impl FnOnce(&mut Lane<'_>) -> Result<ImportReport, ServiceError>,
    ) -> Result<ImportReport, ServiceError> {
        if !options.all_or_nothing {
            return work(&mut Lane::Batches);
        }
        let (mut work, mut done, mut ended) = (Some(work), None, Vec::new());
        self.store.in_one_long_transaction(&mut |writer| {
            // The file has been read by then, and a stream cannot be read twice.
            let Some(work) = work.take() else {
                return Err(StoreError::Aborted(
                    "other writers were in the way, so nothing was written; import again"
                        .to_owned(),
                ));
            };
            let report = work(&mut Lane::Whole {
                writer: &mut *writer,
                ended: &mut ended,
            });
            let is_kept = report.as_ref().is_ok_and(ImportReport::is_clean);
            if is_kept {
                for import in &ended {
                    finish_in(writer, import)?;
                }
            }
            done = Some(report);
            Ok(is_kept)
        })?;
        let report = match done {
            Some(report) => report?,
            None => return Err(ServiceError::Internal("nothing was imported".to_owned())),
        };
        if report.is_clean() {
            // There may be millions of changes: the cache takes them from the log.
            if let Err(error) = tokio::runtime::Handle::current().block_on(self.catch_up()) {
                tracing::warn!(%error, "the tier cache has not caught up with an import; it will");
            }
            return Ok(report);
        }
        let report = report.undone();
        self.keep_undone(ended)?;
        Ok(report)
    }

    /// Keeps what was found by imports that left nothing behind.
    fn keep_undone(&self, ended: Vec<Ended>) -> Result<(), ServiceError> {
        for mut import in ended {
            let mut report = import.summary.report(Vec::new()).undone();
            report.failure.clone_from(&import.summary.failure);
            import.summary.take(&report, ImportState::NothingWritten);
            import.import_no = None;
            self.store.in_one_transaction(&mut |writer| {
                finish_in(writer, &import)?;
                Ok(true)
            })?;
        }
        Ok(())
    }
}

/// Notes an import that came to its end; begins it first where its transaction was undone.
fn finish_in(writer: &mut dyn RegisterWriter, import: &Ended) -> Result<(), StoreError> {
    let summary = &import.summary;
    let document = json(summary)?;
    let faults = import
        .faults
        .iter()
        .map(json)
        .collect::<Result<Vec<_>, _>>()?;
    let (id, holder) = (&summary.import_id, "all-or-nothing");
    let import_no = match import.import_no {
        Some(import_no) => {
            writer.take_import(import_no, holder)?;
            import_no
        }
        None => writer.begin_import(id, &import.identity, holder, &document)?,
    };
    writer.note_import(&ImportNote {
        import_no,
        holder,
        rows_done: summary.row_count,
        document: &document,
        faults: &faults,
    })?;
    Ok(())
}

fn open_in(folder: &Path, name: &str) -> Result<Source, FilesError> {
    let paths = FORMS
        .iter()
        .map(|form| folder.join(format!("{name}.{form}")));
    match paths.into_iter().find(|path| path.is_file()) {
        Some(path) => Source::open(&path, None),
        None => Err(FilesError::Missing {
            folder: folder.display().to_string(),
            name: name.to_owned(),
        }),
    }
}
