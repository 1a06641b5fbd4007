//! Rows in PostgreSQL's binary COPY form: the fastest way in.

use crate::domain::dates::to_epoch_day;
use jiff::civil::Date;

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
