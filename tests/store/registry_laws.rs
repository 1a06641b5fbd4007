//! Policies, files that come into force beside a run, and tables that wait for a training.

pub mod laws {
    use risktier::domain::dates::add_days;
    use risktier::store::{
        CarriedRun, JobKind, NewInForce, NewPolicy, NewPolicyChange, NewRun, NewTask, PolicyDeed,
        RunCause, TrainingTable,
    };

    use crate::Place;
    use crate::register::TODAY;
    use crate::tier_laws::laws::{EPOCH, in_force};

    fn policy(name: &str, version: u32) -> NewPolicy {
        NewPolicy {
            policy_id: format!("digest of {name}/{version}"),
            name: name.into(),
            version,
            body: format!("{name} {version}").into_bytes(),
        }
    }

    fn run(run_id: &str, files_id: &str) -> NewRun {
        NewRun {
            run_id: run_id.into(),
            cause: RunCause::Demand,
            files_id: files_id.into(),
            as_of: TODAY,
        }
    }

    pub fn policies_are_kept_once_and_listed_latest_first(place: &dyn Place) {
        let store = place.open();
        let (first, second) = (policy("p", 1), policy("p", 2));
        let (row, is_new) = store
            .put_policy(&first, Some("analyst"), Some("why"))
            .unwrap();
        assert_eq!((row.policy_no, is_new, row.is_in_force), (1, true, false));
        let (again, is_new) = store.put_policy(&first, Some("other"), None).unwrap();
        assert_eq!((&again, is_new), (&row, false));
        store.put_policy(&second, None, None).unwrap();

        let store = place.open();
        assert_eq!(store.policy(&first.policy_id).unwrap(), Some(row));
        assert_eq!(store.policy("none").unwrap(), None);
        assert_eq!(store.policy("nul\0l").unwrap(), None);
        assert_eq!(
            store.model_file(&first.policy_id).unwrap(),
            Some(first.body.clone())
        );
        let numbers = |before, limit| -> Vec<u64> {
            let rows = store.policies_before(before, limit).unwrap();
            rows.iter().map(|row| row.policy_no).collect()
        };
        assert_eq!(numbers(None, 9), [2, 1]);
        assert_eq!(numbers(None, 1), [2]);
        assert_eq!(numbers(Some(2), 9), [1]);

        let asked = NewPolicyChange {
            policy_id: second.policy_id.clone(),
            what: PolicyDeed::ActivationAsked,
            by: Some("head".into()),
            reason: Some("minutes".into()),
            run_id: Some("run-1".into()),
        };
        store.note_policy_change(&asked).unwrap();
        let of_second = store
            .policy_changes(Some(&second.policy_id), None, 9)
            .unwrap();
        assert_eq!(of_second.len(), 2);
        assert_eq!((of_second[0].seq, &of_second[0].change), (3, &asked));
        assert_eq!(of_second[1].change.what, PolicyDeed::Registered);
        assert_eq!(store.policy_changes(None, Some(3), 9).unwrap().len(), 2);
        assert_eq!(store.policy_changes(Some("nul\0l"), None, 9).unwrap(), []);
    }

    pub fn the_policy_of_the_set_in_force_is_in_force(place: &dyn Place) {
        let store = place.open();
        let first = policy("p", 1);
        store.put_policy(&first, None, None).unwrap();
        let file = risktier::store::ModelFile {
            role: "policy".into(),
            digest: first.policy_id.clone(),
            body: first.body.clone(),
        };
        store.put_model_set("files", &[file]).unwrap();
        let is_in_force = || store.policy(&first.policy_id).unwrap().unwrap().is_in_force;
        assert!(!is_in_force());
        let entry = NewInForce {
            files_id: "files".into(),
            ..in_force(EPOCH)
        };
        store.put_in_force(None, &entry, None).unwrap().unwrap();
        assert!(is_in_force());
        let other = NewInForce {
            files_id: "others".into(),
            ..entry
        };
        store.put_in_force(Some(1), &other, None).unwrap().unwrap();
        assert!(!is_in_force());
    }

    pub fn files_that_come_into_force_carry_the_active_run_along(place: &dyn Place) {
        let store = place.open();
        let entry = |files_id: &str| NewInForce {
            files_id: files_id.into(),
            from_on: add_days(TODAY, 0),
            ..in_force(EPOCH)
        };
        store
            .put_in_force(None, &entry("one"), None)
            .unwrap()
            .unwrap();
        let files_of = |run_id: &str| store.run(run_id).unwrap().unwrap().files_id;

        // A run of the very files goes on with the new ones.
        store.request_run(&run("plain", "one")).unwrap();
        store
            .put_in_force(Some(1), &entry("two"), None)
            .unwrap()
            .unwrap();
        assert_eq!(files_of("plain"), "two");

        // One of others stands in the way, unless it is said with which files it goes on.
        store.request_run(&run("others", "three")).unwrap();
        assert_eq!(
            store.put_in_force(Some(2), &entry("four"), None).unwrap(),
            None
        );
        let wrong = |run_id: &str, from: &str| CarriedRun {
            run_id: run_id.into(),
            from_files: from.into(),
            to_files: "five".into(),
        };
        for carried in [wrong("plain", "three"), wrong("others", "two")] {
            let put = store.put_in_force(Some(2), &entry("four"), Some(&carried));
            assert_eq!(put.unwrap(), None);
        }
        assert_eq!(files_of("others"), "three");
        assert_eq!(store.in_force().unwrap().unwrap().files_id, "two");
        let right = wrong("others", "three");
        let put = store.put_in_force(Some(2), &entry("four"), Some(&right));
        assert_eq!(put.unwrap().unwrap().number, 3);
        assert_eq!(files_of("others"), "five");
        assert_eq!(
            files_of("plain"),
            "two",
            "a run that has ended stays as it was"
        );
    }

    pub fn tables_are_kept_up_to_a_number_and_while_a_job_waits_for_them(place: &dyn Place) {
        let store = place.open();
        let table = |name: &str| TrainingTable {
            table_id: format!("{name:0>64}"),
            format: "csv".into(),
            body: vec![0, 255, 7],
        };
        let (one, other) = (table("1"), table("2"));
        assert_eq!(store.put_training_table(&one, 2).unwrap(), Some(true));
        assert_eq!(store.put_training_table(&one, 2).unwrap(), Some(false));
        assert_eq!(store.put_training_table(&other, 2).unwrap(), Some(true));
        assert_eq!(store.put_training_table(&table("3"), 2).unwrap(), None);
        assert_eq!(store.put_training_table(&one, 2).unwrap(), Some(false));

        let store = place.open();
        assert_eq!(
            store.training_table(&one.table_id).unwrap(),
            Some(one.clone())
        );
        assert_eq!(store.training_table("none").unwrap(), None);
        assert_eq!(store.training_table("nul\0l").unwrap(), None);
        assert_eq!(store.forget_training_tables(60_000).unwrap(), 0);

        let task = NewTask {
            run_id: "job".into(),
            kind: JobKind::Train,
            files_id: "files".into(),
            as_of: TODAY,
            request: format!("{{\"table_id\":\"{}\"}}", one.table_id),
        };
        store.request_task(&task).unwrap();
        assert_eq!(store.forget_training_tables(-60_000).unwrap(), 1);
        assert_eq!(store.training_table(&other.table_id).unwrap(), None);
        assert_eq!(
            store.training_table(&one.table_id).unwrap(),
            Some(one.clone())
        );
        store.cancel_run("job").unwrap();
        assert_eq!(store.forget_training_tables(-60_000).unwrap(), 1);
        assert_eq!(store.training_table(&one.table_id).unwrap(), None);
    }
}

crate::hold!(
    registry_laws: policies_are_kept_once_and_listed_latest_first,
    the_policy_of_the_set_in_force_is_in_force,
    files_that_come_into_force_carry_the_active_run_along,
    tables_are_kept_up_to_a_number_and_while_a_job_waits_for_them,
);
