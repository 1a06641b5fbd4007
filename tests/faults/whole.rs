//! The laws of tiers over the whole service, on both stores: the order of arrival does not matter, a day of knowledge
//! more or less changes that day, a repaired record is one that never was, and a run gives what single answers give.

use std::collections::BTreeMap;

use jiff::civil::Date;
use risktier::domain::dates::add_days;
use risktier::domain::rng::SeededRng;
use risktier::domain::{Enterprise, EnterpriseId, Record, RecordDefaults, RecordDraft, Tier};
use risktier::service::bench_data::{BenchOptions, BenchRegister};
use risktier::service::{
    Amendment, Classification, OverrideProposal, Person, Reason, Service, label,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::postgres_server::PostgresServer;
use crate::register::TODAY;
use crate::world::{Place, reclassified};

/// Makes places of one kind.
struct Places {
    folder: TempDir,
    on_postgresql: bool,
    count: u32,
}

impl Places {
    fn new(on_postgresql: bool) -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            on_postgresql,
            count: 0,
        }
    }

    fn next(&mut self) -> Place {
        self.count += 1;
        if self.on_postgresql {
            Place::Postgres(PostgresServer::shared().new_database())
        } else {
            Place::Sqlite(self.folder.path().join(format!("{}.db", self.count)))
        }
    }
}

macro_rules! on_both {
    ($($law:ident, $there:ident;)+) => {
        $(#[test]
        fn $law() {
            laws::$law(Places::new(false));
        }

        #[test]
        fn $there() {
            laws::$law(Places::new(true));
        })+
    };
}

on_both! {
    neither_order_nor_batches_change_a_tier, on_postgresql_neither_order_nor_batches_change_a_tier;
    a_day_of_knowledge_changes_that_day_only, on_postgresql_a_day_of_knowledge_changes_that_day_only;
    a_repaired_record_is_one_that_never_was, on_postgresql_a_repaired_record_is_one_that_never_was;
    a_run_gives_what_single_answers_give, on_postgresql_a_run_gives_what_single_answers_give;
}

fn made(count: u64) -> (Vec<Enterprise>, Vec<Record>) {
    let options = BenchOptions {
        enterprise_count: count,
        record_count: None,
        seed: 23,
        as_of: TODAY,
    };
    let register = BenchRegister::new(options).unwrap().map(Result::unwrap);
    let (mut enterprises, mut records) = (Vec::new(), Vec::new());
    for made in register {
        enterprises.push(made.enterprise);
        records.extend(made.records);
    }
    (enterprises, records)
}

fn filled(place: &Place, enterprises: &[Enterprise], records: &[Record]) -> Service {
    let store = place.store();
    store.put_enterprises(enterprises, 0, TODAY).unwrap();
    store.put_records(records, 0).unwrap();
    place.service(TODAY)
}

fn shuffled<T>(mut items: Vec<T>, rng: &mut SeededRng) -> Vec<T> {
    for last in (1..items.len()).rev() {
        items.swap(last, rng.below(last as u64 + 1) as usize);
    }
    items
}

type Told = BTreeMap<EnterpriseId, (Tier, u16, Option<Date>)>;

/// All tiers as a service answers.
fn answers(service: &Service, enterprises: &[Enterprise]) -> Told {
    let ids: Vec<EnterpriseId> = enterprises
        .iter()
        .map(|enterprise| enterprise.enterprise_id.clone())
        .collect();
    let answers = Runtime::new()
        .unwrap()
        .block_on(service.tiers(&ids))
        .unwrap();
    answers
        .into_iter()
        .map(Option::unwrap)
        .map(|answer| {
            let told = (answer.tier, answer.points, answer.next_change_on);
            (answer.enterprise_id, told)
        })
        .collect()
}

/// Records that weigh, of enterprises that differ.
fn weighty(records: &[Record], count: usize) -> Vec<Record> {
    let mut found: BTreeMap<&EnterpriseId, &Record> = BTreeMap::new();
    let known_long_ago = |record: &&Record| {
        record.kind.as_str() == "penalty"
            && record.known_on < add_days(TODAY, -20)
            && record.known_on > add_days(TODAY, -500)
            && record.repaired_on.is_none()
            && record.withdrawn_on.is_none()
    };
    for record in records.iter().filter(known_long_ago) {
        let same = |other: &&Record| other.record_id == record.record_id;
        if records.iter().filter(same).count() == 1 {
            found.entry(&record.enterprise_id).or_insert(record);
        }
    }
    let found: Vec<Record> = found.into_values().take(count).cloned().collect();
    assert_eq!(found.len(), count);
    found
}

/// The records with those of `instead` in place of their namesakes.
fn replaced(records: &[Record], instead: &[Record]) -> Vec<Record> {
    records
        .iter()
        .map(|record| {
            let same = |other: &&Record| other.record_id == record.record_id;
            instead.iter().find(same).unwrap_or(record).clone()
        })
        .collect()
}

mod laws {
    use super::*;

    pub(super) fn neither_order_nor_batches_change_a_tier(mut places: Places) {
        let (enterprises, records) = made(600);
        let place = places.next();
        let service = filled(&place, &enterprises, &records);
        reclassified(&service, &());
        let expected = answers(&service, &enterprises);
        let letters: std::collections::BTreeSet<Tier> =
            expected.values().map(|(tier, ..)| *tier).collect();
        assert_eq!(letters.len(), 4);

        let runtime = Runtime::new().unwrap();
        for seed in [1, 2] {
            let mut rng = SeededRng::new(seed, "arrival");
            let other = places.next();
            let service_there = other.service(TODAY);
            let mut waiting = shuffled(enterprises.clone(), &mut rng);
            let mut records = shuffled(records.clone(), &mut rng);
            // Runs in the middle leave no trace either.
            let middle = waiting.len() / 2;
            while !(waiting.is_empty() && records.is_empty()) {
                if waiting.len() == middle {
                    reclassified(&service_there, &());
                }
                if let Some(enterprise) = waiting.pop() {
                    runtime
                        .block_on(service_there.put_enterprise(enterprise))
                        .unwrap();
                }
                let size = 1 + rng.below(if waiting.is_empty() { 200 } else { 8 }) as usize;
                let rest = records.len().saturating_sub(size);
                let batch = records.split_off(rest);
                if !batch.is_empty() {
                    runtime.block_on(service_there.put_records(batch)).unwrap();
                }
            }
            reclassified(&service_there, &());
            assert_eq!(
                service_there.current().epoch(),
                service.current().epoch(),
                "the statistics are others"
            );
            assert_eq!(answers(&service_there, &enterprises), expected);
        }
    }

    pub(super) fn a_day_of_knowledge_changes_that_day_only(mut places: Places) {
        let (enterprises, records) = made(600);
        let chosen = weighty(&records, 8);
        let later: Vec<Record> = chosen
            .iter()
            .map(|record| Record {
                known_on: add_days(record.known_on, 1),
                ..record.clone()
            })
            .collect();
        let here = filled(&places.next(), &enterprises, &records);
        let there = filled(&places.next(), &enterprises, &replaced(&records, &later));
        let mut seen = 0;
        for record in &chosen {
            let on = |service: &Service, days: i32| {
                let day = add_days(record.known_on, days);
                let told = service.explain(&record.enterprise_id, Some(day)).unwrap();
                told.classification
            };
            // The day of the next change may be named differently: it is then the one or the other.
            let told = |found: Classification| (found.tier, found.points, found.reasons);
            for days in [-40, -1, 1, 2, 30] {
                let (here, there) = (told(on(&here, days)), told(on(&there, days)));
                assert_eq!(here, there, "{record:?}, {days}");
            }
            // On the day itself one register sees it, and the other one not yet.
            let shown = |reasons: &[Reason]| {
                reasons
                    .iter()
                    .flat_map(|reason| &reason.records)
                    .any(|of| of.record_id == record.record_id)
            };
            assert!(!shown(&on(&there, 0).reasons), "{record:?}");
            seen += usize::from(shown(&on(&here, 0).reasons));
        }
        assert!(seen > 4, "{seen}");
        reclassified(&here, &());
        reclassified(&there, &());
        assert_eq!(answers(&here, &enterprises), answers(&there, &enterprises));
        assert_eq!(here.current().epoch(), there.current().epoch());
    }

    pub(super) fn a_repaired_record_is_one_that_never_was(mut places: Places) {
        let (enterprises, records) = made(600);
        let chosen = weighty(&records, 12);
        let here = filled(&places.next(), &enterprises, &records);
        let never: Vec<Record> = records
            .iter()
            .filter(|record| chosen.iter().all(|of| of.record_id != record.record_id))
            .cloned()
            .collect();
        assert_eq!(never.len() + chosen.len(), records.len());
        let there = filled(&places.next(), &enterprises, &never);
        let with = answers(&here, &enterprises);
        let runtime = Runtime::new().unwrap();
        for record in &chosen {
            let (source, record_id) = (record.source.clone(), record.record_id.clone());
            let repair = here.amend_record(source, record_id, Amendment::Repair, None);
            runtime.block_on(repair).unwrap();
        }
        let without = answers(&there, &enterprises);
        // A repaired record may still name a day on which it would have gone out of a window.
        let graded = |told: &Told| -> Vec<(EnterpriseId, Tier, u16)> {
            told.iter()
                .map(|(id, (tier, points, _))| (id.clone(), *tier, *points))
                .collect()
        };
        assert_ne!(graded(&with), graded(&without));
        assert_eq!(graded(&answers(&here, &enterprises)), graded(&without));
        // What was seen before the repair stays seen.
        let seen = chosen.iter().filter(|record| {
            let id = &record.enterprise_id;
            let yesterday = here.explain(id, Some(add_days(TODAY, -1))).unwrap();
            let mut ids = yesterday.classification.reasons.iter();
            ids.any(|reason| {
                let mut records = reason.records.iter();
                records.any(|of| of.record_id == record.record_id)
            })
        });
        assert!(seen.count() > 4);
        reclassified(&here, &());
        reclassified(&there, &());
        let both = [&here, &there].map(|service| graded(&answers(service, &enterprises)));
        assert_eq!(both[0], both[1]);
        assert_eq!(here.current().epoch(), there.current().epoch());
    }

    pub(super) fn a_run_gives_what_single_answers_give(mut places: Places) {
        let (enterprises, records) = made(600);
        let place = places.next();
        let service = filled(&place, &enterprises, &records);
        reclassified(&service, &());
        let runtime = Runtime::new().unwrap();
        let person = |by: &str| Person::parse(by, "because").unwrap();
        let id = |number: usize| enterprises[number].enterprise_id.clone();
        runtime.block_on(async {
            for number in (5..200).step_by(13) {
                let from_on = Some(TODAY);
                let into = id(number + 200);
                service
                    .merge_enterprise(id(number), into, from_on, person("officer-1"))
                    .await
                    .unwrap();
            }
            for (number, tier) in (400..).step_by(17).zip(Tier::ALL.repeat(2)) {
                let proposal = OverrideProposal {
                    tier,
                    from_on: None,
                    expires_on: add_days(TODAY, 30),
                    person: person("officer-1"),
                };
                let proposed = service
                    .propose_override(id(number), proposal)
                    .await
                    .unwrap();
                let other = label("by", "officer-2").unwrap();
                service
                    .approve_override(id(number), proposed.override_id, other)
                    .await
                    .unwrap();
            }
            for record in weighty(&records, 6) {
                let source = record.source.clone();
                let filed = service
                    .file_objection(source, record.record_id, None, person("firm"))
                    .await
                    .unwrap();
                service
                    .examine_objection(filed.objection_id, person("officer-1"))
                    .await
                    .unwrap();
                // It arrives while the tier is frozen.
                let draft = RecordDraft {
                    record_id: format!("late-{}", record.enterprise_id),
                    enterprise_id: record.enterprise_id.to_string(),
                    kind: "penalty".into(),
                    occurred_on: add_days(TODAY, -3).to_string(),
                    severity: Some("serious".into()),
                    ..RecordDraft::default()
                };
                let defaults = RecordDefaults {
                    source: label("source", "court").unwrap(),
                    known_on: TODAY,
                };
                let late = Record::parse(draft, &defaults).unwrap();
                service.put_records(vec![late]).await.unwrap();
            }
        });
        let before = *service.current().epoch();
        reclassified(&service, &());
        assert_ne!(*service.current().epoch(), before);
        let (store, mut merged) = (place.store(), 0);
        for enterprise in &enterprises {
            let id = &enterprise.enterprise_id;
            let single = service.explain(id, None).unwrap();
            if single.life.merged_into.is_some() {
                merged += 1;
                continue;
            }
            let row = store.tier(id).unwrap().unwrap();
            let stored = row.stored.unwrap();
            assert_eq!(stored.revision, row.revision);
            let single = single.classification;
            assert_eq!(
                (stored.tier, stored.points, stored.next_change_on),
                (single.tier, single.points, single.next_change_on),
                "{id}: {:?}",
                single.reasons
            );
        }
        assert_eq!(merged, 15);
    }
}
