//! Connections and transactions: how many, when they are tried again, when they are given up.

use postgres::error::SqlState;
use postgres::types::ToSql;
use postgres::{Client, Config, NoTls, Row, Statement};
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::copy::{CopiedRow, CopyRows, each_row};
use super::idempotency::apply;
use crate::store::StoreError;

/// How long a caller waits for a connection, and a statement for a lock.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long connecting may take, unless the address says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a transaction is tried when others are in its way.
const ATTEMPTS: u32 = 10;
/// Longest time between two attempts, in milliseconds.
const LONGEST_PAUSE: u64 = 250;

/// Set on every connection. All statements go by key, so the planner is kept from anything else: it would take whole
/// tables as long as it has no statistics of them, and keep to that while they grow.
const SETTINGS: &str = "SET lock_timeout = '30s'; SET client_min_messages = error; \
     SET standard_conforming_strings = on; \
     SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off; SET enable_hashjoin = off; \
     SET enable_mergejoin = off; SET enable_bitmapscan = off";

/// How one replica uses its database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostgresOptions {
    /// Connections that it opens at most; further callers wait.
    pub connections: usize,
    /// How long one statement may take. Migrations are not bound by it.
    pub statement_timeout: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            connections: 16,
            statement_timeout: Duration::from_secs(120),
        }
    }
}

/// The connections of one store.
pub(super) struct Pool {
    config: Config,
    options: PostgresOptions,
    place: String,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Session>,
    leased: usize,
}

/// How a transaction ends that did its work.
pub(super) enum End<T> {
    /// What it wrote is kept.
    Keep(T),
    /// Nothing of what it wrote is kept.
    Undo(T),
}

impl Pool {
    pub(super) fn new(mut config: Config, options: PostgresOptions) -> Self {
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("risktier");
        }
        Self {
            place: place(&config),
            config,
            options,
            state: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    /// Where the database is, without user and password.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Reads by one statement, which sees one instant.
    pub(super) fn read<T>(
        &self,
        mut work: impl FnMut(&mut Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.insist(|session| work(session).map_err(Fault::Before))
    }

    /// Reads by several statements, which all see the same instant.
    pub(super) fn read_at_one_instant<T>(
        &self,
        mut work: impl FnMut(&mut Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        self.insist(|session| transaction(session, begin, &mut |tx| work(tx).map(End::Keep)))
    }

    /// Writes in one transaction. `work` may run several times, and only the last run is kept.
    pub(super) fn write<T>(
        &self,
        mut work: impl FnMut(&mut Session) -> Result<End<T>, StoreError>,
    ) -> Result<T, StoreError> {
        let mut applied = |tx: &mut Session| {
            let end = work(tx)?;
            if let End::Keep(_) = end {
                apply(tx)?;
            }
            Ok(end)
        };
        let begin = "BEGIN ISOLATION LEVEL READ COMMITTED";
        self.insist(|session| transaction(session, begin, &mut applied))
    }

    /// Tries again what failed without a trace because of other writers, or of a connection that had ended.
    fn insist<T>(
        &self,
        mut attempt: impl FnMut(&mut Session) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let (mut attempts, mut reconnected) = (0, false);
        loop {
            let mut lease = self.lease()?;
            match attempt(&mut lease.session) {
                Ok(value) => {
                    lease.give_back();
                    return Ok(value);
                }
                Err(Fault::AtCommit(error)) => return Err(error),
                Err(Fault::Before(error)) => {
                    let contended = is_contended(&error);
                    // Also ends a transaction whose statement failed.
                    if lease.session.batch("ROLLBACK").is_ok() {
                        lease.give_back();
                        if !contended {
                            return Err(error.named());
                        }
                        attempts += 1;
                        if attempts == ATTEMPTS {
                            return Err(StoreError::Contended { attempts });
                        }
                        std::thread::sleep(pause(attempts));
                    } else {
                        // The server was restarted, or the network was: what lies idle has ended too.
                        drop(lease);
                        self.forget_idle();
                        if reconnected || !is_of_connection(&error) {
                            return Err(error);
                        }
                        reconnected = true;
                    }
                }
            }
        }
    }

    fn lease(&self) -> Result<Lease<'_>, StoreError> {
        let state = lock(&self.state);
        let (mut state, waited) = self
            .freed
            .wait_timeout_while(state, PATIENCE, |state| {
                state.leased >= self.options.connections
            })
            .unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() && state.leased >= self.options.connections {
            return Err(StoreError::Busy {
                seconds: PATIENCE.as_secs(),
            });
        }
        state.leased += 1;
        let permit = Permit { pool: self };
        let idle = state.idle.pop();
        drop(state);
        let session = match idle {
            Some(session) => session,
            None => self.connect()?,
        };
        Ok(Lease { session, permit })
    }

    fn connect(&self) -> Result<Session, StoreError> {
        let unreachable = |cause| StoreError::Unreachable {
            place: self.place.clone(),
            cause,
        };
        let mut client = self.config.connect(NoTls).map_err(unreachable)?;
        let timeout = self.options.statement_timeout.as_millis();
        let settings = format!("{SETTINGS}; SET statement_timeout = {timeout}");
        client.batch_execute(&settings).map_err(unreachable)?;
        Ok(Session {
            client,
            statements: HashMap::new(),
            logs_later: false,
        })
    }

    fn forget_idle(&self) {
        let idle = std::mem::take(&mut lock(&self.state).idle);
        drop(idle);
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({})", self.place)
    }
}

impl Drop for Pool {
    /// The last owner may be an asynchronous thread, which must not wait for connections to end.
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let idle = std::mem::take(&mut state.idle);
        let _closing = std::thread::Builder::new().spawn(move || drop(idle));
    }
}

/// The right to one connection; counts down when it is given up, in whatever way.
struct Permit<'a> {
    pool: &'a Pool,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        lock(&self.pool.state).leased -= 1;
        self.pool.freed.notify_one();
    }
}

/// A connection in use. Dropping it ends the connection, and with it a transaction that was not finished.
struct Lease<'a> {
    session: Session,
    permit: Permit<'a>,
}

impl Lease<'_> {
    fn give_back(self) {
        lock(&self.permit.pool.state).idle.push(self.session);
    }
}

/// One connection with its prepared statements.
pub(super) struct Session {
    client: Client,
    statements: HashMap<String, Statement>,
    /// Whether the changes of the present transaction wait in [`WAITING`] for its end.
    logs_later: bool,
}

/// A table of one transaction: changes that are not in the log yet.
pub(super) const WAITING: &str = "pg_temp.waiting_changes";

impl Session {
    /// Lets the changes of the present transaction wait for its end.
    pub(super) fn log_later(&mut self) -> Result<(), StoreError> {
        self.batch(&format!(
            "CREATE TEMPORARY TABLE {WAITING} (enterprise_id text COLLATE \"C\" NOT NULL, revision bigint NOT NULL) \
             ON COMMIT DROP"
        ))?;
        self.logs_later = true;
        Ok(())
    }

    pub(super) fn logs_later(&self) -> bool {
        self.logs_later
    }

    /// From here on changes go to the log at once.
    pub(super) fn log_now(&mut self) {
        self.logs_later = false;
    }

    /// Runs a prepared statement and gives its rows.
    pub(super) fn query(
        &mut self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let statement = self.statement(sql)?;
        Ok(self.client.query(&statement, values)?)
    }

    /// Runs a prepared statement that gives one row.
    pub(super) fn one(
        &mut self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, StoreError> {
        let statement = self.statement(sql)?;
        Ok(self.client.query_one(&statement, values)?)
    }

    /// Runs a prepared statement that gives one row or none.
    pub(super) fn optional(
        &mut self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, StoreError> {
        let statement = self.statement(sql)?;
        Ok(self.client.query_opt(&statement, values)?)
    }

    /// Runs a prepared statement and tells how many rows it wrote.
    pub(super) fn execute(
        &mut self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, StoreError> {
        let statement = self.statement(sql)?;
        Ok(self.client.execute(&statement, values)?)
    }

    /// Runs a prepared statement that inserts rows; see [`Self::copy_in`].
    pub(super) fn insert(
        &mut self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<(), StoreError> {
        let statement = self.statement(sql)?;
        contended(self.client.execute(&statement, values))?;
        Ok(())
    }

    /// Copies rows into a table. If one of them is there already, another writer has put it there since this transaction
    /// looked, and the whole of it can be tried again.
    pub(super) fn copy_in(&mut self, into: &str, rows: CopyRows) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let sql = format!("COPY {into} FROM STDIN (FORMAT binary)");
        let mut writer = self.client.copy_in(&sql)?;
        // What the server refuses is told at the end; a broken connection is told there too.
        let _written = writer.write_all(&rows.finish());
        contended(writer.finish())?;
        Ok(())
    }

    /// Copies the rows of a query out, one after the other, and hands each to `take`. The statement takes no values: what
    /// it compares with stands in it as [`literal`]s.
    pub(super) fn copy_out(
        &mut self,
        query: &str,
        take: impl FnMut(&CopiedRow) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let sql = format!("COPY ({query}) TO STDOUT (FORMAT binary)");
        each_row(self.client.copy_out(&sql)?, take)
    }

    /// Runs statements without values or rows.
    pub(super) fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        Ok(self.client.batch_execute(sql)?)
    }

    fn statement(&mut self, sql: &str) -> Result<Statement, StoreError> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql)?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

/// A row that is there already was put there by another writer.
fn contended(written: Result<u64, postgres::Error>) -> Result<u64, StoreError> {
    written.map_err(|error| match error.code() {
        Some(&SqlState::UNIQUE_VIOLATION) => StoreError::Contended { attempts: 1 },
        _ => error.into(),
    })
}

/// Where an attempt failed.
enum Fault {
    /// Nothing was committed.
    Before(StoreError),
    /// It is for the caller to know; there is nothing to try again.
    AtCommit(StoreError),
}

fn transaction<T>(
    session: &mut Session,
    begin: &str,
    work: &mut impl FnMut(&mut Session) -> Result<End<T>, StoreError>,
) -> Result<T, Fault> {
    session.log_now();
    session.batch(begin).map_err(Fault::Before)?;
    match work(session).map_err(Fault::Before)? {
        End::Undo(value) => {
            session.batch("ROLLBACK").map_err(Fault::Before)?;
            Ok(value)
        }
        End::Keep(value) => match session.client.batch_execute("COMMIT") {
            Ok(()) => Ok(value),
            // Only these answers say that nothing was committed.
            Err(error) if error.code().is_some_and(is_refused_commit) => {
                Err(Fault::Before(error.into()))
            }
            Err(error) => Err(Fault::AtCommit(StoreError::CommitUnknown(error))),
        },
    }
}

fn is_refused_commit(code: &SqlState) -> bool {
    is_conflict(code) || code.code().starts_with("23")
}

fn is_conflict(code: &SqlState) -> bool {
    *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED
}

/// How long to wait after so many attempts: longer every time, and by chance, so that writers who met do not meet again.
fn pause(attempts: u32) -> Duration {
    let longest = (1_u64 << attempts.min(16)).min(LONGEST_PAUSE);
    let chance = RandomState::new().hash_one(attempts);
    Duration::from_millis(1 + chance % longest)
}

/// Whether other writers were in the way, so that another attempt may succeed.
fn is_contended(error: &StoreError) -> bool {
    matches!(error, StoreError::Contended { .. })
        || matches!(error, StoreError::Postgres(error) if error.code().is_some_and(is_conflict))
}

/// Whether the error came from the connection and not from the caller's work.
fn is_of_connection(error: &StoreError) -> bool {
    matches!(error, StoreError::Postgres(_))
}

fn place(config: &Config) -> String {
    use postgres::config::Host;
    let ports = config.get_ports();
    let hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .enumerate()
        .map(|(at, host)| {
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            match host {
                Host::Tcp(name) => format!("{name}:{port}"),
                Host::Unix(path) => format!("{}:{port}", path.display()),
            }
        })
        .collect();
    format!(
        "postgresql://{}/{}",
        hosts.join(","),
        config.get_dbname().or(config.get_user()).unwrap_or("")
    )
}

/// A poisoned lock only says that another caller panicked; what it guards is whole between any two statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
