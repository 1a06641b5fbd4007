//! The acceptance tests of the draw, with fewer repetitions; `cargo bench --bench acceptance` runs them whole.

use crate::acceptance_support::{SMALL, all};

#[test]
fn every_acceptance_test_holds_its_tolerance() {
    let measured = all(&SMALL);

    assert!(measured.len() >= 18);
    for one in &measured {
        println!(
            "{:>2}  {}: {} in {}..{}",
            one.test, one.what, one.value, one.from, one.to
        );
    }
    let broken: Vec<_> = measured.iter().filter(|one| !one.holds()).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}
