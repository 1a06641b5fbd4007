//! An import killed at any instant: what was acknowledged is there, the rest comes with the next import, nothing twice.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use risktier::domain::Record;
use risktier::domain::rng::SeededRng;
use risktier::store::{Counts, Outcome, PostgresStore, SqliteStore, Store};

use crate::register::{TODAY, enterprise, id, serious_penalty};
use crate::{Place, PostgresPlace, SqlitePlace};

const ENTERPRISES: usize = 200;
const ROWS: usize = 20_000;
const BATCH: usize = 250;
/// Tells the child where to import to.
const PLACE: &str = "RISKTIER_TEST_IMPORT_INTO";

fn rows() -> Vec<Record> {
    (0..ROWS)
        .map(|row| {
            serious_penalty(
                row % ENTERPRISES + 1,
                &format!("p{row:05}"),
                (row % 900) as i32,
            )
        })
        .collect()
}

fn child(address: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "crash::the_child_imports_when_it_is_told_where_to",
            "--nocapture",
        ])
        .env(PLACE, address)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The child of the test below; without a place it does nothing.
#[test]
fn the_child_imports_when_it_is_told_where_to() {
    let Ok(address) = std::env::var(PLACE) else {
        return;
    };
    let store: Box<dyn Store> = if address.starts_with("postgresql:") {
        Box::new(PostgresStore::open(&address).unwrap())
    } else {
        Box::new(SqliteStore::open(Path::new(&address)).unwrap())
    };
    let import = store.begin_import().unwrap();
    for (number, batch) in rows().chunks(BATCH).enumerate() {
        store.put_records(batch, import).unwrap();
        println!("acknowledged {}", (number + 1) * BATCH);
    }
}

#[test]
fn an_import_killed_at_any_instant_keeps_what_it_acknowledged_and_completes_once() {
    kill_imports(15, || {
        let place = SqlitePlace::empty();
        let address = place.path().to_str().unwrap().to_owned();
        (place, address)
    });
}

#[test]
fn on_postgresql_too() {
    kill_imports(10, || {
        let place = PostgresPlace::empty();
        let address = place.0.clone();
        (place, address)
    });
}

fn kill_imports<P: Place>(rounds: usize, empty: impl Fn() -> (P, String)) {
    let rows = rows();
    let mut rng = SeededRng::new(7, "kill");
    let (mut cut_short, mut seen) = (0, BTreeMap::new());
    for _ in 0..rounds {
        let (place, address) = empty();
        let store = place.open();
        let enterprises: Vec<_> = (1..=ENTERPRISES).map(enterprise).collect();
        store.put_enterprises(&enterprises, 0, TODAY).unwrap();
        drop(store);

        // Reads some acknowledgements, spins for a chance moment within a batch, and kills.
        let mut child = child(&address);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let wanted = rng.below((ROWS / BATCH) as u64 - 5) as usize;
        let mut acknowledged = lines
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("acknowledged ")?.parse::<usize>().ok());
        let mut last = acknowledged.by_ref().take(wanted).last().unwrap_or(0);
        for turn in 0..rng.below(2_000_000) {
            std::hint::black_box(turn);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        last = acknowledged.last().unwrap_or(last);
        place.quiet();

        let store = place.open();
        let kept = store.counts().unwrap().record_versions as usize;
        assert!(
            kept >= last && kept.is_multiple_of(BATCH),
            "{last} acknowledged, {kept} kept"
        );
        // Every batch is about every enterprise; the change of each is logged once.
        assert_eq!(
            store.last_change().unwrap() as usize,
            ENTERPRISES * (1 + kept / BATCH)
        );
        cut_short += usize::from(kept < ROWS);
        *seen.entry(kept).or_insert(0) += 1;

        let import = store.begin_import().unwrap();
        let outcomes: Vec<Outcome> = rows
            .chunks(BATCH)
            .flat_map(|batch| store.put_records(batch, import).unwrap())
            .collect();
        let (old, new) = outcomes.split_at(kept);
        assert!(old.iter().all(|outcome| *outcome == Outcome::Unchanged));
        assert!(
            new.iter()
                .all(|outcome| matches!(outcome, Outcome::Created(_)))
        );
        assert_eq!(
            store.counts().unwrap(),
            Counts {
                enterprises: ENTERPRISES as u64,
                record_versions: ROWS as u64
            }
        );
        for number in [1, ENTERPRISES / 2, ENTERPRISES] {
            let dossier = store.dossier(&id(number)).unwrap().unwrap();
            assert_eq!(
                (dossier.versions.len(), dossier.revision as usize),
                (ROWS / ENTERPRISES, 1 + ROWS / BATCH)
            );
        }
    }
    assert!(
        cut_short * 3 >= rounds * 2 && seen.len() * 3 >= rounds,
        "{seen:?}"
    );
}
