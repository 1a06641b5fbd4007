//! The store for several replicas: PostgreSQL 15 or later.
//!
//! Here is how the methods of the store become transactions; connections are in `pool`, what happens inside a
//! transaction is in the files beside. Calls block: make them from threads that may wait, never from asynchronous ones.
//!
//! Isolation. Every statement sees one instant. What needs several statements at one instant reads in a REPEATABLE READ
//! transaction. Writers run in READ COMMITTED and lock, in one order everywhere, what their decision rests on: the
//! enterprises of a batch by id, then the ids of its records, at last the log of changes. So a decision never rests on
//! something that another writer changes meanwhile.
//!
//! The log of changes. A writer takes the lock `Changes` as its last step before the commit, gives its changes the
//! numbers after the last one, and holds the lock until the commit has become visible. Hence a change can be read only
//! when all with smaller numbers can, and a writer that fails leaves no gap. Writers queue for one insert and one commit,
//! not for their whole work.
//!
//! On a distributed database. Hot tables are keyed by enterprise or by record, nothing on the path of a write takes a
//! number from a sequence, and a transaction that ends with a serialisation failure or a deadlock is tried again, up to ten
//! times with growing pauses of random length. What would have to change there: the log of changes, whose numbers come
//! one after the other (one log per range of enterprises, each with its own numbers and followers' places), and the
//! advisory locks, which would become rows.

mod calendars;
mod ceremony;
mod change_log;
mod copy;
mod due;
mod feed;
mod idempotency;
mod imports;
mod ledger;
mod life;
mod lock;
mod migrate;
mod models;
mod overview;
mod plans;
mod policies;
mod pool;
mod register;
mod row;
mod runs;
mod scan;
mod set_aside;
mod tasks;
mod tiers;
mod webhooks;
mod write;

use jiff::civil::Date;
use std::ops::ControlFlow;

use super::stood::{Imports, Pass};
use super::{
    Changed, Conditional, Counts, Dossier, IdRange, Outcome, PlanChange, PlanFile, Scan as _,
    Store, StoreError, revision_before,
};
use crate::domain::{Enterprise, EnterpriseId, Record};
use pool::{End, Pool};

pub use pool::PostgresOptions;

/// The store on a PostgreSQL server; any number of replicas may share one database.
#[derive(Debug)]
pub struct PostgresStore {
    pool: Pool,
    imports: Imports,
}

impl PostgresStore {
    /// Connects to the database at `url`, such as `postgresql://user:password@host/database`, and brings its schema up
    /// to date.
    ///
    /// # Errors
    ///
    /// When the database cannot be reached, is not in UTF8, or was written by a newer release.
    pub fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_with(url, PostgresOptions::default())
    }

    /// As [`PostgresStore::open`], with options.
    ///
    /// # Errors
    ///
    /// As [`PostgresStore::open`].
    pub fn open_with(url: &str, options: PostgresOptions) -> Result<Self, StoreError> {
        let pool = Pool::new(url.parse()?, options);
        migrate::check_encoding(&pool)?;
        migrate::migrate(&pool)?;
        Ok(Self {
            pool,
            imports: Imports::default(),
        })
    }
}

impl Store for PostgresStore {
    fn store_id(&self) -> Result<String, StoreError> {
        self.pool.read(register::store_id)
    }

    fn begin_import(&self) -> Result<i64, StoreError> {
        self.pool
            .write(|tx| Ok(End::Keep(register::begin_import(tx)?)))
    }

    fn end_import(&self, import_no: i64) {
        self.imports.end(import_no);
    }

    fn put_enterprises(
        &self,
        batch: &[Enterprise],
        import_no: i64,
        day: Date,
    ) -> Result<Vec<Outcome>, StoreError> {
        let (outcomes, pass) = self.pool.write(|tx| {
            let mut pass = self.imports.pass(import_no);
            let outcomes = write::put_enterprises(tx, batch, &mut pass, day)?;
            Ok(End::Keep((outcomes, pass)))
        })?;
        pass.keep();
        Ok(outcomes)
    }

    fn put_enterprise_if(
        &self,
        enterprise: &Enterprise,
        day: Date,
        condition: &dyn Fn(Option<u64>) -> bool,
    ) -> Result<Conditional, StoreError> {
        self.pool.write(|tx| {
            // Written first, so that locks are taken in the order of every other writer.
            let batch = std::slice::from_ref(enterprise);
            let outcome = write::put_enterprises(tx, batch, &mut Pass::default(), day)?.pop();
            let revision = revision_before(outcome.as_ref(), || {
                let found = register::enterprise(tx, &enterprise.enterprise_id)?;
                Ok(found.map(|(_, revision)| revision))
            })?;
            if !condition(revision) {
                return Ok(End::Undo(Conditional::NotMet(revision)));
            }
            Ok(End::Keep(Conditional::Written(
                outcome.unwrap_or(Outcome::Unchanged),
            )))
        })
    }

    fn put_records(&self, batch: &[Record], import_no: i64) -> Result<Vec<Outcome>, StoreError> {
        let (outcomes, pass) = self.pool.write(|tx| {
            let mut pass = self.imports.pass(import_no);
            let outcomes = write::put_records(tx, batch, &mut pass, false)?;
            Ok(End::Keep((outcomes, pass)))
        })?;
        pass.keep();
        Ok(outcomes)
    }

    fn put_records_or_none(&self, batch: &[Record]) -> Result<Vec<Outcome>, StoreError> {
        self.pool.write(|tx| {
            let outcomes = write::put_records(tx, batch, &mut Pass::default(), true)?;
            Ok(match outcomes.last() {
                Some(Outcome::Refused(_)) => End::Undo(outcomes),
                Some(
                    Outcome::Created(_)
                    | Outcome::Updated(_)
                    | Outcome::Unchanged
                    | Outcome::SetAside,
                )
                | None => End::Keep(outcomes),
            })
        })
    }

    fn enterprise(&self, id: &EnterpriseId) -> Result<Option<(Enterprise, u64)>, StoreError> {
        self.pool.read(|tx| register::enterprise(tx, id))
    }

    fn dossier(&self, id: &EnterpriseId) -> Result<Option<Dossier>, StoreError> {
        let found = self
            .pool
            .read(|tx| register::dossiers(tx, &[id.as_str()]))?;
        match found.into_iter().next() {
            None => Ok(None),
            // One statement has read all there is of it, and that sees one instant by itself.
            Some((row, versions)) if row.changed_on.is_none() => {
                Ok(Some(row.dossier(Vec::new(), versions)))
            }
            Some(_) => self
                .pool
                .read_at_one_instant(|tx| register::dossier(tx, id)),
        }
    }

    fn enterprises_after(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(Enterprise, u64)>, StoreError> {
        self.pool
            .read(|tx| register::enterprises_after(tx, after.unwrap_or(""), limit))
    }

    fn each_dossier(&self, visit: &mut dyn FnMut(Dossier)) -> Result<(), StoreError> {
        self.each_dossier_in(&IdRange::all(), &mut |dossier| {
            visit(dossier);
            ControlFlow::Continue(())
        })
    }

    fn counts(&self) -> Result<Counts, StoreError> {
        self.pool.read_at_one_instant(register::counts)
    }

    fn last_change(&self) -> Result<u64, StoreError> {
        self.pool.read(change_log::last_change)
    }

    fn changes_after(&self, seq: u64, limit: usize) -> Result<Vec<Changed>, StoreError> {
        self.pool
            .read(|tx| change_log::changes_after(tx, seq, limit))
    }

    fn put_frame(
        &self,
        frame_id: &str,
        body: &[u8],
        document: &dyn Fn(u64) -> String,
    ) -> Result<u64, StoreError> {
        self.pool
            .write(|tx| Ok(End::Keep(plans::put_frame(tx, frame_id, body, document)?)))
    }

    fn frame(&self, frame_id: &str) -> Result<Option<String>, StoreError> {
        if unstorable(frame_id) {
            return Ok(None);
        }
        self.pool.read(|tx| plans::frame(tx, frame_id))
    }

    fn frame_body(&self, frame_id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        if unstorable(frame_id) {
            return Ok(None);
        }
        self.pool.read(|tx| plans::frame_body(tx, frame_id))
    }

    fn frames_before(&self, before: Option<u64>, limit: usize) -> Result<Vec<String>, StoreError> {
        self.pool.read(|tx| plans::frames_before(tx, before, limit))
    }

    fn insert_plan(&self, plan_id: &str, state: &str, document: &str) -> Result<(), StoreError> {
        self.pool
            .write(|tx| Ok(End::Keep(plans::insert_plan(tx, plan_id, state, document)?)))
    }

    fn advance_plan(
        &self,
        plan_id: &str,
        from: &str,
        change: &PlanChange<'_>,
    ) -> Result<bool, StoreError> {
        if unstorable(plan_id) {
            return Ok(false);
        }
        self.pool
            .write(|tx| Ok(End::Keep(plans::advance_plan(tx, plan_id, from, change)?)))
    }

    fn freeze_plan(
        &self,
        plan_id: &str,
        build: &mut dyn FnMut(u64) -> Result<(String, Vec<u8>), StoreError>,
    ) -> Result<bool, StoreError> {
        if unstorable(plan_id) {
            return Ok(false);
        }
        self.pool
            .write(|tx| Ok(End::Keep(plans::freeze_plan(tx, plan_id, build)?)))
    }

    fn plan(&self, plan_id: &str) -> Result<Option<String>, StoreError> {
        if unstorable(plan_id) {
            return Ok(None);
        }
        self.pool.read(|tx| plans::plan(tx, plan_id))
    }

    fn plan_file(&self, plan_id: &str, file: PlanFile) -> Result<Option<Vec<u8>>, StoreError> {
        if unstorable(plan_id) {
            return Ok(None);
        }
        self.pool.read(|tx| plans::plan_file(tx, plan_id, file))
    }

    fn plans_before(&self, before: Option<&str>, limit: usize) -> Result<Vec<String>, StoreError> {
        if before.is_some_and(unstorable) {
            return Ok(Vec::new());
        }
        self.pool.read(|tx| plans::plans_before(tx, before, limit))
    }

    fn close_plan(
        &self,
        plan_id: &str,
        build: &mut dyn FnMut(Option<String>) -> Result<String, StoreError>,
    ) -> Result<bool, StoreError> {
        if unstorable(plan_id) {
            return Ok(false);
        }
        self.pool
            .write(|tx| Ok(End::Keep(plans::close_plan(tx, plan_id, build)?)))
    }

    fn ping(&self) -> Result<(), StoreError> {
        self.pool.read(register::ping)
    }
}

/// PostgreSQL keeps no text with the character NUL, so nothing can be found under such a key.
fn unstorable(key: &str) -> bool {
    key.contains('\0')
}
