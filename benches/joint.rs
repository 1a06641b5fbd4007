//! What joint checks save: `cargo bench --bench joint`; `-- --objects N` for another size than 730,000.
//!
//! 23 items over the region of `tests/support/joint_fixture.rs` are drawn once by themselves and once on shared tickets,
//! at the same sizes in every stratum. Beside the visits stands the bound: at these inclusion probabilities no design
//! expects fewer visits than `Σ_k max_i π_ik`. The time is that of 23 draws with their digests and of merging, beside the
//! bare loop that only hashes every id of every pool once.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "benchmark code"
)]

#[path = "../tests/support/joint_fixture.rs"]
mod joint_fixture;

use std::time::Instant;

use joint_fixture::{Concern, ItemPlan, OBJECTS, Region, Strata, drawn, outlook};
use risktier::sampling::seed::{Seed, Tickets};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let objects = arguments
        .iter()
        .position(|argument| argument == "--objects")
        .map_or(OBJECTS, |place| arguments[place + 1].parse().unwrap());
    println!("{objects} objects, 23 items");
    println!(
        "concern    strata  | separate  apart, merged    joint | saved  bound  most saved  above bound | draw+merge  bare hashing"
    );
    for (concern, all) in [
        (Concern::Scattered, &[Strata::County, Strata::Region][..]),
        (
            Concern::ByTrade,
            &[Strata::County, Strata::Region, Strata::Trade],
        ),
    ] {
        let region = Region::new(objects, concern);
        for strata in all {
            report(&region, concern, *strata);
        }
    }
}

fn report(region: &Region, concern: Concern, strata: Strata) {
    let apart = drawn(&region.plans(strata, false));
    let plans = region.plans(strata, true);
    let start = Instant::now();
    let joint = drawn(&plans);
    let taken = start.elapsed();
    let start = Instant::now();
    hash_all(&plans);
    let hashing = start.elapsed();
    let outlook = outlook(&plans);
    println!(
        "{:<10} {:<7} | {:>8}  {:>13} {:>8} | {:>4.1}%  {:>6.0}  {:>9.1}%  {:>10.2}% | {:>8.2} s  {:>10.2} s",
        format!("{concern:?}"),
        format!("{strata:?}"),
        joint.separate,
        apart.joint,
        joint.joint,
        100.0 * joint.share(),
        outlook.least_visits,
        100.0 * outlook.most_saved(),
        100.0 * (joint.joint as f64 / outlook.least_visits - 1.0),
        taken.as_secs_f64(),
        hashing.as_secs_f64(),
    );
}

fn hash_all(plans: &[ItemPlan]) {
    for item in plans {
        let digest = item.plan.digest().unwrap();
        let seed = Seed::of(&item.plan, &digest, &item.contributions);
        let tickets = Tickets::new(item.plan.hash, &seed);
        let sum = item
            .pool
            .objects()
            .map(|object| tickets.ticket(object.id.as_bytes()).leading_u64())
            .fold(0, u64::wrapping_add);
        std::hint::black_box(sum);
    }
}
