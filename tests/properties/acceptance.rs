//! The acceptance tests of the draw, with fewer repetitions; `cargo bench --bench acceptance` runs them whole.
//!
//! What shows each of them, its tolerance, and what was measured with all repetitions (seeds are fixed, so the values are
//! those of any machine). Tests are named by binary and module.
//!
//! | # | shown by | tolerance | measured |
//! |---|---|---|---|
//! | 1 vectors, replay by others | golden `draw`, `python_verifier::both_verifiers_agree_on_larger_draws` (100,000 objects) | byte-identical | identical |
//! | 2 inclusion, χ² as z | `acceptance` | ±3.719 | 0.919 |
//! | 3 pairs, largest \|z\| | `acceptance` | < 7 | 4.837 |
//! | 4 strata share positions | `acceptance` | 1 ± 0.25 | 0.957 |
//! | 5 Pareto \|share − λ\| | `acceptance` | ≤ 0.004 | 0.00188 |
//! | 6 estimates: bias, coverage | `acceptance` | ±3.5 errors, 93–97 % | −0.84 and −0.50, 94.1 and 95.1 % |
//! | 7 tickets: χ² as z, \|r\| | `acceptance` | ±3.719, < 0.0025 | 1.010, 0.00028 |
//! | 8 order, form, threads | properties `sampling::the_order_of_rows_does_not_matter`, cli `plan_files::pool_and_targets_do_not_depend_on_order_or_form_of_the_frame`, `plan_files::one_thread_replays_what_many_have_drawn` | identical | identical |
//! | 9 ids | `domain::enterprise_id`, api `plan_proofs` (variants of one id are one object, or refused as twice) | never two tickets | none |
//! | 10 extension | `acceptance`, properties `sampling::a_larger_equal_draw_contains_the_smaller` | 0 | 0 |
//! | 11 one object more | `acceptance` | 0 elsewhere, ≤ 1 in its own | 0, 1 |
//! | 12 overlap, positive part | `acceptance` | exact, ±5 deviations | 0 missing, −0.25 |
//! | 14 monotone | properties `allocation::visits_follow_risk_and_meet_their_total`, `more_complaints_never_lower_the_probability`, `neyman_never_gives_the_riskier_stratum_of_a_division_less` | 0 of 10,000 plans | 0 |
//! | 15 rounding | `acceptance` | 0, 0, 5 errors | 0, 0, 1.74 |
//! | 16 allocation against brute force | properties `allocation::neyman_under_boxes_is_the_optimum` (10,000 cases, at the effort that is used) | 1e-9 | within |
//! | 16 Bethel | properties `precision` (by the dual value of its multipliers, by a search, by ties along the order of risk), api `ledger::visits_follow_the_precision_that_is_asked_for`, cli `plan_files::a_frame_file_is_planned_by_precision` | objective 1e-9, bounds ≤ 1 + 1e-9 | within |
//! | 17 floor, weight = 1/π | properties `sampling::every_weight_is_the_inverse_of_the_probability_of_the_transcript`, `allocation::visits_follow_risk_and_meet_their_total`, service `plans::samples_and_transcript_tell_the_weights_as_drawn` | exact | exact |
//! | 18 tampering | properties `sampling::any_changed_…`, golden `python_verifier` | each named | each named |
//! | 19 order of steps, hiding | service `plan_steps` (also `refused_steps_stay_visible_…`), `plan_faults`, `plan_groups::refused_steps_of_a_group_stay_visible`, properties `sampling::a_leaf_of_a_known_id_is_not_guessed_without_the_secret` | refused and noted; no guess | so; none |
//! | 20 seeds as bytes | service `plan_ceremony::values_that_look_like_numbers_are_bytes` | exact | exact |
//! | 24 cost | `cargo bench --bench draw` prints every bound with its value | 2 ×, 8 ×, 150 MB, 15 % | as printed |
//! | 25 degenerate | `acceptance`, and below | no wrong result | 0 |

use risktier::domain::digest::{HashAlgorithm, Secret32};
use risktier::sampling::contribution::{Contribution, ContributionName, ContributionValue};
use risktier::sampling::draw::Draw;
use risktier::sampling::merkle::pool_root;
use risktier::sampling::plan::{FrozenPlan, PPB};
use risktier::sampling::pool::{PoolBuilder, PoolError, StratumKey};
use risktier::sampling::transcript::Record;
use risktier::sampling::verification::{VerifyInput, verify};
use serde_json::json;

use crate::acceptance_support::{SMALL, all};

#[test]
fn every_acceptance_test_holds_its_tolerance() {
    let measured = all(&SMALL);

    assert!(measured.len() >= 18);
    for one in &measured {
        println!(
            "{:>2}  {}: {} in {}..{}",
            one.test, one.what, one.value, one.from, one.to
        );
    }
    let broken: Vec<_> = measured.iter().filter(|one| !one.holds()).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Test 25: a hundred thousand strata of one object each; half a visit in every one.
#[test]
fn a_hundred_thousand_strata_of_one_object_are_drawn_and_verified() {
    const STRATA: u64 = 100_000;
    let hash = HashAlgorithm::Sha256;
    let mut builder = PoolBuilder::new();
    for number in 0..STRATA {
        let key = StratumKey::new(format!("S{number:06}")).unwrap();
        builder.push(&format!("E{number:06}"), &key, 1).unwrap();
    }
    let pool = builder.build().unwrap();
    let secret = Secret32::from_bytes([3; 32]);
    let server = Contribution {
        name: ContributionName::new("server").unwrap(),
        value: ContributionValue::from_random([7; 32]),
    };
    let strata: Vec<_> = pool
        .strata()
        .iter()
        .map(|(key, _)| json!({"key": key, "pool": 1, "target_ppb": PPB / 2, "reserve": 1}))
        .collect();
    let zero = "00".repeat(32);
    let plan = json!({
        "format": "risktier-plan/1", "nonce": zero, "number": 1, "title": "many", "hash": hash, "method": "equal",
        "rounding": "systematic", "pool_digest": pool.digest(hash), "pool_root": pool_root(hash, &secret, &pool),
        "pool_size": STRATA, "strata": strata, "exploration_n": 10, "excluded": [], "filter": {}, "items": [],
        "period": {"from": "2026-10-01", "to": "2026-12-31"}, "frame_digest": zero, "policy_digest": zero,
        "contributions": [{"name": "server", "kind": "committed", "commitment": server.commitment(hash)}],
        "model_digest": zero, "public_seed": false,
    });
    let plan: FrozenPlan = serde_json::from_value(plan).unwrap();
    let contributions = [server];

    let outcome = Draw::run(&plan, &pool, &contributions).unwrap();

    let drawn: u64 = outcome.strata.iter().map(|stratum| stratum.n).sum();
    assert_eq!(drawn, STRATA / 2);
    assert!(outcome.strata.iter().all(|stratum| stratum.n <= 1));
    let record = Record {
        plan_id: "many",
        plan: &plan,
        contributions: &contributions,
        pool_secret: &secret,
        outcome: &outcome,
        previous: None,
    };
    let verification = verify(VerifyInput {
        transcript: &record.auditor().to_bytes().unwrap(),
        pool: Some(pool.file_bytes().to_vec()),
        sample: Some(&outcome.sample_tsv),
        ..VerifyInput::default()
    });
    assert!(verification.unwrap().is_same());
    assert!(matches!(PoolBuilder::new().build(), Err(PoolError::Empty)));
}
