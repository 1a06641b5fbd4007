//! The tier rules of the policy: what applies on top of the points, in a fixed order.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

use super::grade::GradeMatrix;
use crate::domain::{RecordKind, Tier};
use crate::indicators::{Measure, Names};

/// The `[tier]` part of a policy.
///
/// Order: points → cut-offs → direct rules → floors → shifts → cold start → professional grade → owner → decisions of
/// persons. Each step that acts leaves a reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierRules {
    /// The record kinds that reach this register. Indicators of other kinds are missing, not zero.
    pub record_kinds: BTreeSet<RecordKind>,
    /// Rules that set the tier.
    #[serde(default)]
    pub direct: Vec<DirectRule>,
    /// Rules below which the tier may not stay.
    #[serde(default)]
    pub floor: Vec<FloorRule>,
    /// Rules that worsen the tier by steps.
    #[serde(default)]
    pub shift: Vec<ShiftRule>,
    /// What a young enterprise gets.
    pub cold_start: ColdStart,
    /// How a professional grade combines with the tier so far; absent where there are no such grades.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<GradeMatrix>,
}

/// Sets the tier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectRule {
    /// Code of the rule, unique in the policy.
    pub code: String,
    /// Its names.
    pub name: Names,
    /// The tier it sets.
    pub tier: Tier,
    /// When it applies.
    pub when: Condition,
}

/// May only worsen the tier, up to its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FloorRule {
    /// Code of the rule, unique in the policy.
    pub code: String,
    /// Its names.
    pub name: Names,
    /// The tier is at least this one.
    pub tier: Tier,
    /// When it applies.
    pub when: Condition,
}

/// Worsens the tier by steps, at most to D.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShiftRule {
    /// Code of the rule, unique in the policy.
    pub code: String,
    /// Its names.
    pub name: Names,
    /// By how many tiers.
    pub steps: u8,
    /// When it applies.
    pub when: Condition,
}

/// A value of at least so much; a missing value never meets it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// An indicator of the catalogue, by code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub indicator: Option<String>,
    /// Or a fact that is no indicator, declared like one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<Measure>,
    /// The least value that meets the condition.
    pub at_least: f64,
}

/// An enterprise younger than `months` is in `tier` where its points would give a better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColdStart {
    /// Completed months from which on the rule no longer applies; 0 switches it off.
    pub months: u16,
    /// The best tier before that.
    pub tier: Tier,
}
