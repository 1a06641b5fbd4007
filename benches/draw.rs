//! A draw beside the bare loop that only hashes and selects: `cargo bench --bench draw`.
//!
//! The pool has 1,000,000 objects in 1,000 strata; a tenth is drawn. The bare loop knows neither files nor digests.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "benchmark code"
)]

use divan::Bencher;
use divan::counter::ItemsCount;
use risktier::domain::digest::{HashAlgorithm, Secret32};
use risktier::sampling::contribution::{
    Contribution, ContributionName, ContributionValue, PlannedContribution, SERVER,
};
use risktier::sampling::draw::Draw;
use risktier::sampling::merkle::pool_root;
use risktier::sampling::plan::{FrozenPlan, PLAN_FORMAT, PPB};
use risktier::sampling::pool::{Pool, PoolBuilder, StratumKey};
use risktier::sampling::seed::{Seed, Tickets};

const OBJECTS: u64 = 1_000_000;
const STRATA: u64 = 1_000;
const DRAWN_PER_STRATUM: usize = 100;
const HASH: HashAlgorithm = HashAlgorithm::Sha256;

fn main() {
    divan::main();
}

fn pool() -> Pool {
    let keys: Vec<StratumKey> = (0..STRATA)
        .map(|key| StratumKey::new(format!("S{key:04}")).unwrap())
        .collect();
    let mut builder = PoolBuilder::new();
    for object in 0..OBJECTS {
        let key = &keys[usize::try_from(object % STRATA).unwrap()];
        builder
            .push(&format!("9199000{object:011}"), key, 1)
            .unwrap();
    }
    builder.build().unwrap()
}

fn plan(pool: &Pool) -> (FrozenPlan, Vec<Contribution>) {
    let server = Contribution {
        name: ContributionName::new(SERVER).unwrap(),
        value: ContributionValue::from_random([7; 32]),
    };
    let planned = PlannedContribution::Committed {
        name: server.name.clone(),
        commitment: server.commitment(HASH),
    };
    let strata: Vec<_> = pool
        .strata()
        .iter()
        .map(|(key, objects)| {
            serde_json::json!({"key": key, "pool": objects, "target_ppb": DRAWN_PER_STRATUM as u64 * PPB, "reserve": 20})
        })
        .collect();
    let zero = "00".repeat(32);
    let plan = serde_json::json!({
        "format": PLAN_FORMAT, "nonce": zero, "number": 1, "title": "bench", "hash": "sha256", "method": "equal",
        "rounding": "whole", "pool_digest": pool.digest(HASH), "pool_root": zero, "pool_size": OBJECTS,
        "strata": strata, "exploration_n": 0, "excluded": [], "filter": {}, "items": [],
        "period": {"from": "2026-10-01", "to": "2026-12-31"}, "contributions": [planned], "frame_digest": zero,
        "policy_digest": zero, "model_digest": zero, "public_seed": false,
    });
    (serde_json::from_value(plan).unwrap(), vec![server])
}

#[divan::bench(sample_count = 5)]
fn bare_hash_and_select(bencher: Bencher<'_, '_>) {
    let pool = pool();
    let (plan, contributions) = plan(&pool);
    let seed = Seed::of(&plan, &plan.digest().unwrap(), &contributions);
    let ids: Vec<(String, usize)> = pool
        .objects()
        .map(|object| {
            (
                object.id.to_owned(),
                object.stratum.as_str()[1..].parse().unwrap(),
            )
        })
        .collect();
    bencher.counter(ItemsCount::new(OBJECTS)).bench_local(|| {
        let tickets = Tickets::new(HASH, &seed);
        let mut strata: Vec<Vec<(u64, u32)>> =
            (0..STRATA).map(|_| Vec::with_capacity(1_000)).collect();
        for ((id, stratum), index) in ids.iter().zip(0_u32..) {
            strata[*stratum].push((tickets.ticket(id.as_bytes()).leading_u64(), index));
        }
        for stratum in &mut strata {
            stratum.select_nth_unstable(DRAWN_PER_STRATUM);
        }
        strata.len()
    });
}

#[divan::bench(sample_count = 5)]
fn draw_with_digests(bencher: Bencher<'_, '_>) {
    let pool = pool();
    let (plan, contributions) = plan(&pool);
    bencher
        .counter(ItemsCount::new(OBJECTS))
        .bench_local(|| Draw::run(&plan, &pool, &contributions).unwrap().lines.len());
}

#[divan::bench(sample_count = 5)]
fn merkle_root(bencher: Bencher<'_, '_>) {
    let pool = pool();
    let secret = Secret32::from_bytes([3; 32]);
    bencher
        .counter(ItemsCount::new(OBJECTS))
        .bench_local(|| pool_root(HASH, &secret, &pool));
}
