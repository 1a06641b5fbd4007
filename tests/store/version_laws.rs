//! Earlier versions of enterprises.

crate::hold!(version_laws:
    what_an_enterprise_was_is_kept_until_the_day_it_changed,
    of_several_changes_on_one_day_the_first_superseded_counts,
    a_clock_that_was_set_back_leaves_the_past_alone,
    an_enterprise_that_says_nothing_new_gets_no_version,
    a_repeated_row_is_told_from_a_correction_only_within_its_import,
);

pub mod laws {
    use jiff::civil::Date;
    use risktier::domain::Enterprise;
    use risktier::domain::dates::add_days;
    use risktier::store::{Dossier, Outcome, Refusal, Store};

    use crate::register::{TODAY, enterprise, id, serious_penalty};
    use crate::{Place, dossiers, refusal, updated};

    fn named(number: usize, name: &str) -> Enterprise {
        Enterprise {
            name: name.into(),
            ..enterprise(number)
        }
    }

    fn put(store: &dyn Store, name: &str, day: i32) {
        store
            .put_enterprises(&[named(1, name)], 0, add_days(TODAY, day))
            .unwrap();
    }

    fn names(dossier: &Dossier, days: impl IntoIterator<Item = i32>) -> Vec<&str> {
        let on = |day: i32| dossier.enterprise_on(add_days(TODAY, day)).name.as_str();
        days.into_iter().map(on).collect()
    }

    fn earlier(dossier: &Dossier) -> Vec<(Date, &str)> {
        let of = |(until_on, enterprise): &(Date, Enterprise)| {
            assert_eq!(enterprise.enterprise_id, id(1));
            *until_on
        };
        let names = dossier.earlier.iter().map(|(_, of)| of.name.as_str());
        dossier.earlier.iter().map(of).zip(names).collect()
    }

    pub fn what_an_enterprise_was_is_kept_until_the_day_it_changed(place: &dyn Place) {
        let store = place.open();
        store
            .put_enterprises(&[enterprise(2), enterprise(3)], 0, TODAY)
            .unwrap();
        for (name, day) in [("a", 0), ("b", 10), ("c", 20)] {
            put(&*store, name, day);
        }
        store
            .put_records(
                &[serious_penalty(1, "p", 30), serious_penalty(2, "q", 30)],
                0,
            )
            .unwrap();

        let dossier = place.open().dossier(&id(1)).unwrap().unwrap();

        assert_eq!(
            names(&dossier, [-100, 0, 9, 10, 19, 20, 100]),
            ["a", "a", "a", "b", "b", "c", "c"]
        );
        let days = [(add_days(TODAY, 10), "a"), (add_days(TODAY, 20), "b")];
        assert_eq!(earlier(&dossier), days);
        let all = dossiers(&*store);
        assert_eq!(all[0], dossier);
        assert!(all[1].earlier.is_empty() && all[2].earlier.is_empty());
    }

    pub fn of_several_changes_on_one_day_the_first_superseded_counts(place: &dyn Place) {
        let store = place.open();
        for (name, day) in [("a", 0), ("b", 10), ("c", 10), ("d", 10), ("e", 11)] {
            put(&*store, name, day);
        }
        let dossier = store.dossier(&id(1)).unwrap().unwrap();
        assert_eq!(names(&dossier, [9, 10, 11]), ["a", "d", "e"]);
        assert_eq!(dossier.earlier.len(), 2);
    }

    pub fn a_clock_that_was_set_back_leaves_the_past_alone(place: &dyn Place) {
        let store = place.open();
        for (name, day) in [("a", 0), ("b", 10), ("c", 5), ("d", 12)] {
            put(&*store, name, day);
        }
        let dossier = store.dossier(&id(1)).unwrap().unwrap();
        assert_eq!(
            names(&dossier, [4, 9, 10, 11, 12]),
            ["a", "a", "c", "c", "d"]
        );
    }

    pub fn an_enterprise_that_says_nothing_new_gets_no_version(place: &dyn Place) {
        let store = place.open();
        let import = store.begin_import().unwrap();
        let both = [enterprise(1), enterprise(1)];
        store.put_enterprises(&both, import, TODAY).unwrap();
        let again = store.put_enterprises(&both, 0, add_days(TODAY, 5)).unwrap();
        assert_eq!(again, [Outcome::Unchanged, Outcome::Unchanged]);
        let dossier = store.dossier(&id(1)).unwrap().unwrap();
        assert_eq!((dossier.earlier.len(), dossier.revision), (0, 1));
    }

    pub fn a_repeated_row_is_told_from_a_correction_only_within_its_import(place: &dyn Place) {
        let store = place.open();
        put(&*store, "a", 0);
        let import = store.begin_import().unwrap();
        let batch = |name: &str| {
            store
                .put_enterprises(&[named(1, name)], import, TODAY)
                .unwrap()
        };
        // The first says nothing new and is not written, and yet it stood in this import.
        assert_eq!(batch("a"), [Outcome::Unchanged]);
        assert_eq!(refusal(&batch("b")[0]), &Refusal::DuplicateInImport);
        store.end_import(import);
        let next = store.begin_import().unwrap();
        updated(
            &store
                .put_enterprises(&[named(1, "b")], next, TODAY)
                .unwrap()[0],
        );
    }
}
