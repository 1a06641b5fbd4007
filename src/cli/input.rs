//! Files into a service: single files, or a folder in our own columns or with a mapping.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::exit::Failure;
use super::progress::ImportProgress;
use crate::domain::{Enterprise, Label, Record, RecordDefaults};
use crate::files::{
    FilesError, Format, Mapping, ReadOptions, Row, Source, read_enterprises, read_records,
};
use crate::service::{ImportReport, Importable, Service};

/// What the rows of a folder without a mapping are, and the names they may have.
const FORMS: [&str; 6] = ["csv", "csv.gz", "ndjson", "ndjson.gz", "jsonl", "jsonl.gz"];

/// How files are read.
pub(super) struct Reading {
    /// Bounds of reading.
    pub(super) options: ReadOptions,
    /// The format where the file name does not say it.
    pub(super) format: Option<Format>,
    /// Where every fault goes, one line of NDJSON each.
    pub(super) error_report: Option<PathBuf>,
}

impl Reading {
    pub(super) fn new(max_row_bytes: usize) -> Self {
        Self {
            options: ReadOptions { max_row_bytes },
            format: None,
            error_report: None,
        }
    }
}

/// Imports one file of enterprises.
pub(super) fn import_enterprises(
    service: &Service,
    path: &Path,
    reading: &Reading,
) -> Result<ImportReport, Failure> {
    let source = Source::open(path, reading.format)?;
    watched(service, path, source, reading, |source| {
        read_enterprises(source, &reading.options)
    })
}

/// Imports one file of records; `source_name` is the source of those that name none.
pub(super) fn import_records(
    service: &Service,
    path: &Path,
    source_name: &Label,
    reading: &Reading,
) -> Result<ImportReport, Failure> {
    let defaults = RecordDefaults {
        source: source_name.clone(),
        known_on: service.today(),
    };
    let source = Source::open(path, reading.format)?;
    watched(service, path, source, reading, |source| {
        read_records(source, &reading.options, defaults)
    })
}

/// Imports a folder: through a mapping, or `enterprises.*` and `records.*` in our own columns. Enterprises come first.
pub(super) fn import_folder(
    service: &Service,
    folder: &Path,
    mapping: Option<&Mapping>,
    reading: &Reading,
) -> Result<ImportReport, Failure> {
    let mut total = ImportReport::default();
    let Some(mapping) = mapping else {
        let find = |name: &str| {
            let paths = FORMS
                .iter()
                .map(|form| folder.join(format!("{name}.{form}")));
            paths.into_iter().find(|path| path.is_file()).ok_or_else(|| {
                Failure::Other(format!(
                    "`{}` has no file {name}.csv or {name}.ndjson (also with .gz); name a mapping for other files",
                    folder.display()
                ))
            })
        };
        let unnamed = label("import")?;
        total.absorb(import_enterprises(service, &find("enterprises")?, reading)?);
        total.absorb(import_records(
            service,
            &find("records")?,
            &unnamed,
            reading,
        )?);
        return Ok(total);
    };
    for table in mapping.enterprise_tables() {
        let path = folder.join(table.file());
        let rows = |source| table.rows(source, &reading.options, ());
        total.absorb(watched::<Enterprise, _>(
            service,
            &path,
            table.open(folder)?,
            reading,
            rows,
        )?);
    }
    for table in mapping.record_tables() {
        let path = folder.join(table.file());
        let defaults = RecordDefaults {
            source: label(table.name())?,
            known_on: service.today(),
        };
        let rows = |source| table.rows(source, &reading.options, defaults);
        total.absorb(watched::<Record, _>(
            service,
            &path,
            table.open(folder)?,
            reading,
            rows,
        )?);
    }
    Ok(total)
}

fn label(text: &str) -> Result<Label, Failure> {
    crate::service::source_label(text).map_err(Failure::from)
}

fn watched<T: Importable, R: Iterator<Item = Result<Row<T>, FilesError>>>(
    service: &Service,
    path: &Path,
    source: Source,
    reading: &Reading,
    rows: impl FnOnce(Source) -> Result<R, FilesError>,
) -> Result<ImportReport, Failure> {
    let length = path
        .metadata()
        .ok()
        .filter(|metadata| metadata.is_file())
        .map(|metadata| metadata.len());
    let report = reading.error_report.as_deref().map(appended).transpose()?;
    let file = path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    );
    let mut progress = ImportProgress::new(&file, length, source.bytes_taken(), report);
    let done = service.import(Some(&file), rows(source)?, &mut progress)?;
    progress.finish().map_err(|cause| Failure::Path {
        path: "the error report".to_owned(),
        cause,
    })?;
    Ok(done)
}

fn appended(path: &Path) -> Result<File, Failure> {
    File::options()
        .create(true)
        .append(true)
        .open(path)
        .map_err(Failure::at(path))
}
