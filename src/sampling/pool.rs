//! The pool: the objects that one plan selects from, partitioned into strata (`risktier-draw/1` section 1).
//!
//! A pool keeps the bytes of its file `pool.tsv` and indexes into them, so that a pool of millions holds no text of
//! its own per object, and what is hashed is what was read. It refuses anything but the one documented form: clean
//! ids before they come here.

mod builder;
mod key;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write};

use crate::domain::digest::{Digest, HashAlgorithm};

pub use builder::PoolBuilder;
pub use key::{ALL, EXPLORE, IdError, KeyError, StratumKey, check_id};

/// Line starts are kept in 32 bits.
const MAX_FILE: usize = u32::MAX as usize;
/// What is wrong with one line of a pool file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Not three fields.
    #[error("expected id, stratum and size, separated by one tab each")]
    Fields,
    /// The file ends without a line feed.
    #[error("the line does not end in a line feed: the file may be cut off")]
    Unfinished,
    /// The id breaks a rule.
    #[error(transparent)]
    Id(#[from] IdError),
    /// The stratum key breaks a rule.
    #[error("stratum: {0}")]
    Stratum(#[from] KeyError),
    /// The size is not a whole number from 1 to 2^32 − 1 without leading zeros.
    #[error("the size `{0}` is not a whole number from 1 to 4294967295 without leading zeros")]
    Size(String),
    /// The id does not come after the one before.
    #[error("the id `{0}` is not in byte order: sort the file by id bytes")]
    Order(String),
    /// The id was there already.
    #[error("the id `{0}` is there twice: keep one line per object")]
    Duplicate(String),
}

/// Why a pool cannot be read or built.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// No object at all.
    #[error("the pool is empty: select at least one object")]
    Empty,
    /// More than 4 GiB.
    #[error("the pool file is larger than 4 GiB: split the pool")]
    TooLarge,
    /// One line breaks a rule; counted from 1.
    #[error("line {line}: {problem}")]
    Line {
        /// Number of the line, from 1.
        line: u64,
        /// What is wrong with it.
        problem: LineError,
    },
    /// A row given to [`PoolBuilder`] breaks a rule.
    #[error(transparent)]
    Row(#[from] LineError),
    /// The source could not be read.
    #[error("cannot read the pool: {0}")]
    Read(#[from] io::Error),
}

/// One object of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolObject<'a> {
    /// The object's id.
    pub id: &'a str,
    /// The stratum it belongs to.
    pub stratum: &'a StratumKey,
    /// Its size measure, 1 to 2^32 − 1; matters only for method `pareto`.
    pub size: u32,
}

/// A valid pool, sorted by id bytes. Objects and strata are addressed by index, both in byte order.
pub struct Pool {
    /// The file `pool.tsv` itself.
    file: Vec<u8>,
    /// Where each object's line starts, and one more: the length of the file.
    starts: Vec<u32>,
    id_lengths: Vec<u8>,
    strata: Vec<u32>,
    sizes: Vec<u32>,
    /// Keys in byte order with the number of their objects.
    keys: Vec<(StratumKey, u32)>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("objects", &self.len())
            .field("strata", &self.keys.len())
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// Reads a pool file strictly.
    ///
    /// # Errors
    ///
    /// [`PoolError`] names the first line that breaks a rule and the rule.
    pub fn read(reader: impl Read) -> Result<Self, PoolError> {
        let mut file = Vec::new();
        reader
            .take(u64::from(u32::MAX) + 1)
            .read_to_end(&mut file)?;
        Self::from_bytes(file)
    }

    /// Takes the bytes of a pool file, strictly.
    ///
    /// # Errors
    ///
    /// [`PoolError`] names the first line that breaks a rule and the rule.
    pub fn from_bytes(file: Vec<u8>) -> Result<Self, PoolError> {
        Self::parse(file).map_err(|(error, _)| error)
    }

    /// As [`Pool::from_bytes`]; a file that cannot be read comes back.
    pub(in crate::sampling) fn parse(mut file: Vec<u8>) -> Result<Self, (PoolError, Vec<u8>)> {
        if file.len() > MAX_FILE {
            return Err((PoolError::TooLarge, file));
        }
        file.shrink_to_fit();
        match Self::columns(&file) {
            Ok(mut pool) => {
                pool.file = file;
                Ok(pool)
            }
            Err(error) => Err((error, file)),
        }
    }

    /// Reads the columns of a pool file, which the pool does not hold yet.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "INVARIANT: the file is under 4 GiB and ids under 65 bytes"
    )]
    fn columns(file: &[u8]) -> Result<Self, PoolError> {
        let mut rows = Rows::default();
        let mut before: &[u8] = b"";
        let mut start = 0_usize;
        for (line, bytes) in (1_u64..).zip(file.split_inclusive(|&byte| byte == b'\n')) {
            let fail = |problem| PoolError::Line { line, problem };
            let (id, key, size) = split_line(bytes).map_err(fail)?;
            if id <= before {
                let text = String::from_utf8_lossy(id).into_owned();
                return Err(fail(if id == before {
                    LineError::Duplicate(text)
                } else {
                    LineError::Order(text)
                }));
            }
            rows.starts.push(start as u32);
            rows.id_lengths.push(id.len() as u8);
            rows.sizes.push(size);
            rows.count(key).map_err(|problem| fail(problem.into()))?;
            start += bytes.len();
            before = id;
        }
        if rows.sizes.is_empty() {
            return Err(PoolError::Empty);
        }
        rows.starts.push(start as u32);
        Ok(rows.into_pool())
    }

    /// Number of objects, at least one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sizes.len()
    }

    /// Always false: an empty pool cannot be built.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sizes.is_empty()
    }

    /// The strata in byte order of their keys, with the number of objects of each.
    #[must_use]
    pub fn strata(&self) -> &[(StratumKey, u32)] {
        &self.keys
    }

    /// The bytes of the file `pool.tsv`.
    #[must_use]
    pub fn file_bytes(&self) -> &[u8] {
        &self.file
    }

    /// Writes the file `pool.tsv`.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write(&self, mut writer: impl Write) -> io::Result<()> {
        writer.write_all(&self.file)
    }

    /// The pool digest: the hash of the file.
    #[must_use]
    pub fn digest(&self, algorithm: HashAlgorithm) -> Digest {
        algorithm.hash(&[&self.file])
    }

    /// The object at an index of the file, if there is one.
    #[must_use]
    pub fn object(&self, index: usize) -> Option<PoolObject<'_>> {
        let stratum = *self.strata.get(index)?;
        let (key, _) = self.keys.get(stratum as usize)?;
        Some(PoolObject {
            id: self.id(index),
            stratum: key,
            size: *self.sizes.get(index)?,
        })
    }

    /// All objects in file order.
    pub fn objects(&self) -> impl Iterator<Item = PoolObject<'_>> {
        (0..self.len()).filter_map(|index| self.object(index))
    }

    /// The index of an id, by binary search.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.id_bytes(middle).cmp(id.as_bytes()) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    pub(in crate::sampling) fn id(&self, index: usize) -> &str {
        // INVARIANT: every id passed `check_id`, so it is UTF-8.
        std::str::from_utf8(self.id_bytes(index)).unwrap_or_default()
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "INVARIANT: the index is below len, the offsets lie in the file"
    )]
    pub(in crate::sampling) fn id_bytes(&self, index: usize) -> &[u8] {
        let start = self.starts[index] as usize;
        &self.file[start..start + usize::from(self.id_lengths[index])]
    }

    /// The rest of an object's line after the id and its tab: `stratum TAB size`.
    #[expect(
        clippy::indexing_slicing,
        reason = "INVARIANT: the index is below len, the offsets lie in the file"
    )]
    pub(in crate::sampling) fn row_bytes(&self, index: usize) -> &[u8] {
        let id_end = self.starts[index] as usize + usize::from(self.id_lengths[index]);
        &self.file[id_end + 1..self.starts[index + 1] as usize - 1]
    }

    /// The stratum index of every object, in file order.
    pub(in crate::sampling) fn stratum_indexes(&self) -> &[u32] {
        &self.strata
    }

    /// The size of every object, in file order.
    pub(in crate::sampling) fn sizes(&self) -> &[u32] {
        &self.sizes
    }
}

/// The columns while a file is read; strata are numbered as they appear.
#[derive(Default)]
struct Rows<'a> {
    starts: Vec<u32>,
    id_lengths: Vec<u8>,
    sizes: Vec<u32>,
    strata: Vec<u32>,
    seen: BTreeMap<StratumKey, u32>,
    counts: Vec<u32>,
    last: Option<(&'a str, u32)>,
}

impl<'a> Rows<'a> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "INVARIANT: there are fewer strata than bytes in the file"
    )]
    fn count(&mut self, key: &'a str) -> Result<(), KeyError> {
        let number = match &self.last {
            Some((last, number)) if *last == key => *number,
            _ => {
                let number = match self.seen.get(key) {
                    Some(number) => *number,
                    None => {
                        self.seen
                            .insert(StratumKey::new(key)?, self.counts.len() as u32);
                        self.counts.len() as u32
                    }
                };
                self.last = Some((key, number));
                number
            }
        };
        match self.counts.get_mut(number as usize) {
            Some(count) => *count += 1,
            None => self.counts.push(1),
        }
        self.strata.push(number);
        Ok(())
    }

    /// The pool without its file.
    fn into_pool(mut self) -> Pool {
        let mut rank = vec![0_u32; self.counts.len()];
        let mut keys = Vec::with_capacity(self.counts.len());
        for (position, (key, number)) in (0_u32..).zip(self.seen) {
            if let Some(slot) = rank.get_mut(number as usize) {
                *slot = position;
            }
            keys.push((
                key,
                self.counts
                    .get(number as usize)
                    .copied()
                    .unwrap_or_default(),
            ));
        }
        for stratum in &mut self.strata {
            *stratum = rank.get(*stratum as usize).copied().unwrap_or_default();
        }
        Pool {
            file: Vec::new(),
            starts: self.starts,
            id_lengths: self.id_lengths,
            strata: self.strata,
            sizes: self.sizes,
            keys,
        }
    }
}

fn split_line(bytes: &[u8]) -> Result<(&[u8], &str, u32), LineError> {
    let line = bytes.strip_suffix(b"\n").ok_or(LineError::Unfinished)?;
    let mut fields = line.split(|&byte| byte == b'\t');
    let (Some(id), Some(key), Some(size), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(LineError::Fields);
    };
    check_id(id)?;
    let key = std::str::from_utf8(key)
        .map_err(|_| KeyError::Form(String::from_utf8_lossy(key).into_owned()))?;
    Ok((id, key, parse_size(size)?))
}

fn parse_size(field: &[u8]) -> Result<u32, LineError> {
    let wrong = || LineError::Size(String::from_utf8_lossy(field).chars().take(20).collect());
    let (Some(b'1'..=b'9'), true) = (field.first(), field.iter().all(u8::is_ascii_digit)) else {
        return Err(wrong());
    };
    std::str::from_utf8(field)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(file: &str) -> String {
        Pool::from_bytes(file.as_bytes().to_vec())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_well_formed_file_is_kept_byte_for_byte() {
        let file = "a\tS002\t1\nb,c\tS001\t4294967295\n牧场\tS002\t7\n";

        let pool = Pool::read(file.as_bytes()).unwrap();

        let mut written = Vec::new();
        pool.write(&mut written).unwrap();
        assert_eq!(written, file.as_bytes());
        assert_eq!(pool.len(), 3);
        let strata: Vec<_> = pool
            .strata()
            .iter()
            .map(|(key, count)| (key.as_str(), *count))
            .collect();
        assert_eq!(strata, [("S001", 1), ("S002", 2)]);
        assert_eq!(pool.find("牧场"), Some(2));
        assert_eq!(pool.find("zz"), None);
        let object = pool.object(1).unwrap();
        assert_eq!(
            (object.id, object.stratum.as_str(), object.size),
            ("b,c", "S001", u32::MAX)
        );
        assert_eq!(pool.row_bytes(2), b"S002\t7");
    }

    #[test]
    fn a_broken_line_is_named_with_its_number() {
        assert_eq!(problem(""), "the pool is empty: select at least one object");
        assert_eq!(
            problem("a\tS\t1\nb\tS\n"),
            "line 2: expected id, stratum and size, separated by one tab each"
        );
        assert!(problem("a\tS\t1").starts_with("line 1: the line does not end"));
        assert!(problem("a\tS\t1\r\n").contains("size"));
        assert!(problem("b\tS\t1\na\tS\t1\n").contains("line 2: the id `a` is not in byte order"));
        assert!(problem("a\tS\t1\na\tS\t1\n").contains("line 2: the id `a` is there twice"));
        assert!(problem("a b\tS\t1\n").contains("white space"));
        assert!(problem("a\u{3000}b\tS\t1\n").contains("white space"));
        assert!(problem("a\u{85}b\tS\t1\n").contains("control"));
        assert!(problem("\tS\t1\n").contains("0 bytes"));
        assert!(problem("a\tALL\t1\n").contains("reserved"));
        assert!(problem("a\tS 1\t1\n").contains("not a key"));
        for size in ["0", "01", "+1", "", "4294967296", "1.0"] {
            assert!(
                problem(&format!("a\tS\t{size}\n")).contains("the size"),
                "{size}"
            );
        }
    }
}
