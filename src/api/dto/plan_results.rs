//! What comes of a plan: outlook, strata, sample, verification.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

use super::codes::{Edition, ItemClass, LimitCode, ReplaceReason, SampleStanding, Tier};
use crate::service::{
    self, BoundPreview, Check, Excluded, LimitNote, Outcome, PlanOverlap, PlanYear,
    PrecisionPreview, Rate, SampleObject, StratumMeaning, StratumPreview, TierPreview,
    Verification, WeightedObject,
};

/// What a plan would do, with its strata.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlanPreview {
    /// The whole.
    pub(crate) outlook: PlanOutlook,
    /// The strata in order of key; empty for method `order`.
    pub(crate) strata: Vec<StratumAnswer>,
}

/// What comes of a plan as a whole.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlanOutlook {
    /// Objects in the pool.
    #[schema(example = 5000)]
    pool_size: u64,
    /// Objects that the filter asks for but that cannot be visited, by reason.
    excluded: Vec<ExcludedAnswer>,
    /// Expected number of visits.
    #[schema(example = 40.0)]
    expected_visits: f64,
    /// Objects drawn over the whole pool beside the strata.
    #[schema(example = 2)]
    exploration_n: u64,
    /// Overall annual rate of general items over the frame, before any scaling.
    #[schema(example = 0.031)]
    overall_annual_rate: f64,
    /// By tier, from A to D.
    tiers: Vec<TierOutlook>,
    /// Expected visits by division; the empty name stands for objects without one.
    #[schema(example = json!({"990102": 40.0}))]
    divisions: BTreeMap<String, f64>,
    /// Bounds of the policy that the plan touches, in words.
    warnings: Vec<String>,
    /// Class of the check items.
    item_class: ItemClass,
    /// Inspector-days that the expected visits take.
    #[schema(example = 40.0)]
    inspector_days: f64,
    /// The year of the ledger, for general items.
    #[serde(skip_serializing_if = "Option::is_none")]
    year: Option<PlanYearAnswer>,
    /// How much of the latest drawn plans would be drawn again.
    overlaps: Vec<OverlapAnswer>,
    /// The bounds of `warnings` with their numbers.
    limits: Vec<LimitAnswer>,
    /// How far the estimates will be off, for an allocation by precision.
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<PrecisionAnswer>,
}

/// What comes of the bounds on precision.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PrecisionOutlook)]
pub(crate) struct PrecisionAnswer {
    /// Every bound, one for each domain.
    bounds: Vec<BoundAnswer>,
    /// Keys of the strata in which everybody is visited.
    #[schema(example = json!(["S004"]))]
    census: Vec<String>,
}

/// What comes of one bound.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PrecisionOutlookBound)]
pub(crate) struct BoundAnswer {
    /// What is estimated.
    #[schema(example = "problems")]
    of: String,
    /// What its strata have in common; empty for the whole plan.
    #[schema(example = json!({"tier": "D"}))]
    domain: BTreeMap<String, String>,
    /// Objects of its strata.
    #[schema(example = 500)]
    object_count: u64,
    /// The total that is predicted.
    #[schema(example = 42.0)]
    expected_total: f64,
    /// The coefficient of variation that is allowed.
    #[schema(example = 0.1)]
    most_cv: f64,
    /// The one that the plan leads to at the expected sizes, without what exploration adds.
    #[schema(example = 0.1)]
    expected_cv: f64,
    /// Inspector-days that one percentage point less would cost, by the slope; 0 where the bound holds anyway.
    #[schema(example = 3.2)]
    days_per_point: f64,
}

impl From<PrecisionPreview> for PrecisionAnswer {
    fn from(preview: PrecisionPreview) -> Self {
        let PrecisionPreview { bounds, census } = preview;
        Self {
            bounds: bounds.into_iter().map(Into::into).collect(),
            census,
        }
    }
}

impl From<BoundPreview> for BoundAnswer {
    fn from(bound: BoundPreview) -> Self {
        let BoundPreview {
            of,
            domain,
            object_count,
            expected_total,
            most_cv,
            expected_cv,
            days_per_point,
        } = bound;
        Self {
            of,
            domain: domain
                .into_iter()
                .map(|(one, value)| (one.to_string(), value))
                .collect(),
            object_count,
            expected_total,
            most_cv,
            expected_cv,
            days_per_point,
        }
    }
}

/// The year of the ledger in which a plan for general items counts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlanYear)]
pub(crate) struct PlanYearAnswer {
    /// The year.
    #[schema(example = 2027)]
    year: i16,
    /// Objects of the frame that can be visited.
    #[schema(example = 20000)]
    object_count: u64,
    /// Visits for general items that are planned in it already, over all plans and departments.
    #[schema(example = 580)]
    planned_count: u64,
    /// What the year would come to with this plan, in visits per object.
    #[schema(example = 0.031)]
    rate_with_plan: f64,
    /// The policy's floor.
    #[schema(example = 0.03)]
    floor: f64,
    /// The policy's ceiling.
    #[schema(example = 0.05)]
    ceiling: f64,
}

/// A recent plan and how much of it the plan would draw again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlanOverlap)]
pub(crate) struct OverlapAnswer {
    /// The recent plan.
    #[schema(example = "rtp1-0123456789abcdef0123456789abcdef")]
    plan_id: String,
    /// Its title.
    #[schema(example = "Food safety, last quarter")]
    title: String,
    /// Objects of its sample that are in this pool.
    #[schema(example = 38)]
    object_count: u64,
    /// How many of them this plan is expected to draw.
    #[schema(example = 1.2)]
    expected_count: f64,
}

/// A limit of the policy that a plan touches.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LimitNote)]
pub(crate) struct LimitAnswer {
    /// Which one.
    code: LimitCode,
    /// The limit.
    #[schema(example = 0.05)]
    limit: f64,
    /// What the plan comes to.
    #[schema(example = 0.061)]
    value: f64,
    /// The same in words.
    #[schema(
        example = "with this plan, general visits in 2027 come to 6.10 % of the objects, above the policy's ceiling of 5.00 %"
    )]
    text: String,
}

impl From<PlanYear> for PlanYearAnswer {
    fn from(year: PlanYear) -> Self {
        let PlanYear {
            year,
            object_count,
            planned_count,
            rate_with_plan,
            floor,
            ceiling,
        } = year;
        Self {
            year,
            object_count,
            planned_count,
            rate_with_plan,
            floor,
            ceiling,
        }
    }
}

impl From<PlanOverlap> for OverlapAnswer {
    fn from(overlap: PlanOverlap) -> Self {
        let PlanOverlap {
            plan_id,
            title,
            object_count,
            expected_count,
        } = overlap;
        Self {
            plan_id,
            title,
            object_count,
            expected_count,
        }
    }
}

impl From<LimitNote> for LimitAnswer {
    fn from(note: LimitNote) -> Self {
        let LimitNote {
            code,
            limit,
            value,
            text,
        } = note;
        Self {
            code: code.into(),
            limit,
            value,
            text,
        }
    }
}

/// Objects that cannot be visited.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Excluded)]
pub(crate) struct ExcludedAnswer {
    /// Code of the reason; more may be added.
    #[schema(example = "status_revoked")]
    reason: String,
    /// Number of objects.
    #[schema(example = 12)]
    count: u64,
}

impl From<Excluded> for ExcludedAnswer {
    fn from(excluded: Excluded) -> Self {
        let Excluded { reason, count } = excluded;
        Self { reason, count }
    }
}

/// One tier of a plan.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TierOutlook {
    /// The tier.
    tier: Tier,
    /// Objects of the tier in the pool.
    #[schema(example = 500)]
    objects: u64,
    /// Expected visits to them.
    #[schema(example = 12.5)]
    expected_visits: f64,
    /// Their mean inclusion probability.
    #[schema(example = 0.025, minimum = 0, maximum = 1)]
    inclusion_probability: f64,
    /// Problems that the visits are expected to find; left out where nothing is predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 3.1)]
    expected_problems: Option<f64>,
    /// Half the width of the 95 % interval that the problem rate of the tier will have; the worst case where nothing is
    /// predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 0.12, minimum = 0, maximum = 1)]
    expected_half_width: Option<f64>,
}

/// A stratum of a plan. Internal: tiers and rates are not published.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Stratum)]
pub(crate) struct StratumAnswer {
    /// Its opaque key.
    #[schema(example = "S001")]
    key: String,
    /// Tier of its objects.
    tier: Tier,
    /// Division of its objects, at the level that strata are of; empty where none is known, and where they are of none.
    #[schema(example = "990102")]
    division: String,
    /// What else its objects have in common, by `industry`, `kind` and `size`; left out unless strata are of them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(example = json!({"industry": "F"}))]
    beside: BTreeMap<String, String>,
    /// Complaint band of its objects.
    #[schema(example = "none")]
    complaint_band: String,
    /// Rate of its objects and how it comes about.
    rate: RateAnswer,
    /// Its objects.
    #[schema(example = 500)]
    objects: u64,
    /// Its target, in parts per billion of a visit.
    #[schema(example = 12_500_000_000_u64)]
    target_ppb: u64,
    /// Objects that stand by.
    #[schema(example = 3)]
    reserve: u64,
    /// Inclusion probability of each of its objects, exploration included.
    #[schema(example = 0.025, minimum = 0, maximum = 1)]
    inclusion_probability: f64,
}

/// A rate and its factors.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rate)]
pub(crate) struct RateAnswer {
    /// The policy's rate of the tier, in parts per billion.
    #[schema(example = 100_000_000)]
    tier_rate_ppb: u64,
    /// Multiplier of the complaint band, in thousandths.
    #[schema(example = 1000)]
    band_multiplier_milli: u64,
    /// Largest multiplier of the object's tags, in thousandths.
    #[schema(example = 1000)]
    tag_multiplier_milli: u64,
    /// The rate in the plan, in parts per billion.
    #[schema(example = 25_000_000)]
    rate_ppb: u64,
}

impl From<service::PlanPreview> for PlanPreview {
    fn from(preview: service::PlanPreview) -> Self {
        let service::PlanPreview {
            pool_size,
            excluded,
            expected_visits,
            exploration_n,
            overall_annual_rate,
            tiers,
            divisions,
            strata,
            warnings,
            item_class,
            inspector_days,
            year,
            overlaps,
            limits,
            precision,
        } = preview;
        Self {
            outlook: PlanOutlook {
                pool_size,
                excluded: excluded.into_iter().map(Into::into).collect(),
                expected_visits,
                exploration_n,
                overall_annual_rate,
                tiers: tiers.into_iter().map(Into::into).collect(),
                divisions,
                warnings,
                item_class: item_class.into(),
                inspector_days,
                year: year.map(Into::into),
                overlaps: overlaps.into_iter().map(Into::into).collect(),
                limits: limits.into_iter().map(Into::into).collect(),
                precision: precision.map(Into::into),
            },
            strata: strata.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<TierPreview> for TierOutlook {
    fn from(preview: TierPreview) -> Self {
        let TierPreview {
            tier,
            objects,
            expected_visits,
            inclusion_probability,
            expected_problems,
            expected_half_width,
        } = preview;
        Self {
            tier: tier.into(),
            objects,
            expected_visits,
            inclusion_probability,
            expected_problems,
            expected_half_width,
        }
    }
}

impl From<StratumPreview> for StratumAnswer {
    fn from(stratum: StratumPreview) -> Self {
        let StratumPreview {
            key,
            meaning,
            objects,
            target_ppb,
            reserve,
            inclusion_probability,
        } = stratum;
        let StratumMeaning {
            tier,
            division,
            complaint_band,
            rate,
            beside,
        } = meaning;
        let Rate {
            tier_rate_ppb,
            band_multiplier_milli,
            tag_multiplier_milli,
            rate_ppb,
        } = rate;
        Self {
            key,
            tier: tier.into(),
            division,
            beside: beside
                .into_iter()
                .map(|(attribute, value)| (attribute.to_string(), value))
                .collect(),
            complaint_band,
            rate: RateAnswer {
                tier_rate_ppb,
                band_multiplier_milli,
                tag_multiplier_milli,
                rate_ppb,
            },
            objects,
            target_ppb,
            reserve,
            inclusion_probability,
        }
    }
}

/// An object of a sample.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SampleObject)]
pub(crate) struct SampleAnswer {
    /// The object.
    #[schema(example = "91990000MA00000017")]
    pub(crate) enterprise_id: String,
    /// Opaque key of its stratum; `EXPLORE` for exploration objects, `ALL` for method `order`.
    #[schema(example = "S001")]
    pub(crate) stratum: String,
    /// Its place in the stratum, from 1.
    #[schema(example = 1, minimum = 1)]
    pub(crate) order: u64,
    /// How it came in, and whether it counts.
    pub(crate) standing: SampleStanding,
    /// Why it is not visited, if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<ReplaceReason>,
    /// Whose place it took from the reserve.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "91990000MA00000025")]
    pub(crate) replaces: Option<String>,
    /// The probability with which the plan draws it, before the random rounding, exploration included; approximate for
    /// method `pareto`, with an error below 0.004.
    #[schema(example = 0.08, exclusive_minimum = 0, maximum = 1)]
    pub(crate) inclusion_probability: f64,
    /// Its inverse, for estimates.
    #[schema(example = 12.5, minimum = 1)]
    pub(crate) design_weight: f64,
}

impl From<WeightedObject> for SampleAnswer {
    fn from(weighted: WeightedObject) -> Self {
        let WeightedObject {
            object,
            inclusion_probability,
            design_weight,
        } = weighted;
        let SampleObject {
            enterprise_id,
            stratum,
            order,
            standing,
            reason,
            replaces,
        } = object;
        Self {
            enterprise_id,
            stratum,
            order,
            standing: standing.into(),
            reason: reason.map(Into::into),
            replaces,
            inclusion_probability,
            design_weight,
        }
    }
}

/// The form of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SampleFormat {
    Json,
    Csv,
    Tsv,
    Ndjson,
    Parquet,
}

/// In which form a sample comes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SampleQuery {
    /// The form; left out, `Accept` decides. `tsv` is the normative file, to the byte.
    #[param(inline, example = "tsv")]
    pub(crate) format: Option<SampleFormat>,
}

/// Which edition of a transcript.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TranscriptQuery {
    /// The edition; default `public`. Auditor and internal editions show rates and are confidential.
    #[param(inline, example = "public")]
    pub(crate) edition: Option<Edition>,
}

/// The result of a verification.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Verification)]
pub(crate) struct VerificationAnswer {
    /// Whether no difference was found.
    #[schema(example = true)]
    same: bool,
    /// The edition that was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    edition: Option<Edition>,
    /// Every check, in the order in which it was made.
    checks: Vec<CheckAnswer>,
}

/// One check under its stable name.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Check)]
pub(crate) struct CheckAnswer {
    /// What was checked.
    #[schema(example = "sample_digest")]
    name: String,
    /// How it went.
    outcome: CheckOutcome,
    /// What was recorded and found, or why it was not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CheckOutcome {
    Same,
    Differs,
    NotChecked,
}

impl From<Verification> for VerificationAnswer {
    fn from(verification: Verification) -> Self {
        let same = verification.is_same();
        let Verification { edition, checks } = verification;
        Self {
            same,
            edition: edition.map(Into::into),
            checks: checks.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Check> for CheckAnswer {
    fn from(check: Check) -> Self {
        let Check { name, outcome } = check;
        let (outcome, detail) = match outcome {
            Outcome::Same => (CheckOutcome::Same, None),
            Outcome::Differs { detail } => (CheckOutcome::Differs, Some(detail)),
            Outcome::NotChecked { detail } => (CheckOutcome::NotChecked, Some(detail)),
        };
        Self {
            name,
            outcome,
            detail,
        }
    }
}
