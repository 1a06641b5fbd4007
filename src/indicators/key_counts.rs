//! How many enterprises share an address or a person.

use std::fmt;

use crate::domain::compact::{CompactReader, CompactWriter, NotCompact};
use crate::domain::digest::HashAlgorithm;

/// An address or a person as the statistics know it: the head of a digest of its key, never the key itself.
///
/// Among ten million keys two meet by chance with probability 3·10⁻⁶, and then two addresses count as one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkKey(u64);

impl LinkKey {
    /// The key of an address.
    pub fn address(key: &str) -> Self {
        Self::of(b"address\n", key)
    }

    /// The key of a person.
    pub fn person(key: &str) -> Self {
        Self::of(b"person\n", key)
    }

    fn of(domain: &[u8], key: &str) -> Self {
        Self(
            HashAlgorithm::Sha256
                .hash(&[domain, key.as_bytes()])
                .leading_u64(),
        )
    }

    pub(crate) fn write(self, writer: &mut CompactWriter) {
        writer.fixed(self.0);
    }

    pub(crate) fn read(reader: &mut CompactReader<'_>) -> Result<Self, NotCompact> {
        reader.fixed().map(Self)
    }
}

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkKey({:016x})", self.0)
    }
}

/// Keys that at least two enterprises share, with their number; all others count one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KeyCounts {
    keys: Vec<LinkKey>,
    counts: Vec<u32>,
    /// Where the keys with each leading bits begin: keys are digests, so each stretch is short.
    heads: Vec<u32>,
    shift: u32,
}

impl KeyCounts {
    /// Counts keys; each enterprise gives each of its keys once.
    pub(super) fn of(mut all: Vec<LinkKey>) -> Self {
        all.sort_unstable();
        let mut counts = Self::default();
        for same in all.chunk_by(|a, b| a == b) {
            if let ([key, _, ..], Ok(count)) = (same, u32::try_from(same.len())) {
                counts.keys.push(*key);
                counts.counts.push(count);
            }
        }
        counts.indexed()
    }

    fn indexed(mut self) -> Self {
        // About four keys a stretch.
        let bits = (self.keys.len() / 4)
            .checked_ilog2()
            .unwrap_or(0)
            .clamp(1, 22);
        self.shift = u64::BITS - bits;
        let stretches = 1_u64 << bits;
        self.heads = (0..=stretches)
            .map(|stretch| {
                let first = self
                    .keys
                    .partition_point(|key| key.0 >> self.shift < stretch);
                u32::try_from(first).unwrap_or(u32::MAX)
            })
            .collect();
        self
    }

    /// The number of enterprises that share a key, at least one.
    pub(super) fn get(&self, key: LinkKey) -> u32 {
        let stretch = usize::try_from(key.0.checked_shr(self.shift).unwrap_or(0)).unwrap_or(0);
        let head = |position: usize| self.heads.get(position).map(|head| *head as usize);
        let (Some(from), Some(until)) = (head(stretch), head(stretch + 1)) else {
            return 1;
        };
        let within = self.keys.get(from..until).unwrap_or_default();
        let found = within.binary_search(&key).ok();
        found
            .and_then(|position| self.counts.get(from + position))
            .copied()
            .unwrap_or(1)
    }

    pub(super) fn write(&self, writer: &mut CompactWriter) {
        writer.number(self.keys.len() as u64);
        for (key, count) in self.keys.iter().zip(&self.counts) {
            key.write(writer);
            writer.number(u64::from(*count));
        }
    }

    pub(super) fn read(reader: &mut CompactReader<'_>) -> Result<Self, NotCompact> {
        let length = reader.length(9)?;
        let mut read = Self {
            keys: Vec::with_capacity(length),
            counts: Vec::with_capacity(length),
            ..Self::default()
        };
        for _ in 0..length {
            let (key, count) = (LinkKey::read(reader)?, reader.small()?);
            if count < 2 || read.keys.last().is_some_and(|last| *last >= key) {
                return Err(reader.wrong("rising keys that at least two share"));
            }
            read.keys.push(key);
            read.counts.push(count);
        }
        Ok(read.indexed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_counts_how_often_it_is_given_and_an_unknown_one_is_alone() {
        let key = |number: usize| LinkKey::address(&number.to_string());
        let given: Vec<LinkKey> = (0..1_000)
            .flat_map(|number| vec![key(number); number % 4])
            .collect();
        let counts = KeyCounts::of(given);
        for number in 0..1_200 {
            let expected = if number < 1_000 {
                (number % 4).max(1)
            } else {
                1
            };
            assert_eq!(counts.get(key(number)) as usize, expected, "{number}");
        }
        assert_eq!(KeyCounts::of(Vec::new()).get(key(1)), 1);
        assert_eq!(KeyCounts::default().get(key(1)), 1);
    }

    #[test]
    fn an_address_and_a_person_of_one_text_are_two_keys() {
        assert_ne!(LinkKey::address("7"), LinkKey::person("7"));
    }
}
