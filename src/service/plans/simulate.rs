//! One policy against another on the same frame: what each would visit and find, without drawing and without a secret.

use serde::Serialize;
use std::collections::BTreeMap;

use super::draft::PlanRequest;
use super::limits::LimitNote;
use super::precision::PrecisionPreview;
use super::preview::TierPreview;
use super::think::{Ground, Thought, think};
use crate::domain::{FieldError, ItemClass, Tier};
use crate::sampling::plan::Excluded;
use crate::sampling::{Frame, SamplingPolicy};
use crate::service::items::class_of;
use crate::service::models::PolicyText;
use crate::service::{Service, ServiceError};

/// Two policies and the plan to try them on.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulationRequest {
    /// The plan; its frame, period, filter, items and allocation are those of both sides.
    pub plan: PlanRequest,
    /// The candidate, as the text of a policy file.
    pub candidate: String,
    /// What it is compared with, as the text of a policy file; absent: the policy in force.
    pub current: Option<String>,
}

/// What a simulation comes to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Simulation {
    /// Class of the check items.
    pub item_class: ItemClass,
    /// Objects of the frame.
    pub object_count: u64,
    /// Under the policy that is compared with.
    pub current: SimulationSide,
    /// Under the candidate.
    pub candidate: SimulationSide,
    /// Objects that both are expected to draw where they draw independently of each other.
    pub overlap_independent: f64,
    /// Objects that both are expected to draw where they draw by the same tickets, which is the most.
    pub overlap_most: f64,
    /// Objects that the candidate draws with a higher probability.
    pub raised_count: u64,
    /// Objects that the candidate draws with a lower one.
    pub lowered_count: u64,
    /// Whether the two differ in their tier rules, which are not simulated: both sides have the tiers of the frame.
    pub tier_rules_differ: bool,
}

/// What comes of one policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SimulationSide {
    /// The policy, as `name/version`.
    pub policy: String,
    /// What comes of it.
    pub simulated: Simulated,
}

/// What comes of a policy on a frame.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Simulated {
    /// Objects in the pool.
    pub pool_size: u64,
    /// Objects left out, by reason.
    pub excluded: Vec<Excluded>,
    /// Expected visits.
    pub expected_visits: f64,
    /// Inspector-days that they take.
    pub inspector_days: f64,
    /// Problems that they are expected to find; absent where nothing is predicted for some of the pool.
    pub expected_problems: Option<f64>,
    /// Visits per thousand objects of the pool: the burden.
    pub visits_per_thousand: f64,
    /// Share of the visits that go to tiers A and B.
    pub low_risk_share: f64,
    /// Overall annual rate of general items over the frame.
    pub overall_annual_rate: f64,
    /// By tier, from A to D.
    pub tiers: Vec<TierPreview>,
    /// Expected visits by division; the empty name stands for objects without one.
    pub divisions: BTreeMap<String, f64>,
    /// Limits of the policy that it touches.
    pub limits: Vec<LimitNote>,
    /// How far estimates will be off, for an allocation by precision.
    pub precision: Option<PrecisionPreview>,
}

impl Service {
    /// Tries two policies on one frame.
    ///
    /// # Errors
    ///
    /// Names what is wrong with the plan or with one of the policies.
    pub fn simulate_policies(
        &self,
        request: &SimulationRequest,
    ) -> Result<Simulation, ServiceError> {
        self.simulated(request).map_err(|error| match error {
            // What is wrong with the plan lies within the member `plan`.
            ServiceError::Field(mut field)
                if !["candidate", "current"].contains(&&*field.field) =>
            {
                field.field = format!("plan.{}", field.field);
                field.into()
            }
            other => other,
        })
    }

    fn simulated(&self, request: &SimulationRequest) -> Result<Simulation, ServiceError> {
        let in_force = self.current();
        let named = |field: &'static str, text: &str| {
            PolicyText::read(text)
                .map_err(|error| FieldError::new(field, "", format!("is refused: {error}")))
        };
        let candidate = named("candidate", &request.candidate)?;
        let current = match &request.current {
            Some(text) => named("current", text)?,
            None => in_force.models.policy_text()?,
        };
        let (plan, classifier) = (&request.plan, &in_force.models.classifier);
        plan.check()?;
        let (_, frame) = self.frame_rows(&plan.frame_id)?;
        let items = self.planned_items(&plan.items)?;
        let class = class_of(&items, plan.item_class)?;
        let bookings = self.bookings(class, plan.period)?;
        let try_on = |policy: &SamplingPolicy, frame: &Frame| {
            let ground = Ground {
                policy,
                classifier,
                frame,
                items: &items,
                class,
                bookings: &bookings,
                recent: &[],
            };
            think(&ground, plan, plan.filter.select(frame))
        };
        // Bands are a matter of the policy; what the frame has counted is not.
        let under = |policy: &SamplingPolicy| -> Result<Thought, ServiceError> {
            try_on(policy, &frame.banded_by(&policy.complaints))
        };
        let before = under(&current.sampling)?;
        let after = under(&candidate.sampling)?;
        let mut simulation = Simulation {
            item_class: class,
            object_count: frame.rows().len() as u64,
            tier_rules_differ: current.tier_rules != candidate.tier_rules,
            current: side(current, &before),
            candidate: side(candidate, &after),
            overlap_independent: 0.0,
            overlap_most: 0.0,
            raised_count: 0,
            lowered_count: 0,
        };
        for (position, old) in &before.probability {
            let new = after.probability.get(position).copied().unwrap_or(0.0);
            simulation.overlap_independent += old * new;
            simulation.overlap_most += old.min(new);
            // Below this both are the same number to within rounding.
            simulation.raised_count += u64::from(new > old + 1e-9);
            simulation.lowered_count += u64::from(new < old - 1e-9);
        }
        Ok(simulation)
    }
}

fn side(policy: PolicyText, thought: &Thought) -> SimulationSide {
    let preview = &thought.preview;
    let problems = preview.tiers.iter().map(|tier| tier.expected_problems);
    let low_risk = preview
        .tiers
        .iter()
        .filter(|tier| tier.tier <= Tier::B)
        .map(|tier| tier.expected_visits)
        .sum::<f64>();
    SimulationSide {
        policy: policy.name,
        simulated: Simulated {
            pool_size: preview.pool_size,
            excluded: preview.excluded.clone(),
            expected_visits: preview.expected_visits,
            inspector_days: preview.inspector_days,
            expected_problems: problems.sum::<Option<f64>>(),
            visits_per_thousand: preview.expected_visits * 1_000.0
                / preview.pool_size.max(1) as f64,
            low_risk_share: low_risk / preview.expected_visits.max(f64::MIN_POSITIVE),
            overall_annual_rate: preview.overall_annual_rate,
            tiers: preview.tiers.clone(),
            divisions: preview.divisions.clone(),
            limits: preview.limits.clone(),
            precision: preview.precision.clone(),
        },
    }
}
