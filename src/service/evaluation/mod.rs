//! How good a model is: on a table with outcomes, or on the register by what later inspections found.

mod error;
mod read;
mod register;
mod spec;
mod table;

pub use error::EvaluateError;
pub use spec::{Scoring, TableSpec};
pub use table::{Baseline, compare_tables, drift_of_tables, evaluate_table};
pub(in crate::service) use table::{baseline_profile, bin_spread};
