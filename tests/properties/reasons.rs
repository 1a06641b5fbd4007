//! Reasons are the arithmetic of a tier in words: they add up, and name only what is there.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use risktier::domain::dates::add_days;
use risktier::domain::{AsOf, Tier};
use risktier::indicators::Measure;
use risktier::model::{Case, Step};
use risktier::service::Models;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::generate::{DAYS, FIRST, enterprises, histories};
use crate::register::default_models;

static MODELS: LazyLock<Models> = LazyLock::new(default_models);

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn reasons_add_up_to_points_and_tier(enterprise in enterprises(), versions in histories(20), offset in 0..DAYS) {
        let as_of = AsOf::monthly(add_days(FIRST, offset));
        let explained = MODELS.classifier.explain(&Case::of(&enterprise, &versions), as_of);

        let sum: i32 = explained.reasons.iter().filter_map(|reason| reason.points).sum();
        prop_assert_eq!(i32::from(explained.points), sum.clamp(0, 1_000));

        prop_assert!(explained.reasons.iter().map(|reason| reason.step).is_sorted());
        let mut tier = None;
        for reason in &explained.reasons {
            match (reason.step, reason.tier, tier) {
                (Step::Points | Step::Missing | Step::GroupCap, set, _) => prop_assert_eq!(set, None),
                (Step::Cutoff, Some(scored), None) => {
                    prop_assert_eq!(scored, MODELS.classifier.scorecard_of(enterprise.kind).cutoffs.tier(explained.points));
                    prop_assert_eq!(scored, explained.scored_tier);
                    tier = Some(scored);
                }
                (Step::DirectRule | Step::Floor | Step::Shift | Step::ColdStart, Some(set), Some(before)) => {
                    prop_assert!(set >= before, "{:?}", reason);
                    tier = Some(set);
                }
                // Nobody owns the random enterprises, nobody decided about them, and the default policy has no grades.
                odd => prop_assert!(false, "{:?}", odd),
            }
        }
        prop_assert_eq!(tier, Some(explained.tier));

        let known: BTreeSet<_> = versions.iter().filter(|version| version.known_on <= as_of.day)
            .map(|version| (version.source.as_str(), version.record_id.as_str())).collect();
        for reason in &explained.reasons {
            prop_assert!(!reason.code.is_empty() && !reason.text.zh.is_empty() && !reason.text.en.is_empty());
            for named in &reason.records {
                prop_assert!(known.contains(&(named.source.as_str(), named.record_id.as_str())), "{:?}", named);
            }
        }
    }
}

/// Without this the properties could hold because nothing ever happened.
#[test]
fn the_random_histories_reach_every_indicator_rule_and_tier() {
    let mut runner = TestRunner::deterministic();
    let strategy = (enterprises(), histories(24), 0..DAYS);
    let (mut codes, mut tiers, mut steps) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for _ in 0..3_000 {
        let (enterprise, versions, offset) = strategy.new_tree(&mut runner).unwrap().current();
        let as_of = AsOf::monthly(add_days(FIRST, offset));
        let explained = MODELS
            .classifier
            .explain(&Case::of(&enterprise, &versions), as_of);
        tiers.insert(explained.tier);
        for reason in explained.reasons {
            steps.insert(reason.step);
            if reason.step != Step::Missing {
                codes.insert(reason.code);
            }
        }
    }
    assert_eq!(tiers.len(), Tier::ALL.len());
    assert_eq!(steps.len(), 8, "{steps:?}");
    let catalogue = MODELS.classifier.catalogue();
    for indicator in &catalogue.indicators {
        let computed_by_runs = matches!(indicator.measure, Measure::Register { .. });
        let without_points = indicator.code == "SUP14";
        let reached = codes.contains(&indicator.code) || computed_by_runs || without_points;
        assert!(reached, "{} is never other than 0", indicator.code);
    }
    for rule in [
        "SERIOUS_VIOLATION_LISTING",
        "STOP_ORDER",
        "MAJOR_ACCIDENT",
        "COLD_START",
    ] {
        assert!(codes.contains(rule), "{rule} never applies");
    }
}
