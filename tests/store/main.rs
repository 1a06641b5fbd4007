//! The laws of the store, held against every implementation through its trait.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "test code"
)]

#[path = "../support/postgres_server.rs"]
#[allow(dead_code, reason = "shared with other test binaries")]
mod postgres_server;
#[path = "../support/register.rs"]
#[allow(dead_code, reason = "shared with other test binaries")]
mod register;

mod crash;
mod import_laws;
mod import_run_laws;
mod life_laws;
mod log_laws;
mod plan_laws;
mod postgres;
mod register_laws;
mod scan_laws;
mod serving_laws;
mod set_aside_laws;
mod sqlite;
mod tier_laws;
mod version_laws;

use std::sync::Arc;

use risktier::domain::{Enterprise, EnterpriseId, Record};
use risktier::store::{Changed, Dossier, Outcome, PostgresStore, Refusal, SqliteStore, Store};
use tempfile::TempDir;

use postgres_server::PostgresServer;
use register::{TODAY, enterprise};

/// A place for one database; opening it again is what a restart does.
pub trait Place: Sync {
    fn open(&self) -> Arc<dyn Store>;

    /// Waits until nothing works for a caller that has ended.
    fn quiet(&self) {}
}

/// The embedded store in a directory of its own.
pub struct SqlitePlace(pub TempDir);

impl SqlitePlace {
    pub fn empty() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub fn path(&self) -> std::path::PathBuf {
        self.0.path().join("register.db")
    }
}

impl Place for SqlitePlace {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(&self.path()).unwrap())
    }
}

/// A database of its own on the PostgreSQL server of this process.
pub struct PostgresPlace(pub String);

impl PostgresPlace {
    pub fn empty() -> Self {
        Self(PostgresServer::shared().new_database())
    }

    /// The name of the database.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap()
    }
}

impl Place for PostgresPlace {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(PostgresStore::open(&self.0).unwrap())
    }

    fn quiet(&self) {
        // The server may still commit what a killed client had asked for.
        PostgresServer::shared().wait_until_unused(self.name());
    }
}

/// One test per law for the embedded store; one for all of them on PostgreSQL, whose server takes longer to start than
/// a law to run where every test is a process of its own.
macro_rules! hold {
    ($module:ident: $($law:ident),+ $(,)?) => {
        $(#[test]
        fn $law() {
            crate::$module::laws::$law(&crate::SqlitePlace::empty());
        })+

        #[test]
        fn all_of_them_hold_on_postgresql() {
            $(
                println!("{}", stringify!($law));
                crate::$module::laws::$law(&crate::PostgresPlace::empty());
            )+
        }
    };
}
pub(crate) use hold;

pub fn created(outcome: &Outcome) -> &Changed {
    match outcome {
        Outcome::Created(changed) => changed,
        other => panic!("created was expected: {other:?}"),
    }
}

pub fn updated(outcome: &Outcome) -> &Changed {
    match outcome {
        Outcome::Updated(changed) => changed,
        other => panic!("updated was expected: {other:?}"),
    }
}

pub fn refusal(outcome: &Outcome) -> &Refusal {
    match outcome {
        Outcome::Refused(refusal) => refusal,
        other => panic!("a refusal was expected: {other:?}"),
    }
}

pub fn versions(store: &dyn Store, id: &EnterpriseId) -> Vec<Record> {
    store.dossier(id).unwrap().unwrap().versions
}

pub fn revision(store: &dyn Store, id: &EnterpriseId) -> u64 {
    store.enterprise(id).unwrap().unwrap().1
}

pub fn with_enterprises(place: &dyn Place, count: usize) -> Arc<dyn Store> {
    let store = place.open();
    let all: Vec<Enterprise> = (1..=count).map(enterprise).collect();
    store.put_enterprises(&all, 0, TODAY).unwrap();
    store
}

pub fn log(store: &dyn Store) -> Vec<Changed> {
    store.changes_after(0, 100_000).unwrap()
}

pub fn dossiers(store: &dyn Store) -> Vec<Dossier> {
    let mut all = Vec::new();
    store
        .each_dossier(&mut |dossier| all.push(dossier))
        .unwrap();
    all
}
