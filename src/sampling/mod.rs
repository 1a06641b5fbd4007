//! Layer 1: from the frozen frame to a sample that a stranger can recompute.

pub mod merkle;
mod parallel;
pub mod pool;
