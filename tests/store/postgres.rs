//! What only PostgreSQL can go through: a schema of another release, many writers on many connections, a restart.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use risktier::domain::{Enterprise, Record};
use risktier::store::{Changed, Outcome, PostgresStore, Refusal, StoreError, StoredTier};

use crate::postgres_server::PostgresServer;
use crate::register::{TODAY, enterprise, id, serious_penalty};
use crate::tier_laws::laws;
use crate::{Place, PostgresPlace, created, dossiers_are_read_from_columns, revision};

#[test]
fn a_newer_schema_is_refused_by_name_and_left_alone() {
    let place = PostgresPlace::empty();
    drop(place.open());
    PostgresServer::shared().run(place.name(), "UPDATE schema_version SET version = 999");

    let error = PostgresStore::open(&place.0).unwrap_err();

    assert!(matches!(&error, StoreError::TooNew { found: 999, .. }));
    let text = error.to_string();
    assert!(
        text.contains(place.name()) && text.contains("newer release"),
        "{text}"
    );
    assert!(!text.contains("risktier@"), "{text}");
}

#[test]
fn a_database_that_is_not_in_utf8_is_refused() {
    let server = PostgresServer::shared();
    server.run(
        "postgres",
        "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'",
    );
    let error = PostgresStore::open(&server.url("latin")).unwrap_err();
    assert!(error.to_string().contains("UTF8"), "{error}");
}

#[test]
fn replicas_that_start_at_once_make_one_schema() {
    let place = PostgresPlace::empty();
    let start = Barrier::new(8);
    let ids: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    place.open().store_id().unwrap()
                })
            })
            .collect();
        threads.into_iter().map(|of| of.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|store_id| *store_id == ids[0]), "{ids:?}");
}

#[test]
fn changes_become_visible_in_order_while_many_write() {
    let place = PostgresPlace::empty();
    let store = place.open();
    let all: Vec<Enterprise> = (1..=20).map(enterprise).collect();
    store.put_enterprises(&all, 0, TODAY).unwrap();
    let done = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let store = place.open();
                scope.spawn(move || {
                    for round in 0..60 {
                        // Batches overlap and come in different orders.
                        let of = |step: usize| (writer * 7 + round * 3 + step * 11) % 20 + 1;
                        let batch: Vec<Record> = (0..4)
                            .map(|step| {
                                let record_id = format!("{writer}-{round}-{step}");
                                serious_penalty(of(step), &record_id, 30)
                            })
                            .collect();
                        store.put_records(&batch, 0).unwrap();
                    }
                })
            })
            .collect();
        let follower = scope.spawn(|| {
            let (store, mut seen) = (place.open(), Vec::new());
            loop {
                let ended = done.load(Ordering::SeqCst);
                let after = seen.last().map_or(0, |changed: &Changed| changed.seq);
                seen.extend(store.changes_after(after, 1_000).unwrap());
                if ended {
                    return seen;
                }
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::SeqCst);
        follower.join().unwrap()
    });

    // Whoever follows the log misses nothing, and every revision is told once and in order.
    let numbers: Vec<u64> = seen.iter().map(|changed| changed.seq).collect();
    assert_eq!(numbers, (1..=20 + 8 * 60 * 4).collect::<Vec<u64>>());
    let mut revisions = BTreeMap::new();
    for changed in seen {
        let last = revisions.entry(changed.enterprise_id).or_insert(0);
        assert_eq!(changed.revision, *last + 1);
        *last += 1;
    }
    for (id, last) in revisions {
        assert_eq!(revision(&*store, &id), last);
    }
}

#[test]
fn of_many_who_bring_one_record_one_creates_it() {
    let place = PostgresPlace::empty();
    let store = place.open();
    for round in 0..20 {
        let start = Barrier::new(8);
        let outcomes: Vec<Vec<Outcome>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|writer| {
                    let (store, start) = (place.open(), &start);
                    scope.spawn(move || {
                        let of = round * 2 + writer % 2 + 1;
                        start.wait();
                        // Every second brings the enterprises, and the record, in another order.
                        let mut pair = [enterprise(round * 2 + 1), enterprise(round * 2 + 2)];
                        if writer > 3 {
                            pair.reverse();
                        }
                        let mut told = store.put_enterprises(&pair, 0, TODAY).unwrap();
                        let record = serious_penalty(of, &format!("p{round}"), 30);
                        told.extend(store.put_records(&[record], 0).unwrap());
                        told
                    })
                })
                .collect();
            threads.into_iter().map(|of| of.join().unwrap()).collect()
        });
        let all = outcomes.concat();
        let made = |outcome: &&Outcome| matches!(outcome, Outcome::Created(_));
        assert_eq!(all.iter().filter(made).count(), 3, "{all:?}");
        let refused = all
            .iter()
            .filter(|outcome| matches!(outcome, Outcome::Refused(Refusal::OtherEnterprise(_))));
        assert_eq!(refused.count(), 4);
    }
    assert_eq!(store.counts().unwrap().record_versions, 20);
    assert_eq!(store.last_change().unwrap(), 60);
}

#[test]
fn of_one_enterprise_twice_in_a_batch_the_later_tier_stays() {
    let place = PostgresPlace::empty();
    let store = place.open();
    store.put_enterprises(&[enterprise(1)], 0, TODAY).unwrap();
    let tier = |revision, points| StoredTier {
        revision,
        tier: risktier::domain::Tier::B,
        points,
        as_of: TODAY,
        next_change_on: None,
    };
    store
        .put_in_force(None, &laws::in_force(laws::EPOCH), None)
        .unwrap();
    let batch = [(2, 1), (2, 2), (1, 3)].map(|(revision, points)| {
        let new = laws::new(1, tier(revision, points));
        assert_eq!(new.enterprise_id, id(1));
        new
    });
    store.put_tiers(&laws::epoch(laws::EPOCH), &batch).unwrap();
    let stored = store.tier(&id(1)).unwrap().unwrap().stored.unwrap();
    assert_eq!(stored, tier(2, 2));
}

#[test]
fn a_key_that_postgresql_cannot_hold_is_not_found() {
    let store = PostgresPlace::empty().open();
    assert_eq!(store.plan("a\0").unwrap(), None);
    assert_eq!(store.frame("a\0").unwrap(), None);
    assert!(store.plans_before(Some("a\0"), 5).unwrap().is_empty());
    let court = crate::register::label("court");
    assert_eq!(store.record_owner(&court, "a\0").unwrap(), None);
}

#[test]
fn a_value_without_meaning_is_named_by_its_column() {
    let place = PostgresPlace::empty();
    let store = place.open();
    store.put_enterprises(&[enterprise(1)], 0, TODAY).unwrap();
    store
        .put_records(&[serious_penalty(1, "p1", 30)], 0)
        .unwrap();
    for (table, column, value, right) in [
        ("enterprises", "kind", "99", "1"),
        ("enterprises", "tags", "'['", "'[]'"),
        ("record_versions", "severity", "9", "3"),
    ] {
        let set = |value: &str| {
            let sql = format!("UPDATE {table} SET {column} = {value}");
            PostgresServer::shared().run(place.name(), &sql);
        };
        set(value);
        let error = store.dossier(&id(1)).unwrap_err().to_string();
        assert!(error.contains(&format!("`{column}`")), "{error}");
        set(right);
        assert!(store.dossier(&id(1)).unwrap().is_some());
    }
}

#[test]
fn a_server_that_is_away_is_an_error_that_names_it_without_the_password() {
    let url = "postgresql://risktier:geheim@127.0.0.1:1/register";
    let error = PostgresStore::open(url).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, StoreError::Unreachable { .. }));
    assert!(
        text.contains("127.0.0.1:1/register") && !text.contains("geheim"),
        "{text}"
    );
    assert!(!text.contains('\n'), "{text}");
    assert!(PostgresStore::open("postgresql://h:port/").is_err());
}

#[test]
fn connections_that_a_restart_cut_are_made_anew_without_an_error() {
    let mut server = PostgresServer::start();
    let place = PostgresPlace(server.new_database());
    let store = place.open();
    store.put_enterprises(&[enterprise(1)], 0, TODAY).unwrap();

    server.stop();
    let away = store.enterprise(&id(1)).unwrap_err();
    assert!(matches!(away, StoreError::Unreachable { .. }), "{away}");
    server.start_again();
    assert!(store.enterprise(&id(1)).unwrap().is_some());

    server.crash();
    server.start_again();
    created(
        &store
            .put_records(&[serious_penalty(1, "p1", 30)], 0)
            .unwrap()[0],
    );
    server.stop();
    server.start_again();
    let mut walked = 0;
    store.each_dossier(&mut |_| walked += 1).unwrap();
    assert_eq!(walked, 1);
}

#[test]
fn nothing_acknowledged_is_lost_when_the_server_crashes_again_and_again() {
    let mut server = PostgresServer::start();
    let place = PostgresPlace(server.new_database());
    let store = place.open();
    store.put_enterprises(&[enterprise(1)], 0, TODAY).unwrap();
    let (done, writer_store) = (AtomicBool::new(false), place.open());
    let (acknowledged, failures) = std::thread::scope(|scope| {
        let done = &done;
        let writer = scope.spawn(move || {
            let (mut acknowledged, mut failures) = (Vec::new(), Vec::new());
            for number in 0.. {
                if done.load(Ordering::SeqCst) {
                    break;
                }
                let record_id = format!("p{number}");
                match writer_store.put_records(&[serious_penalty(1, &record_id, 30)], 0) {
                    Ok(_) => acknowledged.push(record_id),
                    Err(error) => {
                        failures.push(error.to_string());
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
            }
            (acknowledged, failures)
        });
        for round in 0..4 {
            std::thread::sleep(Duration::from_millis(300));
            if round % 2 == 0 {
                server.crash();
            } else {
                server.stop();
            }
            server.start_again();
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        while store.ping().is_err() {
            assert!(Instant::now() < deadline);
        }
        done.store(true, Ordering::SeqCst);
        writer.join().unwrap()
    });

    let dossier = store.dossier(&id(1)).unwrap().unwrap();
    let kept: Vec<&str> = dossier
        .versions
        .iter()
        .map(|record| record.record_id.as_str())
        .collect();
    assert!(acknowledged.len() > 50, "{}", acknowledged.len());
    for record_id in &acknowledged {
        assert!(kept.contains(&record_id.as_str()), "{record_id} is lost");
    }
    // What was not acknowledged is there wholly or not at all.
    assert_eq!(store.last_change().unwrap(), 1 + kept.len() as u64);
    assert_eq!(dossier.revision, 1 + kept.len() as u64);
    for text in failures {
        assert!(
            text.contains("cannot be reached") || text.contains("connection was lost"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_store_may_end_on_an_asynchronous_thread() {
    let store = tokio::task::spawn_blocking(|| {
        let store = PostgresPlace::empty().open();
        store.ping().unwrap();
        store
    });
    drop(store.await.unwrap());
}

#[test]
fn more_callers_than_connections_wait_for_each_other() {
    let place = PostgresPlace::empty();
    let store = place.open();
    store.put_enterprises(&[enterprise(1)], 0, TODAY).unwrap();
    std::thread::scope(|scope| {
        for caller in 0..60 {
            let store = &store;
            scope.spawn(move || {
                for round in 0..5 {
                    let record = serious_penalty(1, &format!("{caller}-{round}"), 30);
                    created(&store.put_records(&[record], 0).unwrap()[0]);
                }
            });
        }
    });
    assert_eq!(revision(&*store, &id(1)), 1 + 60 * 5);
}

#[test]
fn what_is_changed_by_hand_or_by_a_previous_release_is_read_from_its_columns() {
    let place = PostgresPlace::empty();
    let run = |sql: &str| PostgresServer::shared().run(place.name(), sql);
    let count = |condition: &str| {
        let mut client = postgres::Client::connect(&place.0, postgres::NoTls).unwrap();
        let sql = format!("SELECT count(*) FROM enterprises WHERE {condition}");
        client.query_one(&sql, &[]).unwrap().get(0)
    };
    dossiers_are_read_from_columns(place.open().as_ref(), &run, &count);
}

#[test]
fn other_writers_do_not_wait_for_a_long_transaction() {
    let place = PostgresPlace::empty();
    let (store, other) = (place.open(), place.open());
    store
        .put_enterprises(&[enterprise(1), enterprise(2)], 0, TODAY)
        .unwrap();
    let before = store.last_change().unwrap();

    store
        .in_one_long_transaction(&mut |writer| {
            writer.put_records(&[serious_penalty(1, "long", 30)], 0)?;
            let outcomes = other.put_records(&[serious_penalty(2, "short", 30)], 0)?;
            assert_eq!(created(&outcomes[0]).seq, before + 1);
            Ok(true)
        })
        .unwrap();

    let log = store.changes_after(before, 9).unwrap();
    let changed: Vec<_> = log.iter().map(|of| (of.seq, &of.enterprise_id)).collect();
    assert_eq!(changed, [(before + 1, &id(2)), (before + 2, &id(1))]);
}
