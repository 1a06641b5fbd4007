//! risktier scores every enterprise of a province into four credit-risk tiers and serves stratified inspection plans
//! that a stranger can replay.
//!
//! # The story of one enterprise
//!
//! 1. A penalty is decided. It reaches the register as a [`Record`](domain::Record), from a [file](files) in our own
//!    columns, through a mapping file, or over [HTTP](api); the [`store`] keeps every version with the day on which it
//!    became known.
//! 2. The [`indicators`] turn the enterprise's records into values as of a day. What is not known is missing, which is
//!    not zero.
//! 3. The [`model`] gives integer points by a scorecard and applies the tier rules on top: direct rules, floors, shifts,
//!    cold start. Each step leaves a reason with the records behind it, in Chinese and English.
//! 4. The tier is kept in the [`cache`], in process or in Redis, until the next record or the day of its next possible
//!    change; an outdated copy is never answered.
//! 5. A frame freezes the classified register. [`sampling`] gives every object a rate by tier, complaints and tags,
//!    partitions the pool into strata, sets targets, and draws by the published contract `risktier-draw/1`. Nobody has
//!    rate zero.
//! 6. The transcript lets a court recompute the sample with `sha256sum` and a page of Python.
//!
//! How good the tiers are is judged by [`model::evaluation`] and read in a [`report`].
//!
//! [`service`] holds these steps as use-cases; [`api`] and [`cli`] ask for them. Imports point down only, from
//! [`cli`] and [`api`] over [`service`], then [`files`], [`store`] and [`cache`], then [`indicators`], [`model`] and
//! [`sampling`], to [`domain`]; a test holds this in place.
//!
//! A tier is an internal reference for supervision, not a public rating: no public edition of a transcript and no log
//! line shows one.

pub mod api;
pub mod cache;
pub mod cli;
pub mod config;
pub mod domain;
pub mod files;
pub mod indicators;
pub mod model;
pub mod report;
pub mod sampling;
pub mod service;
pub mod store;
pub mod telemetry;
