//! risktier: credit-risk tiers and verifiable inspection plans.

pub mod api;
pub mod cache;
pub mod cli;
pub mod config;
pub mod domain;
pub mod files;
pub mod indicators;
pub mod model;
pub mod sampling;
pub mod service;
pub mod store;
pub mod telemetry;
