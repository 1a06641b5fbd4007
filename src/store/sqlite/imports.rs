//! Imports, and transactions over many batches.

use jiff::civil::Date;
use rusqlite::{OptionalExtension, Row, Transaction, TransactionBehavior, params};
use std::collections::BTreeMap;

use super::{SqliteStore, lock, register, write};
use crate::domain::{Enterprise, Record};
use crate::store::imports::{ImportNote, ImportRow, ImportStore, RegisterWriter};
use crate::store::stood::{self, Imports, Pass};
use crate::store::{Outcome, StoreError};

const COLUMNS: &str = "import_no, import_id, identity, rows_done, document";

/// A transaction of the one writer.
struct Writing<'a> {
    tx: Transaction<'a>,
    imports: &'a Imports,
    /// What the imports remember of this transaction, by their numbers.
    passes: BTreeMap<i64, Pass>,
}

impl Writing<'_> {
    fn pass(&mut self, import_no: i64) -> (&Transaction<'_>, &mut Pass) {
        let imports = self.imports;
        let pass = self
            .passes
            .entry(import_no)
            .or_insert_with(|| imports.pass(import_no));
        (&self.tx, pass)
    }
}

impl ImportStore for SqliteStore {
    fn in_one_transaction(
        &self,
        work: &mut dyn FnMut(&mut dyn RegisterWriter) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let mut connection = lock(&self.writer);
        let mut write = || {
            let mut writing = Writing {
                tx: connection.transaction_with_behavior(TransactionBehavior::Immediate)?,
                imports: &self.imports,
                passes: BTreeMap::new(),
            };
            // A transaction that is dropped is rolled back.
            if work(&mut writing)? {
                writing.tx.commit()?;
                writing.passes.into_values().for_each(Pass::keep);
            }
            Ok(())
        };
        write().map_err(StoreError::named)
    }

    fn in_one_long_transaction(
        &self,
        work: &mut dyn FnMut(&mut dyn RegisterWriter) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        // There is one writer, and others wait for it in any case.
        self.in_one_transaction(work)
    }

    fn recall_enterprises(&self, batch: &[Enterprise], import_no: i64) {
        self.imports
            .recall(import_no, batch.iter().map(stood::of_enterprise));
    }

    fn recall_records(&self, batch: &[Record], import_no: i64) {
        self.imports
            .recall(import_no, batch.iter().map(stood::of_record));
    }

    fn import(&self, import_id: &str) -> Result<Option<ImportRow>, StoreError> {
        self.read(|tx| {
            Ok(tx
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM import_runs WHERE import_id = ?1"
                ))?
                .query_row([import_id], row)
                .optional()?)
        })
    }

    fn last_import_of(&self, identity: &str) -> Result<Option<ImportRow>, StoreError> {
        self.read(|tx| {
            Ok(tx
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM import_runs WHERE identity = ?1 ORDER BY import_no DESC LIMIT 1"
                ))?
                .query_row([identity], row)
                .optional()?)
        })
    }

    fn imports_before(
        &self,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<ImportRow>, StoreError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM import_runs WHERE import_no < ?1 ORDER BY import_no DESC LIMIT ?2"
            ))?;
            let found = statement.query_map(params![before.unwrap_or(i64::MAX), limit], row)?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    fn import_faults(
        &self,
        import_no: i64,
        after: u64,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT fault FROM import_faults WHERE import_no = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
            )?;
            let found = statement.query_map(params![import_no, after, limit], |row| row.get(0))?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }
}

impl RegisterWriter for Writing<'_> {
    fn begin_import(
        &mut self,
        import_id: &str,
        identity: &str,
        holder: &str,
        document: &str,
    ) -> Result<i64, StoreError> {
        let import_no = register::begin_import(&self.tx)?;
        self.tx
            .prepare_cached(
                "INSERT INTO import_runs (import_no, import_id, identity, holder, rows_done, document) \
                 VALUES (?1, ?2, ?3, ?4, 0, ?5)",
            )?
            .execute(params![import_no, import_id, identity, holder, document])?;
        Ok(import_no)
    }

    fn take_import(
        &mut self,
        import_no: i64,
        holder: &str,
    ) -> Result<Option<ImportRow>, StoreError> {
        Ok(self
            .tx
            .prepare_cached(&format!(
                "UPDATE import_runs SET holder = ?2 WHERE import_no = ?1 RETURNING {COLUMNS}"
            ))?
            .query_row(params![import_no, holder], row)
            .optional()?)
    }

    fn note_import(&mut self, note: &ImportNote<'_>) -> Result<bool, StoreError> {
        let noted = self
            .tx
            .prepare_cached(
                "UPDATE import_runs SET rows_done = ?3, document = ?4 WHERE import_no = ?1 AND holder = ?2",
            )?
            .execute(params![note.import_no, note.holder, note.rows_done, note.document])?;
        if noted == 0 {
            return Ok(false);
        }
        let mut keep = self.tx.prepare_cached(
            "INSERT INTO import_faults (import_no, number, fault) \
             SELECT ?1, coalesce(max(number), 0) + 1, ?2 FROM import_faults WHERE import_no = ?1",
        )?;
        for fault in note.faults {
            keep.execute(params![note.import_no, fault])?;
        }
        Ok(true)
    }

    fn put_enterprises(
        &mut self,
        batch: &[Enterprise],
        import_no: i64,
        day: Date,
    ) -> Result<Vec<Outcome>, StoreError> {
        let (tx, pass) = self.pass(import_no);
        write::put_enterprises(tx, batch, pass, day)
    }

    fn put_records(
        &mut self,
        batch: &[Record],
        import_no: i64,
    ) -> Result<Vec<Outcome>, StoreError> {
        let (tx, pass) = self.pass(import_no);
        write::put_records(tx, batch, pass, false)
    }
}

fn row(row: &Row<'_>) -> Result<ImportRow, rusqlite::Error> {
    Ok(ImportRow {
        import_no: row.get(0)?,
        import_id: row.get(1)?,
        identity: row.get(2)?,
        rows_done: row.get(3)?,
        document: row.get(4)?,
    })
}
