//! What only the embedded store can go through: its file from another release, damaged, or away.

use risktier::store::{SqliteStore, Store, StoreError};
use rusqlite::Connection;

use crate::register::{TODAY, enterprise, id, serious_penalty};
use crate::{Place, SqlitePlace, dossiers_are_read_from_columns};

#[test]
fn a_newer_schema_is_refused_by_name_and_left_alone() {
    let place = SqlitePlace::empty();
    drop(place.open());
    let file = Connection::open(place.path()).unwrap();
    file.pragma_update(None, "user_version", 999).unwrap();

    let error = SqliteStore::open(&place.path()).unwrap_err();

    assert!(matches!(&error, StoreError::TooNew { found: 999, .. }));
    let text = error.to_string();
    assert!(
        text.contains("register.db") && text.contains("newer release"),
        "{text}"
    );
    let found: i64 = file
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    assert_eq!(found, 999);
}

#[test]
fn a_file_that_is_no_database_is_an_error_and_left_alone() {
    let place = SqlitePlace::empty();
    for garbage in [
        &b"not a database, but long enough to be looked at as one".repeat(100)[..],
        b"SQLite format 3\0\xff\xff\xff\xff",
        b"xy",
        b"x",
    ] {
        std::fs::write(place.path(), garbage).unwrap();
        assert!(matches!(
            SqliteStore::open(&place.path()),
            Err(StoreError::Open { path, .. } | StoreError::Foreign { path }) if path.ends_with("register.db")
        ));
        assert_eq!(std::fs::read(place.path()).unwrap(), garbage);
    }
}

#[test]
fn a_database_of_something_else_is_refused_and_left_alone() {
    let place = SqlitePlace::empty();
    let file = Connection::open(place.path()).unwrap();
    file.execute_batch("CREATE TABLE theirs (a)").unwrap();

    let error = SqliteStore::open(&place.path()).unwrap_err();

    assert!(matches!(&error, StoreError::Foreign { path } if path.ends_with("register.db")));
    let names: Vec<String> = file
        .prepare("SELECT name FROM sqlite_schema")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(names, ["theirs"]);
}

#[test]
fn a_place_where_no_file_can_be_is_an_error() {
    let place = SqlitePlace::empty();
    assert!(SqliteStore::open(place.0.path()).is_err());
    assert!(SqliteStore::open(&place.0.path().join("no/such/folder/register.db")).is_err());
}

#[test]
fn damaged_pages_are_errors_and_never_a_panic() {
    let place = SqlitePlace::empty();
    let store = SqliteStore::open(&place.path()).unwrap();
    let enterprises: Vec<_> = (1..=500).map(enterprise).collect();
    store.put_enterprises(&enterprises, 0, TODAY).unwrap();
    let records: Vec<_> = (1..=500)
        .map(|number| serious_penalty(number, &format!("p{number}"), 30))
        .collect();
    store.put_records(&records, 0).unwrap();
    drop(store);
    let whole = std::fs::read(place.path()).unwrap();
    assert!(
        whole.len() > 20 * 4096,
        "the log was not written back at the close"
    );

    let mut failed = 0;
    for page in 1..whole.len() / 4096 {
        let mut damaged = whole.clone();
        damaged[page * 4096..(page + 1) * 4096].fill(0xa5);
        std::fs::write(place.path(), &damaged).unwrap();
        let Ok(store) = SqliteStore::open(&place.path()) else {
            failed += 1;
            continue;
        };
        let mut seen = 0;
        let walked = store.each_dossier(&mut |_| seen += 1).is_err();
        let found = (1..=500).any(|number| store.dossier(&id(number)).is_err());
        failed += usize::from(walked || found);
    }
    assert!(failed > 10, "{failed}");
}

#[test]
fn a_value_without_meaning_is_named_by_its_column() {
    let place = SqlitePlace::empty();
    let store = place.open();
    let changes = [
        ("enterprises", "kind", "99"),
        ("enterprises", "tags", "'['"),
        ("enterprises", "division", "''"),
        ("record_versions", "kind", "0"),
        ("record_versions", "severity", "9"),
        ("record_versions", "codes", "'{\"a\":1}'"),
    ];
    for (table, column, value) in changes {
        store.put_enterprises(&[enterprise(1)], 0, TODAY).unwrap();
        store
            .put_records(&[serious_penalty(1, "p1", 30)], 0)
            .unwrap();
        let file = Connection::open(place.path()).unwrap();
        let before: rusqlite::types::Value = file
            .query_row(&format!("SELECT {column} FROM {table}"), [], |row| {
                row.get(0)
            })
            .unwrap();
        file.execute(&format!("UPDATE {table} SET {column} = {value}"), [])
            .unwrap();

        let error = store.dossier(&id(1)).unwrap_err().to_string();

        assert!(error.contains(&format!("`{column}`")), "{error}");
        assert_eq!(
            store.each_dossier(&mut |_| {}).unwrap_err().to_string(),
            error
        );
        file.execute(&format!("UPDATE {table} SET {column} = ?1"), [before])
            .unwrap();
        assert!(store.dossier(&id(1)).unwrap().is_some());
    }
}

#[test]
fn a_full_store_says_so_keeps_what_it_acknowledged_and_goes_on_once_there_is_room() {
    let place = SqlitePlace::empty();
    let store = SqliteStore::open_limited(&place.path(), Some(400_000)).unwrap();
    let mut acknowledged = 0;
    let failure = loop {
        let batch: Vec<_> = (1..=50).map(|of| enterprise(acknowledged + of)).collect();
        match store.put_enterprises(&batch, 0, TODAY) {
            Ok(_) => acknowledged += batch.len(),
            Err(error) => break error,
        }
    };
    assert!(matches!(failure, StoreError::Full { .. }) && failure.is_passing());
    assert!(failure.to_string().contains("make room"), "{failure}");
    let kept = store.counts().unwrap().enterprises;
    assert!(acknowledged > 0 && kept == acknowledged as u64);
    assert_eq!(store.last_change().unwrap(), kept);
    drop(store);

    let store = SqliteStore::open_limited(&place.path(), Some(4_000_000)).unwrap();
    assert_eq!(store.counts().unwrap().enterprises, kept);
    store
        .put_enterprises(&[enterprise(90_000)], 0, TODAY)
        .unwrap();
    assert_eq!(store.counts().unwrap().enterprises, kept + 1);
}

#[test]
fn a_failed_read_does_not_spoil_the_next() {
    let place = SqlitePlace::empty();
    let store = place.open();
    store.put_enterprises(&[enterprise(1)], 0, TODAY).unwrap();
    let file = Connection::open(place.path()).unwrap();
    file.execute("ALTER TABLE live RENAME TO away", []).unwrap();
    assert!(store.tier(&id(1)).is_err());
    file.execute("ALTER TABLE away RENAME TO live", []).unwrap();
    assert!(store.tier(&id(1)).unwrap().is_some());
}

#[test]
fn what_is_open_is_durable_by_its_settings() {
    let place = SqlitePlace::empty();
    drop(place.open());
    let file = Connection::open(place.path()).unwrap();
    let mode: String = file
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn what_is_changed_by_hand_or_by_a_previous_release_is_read_from_its_columns() {
    let place = SqlitePlace::empty();
    let file = || Connection::open(place.path()).unwrap();
    let run = |sql: &str| file().execute_batch(sql).unwrap();
    let count = |condition: &str| {
        let sql = format!("SELECT count(*) FROM enterprises WHERE {condition}");
        file().query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    dossiers_are_read_from_columns(place.open().as_ref(), &run, &count);
}
