//! Reading the register in parts.

crate::hold!(scan_laws:
    ranges_cover_every_enterprise_once_and_in_order,
    ranges_cover_every_enterprise_whether_or_not_it_has_a_tier,
    ranges_of_an_empty_register_take_in_what_comes_later,
    a_walk_ends_where_it_is_broken_off,
);

pub mod laws {
    use std::ops::ControlFlow;

    use risktier::domain::Tier;
    use risktier::store::{Dossier, IdRange, Store, StoredTier};

    use crate::register::{TODAY, enterprise, id, serious_penalty};
    use crate::tier_laws::laws::{EPOCH, epoch, in_force, new};
    use crate::{Place, dossiers, with_enterprises};

    fn of(store: &dyn Store, range: &IdRange) -> Vec<Dossier> {
        let mut seen = Vec::new();
        store
            .each_dossier_in(range, &mut |dossier| {
                seen.push(dossier);
                ControlFlow::Continue(())
            })
            .unwrap();
        seen
    }

    pub fn ranges_cover_every_enterprise_once_and_in_order(place: &dyn Place) {
        let store = with_enterprises(place, 23);
        for number in [1, 7, 23] {
            store
                .put_records(&[serious_penalty(number, &format!("p{number}"), 30)], 0)
                .unwrap();
        }
        let all = dossiers(&*store);
        for each in [0, 1, 2, 5, 12, 23, 40] {
            let (ranges, count) = store.parts_of(each).unwrap();

            let seen: Vec<Vec<Dossier>> = ranges.iter().map(|range| of(&*store, range)).collect();

            assert_eq!(count, 23, "{each}");
            assert_eq!(seen.concat(), all, "{each}");
            assert_eq!(
                (&ranges[0].after, &ranges.last().unwrap().until),
                (&None, &None)
            );
            let sizes: Vec<usize> = seen.iter().map(Vec::len).collect();
            if each == 5 {
                assert!(sizes.iter().all(|size| (3..=5).contains(size)), "{sizes:?}");
            }
        }
    }

    pub fn ranges_cover_every_enterprise_whether_or_not_it_has_a_tier(place: &dyn Place) {
        let store = with_enterprises(place, 30);
        store
            .put_in_force(None, &in_force(EPOCH), None)
            .unwrap()
            .unwrap();
        let all = dossiers(&*store);
        let kept = StoredTier {
            revision: 1,
            tier: Tier::A,
            points: 0,
            as_of: TODAY,
            next_change_on: None,
        };
        // One tier, nearly all, all; the last enterprises have theirs last.
        for tiers in [1, 28, 30] {
            let tiers: Vec<_> = (1..=tiers).map(|number| new(number, kept)).collect();
            store.put_tiers(&epoch(EPOCH), &tiers).unwrap();
            let (ranges, count) = store.parts_of(7).unwrap();
            let seen: Vec<Vec<Dossier>> = ranges.iter().map(|range| of(&*store, range)).collect();
            assert_eq!((count, seen.concat()), (30, all.clone()));
            assert!(seen.iter().all(|part| part.len() <= 9), "{}", tiers.len());
        }
    }

    pub fn ranges_of_an_empty_register_take_in_what_comes_later(place: &dyn Place) {
        let store = place.open();
        let (ranges, count) = store.parts_of(4).unwrap();
        assert_eq!((ranges.as_slice(), count), ([IdRange::all()].as_slice(), 0));
        store.put_enterprises(&[enterprise(1)], 0, TODAY).unwrap();
        assert_eq!(of(&*store, &ranges[0]).len(), 1);
    }

    pub fn a_walk_ends_where_it_is_broken_off(place: &dyn Place) {
        let store = with_enterprises(place, 9);
        let mut seen = Vec::new();
        store
            .each_dossier_in(&IdRange::all(), &mut |dossier| {
                seen.push(dossier.enterprise.enterprise_id);
                if seen.len() == 3 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
            .unwrap();
        assert_eq!(seen, [id(1), id(2), id(3)]);
        // The store goes on working for others.
        assert_eq!(dossiers(&*store).len(), 9);
    }
}
