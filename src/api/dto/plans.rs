//! Plans as they are shown.

use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

use super::codes::{
    AllocationBy, DomainTrait, EnterpriseKind, EnterpriseSize, Hash, ItemClass, Method, PlanState,
    Rounding, SizeMeasure, StratumAttribute, Tier,
};
use super::plan_results::{PlanOutlook, PlanPreview};
use crate::service::{
    AllocationRequest, CommittedContribution, FrozenPart, Period, PlanRequest, PlanView,
    PlannedContribution, PoolFilter, PrecisionBound, PublicContribution, StratumRule,
};

/// A plan, without its strata and files.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Plan)]
pub(crate) struct PlanAnswer {
    /// Its id.
    #[schema(example = "rtp1-0123456789abcdef0123456789abcdef")]
    pub(crate) plan_id: String,
    /// Where it stands.
    state: PlanState,
    /// When it was drafted.
    #[schema(format = DateTime, example = "2026-11-22T08:05:00Z")]
    created_at: String,
    /// What it asks for.
    request: PlanRequestAnswer,
    /// What comes of it.
    outlook: PlanOutlook,
    /// What the freeze fixed; left out before.
    #[serde(skip_serializing_if = "Option::is_none")]
    frozen: Option<FrozenAnswer>,
    /// Digest of the sample file, once drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    sample_digest: Option<String>,
    /// Objects in the sample, once drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 40)]
    sample_size: Option<u64>,
    /// When it was drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    drawn_at: Option<String>,
    /// Digest of the auditor edition of the transcript, once closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    transcript_digest: Option<String>,
    /// When it was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    closed_at: Option<String>,
    /// Why it was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    void_reason: Option<String>,
}

impl From<PlanView> for PlanAnswer {
    fn from(view: PlanView) -> Self {
        let PlanView {
            plan_id,
            state,
            created_at,
            request,
            preview,
            frozen,
            sample_digest,
            sample_size,
            drawn_at,
            transcript_digest,
            closed_at,
            void_reason,
        } = view;
        Self {
            plan_id,
            state: state.into(),
            created_at,
            request: PlanRequest {
                item_class: Some(preview.item_class),
                ..request
            }
            .into(),
            outlook: PlanPreview::from(preview).outlook,
            frozen: frozen.map(Into::into),
            sample_digest: sample_digest.map(|digest| digest.to_string()),
            sample_size,
            drawn_at,
            transcript_digest: transcript_digest.map(|digest| digest.to_string()),
            closed_at,
            void_reason,
        }
    }
}

/// A plan in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlanListItem {
    /// Its id.
    #[schema(example = "rtp1-0123456789abcdef0123456789abcdef")]
    pub(crate) plan_id: String,
    /// Its consecutive number, once frozen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1)]
    number: Option<u64>,
    /// Its title.
    #[schema(example = "Food safety, first quarter")]
    title: String,
    /// Where it stands.
    state: PlanState,
    /// When it was drafted.
    #[schema(format = DateTime, example = "2026-11-22T08:05:00Z")]
    created_at: String,
    /// The frame that its pool is selected from.
    frame_id: String,
    /// Objects in the pool.
    #[schema(example = 5000)]
    pool_size: u64,
    /// Objects in the sample, once drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 40)]
    sample_size: Option<u64>,
}

impl From<PlanView> for PlanListItem {
    fn from(view: PlanView) -> Self {
        let PlanView {
            plan_id,
            state,
            created_at,
            request,
            preview,
            frozen,
            sample_digest: _,
            sample_size,
            drawn_at: _,
            transcript_digest: _,
            closed_at: _,
            void_reason: _,
        } = view;
        Self {
            plan_id,
            number: frozen.map(|frozen| frozen.number),
            title: request.title,
            state: state.into(),
            created_at,
            frame_id: request.frame_id,
            pool_size: preview.pool_size,
            sample_size,
        }
    }
}

/// What a plan asks for, defaults included.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlanRequest)]
pub(crate) struct PlanRequestAnswer {
    /// The frame that the pool is selected from.
    frame_id: String,
    /// Title for people.
    title: String,
    /// Class of the check items.
    item_class: ItemClass,
    /// Codes of the check items.
    items: Vec<String>,
    /// The department that plans.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "market-regulation")]
    department: Option<String>,
    /// When the visits take place.
    period: PeriodAnswer,
    /// Which objects.
    filter: FilterAnswer,
    /// How objects are selected.
    method: Method,
    /// What an object's size is, for method `pareto`.
    #[serde(skip_serializing_if = "Option::is_none")]
    size_measure: Option<SizeMeasure>,
    /// Number of visits; left out: by the policy's rates.
    #[serde(skip_serializing_if = "Option::is_none")]
    visits: Option<u64>,
    /// What the visits follow, and bounds of the strata.
    allocation: AllocationAnswer,
    /// How targets become whole numbers.
    rounding: Rounding,
    /// Share of the visits drawn with equal probability over the whole pool.
    exploration_share: f64,
    /// Objects that stand by per stratum, as a share of its target.
    reserve_share: f64,
    /// The hash of the draw.
    hash: Hash,
    /// Contributions of others whose values exist already.
    committed: Vec<ContributionAnswer>,
    /// Contributions that come into being after the freeze.
    public: Vec<ContributionAnswer>,
    /// Whether the public edition may reveal values and seed.
    public_seed: bool,
    /// The coordinated group that the plan belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2027-q1")]
    group: Option<String>,
    /// The earlier plan that this one extends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "rtp1-0123456789abcdef0123456789abcdef")]
    extends: Option<String>,
}

/// What the visits follow, and what holds for some of the strata.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Allocation)]
pub(crate) struct AllocationAnswer {
    /// What the visits follow.
    by: AllocationBy,
    /// Inspector-days that there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 120.0)]
    inspector_days: Option<f64>,
    /// What holds for some of the strata; the later rule has the word.
    strata: Vec<StratumRuleAnswer>,
    /// What strata are of, beside tier, complaint band and rate.
    strata_by: Vec<StratumAttribute>,
    /// How far estimates may be off; left out unless visits follow it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    precision: Vec<PrecisionBoundAnswer>,
}

/// How far an estimated total, and so its rate, may be off.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PrecisionBoundSaid)]
pub(crate) struct PrecisionBoundAnswer {
    /// The coefficient of variation that is allowed.
    #[schema(example = 0.1)]
    cv: f64,
    /// What is estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<String>,
    /// Only over strata that are so.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(example = json!({"tier": "D"}))]
    within: BTreeMap<String, String>,
    /// One bound for each value of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    each: Vec<DomainTrait>,
}

/// What holds for the strata of a tier, division and complaint band.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StratumRuleSaid)]
pub(crate) struct StratumRuleAnswer {
    /// The tier.
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<Tier>,
    /// The division, with what lies below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    division: Option<String>,
    /// The complaint band.
    #[serde(skip_serializing_if = "Option::is_none")]
    complaint_band: Option<String>,
    /// At least so many visits in each of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    least: Option<u64>,
    /// At most so many visits in each of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    most: Option<u64>,
    /// Predicted share of visits that find a problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem_probability: Option<f64>,
    /// Inspector-days that a visit takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    days_per_visit: Option<f64>,
    /// Predicted share of visits for which something else holds, by its name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(example = json!({"unlicensed": 0.02}))]
    shares: BTreeMap<String, f64>,
}

impl From<AllocationRequest> for AllocationAnswer {
    fn from(request: AllocationRequest) -> Self {
        let AllocationRequest {
            by,
            inspector_days,
            strata,
            strata_by,
            precision,
        } = request;
        Self {
            by: by.into(),
            inspector_days,
            strata: strata.into_iter().map(Into::into).collect(),
            strata_by: strata_by.attributes().map(Into::into).collect(),
            precision: precision.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<PrecisionBound> for PrecisionBoundAnswer {
    fn from(bound: PrecisionBound) -> Self {
        let PrecisionBound {
            cv,
            of,
            within,
            each,
        } = bound;
        Self {
            cv,
            of: of.map(Into::into),
            within: within
                .into_iter()
                .map(|(one, value)| (one.to_string(), value.into()))
                .collect(),
            each: each.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<StratumRule> for StratumRuleAnswer {
    fn from(rule: StratumRule) -> Self {
        let StratumRule {
            tier,
            division,
            complaint_band,
            least,
            most,
            problem_probability,
            days_per_visit,
            shares,
        } = rule;
        Self {
            tier: tier.map(Into::into),
            division: division.map(Into::into),
            complaint_band: complaint_band.map(Into::into),
            least,
            most,
            problem_probability,
            days_per_visit,
            shares: shares
                .into_iter()
                .map(|(name, share)| (name.into(), share))
                .collect(),
        }
    }
}

/// The days within which the visits take place, both included.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Period)]
pub(crate) struct PeriodAnswer {
    /// First day.
    #[schema(format = Date, example = "2027-01-01")]
    from: String,
    /// Last day.
    #[schema(format = Date, example = "2027-03-31")]
    to: String,
}

/// Which objects; empty conditions do not restrict.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PoolFilter)]
pub(crate) struct FilterAnswer {
    /// Division and what lies below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    division: Option<String>,
    /// Industry and what lies below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    industry: Option<String>,
    /// Any of these kinds.
    kinds: Vec<EnterpriseKind>,
    /// Any of these sizes.
    sizes: Vec<EnterpriseSize>,
    /// Any of these tiers.
    tiers: Vec<Tier>,
    /// At least one of these tags.
    tags: Vec<String>,
}

/// A contribution to the seed: a commitment to a value that exists, or a rule for one that is to come.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlannedContribution)]
pub(crate) struct ContributionAnswer {
    /// Its name.
    #[schema(example = "server")]
    name: String,
    /// The commitment of its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")]
    commitment: Option<String>,
    /// Source, date and how the value is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
}

impl From<PlanRequest> for PlanRequestAnswer {
    fn from(request: PlanRequest) -> Self {
        let PlanRequest {
            frame_id,
            title,
            item_class,
            items,
            department,
            period: Period { from, to },
            filter,
            method,
            size_measure,
            visits,
            allocation,
            rounding,
            exploration_share,
            reserve_share,
            hash,
            committed,
            public,
            public_seed,
            group,
            extends,
        } = request;
        Self {
            frame_id,
            title,
            // What the request leaves open is known of the plan.
            item_class: item_class.map_or(ItemClass::General, Into::into),
            items,
            department: department.map(Into::into),
            period: PeriodAnswer {
                from: from.to_string(),
                to: to.to_string(),
            },
            filter: filter.into(),
            method: method.into(),
            size_measure: size_measure.map(Into::into),
            visits,
            allocation: allocation.into(),
            rounding: rounding.into(),
            exploration_share,
            reserve_share,
            hash: hash.into(),
            committed: committed
                .into_iter()
                .map(
                    |CommittedContribution { name, commitment }| ContributionAnswer {
                        name,
                        commitment: Some(commitment.to_string()),
                        rule: None,
                    },
                )
                .collect(),
            public: public
                .into_iter()
                .map(|PublicContribution { name, rule }| ContributionAnswer {
                    name,
                    commitment: None,
                    rule: Some(rule),
                })
                .collect(),
            public_seed,
            group,
            extends,
        }
    }
}

impl From<PoolFilter> for FilterAnswer {
    fn from(filter: PoolFilter) -> Self {
        let PoolFilter {
            division,
            industry,
            kinds,
            sizes,
            tiers,
            tags,
        } = filter;
        Self {
            division: division.map(Into::into),
            industry: industry.map(Into::into),
            kinds: kinds.into_iter().map(Into::into).collect(),
            sizes: sizes.into_iter().map(Into::into).collect(),
            tiers: tiers.into_iter().map(Into::into).collect(),
            tags: tags.into_iter().map(Into::into).collect(),
        }
    }
}

/// What the freeze fixed and publishes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FrozenPart)]
pub(crate) struct FrozenAnswer {
    /// The plan's consecutive number.
    #[schema(example = 1, minimum = 1)]
    number: u64,
    /// Digest of the frozen plan.
    plan_digest: String,
    /// Digest of the pool file.
    pool_digest: String,
    /// Merkle root of the pool.
    pool_root: String,
    /// Commitments and rules of the contributions.
    contributions: Vec<ContributionAnswer>,
    /// Whether the secrets follow from a fixed seed: for demonstrations only.
    insecure: bool,
    /// When it was frozen.
    #[schema(format = DateTime, example = "2026-11-22T08:10:00Z")]
    frozen_at: String,
}

impl From<FrozenPart> for FrozenAnswer {
    fn from(part: FrozenPart) -> Self {
        let FrozenPart {
            number,
            plan_digest,
            pool_digest,
            pool_root,
            contributions,
            insecure,
            frozen_at,
        } = part;
        Self {
            number,
            plan_digest: plan_digest.to_string(),
            pool_digest: pool_digest.to_string(),
            pool_root: pool_root.to_string(),
            contributions: contributions.into_iter().map(Into::into).collect(),
            insecure,
            frozen_at,
        }
    }
}

impl From<PlannedContribution> for ContributionAnswer {
    fn from(planned: PlannedContribution) -> Self {
        match planned {
            PlannedContribution::Committed { name, commitment } => Self {
                name: name.into(),
                commitment: Some(commitment.to_string()),
                rule: None,
            },
            PlannedContribution::Public { name, rule } => Self {
                name: name.into(),
                commitment: None,
                rule: Some(rule),
            },
        }
    }
}
