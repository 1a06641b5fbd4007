//! How far imports have come, and transactions over many batches.

crate::hold!(import_run_laws:
    what_is_not_kept_leaves_nothing_behind,
    a_transaction_of_many_batches_is_kept_as_one,
    a_long_transaction_logs_each_change_once_and_without_a_gap,
    an_import_is_found_again_by_its_file,
    of_two_who_work_on_an_import_only_the_later_goes_on,
    faults_keep_their_order,
    imports_are_listed_from_the_last_to_the_first,
);

pub mod laws {
    use risktier::domain::Record;
    use risktier::store::{ImportNote, ImportRow, Outcome, Store, StoreError};

    use crate::register::{TODAY, enterprise, id, serious_penalty};
    use crate::{Place, log, versions};

    /// Begins an import that `me` works on.
    fn begin(store: &dyn Store, import_id: &str, identity: &str) -> i64 {
        let mut import_no = 0;
        store
            .in_one_transaction(&mut |writer| {
                import_no = writer.begin_import(import_id, identity, "me", "{}")?;
                Ok(true)
            })
            .unwrap();
        import_no
    }

    fn note(
        store: &dyn Store,
        import_no: i64,
        holder: &str,
        rows_done: u64,
        faults: &[&str],
    ) -> bool {
        let faults: Vec<String> = faults.iter().map(|fault| (*fault).to_owned()).collect();
        let mut noted = false;
        store
            .in_one_transaction(&mut |writer| {
                noted = writer.note_import(&ImportNote {
                    import_no,
                    holder,
                    rows_done,
                    document: &format!("{{\"rows\":{rows_done}}}"),
                    faults: &faults,
                })?;
                Ok(true)
            })
            .unwrap();
        noted
    }

    pub fn a_long_transaction_logs_each_change_once_and_without_a_gap(place: &dyn Place) {
        let store = place.open();
        store.put_enterprises(&[enterprise(1)], 0, TODAY).unwrap();
        for is_kept in [false, true] {
            store
                .in_one_long_transaction(&mut |writer| {
                    let import_no = writer.begin_import("long", "file", "me", "{}")?;
                    writer.put_enterprises(&[enterprise(2), enterprise(3)], import_no, TODAY)?;
                    for nth in ["a", "b"] {
                        writer.put_records(&[serious_penalty(2, nth, 30)], import_no)?;
                    }
                    Ok(is_kept)
                })
                .unwrap();
        }
        store.put_enterprises(&[enterprise(4)], 0, TODAY).unwrap();

        let log = log(&*store);
        assert!(log.iter().map(|change| change.seq).eq(1..=log.len() as u64));
        let last = log
            .iter()
            .map(|change| (&change.enterprise_id, change.revision));
        let last: std::collections::BTreeMap<_, _> = last.collect();
        for number in 1..=4 {
            let (_, revision) = store.enterprise(&id(number)).unwrap().unwrap();
            assert_eq!(last.get(&id(number)), Some(&revision), "{number}");
        }
        assert_eq!(versions(&*store, &id(2)).len(), 2);
    }

    pub fn what_is_not_kept_leaves_nothing_behind(place: &dyn Place) {
        let store = place.open();
        store
            .in_one_transaction(&mut |writer| {
                let import_no = writer.begin_import("i1", "file", "me", "{}")?;
                writer.put_enterprises(&[enterprise(1)], import_no, TODAY)?;
                writer.put_records(&[serious_penalty(1, "p1", 30)], import_no)?;
                Ok(false)
            })
            .unwrap();
        let failed = store.in_one_transaction(&mut |writer| {
            writer.put_enterprises(&[enterprise(2)], 0, TODAY)?;
            Err(StoreError::Aborted("enough".to_owned()))
        });

        assert!(matches!(failed, Err(StoreError::Aborted(_))));
        let counts = store.counts().unwrap();
        assert_eq!((counts.enterprises, counts.record_versions), (0, 0));
        assert_eq!(store.import("i1").unwrap(), None);
        assert!(log(&*store).is_empty());
    }

    pub fn a_transaction_of_many_batches_is_kept_as_one(place: &dyn Place) {
        let store = place.open();
        store
            .in_one_transaction(&mut |writer| {
                let import_no = writer.begin_import("i1", "file", "me", "{}")?;
                for number in 1..=3 {
                    writer.put_enterprises(&[enterprise(number)], import_no, TODAY)?;
                    let record = serious_penalty(number, &format!("p{number}"), 30);
                    let outcomes = writer.put_records(&[record], import_no)?;
                    assert!(matches!(outcomes[0], Outcome::Created(_)));
                }
                // A repeated id with other content is found across batches.
                let other = Record {
                    amount_fen: Some(7),
                    ..serious_penalty(1, "p1", 30)
                };
                let outcomes = writer.put_records(&[other], import_no)?;
                assert!(matches!(outcomes[0], Outcome::Refused(_)));
                Ok(true)
            })
            .unwrap();
        assert_eq!(store.counts().unwrap().enterprises, 3);
        assert_eq!(versions(&*store, &id(1)).len(), 1);
        let seqs: Vec<u64> = log(&*store).iter().map(|changed| changed.seq).collect();
        assert_eq!(seqs, [1, 2, 3, 4, 5, 6]);
    }

    pub fn an_import_is_found_again_by_its_file(place: &dyn Place) {
        let store = place.open();
        let first = begin(&*store, "i1", "file a");
        begin(&*store, "i2", "file b");
        let last = begin(&*store, "i3", "file a");
        assert!(note(&*store, last, "me", 5_000, &[]));
        drop(store);

        let store = place.open();
        let found = store.last_import_of("file a").unwrap().unwrap();
        assert_eq!(
            found,
            ImportRow {
                import_no: last,
                import_id: "i3".to_owned(),
                identity: "file a".to_owned(),
                rows_done: 5_000,
                document: "{\"rows\":5000}".to_owned(),
            }
        );
        assert_eq!(store.import("i1").unwrap().unwrap().import_no, first);
        assert_eq!(store.last_import_of("file c").unwrap(), None);
        assert_eq!(store.import("i9").unwrap(), None);
        assert_eq!(store.import("\0").unwrap(), None);
    }

    pub fn of_two_who_work_on_an_import_only_the_later_goes_on(place: &dyn Place) {
        let store = place.open();
        let import_no = begin(&*store, "i1", "file");
        assert!(note(&*store, import_no, "me", 10, &[]));
        let mut taken = None;
        store
            .in_one_transaction(&mut |writer| {
                taken = writer.take_import(import_no, "other")?;
                Ok(true)
            })
            .unwrap();

        assert_eq!(taken.unwrap().rows_done, 10);
        assert!(!note(&*store, import_no, "me", 20, &["mine"]));
        assert!(note(&*store, import_no, "other", 30, &[]));
        assert_eq!(store.import("i1").unwrap().unwrap().rows_done, 30);
        assert!(store.import_faults(import_no, 0, 10).unwrap().is_empty());
    }

    pub fn faults_keep_their_order(place: &dyn Place) {
        let store = place.open();
        let import_no = begin(&*store, "i1", "file");
        let other = begin(&*store, "i2", "file");
        assert!(note(&*store, import_no, "me", 1, &["a", "b"]));
        assert!(note(&*store, other, "me", 1, &["x"]));
        assert!(note(&*store, import_no, "me", 2, &["c"]));
        assert_eq!(
            store.import_faults(import_no, 0, 9).unwrap(),
            ["a", "b", "c"]
        );
        assert_eq!(store.import_faults(import_no, 1, 1).unwrap(), ["b"]);
        assert_eq!(store.import_faults(other, 0, 9).unwrap(), ["x"]);
    }

    pub fn imports_are_listed_from_the_last_to_the_first(place: &dyn Place) {
        let store = place.open();
        let numbers: Vec<i64> = (0..4)
            .map(|number| begin(&*store, &format!("i{number}"), "file"))
            .collect();
        let listed = |before, limit| -> Vec<i64> {
            let rows = store.imports_before(before, limit).unwrap();
            rows.iter().map(|row| row.import_no).collect()
        };
        assert_eq!(listed(None, 3), [numbers[3], numbers[2], numbers[1]]);
        assert_eq!(listed(Some(numbers[1]), 3), [numbers[0]]);
    }
}
