//! Imports, and transactions over many batches.

use jiff::civil::Date;
use postgres::Row;
use std::collections::BTreeMap;

use super::change_log::log_what_waits;
use super::pool::{End, Session};
use super::tiers::signed;
use super::{PostgresStore, register, unstorable, write};
use crate::domain::{Enterprise, Record};
use crate::store::imports::{ImportNote, ImportRow, ImportStore, RegisterWriter};
use crate::store::rows::{number, text};
use crate::store::stood::{self, Imports, Pass};
use crate::store::{Outcome, StoreError};

const COLUMNS: &str = "import_no, import_id, identity, rows_done, document";

/// A transaction on one connection.
struct Writing<'a> {
    tx: &'a mut Session,
    imports: &'a Imports,
    /// What the imports remember of this transaction, by their numbers.
    passes: BTreeMap<i64, Pass>,
}

impl Writing<'_> {
    fn pass(&mut self, import_no: i64) -> (&mut Session, &mut Pass) {
        let imports = self.imports;
        let pass = self
            .passes
            .entry(import_no)
            .or_insert_with(|| imports.pass(import_no));
        (self.tx, pass)
    }
}

impl ImportStore for PostgresStore {
    fn in_one_transaction(
        &self,
        work: &mut dyn FnMut(&mut dyn RegisterWriter) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let passes = self.pool.write(|tx| {
            let mut writing = Writing {
                tx,
                imports: &self.imports,
                passes: BTreeMap::new(),
            };
            Ok(if work(&mut writing)? {
                End::Keep(writing.passes)
            } else {
                End::Undo(BTreeMap::new())
            })
        })?;
        passes.into_values().for_each(Pass::keep);
        Ok(())
    }

    fn in_one_long_transaction(
        &self,
        work: &mut dyn FnMut(&mut dyn RegisterWriter) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let passes = self.pool.write(|tx| {
            tx.log_later()?;
            let mut writing = Writing {
                tx,
                imports: &self.imports,
                passes: BTreeMap::new(),
            };
            if !work(&mut writing)? {
                return Ok(End::Undo(BTreeMap::new()));
            }
            log_what_waits(writing.tx)?;
            Ok(End::Keep(writing.passes))
        })?;
        passes.into_values().for_each(Pass::keep);
        Ok(())
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
        if unstorable(import_id) {
            return Ok(None);
        }
        let sql = format!("SELECT {COLUMNS} FROM import_runs WHERE import_id = $1");
        self.pool.read(|tx| {
            tx.optional(&sql, &[&import_id])?
                .as_ref()
                .map(row)
                .transpose()
        })
    }

    fn last_import_of(&self, identity: &str) -> Result<Option<ImportRow>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM import_runs WHERE identity = $1 ORDER BY import_no DESC LIMIT 1"
        );
        self.pool.read(|tx| {
            tx.optional(&sql, &[&identity])?
                .as_ref()
                .map(row)
                .transpose()
        })
    }

    fn imports_before(
        &self,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<ImportRow>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM import_runs WHERE import_no < $1 ORDER BY import_no DESC LIMIT $2"
        );
        let (before, limit) = (before.unwrap_or(i64::MAX), signed(limit as u64));
        self.pool.read(|tx| {
            tx.query(&sql, &[&before, &limit])?
                .iter()
                .map(row)
                .collect()
        })
    }

    fn import_faults(
        &self,
        import_no: i64,
        after: u64,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let (after, limit) = (signed(after), signed(limit as u64));
        self.pool.read(|tx| {
            tx.query(
                "SELECT fault FROM import_faults WHERE import_no = $1 AND number > $2 ORDER BY number LIMIT $3",
                &[&import_no, &after, &limit],
            )?
            .iter()
            .map(|row| Ok(text(row, 0, "fault")?.to_owned()))
            .collect()
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
        let import_no = register::begin_import(self.tx)?;
        self.tx.execute(
            "INSERT INTO import_runs (import_no, import_id, identity, holder, rows_done, document) \
             VALUES ($1, $2, $3, $4, 0, $5)",
            &[&import_no, &import_id, &identity, &holder, &document],
        )?;
        Ok(import_no)
    }

    fn take_import(
        &mut self,
        import_no: i64,
        holder: &str,
    ) -> Result<Option<ImportRow>, StoreError> {
        let sql =
            format!("UPDATE import_runs SET holder = $2 WHERE import_no = $1 RETURNING {COLUMNS}");
        let taken = self.tx.optional(&sql, &[&import_no, &holder])?;
        taken.as_ref().map(row).transpose()
    }

    fn note_import(&mut self, note: &ImportNote<'_>) -> Result<bool, StoreError> {
        let noted = self.tx.execute(
            "UPDATE import_runs SET rows_done = $3, document = $4 WHERE import_no = $1 AND holder = $2",
            &[
                &note.import_no,
                &note.holder,
                &signed(note.rows_done),
                &note.document,
            ],
        )?;
        if noted == 0 {
            return Ok(false);
        }
        if !note.faults.is_empty() {
            // The row of the import is locked, so nobody else adds faults to it now.
            self.tx.execute(
                "INSERT INTO import_faults (import_no, number, fault) \
                 SELECT $1, k.last + u.place, u.fault FROM unnest($2::text[]) WITH ORDINALITY AS u(fault, place), \
                 (SELECT coalesce(max(number), 0) AS last FROM import_faults WHERE import_no = $1) AS k",
                &[&note.import_no, &note.faults],
            )?;
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

fn row(row: &Row) -> Result<ImportRow, StoreError> {
    Ok(ImportRow {
        import_no: number(row, 0, "import_no")?,
        import_id: text(row, 1, "import_id")?.to_owned(),
        identity: text(row, 2, "identity")?.to_owned(),
        rows_done: number(row, 3, "rows_done")?,
        document: text(row, 4, "document")?.to_owned(),
    })
}
