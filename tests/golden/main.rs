//! Whole behaviour against recorded examples: the draw's test vectors, and the plain-Python verifier, and exported scorecards.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "a test stops at the first surprise"
)]

#[path = "../support/postgres_server.rs"]
#[allow(dead_code, reason = "shared with other test binaries")]
mod postgres_server;

mod draw;
mod python_verifier;
mod scorecard_export;
mod vectors;
