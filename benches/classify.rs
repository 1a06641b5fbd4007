//! How many enterprises one core classifies, without and with reasons: `cargo bench --bench classify`.

#![allow(clippy::unwrap_used, missing_docs, reason = "benchmark code")]

use divan::Bencher;
use divan::counter::ItemsCount;
use jiff::civil::{Date, date};
use risktier::domain::AsOf;
use risktier::model::Case;
use risktier::service::bench_data::{BenchEnterprise, BenchOptions, BenchRegister};
use risktier::service::{ModelFiles, Models};

const DAY: Date = date(2026, 9, 30);

fn main() {
    divan::main();
}

fn register() -> (Models, Vec<BenchEnterprise>) {
    let options = BenchOptions {
        enterprise_count: 10_000,
        record_count: None,
        seed: 1,
        as_of: DAY,
    };
    let register = BenchRegister::new(options)
        .unwrap()
        .collect::<Result<Vec<_>, _>>()
        .unwrap();
    (Models::load(&ModelFiles::default()).unwrap(), register)
}

#[divan::bench(sample_count = 10)]
fn tiers(bencher: Bencher<'_, '_>) {
    let (models, register) = register();
    bencher
        .counter(ItemsCount::new(register.len()))
        .bench_local(|| {
            let of = |made: &BenchEnterprise| {
                models
                    .classifier
                    .classify(
                        &Case::of(&made.enterprise, &made.records),
                        AsOf::monthly(DAY),
                    )
                    .points
            };
            register.iter().map(|made| u64::from(of(made))).sum::<u64>()
        });
}

#[divan::bench(sample_count = 10)]
fn tiers_with_reasons(bencher: Bencher<'_, '_>) {
    let (models, register) = register();
    bencher
        .counter(ItemsCount::new(register.len()))
        .bench_local(|| {
            let of = |made: &BenchEnterprise| {
                models
                    .classifier
                    .explain(
                        &Case::of(&made.enterprise, &made.records),
                        AsOf::monthly(DAY),
                    )
                    .reasons
                    .len()
            };
            register.iter().map(of).sum::<usize>()
        });
}
