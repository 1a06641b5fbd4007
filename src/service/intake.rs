//! Files into the register: single files, or a folder in our own columns or with a mapping.

use std::path::Path;

use super::import::{ImportObserver, ImportReport, Importable};
use super::{Service, ServiceError, label};
use crate::domain::{Label, RecordDefaults};
use crate::files::{FilesError, Mapping, ReadOptions, Row, Source, read_enterprises, read_records};

/// The names that the files of a folder without a mapping may have.
const FORMS: [&str; 6] = ["csv", "csv.gz", "ndjson", "ndjson.gz", "jsonl", "jsonl.gz"];
/// Source of records that name none, in a folder without a mapping.
const UNNAMED: &str = "import";

impl Service {
    /// Imports enterprises in our own columns; see [`Service::import`].
    ///
    /// # Errors
    ///
    /// When the file cannot be read at all, or the store fails.
    pub fn import_enterprises(
        &self,
        source: Source,
        options: &ReadOptions,
        observer: &mut dyn ImportObserver,
    ) -> Result<ImportReport, ServiceError> {
        self.watched(source, None, observer, |source| {
            read_enterprises(source, options)
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
        options: &ReadOptions,
        observer: &mut dyn ImportObserver,
    ) -> Result<ImportReport, ServiceError> {
        let defaults = RecordDefaults {
            source: source_name.clone(),
            known_on: self.today(),
        };
        self.watched(source, None, observer, |source| {
            read_records(source, options, defaults)
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
        options: &ReadOptions,
        observer: &mut dyn ImportObserver,
    ) -> Result<ImportReport, ServiceError> {
        let mut total = ImportReport::default();
        let Some(mapping) = mapping else {
            let enterprises = open_in(folder, "enterprises")?;
            let records = open_in(folder, "records")?;
            total.absorb(self.import_enterprises(enterprises, options, observer)?);
            total.absorb(self.import_records(
                records,
                &label("source", UNNAMED)?,
                options,
                observer,
            )?);
            return Ok(total);
        };
        for table in mapping.enterprise_tables() {
            let rows = |source| table.rows(source, options, ());
            total.absorb(self.watched(table.open(folder)?, Some(table.file()), observer, rows)?);
        }
        for table in mapping.record_tables() {
            let defaults = RecordDefaults {
                source: label("source", table.name())?,
                known_on: self.today(),
            };
            let rows = |source| table.rows(source, options, defaults);
            total.absorb(self.watched(table.open(folder)?, Some(table.file()), observer, rows)?);
        }
        Ok(total)
    }

    /// Imports one source; `file` is named in its faults where several files are read together.
    fn watched<T: Importable, R: Iterator<Item = Result<Row<T>, FilesError>>>(
        &self,
        source: Source,
        file: Option<&str>,
        observer: &mut dyn ImportObserver,
        rows: impl FnOnce(Source) -> Result<R, FilesError>,
    ) -> Result<ImportReport, ServiceError> {
        observer.begin(source.name(), source.length(), source.bytes_taken());
        self.import(file, rows(source)?, observer)
    }
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
