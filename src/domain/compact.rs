//! Compact bytes for what is kept by the million: variable-length numbers, short texts, days.
//!
//! One value has one sequence of bytes: the reader refuses a number that is written longer than it need be, so that
//! bytes which were read and are written again are the same.

use jiff::civil::Date;

use super::dates::{FIRST_DAY, LAST_DAY, from_epoch_day, to_epoch_day};

/// Bytes that are not of the form that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes break off or do not belong here at byte {at}: {what}")]
pub struct NotCompact {
    /// Where the reader stood.
    pub at: usize,
    /// What it expected there.
    pub what: &'static str,
}

/// Writes compact bytes.
#[derive(Debug, Default)]
pub(crate) struct CompactWriter(Vec<u8>);

impl CompactWriter {
    /// Begins with a mark that tells format and version.
    pub(crate) fn new(mark: &[u8]) -> Self {
        Self(mark.to_vec())
    }

    /// One byte.
    pub(crate) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// A number, seven bits a byte, low bits first.
    pub(crate) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// A number with a sign: 0, −1, 1, −2, … as 0, 1, 2, 3, ….
    pub(crate) fn signed(&mut self, number: i64) {
        self.number(((number << 1) ^ (number >> 63)) as u64);
    }

    /// Eight bytes, for what has no small values.
    pub(crate) fn fixed(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    /// A text with its length.
    pub(crate) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    /// A day.
    pub(crate) fn day(&mut self, day: Date) {
        self.signed(i64::from(to_epoch_day(day)));
    }

    /// What `write` writes, with its length in front in four bytes.
    pub(crate) fn nested(&mut self, write: impl FnOnce(&mut Self)) {
        let head = self.0.len();
        self.0.extend_from_slice(&[0; 4]);
        write(self);
        let length = u32::try_from(self.0.len() - head - 4).unwrap_or(u32::MAX);
        if let Some(place) = self.0.get_mut(head..head + 4) {
            place.copy_from_slice(&length.to_be_bytes());
        }
    }

    /// Bytes that were written as compact ones before.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The bytes.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Reads compact bytes.
#[derive(Debug)]
pub(crate) struct CompactReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> CompactReader<'a> {
    /// Checks the mark and stands behind it.
    pub(crate) fn new(bytes: &'a [u8], mark: &[u8]) -> Result<Self, NotCompact> {
        if bytes.starts_with(mark) {
            let at = mark.len();
            Ok(Self { bytes, at })
        } else {
            Err(NotCompact {
                at: 0,
                what: "the mark of another format or release",
            })
        }
    }

    /// An error at the present place.
    pub(crate) fn wrong(&self, what: &'static str) -> NotCompact {
        NotCompact { at: self.at, what }
    }

    fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], NotCompact> {
        let end = self.at.checked_add(length);
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| self.wrong(what))?;
        self.at += length;
        Ok(taken)
    }

    /// One byte.
    pub(crate) fn byte(&mut self) -> Result<u8, NotCompact> {
        let byte = self.bytes.get(self.at).copied();
        self.at += 1;
        byte.ok_or_else(|| self.wrong("a byte"))
    }

    /// A number.
    pub(crate) fn number(&mut self) -> Result<u64, NotCompact> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                return Err(self.wrong("a number of 64 bits"));
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return if byte == 0 && shift > 0 {
                    Err(self.wrong("a number in its shortest form"))
                } else {
                    Ok(number)
                };
            }
        }
        Err(self.wrong("a number of 64 bits"))
    }

    /// A number that fits a smaller type.
    pub(crate) fn small<T: TryFrom<u64>>(&mut self) -> Result<T, NotCompact> {
        let number = self.number()?;
        T::try_from(number).map_err(|_| self.wrong("a smaller number"))
    }

    /// A number of things of at least `each` bytes that follow; never more than there is room for.
    pub(crate) fn length(&mut self, each: usize) -> Result<usize, NotCompact> {
        let length: usize = self.small()?;
        let room = self.bytes.len().saturating_sub(self.at);
        if length.saturating_mul(each) > room {
            return Err(self.wrong("as many items as were announced"));
        }
        Ok(length)
    }

    /// A number with a sign.
    pub(crate) fn signed(&mut self) -> Result<i64, NotCompact> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// Eight bytes.
    pub(crate) fn fixed(&mut self) -> Result<u64, NotCompact> {
        let bytes = self.take(8, "eight bytes")?;
        let bytes: [u8; 8] = bytes.try_into().map_err(|_| self.wrong("eight bytes"))?;
        Ok(u64::from_be_bytes(bytes))
    }

    /// A text.
    pub(crate) fn text(&mut self) -> Result<&'a str, NotCompact> {
        let length = self.length(1)?;
        let bytes = self.take(length, "a text")?;
        std::str::from_utf8(bytes).map_err(|_| self.wrong("a text in UTF-8"))
    }

    /// A reader of what was written as nested; this one goes on behind it.
    pub(crate) fn nested(&mut self) -> Result<Self, NotCompact> {
        let length = self.take(4, "a length")?;
        let length: [u8; 4] = length.try_into().map_err(|_| self.wrong("a length"))?;
        let length = u32::from_be_bytes(length);
        let length = usize::try_from(length).map_err(|_| self.wrong("a length"))?;
        let bytes = self.take(length, "what was announced")?;
        Ok(Self { bytes, at: 0 })
    }

    /// What is left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Whether nothing is left.
    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// A day.
    pub(crate) fn day(&mut self) -> Result<Date, NotCompact> {
        let number = self.signed()?;
        let number = i32::try_from(number).map_err(|_| self.wrong("a day"))?;
        if (FIRST_DAY..=LAST_DAY).contains(&number) {
            Ok(from_epoch_day(number))
        } else {
            Err(self.wrong("a day of the calendar"))
        }
    }

    /// A word of a closed vocabulary, by its code.
    pub(crate) fn code<T>(&mut self, of: fn(u8) -> Option<T>) -> Result<T, NotCompact> {
        let code = self.byte()?;
        of(code).ok_or_else(|| self.wrong("a known code"))
    }

    /// Checks that nothing is left.
    pub(crate) fn end(&self) -> Result<(), NotCompact> {
        if self.is_at_end() {
            Ok(())
        } else {
            Err(self.wrong("the end"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn what_is_written_reads_back() {
        let numbers = [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX];
        let signed = [0, -1, 1, -64, 64, i64::MIN, i64::MAX];
        let mut writer = CompactWriter::new(b"m1");
        numbers.iter().for_each(|number| writer.number(*number));
        signed.iter().for_each(|number| writer.signed(*number));
        writer.fixed(7);
        writer.text("地址");
        writer.day(date(1969, 12, 31));
        writer.nested(|writer| writer.number(300));
        let bytes = writer.into_bytes();

        let mut reader = CompactReader::new(&bytes, b"m1").unwrap();
        assert_eq!(numbers.map(|_| reader.number().unwrap()), numbers);
        assert_eq!(signed.map(|_| reader.signed().unwrap()), signed);
        assert_eq!(reader.fixed(), Ok(7));
        assert_eq!(reader.text(), Ok("地址"));
        assert_eq!(reader.day(), Ok(date(1969, 12, 31)));
        assert!(!reader.is_at_end());
        assert_eq!(reader.nested().unwrap().number(), Ok(300));
        assert_eq!(reader.end(), Ok(()));
    }

    #[test]
    fn another_mark_a_long_form_and_a_huge_length_are_refused() {
        assert!(CompactReader::new(b"m2", b"m1").is_err());
        let reader = |bytes: &'static [u8]| CompactReader::new(bytes, b"").unwrap();
        assert!(reader(&[0x80, 0]).number().is_err());
        assert!(reader(&[0xff; 11]).number().is_err());
        assert!(reader(&[0xff, 0xff, 0x7f, 1]).text().is_err());
        assert!(reader(&[1]).end().is_err());
        assert!(reader(&[]).byte().is_err());
    }
}
