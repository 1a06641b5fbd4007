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
    a_shared_visit_stays_for_the_plans_that_still_need_it,
    a_replacement_moves_the_visit_in_the_same_step,
    visits_of_merged_ids_are_those_of_their_successor,
    a_visit_changes_but_not_into_another,
    visits_change_together_or_not_at_all,
    visits_are_paged_by_what_is_asked_for,
    a_year_counts_what_counts,
);

pub mod laws {
    use std::collections::BTreeSet;
    use std::sync::{Barrier, Mutex};

    use jiff::civil::date;
    use risktier::domain::{CheckItem, ExemptReason, ItemDraft, Visit, VisitKind, VisitState};
    use risktier::store::{
        DrawnPlan, ItemOutcome, ItemWrite, JoinedVisit, LedgerAround, LedgerFilter, LedgerMoves,
        LedgerScope, LedgerYear, Slot, Store, StoreError,
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

    fn seen_by(plan_id: &str, years: Option<(i16, i16)>) -> LedgerScope<'_> {
        LedgerScope {
            plan_id,
            years,
            companions: &[],
        }
    }

    fn with_visits(document: &str, visits: Vec<Visit>) -> DrawnPlan {
        DrawnPlan {
            document: document.into(),
            sample: b"sample".to_vec(),
            reserve: b"reserve".to_vec(),
            moves: LedgerMoves {
                visits,
                ..LedgerMoves::default()
            },
        }
    }

    fn draw(store: &dyn Store, plan_id: &str, visits: &[Visit]) -> Result<bool, StoreError> {
        store.draw_plan(&seen_by(plan_id, Some((2025, 2027))), &mut |_| {
            Ok(with_visits(&format!("drawn {plan_id}"), visits.to_vec()))
        })
    }

    /// Draws a plan of the group of `companions` that joins all their visits, for an item of its own.
    fn join(store: &dyn Store, plan_id: &str, companions: &[String], code: &str) -> LedgerAround {
        let mut seen = LedgerAround::default();
        let scope = LedgerScope {
            plan_id,
            years: None,
            companions,
        };
        let done = store.draw_plan(&scope, &mut |around| {
            seen = around;
            let joined = seen.shared.iter().map(|visit| {
                let mut items = visit.items.clone();
                items.push(label(code));
                let mut departments = visit.departments.clone();
                departments.push(label(plan_id));
                JoinedVisit {
                    visit_no: visit.visit_no,
                    window: (date(2026, 12, 5), visit.until_on),
                    departments,
                    items,
                }
            });
            let mut drawn = with_visits("drawn", Vec::new());
            drawn.moves.joined = joined.collect();
            drawn.moves.items = vec![label(code)];
            drawn.moves.departments = vec![label(plan_id)];
            Ok(drawn)
        });
        assert!(done.unwrap());
        seen
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
        let done = store.draw_plan(&seen_by("p", Some((2025, 2027))), &mut |around| {
            seen = Some(around);
            let visits = vec![general(1, 1, "p"), general(2, 1, "p")];
            Ok(with_visits("drawn", visits))
        });
        assert!(done.unwrap());
        assert_eq!(seen, Some(LedgerAround::default()));
        assert!(!draw(&*store, "p", &[general(3, 1, "p")]).unwrap());
        assert!(!draw(&*store, "none\0", &[]).unwrap());

        let store = place.open();
        assert_eq!(store.plan("p").unwrap().as_deref(), Some("drawn"));
        let file = store
            .plan_file("p", risktier::store::PlanFile::Sample)
            .unwrap();
        assert_eq!(file.as_deref(), Some(&b"sample"[..]));
        let file = store
            .plan_file("p", risktier::store::PlanFile::Reserve)
            .unwrap();
        assert_eq!(file.as_deref(), Some(&b"reserve"[..]));
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
                    let done = store.draw_plan(&seen_by(plan, Some((2026, 2026))), &mut |around| {
                        count = around.slots.len();
                        let visit = general(1, around.slots.len() as u16 + 1, plan);
                        Ok(with_visits("drawn", vec![visit]))
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
        let failed = store.draw_plan(&seen_by("p", None), &mut |around| {
            assert_eq!(around, LedgerAround::default());
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

    pub fn a_shared_visit_stays_for_the_plans_that_still_need_it(place: &dyn Place) {
        let store = with_enterprises(place, 3);
        for plan in ["p", "q", "r"] {
            frozen(&*store, plan);
        }
        let key = |number| Visit {
            departments: vec![label("p")],
            ..visit(number, VisitKind::Key, None)
        };
        draw(&*store, "p", &[key(1), key(2), general(3, 1, "p")]).unwrap();
        let (p, q) = ("p".to_owned(), "q".to_owned());
        let seen = join(&*store, "q", std::slice::from_ref(&p), "G-2");
        assert_eq!(seen.shared.len(), 3);
        assert!(seen.slots.is_empty());
        // Whoever comes third finds the visits by either of the two.
        let seen = join(&*store, "r", &[q], "G-3");
        assert_eq!(seen.shared.len(), 3);
        let of = |plan: &str| {
            let filter = LedgerFilter {
                plan_id: Some(plan.into()),
                ..LedgerFilter::default()
            };
            store.visits_before(&filter, None, 9).unwrap()
        };
        for plan in ["p", "q", "r"] {
            assert_eq!(of(plan).len(), 3, "{plan}");
        }
        let shared = &all(&*store)[2];
        assert_eq!(shared.items, [label("G-1"), label("G-2"), label("G-3")]);
        assert_eq!(shared.departments, [label("p"), label("q"), label("r")]);
        assert_eq!(shared.from_on, date(2026, 12, 5));
        let done = store.change_visit(shared.visit_no, &|visit| {
            Ok(Visit {
                state: VisitState::Done,
                visited_on: Some(date(2026, 12, 7)),
                ..visit
            })
        });
        let done = done.unwrap().unwrap();

        assert!(store.void_plan("p", "drawn", "void").unwrap());

        let visits = all(&*store);
        assert_eq!(visits[2], done);
        for visit in &visits[..2] {
            assert_eq!(visit.state, VisitState::Planned);
            assert_eq!(visit.plan_id.as_deref(), Some("q"));
            assert_eq!(visit.items, [label("G-2"), label("G-3")]);
            assert_eq!(visit.departments, [label("q"), label("r")]);
        }
        assert_eq!(store.slots(2026, 2026).unwrap().len(), 1);
        assert!(store.void_plan("r", "drawn", "void").unwrap());
        assert_eq!(all(&*store)[0].items, [label("G-2")]);
        assert!(!all(&*store)[0].is_joint());
        assert!(store.void_plan("q", "drawn", "void").unwrap());
        let states: Vec<VisitState> = all(&*store).iter().map(|visit| visit.state).collect();
        assert_eq!(
            states,
            [VisitState::Void, VisitState::Void, VisitState::Done]
        );
        assert!(store.slots(2026, 2026).unwrap().is_empty());
    }

    pub fn a_replacement_moves_the_visit_in_the_same_step(place: &dyn Place) {
        let store = with_enterprises(place, 4);
        for plan in ["p", "q"] {
            frozen(&*store, plan);
        }
        draw(&*store, "p", &[general(1, 1, "p"), general(2, 1, "p")]).unwrap();
        let p = "p".to_owned();
        join(&*store, "q", std::slice::from_ref(&p), "G-2");
        let years = seen_by("p", Some((2026, 2026)));
        let moves = |around: &LedgerAround, number| LedgerMoves {
            visits: vec![general(number, 1, "p")],
            left: around.own.iter().map(|visit| visit.visit_no).collect(),
            replacements: vec!["one".into(), "two".into()],
            ..LedgerMoves::default()
        };
        // What cannot be written leaves no trace: the slot of the second is taken.
        let failed = store.replace_in_plan(&years, &id(1), &mut |around| Ok(moves(&around, 2)));
        assert!(failed.is_err());
        assert!(store.replacements("p").unwrap().is_empty());
        assert_eq!(store.slots(2026, 2026).unwrap().len(), 2);

        // The other plan still needs the visit, so it stays for that one.
        let mut seen = None;
        let done = store.replace_in_plan(&years, &id(1), &mut |around| {
            let moves = moves(&around, 3);
            seen = Some(around);
            Ok(moves)
        });
        assert!(done.unwrap());
        let seen = seen.unwrap();
        assert_eq!((seen.slots.len(), seen.own.len()), (2, 1));
        assert!(seen.replacements.is_empty());
        assert_eq!(store.replacements("p").unwrap(), ["one", "two"]);
        let kept = store.visits_to(&id(1)).unwrap();
        assert_eq!(kept[0].state, VisitState::Planned);
        assert_eq!(kept[0].plan_id.as_deref(), Some("q"));
        assert_eq!(kept[0].items, [label("G-2")]);
        assert_eq!(store.visits_to(&id(3)).unwrap()[0].slot, Some(1));

        // Nobody else needs the one that came in: its slot is free again.
        let done = store.replace_in_plan(&years, &id(3), &mut |around| {
            assert_eq!(around.replacements, ["one", "two"]);
            Ok(moves(&around, 4))
        });
        assert!(done.unwrap());
        let gone = store.visits_to(&id(3)).unwrap();
        assert_eq!((gone[0].state, gone[0].slot), (VisitState::Replaced, None));
        assert_eq!(store.slots(2026, 2026).unwrap().len(), 3);
        assert!(
            !store
                .replace_in_plan(&seen_by("none\0", None), &id(1), &mut |_| {
                    Ok(LedgerMoves::default())
                })
                .unwrap()
        );
    }

    pub fn visits_of_merged_ids_are_those_of_their_successor(place: &dyn Place) {
        let store = with_enterprises(place, 3);
        frozen(&*store, "p");
        let visits = [general(1, 1, "p"), general(2, 1, "p"), general(3, 1, "p")];
        draw(&*store, "p", &visits).unwrap();

        let apart = store.ledger_year(2026, &[]).unwrap();
        let merged = [(id(1), id(2))];
        let together = store.ledger_year(2026, &merged).unwrap();

        assert_eq!((apart.visited_count, apart.repeat_count), (3, 0));
        assert_eq!((together.visited_count, together.repeat_count), (2, 1));
        assert_eq!(together.general_count, 3);
        assert_eq!(together.general_enterprise_count, 2);
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

    pub fn visits_change_together_or_not_at_all(place: &dyn Place) {
        let store = with_enterprises(place, 3);
        frozen(&*store, "p");
        let visits = [1, 2, 3].map(|number| general(number, 1, "p"));
        draw(&*store, "p", &visits).unwrap();
        let before = all(&*store);
        let numbers: Vec<u64> = before.iter().map(|visit| visit.visit_no).collect();
        let done = |visit: Visit| {
            Ok(Visit {
                state: VisitState::Done,
                visited_on: Some(TODAY),
                ..visit
            })
        };

        let unknown = [numbers[0], numbers[1], 9_999];
        assert_eq!(store.change_visits(&unknown, &done).unwrap(), None);
        let last = numbers.iter().copied().max().unwrap();
        let broken = store.change_visits(&numbers, &|visit| {
            if visit.visit_no == last {
                return Err(StoreError::Aborted("the last one".into()));
            }
            done(visit)
        });
        assert!(matches!(broken, Err(StoreError::Aborted(reason)) if reason == "the last one"));
        assert_eq!(all(&*store), before);

        // Named twice and in any order: each once, in the order of the numbers.
        let named = [numbers[0], numbers[2], numbers[0]];
        let changed = store.change_visits(&named, &done).unwrap().unwrap();
        assert_eq!(changed.len(), 2);
        assert!(changed[0].visit_no < changed[1].visit_no);
        let open = all(&*store)
            .into_iter()
            .filter(|visit| visit.visited_on.is_none());
        assert_eq!(
            open.map(|visit| visit.visit_no).collect::<Vec<_>>(),
            [numbers[1]]
        );
        assert_eq!(store.change_visits(&[], &done).unwrap(), Some(Vec::new()));
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
        let counted = store.ledger_year(2026, &[]).unwrap();
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
        let empty = store.ledger_year(1999, &[]).unwrap();
        assert_eq!(
            empty,
            LedgerYear {
                object_count: 6,
                ..LedgerYear::default()
            }
        );
    }
}
