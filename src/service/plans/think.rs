//! A plan thought through: rates, strata, targets and limits, without drawing and without any secret.

use std::collections::BTreeMap;

use super::draft::PlanRequest;
use super::limits::{Bookings, LimitCode, LimitNote, RecentPlan};
use super::precision::Bounds;
use super::preview::PlanPreview;
use crate::domain::{CheckItem, FieldError, ItemClass};
use crate::model::Classifier;
use crate::sampling::plan::{Excluded, Method, PPB, Rounding, public_seed_allowed};
use crate::sampling::sizes::{Target, before_exploration, exploration_split, largest_remainder};
use crate::sampling::{
    Allocation, Frame, RateRule, SamplingPolicy, Selection, Stratum, allocate_precisely,
    allocate_within, falling_with_risk, mix, stratify_by,
};
use crate::service::ServiceError;
use crate::service::frames::FrameSummary;
use crate::service::items::lowest_cap;

/// Pairs of strata that a warning names one by one.
const MOST_PAIRS: usize = 5;

/// A plan thought through, ready to be frozen.
pub(super) struct Drafted {
    pub(super) summary: FrameSummary,
    pub(super) frame: Frame,
    pub(super) strata: Vec<Stratum>,
    /// The size of each member of each stratum, for method `pareto`.
    pub(super) sizes: Option<Vec<Vec<u32>>>,
    pub(super) preview: PlanPreview,
}

/// What a plan is thought through on: all that it needs to know beside what it asks for.
pub(super) struct Ground<'a> {
    pub(super) policy: &'a SamplingPolicy,
    pub(super) classifier: &'a Classifier,
    pub(super) frame: &'a Frame,
    pub(super) items: &'a [CheckItem],
    pub(super) class: ItemClass,
    pub(super) bookings: &'a Bookings,
    pub(super) recent: &'a [RecentPlan],
}

/// A plan thought through.
pub(super) struct Thought {
    pub(super) strata: Vec<Stratum>,
    /// The size of each member of each stratum, for method `pareto`.
    pub(super) sizes: Option<Vec<Vec<u32>>>,
    pub(super) preview: PlanPreview,
    /// The inclusion probability of each object of the pool, by its position in the frame.
    pub(super) probability: BTreeMap<usize, f64>,
}

impl<'a> Ground<'a> {
    /// How rates come about in a plan on this ground.
    pub(super) fn rule(&self, request: &PlanRequest) -> Result<RateRule<'a>, ServiceError> {
        let rule = RateRule::new(self.policy, self.class, request.days(), self.frame)?
            .with_cap(lowest_cap(self.items));
        if !self.policy.overall.catch_up || self.class != ItemClass::General {
            return Ok(rule);
        }
        let needed =
            self.bookings
                .needed_rate(self.policy.overall, rule.object_count(), request.period);
        Ok(rule.catching_up(needed))
    }
}

/// Thinks a plan through: pool, strata, targets, and what comes of them. Draws nothing and needs no secret.
/// `selection` is what the filter selects, without those that the plan must not draw again.
pub(super) fn think(
    ground: &Ground<'_>,
    request: &PlanRequest,
    mut selection: Selection,
) -> Result<Thought, ServiceError> {
    let rule = ground.rule(request)?;
    if ground.class == ItemClass::General {
        let (limits, period) = (&ground.policy.visits, request.period);
        ground
            .bookings
            .leave_out_resting(limits, period, ground.frame, &mut selection);
    }
    let by = &request.allocation.strata_by;
    let strata = stratify_by(ground.frame, &selection.members, &rule, by)?;
    let terms = request
        .allocation
        .terms(&strata, ground.frame, ground.classifier);
    let allocation = match request.method {
        Method::Order => Some(Allocation::Total(selection.members.len().max(1) as u64)),
        Method::Equal | Method::Pareto => request.allocation.allocation(request.visits)?,
    };
    let least_ppb = (ground.policy.least_rate * PPB as f64).round() as u64;
    let share_ppb = (request.exploration_share * PPB as f64).round() as u64;
    let bounds = Bounds::new(&request.allocation, &strata, &terms)?;
    let (targets, multipliers) = match allocation {
        Some(allocation) => {
            let targets = allocate_within(&strata, allocation, &terms, least_ppb)?;
            (targets, Vec::new())
        }
        None => {
            let precise = allocate_precisely(&strata, &terms, bounds.acting(), least_ppb)?;
            let is_whole = request.rounding != Rounding::Systematic;
            let targets = unrounded(&strata, &precise.targets_ppb, share_ppb, is_whole);
            (targets, precise.multipliers)
        }
    };
    let falling = falling_with_risk(&strata, &targets);
    let (strata, targets, sizes, terms) = if request.method == Method::Pareto {
        let measure = request.size_measure.unwrap_or_default();
        let mixed = mix(ground.frame, strata, &targets, measure);
        // What is said of strata is said of the mixed ones anew; their bounds have acted already.
        let terms = request
            .allocation
            .terms(&mixed.strata, ground.frame, ground.classifier);
        (mixed.strata, mixed.targets_ppb, Some(mixed.sizes), terms)
    } else {
        (strata, targets, None, terms)
    };
    let cells: Vec<Target> = strata
        .iter()
        .zip(&targets)
        .map(|(stratum, target_ppb)| Target {
            pool: stratum.members.len() as u64,
            target_ppb: *target_ppb,
        })
        .collect();
    let (exploration_n, mut targets) = exploration_split(&cells, share_ppb);
    if request.rounding == Rounding::LargestRemainder {
        targets = largest_remainder(&targets);
    }
    if request.rounding == Rounding::Whole && request.method != Method::Order {
        must_be_whole(&strata, &targets)?;
    }
    let split = cells.iter().zip(&targets).map(|(cell, target)| Target {
        pool: cell.pool,
        target_ppb: *target,
    });
    if request.public_seed && !public_seed_allowed(request.method, split) {
        let reason = "would let large tickets show high rates, and so tiers; it is allowed for method `order` and for one rate over all strata";
        return Err(FieldError::new("public_seed", "true", reason).into());
    }
    let excluded = selection
        .excluded
        .iter()
        .map(|(reason, count)| Excluded {
            reason: (*reason).to_owned(),
            count: *count,
        })
        .collect();
    let mut preview = PlanPreview {
        pool_size: selection.members.len() as u64,
        excluded,
        expected_visits: 0.0,
        exploration_n,
        overall_annual_rate: rule.overall_annual_ppb as f64 / PPB as f64,
        tiers: Vec::new(),
        divisions: BTreeMap::new(),
        strata: Vec::new(),
        warnings: Vec::new(),
        item_class: ground.class,
        inspector_days: 0.0,
        year: None,
        overlaps: Vec::new(),
        limits: limits(&rule, ground.policy, &falling),
        precision: None,
    };
    if allocation.is_none() {
        preview.precision = Some(bounds.preview(&strata, &targets, &multipliers));
    }
    let probability = preview.fill(ground.frame, &strata, (&targets, &terms), request);
    if ground.class == ItemClass::General {
        let (year, note) = ground.bookings.year_with(
            ground.policy.overall,
            rule.object_count(),
            preview.expected_visits,
            request.period,
        );
        preview.year = Some(year);
        preview.limits.extend(note);
    }
    let overlap = |recent: &RecentPlan| recent.overlap(ground.frame, &probability);
    preview.overlaps = ground.recent.iter().map(overlap).collect();
    preview.warnings = preview
        .limits
        .iter()
        .map(|note| note.text.clone())
        .collect();
    Ok(Thought {
        strata,
        sizes,
        preview,
        probability,
    })
}

/// The targets before exploration takes its share and before rounding, so that what the strata draw themselves is never
/// less than what precision needs.
fn unrounded(strata: &[Stratum], needed: &[u64], share_ppb: u64, is_whole: bool) -> Vec<u64> {
    let cells: Vec<Target> = strata
        .iter()
        .zip(needed)
        .map(|(stratum, needed)| Target {
            pool: stratum.members.len() as u64,
            target_ppb: *needed,
        })
        .collect();
    if is_whole {
        // Exploration takes nothing of whole targets here, which the check of the request has made sure of.
        let visits = cells.iter().map(|cell| cell.target_ppb.div_ceil(PPB));
        return visits.map(|visits| visits.saturating_mul(PPB)).collect();
    }
    before_exploration(&cells, share_ppb)
}

/// Rounding `whole` takes targets as they are, so each must be a whole number of visits.
fn must_be_whole(strata: &[Stratum], targets: &[u64]) -> Result<(), FieldError> {
    let broken = strata
        .iter()
        .zip(targets)
        .find(|(_, target)| **target % PPB != 0);
    let Some((stratum, target)) = broken else {
        return Ok(());
    };
    let reason = format!(
        "needs a whole number of visits in every stratum, but `{}` has {}; use largest_remainder or systematic",
        stratum.key,
        *target as f64 / PPB as f64
    );
    Err(FieldError::new("rounding", "whole", reason))
}

/// The limits of the policy that the rates and targets touch.
fn limits(
    rule: &RateRule<'_>,
    policy: &SamplingPolicy,
    falling: &[(String, String)],
) -> Vec<LimitNote> {
    let mut limits = Vec::new();
    let overall = rule.overall_annual_ppb as f64 / PPB as f64;
    let percent = overall * 100.0;
    if rule.is_above_ceiling() {
        limits.push(LimitNote {
            code: LimitCode::RatesAboveCeiling,
            limit: policy.overall.ceiling,
            value: overall,
            text: format!(
                "the overall annual rate of {percent:.2} % lies above the policy's ceiling"
            ),
        });
    }
    if rule.is_scaled() {
        limits.push(LimitNote {
            code: LimitCode::RatesBelowFloor,
            limit: policy.overall.floor,
            value: overall,
            text: format!("the overall annual rate of {percent:.2} % lies below the policy's floor: rates are scaled up"),
        });
    }
    if !falling.is_empty() {
        let named: Vec<String> = falling
            .iter()
            .take(MOST_PAIRS)
            .map(|(lower, upper)| format!("{upper} less than {lower}"))
            .collect();
        limits.push(LimitNote {
            code: LimitCode::FallsWithRisk,
            limit: 0.0,
            value: falling.len() as f64,
            text: format!(
                "the bounds of this plan give riskier strata less per object: {}",
                named.join(", ")
            ),
        });
    }
    limits
}
