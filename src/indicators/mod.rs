//! Layer 1: indicators (指标), the measured facts behind a tier.
//!
//! The catalogue declares them; the pass turns one enterprise's records into values as of a day. Nothing here knows
//! points or tiers, and nothing is invented: a fact without data is missing, which is not zero.

mod catalogue;
mod key_counts;
mod measure;
mod pass;
mod register;
mod statistics;

pub use catalogue::{Catalogue, CatalogueError, Direction, Group, Indicator, Names};
pub use key_counts::LinkKey;
pub use measure::{Aggregate, Measure, RecordFilter, RecordMeasure, RegisterStatistic};
pub use pass::{Measurement, Subject, current_versions};
pub use register::{
    LinkedEnterprise, PeerCell, RegisterFacts, RegisterView, WantedFacts, is_cancelled_lately,
    is_high_risk, owner_of,
};
pub use statistics::{ComplaintShare, PeerCircle, Statistics, StatisticsBuilder};
