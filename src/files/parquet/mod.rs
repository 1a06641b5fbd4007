//! Parquet files in and out.
//!
//! A file is read row group by row group, some thousand rows at a time, and only the columns that are asked for. Every
//! value becomes the text that a CSV file would hold, so one set of rules reads all kinds of files; what a column's
//! type cannot mean is refused before the first row.
//!
//! The reading library believes the sizes that a file declares. Files may be hostile, so [`guard`] checks them first:
//! lists in the footer against its length, pages against a limit. What the library does with damaged bytes beyond that
//! is caught and told as a fault of the file.

mod cells;
mod guard;
mod reading;
mod thrift;
mod writing;

pub(super) use cells::{ITEM_END, ListForm, ParquetCutter, Wanted};
pub(super) use reading::{BatchReader, ParquetBlock, ParquetTable};
pub(super) use writing::{BatchBuilder, BatchWriter};
pub use writing::{ColumnType, Value};

#[cfg(test)]
mod tests;
