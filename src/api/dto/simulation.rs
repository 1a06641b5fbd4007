//! Rates explained, and policies tried against each other.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

use super::codes::{ItemClass, RateFactor, Tier};
use super::plan_input::PlanInput;
use super::plan_results::{ExcludedAnswer, LimitAnswer, PrecisionAnswer, TierOutlook};
use super::present;
use crate::domain::FieldError;
use crate::service::{
    ObjectRate, PoolPlace, RateStep, Simulated, Simulation, SimulationRequest, SimulationSide,
};

/// Why an object has its rate in a plan.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ObjectRate)]
pub(crate) struct ObjectRateAnswer {
    /// The plan.
    #[schema(example = "rtp1-0123456789abcdef0123456789abcdef")]
    plan_id: String,
    /// The object.
    #[schema(example = "91990000MA00000017")]
    enterprise_id: String,
    /// Its tier in the frame.
    tier: Tier,
    /// Its complaint band.
    #[schema(example = "some")]
    complaint_band: String,
    /// Its complaints against its peers, in thousandths.
    #[schema(example = 2400)]
    complaint_ratio_milli: u64,
    /// Upheld complaints and reports about it.
    #[schema(example = 1)]
    upheld_count: u32,
    /// The policy whose numbers act.
    #[schema(example = "cn-general/1")]
    policy: String,
    /// The steps to its rate; the last one has it.
    steps: Vec<RateStepAnswer>,
    /// Its rate in the plan, in parts per billion.
    #[schema(example = 36_986_301)]
    rate_ppb: u64,
    /// Where it stands.
    place: PoolPlaceAnswer,
}

/// One step on the way to a rate.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RateStep)]
pub(crate) struct RateStepAnswer {
    /// What acts.
    factor: RateFactor,
    /// Where it is written: a place in the policy, a check item, or the plan.
    #[schema(example = "sampling.rates.general.C")]
    source: String,
    /// The rate, multiplier or bound.
    #[schema(example = 0.15)]
    value: f64,
    /// The rate after this step, in parts per billion.
    #[schema(example = 150_000_000)]
    rate_ppb: u64,
}

/// Where an object stands in a plan.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PoolPlace)]
pub(crate) struct PoolPlaceAnswer {
    /// Where.
    state: PlaceWord,
    /// Why it is left out, as a code; more may be added.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "cap_reached")]
    reason: Option<String>,
    /// Key of its stratum.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "S003")]
    stratum: Option<String>,
    /// Objects of the stratum.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 70)]
    object_count: Option<u64>,
    /// Visits to be drawn in it, in parts per billion.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 2_589_041_070_u64)]
    target_ppb: Option<u64>,
    /// The probability with which it is drawn, exploration included.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 0.037, minimum = 0, maximum = 1)]
    inclusion_probability: Option<f64>,
}

/// Where an object stands in a plan.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PoolPlaceState)]
pub(crate) enum PlaceWord {
    /// It is in the pool.
    InPool,
    /// The plan asks for it, but it cannot be visited.
    LeftOut,
    /// The filter of the plan does not ask for it.
    NotAskedFor,
}

impl From<ObjectRate> for ObjectRateAnswer {
    fn from(rate: ObjectRate) -> Self {
        let ObjectRate {
            plan_id,
            enterprise_id,
            tier,
            complaint_band,
            complaint_ratio_milli,
            upheld_count,
            policy,
            steps,
            rate_ppb,
            place,
        } = rate;
        Self {
            plan_id,
            enterprise_id: enterprise_id.to_string(),
            tier: tier.into(),
            complaint_band,
            complaint_ratio_milli,
            upheld_count,
            policy,
            steps: steps.into_iter().map(Into::into).collect(),
            rate_ppb,
            place: place.into(),
        }
    }
}

impl From<RateStep> for RateStepAnswer {
    fn from(step: RateStep) -> Self {
        let RateStep {
            factor,
            source,
            value,
            rate_ppb,
        } = step;
        Self {
            factor: factor.into(),
            source,
            value,
            rate_ppb,
        }
    }
}

impl From<PoolPlace> for PoolPlaceAnswer {
    fn from(place: PoolPlace) -> Self {
        let nowhere = |state| Self {
            state,
            reason: None,
            stratum: None,
            object_count: None,
            target_ppb: None,
            inclusion_probability: None,
        };
        match place {
            PoolPlace::InPool {
                stratum,
                object_count,
                target_ppb,
                inclusion_probability,
            } => Self {
                stratum: Some(stratum),
                object_count: Some(object_count),
                target_ppb,
                inclusion_probability: Some(inclusion_probability),
                ..nowhere(PlaceWord::InPool)
            },
            PoolPlace::LeftOut { reason } => Self {
                reason: Some(reason),
                ..nowhere(PlaceWord::LeftOut)
            },
            PoolPlace::NotAskedFor => nowhere(PlaceWord::NotAskedFor),
        }
    }
}

/// Two policies and the plan to try them on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "an object with `plan` and `candidate`"
)]
pub(crate) struct SimulationInput {
    /// The plan; its frame, period, filter, items and allocation are those of both sides.
    plan: PlanInput,
    /// The candidate, as the text of a policy file (TOML).
    #[schema(example = "format = \"risktier-policy/1\"\nname = \"candidate\"\n…")]
    candidate: String,
    /// What it is compared with, as the text of a policy file; left out: the policy in force.
    #[serde(default, deserialize_with = "present")]
    current: Option<String>,
}

impl SimulationInput {
    /// Checks the parts that have a form of their own.
    pub(crate) fn parse(self) -> Result<SimulationRequest, FieldError> {
        if self.plan.draw.is_some() {
            let reason = "does not go with a simulation, which draws nothing; leave it out";
            return Err(FieldError::new("plan.draw", "now", reason));
        }
        let plan = self.plan.parse().map_err(|error| FieldError {
            field: format!("plan.{}", error.field),
            ..error
        })?;
        Ok(SimulationRequest {
            plan,
            candidate: self.candidate,
            current: self.current,
        })
    }
}

/// What a simulation comes to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Simulation)]
pub(crate) struct SimulationAnswer {
    /// Class of the check items.
    item_class: ItemClass,
    /// Objects of the frame.
    #[schema(example = 20000)]
    object_count: u64,
    /// Under the policy that is compared with.
    current: SideAnswer,
    /// Under the candidate.
    candidate: SideAnswer,
    /// Objects that both are expected to draw where they draw independently of each other.
    #[schema(example = 31.5)]
    overlap_independent: f64,
    /// Objects that both are expected to draw where they draw by the same tickets, which is the most.
    #[schema(example = 540.0)]
    overlap_most: f64,
    /// Objects that the candidate draws with a higher probability.
    #[schema(example = 900)]
    raised_count: u64,
    /// Objects that the candidate draws with a lower one.
    #[schema(example = 19100)]
    lowered_count: u64,
    /// Whether the two differ in their tier rules, which are not simulated.
    #[schema(example = false)]
    tier_rules_differ: bool,
}

/// What comes of one policy.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SimulationSide)]
pub(crate) struct SideAnswer {
    /// The policy.
    #[schema(example = "cn-general/1")]
    policy: String,
    /// Objects in the pool.
    #[schema(example = 20000)]
    pool_size: u64,
    /// Objects left out, by reason.
    excluded: Vec<ExcludedAnswer>,
    /// Expected visits.
    #[schema(example = 612.4)]
    expected_visits: f64,
    /// Inspector-days that they take.
    #[schema(example = 612.4)]
    inspector_days: f64,
    /// Problems that they are expected to find; left out where nothing is predicted for some of the pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 180.2)]
    expected_problems: Option<f64>,
    /// Visits per thousand objects of the pool.
    #[schema(example = 30.6)]
    visits_per_thousand: f64,
    /// Share of the visits that go to tiers A and B.
    #[schema(example = 0.41, minimum = 0, maximum = 1)]
    low_risk_share: f64,
    /// Overall annual rate of general items over the frame.
    #[schema(example = 0.0306)]
    overall_annual_rate: f64,
    /// By tier, from A to D.
    tiers: Vec<TierOutlook>,
    /// Expected visits by division.
    #[schema(example = json!({"990102": 612.4}))]
    divisions: BTreeMap<String, f64>,
    /// Limits of the policy that it touches.
    limits: Vec<LimitAnswer>,
    /// How far estimates will be off, for an allocation by precision.
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<PrecisionAnswer>,
}

impl From<Simulation> for SimulationAnswer {
    fn from(simulation: Simulation) -> Self {
        let Simulation {
            item_class,
            object_count,
            current,
            candidate,
            overlap_independent,
            overlap_most,
            raised_count,
            lowered_count,
            tier_rules_differ,
        } = simulation;
        Self {
            item_class: item_class.into(),
            object_count,
            current: current.into(),
            candidate: candidate.into(),
            overlap_independent,
            overlap_most,
            raised_count,
            lowered_count,
            tier_rules_differ,
        }
    }
}

impl From<SimulationSide> for SideAnswer {
    fn from(side: SimulationSide) -> Self {
        let SimulationSide { policy, simulated } = side;
        let Simulated {
            pool_size,
            excluded,
            expected_visits,
            inspector_days,
            expected_problems,
            visits_per_thousand,
            low_risk_share,
            overall_annual_rate,
            tiers,
            divisions,
            limits,
            precision,
        } = simulated;
        Self {
            policy,
            pool_size,
            excluded: excluded.into_iter().map(Into::into).collect(),
            expected_visits,
            inspector_days,
            expected_problems,
            visits_per_thousand,
            low_risk_share,
            overall_annual_rate,
            tiers: tiers.into_iter().map(Into::into).collect(),
            divisions,
            limits: limits.into_iter().map(Into::into).collect(),
            precision: precision.map(Into::into),
        }
    }
}
