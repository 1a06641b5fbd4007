//! Cuts a file into blocks of whole rows, in file order; what a block says is for a parser to find out.
//!
//! Cutting needs one pass over the bytes and no more, so it is done by one thread; parsing is what costs time, and
//! blocks can be parsed side by side because none depends on another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::{FilesError, LineError};
use super::lines::{Next, RowReader};
use super::parquet::{BatchReader, ParquetBlock};
use super::source::{Compression, read_failure};
use super::table::{OPEN_QUOTE, too_long};

/// Bytes of a text block at which it ends; a row is never divided.
const BLOCK_BYTES: usize = 128 * 1024;

/// Some rows of a file.
pub(super) enum Block {
    /// Rows of text, uncut.
    Text(TextBlock),
    /// Rows of a Parquet file, decoded.
    Parquet(ParquetBlock),
}

/// Rows of text.
#[derive(Default)]
pub(super) struct TextBlock {
    bytes: Vec<u8>,
    cuts: Vec<Cut>,
}

/// One row of a block.
enum Cut {
    /// A row that begins on this physical line and ends before this byte.
    Row { line: u64, end: usize },
    /// A row that could not be read.
    Bad(LineError),
}

/// A row of a text block.
pub(super) enum TextRow<'a> {
    /// Its first physical line and its bytes, without the line end.
    Row(u64, &'a [u8]),
    /// A row that could not be read.
    Bad(&'a LineError),
}

/// How far a block has been read.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    row: usize,
    /// Where the text of the row begins.
    byte: usize,
}

impl Place {
    /// The number of the next row of a block of `len` rows, which is passed by that.
    pub(super) fn next_of(&mut self, len: usize) -> Option<usize> {
        let row = self.row;
        self.row += 1;
        (row < len).then_some(row)
    }
}

impl TextBlock {
    /// The rows in order.
    pub(super) fn rows(&self) -> impl Iterator<Item = TextRow<'_>> {
        let mut place = Place::default();
        std::iter::from_fn(move || self.row_at(&mut place))
    }

    /// The row at a place, which then is that of the next one.
    pub(super) fn row_at(&self, place: &mut Place) -> Option<TextRow<'_>> {
        Some(match self.cuts.get(place.next_of(self.len())?)? {
            Cut::Row { line, end } => {
                let row = self.bytes.get(place.byte..*end).unwrap_or_default();
                place.byte = *end;
                TextRow::Row(*line, row)
            }
            Cut::Bad(error) => TextRow::Bad(error),
        })
    }

    /// How many rows it has.
    pub(super) fn len(&self) -> usize {
        self.cuts.len()
    }
}

/// What gives the blocks of one file.
pub(super) enum Splitter {
    /// Text.
    Text(TextSplitter),
    /// Parquet.
    Parquet {
        /// The decoder.
        batches: Box<BatchReader>,
        /// Bytes of the file that have been dealt with, for progress bars.
        taken: Arc<AtomicU64>,
        /// Bytes of the file.
        length: u64,
    },
}

impl Splitter {
    /// The next block; nothing at the end of the file.
    pub(super) fn next_block(&mut self) -> Result<Option<Block>, FilesError> {
        match self {
            Self::Text(text) => Ok(text.next_block()?.map(Block::Text)),
            Self::Parquet {
                batches,
                taken,
                length,
            } => {
                let block = batches.next_block()?;
                let done = batches.share_done() * *length as f64;
                taken.store(done as u64, Ordering::Relaxed);
                Ok(block.map(Block::Parquet))
            }
        }
    }
}

/// Cuts text.
pub(super) struct TextSplitter {
    pub(super) rows: RowReader,
    name: String,
    compression: Compression,
    max_row_bytes: usize,
    /// What a file without any row lacks, where that is a failure; CSV files have a header, which was read before.
    needs: Option<&'static str>,
    failure: Option<FilesError>,
}

impl TextSplitter {
    pub(super) fn new(
        rows: RowReader,
        name: String,
        compression: Compression,
        max_row_bytes: usize,
        needs: Option<&'static str>,
    ) -> Self {
        Self {
            rows,
            name,
            compression,
            max_row_bytes,
            needs,
            failure: None,
        }
    }

    fn next_block(&mut self) -> Result<Option<TextBlock>, FilesError> {
        // A failure comes after the rows that were read before it.
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let mut block = TextBlock::default();
        while block.bytes.len() < BLOCK_BYTES {
            let next = match self.rows.advance() {
                Ok(next) => next,
                Err(cause) => {
                    let line = self.rows.lines_ended();
                    let failure = read_failure(&self.name, line, self.compression, cause);
                    if block.len() == 0 {
                        return Err(failure);
                    }
                    self.failure = Some(failure);
                    break;
                }
            };
            let cut = match next {
                Next::End => break,
                Next::Row { line } => {
                    block.bytes.extend_from_slice(self.rows.row());
                    Cut::Row {
                        line,
                        end: block.bytes.len(),
                    }
                }
                Next::TooLong { line, last_line } => {
                    Cut::Bad(too_long(line, last_line, self.max_row_bytes))
                }
                Next::OpenQuote { line } => Cut::Bad(LineError::whole(line, OPEN_QUOTE)),
            };
            block.cuts.push(cut);
        }
        if block.len() > 0 {
            self.needs = None;
            return Ok(Some(block));
        }
        match self.needs {
            Some(needs) => Err(FilesError::Empty {
                file: self.name.clone(),
                needs,
            }),
            None => Ok(None),
        }
    }
}
