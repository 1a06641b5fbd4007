//! Layer 1: indicators (指标), the measured facts behind a tier.
//!
//! The catalogue declares them; the pass turns one enterprise's records into values as of a day. Nothing here knows
//! points or tiers, and nothing is invented: a fact without data is missing, which is not zero.

mod catalogue;
mod measure;
mod pass;

pub use catalogue::{Catalogue, CatalogueError, Direction, Group, Indicator, Names};
pub use measure::{Aggregate, Measure, RecordFilter, RecordMeasure, RegisterStatistic};
pub use pass::{Measurement, Subject, current_versions};
