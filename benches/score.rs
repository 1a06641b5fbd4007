//! How many rows of a table one core scores, without and with reasons: `cargo bench --bench score`.

#![allow(clippy::unwrap_used, missing_docs, reason = "benchmark code")]

use divan::Bencher;
use divan::counter::ItemsCount;
use risktier::domain::rng::SeededRng;
use risktier::model::{Beside, Column, Scorecard, Table, Values};

const ROWS: usize = 1_000_000;
const COLUMNS: usize = 40;
/// Bins of a card: few, as weights of evidence leave, and as many as boosting has ever left.
const BINS: [u32; 3] = [8, 24, 100];

fn main() {
    divan::main();
}

/// Forty columns of random numbers, one in twenty missing, and a card for each. Every second column is heavy-tailed, with
/// bins of equal shares.
fn made_up(bins: u32) -> (Table, Scorecard) {
    let spread = |at: usize, share: f64| match at % 2 {
        0 => share,
        _ => (1_000.0 / (1.0 - share).max(1e-6)).round(),
    };
    let mut rng = SeededRng::new(1, "bench-score");
    let columns = (0..COLUMNS)
        .map(|at| Column {
            name: format!("c{at:02}"),
            values: Values::Numbers(
                (0..ROWS)
                    .map(|_| {
                        if rng.chance(0.05) {
                            f64::NAN
                        } else {
                            spread(at, rng.unit_f64())
                        }
                    })
                    .collect(),
            ),
        })
        .collect();
    let card = |at: usize| {
        let count = bins;
        let bins: Vec<serde_json::Value> = (0..count)
            .map(|bin| {
                let points = (u32::try_from(at).unwrap() * 7 + bin * 5) % 23;
                match bin {
                    0 => serde_json::json!({ "points": points }),
                    _ => serde_json::json!({ "from": spread(at, f64::from(bin) / f64::from(count)), "points": points }),
                }
            })
            .collect();
        (
            format!("c{at:02}"),
            serde_json::json!({ "bins": bins, "missing": 3 }),
        )
    };
    let indicators: serde_json::Map<String, serde_json::Value> = (0..COLUMNS).map(card).collect();
    let text = serde_json::json!({
        "format": "risktier-scorecard/1",
        "name": "bench",
        "version": 1,
        "group_caps": {},
        "cutoffs": { "B": 300, "C": 450, "D": 520 },
        "indicators": indicators,
        "manifest": {},
    });
    (
        Table::new(columns, Beside::default()).unwrap(),
        Scorecard::from_json(&text.to_string()).unwrap(),
    )
}

#[divan::bench(sample_count = 10, args = BINS)]
fn points(bencher: Bencher<'_, '_>, bins: u32) {
    let (table, card) = made_up(bins);
    bencher
        .counter(ItemsCount::new(ROWS))
        .bench_local(|| card.score_table(&table).unwrap());
}

#[divan::bench(sample_count = 10, args = BINS)]
fn points_with_four_reasons(bencher: Bencher<'_, '_>, bins: u32) {
    let (table, card) = made_up(bins);
    let scorer = card.bind(&table).unwrap();
    bencher
        .counter(ItemsCount::new(ROWS))
        .bench_local(|| scorer.score_rows_with_reasons(0..ROWS));
}
