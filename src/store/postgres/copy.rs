//! Rows in PostgreSQL's binary COPY form: the fastest way in and out.

use jiff::civil::Date;
use std::io::Read;
use std::ops::Range;

use crate::domain::dates::to_epoch_day;
use crate::store::StoreError;
use crate::store::rows::Row;

/// Signature, flags and length of the extension of the header.
const HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// In place of the number of columns behind the last row, and of the length of a null.
const END: i16 = -1;
const NULL: i32 = -1;

/// Rows to be copied into a table.
pub(super) struct CopyRows {
    bytes: Vec<u8>,
    columns: i16,
    count: u64,
}

impl CopyRows {
    /// No rows, of a table with so many columns.
    pub(super) fn new(columns: i16) -> Self {
        Self {
            bytes: HEADER.to_vec(),
            columns,
            count: 0,
        }
    }

    /// Begins a row; exactly its columns must follow.
    pub(super) fn row(&mut self) -> &mut Self {
        self.count += 1;
        self.bytes.extend(self.columns.to_be_bytes());
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The whole form.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.extend(END.to_be_bytes());
        self.bytes
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.value(text.as_bytes())
    }

    pub(super) fn optional_text(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(text),
            None => self.null(),
        }
    }

    pub(super) fn small(&mut self, number: u8) -> &mut Self {
        self.value(&i16::from(number).to_be_bytes())
    }

    pub(super) fn optional_small(&mut self, number: Option<u8>) -> &mut Self {
        match number {
            Some(number) => self.small(number),
            None => self.null(),
        }
    }

    pub(super) fn large(&mut self, number: i64) -> &mut Self {
        self.value(&number.to_be_bytes())
    }

    pub(super) fn optional_large(&mut self, number: Option<i64>) -> &mut Self {
        match number {
            Some(number) => self.large(number),
            None => self.null(),
        }
    }

    /// A number of four bytes.
    pub(super) fn whole(&mut self, number: i32) -> &mut Self {
        self.value(&number.to_be_bytes())
    }

    pub(super) fn optional_whole(&mut self, number: Option<i32>) -> &mut Self {
        match number {
            Some(number) => self.whole(number),
            None => self.null(),
        }
    }

    /// A number of two bytes.
    pub(super) fn short(&mut self, number: i16) -> &mut Self {
        self.value(&number.to_be_bytes())
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.value(bytes)
    }

    pub(super) fn day(&mut self, day: Date) -> &mut Self {
        self.value(&to_epoch_day(day).to_be_bytes())
    }

    pub(super) fn optional_day(&mut self, day: Option<Date>) -> &mut Self {
        match day {
            Some(day) => self.day(day),
            None => self.null(),
        }
    }

    pub(super) fn optional_truth(&mut self, truth: Option<bool>) -> &mut Self {
        match truth {
            Some(truth) => self.value(&[truth.into()]),
            None => self.null(),
        }
    }

    fn null(&mut self) -> &mut Self {
        self.bytes.extend(NULL.to_be_bytes());
        self
    }

    fn value(&mut self, bytes: &[u8]) -> &mut Self {
        // Every value of ours is far shorter than two gigabytes.
        let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
        self.bytes.extend(length.to_be_bytes());
        self.bytes.extend(bytes);
        self
    }
}

/// One row that was copied out.
#[derive(Default)]
pub(super) struct CopiedRow {
    bytes: Vec<u8>,
    values: Vec<Option<Range<usize>>>,
}

/// Reads copied rows one after the other, always into the same place.
pub(super) fn each_row(
    mut from: impl Read,
    mut take: impl FnMut(&CopiedRow) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut header = [0; HEADER.len()];
    from.read_exact(&mut header)?;
    let mut row = CopiedRow::default();
    while row.read(&mut from)? {
        take(&row)?;
    }
    Ok(())
}

impl CopiedRow {
    /// Reads the next row; `false` behind the last one.
    fn read(&mut self, from: &mut impl Read) -> Result<bool, StoreError> {
        self.bytes.clear();
        self.values.clear();
        let mut columns = [0; 2];
        from.read_exact(&mut columns)?;
        let columns = i16::from_be_bytes(columns);
        if columns == END {
            return Ok(false);
        }
        for _ in 0..columns {
            let mut length = [0; 4];
            from.read_exact(&mut length)?;
            let Ok(length) = usize::try_from(i32::from_be_bytes(length)) else {
                self.values.push(None);
                continue;
            };
            let begin = self.bytes.len();
            self.bytes.resize(begin + length, 0);
            from.read_exact(self.bytes.get_mut(begin..).unwrap_or_default())?;
            self.values.push(Some(begin..begin + length));
        }
        Ok(true)
    }

    fn value(&self, at: usize) -> Option<&[u8]> {
        self.bytes.get(self.values.get(at)?.clone()?)
    }
}

impl Row for CopiedRow {
    fn whole(&self, at: usize, column: &'static str) -> Result<Option<i64>, StoreError> {
        let Some(value) = self.value(at) else {
            return Ok(None);
        };
        // The width of a column says what it is; truth values are one byte.
        if let [truth] = value {
            return Ok(Some((*truth).into()));
        }
        if let Ok(small) = value.try_into() {
            return Ok(Some(i16::from_be_bytes(small).into()));
        }
        if let Ok(middle) = value.try_into() {
            return Ok(Some(i32::from_be_bytes(middle).into()));
        }
        let large = value
            .try_into()
            .map_err(|_| StoreError::Corrupt { column })?;
        Ok(Some(i64::from_be_bytes(large)))
    }

    fn text(&self, at: usize, column: &'static str) -> Result<Option<&str>, StoreError> {
        self.value(at)
            .map(|value| std::str::from_utf8(value).map_err(|_| StoreError::Corrupt { column }))
            .transpose()
    }

    fn bytes(&self, at: usize, _: &'static str) -> Result<Option<&[u8]>, StoreError> {
        Ok(self.value(at))
    }
}

/// A text as it stands in a statement.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn copied_rows_come_back_as_they_went_in() {
        let mut rows = CopyRows::new(5);
        for number in [-1_i64, i64::MAX] {
            rows.row()
                .text("企业")
                .small(7)
                .large(number)
                .optional_truth(Some(true))
                .day(date(2026, 11, 22));
        }
        rows.row()
            .text("")
            .optional_small(None)
            .optional_large(None)
            .optional_truth(None)
            .optional_day(None);
        let bytes = rows.finish();
        let mut seen = Vec::new();
        each_row(bytes.as_slice(), |row| {
            let numbers: Vec<_> = (1..5).map(|at| row.whole(at, "n").unwrap()).collect();
            seen.push((row.text(0, "t").unwrap().unwrap().to_owned(), numbers));
            Ok(())
        })
        .unwrap();
        let day = Some(i64::from(to_epoch_day(date(2026, 11, 22))));
        let of = |number| vec![Some(7), Some(number), Some(1), day];
        assert_eq!(
            seen,
            [
                ("企业".to_owned(), of(-1)),
                ("企业".to_owned(), of(i64::MAX)),
                (String::new(), vec![None; 4])
            ]
        );
        // A stream that ends early is an error.
        assert!(each_row(&bytes[..bytes.len() - 1], |_| Ok(())).is_err());
    }

    #[test]
    fn quotes_do_not_end_a_literal() {
        assert_eq!(literal("a'b\\"), "'a''b\\'");
    }
}
