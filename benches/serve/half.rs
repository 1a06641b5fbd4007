//! How long answers take at half load, and how much of that is the machine's own.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::load::{Load, Pacing, run_load};
use crate::servers::{Served, pinned};
use crate::{AT_ONCE, CONNECTIONS, Pace, SERVER_CORE, median};

/// A gap in a loop that does nothing, from which on it was not on its core.
const GAP: Duration = Duration::from_micros(200);

/// Measures a bare server, the tier from the cache in process and the tier from Redis. The load takes a core of its own
/// where it is even, so the tier from Redis, which shares that core, is asked for in ticks only.
pub(crate) fn half(pace: Pace, [bare, near, far]: [&Served; 3], constants: &Path, tiers: &Path) {
    show_stalls(pace);
    let cases = [
        ("bare constant", bare, constants, Pacing::Even),
        ("tier", near, tiers, Pacing::Even),
        ("bare constant", bare, constants, Pacing::Ticks),
        ("tier", near, tiers, Pacing::Ticks),
        ("tier, Redis", far, tiers, Pacing::Ticks),
    ];
    for (name, served, requests, pacing) in cases {
        let load = |rate| run_load(served.address, CONNECTIONS, rate, pace.seconds, requests);
        let full = load(AT_ONCE);
        let rate = full.requests / full.seconds / 2.0;
        let halves: Vec<Load> = (0..pace.rounds).map(|_| load((rate, pacing))).collect();
        let of = |value: &dyn Fn(&Load) -> f64| median(halves.iter().map(value).collect());
        println!(
            "{name} at half load ({rate:.0}/s, {pacing:?}): p50 {:.0} µs, p99 {:.0} µs, p99/p50 {:.1}",
            of(&|load| load.p50),
            of(&|load| load.p99),
            of(&|load| load.p99 / load.p50),
        );
    }
}

/// Says how much of the server's core other machines take.
fn show_stalls(pace: Pace) {
    let words = ["--stalls", &pace.seconds.to_string()];
    let output = pinned(SERVER_CORE, &words).output().unwrap();
    print!("{}", String::from_utf8(output.stdout).unwrap());
}

/// A loop that does nothing but look at the clock.
pub(crate) fn stalls(seconds: f64) {
    let began = Instant::now();
    let (mut last, mut lost, mut longest) = (began, Duration::ZERO, Duration::ZERO);
    while last.duration_since(began).as_secs_f64() < seconds {
        let now = Instant::now();
        let gap = now.duration_since(last);
        if gap > GAP {
            lost += gap;
            longest = longest.max(gap);
        }
        last = now;
    }
    println!(
        "a loop that does nothing lost {:.1} % of its time in gaps over {GAP:?}, the longest {longest:.1?}",
        lost.as_secs_f64() / seconds * 100.0
    );
}
