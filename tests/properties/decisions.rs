//! What persons decide changes a tier on its days and on no other.

use proptest::prelude::*;
use proptest::sample::select;
use risktier::domain::dates::add_days;
use risktier::domain::{AsOf, Decision, Tier};
use risktier::model::{Case, Classification};
use risktier::service::Models;
use std::sync::LazyLock;

use crate::generate::{DAYS, FIRST, enterprises, histories};
use crate::register::default_models;

static MODELS: LazyLock<Models> = LazyLock::new(default_models);

fn decision(freeze: bool) -> impl Strategy<Value = Decision> {
    (
        select(Tier::ALL),
        0..DAYS,
        1..90_i32,
        prop::option::of(0..90_i32),
    )
        .prop_map(move |(tier, from, length, ended)| {
            let from_on = add_days(FIRST, from);
            let expires_on = add_days(from_on, length);
            let ended_on = ended.map(|days| add_days(from_on, days));
            let id = "d-1".to_owned();
            let reason = "why".to_owned();
            if freeze {
                return Decision::Freeze {
                    objection_id: id,
                    tier,
                    reason,
                    from_on,
                    expires_on,
                    ended_on,
                };
            }
            Decision::Override {
                decision_id: id,
                tier,
                reason,
                proposed_by: "a".into(),
                approved_by: "b".into(),
                from_on,
                expires_on,
                ended_on,
            }
        })
}

fn explain(case: &Case<'_>, offset: i32) -> Classification {
    MODELS
        .classifier
        .explain(case, AsOf::monthly(add_days(FIRST, offset)))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn a_decision_outside_its_days_changes_nothing(
        enterprise in enterprises(),
        versions in histories(8),
        decided in prop_oneof![decision(true), decision(false)],
        offset in 0..DAYS,
    ) {
        let plain = Case::of(&enterprise, &versions);
        let decisions = [decided.clone()];
        let with = explain(&Case { decisions: &decisions, ..plain }, offset);
        let without = explain(&plain, offset);
        let day = add_days(FIRST, offset);
        prop_assert_eq!((with.points, with.scored_tier), (without.points, without.scored_tier));
        if decided.counts_on(day) {
            prop_assert_eq!(with.tier, decided.tier());
        } else {
            prop_assert_eq!(&with.reasons, &without.reasons);
            prop_assert_eq!(with.tier, without.tier);
        }
        let turns = decided.turning_days().into_iter().flatten().filter(|turn| *turn > day).min();
        if let Some(turn) = turns {
            prop_assert!(with.next_change_on.is_some_and(|next| next <= turn));
        }
    }

    #[test]
    fn a_freeze_keeps_the_tier_whatever_arrives_and_leaves_no_trace(
        enterprise in enterprises(),
        before in histories(6),
        after in histories(12),
        frozen in decision(true),
        offset in 0..DAYS,
    ) {
        let day = add_days(FIRST, offset);
        let decisions = [frozen.clone()];
        let of = |versions| explain(&Case { decisions: &decisions, ..Case::of(&enterprise, versions) }, offset);
        let (few, many) = (of(&before), of(&after));
        if frozen.counts_on(day) {
            prop_assert_eq!(few.tier, many.tier);
        } else {
            let plain = explain(&Case::of(&enterprise, &after), offset);
            prop_assert_eq!((many.tier, many.reasons), (plain.tier, plain.reasons));
        }
    }
}
