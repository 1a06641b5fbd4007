//! The acceptance tests of the draw with all their repetitions: `cargo bench --bench acceptance`.
//!
//! Prints each measured value with the interval in which it must lie, and ends with 1 if one does not. The seeds are
//! fixed, so the values are the same on every machine.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "benchmark code"
)]

#[path = "../tests/support/acceptance.rs"]
mod acceptance;

fn main() -> std::process::ExitCode {
    let measured = acceptance::all(&acceptance::FULL);
    for one in &measured {
        let mark = if one.holds() { "holds" } else { "BROKEN" };
        println!(
            "{:>2}  {:58} {:12.5}  within {} to {}  {mark}",
            one.test, one.what, one.value, one.from, one.to
        );
    }
    if measured.iter().all(acceptance::Measured::holds) {
        std::process::ExitCode::SUCCESS
    } else {
        std::process::ExitCode::FAILURE
    }
}
