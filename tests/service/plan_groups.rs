//! Coordinated groups: one seed for several plans, nothing added once the tickets can be known.

use std::collections::BTreeSet;

use risktier::domain::Tier;
use risktier::domain::digest::HashAlgorithm;
use risktier::sampling::contribution::{
    Contribution, ContributionName, ContributionValue, OpeningError,
};
use risktier::service::{
    CommittedContribution, Edition, GroupRequest, GroupState, Method, PlanRequest, PlanState,
    PlanStep, PublicContribution, Rounding, Service, ServiceError,
};
use serde_json::Value;

use crate::Place;
use crate::both_verifiers::assert_both_accept;
use crate::plans::world;
use crate::postgres_server::PostgresServer;

pub fn group(group_id: &str) -> GroupRequest {
    GroupRequest {
        group_id: group_id.into(),
        title: "联合抽查".into(),
        hash: HashAlgorithm::Sha256,
        committed: Vec::new(),
        public: Vec::new(),
        public_seed: false,
    }
}

/// A request over one tier, which is one stratum per division; here over one division, so that it is one stratum.
fn one_stratum(request: &PlanRequest, visits: u64) -> PlanRequest {
    let mut request = PlanRequest {
        visits: Some(visits),
        exploration_share: 0.0,
        rounding: Rounding::LargestRemainder,
        ..request.clone()
    };
    request.filter.tiers = vec![Tier::B];
    request
}

fn drafted_in(service: &Service, request: &PlanRequest, group_id: &str) -> String {
    let request = PlanRequest {
        group: Some(group_id.into()),
        ..request.clone()
    };
    service.draft_plan(request).unwrap().plan_id
}

fn sampled(service: &Service, plan_id: &str) -> BTreeSet<(String, String)> {
    let sample = service.sample(plan_id).unwrap();
    sample
        .into_iter()
        .map(|object| (object.enterprise_id, object.stratum))
        .collect()
}

fn refused_in<T: std::fmt::Debug>(step: Result<T, ServiceError>) -> GroupState {
    match step {
        Err(ServiceError::GroupState { state, .. }) => state,
        other => panic!("a refusal for the group's state was expected: {other:?}"),
    }
}

fn contribution(name: &str, value: &str) -> Contribution {
    Contribution {
        name: ContributionName::new(name).unwrap(),
        value: ContributionValue::new(value).unwrap(),
    }
}

fn goes_through_its_steps(place: &Place) {
    let (service, request) = world(place);
    let dice = contribution("dice", "4 2 6");
    let notary = contribution("notary", "a sealed envelope");
    let made = service
        .create_group(GroupRequest {
            committed: vec![CommittedContribution {
                name: "notary".into(),
                commitment: notary.commitment(HashAlgorithm::Sha256),
            }],
            public: vec![PublicContribution {
                name: "dice".into(),
                rule: "three dice, 2026-11-30".into(),
            }],
            ..group("2026-12")
        })
        .unwrap();
    assert_eq!(made.state, GroupState::Forming);
    assert_eq!(made.contributions.len(), 3);

    let small = drafted_in(&service, &one_stratum(&request, 8), "2026-12");
    let large = drafted_in(&service, &one_stratum(&request, 16), "2026-12");
    let whole = drafted_in(&service, &request, "2026-12");
    for plan_id in [&small, &large, &whole] {
        let frozen = service.freeze_plan(plan_id).unwrap().frozen.unwrap();
        assert_eq!(frozen.contributions, made.contributions);
    }
    assert_eq!(
        refused_in(service.draw_plan(&small, vec![])),
        GroupState::Forming
    );
    let sealed = service.seal_group("2026-12").unwrap();
    assert_eq!(sealed.plans.len(), 3);
    assert_eq!(
        refused_in(service.draw_plan(&small, vec![])),
        GroupState::Sealed
    );

    let problems = |opened: &[&Contribution]| {
        let opened = opened.iter().map(|one| (*one).clone()).collect();
        match service.open_group("2026-12", opened) {
            Err(ServiceError::Opening(problems)) => problems,
            unexpected => panic!("{unexpected:?}"),
        }
    };
    let other = contribution("notary", "another envelope");
    assert_eq!(
        problems(&[&notary]),
        [OpeningError::Missing(dice.name.clone())]
    );
    assert_eq!(
        problems(&[&dice, &other]),
        [OpeningError::Commitment(notary.name.clone())]
    );
    let opened = service
        .open_group("2026-12", vec![dice.clone(), notary])
        .unwrap();
    assert_eq!(opened.state, GroupState::Opened);
    assert_eq!(
        refused_in(service.open_group("2026-12", vec![dice.clone()])),
        GroupState::Opened
    );
    assert!(
        matches!(service.draw_plan(&small, vec![dice]), Err(ServiceError::Field(field)) if field.field == "contributions")
    );

    for plan_id in [&large, &small, &whole] {
        service.draw_plan(plan_id, vec![]).unwrap();
        service.close_plan(plan_id).unwrap();
        assert!(service.verify_plan(plan_id).unwrap().is_same());
        assert_both_accept(&service, plan_id, Some("2026-12"));
    }

    // Positive coordination is exact: in every stratum the smaller sample lies within the larger one.
    let (few, many) = (sampled(&service, &small), sampled(&service, &large));
    assert_eq!((few.len(), many.len()), (8, 16));
    assert!(few.is_subset(&many), "{few:?} {many:?}");
    // One seed for all, which is not that of any single plan.
    let seed = |plan_id: &str| {
        let transcript = service.transcript(plan_id, Edition::Auditor).unwrap();
        let value: Value = serde_json::from_slice(&transcript).unwrap();
        assert_eq!(value["plan"]["group"], "2026-12");
        value["seed"].clone()
    };
    assert_eq!(seed(&small), seed(&large));
    assert_eq!(seed(&small), seed(&whole));
    // What is shown of the group holds none of its values.
    let shown = serde_json::to_string(&service.group("2026-12").unwrap()).unwrap();
    assert!(!shown.contains("4 2 6") && !shown.contains("sealed envelope"));
    let listed = service.plans_of_group("2026-12").unwrap();
    assert!(listed.iter().all(|plan| plan.state == PlanState::Closed) && listed.len() == 3);
}

#[test]
fn a_group_goes_through_its_steps_and_its_samples_overlap_as_far_as_they_can() {
    goes_through_its_steps(&Place::empty());
}

#[test]
fn a_group_goes_through_its_steps_on_postgresql() {
    goes_through_its_steps(&Place::on(PostgresServer::shared()));
}

#[test]
fn refused_steps_of_a_group_stay_visible() {
    let place = Place::empty();
    let (service, request) = world(&place);
    let mut asked = group("2026-q4");
    asked.public = vec![PublicContribution {
        name: "lottery".into(),
        rule: "numbers of 2026-12-01".into(),
    }];
    service.create_group(asked).unwrap();
    let early = contribution("lottery", "1,2,3");

    service.open_group("2026-q4", vec![early]).unwrap_err();
    let plan = drafted_in(&service, &one_stratum(&request, 3), "2026-q4");
    service.seal_group("2026-q4").unwrap_err();
    service.freeze_plan(&plan).unwrap();
    service.seal_group("2026-q4").unwrap();
    let wrong = contribution("dice", "6");
    service.open_group("2026-q4", vec![wrong]).unwrap_err();
    service.draw_plan(&plan, vec![]).unwrap_err();

    let events = place.service().group_events("2026-q4").unwrap();
    let told: Vec<(PlanStep, bool)> = events
        .iter()
        .map(|event| (event.step, event.refused))
        .collect();
    use PlanStep::{Draft, Open, Seal};
    assert_eq!(
        told,
        [
            (Draft, false),
            (Open, true),
            (Seal, true),
            (Seal, false),
            (Open, true)
        ]
    );
    // The draw was asked of the plan, which tells it itself.
    let events = service.plan_events(&plan).unwrap();
    let last = events.last().unwrap();
    assert!(last.refused && last.step == PlanStep::Draw, "{last:?}");
}

#[test]
fn a_sealed_group_takes_no_plan_and_a_draft_keeps_it_open() {
    let place = Place::empty();
    let (service, request) = world(&place);
    service.create_group(group("g")).unwrap();
    assert!(
        matches!(service.seal_group("g"), Err(ServiceError::Conflict(why)) if why.contains("no frozen plan"))
    );
    let kept = drafted_in(&service, &request, "g");
    let draft = drafted_in(&service, &request, "g");
    service.freeze_plan(&kept).unwrap();

    let refused = service.seal_group("g").unwrap_err().to_string();
    assert!(
        refused.contains(&draft) && refused.contains("draft"),
        "{refused}"
    );
    assert_eq!(service.group("g").unwrap().state, GroupState::Forming);
    service.void_plan(&draft, "not needed").unwrap();
    let sealed = service.seal_group("g").unwrap();
    assert_eq!(sealed.plans.len(), 1);
    assert_eq!(sealed.plans[0].plan_id, kept);

    let late = PlanRequest {
        group: Some("g".into()),
        ..request.clone()
    };
    assert_eq!(
        refused_in(service.draft_plan(late.clone())),
        GroupState::Sealed
    );
    assert_eq!(refused_in(service.preview_plan(&late)), GroupState::Sealed);
    assert_eq!(refused_in(service.seal_group("g")), GroupState::Sealed);
    assert!(matches!(
        service.draft_plan(PlanRequest {
            group: Some("none".into()),
            ..request
        }),
        Err(ServiceError::UnknownGroup(_))
    ));
}

#[test]
fn a_plan_of_a_group_has_the_groups_hash_contributions_and_public_seed() {
    let place = Place::empty();
    let (service, request) = world(&place);
    service
        .create_group(GroupRequest {
            public_seed: true,
            hash: HashAlgorithm::Sm3,
            ..group("g")
        })
        .unwrap();
    let field = |request: PlanRequest| match service.draft_plan(request) {
        Err(ServiceError::Field(field)) => field.field,
        other => panic!("{other:?}"),
    };
    let in_group = PlanRequest {
        group: Some("g".into()),
        ..request.clone()
    };
    assert_eq!(field(in_group.clone()), "hash");
    let sm3 = PlanRequest {
        hash: HashAlgorithm::Sm3,
        ..in_group
    };
    // The seed of the group would show rates of this plan, and so of all: it needs one rate.
    assert_eq!(field(sm3.clone()), "public_seed");
    let order = PlanRequest {
        method: Method::Order,
        visits: None,
        exploration_share: 0.0,
        ..sm3.clone()
    };
    let with = PlanRequest {
        public: vec![PublicContribution {
            name: "dice".into(),
            rule: "three dice".into(),
        }],
        ..order.clone()
    };
    assert_eq!(field(with), "public");
    let drafted = service.draft_plan(order).unwrap();
    assert!(drafted.request.public_seed);
    assert!(
        matches!(service.draw_plan_now(sm3), Err(ServiceError::Field(field)) if field.field == "draw")
    );
}

#[test]
fn group_ids_are_keys_and_never_used_twice() {
    let place = Place::empty();
    let service = place.service();
    service.create_group(group("2027.q1_a-B")).unwrap();
    assert!(matches!(
        service.create_group(group("2027.q1_a-B")),
        Err(ServiceError::Conflict(_))
    ));
    for bad in ["", "a/b", "a b", "..", "ALL", "组", &"x".repeat(65)] {
        assert!(
            matches!(service.create_group(group(bad)), Err(ServiceError::Field(field)) if field.field == "group_id"),
            "{bad}"
        );
    }
    assert!(matches!(
        service.group("none"),
        Err(ServiceError::UnknownGroup(_))
    ));
    assert_eq!(service.groups(None, 9).unwrap().len(), 1);
}

#[test]
fn a_group_is_given_up_after_its_plans() {
    let place = Place::empty();
    let (service, request) = world(&place);
    service.create_group(group("g")).unwrap();
    let plan = drafted_in(&service, &request, "g");
    let refused = service.void_group("g", "merged").unwrap_err().to_string();
    assert!(refused.contains(&plan), "{refused}");
    service.freeze_plan(&plan).unwrap();
    service.seal_group("g").unwrap();
    service.void_plan(&plan, "merged").unwrap();
    assert!(service.void_group("g", " ").is_err());
    let void = service.void_group("g", "merged").unwrap();
    assert_eq!(
        (void.state, void.void_reason.as_deref()),
        (GroupState::Void, Some("merged"))
    );
    assert_eq!(
        refused_in(service.open_group("g", vec![])),
        GroupState::Void
    );
    assert_eq!(
        refused_in(service.void_group("g", "again")),
        GroupState::Void
    );
}

#[test]
fn all_steps_of_a_group_can_be_one_call() {
    let place = Place::empty();
    let (service, request) = world(&place);
    let plans = [6, 12].map(|visits| one_stratum(&request, visits));
    let (made, drawn) = service
        .draw_group_now(group("now"), plans.to_vec())
        .unwrap();
    assert_eq!(made.state, GroupState::Opened);
    assert!(drawn.iter().all(|plan| plan.state == PlanState::Closed));
    let (few, many) = (
        sampled(&service, &drawn[0].plan_id),
        sampled(&service, &drawn[1].plan_id),
    );
    assert!(few.is_subset(&many));
    let with = GroupRequest {
        public: vec![PublicContribution {
            name: "dice".into(),
            rule: "three dice".into(),
        }],
        ..group("then")
    };
    assert!(service.draw_group_now(with, plans.to_vec()).is_err());
}
