//! How long an evaluation takes: 100,000 rows with everything known, 200 resamples, and the report.

#![allow(clippy::unwrap_used, missing_docs, reason = "benchmark code")]

use divan::{Bencher, black_box};
use jiff::civil::date;
use risktier::domain::Tier;
use risktier::domain::dates::add_days;
use risktier::domain::rng::SeededRng;
use risktier::model::evaluation::{
    Columns, Guard, Rows, Settings, Side, Subject, compare, evaluate,
};
use risktier::report::{Language, evaluation_page};

fn main() {
    divan::main();
}

/// Rows of a model with integer points, calibrated probabilities, tiers, days, groups and four reasons each.
fn columns(n: usize) -> Columns {
    let mut rng = SeededRng::new(1, "evaluation bench");
    let score: Vec<f64> = (0..n).map(|_| rng.below(1_001) as f64).collect();
    let tier = |score: &f64| match score {
        score if *score >= 950.0 => Tier::D,
        score if *score >= 800.0 => Tier::C,
        score if *score >= 400.0 => Tier::B,
        _ => Tier::A,
    };
    Columns {
        outcome: score
            .iter()
            .map(|score| rng.chance(score / 4_000.0))
            .collect(),
        weight: None,
        probability: Some(score.iter().map(|score| score / 4_000.0).collect()),
        tier: Some(score.iter().map(tier).collect()),
        day: Some(
            (0..n)
                .map(|_| add_days(date(2026, 1, 1), rng.below(180) as i32))
                .collect(),
        ),
        enterprise: Some(
            (0..n)
                .map(|_| rng.below(n as u64 * 2 / 3).to_string())
                .collect(),
        ),
        rate: Some(score.iter().map(|score| 0.01 + score / 4_000.0).collect()),
        groups: [21, 90, 4, 4]
            .into_iter()
            .zip(["division", "industry", "size", "age"])
            .map(|(groups, name)| {
                let of = (0..n).map(|_| format!("G{}", rng.below(groups))).collect();
                (name.to_owned(), of)
            })
            .collect(),
        reasons: Some(
            (0..n)
                .map(|_| (0..4).map(|_| format!("F{}", rng.below(40))).collect())
                .collect(),
        ),
        score,
    }
}

fn rows() -> Rows {
    columns(100_000).check().unwrap()
}

#[divan::bench(sample_count = 5)]
fn check_100k(bencher: Bencher) {
    bencher
        .with_inputs(|| columns(100_000))
        .bench_values(|columns| columns.check().unwrap());
}

#[divan::bench(sample_count = 5)]
fn evaluate_100k_200_rounds(bencher: Bencher) {
    let rows = rows();
    bencher.bench(|| {
        evaluate(
            black_box(&rows),
            Subject::default(),
            Settings::default(),
            None,
            &Guard::default(),
        )
    });
}

#[divan::bench(sample_count = 5)]
fn compare_100k_200_rounds(bencher: Bencher) {
    let side = Side {
        subject: Subject::default(),
        rows: rows(),
        stability: None,
    };
    bencher.bench(|| {
        compare(
            black_box(&side),
            &side,
            Settings::default(),
            &Guard::default(),
        )
        .unwrap()
    });
}

#[divan::bench(sample_count = 5)]
fn report_100k(bencher: Bencher) {
    let evaluation = evaluate(
        &rows(),
        Subject::default(),
        Settings::default(),
        None,
        &Guard::default(),
    );
    bencher.bench(|| evaluation_page(black_box(&evaluation), Language::Zh));
}
