//! Layer 0: the values that every other layer speaks in.
//!
//! A value that exists is valid: constructors parse and check, the inside never re-checks. Nothing here reads a
//! clock, the environment or the operating system's randomness.

pub mod canonical;
pub mod digest;
pub mod rng;
