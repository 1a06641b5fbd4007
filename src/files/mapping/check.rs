//! Turns the TOML of a mapping into one that can be used: every field known, every key where it makes sense.

use jiff::civil::{Date, date};
use jiff::fmt::strtime;
use std::path::{Component, Path};

use super::spec::{
    Conditions, DemoSpec, FieldSpec, MappingSpec, Otherwise, TableSpec, ValueSpec, Yields,
};
use super::value::Notation;
use crate::domain::digest::{Digest, HashAlgorithm};
use crate::domain::{Enterprise, Label, Record, RecordKind, dates};
use crate::files::columns::{self, Column, Tabular};
use crate::files::{FilesError, Format, Source};

/// The version of mapping files that this release reads.
const FORMAT: &str = "risktier-mapping/1";

/// Why a mapping cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// The file cannot be read.
    #[error("cannot read the mapping `{file}`: {cause}; check the path and its permissions")]
    Read {
        /// The file.
        file: String,
        /// What the operating system says.
        cause: std::io::Error,
    },
    /// The text is not the TOML of a mapping.
    #[error("mapping line {line}, column {column}: {message}")]
    Toml {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// The mapping is of another version.
    #[error("the mapping says format `{given}`; this release reads `{FORMAT}`, so {advice}")]
    Version {
        /// The version it states.
        given: String,
        /// Too old or too new, and what to do.
        advice: &'static str,
    },
    /// The mapping has no table.
    #[error("the mapping has no `[[table]]`; add one for each file")]
    NoTable,
    /// A part of a table makes no sense.
    #[error("mapping table `{table}`: `{key}` {reason}")]
    Table {
        /// The table.
        table: String,
        /// The field, attribute or key.
        key: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The part about demonstrations makes no sense.
    #[error("mapping `demo.{key}`: {reason}")]
    Demo {
        /// The key.
        key: &'static str,
        /// What is wrong and what to do.
        reason: String,
    },
}

/// A checked mapping.
pub struct Mapping {
    name: Option<String>,
    demo: Option<Demo>,
    enterprise_tables: Vec<Table<Enterprise>>,
    record_tables: Vec<Table<Record>>,
}

/// What a demonstration on these files should show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demo {
    /// The day to classify for; later records are what the tiers are compared with.
    pub as_of: Date,
    /// Which later records count as a problem found.
    pub outcome: Option<Outcome>,
}

/// Records that count as an outcome, and the code that makes one a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The kind of the records.
    pub kind: RecordKind,
    /// Their source; every source where absent.
    pub source: Option<Label>,
    /// The code of a problem.
    pub code: Label,
}

/// One table: a file and how its rows become values of `T`.
pub struct Table<T: Tabular> {
    name: String,
    digest: Digest,
    file: String,
    pub(super) delimiter: char,
    pub(super) notation: Notation,
    pub(super) conditions: Conditions,
    pub(super) fields: Vec<(&'static Column<T::Draft>, Vec<ValueSpec>)>,
    pub(super) attributes: Vec<(String, ValueSpec)>,
}

impl Mapping {
    /// Reads and checks a mapping file.
    pub fn load(path: &Path) -> Result<Self, MappingError> {
        let text = std::fs::read_to_string(path).map_err(|cause| MappingError::Read {
            file: path.display().to_string(),
            cause,
        })?;
        Self::parse(&text)
    }

    /// Checks the text of a mapping.
    pub fn parse(text: &str) -> Result<Self, MappingError> {
        let spec: MappingSpec = toml::from_str(text).map_err(|error| located(text, &error))?;
        if spec.format != FORMAT {
            let newer = spec
                .format
                .strip_prefix("risktier-mapping/")
                .and_then(|version| version.parse::<u32>().ok())
                .is_some_and(|version| version > 1);
            return Err(MappingError::Version {
                given: spec.format,
                advice: if newer {
                    "use a newer release"
                } else {
                    "correct the line `format`"
                },
            });
        }
        if spec.table.is_empty() {
            return Err(MappingError::NoTable);
        }
        let mut mapping = Self {
            name: spec.name,
            demo: spec.demo.map(demo).transpose()?,
            enterprise_tables: Vec::new(),
            record_tables: Vec::new(),
        };
        for (place, table) in spec.table.into_iter().enumerate() {
            let place = place.to_string();
            let digest = HashAlgorithm::Sha256.hash(&[text.as_bytes(), b"\0", place.as_bytes()]);
            match table.yields {
                Yields::Enterprise => {
                    mapping.enterprise_tables.push(Table::check(table, digest)?);
                }
                Yields::Record => mapping.record_tables.push(Table::check(table, digest)?),
            }
        }
        Ok(mapping)
    }

    /// What the mapping calls its data.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What a demonstration should show.
    pub fn demo(&self) -> Option<&Demo> {
        self.demo.as_ref()
    }

    /// The tables that yield enterprises, in the order of the file; they come before the records.
    pub fn enterprise_tables(&self) -> &[Table<Enterprise>] {
        &self.enterprise_tables
    }

    /// The tables that yield records, in the order of the file.
    pub fn record_tables(&self) -> &[Table<Record>] {
        &self.record_tables
    }
}

impl<T: Tabular> Table<T> {
    /// What messages call this table: its name, or its file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file, relative to the folder of the data.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Digest of the mapping, and which of its tables this is.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Opens the table's file in a folder.
    pub fn open(&self, folder: &Path) -> Result<Source, FilesError> {
        // A table is CSV under any name but that of a Parquet file.
        let path = folder.join(&self.file);
        let format = match Format::of_path(&path) {
            Some(Format::Parquet) => Format::Parquet,
            Some(Format::Csv | Format::Ndjson) | None => Format::Csv,
        };
        Source::open(&path, Some(format))
    }

    fn check(spec: TableSpec, digest: Digest) -> Result<Self, MappingError> {
        let name = spec.name.unwrap_or_else(|| spec.file.clone());
        let fault = |key: &str, reason: String| MappingError::Table {
            table: name.clone(),
            key: key.to_owned(),
            reason,
        };
        let inside = Path::new(&spec.file)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if spec.file.is_empty() || !inside {
            return Err(fault(
                "file",
                "is not a path inside the folder of the data; give it relative, without `..`"
                    .to_owned(),
            ));
        }
        let delimiter = spec.delimiter.unwrap_or(',');
        if !delimiter.is_ascii() || matches!(delimiter, '"' | '\n' | '\r') {
            return Err(fault(
                "delimiter",
                "is not a character that can part cells; use one like `,`, `;` or a tab".to_owned(),
            ));
        }
        let mut fields = Vec::with_capacity(spec.fields.len());
        for (key, field) in spec.fields {
            let Some(column) = columns::find::<T>(&key) else {
                let known = columns::names::<T>();
                return Err(fault(
                    &key,
                    format!("is not a field of a {}; known are {known}", T::NOUN),
                ));
            };
            let values = match field {
                FieldSpec::One(value) => vec![*value],
                FieldSpec::Several(values) => values,
            };
            if values.is_empty() {
                return Err(fault(
                    &key,
                    "has an empty list; name where it comes from".to_owned(),
                ));
            }
            let shape = Shape {
                date: column.is_date(),
                number: column.is_number(),
                list: column.is_list(),
            };
            for value in &values {
                check_value(value, shape).map_err(|reason| fault(&key, reason))?;
            }
            fields.push((column, values));
        }
        for column in T::COLUMNS.iter().filter(|column| column.is_required()) {
            if !fields.iter().any(|(given, _)| given.name == column.name) {
                return Err(fault(
                    column.name,
                    format!("is missing; every {} needs it", T::NOUN),
                ));
            }
        }
        if !spec.attributes.is_empty() && T::attributes(&mut T::Draft::default()).is_none() {
            return Err(fault(
                "attributes",
                format!("do not exist for a {}; remove them", T::NOUN),
            ));
        }
        for (attribute, value) in &spec.attributes {
            let shape = Shape {
                date: false,
                number: true,
                list: false,
            };
            check_value(value, shape).map_err(|reason| fault(attribute, reason))?;
        }
        Ok(Self {
            name,
            digest,
            file: spec.file,
            delimiter,
            notation: Notation {
                decimal: spec.decimal,
                thousands: spec.thousands,
            },
            conditions: spec.conditions,
            fields,
            attributes: spec.attributes.into_iter().collect(),
        })
    }
}

/// What kind of values a field holds.
#[derive(Clone, Copy)]
struct Shape {
    date: bool,
    number: bool,
    list: bool,
}

fn check_value(value: &ValueSpec, shape: Shape) -> Result<(), String> {
    let origins = usize::from(value.column.is_some())
        + usize::from(value.columns.is_some())
        + usize::from(value.constant.is_some());
    if origins != 1 {
        return Err("needs exactly one of `column`, `columns` and `constant`".to_owned());
    }
    if value.columns.is_some() != value.join.is_some() {
        return Err("needs `columns` and `join` together".to_owned());
    }
    if value.columns.as_ref().is_some_and(Vec::is_empty) {
        return Err("has no column in `columns`; name at least one".to_owned());
    }
    if value.map.is_none() && value.otherwise.is_some() {
        return Err("has `otherwise` without `map`; add the map or remove it".to_owned());
    }
    if value.map.is_some() && value.otherwise.is_some() && value.default.is_some() {
        return Err(
            "has `otherwise` and `default`, which both say what an unlisted text becomes; keep one"
                .to_owned(),
        );
    }
    let wrong_place = [
        (
            !shape.date && (value.date.is_some() || value.plus_days.is_some()),
            "`date` and `plus_days`, but is no date",
        ),
        (
            !shape.number && value.times.is_some(),
            "`times`, but is no number",
        ),
        (
            !shape.list && value.split.is_some(),
            "`split`, but is no list",
        ),
        (
            value.split.as_ref().is_some_and(String::is_empty),
            "an empty `split`",
        ),
        (
            value.times.is_some_and(|times| !times.is_finite()),
            "a factor `times` that is not finite",
        ),
    ];
    for (wrong, what) in wrong_place {
        if wrong {
            return Err(format!("has {what}; correct or remove it"));
        }
    }
    match &value.date {
        Some(pattern) => check_pattern(pattern),
        None => Ok(()),
    }
}

/// A pattern is usable when it writes a day in such a way that it reads the same day back.
fn check_pattern(pattern: &str) -> Result<(), String> {
    let probe = date(2024, 11, 23);
    let instant = probe.at(14, 5, 6, 0).to_zoned(jiff::tz::TimeZone::UTC);
    let back = instant
        .map_err(|error| error.to_string())
        .and_then(|instant| strtime::format(pattern, &instant).map_err(|e| e.to_string()))
        .and_then(|text| read_date(pattern, &text));
    match back {
        Ok(day) if day == probe => Ok(()),
        Ok(_) | Err(_) => Err(format!(
            "has the date pattern `{pattern}`, which does not tell a day; write it like `%d.%m.%Y`"
        )),
    }
}

/// Reads a date by its pattern; a time of day in it is dropped.
pub(super) fn read_date(pattern: &str, text: &str) -> Result<Date, String> {
    strtime::parse(pattern, text)
        .and_then(|parts| parts.to_date())
        .map_err(|_| format!("is not a date of the pattern `{pattern}`"))
}

fn demo(spec: DemoSpec) -> Result<Demo, MappingError> {
    let fault = |key: &'static str| move |reason: String| MappingError::Demo { key, reason };
    let as_of = dates::parse_date(&spec.as_of)
        .map_err(|reason| fault("as_of")(format!("`{}` {reason}", spec.as_of)))?;
    let label = |key: &'static str, text: &str| {
        Label::parse(text).map_err(|error| fault(key)(format!("`{text}` {error}")))
    };
    let outcome = match spec.outcome {
        None => None,
        Some(outcome) => Some(Outcome {
            kind: outcome
                .kind
                .parse()
                .map_err(|error: crate::domain::UnknownCode| {
                    fault("outcome.kind")(error.to_string())
                })?,
            source: outcome
                .source
                .map(|source| label("outcome.source", &source))
                .transpose()?,
            code: label("outcome.code", &outcome.code)?,
        }),
    };
    Ok(Demo { as_of, outcome })
}

/// Gives a TOML fault its line and column.
fn located(text: &str, error: &toml::de::Error) -> MappingError {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or_default();
    let message = error.message().lines().collect::<Vec<_>>().join(", ");
    MappingError::Toml {
        line: before.matches('\n').count() + 1,
        column: before
            .rsplit('\n')
            .next()
            .map_or(0, |line| line.chars().count())
            + 1,
        message,
    }
}

impl Otherwise {
    /// What happens to unlisted texts where the mapping does not say.
    pub(super) const USUAL: Self = Self::Error;
}
