//! Coordinated groups and replacements: a seal shuts out everybody, numbers have no gaps.

crate::hold!(group_laws:
    a_group_id_is_taken_once,
    groups_are_paged_latest_first,
    a_group_knows_its_plans_in_the_order_of_their_drafting,
    a_sealed_group_takes_and_freezes_no_plan,
    a_seal_whose_builder_fails_leaves_no_trace,
    between_seal_and_freeze_one_wins,
    replacements_are_numbered_without_gaps_by_many_writers,
    replacements_need_a_drawn_or_closed_plan,
    closed_plans_come_in_the_order_of_their_closing,
    refusals_are_kept_in_their_order_and_not_without_end,
);

pub mod laws {
    use std::sync::Barrier;

    use risktier::store::{LedgerMoves, LedgerScope, PlanChange, Store, StoreError};

    use crate::Place;
    use crate::register::id;

    fn freeze(store: &dyn Store, plan_id: &str) -> Result<bool, StoreError> {
        store.freeze_plan(plan_id, &mut |number| {
            Ok((format!("frozen {plan_id} {number}"), vec![]))
        })
    }

    fn draw(store: &dyn Store, plan_id: &str) {
        let change = PlanChange {
            state: "drawn",
            document: "drawn",
            sample: Some(b"sample"),
        };
        assert!(store.advance_plan(plan_id, "frozen", &change).unwrap());
    }

    fn seal(store: &dyn Store, group_id: &str) -> bool {
        store
            .advance_group(group_id, "forming", "sealed", &mut |plans| {
                Ok(format!("sealed {}", plans.join(",")))
            })
            .unwrap()
    }

    pub fn a_group_id_is_taken_once(place: &dyn Place) {
        let store = place.open();
        assert!(store.insert_group("g", "first").unwrap());
        assert!(!store.insert_group("g", "second").unwrap());
        assert_eq!(place.open().group("g").unwrap().as_deref(), Some("first"));
        assert_eq!(store.group("h").unwrap(), None);
        assert_eq!(store.group("g\0").unwrap(), None);
    }

    pub fn groups_are_paged_latest_first(place: &dyn Place) {
        let store = place.open();
        for group in ["b", "a", "c"] {
            assert!(store.insert_group(group, &group.to_uppercase()).unwrap());
        }
        assert_eq!(store.groups_before(None, 2).unwrap(), ["C", "A"]);
        assert_eq!(store.groups_before(Some("a"), 2).unwrap(), ["B"]);
        assert!(store.groups_before(Some("b"), 2).unwrap().is_empty());
        assert!(store.groups_before(Some("none"), 2).unwrap().is_empty());
    }

    pub fn a_group_knows_its_plans_in_the_order_of_their_drafting(place: &dyn Place) {
        let store = place.open();
        store.insert_group("g", "g").unwrap();
        assert!(!store.insert_plan_of_group("h", "x", "draft", "x").unwrap());
        for plan in ["p2", "p1", "p3"] {
            let draft = format!("draft {plan}");
            assert!(
                store
                    .insert_plan_of_group("g", plan, "draft", &draft)
                    .unwrap()
            );
        }
        store.insert_plan("alone", "draft", "draft alone").unwrap();
        assert!(freeze(&*store, "p1").unwrap());

        assert_eq!(
            store.plans_of_group("g").unwrap(),
            ["draft p2", "frozen p1 1", "draft p3"]
        );
        assert!(store.plans_of_group("h").unwrap().is_empty());
        assert_eq!(store.plans_before(None, 9).unwrap().len(), 4);
        assert_eq!(store.plan("x").unwrap(), None);
    }

    pub fn a_sealed_group_takes_and_freezes_no_plan(place: &dyn Place) {
        let store = place.open();
        store.insert_group("g", "g").unwrap();
        for plan in ["p", "late"] {
            store
                .insert_plan_of_group("g", plan, "draft", plan)
                .unwrap();
        }
        freeze(&*store, "p").unwrap();
        assert!(seal(&*store, "g"));
        assert!(!seal(&*store, "g"));

        assert!(!store.insert_plan_of_group("g", "q", "draft", "q").unwrap());
        let refused = freeze(&*store, "late").unwrap_err();
        assert!(
            matches!(&refused, StoreError::Aborted(why) if why.contains("no more plans")),
            "{refused}"
        );
        assert_eq!(store.plan("late").unwrap().as_deref(), Some("late"));
        assert_eq!(
            store.group("g").unwrap().as_deref(),
            Some("sealed frozen p 1,late")
        );
        // A plan without a group goes on, under the next number.
        store.insert_plan("alone", "draft", "alone").unwrap();
        assert!(freeze(&*store, "alone").unwrap());
        assert_eq!(
            store.plan("alone").unwrap().as_deref(),
            Some("frozen alone 2")
        );
    }

    pub fn a_seal_whose_builder_fails_leaves_no_trace(place: &dyn Place) {
        let store = place.open();
        store.insert_group("g", "g").unwrap();
        let failed = store.advance_group("g", "forming", "sealed", &mut |_| {
            Err(StoreError::Aborted("a draft".into()))
        });
        assert!(matches!(failed, Err(StoreError::Aborted(why)) if why == "a draft"));
        assert_eq!(store.group("g").unwrap().as_deref(), Some("g"));
        assert!(store.insert_plan_of_group("g", "p", "draft", "p").unwrap());
    }

    pub fn between_seal_and_freeze_one_wins(place: &dyn Place) {
        for round in 0..10 {
            let (group, plan) = (format!("g{round}"), format!("p{round}"));
            let stores = [place.open(), place.open()];
            stores[0].insert_group(&group, "g").unwrap();
            stores[0]
                .insert_plan_of_group(&group, &plan, "draft", "draft")
                .unwrap();
            let start = Barrier::new(2);
            let (sealed, frozen) = std::thread::scope(|scope| {
                let sealing = scope.spawn(|| {
                    start.wait();
                    // As the service does: a draft in the group keeps it open.
                    stores[0].advance_group(&group, "forming", "sealed", &mut |plans| {
                        if plans.iter().any(|plan| plan == "draft") {
                            return Err(StoreError::Aborted("a draft".into()));
                        }
                        Ok(plans.join(","))
                    })
                });
                let freezing = scope.spawn(|| {
                    start.wait();
                    freeze(&*stores[1], &plan)
                });
                (sealing.join().unwrap(), freezing.join().unwrap())
            });
            // Whoever is sealed is sealed with the frozen plan; a seal that came first found the draft.
            assert!(frozen.unwrap());
            match sealed {
                Ok(done) => {
                    assert!(done);
                    let kept = stores[0].group(&group).unwrap().unwrap();
                    assert!(kept.starts_with(&format!("frozen {plan}")), "{kept}");
                }
                Err(error) => assert!(matches!(error, StoreError::Aborted(_)), "{error}"),
            }
        }
    }

    fn replace(
        store: &dyn Store,
        plan_id: &str,
        document: impl Fn(u64) -> String,
    ) -> Result<bool, StoreError> {
        let scope = LedgerScope {
            plan_id,
            years: None,
            companions: &[],
        };
        store.replace_in_plan(&scope, &id(1), &mut |around| {
            Ok(LedgerMoves {
                replacements: vec![document(around.replacements.len() as u64 + 1)],
                ..LedgerMoves::default()
            })
        })
    }

    pub fn replacements_are_numbered_without_gaps_by_many_writers(place: &dyn Place) {
        let store = place.open();
        store.insert_plan("p", "draft", "draft").unwrap();
        freeze(&*store, "p").unwrap();
        draw(&*store, "p");
        let start = Barrier::new(6);
        std::thread::scope(|scope| {
            for writer in 0..6 {
                let (start, store) = (&start, place.open());
                scope.spawn(move || {
                    start.wait();
                    for _ in 0..3 {
                        let added = replace(&*store, "p", |number| format!("{number} by {writer}"));
                        assert!(added.unwrap());
                    }
                });
            }
        });
        let kept = place.open().replacements("p").unwrap();
        assert_eq!(kept.len(), 18);
        for (number, document) in (1..).zip(&kept) {
            assert!(document.starts_with(&format!("{number} by ")), "{document}");
        }
    }

    pub fn replacements_need_a_drawn_or_closed_plan(place: &dyn Place) {
        let store = place.open();
        assert!(!replace(&*store, "none", |_| "r".into()).unwrap());
        store.insert_plan("p", "draft", "draft").unwrap();
        assert!(!replace(&*store, "p", |_| "r".into()).unwrap());
        freeze(&*store, "p").unwrap();
        assert!(!replace(&*store, "p", |_| "r".into()).unwrap());
        draw(&*store, "p");
        assert!(replace(&*store, "p", |_| "r1".into()).unwrap());
        store.close_plan("p", &mut |_| Ok("closed".into())).unwrap();
        assert!(replace(&*store, "p", |_| "r2".into()).unwrap());
        assert_eq!(store.replacements("p").unwrap(), ["r1", "r2"]);
        assert_eq!(store.plan("p").unwrap().as_deref(), Some("closed"));

        store.insert_plan("q", "draft", "draft").unwrap();
        freeze(&*store, "q").unwrap();
        let void = PlanChange {
            state: "void",
            document: "void",
            sample: None,
        };
        store.advance_plan("q", "frozen", &void).unwrap();
        assert!(!replace(&*store, "q", |_| "r".into()).unwrap());
    }

    pub fn closed_plans_come_in_the_order_of_their_closing(place: &dyn Place) {
        let store = place.open();
        for plan in ["a", "b", "c"] {
            store.insert_plan(plan, "draft", "draft").unwrap();
            freeze(&*store, plan).unwrap();
            draw(&*store, plan);
        }
        assert!(store.closed_plans().unwrap().is_empty());
        for plan in ["c", "a"] {
            store.close_plan(plan, &mut |_| Ok(String::new())).unwrap();
        }
        assert_eq!(place.open().closed_plans().unwrap(), ["c", "a"]);
    }

    pub fn refusals_are_kept_in_their_order_and_not_without_end(place: &dyn Place) {
        let store = place.open();
        assert!(store.refusals("plan/p").unwrap().is_empty());
        assert!(store.note_refusal("plan/p", "second draw").unwrap());
        assert!(store.note_refusal("group/p", "early opening").unwrap());
        assert!(store.note_refusal("plan/p", "third draw").unwrap());
        let again = place.open();
        assert_eq!(
            again.refusals("plan/p").unwrap(),
            ["second draw", "third draw"]
        );
        assert_eq!(again.refusals("group/p").unwrap(), ["early opening"]);
        assert!(again.refusals("plan/q\0").unwrap().is_empty());
        for number in 2..1_000 {
            assert!(store.note_refusal("plan/p", &number.to_string()).unwrap());
        }
        assert!(!store.note_refusal("plan/p", "one too many").unwrap());
        let kept = store.refusals("plan/p").unwrap();
        assert_eq!((kept.len(), kept[999].as_str()), (1_000, "999"));
        assert!(store.note_refusal("plan/q", "another plan's").unwrap());
    }
}
