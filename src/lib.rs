//! risktier: credit-risk tiers and verifiable inspection plans.

pub mod domain;
pub mod indicators;
pub mod model;
pub mod sampling;
pub mod store;
