//! Layer 1: from indicator values to a tier with its reasons.
//!
//! A scorecard gives integer points, the tier rules apply on top, and the classifier binds both to a catalogue.
//! Scoring is integer addition: the same inputs give the same tier on any machine. Nothing here knows stores or HTTP.
//!
//! The same card scores one enterprise of the register ([`Classifier`]) and the rows of a table ([`Scorecard::bind`]),
//! which is what training and evaluation work on.

mod card_parts;
mod card_rows;
mod classifier;
mod export;
mod pair_check;
mod reason;
mod rules;
mod scorecard;
pub mod table;
mod table_score;
pub mod train;
mod vectors;

pub use card_parts::{
    Baseline, Calibration, CalibrationLevel, CalibrationMethod, CategoryBin, Knot, PairAxis,
    PairTerm, PointsShare, SpecialCode,
};
pub use card_rows::CardRow;
pub use classifier::{Classification, Classifier, ClassifierError};
pub use reason::{Reason, RecordRef, Step};
pub use rules::{ColdStart, Condition, DirectRule, FloorRule, ShiftRule, TierRules};
pub use scorecard::{Bin, Card, Cutoffs, Linear, Scorecard, ScorecardError};
pub use table::{Beside, Column, Table, TableError, Values};
pub use table_score::{REASON_COUNT, Scored, TableReason, TableScoreError, TableScorer};
pub use vectors::{Cell, LEAST_VECTORS, Vector, Vectors};
