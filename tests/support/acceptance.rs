//! The acceptance tests of the draw, by the number of repetitions: small in the test-suite, large in
//! `cargo bench --bench acceptance`. Each gives what it measured and the interval in which that must lie.

use std::collections::BTreeSet;

use risktier::domain::digest::{Digest, HashAlgorithm};
use risktier::domain::rng::SeededRng;
use risktier::sampling::contribution::{Contribution, ContributionName, ContributionValue};
use risktier::sampling::estimation::{ObservedStratum, total};
use risktier::sampling::pareto::Design;
use risktier::sampling::plan::{Method, PPB};
use risktier::sampling::pool::{Pool, PoolBuilder, StratumKey};
use risktier::sampling::seed::{ROUNDING, Seed, Tickets};
use risktier::sampling::selection::{Wanted, select};
use risktier::sampling::sizes::systematic;

const SHA: HashAlgorithm = HashAlgorithm::Sha256;

/// One measured value and the interval in which it must lie.
#[derive(Debug)]
pub struct Measured {
    pub test: &'static str,
    pub what: String,
    pub value: f64,
    pub from: f64,
    pub to: f64,
}

impl Measured {
    pub fn holds(&self) -> bool {
        (self.from..=self.to).contains(&self.value)
    }
}

fn measured(
    test: &'static str,
    what: impl Into<String>,
    value: f64,
    within: (f64, f64),
) -> Measured {
    Measured {
        test,
        what: what.into(),
        value,
        from: within.0,
        to: within.1,
    }
}

/// How many times each test is repeated.
pub struct Repetitions {
    pub inclusion: u64,
    pub strata: u64,
    pub pareto: u64,
    pub estimates: u64,
    pub tickets: usize,
    pub extensions: u64,
    pub overlap: usize,
    pub rounding: u64,
}

/// Those of the acceptance page.
pub const FULL: Repetitions = Repetitions {
    inclusion: 5_000,
    strata: 300,
    pareto: 400_000,
    estimates: 2_000,
    tickets: 5_000_000,
    extensions: 10_000,
    overlap: 100_000,
    rounding: 2_000,
};

/// A few seconds without optimisation. Where fewer repetitions leave more noise, the tolerance is widened for it.
pub const SMALL: Repetitions = Repetitions {
    inclusion: 2_000,
    strata: 300,
    pareto: 6_000,
    estimates: 300,
    tickets: 100_000,
    extensions: 200,
    overlap: 20_000,
    rounding: 2_000,
};

/// Every test by its number on the acceptance page.
pub fn all(times: &Repetitions) -> Vec<Measured> {
    [
        inclusion(times.inclusion),
        strata_are_independent(times.strata),
        pareto(times.pareto),
        estimates(times.estimates),
        tickets(times.tickets),
        extensions(times.extensions),
        one_unit(times.extensions / 10),
        overlap(times.overlap),
        rounding(times.rounding),
        degenerate(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn seed(test: &str, number: u64) -> Seed {
    Seed::new(SHA.hash(&[test.as_bytes(), b" ", number.to_string().as_bytes()]))
}

fn key(number: usize) -> StratumKey {
    StratumKey::new(format!("S{number:06}")).unwrap()
}

/// A pool of strata with these sizes of objects.
fn pool(strata: &[Vec<u32>]) -> Pool {
    let mut builder = PoolBuilder::new();
    for (number, sizes) in strata.iter().enumerate() {
        for (object, size) in sizes.iter().enumerate() {
            let id = format!("91{number:06}{object:08}");
            builder.push(&id, &key(number), *size).unwrap();
        }
    }
    builder.build().unwrap()
}

fn wanted(n: u64) -> Wanted {
    Wanted { size: n, length: n }
}

fn drawn(method: Method, pool: &Pool, seed: &Seed, sizes: &[u64]) -> Vec<Vec<u32>> {
    let wanted: Vec<Wanted> = sizes.iter().map(|n| wanted(*n)).collect();
    let orders = select(method, pool, &Tickets::new(SHA, seed), &wanted);
    orders.into_iter().map(|order| order.objects).collect()
}

/// The normal quantile of a chi-square value (Wilson and Hilferty 1931); |z| < 3.719 is p within (1e-4, 1 − 1e-4).
fn chi_square_z(value: f64, freedom: f64) -> f64 {
    let spread = 2.0 / (9.0 * freedom);
    ((value / freedom).cbrt() - (1.0 - spread)) / spread.sqrt()
}

/// 2 and 3: every object, and every pair, is drawn as often as the others.
fn inclusion(times: u64) -> Vec<Measured> {
    const N: usize = 200;
    const SAMPLE: usize = 20;
    let pool = pool(&[vec![1; N]]);
    let mut single = vec![0_u32; N];
    let mut pairs = vec![0_u32; N * N];
    for number in 0..times {
        let objects = drawn(
            Method::Equal,
            &pool,
            &seed("inclusion", number),
            &[SAMPLE as u64],
        );
        for (place, a) in objects[0].iter().enumerate() {
            single[*a as usize] += 1;
            for b in &objects[0][..place] {
                pairs[(*a.min(b)) as usize * N + (*a.max(b)) as usize] += 1;
            }
        }
    }
    let (n, sample, times) = (N as f64, SAMPLE as f64, times as f64);
    let expected = times * sample / n;
    let spread = expected * (1.0 - sample / n);
    let squares: f64 = single
        .iter()
        .map(|c| (f64::from(*c) - expected).powi(2))
        .sum();
    let x = (n - 1.0) / n * squares / spread;
    let together = sample * (sample - 1.0) / (n * (n - 1.0));
    let deviation = (times * together * (1.0 - together)).sqrt();
    let worst = (0..N)
        .flat_map(|a| (a + 1..N).map(move |b| a * N + b))
        .map(|place| (f64::from(pairs[place]) - times * together).abs() / deviation)
        .fold(0.0, f64::max);
    vec![
        measured(
            "2",
            "inclusion, chi-square as z",
            chi_square_z(x, n - 1.0),
            (-3.719, 3.719),
        ),
        measured("3", "pairs, largest |z| of 19,900", worst, (0.0, 7.0)),
    ]
}

/// 4: two strata of one size do not draw the same positions.
fn strata_are_independent(times: u64) -> Vec<Measured> {
    let pool = pool(&[vec![1; 100], vec![1; 100]]);
    let mut shared = 0;
    for number in 0..times {
        let objects = drawn(Method::Equal, &pool, &seed("strata", number), &[10, 10]);
        // Objects are addressed in byte order of id: the first stratum has 0 to 99.
        let second: Vec<u32> = objects[1].iter().map(|object| object - 100).collect();
        shared += objects[0].iter().filter(|o| second.contains(o)).count();
    }
    let mean = shared as f64 / times as f64;
    vec![measured(
        "4",
        "shared positions of two strata, mean",
        mean,
        (0.75, 1.25),
    )]
}

fn log_normal(rng: &mut SeededRng, sigma: f64) -> f64 {
    let normal = (0..12).map(|_| rng.unit_f64()).sum::<f64>() - 6.0;
    (sigma * normal).exp()
}

/// 5: Pareto sampling keeps the inclusion probabilities that it says.
fn pareto(times: u64) -> Vec<Measured> {
    const N: usize = 50;
    let mut rng = SeededRng::new(5, "acceptance-pareto");
    let sizes: Vec<u32> = (0..N)
        .map(|_| (1_000.0 * log_normal(&mut rng, 0.8)) as u32 + 1)
        .collect();
    let pool = pool(std::slice::from_ref(&sizes));
    let mut worst: f64 = 0.0;
    for sample in [2, 5, 10] {
        let design = Design::new(sizes.clone(), sample);
        let mut counts = vec![0_u64; N];
        for number in 0..times {
            let objects = drawn(Method::Pareto, &pool, &seed("pareto", number), &[sample]);
            objects[0]
                .iter()
                .for_each(|object| counts[*object as usize] += 1);
        }
        for (count, size) in counts.iter().zip(&sizes) {
            let share = *count as f64 / times as f64;
            worst = worst.max((share - design.inclusion_probability(*size)).abs());
        }
    }
    // Four standard deviations of a share of one half come on top of Rosén's bound where there are fewer repetitions.
    let noise = 4.0 * (0.25 / times as f64).sqrt();
    let limit = if times >= 400_000 {
        0.004
    } else {
        0.003 + noise
    };
    vec![measured(
        "5",
        "Pareto, largest |share - λ| at n = 2, 5, 10 of 50",
        worst,
        (0.0, limit),
    )]
}

/// 6: estimates are unbiased and their intervals cover.
fn estimates(times: u64) -> Vec<Measured> {
    let mut rng = SeededRng::new(6, "acceptance-estimates");
    let mut sizes = Vec::new();
    let mut values = Vec::new();
    for _ in 0..3 {
        let of_stratum: Vec<u32> = (0..600)
            .map(|_| (1_000.0 * log_normal(&mut rng, 0.5)) as u32 + 1)
            .collect();
        values.extend(
            of_stratum
                .iter()
                .map(|size| f64::from(*size) / 1_000.0 * log_normal(&mut rng, 0.5)),
        );
        sizes.push(of_stratum);
    }
    let pool = pool(&sizes);
    let truth: f64 = values.iter().sum();
    let mut found = Vec::new();
    for (method, name) in [(Method::Equal, "equal"), (Method::Pareto, "Pareto")] {
        let (mut covered, mut sum, mut squares) = (0, 0.0, 0.0);
        for number in 0..times {
            let objects = drawn(method, &pool, &seed("estimates", number), &[60, 80, 100]);
            let strata: Vec<ObservedStratum> = objects
                .iter()
                .zip(&sizes)
                .map(|(objects, sizes)| match method {
                    Method::Pareto => {
                        let design = Design::new(sizes.clone(), objects.len() as u64);
                        let observed = objects.iter().map(|object| {
                            let size = pool.object(*object as usize).unwrap().size;
                            (values[*object as usize], design.inclusion_probability(size))
                        });
                        ObservedStratum::Pareto {
                            observed: observed.collect(),
                        }
                    }
                    Method::Equal | Method::Order => ObservedStratum::Equal {
                        pool: sizes.len() as u64,
                        observed: objects.iter().map(|o| values[*o as usize]).collect(),
                    },
                })
                .collect();
            let estimate = total(&strata);
            let (low, high) = estimate.interval(1.96).unwrap();
            covered += u64::from((low..=high).contains(&truth));
            sum += estimate.value;
            squares += estimate.value * estimate.value;
        }
        let n = times as f64;
        let (mean, error) = (sum / n, ((squares / n - (sum / n).powi(2)) / n).sqrt());
        let share = 100.0 * covered as f64 / n;
        // Fewer repetitions leave a wider interval for the share: four standard deviations at 95 %.
        let slack = if times >= 2_000 {
            2.0
        } else {
            400.0 * (0.95 * 0.05 / n).sqrt() + 0.5
        };
        found.push(measured(
            "6",
            format!("{name}: bias in standard errors"),
            (mean - truth) / error,
            (-3.5, 3.5),
        ));
        found.push(measured(
            "6",
            format!("{name}: coverage of 95 % intervals, %"),
            share,
            (95.0 - slack, 95.0 + slack),
        ));
    }
    found
}

/// 7: tickets are uniform and do not follow the order of ids.
fn tickets(objects: usize) -> Vec<Measured> {
    const CELLS: usize = 1_000;
    let tickets = Tickets::new(SHA, &seed("tickets", 0));
    let mut cells = vec![0_u64; CELLS];
    let (mut sum, mut squares, mut products, mut before) = (0.0, 0.0, 0.0, None);
    for object in 0..objects {
        let id = format!("91990000MA{object:08}");
        let ticket = tickets.ticket(id.as_bytes()).leading_u64();
        cells[((u128::from(ticket) * CELLS as u128) >> 64) as usize] += 1;
        let u = ticket as f64 / 2.0_f64.powi(64) - 0.5;
        sum += u;
        squares += u * u;
        products += before.map_or(0.0, |before: f64| before * u);
        before = Some(u);
    }
    let n = objects as f64;
    let expected = n / CELLS as f64;
    let x: f64 = cells
        .iter()
        .map(|c| (*c as f64 - expected).powi(2) / expected)
        .sum();
    let mean = sum / n;
    let correlation = (products / n - mean * mean) / (squares / n - mean * mean);
    let limit = if objects >= 5_000_000 {
        2.5e-3
    } else {
        5.0 / n.sqrt()
    };
    vec![
        measured(
            "7",
            "tickets in 1,000 cells, chi-square as z",
            chi_square_z(x, 999.0),
            (-3.719, 3.719),
        ),
        measured(
            "7",
            "tickets along sorted ids, |correlation|",
            correlation.abs(),
            (0.0, limit),
        ),
    ]
}

/// 10: who is drawn stays drawn when more are taken, from the reserve or at a larger size.
fn extensions(times: u64) -> Vec<Measured> {
    let mut rng = SeededRng::new(10, "acceptance-extensions");
    let (mut equal, mut pareto) = (0, 0);
    for number in 0..times {
        let objects = 10 + rng.below(60) as usize;
        let sizes: Vec<u32> = (0..objects).map(|_| 1 + rng.below(500) as u32).collect();
        let pool = pool(std::slice::from_ref(&sizes));
        let n = 1 + rng.below(objects as u64 - 1);
        let seed = seed("extensions", number);
        let small = drawn(Method::Equal, &pool, &seed, &[n]);
        let large = drawn(Method::Equal, &pool, &seed, &[n + 1]);
        equal += u64::from(large[0][..n as usize] != small[0]);
        // The design stays that of the declared size; one more is the first of the reserve.
        let tickets = Tickets::new(SHA, &seed);
        let order = |length| {
            let wanted = [Wanted { size: n, length }];
            select(Method::Pareto, &pool, &tickets, &wanted)[0]
                .objects
                .clone()
        };
        pareto += u64::from(order(n + 1)[..n as usize] != order(n));
    }
    vec![
        measured("10", "equal: n not within n + 1", equal as f64, (0.0, 0.0)),
        measured(
            "10",
            "Pareto with reserve: n not within n + 1",
            pareto as f64,
            (0.0, 0.0),
        ),
    ]
}

fn group_seed(group: &str, plan: u8, value: &str) -> Seed {
    let contributions = [Contribution {
        name: ContributionName::new("server").unwrap(),
        value: ContributionValue::new(value).unwrap(),
    }];
    Seed::from_parts(
        SHA,
        &Digest::from_bytes([plan; 32]),
        Some(group),
        &contributions,
    )
}

/// 11: in a coordinated group one object more or less moves at most one place, and only in its own stratum.
fn one_unit(times: u64) -> Vec<Measured> {
    let (mut elsewhere, mut most) = (0, 0);
    let ids = |pool: &Pool, objects: &[u32]| -> Vec<String> {
        let ids = objects
            .iter()
            .map(|o| pool.object(*o as usize).unwrap().id.to_owned());
        let mut ids: Vec<String> = ids.collect();
        ids.sort();
        ids
    };
    for number in 0..times {
        let value = format!("{number:064x}");
        let before = pool(&[vec![1; 40], vec![1; 40], vec![1; 40]]);
        let after = pool(&[vec![1; 40], vec![1; 41], vec![1; 40]]);
        // The plan digests differ, as they do when the pool does; the group's seed does not follow them.
        let (one, other) = (
            group_seed("2027-q1", 1, &value),
            group_seed("2027-q1", 2, &value),
        );
        let was = drawn(Method::Equal, &before, &one, &[8, 8, 8]);
        let is = drawn(Method::Equal, &after, &other, &[8, 8, 8]);
        for stratum in 0..3 {
            let (was, is) = (ids(&before, &was[stratum]), ids(&after, &is[stratum]));
            let new = is.iter().filter(|id| !was.contains(id)).count() as u64;
            if stratum == 1 {
                most = most.max(new);
            } else {
                elsewhere += new;
            }
        }
    }
    vec![
        measured(
            "11",
            "one object more: changes in other strata",
            elsewhere as f64,
            (0.0, 0.0),
        ),
        measured(
            "11",
            "one object more: most changes in its own",
            most as f64,
            (0.0, 1.0),
        ),
    ]
}

/// 12, positive part: samples of one group overlap in `min(n1, n2)`, those of unrelated seeds in `N·f1·f2`.
fn overlap(objects: usize) -> Vec<Measured> {
    let pool = pool(&[vec![1; objects]]);
    let n = objects as u64 / 10;
    let shared = |a: &[u32], b: &[u32]| {
        let mut is_in = vec![false; objects];
        a.iter().for_each(|object| is_in[*object as usize] = true);
        b.iter().filter(|object| is_in[**object as usize]).count() as u64
    };
    let value = "c0".repeat(32);
    let few = drawn(Method::Equal, &pool, &group_seed("g", 1, &value), &[n]);
    let many = drawn(Method::Equal, &pool, &group_seed("g", 2, &value), &[2 * n]);
    let fresh = drawn(Method::Equal, &pool, &group_seed("h", 1, &value), &[n]);
    let missing = n - shared(&few[0], &many[0]);
    let expected = n as f64 * 0.1;
    let spread = (expected * 0.9 * 0.9).sqrt();
    let z = (shared(&few[0], &fresh[0]) as f64 - expected) / spread;
    vec![
        measured(
            "12",
            "positive coordination: missing from min(n1, n2)",
            missing as f64,
            (0.0, 0.0),
        ),
        measured(
            "12",
            "fresh seeds: overlap in standard deviations",
            z,
            (-5.0, 5.0),
        ),
    ]
}

/// 15: systematic rounding keeps the total, stays next to the target and is unbiased.
fn rounding(times: u64) -> Vec<Measured> {
    let mut rng = SeededRng::new(15, "acceptance-rounding");
    let targets: Vec<u64> = (0..40).map(|_| rng.below(3 * PPB)).collect();
    let sum: u128 = targets.iter().map(|target| u128::from(*target)).sum();
    let mut totals = vec![0_u64; targets.len()];
    let (mut off, mut far) = (0, 0);
    for number in 0..times {
        let digest = Digest::from_bytes([9; 32]);
        let v = seed("rounding", number)
            .stream(SHA, ROUNDING, &digest)
            .below(PPB);
        let sizes = systematic(&targets, v);
        let total = u128::from(sizes.iter().sum::<u64>());
        off += u64::from((total * u128::from(PPB)).abs_diff(sum) >= u128::from(PPB));
        for ((size, target), sum) in sizes.iter().zip(&targets).zip(&mut totals) {
            far += u64::from((size * PPB).abs_diff(*target) >= PPB);
            *sum += size;
        }
    }
    let worst = totals
        .iter()
        .zip(&targets)
        .map(|(total, target)| {
            let share = (target % PPB) as f64 / PPB as f64;
            let error = (share * (1.0 - share) / times as f64).sqrt().max(1e-12);
            let mean = *total as f64 / times as f64;
            (mean - *target as f64 / PPB as f64).abs() / error
        })
        .fold(0.0, f64::max);
    vec![
        measured(
            "15",
            "rounding: totals more than one away",
            off as f64,
            (0.0, 0.0),
        ),
        measured(
            "15",
            "rounding: sizes one or more away",
            far as f64,
            (0.0, 0.0),
        ),
        measured(
            "15",
            "rounding: largest |mean - target| in standard errors",
            worst,
            (0.0, 5.0),
        ),
    ]
}

/// 25: sizes at their ends, strata of one object, all probabilities 1.
fn degenerate() -> Vec<Measured> {
    let mut wrong = 0;
    let seed = seed("degenerate", 0);
    for method in [Method::Equal, Method::Pareto] {
        for (sizes, n) in [
            (vec![7], 0),
            (vec![7], 1),
            (vec![1, 2, 3], 0),
            (vec![1, 2, 3], 3),
            (vec![5; 4], 4),
            (vec![u32::MAX, 1, 1], 1),
            (vec![u32::MAX, 1, 1], 2),
            (vec![u32::MAX; 6], 5),
        ] {
            let pool = pool(std::slice::from_ref(&sizes));
            let objects = drawn(method, &pool, &seed, &[n]);
            let unique: BTreeSet<u32> = objects[0].iter().copied().collect();
            wrong += u64::from(objects[0].len() as u64 != n || unique.len() as u64 != n);
            let more = [Wanted {
                size: n,
                length: u64::MAX,
            }];
            let all = select(method, &pool, &Tickets::new(SHA, &seed), &more);
            wrong += u64::from(all[0].objects.len() != sizes.len());
            let design = Design::new(sizes.clone(), n);
            let expected: f64 = sizes.iter().map(|s| design.inclusion_probability(*s)).sum();
            wrong += u64::from((expected - n as f64).abs() > 1e-9);
        }
    }
    vec![measured(
        "25",
        "degenerate strata: wrong results",
        wrong as f64,
        (0.0, 0.0),
    )]
}
