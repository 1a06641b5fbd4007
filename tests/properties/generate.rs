//! Random enterprises and record histories that reach every measure of the default catalogue.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, date};
use proptest::prelude::*;
use proptest::sample::select;
use risktier::domain::dates::add_days;
use risktier::domain::{
    Enterprise, EnterpriseKind, EnterpriseSize, EnterpriseStatus, Record, RecordKind, Severity,
};

use crate::register::{id, label};

/// The first day of the range over which the properties look; a leap day lies within it.
pub const FIRST: Date = date(2027, 11, 3);
/// Days from [`FIRST`] to the last of the range.
pub const DAYS: i32 = 430;

/// Codes that the filters of the default catalogue and rules ask for, and one that none asks for.
const CODES: [&str; 13] = [
    "missing",
    "all_zero",
    "late",
    "E",
    "C",
    "6",
    "8",
    "1",
    "legal_representative",
    "judgment_default",
    "shareholder",
    "serious_violation",
    "other",
];

/// Days counted from [`FIRST`], with month ends and the leap day well represented.
fn days(from: i32, to: i32) -> impl Strategy<Value = Date> {
    let ends = vec![
        date(2024, 2, 29),
        date(2026, 8, 31),
        date(2027, 8, 31),
        date(2027, 11, 30),
        date(2027, 12, 1),
        date(2027, 12, 31),
        date(2028, 2, 28),
        date(2028, 2, 29),
        date(2028, 3, 31),
    ];
    let (first, last) = (add_days(FIRST, from), add_days(FIRST, to));
    let ends: Vec<Date> = ends
        .into_iter()
        .filter(|day| (first..=last).contains(day))
        .collect();
    prop_oneof![
        8 => (from..=to).prop_map(|offset| add_days(FIRST, offset)),
        1 => select(ends),
    ]
}

pub fn enterprises() -> impl Strategy<Value = Enterprise> {
    let established = prop::option::weighted(0.9, days(-1200, 60));
    let attribute = select(vec![
        "licensed_high_risk",
        "zero_activity",
        "suspected_false",
        "overdue_fine",
        "public_credit_poor",
    ]);
    let attributes = prop::collection::btree_map(attribute, select(vec![0.0, 1.0]), 0..3);
    let industry = prop::option::of(select(vec!["J6760", "C1411", "L7212", "ward-7"]));
    (established, attributes, industry).prop_map(|(established_on, attributes, industry)| {
        Enterprise {
            enterprise_id: id(1),
            name: "某企业".to_owned(),
            kind: EnterpriseKind::Enterprise,
            owner_id: None,
            division: None,
            industry: industry.map(label),
            established_on,
            status: EnterpriseStatus::Active,
            size: EnterpriseSize::Small,
            tags: BTreeSet::new(),
            attributes: attributes
                .into_iter()
                .map(|(name, value)| (label(name), value))
                .collect::<BTreeMap<_, _>>(),
        }
    })
}

/// A record of any kind; it may lie in the past or the future, end, be repaired, withdrawn, and become known late.
pub fn records_of_kind(kinds: &'static [RecordKind]) -> impl Strategy<Value = Record> {
    let later = |chance: f64, most: i32| prop::option::weighted(chance, 0..most);
    let facts = (
        select(kinds),
        prop::option::weighted(0.8, select(Severity::ALL)),
        prop_oneof![
            3 => prop::collection::btree_set(select(CODES.to_vec()), 0..3),
            // Streaks need the plain code of a clean inspection.
            1 => Just(BTreeSet::from(["1"])),
        ],
        prop::option::of(0_u32..5),
        prop::option::of(any::<bool>()),
        prop::option::weighted(0.7, 0_i64..10_000_000),
        prop::option::of(select(vec!["permit-1", "permit-2"])),
    );
    let when = (
        days(-800, 250),
        prop_oneof![3 => Just(0), 1 => 1_i32..200],
        later(0.4, 900),
        later(0.15, 600),
        later(0.1, 600),
    );
    (facts, when).prop_map(|(facts, when)| {
        let (kind, severity, codes, count, upheld, amount_fen, item) = facts;
        let (occurred_on, delay, ended, repaired, withdrawn) = when;
        let after = |days: i32| add_days(occurred_on, days);
        let mut codes: Vec<_> = codes.into_iter().map(label).collect();
        codes.sort();
        Record {
            source: label("s"),
            record_id: String::new(),
            enterprise_id: id(1),
            kind,
            occurred_on,
            ended_on: ended.map(after),
            severity,
            amount_fen,
            count,
            upheld,
            codes,
            item_code: item.map(label),
            party: None,
            related_id: None,
            known_on: after(delay),
            repaired_on: repaired.map(after),
            withdrawn_on: withdrawn.map(after),
            note: None,
        }
    })
}

/// Records that may come on top as a burst of one kind.
const BURST: usize = 6;

/// One version each of up to `most` records and a burst, in the order that the store gives.
pub fn records(most: usize) -> impl Strategy<Value = Vec<Record>> {
    // Surges, streaks and group caps need several records of one kind within weeks.
    let crowded = [
        RecordKind::Penalty,
        RecordKind::Complaint,
        RecordKind::Inspection,
        RecordKind::AnnualReport,
        RecordKind::RegistrationChange,
    ];
    let one = || records_of_kind(RecordKind::ALL);
    let member = (one(), 0..60);
    let burst = (
        select(crowded.to_vec()),
        days(-100, 250),
        prop::collection::vec(member, 0..=BURST),
    );
    (prop::collection::vec(one(), 0..most), burst).prop_map(|(mut records, burst)| {
        let (kind, begin, members) = burst;
        records.extend(members.into_iter().map(|(record, days)| Record {
            kind,
            occurred_on: add_days(begin, days),
            known_on: add_days(begin, days),
            ended_on: None,
            repaired_on: None,
            withdrawn_on: None,
            ..record
        }));
        for (number, record) in records.iter_mut().enumerate() {
            record.record_id = format!("r{number:03}");
        }
        records
    })
}

/// Up to `most` records and a burst, with one to four versions each. Of one record no two versions have the same day or content.
pub fn histories(most: usize) -> impl Strategy<Value = Vec<Record>> {
    let version = (1_i32..150, any::<prop::sample::Index>());
    let history = prop::collection::vec(version, 0..4);
    (records(most), prop::collection::vec(history, most + BURST)).prop_flat_map(
        |(records, histories)| {
            let change = records_of_kind(RecordKind::ALL);
            prop::collection::vec(change, 4 * records.len().max(1)).prop_map(move |changes| {
                let mut versions = Vec::new();
                for (number, (record, history)) in records.iter().zip(&histories).enumerate() {
                    let mut known_on = record.known_on;
                    versions.push(Record {
                        note: Some("version 0".into()),
                        ..record.clone()
                    });
                    for (step, (days, pick)) in history.iter().enumerate() {
                        known_on = add_days(known_on, *days);
                        let other = &changes[(4 * number + step) % changes.len()];
                        // A correction changes some of the facts; which ones is chance.
                        let mut next = record.clone();
                        match pick.index(5) {
                            0 => next.severity = other.severity,
                            1 => next.repaired_on = Some(add_days(known_on, -days / 2)),
                            2 => next.withdrawn_on = Some(known_on),
                            3 => next.codes.clone_from(&other.codes),
                            _ => {
                                next = Record {
                                    record_id: record.record_id.clone(),
                                    ..other.clone()
                                }
                            }
                        }
                        next.known_on = known_on;
                        next.note = Some(format!("version {}", step + 1));
                        versions.push(next);
                    }
                }
                versions
            })
        },
    )
}
