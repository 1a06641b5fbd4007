//! The embedded store: SQLite in write-ahead mode, one writer, as many readers as ask.
//!
//! Here are connections and transactions; what happens inside one is in the files beside.

mod calendars;
mod ceremony;
mod change_log;
mod due;
mod feed;
mod idempotency;
mod imports;
mod ledger;
mod life;
mod models;
mod overview;
mod plans;
mod policies;
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
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::stood::{Imports, Pass};
use super::{
    Changed, Conditional, Counts, Dossier, IdRange, Outcome, PlanChange, PlanFile, Scan as _,
    Store, StoreError,
};
use crate::domain::{Enterprise, EnterpriseId, Record};

/// Forward-only migrations; the position plus one is the schema version they lead to.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_register.sql"),
    include_str!("../migrations/0003_imports.sql"),
    include_str!("../migrations/0002_versions.sql"),
    include_str!("../migrations/0005_life.sql"),
    include_str!("../migrations/0004_runs.sql"),
    include_str!("../migrations/0006_models.sql"),
    include_str!("../migrations/0007_items_ledger.sql"),
    include_str!("../migrations/0008_ceremony.sql"),
    include_str!("../migrations/0009_schedule.sql"),
    include_str!("../migrations/0010_serving.sql"),
    include_str!("../migrations/0011_scale.sql"),
    include_str!("../migrations/0012_registry.sql"),
    include_str!("../migrations/0013_shared_visits.sql"),
    include_str!("../migrations/0014_refusals.sql"),
    include_str!("../migrations/0015_policy_chain.sql"),
    include_str!("../migrations/0016_due.sql"),
    include_str!("../migrations/0017_pieces.sql"),
];

/// The embedded store.
///
/// Synchronous mode is FULL: what a call acknowledged survives a power cut.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    imports: Imports,
}

impl SqliteStore {
    /// Opens the database at `path`, creates it if absent, and brings its schema up to date.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened, is no database, or was written by a newer release.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_limited(path, None)
    }

    /// As [`SqliteStore::open`], with a limit to the size of the database: what would not fit is refused.
    ///
    /// # Errors
    ///
    /// As [`SqliteStore::open`].
    pub fn open_limited(path: &Path, most_bytes: Option<u64>) -> Result<Self, StoreError> {
        refuse_other_files(path)?;
        let named = |error| match error {
            StoreError::Sqlite(cause) => StoreError::Open {
                path: path.display().to_string(),
                cause,
            },
            other => other,
        };
        let mut connection = connect(path).map_err(named)?;
        migrate(&mut connection, path).map_err(named)?;
        limit(&connection, most_bytes).map_err(named)?;
        Ok(Self {
            path: path.to_owned(),
            writer: Mutex::new(connection),
            readers: Mutex::new(Vec::new()),
            imports: Imports::default(),
        })
    }

    fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = lock(&self.writer);
        let write = || {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            idempotency::apply(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        write().map_err(StoreError::named)
    }

    /// Reads in one transaction: everything that `work` sees is of one instant.
    fn read<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let pooled = lock(&self.readers).pop();
        let mut connection = match pooled {
            Some(connection) => connection,
            None => connect(&self.path)?,
        };
        let transaction = connection.transaction()?;
        let value = work(&transaction);
        drop(transaction);
        lock(&self.readers).push(connection);
        value
    }
}

/// A poisoned lock only says that another caller panicked; SQLite has rolled its transaction back.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// SQLite takes a file of a few bytes for an empty database and would overwrite it.
fn refuse_other_files(path: &Path) -> Result<(), StoreError> {
    const HEADER: &[u8; 16] = b"SQLite format 3\0";
    let mut head = [0_u8; 16];
    let Ok(mut file) = File::open(path) else {
        return Ok(());
    };
    let is_empty = file.metadata().is_ok_and(|metadata| metadata.len() == 0);
    if is_empty || (file.read_exact(&mut head).is_ok() && head == *HEADER) {
        Ok(())
    } else {
        Err(StoreError::Foreign {
            path: path.display().to_string(),
        })
    }
}

/// Memory for the pages of a connection, in KiB.
const CACHE_KIB: i64 = 65_536;

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.busy_timeout(std::time::Duration::from_secs(30))?;
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -{CACHE_KIB}; PRAGMA foreign_keys = ON;",
    ))?;
    Ok(connection)
}

/// Holds the database below a size; it never shrinks one that is larger.
fn limit(connection: &Connection, most_bytes: Option<u64>) -> Result<(), StoreError> {
    let Some(most_bytes) = most_bytes else {
        return Ok(());
    };
    let page_bytes: u64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let pages = (most_bytes / page_bytes.max(1)).clamp(1, 4_294_967_294);
    connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    Ok(())
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > known {
        return Err(StoreError::TooNew {
            path: path.display().to_string(),
            found,
            known,
        });
    }
    let has_tables = "SELECT EXISTS (SELECT 1 FROM sqlite_schema)";
    if found < 1 && transaction.query_row(has_tables, [], |row| row.get(0))? {
        return Err(StoreError::Foreign {
            path: path.display().to_string(),
        });
    }
    for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(migration)?;
    }
    // What an earlier release wrote has no place in the chain yet.
    policies::chain(&transaction)?;
    transaction.execute_batch(&format!("PRAGMA user_version = {known}"))?;
    transaction.commit()?;
    Ok(())
}

impl Store for SqliteStore {
    fn store_id(&self) -> Result<String, StoreError> {
        self.read(register::store_id)
    }

    fn begin_import(&self) -> Result<i64, StoreError> {
        self.write(register::begin_import)
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
        let mut pass = self.imports.pass(import_no);
        let outcomes = self.write(|tx| write::put_enterprises(tx, batch, &mut pass, day))?;
        pass.keep();
        Ok(outcomes)
    }

    fn put_enterprise_if(
        &self,
        enterprise: &Enterprise,
        day: Date,
        condition: &dyn Fn(Option<u64>) -> bool,
    ) -> Result<Conditional, StoreError> {
        let mut connection = lock(&self.writer);
        let mut write = || {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let id = &enterprise.enterprise_id;
            let revision = register::enterprise(&transaction, id)?.map(|(_, revision)| revision);
            if !condition(revision) {
                return Ok(Conditional::NotMet(revision));
            }
            let batch = std::slice::from_ref(enterprise);
            let mut outcomes =
                write::put_enterprises(&transaction, batch, &mut Pass::default(), day)?;
            idempotency::apply(&transaction)?;
            transaction.commit()?;
            Ok(Conditional::Written(
                outcomes.pop().unwrap_or(Outcome::Unchanged),
            ))
        };
        write().map_err(StoreError::named)
    }

    fn put_records(&self, batch: &[Record], import_no: i64) -> Result<Vec<Outcome>, StoreError> {
        let mut pass = self.imports.pass(import_no);
        let outcomes = self.write(|tx| write::put_records(tx, batch, &mut pass, false))?;
        pass.keep();
        Ok(outcomes)
    }

    fn put_records_or_none(&self, batch: &[Record]) -> Result<Vec<Outcome>, StoreError> {
        let mut connection = lock(&self.writer);
        let mut write = || {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let outcomes = write::put_records(&transaction, batch, &mut Pass::default(), true)?;
            if matches!(outcomes.last(), Some(Outcome::Refused(_))) {
                transaction.rollback()?;
            } else {
                idempotency::apply(&transaction)?;
                transaction.commit()?;
            }
            Ok(outcomes)
        };
        write().map_err(StoreError::named)
    }

    fn enterprise(&self, id: &EnterpriseId) -> Result<Option<(Enterprise, u64)>, StoreError> {
        self.read(|tx| register::enterprise(tx, id))
    }

    fn dossier(&self, id: &EnterpriseId) -> Result<Option<Dossier>, StoreError> {
        self.read(|tx| register::dossier(tx, id))
    }

    fn enterprises_after(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(Enterprise, u64)>, StoreError> {
        self.read(|tx| register::enterprises_after(tx, after, limit))
    }

    fn each_dossier(&self, visit: &mut dyn FnMut(Dossier)) -> Result<(), StoreError> {
        self.each_dossier_in(&IdRange::all(), &mut |dossier| {
            visit(dossier);
            ControlFlow::Continue(())
        })
    }

    fn counts(&self) -> Result<Counts, StoreError> {
        self.read(register::counts)
    }

    fn last_change(&self) -> Result<u64, StoreError> {
        self.read(change_log::last_change)
    }

    fn changes_after(&self, seq: u64, limit: usize) -> Result<Vec<Changed>, StoreError> {
        self.read(|tx| change_log::changes_after(tx, seq, limit))
    }

    fn put_frame(
        &self,
        frame_id: &str,
        body: &[u8],
        document: &dyn Fn(u64) -> String,
    ) -> Result<u64, StoreError> {
        self.write(|tx| plans::put_frame(tx, frame_id, body, document))
    }

    fn frame(&self, frame_id: &str) -> Result<Option<String>, StoreError> {
        self.read(|tx| plans::frame(tx, frame_id))
    }

    fn frame_body(&self, frame_id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|tx| plans::frame_body(tx, frame_id))
    }

    fn frames_before(&self, before: Option<u64>, limit: usize) -> Result<Vec<String>, StoreError> {
        self.read(|tx| plans::frames_before(tx, before, limit))
    }

    fn insert_plan(&self, plan_id: &str, state: &str, document: &str) -> Result<(), StoreError> {
        self.write(|tx| plans::insert_plan(tx, plan_id, state, document))
    }

    fn advance_plan(
        &self,
        plan_id: &str,
        from: &str,
        change: &PlanChange<'_>,
    ) -> Result<bool, StoreError> {
        self.write(|tx| plans::advance_plan(tx, plan_id, from, change))
    }

    fn freeze_plan(
        &self,
        plan_id: &str,
        build: &mut dyn FnMut(u64) -> Result<(String, Vec<u8>), StoreError>,
    ) -> Result<bool, StoreError> {
        self.write(|tx| plans::freeze_plan(tx, plan_id, build))
    }

    fn plan(&self, plan_id: &str) -> Result<Option<String>, StoreError> {
        self.read(|tx| plans::plan(tx, plan_id))
    }

    fn plan_file(&self, plan_id: &str, file: PlanFile) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|tx| plans::plan_file(tx, plan_id, file))
    }

    fn plans_before(&self, before: Option<&str>, limit: usize) -> Result<Vec<String>, StoreError> {
        self.read(|tx| plans::plans_before(tx, before, limit))
    }

    fn close_plan(
        &self,
        plan_id: &str,
        build: &mut dyn FnMut(Option<String>) -> Result<String, StoreError>,
    ) -> Result<bool, StoreError> {
        self.write(|tx| plans::close_plan(tx, plan_id, build))
    }

    fn ping(&self) -> Result<(), StoreError> {
        self.read(|tx| {
            tx.query_row("SELECT EXISTS (SELECT 1 FROM enterprises)", [], |_| Ok(()))?;
            Ok(())
        })
    }
}
