//! Layer 2: files in and out.
//!
//! Readers stream CSV (RFC 4180, UTF-8, header) and NDJSON, plain or gzip, and yield one [`Row`] per line: a checked
//! [`Enterprise`](crate::domain::Enterprise) or [`Record`](crate::domain::Record), or a [`LineError`] that names line,
//! field, value and reason. Writers give files that the readers take back unchanged. A [`Mapping`] says how the
//! tables of another system become enterprises and records, so that a new source needs no code.
//!
//! A file is never held whole: memory is bounded by the longest row allowed ([`ReadOptions::max_row_bytes`]), however
//! long the file or one of its lines may be. A file that ends in the middle (a broken gzip) is a [`FilesError`], never
//! a short success. Nothing here knows the store: what to do with good and bad lines is the caller's to decide.

mod bounded;
mod cells;
mod columns;
mod error;
mod frame;
mod json;
mod lines;
pub mod mapping;
mod packed;
mod read;
mod source;
mod table;
mod table_writer;
mod text_table;
mod write;

pub use columns::Tabular;
pub use error::{FilesError, LineError, Row};
pub use frame::{read_frame, write_frame};
pub use mapping::{Mapping, MappingError};
pub use packed::{pack, unpack};
pub use read::{ReadOptions, Rows, read_enterprises, read_records};
pub use source::{Format, Source};
pub use table_writer::TableWriter;
pub use text_table::{TextTable, TextTableError};
pub use write::{Sink, Writer, enterprise_writer, record_writer};
