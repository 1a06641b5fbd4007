//! How many enterprises one core classifies, whole, with reasons, and in the two halves of a run; and how long the
//! statistics of five million take: `cargo bench --bench classify`.

#![allow(clippy::unwrap_used, missing_docs, reason = "benchmark code")]

use divan::Bencher;
use divan::counter::ItemsCount;
use jiff::civil::{Date, date};
use risktier::domain::{AsOf, EnterpriseSize, Label};
use risktier::indicators::{LinkKey, PeerCell, RegisterFacts};
use risktier::model::{Case, Provisional, StatisticsBuilder};
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

fn halves() -> (Models, Vec<BenchEnterprise>, Vec<Provisional>) {
    let (models, register) = register();
    let halves = register.iter().map(|made| {
        let case = Case::of(&made.enterprise, &made.records);
        models.classifier.provisional(&case, AsOf::monthly(DAY))
    });
    let halves = halves.collect();
    (models, register, halves)
}

#[divan::bench(sample_count = 10)]
fn own_halves_to_bytes(bencher: Bencher<'_, '_>) {
    let (models, register) = register();
    bencher
        .counter(ItemsCount::new(register.len()))
        .bench_local(|| {
            let of = |made: &BenchEnterprise| {
                let case = Case::of(&made.enterprise, &made.records);
                let half = models.classifier.provisional(&case, AsOf::monthly(DAY));
                half.to_bytes().len()
            };
            register.iter().map(of).sum::<usize>()
        });
}

#[divan::bench(sample_count = 10)]
fn finished_from_bytes(bencher: Bencher<'_, '_>) {
    let (models, _, halves) = halves();
    let mut builder = StatisticsBuilder::new(DAY);
    halves.iter().for_each(|half| builder.add(half));
    let classifier = models.classifier.with_statistics(builder.freeze().into());
    let kept: Vec<Vec<u8>> = halves.iter().map(Provisional::to_bytes).collect();
    bencher
        .counter(ItemsCount::new(kept.len()))
        .bench_local(|| {
            let of = |bytes: &Vec<u8>| {
                let half = Provisional::from_bytes(bytes).unwrap();
                u64::from(classifier.finish(&half, &[]).points)
            };
            kept.iter().map(of).sum::<u64>()
        });
}

/// Five million enterprises: one in five shares its address, one in ten its person, one in ten has complaints.
#[divan::bench(sample_count = 1)]
fn statistics_of_five_million(bencher: Bencher<'_, '_>) {
    const ENTERPRISES: u64 = 5_000_000;
    let industries: Vec<Label> = (0..1_381)
        .map(|number| Label::parse(&format!("C{number:04}")).unwrap())
        .collect();
    bencher
        .counter(ItemsCount::new(ENTERPRISES))
        .bench_local(|| {
            let mut builder = StatisticsBuilder::new(DAY);
            let mut facts = RegisterFacts {
                is_counted: true,
                cell: PeerCell {
                    industry: None,
                    size: EnterpriseSize::Micro,
                },
                complaints: 0,
                addresses: Vec::new(),
                persons: Vec::new(),
                links: Vec::new(),
                owner: None,
                is_listed: false,
                cancelled_on: None,
            };
            for number in 0..ENTERPRISES {
                let shared = |share: u64| {
                    if number % share == 0 {
                        number % 10_007
                    } else {
                        number
                    }
                };
                facts.cell.industry = industries.get((number % 1_381) as usize).cloned();
                facts.complaints = if number % 10 == 0 {
                    (number % 37) as u32
                } else {
                    0
                };
                facts.addresses = vec![LinkKey::address(&shared(5).to_string())];
                facts.persons = vec![LinkKey::person(&shared(10).to_string())];
                builder.add(&facts);
            }
            builder.freeze().to_bytes().len()
        });
}
