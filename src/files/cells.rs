//! Cuts one CSV row into its cells (RFC 4180).

/// The cells of one row; reused from row to row.
#[derive(Default)]
pub(super) struct Cells {
    text: String,
    /// Where each cell begins and ends in the text, between cells may be what is in none.
    spans: Vec<(usize, usize)>,
}

/// A quoted cell with text between its closing quote and the next delimiter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TextAfterQuote {
    /// The cell's index, from 0.
    pub(super) cell: usize,
}

impl Cells {
    /// Takes the cells of `row`. A quote inside an unquoted cell is a plain character.
    pub(super) fn split(&mut self, row: &str, delimiter: char) -> Result<(), TextAfterQuote> {
        self.clear();
        // Most rows have no quote at all: then cells are what lies between delimiters.
        if !row.contains('"')
            && let Ok(delimiter) = u8::try_from(delimiter)
            && delimiter.is_ascii()
        {
            self.text.push_str(row);
            let mut start = 0;
            for (at, byte) in row.bytes().enumerate() {
                if byte == delimiter {
                    self.spans.push((start, at));
                    start = at + 1;
                }
            }
            self.spans.push((start, row.len()));
            return Ok(());
        }
        let mut rest = row;
        loop {
            let start = self.text.len();
            let Some(quoted) = rest.strip_prefix('"') else {
                let Some((cell, next)) = rest.split_once(delimiter) else {
                    self.text.push_str(rest);
                    self.spans.push((start, self.text.len()));
                    return Ok(());
                };
                self.text.push_str(cell);
                self.spans.push((start, self.text.len()));
                rest = next;
                continue;
            };
            let after = self.unquote(quoted);
            self.spans.push((start, self.text.len()));
            if after.is_empty() {
                return Ok(());
            }
            match after.strip_prefix(delimiter) {
                Some(next) => rest = next,
                None => {
                    return Err(TextAfterQuote {
                        cell: self.spans.len() - 1,
                    });
                }
            }
        }
    }

    /// Takes a quoted cell and returns what follows its closing quote.
    fn unquote<'a>(&mut self, quoted: &'a str) -> &'a str {
        let mut rest = quoted;
        loop {
            // INVARIANT: rows with an open quote never come here, the row reader reports them.
            let Some((part, after)) = rest.split_once('"') else {
                self.text.push_str(rest);
                return "";
            };
            self.text.push_str(part);
            let Some(more) = after.strip_prefix('"') else {
                return after;
            };
            self.text.push('"');
            rest = more;
        }
    }

    /// Begins a new row.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.spans.clear();
    }

    /// Adds a cell that `write` appends to the text of the row.
    pub(super) fn push_with(&mut self, write: impl FnOnce(&mut String)) {
        let start = self.text.len();
        write(&mut self.text);
        self.spans.push((start, self.text.len()));
    }

    /// The bytes of all cells.
    pub(super) fn byte_count(&self) -> usize {
        self.text.len()
    }

    /// How many cells the row has.
    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }

    /// The cell at `index`; a cell that is not there reads as empty.
    pub(super) fn get(&self, index: usize) -> &str {
        self.spans
            .get(index)
            .and_then(|(start, end)| self.text.get(*start..*end))
            .unwrap_or_default()
    }

    /// The cell at `index` without white space around it.
    pub(super) fn trimmed(&self, index: usize) -> &str {
        let cell = self.get(index);
        let is_plain = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_graphic);
        let bytes = cell.as_bytes();
        if is_plain(bytes.first()) && is_plain(bytes.last()) {
            return cell;
        }
        cell.trim()
    }

    /// All cells in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|index| self.get(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(row: &str) -> Vec<String> {
        let mut cells = Cells::default();
        cells.split(row, ',').unwrap();
        cells.iter().map(str::to_owned).collect()
    }

    #[test]
    fn cells_follow_the_standard() {
        assert_eq!(cells("a,,c"), ["a", "", "c"]);
        assert_eq!(cells("a,b,"), ["a", "b", ""]);
        assert_eq!(cells("\"a,\"\"b\"\"\",\"\",c\"d"), ["a,\"b\"", "", "c\"d"]);
        assert_eq!(cells("\"a\nb\","), ["a\nb", ""]);
        assert_eq!(cells(""), [""]);
    }

    #[test]
    fn text_after_a_closing_quote_is_refused() {
        let mut cells = Cells::default();
        assert_eq!(
            cells.split("x,\"a\"b,c", ','),
            Err(TextAfterQuote { cell: 1 })
        );
    }
}
