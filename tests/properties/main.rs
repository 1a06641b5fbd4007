//! Properties that hold for any input.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "a test stops at the first surprise"
)]

#[path = "../support/register.rs"]
#[allow(dead_code, reason = "shared with other test binaries")]
mod register;

#[path = "../support/joint_fixture.rs"]
mod joint_fixture;

#[path = "../support/acceptance.rs"]
#[allow(dead_code, reason = "shared with the bench of the same name")]
mod acceptance_support;

mod acceptance;
mod allocation;
mod cases;
mod decisions;
mod files;
mod generate;
mod joint;
mod precision;
mod reasons;
mod sampling;
mod schedule;
mod statistics;
mod tiers;
