//! Layer 1: from indicator values to a tier with its reasons.
//!
//! A scorecard gives integer points, the tier rules apply on top, and the classifier binds both to a catalogue.
//! Scoring is integer addition: the same inputs give the same tier on any machine. Nothing here knows stores or HTTP.

mod classifier;
pub mod evaluation;
mod reason;
mod rules;
mod scorecard;

pub use classifier::{Classification, Classifier, ClassifierError};
pub use reason::{Reason, RecordRef, Step};
pub use rules::{ColdStart, Condition, DirectRule, FloorRule, ShiftRule, TierRules};
pub use scorecard::{Bin, Card, Cutoffs, Linear, Scorecard, ScorecardError};
