//! Tiers and their explanations.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::codes::{Step, Tier};
use super::enterprises::EnterpriseInput;
use super::present;
use super::records::RecordInput;
use crate::domain::AsOf;
use crate::service::{Classification, Explanation, Names, Reason, RecordRef, TierAnswer};

/// The tier of one enterprise.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EnterpriseTier {
    /// The enterprise.
    #[schema(example = "91990000MA00000017")]
    pub(crate) enterprise_id: String,
    /// Its tier.
    pub(crate) tier: Tier,
    /// The points behind it; higher is riskier.
    #[schema(example = 120, minimum = 0, maximum = 1000)]
    pub(crate) points: u16,
    /// The day it was computed for; it holds from then until `next_change_on`.
    #[schema(format = Date, example = "2026-11-22")]
    pub(crate) as_of: String,
    /// The first day on which it may differ though no record arrives; left out if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Date, example = "2026-12-01")]
    pub(crate) next_change_on: Option<String>,
    /// Which model files gave it; tiers of different epochs are not compared.
    #[schema(example = "0123456789abcdef")]
    pub(crate) epoch: String,
    /// The enterprise's revision that it was computed from.
    #[schema(example = 3, minimum = 1)]
    pub(crate) revision: u64,
}

impl From<TierAnswer> for EnterpriseTier {
    fn from(answer: TierAnswer) -> Self {
        let TierAnswer {
            enterprise_id,
            tier,
            points,
            as_of,
            next_change_on,
            revision,
            epoch,
            // Shown as `Cache-Status`.
            origin: _,
        } = answer;
        Self {
            enterprise_id: enterprise_id.into(),
            tier: tier.into(),
            points,
            as_of: as_of.to_string(),
            next_change_on: next_change_on.map(|day| day.to_string()),
            epoch: epoch.to_string(),
            revision,
        }
    }
}

/// The day that an answer speaks for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AsOfQuery {
    /// The day asked for; default the present one. Only what was known by then is used.
    #[param(format = Date, example = "2026-11-22")]
    pub(crate) as_of: Option<String>,
}

/// Enterprises whose tiers are asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `enterprise_ids`")]
pub(crate) struct LookupInput {
    /// Their ids; at most as many as the installation allows, by default 10000.
    #[schema(example = json!(["91990000MA00000017", "no-such-id"]))]
    pub(crate) enterprise_ids: Vec<String>,
}

/// Tiers in the order asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LookupAnswer {
    /// One item per id.
    pub(crate) items: Vec<LookupItem>,
}

/// A tier, or why there is none.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum LookupItem {
    /// The tier.
    Found(EnterpriseTier),
    /// Why there is none.
    Missing(LookupFault),
}

/// An id without a tier.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LookupFault {
    /// The id as given.
    #[schema(example = "no-such-id")]
    pub(crate) enterprise_id: String,
    /// Why there is no tier.
    pub(crate) error: ItemError,
}

/// What is wrong with one item.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ItemError {
    /// The kind of problem, as in problem bodies.
    #[serde(rename = "type")]
    #[schema(example = "urn:risktier:problem:unknown-enterprise")]
    pub(crate) r#type: String,
    /// What happened and what to do.
    #[schema(example = "is not in the register; import it first")]
    pub(crate) detail: String,
}

/// What is to be classified without being stored.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct ScoreInput {
    /// The enterprise, with its id.
    pub(crate) enterprise: EnterpriseInput,
    /// Its records, at most 1000; all of them about this enterprise.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub(crate) records: Vec<RecordInput>,
    /// The day asked for; default the present one.
    #[serde(default, deserialize_with = "present")]
    #[schema(format = Date, example = "2026-11-22")]
    pub(crate) as_of: Option<String>,
}

/// A tier with every reason.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TierExplanation {
    /// The enterprise.
    #[schema(example = "91990000MA00000017")]
    enterprise_id: String,
    /// The tier.
    tier: Tier,
    /// The tier that the points alone give.
    scored_tier: Tier,
    /// The points; higher is riskier.
    #[schema(example = 120, minimum = 0, maximum = 1000)]
    points: u16,
    /// The day it speaks for.
    #[schema(format = Date, example = "2026-11-22")]
    as_of: String,
    /// The day of the last scheduled run: decay inside a window has acted up to it.
    #[schema(format = Date, example = "2026-11-01")]
    decay_as_of: String,
    /// The first later day on which the tier may differ though no record arrives.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Date, example = "2026-12-01")]
    next_change_on: Option<String>,
    /// Why, in the order in which the steps act.
    reasons: Vec<TierReason>,
    /// Which model files gave it.
    #[schema(example = "0123456789abcdef")]
    epoch: String,
    /// Name and version of the scorecard.
    #[schema(example = "default/1")]
    scorecard: String,
    /// Name and version of the policy.
    #[schema(example = "cn-general/1")]
    policy: String,
}

/// One reason of a tier.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TierReason {
    /// The step it belongs to.
    step: Step,
    /// Code of the indicator, group or rule.
    #[schema(example = "penalty_count_24m")]
    code: String,
    /// The measured value, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1.0)]
    value: Option<f64>,
    /// Points that it added or, negative, took.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 40)]
    points: Option<i32>,
    /// The tier after this step, where the step sets one.
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<Tier>,
    /// The records behind it.
    records: Vec<RecordReference>,
    /// The reason in words.
    text: Words,
}

/// A record that a reason rests on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RecordReference {
    /// Its source.
    #[schema(example = "penalties")]
    source: String,
    /// Its id at the source.
    #[schema(example = "P-2026-0042")]
    record_id: String,
}

/// A text in both languages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Words {
    /// Chinese.
    #[schema(example = "24 个月内行政处罚 1 次")]
    zh: String,
    /// English.
    #[schema(example = "1 administrative penalty within 24 months")]
    en: String,
}

impl From<Explanation> for TierExplanation {
    fn from(explanation: Explanation) -> Self {
        let Explanation {
            enterprise_id,
            classification,
            epoch,
            scorecard,
            policy,
        } = explanation;
        let Classification {
            tier,
            scored_tier,
            points,
            as_of: AsOf { day, decay_clock },
            next_change_on,
            reasons,
        } = classification;
        Self {
            enterprise_id: enterprise_id.into(),
            tier: tier.into(),
            scored_tier: scored_tier.into(),
            points,
            as_of: day.to_string(),
            decay_as_of: decay_clock.to_string(),
            next_change_on: next_change_on.map(|day| day.to_string()),
            reasons: reasons.into_iter().map(Into::into).collect(),
            epoch: epoch.to_string(),
            scorecard,
            policy,
        }
    }
}

impl From<Reason> for TierReason {
    fn from(reason: Reason) -> Self {
        let Reason {
            step,
            code,
            value,
            points,
            tier,
            records,
            text: Names { zh, en },
        } = reason;
        Self {
            step: step.into(),
            code,
            value,
            points,
            tier: tier.map(Into::into),
            records: records.into_iter().map(Into::into).collect(),
            text: Words { zh, en },
        }
    }
}

impl From<RecordRef> for RecordReference {
    fn from(reference: RecordRef) -> Self {
        let RecordRef { source, record_id } = reference;
        Self {
            source: source.into(),
            record_id,
        }
    }
}
