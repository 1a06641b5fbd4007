//! One file per resource.

pub(super) mod alerts;
pub(super) mod changes;
pub(super) mod decisions;
pub(super) mod enterprises;
pub(super) mod exports;
pub(super) mod frames;
pub(super) mod history;
pub(super) mod imports;
pub(super) mod job_events;
pub(super) mod jobs;
pub(super) mod migrations;
pub(super) mod objections;
pub(super) mod ops;
pub(super) mod plan_files;
pub(super) mod plan_steps;
pub(super) mod plans;
pub(super) mod records;
pub(super) mod set_aside;
pub(super) mod summary;
pub(super) mod tiers;
pub(super) mod webhooks;
