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

mod calendar_laws;
mod crash;
mod group_laws;
mod import_laws;
mod import_run_laws;
mod ledger_laws;
mod life_laws;
mod log_laws;
mod plan_laws;
mod postgres;
mod register_laws;
mod registry_laws;
mod scan_laws;
mod serving_laws;
mod set_aside_laws;
mod sqlite;
mod tier_laws;
mod version_laws;

use std::sync::Arc;

use risktier::domain::{Enterprise, EnterpriseId, Record};
use risktier::store::{
    Changed, Concerned, Deed, Dossier, Outcome, PostgresStore, Refusal, SqliteStore, Store,
    StoreError,
};
use tempfile::TempDir;

use postgres_server::PostgresServer;
use register::{TODAY, enterprise, serious_penalty};

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

/// Changes the version of a court's record known on [`TODAY`](crate::register::TODAY), as decisions do; nothing for an
/// unknown record.
pub fn amend(
    store: &dyn Store,
    record_id: &str,
    change: &dyn Fn(&mut Record) -> Result<(), String>,
) -> Result<Option<Changed>, StoreError> {
    let (court, today) = (crate::register::label("court"), crate::register::TODAY);
    let Some(owner) = store.record_owner(&court, record_id)? else {
        return Ok(None);
    };
    let concerned = Concerned {
        enterprises: [owner.clone()].into(),
        record: Some((&court, record_id, today)),
        alone: false,
    };
    let mut changed = store.decide(&concerned, &mut |standing| {
        let mut record = standing.record.clone().unwrap();
        change(&mut record).map_err(StoreError::Aborted)?;
        record.known_on = today;
        Ok(Deed {
            record: Some(record),
            touched: [owner.clone()].into(),
            ..Deed::default()
        })
    })?;
    Ok(changed.pop())
}

pub fn log(store: &dyn Store) -> Vec<Changed> {
    store.changes_after(0, 100_000).unwrap()
}

/// All dossiers, as a walk reads them.
pub fn walked(store: &dyn Store) -> Vec<Dossier> {
    let mut all = Vec::new();
    store
        .each_dossier(&mut |dossier| all.push(dossier))
        .unwrap();
    all
}

/// All dossiers of a register that nobody writes to; read one by one, which goes another way, they are the same, and the
/// store knows how many there are.
pub fn dossiers(store: &dyn Store) -> Vec<Dossier> {
    let all = walked(store);
    assert_eq!(store.enterprise_count().unwrap(), all.len() as u64);
    for walked in &all {
        let single = store.dossier(&walked.enterprise.enterprise_id).unwrap();
        assert_eq!(single.as_ref(), Some(walked));
    }
    all
}

/// A walk reads an enterprise in one piece and a single dossier by columns; both say the same, whatever happens to the
/// columns. `count` counts enterprises for which a condition holds.
pub fn dossiers_are_read_from_columns(
    store: &dyn Store,
    run: &dyn Fn(&str),
    count: &dyn Fn(&str) -> i64,
) {
    let all: Vec<Enterprise> = (1..=4).map(enterprise).collect();
    store.put_enterprises(&all, 0, TODAY).unwrap();
    let mut records: Vec<Record> = (1..=4)
        .flat_map(|number| {
            ["p", "q"].map(|nth| serious_penalty(number, &format!("{nth}{number}"), 30))
        })
        .collect();
    // Too long for one piece.
    records[7].note = Some("长".repeat(5_000));
    store.put_records(&records, 0).unwrap();
    let before = dossiers(store);
    assert_eq!(before[3].versions[1].note, records[7].note);
    assert_eq!(count("length(packed) > 0"), 3);
    assert_eq!(count("length(packed) = 0"), 1);

    run("UPDATE enterprises SET packed = NULL WHERE enterprise_id LIKE '%2'");
    assert_eq!(dossiers(store), before);
    // By the next record the piece is there again.
    let more = serious_penalty(2, "r2", 30);
    store.put_records(std::slice::from_ref(&more), 0).unwrap();
    assert_eq!(count("packed IS NULL"), 0);
    assert_eq!(dossiers(store)[1].versions[2], more);

    run("UPDATE record_versions SET amount_fen = 77 WHERE record_id = 'q1'");
    run("UPDATE record_versions SET note = 'by hand' WHERE record_id = 'p3'");
    run("DELETE FROM record_versions WHERE record_id = 'q3'");
    run("UPDATE enterprises SET name = 'by hand' WHERE enterprise_id LIKE '%2'");
    assert_eq!(count("packed IS NULL"), 3);
    let after = dossiers(store);
    assert_eq!(after[0].versions[1].amount_fen, Some(77));
    assert_eq!(after[1].enterprise.name, "by hand");
    assert_eq!(after[2].versions[0].note.as_deref(), Some("by hand"));
    assert_eq!(after[2].versions.len(), 1);
}
