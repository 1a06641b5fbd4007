//! Cuts bytes into rows without ever holding more than one row, and never more of it than the limit.
//!
//! The csv crate reads a row of any length into memory, takes a quote that is never closed for the end of the cell,
//! and cannot say on which physical line a row began once rows are dropped. Input here may be hostile, so rows are cut
//! by hand: a row ends at the first line feed outside a quoted cell.

use std::io::{self, BufRead, Read};

/// What lies next in the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A row; its bytes are in [`RowReader::row`].
    Row {
        /// Its first physical line.
        line: u64,
    },
    /// A row over the limit, passed over.
    TooLong {
        /// Its first physical line.
        line: u64,
        /// Its last physical line.
        last_line: u64,
    },
    /// A quoted cell that no quote closes before the end of the file.
    OpenQuote {
        /// The first physical line of its row.
        line: u64,
    },
    /// The end of the file.
    End,
}

/// Reads row by row.
pub(super) struct RowReader {
    input: Box<dyn BufRead + Send>,
    /// The delimiter where quotes protect line feeds (CSV); nothing where they do not (NDJSON).
    quoting: Option<u8>,
    limit: usize,
    /// Physical lines ended so far.
    ended: u64,
    row: Vec<u8>,
}

impl RowReader {
    pub(super) fn new(
        input: Box<dyn BufRead + Send>,
        quoting: Option<u8>,
        max_row_bytes: usize,
    ) -> Self {
        Self {
            input,
            quoting,
            limit: max_row_bytes,
            ended: 0,
            row: Vec::new(),
        }
    }

    /// The bytes of the last row, without its line end.
    pub(super) fn row(&self) -> &[u8] {
        &self.row
    }

    /// Physical lines read whole.
    pub(super) fn lines_ended(&self) -> u64 {
        self.ended
    }

    /// Goes to the next row that is not blank.
    pub(super) fn advance(&mut self) -> io::Result<Next> {
        loop {
            let next = self.advance_any()?;
            let blank = matches!(next, Next::Row { .. })
                && self.row.iter().all(|b| matches!(b, b' ' | b'\t'));
            if !blank {
                return Ok(next);
            }
        }
    }

    /// The memory held for rows.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.row.capacity()
    }

    fn advance_any(&mut self) -> io::Result<Next> {
        self.row.clear();
        let line = self.ended + 1;
        let mut quotes = self.quoting.map(QuoteScan::new);
        loop {
            let before = self.row.len();
            // Two bytes over the limit leave room for the line end of a row that just fits.
            let room = (self.limit + 2).saturating_sub(before) as u64;
            let count = (&mut self.input)
                .take(room)
                .read_until(b'\n', &mut self.row)?;
            if let Some(quotes) = &mut quotes {
                quotes.feed(self.row.get(before..).unwrap_or_default());
            }
            let open = quotes.as_ref().is_some_and(QuoteScan::is_open);
            let line_ended = count > 0 && self.row.last() == Some(&b'\n');
            self.ended += u64::from(line_ended);
            let at_end = !line_ended && self.row.len() < self.limit + 2;
            let row_ended = (line_ended && !open) || at_end;
            if at_end && open {
                return Ok(Next::OpenQuote { line });
            }
            if at_end && self.row.is_empty() {
                return Ok(Next::End);
            }
            if row_ended {
                self.cut_line_end();
            }
            if self.row.len() > self.limit {
                if !row_ended {
                    self.pass_over(quotes)?;
                }
                self.row.clear();
                return Ok(Next::TooLong {
                    line,
                    last_line: self.ended.max(line),
                });
            }
            if row_ended {
                return Ok(Next::Row { line });
            }
        }
    }

    fn cut_line_end(&mut self) {
        if self.row.last() == Some(&b'\n') {
            self.row.pop();
        }
        if self.row.last() == Some(&b'\r') {
            self.row.pop();
        }
    }

    /// Drops what is left of the row, buffer by buffer.
    fn pass_over(&mut self, mut quotes: Option<QuoteScan>) -> io::Result<()> {
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok(());
            }
            let to_line_end = buffer.iter().position(|&b| b == b'\n').map(|at| at + 1);
            let count = to_line_end.unwrap_or(buffer.len());
            if let Some(quotes) = &mut quotes {
                quotes.feed(buffer.get(..count).unwrap_or_default());
            }
            self.input.consume(count);
            if to_line_end.is_some() {
                self.ended += 1;
                if !quotes.as_ref().is_some_and(QuoteScan::is_open) {
                    return Ok(());
                }
            }
        }
    }
}

/// Follows a row far enough to know whether a line feed belongs to a quoted cell.
struct QuoteScan {
    delimiter: u8,
    state: CellState,
}

#[derive(Clone, Copy, PartialEq)]
enum CellState {
    Start,
    Plain,
    Quoted,
    /// After a quote inside a quoted cell: its end, or the first half of a doubled quote.
    QuoteSeen,
}

impl QuoteScan {
    fn new(delimiter: u8) -> Self {
        Self {
            delimiter,
            state: CellState::Start,
        }
    }

    fn is_open(&self) -> bool {
        self.state == CellState::Quoted
    }

    fn feed(&mut self, bytes: &[u8]) {
        // Most rows have no quote at all.
        if !self.is_open() && !bytes.contains(&b'"') {
            match bytes.last() {
                None => {}
                Some(&last) if last == self.delimiter => self.state = CellState::Start,
                Some(_) => self.state = CellState::Plain,
            }
            return;
        }
        for &byte in bytes {
            self.state = match self.state {
                CellState::Quoted if byte == b'"' => CellState::QuoteSeen,
                CellState::Quoted => CellState::Quoted,
                CellState::Start | CellState::QuoteSeen if byte == b'"' => CellState::Quoted,
                CellState::Start | CellState::Plain | CellState::QuoteSeen
                    if byte == self.delimiter =>
                {
                    CellState::Start
                }
                CellState::Start | CellState::Plain | CellState::QuoteSeen => CellState::Plain,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(text: &'static [u8], limit: usize) -> RowReader {
        RowReader::new(Box::new(text), Some(b','), limit)
    }

    fn rows(mut reader: RowReader) -> Vec<(Next, String)> {
        let mut rows = Vec::new();
        loop {
            match reader.advance().unwrap() {
                Next::End => return rows,
                next => rows.push((next, String::from_utf8_lossy(reader.row()).into_owned())),
            }
        }
    }

    #[test]
    fn quoted_line_feeds_stay_in_their_row_and_lines_are_physical() {
        let got = rows(reader(b"a,b\r\n\n\"x\ny\",2\n  \n3,\"q\"\"\n\"\n4", 100));
        assert_eq!(
            got,
            [
                (Next::Row { line: 1 }, "a,b".into()),
                (Next::Row { line: 3 }, "\"x\ny\",2".into()),
                (Next::Row { line: 6 }, "3,\"q\"\"\n\"".into()),
                (Next::Row { line: 8 }, "4".into()),
            ]
        );
    }

    #[test]
    fn a_quote_inside_a_plain_cell_opens_nothing() {
        let got = rows(reader(b"5\" pipe,1\nb,2\n", 100));
        assert_eq!(got.len(), 2);
    }

    #[test]
    fn a_row_of_exactly_the_limit_passes_and_one_more_byte_does_not() {
        let got = rows(reader(b"12345\r\n123456\r\n12345\n123456\n12345", 5));
        let kinds: Vec<bool> = got
            .iter()
            .map(|(next, _)| matches!(next, Next::Row { .. }))
            .collect();
        assert_eq!(kinds, [true, false, true, false, true]);
    }

    #[test]
    fn a_row_over_the_limit_is_passed_over_to_the_end_of_its_quotes() {
        let got = rows(reader(b"a\n\"1234567890\n1234,\n\",x\nb\n", 5));
        assert_eq!(
            got,
            [
                (Next::Row { line: 1 }, "a".into()),
                (
                    Next::TooLong {
                        line: 2,
                        last_line: 4
                    },
                    String::new()
                ),
                (Next::Row { line: 5 }, "b".into()),
            ]
        );
    }

    #[test]
    fn a_quote_that_never_closes_is_told_apart_from_the_end() {
        let got = rows(reader(b"a\n\"b,c\nd,e\n", 100));
        assert_eq!(got[1].0, Next::OpenQuote { line: 2 });
    }
}
