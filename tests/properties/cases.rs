//! A tier has two halves: what one enterprise's own files say, and what the register adds. Put together they are the
//! tier, whatever the files, the statistics and the links.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::civil::Date;
use proptest::prelude::*;
use proptest::sample::select;
use risktier::domain::dates::add_days;
use risktier::domain::{
    AsOf, Decision, Enterprise, EnterpriseId, EnterpriseKind, EnterpriseSize, EnterpriseStatus,
    Record, RecordKind, Tier,
};
use risktier::indicators::{Catalogue, RegisterFacts};
use risktier::model::{
    Case, Classification, Classifier, LinkedEnterprise, Provisional, Scorecard, Scorecards,
    Settled, Statistics, StatisticsBuilder, Step, TierRules,
};

use crate::generate::{DAYS, FIRST, enterprises, records};
use crate::register::{TODAY, enterprise, id, label, record_with};

const CATALOGUE: &str = include_str!("../../models/indicators.toml");
const SCORECARD: &str = include_str!("../../models/default/scorecard.json");
const POLICY: &str = include_str!("../../models/policy.toml");

/// Rules on indicators of the register, and a professional grade.
const MORE_RULES: &str = r#"
[[direct]]
code = "CROWDED"
name = { zh = "一址多照", en = "crowded address" }
tier = "D"
when = { indicator = "BAS04", at_least = 3 }

[[floor]]
code = "LINKED"
name = { zh = "关联高风险", en = "linked high risk" }
tier = "B"
when = { measure = { of = "register", statistic = "linked_high_risk" }, at_least = 1 }

[[shift]]
code = "COMPLAINED"
name = { zh = "投诉多", en = "much complained about" }
steps = 1
when = { measure = { of = "register", statistic = "complaint_share_below", least_peers = 3 }, at_least = 0.5 }

[grade]
attribute = "food_grade"
matrix = [
    { A = "A", B = "A", C = "B", D = "C" },
    { A = "A", B = "B", C = "C", D = "D" },
    { A = "B", B = "C", C = "D", D = "D" },
]
"#;

fn rules(policy: &str) -> TierRules {
    let policy: toml::Table = policy.parse().unwrap();
    policy["tier"].clone().try_into().unwrap()
}

fn scorecard(text: &str) -> Scorecard {
    Scorecard::from_json(text).unwrap()
}

/// The default files, and files that use the register everywhere.
fn classifiers() -> Vec<Classifier> {
    let plain = Classifier::new(
        Catalogue::from_toml(CATALOGUE).unwrap(),
        scorecard(SCORECARD),
        rules(POLICY),
    );
    let mut more = rules(POLICY);
    let table: toml::Table = MORE_RULES.parse().unwrap();
    let list = |key: &str| table[key].clone();
    more.direct
        .extend(list("direct").try_into::<Vec<_>>().unwrap());
    more.floor
        .extend(list("floor").try_into::<Vec<_>>().unwrap());
    more.shift
        .extend(list("shift").try_into::<Vec<_>>().unwrap());
    more.grade = Some(list("grade").try_into().unwrap());
    // Points for missing values, low caps and near edges, so that what the register adds meets every step; the groups
    // are declared in another order, so that their places do not matter.
    let card = SCORECARD
        .replace(
            "{ \"from\": 10, \"points\": 20 }], \"missing\": 0",
            "{ \"from\": 2, \"points\": 90 }], \"missing\": 7",
        )
        .replace(
            "{ \"from\": 1, \"points\": 30 }], \"missing\": 0",
            "{ \"from\": 1, \"points\": 200 }], \"missing\": 5",
        )
        .replace(
            "{ \"from\": 0.9, \"points\": 15 }",
            "{ \"from\": 0.25, \"points\": 15 }",
        )
        .replace(
            "{ \"from\": 10, \"points\": 15 }",
            "{ \"from\": 2, \"points\": 15 }",
        )
        .replace(
            "{ \"from\": 3, \"points\": 15 }",
            "{ \"from\": 1, \"points\": 15 }",
        )
        .replace("\"REL\": 120", "\"REL\": 100");
    let groups =
        "[[group]]\ncode = \"SOC\"\nname = { zh = \"社会评价信息\", en = \"public assessment\" }\n";
    let moved =
        CATALOGUE
            .replacen(groups, "", 1)
            .replacen("[[group]]", &format!("{groups}\n[[group]]"), 1);
    let few = moved.replace("least_peers = 200", "least_peers = 4");
    assert_ne!(few, CATALOGUE);
    let mut cards = Scorecards::from(scorecard(&card));
    cards
        .by_kind
        .insert(EnterpriseKind::IndividualBusiness, scorecard(SCORECARD));
    let rich = Classifier::new(
        Catalogue::from_toml(&few).unwrap(),
        cards.clone(),
        more.clone(),
    );
    // A register that knows no links and no complaints.
    more.record_kinds.remove(&RecordKind::Link);
    more.record_kinds.remove(&RecordKind::Complaint);
    let poor = Classifier::new(Catalogue::from_toml(&few).unwrap(), cards, more);
    let taught = Classifier::new(
        Catalogue::from_toml(&few).unwrap(),
        scorecard(&trained(&card)),
        rules(POLICY),
    );
    vec![
        plain.unwrap(),
        rich.unwrap(),
        poor.unwrap(),
        taught.unwrap(),
    ]
}

/// The card in the format of training: with base points, a pair term, a special code, and groups without a cap.
fn trained(card: &str) -> String {
    let mut card: serde_json::Value = serde_json::from_str(card).unwrap();
    card["format"] = "risktier-scorecard/2".into();
    card["base"] = (-15).into();
    card["group_caps"] = serde_json::json!({ "REL": 100 });
    card["indicators"]["SOC04"]["specials"] = serde_json::json!([{ "value": 2, "points": 33 }]);
    card["pairs"] = serde_json::json!([{
        "first": { "indicator": "SOC04", "edges": [1, 3] },
        "second": { "indicator": "BAS01", "edges": [36] },
        "points": [[0, 0, 2], [10, 5, 0], [30, 12, 0], [1, 1, 1]]
    }]);
    let missing: i64 = card["indicators"]
        .as_object()
        .unwrap()
        .values()
        .map(|single| single["missing"].as_i64().unwrap())
        .sum();
    // Nothing known: the base, every missing value, and the cell of the pair where both are missing.
    let sum = missing - 15 + 1;
    let parsed: Scorecard = serde_json::from_value(card.clone()).unwrap();
    card["vectors"] = serde_json::json!({
        "card_digest": parsed.digest_without_vectors().unwrap().to_string(),
        "rows": [{ "values": {}, "sum": sum, "points": sum.max(0), "tier": "A" }]
    });
    card.to_string()
}

fn member(number: usize) -> impl Strategy<Value = (Enterprise, Vec<Record>, Vec<Decision>)> {
    let kind = prop_oneof![4 => Just(EnterpriseKind::Enterprise), 1 => select(EnterpriseKind::ALL)];
    let status =
        prop_oneof![4 => Just(EnterpriseStatus::Active), 1 => select(EnterpriseStatus::ALL)];
    let traits = (
        kind,
        status,
        select(vec![EnterpriseSize::Small, EnterpriseSize::Large]),
        prop::option::weighted(0.4, 1_usize..12),
        prop::option::weighted(0.4, select(vec![1.0, 2.0, 3.0, 4.0, 1.5])),
    );
    let end = prop_oneof![
        (0_usize..4).prop_map(|number| ("address", format!("address-{number}"))),
        (0_usize..4).prop_map(|number| ("legal_representative", format!("person-{number}"))),
        (1_usize..12).prop_map(|number| ("shareholder", id(number).to_string())),
        (1_usize..12).prop_map(|number| ("affiliate", id(number).to_string())),
    ];
    let ends = prop::collection::vec(prop::option::weighted(0.7, end), 40);
    let cancelled = prop::collection::vec(any::<bool>(), 40);
    (
        enterprises(),
        traits,
        records(9),
        ends,
        cancelled,
        decisions(),
    )
        .prop_map(
            move |(enterprise, traits, mut records, ends, cancelled, decisions)| {
                let (kind, status, size, owner, grade) = traits;
                for ((record, end), cancelled) in records.iter_mut().zip(ends).zip(cancelled) {
                    record.enterprise_id = id(number);
                    // More links and complaints than chance gives.
                    if let (Some((code, end)), false) = (end, record.kind == RecordKind::Complaint)
                    {
                        if cancelled && record.kind == RecordKind::RegistrationChange {
                            record.codes = vec![label("cancelled")];
                        } else if cancelled || record.kind == RecordKind::Link {
                            record.kind = RecordKind::Link;
                            record.codes = vec![label(code)];
                            record.related_id = Some(EnterpriseId::parse(&end).unwrap());
                        }
                    }
                }
                let mut attributes = enterprise.attributes.clone();
                attributes.extend(grade.map(|grade| (label("food_grade"), grade)));
                let enterprise = Enterprise {
                    enterprise_id: id(number),
                    kind,
                    status,
                    size,
                    owner_id: owner.map(id),
                    attributes,
                    ..enterprise
                };
                (enterprise, records, decisions)
            },
        )
}

fn decisions() -> impl Strategy<Value = Vec<Decision>> {
    let one = (
        any::<bool>(),
        select(Tier::ALL),
        0..DAYS,
        1..200,
        prop::option::of(0..200),
        0_u8..3,
    );
    let one = one.prop_map(|(freeze, tier, from, length, ended, number)| {
        let from_on = add_days(FIRST, from);
        let expires_on = add_days(from_on, length);
        let ended_on = ended.map(|days| add_days(from_on, days));
        let (reason, name) = ("because".to_owned(), format!("d-{number}"));
        if freeze {
            Decision::Freeze {
                objection_id: name,
                tier,
                reason,
                from_on,
                expires_on,
                ended_on,
            }
        } else {
            let (proposed_by, approved_by) = ("officer-1".to_owned(), "officer-2".to_owned());
            Decision::Override {
                decision_id: name,
                tier,
                reason,
                proposed_by,
                approved_by,
                from_on,
                expires_on,
                ended_on,
            }
        }
    });
    prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(one, 1..3)]
}

/// A small register of enterprises 1 to 8; links may name 9 to 11, which are not in it.
fn register() -> impl Strategy<Value = Vec<(Enterprise, Vec<Record>, Vec<Decision>)>> {
    (1..=8).map(member).collect::<Vec<_>>()
}

/// One run over a register as a run works: halves first, then the statistics, then the finish.
struct Run {
    classifier: Classifier,
    halves: Vec<Provisional>,
}

impl Run {
    fn new(
        files: &Classifier,
        register: &[(Enterprise, Vec<Record>, Vec<Decision>)],
        as_of: AsOf,
    ) -> Self {
        let halves: Vec<Provisional> = register
            .iter()
            .map(|(enterprise, versions, decisions)| {
                let case = Case {
                    decisions,
                    ..Case::of(enterprise, versions)
                };
                files.provisional(&case, as_of)
            })
            .collect();
        let statistics = Arc::new(frozen(&halves, as_of.day));
        Self {
            classifier: files.with_statistics(statistics),
            halves,
        }
    }

    fn linked(&self, own: &Provisional) -> Vec<LinkedEnterprise> {
        own.links()
            .filter_map(|other| {
                let number = (1..=8).find(|number| id(*number) == *other)?;
                Some(
                    self.classifier
                        .as_linked(other.clone(), &self.halves[number - 1]),
                )
            })
            .collect()
    }
}

fn frozen(halves: &[Provisional], day: Date) -> Statistics {
    let mut builder = StatisticsBuilder::new(day);
    halves.iter().for_each(|half| builder.add(half));
    builder.freeze()
}

fn settled(classification: &Classification) -> Settled {
    let Classification {
        tier,
        points,
        next_change_on,
        ..
    } = *classification;
    Settled {
        tier,
        points,
        next_change_on,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 2_000, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn a_finished_half_is_the_whole_tier(register in register(), offset in 0..DAYS) {
        let as_of = AsOf::monthly(add_days(FIRST, offset));
        for files in classifiers() {
            let run = Run::new(&files, &register, as_of);
            for ((enterprise, versions, decisions), half) in register.iter().zip(&run.halves) {
                let linked = run.linked(half);
                let case = Case { enterprise, versions, decisions, linked: &linked };

                let whole = run.classifier.classify(&case, as_of);
                prop_assert_eq!(run.classifier.finish(half, &linked), settled(&whole));
                let explained = run.classifier.explain(&case, as_of);
                prop_assert_eq!(explained.reasons.iter().filter_map(|reason| reason.tier).next_back(), Some(whole.tier));
                prop_assert!(explained.reasons.iter().map(|reason| reason.step).is_sorted());
                prop_assert_eq!(settled(&explained), settled(&whole));

                // The half alone is the tier of a register in which nothing was counted and nobody else is known.
                let alone = files.classify(&Case { linked: &[], ..case }, as_of);
                if half.links().next().is_none() {
                    prop_assert_eq!((half.tier(), half.points()), (alone.tier, alone.points));
                }
                if !half.needs_register() {
                    let half = Settled { tier: half.tier(), points: half.points(), next_change_on: half.next_change_on() };
                    prop_assert_eq!(half, settled(&whole));
                }

                // What is kept of it is small, and enough.
                let bytes = half.to_bytes();
                prop_assert_eq!(&Provisional::from_bytes(&bytes).unwrap(), half);
                prop_assert!(bytes.len() <= 60 + 25 * (half.links().count() + 4), "{} bytes", bytes.len());
                prop_assert!(Provisional::from_bytes(&bytes[..bytes.len() - 1]).is_err());

                let facts: &RegisterFacts = half.as_ref();
                if !case.others(as_of.day).is_empty() && !facts.links.is_empty() {
                    let others: BTreeSet<_> = facts.others().cloned().collect();
                    prop_assert_eq!(others, case.others(as_of.day).into_iter().collect());
                }
            }
        }
    }

    #[test]
    fn statistics_do_not_depend_on_order_or_parts(
        register in register(), offset in 0..DAYS, order in any::<u64>(), cuts in prop::collection::vec(0_usize..9, 0..4),
    ) {
        let as_of = AsOf::monthly(add_days(FIRST, offset));
        let files = classifiers().remove(1);
        let run = Run::new(&files, &register, as_of);
        let expected = frozen(&run.halves, as_of.day);

        let mut halves = run.halves.clone();
        let mut rng = risktier::domain::rng::SeededRng::new(order, "statistics");
        for last in (1..halves.len()).rev() {
            halves.swap(last, rng.below(last as u64 + 1) as usize);
        }
        let mut parts = vec![StatisticsBuilder::new(as_of.day); cuts.len() + 1];
        for (position, half) in halves.iter().enumerate() {
            parts[cuts.iter().filter(|cut| position >= **cut).count()].add(half);
        }
        let merged = parts.into_iter().reduce(StatisticsBuilder::merge).unwrap().freeze();

        prop_assert_eq!(merged.to_bytes(), expected.to_bytes());
        prop_assert_eq!(merged.digest(), expected.digest());
        let read = Statistics::from_bytes(&expected.to_bytes()).unwrap();
        prop_assert_eq!(&read, &expected);
        let same = files.with_statistics(Arc::new(read));
        prop_assert_eq!(same.epoch(), run.classifier.epoch());
        prop_assert_ne!(same.epoch(), files.epoch());
    }

}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 2_000, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn a_tier_with_links_and_decisions_stands_until_the_day_it_names(register in register()) {
        let files = classifiers().remove(1);
        // Frozen once, as a run does.
        let first = Run::new(&files, &register, AsOf::monthly(FIRST));
        let mut stands: Vec<Option<Classification>> = vec![None; register.len()];
        for offset in (0..DAYS).step_by(3) {
            let as_of = AsOf::monthly(add_days(FIRST, offset));
            let halves = register.iter().map(|(enterprise, versions, decisions)| {
                first.classifier.provisional(&Case { decisions, ..Case::of(enterprise, versions) }, as_of)
            });
            let run = Run { classifier: first.classifier.clone(), halves: halves.collect() };
            for (position, (enterprise, versions, decisions)) in register.iter().enumerate() {
                let linked = run.linked(&run.halves[position]);
                let case = Case { enterprise, versions, decisions, linked: &linked };
                let today = run.classifier.explain(&case, as_of);
                let earlier = stands[position].take().filter(|earlier| earlier.next_change_on.is_none_or(|until| as_of.day < until));
                if let Some(earlier) = &earlier {
                    prop_assert_eq!((today.tier, today.points, &today.reasons), (earlier.tier, earlier.points, &earlier.reasons),
                        "{} promised until {:?}, broken on {}", earlier.as_of.day, earlier.next_change_on, as_of.day);
                }
                stands[position] = Some(earlier.unwrap_or(today));
            }
        }
    }
}

/// Without this the properties could hold because nothing ever happened.
#[test]
fn the_random_registers_reach_every_indicator_of_the_register_and_every_step() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let files = classifiers().remove(1);
    let (mut codes, mut steps) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..600 {
        let (register, offset) = (register(), 0..DAYS)
            .new_tree(&mut runner)
            .unwrap()
            .current();
        let as_of = AsOf::monthly(add_days(FIRST, offset));
        let run = Run::new(&files, &register, as_of);
        for ((enterprise, versions, decisions), half) in register.iter().zip(&run.halves) {
            let linked = run.linked(half);
            let case = Case {
                enterprise,
                versions,
                decisions,
                linked: &linked,
            };
            for reason in run.classifier.explain(&case, as_of).reasons {
                steps.insert(reason.step);
                if reason.step != Step::Missing {
                    codes.insert(reason.code);
                }
            }
        }
    }
    assert_eq!(steps.len(), 12, "{steps:?}");
    for code in [
        "BAS04",
        "REL02",
        "REL04",
        "REL05",
        "SOC01",
        "CROWDED",
        "LINKED",
        "COMPLAINED",
        "OWNER",
        "food_grade",
    ] {
        assert!(codes.contains(code), "{code} never acts");
    }
}

/// What stands beside the groups acts too, and its reasons add up with the others to the points.
#[test]
fn base_points_and_pair_terms_act_and_the_reasons_add_up() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let files = classifiers().pop().unwrap();
    let mut codes = BTreeSet::new();
    for _ in 0..200 {
        let (register, offset) = (register(), 0..DAYS)
            .new_tree(&mut runner)
            .unwrap()
            .current();
        let as_of = AsOf::monthly(add_days(FIRST, offset));
        let run = Run::new(&files, &register, as_of);
        for ((enterprise, versions, _), half) in register.iter().zip(&run.halves) {
            let linked = run.linked(half);
            let case = Case {
                linked: &linked,
                ..Case::of(enterprise, versions)
            };
            let explained = run.classifier.explain(&case, as_of);
            let sum: i32 = explained
                .reasons
                .iter()
                .filter_map(|reason| reason.points)
                .sum();
            assert_eq!(i32::from(explained.points), sum.clamp(0, 1_000));
            let acts = explained.reasons.into_iter();
            codes.extend(acts.map(|reason| (reason.step, reason.code)));
        }
    }
    for (step, code) in [
        (Step::Points, "BASE_POINTS"),
        (Step::Points, "SOC04*BAS01"),
        (Step::Points, "BAS04"),
        (Step::GroupCap, "REL"),
    ] {
        assert!(
            codes.contains(&(step, code.to_owned())),
            "{code} never acts"
        );
    }
    let capped = codes.iter().filter(|(step, _)| *step == Step::GroupCap);
    assert_eq!(capped.count(), 1, "only `REL` has a cap");
}

#[test]
fn an_explanation_names_links_by_id_and_decisions_by_person() {
    let day = TODAY;
    let link = |record_id: &str, code: &str, end: String| {
        record_with(1, record_id, "link", add_days(day, -30), |draft| {
            draft.codes = vec![code.to_owned()];
            draft.related_id = Some(end);
        })
    };
    let versions = [
        record_with(1, "c-1", "complaint", add_days(day, -20), |_| {}),
        link("l-1", "shareholder", id(2).to_string()),
        link("l-2", "affiliate", id(3).to_string()),
        link("l-3", "address", "address-1".into()),
    ];
    let product = Enterprise {
        kind: EnterpriseKind::Product,
        owner_id: Some(id(4)),
        ..enterprise(1)
    };
    let other = |number: usize, base_tier| LinkedEnterprise {
        enterprise_id: id(number),
        base_tier,
        is_listed: false,
        cancelled_on: None,
        next_change_on: None,
    };
    let decisions = [Decision::Override {
        decision_id: "d-7".into(),
        tier: Tier::B,
        reason: "checked on the spot".into(),
        proposed_by: "officer-1".into(),
        approved_by: "officer-2".into(),
        from_on: add_days(day, -1),
        expires_on: add_days(day, 9),
        ended_on: None,
    }];
    let case = Case {
        enterprise: &product,
        versions: &versions,
        decisions: &decisions,
        linked: &[other(2, Tier::D), other(3, Tier::A), other(4, Tier::C)],
    };
    let as_of = AsOf::monthly(day);
    let files = classifiers().remove(1);
    let half = files.provisional(&case, as_of);
    let mut builder = StatisticsBuilder::new(day);
    (0..9).for_each(|_| builder.add(&half));
    let classifier = files.with_statistics(Arc::new(builder.freeze()));

    let explained = classifier.explain(&case, as_of);

    let reason = |code: &str| {
        explained
            .reasons
            .iter()
            .find(|reason| reason.code == code)
            .unwrap()
    };
    let named = |code: &str| -> Vec<&str> {
        reason(code)
            .records
            .iter()
            .map(|record| record.record_id.as_str())
            .collect()
    };
    assert_eq!(case.others(day), [id(2), id(3), id(4)]);
    assert_eq!(named("REL02"), ["l-1"]);
    assert!(
        reason("REL02")
            .text
            .en
            .contains(&format!("{} in tier D", id(2))),
        "{:?}",
        reason("REL02").text
    );
    assert!(reason("REL02").text.zh.contains(&format!("{}为D类", id(2))));
    assert_eq!(
        (reason("BAS04").value, named("BAS04")),
        (Some(9.0), vec!["l-3"])
    );
    assert_eq!(
        (reason("OWNER").tier, reason("LINKED").step),
        (Some(Tier::D), Step::Floor)
    );
    assert!(reason("OWNER").text.en.contains(&id(4).to_string()));
    let last = reason("d-7");
    assert!(
        ["officer-1", "officer-2", "checked on the spot"]
            .iter()
            .all(|part| last.text.en.contains(part) && last.text.zh.contains(part))
    );
    assert_eq!((explained.tier, last.step), (Tier::B, Step::Override));
    assert_eq!(explained.next_change_on, Some(add_days(day, 9)));

    // Before a run has counted anything the explanation says so.
    let before = files.explain(&case, as_of);
    let reason = before
        .reasons
        .iter()
        .find(|reason| reason.code == "BAS04")
        .unwrap();
    assert_eq!((reason.step, reason.value), (Step::Missing, None));
    assert!(
        reason.text.en.contains("no run over the register"),
        "{:?}",
        reason.text
    );
}
