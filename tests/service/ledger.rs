//! The ledger: caps and gaps over all plans, races for the last slot, what void plans give back, visits outside the plans.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Barrier;

use jiff::civil::date;
use risktier::domain::dates::add_days;
use risktier::domain::{EnterpriseId, ExemptReason, ReplaceReason, Tier, VisitKind, VisitState};
use risktier::service::{
    ExemptVisit, GroupRequest, ItemClass, LedgerFilter, Period, Person, PlanRequest, PlanState,
    PoolFilter, ReplaceRequest, SampleStanding, Service, ServiceError,
};

use crate::Place;
use crate::both_verifiers::assert_both_accept;
use crate::items::places;
use crate::plans::{item, world};
use crate::register::{TODAY, id, label};

/// The world with a plan for general items over all of one tier.
fn general_world(place: &Place, tier: Tier) -> (Service, PlanRequest) {
    let (service, request) = world(place);
    service.put_item(item("G-1", ItemClass::General)).unwrap();
    let request = PlanRequest {
        items: vec!["G-1".into()],
        filter: PoolFilter {
            tiers: vec![tier],
            ..PoolFilter::default()
        },
        visits: Some(20),
        exploration_share: 0.0,
        ..request
    };
    (service, request)
}

fn in_period(request: &PlanRequest, from: (i16, i8, i8), to: (i16, i8, i8)) -> PlanRequest {
    PlanRequest {
        period: Period {
            from: date(from.0, from.1, from.2),
            to: date(to.0, to.1, to.2),
        },
        ..request.clone()
    }
}

fn excluded(service: &Service, request: &PlanRequest) -> BTreeMap<String, u64> {
    let preview = service.preview_plan(request).unwrap();
    let counted = preview.excluded.into_iter();
    counted.map(|one| (one.reason, one.count)).collect()
}

fn planned(service: &Service, plan_id: &str) -> Vec<EnterpriseId> {
    let filter = LedgerFilter {
        plan_id: Some(plan_id.to_owned()),
        state: Some(VisitState::Planned),
        ..LedgerFilter::default()
    };
    let visits = service.visits(&filter, None, 1_000).unwrap();
    visits
        .into_iter()
        .map(|visit| visit.enterprise_id)
        .collect()
}

#[test]
fn an_object_that_has_its_visits_of_the_year_rests() {
    for place in places() {
        let (service, request) = general_world(&place, Tier::A);
        let half = PlanRequest {
            visits: Some(12),
            ..request.clone()
        };
        let plan = service.draw_plan_now(half).unwrap();
        let drawn: BTreeSet<_> = planned(&service, &plan.plan_id).into_iter().collect();
        assert_eq!(drawn.len(), 12);

        let rest = PlanRequest {
            visits: Some(8),
            ..request.clone()
        };
        assert_eq!(
            excluded(&service, &rest),
            BTreeMap::from([("cap_reached".to_owned(), 12)])
        );
        let second = service.draw_plan_now(rest).unwrap();
        let others: BTreeSet<_> = planned(&service, &second.plan_id).into_iter().collect();
        assert_eq!((second.preview.pool_size, others.len()), (8, 8));
        assert!(drawn.is_disjoint(&others));
        // The next year is another one, and key items are not capped.
        let next = in_period(&request, (2027, 1, 1), (2027, 3, 31));
        assert!(excluded(&service, &next).is_empty());
        let key = PlanRequest {
            items: vec!["F-001".into()],
            ..request
        };
        assert_eq!(service.preview_plan(&key).unwrap().pool_size, 20);
    }
}

#[test]
fn visits_to_a_tier_with_a_gap_keep_it() {
    let place = Place::empty();
    let (service, request) = general_world(&place, Tier::D);
    let first = in_period(&request, (2026, 1, 1), (2026, 1, 31));
    let plan = service.draw_plan_now(first).unwrap();
    assert_eq!(planned(&service, &plan.plan_id).len(), 20);

    let close = in_period(&request, (2026, 2, 1), (2026, 3, 31));
    assert!(matches!(
        service.preview_plan(&close),
        Err(ServiceError::Allocation(_))
    ));
    // Two of them were visited early, so two may be visited again.
    let visits = service.visits(&LedgerFilter::default(), None, 2).unwrap();
    for visit in &visits {
        service
            .note_visit(visit.visit_no, date(2026, 1, 2), Some(label("officer-1")))
            .unwrap();
    }
    let two = PlanRequest {
        visits: Some(2),
        ..close
    };
    assert_eq!(
        excluded(&service, &two),
        BTreeMap::from([("gap_not_over".to_owned(), 18)])
    );
    let again = service.draw_plan_now(two).unwrap();
    let filter = LedgerFilter {
        plan_id: Some(again.plan_id),
        ..LedgerFilter::default()
    };
    for visit in service.visits(&filter, None, 9).unwrap() {
        assert_eq!(visit.from_on, date(2026, 3, 3));
        assert_eq!(visit.until_on, date(2026, 3, 31));
        assert_eq!(visit.slot, Some(2));
    }
}

#[test]
fn of_two_plans_that_race_for_the_last_slot_one_takes_its_reserve() {
    for place in places() {
        let (service, request) = general_world(&place, Tier::A);
        let request = PlanRequest {
            visits: Some(14),
            reserve_share: 1.0,
            ..request
        };
        // Two of fourteen each over the same twenty: at least eight objects are in both draws.
        let plans: Vec<String> = (0..2)
            .map(|_| {
                let plan = service.draft_plan(request.clone()).unwrap();
                service.freeze_plan(&plan.plan_id).unwrap();
                plan.plan_id
            })
            .collect();
        let replicas = [place.service(), place.service()];
        let start = Barrier::new(2);
        std::thread::scope(|scope| {
            for (plan_id, replica) in plans.iter().zip(&replicas) {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    replica.draw_plan(plan_id, Vec::new()).unwrap();
                });
            }
        });

        let visited: Vec<Vec<EnterpriseId>> =
            plans.iter().map(|plan| planned(&service, plan)).collect();
        let all: BTreeSet<&EnterpriseId> = visited.iter().flatten().collect();
        assert_eq!(all.len(), visited[0].len() + visited[1].len());
        // One draw is whole; the other visits whom the first has left, and says of everybody else why not.
        let counts: BTreeSet<usize> = visited.iter().map(Vec::len).collect();
        assert_eq!(counts, BTreeSet::from([14, 6]));
        for (plan_id, visits) in plans.iter().zip(&visited) {
            let plan = service.plan(plan_id).unwrap();
            assert_eq!(plan.sample_size, Some(14));
            let replacements = service.replacements(plan_id).unwrap();
            let sample: BTreeSet<String> = service
                .sample(plan_id)
                .unwrap()
                .into_iter()
                .filter(|object| object.standing != SampleStanding::Replacement)
                .map(|object| object.enterprise_id)
                .collect();
            let left_out: BTreeSet<&str> = replacements
                .iter()
                .map(|one| one.enterprise_id.as_str())
                .collect();
            assert!(
                replacements
                    .iter()
                    .all(|one| one.reason == ReplaceReason::CapReached)
            );
            assert_eq!(replacements.is_empty(), visits.len() == 14);
            for visit in visits {
                let stands_in = replacements.iter().any(|one| {
                    let taken = one.taken.as_ref();
                    taken.is_some_and(|taken| taken.enterprise_id == visit.as_str())
                });
                assert!(sample.contains(visit.as_str()) || stands_in);
                assert!(!left_out.contains(visit.as_str()));
            }
            // The draw itself is untouched, so it replays.
            service.close_plan(plan_id).unwrap();
            assert!(service.verify_plan(plan_id).unwrap().is_same());
        }
    }
}

#[test]
fn a_void_plan_gives_its_slots_back_but_not_those_of_visits_that_took_place() {
    for place in places() {
        let (service, request) = general_world(&place, Tier::B);
        let request = in_period(&request, (2026, 11, 1), (2026, 11, 30));
        let plan = service.draft_plan(request.clone()).unwrap();
        service.freeze_plan(&plan.plan_id).unwrap();
        service.draw_plan(&plan.plan_id, Vec::new()).unwrap();
        let visits = service.visits(&LedgerFilter::default(), None, 50).unwrap();
        assert_eq!(visits.len(), 20);
        service.note_visit(visits[0].visit_no, TODAY, None).unwrap();

        let void = service.void_plan(&plan.plan_id, "wrong list").unwrap();

        assert_eq!(void.state, PlanState::Void);
        assert_eq!(
            excluded(
                &service,
                &PlanRequest {
                    visits: Some(1),
                    ..request
                }
            ),
            BTreeMap::from([("cap_reached".to_owned(), 1)])
        );
        let kept = service.visits(&LedgerFilter::default(), None, 50).unwrap();
        let voided = kept
            .iter()
            .filter(|visit| visit.state == VisitState::Void && visit.slot.is_none());
        assert_eq!(voided.count(), 19);
        assert!(matches!(
            service.note_visit(visits[1].visit_no, TODAY, None),
            Err(ServiceError::Conflict(_))
        ));
    }
}

#[test]
fn visits_outside_the_plans_are_counted_and_bind_nothing() {
    for place in places() {
        let (service, request) = general_world(&place, Tier::A);
        let exempt = |number: usize, days_ago: i32, reason| ExemptVisit {
            enterprise_id: id(number),
            visited_on: add_days(TODAY, -days_ago),
            reason,
            departments: vec![label("fire"), label("amr"), label("fire")],
            items: vec![label("G-1")],
            note: Some("12315".into()),
            by: Some(label("officer-2")),
        };
        let entered = service
            .enter_visits(vec![
                exempt(1, 5, ExemptReason::Complaint),
                exempt(1, 3, ExemptReason::Rectification),
            ])
            .unwrap();
        assert!(entered[0].visit_no < entered[1].visit_no);

        assert!(excluded(&service, &request).is_empty());
        let ledger = service.enterprise_ledger(&id(1)).unwrap();
        assert_eq!(ledger.years[&2026].exempt, 2);
        assert_eq!(ledger.visits[0].reason, Some(ExemptReason::Rectification));
        assert_eq!(ledger.visits[0].departments, [label("amr"), label("fire")]);
        assert_eq!(ledger.visits[0].kind, VisitKind::Exempt);

        let unknown = service.enter_visits(vec![exempt(999, 1, ExemptReason::Transfer)]);
        assert!(matches!(unknown, Err(ServiceError::UnknownEnterprise(_))));
        let to_come = service.enter_visits(vec![exempt(2, -1, ExemptReason::Transfer)]);
        assert!(
            to_come
                .unwrap_err()
                .to_string()
                .contains("visits.0.visited_on")
        );
        assert!(matches!(
            service.note_visit(entered[0].visit_no, TODAY, None),
            Err(ServiceError::Conflict(_))
        ));
        assert!(matches!(
            service.note_visit(99_999, TODAY, None),
            Err(ServiceError::UnknownVisit(_))
        ));
        assert!(matches!(
            service.enterprise_ledger(&id(999)),
            Err(ServiceError::UnknownEnterprise(_))
        ));
    }
}

#[test]
fn a_year_is_summed_up() {
    for place in places() {
        let (service, request) = general_world(&place, Tier::D);
        let mut joint = item("J-1", ItemClass::General);
        joint.department = Some(label("fire"));
        service.put_item(joint).unwrap();
        let first = PlanRequest {
            department: Some(label("amr")),
            ..in_period(&request, (2026, 1, 1), (2026, 1, 31))
        };
        let second = PlanRequest {
            items: vec!["J-1".into()],
            department: Some(label("amr")),
            visits: Some(5),
            ..in_period(&request, (2026, 6, 1), (2026, 6, 30))
        };
        service.draw_plan_now(first).unwrap();
        service.draw_plan_now(second).unwrap();
        service
            .draw_plan_now(PlanRequest {
                items: vec!["F-001".into()],
                visits: Some(10),
                filter: PoolFilter {
                    tiers: vec![Tier::A],
                    ..PoolFilter::default()
                },
                ..request
            })
            .unwrap();

        let year = service.ledger_summary(None).unwrap();

        assert_eq!(
            (year.year, year.general_count, year.key_count),
            (2026, 25, 10)
        );
        assert_eq!((year.visited_count, year.object_count), (30, 80));
        assert!((year.repeat_rate - 5.0 / 30.0).abs() < 1e-12);
        assert!((year.joint_share - 5.0 / 35.0).abs() < 1e-12);
        assert!((year.general_rate - 25.0 / 80.0).abs() < 1e-12);
        assert_eq!(service.ledger_summary(Some(2020)).unwrap().general_count, 0);
    }
}

#[test]
fn the_year_of_the_ledger_is_held_against_floor_and_ceiling() {
    let place = Place::empty();
    let (service, request) = general_world(&place, Tier::A);
    let early = PlanRequest {
        visits: Some(1),
        ..in_period(&request, (2026, 6, 1), (2026, 6, 30))
    };
    let preview = service.preview_plan(&early).unwrap();
    let year = preview.year.as_ref().unwrap();
    assert_eq!(
        (year.year, year.planned_count, year.object_count),
        (2026, 0, 80)
    );
    assert!(
        preview
            .warnings
            .iter()
            .any(|text| text.contains("behind the 1.49 %")),
        "{:?}",
        preview.warnings
    );
    service
        .draw_plan_now(PlanRequest {
            visits: Some(4),
            ..early.clone()
        })
        .unwrap();
    let preview = service.preview_plan(&early).unwrap();
    assert_eq!(preview.year.as_ref().unwrap().planned_count, 4);
    assert!(
        preview
            .warnings
            .iter()
            .any(|text| text.contains("come to 6.25 %")),
        "{:?}",
        preview.warnings
    );
    assert_eq!(preview.overlaps.len(), 1);
    // Whoever was drawn rests, so nobody is expected to be drawn again.
    assert_eq!(preview.overlaps[0].object_count, 0);
}

/// Two plans of one group over the same strata, drawn: twelve visits for the first items and nine for the second.
fn group_of_two(service: &Service, request: &PlanRequest, items: [&str; 2]) -> [String; 2] {
    let group = service
        .create_group(GroupRequest {
            group_id: "q4".into(),
            title: "joint".into(),
            hash: request.hash,
            committed: Vec::new(),
            public: Vec::new(),
            public_seed: false,
        })
        .unwrap();
    let plans = [(items[0], 12, "amr"), (items[1], 9, "fire")].map(|(code, visits, department)| {
        let plan = service
            .draft_plan(PlanRequest {
                items: vec![code.into()],
                visits: Some(visits),
                department: Some(label(department)),
                group: Some(group.group_id.clone()),
                reserve_share: 1.0,
                ..request.clone()
            })
            .unwrap();
        service.freeze_plan(&plan.plan_id).unwrap();
        plan.plan_id
    });
    service.seal_group("q4").unwrap();
    service.open_group("q4", Vec::new()).unwrap();
    for plan in &plans {
        service.draw_plan(plan, Vec::new()).unwrap();
        assert!(service.replacements(plan).unwrap().is_empty());
    }
    plans
}

#[test]
fn plans_of_one_group_share_their_visits() {
    for (class, kind) in [
        (ItemClass::General, VisitKind::General),
        (ItemClass::Key, VisitKind::Key),
    ] {
        for place in places() {
            let (service, request) = general_world(&place, Tier::A);
            service.put_item(item("X-1", class)).unwrap();
            service.put_item(item("X-2", class)).unwrap();
            group_of_two(&service, &request, ["X-1", "X-2"]);
            // The smaller sample lies within the larger one, so there are twelve visits, nine of them of both.
            let visits = service.visits(&LedgerFilter::default(), None, 99).unwrap();
            assert_eq!(visits.len(), 12);
            assert!(visits.iter().all(|visit| visit.kind == kind));
            let joint = visits.iter().filter(|visit| visit.is_joint());
            assert_eq!(joint.clone().count(), 9);
            assert!(
                joint
                    .clone()
                    .all(|visit| visit.items == [label("X-1"), label("X-2")])
            );
        }
    }
}

#[test]
fn a_shared_visit_stays_for_the_plan_that_still_needs_it() {
    for place in places() {
        let (service, request) = general_world(&place, Tier::A);
        service.put_item(item("G-2", ItemClass::General)).unwrap();
        let [first, second] = group_of_two(&service, &request, ["G-1", "G-2"]);
        let wanted: BTreeSet<EnterpriseId> = planned(&service, &second).into_iter().collect();
        assert_eq!(wanted.len(), 9);

        service.void_plan(&first, "wrong list").unwrap();

        let left: BTreeSet<EnterpriseId> = planned(&service, &second).into_iter().collect();
        assert_eq!(left, wanted);
        let visits = service.visits(&LedgerFilter::default(), None, 99).unwrap();
        for visit in &visits {
            if wanted.contains(&visit.enterprise_id) {
                assert_eq!(visit.state, VisitState::Planned);
                assert_eq!(visit.items, [label("G-2")]);
                assert_eq!(visit.departments, [label("fire")]);
                assert_eq!(visit.slot, Some(1));
            } else {
                assert_eq!((visit.state, visit.slot), (VisitState::Void, None));
            }
        }
        assert_eq!(visits.len(), 12);
        let rest = PlanRequest {
            visits: Some(1),
            ..request
        };
        assert_eq!(
            excluded(&service, &rest),
            BTreeMap::from([("cap_reached".to_owned(), 9)])
        );
    }
}

#[test]
fn a_replaced_object_gives_its_slot_back_and_whoever_comes_in_takes_one() {
    for place in places() {
        let (service, request) = general_world(&place, Tier::A);
        let with_reserve = PlanRequest {
            visits: Some(8),
            reserve_share: 1.0,
            ..request.clone()
        };
        let plan = service.draft_plan(with_reserve).unwrap().plan_id;
        service.freeze_plan(&plan).unwrap();
        service.draw_plan(&plan, Vec::new()).unwrap();
        let sample = service.sample(&plan).unwrap();
        let replace = |object: &str, reason| {
            let request = ReplaceRequest {
                enterprise_id: object.parse().unwrap(),
                reason,
                note: None,
                by: label("officer-1"),
            };
            service.replace_object(&plan, &request)
        };
        let gone = &sample[0];
        let visit_of = |object: &str| {
            let visits = service.enterprise_ledger(&object.parse().unwrap());
            visits.unwrap().visits.remove(0)
        };

        let replaced = replace(&gone.enterprise_id, ReplaceReason::Ceased).unwrap();

        assert!(replaced.passed_over.is_empty());
        let taken = replaced.replacement.taken.unwrap().enterprise_id;
        let (old, new) = (visit_of(&gone.enterprise_id), visit_of(&taken));
        assert_eq!((old.state, old.slot), (VisitState::Replaced, None));
        assert_eq!((new.state, new.slot), (VisitState::Planned, Some(1)));
        assert_eq!(new.plan_id.as_deref(), Some(plan.as_str()));
        assert_eq!((new.from_on, new.until_on), (old.from_on, old.until_on));
        assert_eq!(planned(&service, &plan).len(), 8);
        let rest = PlanRequest {
            visits: Some(12),
            ..request.clone()
        };
        assert_eq!(
            excluded(&service, &rest),
            BTreeMap::from([("cap_reached".to_owned(), 8)])
        );

        // Another plan now visits everybody else, so nobody of the reserve may be visited any more.
        let other = service.draw_plan_now(rest).unwrap();
        assert_eq!(planned(&service, &other.plan_id).len(), 12);
        let next = sample
            .iter()
            .find(|object| object.stratum != gone.stratum)
            .unwrap();
        let replaced = replace(&next.enterprise_id, ReplaceReason::NotFound).unwrap();
        assert!(replaced.replacement.taken.is_some());
        assert!(!replaced.passed_over.is_empty());
        assert!(
            replaced
                .passed_over
                .iter()
                .all(|one| one.reason == ReplaceReason::CapReached && one.by.as_str() == "ledger")
        );
        assert_eq!(replaced.passed_over.last().unwrap().taken, None);
        assert_eq!(planned(&service, &plan).len(), 7);

        // Whoever was visited is not replaced.
        let visited = visit_of(&taken).visit_no;
        service.note_visit(visited, TODAY, None).unwrap();
        let refused = replace(&taken, ReplaceReason::NotConcerned);
        assert!(
            matches!(refused, Err(ServiceError::Conflict(_))),
            "{refused:?}"
        );
        // The draw is untouched, and verifiers follow every replacement in its order.
        service.close_plan(&plan).unwrap();
        assert!(service.verify_plan(&plan).unwrap().is_same());
        assert_both_accept(&service, &plan, None);
    }
}

#[test]
fn of_a_shared_visit_only_the_replacing_plans_part_goes() {
    for place in places() {
        let (service, request) = general_world(&place, Tier::A);
        service.put_item(item("G-2", ItemClass::General)).unwrap();
        let [first, second] = group_of_two(&service, &request, ["G-1", "G-2"]);
        let shared = planned(&service, &second).remove(0);
        let before = planned(&service, &first).len();

        let replaced = service
            .replace_object(
                &first,
                &ReplaceRequest {
                    enterprise_id: shared.clone(),
                    reason: ReplaceReason::NotConcerned,
                    note: None,
                    by: label("officer-1"),
                },
            )
            .unwrap();

        let visits = service.enterprise_ledger(&shared).unwrap().visits;
        assert_eq!(visits.len(), 1);
        assert_eq!(visits[0].state, VisitState::Planned);
        assert_eq!(visits[0].items, [label("G-2")]);
        assert_eq!(visits[0].plan_id.as_deref(), Some(second.as_str()));
        // Who comes in joins the other plan's visit, where that one visits it too.
        let taken = replaced.replacement.taken.unwrap().enterprise_id;
        let taken = service.enterprise_ledger(&taken.parse().unwrap()).unwrap();
        assert_eq!(taken.visits.len(), 1);
        assert!(taken.visits[0].items.contains(&label("G-1")));
        assert_eq!(planned(&service, &first).len(), before);
    }
}

#[test]
fn visits_under_a_merged_id_count_for_its_successor() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for place in places() {
        let (service, request) = general_world(&place, Tier::A);
        service.draw_plan_now(request.clone()).unwrap();
        let frame = service.freeze_frame(None).unwrap();
        let of_b = PlanRequest {
            frame_id: frame.frame_id,
            filter: PoolFilter {
                tiers: vec![Tier::B],
                ..PoolFilter::default()
            },
            visits: Some(5),
            ..request
        };
        assert!(excluded(&service, &of_b).is_empty());
        // Number 1 is of tier A and was drawn, number 4 is of tier B.
        let person = Person::parse("officer-1", "one firm, two codes").unwrap();
        runtime
            .block_on(service.merge_enterprise(id(1), id(4), None, person))
            .unwrap();

        assert_eq!(
            excluded(&service, &of_b),
            BTreeMap::from([("cap_reached".to_owned(), 1)])
        );
        let ledger = service.enterprise_ledger(&id(4)).unwrap();
        assert_eq!(ledger.years[&2026].general, 1);
        assert_eq!(ledger.visits[0].enterprise_id, id(1));
        let plan = service.draw_plan_now(of_b).unwrap();
        assert!(!planned(&service, &plan.plan_id).contains(&id(4)));
        let year = service.ledger_summary(None).unwrap();
        assert_eq!((year.general_count, year.visited_count), (25, 25));
    }
}
