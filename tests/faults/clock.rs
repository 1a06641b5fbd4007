//! A clock that is set back: no tier comes from the future, and no change is lost when the clock is right again.

use jiff::civil::Date;
use risktier::domain::dates::add_days;
use risktier::domain::{EnterpriseId, Tier};
use risktier::service::RunState;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::postgres_server::PostgresServer;
use crate::register::{TODAY, enterprise, id, record_with, serious_penalty};
use crate::world::{Files, Part, Place, imported, reclassified};

#[test]
fn a_clock_that_is_set_back_shows_no_future_and_loses_no_change() {
    let folder = TempDir::new().unwrap();
    set_back(&Place::Sqlite(folder.path().join("register.db")));
}

#[test]
fn on_postgresql_a_clock_that_is_set_back_shows_no_future_and_loses_no_change() {
    set_back(&Place::Postgres(PostgresServer::shared().new_database()));
}

/// All tiers on a day, each read twice, as a computation from nothing but the dossiers gives them.
fn tiers(place: &Place, day: Date) -> Vec<(EnterpriseId, Tier, u16)> {
    let service = place.service(day);
    let runtime = Runtime::new().unwrap();
    let mut computed = Vec::new();
    service
        .classify_register(service.as_of_today(), &mut |enterprise, _, found| {
            let id = enterprise.enterprise_id.clone();
            computed.push((id, found.tier, found.points));
        })
        .unwrap();
    let ids: Vec<EnterpriseId> = computed.iter().map(|(id, ..)| id.clone()).collect();
    for _ in 0..2 {
        let answers = runtime.block_on(service.tiers(&ids)).unwrap();
        let read: Vec<_> = answers
            .into_iter()
            .map(|answer| {
                let answer = answer.unwrap();
                assert!(answer.as_of <= day, "{answer:?} is from the future");
                (answer.enterprise_id, answer.tier, answer.points)
            })
            .collect();
        assert_eq!(read, computed, "on {day}");
    }
    computed
}

fn set_back(place: &Place) {
    let files = Files::made(1_000);
    let runtime = Runtime::new().unwrap();
    let now = place.service(TODAY);
    imported(&now, files.folder(), Part::AllEnterprises);
    imported(&now, files.folder(), Part::BaseRecords);
    for number in [1, 2, 3] {
        runtime
            .block_on(now.put_enterprise(enterprise(number)))
            .unwrap();
    }
    reclassified(&now, &());
    let known_today = serious_penalty(1, "known-today", 0);
    runtime
        .block_on(now.put_records(vec![known_today]))
        .unwrap();
    let first = tiers(place, TODAY);
    let tier_of = |tiers: &[(EnterpriseId, Tier, u16)], number| {
        tiers.iter().find(|(of, ..)| *of == id(number)).unwrap().1
    };
    assert_eq!(tier_of(&first, 1), Tier::C);

    for days in [1, 31] {
        let day = add_days(TODAY, -days);
        let back = tiers(place, day);
        assert_eq!(tier_of(&back, 1), Tier::A);
        // What arrives meanwhile is known on the day that the clock shows.
        let service = place.service(day);
        let record = record_with(2, &format!("back-{days}"), "penalty", day, |draft| {
            draft.severity = Some("serious".into());
        });
        runtime.block_on(service.put_records(vec![record])).unwrap();
        assert_eq!(tier_of(&tiers(place, day), 2), Tier::C);
        assert_eq!(tier_of(&tiers(place, TODAY), 1), Tier::C);
    }
    // A run under the wrong clock, another under the right one.
    let month_ago = add_days(TODAY, -31);
    let back = place.service(month_ago);
    let job = back.reclassify().unwrap();
    let done = back.carry_out_run(&()).unwrap().unwrap();
    assert_eq!(
        (done.run.run_id, done.run.state),
        (job.run.run_id, RunState::Succeeded)
    );
    tiers(place, month_ago);
    let last = tiers(place, TODAY);
    // Two serious penalties by now.
    assert_eq!((tier_of(&last, 1), tier_of(&last, 2)), (Tier::C, Tier::D));
    reclassified(&place.service(TODAY), &());
    let last = tiers(place, TODAY);
    let others = |tiers: &[(EnterpriseId, Tier, u16)]| {
        let mut tiers = tiers.to_vec();
        tiers.retain(|(of, ..)| *of != id(2));
        tiers
    };
    assert_eq!(others(&last), others(&first));

    // The history stays a history.
    let store = place.store();
    for (of, ..) in &last {
        let past = store.tier_history(of).unwrap();
        assert!(
            past.iter().all(|past| past.from_on < past.until_on),
            "{past:?}"
        );
        assert!(
            past.is_sorted_by(|one, next| one.until_on < next.until_on),
            "{past:?}"
        );
    }
}
