//! Reasons: each step of a classification in words, Chinese and English, with the records behind it.

use serde::Serialize;

use crate::domain::{Label, Record, Tier};
use crate::indicators::Names;

/// The step of the classification that a reason belongs to, in the order in which they act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Points of one indicator.
    Points,
    /// An indicator without data.
    Missing,
    /// A group of indicators reached its cap.
    GroupCap,
    /// The points fell between two cut-offs.
    Cutoff,
    /// A direct rule set the tier.
    DirectRule,
    /// A floor worsened the tier.
    Floor,
    /// A shift worsened the tier.
    Shift,
    /// The enterprise is too young for its points' tier.
    ColdStart,
    /// The professional grade combined with the tier.
    Grade,
    /// The owner's tier applies.
    Owner,
    /// The tier stays what it was while an objection is examined.
    Freeze,
    /// Two persons changed the tier.
    Override,
}

/// A record that a reason rests on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RecordRef {
    /// Its source.
    pub source: Label,
    /// Its id at the source.
    pub record_id: String,
}

impl From<&Record> for RecordRef {
    fn from(record: &Record) -> Self {
        Self {
            source: record.source.clone(),
            record_id: record.record_id.clone(),
        }
    }
}

/// One reason of a tier.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reason {
    /// The step it belongs to.
    pub step: Step,
    /// Code of the indicator, group or rule.
    pub code: String,
    /// The measured value, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Points that it added or, negative, took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points: Option<i32>,
    /// The tier after this step, where the step sets one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// The records behind it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<RecordRef>,
    /// The reason in words.
    pub text: Names,
}

/// A value as people write it: without a decimal point where it is whole.
pub(super) fn number(value: f64) -> String {
    let rounded = (value * 1_000.0).round() / 1_000.0;
    rounded.to_string()
}
