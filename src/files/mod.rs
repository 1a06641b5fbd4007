//! Layer 2: files in and out.
//!
//! Readers stream CSV (RFC 4180, UTF-8, header), NDJSON and Parquet, plain, gzip or zstd, and yield one [`Row`] per
//! line: a checked [`Enterprise`](crate::domain::Enterprise) or [`Record`](crate::domain::Record), or a [`LineError`]
//! that names line, field, value and reason. Writers give files that the readers take back unchanged. A [`Mapping`]
//! says how the tables of another system become enterprises and records, so that a new source needs no code.
//!
//! A file is never held whole: memory is bounded by a few blocks of rows and the longest row allowed
//! ([`ReadOptions::max_row_bytes`]), however long the file or one of its lines may be. Parquet is read at its end first:
//! where it arrives as a stream it is kept on disk, up to [`ReadOptions::max_spool_bytes`]. A file that ends in the
//! middle (a broken gzip) is a [`FilesError`], never a short success. Nothing here knows the store: what to do with good
//! and bad lines is the caller's to decide.
//!
//! One thread cuts a file into blocks of whole rows and others may parse them ([`Rows::in_parallel`]); the rows come out
//! in file order, with the same faults, whoever parsed them.

mod blocks;
mod bounded;
mod cell_rows;
mod cells;
mod columns;
mod encode;
mod error;
mod fingerprint;
mod frame;
mod json;
mod lines;
pub mod mapping;
mod packed;
mod parquet;
mod passing;
mod read;
mod rows;
mod sink;
mod source;
mod table;
mod table_writer;
mod write;

pub use cell_rows::{CellRows, CellRowsError};
pub use columns::Tabular;
pub use encode::Encoded;
pub use error::{FilesError, LineError, Row};
pub use fingerprint::Fingerprint;
pub use frame::{read_frame, write_frame};
pub use mapping::{Mapping, MappingError};
pub use packed::{pack, unpack};
pub use parquet::{ColumnType, Value};
pub use passing::PassingFolder;
pub use read::{ReadOptions, read_enterprises, read_frame_rows, read_items, read_records};
pub use rows::Rows;
pub use sink::Sink;
pub use source::{Compression, Format, Source};
pub use table_writer::TableWriter;
pub use write::{Encoder, ExportWriter, Writer, enterprise_writer, record_writer};
