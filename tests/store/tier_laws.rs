//! Computed tiers as the store keeps them: one slot is live, letters that end go into the history.

crate::hold!(tier_laws:
    an_enterprise_without_a_tier_has_a_revision,
    a_tier_never_goes_back_to_an_older_revision,
    a_tier_of_another_epoch_is_not_kept,
    a_kept_tier_is_no_change,
    files_and_what_was_in_force_are_found_again,
    a_letter_that_ends_goes_into_the_history_and_a_worsening_into_the_alerts,
    several_letters_of_one_day_leave_one_entry,
    a_difference_touches_the_enterprises_whose_links_or_owner_name_it,
    tiers_whose_day_has_come_are_found,
    tiers_of_a_run_are_found_on_their_day_too,
    migrations_and_summaries_count_every_enterprise_once,
);

pub mod laws {
    use std::collections::BTreeSet;

    use jiff::civil::Date;
    use risktier::domain::dates::add_days;
    use risktier::domain::{Enterprise, EnterpriseId, EnterpriseKind, EnterpriseSize, Epoch, Tier};
    use risktier::store::{
        AlertFilter, AlertKind, IdRange, LinkState, Migrated, ModelFile, NewInForce, NewRun,
        NewTier, RunCause, RunRow, Store, StoredTier, SummaryBy, Summed, TierFilter, TierRow,
    };

    use crate::register::{TODAY, enterprise, id, label, record_with, serious_penalty};
    use crate::{Place, revision};

    pub fn epoch(text: &str) -> Epoch {
        text.parse().unwrap()
    }

    pub const EPOCH: &str = "0123456789abcdef";

    pub fn in_force(text: &str) -> NewInForce {
        NewInForce {
            epoch: epoch(text),
            files_id: "files".into(),
            statistics: None,
            from_on: add_days(TODAY, -100),
        }
    }

    /// A database in which [`EPOCH`] is in force.
    fn served(place: &dyn Place) -> std::sync::Arc<dyn Store> {
        let store = place.open();
        store
            .put_in_force(None, &in_force(EPOCH), None)
            .unwrap()
            .unwrap();
        store
    }

    fn tier(revision: u64, tier: Tier) -> StoredTier {
        StoredTier {
            revision,
            tier,
            points: 180,
            as_of: TODAY,
            next_change_on: None,
        }
    }

    pub fn new(number: usize, tier: StoredTier) -> NewTier {
        NewTier {
            enterprise_id: id(number),
            tier,
            link: LinkState {
                base_tier: tier.tier,
                is_listed: false,
                cancelled_on: None,
                next_change_on: None,
            },
            is_surge: false,
        }
    }

    fn put(store: &dyn Store, tiers: &[NewTier]) {
        assert!(store.put_tiers(&epoch(EPOCH), tiers).unwrap().is_live);
    }

    fn stored(store: &dyn Store) -> Option<StoredTier> {
        store.tier(&id(1)).unwrap().unwrap().stored
    }

    pub fn an_enterprise_without_a_tier_has_a_revision(place: &dyn Place) {
        let store = place.open();
        store.put_enterprises(&[enterprise(1)], 0, TODAY).unwrap();
        let row = |epoch| TierRow {
            revision: 1,
            epoch,
            stored: None,
        };
        assert_eq!(store.tier(&id(1)).unwrap(), Some(row(None)));
        assert_eq!(store.in_force().unwrap(), None);
        store
            .put_in_force(None, &in_force(EPOCH), None)
            .unwrap()
            .unwrap();
        assert_eq!(store.tier(&id(1)).unwrap(), Some(row(Some(epoch(EPOCH)))));
        assert_eq!(store.tier(&id(2)).unwrap(), None);
    }

    pub fn a_tier_never_goes_back_to_an_older_revision(place: &dyn Place) {
        let store = served(place);
        store
            .put_enterprises(&[enterprise(1), enterprise(2)], 0, TODAY)
            .unwrap();
        store
            .put_records(&[serious_penalty(1, "p1", 30)], 0)
            .unwrap();
        put(&*store, &[new(1, tier(2, Tier::C))]);

        // A slow reader keeps what it computed before the penalty; the other of its tiers goes in.
        put(
            &*store,
            &[new(1, tier(1, Tier::A)), new(2, tier(1, Tier::A))],
        );

        assert_eq!(stored(&*store), Some(tier(2, Tier::C)));
        assert_eq!(
            store.tier(&id(2)).unwrap().unwrap().stored,
            Some(tier(1, Tier::A))
        );
        // Of one revision the later computation wins: another day may give another tier.
        put(&*store, &[new(1, tier(2, Tier::B))]);
        assert_eq!(stored(&*place.open()), Some(tier(2, Tier::B)));
    }

    pub fn a_tier_of_another_epoch_is_not_kept(place: &dyn Place) {
        let store = served(place);
        store.put_enterprises(&[enterprise(1)], 0, TODAY).unwrap();
        let other = epoch("fedcba9876543210");
        let kept = store
            .put_tiers(&other, &[new(1, tier(1, Tier::D))])
            .unwrap();
        assert!(!kept.is_live && stored(&*store).is_none());
    }

    pub fn a_kept_tier_is_no_change(place: &dyn Place) {
        let store = served(place);
        store.put_enterprises(&[enterprise(1)], 0, TODAY).unwrap();
        let before = store.last_change().unwrap();
        let dated = StoredTier {
            next_change_on: Some(TODAY),
            ..tier(1, Tier::A)
        };
        put(&*store, &[new(1, dated)]);
        assert_eq!(store.last_change().unwrap(), before);
        assert_eq!(revision(&*store, &id(1)), 1);
        assert_eq!(stored(&*store), Some(dated));
    }

    pub fn files_and_what_was_in_force_are_found_again(place: &dyn Place) {
        let store = served(place);
        let file = |role: &str, body: &[u8]| ModelFile {
            role: role.into(),
            digest: format!("digest of {role}"),
            body: body.to_vec(),
        };
        let files = [file("policy", b"rates"), file("scorecard", &[0, 255])];
        store.put_model_set("files", &files).unwrap();
        store.put_model_set("files", &files).unwrap();

        // Other rates of the same tiers come into force at once, other tiers do not.
        let rates = NewInForce {
            files_id: "other".into(),
            from_on: add_days(TODAY, -10),
            ..in_force(EPOCH)
        };
        let second = store.put_in_force(Some(1), &rates, None).unwrap().unwrap();
        assert_eq!((second.number, second.files_id.as_str()), (2, "other"));
        assert_eq!(store.put_in_force(Some(1), &rates, None).unwrap(), None);
        assert_eq!(store.put_in_force(None, &rates, None).unwrap(), None);
        assert!(
            store
                .put_in_force(Some(2), &in_force("fedcba9876543210"), None)
                .is_err()
        );

        let store = place.open();
        assert_eq!(store.model_set("files").unwrap(), files);
        assert_eq!(store.model_set("nothing").unwrap(), []);
        assert_eq!(
            store.model_file("digest of policy").unwrap().unwrap(),
            b"rates"
        );
        assert_eq!(store.model_file("nothing").unwrap(), None);
        assert_eq!(store.in_force().unwrap(), Some(second));
        let on = |days: i32| {
            let day = add_days(TODAY, -days);
            store.in_force_on(day).unwrap().unwrap().number
        };
        assert_eq!([on(1000), on(100), on(11), on(10), on(0)], [1, 1, 1, 2, 2]);
    }

    fn on(day: Date, revision: u64, letter: Tier) -> NewTier {
        let as_of = StoredTier {
            as_of: day,
            ..tier(revision, letter)
        };
        new(1, as_of)
    }

    pub fn a_letter_that_ends_goes_into_the_history_and_a_worsening_into_the_alerts(
        place: &dyn Place,
    ) {
        let store = served(place);
        store.put_enterprises(&[enterprise(1)], 0, TODAY).unwrap();
        let day = |ago: i32| add_days(TODAY, -ago);
        for (ago, letter) in [(60, Tier::B), (50, Tier::B), (40, Tier::D), (30, Tier::A)] {
            put(&*store, &[on(day(ago), 1, letter)]);
        }

        let store = place.open();
        let history = store.tier_history(&id(1)).unwrap();
        let told: Vec<_> = history
            .iter()
            .map(|past| (past.tier, past.from_on, past.until_on, past.force_number))
            .collect();
        assert_eq!(
            told,
            [
                (Tier::B, day(60), day(40), 1),
                (Tier::D, day(40), day(30), 1)
            ]
        );
        let present = store.present_tier(&id(1)).unwrap().unwrap();
        assert_eq!((present.tier.tier, present.from_on), (Tier::A, day(30)));
        let alerts = store.alerts_after(0, 10).unwrap();
        let told: Vec<_> = alerts
            .iter()
            .map(|alert| (alert.seq, alert.kind, alert.from_tier, alert.tier, alert.on))
            .collect();
        assert_eq!(
            told,
            [
                (1, AlertKind::Worsened, Tier::B, Tier::D, day(40)),
                (2, AlertKind::EnteredD, Tier::B, Tier::D, day(40))
            ]
        );
        assert_eq!(store.alerts_after(1, 10).unwrap(), alerts[1..]);
        assert_eq!(store.alerts_after(0, 1).unwrap(), alerts[..1]);
    }

    pub fn several_letters_of_one_day_leave_one_entry(place: &dyn Place) {
        let store = served(place);
        store.put_enterprises(&[enterprise(1)], 0, TODAY).unwrap();
        let yesterday = add_days(TODAY, -1);
        put(&*store, &[on(yesterday, 1, Tier::B)]);
        for letter in [Tier::D, Tier::A, Tier::C] {
            put(&*store, &[on(TODAY, 1, letter)]);
        }
        let history = store.tier_history(&id(1)).unwrap();
        assert_eq!(history.len(), 1);
        assert_eq!((history[0].tier, history[0].until_on), (Tier::B, TODAY));
        assert_eq!(store.present_tier(&id(1)).unwrap().unwrap().from_on, TODAY);
    }

    pub fn a_difference_touches_the_enterprises_whose_links_or_owner_name_it(place: &dyn Place) {
        let store = served(place);
        let product = Enterprise {
            owner_id: Some(id(1)),
            ..enterprise(3)
        };
        store
            .put_enterprises(
                &[enterprise(1), enterprise(2), product, enterprise(4)],
                0,
                TODAY,
            )
            .unwrap();
        let link = record_with(2, "l1", "link", add_days(TODAY, -9), |draft| {
            draft.related_id = Some(id(1).to_string());
            draft.codes = vec!["shareholder".into()];
        });
        store.put_records(&[link], 0).unwrap();
        let touched = |letter| {
            let kept = store
                .put_tiers(&epoch(EPOCH), &[new(1, tier(1, letter))])
                .unwrap();
            let ids: BTreeSet<String> = kept
                .touched
                .iter()
                .map(|changed| changed.enterprise_id.to_string())
                .collect();
            for changed in &kept.touched {
                assert_eq!(revision(&*store, &changed.enterprise_id), changed.revision);
            }
            assert_eq!(
                store.last_change().unwrap(),
                kept.touched
                    .iter()
                    .map(|changed| changed.seq)
                    .max()
                    .unwrap_or_else(|| store.last_change().unwrap())
            );
            ids
        };
        let both = BTreeSet::from([id(2).to_string(), id(3).to_string()]);
        assert_eq!(touched(Tier::A), both);
        assert!(touched(Tier::A).is_empty());
        assert_eq!(touched(Tier::D), both);
        assert!(touched(Tier::D).is_empty());
        let states = |day| {
            store
                .links_of(&epoch(EPOCH), &[id(1), id(4), id(9)], day)
                .unwrap()
        };
        assert_eq!(states(TODAY), [(id(1), new(1, tier(1, Tier::D)).link)]);
        assert_eq!(states(add_days(TODAY, -1)), []);
        let other = epoch("fedcba9876543210");
        assert_eq!(store.links_of(&other, &[id(1)], TODAY).unwrap(), []);
        store
            .put_records(&[serious_penalty(1, "p1", 3)], 0)
            .unwrap();
        assert_eq!(states(TODAY), []);
    }

    pub fn tiers_whose_day_has_come_are_found(place: &dyn Place) {
        let store = served(place);
        let all: Vec<_> = (1..=4).map(enterprise).collect();
        store.put_enterprises(&all, 0, TODAY).unwrap();
        let days = [None, Some(5), Some(1), Some(3)];
        let tiers: Vec<NewTier> = (1..)
            .zip(days)
            .map(|(number, days)| {
                let dated = StoredTier {
                    next_change_on: days.map(|days| add_days(TODAY, days)),
                    ..tier(1, Tier::A)
                };
                new(number, dated)
            })
            .collect();
        put(&*store, &tiers);
        let due = |days, limit| store.due_tiers(add_days(TODAY, days), limit).unwrap();
        assert_eq!(due(0, 10), []);
        assert_eq!(due(3, 10), [id(3), id(4)]);
        assert_eq!(due(9, 1), [id(3)]);
    }

    pub fn tiers_of_a_run_are_found_on_their_day_too(place: &dyn Place) {
        let store = served(place);
        let all: Vec<_> = (1..=5).map(enterprise).collect();
        store.put_enterprises(&all, 0, TODAY).unwrap();
        let days = [None, Some(30), Some(1), Some(3), Some(8)];
        let rows: Vec<RunRow> = (1..)
            .zip(days)
            .map(|(number, days)| RunRow {
                enterprise_id: id(number),
                revision: 1,
                tier: Tier::A,
                points: 180,
                next_change_on: days.map(|days| add_days(TODAY, days)),
                from_on: TODAY,
                link: new(number, tier(1, Tier::A)).link,
                is_surge: false,
            })
            .collect();
        let (run_id, owner) = ("run", "owner");
        store
            .request_run(&NewRun {
                run_id: run_id.into(),
                cause: RunCause::Demand,
                files_id: "files".into(),
                as_of: TODAY,
            })
            .unwrap();
        store.claim_run(owner, 60_000).unwrap().unwrap();
        store
            .begin_run(run_id, owner, TODAY, &[IdRange::all()], 5)
            .unwrap();
        store.put_scanned(run_id, owner, 0, 5, b"noted").unwrap();
        let other = epoch("fedcba9876543210");
        store.freeze_run(run_id, owner, &other, None).unwrap();
        store.put_finished(run_id, owner, 0, &rows, &[]).unwrap();
        store.flip(run_id, owner).unwrap();

        let due = |days, limit| store.due_tiers(add_days(TODAY, days), limit).unwrap();
        assert_eq!(due(0, 10), []);
        assert_eq!(due(3, 10), [id(3), id(4)]);
        // Entries that were made for a week ahead wait for their day, and a new tier takes its own along.
        assert_eq!(due(7, 10), [id(3), id(4)]);
        let dated = StoredTier {
            next_change_on: Some(add_days(TODAY, 40)),
            ..tier(1, Tier::B)
        };
        assert!(store.put_tiers(&other, &[new(3, dated)]).unwrap().is_live);
        assert_eq!(due(8, 10), [id(4), id(5)]);
        assert_eq!(due(35, 10), [id(4), id(5), id(2)]);
        assert_eq!(due(40, 1), [id(4)]);
        assert_eq!(due(40, 9), [id(4), id(5), id(2), id(3)]);
        // Other files in force without a run change nothing about that.
        let force = store.in_force().unwrap().unwrap();
        let again = NewInForce {
            epoch: other,
            ..in_force(EPOCH)
        };
        store
            .put_in_force(Some(force.number), &again, None)
            .unwrap()
            .unwrap();
        assert_eq!(due(40, 9), [id(4), id(5), id(2), id(3)]);
    }

    pub fn migrations_and_summaries_count_every_enterprise_once(place: &dyn Place) {
        let store = served(place);
        let tagged = Enterprise {
            tags: BTreeSet::from([label("food"), label("lifts")]),
            ..enterprise(1)
        };
        store
            .put_enterprises(&[tagged, enterprise(2), enterprise(3)], 0, TODAY)
            .unwrap();
        let day = |ago: i32| add_days(TODAY, -ago);
        let at = |number, ago, letter| {
            let as_of = StoredTier {
                as_of: day(ago),
                ..tier(1, letter)
            };
            put(&*store, &[new(number, as_of)]);
        };
        at(1, 50, Tier::A);
        at(2, 50, Tier::B);
        at(1, 30, Tier::C);
        at(1, 20, Tier::D);
        at(3, 10, Tier::A);

        let some = |from, to, count| (Some(from), Some(to), count);
        let all = TierFilter::default();
        let moves = |from, to, filter: &TierFilter, without: &[EnterpriseId]| {
            let days = (day(from), day(to));
            store.tier_migrations(days, filter, without).unwrap()
        };
        let between = |from, to| moves(from, to, &all, &[]);
        let sorted = |mut list: Vec<Migrated>| {
            list.sort();
            list
        };
        assert_eq!(
            sorted(between(31, 30)),
            [
                (None, None, 1),
                some(Tier::A, Tier::C, 1),
                some(Tier::B, Tier::B, 1)
            ]
        );
        assert_eq!(
            sorted(between(50, 0)),
            [
                (None, Some(Tier::A), 1),
                some(Tier::A, Tier::D, 1),
                some(Tier::B, Tier::B, 1)
            ]
        );
        assert_eq!(
            sorted(between(10, 0)),
            [
                some(Tier::A, Tier::A, 1),
                some(Tier::B, Tier::B, 1),
                some(Tier::D, Tier::D, 1)
            ]
        );
        assert_eq!(
            sorted(moves(50, 0, &all, &[id(3)])),
            [some(Tier::A, Tier::D, 1), some(Tier::B, Tier::B, 1)]
        );
        let of = |filter: TierFilter| sorted(moves(50, 0, &filter, &[]));
        let tagged = TierFilter {
            tag: Some(label("food")),
            ..all.clone()
        };
        assert_eq!(of(tagged), [some(Tier::A, Tier::D, 1)]);
        // Enterprise 1 lies in 990201, 2 in 990301, 3 in 990401.
        for (division, expected) in [
            ("990201", 1),
            ("990200", 1),
            ("9902", 1),
            ("990000", 3),
            ("99", 3),
            ("990101", 0),
            ("A", 0),
        ] {
            let filter = TierFilter {
                division: Some(label(division)),
                ..all.clone()
            };
            let count: u64 = of(filter).iter().map(|(.., count)| count).sum();
            assert_eq!(count, expected, "{division}");
        }
        for (industry, expected) in [("C", 3), ("C14", 3), ("C1411", 3), ("C2", 0), ("14", 0)] {
            let filter = TierFilter {
                industry: Some(label(industry)),
                kind: Some(EnterpriseKind::Enterprise),
                size: Some(EnterpriseSize::Small),
                ..all.clone()
            };
            let count: u64 = of(filter).iter().map(|(.., count)| count).sum();
            assert_eq!(count, expected, "{industry}");
        }
        let alerts = |kind, division: &str| {
            let division = Some(label(division));
            let found = store.alerts_of(&AlertFilter { kind, division }, 0, 10);
            let found = found.unwrap();
            found.iter().map(|alert| alert.seq).collect::<Vec<_>>()
        };
        assert_eq!(alerts(None, "9902"), [1, 2, 3]);
        assert_eq!(alerts(Some(AlertKind::EnteredD), "990201"), [3]);
        assert!(alerts(None, "990301").is_empty());
        assert_eq!(store.in_force_log().unwrap().len(), 1);

        let by = |by| sorted_summary(store.tier_summary(by, TODAY, &[]).unwrap());
        assert_eq!(
            by(SummaryBy::Size),
            [
                ("small".into(), Some(Tier::A), 1),
                ("small".into(), Some(Tier::B), 1),
                ("small".into(), Some(Tier::D), 1)
            ]
        );
        assert_eq!(
            by(SummaryBy::Tag),
            [
                ("food".into(), Some(Tier::D), 1),
                ("lifts".into(), Some(Tier::D), 1)
            ]
        );
        let without = store.tier_summary(SummaryBy::Tag, TODAY, &[id(1)]);
        assert_eq!(without.unwrap(), []);
        assert_eq!(by(SummaryBy::Division).len(), 3);
        let kinds: u64 = by(SummaryBy::Kind).iter().map(|(_, _, count)| count).sum();
        assert_eq!(kinds, 3);
        assert_eq!(by(SummaryBy::Industry)[0].0, "C1411");
        // A newer revision, or an enterprise without a tier, is counted apart.
        store.put_enterprises(&[enterprise(4)], 0, TODAY).unwrap();
        store
            .put_records(&[crate::register::serious_penalty(2, "p", 30)], 0)
            .unwrap();
        assert_eq!(
            by(SummaryBy::Size),
            [
                ("small".into(), None, 2),
                ("small".into(), Some(Tier::A), 1),
                ("small".into(), Some(Tier::D), 1)
            ]
        );
    }

    fn sorted_summary(mut list: Vec<Summed>) -> Vec<Summed> {
        list.sort();
        list
    }
}
