//! Tiers over time: what is told of a past day is what was served on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::{Date, date};
use risktier::cache::MemoryCache;
use risktier::domain::dates::add_days;
use risktier::domain::{Epoch, Tier};
use risktier::service::{
    Amendment, CauseKind, OverrideProposal, Person, RunState, Service, TierFilter,
};
use tokio::runtime::Runtime;

use crate::postgres_server::PostgresServer;
use crate::register::{default_models, enterprise, id, label, record_with};
use crate::{Place, stricter_models};

const FIRST: Date = date(2026, 9, 20);
const DAYS: i32 = 45;
const COUNT: usize = 8;

/// A small generator, so that a failure can be repeated by its seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % end
    }

    fn one(&mut self) -> usize {
        self.below(COUNT as u64) as usize + 1
    }
}

fn person(by: &str) -> Person {
    Person::parse(by, "because").unwrap()
}

fn service_on(place: &Place, day: Date) -> Service {
    let stricter = day >= add_days(FIRST, 30);
    let models = if stricter {
        stricter_models()
    } else {
        default_models()
    };
    place.replica(Arc::new(MemoryCache::with_capacity(1_000)), models, day)
}

/// Something happens on the day of the service; what may not happen at that moment is refused and left.
fn happen(service: &Service, runtime: &Runtime, dice: &mut Dice, nth: usize) {
    let today = service.today();
    let of = dice.one();
    match dice.below(10) {
        0..=4 => {
            let kinds = [
                "penalty",
                "complaint",
                "serious_violation_listing",
                "abnormal_listing",
                "commendation",
                "link",
            ];
            let kind = kinds[dice.below(kinds.len() as u64) as usize];
            let back = dice.below(400) as i32;
            let owner = dice.one();
            let record = record_with(
                of,
                &format!("r{nth}"),
                kind,
                add_days(today, -back),
                |draft| {
                    draft.known_on = Some(today.to_string());
                    if kind == "link" {
                        draft.codes = vec!["shareholder".into()];
                        draft.related_id = Some(id(owner % COUNT + 1).to_string());
                    }
                    if kind == "penalty" {
                        draft.severity = Some("serious".into());
                    }
                    if kind == "complaint" {
                        draft.upheld = Some(true);
                    }
                },
            );
            let _ = runtime.block_on(service.put_records(vec![record]));
        }
        5 => {
            let amendment =
                [Amendment::Repair, Amendment::Withdraw, Amendment::End][dice.below(3) as usize];
            let record = format!("r{}", dice.below(nth as u64 + 1));
            let _ = runtime.block_on(service.amend_record(
                label("court"),
                record,
                amendment,
                None::<Date>,
            ));
        }
        6 => {
            let tier = [Tier::A, Tier::C, Tier::D][dice.below(3) as usize];
            let proposal = OverrideProposal {
                tier,
                from_on: None,
                expires_on: add_days(today, 3 + dice.below(20) as i32),
                person: person("officer-1"),
            };
            if let Ok(made) = runtime.block_on(service.propose_override(id(of), proposal)) {
                let _ = runtime.block_on(service.approve_override(
                    id(of),
                    made.override_id,
                    label("officer-2"),
                ));
            }
        }
        7 => {
            let mut changed = enterprise(of);
            changed.established_on = Some(add_days(today, -(dice.below(900) as i32)));
            let _ = runtime.block_on(service.put_enterprise(changed));
        }
        8 => {
            let into = dice.one();
            let merged = service.merge_enterprise(id(of), id(into), None, person("officer-1"));
            let _ = runtime.block_on(merged);
        }
        _ => {
            let _ = runtime.block_on(service.undo_merge(id(of), person("officer-1")));
        }
    }
}

fn holds(place: &Place, seed: u64) {
    let runtime = Runtime::new().unwrap();
    let mut dice = Dice(seed);
    let mut served: BTreeMap<(Date, usize), (Tier, u16, Epoch)> = BTreeMap::new();
    let mut nth = 0;
    for passed in 0..DAYS {
        let day = add_days(FIRST, passed);
        let service = service_on(place, day);
        if passed == 0 {
            for number in 1..=COUNT {
                let put = service.put_enterprise(enterprise(number));
                runtime.block_on(put).unwrap();
            }
        }
        for _ in 0..dice.below(4) {
            happen(&service, &runtime, &mut dice, nth);
            nth += 1;
        }
        if service.adopt_given(true).unwrap().is_some() || passed % 11 == 5 {
            service.reclassify().unwrap();
            let done = service.carry_out_run(&()).unwrap().unwrap();
            assert_eq!(done.run.state, RunState::Succeeded);
        }
        for number in 1..=COUNT {
            let answer = runtime.block_on(service.tier(&id(number))).unwrap();
            let answer = (answer.tier, answer.points, answer.epoch);
            served.insert((day, number), answer);
        }
    }
    // What happens must be seen, or the rest says nothing.
    let letters: BTreeSet<Tier> = served.values().map(|(tier, ..)| *tier).collect();
    let epochs: BTreeSet<String> = served
        .values()
        .map(|(.., epoch)| epoch.to_string())
        .collect();
    assert!(
        letters.len() >= 3 && epochs.len() >= 3,
        "seed {seed}: {letters:?} {epochs:?}"
    );
    let last = add_days(FIRST, DAYS - 1);
    let service = service_on(place, last);
    for ((day, number), answer) in &served {
        let told = service.explain(&id(*number), Some(*day)).unwrap();
        let classification = &told.classification;
        assert_eq!(
            (classification.tier, classification.points, told.epoch),
            *answer,
            "seed {seed}, enterprise {number} on {day}: {:?}",
            classification.reasons
        );
        assert!(!told.files.is_instead);
    }
    // The history says the same of those that were never merged.
    for number in 1..=COUNT {
        let history = service.tier_history(&id(number), None, 1_000).unwrap();
        if !history.merges.is_empty() {
            continue;
        }
        for (day, (tier, ..)) in served
            .iter()
            .filter(|((_, of), _)| *of == number)
            .map(|((day, _), answer)| (*day, answer))
        {
            let spell = history
                .spells
                .iter()
                .find(|spell| spell.from_on <= day)
                .unwrap();
            assert_eq!(
                spell.tier, *tier,
                "seed {seed}, enterprise {number} on {day}"
            );
            assert!(spell.until_on.is_none_or(|until| day < until));
            assert!(!spell.brought_by.is_empty());
        }
        let first = history.spells.last().unwrap();
        let kinds = first.brought_by.iter().map(|cause| cause.kind);
        assert!(kinds.clone().any(|kind| kind == CauseKind::First));
    }
    // A matrix of one day counts on its diagonal alone what stands for itself.
    let of_day = service
        .migrations(last, last, &TierFilter::default())
        .unwrap();
    assert!(of_day.moves.keys().all(|(from, to)| from == to));
    assert!(of_day.new.is_empty() && of_day.gone.is_empty());
    // Before anything was in force the first files speak, and the answer says so.
    let before = service.explain(&id(1), Some(add_days(FIRST, -1))).unwrap();
    assert!(before.files.is_instead);
    assert_eq!((before.files.number, before.files.from_on), (1, FIRST));
}

#[test]
fn what_is_told_of_a_past_day_is_what_was_served_on_it() {
    for seed in 1..=6 {
        holds(&Place::empty(), seed);
    }
}

#[test]
fn on_postgresql_what_is_told_of_a_past_day_is_what_was_served_on_it() {
    holds(&Place::on(PostgresServer::shared()), 7);
}
