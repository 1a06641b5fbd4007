//! The main path on PostgreSQL: two replicas on one database, which is restarted in the middle.

use std::sync::Arc;

use risktier::domain::{Enterprise, Record, Tier};
use risktier::files::Row;
use risktier::sampling::verification::{VerifyInput, verify};
use risktier::service::{
    Amendment, Edition, ImportReport, Importable, Origin, PlanState, Service, ServiceError,
};
use tokio::runtime::Runtime;

use crate::plans::world;
use crate::postgres_server::PostgresServer;
use crate::register::{enterprise, id, label, serious_penalty};
use crate::{Place, put, read};

fn import<T: Importable>(runtime: &Runtime, service: &Arc<Service>, items: Vec<T>) -> ImportReport {
    let service = Arc::clone(service);
    let work = move || {
        let rows = (2..)
            .zip(items)
            .map(|(line, item)| Ok(Row::Good { line, item }));
        service.import(Some("file.csv"), rows, &mut ()).unwrap()
    };
    runtime.block_on(runtime.spawn_blocking(work)).unwrap()
}

#[test]
fn replicas_on_one_database_see_each_others_changes() {
    let place = Place::on(PostgresServer::shared());
    let runtime = Runtime::new().unwrap();
    let (here, there) = (Arc::new(place.service()), Arc::new(place.service()));
    let enterprises: Vec<Enterprise> = (1..=12_000).map(enterprise).collect();
    let records: Vec<Record> = (1..=12_000)
        .step_by(2)
        .map(|number| serious_penalty(number, &format!("p{number}"), 30))
        .collect();

    let made = import(&runtime, &here, enterprises.clone());
    let told = import(&runtime, &here, records.clone());
    let again = import(&runtime, &there, enterprises);
    let told_again = import(&runtime, &there, records);

    assert_eq!((made.created_count, told.created_count), (12_000, 6_000));
    assert_eq!(
        (again.unchanged_count, told_again.unchanged_count),
        (12_000, 6_000)
    );
    runtime.block_on(async {
        for service in [&here, &there] {
            service.catch_up().await.unwrap();
        }
        assert_eq!(read(&here, 1).await, (Tier::C, Origin::Computed));
        assert_eq!(read(&there, 1).await, (Tier::C, Origin::Store));
        assert_eq!(read(&there, 1).await, (Tier::C, Origin::Cache));
        let ids = [1, 2, 2, 3].map(id);
        let tiers = there.tiers(&ids).await.unwrap();
        let tiers: Vec<_> = tiers
            .into_iter()
            .map(|answer| answer.unwrap().tier)
            .collect();
        assert_eq!(tiers, [Tier::C, Tier::A, Tier::A, Tier::C]);

        here.amend_record(label("court"), "p1".into(), Amendment::Repair, None)
            .await
            .unwrap();
        assert_eq!(read(&here, 1).await.0, Tier::A);
        // The other replica follows the log of changes.
        there.catch_up().await.unwrap();
        assert_eq!(read(&there, 1).await, (Tier::A, Origin::Store));
        put(&there, serious_penalty(2, "q2", 3)).await;
        here.catch_up().await.unwrap();
        assert_eq!(read(&here, 2).await.0, Tier::C);
    });
}

#[test]
fn two_replicas_that_import_the_same_file_at_once_give_the_register_of_one() {
    let (together, alone) = (
        Place::on(PostgresServer::shared()),
        Place::on(PostgresServer::shared()),
    );
    let runtime = Runtime::new().unwrap();
    let enterprises: Vec<Enterprise> = (1..=12_000).map(enterprise).collect();
    let records: Vec<Record> = (1..=12_000)
        .map(|number| serious_penalty(number, &format!("p{number}"), 30))
        .collect();
    let one = Arc::new(alone.service());
    import(&runtime, &one, enterprises.clone());
    import(&runtime, &one, records.clone());

    let both = [Arc::new(together.service()), Arc::new(together.service())];
    let created = |counts: Vec<ImportReport>| -> (u64, u64) {
        counts.iter().fold((0, 0), |(created, refused), report| {
            (
                created + report.created_count,
                refused + report.refused_count,
            )
        })
    };
    let at_once = |work: &(dyn Fn(&Arc<Service>) -> ImportReport + Sync)| -> Vec<ImportReport> {
        std::thread::scope(|scope| {
            let running: Vec<_> = both.iter().map(|one| scope.spawn(|| work(one))).collect();
            running.into_iter().map(|one| one.join().unwrap()).collect()
        })
    };
    let made = at_once(&|service| import(&runtime, service, enterprises.clone()));
    let told = at_once(&|service| import(&runtime, service, records.clone()));

    // Every row is new once, whoever came first.
    assert_eq!((created(made), created(told)), ((12_000, 0), (12_000, 0)));
    let register = |place: &Place| {
        let mut dossiers = Vec::new();
        place
            .store()
            .each_dossier(&mut |dossier| dossiers.push(dossier))
            .unwrap();
        dossiers
    };
    assert!(register(&together) == register(&alone));
}

#[test]
fn a_plan_drawn_by_one_replica_verifies_on_the_other() {
    let place = Place::on(PostgresServer::shared());
    let (here, request) = world(&place);
    let there = place.service();

    let draft = here.draft_plan(request.clone()).unwrap();
    let frozen = there.freeze_plan(&draft.plan_id).unwrap();
    assert!(matches!(
        here.freeze_plan(&draft.plan_id),
        Err(ServiceError::PlanState { .. })
    ));
    here.draw_plan(&draft.plan_id, Vec::new()).unwrap();
    let closed = there.close_plan(&draft.plan_id).unwrap();
    let next = here.draw_plan_now(request).unwrap();

    assert_eq!(
        (frozen.state, closed.state),
        (PlanState::Frozen, PlanState::Closed)
    );
    assert_eq!(here.plan(&draft.plan_id).unwrap(), closed);
    assert!(here.verify_plan(&draft.plan_id).unwrap().is_same());
    assert!(there.verify_plan(&next.plan_id).unwrap().is_same());
    let listed = there.plans(None, 9).unwrap();
    assert_eq!(listed, [next.clone(), closed]);
    let verified = verify(VerifyInput {
        transcript: &there.transcript(&next.plan_id, Edition::Auditor).unwrap(),
        pool: Some(here.pool_file(&next.plan_id).unwrap()),
        sample: Some(&there.sample_file(&next.plan_id).unwrap()),
        ..VerifyInput::default()
    })
    .unwrap();
    assert!(verified.is_same(), "{verified:?}");
}

#[test]
fn a_database_that_is_restarted_in_the_middle_loses_nothing() {
    let mut server = PostgresServer::start();
    let place = Place::on(&server);
    let runtime = Runtime::new().unwrap();
    let (service, request) = world(&place);
    let draft = service.draft_plan(request).unwrap();
    let before = service.freeze_plan(&draft.plan_id).unwrap();
    runtime.block_on(async {
        service.catch_up().await.unwrap();
        put(&service, serious_penalty(1, "p1", 30)).await;
        assert_eq!(read(&service, 1).await.0, Tier::C);
    });

    server.crash();
    runtime.block_on(async {
        // What the cache holds is answered; what needs the store says what is wrong.
        assert_eq!(read(&service, 1).await, (Tier::C, Origin::Cache));
        let error = service.tier(&id(2)).await.unwrap_err().to_string();
        assert!(error.contains("cannot be reached"), "{error}");
        assert!(service.put_enterprise(enterprise(99)).await.is_err());
    });
    assert!(service.draw_plan(&draft.plan_id, Vec::new()).is_err());
    server.start_again();

    assert_eq!(service.plan(&draft.plan_id).unwrap(), before);
    service.draw_plan(&draft.plan_id, Vec::new()).unwrap();
    server.stop();
    server.start_again();
    service.close_plan(&draft.plan_id).unwrap();
    assert!(service.verify_plan(&draft.plan_id).unwrap().is_same());
    runtime.block_on(async {
        assert_eq!(read(&service, 2).await.0, Tier::A);
        put(&service, serious_penalty(2, "p2", 30)).await;
        assert_eq!(read(&service, 2).await.0, Tier::C);
    });
    assert_eq!(place.service().counts().unwrap().enterprises, 80);
}
