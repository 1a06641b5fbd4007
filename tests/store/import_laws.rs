//! What goes in, what is refused, and what an import may not change.

crate::hold!(import_laws:
    importing_again_changes_nothing,
    importing_again_does_not_undo_a_repair,
    a_second_content_for_an_id_within_one_import_is_refused,
    a_second_content_is_refused_in_a_later_batch_of_the_import,
    a_file_with_a_repeated_id_says_the_same_when_it_is_imported_again,
    an_import_that_is_taken_up_again_knows_what_stood_before_the_break,
    several_versions_of_a_record_fit_into_one_import,
    all_or_none_leaves_nothing_behind,
    a_record_does_not_move_to_another_enterprise,
    ids_are_unique_within_a_source_only,
);

pub mod laws {
    use risktier::domain::dates::add_days;
    use risktier::domain::{Enterprise, Record};
    use risktier::store::{Outcome, Refusal};

    use crate::register::{TODAY, enterprise, id, label, serious_penalty};
    use crate::{
        Place, amend, created, dossiers, log, refusal, updated, versions, with_enterprises,
    };

    pub fn importing_again_changes_nothing(place: &dyn Place) {
        let store = place.open();
        let enterprises = [enterprise(1), enterprise(2)];
        let records = [serious_penalty(1, "p1", 30), serious_penalty(2, "p2", 20)];
        let first = store.begin_import().unwrap();
        store.put_enterprises(&enterprises, first, TODAY).unwrap();
        store.put_records(&records, first).unwrap();
        let (before, changes) = (dossiers(&*store), log(&*store));

        let again = store.begin_import().unwrap();
        let outcomes = [
            store.put_enterprises(&enterprises, again, TODAY).unwrap(),
            store.put_records(&records, again).unwrap(),
        ];

        assert!(again > first);
        assert_eq!(outcomes.concat(), vec![Outcome::Unchanged; 4]);
        assert_eq!((dossiers(&*store), log(&*store)), (before, changes));
    }

    pub fn an_import_that_is_taken_up_again_knows_what_stood_before_the_break(place: &dyn Place) {
        let store = with_enterprises(place, 2);
        let row = serious_penalty(1, "p1", 30);
        store.put_records(std::slice::from_ref(&row), 0).unwrap();
        let import = store.begin_import().unwrap();
        let stood = [row.clone(), serious_penalty(2, "p1", 30)];
        let outcomes = store.put_records(&stood, import).unwrap();
        assert_eq!(outcomes[0], Outcome::Unchanged);
        assert_eq!(refusal(&outcomes[1]), &Refusal::OtherEnterprise(id(1)));
        store
            .put_enterprises(&[enterprise(1)], import, TODAY)
            .unwrap();
        // The process ends; another takes the import up and reads past these rows.
        store.end_import(import);
        store.recall_records(&stood, import);
        store.recall_enterprises(&[enterprise(1)], import);

        let other = Record {
            amount_fen: Some(5),
            ..row
        };
        let outcomes = store.put_records(std::slice::from_ref(&other), import);
        assert_eq!(refusal(&outcomes.unwrap()[0]), &Refusal::DuplicateInImport);
        let renamed = Enterprise {
            name: "另一家".into(),
            ..enterprise(1)
        };
        let outcomes = store.put_enterprises(std::slice::from_ref(&renamed), import, TODAY);
        assert_eq!(refusal(&outcomes.unwrap()[0]), &Refusal::DuplicateInImport);
        // A later import corrects both.
        store.end_import(import);
        let later = store.begin_import().unwrap();
        updated(&store.put_records(&[other], later).unwrap()[0]);
        updated(&store.put_enterprises(&[renamed], later, TODAY).unwrap()[0]);
    }

    pub fn importing_again_does_not_undo_a_repair(place: &dyn Place) {
        let store = with_enterprises(place, 1);
        let first = serious_penalty(1, "p1", 30);
        store.put_records(std::slice::from_ref(&first), 0).unwrap();
        amend(&*store, "p1", &|record| {
            record.repaired_on = Some(TODAY);
            Ok(())
        })
        .unwrap()
        .unwrap();

        // The source repeats its row on a later day, then corrects it; both times it is silent about the repair.
        let repeated = Record {
            known_on: add_days(TODAY, 1),
            ..first.clone()
        };
        let corrected = Record {
            known_on: add_days(TODAY, 2),
            amount_fen: Some(7),
            ..first
        };
        let again = store.put_records(&[repeated], 0).unwrap();
        store.put_records(&[corrected], 0).unwrap();

        assert_eq!(again, [Outcome::Unchanged]);
        let last = versions(&*store, &id(1)).pop().unwrap();
        assert_eq!((last.amount_fen, last.repaired_on), (Some(7), Some(TODAY)));
    }

    pub fn a_second_content_for_an_id_within_one_import_is_refused(place: &dyn Place) {
        let store = with_enterprises(place, 1);
        let import = store.begin_import().unwrap();
        let first = serious_penalty(1, "p1", 30);
        let other = Record {
            amount_fen: Some(9),
            ..first.clone()
        };
        let renamed = Enterprise {
            name: "another".into(),
            ..enterprise(3)
        };

        let records = store
            .put_records(&[first.clone(), other, first.clone()], import)
            .unwrap();
        let enterprises = store
            .put_enterprises(&[enterprise(3), renamed, enterprise(3)], import, TODAY)
            .unwrap();

        for outcomes in [records, enterprises] {
            created(&outcomes[0]);
            assert_eq!(refusal(&outcomes[1]), &Refusal::DuplicateInImport);
            assert_eq!(outcomes[2], Outcome::Unchanged);
        }
        assert_eq!(versions(&*store, &id(1)), [first]);
        assert_eq!(store.enterprise(&id(3)).unwrap().unwrap().0, enterprise(3));
    }

    pub fn a_second_content_is_refused_in_a_later_batch_of_the_import(place: &dyn Place) {
        let store = with_enterprises(place, 1);
        let import = store.begin_import().unwrap();
        let first = serious_penalty(1, "p1", 30);
        let other = Record {
            amount_fen: Some(9),
            ..first.clone()
        };
        store.put_records(&[first], import).unwrap();

        assert_eq!(
            refusal(
                &store
                    .put_records(std::slice::from_ref(&other), import)
                    .unwrap()[0]
            ),
            &Refusal::DuplicateInImport
        );

        // A later import may correct it.
        let next = store.begin_import().unwrap();
        updated(&store.put_records(&[other], next).unwrap()[0]);
    }

    pub fn a_file_with_a_repeated_id_says_the_same_when_it_is_imported_again(place: &dyn Place) {
        let store = with_enterprises(place, 1);
        let known = |record: Record, days: i32| Record {
            known_on: add_days(TODAY, days),
            ..record
        };
        let first = serious_penalty(1, "p1", 30);
        let other = Record {
            amount_fen: Some(9),
            ..first.clone()
        };
        let renamed = Enterprise {
            name: "another".into(),
            ..enterprise(3)
        };
        // Rows that do not say when they became known are known from each day of import anew.
        for (day, known_anew) in [(0, false), (1, false), (2, true), (3, true)] {
            let import = store.begin_import().unwrap();
            let day = if known_anew { day } else { 0 };
            let rows = [known(first.clone(), day), known(other.clone(), day)];
            // In two batches, as a long file comes.
            store.put_records(&rows[..1], import).unwrap();
            let outcomes = store.put_records(&rows[1..], import).unwrap();
            store
                .put_enterprises(&[enterprise(3)], import, TODAY)
                .unwrap();
            let renamed = store
                .put_enterprises(std::slice::from_ref(&renamed), import, TODAY)
                .unwrap();

            assert_eq!(refusal(&outcomes[0]), &Refusal::DuplicateInImport);
            assert_eq!(refusal(&renamed[0]), &Refusal::DuplicateInImport);
            assert_eq!(versions(&*store, &id(1)), [known(first.clone(), 0)]);
            assert_eq!(store.enterprise(&id(3)).unwrap().unwrap().0, enterprise(3));
        }
    }

    pub fn several_versions_of_a_record_fit_into_one_import(place: &dyn Place) {
        let store = with_enterprises(place, 1);
        let first = serious_penalty(1, "p1", 30);
        let second = Record {
            amount_fen: Some(9),
            known_on: add_days(TODAY, -20),
            ..first.clone()
        };
        for again in [false, true] {
            let import = store.begin_import().unwrap();
            let outcomes = store
                .put_records(&[first.clone(), second.clone()], import)
                .unwrap();
            assert_eq!(
                outcomes
                    .iter()
                    .all(|outcome| *outcome == Outcome::Unchanged),
                again,
                "{outcomes:?}"
            );
        }
        assert_eq!(versions(&*store, &id(1)), [first, second]);
    }

    pub fn all_or_none_leaves_nothing_behind(place: &dyn Place) {
        let store = with_enterprises(place, 2);
        let taken = serious_penalty(2, "p3", 30);
        store.put_records(std::slice::from_ref(&taken), 0).unwrap();
        let (before, changes) = (dossiers(&*store), log(&*store));
        let good = [serious_penalty(1, "p1", 30), serious_penalty(2, "p2", 30)];
        let batch = [
            good[0].clone(),
            Record {
                enterprise_id: id(1),
                ..taken.clone()
            },
            good[1].clone(),
        ];

        let outcomes = store.put_records_or_none(&batch).unwrap();

        assert_eq!(outcomes.len(), 2);
        assert_eq!(refusal(&outcomes[1]), &Refusal::OtherEnterprise(id(2)));
        assert_eq!((dossiers(&*store), log(&*store)), (before, changes));
        // Not even the owner of an id.
        let moved = Record {
            enterprise_id: id(2),
            ..good[0].clone()
        };
        created(&store.put_records_or_none(&[moved]).unwrap()[0]);
    }

    pub fn a_record_does_not_move_to_another_enterprise(place: &dyn Place) {
        let store = with_enterprises(place, 2);
        let first = serious_penalty(1, "p1", 30);
        store.put_records(std::slice::from_ref(&first), 0).unwrap();
        let moved = Record {
            enterprise_id: id(2),
            known_on: TODAY,
            ..first.clone()
        };
        let changes = log(&*store);

        let outcomes = store.put_records(&[moved], 0).unwrap();

        assert_eq!(refusal(&outcomes[0]), &Refusal::OtherEnterprise(id(1)));
        assert_eq!(
            (versions(&*store, &id(1)), versions(&*store, &id(2))),
            (vec![first], vec![])
        );
        assert_eq!(log(&*store), changes);
    }

    pub fn ids_are_unique_within_a_source_only(place: &dyn Place) {
        let store = with_enterprises(place, 2);
        let court = serious_penalty(1, "7", 30);
        let hotline = Record {
            source: label("12315"),
            enterprise_id: id(2),
            ..court.clone()
        };
        let outcomes = store.put_records(&[court, hotline], 0).unwrap();
        outcomes
            .iter()
            .for_each(|outcome| assert!(created(outcome).seq > 0));
    }
}
