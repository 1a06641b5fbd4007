//! Draw, freeze and verification of one pool beside the bare loop that only hashes and selects:
//! `cargo bench --bench draw -- [--objects N] [--runs R] [--pandas FILE]`.
//!
//! 1,000 strata of log-normal size, of which 1, 3, 10 and 30 % are drawn in turn; ids of 18 characters; `N` and a tenth
//! of it, 5,000,000 objects by default. The bare loop knows neither files nor digests nor a transcript: it makes a ticket
//! for every object in the order of the file, keeps those that may be among the smallest of their stratum, and selects the
//! smallest; once on one thread and once on all. Every figure is a median; every ratio is to a bare loop within the same
//! run. At the end each bound that is to be met stands with what was measured. `--pandas` writes the pool as CSV for
//! `benches/draw_pandas.py`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    missing_docs,
    reason = "benchmark code"
)]

use std::fs;
use std::hint::black_box;
use std::io::Write;
use std::time::{Duration, Instant};

use risktier::domain::digest::{Digest, HashAlgorithm, Secret32};
use risktier::domain::rng::SeededRng;
use risktier::sampling::contribution::{
    Contribution, ContributionName, ContributionValue, PlannedContribution, SERVER,
};
use risktier::sampling::draw::Draw;
use risktier::sampling::merkle::{pool_commitments, pool_root};
use risktier::sampling::plan::{FrozenPlan, PLAN_FORMAT, PPB};
use risktier::sampling::pool::{Pool, PoolBuilder, StratumKey};
use risktier::sampling::seed::{Seed, Tickets};
use risktier::sampling::transcript::{Record, plan_id_of};
use risktier::sampling::verification::{VerifyInput, verify};

const STRATA: usize = 1_000;
const PERCENT: [u64; 4] = [1, 3, 10, 30];
const BARE_ONE: &str = "bare loop, one thread";
const BARE_ALL: &str = "bare loop, all threads";
const FREEZE: &str = "freeze: pool, file, digest, root";
const DRAW: &str = "draw equal";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |flag: &str| {
        let place = arguments.iter().position(|argument| argument == flag);
        place.and_then(|place| arguments.get(place + 1).cloned())
    };
    let number = |flag: &str, default: usize| value(flag).map_or(default, |n| n.parse().unwrap());
    let (objects, runs) = (number("--objects", 5_000_000), number("--runs", 5));
    if let Some(path) = value("--pandas") {
        write_csv(&made_up(objects), &path);
        return;
    }
    println!("{} threads, medians of {runs}", threads());
    let small = measure(objects / 10, runs);
    let large = measure(objects, runs);
    println!(
        "from {} to {objects} objects, time per object:",
        objects / 10
    );
    for (name, large) in &large {
        let small = small.iter().find(|(other, _)| other == name).unwrap().1;
        let growth = |of: fn(&Took) -> Duration| {
            of(large).as_secs_f64() / of(&small).as_secs_f64().max(1e-9) / 10.0
        };
        println!(
            "{name:38} × {:.2} by the clock, × {:.2} by processor time",
            growth(|took| took.wall),
            growth(|took| took.cpu)
        );
    }
}

/// Ids with the index of their stratum, in no order.
fn made_up(objects: usize) -> Vec<(String, u32)> {
    let mut rng = SeededRng::new(5, "bench-draw");
    let mut bounds: Vec<f64> = Vec::with_capacity(STRATA);
    let mut sum = 0.0;
    for _ in 0..STRATA {
        // The sum of twelve uniform numbers is near enough to a normal one.
        let normal: f64 = (0..12).map(|_| rng.unit_f64()).sum::<f64>() - 6.0;
        sum += normal.exp();
        bounds.push(sum);
    }
    (0..objects)
        .map(|object| {
            let at = rng.unit_f64() * sum;
            let stratum = bounds.partition_point(|bound| *bound < at).min(STRATA - 1);
            let scattered = (object as u64).wrapping_mul(2_654_435_761) % 10_000_000_000;
            (format!("91990000{scattered:010}"), stratum as u32)
        })
        .collect()
}

fn write_csv(rows: &[(String, u32)], path: &str) {
    let mut file = std::io::BufWriter::new(fs::File::create(path).unwrap());
    writeln!(file, "id,stratum,percent").unwrap();
    for (id, stratum) in rows {
        let percent = PERCENT[*stratum as usize % 4];
        writeln!(file, "{id},{stratum},{percent}").unwrap();
    }
    file.flush().unwrap();
}

fn build(rows: &[(String, u32)]) -> Pool {
    let keys: Vec<StratumKey> = (0..STRATA)
        .map(|key| StratumKey::new(format!("S{key:04}")).unwrap())
        .collect();
    let mut builder = PoolBuilder::new();
    builder.reserve(rows.len());
    let strata: Vec<_> = keys.iter().map(|key| builder.stratum(key)).collect();
    for (id, stratum) in rows {
        builder.push_in(id, strata[*stratum as usize], 1).unwrap();
    }
    builder.build().unwrap()
}

fn drawn(key: &str, objects: u64) -> u64 {
    let stratum: usize = key[1..].parse().unwrap();
    objects * PERCENT[stratum % 4] / 100
}

fn plan(
    pool: &Pool,
    hash: HashAlgorithm,
    method: &str,
    exploration: u64,
    root: Digest,
) -> (FrozenPlan, Vec<Contribution>) {
    let server = Contribution {
        name: ContributionName::new(SERVER).unwrap(),
        value: ContributionValue::from_random([7; 32]),
    };
    let planned = PlannedContribution::Committed {
        name: server.name.clone(),
        commitment: server.commitment(hash),
    };
    let strata: Vec<_> = pool
        .strata()
        .iter()
        .map(|(key, objects)| {
            let n = drawn(key.as_str(), u64::from(*objects));
            serde_json::json!({"key": key, "pool": objects, "target_ppb": n * PPB, "reserve": n / 5})
        })
        .collect();
    let zero = "00".repeat(32);
    let plan = serde_json::json!({
        "format": PLAN_FORMAT, "nonce": zero, "number": 1, "title": "bench", "hash": hash, "method": method,
        "rounding": "whole", "pool_digest": pool.digest(hash), "pool_root": root, "pool_size": pool.len(),
        "strata": strata, "exploration_n": exploration, "excluded": [], "filter": {}, "items": [],
        "period": {"from": "2026-10-01", "to": "2026-12-31"}, "contributions": [planned], "frame_digest": zero,
        "policy_digest": zero, "model_digest": zero, "public_seed": false,
    });
    (serde_json::from_value(plan).unwrap(), vec![server])
}

/// Only hashes and selects, on so many threads: the tickets' leading bits in the order of the file, those that may be among
/// the smallest of their stratum, and of them the smallest.
fn bare(
    ids: &[(&[u8], u32)],
    sizes: &[usize],
    limits: &[u64],
    tickets: &Tickets,
    threads: usize,
) -> usize {
    let hash = |part: &[(&[u8], u32)], from: usize| -> Vec<(u32, u64, u32)> {
        let mut kept = Vec::new();
        for (index, (id, stratum)) in (from as u32..).zip(part) {
            let ticket = tickets.ticket(id).leading_u64();
            if ticket <= limits[*stratum as usize] {
                kept.push((*stratum, ticket, index));
            }
        }
        kept
    };
    let piece = ids.len().div_ceil(threads).max(1);
    let kept: Vec<Vec<(u32, u64, u32)>> = if threads == 1 {
        vec![hash(ids, 0)]
    } else {
        std::thread::scope(|scope| {
            let hash = &hash;
            let parts: Vec<_> = ids
                .chunks(piece)
                .enumerate()
                .map(|(part, ids)| scope.spawn(move || hash(ids, part * piece)))
                .collect();
            parts.into_iter().map(|part| part.join().unwrap()).collect()
        })
    };
    let mut strata: Vec<Vec<(u64, u32)>> = vec![Vec::new(); sizes.len()];
    for (stratum, ticket, index) in kept.into_iter().flatten() {
        strata[stratum as usize].push((ticket, index));
    }
    let mut selected = 0;
    for (keys, size) in strata.iter_mut().zip(sizes) {
        assert!(keys.len() >= *size, "a limit was too low");
        if *size > 0 && *size < keys.len() {
            keys.select_nth_unstable(*size - 1);
        }
        selected += black_box(&keys[..*size]).len();
    }
    selected
}

/// The tickets' leading bits up to which `size` of `count` objects are found but for one case in 10^9.
fn limit(size: usize, count: u32) -> u64 {
    if size == 0 {
        return 0;
    }
    let wanted = size as f64 + 6.0 * (size as f64).sqrt() + 8.0;
    (wanted / f64::from(count) * u64::MAX as f64) as u64
}

/// Medians of the time on the clock and of the processor time over all threads.
#[derive(Clone, Copy)]
struct Took {
    wall: Duration,
    cpu: Duration,
}

fn timed<T>(runs: usize, mut work: impl FnMut() -> T) -> Took {
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    let (wall, cpu) = (0..runs)
        .map(|_| {
            let (start, before) = (Instant::now(), processor_time());
            black_box(work());
            (start.elapsed(), processor_time() - before)
        })
        .unzip();
    Took {
        wall: median(wall),
        cpu: median(cpu),
    }
}

/// What this process has used so far, in ticks of 10 ms; zero where the system does not tell.
fn processor_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |place| {
        let field = after_name.split_whitespace().nth(place);
        field.and_then(|ticks| ticks.parse::<u64>().ok())
    };
    Duration::from_millis(10 * (ticks(11).unwrap_or(0) + ticks(12).unwrap_or(0)))
}

/// Resident memory and its peak since the last reset, in MB; zero where the system does not tell.
fn resident() -> (f64, f64) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
        kilobytes.unwrap_or(0.0) / 1024.0
    };
    (field("VmRSS"), field("VmHWM"))
}

/// How far the peak goes above what is resident before.
fn peak_over<T>(work: impl FnOnce() -> T) -> f64 {
    let _ = fs::write("/proc/self/clear_refs", "5");
    let (before, _) = resident();
    black_box(work());
    resident().1 - before
}

fn measure(objects: usize, runs: usize) -> Vec<(&'static str, Took)> {
    let sha = HashAlgorithm::Sha256;
    let rows = made_up(objects);
    let secret = Secret32::from_bytes([3; 32]);
    let freeze = || {
        let pool = build(&rows);
        let mut file = Vec::new();
        pool.write(&mut file).unwrap();
        (pool_commitments(sha, &secret, &pool), file.len())
    };
    let mut found = vec![(FREEZE, timed(runs, freeze))];
    found.push((
        "  of it the pool and its file",
        timed(runs, || build(&rows)),
    ));

    let pool = build(&rows);
    let root = pool_root(sha, &secret, &pool);
    found.push((
        "  of it the root",
        timed(runs, || pool_root(sha, &secret, &pool)),
    ));
    let (equal, opened) = plan(&pool, sha, "equal", 0, root);
    let seed = Seed::of(&equal, &equal.digest().unwrap(), &opened);
    {
        let strata = pool.strata();
        let ids: Vec<(&[u8], u32)> = pool
            .objects()
            .map(|object| {
                let place = strata.binary_search_by(|(key, _)| key.cmp(object.stratum));
                (object.id.as_bytes(), place.unwrap() as u32)
            })
            .collect();
        let sizes: Vec<usize> = strata
            .iter()
            .map(|(key, count)| drawn(key.as_str(), u64::from(*count)) as usize)
            .collect();
        let counts = strata.iter().map(|(_, count)| *count);
        let limits: Vec<u64> = sizes
            .iter()
            .zip(counts)
            .map(|(size, count)| limit(*size, count))
            .collect();
        let tickets = Tickets::new(sha, &seed);
        for (place, (name, threads)) in [(BARE_ONE, 1), (BARE_ALL, threads())]
            .into_iter()
            .enumerate()
        {
            let work = || bare(&ids, &sizes, &limits, &tickets, threads);
            found.insert(place, (name, timed(runs, work)));
        }
    }
    drop(rows);

    let explored = (objects / 100) as u64;
    let mut memory = 0.0;
    for (name, hash, method, exploration) in [
        (DRAW, sha, "equal", 0),
        ("draw equal with exploration", sha, "equal", explored),
        ("draw pareto", sha, "pareto", 0),
        ("draw equal under SM3", HashAlgorithm::Sm3, "equal", 0),
    ] {
        let (plan, opened) = plan(&pool, hash, method, exploration, root);
        let draw = || Draw::run(&plan, &pool, &opened).unwrap().lines.len();
        memory = peak_over(draw).max(memory);
        found.push((name, timed(runs, draw)));
    }
    let outcome = Draw::run(&equal, &pool, &opened).unwrap();
    let record = Record {
        plan_id: &plan_id_of(&equal.nonce),
        plan: &equal,
        contributions: &opened,
        pool_secret: &secret,
        outcome: &outcome,
        previous: None,
    };
    let transcript = record.auditor().to_bytes().unwrap();
    let verified = timed(runs, || {
        let verification = verify(VerifyInput {
            transcript: &transcript,
            pool: Some(pool.file_bytes().to_vec()),
            sample: Some(&outcome.sample_tsv),
            ..VerifyInput::default()
        });
        assert!(verification.unwrap().is_same());
    });
    found.push(("verify transcript, pool and sample", verified));

    println!(
        "{objects} objects in {} strata, {} drawn; a draw takes {memory:.0} MB over the pool",
        pool.strata().len(),
        outcome.lines.len()
    );
    let of = |name: &str| found.iter().find(|(other, _)| *other == name).unwrap().1;
    let (one, all) = (of(BARE_ONE), of(BARE_ALL));
    println!(
        "{:38} {:>10}  {:>10}  {:>11}  {:>10}",
        "", "clock", "× one", "× all", "processor"
    );
    for (name, took) in &found {
        let (wall, cpu) = (took.wall.as_secs_f64(), took.cpu.as_secs_f64());
        println!(
            "{name:38} {wall:8.3} s  × {:8.2}  × {:9.2}  {cpu:8.2} s",
            wall / one.wall.as_secs_f64(),
            wall / all.wall.as_secs_f64(),
        );
    }
    let ratio = |took: Took, base: Took| took.wall.as_secs_f64() / base.wall.as_secs_f64();
    let whole = of(FREEZE).wall + of(DRAW).wall;
    for (what, value, bound) in [
        ("draw, × bare loop on one thread", ratio(of(DRAW), one), 2.0),
        (
            "draw, × bare loop on all threads",
            ratio(of(DRAW), all),
            2.0,
        ),
        ("draw, MB over the pool", memory, 150.0),
        (
            "freeze, × bare loop on one thread",
            ratio(of(FREEZE), one),
            8.0,
        ),
        (
            "freeze, × bare loop on all threads",
            ratio(of(FREEZE), all),
            8.0,
        ),
        (
            "verification, × freeze and draw",
            verified.wall.as_secs_f64() / whole.as_secs_f64(),
            1.0,
        ),
    ] {
        let holds = if value <= bound {
            "holds"
        } else {
            "DOES NOT HOLD"
        };
        println!("{what:38} {value:8.2}  at most {bound:5}  {holds}");
    }
    println!();
    found
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
