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

use jiff::civil::date;
use risktier::domain::{Label, RecordDefaults, RecordKind};
use risktier::files::{FilesError, Mapping, ReadOptions, Row};
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
        let defaults = RecordDefaults {
            source: Label::parse("sample").unwrap(),
            known_on: date(2026, 1, 1),
        };
        let source = table.open(&folder).unwrap();
        for record in table.rows(source, &options, defaults).unwrap().map(good) {
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
