//! The steps of a plan: each once, in order, by one caller; contributions as committed.

use std::sync::Barrier;

use risktier::cache::MemoryCache;
use risktier::domain::digest::HashAlgorithm;
use risktier::sampling::contribution::{
    Contribution, ContributionName, ContributionValue, OpeningError,
};
use risktier::service::{
    CommittedContribution, ModelFiles, Models, PlanRequest, PlanState, PlanStep,
    PublicContribution, Service, ServiceError,
};
use std::sync::Arc;
use tempfile::TempDir;

use crate::Place;
use crate::plans::world;
use crate::postgres_server::PostgresServer;
use crate::register::TODAY;

fn frozen(service: &Service, request: &PlanRequest) -> String {
    let plan_id = service.draft_plan(request.clone()).unwrap().plan_id;
    service.freeze_plan(&plan_id).unwrap();
    plan_id
}

/// The state in which a step found the plan instead of the one it needs.
fn refused_in<T: std::fmt::Debug>(step: Result<T, ServiceError>) -> PlanState {
    match step {
        Err(ServiceError::PlanState { state, .. }) => state,
        other => panic!("a refusal for its state was expected: {other:?}"),
    }
}

#[test]
fn every_step_needs_the_state_before_it() {
    let place = Place::empty();
    let (service, request) = world(&place);
    let plan_id = service.draft_plan(request).unwrap().plan_id;
    let p = plan_id.as_str();

    assert_eq!(refused_in(service.draw_plan(p, vec![])), PlanState::Draft);
    assert_eq!(refused_in(service.close_plan(p)), PlanState::Draft);
    assert_eq!(refused_in(service.pool_file(p)), PlanState::Draft);
    service.freeze_plan(p).unwrap();
    assert_eq!(refused_in(service.freeze_plan(p)), PlanState::Frozen);
    assert_eq!(refused_in(service.close_plan(p)), PlanState::Frozen);
    assert_eq!(refused_in(service.sample_file(p)), PlanState::Frozen);
    let drawn = service.draw_plan(p, vec![]).unwrap();
    let sample = service.sample_file(p).unwrap();
    assert_eq!(refused_in(service.draw_plan(p, vec![])), PlanState::Drawn);
    assert_eq!(
        refused_in(service.transcript(p, risktier::service::Edition::Auditor)),
        PlanState::Drawn
    );
    service.close_plan(p).unwrap();
    assert_eq!(refused_in(service.close_plan(p)), PlanState::Closed);
    assert_eq!(refused_in(service.void_plan(p, "late")), PlanState::Closed);
    assert_eq!(refused_in(service.freeze_plan(p)), PlanState::Closed);
    assert_eq!(
        (
            service.sample_file(p).unwrap(),
            service.plan(p).unwrap().sample_digest
        ),
        (sample, drawn.sample_digest)
    );
    assert!(matches!(
        service.freeze_plan("none"),
        Err(ServiceError::UnknownPlan(_))
    ));
}

#[test]
fn a_plan_drafted_under_another_policy_is_not_frozen() {
    let place = Place::empty();
    let (service, request) = world(&place);
    let plan_id = service.draft_plan(request).unwrap().plan_id;
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("policy.toml");
    let policy = include_str!("../../models/policy.toml");
    let changed = policy.replacen("D = 0.50", "D = 0.60", 1);
    assert_ne!(policy, changed);
    std::fs::write(&path, changed).unwrap();
    let models = Models::load(&ModelFiles {
        policy: Some(path),
        ..ModelFiles::default()
    })
    .unwrap();
    let other = place.replica(Arc::new(MemoryCache::with_capacity(10)), models, TODAY);

    // Other rates give the same tiers, so they come into force at once, without a run.
    assert!(other.adopt_given(true).unwrap().is_none());

    let refused = other.freeze_plan(&plan_id).unwrap_err();

    assert!(
        matches!(&refused, ServiceError::Plan(reason) if reason.contains("policy has changed")),
        "{refused}"
    );
    assert_eq!(other.plan(&plan_id).unwrap().state, PlanState::Draft);
    assert_eq!(
        service
            .freeze_plan(&plan_id)
            .unwrap()
            .frozen
            .unwrap()
            .number,
        1
    );
}

#[test]
fn of_many_draws_at_once_exactly_one_wins() {
    let place = Place::empty();
    let (service, request) = world(&place);
    for _ in 0..5 {
        let plan_id = frozen(&service, &request);
        let start = Barrier::new(4);
        let replicas: Vec<Service> = (0..4).map(|_| place.service()).collect();
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = replicas
                .iter()
                .map(|replica| {
                    let (start, plan_id) = (&start, &plan_id);
                    scope.spawn(move || {
                        start.wait();
                        replica.draw_plan(plan_id, vec![])
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (1, 3));
        lost.into_iter()
            .for_each(|loser| assert_eq!(refused_in(loser), PlanState::Drawn));
        let kept = service.plan(&plan_id).unwrap();
        assert_eq!(Some(kept), won.into_iter().next().map(Result::unwrap));
        service.close_plan(&plan_id).unwrap();
        assert!(service.verify_plan(&plan_id).unwrap().is_same());
    }
}

#[test]
fn of_many_freezes_at_once_exactly_one_wins_and_its_secrets_stay() {
    let place = Place::empty();
    let (service, request) = world(&place);
    let plan_id = service.draft_plan(request).unwrap().plan_id;
    let start = Barrier::new(4);
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (start, plan_id, replica) = (&start, &plan_id, place.service());
                scope.spawn(move || {
                    start.wait();
                    replica.freeze_plan(plan_id)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let won: Vec<_> = outcomes.into_iter().filter_map(Result::ok).collect();
    assert_eq!(won.len(), 1);
    assert_eq!(service.plan(&plan_id).unwrap(), won[0]);
    service.draw_plan(&plan_id, vec![]).unwrap();
    service.close_plan(&plan_id).unwrap();
    assert!(service.verify_plan(&plan_id).unwrap().is_same());
}

#[test]
fn a_void_plan_keeps_its_number_and_stays_visible() {
    let place = Place::empty();
    let (service, request) = world(&place);
    let given_up = frozen(&service, &request);
    let next = frozen(&service, &request);
    assert!(service.void_plan(&given_up, " ").is_err());

    let void = service.void_plan(&given_up, "错误的事项").unwrap();

    assert_eq!(
        (void.state, void.void_reason.as_deref()),
        (PlanState::Void, Some("错误的事项"))
    );
    let number = |plan_id: &str| service.plan(plan_id).unwrap().frozen.unwrap().number;
    let after = frozen(&service, &request);
    assert_eq!(
        (number(&given_up), number(&next), number(&after)),
        (1, 2, 3)
    );
    let shown: Vec<String> = service
        .plans(None, 9)
        .unwrap()
        .into_iter()
        .map(|plan| plan.plan_id)
        .collect();
    assert!(shown.contains(&given_up) && shown.len() == 3);
    assert_eq!(
        refused_in(service.draw_plan(&given_up, vec![])),
        PlanState::Void
    );
    assert_eq!(
        refused_in(service.void_plan(&given_up, "again")),
        PlanState::Void
    );
}

fn contribution(name: &str, value: &str) -> Contribution {
    Contribution {
        name: ContributionName::new(name).unwrap(),
        value: ContributionValue::new(value).unwrap(),
    }
}

fn open(contributions: &[&Contribution]) -> Vec<Contribution> {
    contributions
        .iter()
        .map(|contribution| (*contribution).clone())
        .collect()
}

#[test]
fn a_draw_takes_contributions_only_as_they_were_planned() {
    let place = Place::empty();
    let (service, mut request) = world(&place);
    let notary = contribution("notary", "a sealed envelope");
    let dice = contribution("dice", "4 2 6");
    request.committed = vec![CommittedContribution {
        name: "notary".into(),
        commitment: notary.commitment(HashAlgorithm::Sha256),
    }];
    request.public = vec![PublicContribution {
        name: "dice".into(),
        rule: "three dice, 2026-11-30".into(),
    }];
    let plan_id = frozen(&service, &request);
    let name = |contribution: &Contribution| contribution.name.clone();
    let other = contribution("notary", "another envelope");
    let stranger = contribution("stranger", "1");
    let server = contribution("server", &"0".repeat(64));

    let problems = |opened: &[&Contribution]| match service.draw_plan(&plan_id, open(opened)) {
        Err(ServiceError::Opening(problems)) => problems,
        unexpected => panic!("{unexpected:?}"),
    };
    assert_eq!(
        problems(&[]),
        [
            OpeningError::Missing(name(&dice)),
            OpeningError::Missing(name(&notary))
        ]
    );
    assert_eq!(problems(&[&dice]), [OpeningError::Missing(name(&notary))]);
    assert_eq!(
        problems(&[&dice, &other]),
        [OpeningError::Commitment(name(&notary))]
    );
    assert_eq!(
        problems(&[&dice, &notary, &dice]),
        [OpeningError::Twice(name(&dice))]
    );
    assert_eq!(
        problems(&[&dice, &notary, &stranger]),
        [OpeningError::Unplanned(name(&stranger))]
    );
    assert!(problems(&[&dice, &notary, &server]).contains(&OpeningError::Twice(name(&server))));
    assert_eq!(service.plan(&plan_id).unwrap().state, PlanState::Frozen);

    let drawn = service
        .draw_plan(&plan_id, open(&[&notary, &dice]))
        .unwrap();

    // Too late for another value.
    let late = contribution("dice", "6 6 6");
    assert_eq!(
        refused_in(service.draw_plan(&plan_id, open(&[&notary, &late]))),
        PlanState::Drawn
    );
    let closed = service.close_plan(&plan_id).unwrap();
    assert_eq!(closed.sample_digest, drawn.sample_digest);
    assert!(service.verify_plan(&plan_id).unwrap().is_same());
}

#[test]
fn every_contribution_moves_the_draw() {
    // Two installations that are alike in all but one value of a public contribution draw different samples.
    let place = Place::empty();
    let (service, mut request) = world(&place);
    request.public = vec![PublicContribution {
        name: "dice".into(),
        rule: "three dice".into(),
    }];
    let plan_id = frozen(&service, &request);
    let copy = Place::empty();
    rusqlite::Connection::open(place.path())
        .unwrap()
        .execute("VACUUM INTO ?1", [copy.path().to_str().unwrap()])
        .unwrap();

    let here = service
        .draw_plan(&plan_id, vec![contribution("dice", "4 2 6")])
        .unwrap();
    let there = copy
        .service()
        .draw_plan(&plan_id, vec![contribution("dice", "4 2 5")])
        .unwrap();

    assert_eq!(here.frozen, there.frozen);
    assert_ne!(here.sample_digest, there.sample_digest);
}

#[test]
fn contributions_that_cannot_be_planned_are_refused_by_field() {
    let place = Place::empty();
    let (service, request) = world(&place);
    let dice = |name: &str| PublicContribution {
        name: name.into(),
        rule: "three dice".into(),
    };
    for (names, field) in [
        (vec!["server"], "public.name"),
        (vec!["Dice"], "public.name"),
        (vec!["dice", "dice"], "contributions"),
    ] {
        let request = PlanRequest {
            public: names.into_iter().map(dice).collect(),
            ..request.clone()
        };
        let refused = service.draft_plan(request).unwrap_err();
        assert!(
            matches!(&refused, ServiceError::Field(error) if error.field == field),
            "{refused}"
        );
    }
    let request = PlanRequest {
        public: vec![dice("dice")],
        ..request
    };
    assert!(
        matches!(service.draw_plan_now(request), Err(ServiceError::Field(error)) if error.field == "draw")
    );
    assert!(service.plans(None, 9).unwrap().is_empty());
}

/// What was refused of a plan: step, reason and who asked.
fn refused_steps(service: &Service, plan_id: &str) -> Vec<(PlanStep, String, Option<String>)> {
    let events = service.plan_events(plan_id).unwrap().into_iter();
    events
        .filter(|event| event.refused)
        .map(|event| {
            let by = event.by.map(|by| by.to_string());
            (event.step, event.reason.unwrap_or_default(), by)
        })
        .collect()
}

fn refused_steps_stay_visible(place: &Place) {
    let (service, mut request) = world(place);
    request.public = vec![PublicContribution {
        name: "lottery".into(),
        rule: "numbers of 2026-12-01".into(),
    }];
    let by = risktier::service::label("by", "officer-17").unwrap();
    let lottery = contribution("lottery", "3,8,15,21,30,33");
    let plan_id = service.draft_plan(request.clone()).unwrap().plan_id;
    let p = plan_id.as_str();

    // Draw before the commitment, freeze of what is frozen, a value that is missing, another name, and a second draw.
    service
        .draw_plan_by(p, open(&[&lottery]), Some(&by))
        .unwrap_err();
    service.freeze_plan_by(p, Some(&by)).unwrap();
    service.freeze_plan(p).unwrap_err();
    service.draw_plan(p, vec![]).unwrap_err();
    let secret = contribution("secret", "do not tell");
    service
        .draw_plan_by(p, open(&[&lottery, &secret]), Some(&by))
        .unwrap_err();
    service
        .draw_plan_by(p, open(&[&lottery]), Some(&by))
        .unwrap();
    service
        .draw_plan_by(p, open(&[&lottery]), Some(&by))
        .unwrap_err();
    service.close_plan(p).unwrap();
    service.void_plan(p, "too late").unwrap_err();
    assert!(matches!(
        service.draw_plan("none", vec![]),
        Err(ServiceError::UnknownPlan(_))
    ));

    // Another process sees them all, in order, and the steps that were taken between them.
    let other = place.service();
    let refused = refused_steps(&other, p);
    let steps: Vec<PlanStep> = refused.iter().map(|(step, ..)| *step).collect();
    use PlanStep::{Close, Draft, Draw, Freeze, Void};
    assert_eq!(steps, [Draw, Freeze, Draw, Draw, Draw, Void]);
    for ((_, reason, who), (needed, named)) in refused.iter().zip([
        ("is draft; this step needs it to be frozen", true),
        ("is frozen; this step needs it to be draft", false),
        ("lottery", false),
        ("secret", true),
        ("is drawn; this step needs it to be frozen", true),
        ("is closed", false),
    ]) {
        assert!(reason.contains(needed), "{reason}");
        assert!(
            !reason.contains("do not tell") && !reason.contains("3,8,15"),
            "{reason}"
        );
        assert_eq!(who.as_deref(), named.then_some("officer-17"));
    }
    let taken: Vec<PlanStep> = other
        .plan_events(p)
        .unwrap()
        .into_iter()
        .filter(|event| !event.refused)
        .map(|event| event.step)
        .collect();
    assert_eq!(taken, [Draft, Freeze, Draw, Close]);
    // No part of the transcript: it verifies, and does not tell of them.
    assert!(service.verify_plan(p).unwrap().is_same());
    let transcript = service
        .transcript(p, risktier::service::Edition::Internal)
        .unwrap();
    assert!(
        !String::from_utf8(transcript)
            .unwrap()
            .contains("officer-17")
    );
    assert!(matches!(
        other.plan_events("none"),
        Err(ServiceError::UnknownPlan(_))
    ));
}

#[test]
fn refused_steps_stay_visible_with_when_why_and_who() {
    refused_steps_stay_visible(&Place::empty());
}

#[test]
fn refused_steps_stay_visible_on_postgresql() {
    refused_steps_stay_visible(&Place::on(PostgresServer::shared()));
}
