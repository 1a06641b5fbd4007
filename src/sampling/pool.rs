//! The pool: the objects that one plan selects from, partitioned into strata (`risktier-draw/1` section 1).
//!
//! A pool keeps the bytes of its file `pool.tsv` and indexes into them, so that a pool of millions holds no text of
//! its own per object, and what is hashed is what was read. It refuses anything but the one documented form: clean
//! ids before they come here.

mod builder;
mod key;
mod reading;

use std::fmt;
use std::io::{self, Read, Write};

use crate::domain::digest::{Digest, HashAlgorithm};
use crate::domain::parallel::map_chunks;

pub use builder::{BuilderStratum, PoolBuilder};
pub use key::{ALL, EXPLORE, IdError, KeyError, StratumKey, check_id};
use reading::{Columns, Rows, pieces};

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

    /// Reads the columns of a pool file, which the pool does not hold yet, piece by piece on all cores.
    fn columns(file: &[u8]) -> Result<Self, PoolError> {
        let pieces = pieces(file);
        let read = map_chunks(pieces.len(), 1, |range| {
            let range = pieces.get(range.start).cloned().unwrap_or_default();
            Rows::read(file, range)
        });
        let mut columns = Columns::default();
        for rows in read {
            // The first piece with an error has the first line that breaks a rule.
            let before = columns.len() as u64;
            columns.append(rows.map_err(|(line, problem)| PoolError::Line {
                line: before + line,
                problem,
            })?);
        }
        if columns.len() == 0 {
            return Err(PoolError::Empty);
        }
        Ok(columns.into_pool(file.len()))
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

    /// A file of several pieces, with ids of uneven length.
    fn long_file() -> String {
        let line = |number: u64| {
            let tail = "x".repeat((number % 23) as usize);
            format!(
                "{number:08}{tail}\tS{:03}\t{}\n",
                number * 7 % 501,
                1 + number % 9
            )
        };
        (0..120_000).map(line).collect()
    }

    #[test]
    fn pieces_of_a_file_are_whole_lines_and_cover_it() {
        let file = long_file();
        let file = file.as_bytes();
        let pieces = pieces(file);
        assert!(pieces.len() > 2);
        let mut end = 0;
        for piece in &pieces {
            assert_eq!(piece.start, end);
            end = piece.end;
            assert_eq!(file[end - 1], b'\n');
        }
        assert_eq!(end, file.len());

        let pool = Pool::from_bytes(file.to_vec()).unwrap();

        assert_eq!((pool.len(), pool.strata().len()), (120_000, 501));
        let counted: u32 = pool.strata().iter().map(|(_, count)| count).sum();
        assert_eq!(counted, 120_000);
        for (index, line) in std::str::from_utf8(file).unwrap().lines().enumerate() {
            let object = pool.object(index).unwrap();
            let shown = format!("{}\t{}\t{}", object.id, object.stratum, object.size);
            assert_eq!(shown, line);
        }
    }

    #[test]
    fn the_first_broken_line_is_named_in_whichever_piece_it_is() {
        let file = long_file();
        let borders: Vec<usize> = pieces(file.as_bytes())
            .iter()
            .map(|piece| file[..piece.start].lines().count())
            .collect();
        let lines: Vec<&str> = file.lines().collect();
        let told = |bend: &dyn Fn(&mut Vec<&str>)| {
            let mut bent = lines.clone();
            bend(&mut bent);
            problem(&(bent.join("\n") + "\n"))
        };
        for line in [borders[1], borders[2], borders[1] + 1, 119_999] {
            let name = format!("line {}: ", line + 1);
            let swapped = told(&|lines| lines.swap(line - 1, line));
            assert!(
                swapped.starts_with(&name) && swapped.contains("byte order"),
                "{swapped}"
            );
            let twice = told(&|lines| lines[line] = lines[line - 1]);
            assert!(
                twice.starts_with(&name) && twice.contains("there twice"),
                "{twice}"
            );
            let cut = told(&|lines| lines[line] = "zzz\tS001");
            assert!(
                cut.starts_with(&name) && cut.contains("three fields") || cut.contains("one tab"),
                "{cut}"
            );
            // Of several the first.
            let several = told(&|lines| {
                lines[line] = "zzz\tS 1\t1";
                lines[119_999] = "";
            });
            assert!(several.starts_with(&name), "{several}");
        }
    }
}
