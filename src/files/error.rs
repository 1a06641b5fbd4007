//! What can be wrong with a line, and what can be wrong with a whole file.

use serde::{Deserialize, Serialize};
use std::fmt;

use crate::domain::FieldError;

/// Longest value that an error repeats, in characters.
const SHOWN_CHARACTERS: usize = 80;

/// One row of a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Row<T> {
    /// A row that became a value.
    Good {
        /// The physical line on which the row starts, or the number of the row in a Parquet file, from 1.
        line: u64,
        /// The value.
        item: T,
    },
    /// A row that was refused; the rows after it go on.
    Bad(LineError),
}

/// A line that was refused: where, what it held, why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineError {
    /// The file, where several are read together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The physical line on which the row starts, or the number of the row in a Parquet file, from 1.
    pub line: u64,
    /// The field that is wrong, if the fault lies in one.
    pub field: Option<String>,
    /// What the field held, shortened.
    pub value: Option<String>,
    /// Why it was refused and what to do.
    pub reason: String,
}

impl LineError {
    /// A fault of a whole line.
    pub(super) fn whole(line: u64, reason: impl Into<String>) -> Self {
        Self {
            file: None,
            line,
            field: None,
            value: None,
            reason: reason.into(),
        }
    }

    /// A fault of one field.
    pub(super) fn in_field(line: u64, error: FieldError) -> Self {
        Self {
            file: None,
            line,
            field: Some(error.field),
            value: Some(shorten(&error.value)),
            reason: error.reason,
        }
    }

    /// The same fault with the name of its file.
    pub fn of_file(self, file: &str) -> Self {
        Self {
            file: Some(file.to_owned()),
            ..self
        }
    }
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "`{file}` ")?;
        }
        // A Parquet file has columns but no header line.
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        if let Some(field) = &self.field {
            write!(f, "`{field}`: ")?;
        }
        if let Some(value) = &self.value {
            write!(f, "`{value}` ")?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for LineError {}

/// A failure of a whole file: nothing after it was read or written.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The file cannot be opened or created.
    #[error("cannot open `{file}`: {cause}; check the path and its permissions")]
    Open {
        /// The file.
        file: String,
        /// What the operating system says.
        cause: std::io::Error,
    },
    /// A folder lacks a file that it needs.
    #[error(
        "`{folder}` has no {name}.csv, {name}.ndjson or {name}.parquet (also with .gz or .zst); name a mapping for other files"
    )]
    Missing {
        /// The folder.
        folder: String,
        /// Name of the file without its ending.
        name: String,
    },
    /// Reading failed in the middle.
    #[error("cannot read `{file}` beyond line {line}: {cause}; what came before it was read")]
    Read {
        /// The file.
        file: String,
        /// The last line that was read whole.
        line: u64,
        /// What the operating system says.
        cause: std::io::Error,
    },
    /// A gzip or zstd file ends before its end or holds damaged blocks.
    #[error(
        "`{file}` is damaged or cut off after line {line}: {cause}; copy the file again, its checksum is wrong"
    )]
    Damaged {
        /// The file.
        file: String,
        /// The last line that was read whole.
        line: u64,
        /// What the decoder says.
        cause: std::io::Error,
    },
    /// Neither the name nor the caller says which format it is.
    #[error(
        "the format of `{file}` is unknown; name the file .csv, .ndjson, .jsonl or .parquet (also with .gz or .zst), or state the format"
    )]
    UnknownFormat {
        /// The file.
        file: String,
    },
    /// The bytes are of a kind that is not read here.
    #[error("`{file}` is {found}; {advice}")]
    Unreadable {
        /// The file.
        file: String,
        /// What it seems to be.
        found: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// A Parquet file cannot be read.
    #[error("`{file}` is no Parquet file that can be read{place}: {cause}; export the table again")]
    Parquet {
        /// The file.
        file: String,
        /// Where, as in ` beyond row 7`; empty for the file as a whole.
        place: String,
        /// What is wrong.
        cause: String,
    },
    /// A Parquet file that arrives as a stream is larger than what is kept of it at a time.
    #[error(
        "`{file}` has more than {limit} bytes, which is the most that is kept of a Parquet file that arrives as a stream; \
         give it as a file, or send CSV or NDJSON"
    )]
    Spool {
        /// The file.
        file: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// A thread that parsed a part of the file ended early.
    #[error("a part of the file was not parsed, please report it; what came before it was read")]
    Stopped,
    /// The file has no row at all.
    #[error("`{file}` is empty; a file needs {needs}")]
    Empty {
        /// The file.
        file: String,
        /// What is missing.
        needs: &'static str,
    },
    /// The header does not fit.
    #[error("the header does not fit: {0}")]
    Header(LineError),
    /// A line of a frame file is wrong.
    #[error("the frame file is wrong at line {line}: {reason}")]
    Frame {
        /// The physical line, from 1; 0 for the file as a whole.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// Writing failed.
    #[error("cannot write `{file}`: {cause}; check the space left on the disk")]
    Write {
        /// The file.
        file: String,
        /// What the operating system says.
        cause: std::io::Error,
    },
    /// A value has an attribute for which the CSV file has no column.
    #[error(
        "`{enterprise_id}` has the attribute `{attribute}`, for which `{file}` has no column; declare it or write NDJSON"
    )]
    UndeclaredAttribute {
        /// The file.
        file: String,
        /// Whose attribute it is.
        enterprise_id: String,
        /// The attribute.
        attribute: String,
    },
}

/// A value as an error shows it: cut to 80 characters, control characters replaced.
pub(super) fn shorten(value: &str) -> String {
    let mut characters = value.chars();
    let mut shown: String = characters
        .by_ref()
        .take(SHOWN_CHARACTERS)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}
