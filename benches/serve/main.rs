//! What a look-up costs the server, beside a server that does nothing and a client that does nothing else.
//!
//! ```sh
//! cargo bench --bench serve                       # all of it, about three minutes
//! cargo bench --bench serve -- tier lookup        # a part: tier, redis, lookup, half, memory
//! cargo bench --bench serve -- --quick            # whether it runs; its figures mean nothing
//! ```
//!
//! Needs two cores, `taskset` and `redis-server`. The server runs on core 0 with one worker; load and Redis run on core 1.
//! Costs are the server's processor time by `/proc/<pid>/stat`; ratios are taken within a round, and the medians of the
//! rounds are shown. The load is made by this program over raw connections: its share of its core is shown, so that one
//! sees whether it was the limit.
//!
//! | name | what |
//! |---|---|
//! | bare constant | actix alone answers the body of a tier, always the same |
//! | constant | our server does, with all that surrounds a request |
//! | tier | `GET …/tier` from the cache in process |
//! | bare redis | actix alone does one `HGET` with the bare client |
//! | our redis | our server does |
//! | tier, Redis | `GET …/tier` with one Redis round trip (no cache in process) |
//! | bare read | the bare client reads 1,000 ids from their buckets with one pipeline, no HTTP |
//! | lookup | `POST /v1/tiers/lookup` of 1,000 ids from the cache in process |
//! | lookup, Redis | the same from Redis |
//! | … at half load | half of what it can do, evenly or in ticks of a millisecond; times count from when a request was due |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "a measurement stops at the first surprise"
)]

use std::collections::BTreeMap;
use std::path::Path;

use jiff::civil::date;
use risktier::domain::EnterpriseId;

mod half;
mod load;
mod memory;
mod servers;

use load::{Load, Pacing, run_load};
use servers::{
    Redis, Served, key_of, key_prefix, pinned, prepare, processor_seconds, set_constants,
};

const ENTERPRISES: usize = 20_000;
const CONNECTIONS: usize = 64;
const IDS: usize = 1_000;
/// No pauses: the next request as soon as the last is answered.
const AT_ONCE: (f64, Pacing) = (0.0, Pacing::Ticks);
const SERVER_CORE: &str = "0";
const LOAD_CORE: &str = "1";
const TODAY: jiff::civil::Date = date(2026, 11, 22);

/// How long is measured.
#[derive(Clone, Copy, Debug)]
struct Pace {
    rounds: usize,
    seconds: f64,
}

fn id(number: usize) -> String {
    format!("91990000MA{number:08}")
}

fn enterprise_id(number: usize) -> EnterpriseId {
    EnterpriseId::parse(&id(number)).unwrap()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--serve", folder, redis, entries] => servers::serve(Path::new(folder), redis, entries),
        ["--bare", redis] => servers::bare(redis),
        ["--load", rest @ ..] => load::load(rest),
        ["--read", redis, key_file, seconds] => load::read_bare(redis, key_file, seconds),
        ["--stalls", seconds] => half::stalls(seconds.parse().unwrap()),
        ["--near", count] => memory::near_memory(count.parse().unwrap()),
        words => {
            let pace = match words.contains(&"--quick") {
                true => Pace {
                    rounds: 1,
                    seconds: 0.3,
                },
                false => Pace {
                    rounds: 5,
                    seconds: 2.5,
                },
            };
            let parts = words.iter().filter(|word| !word.starts_with("--"));
            measure(pace, &parts.copied().collect::<Vec<_>>());
        }
    }
}

/// One kind of request.
struct Case<'a> {
    name: &'static str,
    served: &'a Served,
    connections: usize,
    requests: std::path::PathBuf,
    /// The names of what it is compared with.
    peers: &'static [&'static str],
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Measures each case in each round and shows medians.
fn compare(pace: Pace, cases: &[Case<'_>]) {
    println!(
        "{:24} {:>9} {:>9} {:>9} {:>10} {:>6}  ratio of the cost",
        "", "req/s", "p50 µs", "p99 µs", "µs/request", "load"
    );
    for case in cases {
        run_load(
            case.served.address,
            case.connections,
            AT_ONCE,
            pace.seconds.min(1.0),
            &case.requests,
        );
    }
    let mut rounds: Vec<BTreeMap<&str, (Load, f64)>> = Vec::new();
    for _ in 0..pace.rounds {
        let mut round = BTreeMap::new();
        for case in cases {
            let before = processor_seconds(case.served.pid());
            let load = run_load(
                case.served.address,
                case.connections,
                AT_ONCE,
                pace.seconds,
                &case.requests,
            );
            let spent = processor_seconds(case.served.pid()) - before;
            round.insert(case.name, (load, spent * 1e6 / load.requests));
        }
        rounds.push(round);
    }
    for case in cases {
        let of = |value: &dyn Fn(&(Load, f64)) -> f64| {
            median(
                rounds
                    .iter()
                    .map(|round| value(&round[case.name]))
                    .collect(),
            )
        };
        let ratios: Vec<String> = case
            .peers
            .iter()
            .map(|peer| {
                let ratios = rounds
                    .iter()
                    .map(|round| round[case.name].1 / round[peer].1);
                format!("{:.3} × {peer}", median(ratios.collect()))
            })
            .collect();
        println!(
            "{:24} {:9.0} {:9.0} {:9.0} {:10.2} {:5.0}%  {}",
            case.name,
            of(&|(load, _)| load.requests / load.seconds),
            of(&|(load, _)| load.p50),
            of(&|(load, _)| load.p99),
            of(&|(_, cost)| *cost),
            of(&|(load, _)| load.busy * 100.0),
            ratios.join(", "),
        );
    }
}

fn measure(pace: Pace, asked: &[&str]) {
    let wants = |part: &str| asked.is_empty() || asked.contains(&part);
    if wants("memory") {
        memory::memory();
    }
    if !["tier", "redis", "lookup", "half"]
        .iter()
        .any(|part| wants(part))
    {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let redis = Redis::start();
    prepare(folder.path(), &redis);
    let path = folder.path().to_str().unwrap();
    let bare = Served::start(&["--bare", &redis.url]);
    let near = Served::start(&["--serve", path, &redis.url, "100000"]);
    let far = Served::start(&["--serve", path, &redis.url, "0"]);
    set_constants(&near, &[&bare, &near, &far]);
    let prefix = key_prefix(&redis);
    let file = |name: &str, lines: Vec<String>| {
        let file = folder.path().join(name);
        std::fs::write(&file, lines.join("\n")).unwrap();
        file
    };
    let tiers = || {
        let lines = (0..ENTERPRISES).map(|number| format!("/v1/enterprises/{}/tier", id(number)));
        file("tiers", lines.collect())
    };
    let constants = || file("constant", vec!["/v1/bench/constant".to_owned()]);
    if wants("tier") {
        compare(
            pace,
            &[
                Case {
                    name: "bare constant",
                    served: &bare,
                    connections: CONNECTIONS,
                    requests: constants(),
                    peers: &[],
                },
                Case {
                    name: "constant",
                    served: &near,
                    connections: CONNECTIONS,
                    requests: constants(),
                    peers: &["bare constant"],
                },
                Case {
                    name: "tier",
                    served: &near,
                    connections: CONNECTIONS,
                    requests: tiers(),
                    peers: &["constant", "bare constant"],
                },
            ],
        );
    }
    if wants("redis") {
        let lines = (0..ENTERPRISES).map(|number| {
            let key = key_of(&prefix, number);
            format!(
                "/v1/bench/redis/{}/{}",
                key.replace('{', "%7B").replace('}', "%7D"),
                id(number)
            )
        });
        let gets = file("gets", lines.collect());
        compare(
            pace,
            &[
                Case {
                    name: "bare redis",
                    served: &bare,
                    connections: CONNECTIONS,
                    requests: gets.clone(),
                    peers: &[],
                },
                Case {
                    name: "our redis",
                    served: &far,
                    connections: CONNECTIONS,
                    requests: gets,
                    peers: &["bare redis"],
                },
                Case {
                    name: "tier, Redis",
                    served: &far,
                    connections: CONNECTIONS,
                    requests: tiers(),
                    peers: &["our redis", "bare redis"],
                },
            ],
        );
    }
    if wants("lookup") {
        let bodies = (0..20).map(|part| {
            let ids: Vec<String> = (0..IDS)
                .map(|n| format!("\"{}\"", id((n * 20 + part) % ENTERPRISES)))
                .collect();
            format!(
                "/v1/tiers/lookup\t{{\"enterprise_ids\":[{}]}}",
                ids.join(",")
            )
        });
        let bodies = file("bodies", bodies.collect());
        let keys = (0..IDS)
            .map(|n| n * 20)
            .map(|number| format!("{} {}", key_of(&prefix, number), id(number)));
        let keys = file("keys", keys.collect());
        compare(
            pace,
            &[
                Case {
                    name: "lookup",
                    served: &near,
                    connections: 4,
                    requests: bodies.clone(),
                    peers: &[],
                },
                Case {
                    name: "lookup, Redis",
                    served: &far,
                    connections: 4,
                    requests: bodies.clone(),
                    peers: &[],
                },
            ],
        );
        let (mut rates, mut costs) = (Vec::new(), Vec::new());
        for _ in 0..pace.rounds {
            let words = [
                "--read",
                &redis.url,
                keys.to_str().unwrap(),
                &pace.seconds.to_string(),
            ];
            let output = pinned(SERVER_CORE, &words).output().unwrap();
            let numbers: Vec<f64> = String::from_utf8(output.stdout)
                .unwrap()
                .split_whitespace()
                .map(|word| word.parse().unwrap())
                .collect();
            let before = processor_seconds(far.pid());
            let load = run_load(far.address, 4, AT_ONCE, pace.seconds, &bodies);
            let cost = (processor_seconds(far.pid()) - before) / load.requests;
            rates.push((load.requests / load.seconds) / (numbers[0] / numbers[1]));
            costs.push((numbers[2] / numbers[0]) / cost);
            println!(
                "bare read {:8.0}/s {:8.1} µs; lookup, Redis {:8.0}/s {:8.1} µs",
                numbers[0] / numbers[1],
                numbers[2] / numbers[0] * 1e6,
                load.requests / load.seconds,
                cost * 1e6
            );
        }
        println!(
            "lookup, Redis: {:.0} % of the bare read's rate, {:.0} % by processor time",
            median(rates) * 100.0,
            median(costs) * 100.0
        );
    }
    if wants("half") {
        half::half(pace, [&bare, &near, &far], &constants(), &tiers());
    }
}
