//! Joint checks: rows on shared tickets keep their sizes, overlap more than any chance, and stay above the bound.

use std::collections::BTreeSet;

use proptest::prelude::*;
use risktier::sampling::joint::{Saving, join};

use crate::joint_fixture::{Concern, Region, Strata, drawn, outlook};

#[test]
fn shared_tickets_save_three_quarters_of_the_visits_at_equal_item_coverage() {
    let region = Region::new(73_000, Concern::Scattered);
    let apart = drawn(&region.plans(Strata::Region, false));
    let plans = region.plans(Strata::Region, true);

    let joint = drawn(&plans);
    let outlook = outlook(&plans);

    // `drawn` has checked every stratum's size; rounding leaves at most one visit an item.
    assert!(joint.separate.abs_diff(apart.separate) <= 23);
    assert!((joint.separate as f64 - outlook.separate_visits).abs() <= 23.0);
    assert!(joint.share() >= 0.75, "{joint:?}");
    assert!(joint.joint * 3 < apart.joint, "{joint:?}, {apart:?}");
    // The bound holds for the expectation; a single draw may be below it by chance, but not by 1 %.
    assert!(
        joint.joint as f64 > 0.99 * outlook.least_visits,
        "{joint:?}, {outlook:?}"
    );
    let chance = apart.joint as f64 / outlook.coinciding_visits;
    assert!((0.98..1.02).contains(&chance), "{apart:?}, {outlook:?}");
}

#[test]
fn a_shared_cross_classification_comes_within_a_tenth_of_the_bound_in_small_strata() {
    let region = Region::new(73_000, Concern::ByTrade);

    let own = region.plans(Strata::County, true);
    let shared = region.plans(Strata::Trade, true);

    let above = |visits: Saving, least: f64| visits.joint as f64 / least - 1.0;
    let (own_above, shared_above) = (
        above(drawn(&own), outlook(&own).least_visits),
        above(drawn(&shared), outlook(&shared).least_visits),
    );
    println!("above the bound: own strata {own_above:.3}, shared {shared_above:.3}");
    assert!(own_above < 0.35 && shared_above < 0.35);
}

proptest! {
    /// Merging loses no check of any item and makes no visit twice.
    #[test]
    fn merging_keeps_every_check(
        samples in prop::collection::vec(prop::collection::btree_set(0_u32..60, 0..40), 0..8),
    ) {
        let names: Vec<String> = (0..60).map(|number| format!("E{number:02}")).collect();
        let ids: Vec<Vec<&str>> = samples.iter()
            .map(|sample| sample.iter().map(|number| names[*number as usize].as_str()).rev().collect())
            .collect();

        let visits = join(&ids);

        prop_assert!(visits.windows(2).all(|pair| pair[0].id < pair[1].id));
        let union: BTreeSet<u32> = samples.iter().flatten().copied().collect();
        prop_assert_eq!(visits.len(), union.len());
        for (row, sample) in (0_u32..).zip(&ids) {
            let kept: BTreeSet<&str> = visits.iter()
                .filter(|visit| visit.rows.contains(&row))
                .map(|visit| visit.id)
                .collect();
            prop_assert_eq!(kept, sample.iter().copied().collect::<BTreeSet<_>>());
        }
        let separate: usize = ids.iter().map(Vec::len).sum();
        prop_assert_eq!(Saving::of(&visits).separate, separate as u64);
    }
}
