//! Building a pool from objects that come in any order, on all cores.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;

use super::{LineError, MAX_FILE, Pool, PoolError, StratumKey, check_id};
use crate::domain::decimal::push_number;
use crate::domain::parallel::{map_chunks, sort_by};

/// Objects written in one piece by one thread.
const CHUNK: usize = 1 << 15;
/// Bytes of an id that a row carries with it, so that most comparisons look nowhere else.
const HEAD: usize = 16;

/// Collects objects in any order and builds the sorted pool.
#[derive(Debug, Default)]
pub struct PoolBuilder {
    ids: Vec<u8>,
    rows: Vec<BuilderRow>,
    keys: BTreeMap<StratumKey, u32>,
    /// The stratum that was asked for last.
    last: Option<(StratumKey, u32)>,
    /// How many bytes all ids have in common at their beginning.
    common: usize,
}

/// A stratum of a [`PoolBuilder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuilderStratum(u32);

#[derive(Clone, Copy, Debug)]
struct BuilderRow {
    start: u32,
    length: u8,
    stratum: u32,
    size: u32,
}

/// A row with the beginning of its id behind what all ids have in common, as a number that orders as the bytes do. Ids
/// hold no zero byte, so zeros behind a short one put it first.
#[derive(Clone, Copy)]
struct Headed {
    head: u128,
    row: BuilderRow,
}

/// Lines of the file with their columns; where they start is counted from the first of them.
struct Part {
    file: Vec<u8>,
    starts: Vec<u32>,
    id_lengths: Vec<u8>,
    strata: Vec<u32>,
    sizes: Vec<u32>,
}

impl PoolBuilder {
    /// An empty builder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes room for so many more objects.
    pub fn reserve(&mut self, objects: usize) {
        self.rows.reserve(objects);
        // As long as a credit code.
        self.ids.reserve(18 * objects);
    }

    /// The stratum with this key, for [`PoolBuilder::push_in`].
    #[expect(
        clippy::cast_possible_truncation,
        reason = "INVARIANT: there are fewer strata than bytes in the file"
    )]
    pub fn stratum(&mut self, key: &StratumKey) -> BuilderStratum {
        if let Some((last, number)) = &self.last
            && last == key
        {
            return BuilderStratum(*number);
        }
        let next = self.keys.len() as u32;
        let number = match self.keys.get(key) {
            Some(number) => *number,
            None => {
                self.keys.insert(key.clone(), next);
                next
            }
        };
        self.last = Some((key.clone(), number));
        BuilderStratum(number)
    }

    /// Adds an object; write size 1 where the method is not `pareto`.
    ///
    /// # Errors
    ///
    /// [`PoolError::Row`] when the id breaks a rule or the size is 0, [`PoolError::TooLarge`] beyond 4 GiB of ids.
    pub fn push(&mut self, id: &str, stratum: &StratumKey, size: u32) -> Result<(), PoolError> {
        let stratum = self.stratum(stratum);
        self.push_in(id, stratum, size)
    }

    /// Adds an object to a stratum of this builder.
    ///
    /// # Errors
    ///
    /// As [`PoolBuilder::push`].
    #[expect(
        clippy::cast_possible_truncation,
        reason = "INVARIANT: a checked id has at most 64 bytes"
    )]
    pub fn push_in(
        &mut self,
        id: &str,
        stratum: BuilderStratum,
        size: u32,
    ) -> Result<(), PoolError> {
        check_id(id.as_bytes()).map_err(LineError::from)?;
        if size == 0 {
            return Err(LineError::Size("0".to_owned()).into());
        }
        let start = u32::try_from(self.ids.len()).map_err(|_| PoolError::TooLarge)?;
        self.common = if self.rows.is_empty() {
            id.len()
        } else {
            let common = self.ids.get(..self.common).unwrap_or_default();
            let alike = common.iter().zip(id.as_bytes());
            alike.take_while(|(a, b)| a == b).count()
        };
        self.rows.push(BuilderRow {
            start,
            length: id.len() as u8,
            stratum: stratum.0,
            size,
        });
        self.ids.extend_from_slice(id.as_bytes());
        Ok(())
    }

    /// Sorts the objects by id bytes and builds the pool; the order in which they came does not matter.
    ///
    /// # Errors
    ///
    /// [`PoolError::Row`] for an id that came twice, [`PoolError::Empty`] when nothing came.
    pub fn build(mut self) -> Result<Pool, PoolError> {
        let (common, rows) = self.sorted();
        let mut counts = vec![0_u32; self.keys.len()];
        for row in &rows {
            if let Some(count) = counts.get_mut(row.row.stratum as usize) {
                *count += 1;
            }
        }
        // A stratum without an object is not in the file.
        let mut keys = Vec::with_capacity(self.keys.len());
        let mut ranks = vec![(0_u32, Vec::new()); self.keys.len()];
        let mut rank = 0;
        for (key, number) in std::mem::take(&mut self.keys) {
            let count = counts.get(number as usize).copied().unwrap_or_default();
            if count == 0 {
                continue;
            }
            if let Some(slot) = ranks.get_mut(number as usize) {
                *slot = (rank, format!("\t{key}\t").into_bytes());
            }
            keys.push((key, count));
            rank += 1;
        }
        let parts = map_chunks(rows.len(), CHUNK, |range| {
            self.part(&common, &rows, range, &ranks)
        });
        drop(rows);
        let parts = parts.into_iter().collect::<Result<Vec<Part>, _>>()?;
        assemble(parts, keys)
    }

    /// The bytes of the id of a row.
    fn id(&self, row: &BuilderRow) -> &[u8] {
        let start = row.start as usize;
        self.ids
            .get(start..start + usize::from(row.length))
            .unwrap_or_default()
    }

    /// What all ids begin with, and the rows in order of id.
    fn sorted(&mut self) -> (Vec<u8>, Vec<Headed>) {
        let rows = std::mem::take(&mut self.rows);
        let common = self.ids.get(..self.common).unwrap_or_default().to_vec();
        let headed = rows.iter().map(|row| {
            let mut head = [0_u8; HEAD];
            let tail = self.id(row).get(common.len()..).unwrap_or_default();
            for (to, from) in head.iter_mut().zip(tail) {
                *to = *from;
            }
            Headed {
                head: u128::from_be_bytes(head),
                row: *row,
            }
        });
        let headed = headed.collect();
        drop(rows);
        let sorted = sort_by(headed, |a, b| self.order(a, b));
        (common, sorted)
    }

    fn order(&self, a: &Headed, b: &Headed) -> Ordering {
        match a.head.cmp(&b.head) {
            Ordering::Equal => self.id(&a.row).cmp(self.id(&b.row)),
            unequal => unequal,
        }
    }

    /// The lines of some of the rows; `ranks` are the number and the text of each stratum.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "INVARIANT: a piece has far fewer than 2^32 bytes"
    )]
    fn part(
        &self,
        common: &[u8],
        rows: &[Headed],
        range: Range<usize>,
        ranks: &[(u32, Vec<u8>)],
    ) -> Result<Part, PoolError> {
        let mut part = Part::of(range.len());
        let mut before = range.start.checked_sub(1).and_then(|at| rows.get(at));
        for headed in rows.get(range).unwrap_or_default() {
            let row = &headed.row;
            if before.is_some_and(|before| self.order(before, headed).is_eq()) {
                let twice = String::from_utf8_lossy(self.id(row)).into_owned();
                return Err(LineError::Duplicate(twice).into());
            }
            before = Some(headed);
            part.starts.push(part.file.len() as u32);
            part.id_lengths.push(row.length);
            part.sizes.push(row.size);
            // Where the head holds the rest of the id, it is written without a look at where it came from.
            let tail = usize::from(row.length).saturating_sub(common.len());
            match headed.head.to_be_bytes().get(..tail) {
                Some(tail) => {
                    part.file.extend_from_slice(common);
                    part.file.extend_from_slice(tail);
                }
                None => part.file.extend_from_slice(self.id(row)),
            }
            if let Some((rank, text)) = ranks.get(row.stratum as usize) {
                part.strata.push(*rank);
                part.file.extend_from_slice(text);
            }
            match row.size {
                1 => part.file.push(b'1'),
                size => push_number(&mut part.file, size),
            }
            part.file.push(b'\n');
        }
        Ok(part)
    }
}

impl Part {
    /// Without lines, with room for so many.
    fn of(count: usize) -> Self {
        Self {
            file: Vec::with_capacity(32 * count),
            starts: Vec::with_capacity(count),
            id_lengths: Vec::with_capacity(count),
            strata: Vec::with_capacity(count),
            sizes: Vec::with_capacity(count),
        }
    }
}

/// The pool of all lines.
fn assemble(parts: Vec<Part>, keys: Vec<(StratumKey, u32)>) -> Result<Pool, PoolError> {
    let length: usize = parts.iter().map(|part| part.file.len()).sum();
    let count: usize = parts.iter().map(|part| part.sizes.len()).sum();
    if count == 0 {
        return Err(PoolError::Empty);
    }
    if length > MAX_FILE {
        return Err(PoolError::TooLarge);
    }
    let mut pool = Pool {
        file: Vec::with_capacity(length),
        starts: Vec::with_capacity(count + 1),
        id_lengths: Vec::with_capacity(count),
        strata: Vec::with_capacity(count),
        sizes: Vec::with_capacity(count),
        keys,
    };
    for part in parts {
        // INVARIANT: the whole file is below 4 GiB.
        let base = u32::try_from(pool.file.len()).map_err(|_| PoolError::TooLarge)?;
        pool.starts
            .extend(part.starts.iter().map(|start| base + start));
        pool.id_lengths.extend_from_slice(&part.id_lengths);
        pool.strata.extend_from_slice(&part.strata);
        pool.sizes.extend_from_slice(&part.sizes);
        pool.file.extend_from_slice(&part.file);
    }
    let end = u32::try_from(pool.file.len()).map_err(|_| PoolError::TooLarge)?;
    pool.starts.push(end);
    Ok(pool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builder_does_not_mind_the_order_of_rows() {
        let (s1, s2) = (
            StratumKey::new("S001").unwrap(),
            StratumKey::new("S002").unwrap(),
        );
        let mut forward = PoolBuilder::new();
        let mut backward = PoolBuilder::new();
        let rows = [("a", &s2, 1), ("b", &s1, 2), ("c", &s2, 3)];

        rows.iter()
            .for_each(|(id, key, size)| forward.push(id, key, *size).unwrap());
        rows.iter()
            .rev()
            .for_each(|(id, key, size)| backward.push(id, key, *size).unwrap());

        assert_eq!(
            forward.build().unwrap().file_bytes(),
            backward.build().unwrap().file_bytes()
        );
    }

    #[test]
    fn the_builder_refuses_duplicates_and_size_zero() {
        let key = StratumKey::new("S001").unwrap();
        let mut builder = PoolBuilder::new();
        builder.push("a", &key, 1).unwrap();
        builder.push("a", &key, 1).unwrap();

        assert!(builder.push("b", &key, 0).is_err());
        assert!(
            builder
                .build()
                .unwrap_err()
                .to_string()
                .contains("there twice")
        );
        assert!(matches!(PoolBuilder::new().build(), Err(PoolError::Empty)));
    }

    /// Ids whose order shows only far behind, short beside long ones, and others than ASCII.
    fn awkward(count: u64) -> Vec<String> {
        let common = "91990000MA-common-to-all-of-them-";
        (0..count)
            .map(|number| {
                let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 30;
                match number % 4 {
                    0 => format!("{common}{scattered:x}"),
                    1 => format!("{common}0000000000000000{scattered:011}"),
                    2 => format!("{common}{}", "0".repeat((number % 29) as usize) + "牧"),
                    _ => format!("{common}牧{scattered:x}"),
                }
            })
            .collect()
    }

    #[test]
    fn a_built_pool_is_the_one_that_its_file_reads_as() {
        let keys: Vec<StratumKey> = (0..7)
            .map(|key| StratumKey::new(format!("S{}", 9 - key)).unwrap())
            .collect();
        for (ids, prefix) in [(awkward(80_000), ""), (awkward(40), "x"), (awkward(9), "")] {
            let mut ids: Vec<String> = ids.iter().map(|id| format!("{prefix}{id}")).collect();
            ids.sort();
            ids.dedup();
            let mut builder = PoolBuilder::new();
            // One that nobody is in is not in the pool.
            builder.stratum(&StratumKey::new("A").unwrap());
            let mut lines = Vec::new();
            for (number, id) in (0_u32..).zip(&ids) {
                let (key, size) = (&keys[number as usize % 7], 1 + number % 5 * 1_000_000_000);
                lines.push(format!("{id}\t{key}\t{size}\n"));
                let stratum = builder.stratum(key);
                // Every other one comes at the end.
                if number % 2 == 0 {
                    builder.push_in(id, stratum, size).unwrap();
                }
            }
            for (number, id) in (0_u32..).zip(&ids).filter(|(number, _)| number % 2 == 1) {
                let size = 1 + number % 5 * 1_000_000_000;
                builder.push(id, &keys[number as usize % 7], size).unwrap();
            }

            let built = builder.build().unwrap();

            let file = lines.concat();
            assert_eq!(built.file_bytes(), file.as_bytes());
            let read = Pool::from_bytes(file.into_bytes()).unwrap();
            assert_eq!(built.strata(), read.strata());
            assert!(built.objects().eq(read.objects()));
            assert_eq!(built.stratum_indexes(), read.stratum_indexes());
            assert_eq!(
                built.row_bytes(built.len() - 1),
                read.row_bytes(read.len() - 1)
            );
        }
    }
}
