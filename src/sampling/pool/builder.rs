//! Building a pool from objects that come in any order.

use std::collections::BTreeMap;
use std::io::Write;

use super::{LineError, Pool, PoolError, StratumKey, check_id};

/// Collects objects in any order and builds the sorted pool.
#[derive(Debug, Default)]
pub struct PoolBuilder {
    ids: Vec<u8>,
    rows: Vec<BuilderRow>,
    keys: BTreeMap<StratumKey, u32>,
}

#[derive(Debug)]
struct BuilderRow {
    start: usize,
    length: u8,
    stratum: u32,
    size: u32,
}

impl PoolBuilder {
    /// An empty builder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an object; write size 1 where the method is not `pareto`.
    ///
    /// # Errors
    ///
    /// [`PoolError::Row`] when the id breaks a rule or the size is 0.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "INVARIANT: a checked id has at most 64 bytes"
    )]
    pub fn push(&mut self, id: &str, stratum: &StratumKey, size: u32) -> Result<(), PoolError> {
        check_id(id.as_bytes()).map_err(LineError::from)?;
        if size == 0 {
            return Err(LineError::Size("0".to_owned()).into());
        }
        let stratum = match self.keys.get(stratum) {
            Some(number) => *number,
            None => {
                let number = self.keys.len() as u32;
                self.keys.insert(stratum.clone(), number);
                number
            }
        };
        self.rows.push(BuilderRow {
            start: self.ids.len(),
            length: id.len() as u8,
            stratum,
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
        let ids = &self.ids;
        let id = |row: &BuilderRow| {
            ids.get(row.start..row.start + usize::from(row.length))
                .unwrap_or_default()
        };
        self.rows.sort_unstable_by(|a, b| id(a).cmp(id(b)));
        if let Some(row) = self
            .rows
            .array_windows()
            .find_map(|[a, b]| (id(a) == id(b)).then_some(a))
        {
            return Err(LineError::Duplicate(String::from_utf8_lossy(id(row)).into_owned()).into());
        }
        let mut names = vec![""; self.keys.len()];
        for (key, number) in &self.keys {
            if let Some(name) = names.get_mut(*number as usize) {
                *name = key.as_str();
            }
        }
        let mut file = Vec::with_capacity(self.ids.len() + 8 * self.rows.len());
        for row in &self.rows {
            file.extend_from_slice(id(row));
            let key = names.get(row.stratum as usize).copied().unwrap_or_default();
            writeln!(file, "\t{key}\t{}", row.size)?;
        }
        Pool::from_bytes(file)
    }
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
}
