use super::*;
use crate::domain::dates::{add_months, days_between};
use crate::domain::digest::HashAlgorithm;
use crate::domain::{EnterpriseKind, IdCheck, RecordKind, Severity};
use crate::files::{Compression, Format, Sink};
use jiff::civil::date;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

const AS_OF: Date = date(2026, 12, 1);

fn options(enterprise_count: u64) -> BenchOptions {
    BenchOptions {
        enterprise_count,
        record_count: None,
        seed: 7,
        as_of: AS_OF,
    }
}

fn register(options: BenchOptions) -> Vec<BenchEnterprise> {
    BenchRegister::new(options)
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn written(options: BenchOptions) -> (BenchCounts, Vec<u8>) {
    written_by(options, 1)
}

fn written_by(options: BenchOptions, threads: usize) -> (BenchCounts, Vec<u8>) {
    let (first, second) = (Shared::default(), Shared::default());
    let sink =
        |shared: &Shared| Sink::to_writer("f", Format::Csv, Compression::Plain, shared.clone());
    let counts =
        write_bench_data(options, sink(&first), sink(&second), threads, &mut |_| {}).unwrap();
    let mut bytes = first.0.lock().unwrap().clone();
    bytes.extend(second.0.lock().unwrap().iter());
    (counts, bytes)
}

#[test]
fn the_same_options_give_the_same_bytes() {
    let (counts, bytes) = written(options(300));
    assert_eq!(written(options(300)), (counts, bytes.clone()));
    assert_eq!(counts.enterprise_count, 300);
    let many = BenchOptions {
        record_count: Some(20_000),
        ..options(4_500)
    };
    assert_eq!(written_by(many, 1), written_by(many, 4));
    let other = BenchOptions {
        seed: 8,
        ..options(300)
    };
    assert_ne!(written(other).1, bytes);
}

/// A red test here means a new version of the register, which changes every calibration made on it.
#[test]
fn the_bytes_of_a_small_register_are_stable() {
    let (_, bytes) = written(BenchOptions {
        record_count: Some(400),
        ..options(50)
    });
    let digest = HashAlgorithm::Sha256.hash(&[&bytes]);
    assert_eq!(
        digest.to_string(),
        "e9e278d6cad564051711ced3bf49495ee88e08cc07e1e57bd9e6c70b227ebb45"
    );
}

#[test]
fn codes_verify_and_are_unique() {
    let register = register(options(20_000));
    let ids: BTreeSet<_> = register
        .iter()
        .map(|made| made.enterprise.enterprise_id.clone())
        .collect();
    assert_eq!(ids.len(), 20_000);
    for made in &register {
        let id = &made.enterprise.enterprise_id;
        assert_eq!(id.check(), IdCheck::Valid, "{id}");
        let prefix = match made.enterprise.kind {
            EnterpriseKind::IndividualBusiness => "9299",
            EnterpriseKind::Cooperative => "9399",
            _ => "9199",
        };
        assert!(id.as_str().starts_with(prefix), "{id}");
        let division = made.enterprise.division.as_ref().unwrap();
        assert!(division.in_division("99"), "{division}");
    }
    let sixth = BenchRegister::id_at(&options(20_000), 6).unwrap();
    assert_eq!(sixth, register[6].enterprise.enterprise_id);
}

#[test]
fn nothing_lies_before_the_founding_or_is_known_after_the_day() {
    let (mut keys, mut last, mut rows, mut repeated) = (BTreeSet::new(), None, 0_u32, 0_u32);
    for made in register(options(3_000)) {
        let founded = made.enterprise.established_on.unwrap();
        for record in made.records {
            assert!(founded <= record.occurred_on && record.known_on <= AS_OF);
            assert_eq!(record.enterprise_id, made.enterprise.enterprise_id);
            // Repeated rows and later versions follow their first one.
            let version = (record.source, record.record_id);
            rows += 1;
            if keys.insert(version.clone()) {
                last = Some(version);
            } else {
                repeated += 1;
                assert_eq!(last.as_ref(), Some(&version));
            }
        }
    }
    let share = f64::from(repeated) / f64::from(rows);
    assert!((0.02..0.04).contains(&share), "{share}");
}

#[test]
fn a_wanted_record_count_is_filled_up_with_old_changes() {
    let wanted = BenchOptions {
        record_count: Some(20_000),
        ..options(2_000)
    };
    let filled: Vec<Record> = register(wanted)
        .into_iter()
        .flat_map(|made| made.records)
        .collect();
    let plain: Vec<Record> = register(options(2_000))
        .into_iter()
        .flat_map(|made| made.records)
        .collect();
    assert_eq!(filled.len(), 20_000);
    let fewer = BenchOptions {
        record_count: Some(8_000),
        ..options(2_000)
    };
    let few: usize = register(fewer).iter().map(|made| made.records.len()).sum();
    assert_eq!(few, 8_000);
    let added = filled
        .iter()
        .filter(|r| r.source.as_str() == "registry_archive");
    assert!(added.clone().all(|r| add_months(r.occurred_on, 36) < AS_OF));
    assert_eq!(added.count(), filled.len() - plain.len());
}

#[test]
fn too_many_enterprises_are_refused() {
    let error = BenchRegister::new(options(1_000_000_000)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`1000000000` enterprises are too many; at most 887503681 have a code"
    );
}

/// The share of enterprises with a record that `counts`.
fn share(register: &[BenchEnterprise], counts: impl Fn(&Record) -> bool) -> f64 {
    let having = register
        .iter()
        .filter(|made| made.records.iter().any(&counts));
    having.count() as f64 / register.len() as f64
}

#[test]
fn prevalences_lie_in_their_bands() {
    let register = register(options(40_000));
    let in_force = |kind: RecordKind| share(&register, |r| r.kind == kind && r.in_force_on(AS_OF));
    let serious_penalty = |r: &Record| {
        r.kind == RecordKind::Penalty && r.severity == Some(Severity::Serious) && r.counts_on(AS_OF)
    };
    let direct = |r: &Record| {
        matches!(
            r.kind,
            RecordKind::SeriousViolationListing | RecordKind::StopOrder
        ) && r.in_force_on(AS_OF)
    };
    let floored = |r: &Record| {
        let listed = matches!(
            r.kind,
            RecordKind::AbnormalListing | RecordKind::JudgmentDefault
        ) && r.in_force_on(AS_OF);
        listed || serious_penalty(r)
    };
    let complaints: Vec<u64> = register
        .iter()
        .map(|made| {
            let last_year = |r: &&Record| {
                r.kind == RecordKind::Complaint && days_between(r.occurred_on, AS_OF) < 365
            };
            made.records.iter().filter(last_year).count() as u64
        })
        .collect();
    let mean = complaints.iter().sum::<u64>() as f64 / complaints.len() as f64;
    let floor_only = {
        let having = register
            .iter()
            .filter(|made| made.records.iter().any(floored) && !made.records.iter().any(direct));
        having.count() as f64 / register.len() as f64
    };
    let young = register
        .iter()
        .filter(|made| add_months(made.enterprise.established_on.unwrap(), 12) > AS_OF);
    let records: usize = register.iter().map(|made| made.records.len()).sum();

    let bands = [
        (
            "young",
            young.count() as f64 / register.len() as f64,
            0.10,
            0.14,
        ),
        (
            "abnormal now",
            in_force(RecordKind::AbnormalListing),
            0.035,
            0.055,
        ),
        (
            "abnormal ever",
            share(&register, |r| r.kind == RecordKind::AbnormalListing),
            0.06,
            0.085,
        ),
        (
            "serious penalty",
            share(&register, serious_penalty),
            0.018,
            0.032,
        ),
        (
            "judgment",
            in_force(RecordKind::JudgmentDefault),
            0.014,
            0.026,
        ),
        (
            "serious listing",
            in_force(RecordKind::SeriousViolationListing),
            0.008,
            0.015,
        ),
        ("stop order", in_force(RecordKind::StopOrder), 0.006, 0.012),
        ("direct D", share(&register, direct), 0.013, 0.023),
        ("floor C only", floor_only, 0.045, 0.075),
        ("complaints a year", mean, 0.08, 0.14),
        ("records", records as f64 / register.len() as f64, 4.6, 5.3),
    ];
    let outside: Vec<_> = bands
        .iter()
        .filter(|(_, value, low, high)| value < low || value > high)
        .collect();
    assert!(outside.is_empty(), "{outside:?} of {bands:?}");
    let crowded = |code: &str| {
        let mut shared: BTreeMap<String, u64> = BTreeMap::new();
        for record in register.iter().flat_map(|made| &made.records) {
            let is_link = record.kind == RecordKind::Link
                && record.source.as_str() == "link_register"
                && record.codes.iter().any(|of| of.as_str() == code);
            if is_link {
                let key = format!("{}", record.related_id.as_ref().unwrap());
                *shared.entry(key).or_default() += 1;
            }
        }
        let crowds: u64 = shared.values().filter(|count| **count >= 10).sum();
        crowds as f64 / register.len() as f64
    };
    for (code, low, high) in [
        ("address", 0.008, 0.013),
        ("legal_representative", 0.002, 0.0045),
    ] {
        let share = crowded(code);
        assert!((low..high).contains(&share), "{code}: {share}");
    }
    let largest = complaints.iter().max().unwrap();
    assert!(*largest >= 30, "{largest}");
}
