//! Tiers and their explanations.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

use super::codes::{Step, Tier};
use super::decisions::OverrideAnswer;
use super::enterprises::EnterpriseInput;
use super::history::DayFiles;
use super::objections::ObjectionAnswer;
use super::present;
use super::records::RecordInput;
use crate::domain::{AsOf, EnterpriseId, Label};
use crate::service::{Classification, Explanation, Life, Names, Reason, RecordRef, TierAnswer};

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
    /// The enterprise that answers for this id, where it is merged into another.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "91990000MA00000025")]
    pub(crate) merged_into: Option<String>,
    /// Of an answer for another day: the files and statistics that it rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) files: Option<DayFiles>,
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
            merged_into,
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
            merged_into: merged_into.map(Into::into),
            files: None,
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

/// Which tiers are listed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TierPageQuery {
    /// Division: a six-digit code or prefix that includes what lies below it, or a whole label.
    #[param(example = "990100")]
    pub(crate) division: Option<String>,
    /// Only this tier.
    #[param(example = "D")]
    pub(crate) tier: Option<Tier>,
    /// Where to go on: `next_cursor` of the page before, with the same `division` and `tier`.
    #[param(pattern = "^([0-9a-f]{2}){8,}$")]
    pub(crate) cursor: Option<String>,
    /// Most items on the page.
    #[param(example = 100, minimum = 1)]
    pub(crate) limit: Option<usize>,
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
    #[expect(
        dead_code,
        reason = "documents the contract; its bytes are written by `tier_json`"
    )]
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
    /// The files and statistics that it rests on.
    files: DayFiles,
    /// Name and version of the scorecard.
    #[schema(example = "default/1")]
    scorecard: String,
    /// Name and version of the policy.
    #[schema(example = "cn-general/1")]
    policy: String,
    /// The enterprise that answers for this id, where it is merged into another.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "91990000MA00000025")]
    merged_into: Option<String>,
    /// Ids whose records count for the enterprise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    merged_ids: Vec<MergedId>,
    /// Overrides that wait for approval, count or are to count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    overrides: Vec<OverrideAnswer>,
    /// Open objections to its records.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    objections: Vec<ObjectionAnswer>,
}

/// An id whose records count for another enterprise.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MergedId {
    /// The id.
    #[schema(example = "91990000MA00000017")]
    enterprise_id: String,
    /// The first day of that.
    #[schema(format = Date, example = "2026-11-22")]
    from_on: String,
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
    /// The id under which it came, where that is merged into this enterprise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "91990000MA00000017")]
    came_under: Option<String>,
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
            files,
            scorecard,
            policy,
            life:
                Life {
                    merged_into,
                    merged_ids,
                    came_under,
                    overrides,
                    objections,
                },
            revision: _,
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
            reasons: reasons
                .into_iter()
                .map(|reason| TierReason::with(reason, &came_under))
                .collect(),
            epoch: epoch.to_string(),
            files: files.into(),
            scorecard,
            policy,
            merged_into: merged_into.map(Into::into),
            merged_ids: merged_ids
                .into_iter()
                .map(|(id, from_on)| MergedId {
                    enterprise_id: id.into(),
                    from_on: from_on.to_string(),
                })
                .collect(),
            overrides: overrides
                .into_iter()
                .map(|one| OverrideAnswer::on(day, one))
                .collect(),
            objections: objections
                .into_iter()
                .map(|one| ObjectionAnswer::on(day, one))
                .collect(),
        }
    }
}

impl TierReason {
    fn with(reason: Reason, came_under: &BTreeMap<(Label, String), EnterpriseId>) -> Self {
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
            records: records
                .into_iter()
                .map(|RecordRef { source, record_id }| {
                    let key = (source, record_id);
                    let came_under = came_under.get(&key).map(ToString::to_string);
                    RecordReference {
                        source: key.0.into(),
                        record_id: key.1,
                        came_under,
                    }
                })
                .collect(),
            text: Words { zh, en },
        }
    }
}
