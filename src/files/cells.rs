//! Cuts one CSV row into its cells (RFC 4180).

/// The cells of one row; reused from row to row.
#[derive(Default)]
pub(super) struct Cells {
    text: String,
    ends: Vec<usize>,
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
        self.text.clear();
        self.ends.clear();
        let mut rest = row;
        loop {
            let Some(quoted) = rest.strip_prefix('"') else {
                let Some((cell, next)) = rest.split_once(delimiter) else {
                    self.text.push_str(rest);
                    self.ends.push(self.text.len());
                    return Ok(());
                };
                self.text.push_str(cell);
                self.ends.push(self.text.len());
                rest = next;
                continue;
            };
            let after = self.unquote(quoted);
            self.ends.push(self.text.len());
            if after.is_empty() {
                return Ok(());
            }
            match after.strip_prefix(delimiter) {
                Some(next) => rest = next,
                None => {
                    return Err(TextAfterQuote {
                        cell: self.ends.len() - 1,
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
        self.ends.clear();
    }

    /// Adds a cell that `write` appends to the text of the row.
    pub(super) fn push_with(&mut self, write: impl FnOnce(&mut String)) {
        write(&mut self.text);
        self.ends.push(self.text.len());
    }

    /// The bytes of all cells.
    pub(super) fn byte_count(&self) -> usize {
        self.text.len()
    }

    /// How many cells the row has.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The cell at `index`; a cell that is not there reads as empty.
    pub(super) fn get(&self, index: usize) -> &str {
        let start = match index.checked_sub(1) {
            None => Some(0),
            Some(previous) => self.ends.get(previous).copied(),
        };
        let end = self.ends.get(index).copied();
        match (start, end) {
            (Some(start), Some(end)) => self.text.get(start..end).unwrap_or_default(),
            _ => "",
        }
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
