//! Records that come before their enterprise.

crate::hold!(set_aside_laws:
    a_record_counts_alike_whether_it_comes_before_or_after_its_enterprise,
    what_is_set_aside_is_listed_until_its_enterprise_arrives,
    what_is_set_aside_is_in_no_dossier_count_or_log,
    a_record_that_waits_follows_its_source_to_another_enterprise,
    importing_what_is_set_aside_again_changes_nothing,
    what_is_set_aside_can_be_repaired,
    a_refused_batch_sets_nothing_aside,
    a_record_of_the_future_or_from_before_founding_counts_from_its_day,
);

pub mod laws {
    use risktier::domain::dates::add_days;
    use risktier::domain::rng::SeededRng;
    use risktier::domain::{Enterprise, EnterpriseId, Record};
    use risktier::indicators::current_versions;
    use risktier::store::{Dossier, Outcome, Refusal, Store, VersionKey};

    use crate::register::{TODAY, enterprise, id, serious_penalty};
    use crate::{Place, created, dossiers, log, refusal, versions, with_enterprises};

    /// All versions that are set aside, read in pages of two.
    fn set_aside(store: &dyn Store) -> Vec<Record> {
        let (mut all, mut after) = (Vec::<Record>::new(), None);
        loop {
            let page = store.set_aside_after(after.as_ref(), 2).unwrap();
            let Some(last) = page.last() else { return all };
            after = Some(VersionKey::of(last));
            all.extend(page);
        }
    }

    /// Versions of a few records of enterprises 1 to 3, repeated and corrected, in an order by chance.
    fn rows(rng: &mut SeededRng) -> Vec<Record> {
        let mut below = |bound: u64| rng.below(bound) as usize;
        (0..24)
            .map(|_| {
                let of = below(3) + 1;
                Record {
                    amount_fen: Some(below(2) as i64),
                    known_on: add_days(TODAY, -(below(4) as i32) * 10),
                    ..serious_penalty(of, &format!("{of}-{}", below(2)), 40)
                }
            })
            .collect()
    }

    pub fn a_record_counts_alike_whether_it_comes_before_or_after_its_enterprise(
        place: &dyn Place,
    ) {
        let store = place.open();
        let mut rng = SeededRng::new(3, "set aside");
        // Every round uses other enterprises, so that all share one database.
        for round in 0..12 {
            let moved = |record: &Record, side: usize| Record {
                enterprise_id: id(round * 100 + side * 10 + number_of(record)),
                record_id: format!("{round}-{side}-{}", record.record_id),
                ..record.clone()
            };
            let arriving = |side: usize| -> Vec<Enterprise> {
                (1..=3)
                    .map(|of| enterprise(round * 100 + side * 10 + of))
                    .collect()
            };
            let rows = rows(&mut rng);
            let until = rng.below(rows.len() as u64 + 1) as usize;
            let sides = [0, 1].map(|side| -> Vec<Record> {
                rows.iter().map(|record| moved(record, side)).collect()
            });

            store.put_enterprises(&arriving(0), 0, TODAY).unwrap();
            store.put_records(&sides[0], 0).unwrap();
            for record in &sides[1][..until] {
                let outcome = store.put_records(std::slice::from_ref(record), 0).unwrap();
                assert_eq!(outcome, [Outcome::SetAside]);
            }
            store.put_enterprises(&arriving(1), 0, TODAY).unwrap();
            store.put_records(&sides[1][until..], 0).unwrap();

            for of in 1..=3 {
                let [after, before] = [0, 1].map(|side| {
                    let Dossier {
                        earlier, versions, ..
                    } = store
                        .dossier(&id(round * 100 + side * 10 + of))
                        .unwrap()
                        .unwrap();
                    let said: Vec<_> = versions
                        .into_iter()
                        .map(|of| {
                            (
                                of.record_id[4.min(of.record_id.len())..].to_owned(),
                                of.known_on,
                                of.amount_fen,
                            )
                        })
                        .collect();
                    (earlier, said)
                });
                assert_eq!(before, after, "round {round}");
            }
        }
        assert_eq!(set_aside(&*store), []);
    }

    fn number_of(record: &Record) -> usize {
        record.record_id[..1].parse().unwrap()
    }

    pub fn what_is_set_aside_is_listed_until_its_enterprise_arrives(place: &dyn Place) {
        let store = with_enterprises(place, 1);
        let later = Record {
            amount_fen: Some(9),
            known_on: TODAY,
            ..serious_penalty(8, "p8", 30)
        };
        let rows = [
            serious_penalty(9, "p9", 30),
            serious_penalty(8, "p8", 30),
            later.clone(),
            serious_penalty(1, "p1", 30),
            serious_penalty(8, "q8", 30),
        ];
        store.put_records(&rows, 0).unwrap();
        let waiting = [rows[1].clone(), later, rows[4].clone(), rows[0].clone()];
        assert_eq!(set_aside(&*store), waiting);

        store.put_enterprises(&[enterprise(8)], 0, TODAY).unwrap();
        assert_eq!(set_aside(&*place.open()), [rows[0].clone()]);
        assert_eq!(versions(&*store, &id(8)), waiting[..3]);
        store
            .put_enterprises(&[enterprise(9), enterprise(10)], 0, TODAY)
            .unwrap();
        assert_eq!(set_aside(&*store), []);
    }

    pub fn what_is_set_aside_is_in_no_dossier_count_or_log(place: &dyn Place) {
        let store = with_enterprises(place, 5);
        let (before, changes, counts) = (dossiers(&*store), log(&*store), store.counts().unwrap());
        // Before, between and behind those in the register.
        let between = risktier::domain::EnterpriseId::parse("91990000MA00000003-x").unwrap();
        let mut rows = vec![serious_penalty(0, "a", 30), serious_penalty(9, "b", 30)];
        rows.push(Record {
            enterprise_id: between,
            ..serious_penalty(3, "c", 30)
        });
        assert_eq!(
            store.put_records(&rows, 0).unwrap(),
            vec![Outcome::SetAside; 3]
        );

        assert_eq!((dossiers(&*store), log(&*store)), (before, changes));
        assert_eq!(store.counts().unwrap(), counts);
        assert!(store.dossier(&id(9)).unwrap().is_none() && store.tier(&id(9)).unwrap().is_none());
        created(&store.put_enterprises(&[enterprise(9)], 0, TODAY).unwrap()[0]);
        assert_eq!(
            store.counts().unwrap().record_versions,
            counts.record_versions + 1
        );
    }

    pub fn a_record_that_waits_follows_its_source_to_another_enterprise(place: &dyn Place) {
        let store = with_enterprises(place, 2);
        let of = |number: usize, record_id: &str| serious_penalty(number, record_id, 30);
        store.put_records(&[of(9, "p"), of(9, "q")], 0).unwrap();

        // The source corrects whom it is about.
        let moved = store.put_records(&[of(1, "p")], 0).unwrap();
        created(&moved[0]);
        assert_eq!(versions(&*store, &id(1)), [of(1, "p")]);
        let waiting = |store: &dyn Store| -> Vec<(EnterpriseId, String)> {
            let all = set_aside(store).into_iter();
            all.map(|record| (record.enterprise_id, record.record_id))
                .collect()
        };
        assert_eq!(waiting(&*store), [(id(9), "q".to_owned())]);
        // From one that is not registered to another, and within one batch; then nothing waits for the first any more.
        let outcomes = store.put_records(&[of(8, "q"), of(7, "r"), of(2, "r")], 0);
        let outcomes = outcomes.unwrap();
        assert_eq!(outcomes[..2], [Outcome::SetAside, Outcome::SetAside]);
        created(&outcomes[2]);
        assert_eq!(waiting(&*store), [(id(8), "q".to_owned())]);

        // What counts for an enterprise of the register stays with it.
        let kept = store.put_records(&[of(9, "p"), of(2, "p")], 0).unwrap();
        for outcome in &kept {
            assert_eq!(refusal(outcome), &Refusal::OtherEnterprise(id(1)));
        }
        for number in [7, 8, 9] {
            store
                .put_enterprises(&[enterprise(number)], 0, TODAY)
                .unwrap();
        }
        let counts = [1, 2, 7, 8, 9].map(|number| versions(&*store, &id(number)).len());
        assert_eq!(counts, [1, 1, 0, 1, 0]);
    }

    pub fn importing_what_is_set_aside_again_changes_nothing(place: &dyn Place) {
        let store = place.open();
        let rows = [serious_penalty(9, "p", 30), serious_penalty(8, "q", 30)];
        for _ in 0..2 {
            let import = store.begin_import().unwrap();
            let outcomes = store.put_records(&rows, import).unwrap();
            assert_eq!(outcomes, [Outcome::SetAside, Outcome::SetAside]);
            let other = Record {
                amount_fen: Some(5),
                ..rows[0].clone()
            };
            let outcomes = store.put_records(&[other], import).unwrap();
            assert_eq!(refusal(&outcomes[0]), &Refusal::DuplicateInImport);
            store.end_import(import);
        }
        assert_eq!(set_aside(&*store).len(), 2);
    }

    pub fn what_is_set_aside_can_be_repaired(place: &dyn Place) {
        let store = place.open();
        let penalty = serious_penalty(9, "p", 30);
        store
            .put_records(std::slice::from_ref(&penalty), 0)
            .unwrap();
        let repaired = Record {
            repaired_on: Some(TODAY),
            known_on: TODAY,
            ..penalty
        };
        let outcomes = store.put_records(&[repaired], 0).unwrap();
        assert_eq!(outcomes, [Outcome::SetAside]);
        assert_eq!(log(&*store).len(), 0);
        store.put_enterprises(&[enterprise(9)], 0, TODAY).unwrap();
        let kept = versions(&*store, &id(9));
        assert_eq!(kept.last().unwrap().repaired_on, Some(TODAY));
    }

    pub fn a_refused_batch_sets_nothing_aside(place: &dyn Place) {
        let store = with_enterprises(place, 2);
        store
            .put_records(&[serious_penalty(1, "p", 30)], 0)
            .unwrap();
        let batch = [serious_penalty(9, "q", 30), serious_penalty(2, "p", 30)];
        let outcomes = store.put_records_or_none(&batch).unwrap();
        assert_eq!(outcomes[0], Outcome::SetAside);
        refusal(&outcomes[1]);
        assert_eq!(set_aside(&*store), []);
        // Not even the owner of an id.
        created(
            &store
                .put_records_or_none(&[serious_penalty(2, "q", 30)])
                .unwrap()[0],
        );
    }

    pub fn a_record_of_the_future_or_from_before_founding_counts_from_its_day(place: &dyn Place) {
        let store = with_enterprises(place, 1);
        let founded = enterprise(1).established_on.unwrap();
        let old = Record {
            occurred_on: add_days(founded, -10),
            known_on: add_days(founded, -5),
            ..serious_penalty(1, "old", 30)
        };
        let coming = Record {
            occurred_on: add_days(TODAY, 10),
            known_on: TODAY,
            ..serious_penalty(1, "coming", 30)
        };
        let outcomes = store.put_records(&[old, coming], 0).unwrap();
        outcomes
            .iter()
            .for_each(|outcome| assert!(created(outcome).seq > 0));

        let kept = versions(&*store, &id(1));
        let counting = |day| -> Vec<&str> {
            let (current, _) = current_versions(&kept, day);
            let counts = current.into_iter().filter(|record| record.counts_on(day));
            counts.map(|record| record.record_id.as_str()).collect()
        };
        assert_eq!(counting(add_days(founded, -6)), [""; 0]);
        assert_eq!(counting(add_days(founded, -5)), ["old"]);
        assert_eq!(counting(add_days(TODAY, 9)), ["old"]);
        assert_eq!(counting(add_days(TODAY, 10)), ["coming", "old"]);
    }
}
