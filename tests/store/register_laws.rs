//! Enterprises, records and their versions, as they are kept and read.

crate::hold!(register_laws:
    a_later_version_keeps_the_earlier_for_reads_of_the_past,
    the_same_content_known_later_is_no_version,
    a_correction_of_the_same_day_replaces,
    a_version_that_arrives_late_takes_its_place_in_time,
    what_was_said_again_later_holds_whichever_arrives_first,
    revisions_and_the_log_grow_together,
    an_amendment_is_a_version_known_from_its_day,
    an_amendment_that_is_refused_writes_nothing,
    every_field_comes_back_as_it_went_in,
    each_dossier_has_every_enterprise_with_exactly_its_records,
    batches_of_any_size_write_the_same,
    pages_of_enterprises_miss_none,
    a_reader_sees_one_instant_during_writes,
    reopening_keeps_everything,
);

pub mod laws {
    use std::sync::atomic::{AtomicBool, Ordering};

    use jiff::civil::date;
    use risktier::domain::dates::add_days;
    use risktier::domain::{Enterprise, EnterpriseDraft, Record};
    use risktier::indicators::current_versions;
    use risktier::store::{Counts, Dossier, Outcome, StoreError};

    use crate::register::{TODAY, enterprise, id, label, record, record_with, serious_penalty};
    use crate::{
        Place, amend, created, dossiers, log, revision, updated, versions, walked, with_enterprises,
    };

    pub fn a_later_version_keeps_the_earlier_for_reads_of_the_past(place: &dyn Place) {
        let store = with_enterprises(place, 1);
        let first = serious_penalty(1, "p1", 30);
        let later = Record {
            severity: None,
            known_on: add_days(TODAY, -10),
            ..first.clone()
        };
        created(&store.put_records(std::slice::from_ref(&first), 0).unwrap()[0]);
        updated(&store.put_records(std::slice::from_ref(&later), 0).unwrap()[0]);

        let kept = versions(&*store, &id(1));
        assert_eq!(kept, [first.clone(), later.clone()]);
        assert_eq!(current_versions(&kept, add_days(TODAY, -11)).0, [&first]);
        assert_eq!(current_versions(&kept, TODAY).0, [&later]);
    }

    pub fn the_same_content_known_later_is_no_version(place: &dyn Place) {
        let store = with_enterprises(place, 1);
        let first = serious_penalty(1, "p1", 30);
        let again = Record {
            known_on: TODAY,
            ..first.clone()
        };
        store.put_records(std::slice::from_ref(&first), 0).unwrap();
        let before = revision(&*store, &id(1));

        assert_eq!(
            store.put_records(&[again], 0).unwrap(),
            [Outcome::Unchanged]
        );

        assert_eq!(
            (versions(&*store, &id(1)), revision(&*store, &id(1))),
            (vec![first], before)
        );
    }

    pub fn a_correction_of_the_same_day_replaces(place: &dyn Place) {
        let store = with_enterprises(place, 1);
        let wrong = serious_penalty(1, "p1", 30);
        let right = Record {
            amount_fen: Some(5),
            ..wrong.clone()
        };
        store.put_records(&[wrong], 0).unwrap();

        updated(&store.put_records(std::slice::from_ref(&right), 0).unwrap()[0]);

        assert_eq!(versions(&*store, &id(1)), [right]);
    }

    pub fn a_version_that_arrives_late_takes_its_place_in_time(place: &dyn Place) {
        let store = with_enterprises(place, 1);
        let first = serious_penalty(1, "p1", 30);
        let middle = Record {
            amount_fen: Some(2),
            known_on: add_days(TODAY, -20),
            ..first.clone()
        };
        let last = Record {
            amount_fen: Some(3),
            known_on: add_days(TODAY, -10),
            ..first.clone()
        };
        for version in [&last, &first, &middle] {
            store.put_records(std::slice::from_ref(version), 0).unwrap();
        }

        assert_eq!(versions(&*store, &id(1)), [first, middle, last]);
    }

    pub fn what_was_said_again_later_holds_whichever_arrives_first(place: &dyn Place) {
        let store = with_enterprises(place, 6);
        let orders = [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ];
        for (number, order) in (1..).zip(orders) {
            let first = serious_penalty(number, &format!("p{number}"), 30);
            let told = [
                first.clone(),
                Record {
                    severity: None,
                    known_on: add_days(TODAY, -20),
                    ..first.clone()
                },
                Record {
                    known_on: add_days(TODAY, -10),
                    ..first.clone()
                },
            ];
            for position in order {
                store.put_records(&told[position..=position], 0).unwrap();
            }
            assert_eq!(versions(&*store, &id(number)), told, "{order:?}");
        }
    }

    pub fn revisions_and_the_log_grow_together(place: &dyn Place) {
        let store = place.open();
        assert_eq!(store.last_change().unwrap(), 0);
        let mut told = Vec::new();
        for number in 1..=3 {
            told.push(
                created(
                    &store
                        .put_enterprises(&[enterprise(number)], 0, TODAY)
                        .unwrap()[0],
                )
                .clone(),
            );
            let records = [
                serious_penalty(number, &format!("p{number}"), 30),
                serious_penalty(number, &format!("q{number}"), 20),
            ];
            // One batch changes an enterprise once, however many of its records are in it.
            let outcomes = store.put_records(&records, 0).unwrap();
            assert_eq!(created(&outcomes[0]), created(&outcomes[1]));
            told.push(created(&outcomes[0]).clone());
        }
        let change = |record: &mut Record| {
            record.repaired_on = Some(TODAY);
            Ok(())
        };
        told.push(amend(&*store, "p2", &change).unwrap().unwrap());

        assert_eq!(log(&*store), told);
        assert!(told.windows(2).all(|pair| pair[0].seq < pair[1].seq));
        assert_eq!(store.last_change().unwrap(), told.last().unwrap().seq);
        for number in 1..=3 {
            let of: Vec<u64> = told
                .iter()
                .filter(|changed| changed.enterprise_id == id(number))
                .map(|changed| changed.revision)
                .collect();
            assert!(of.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{of:?}");
            assert_eq!(revision(&*store, &id(number)), *of.last().unwrap());
        }
        let middle = told[2].seq;
        assert_eq!(store.changes_after(middle, 2).unwrap(), told[3..5]);
        assert!(
            store
                .changes_after(told.last().unwrap().seq, 10)
                .unwrap()
                .is_empty()
        );
    }

    pub fn an_amendment_is_a_version_known_from_its_day(place: &dyn Place) {
        let store = with_enterprises(place, 1);
        let first = serious_penalty(1, "p1", 30);
        store.put_records(std::slice::from_ref(&first), 0).unwrap();
        let before = revision(&*store, &id(1));

        let changed = amend(&*store, "p1", &|record| {
            record.withdrawn_on = Some(add_days(TODAY, -5));
            Ok(())
        })
        .unwrap()
        .unwrap();

        let amended = Record {
            withdrawn_on: Some(add_days(TODAY, -5)),
            known_on: TODAY,
            ..first.clone()
        };
        assert_eq!(versions(&*store, &id(1)), [first, amended]);
        assert_eq!(
            (changed.revision, changed.enterprise_id),
            (before + 1, id(1))
        );
        // A second one on the same day builds on the first.
        amend(&*store, "p1", &|record| {
            record.repaired_on = Some(TODAY);
            Ok(())
        })
        .unwrap()
        .unwrap();
        let last = versions(&*store, &id(1)).pop().unwrap();
        assert_eq!(
            (last.withdrawn_on, last.repaired_on),
            (Some(add_days(TODAY, -5)), Some(TODAY))
        );
        assert_eq!(versions(&*store, &id(1)).len(), 2);
    }

    pub fn an_amendment_that_is_refused_writes_nothing(place: &dyn Place) {
        let store = with_enterprises(place, 1);
        store
            .put_records(&[serious_penalty(1, "p1", 30)], 0)
            .unwrap();
        let (before, changes) = (dossiers(&*store), log(&*store));

        let refused = amend(&*store, "p1", &|record| {
            record.repaired_on = Some(TODAY);
            Err("no".into())
        });
        let unknown = amend(&*store, "p9", &|_| panic!("there is nothing to change"));

        assert!(matches!(refused, Err(StoreError::Aborted(reason)) if reason == "no"));
        assert!(unknown.unwrap().is_none());
        assert_eq!((dossiers(&*store), log(&*store)), (before, changes));
    }

    pub fn every_field_comes_back_as_it_went_in(place: &dyn Place) {
        let store = place.open();
        let full = Enterprise::parse(EnterpriseDraft {
            enterprise_id: "牧场-1".into(),
            name: "a \"b\" \u{1F600}".into(),
            kind: Some("product".into()),
            owner_id: Some("o".into()),
            division: Some("ward 7".into()),
            industry: Some("C1411".into()),
            established_on: Some("1949-10-01".into()),
            status: Some("revoked".into()),
            size: Some("large".into()),
            tags: vec!["特种设备".into(), "a".into()],
            attributes: [("x".to_owned(), -0.1), ("y".to_owned(), 1e300)].into(),
        })
        .unwrap();
        let bare = Enterprise::parse(EnterpriseDraft {
            enterprise_id: "b".into(),
            name: "b".into(),
            ..EnterpriseDraft::default()
        })
        .unwrap();
        store
            .put_enterprises(&[full.clone(), bare.clone(), enterprise(1)], 0, TODAY)
            .unwrap();
        let full_record = record_with(1, "r 1", "penalty", date(1969, 12, 31), |draft| {
            draft.ended_on = Some("2030-02-28".into());
            draft.severity = Some("minor".into());
            draft.amount_cny = Some(0.01);
            draft.count = Some(u32::MAX);
            draft.upheld = Some(false);
            draft.codes = vec!["b".into(), "a".into()];
            draft.item_code = Some("i".into());
            draft.party = Some("p".into());
            draft.related_id = Some("牧场-1".into());
            draft.repaired_on = Some("2028-02-29".into());
            draft.withdrawn_on = Some("2028-03-01".into());
            draft.note = Some("n".into());
        });
        let bare_record = record(1, "r2", "complaint", TODAY);
        store
            .put_records(&[full_record.clone(), bare_record.clone()], 0)
            .unwrap();

        let reopened = place.open();
        for enterprise in [full, bare] {
            assert_eq!(
                reopened
                    .enterprise(&enterprise.enterprise_id)
                    .unwrap()
                    .unwrap()
                    .0,
                enterprise
            );
        }
        assert_eq!(versions(&*reopened, &id(1)), [full_record, bare_record]);
    }

    pub fn each_dossier_has_every_enterprise_with_exactly_its_records(place: &dyn Place) {
        assert_eq!(dossiers(&*place.open()), []);
        // Who has records: none, the first, the last, a middle one, all of them.
        for having in [
            vec![],
            vec![1],
            vec![6],
            vec![3],
            vec![1, 2, 6],
            vec![1, 2, 3, 4, 5, 6],
        ] {
            let store = with_enterprises(place, 6);
            for number in having {
                for known in [30, 20] {
                    let of = serious_penalty(number, &format!("p{number}"), known);
                    let also = Record {
                        source: label("a"),
                        ..serious_penalty(number, &format!("q{number}"), known)
                    };
                    store.put_records(&[of, also], 0).unwrap();
                }
            }
            let expected: Vec<Dossier> = (1..=6)
                .map(|number| store.dossier(&id(number)).unwrap().unwrap())
                .collect();
            assert_eq!(dossiers(&*store), expected);
            let record_versions = expected
                .iter()
                .map(|dossier| dossier.versions.len() as u64)
                .sum();
            assert_eq!(
                store.counts().unwrap(),
                Counts {
                    enterprises: 6,
                    record_versions
                }
            );
            for dossier in expected {
                assert!(
                    dossier
                        .versions
                        .iter()
                        .all(|record| record.enterprise_id == dossier.enterprise.enterprise_id)
                );
                assert!(dossier.versions.is_sorted_by_key(|record| (
                    record.source.clone(),
                    record.record_id.clone(),
                    record.known_on
                )));
            }
        }
    }

    pub fn batches_of_any_size_write_the_same(place: &dyn Place) {
        let store = with_enterprises(place, 7);
        let mut expected: Vec<Vec<Record>> = vec![Vec::new(); 7];
        for size in [1, 2, 50, 51, 400] {
            let new = (0..size).map(|nth| {
                (
                    nth % 7,
                    serious_penalty(nth % 7 + 1, &format!("{size}-{nth:03}"), 30),
                )
            });
            let new: Vec<(usize, Record)> = new.collect();
            let corrected = new.iter().map(|(of, record)| {
                let known_on = add_days(TODAY, -5);
                (
                    *of,
                    Record {
                        known_on,
                        severity: None,
                        ..record.clone()
                    },
                )
            });
            let corrected: Vec<(usize, Record)> = corrected.collect();
            for (batch, is_new) in [(&new, true), (&corrected, false)] {
                let rows: Vec<Record> = batch.iter().map(|(_, record)| record.clone()).collect();
                for outcome in store.put_records(&rows, 0).unwrap() {
                    if is_new {
                        created(&outcome)
                    } else {
                        updated(&outcome)
                    };
                }
                for (of, record) in batch {
                    expected[*of].push(record.clone());
                }
            }
        }
        for versions in &mut expected {
            versions.sort_by(|a, b| (&a.record_id, a.known_on).cmp(&(&b.record_id, b.known_on)));
        }
        let found: Vec<Vec<Record>> = dossiers(&*store)
            .into_iter()
            .map(|of| of.versions)
            .collect();
        assert_eq!(found, expected);
    }

    pub fn pages_of_enterprises_miss_none(place: &dyn Place) {
        let store = with_enterprises(place, 7);
        for size in [1, 2, 7, 8] {
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let page = store.enterprises_after(after.as_deref(), size).unwrap();
                assert!(page.len() <= size);
                let Some((last, _)) = page.last() else { break };
                after = Some(last.enterprise_id.to_string());
                seen.extend(
                    page.into_iter()
                        .map(|(enterprise, _)| enterprise.enterprise_id),
                );
            }
            assert_eq!(seen, (1..=7).map(id).collect::<Vec<_>>());
        }
    }

    pub fn a_reader_sees_one_instant_during_writes(place: &dyn Place) {
        let store = with_enterprises(place, 8);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writer = store.clone();
            let done = &done;
            scope.spawn(move || {
                for round in 0..40 {
                    // One transaction gives each of the eight one record.
                    let batch: Vec<Record> = (1..=8)
                        .map(|number| serious_penalty(number, &format!("{number}-{round}"), 30))
                        .collect();
                    writer.put_records(&batch, 0).unwrap();
                }
                done.store(true, Ordering::SeqCst);
            });
            let mut instants = 0;
            while !done.load(Ordering::SeqCst) {
                let sizes: Vec<usize> = walked(&*store)
                    .iter()
                    .map(|dossier| dossier.versions.len())
                    .collect();
                assert!(sizes.iter().all(|size| *size == sizes[0]), "{sizes:?}");
                let counts = store.counts().unwrap();
                assert_eq!(counts.record_versions % 8, 0);
                instants += 1;
            }
            assert!(instants > 0);
        });
        assert_eq!(store.counts().unwrap().record_versions, 8 * 40);
    }

    pub fn reopening_keeps_everything(place: &dyn Place) {
        let store = with_enterprises(place, 3);
        store
            .put_records(&[serious_penalty(1, "p1", 30)], 0)
            .unwrap();
        let import = store.begin_import().unwrap();
        let before = (store.store_id().unwrap(), dossiers(&*store), log(&*store));
        drop(store);

        let store = place.open();

        assert_eq!(
            (store.store_id().unwrap(), dossiers(&*store), log(&*store)),
            before
        );
        assert_eq!(store.store_id().unwrap().len(), 32);
        assert!(store.begin_import().unwrap() > import);
        store.ping().unwrap();
    }
}
