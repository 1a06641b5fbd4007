//! risktier: credit-risk tiers and verifiable inspection plans.

pub mod api;
pub mod cache;
pub mod config;
pub mod domain;
pub mod sampling;
pub mod telemetry;
