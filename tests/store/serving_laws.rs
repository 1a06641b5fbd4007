//! Idempotency keys, conditional writes, the log of tier moves, webhooks.

crate::hold!(serving_laws:
    a_key_is_taken_once_and_gives_its_answer_again,
    a_request_that_changed_nothing_may_be_repeated_and_one_that_did_may_not,
    a_transaction_of_an_attempt_that_was_taken_over_is_not_kept,
    of_many_who_take_a_key_at_once_one_gets_it,
    keys_are_forgotten_after_their_time_and_not_before,
    a_write_under_a_condition_that_does_not_hold_changes_nothing,
    of_many_who_replace_one_version_one_succeeds,
    moves_tell_first_tiers_and_other_letters_and_nothing_else,
    moves_have_no_gaps_and_no_reader_misses_one_whoever_writes,
    a_follower_behind_the_removed_moves_is_told,
    a_webhook_is_held_by_one_and_keeps_its_place,
);

pub mod laws {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use risktier::domain::{Enterprise, Tier};
    use risktier::store::{
        Attempt, Attempted, Conditional, KeptAnswer, Move, MoveKind, Outcome, Store, StoreError,
        StoredTier, Taken, attempting,
    };

    use crate::register::{TODAY, enterprise, id};
    use crate::tier_laws::laws::{EPOCH, epoch, in_force, new};
    use crate::{Place, with_enterprises};

    fn attempt(key: &str, token: &str) -> Attempt {
        Attempt {
            key_digest: key.to_owned(),
            token: token.to_owned(),
        }
    }

    fn answer() -> KeptAnswer {
        KeptAnswer {
            status: 201,
            headers: "[[\"location\",\"/x\"]]".to_owned(),
            body: vec![0, 1, 255],
        }
    }

    const HOUR: i64 = 3_600_000;

    pub fn a_key_is_taken_once_and_gives_its_answer_again(place: &dyn Place) {
        let store = place.open();
        let first = attempt("k", "1");
        let take = |store: &dyn Store, token: &str, fingerprint: &str| {
            store
                .take_key(&attempt("k", token), fingerprint, HOUR, HOUR)
                .unwrap()
        };
        assert_eq!(take(&*store, "1", "f"), Taken::Fresh);
        assert_eq!(take(&*store, "2", "f"), Taken::InFlight);
        assert_eq!(take(&*store, "2", "g"), Taken::OtherRequest);
        assert!(store.hold_key(&first, HOUR).unwrap());
        assert!(!store.hold_key(&attempt("k", "2"), HOUR).unwrap());
        // Who does not hold the key cannot answer.
        store.answer_key(&attempt("k", "2"), &answer()).unwrap();
        assert_eq!(take(&*store, "2", "f"), Taken::InFlight);
        store.answer_key(&first, &answer()).unwrap();
        drop(store);

        let store = place.open();
        for token in ["2", "3"] {
            assert_eq!(take(&*store, token, "f"), Taken::Answered(answer()));
        }
        assert_eq!(take(&*store, "4", "g"), Taken::OtherRequest);
    }

    pub fn a_request_that_changed_nothing_may_be_repeated_and_one_that_did_may_not(
        place: &dyn Place,
    ) {
        let store = place.open();
        let lapsed = |token: &str| store.take_key(&attempt("k", token), "f", -1, HOUR).unwrap();
        // The first holder goes away before it has written anything, the second after.
        assert_eq!(lapsed("1"), Taken::Fresh);
        assert_eq!(lapsed("2"), Taken::Fresh);
        attempting(Some(attempt("k", "2")), || {
            store.put_enterprises(&[enterprise(1)], 0, TODAY).unwrap();
        });
        assert_eq!(lapsed("3"), Taken::Unanswered);
        assert_eq!(lapsed("3"), Taken::Unanswered);

        // An attempt that ends without an answer gives its key back only if it changed nothing.
        let held = |key: &str, token: &str| {
            store
                .take_key(&attempt(key, token), "f", HOUR, HOUR)
                .unwrap()
        };
        assert_eq!(held("l", "1"), Taken::Fresh);
        store.release_key(&attempt("l", "1")).unwrap();
        assert_eq!(held("l", "2"), Taken::Fresh);
        attempting(Some(attempt("l", "2")), || {
            store.put_enterprises(&[enterprise(2)], 0, TODAY).unwrap();
        });
        store.release_key(&attempt("l", "2")).unwrap();
        assert_eq!(held("l", "3"), Taken::Unanswered);
    }

    pub fn a_transaction_of_an_attempt_that_was_taken_over_is_not_kept(place: &dyn Place) {
        let store = place.open();
        let take = |token: &str| store.take_key(&attempt("k", token), "f", -1, HOUR).unwrap();
        assert_eq!(take("1"), Taken::Fresh);
        assert_eq!(take("2"), Taken::Fresh);

        // The first wakes up.
        attempting(Some(attempt("k", "1")), || {
            assert!(store.put_enterprises(&[enterprise(1)], 0, TODAY).is_err());
            let written = store.put_enterprise_if(&enterprise(1), TODAY, &|_| true);
            assert!(written.is_err());
            assert!(store.insert_plan("p", "draft", "{}").is_err());
        });
        assert_eq!(store.enterprise(&id(1)).unwrap(), None);
        assert_eq!(store.plan("p").unwrap(), None);
        attempting(Some(attempt("k", "2")), || {
            store.put_enterprises(&[enterprise(1)], 0, TODAY).unwrap();
            store.insert_plan("p", "draft", "{}").unwrap();
        });
        assert!(store.enterprise(&id(1)).unwrap().is_some());
        assert!(store.plan("p").unwrap().is_some());
    }

    pub fn of_many_who_take_a_key_at_once_one_gets_it(place: &dyn Place) {
        let store = place.open();
        for round in 0..10 {
            let key = format!("k{round}");
            let fresh: usize = thread::scope(|scope| {
                let threads: Vec<_> = (0..8)
                    .map(|number| {
                        let (store, key) = (&store, &key);
                        scope.spawn(move || {
                            let own = attempt(key, &number.to_string());
                            store.take_key(&own, "f", HOUR, HOUR).unwrap()
                        })
                    })
                    .collect();
                threads
                    .into_iter()
                    .map(|thread| thread.join().unwrap())
                    .filter(|taken| *taken == Taken::Fresh)
                    .count()
            });
            assert_eq!(fresh, 1);
        }
    }

    pub fn keys_are_forgotten_after_their_time_and_not_before(place: &dyn Place) {
        let store = place.open();
        let take = |key: &str, lease, keep| {
            store
                .take_key(&attempt(key, "1"), "f", lease, keep)
                .unwrap()
        };
        for (key, lease, keep) in [("old", -1, -1), ("kept", -1, HOUR), ("running", HOUR, -1)] {
            assert_eq!(take(key, lease, keep), Taken::Fresh);
        }
        store.answer_key(&attempt("kept", "1"), &answer()).unwrap();
        assert_eq!(store.forget_keys(10).unwrap(), 1);
        assert_eq!(store.forget_keys(10).unwrap(), 0);
        assert_eq!(take("kept", HOUR, HOUR), Taken::Answered(answer()));
        assert_eq!(take("running", HOUR, HOUR), Taken::InFlight);
        assert_eq!(take("old", HOUR, HOUR), Taken::Fresh);
    }

    pub fn a_write_under_a_condition_that_does_not_hold_changes_nothing(place: &dyn Place) {
        let store = place.open();
        let mut changed = enterprise(1);
        changed.name = "Another name".to_owned();
        let put = |enterprise: &Enterprise, holds: &dyn Fn(Option<u64>) -> bool| {
            store.put_enterprise_if(enterprise, TODAY, holds).unwrap()
        };
        let refused = put(&enterprise(1), &|revision| revision.is_some());
        assert_eq!(refused, Conditional::NotMet(None));
        assert_eq!(store.enterprise(&id(1)).unwrap(), None);

        let created = put(&enterprise(1), &|revision| revision.is_none());
        assert!(matches!(created, Conditional::Written(Outcome::Created(_))));
        let last = store.last_change().unwrap();
        for refused in [&changed, &enterprise(1)] {
            let refused = put(refused, &|revision| revision != Some(1));
            assert_eq!(refused, Conditional::NotMet(Some(1)));
        }
        assert_eq!(store.last_change().unwrap(), last);
        assert_eq!(
            store.enterprise(&id(1)).unwrap().unwrap(),
            (enterprise(1), 1)
        );

        let updated = put(&changed, &|revision| revision == Some(1));
        assert!(matches!(updated, Conditional::Written(Outcome::Updated(_))));
        let unchanged = put(&changed, &|revision| revision == Some(2));
        assert_eq!(unchanged, Conditional::Written(Outcome::Unchanged));
    }

    pub fn of_many_who_replace_one_version_one_succeeds(place: &dyn Place) {
        let store = place.open();
        for round in 0..5 {
            // At first there is none, then the revision of the round before.
            let seen = (round > 0).then_some(round);
            let succeeded: usize = thread::scope(|scope| {
                let threads: Vec<_> = (0..6)
                    .map(|number| {
                        let store = &store;
                        scope.spawn(move || {
                            let mut own = enterprise(1);
                            own.name = format!("Name {round} {number}");
                            let written = store
                                .put_enterprise_if(&own, TODAY, &|revision| revision == seen)
                                .unwrap();
                            usize::from(matches!(written, Conditional::Written(_)))
                        })
                    })
                    .collect();
                threads
                    .into_iter()
                    .map(|thread| thread.join().unwrap())
                    .sum()
            });
            assert_eq!(succeeded, 1);
            assert_eq!(store.enterprise(&id(1)).unwrap().unwrap().1, round + 1);
        }
    }

    fn stored(revision: u64, tier: Tier) -> StoredTier {
        StoredTier {
            revision,
            tier,
            points: 10 * u16::from(tier.code()),
            as_of: TODAY,
            next_change_on: None,
        }
    }

    fn told(change: &Move) -> (u64, String, Option<Tier>, Tier) {
        match &change.kind {
            MoveKind::Tier {
                enterprise_id,
                from,
                tier,
                points,
            } => {
                assert_eq!(*points, 10 * u16::from(tier.code()));
                (change.seq, enterprise_id.to_string(), *from, *tier)
            }
            MoveKind::Epoch { .. } => panic!("an epoch"),
        }
    }

    pub fn moves_tell_first_tiers_and_other_letters_and_nothing_else(place: &dyn Place) {
        let store = with_enterprises(place, 3);
        store
            .put_in_force(None, &in_force(EPOCH), None)
            .unwrap()
            .unwrap();
        assert_eq!(store.moves_range().unwrap(), (0, 0));
        let put = |tiers: &[(usize, u64, Tier)]| {
            let tiers: Vec<_> = tiers
                .iter()
                .map(|(number, revision, tier)| new(*number, stored(*revision, *tier)))
                .collect();
            store.put_tiers(&epoch(EPOCH), &tiers).unwrap();
        };
        put(&[(1, 1, Tier::B), (2, 1, Tier::A)]);
        // The same letter again, an older revision, another epoch: nothing new.
        put(&[(1, 2, Tier::B), (2, 0, Tier::D)]);
        let other = epoch("fedcba9876543210");
        store
            .put_tiers(&other, &[new(3, stored(1, Tier::D))])
            .unwrap();
        put(&[(1, 3, Tier::D), (3, 1, Tier::C)]);
        drop(store);

        let store = place.open();
        let moves = store.moves_after(0, 10).unwrap();
        let of = |number: usize| id(number).to_string();
        assert_eq!(
            moves.iter().map(told).collect::<Vec<_>>(),
            [
                (1, of(1), None, Tier::B),
                (2, of(2), None, Tier::A),
                (3, of(1), Some(Tier::B), Tier::D),
                (4, of(3), None, Tier::C),
            ]
        );
        assert!(moves.iter().all(|change| change.epoch == epoch(EPOCH)));
        assert!(moves.iter().all(|change| change.on == TODAY));
        assert_eq!(store.moves_after(2, 1).unwrap().len(), 1);
        assert!(store.moves_after(4, 10).unwrap().is_empty());
        assert_eq!(store.moves_range().unwrap(), (1, 4));
    }

    pub fn moves_have_no_gaps_and_no_reader_misses_one_whoever_writes(place: &dyn Place) {
        const WRITERS: usize = 6;
        const ROUNDS: u64 = 30;
        let store = with_enterprises(place, 5);
        store
            .put_in_force(None, &in_force(EPOCH), None)
            .unwrap()
            .unwrap();
        let is_over = AtomicBool::new(false);
        let seen: Vec<Move> = thread::scope(|scope| {
            let follower = scope.spawn(|| {
                let mut seen: Vec<Move> = Vec::new();
                loop {
                    let was_over = is_over.load(Ordering::SeqCst);
                    let after = seen.last().map_or(0, |last| last.seq);
                    let more = store.moves_after(after, 7).unwrap();
                    if more.is_empty() && was_over {
                        return seen;
                    }
                    seen.extend(more);
                }
            });
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| {
                    let store = &store;
                    scope.spawn(move || {
                        for round in 0..ROUNDS {
                            let tiers: Vec<_> = (1..=5)
                                .map(|number| {
                                    let code = (number + writer + round as usize) % 4 + 1;
                                    let tier = Tier::from_code(code as u8).unwrap();
                                    new(number, stored(round, tier))
                                })
                                .collect();
                            store.put_tiers(&epoch(EPOCH), &tiers).unwrap();
                        }
                    })
                })
                .collect();
            for writer in writers {
                writer.join().unwrap();
            }
            is_over.store(true, Ordering::SeqCst);
            follower.join().unwrap()
        });

        assert!(seen.len() > 50, "{}", seen.len());
        let mut last: BTreeMap<String, Tier> = BTreeMap::new();
        for (place, change) in seen.iter().enumerate() {
            let (seq, id, from, tier) = told(change);
            assert_eq!(seq, place as u64 + 1);
            // What one move leads to, the next one starts from.
            assert_eq!(from, last.insert(id, tier));
            assert_ne!(from, Some(tier));
        }
        for number in 1..=5 {
            let stored = store.tier(&id(number)).unwrap().unwrap().stored.unwrap();
            assert_eq!(Some(&stored.tier), last.get(&id(number).to_string()));
        }
    }

    pub fn a_follower_behind_the_removed_moves_is_told(place: &dyn Place) {
        let store = with_enterprises(place, 6);
        store
            .put_in_force(None, &in_force(EPOCH), None)
            .unwrap()
            .unwrap();
        let put = |numbers: std::ops::RangeInclusive<usize>, tier| {
            let tiers: Vec<_> = numbers.map(|number| new(number, stored(1, tier))).collect();
            store.put_tiers(&epoch(EPOCH), &tiers).unwrap();
        };
        put(1..=6, Tier::A);
        assert_eq!(store.shorten_moves(10, 10).unwrap(), 0);
        assert_eq!(store.shorten_moves(2, 3).unwrap(), 3);
        assert_eq!(store.shorten_moves(2, 3).unwrap(), 1);
        for place in 0..4 {
            let told = store.moves_after(place, 10);
            assert!(
                matches!(told, Err(StoreError::LogShortened { after, first: 5 }) if after == place)
            );
        }
        assert_eq!(store.moves_after(4, 10).unwrap().len(), 2);
        // The last one stays, so that numbers go on behind it.
        assert_eq!(store.shorten_moves(0, 10).unwrap(), 1);
        put(1..=1, Tier::D);
        assert_eq!(store.moves_range().unwrap(), (6, 7));
    }

    pub fn a_webhook_is_held_by_one_and_keeps_its_place(place: &dyn Place) {
        let store = with_enterprises(place, 3);
        store
            .put_in_force(None, &in_force(EPOCH), None)
            .unwrap()
            .unwrap();
        let put = |number, tier| {
            let tiers = [new(number, stored(1, tier))];
            store.put_tiers(&epoch(EPOCH), &tiers).unwrap();
        };
        put(1, Tier::A);
        assert!(
            store
                .insert_webhook("w", "http://a/", &[0, 255], 1)
                .unwrap()
        );
        assert!(!store.insert_webhook("x", "http://a/", &[1], 1).unwrap());
        // It begins behind the last move, so nothing waits yet.
        assert_eq!(store.claim_webhook("me", HOUR).unwrap(), None);
        put(2, Tier::B);
        let claimed = store.claim_webhook("me", HOUR).unwrap().unwrap();
        assert_eq!(
            (claimed.cursor, claimed.last_move, claimed.secret.as_slice()),
            (1, 2, [0, 255].as_slice())
        );
        assert_eq!(store.claim_webhook("other", HOUR).unwrap(), None);
        let failed = Attempted {
            status: Some(500),
            failure: Some("the target answered 500".to_owned()),
            due_in_ms: HOUR,
            ..Attempted::default()
        };
        assert!(!store.note_webhook("w", "other", &failed).unwrap());
        assert!(store.note_webhook("w", "me", &failed).unwrap());
        // It is not due for an hour.
        assert_eq!(store.claim_webhook("other", HOUR).unwrap(), None);
        let failing = store.webhook("w").unwrap().unwrap();
        assert_eq!(failing.failure_count, 1);
        assert!(failing.failing_since.is_some() && failing.cursor == 1);

        assert!(store.resume_webhook("w", false).unwrap());
        let claimed = store.claim_webhook("other", HOUR).unwrap().unwrap();
        assert_eq!((claimed.cursor, claimed.failing_since), (1, None));
        let taken = Attempted {
            cursor: Some(2),
            status: Some(204),
            ..Attempted::default()
        };
        assert!(store.note_webhook("w", "other", &taken).unwrap());
        assert_eq!(store.claim_webhook("me", HOUR).unwrap(), None);
        put(3, Tier::C);
        let suspended = Attempted {
            suspend: true,
            failure: Some("gone".to_owned()),
            ..Attempted::default()
        };
        store.claim_webhook("me", HOUR).unwrap().unwrap();
        assert!(store.note_webhook("w", "me", &suspended).unwrap());
        assert_eq!(store.claim_webhook("me", HOUR).unwrap(), None);
        assert!(store.webhook("w").unwrap().unwrap().is_suspended);
        assert!(store.resume_webhook("w", true).unwrap());
        assert_eq!(store.webhooks().unwrap()[0].cursor, 3);
        assert!(store.delete_webhook("w").unwrap());
        assert!(!store.delete_webhook("w").unwrap());
        assert!(!store.resume_webhook("w", false).unwrap());
        for strange in ["", "\0", "none"] {
            assert_eq!(store.webhook(strange).unwrap(), None);
        }
    }
}
