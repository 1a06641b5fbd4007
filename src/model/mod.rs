//! Layer 1: from indicator values to a tier with its reasons.
//!
//! A scorecard gives integer points, the tier rules apply on top, and the classifier binds both to a catalogue.
//! Scoring is integer addition: the same inputs give the same tier on any machine. Nothing here knows stores or HTTP.
//!
//! The same card scores one enterprise of the register ([`Classifier`]) and the rows of a table ([`Scorecard::bind`]),
//! which is what training and evaluation work on.

mod bind;
mod card_parts;
mod card_rows;
mod case;
mod classifier;
pub mod evaluation;
mod export;
mod grade;
mod grid;
mod pair_check;
mod provisional;
mod reason;
mod register_words;
mod rules;
mod scorecard;
mod scorecards;
mod steps;
pub mod table;
mod table_reasons;
mod table_score;
#[cfg(test)]
mod table_score_tests;
mod told;
pub mod train;
mod vectors;

pub use bind::ClassifierError;
pub use card_parts::{
    Baseline, Calibration, CalibrationLevel, CalibrationMethod, CategoryBin, Knot, PairAxis,
    PairTerm, PointsShare, SpecialCode,
};
pub use card_rows::CardRow;
pub use case::Case;
pub use classifier::{Classification, Classifier};
pub use grade::{GradeMatrix, GradeRow};
pub use provisional::{Provisional, Settled};
pub use reason::{Reason, RecordRef, Step};
pub use rules::{ColdStart, Condition, DirectRule, FloorRule, ShiftRule, TierRules};
pub use scorecard::{Bin, Card, Cutoffs, Linear, Scorecard, ScorecardError};
pub use scorecards::Scorecards;
pub use table::{Beside, Column, Table, TableError, Unused, Values};
pub use table_reasons::{REASON_COUNT, TableReason};
pub use table_score::{Scored, TableScoreError, TableScorer};
pub use vectors::{Cell, LEAST_VECTORS, Vector, Vectors};

// What a case and a run over the register speak in.
pub use crate::indicators::{LinkedEnterprise, Statistics, StatisticsBuilder};
