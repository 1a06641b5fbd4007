//! Rates explained, allocation by what is asked for, and policies tried against each other.

use risktier::domain::{FieldError, Tier};
use risktier::service::{
    AllocationBy, AllocationRequest, DomainTrait, ItemClass, LimitCode, PlanRequest, PoolPlace,
    PrecisionBound, RateFactor, Rounding, ServiceError, SimulationRequest, StratumRule,
};

use crate::Place;
use crate::plans::{item, world};
use crate::register::id;

const POLICY: &str = include_str!("../../models/policy.toml");

fn rule(tier: Tier, problem: f64) -> StratumRule {
    StratumRule {
        tier: Some(tier),
        problem_probability: Some(problem),
        ..StratumRule::default()
    }
}

fn predicted() -> Vec<StratumRule> {
    vec![
        rule(Tier::A, 0.02),
        rule(Tier::B, 0.1),
        rule(Tier::C, 0.3),
        rule(Tier::D, 0.5),
    ]
}

#[test]
fn every_rate_is_explained_down_to_the_number_of_its_stratum() {
    let place = Place::empty();
    let (service, request) = world(&place);
    let mut capped = item("G-1", ItemClass::General);
    capped.ratio_cap = Some(0.12);
    service.put_item(capped).unwrap();
    let request = PlanRequest {
        items: vec!["G-1".into()],
        visits: None,
        ..request
    };
    let draft = service.draft_plan(request).unwrap().plan_id;
    for number in 1..=80 {
        let rate = service.plan_rate(&draft, &id(number)).unwrap();
        assert_eq!(rate.steps.last().unwrap().rate_ppb, rate.rate_ppb);
        assert_eq!(rate.policy, "cn-general/1");
        let first = &rate.steps[0];
        assert_eq!(first.factor, RateFactor::TierRate);
        assert_eq!(
            first.source,
            format!("sampling.rates.general.{}", rate.tier)
        );
        let capped = rate
            .steps
            .iter()
            .any(|step| step.factor == RateFactor::ItemCap && step.source == "items.G-1.ratio_cap");
        assert_eq!(capped, rate.tier >= Tier::C, "{:?}", rate.steps);
        let PoolPlace::InPool {
            stratum,
            target_ppb,
            ..
        } = rate.place
        else {
            panic!("{:?}", rate.place);
        };
        let shown = service.plan(&draft).unwrap().preview.strata;
        let shown = shown.iter().find(|shown| shown.key == stratum).unwrap();
        assert_eq!(shown.meaning.rate.rate_ppb, rate.rate_ppb);
        assert_eq!(target_ppb, Some(shown.target_ppb));
    }
    assert!(matches!(
        service.plan_rate(&draft, &id(999)),
        Err(ServiceError::UnknownEnterprise(_))
    ));

    // Drawn, the place is that of the frozen pool, whatever the ledger says since.
    service.freeze_plan(&draft).unwrap();
    service.draw_plan(&draft, Vec::new()).unwrap();
    let rate = service.plan_rate(&draft, &id(1)).unwrap();
    assert!(
        matches!(rate.place, PoolPlace::InPool { .. }),
        "{:?}",
        rate.place
    );
}

#[test]
fn who_rests_or_is_not_asked_for_is_told_so() {
    let place = Place::empty();
    let (service, request) = world(&place);
    service.put_item(item("G-1", ItemClass::General)).unwrap();
    let general = |tier, visits| PlanRequest {
        items: vec!["G-1".into()],
        filter: risktier::service::PoolFilter {
            tiers: vec![tier],
            ..Default::default()
        },
        visits: Some(visits),
        exploration_share: 0.0,
        ..request.clone()
    };
    let first = service.draw_plan_now(general(Tier::A, 19)).unwrap();
    let drawn = service.sample(&first.plan_id).unwrap();
    let next = service.draft_plan(general(Tier::A, 1)).unwrap().plan_id;
    let drawn_id = risktier::domain::EnterpriseId::parse(&drawn[0].enterprise_id).unwrap();
    let rate = service.plan_rate(&next, &drawn_id).unwrap();
    assert_eq!(
        rate.place,
        PoolPlace::LeftOut {
            reason: "cap_reached".into()
        }
    );
    let other = service.draft_plan(general(Tier::B, 1)).unwrap().plan_id;
    let rate = service.plan_rate(&other, &drawn_id).unwrap();
    assert_eq!(rate.place, PoolPlace::NotAskedFor);
}

#[test]
fn visits_go_by_prediction_days_and_bounds() {
    let place = Place::empty();
    let (service, request) = world(&place);
    let by = |by, inspector_days, visits, strata: Vec<StratumRule>| PlanRequest {
        visits,
        exploration_share: 0.0,
        allocation: AllocationRequest {
            by,
            inspector_days,
            strata,
            ..AllocationRequest::default()
        },
        ..request.clone()
    };
    let neyman = by(AllocationBy::Neyman, None, Some(40), predicted());
    let preview = service.preview_plan(&neyman).unwrap();
    assert!((preview.expected_visits - 40.0).abs() < 1e-6);
    let visits = |tier| {
        let found = preview.tiers.iter().find(|one| one.tier == tier).unwrap();
        found.expected_visits
    };
    // Twenty objects a tier: visits as √p(1 − p): 0.14 : 0.3 : 0.458 : 0.5.
    assert!((visits(Tier::A) - 40.0 * 0.14 / 1.39826).abs() < 0.001);
    assert!((visits(Tier::D) - 40.0 * 0.5 / 1.39826).abs() < 0.001);
    let found: f64 = preview
        .tiers
        .iter()
        .map(|one| one.expected_problems.unwrap())
        .sum();
    assert!(found > 10.0 && found < 20.0, "{found}");
    assert!(
        preview
            .tiers
            .iter()
            .all(|one| one.expected_half_width.unwrap() < 0.5)
    );

    let mut cheap = predicted();
    cheap.push(StratumRule {
        days_per_visit: Some(0.5),
        ..StratumRule::default()
    });
    let days = by(AllocationBy::Rates, Some(10.0), None, cheap);
    let preview = service.preview_plan(&days).unwrap();
    assert!((preview.inspector_days - 10.0).abs() < 1e-6);
    assert!((preview.expected_visits - 20.0).abs() < 1e-6);

    let bound = |least, most| StratumRule {
        tier: Some(Tier::D),
        least,
        most,
        ..StratumRule::default()
    };
    let capped = by(
        AllocationBy::Rates,
        None,
        Some(40),
        vec![bound(None, Some(1))],
    );
    let preview = service.preview_plan(&capped).unwrap();
    let d = preview
        .tiers
        .iter()
        .find(|one| one.tier == Tier::D)
        .unwrap();
    assert!((d.expected_visits - 4.0).abs() < 1e-9);
    assert!(
        preview
            .limits
            .iter()
            .any(|note| note.code == LimitCode::FallsWithRisk),
        "{:?}",
        preview.limits
    );

    let refused = |request: &PlanRequest| service.preview_plan(request).unwrap_err().to_string();
    let told = refused(&by(AllocationBy::Neyman, None, Some(40), Vec::new()));
    assert!(told.contains("not calibrated"), "{told}");
    let told = refused(&by(AllocationBy::Neyman, None, None, predicted()));
    assert!(told.contains("allocation.by"), "{told}");
    let told = refused(&by(AllocationBy::Rates, Some(5.0), Some(5), Vec::new()));
    assert!(told.contains("`visits`"), "{told}");
    let told = refused(&by(
        AllocationBy::Rates,
        None,
        Some(40),
        vec![bound(Some(6), None)],
    ));
    assert!(told.contains("at least 6 visits and at most 5"), "{told}");
    let told = refused(&by(
        AllocationBy::Rates,
        None,
        Some(40),
        vec![bound(Some(3), Some(2))],
    ));
    assert!(told.contains("allocation.strata.0.least"), "{told}");
}

#[test]
fn a_candidate_policy_is_tried_without_drawing() {
    let place = Place::empty();
    let (service, request) = world(&place);
    service.put_item(item("G-1", ItemClass::General)).unwrap();
    let plan = PlanRequest {
        items: vec!["G-1".into()],
        visits: None,
        exploration_share: 0.0,
        allocation: AllocationRequest {
            strata: predicted(),
            ..AllocationRequest::default()
        },
        ..request
    };
    let candidate = POLICY
        .replacen("name = \"cn-general\"", "name = \"stricter\"", 1)
        .replacen("C = 0.15", "C = 0.30", 1);
    let simulated = service
        .simulate_policies(&SimulationRequest {
            plan: plan.clone(),
            candidate: candidate.clone(),
            current: None,
        })
        .unwrap();

    let (current, stricter) = (&simulated.current, &simulated.candidate);
    assert_eq!(
        (current.policy.as_str(), stricter.policy.as_str()),
        ("cn-general/1", "stricter/1")
    );
    let of = |side: &risktier::service::SimulationSide, tier| {
        let found = side
            .simulated
            .tiers
            .iter()
            .find(|one| one.tier == tier)
            .unwrap();
        found.expected_visits
    };
    assert!((of(stricter, Tier::C) - 2.0 * of(current, Tier::C)).abs() < 1e-6);
    assert!((of(stricter, Tier::D) - of(current, Tier::D)).abs() < 1e-9);
    assert_eq!((simulated.raised_count, simulated.lowered_count), (20, 0));
    assert!(stricter.simulated.expected_problems > current.simulated.expected_problems);
    assert!((simulated.overlap_most - current.simulated.expected_visits).abs() < 1e-9);
    assert!(simulated.overlap_independent < simulated.overlap_most);
    let spread: f64 = current.simulated.divisions.values().sum();
    assert!((spread - current.simulated.expected_visits).abs() < 1e-9);
    assert!(!simulated.tier_rules_differ);
    assert!(service.plans(None, 9).unwrap().is_empty());

    for (wrong, named) in [
        (
            candidate.replacen("C = 0.30", "C = 0.60", 1),
            "tier D has a lower rate than tier C",
        ),
        ("nonsense".to_owned(), "cannot be read"),
        (
            candidate.replacen("cap = { A = 1, B = 1", "cap = { A = 2, B = 1", 1),
            "caps never fall",
        ),
    ] {
        let refused = service.simulate_policies(&SimulationRequest {
            plan: plan.clone(),
            candidate: wrong,
            current: None,
        });
        let Err(ServiceError::Field(FieldError { field, reason, .. })) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(field, "candidate");
        assert!(reason.contains(named), "{reason}");
    }
}

fn by_precision(request: &PlanRequest, precision: Vec<PrecisionBound>) -> PlanRequest {
    PlanRequest {
        visits: None,
        allocation: AllocationRequest {
            by: AllocationBy::Precision,
            strata: predicted(),
            precision,
            ..AllocationRequest::default()
        },
        ..request.clone()
    }
}

fn bound(cv: f64) -> PrecisionBound {
    PrecisionBound {
        cv,
        ..PrecisionBound::default()
    }
}

#[test]
fn visits_go_by_the_precision_that_is_asked_for() {
    let place = Place::empty();
    let (service, request) = world(&place);
    let asked = |precision: Vec<PrecisionBound>, more: &dyn Fn(&mut PlanRequest)| {
        let mut request = by_precision(&request, precision);
        more(&mut request);
        request
    };
    let each_tier = PrecisionBound {
        each: vec![DomainTrait::Tier],
        ..bound(0.6)
    };
    let plain = asked(vec![bound(0.25), each_tier.clone()], &|_| {});

    let preview = service.preview_plan(&plain).unwrap();

    let precision = preview.precision.as_ref().unwrap();
    assert_eq!(precision.bounds.len(), 5);
    for bound in &precision.bounds {
        assert!(
            bound.expected_cv <= bound.most_cv * (1.0 + 1e-9),
            "{bound:?}"
        );
        assert_eq!(bound.of, "problems");
    }
    // 20 of each tier, which find 0.4 + 2 + 6 + 10 problems.
    let whole = &precision.bounds[0];
    assert!(whole.domain.is_empty() && whole.object_count == 80);
    assert!((whole.expected_total - 18.4).abs() < 1e-9, "{whole:?}");
    // The rare problems of tier A make its bound the dear one; nobody riskier gets less for it.
    let dear = &precision.bounds[1];
    assert_eq!(dear.domain[&DomainTrait::Tier], "A");
    assert!(
        dear.days_per_point > 0.0 && (dear.expected_cv - 0.6).abs() < 0.01,
        "{dear:?}"
    );
    let shares: Vec<f64> = preview
        .tiers
        .iter()
        .map(|tier| tier.inclusion_probability)
        .collect();
    assert!(shares.is_sorted_by(|a, b| *a <= *b + 1e-6), "{shares:?}");
    // Exploration comes on top of what the strata need.
    let without = service
        .preview_plan(&asked(vec![bound(0.25), each_tier], &|request| {
            request.exploration_share = 0.0
        }))
        .unwrap();
    assert!(without.expected_visits <= preview.expected_visits);

    // What is frozen says what was asked for, and the drawn plan verifies.
    let plan = service.draw_plan_now(plain).unwrap();
    let frozen: serde_json::Value =
        serde_json::from_slice(&service.frozen_plan(&plan.plan_id).unwrap()).unwrap();
    assert_eq!(
        frozen["filter"]["precision"],
        serde_json::json!([{"cv": "0.25"}, {"cv": "0.6", "each": ["tier"]}])
    );
    crate::both_verifiers::assert_both_accept(&service, &plan.plan_id, None);
    assert_eq!(plan.preview.precision, preview.precision);
    let sheet = service
        .plan_sheet(&plan.plan_id, risktier::service::Audience::Internal)
        .unwrap();
    for (language, words) in [
        (risktier::report::Language::En, "coefficient of variation"),
        (risktier::report::Language::Zh, "变异系数"),
    ] {
        let page = risktier::report::plan_sheet_page(&sheet, language);
        assert!(page.contains("Bethel") && page.contains(words), "{words}");
    }

    // Whole numbers of visits hold the bounds too.
    let whole = service
        .preview_plan(&asked(vec![bound(0.2)], &|request| {
            request.rounding = Rounding::LargestRemainder;
            request.exploration_share = 0.0;
        }))
        .unwrap();
    assert!(
        whole
            .strata
            .iter()
            .all(|stratum| stratum.target_ppb % 1_000_000_000 == 0)
    );
    assert!(whole.precision.unwrap().bounds[0].expected_cv <= 0.2);

    // Another share than that of problems, which rules give.
    let unlicensed = PrecisionBound {
        of: Some(risktier::service::label("of", "unlicensed").unwrap()),
        ..bound(0.5)
    };
    let share = |request: &mut PlanRequest| {
        let mut rule = StratumRule::default();
        rule.shares
            .insert(risktier::service::label("x", "unlicensed").unwrap(), 0.05);
        request.allocation.strata.push(rule);
    };
    let preview = service
        .preview_plan(&asked(vec![unlicensed.clone()], &share))
        .unwrap();
    let precision = preview.precision.unwrap();
    assert!((precision.bounds[0].expected_total - 4.0).abs() < 1e-9);
    assert!(precision.bounds[0].expected_cv <= 0.5 * (1.0 + 1e-9));
    let refused = service.preview_plan(&asked(vec![unlicensed], &|_| {}));
    assert!(
        matches!(refused, Err(ServiceError::Field(FieldError { value, .. })) if value == "unlicensed")
    );
}

#[test]
fn precision_that_cannot_be_had_or_is_asked_wrongly_is_refused_by_name() {
    let place = Place::empty();
    let (service, request) = world(&place);
    let field = |precision: Vec<PrecisionBound>, more: &dyn Fn(&mut PlanRequest)| {
        let mut request = by_precision(&request, precision);
        more(&mut request);
        match service.preview_plan(&request).unwrap_err() {
            ServiceError::Field(error) => error.field,
            other => other.to_string(),
        }
    };
    let nothing = |_: &mut PlanRequest| {};
    let within = |one, value: &str| PrecisionBound {
        within: [(one, risktier::service::label("x", value).unwrap())].into(),
        ..bound(0.2)
    };
    assert_eq!(field(vec![], &nothing), "allocation.by");
    assert_eq!(
        field(vec![bound(0.0)], &nothing),
        "allocation.precision.0.cv"
    );
    assert_eq!(
        field(vec![bound(f64::NAN)], &nothing),
        "allocation.precision.0.cv"
    );
    assert_eq!(
        field(vec![bound(0.2)], &|request| request.visits = Some(9)),
        "visits"
    );
    assert_eq!(
        field(vec![bound(0.2)], &|request| request
            .allocation
            .inspector_days = Some(9.0)),
        "allocation.inspector_days"
    );
    assert_eq!(
        field(vec![bound(0.2)], &|request| request.allocation.by =
            AllocationBy::Rates),
        "allocation.precision"
    );
    assert_eq!(
        field(vec![bound(0.2)], &|request| {
            request.method = risktier::service::Method::Pareto;
            request.rounding = Rounding::LargestRemainder;
        }),
        "method"
    );
    assert_eq!(
        field(vec![bound(0.2)], &|request| request.rounding =
            Rounding::Whole),
        "exploration_share"
    );
    assert_eq!(
        field(vec![within(DomainTrait::Tier, "E")], &nothing),
        "allocation.precision.0.within.tier"
    );
    assert_eq!(
        field(vec![within(DomainTrait::Kind, "branch")], &nothing),
        "allocation.precision.0.within"
    );
    assert_eq!(
        field(
            vec![bound(0.2), within(DomainTrait::Division, "880000")],
            &nothing
        ),
        "allocation.precision.1.within"
    );
    assert_eq!(
        field(vec![bound(0.2)], &|request| {
            let mut rule = StratumRule::default();
            rule.shares
                .insert(risktier::service::label("x", "problems").unwrap(), 0.1);
            request.allocation.strata.push(rule);
        }),
        "allocation.strata.4.shares.problems"
    );
    // Out of reach under the ceilings: the bound is named, with the best there is.
    let refused = field(vec![within(DomainTrait::Tier, "D")], &|request| {
        request.allocation.strata.push(StratumRule {
            tier: Some(Tier::D),
            most: Some(1),
            ..StratumRule::default()
        });
    });
    assert!(
        refused.contains("`problems` over tier `D`")
            && refused.contains("20.00 %")
            && refused.contains("the best"),
        "{refused}"
    );
    // Without a prediction there is nothing to go by.
    let refused = field(vec![bound(0.2)], &|request| {
        request.allocation.strata.clear()
    });
    assert!(
        refused.contains("no predicted problem probability"),
        "{refused}"
    );
}

#[test]
fn policies_are_compared_at_the_same_precision() {
    let place = Place::empty();
    let (service, request) = world(&place);
    let plan = PlanRequest {
        visits: None,
        allocation: AllocationRequest {
            by: AllocationBy::Precision,
            strata: predicted(),
            precision: vec![bound(0.25)],
            ..AllocationRequest::default()
        },
        ..request
    };
    let simulated = service
        .simulate_policies(&SimulationRequest {
            plan,
            candidate: POLICY.replacen("least_rate = 0.0001", "least_rate = 0.05", 1),
            current: None,
        })
        .unwrap();
    for side in [&simulated.current, &simulated.candidate] {
        let precision = side.simulated.precision.as_ref().unwrap();
        assert!(precision.bounds[0].expected_cv <= 0.25 * (1.0 + 1e-9));
    }
    assert!(
        simulated.current.simulated.expected_visits
            <= simulated.candidate.simulated.expected_visits + 1e-6
    );
}
