//! Proceedings, acts, and records of merged ids.

crate::hold!(life_laws:
    a_deed_writes_everything_at_once_and_raises_each_revision_by_one,
    a_decision_that_is_refused_writes_nothing,
    a_decision_about_an_unknown_enterprise_writes_nothing_on_its_own,
    the_version_asked_for_is_the_one_known_on_the_day,
    what_is_written_for_a_merged_id_raises_its_successors,
    merges_are_found_from_every_enterprise_of_a_chain,
    lists_go_by_kind_state_and_limit_in_order_of_ids,
    acts_are_numbered_within_an_enterprise_and_read_backwards,
    decisions_about_one_enterprise_take_turns,
);

pub mod laws {
    use std::collections::BTreeSet;

    use risktier::domain::dates::add_days;
    use risktier::domain::{EnterpriseId, ProceedingKind, Record};
    use risktier::store::{Act, Concerned, Deed, Proceeding, ProceedingFilter, Store, StoreError};

    use crate::register::{TODAY, enterprise, id, label, serious_penalty};
    use crate::{Place, log, revision, versions, with_enterprises};

    fn concerned(numbers: &[usize]) -> Concerned<'static> {
        Concerned {
            enterprises: numbers.iter().map(|number| id(*number)).collect(),
            record: None,
            alone: false,
        }
    }

    fn proceeding(name: &str, kind: ProceedingKind, of: usize) -> Proceeding {
        Proceeding {
            proceeding_id: name.into(),
            kind,
            enterprise_id: id(of),
            related_id: None,
            state: "proposed".into(),
            is_open: true,
            due_on: Some(TODAY),
            document: format!("{{\"name\":\"{name} 企业\"}}"),
        }
    }

    fn merge(name: &str, old: usize, into: usize) -> Proceeding {
        Proceeding {
            related_id: Some(id(into)),
            due_on: None,
            ..proceeding(name, ProceedingKind::Merge, old)
        }
    }

    fn act(of: usize, what: &str) -> Act {
        Act {
            act_no: 0,
            enterprise_id: id(of),
            on: TODAY,
            at: "2026-11-22T08:00:00Z".into(),
            what: what.into(),
            subject: "p".into(),
            by: Some(label("甲")),
            reason: Some("why".into()),
        }
    }

    fn touching(numbers: &[usize], proceedings: &[Proceeding]) -> Deed {
        Deed {
            proceedings: proceedings.to_vec(),
            touched: numbers.iter().map(|number| id(*number)).collect(),
            ..Deed::default()
        }
    }

    fn keep(store: &dyn Store, proceedings: &[Proceeding]) {
        let numbers: Vec<usize> = (1..=6).collect();
        store
            .decide(&concerned(&numbers), &mut |_| {
                Ok(touching(&[], proceedings))
            })
            .unwrap();
    }

    fn names(found: &[Proceeding]) -> Vec<&str> {
        found.iter().map(|one| one.proceeding_id.as_str()).collect()
    }

    pub fn a_deed_writes_everything_at_once_and_raises_each_revision_by_one(place: &dyn Place) {
        let store = with_enterprises(place, 3);
        let first = serious_penalty(1, "p1", 30);
        store.put_records(std::slice::from_ref(&first), 0).unwrap();
        let before = [1, 2, 3].map(|number| revision(&*store, &id(number)));
        let amended = Record {
            withdrawn_on: Some(TODAY),
            known_on: TODAY,
            ..first.clone()
        };
        let one = proceeding("a", ProceedingKind::Override, 1);

        let changes = store
            .decide(&concerned(&[1, 2]), &mut |standing| {
                assert!(standing.proceedings.is_empty() && standing.record.is_none());
                Ok(Deed {
                    record: Some(amended.clone()),
                    acts: vec![act(1, "one"), act(2, "two")],
                    ..touching(&[1, 2], std::slice::from_ref(&one))
                })
            })
            .unwrap();

        let after = [1, 2, 3].map(|number| revision(&*store, &id(number)));
        assert_eq!(after, [before[0] + 1, before[1] + 1, before[2]]);
        let logged = log(&*store);
        assert_eq!(changes, logged[logged.len() - 2..]);
        assert_eq!(versions(&*store, &id(1)), [first, amended]);
        assert_eq!(store.proceeding("a").unwrap(), Some(one.clone()));
        assert_eq!(store.proceedings_about(&id(1)).unwrap(), [one]);
        let kept = store.acts_before(&id(2), None, 10).unwrap();
        assert_eq!(
            kept,
            [Act {
                act_no: 1,
                ..act(2, "two")
            }]
        );
        let place_again = place.open();
        assert_eq!(place_again.acts_before(&id(1), None, 10).unwrap().len(), 1);
    }

    pub fn a_decision_that_is_refused_writes_nothing(place: &dyn Place) {
        let store = with_enterprises(place, 1);
        let before = (revision(&*store, &id(1)), log(&*store));
        let refused = store.decide(&concerned(&[1]), &mut |_| {
            Err(StoreError::Aborted("no".into()))
        });
        assert!(matches!(refused, Err(StoreError::Aborted(reason)) if reason == "no"));
        assert_eq!((revision(&*store, &id(1)), log(&*store)), before);
        assert_eq!(store.proceeding("a").unwrap(), None);
        assert_eq!(store.proceeding("a\0").unwrap(), None);
    }

    pub fn a_decision_about_an_unknown_enterprise_writes_nothing_on_its_own(place: &dyn Place) {
        let store = with_enterprises(place, 1);
        let before = log(&*store);
        let one = proceeding("a", ProceedingKind::Override, 9);
        let decided = store.decide(&concerned(&[9]), &mut |_| {
            Ok(touching(&[9], std::slice::from_ref(&one)))
        });
        assert!(decided.is_err());
        assert_eq!(
            (store.proceeding("a").unwrap(), log(&*store)),
            (None, before)
        );
    }

    pub fn the_version_asked_for_is_the_one_known_on_the_day(place: &dyn Place) {
        let store = with_enterprises(place, 1);
        let first = serious_penalty(1, "p1", 30);
        let later = Record {
            amount_fen: Some(5),
            known_on: add_days(TODAY, -10),
            ..first.clone()
        };
        store
            .put_records(&[first.clone(), later.clone()], 0)
            .unwrap();
        let court = label("court");
        let seen = |record_id: &str, day| {
            let mut seen = None;
            let concerned = Concerned {
                record: Some((&court, record_id, day)),
                ..concerned(&[1])
            };
            let decided = store.decide(&concerned, &mut |standing| {
                seen = standing.record.clone();
                Ok(Deed::default())
            });
            assert_eq!(decided.unwrap(), []);
            seen
        };
        assert_eq!(seen("p1", TODAY), Some(later));
        assert_eq!(seen("p1", add_days(TODAY, -11)), Some(first));
        assert_eq!(seen("p1", add_days(TODAY, -31)), None);
        assert_eq!((seen("p9", TODAY), seen("p\0", TODAY)), (None, None));
        assert_eq!(store.record_owner(&court, "p1").unwrap(), Some(id(1)));
        assert_eq!(store.record_owner(&court, "p9").unwrap(), None);
    }

    pub fn what_is_written_for_a_merged_id_raises_its_successors(place: &dyn Place) {
        let store = with_enterprises(place, 6);
        let ids: Vec<EnterpriseId> = vec![id(1), id(4)];
        assert_eq!(store.successors(&ids).unwrap(), []);
        keep(&*store, &[merge("m1", 1, 2), merge("m2", 2, 3)]);
        let revisions = || [1, 2, 3, 4].map(|number| revision(&*store, &id(number)));
        let raised = |before: [u64; 4], by: [u64; 4]| {
            assert_eq!(
                revisions(),
                std::array::from_fn(|place| before[place] + by[place])
            );
            let logged = log(&*store);
            for number in 1..=4 {
                let last = logged
                    .iter()
                    .rev()
                    .find(|changed| changed.enterprise_id == id(number));
                assert_eq!(last.unwrap().revision, revision(&*store, &id(number)));
            }
        };

        let before = revisions();
        let both = [serious_penalty(1, "p1", 30), serious_penalty(4, "p2", 30)];
        store.put_records(&both, 0).unwrap();
        raised(before, [1, 1, 1, 1]);
        let before = revisions();
        store.put_records(&both, 0).unwrap();
        raised(before, [0, 0, 0, 0]);
        let before = revisions();
        store
            .put_records_or_none(&[serious_penalty(2, "p3", 30)])
            .unwrap();
        raised(before, [0, 1, 1, 0]);
        let before = revisions();
        let mut renamed = enterprise(1);
        renamed.name = "新".into();
        store.put_enterprises(&[renamed], 0, TODAY).unwrap();
        raised(before, [1, 1, 1, 0]);
        let before = revisions();
        let changes = store
            .decide(&concerned(&[1]), &mut |_| Ok(touching(&[1], &[])))
            .unwrap();
        raised(before, [1, 1, 1, 0]);
        assert_eq!(changes.len(), 3);
        let found = store.successors(&ids).unwrap();
        let now = revisions();
        assert_eq!(found, [(id(2), now[1]), (id(3), now[2])]);

        // An undone merge leads nowhere.
        let undone = Proceeding {
            is_open: false,
            ..merge("m1", 1, 2)
        };
        keep(&*store, &[undone]);
        let before = revisions();
        store
            .put_records(&[serious_penalty(1, "p4", 20)], 0)
            .unwrap();
        raised(before, [1, 0, 0, 0]);
    }

    pub fn merges_are_found_from_every_enterprise_of_a_chain(place: &dyn Place) {
        let store = with_enterprises(place, 6);
        keep(
            &*store,
            &[
                merge("m1", 1, 2),
                merge("m2", 2, 3),
                merge("m3", 4, 3),
                merge("m4", 5, 6),
                proceeding("o1", ProceedingKind::Override, 1),
                proceeding("o3", ProceedingKind::Override, 3),
            ],
        );
        let about = |number| store.proceedings_about(&id(number)).unwrap();
        assert_eq!(names(&about(1)), ["m1", "m2", "m3", "o1"]);
        assert_eq!(names(&about(3)), ["m1", "m2", "m3", "o3"]);
        assert_eq!(names(&about(4)), ["m1", "m2", "m3"]);
        assert_eq!(names(&about(6)), ["m4"]);
        let mut seen = Vec::new();
        store
            .decide(&concerned(&[1, 6]), &mut |standing| {
                seen = names(&standing.proceedings)
                    .iter()
                    .map(ToString::to_string)
                    .collect();
                Ok(Deed::default())
            })
            .unwrap();
        assert_eq!(seen, ["m1", "m2", "m3", "m4", "o1"]);
    }

    pub fn lists_go_by_kind_state_and_limit_in_order_of_ids(place: &dyn Place) {
        let store = with_enterprises(place, 6);
        let mut all = Vec::new();
        for number in 0..6 {
            let mut one = proceeding(&format!("o{number}"), ProceedingKind::Objection, 1);
            one.due_on = [Some(TODAY), Some(add_days(TODAY, 1)), None][number % 3];
            one.state = ["filed", "examined"][number / 3].into();
            all.push(one);
        }
        all.push(proceeding("x", ProceedingKind::Override, 1));
        keep(&*store, &all);
        let list = |state: Option<&str>, due_by, after: Option<&str>, limit| {
            let filter = ProceedingFilter {
                kind: ProceedingKind::Objection,
                state: state.map(str::to_owned),
                due_by,
            };
            let found = store.proceedings_after(&filter, after, limit).unwrap();
            names(&found).join(" ")
        };
        assert_eq!(list(None, None, None, 10), "o0 o1 o2 o3 o4 o5");
        assert_eq!(list(None, None, Some("o2"), 2), "o3 o4");
        assert_eq!(list(Some("filed"), None, None, 10), "o0 o1 o2");
        assert_eq!(list(None, Some((TODAY, true)), None, 10), "o0 o3");
        assert_eq!(list(None, Some((TODAY, false)), None, 10), "o1 o2 o4 o5");
        let eve = add_days(TODAY, -1);
        assert_eq!(list(Some("examined"), Some((eve, true)), None, 10), "");
        assert_eq!(list(Some("a\0"), None, None, 10), "");
    }

    pub fn acts_are_numbered_within_an_enterprise_and_read_backwards(place: &dyn Place) {
        let store = with_enterprises(place, 2);
        for what in ["one", "two", "three"] {
            store
                .decide(&concerned(&[1, 2]), &mut |_| {
                    Ok(Deed {
                        acts: vec![act(1, what), act(2, what)],
                        ..Deed::default()
                    })
                })
                .unwrap();
        }
        let read = |before, limit| -> Vec<(u64, String)> {
            let acts = store.acts_before(&id(1), before, limit).unwrap();
            acts.into_iter().map(|act| (act.act_no, act.what)).collect()
        };
        let expect = |numbers: &[u64]| -> Vec<(u64, String)> {
            let words = ["one", "two", "three"];
            let row = |number: &u64| (*number, words[*number as usize - 1].to_owned());
            numbers.iter().map(row).collect()
        };
        assert_eq!(read(None, 10), expect(&[3, 2, 1]));
        assert_eq!(read(Some(3), 1), expect(&[2]));
        assert_eq!(read(Some(1), 10), expect(&[]));
    }

    pub fn decisions_about_one_enterprise_take_turns(place: &dyn Place) {
        let store = with_enterprises(place, 2);
        let before = revision(&*store, &id(1));
        // Each writer makes a proceeding only if there is none: exactly one of them may.
        let made: usize = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..8)
                .map(|number| {
                    let store = place.open();
                    scope.spawn(move || {
                        let changes = store
                            .decide(&concerned(&[1, 2]), &mut |standing| {
                                if standing.proceedings.is_empty() {
                                    let name = format!("o{number}");
                                    let one = proceeding(&name, ProceedingKind::Override, 1);
                                    return Ok(touching(&[1], &[one]));
                                }
                                Ok(Deed::default())
                            })
                            .unwrap();
                        changes.len()
                    })
                })
                .collect();
            writers.into_iter().map(|one| one.join().unwrap()).sum()
        });
        assert_eq!(made, 1);
        assert_eq!(revision(&*store, &id(1)), before + 1);
        let touched: BTreeSet<EnterpriseId> = log(&*store)
            .into_iter()
            .map(|changed| changed.enterprise_id)
            .collect();
        assert_eq!(touched, [id(1), id(2)].into());
    }
}
