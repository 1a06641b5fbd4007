//! The acceptance tests of the draw, with fewer repetitions; `cargo bench --bench acceptance` runs them whole.

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
