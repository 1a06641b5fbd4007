//! The real sample, read whole through its mapping.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "test code"
)]

use jiff::civil::{Date, date};
use risktier::domain::{AsOf, Label, Record, RecordDefaults, RecordKind};
use risktier::files::{FilesError, Mapping, ReadOptions, Row};
use risktier::service::{ModelFiles, Models};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn mapping() -> Mapping {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    Mapping::load(&root.join("tests/data/chicago_food/mapping.toml")).unwrap()
}

/// The folder of the sample; nothing where it is not on this machine, which only continuous integration refuses.
fn sample() -> Option<PathBuf> {
    let folder = std::env::var_os("RISKTIER_SAMPLE_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/chicago_food"),
        PathBuf::from,
    );
    if folder.join("enterprises.csv").is_file() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "the sample is missing; set RISKTIER_SAMPLE_DIR"
    );
    println!("passed over: no sample in {}", folder.display());
    None
}

fn defaults() -> RecordDefaults {
    RecordDefaults {
        source: Label::parse("sample").unwrap(),
        known_on: date(2026, 1, 1),
    }
}

fn good<T>(row: Result<Row<T>, FilesError>) -> T {
    match row.unwrap() {
        Row::Good { item, .. } => item,
        Row::Bad(error) => panic!("{error}"),
    }
}

#[test]
fn the_mapping_of_the_sample_is_sound() {
    let mapping = mapping();
    let demo = mapping.demo().unwrap();
    let outcome = demo.outcome.as_ref().unwrap();

    assert_eq!(mapping.name(), Some("chicago_food"));
    assert_eq!(demo.as_of, date(2013, 9, 30));
    assert_eq!(outcome.kind, RecordKind::Inspection);
    assert_eq!(outcome.source.as_ref().unwrap().as_str(), "canvass");
    assert_eq!(outcome.code.as_str(), "critical");
    assert_eq!(mapping.enterprise_tables().len(), 1);
    assert_eq!(mapping.record_tables().len(), 5);
}

#[test]
fn the_whole_sample_is_read_without_a_line_error() {
    let Some(folder) = sample() else { return };
    let mapping = mapping();
    let options = ReadOptions::default();

    let table = &mapping.enterprise_tables()[0];
    let rows = table.rows(table.open(&folder).unwrap(), &options, ());
    let businesses: BTreeMap<_, _> = rows
        .unwrap()
        .map(good)
        .map(|business| (business.enterprise_id.clone(), business))
        .collect();
    assert_eq!(businesses.len(), 9_477);
    let class_of = |class: f64| {
        let classes = businesses.values().map(|b| b.attributes["risk_category"]);
        classes.filter(|&given| given == class).count()
    };
    assert_eq!(
        (class_of(1.0), class_of(2.0), class_of(3.0)),
        (6_353, 2_345, 779)
    );

    let mut counts = BTreeMap::new();
    let mut keys = BTreeSet::new();
    let mut critical = 0;
    for table in mapping.record_tables() {
        let source = table.open(&folder).unwrap();
        for record in table.rows(source, &options, defaults()).unwrap().map(good) {
            assert!(businesses.contains_key(&record.enterprise_id));
            assert_eq!(record.known_on, record.occurred_on);
            assert!(keys.insert((record.source.clone(), record.record_id.clone())));
            let is_critical = record.codes.iter().any(|code| code.as_str() == "critical");
            critical += usize::from(is_critical);
            let key = (
                table.name().to_owned(),
                record.kind,
                record.severity.map(|s| s.as_str()),
            );
            *counts.entry(key).or_insert(0) += 1;
        }
    }

    let counted: Vec<String> = counts
        .iter()
        .map(|((table, kind, severity), count)| {
            format!("{table} {kind} {} {count}", severity.unwrap_or("-"))
        })
        .collect();
    assert_eq!(
        counted,
        [
            "canvass inspection - 388",
            "canvass inspection general 3307",
            "canvass inspection minor 11127",
            "canvass inspection serious 2433",
            "complaints complaint - 5816",
            "follow_ups inspection - 9266",
            "sanctions penalty general 3411",
            "sanctions penalty minor 2406",
            "violations inspection - 68",
            "violations inspection general 6166",
            "violations inspection minor 63849",
            "violations inspection serious 3556",
        ]
    );
    assert_eq!(critical, 2_433);
}

/// Businesses visited after the day of the demonstration, and those where the first visit found a critical violation,
/// by tier from A to D.
fn found_by_tier(folder: &Path, until: Date) -> [(u32, u32); 4] {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/chicago_food");
    let models = Models::load(&ModelFiles {
        catalogue: Some(data.join("indicators.toml")),
        scorecard: Some(data.join("scorecard.json")),
        policy: Some(data.join("policy.toml")),
        ..ModelFiles::default()
    })
    .unwrap();
    let mapping = mapping();
    let demo = mapping.demo().unwrap();
    let options = ReadOptions::default();
    let mut records: BTreeMap<_, Vec<Record>> = BTreeMap::new();
    for table in mapping.record_tables() {
        let source = table.open(folder).unwrap();
        for record in table.rows(source, &options, defaults()).unwrap().map(good) {
            let of_business = records.entry(record.enterprise_id.clone()).or_default();
            of_business.push(record);
        }
    }
    let mut found = [(0, 0); 4];
    let table = &mapping.enterprise_tables()[0];
    let rows = table.rows(table.open(folder).unwrap(), &options, ());
    for business in rows.unwrap().map(good) {
        let records = records.remove(&business.enterprise_id).unwrap_or_default();
        let first_visit = records
            .iter()
            .filter(|r| {
                r.source.as_str() == "canvass"
                    && r.occurred_on > demo.as_of
                    && r.occurred_on <= until
            })
            .min_by_key(|r| r.occurred_on);
        let Some(visit) = first_visit else { continue };
        let tier = models
            .classifier
            .classify(
                &risktier::model::Case::of(&business, &records),
                AsOf::monthly(demo.as_of),
            )
            .tier;
        let (visited, critical) = &mut found[usize::from(tier.code()) - 1];
        *visited += 1;
        *critical += u32::from(visit.codes.iter().any(|code| code.as_str() == "critical"));
    }
    found
}

#[test]
fn on_the_sample_a_worse_tier_has_more_critical_violations_later() {
    let Some(folder) = sample() else { return };

    let found = found_by_tier(&folder, date(2014, 4, 16));

    let rates = found.map(|(visited, critical)| f64::from(critical) / f64::from(visited));
    assert!(rates.is_sorted(), "{rates:?}");
    assert!(found.iter().all(|(visited, _)| *visited >= 50));
    assert_eq!(found, [(1_370, 134), (2_222, 337), (420, 84), (145, 36)]);
}
