//! Frames and plans: consecutive numbers, atomic steps, states that only go forward.

crate::hold!(plan_laws:
    frames_are_numbered_without_gaps_by_many_writers,
    frames_are_kept_and_paged_latest_first,
    plans_are_numbered_without_gaps_by_many_writers,
    of_many_who_take_one_step_one_wins,
    a_freeze_whose_builder_fails_leaves_no_trace,
    a_close_whose_builder_fails_leaves_no_trace,
    a_panic_inside_a_step_leaves_the_store_usable,
    steps_from_the_wrong_state_are_refused,
    a_void_plan_keeps_its_number_and_stays_visible,
    closed_plans_form_one_chain,
    plan_files_are_never_changed_by_later_steps,
    plans_are_paged_latest_first,
);

pub mod laws {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Barrier, Mutex};

    use risktier::store::{PlanChange, PlanFile, Store, StoreError};

    use crate::Place;

    fn freeze(store: &dyn Store, plan_id: &str) -> Option<u64> {
        let mut given = None;
        let done = store.freeze_plan(plan_id, &mut |number| {
            given = Some(number);
            Ok((
                format!("frozen {plan_id} {number}"),
                format!("pool {number}").into_bytes(),
            ))
        });
        done.unwrap().then_some(given).flatten()
    }

    fn draw(store: &dyn Store, plan_id: &str) -> bool {
        let change = PlanChange {
            state: "drawn",
            document: "drawn",
            sample: Some(b"sample"),
        };
        store.advance_plan(plan_id, "frozen", &change).unwrap()
    }

    fn close(store: &dyn Store, plan_id: &str) -> Option<Option<String>> {
        let mut told = None;
        let done = store.close_plan(plan_id, &mut |previous| {
            told = Some(previous);
            Ok(format!("closed {plan_id}"))
        });
        done.unwrap().then_some(told).flatten()
    }

    fn drafted(place: &dyn Place, plans: &[&str]) -> std::sync::Arc<dyn Store> {
        let store = place.open();
        for plan_id in plans {
            store
                .insert_plan(plan_id, "draft", &format!("draft {plan_id}"))
                .unwrap();
        }
        store
    }

    /// Runs `work` in eight threads on four handles at once and gathers the results.
    fn at_once<T: Send>(place: &dyn Place, work: impl Fn(&dyn Store, usize) -> T + Sync) -> Vec<T> {
        let (results, start) = (Mutex::new(Vec::new()), Barrier::new(8));
        let stores: Vec<_> = (0..4).map(|_| place.open()).collect();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (results, start, work, store) = (&results, &start, &work, &stores[thread % 4]);
                scope.spawn(move || {
                    start.wait();
                    let result = work(&**store, thread);
                    results.lock().unwrap().push(result);
                });
            }
        });
        results.into_inner().unwrap()
    }

    pub fn frames_are_numbered_without_gaps_by_many_writers(place: &dyn Place) {
        let numbers = at_once(place, |store, thread| {
            (0..5)
                .map(|frame| {
                    store
                        .put_frame(&format!("f{thread}-{frame}"), b"body", &|number| {
                            number.to_string()
                        })
                        .unwrap()
                })
                .collect::<Vec<_>>()
        });
        let mut numbers = numbers.concat();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=40).collect::<Vec<u64>>());
    }

    pub fn frames_are_kept_and_paged_latest_first(place: &dyn Place) {
        let store = place.open();
        for frame in ["c", "a", "b"] {
            store
                .put_frame(frame, frame.as_bytes(), &|number| {
                    format!("{frame}{number}")
                })
                .unwrap();
        }
        assert!(store.put_frame("a", b"other", &|_| "other".into()).is_err());

        let store = place.open();
        assert_eq!(store.frame("a").unwrap().as_deref(), Some("a2"));
        assert_eq!(store.frame_body("a").unwrap().as_deref(), Some(&b"a"[..]));
        assert_eq!(
            (store.frame("x").unwrap(), store.frame_body("x").unwrap()),
            (None, None)
        );
        assert_eq!(store.frames_before(None, 2).unwrap(), ["b3", "a2"]);
        assert_eq!(store.frames_before(Some(2), 2).unwrap(), ["c1"]);
        assert!(store.frames_before(Some(0), 2).unwrap().is_empty());
    }

    pub fn plans_are_numbered_without_gaps_by_many_writers(place: &dyn Place) {
        let numbers = at_once(place, |store, thread| {
            (0..5)
                .map(|plan| {
                    let plan_id = format!("p{thread}-{plan}");
                    store.insert_plan(&plan_id, "draft", "draft").unwrap();
                    let number = freeze(store, &plan_id).unwrap();
                    assert_eq!(
                        store.plan(&plan_id).unwrap().unwrap(),
                        format!("frozen {plan_id} {number}")
                    );
                    number
                })
                .collect::<Vec<_>>()
        });
        let mut numbers = numbers.concat();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=40).collect::<Vec<u64>>());
    }

    pub fn of_many_who_take_one_step_one_wins(place: &dyn Place) {
        let store = drafted(place, &["p"]);
        let built = AtomicUsize::new(0);

        let frozen = at_once(place, |store, _| {
            store
                .freeze_plan("p", &mut |number| {
                    built.fetch_add(1, Ordering::SeqCst);
                    Ok((number.to_string(), vec![]))
                })
                .unwrap()
        });
        let drawn = at_once(place, |store, _| draw(store, "p"));
        let closed = at_once(place, |store, _| close(store, "p"));

        let winners = |steps: &[bool]| steps.iter().filter(|step| **step).count();
        assert_eq!((winners(&frozen), winners(&drawn)), (1, 1));
        assert_eq!(built.load(Ordering::SeqCst), 1);
        assert_eq!(closed.iter().filter(|step| step.is_some()).count(), 1);
        assert_eq!(store.plan("p").unwrap().as_deref(), Some("closed p"));
    }

    pub fn a_freeze_whose_builder_fails_leaves_no_trace(place: &dyn Place) {
        let store = drafted(place, &["p", "q"]);
        let failed = store.freeze_plan("p", &mut |number| {
            assert_eq!(number, 1);
            Err(StoreError::Aborted("no pool".into()))
        });

        assert!(matches!(failed, Err(StoreError::Aborted(reason)) if reason == "no pool"));
        assert_eq!(store.plan("p").unwrap().as_deref(), Some("draft p"));
        assert_eq!(store.plan_file("p", PlanFile::Pool).unwrap(), None);
        // The number was not used up, and the plan is a draft still.
        assert_eq!(
            (freeze(&*store, "q"), freeze(&*store, "p")),
            (Some(1), Some(2))
        );
    }

    pub fn a_close_whose_builder_fails_leaves_no_trace(place: &dyn Place) {
        let store = drafted(place, &["p", "q"]);
        for plan_id in ["p", "q"] {
            freeze(&*store, plan_id).unwrap();
            assert!(draw(&*store, plan_id));
        }
        assert!(
            store
                .close_plan("p", &mut |_| Err(StoreError::Aborted("no".into())))
                .is_err()
        );

        assert_eq!(store.plan("p").unwrap().as_deref(), Some("drawn"));
        assert_eq!(close(&*store, "q"), Some(None));
        assert_eq!(close(&*store, "p"), Some(Some("closed q".into())));
    }

    pub fn a_panic_inside_a_step_leaves_the_store_usable(place: &dyn Place) {
        let store = drafted(place, &["p"]);
        let broken = store.clone();
        let ended =
            std::thread::spawn(move || broken.freeze_plan("p", &mut |_| panic!("on purpose")))
                .join();
        assert!(ended.is_err());

        assert_eq!(store.plan("p").unwrap().as_deref(), Some("draft p"));
        assert_eq!(freeze(&*store, "p"), Some(1));
    }

    pub fn steps_from_the_wrong_state_are_refused(place: &dyn Place) {
        let store = drafted(place, &["p"]);
        let s = &*store;
        assert!(store.insert_plan("p", "draft", "again").is_err());
        assert_eq!((draw(s, "p"), close(s, "p")), (false, None));
        assert_eq!(freeze(s, "p"), Some(1));
        assert_eq!((freeze(s, "p"), close(s, "p")), (None, None));
        assert!(draw(s, "p"));
        assert_eq!((freeze(s, "p"), draw(s, "p")), (None, false));
        assert_eq!(close(s, "p"), Some(None));
        assert_eq!(
            (freeze(s, "p"), draw(s, "p"), close(s, "p")),
            (None, false, None)
        );
        assert_eq!(
            (freeze(s, "x"), draw(s, "x"), close(s, "x")),
            (None, false, None)
        );
        assert_eq!(
            (store.plan("x").unwrap(), store.plan("p").unwrap()),
            (None, Some("closed p".into()))
        );
    }

    pub fn a_void_plan_keeps_its_number_and_stays_visible(place: &dyn Place) {
        let store = drafted(place, &["p", "q"]);
        freeze(&*store, "p").unwrap();
        let void = PlanChange {
            state: "void",
            document: "void",
            sample: None,
        };
        assert!(store.advance_plan("p", "frozen", &void).unwrap());

        assert_eq!(freeze(&*store, "q"), Some(2));
        assert_eq!(store.plans_before(None, 9).unwrap(), ["frozen q 2", "void"]);
        assert_eq!(
            store.plan_file("p", PlanFile::Pool).unwrap().as_deref(),
            Some(&b"pool 1"[..])
        );
        assert!(!draw(&*store, "p"));
    }

    pub fn closed_plans_form_one_chain(place: &dyn Place) {
        let plans: Vec<String> = (0..8).map(|thread| format!("p{thread}")).collect();
        let names: Vec<&str> = plans.iter().map(String::as_str).collect();
        let store = drafted(place, &names);
        for plan_id in &names {
            freeze(&*store, plan_id).unwrap();
            draw(&*store, plan_id);
        }

        let closed = at_once(place, |store, thread| {
            (
                format!("closed p{thread}"),
                close(store, &format!("p{thread}")).unwrap(),
            )
        });

        // Every plan but the first follows another, and no two follow the same.
        let mut at = None;
        for _ in 0..8 {
            let next: Vec<_> = closed
                .iter()
                .filter(|(_, previous)| *previous == at)
                .collect();
            assert_eq!(next.len(), 1, "{closed:?}");
            at = Some(next[0].0.clone());
        }
    }

    pub fn plan_files_are_never_changed_by_later_steps(place: &dyn Place) {
        let store = drafted(place, &["p"]);
        let files = |store: &dyn Store| {
            (
                store.plan_file("p", PlanFile::Pool).unwrap(),
                store.plan_file("p", PlanFile::Sample).unwrap(),
            )
        };
        assert_eq!(files(&*store), (None, None));
        freeze(&*store, "p").unwrap();
        let pool = Some(b"pool 1".to_vec());
        assert_eq!(files(&*store), (pool.clone(), None));
        draw(&*store, "p");
        let both = (pool, Some(b"sample".to_vec()));
        assert_eq!(files(&*store), both);
        close(&*store, "p").unwrap();
        assert_eq!(files(&*place.open()), both);
        assert_eq!(store.plan_file("x", PlanFile::Pool).unwrap(), None);
    }

    pub fn plans_are_paged_latest_first(place: &dyn Place) {
        let store = drafted(place, &["b", "a", "c"]);
        assert_eq!(store.plans_before(None, 2).unwrap(), ["draft c", "draft a"]);
        assert_eq!(store.plans_before(Some("a"), 2).unwrap(), ["draft b"]);
        assert!(store.plans_before(Some("b"), 2).unwrap().is_empty());
        assert!(store.plans_before(Some("unknown"), 2).unwrap().is_empty());
    }
}
