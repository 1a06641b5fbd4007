//! As much of Thrift's compact protocol as it takes to see what a Parquet file declares, without believing it.

/// Deepest nesting of a footer or page header; real ones need a handful.
const DEPTH: u8 = 32;

/// Bytes that are not what they should be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Walks through encoded structures. A list is never longer than the bytes that are left.
pub(super) struct Walker<'a> {
    rest: &'a [u8],
}

/// Types of fields and elements, as the protocol numbers them.
pub(super) mod kind {
    pub(crate) const I32: u8 = 5;
    pub(crate) const STRUCT: u8 = 12;
}

impl<'a> Walker<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes not walked yet.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    fn skip(&mut self, count: usize) -> Result<(), Malformed> {
        self.rest = self.rest.get(count..).ok_or(Malformed)?;
        Ok(())
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        let (byte, rest) = self.rest.split_first().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*byte)
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    /// A signed whole number.
    pub(super) fn integer(&mut self) -> Result<i64, Malformed> {
        let coded = self.varint()?;
        Ok((coded >> 1).cast_signed() ^ -(coded & 1).cast_signed())
    }

    /// Walks through one structure. `visit` gets each field's number and type, and says whether it has taken the value.
    pub(super) fn structure(
        &mut self,
        visit: &mut dyn FnMut(&mut Self, i64, u8) -> Result<bool, Malformed>,
    ) -> Result<(), Malformed> {
        self.fields(DEPTH, visit)
    }

    fn fields(
        &mut self,
        depth: u8,
        visit: &mut dyn FnMut(&mut Self, i64, u8) -> Result<bool, Malformed>,
    ) -> Result<(), Malformed> {
        let depth = depth.checked_sub(1).ok_or(Malformed)?;
        let mut number = 0_i64;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(());
            }
            let delta = i64::from(head >> 4);
            number = if delta == 0 {
                self.integer()?
            } else {
                number.checked_add(delta).ok_or(Malformed)?
            };
            let kind = head & 0x0f;
            if !visit(self, number, kind)? {
                self.value(kind, depth)?;
            }
        }
    }

    fn value(&mut self, kind: u8, depth: u8) -> Result<(), Malformed> {
        match kind {
            // A truth value is its type.
            1 | 2 => Ok(()),
            3 => self.skip(1),
            4..=6 => self.varint().map(drop),
            7 => self.skip(8),
            8 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                self.skip(length)
            }
            9 | 10 => {
                let head = self.byte()?;
                let count = match head >> 4 {
                    15 => self.varint()?,
                    few => u64::from(few),
                };
                self.elements(count, &[head & 0x0f], depth)
            }
            11 => {
                let count = self.varint()?;
                if count == 0 {
                    return Ok(());
                }
                let kinds = self.byte()?;
                self.elements(count, &[kinds >> 4, kinds & 0x0f], depth)
            }
            kind::STRUCT => self.fields(depth, &mut |_, _, _| Ok(false)),
            13 => self.skip(16),
            _ => Err(Malformed),
        }
    }

    fn elements(&mut self, count: u64, kinds: &[u8], depth: u8) -> Result<(), Malformed> {
        let depth = depth.checked_sub(1).ok_or(Malformed)?;
        if count > self.rest.len() as u64 {
            return Err(Malformed);
        }
        for _ in 0..count {
            for kind in kinds {
                match kind {
                    // Inside a list a truth value takes a byte.
                    1 | 2 => self.skip(1)?,
                    other => self.value(*other, depth)?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(bytes: &[u8]) -> Result<(), Malformed> {
        Walker::new(bytes).structure(&mut |_, _, _| Ok(false))
    }

    #[test]
    fn structures_are_walked_to_their_end_and_no_further() {
        // Field 1: i32 -2; field 2: the text "ab"; field 3: a list of two truth values; end.
        let bytes = [0x15, 0x03, 0x18, 2, b'a', b'b', 0x19, 0x21, 1, 2, 0];
        assert_eq!(walk(&bytes), Ok(()));
        let mut first = None;
        let mut walker = Walker::new(&bytes);
        walker
            .structure(&mut |walker, number, kind| {
                let taken = number == 1 && kind == kind::I32;
                if taken {
                    first = Some(walker.integer()?);
                }
                Ok(taken)
            })
            .unwrap();
        assert_eq!((first, walker.left()), (Some(-2), 0));
        for cut in 0..bytes.len() {
            assert_eq!(walk(&bytes[..cut]), Err(Malformed), "{cut}");
        }
    }

    #[test]
    fn a_list_longer_than_its_file_is_refused() {
        // Field 1: a list of two thousand million structures.
        assert_eq!(
            walk(&[0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0, 0, 0]),
            Err(Malformed)
        );
    }

    #[test]
    fn endless_nesting_is_refused() {
        assert_eq!(walk(&[0x1c; 100_000]), Err(Malformed));
    }
}
