//! A calendar keeps its promises over any number of years, tiers that change, and visits that are missed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use proptest::prelude::*;
use risktier::domain::WorkingDays;
use risktier::domain::digest::{Digest, HashAlgorithm};
use risktier::sampling::plan::PPB;
use risktier::sampling::schedule::{
    Balance, Batch, BatchKind, Calendar, CalendarHeader, CalendarOrder, Done, Frequency, Month,
    PresentObject, ScheduleError, batches_of, plan_calendar,
};
use risktier::sampling::seed::Seed;

fn kinds() -> impl Strategy<Value = BatchKind> {
    prop_oneof![
        Just(BatchKind::Month),
        Just(BatchKind::Quarter),
        Just(BatchKind::QuarterStart)
    ]
}

fn frequencies() -> impl Strategy<Value = Frequency> {
    let text = prop::sample::select(vec![
        "1", "2", "3", "4", "1/2", "1/3", "2/3", "1/5", "6", "12",
    ]);
    text.prop_map(|text| text.parse().unwrap())
}

fn header(year: i16, kind: BatchKind, seed: u8) -> CalendarHeader {
    CalendarHeader {
        year,
        from: Month::of(year, 1).unwrap(),
        batches: kind,
        balance: Balance::Visits,
        hash: HashAlgorithm::Sha256,
        seed: Seed::new(Digest::from_bytes([seed; 32])),
    }
}

fn batches(year: i16, kind: BatchKind) -> Vec<Batch> {
    batches_of(year, kind, &WorkingDays::default()).unwrap()
}

/// Objects of these frequencies, in three divisions.
fn objects(frequencies: &[Frequency]) -> Vec<PresentObject> {
    let object = |(number, frequency): (usize, &Frequency)| PresentObject {
        id: format!("E{number:04}"),
        division: ["990101", "990102", "990201"][number % 3].to_owned(),
        frequency: *frequency,
    };
    frequencies.iter().enumerate().map(object).collect()
}

fn plan(
    header: &CalendarHeader,
    objects: &[PresentObject],
    before: Option<&Calendar>,
    done: &Done,
) -> Result<Calendar, ScheduleError> {
    plan_calendar(&CalendarOrder {
        header,
        batches: &batches(header.year, header.batches),
        objects,
        before,
        done,
    })
}

/// Everything that the calendar plans in its year and that is not done, as done on the first day of its batch.
fn all_done(calendar: &Calendar) -> Done {
    let mut done = Done::new();
    for object in &calendar.objects {
        for visit in &object.visits {
            done.insert((object.id.clone(), visit.number), visit.planned.first_day());
        }
    }
    done
}

/// Where each batch stands, counted in batches.
fn place(kind: BatchKind, month: Month) -> i64 {
    i64::from(month.number() / kind.months())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Over a whole number of periods the number of visits is exact, the phase grows by exactly that, visits never meet,
    /// and two that follow each other are less than one period of the period apart.
    #[test]
    fn the_long_run_is_exact_and_the_spacing_even(
        kind in kinds(),
        given in prop::collection::vec(frequencies(), 1..60),
        seed in any::<u8>(),
    ) {
        let present = objects(&given);
        let mut before: Option<Calendar> = None;
        let mut done = Done::new();
        let mut visits: BTreeMap<String, Vec<(i64, i64)>> = BTreeMap::new();
        // 30 years: a multiple of every number of years above.
        for year in 2027..2057 {
            let calendar = plan(&header(year, kind, seed), &present, before.as_ref(), &done).unwrap();
            done = all_done(&calendar);
            for object in &calendar.objects {
                for visit in &object.visits {
                    prop_assert_eq!(visit.planned.year(), year);
                    visits.entry(object.id.clone()).or_default()
                        .push((place(kind, visit.due), place(kind, visit.planned)));
                }
            }
            before = Some(calendar);
        }
        for object in &present {
            let seen = visits.get(&object.id).cloned().unwrap_or_default();
            let expected = (object.frequency.per_year() * 30.0).round() as usize;
            prop_assert_eq!(seen.len(), expected, "{}", object.frequency);
            let period = f64::from(kind.per_year()) / object.frequency.per_year();
            for pair in seen.windows(2) {
                let (due, planned) = (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
                prop_assert!((due as f64 - period).abs() < 1.0, "due {due}, period {period}");
                if period >= 1.0 {
                    prop_assert!(planned >= 1, "two visits of {} meet", object.id);
                    prop_assert!((planned as f64 - period).abs() < period.max(1.0) , "gap {planned}, period {period}");
                }
            }
        }
    }

    /// Every division's batches differ by one visit at most wherever its visits have room, and so does their sum.
    #[test]
    fn batches_are_level_where_visits_have_room(
        kind in kinds(),
        count in 1_usize..400,
        seed in any::<u8>(),
    ) {
        // Once in five years: every visit may be moved to any batch of its year.
        let present = objects(&vec!["1/5".parse().unwrap(); count]);
        let calendar = plan(&header(2027, kind, seed), &present, None, &Done::new()).unwrap();
        let mut loads: BTreeMap<&str, BTreeMap<Month, u64>> = BTreeMap::new();
        let mut sum: BTreeMap<Month, u64> = BTreeMap::new();
        for batch in batches(2027, kind) {
            sum.insert(batch.month, 0);
            for object in &calendar.objects {
                loads.entry(&object.division).or_default().insert(batch.month, 0);
            }
        }
        for object in &calendar.objects {
            for visit in &object.visits {
                *loads.get_mut(object.division.as_str()).unwrap().get_mut(&visit.planned).unwrap() += 1;
                *sum.get_mut(&visit.planned).unwrap() += 1;
            }
        }
        for load in loads.values().chain([&sum]) {
            let (least, most) = (load.values().min().unwrap(), load.values().max().unwrap());
            prop_assert!(most - least <= 1, "{load:?}");
        }
    }

    /// A calendar is made by seed, ids and frequencies alone: rows in any order give the same bytes, and the bytes give
    /// the calendar.
    #[test]
    fn the_same_seed_gives_the_same_bytes(
        kind in kinds(),
        given in prop::collection::vec(frequencies(), 1..80),
        seed in any::<u8>(),
        turn in any::<prop::sample::Index>(),
    ) {
        let present = objects(&given);
        let mut turned = present.clone();
        turned.rotate_left(turn.index(present.len()));
        let calendar = plan(&header(2027, kind, seed), &present, None, &Done::new()).unwrap();
        let bytes = calendar.to_bytes().unwrap();
        let again = plan(&header(2027, kind, seed), &turned, None, &Done::new()).unwrap();
        prop_assert_eq!(again.to_bytes().unwrap(), bytes.clone());
        prop_assert_eq!(Calendar::from_bytes(&bytes).unwrap(), calendar);
    }

    /// Planning the rest of the year anew keeps every visit that is done, moves every one that was missed into it, and
    /// leaves phases where they were: a change of tier gives or takes no visit by itself.
    #[test]
    fn planning_the_rest_of_a_year_keeps_what_is_done(
        kind in kinds(),
        given in prop::collection::vec((frequencies(), frequencies()), 3..80),
        seed in any::<u8>(),
        open in 1_u32..4,
        missed in prop::collection::vec(any::<bool>(), 80),
    ) {
        let (old, new): (Vec<Frequency>, Vec<Frequency>) = given.into_iter().unzip();
        let first = plan(&header(2027, kind, seed), &objects(&old), None, &Done::new()).unwrap();
        let from = Month::of(2027, 1).unwrap().plus(open * 3);
        let mut done = Done::new();
        let mut late = BTreeSet::new();
        for (object, missed) in first.objects.iter().zip(&missed) {
            for visit in object.visits.iter().filter(|visit| visit.planned < from) {
                let key = (object.id.clone(), visit.number);
                if *missed {
                    late.insert(key);
                } else {
                    done.insert(key, visit.planned.first_day());
                }
            }
        }
        let next = CalendarHeader { from, ..header(2027, kind, seed) };
        // The last object has left the pool, and a new one has come.
        let mut present = objects(&new);
        let gone = present.pop().unwrap().id;
        present.push(PresentObject { id: "NEW".into(), division: String::new(), frequency: new[0] });
        let second = plan(&next, &present, Some(&first), &done).unwrap();

        let mut found: BTreeMap<(String, u32), (Month, Option<Date>)> = BTreeMap::new();
        for object in &second.objects {
            for visit in &object.visits {
                let key = (object.id.clone(), visit.number);
                prop_assert!(found.insert(key, (visit.planned, visit.done_on)).is_none());
            }
        }
        for (key, day) in &done {
            prop_assert_eq!(found.get(key).map(|(_, day)| *day), Some(Some(*day)), "{:?}", key);
        }
        for (key, (planned, done_on)) in &found {
            prop_assert_eq!(*planned >= from, done_on.is_none(), "{:?}", key);
            prop_assert!(key.0 != gone || done_on.is_some());
        }
        for (old, object) in first.objects.iter().zip(objects(&old)) {
            let key = |number| (old.id.clone(), number);
            let grown = old.phase_ppb + object.frequency.growth_ppb(first.header.from, from);
            let Some(now) = second.objects.iter().find(|now| now.id == old.id) else { continue };
            prop_assert_eq!(now.phase_ppb, grown);
            for visit in old.visits.iter().filter(|visit| late.contains(&key(visit.number))) {
                let owed = u64::from(visit.number) <= grown / PPB && old.id != gone;
                // A visit that was moved ahead of its time and missed is due again when its time comes, if it still does.
                prop_assert!(!owed || found.contains_key(&key(visit.number)), "{:?}", visit);
            }
        }
        prop_assert!(second.objects.iter().any(|object| object.id == "NEW"));
    }
}

#[test]
fn an_edition_that_does_not_follow_is_refused() {
    let present = objects(&["1".parse().unwrap(); 3]);
    let first = plan(
        &header(2027, BatchKind::Quarter, 1),
        &present,
        None,
        &Done::new(),
    )
    .unwrap();
    let follow = |header: &CalendarHeader| plan(header, &present, Some(&first), &Done::new());

    let skipped = follow(&header(2029, BatchKind::Quarter, 1));
    let seed = follow(&header(2028, BatchKind::Quarter, 2));
    let kind = follow(&header(2028, BatchKind::Month, 1));
    let odd = follow(&CalendarHeader {
        from: Month::of(2027, 2).unwrap(),
        ..header(2027, BatchKind::Quarter, 1)
    });
    let empty = plan(
        &header(2028, BatchKind::Quarter, 1),
        &[],
        Some(&first),
        &Done::new(),
    );

    assert!(matches!(skipped, Err(ScheduleError::Gap { .. })));
    assert_eq!(seed, Err(ScheduleError::Other { what: "seed" }));
    assert_eq!(
        kind,
        Err(ScheduleError::Other {
            what: "cut into batches"
        })
    );
    assert!(matches!(odd, Err(ScheduleError::NoBatch { .. })));
    assert_eq!(empty, Err(ScheduleError::Empty));
}

#[test]
fn a_damaged_calendar_is_refused_by_line() {
    let present = objects(&["2".parse().unwrap(); 4]);
    let calendar = plan(
        &header(2027, BatchKind::Month, 1),
        &present,
        None,
        &Done::new(),
    )
    .unwrap();
    let text = String::from_utf8(calendar.to_bytes().unwrap()).unwrap();
    let line = |text: &str| Calendar::from_bytes(text.as_bytes()).unwrap_err().line;

    assert_eq!(line(&text[..text.len() - 1]), 5);
    assert_eq!(line(&text.replace("calendar/1", "calendar/2")), 1);
    assert_eq!(line(&text.replace("E0002", "E0000")), 4);
    assert_eq!(line(&text.replacen("\t2\t", "\ttwo\t", 1)), 2);
    assert_eq!(line(&text.replacen(":2027-", ":2027/", 1)), 2);
}
