//! The rows of a file as a stream, parsed by one thread or by several.

use std::str;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::vec;

use super::blocks::{Block, Splitter, TextRow};
use super::cells::Cells;
use super::columns::Tabular;
use super::error::{FilesError, LineError, Row, shorten};
use super::json;
use super::parquet::ParquetCutter;
use super::table::{CsvCutter, NOT_UTF8};

/// Blocks that may wait for a parser, or parsed ones for their reader, per thread.
const WAITING_BLOCKS: usize = 4;
/// More parsers than this have nothing to do: cutting and writing take their time too.
const MOST_PARSERS: usize = 8;

/// What becomes of a row of cells.
pub(super) trait Rule<T: Tabular>: Send + Sync {
    /// The row as a value, or what is wrong with it; nothing where the row is left out.
    fn row(&self, line: u64, cells: &Cells) -> Option<Row<T>>;

    /// Adds what the rule knows of the file to a fault that was found before the rule was asked.
    fn located(&self, error: LineError) -> LineError;
}

/// Parses the blocks of one file; it keeps nothing from one block to the next, so that any number of threads may share
/// it.
pub(super) struct Parser<T: Tabular> {
    pub(super) cutter: Cutter<T>,
    /// What a row leaves to its import.
    pub(super) defaults: T::Defaults,
}

/// How a block becomes rows.
pub(super) enum Cutter<T: Tabular> {
    /// Cells of text.
    Csv(CsvCutter, Box<dyn Rule<T>>),
    /// Objects.
    Ndjson,
    /// Cells of a Parquet file.
    Parquet(ParquetCutter, Box<dyn Rule<T>>),
}

/// What a block held.
struct Parsed<T> {
    rows: Vec<Row<T>>,
    skipped_count: u64,
}

impl<T: Tabular> Parser<T> {
    fn parse(&self, block: &Block, cells: &mut Cells) -> Parsed<T> {
        let mut parsed = Parsed {
            rows: Vec::new(),
            skipped_count: 0,
        };
        match (block, &self.cutter) {
            (Block::Text(block), Cutter::Csv(csv, rule)) => {
                parsed.rows.reserve(block.len());
                for row in block.rows() {
                    match row {
                        TextRow::Row(line, bytes) => match csv.cut(line, bytes, cells) {
                            Ok(()) => parsed.take(rule.row(line, cells)),
                            Err(error) => parsed.rows.push(Row::Bad(rule.located(error))),
                        },
                        TextRow::Bad(error) => {
                            parsed.rows.push(Row::Bad(rule.located(error.clone())));
                        }
                    }
                }
            }
            (Block::Text(block), Cutter::Ndjson) => {
                parsed.rows.reserve(block.len());
                for row in block.rows() {
                    parsed.rows.push(match row {
                        TextRow::Row(line, bytes) => {
                            finish(line, object::<T>(line, bytes), &self.defaults)
                        }
                        TextRow::Bad(error) => Row::Bad(error.clone()),
                    });
                }
            }
            (Block::Parquet(block), Cutter::Parquet(cutter, rule)) => {
                parsed.rows.reserve(block.len());
                for place in 0..block.len() {
                    let line = block.line(place);
                    match cutter.cut(block, place, cells) {
                        Ok(()) => parsed.take(rule.row(line, cells)),
                        Err(error) => parsed.rows.push(Row::Bad(rule.located(error))),
                    }
                }
            }
            // INVARIANT: splitter and cutter of a file are made together.
            (Block::Text(_), Cutter::Parquet(..))
            | (Block::Parquet(_), Cutter::Csv(..) | Cutter::Ndjson) => {}
        }
        parsed
    }
}

impl<T> Parsed<T> {
    fn take(&mut self, row: Option<Row<T>>) {
        match row {
            Some(row) => self.rows.push(row),
            None => self.skipped_count += 1,
        }
    }
}

fn object<T: Tabular>(line: u64, bytes: &[u8]) -> Result<T::Draft, LineError> {
    match str::from_utf8(bytes) {
        Ok(text) => json::draft::<T>(line, text),
        Err(_) => Err(LineError {
            value: Some(shorten(&String::from_utf8_lossy(bytes))),
            ..LineError::whole(line, NOT_UTF8)
        }),
    }
}

/// Checks a draft and keeps its line.
pub(super) fn finish<T: Tabular>(
    line: u64,
    draft: Result<T::Draft, LineError>,
    defaults: &T::Defaults,
) -> Row<T> {
    let checked = draft.and_then(|draft| {
        T::check(draft, defaults).map_err(|error| LineError::in_field(line, error))
    });
    match checked {
        Ok(item) => Row::Good { line, item },
        Err(error) => Row::Bad(error),
    }
}

/// The rows of a file as a stream: a [`FilesError`] ends it, a bad row does not.
///
/// Several threads give the same rows in the same order as one.
pub struct Rows<T: Tabular> {
    blocks: Blocks<T>,
    current: vec::IntoIter<Row<T>>,
    skipped_count: u64,
    ended: bool,
}

/// Where parsed blocks come from.
enum Blocks<T: Tabular> {
    Here(Box<Here<T>>),
    Threads(Receiver<Promise<T>>),
}

/// A file that is parsed as it is read.
struct Here<T: Tabular> {
    splitter: Splitter,
    parser: Arc<Parser<T>>,
    cells: Cells,
}

/// A block that some thread is parsing.
type Promise<T> = Receiver<Result<Parsed<T>, FilesError>>;

impl<T: Tabular> Rows<T> {
    pub(super) fn new(splitter: Splitter, parser: Parser<T>) -> Self {
        Self {
            blocks: Blocks::Here(Box::new(Here {
                splitter,
                parser: Arc::new(parser),
                cells: Cells::default(),
            })),
            current: Vec::new().into_iter(),
            skipped_count: 0,
            ended: false,
        }
    }

    /// The same rows, read and parsed ahead by threads of their own: one that cuts the file and up to `parsers` that
    /// parse. Memory stays bounded by a few blocks for each. Where no thread can be started, everything is done here.
    #[must_use]
    pub fn in_parallel(self, parsers: usize) -> Self {
        let Blocks::Here(here) = self.blocks else {
            return self;
        };
        let Here {
            splitter, parser, ..
        } = *here;
        let parsers = parsers.clamp(1, MOST_PARSERS);
        let (promise, promises) = sync_channel(parsers * WAITING_BLOCKS);
        let (work, waiting) = sync_channel::<Work<T>>(parsers * WAITING_BLOCKS);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..parsers {
            let (waiting, parser) = (Arc::clone(&waiting), Arc::clone(&parser));
            thread::spawn(move || parse_all(&waiting, &parser));
        }
        thread::spawn(move || split_all(splitter, &work, &promise));
        Self {
            blocks: Blocks::Threads(promises),
            ..self
        }
    }
}

impl<T: Tabular> Rows<T> {
    /// Rows left out so far by the conditions of a mapping.
    pub fn skipped_count(&self) -> u64 {
        self.skipped_count
    }

    fn next_block(&mut self) -> Result<Option<Parsed<T>>, FilesError> {
        match &mut self.blocks {
            Blocks::Here(here) => {
                let block = here.splitter.next_block()?;
                Ok(block.map(|block| here.parser.parse(&block, &mut here.cells)))
            }
            Blocks::Threads(promises) => match promises.recv() {
                // A thread that ended early has left its promise behind.
                Ok(promise) => promise.recv().unwrap_or(Err(FilesError::Stopped)).map(Some),
                Err(_) => Ok(None),
            },
        }
    }
}

#[cfg(test)]
impl<T: Tabular> Rows<T> {
    /// The memory held for rows of text that are being cut.
    pub(super) fn held_bytes(&self) -> usize {
        match &self.blocks {
            Blocks::Here(here) => match &here.splitter {
                Splitter::Text(text) => text.rows.held_bytes(),
                Splitter::Parquet { .. } => 0,
            },
            Blocks::Threads(_) => 0,
        }
    }
}

impl<T: Tabular> Iterator for Rows<T> {
    type Item = Result<Row<T>, FilesError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.current.next() {
                return Some(Ok(row));
            }
            if self.ended {
                return None;
            }
            match self.next_block() {
                Ok(Some(parsed)) => {
                    self.skipped_count += parsed.skipped_count;
                    self.current = parsed.rows.into_iter();
                }
                Ok(None) => self.ended = true,
                Err(failure) => {
                    self.ended = true;
                    return Some(Err(failure));
                }
            }
        }
    }
}

/// A block to parse and where the result goes.
type Work<T> = (Block, SyncSender<Result<Parsed<T>, FilesError>>);

/// Cuts the file and promises each block in order, until its end or until nobody waits any more.
fn split_all<T: Tabular>(
    mut splitter: Splitter,
    work: &SyncSender<Work<T>>,
    promise: &SyncSender<Promise<T>>,
) {
    loop {
        let (keep, kept) = sync_channel(1);
        match splitter.next_block() {
            Ok(Some(block)) => {
                if promise.send(kept).is_err() || work.send((block, keep)).is_err() {
                    return;
                }
            }
            Ok(None) => return,
            Err(failure) => {
                // Both ends may be gone, which ends the reading all the same.
                let _ = keep.send(Err(failure));
                let _ = promise.send(kept);
                return;
            }
        }
    }
}

/// Parses block after block until there are no more.
fn parse_all<T: Tabular>(waiting: &Mutex<Receiver<Work<T>>>, parser: &Parser<T>) {
    let mut cells = Cells::default();
    loop {
        let next = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        let Ok((block, keep)) = next else {
            return;
        };
        // Nobody may wait any more, which the next block will show.
        let _ = keep.send(Ok(parser.parse(&block, &mut cells)));
    }
}
