//! Runs: the tiers of a run are those of single computations, a flip shows at once and whole, and nothing that happens
//! to a run is ever seen.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use jiff::civil::date;
use risktier::cache::MemoryCache;
use risktier::domain::dates::add_days;
use risktier::domain::{Enterprise, EnterpriseSize, Record, Tier};
use risktier::service::{
    AlertKind, Origin, RetierStep, RunCause, RunObserver, RunState, Service, ServiceError,
};
use risktier::store::Store;
use tokio::runtime::Runtime;

use crate::postgres_server::PostgresServer;
use crate::register::{TODAY, default_models, enterprise, id, record_with, serious_penalty};
use crate::{Place, put, read, register, stricter_models};

const COUNT: usize = 60;

/// A register in which links, addresses, persons, owners and complaints matter.
fn fill(store: &dyn Store) {
    let enterprises: Vec<Enterprise> = (1..=COUNT)
        .map(|number| Enterprise {
            owner_id: (number % 20 == 7).then(|| id(number - 1)),
            size: if number % 3 == 0 {
                EnterpriseSize::Micro
            } else {
                EnterpriseSize::Small
            },
            ..enterprise(number)
        })
        .collect();
    store.put_enterprises(&enterprises, 0, TODAY).unwrap();
    let mut records: Vec<Record> = Vec::new();
    for number in 1..=COUNT {
        let day = |ago: i32| add_days(TODAY, -ago);
        let link = |name: &str, code: &str, end: String| {
            record_with(
                number,
                &format!("{name}{number}"),
                "link",
                day(200),
                |draft| {
                    draft.codes = vec![code.into()];
                    draft.related_id = Some(end);
                },
            )
        };
        records.push(link("a", "address", format!("address-{}", number % 4)));
        records.push(link(
            "p",
            "legal_representative",
            format!("person-{}", number % 9),
        ));
        if number % 5 == 0 {
            records.push(link("s", "shareholder", id(number / 5).to_string()));
        }
        if number % 4 == 1 {
            records.push(serious_penalty(
                number,
                &format!("x{number}"),
                30 + number as i32,
            ));
        }
        if number % 12 == 1 {
            records.push(record_with(
                number,
                &format!("l{number}"),
                "serious_violation_listing",
                day(100),
                |_| {},
            ));
        }
        for nth in 0..number % 6 {
            records.push(record_with(
                number,
                &format!("c{number}-{nth}"),
                "complaint",
                day(10 + 7 * nth as i32),
                |draft| draft.upheld = Some(true),
            ));
        }
    }
    store.put_records(&records, 0).unwrap();
}

/// Every tier as the store keeps it, and every tier as a single explanation gives it.
fn tiers(service: &Service, store: &dyn Store) -> Vec<(Tier, u16, Option<jiff::civil::Date>)> {
    let epoch = *service.current().epoch();
    (1..=COUNT)
        .map(|number| {
            let row = store.tier(&id(number)).unwrap().unwrap();
            assert_eq!(row.epoch, Some(epoch));
            let stored = row.stored.unwrap();
            assert_eq!(stored.revision, row.revision);
            let explained = service.explain(&id(number), None).unwrap().classification;
            assert_eq!(
                (stored.tier, stored.points, stored.next_change_on),
                (explained.tier, explained.points, explained.next_change_on),
                "enterprise {number}: {:?}",
                explained.reasons
            );
            (stored.tier, stored.points, stored.next_change_on)
        })
        .collect()
}

fn run(service: &Service) -> RunState {
    let job = service.reclassify().unwrap();
    let done = service.carry_out_run(&()).unwrap().unwrap();
    assert_eq!(done.run.run_id, job.run.run_id);
    done.run.state
}

fn laws_on(place: &Place) {
    let (service, store) = (place.service(), place.store());
    fill(store.as_ref());
    let before = service.current();
    assert_eq!(before.number, 1);

    assert_eq!(run(&service), RunState::Succeeded);

    let after = service.current();
    assert_eq!(after.number, 2);
    assert!(after.statistics.is_some() && after.epoch() != before.epoch());
    let first = tiers(&service, store.as_ref());
    let distinct: std::collections::BTreeSet<Tier> = first.iter().map(|(tier, ..)| *tier).collect();
    assert!(distinct.len() > 1, "{distinct:?}");

    // The same register gives the same statistics, hence the same epoch, and no letter changes.
    assert_eq!(run(&service), RunState::Succeeded);
    assert_eq!(service.current().epoch(), after.epoch());
    assert_eq!(tiers(&service, store.as_ref()), first);
    let jobs = service.jobs(None, 10).unwrap();
    assert_eq!(jobs.len(), 2);
    assert_eq!(jobs[0].run.change_count, Some(0));
    assert_eq!(jobs[0].percent, 100.0);
    assert!(store.alerts_after(0, 10).unwrap().is_empty());
}

#[test]
fn the_tiers_of_a_run_are_those_of_single_computations() {
    laws_on(&Place::empty());
}

#[test]
fn on_postgresql_the_tiers_of_a_run_are_those_of_single_computations() {
    laws_on(&Place::on(PostgresServer::shared()));
}

/// Does something once, when a run has come to a certain point.
struct At<F: Fn()> {
    scanned: bool,
    has_come: AtomicBool,
    what: F,
}

impl<F: Fn()> At<F> {
    fn scanned(what: F) -> Self {
        Self {
            scanned: true,
            has_come: AtomicBool::new(false),
            what,
        }
    }

    fn finished(what: F) -> Self {
        Self {
            scanned: false,
            ..Self::scanned(what)
        }
    }

    fn come(&self) {
        if !self.has_come.swap(true, Ordering::SeqCst) {
            (self.what)();
        }
    }
}

impl<F: Fn() + Sync> RunObserver for At<F> {
    fn scanned(&self, _done: u64, _total: u64) {
        if self.scanned {
            self.come();
        }
    }

    fn finished(&self, _done: u64, _total: u64) {
        if !self.scanned {
            self.come();
        }
    }
}

/// A run that another process takes over at a certain point goes on there, to the same bytes.
fn taken_over(
    place: &Place,
    undisturbed: &[(Tier, u16, Option<jiff::civil::Date>)],
    scanned: bool,
) {
    let (service, store) = (place.service(), place.store());
    let job = service.reclassify().unwrap();
    // The lease runs out: another owner has the run from now on.
    let steal = || {
        assert!(
            store
                .renew_run(&job.run.run_id, "nobody", 1)
                .is_ok_and(|held| !held)
        );
        expire_lease(place, &job.run.run_id);
        assert!(store.claim_run("another process", 1).unwrap().is_some());
    };
    let lost = if scanned {
        service.carry_out_run(&At::scanned(steal))
    } else {
        service.carry_out_run(&At::finished(steal))
    };
    let lost = lost.unwrap().unwrap();
    assert_eq!(lost.run.state, RunState::Running);
    assert_eq!(service.current().number, 2);

    std::thread::sleep(std::time::Duration::from_millis(20));
    let next = place.service();
    let done = next.carry_out_run(&()).unwrap().unwrap();
    assert_eq!(
        (done.run.run_id, done.run.state),
        (job.run.run_id.clone(), RunState::Succeeded)
    );
    assert_eq!(next.current().number, 3);
    assert_eq!(tiers(&next, store.as_ref()), undisturbed);
}

fn expire_lease(place: &Place, run_id: &str) {
    let file = rusqlite::Connection::open(place.path()).unwrap();
    file.busy_timeout(std::time::Duration::from_secs(10))
        .unwrap();
    let set = file
        .execute(
            "UPDATE runs SET lease_until = 0 WHERE run_id = ?1",
            [run_id],
        )
        .unwrap();
    assert_eq!(set, 1);
}

#[test]
fn a_run_that_loses_its_process_is_continued_by_another_to_the_same_tiers() {
    for scanned in [true, false] {
        let place = Place::empty();
        let (service, store) = (place.service(), place.store());
        fill(store.as_ref());
        run(&service);
        let undisturbed = tiers(&service, store.as_ref());
        taken_over(&place, &undisturbed, scanned);
    }
}

#[test]
fn two_processes_carry_out_one_run_once() {
    let place = Place::empty();
    let store = place.store();
    fill(store.as_ref());
    let services = [place.service(), place.service()];
    let first = services[0].reclassify().unwrap();
    let second = services[1].reclassify().unwrap();
    assert_eq!(first.run.run_id, second.run.run_id);
    let ended = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for service in &services {
            scope.spawn(|| {
                let done = service.carry_out_run(&()).unwrap();
                if done.is_some_and(|job| job.run.state == RunState::Succeeded) {
                    ended.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(ended.load(Ordering::SeqCst), 1);
    assert_eq!(store.in_force().unwrap().unwrap().number, 2);
    for service in &services {
        service.refresh().unwrap();
        assert_eq!(service.current().number, 2);
    }
}

#[test]
fn a_cancelled_run_leaves_everything_as_it_was() {
    let place = Place::empty();
    let (service, store) = (place.service(), place.store());
    fill(store.as_ref());
    run(&service);
    let before = tiers(&service, store.as_ref());
    for late in [false, true] {
        let job = service.reclassify().unwrap();
        let cancel = || {
            let cancelled = service.cancel_job(&job.run.run_id).unwrap();
            assert_eq!(cancelled.run.state, RunState::Cancelled);
        };
        let ended = if late {
            service.carry_out_run(&At::finished(cancel))
        } else {
            service.carry_out_run(&At::scanned(cancel))
        };
        assert_eq!(ended.unwrap().unwrap().run.state, RunState::Cancelled);
        assert_eq!(service.current().number, 2);
        assert_eq!(tiers(&service, store.as_ref()), before);
    }
    assert!(service.carry_out_run(&()).unwrap().is_none());
    assert!(matches!(
        service.job("none"),
        Err(ServiceError::UnknownJob(_))
    ));
    assert_eq!(run(&service), RunState::Succeeded);
}

#[test]
fn other_files_come_into_force_by_a_run_and_replicas_answer_with_one_epoch_throughout() {
    let runtime = Runtime::new().unwrap();
    let place = Place::empty();
    let cache = Arc::new(MemoryCache::with_capacity(10_000));
    let reader = place.replica(cache.clone(), default_models(), TODAY);
    runtime.block_on(async {
        register(&reader, 8).await;
        for number in 1..=8 {
            put(&reader, serious_penalty(number, &format!("p{number}"), 30)).await;
        }
        reader.catch_up().await.unwrap();
        assert_eq!(read(&reader, 1).await, (Tier::C, Origin::Store));
        assert_eq!(read(&reader, 1).await, (Tier::C, Origin::Cache));
    });

    // A start with other files serves those in force until its run has flipped.
    let starter = place.replica(cache, stricter_models(), TODAY);
    let wanted = starter.adopt_given(true).unwrap().unwrap();
    assert_eq!(wanted.cause, RunCause::Files);
    assert_eq!(starter.current().epoch(), reader.current().epoch());
    let ids: Vec<_> = (1..=8).map(id).collect();
    let seen = Mutex::new(Vec::new());
    let look = || {
        for service in [&reader, &starter] {
            let answers = runtime.block_on(service.tiers(&ids)).unwrap();
            let mut told: Vec<_> = answers
                .into_iter()
                .map(|answer| {
                    let answer = answer.unwrap();
                    (answer.epoch, answer.tier)
                })
                .collect();
            told.dedup();
            assert_eq!(told.len(), 1, "one answer, one epoch: {told:?}");
            seen.lock().unwrap().push(told[0].1);
        }
    };
    starter.carry_out_run(&At::finished(look)).unwrap().unwrap();
    look();
    // The one that flipped follows at once; the other one answers from its cache until it has caught up.
    runtime.block_on(reader.catch_up()).unwrap();
    look();
    let seen = seen.into_inner().unwrap();
    assert_eq!(seen[..2], [Tier::C, Tier::C]);
    assert_eq!(seen[3..], [Tier::D, Tier::D, Tier::D]);
    assert!(starter.adopt_given(true).unwrap().is_none());

    // Each was worse after its penalty, and worse again and in D after the flip.
    let store = place.store();
    let alerts = store.alerts_after(0, 100).unwrap();
    let entered = alerts
        .iter()
        .filter(|alert| alert.kind == AlertKind::EnteredD)
        .count();
    assert_eq!((alerts.len(), entered), (24, 8));
    assert_eq!(
        store.present_tier(&id(1)).unwrap().unwrap().tier.tier,
        Tier::D
    );
}

#[test]
fn what_changes_during_a_run_is_told_once_and_right() {
    let runtime = Runtime::new().unwrap();
    let place = Place::empty();
    let yesterday = add_days(TODAY, -1);
    let cache = || Arc::new(MemoryCache::with_capacity(10_000));
    let (store, service) = (
        place.store(),
        place.replica(cache(), default_models(), TODAY),
    );
    let earlier = place.replica(cache(), default_models(), yesterday);
    runtime.block_on(register(&earlier, 4));
    let during = || {
        runtime.block_on(put(&service, serious_penalty(2, "p2", 30)));
        assert_eq!(runtime.block_on(read(&service, 2)).0, Tier::C);
    };
    service.reclassify().unwrap();
    service
        .carry_out_run(&At::scanned(during))
        .unwrap()
        .unwrap();

    assert_eq!(runtime.block_on(read(&service, 2)).0, Tier::C);
    while service.retier_step().unwrap() != RetierStep::Idle {}
    let history = store.tier_history(&id(2)).unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!(
        (history[0].tier, history[0].from_on, history[0].until_on),
        (Tier::A, yesterday, TODAY)
    );
    let present = store.present_tier(&id(2)).unwrap().unwrap();
    assert_eq!((present.tier.tier, present.from_on), (Tier::C, TODAY));
    assert_eq!(store.alerts_after(0, 10).unwrap().len(), 1);
    assert!(store.tier_history(&id(1)).unwrap().is_empty());
    assert_eq!(
        store.present_tier(&id(1)).unwrap().unwrap().from_on,
        yesterday
    );
}

#[test]
fn the_worker_follows_imports_and_the_days_of_change() {
    let runtime = Runtime::new().unwrap();
    let place = Place::empty();
    let (store, service) = (place.store(), place.service());
    runtime.block_on(register(&service, 3));
    store
        .put_records(&[serious_penalty(1, "p1", 30)], 0)
        .unwrap();
    let steps = |service: &Service| {
        let mut steps = 0;
        while let RetierStep::Done(_) = service.retier_step().unwrap() {
            steps += 1;
            assert!(steps < 20);
        }
    };
    steps(&service);
    let stored = |number| store.tier(&id(number)).unwrap().unwrap().stored.unwrap();
    assert_eq!((stored(1).tier, stored(1).revision), (Tier::C, 2));
    assert_eq!(store.alerts_after(0, 10).unwrap().len(), 1);

    // Another process does not do the same work.
    let other = place.service();
    assert_eq!(other.retier_step().unwrap(), RetierStep::Elsewhere);

    // Three years later the penalty is over though nothing arrived.
    let over = place.replica(
        Arc::new(MemoryCache::with_capacity(10)),
        default_models(),
        date(2029, 10, 23),
    );
    let file = rusqlite::Connection::open(place.path()).unwrap();
    file.execute("UPDATE workers SET lease_until = 0", [])
        .unwrap();
    steps(&over);
    assert_eq!(stored(1).tier, Tier::A);
    let history = store.tier_history(&id(1)).unwrap();
    let letters: Vec<Tier> = history.iter().map(|past| past.tier).collect();
    assert_eq!(letters, [Tier::C]);
}

#[test]
fn a_linked_enterprise_follows_at_once() {
    let runtime = Runtime::new().unwrap();
    let place = Place::empty();
    let (store, service) = (place.store(), place.service());
    fill(store.as_ref());
    run(&service);
    tiers(&service, store.as_ref());
    let listing = record_with(2, "late", "serious_violation_listing", TODAY, |_| {});
    runtime.block_on(put(&service, listing));
    // Enterprise 10 has a shareholder link to 2; all stored tiers are those of single computations again.
    while let RetierStep::Done(_) = service.retier_step().unwrap() {}
    tiers(&service, store.as_ref());
    let reasons = service
        .explain(&id(10), None)
        .unwrap()
        .classification
        .reasons;
    assert!(
        reasons.iter().any(|reason| reason.code == "REL02"),
        "{reasons:?}"
    );
}

#[test]
fn a_past_day_is_seen_with_the_files_and_statistics_of_that_day() {
    let place = Place::empty();
    let store = place.store();
    let cache = || Arc::new(MemoryCache::with_capacity(10));
    let past = add_days(TODAY, -40);
    let then = place.replica(cache(), default_models(), past);
    fill(store.as_ref());
    run(&then);
    let told: Vec<_> = (1..=COUNT)
        .map(|number| then.explain(&id(number), None).unwrap())
        .collect();

    let now = place.replica(cache(), stricter_models(), TODAY);
    now.adopt_given(true).unwrap().unwrap();
    now.carry_out_run(&()).unwrap().unwrap();

    assert_ne!(now.current().epoch(), then.current().epoch());
    for (number, told) in (1..).zip(&told) {
        assert_eq!(now.explain(&id(number), Some(past)).unwrap(), *told);
    }
    let today = now.explain(&id(1), None).unwrap();
    assert_eq!(today.epoch, *now.current().epoch());
}

#[test]
fn the_run_of_the_month_is_asked_for_once() {
    let place = Place::empty();
    let cache = || Arc::new(MemoryCache::with_capacity(10));
    let on = |day| place.replica(cache(), default_models(), day);
    fill(place.store().as_ref());
    assert!(!on(TODAY).request_monthly_run().unwrap());
    let first = on(date(2026, 12, 1));
    assert!(first.request_monthly_run().unwrap());
    assert!(!first.request_monthly_run().unwrap());
    let done = first.carry_out_run(&()).unwrap().unwrap();
    assert_eq!(
        (done.run.cause, done.run.state),
        (RunCause::Month, RunState::Succeeded)
    );
    assert!(!on(date(2026, 12, 31)).request_monthly_run().unwrap());
    assert!(on(date(2027, 1, 4)).request_monthly_run().unwrap());
}
