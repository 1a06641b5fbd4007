//! Training rows from the register: nothing that was not known, one row per visit, weights from plans, owners apart.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::civil::Date;
use risktier::domain::dates::add_days;
use risktier::domain::{Enterprise, EnterpriseKind, Record};
use risktier::service::training::{RegisterRows, RegisterSplit, RowRules, Unplanned};
use risktier::service::{OutcomeRule, Service};

use crate::Place;
use crate::postgres_server::PostgresServer;
use crate::register::{TODAY, default_models, enterprise, id, record_with};

fn rules() -> RowRules {
    RowRules {
        outcome: OutcomeRule::compiled_in().unwrap(),
        from: None,
        until: None,
        kinds: BTreeSet::new(),
        unplanned: Unplanned::Auto,
        split: RegisterSplit::None,
        seed: 1,
    }
}

fn visit(of: usize, name: &str, days_ago: i32, codes: &[&str]) -> Record {
    record_with(
        of,
        name,
        "inspection",
        add_days(TODAY, -days_ago),
        |draft| {
            draft.codes = codes.iter().map(|code| (*code).to_owned()).collect();
            draft.known_on = Some(add_days(TODAY, -days_ago + 1).to_string());
        },
    )
}

/// A general penalty with the day on which it became known.
fn penalty(of: usize, name: &str, occurred: Date, known: Date) -> Record {
    record_with(of, name, "penalty", occurred, |draft| {
        draft.severity = Some("general".into());
        draft.known_on = Some(known.to_string());
    })
}

/// The rows of a service as lines, the header first.
fn lines(service: &Service, rules: &RowRules) -> (Vec<String>, RegisterRows) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    let written = service
        .write_training_rows(&service.current().models, rules, &path, &mut |_| {})
        .unwrap();
    (read(&path), written.rows)
}

fn read(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn cell(lines: &[String], row: usize, column: &str) -> String {
    let place = lines[0].split(',').position(|name| name == column).unwrap();
    lines[row].split(',').nth(place).unwrap().to_owned()
}

fn on_both(law: fn(&Place)) {
    law(&Place::empty());
    law(&Place::on(PostgresServer::shared()));
}

#[test]
fn a_fact_that_became_known_a_day_later_is_in_no_row_before() {
    on_both(|place| {
        let (service, store) = (place.service(), place.store());
        let enterprises: Vec<Enterprise> = (1..=2).map(enterprise).collect();
        store.put_enterprises(&enterprises, 0, TODAY).unwrap();
        let day = add_days(TODAY, -100);
        // Both were penalised ten days before a visit; the second penalty became known on the very day of the visit.
        let records = [
            penalty(1, "p1", add_days(day, -10), add_days(day, -1)),
            penalty(2, "p2", add_days(day, -10), day),
            visit(1, "v1", 100, &["E"]),
            visit(2, "v2", 100, &["E"]),
        ];
        store.put_records(&records, 0).unwrap();

        let (rows, told) = lines(&service, &rules());

        assert_eq!((told.row_count, told.found_count), (2, 2));
        assert_eq!(cell(&rows, 1, "day"), day.to_string());
        let indicators: Vec<&str> = rows[0].split(',').skip(9).collect();
        assert_eq!(
            indicators.len(),
            default_models().classifier.catalogue().indicators.len()
        );
        let differing: Vec<&str> = indicators
            .iter()
            .filter(|code| cell(&rows, 1, code) != cell(&rows, 2, code))
            .copied()
            .collect();
        assert_eq!(differing, ["SUP02"], "general penalties");
        // What the visit itself found is in neither row.
        for row in [1, 2] {
            assert_eq!(
                cell(&rows, row, "SUP07"),
                "0",
                "problems found at inspections"
            );
        }
    });
}

#[test]
fn visits_for_a_reason_silent_ones_and_those_before_founding_are_no_rows_and_are_counted() {
    on_both(|place| {
        let (service, store) = (place.service(), place.store());
        let mut enterprises: Vec<Enterprise> = (1..=5).map(enterprise).collect();
        enterprises[3].established_on = Some(add_days(TODAY, -50));
        store.put_enterprises(&enterprises, 0, TODAY).unwrap();
        let records = [
            visit(1, "v1", 100, &["E"]),
            visit(2, "v2", 90, &["E", "complaint"]),
            visit(3, "v3", 80, &["12"]),
            visit(4, "v4", 70, &["1"]),
            visit(5, "v5", 60, &["Z9", "1"]),
        ];
        store.put_records(&records, 0).unwrap();

        let (rows, told) = lines(&service, &rules());

        assert_eq!(rows.len(), 3);
        assert_eq!(
            (told.visit_count, told.row_count, told.found_count),
            (5, 2, 1)
        );
        assert_eq!((told.apart_count, told.apart_found_count), (1, 1));
        assert_eq!((told.silent_count, told.unfounded_count), (1, 1));
        assert_eq!(told.unknown_codes["Z9"], 1);
        assert_eq!((told.plan_count, told.weighted_count), (0, 0));
    });
}

#[test]
fn visits_to_other_kinds_are_left_out_and_counted() {
    on_both(|place| {
        let service = place.service();
        let store = place.store();
        let mut shop = enterprise(1);
        shop.kind = EnterpriseKind::IndividualBusiness;
        let enterprises = [shop, enterprise(2), enterprise(3)];
        store.put_enterprises(&enterprises, 0, TODAY).unwrap();
        let visits: Vec<_> = (1..=3)
            .map(|number| visit(number, &format!("v{number}"), 30, &["1"]))
            .collect();
        store.put_records(&visits, 0).unwrap();
        for (kinds, row_count) in [
            (vec![], 3),
            (vec![EnterpriseKind::IndividualBusiness], 1),
            (vec![EnterpriseKind::Enterprise], 2),
        ] {
            let rules = RowRules {
                kinds: kinds.into_iter().collect(),
                ..rules()
            };
            let (rows, told) = lines(&service, &rules);
            assert_eq!((rows.len() - 1) as u64, row_count);
            assert_eq!(
                (told.row_count, told.other_kind_count),
                (row_count, 3 - row_count)
            );
        }
    });
}

#[test]
fn statistics_count_only_where_they_were_frozen_before_the_visit() {
    on_both(|place| {
        let store = place.store();
        let enterprises: Vec<Enterprise> = (1..=3).map(enterprise).collect();
        store
            .put_enterprises(&enterprises, 0, add_days(TODAY, -400))
            .unwrap();
        let mut records: Vec<Record> = (1..=3)
            .map(|number| {
                record_with(
                    number,
                    &format!("a{number}"),
                    "link",
                    add_days(TODAY, -300),
                    |draft| {
                        draft.codes = vec!["address".into()];
                        draft.related_id = Some("address-1".into());
                    },
                )
            })
            .collect();
        records.push(visit(1, "v1", 200, &["1"]));
        records.push(visit(2, "v2", 10, &["1"]));
        store.put_records(&records, 0).unwrap();
        // A run of a hundred days ago froze the statistics.
        let cache = std::sync::Arc::new(risktier::cache::MemoryCache::with_capacity(10));
        let then = place.replica(cache, default_models(), add_days(TODAY, -100));
        then.reclassify().unwrap();
        then.carry_out_run(&()).unwrap();
        let service = place.service();

        let (rows, told) = lines(&service, &rules());

        assert_eq!(told.with_statistics_count, 1);
        assert_eq!(
            cell(&rows, 1, "BAS04"),
            "",
            "nothing was frozen two hundred days ago"
        );
        assert_eq!(cell(&rows, 2, "BAS04"), "3");
    });
}

#[test]
fn owners_are_never_on_both_sides_and_the_gap_is_used_for_nothing() {
    let place = Place::empty();
    let (service, store) = (place.service(), place.store());
    let enterprises: Vec<Enterprise> = (1..=120).map(enterprise).collect();
    store.put_enterprises(&enterprises, 0, TODAY).unwrap();
    let mut records = Vec::new();
    for number in 1..=120 {
        records.push(visit(
            number,
            &format!("a{number}"),
            300 + number as i32,
            &["1"],
        ));
        records.push(visit(
            number,
            &format!("b{number}"),
            20 + number as i32,
            &["E"],
        ));
        if number % 3 == 0 {
            records.push(record_with(
                number,
                &format!("s{number}"),
                "link",
                add_days(TODAY, -600),
                |draft| {
                    draft.codes = vec!["shareholder".into()];
                    draft.related_id = Some(id(number - 1).to_string());
                },
            ));
        }
    }
    store.put_records(&records, 0).unwrap();
    let rules = RowRules {
        split: RegisterSplit::Day {
            from: Some(add_days(TODAY, -100)),
            share: 0.3,
            gap_days: 10,
        },
        ..rules()
    };

    let (rows, told) = lines(&service, &rules);

    let from = told.validate_from.unwrap();
    let mut sides: std::collections::BTreeMap<String, std::collections::BTreeSet<bool>> =
        Default::default();
    let (mut fitted, mut validating) = (0, 0);
    for row in 1..rows.len() {
        if cell(&rows, row, "weight") == "0" {
            continue;
        }
        let day: Date = cell(&rows, row, "day").parse().unwrap();
        assert!(
            day >= from || day < add_days(from, -10),
            "{day} lies in the gap"
        );
        let validates = day >= from;
        *(if validates {
            &mut validating
        } else {
            &mut fitted
        }) += 1;
        sides
            .entry(cell(&rows, row, "owner_group"))
            .or_default()
            .insert(validates);
    }
    assert!(fitted > 20 && validating > 10, "{fitted} {validating}");
    assert!(sides.values().all(|sides| sides.len() == 1));
    assert_eq!(told.group_count, 80);
    // Linked enterprises carry one group.
    let group_of = |number: usize| {
        let row = (1..rows.len())
            .find(|row| cell(&rows, *row, "enterprise_id") == id(number).to_string());
        cell(&rows, row.unwrap(), "owner_group")
    };
    assert_eq!(group_of(3), group_of(2));
    assert_ne!(group_of(3), group_of(4));
}

#[test]
fn a_visit_that_a_plan_drew_counts_by_the_inverse_of_its_probability() {
    let place = Place::empty();
    let (planning, request) = crate::plans::world(&place);
    let plan = planning.draw_plan_now(request).unwrap();
    let sampled = planning.sample(&plan.plan_id).unwrap();
    let store = place.store();
    let numbers: Vec<usize> = (1..=80)
        .filter(|number| {
            sampled
                .iter()
                .any(|one| one.enterprise_id == id(*number).to_string())
        })
        .collect();
    let other = (1..=80).find(|number| !numbers.contains(number)).unwrap();
    let visited = numbers.iter().take(10).chain([&other]);
    let records: Vec<Record> = visited
        .map(|number| {
            record_with(
                *number,
                &format!("v{number}"),
                "inspection",
                jiff::civil::date(2026, 12, 10),
                |draft| {
                    draft.codes = vec!["1".into()];
                },
            )
        })
        .collect();
    store.put_records(&records, 0).unwrap();
    let cache = std::sync::Arc::new(risktier::cache::MemoryCache::with_capacity(10));
    let service = place.replica(cache, default_models(), jiff::civil::date(2027, 1, 31));

    let (rows, told) = lines(&service, &rules());

    assert_eq!(
        (told.plan_count, told.row_count, told.weighted_count),
        (1, 10, 10)
    );
    assert_eq!(told.unplanned_count, 1, "nobody drew it");
    for row in 1..rows.len() {
        let probability: f64 = cell(&rows, row, "inclusion_probability").parse().unwrap();
        let weight: f64 = cell(&rows, row, "weight").parse().unwrap();
        assert!(probability > 0.0 && probability <= 1.0);
        assert_eq!(weight, 1.0 / probability);
        let known = plan
            .preview
            .strata
            .iter()
            .any(|stratum| stratum.inclusion_probability == probability);
        assert!(known, "{probability}");
    }
    let counted = RowRules {
        unplanned: Unplanned::Count,
        ..rules()
    };
    let (_, told) = lines(&service, &counted);
    assert_eq!((told.row_count, told.unplanned_count), (11, 0));
}
