//! Shortening the log of changes.

crate::hold!(log_laws:
    old_entries_go_in_steps_and_numbers_go_on_behind_the_last,
    a_follower_that_missed_removed_entries_is_told,
);

pub mod laws {
    use risktier::store::StoreError;

    use crate::register::{TODAY, enterprise, serious_penalty};
    use crate::{Place, created, with_enterprises};

    pub fn old_entries_go_in_steps_and_numbers_go_on_behind_the_last(place: &dyn Place) {
        let store = with_enterprises(place, 10);
        assert_eq!(store.shorten_log(20, 5).unwrap(), 0);
        assert_eq!(store.shorten_log(3, 5).unwrap(), 5);
        assert_eq!(store.shorten_log(3, 5).unwrap(), 2);
        assert_eq!(store.shorten_log(3, 5).unwrap(), 0);
        // The last one stays whatever is asked for.
        assert_eq!(store.shorten_log(0, 100).unwrap(), 2);
        drop(store);

        let store = place.open();
        assert_eq!(store.last_change().unwrap(), 10);
        let next = store.put_enterprises(&[enterprise(11)], 0, TODAY).unwrap();
        assert_eq!(created(&next[0]).seq, 11);
        assert_eq!(store.changes_after(9, 10).unwrap().len(), 2);
    }

    pub fn a_follower_that_missed_removed_entries_is_told(place: &dyn Place) {
        let store = with_enterprises(place, 4);
        store.shorten_log(2, 100).unwrap();
        for place in [0, 1] {
            let told = store.changes_after(place, 10);
            assert!(
                matches!(told, Err(StoreError::LogShortened { after, first: 3 }) if after == place)
            );
        }
        assert_eq!(store.changes_after(2, 10).unwrap().len(), 2);
        assert!(store.changes_after(4, 10).unwrap().is_empty());
        store
            .put_records(&[serious_penalty(1, "p", 30)], 0)
            .unwrap();
        assert_eq!(store.changes_after(4, 10).unwrap().len(), 1);
        assert_eq!(place.open().shorten_log(1, 1).unwrap(), 1);
    }
}
