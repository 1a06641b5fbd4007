//! What stood earlier in an import, so that a second content for one id within it is told from a later correction.
//!
//! A row that is written carries the number of its import. A row that says nothing new is not written only to note where
//! it stood: importing a file again would rewrite the whole register. It is remembered here instead, by 64 bits of a
//! keyed hash, while the import runs. Two ids of one import share a hash with a probability below 10⁻⁴; then a correction
//! of the one is refused as a second content and goes in with the next import. Rows beyond the room are noted in the
//! store after all, so memory is bounded.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::{Enterprise, Record};

/// Rows that one import remembers at most: 14 of 16 million places of 9 bytes.
const ROOM: usize = 14 << 20;

/// What an enterprise is remembered by.
pub(super) fn of_enterprise(row: &Enterprise) -> impl Hash {
    &row.enterprise_id
}

/// What a version of a record is remembered by. The enterprise is part of it, so that a row which was refused because the
/// record is of another enterprise stands in nobody's way.
pub(super) fn of_record(row: &Record) -> impl Hash {
    (
        &row.source,
        &row.record_id,
        &row.enterprise_id,
        row.known_on,
    )
}

/// The imports that run in this process.
#[derive(Debug, Default)]
pub(super) struct Imports(Mutex<HashMap<i64, Arc<Stood>>>);

/// What one import remembers.
#[derive(Debug, Default)]
struct Stood {
    key: RandomState,
    rows: Mutex<HashSet<u64, BuildHasherDefault<AsItIs>>>,
}

/// One transaction of an import, or of no import.
///
/// What it notes counts for its own rows at once and for later transactions once [`Pass::keep`] is called, which is for
/// after the commit.
#[derive(Debug, Default)]
pub(super) struct Pass {
    import_no: i64,
    stood: Arc<Stood>,
    noted: HashSet<u64, BuildHasherDefault<AsItIs>>,
}

impl Imports {
    /// A transaction of import `import_no`; 0 is none.
    pub(super) fn pass(&self, import_no: i64) -> Pass {
        let stood = if import_no == 0 {
            Arc::default()
        } else {
            Arc::clone(lock(&self.0).entry(import_no).or_default())
        };
        Pass {
            import_no,
            stood,
            noted: HashSet::default(),
        }
    }

    /// Remembers rows that stood in an import before it was broken off, as far as there is room.
    pub(super) fn recall<R: Hash>(&self, import_no: i64, rows: impl Iterator<Item = R>) {
        let mut pass = self.pass(import_no);
        for row in rows {
            pass.note(&row);
        }
        pass.keep();
    }

    /// Forgets what an import remembered.
    pub(super) fn end(&self, import_no: i64) {
        lock(&self.0).remove(&import_no);
    }
}

impl Pass {
    /// The number of the import; 0 for none.
    pub(super) fn import_no(&self) -> i64 {
        self.import_no
    }

    /// Notes that a row stood here; `false` if there is no room for it.
    pub(super) fn note(&mut self, row: &impl Hash) -> bool {
        if self.import_no == 0 {
            return true;
        }
        let hash = self.stood.key.hash_one(row);
        let has_room = lock(&self.stood.rows).len() + self.noted.len() < ROOM;
        if has_room {
            self.noted.insert(hash);
        }
        has_room
    }

    /// Whether a row stood earlier in this import and said nothing new.
    pub(super) fn stands(&self, row: &impl Hash) -> bool {
        let hash = self.stood.key.hash_one(row);
        self.import_no != 0
            && (self.noted.contains(&hash) || lock(&self.stood.rows).contains(&hash))
    }

    /// Hands what was noted to the later transactions of the import.
    pub(super) fn keep(self) {
        if !self.noted.is_empty() {
            lock(&self.stood.rows).extend(self.noted);
        }
    }
}

/// Hashes are spread already.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// A poisoned lock only says that another caller panicked; a set of hashes is whole between any two calls.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_stands_in_its_own_import_only_and_later_once_it_is_kept() {
        let imports = Imports::default();
        let mut first = imports.pass(7);
        assert!(first.note(&"a") && first.stands(&"a") && !first.stands(&"b"));
        assert!(!imports.pass(7).stands(&"a"));
        first.keep();
        assert!(imports.pass(7).stands(&"a") && !imports.pass(8).stands(&"a"));
        imports.end(7);
        assert!(!imports.pass(7).stands(&"a"));
    }

    #[test]
    fn outside_imports_nothing_is_remembered() {
        let imports = Imports::default();
        let mut pass = imports.pass(0);
        assert!(pass.note(&"a") && !pass.stands(&"a"));
        pass.keep();
        assert!(lock(&imports.0).is_empty());
    }
}
