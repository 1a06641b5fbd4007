//! Computed tiers as the store keeps them.

crate::hold!(tier_laws:
    an_enterprise_without_a_tier_has_a_revision,
    a_tier_never_goes_back_to_an_older_revision,
    a_tier_of_another_epoch_is_told_as_such,
    a_kept_tier_is_no_change,
);

pub mod laws {
    use risktier::domain::{Epoch, Tier};
    use risktier::store::{Store, StoredTier, TierRow};

    use crate::Place;
    use crate::register::{TODAY, enterprise, id, serious_penalty};

    fn epoch(text: &str) -> Epoch {
        text.parse().unwrap()
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

    fn stored(store: &dyn Store) -> Option<(Epoch, StoredTier)> {
        store.tier(&id(1)).unwrap().unwrap().stored
    }

    pub fn an_enterprise_without_a_tier_has_a_revision(place: &dyn Place) {
        let store = place.open();
        store.put_enterprises(&[enterprise(1)], 0, TODAY).unwrap();
        assert_eq!(
            store.tier(&id(1)).unwrap(),
            Some(TierRow {
                revision: 1,
                stored: None
            })
        );
        assert_eq!(store.tier(&id(2)).unwrap(), None);
    }

    pub fn a_tier_never_goes_back_to_an_older_revision(place: &dyn Place) {
        let store = place.open();
        let epoch = epoch("0123456789abcdef");
        store
            .put_enterprises(&[enterprise(1), enterprise(2)], 0, TODAY)
            .unwrap();
        store
            .put_records(&[serious_penalty(1, "p1", 30)], 0)
            .unwrap();
        store
            .put_tiers(&epoch, &[(id(1), tier(2, Tier::C))])
            .unwrap();

        // A slow reader keeps what it computed before the penalty; the other of its tiers goes in.
        store
            .put_tiers(
                &epoch,
                &[(id(1), tier(1, Tier::A)), (id(2), tier(1, Tier::A))],
            )
            .unwrap();

        assert_eq!(stored(&*store), Some((epoch, tier(2, Tier::C))));
        assert_eq!(
            store.tier(&id(2)).unwrap().unwrap().stored,
            Some((epoch, tier(1, Tier::A)))
        );
        // Of one revision the later computation wins: another day may give another tier.
        store
            .put_tiers(&epoch, &[(id(1), tier(2, Tier::B))])
            .unwrap();
        assert_eq!(stored(&*place.open()), Some((epoch, tier(2, Tier::B))));
    }

    pub fn a_tier_of_another_epoch_is_told_as_such(place: &dyn Place) {
        let store = place.open();
        store.put_enterprises(&[enterprise(1)], 0, TODAY).unwrap();
        for text in ["0123456789abcdef", "fedcba9876543210"] {
            store
                .put_tiers(&epoch(text), &[(id(1), tier(1, Tier::D))])
                .unwrap();
            assert_eq!(stored(&*store), Some((epoch(text), tier(1, Tier::D))));
        }
    }

    pub fn a_kept_tier_is_no_change(place: &dyn Place) {
        let store = place.open();
        store.put_enterprises(&[enterprise(1)], 0, TODAY).unwrap();
        let before = store.last_change().unwrap();
        let dated = StoredTier {
            next_change_on: Some(TODAY),
            ..tier(1, Tier::A)
        };
        store
            .put_tiers(&epoch("0123456789abcdef"), &[(id(1), dated)])
            .unwrap();
        assert_eq!(store.last_change().unwrap(), before);
        assert_eq!(store.tier(&id(1)).unwrap().unwrap().revision, 1);
        assert_eq!(stored(&*store).unwrap().1, dated);
    }
}
