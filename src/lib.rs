//! risktier: credit-risk tiers and verifiable inspection plans.

pub mod domain;
pub mod files;
pub mod sampling;
