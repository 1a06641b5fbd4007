//! A tier is a function of what was known by its day: of no order, no batch and no later news; and it stands until the
//! day it names.

use jiff::civil::Date;
use proptest::prelude::*;
use risktier::domain::carry_amendments;
use risktier::domain::dates::add_days;
use risktier::domain::{AsOf, Enterprise, Record, RecordKind};
use risktier::indicators::{
    Aggregate, Measure, RecordFilter, RecordMeasure, Subject, current_versions,
};
use risktier::model::{Case, Classification};
use risktier::service::Models;
use risktier::store::{Outcome, SqliteStore, Store};
use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::generate::{DAYS, FIRST, enterprises, histories, records, records_of_kind};
use crate::register::{default_models, label};

static MODELS: LazyLock<Models> = LazyLock::new(default_models);

fn explain(enterprise: &Enterprise, versions: &[Record], day: Date) -> Classification {
    MODELS
        .classifier
        .explain(&Case::of(enterprise, versions), AsOf::monthly(day))
}

/// Everything that speaks for the day itself; the day of the next change speaks of what is to come.
fn answer(enterprise: &Enterprise, versions: &[Record], day: Date) -> Classification {
    Classification {
        next_change_on: None,
        ..explain(enterprise, versions, day)
    }
}

fn range() -> impl Iterator<Item = Date> {
    (0..=DAYS).map(|offset| add_days(FIRST, offset))
}

/// Days over the whole range and just around the days that a record names.
fn telling_days(versions: &[Record]) -> BTreeSet<Date> {
    let named = versions.iter().flat_map(|version| {
        [
            Some(version.known_on),
            Some(version.occurred_on),
            version.ended_on,
            version.repaired_on,
            version.withdrawn_on,
        ]
    });
    named
        .flatten()
        .flat_map(|day| [add_days(day, -1), day, add_days(day, 1)])
        .chain((0..=DAYS).step_by(17).map(|offset| add_days(FIRST, offset)))
        .collect()
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..ProptestConfig::with_cases(cases)
    }
}

proptest! {
    #![proptest_config(config(100))]

    #[test]
    fn neither_the_order_of_arrival_nor_the_batches_change_a_tier(
        enterprise in enterprises(),
        versions in histories(9),
        order in any::<u64>(),
        sizes in prop::collection::vec(1_usize..8, 1..6),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&directory.path().join("register.db")).unwrap();
        store.put_enterprises(std::slice::from_ref(&enterprise), 0).unwrap();
        let mut arriving = versions.clone();
        let mut rng = risktier::domain::rng::SeededRng::new(order, "arrival");
        for last in (1..arriving.len()).rev() {
            arriving.swap(last, rng.below(last as u64 + 1) as usize);
        }

        let mut sizes = sizes.into_iter().cycle();
        let mut rest = arriving.as_slice();
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(sizes.next().unwrap().min(rest.len()));
            let import_no = store.begin_import().unwrap();
            let outcomes = store.put_records(batch, import_no).unwrap();
            prop_assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Created(_) | Outcome::Updated(_))));
            rest = later;
        }

        let kept = store.dossier(&enterprise.enterprise_id).unwrap().unwrap().versions;
        let mut expected = versions.clone();
        carry_amendments(&mut expected);
        prop_assert_eq!(&kept, &expected);
        for day in telling_days(&expected) {
            prop_assert_eq!(explain(&enterprise, &kept, day), explain(&enterprise, &expected, day));
        }
    }
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn a_tier_stands_on_every_day_before_its_next_change(enterprise in enterprises(), versions in histories(14)) {
        let answers: Vec<Classification> = range().map(|day| explain(&enterprise, &versions, day)).collect();
        for (position, from) in answers.iter().enumerate() {
            let until = from.next_change_on.unwrap_or(Date::MAX);
            prop_assert!(until > from.as_of.day);
            for day in answers[position + 1..].iter().take_while(|later| later.as_of.day < until) {
                prop_assert_eq!(
                    (day.tier, day.points, &day.reasons), (from.tier, from.points, &from.reasons),
                    "{} promised until {}, broken on {}", from.as_of.day, until, day.as_of.day
                );
            }
        }
    }

    #[test]
    fn every_aggregate_stands_until_the_day_it_names(versions in histories(10), cap in prop::option::of(0_u32..40)) {
        let enterprise = Enterprise::parse(risktier::domain::EnterpriseDraft {
            enterprise_id: "x".into(), name: "x".into(), ..Default::default()
        }).unwrap();
        for kind in [RecordKind::Penalty, RecordKind::Complaint, RecordKind::Permit] {
            // As one kind, so that the aggregates have something to work on.
            let versions: Vec<Record> = versions.iter().map(|version| Record { kind, ..version.clone() }).collect();
            for aggregate in ALL_AGGREGATES {
                let any_code = vec![label("1"), label("E")];
                let measure = Measure::Records(RecordMeasure {
                    kind, aggregate, cap, window_months: Some(7),
                    filters: vec![RecordFilter { any_code, ..RecordFilter::default() }, RecordFilter { upheld: Some(true), ..RecordFilter::default() }],
                });
                let mut stands: Option<(Date, Option<f64>, Date)> = None;
                for day in range() {
                    let (records, next_version_on) = current_versions(&versions, day);
                    let subject = Subject { enterprise: &enterprise, records: &records, as_of: AsOf::monthly(day) };
                    let measured = measure.of(&subject);
                    let until = measured.next_change_on.into_iter().chain(next_version_on).min().unwrap_or(Date::MAX);
                    prop_assert!(until > day);
                    if let Some((from, value, promised)) = stands.filter(|(_, _, promised)| day < *promised) {
                        prop_assert_eq!(measured.value, value, "{:?}: {} promised until {}, broken on {}", aggregate, from, promised, day);
                    } else {
                        stands = Some((day, measured.value, until));
                    }
                }
            }
        }
    }

    #[test]
    fn a_record_that_becomes_known_a_day_later_changes_that_one_day(
        enterprise in enterprises(), versions in records(12), which in any::<prop::sample::Index>(),
    ) {
        prop_assume!(!versions.is_empty());
        let position = which.index(versions.len());
        let known_on = versions[position].known_on;
        let mut late = versions.clone();
        late[position].known_on = add_days(known_on, 1);
        let mut never = versions.clone();
        never.remove(position);

        for day in telling_days(&versions).into_iter().chain([add_days(known_on, 2)]) {
            let (known, late) = (answer(&enterprise, &versions, day), answer(&enterprise, &late, day));
            if day == known_on {
                prop_assert_eq!(late, answer(&enterprise, &never, day));
            } else {
                prop_assert_eq!(known, late, "{}", day);
            }
        }
    }

    #[test]
    fn what_becomes_known_later_leaves_earlier_days_as_they_were(enterprise in enterprises(), versions in histories(12)) {
        for day in telling_days(&versions) {
            let known: Vec<Record> = versions.iter().filter(|version| version.known_on <= day).cloned().collect();
            prop_assert_eq!(answer(&enterprise, &versions, day), answer(&enterprise, &known, day), "{}", day);
        }
    }

    #[test]
    fn a_repaired_or_withdrawn_record_is_as_if_it_had_never_been(
        enterprise in enterprises(), versions in records(12), which in any::<prop::sample::Index>(),
        days in 0_i32..500, delay in 0_i32..40, withdrawn: bool,
    ) {
        prop_assume!(!versions.is_empty());
        let position = which.index(versions.len());
        let mut never = versions.clone();
        let mut before = never.remove(position);
        (before.repaired_on, before.withdrawn_on) = (None, None);
        let mut counting = versions.clone();
        counting[position] = before.clone();
        let on = add_days(before.known_on, days);
        let told = add_days(on, delay);
        let mut amended = counting.clone();
        let repaired_on = (!withdrawn).then_some(on);
        let withdrawn_on = withdrawn.then_some(on);
        let after = Record { repaired_on, withdrawn_on, known_on: told, ..before };
        // On the day it became known itself the later version replaces the earlier.
        if told == counting[position].known_on {
            amended[position] = after;
        } else {
            amended.insert(position + 1, after);
        }

        for day in telling_days(&amended) {
            let expected = if day < told { &counting } else { &never };
            prop_assert_eq!(answer(&enterprise, &amended, day), answer(&enterprise, expected, day), "{}", day);
        }
    }

    #[test]
    fn a_further_bad_record_never_improves_a_tier(
        enterprise in enterprises(), versions in records(12), further in records_of_kind(BAD), offset in 0..DAYS,
    ) {
        let day = add_days(FIRST, offset);
        let further = Record { record_id: "z".into(), ..further };
        // Earlier complaints raise what one expects, so that a surge may end: only recent ones are further complaints.
        prop_assume!(further.kind != RecordKind::Complaint || further.occurred_on > add_days(day, -90));
        let (without, mut more) = (explain(&enterprise, &versions, day), versions);
        more.push(further);
        let with = explain(&enterprise, &more, day);
        prop_assert!(with.tier >= without.tier && with.points >= without.points, "{:?} {:?}", without, with);
    }

    #[test]
    fn asking_why_changes_nothing(enterprise in enterprises(), versions in histories(14), offset in 0..DAYS) {
        let as_of = AsOf::monthly(add_days(FIRST, offset));
        let plain = MODELS.classifier.classify(&Case::of(&enterprise, &versions), as_of);
        let explained = MODELS.classifier.explain(&Case::of(&enterprise, &versions), as_of);
        prop_assert!(plain.reasons.is_empty() && !explained.reasons.is_empty());
        prop_assert_eq!(plain, Classification { reasons: Vec::new(), ..explained });
    }
}

/// Kinds that can only raise the points, or be nothing to them.
const BAD: &[RecordKind] = &[
    RecordKind::Penalty,
    RecordKind::AbnormalListing,
    RecordKind::SeriousViolationListing,
    RecordKind::JudgmentDefault,
    RecordKind::Complaint,
    RecordKind::Report,
    RecordKind::SamplingFailure,
    RecordKind::CoerciveMeasure,
    RecordKind::Accident,
    RecordKind::PublicityFailure,
    RecordKind::RegistrationChange,
    RecordKind::EquityFreeze,
    RecordKind::TaxAbnormal,
    RecordKind::AdverseMedia,
    RecordKind::PromiseBroken,
    RecordKind::Link,
    RecordKind::StopOrder,
];

const ALL_AGGREGATES: [Aggregate; 12] = [
    Aggregate::Count,
    Aggregate::DecayedCount,
    Aggregate::SumAmount,
    Aggregate::SumCount,
    Aggregate::MaxAmount,
    Aggregate::DaysSince,
    Aggregate::InForce,
    Aggregate::Ended,
    Aggregate::Latest,
    Aggregate::Streak,
    Aggregate::Lapsed,
    Aggregate::Surge,
];
