//! Check items and the ledger: versions that stay, slots that nobody holds twice, draws one after the other.

crate::hold!(ledger_laws:
    items_keep_every_version,
    an_item_is_written_under_a_condition_or_not_at_all,
    many_who_write_items_leave_no_gap,
    a_draw_takes_its_slots_in_the_same_step,
    a_slot_is_held_once,
    draws_see_each_other_and_happen_once,
    a_draw_whose_builder_fails_leaves_no_trace,
    a_void_plan_gives_back_what_has_not_taken_place,
    a_visit_changes_but_not_into_another,
    visits_are_paged_by_what_is_asked_for,
    a_year_counts_what_counts,
);

pub mod laws {
    use std::collections::BTreeSet;
    use std::sync::{Barrier, Mutex};

    use jiff::civil::date;
    use risktier::domain::{CheckItem, ExemptReason, ItemDraft, Visit, VisitKind, VisitState};
    use risktier::store::{
        DrawnPlan, ItemOutcome, ItemWrite, LedgerFilter, LedgerYear, Slot, Store, StoreError,
    };

    use crate::register::{TODAY, id, label};
    use crate::{Place, with_enterprises};

    fn item(code: &str, name: &str) -> CheckItem {
        CheckItem::parse(ItemDraft {
            item_code: code.into(),
            name: name.into(),
            class: "general".into(),
            sub_items: vec!["a|b".into(), "\"".into()],
            ratio_cap: Some(0.03),
            ..ItemDraft::default()
        })
        .unwrap()
    }

    fn visit(number: usize, kind: VisitKind, slot: Option<u16>) -> Visit {
        Visit {
            visit_no: 0,
            enterprise_id: id(number),
            year: 2026,
            kind,
            state: VisitState::Planned,
            slot,
            from_on: date(2026, 12, 1),
            until_on: date(2026, 12, 31),
            visited_on: None,
            plan_id: Some("p".into()),
            departments: vec![label("市场监管"), label("消防")],
            items: vec![label("G-1")],
            reason: None,
            note: None,
            by: None,
            noted_at: "2026-11-22T08:00:00Z".into(),
        }
    }

    fn general(number: usize, slot: u16, plan_id: &str) -> Visit {
        Visit {
            plan_id: Some(plan_id.into()),
            ..visit(number, VisitKind::General, Some(slot))
        }
    }

    fn frozen(store: &dyn Store, plan_id: &str) {
        store.insert_plan(plan_id, "draft", "draft").unwrap();
        let done = store.freeze_plan(plan_id, &mut |_| Ok(("frozen".into(), b"pool".to_vec())));
        assert!(done.unwrap());
    }

    fn draw(store: &dyn Store, plan_id: &str, visits: &[Visit]) -> Result<bool, StoreError> {
        store.draw_plan(plan_id, Some((2025, 2027)), &mut |_| {
            Ok(DrawnPlan {
                document: format!("drawn {plan_id}"),
                sample: b"sample".to_vec(),
                visits: visits.to_vec(),
                joined: Vec::new(),
                replacements: Vec::new(),
            })
        })
    }

    fn all(store: &dyn Store) -> Vec<Visit> {
        store
            .visits_before(&LedgerFilter::default(), None, 1_000)
            .unwrap()
    }

    pub fn items_keep_every_version(place: &dyn Place) {
        let store = place.open();
        let (first, second) = (item("B", "一"), item("B", "二"));
        let outcomes = store
            .put_items(
                &[first.clone(), item("A", "x"), first.clone(), second.clone()],
                TODAY,
            )
            .unwrap();
        assert_eq!(
            outcomes,
            [
                ItemOutcome::Created,
                ItemOutcome::Created,
                ItemOutcome::Unchanged,
                ItemOutcome::Updated
            ]
        );
        let later = TODAY.tomorrow().unwrap();
        store
            .put_items(std::slice::from_ref(&first), later)
            .unwrap();

        let store = place.open();
        let versions = store.item_versions("B").unwrap();
        let told: Vec<_> = versions
            .iter()
            .map(|v| (v.version, v.from_on, &v.item))
            .collect();
        assert_eq!(
            told,
            [(3, later, &first), (2, TODAY, &second), (1, TODAY, &first)]
        );
        assert!(store.item_versions("b\0").unwrap().is_empty());
        let page = |after, limit| -> Vec<(String, u32)> {
            let found = store.items_after(after, limit).unwrap();
            let told = found
                .iter()
                .map(|v| (v.item.item_code.to_string(), v.version));
            told.collect()
        };
        assert_eq!(page(None, 9), [("A".into(), 1), ("B".into(), 3)]);
        assert_eq!(page(None, 1), [("A".into(), 1)]);
        assert_eq!(page(Some("A"), 9), [("B".into(), 3)]);
        assert!(page(Some("B"), 9).is_empty());
    }

    pub fn an_item_is_written_under_a_condition_or_not_at_all(place: &dyn Place) {
        let store = place.open();
        let put = |name: &str, wanted: Option<u64>| {
            let holds = move |version| version == wanted;
            store.put_item_if(&item("A", name), TODAY, &holds).unwrap()
        };
        assert_eq!(put("一", Some(1)), ItemWrite::NotMet(None));
        assert_eq!(put("一", None), ItemWrite::Written(ItemOutcome::Created));
        assert_eq!(put("二", None), ItemWrite::NotMet(Some(1)));
        assert_eq!(put("二", Some(1)), ItemWrite::Written(ItemOutcome::Updated));
        assert_eq!(
            put("二", Some(2)),
            ItemWrite::Written(ItemOutcome::Unchanged)
        );
        assert_eq!(place.open().item_versions("A").unwrap().len(), 2);

        // Of many who replace one version one succeeds.
        let start = Barrier::new(4);
        let stores: Vec<_> = (0..4).map(|_| place.open()).collect();
        let written = std::thread::scope(|scope| {
            let threads: Vec<_> = stores
                .iter()
                .enumerate()
                .map(|(thread, store)| {
                    let start = &start;
                    scope.spawn(move || {
                        start.wait();
                        let new = item("A", &format!("{thread}"));
                        store
                            .put_item_if(&new, TODAY, &|version| version == Some(2))
                            .unwrap()
                    })
                })
                .collect();
            let outcomes = threads.into_iter().map(|thread| thread.join().unwrap());
            outcomes
                .filter(|outcome| *outcome == ItemWrite::Written(ItemOutcome::Updated))
                .count()
        });
        assert_eq!(written, 1);
        assert_eq!(place.open().item_versions("A").unwrap().len(), 3);
    }

    pub fn many_who_write_items_leave_no_gap(place: &dyn Place) {
        let start = Barrier::new(4);
        let stores: Vec<_> = (0..4).map(|_| place.open()).collect();
        std::thread::scope(|scope| {
            for (thread, store) in stores.iter().enumerate() {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    for round in 0..5 {
                        let new = item("A", &format!("{thread}-{round}"));
                        store.put_items(&[new], TODAY).unwrap();
                    }
                });
            }
        });
        let versions = place.open().item_versions("A").unwrap();
        let numbers: Vec<u32> = versions.iter().map(|version| version.version).collect();
        assert_eq!(numbers, (1..=20).rev().collect::<Vec<u32>>());
    }

    pub fn a_draw_takes_its_slots_in_the_same_step(place: &dyn Place) {
        let store = with_enterprises(place, 3);
        frozen(&*store, "p");
        let mut seen = None;
        let done = store.draw_plan("p", Some((2025, 2027)), &mut |taken| {
            seen = Some(taken);
            Ok(DrawnPlan {
                document: "drawn".into(),
                sample: b"sample".to_vec(),
                visits: vec![general(1, 1, "p"), general(2, 1, "p")],
                joined: Vec::new(),
                replacements: Vec::new(),
            })
        });
        assert!(done.unwrap());
        assert_eq!(seen, Some(vec![]));
        assert!(!draw(&*store, "p", &[general(3, 1, "p")]).unwrap());
        assert!(!draw(&*store, "none\0", &[]).unwrap());

        let store = place.open();
        assert_eq!(store.plan("p").unwrap().as_deref(), Some("drawn"));
        let file = store
            .plan_file("p", risktier::store::PlanFile::Sample)
            .unwrap();
        assert_eq!(file.as_deref(), Some(&b"sample"[..]));
        let slot = |number| Slot {
            enterprise_id: id(number),
            year: 2026,
            slot: 1,
            window: (date(2026, 12, 1), date(2026, 12, 31)),
            plan_id: "p".into(),
            departments: vec![label("市场监管"), label("消防")],
            items: vec![label("G-1")],
        };
        assert_eq!(store.slots(2026, 2026).unwrap(), [slot(1), slot(2)]);
        assert!(store.slots(2027, 2030).unwrap().is_empty());
        let kept = store.visits_to(&id(1)).unwrap();
        let expected = Visit {
            visit_no: kept[0].visit_no,
            ..general(1, 1, "p")
        };
        assert_eq!(kept, [expected]);
    }

    pub fn a_slot_is_held_once(place: &dyn Place) {
        let store = with_enterprises(place, 1);
        frozen(&*store, "p");
        frozen(&*store, "q");
        assert!(draw(&*store, "p", &[general(1, 1, "p")]).unwrap());

        assert!(draw(&*store, "q", &[general(1, 1, "q")]).is_err());

        assert_eq!(store.plan("q").unwrap().as_deref(), Some("frozen"));
        assert_eq!(all(&*store).len(), 1);
        assert!(draw(&*store, "q", &[general(1, 2, "q")]).unwrap());
    }

    pub fn draws_see_each_other_and_happen_once(place: &dyn Place) {
        let store = with_enterprises(place, 1);
        let plans: Vec<String> = (0..8).map(|number| format!("p{number}")).collect();
        plans.iter().for_each(|plan| frozen(&*store, plan));
        let (start, seen) = (Barrier::new(8), Mutex::new(Vec::new()));
        let stores: Vec<_> = (0..4).map(|_| place.open()).collect();
        std::thread::scope(|scope| {
            for (at, plan) in plans.iter().enumerate() {
                let (start, seen, store) = (&start, &seen, &stores[at % 4]);
                scope.spawn(move || {
                    start.wait();
                    let mut count = 0;
                    let done = store.draw_plan(plan, Some((2026, 2026)), &mut |taken| {
                        count = taken.len();
                        Ok(DrawnPlan {
                            document: "drawn".into(),
                            sample: Vec::new(),
                            visits: vec![general(1, taken.len() as u16 + 1, plan)],
                            joined: Vec::new(),
                            replacements: Vec::new(),
                        })
                    });
                    assert!(done.unwrap());
                    seen.lock().unwrap().push(count);
                });
            }
        });
        let seen: BTreeSet<usize> = seen.into_inner().unwrap().into_iter().collect();
        assert_eq!(seen, (0..8).collect());
        assert_eq!(store.slots(2026, 2026).unwrap().len(), 8);
    }

    pub fn a_draw_whose_builder_fails_leaves_no_trace(place: &dyn Place) {
        let store = with_enterprises(place, 1);
        frozen(&*store, "p");
        let failed = store.draw_plan("p", None, &mut |taken| {
            assert!(taken.is_empty());
            Err(StoreError::Aborted("no reserve".into()))
        });
        assert!(matches!(failed, Err(StoreError::Aborted(reason)) if reason == "no reserve"));
        assert_eq!(store.plan("p").unwrap().as_deref(), Some("frozen"));
        assert!(all(&*store).is_empty());
    }

    pub fn a_void_plan_gives_back_what_has_not_taken_place(place: &dyn Place) {
        let store = with_enterprises(place, 2);
        frozen(&*store, "p");
        draw(&*store, "p", &[general(1, 1, "p"), general(2, 1, "p")]).unwrap();
        let first = all(&*store).last().unwrap().visit_no;
        store
            .change_visit(first, &|visit| {
                Ok(Visit {
                    state: VisitState::Done,
                    visited_on: Some(TODAY),
                    ..visit
                })
            })
            .unwrap();
        assert!(!store.void_plan("p", "frozen", "void").unwrap());
        assert!(!store.void_plan("p\0", "drawn", "void").unwrap());
        assert_eq!(store.slots(2026, 2026).unwrap().len(), 2);

        assert!(store.void_plan("p", "drawn", "void").unwrap());

        assert_eq!(store.plan("p").unwrap().as_deref(), Some("void"));
        let slots = store.slots(2026, 2026).unwrap();
        assert_eq!(slots.len(), 1);
        assert_eq!(slots[0].window, (TODAY, TODAY));
        let states: Vec<VisitState> = all(&*store).iter().map(|visit| visit.state).collect();
        assert_eq!(states, [VisitState::Void, VisitState::Done]);
    }

    pub fn a_visit_changes_but_not_into_another(place: &dyn Place) {
        let store = with_enterprises(place, 2);
        let numbers = store
            .enter_visits(&[visit(1, VisitKind::Exempt, None)])
            .unwrap();
        let changed = store.change_visit(numbers[0], &|visit| {
            Ok(Visit {
                state: VisitState::Done,
                reason: Some(ExemptReason::StatutoryUrgent),
                note: Some("，".into()),
                by: Some(label("o")),
                departments: vec![label("x")],
                ..visit
            })
        });
        let changed = changed.unwrap().unwrap();
        assert_eq!(all(&*store), std::slice::from_ref(&changed));
        assert!(!changed.is_joint());
        for other in [
            Visit {
                enterprise_id: id(2),
                ..changed.clone()
            },
            Visit {
                year: 2027,
                ..changed.clone()
            },
            Visit {
                kind: VisitKind::Key,
                ..changed.clone()
            },
            Visit {
                plan_id: None,
                ..changed.clone()
            },
        ] {
            assert!(
                store
                    .change_visit(numbers[0], &|_| Ok(other.clone()))
                    .is_err()
            );
        }
        let refused = store.change_visit(numbers[0], &|_| Err(StoreError::Aborted("no".into())));
        assert!(matches!(refused, Err(StoreError::Aborted(_))));
        assert!(store.change_visit(9_999, &Ok).unwrap().is_none());
        assert_eq!(all(&*store), [changed]);
    }

    pub fn visits_are_paged_by_what_is_asked_for(place: &dyn Place) {
        let store = with_enterprises(place, 4);
        let mut given = vec![
            visit(1, VisitKind::Exempt, None),
            visit(2, VisitKind::Key, None),
            visit(3, VisitKind::Exempt, None),
        ];
        given[2].year = 2025;
        given[1].plan_id = Some("q".into());
        let numbers = store.enter_visits(&given).unwrap();
        assert!(numbers.is_sorted_by(|a, b| a < b));
        let asked = |filter: LedgerFilter, before, limit| -> Vec<u64> {
            let found = store.visits_before(&filter, before, limit).unwrap();
            found.iter().map(|visit| visit.visit_no).collect()
        };
        let any = LedgerFilter::default;
        assert_eq!(asked(any(), None, 9), [numbers[2], numbers[1], numbers[0]]);
        assert_eq!(asked(any(), Some(numbers[2]), 1), [numbers[1]]);
        let year = LedgerFilter {
            year: Some(2025),
            ..any()
        };
        assert_eq!(asked(year, None, 9), [numbers[2]]);
        let kind = LedgerFilter {
            kind: Some(VisitKind::Key),
            ..any()
        };
        assert_eq!(asked(kind, None, 9), [numbers[1]]);
        let state = LedgerFilter {
            state: Some(VisitState::Done),
            ..any()
        };
        assert!(asked(state, None, 9).is_empty());
        let plan = LedgerFilter {
            plan_id: Some("p".into()),
            ..any()
        };
        assert_eq!(asked(plan, None, 9), [numbers[2], numbers[0]]);
        let none = LedgerFilter {
            plan_id: Some("\0".into()),
            ..any()
        };
        assert!(asked(none, None, 9).is_empty());
        assert_eq!(store.visits_to(&id(2)).unwrap().len(), 1);
        assert!(store.visits_to(&id(9)).unwrap().is_empty());
    }

    pub fn a_year_counts_what_counts(place: &dyn Place) {
        let store = with_enterprises(place, 6);
        frozen(&*store, "p");
        let mut alone = general(2, 1, "p");
        alone.departments.truncate(1);
        draw(
            &*store,
            "p",
            &[general(1, 1, "p"), alone, general(1, 2, "p")],
        )
        .unwrap();
        let gone = |state| Visit {
            state,
            ..visit(4, VisitKind::Key, None)
        };
        store
            .enter_visits(&[
                visit(2, VisitKind::Key, None),
                visit(3, VisitKind::Exempt, None),
                gone(VisitState::Void),
                gone(VisitState::Replaced),
                Visit {
                    state: VisitState::Done,
                    ..visit(3, VisitKind::Key, None)
                },
                Visit {
                    year: 2025,
                    ..visit(5, VisitKind::Key, None)
                },
            ])
            .unwrap();
        let counted = store.ledger_year(2026).unwrap();
        assert_eq!(
            counted,
            LedgerYear {
                general_count: 3,
                key_count: 2,
                exempt_count: 1,
                done_count: 1,
                joint_count: 4,
                visited_count: 3,
                repeat_count: 2,
                general_enterprise_count: 2,
                object_count: 6,
            }
        );
        let empty = store.ledger_year(1999).unwrap();
        assert_eq!(
            empty,
            LedgerYear {
                object_count: 6,
                ..LedgerYear::default()
            }
        );
    }
}
