//! Faults on purpose: processes killed, databases gone, disks full, clocks set back, replicas at cross purposes.
//!
//! The kills have a long form, by environment variables:
//!
//! ```sh
//! RISKTIER_KILL_ROUNDS=100 RISKTIER_KILL_ENTERPRISES=100000 cargo test --release --test faults kill -- --nocapture
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "test code"
)]

#[path = "../support/postgres_server.rs"]
#[allow(dead_code, reason = "shared with other test binaries")]
mod postgres_server;
#[path = "../support/register.rs"]
#[allow(dead_code, reason = "shared with other test binaries")]
mod register;

mod away;
mod child;
mod clock;
mod full;
mod kill;
mod promotion;
mod replicas;
mod whole;
mod world;
