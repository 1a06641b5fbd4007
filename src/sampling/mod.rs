//! Layer 1: from the frozen frame to a sample that a stranger can recompute.

pub mod contribution;
pub mod draw;
pub mod merkle;
mod parallel;
pub mod pareto;
pub mod plan;
pub mod pool;
pub mod seed;
pub mod selection;
pub mod sizes;
pub mod transcript;
pub mod verification;
