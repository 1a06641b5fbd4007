//! Calendars: consecutive numbers, editions that follow each other, done visits that are only added.

crate::hold!(calendar_laws:
    calendars_are_numbered_without_gaps_by_many_writers,
    of_many_editions_after_the_same_one_wins,
    an_edition_whose_builder_fails_leaves_no_trace,
    done_visits_are_only_added_and_only_to_the_edition_in_force,
    done_visits_stand_in_the_ledger_once,
    what_is_not_there_is_none,
);

pub mod laws {
    use jiff::civil::date;
    use risktier::domain::{Visit, VisitKind, VisitState};
    use risktier::store::{DoneVisit, Store, StoreError};
    use std::sync::Barrier;

    use crate::register::id;
    use crate::{Place, with_enterprises};

    fn made(store: &dyn Store, calendar_id: &str) -> u64 {
        store
            .put_calendar(
                calendar_id,
                &|number| format!("{calendar_id} {number}"),
                ("first", b"body 1"),
            )
            .unwrap()
    }

    fn done(number: usize, visit_no: u32, day: i8) -> DoneVisit {
        DoneVisit {
            enterprise_id: id(number),
            visit_no,
            done_on: date(2027, 3, day),
        }
    }

    fn entry(done: &DoneVisit) -> Visit {
        Visit {
            visit_no: 0,
            enterprise_id: done.enterprise_id.clone(),
            year: 2027,
            kind: VisitKind::Key,
            state: VisitState::Done,
            slot: None,
            from_on: done.done_on,
            until_on: done.done_on,
            visited_on: Some(done.done_on),
            plan_id: Some("p".to_owned()),
            departments: Vec::new(),
            items: Vec::new(),
            reason: None,
            note: None,
            by: None,
            noted_at: "now".to_owned(),
        }
    }

    pub fn calendars_are_numbered_without_gaps_by_many_writers(place: &dyn Place) {
        let store = place.open();
        let barrier = Barrier::new(4);
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let (store, barrier) = (&store, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    for number in 0..5 {
                        made(store.as_ref(), &format!("c{writer}-{number}"));
                    }
                });
            }
        });

        let all = place.open().calendars_before(None, 100).unwrap();
        let numbers: Vec<u64> = all
            .iter()
            .map(|text| text.split(' ').nth(1).unwrap().parse().unwrap())
            .collect();
        assert_eq!(numbers, (1..=20).rev().collect::<Vec<_>>());
        let page = store.calendars_before(Some(18), 2).unwrap();
        assert_eq!(page, all[3..5]);
    }

    pub fn of_many_editions_after_the_same_one_wins(place: &dyn Place) {
        let store = place.open();
        made(store.as_ref(), "c");
        let barrier = Barrier::new(4);
        let won: usize = std::thread::scope(|scope| {
            let all: Vec<_> = (0..4)
                .map(|writer| {
                    let (store, barrier) = (&store, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        let build = &mut |number, _: &[DoneVisit]| {
                            Ok((
                                format!("by {writer}"),
                                format!("body {number}").into_bytes(),
                            ))
                        };
                        usize::from(store.add_calendar_edition("c", 1, build).unwrap())
                    })
                })
                .collect();
            all.into_iter().map(|thread| thread.join().unwrap()).sum()
        });

        assert_eq!(won, 1);
        let last = store.calendar_edition("c", None).unwrap().unwrap();
        assert_eq!((last.edition_no, last.body), (2, b"body 2".to_vec()));
        let first = store.calendar_edition("c", Some(1)).unwrap().unwrap();
        assert_eq!(
            (first.document.as_str(), first.body),
            ("first", b"body 1".to_vec())
        );
        assert_eq!(
            store.calendar_editions("c").unwrap(),
            ["first".to_owned(), last.document]
        );
    }

    pub fn an_edition_whose_builder_fails_leaves_no_trace(place: &dyn Place) {
        let store = place.open();
        made(store.as_ref(), "c");

        let failed = store.add_calendar_edition("c", 1, &mut |_, _| {
            Err(StoreError::Aborted("no".to_owned()))
        });

        assert!(matches!(failed, Err(StoreError::Aborted(_))));
        assert_eq!(store.calendar_editions("c").unwrap(), ["first"]);
    }

    pub fn done_visits_are_only_added_and_only_to_the_edition_in_force(place: &dyn Place) {
        let store = place.open();
        made(store.as_ref(), "c");
        made(store.as_ref(), "other");

        let first = store.put_done_visits("c", 1, &[done(2, 1, 3), done(1, 2, 4)], &entry);
        let again = store.put_done_visits("c", 1, &[done(2, 1, 9), done(1, 1, 2)], &entry);
        let seen = &mut Vec::new();
        let added = store.add_calendar_edition("c", 1, &mut |number, done| {
            seen.clear();
            seen.extend_from_slice(done);
            Ok((format!("edition {number}"), Vec::new()))
        });
        let late = store.put_done_visits("c", 1, &[done(3, 1, 5)], &entry);

        assert_eq!(
            (first.unwrap(), again.unwrap(), late.unwrap()),
            (Some(2), Some(1), None)
        );
        assert!(added.unwrap());
        let all = [done(1, 1, 2), done(1, 2, 4), done(2, 1, 3)];
        assert_eq!(*seen, all);
        assert_eq!(place.open().done_visits("c").unwrap(), all);
        assert_eq!(store.done_visits("other").unwrap(), []);
    }

    pub fn done_visits_stand_in_the_ledger_once(place: &dyn Place) {
        let store = with_enterprises(place, 3);
        made(store.as_ref(), "c");
        let planned = Visit {
            state: VisitState::Planned,
            visited_on: None,
            until_on: date(2027, 12, 31),
            noted_at: "then".to_owned(),
            ..entry(&done(1, 1, 1))
        };
        let other_plan = Visit {
            plan_id: Some("other".to_owned()),
            ..planned.clone()
        };
        let numbers = store.enter_visits(&[other_plan, planned]).unwrap();

        let twice = [done(1, 1, 3), done(2, 1, 4)];
        store.put_done_visits("c", 1, &twice, &entry).unwrap();
        let more = [done(1, 1, 9), done(1, 2, 5)];
        store.put_done_visits("c", 1, &more, &entry).unwrap();

        // The planned visit became the first; the second of the same object is added, and what stood is not noted again.
        let first = store.visits_to(&id(1)).unwrap();
        let told: Vec<_> = first
            .iter()
            .map(|visit| (visit.state, visit.visited_on, visit.slot))
            .collect();
        assert_eq!(
            told,
            [
                (VisitState::Done, Some(date(2027, 3, 5)), None),
                (VisitState::Done, Some(date(2027, 3, 3)), None),
                (VisitState::Planned, None, None),
            ]
        );
        assert_eq!(first[1].visit_no, numbers[1]);
        assert_eq!(first[1].until_on, date(2027, 12, 31));
        assert_eq!(store.visits_to(&id(2)).unwrap().len(), 1);
        // For general items they take slots, each the next.
        let general = |done: &DoneVisit| Visit {
            kind: VisitKind::General,
            ..entry(done)
        };
        let general_visits = [done(3, 1, 6), done(3, 2, 7)];
        store
            .put_done_visits("c", 1, &general_visits, &general)
            .unwrap();
        let slots = store.slots(2027, 2027).unwrap();
        let told: Vec<_> = slots
            .iter()
            .map(|slot| (slot.slot, slot.window.0))
            .collect();
        assert_eq!(told, [(1, date(2027, 3, 6)), (2, date(2027, 3, 7))]);
        // What an edition came in between of is not entered.
        store
            .add_calendar_edition("c", 1, &mut |_, _| Ok((String::new(), Vec::new())))
            .unwrap();
        let late = store.put_done_visits("c", 1, &[done(2, 2, 8)], &entry);
        assert_eq!(late.unwrap(), None);
        assert_eq!(store.visits_to(&id(2)).unwrap().len(), 1);
    }

    pub fn what_is_not_there_is_none(place: &dyn Place) {
        let store = place.open();
        made(store.as_ref(), "c");

        for id in ["", "C", "c\0", "no-such"] {
            assert_eq!(store.calendar(id).unwrap(), None);
            assert_eq!(store.calendar_edition(id, None).unwrap(), None);
            assert!(store.calendar_editions(id).unwrap().is_empty());
            assert!(store.done_visits(id).unwrap().is_empty());
            assert_eq!(store.put_done_visits(id, 1, &[], &entry).unwrap(), None);
            let build = &mut |_, _: &[DoneVisit]| Ok((String::new(), Vec::new()));
            assert!(!store.add_calendar_edition(id, 1, build).unwrap());
        }
        for edition in [0, 2, u64::MAX] {
            assert_eq!(store.calendar_edition("c", Some(edition)).unwrap(), None);
        }
    }
}
