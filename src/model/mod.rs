//! Layer 1: from indicator values to a tier with its reasons.
//!
//! A scorecard gives integer points, the tier rules apply on top, and the classifier binds both to a catalogue.
//! Scoring is integer addition: the same inputs give the same tier on any machine. Nothing here knows stores or HTTP.

mod bind;
mod case;
mod classifier;
mod grade;
mod provisional;
mod reason;
mod register_words;
mod rules;
mod scorecard;
mod scorecards;
mod told;

pub use bind::ClassifierError;
pub use case::Case;
pub use classifier::{Classification, Classifier};
pub use grade::{GradeMatrix, GradeRow};
pub use provisional::{Provisional, Settled};
pub use reason::{Reason, RecordRef, Step};
pub use rules::{ColdStart, Condition, DirectRule, FloorRule, ShiftRule, TierRules};
pub use scorecard::{Bin, Card, Cutoffs, Linear, Scorecard, ScorecardError};
pub use scorecards::Scorecards;
// What a case and a run over the register speak in.
pub use crate::indicators::{LinkedEnterprise, Statistics, StatisticsBuilder};
