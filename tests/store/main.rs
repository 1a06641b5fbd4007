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

#[path = "../support/register.rs"]
#[allow(dead_code, reason = "shared with other test binaries")]
mod register;

mod crash;
mod plan_laws;
mod register_laws;
mod sqlite;
mod tier_laws;

use std::sync::Arc;

use risktier::domain::{EnterpriseId, Record};
use risktier::store::{Changed, Outcome, Refusal, SqliteStore, Store};
use tempfile::TempDir;

/// A place for one database; opening it again is what a restart does.
pub trait Place: Sync {
    fn open(&self) -> Arc<dyn Store>;
}

/// The embedded store in a directory of its own.
pub struct SqlitePlace(pub TempDir);

impl SqlitePlace {
    pub fn new() -> Self {
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

/// One test per law and implementation.
macro_rules! hold {
    ($module:ident: $($law:ident),+ $(,)?) => {
        $(#[test]
        fn $law() {
            crate::$module::laws::$law(&crate::SqlitePlace::new());
        })+
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
