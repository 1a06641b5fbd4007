//! risktier: credit-risk tiers and verifiable inspection plans.

pub mod cache;
pub mod domain;
pub mod sampling;
