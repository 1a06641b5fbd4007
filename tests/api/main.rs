//! The HTTP interface, asked over a real socket.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "test code"
)]

mod calendars;
mod ceremony;
mod changes;
mod conditions;
mod contract;
mod conventions;
mod enterprises;
mod frames;
mod helpers;
mod history;
mod hostile;
mod imports;
mod items;
mod jobs;
mod joint;
mod ledger;
mod life;
mod models;
mod ops;
mod overrides;
mod plan_groups;
mod plan_proofs;
mod plans;
mod policies;
mod problems;
mod records;
mod schema;
mod sheets;
mod tier_pages;
mod tiers;
mod training_tables;
mod webhooks;
