//! Layer 1: indicators (指标), the measured facts behind a tier.
//!
//! The catalogue declares them; the pass turns one enterprise's records into values as of a day. Nothing here knows
//! points or tiers, and nothing is invented: a fact without data is missing, which is not zero.

mod catalogue;
mod key_counts;
mod measure;
mod pass;
mod register;
mod register_view;
mod statistics;

pub use catalogue::{Catalogue, CatalogueError, Direction, Group, Indicator, Names};
pub use key_counts::LinkKey;
pub use measure::{Aggregate, Measure, RecordFilter, RecordMeasure, RegisterStatistic};
pub use pass::{Measurement, Subject, current_versions};
pub use register::{LinkedEnterprise, PeerCell, RegisterFacts, WantedFacts, owner_of};
pub use register_view::{RegisterView, is_cancelled_lately, is_high_risk};
pub use statistics::{ComplaintShare, PeerCircle, Statistics, StatisticsBuilder};
