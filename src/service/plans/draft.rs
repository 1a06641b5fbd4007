//! What a plan asks for, and what would come of it.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use super::limits::{Bookings, LimitCode, LimitNote, PlanOverlap, PlanYear, RecentPlan};
use super::terms::AllocationRequest;
use crate::domain::digest::{Digest, HashAlgorithm};
use crate::domain::{CheckItem, FieldError, ItemClass, Label, Tier, dates, field};
use crate::model::Classifier;
use crate::sampling::plan::{Excluded, Method, PPB, Period, Rounding, public_seed_allowed};
use crate::sampling::sizes::{Target, exploration_split, largest_remainder};
use crate::sampling::{
    Allocation, Frame, PoolFilter, Precision, RateRule, SamplingPolicy, Selection, SizeMeasure,
    Stratum, StratumMeaning, StratumTerms, allocate_within, expected_half_width, falling_with_risk,
    mix, stratify,
};
use crate::service::frames::FrameSummary;
use crate::service::items::{class_of, lowest_cap};
use crate::service::{Current, Service, ServiceError};

/// Pairs of strata that a warning names one by one.
const MOST_PAIRS: usize = 5;

/// What a plan asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// The frame that the pool is selected from.
    pub frame_id: String,
    /// Title for people, 1–200 bytes.
    pub title: String,
    /// Class of the check items; absent: that of the items named, and general without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_class: Option<ItemClass>,
    /// Codes of the check items, which are in the list and published.
    #[serde(default)]
    pub items: Vec<String>,
    /// The department that plans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<Label>,
    /// When the visits take place; annual rates are taken for its share of the year.
    pub period: Period,
    /// Which objects.
    #[serde(default)]
    pub filter: PoolFilter,
    /// `equal` and `pareto` draw by stratum; `order` puts the whole pool in ticket order.
    pub method: Method,
    /// What an object's size is, for method `pareto`; absent: the rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_measure: Option<SizeMeasure>,
    /// Number of visits; absent: by the policy's rates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visits: Option<u64>,
    /// What the visits follow, and bounds of the strata.
    #[serde(default)]
    pub allocation: AllocationRequest,
    /// How targets become whole numbers.
    pub rounding: Rounding,
    /// Share of the visits drawn with equal probability over the whole pool, 0 to 0.5.
    #[serde(default)]
    pub exploration_share: f64,
    /// Objects that stand by per stratum, as a share of its target, 0 to 1.
    #[serde(default)]
    pub reserve_share: f64,
    /// The hash of the draw.
    pub hash: HashAlgorithm,
    /// Contributions of others whose values exist already, beside the server's own.
    #[serde(default)]
    pub committed: Vec<CommittedContribution>,
    /// Contributions that come into being after the freeze.
    #[serde(default)]
    pub public: Vec<PublicContribution>,
    /// Whether the public edition may reveal values and seed.
    #[serde(default)]
    pub public_seed: bool,
    /// The coordinated group that the plan belongs to; it then has the group's contributions, hash and `public_seed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The earlier plan that this one extends; who was drawn there leaves the pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
}

/// A contribution whose value exists and is opened at the draw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommittedContribution {
    /// Its name.
    pub name: String,
    /// Its commitment.
    pub commitment: Digest,
}

/// A contribution that comes into being after the freeze.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicContribution {
    /// Its name.
    pub name: String,
    /// Source, date and how the value is read.
    pub rule: String,
}

/// What a plan would do, without drawing and without any secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanPreview {
    /// Objects in the pool.
    pub pool_size: u64,
    /// Objects that the filter asks for but that cannot be visited, by reason.
    pub excluded: Vec<Excluded>,
    /// Expected number of visits.
    pub expected_visits: f64,
    /// Objects drawn over the whole pool beside the strata.
    pub exploration_n: u64,
    /// Overall annual rate of general items over the frame, before any scaling.
    pub overall_annual_rate: f64,
    /// By tier, from A to D.
    pub tiers: Vec<TierPreview>,
    /// Expected visits by division.
    pub divisions: BTreeMap<String, f64>,
    /// The strata in order of key; empty for method `order`.
    pub strata: Vec<StratumPreview>,
    /// Bounds of the policy that the plan touches.
    pub warnings: Vec<String>,
    /// Class of the check items.
    #[serde(default = "general")]
    pub item_class: ItemClass,
    /// Inspector-days that the expected visits take.
    #[serde(default)]
    pub inspector_days: f64,
    /// The year of the ledger, for general items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub year: Option<PlanYear>,
    /// How much of recent plans would be drawn again.
    #[serde(default)]
    pub overlaps: Vec<PlanOverlap>,
    /// The same bounds as in `warnings`, with their numbers.
    #[serde(default)]
    pub limits: Vec<LimitNote>,
}

/// The exploration share of a plan that says nothing of it: 5 % of the visits, so that targeting can be evaluated and
/// models trained anew without bias; none where the whole pool is put in order.
pub fn default_exploration(method: Method) -> f64 {
    match method {
        Method::Equal | Method::Pareto => 0.05,
        Method::Order => 0.0,
    }
}

fn general() -> ItemClass {
    ItemClass::General
}

/// One tier of a preview.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TierPreview {
    /// The tier.
    pub tier: Tier,
    /// Objects of the tier in the pool.
    pub objects: u64,
    /// Expected visits to them.
    pub expected_visits: f64,
    /// Their mean inclusion probability.
    pub inclusion_probability: f64,
    /// Problems that the visits are expected to find; absent where nothing is predicted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_problems: Option<f64>,
    /// Half the width of the 95 % interval that the problem rate of the tier will have, with the worst case where nothing
    /// is predicted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_half_width: Option<f64>,
}

/// One tier and complaint band of a preview, over all divisions.
#[derive(Clone, Debug, PartialEq)]
pub struct TierBandPreview {
    /// The tier.
    pub tier: Tier,
    /// The complaint band.
    pub complaint_band: String,
    /// Its objects.
    pub objects: u64,
    /// Mean rate of its objects in the plan by the policy, before any total.
    pub rate: f64,
    /// Mean inclusion probability of its objects.
    pub inclusion_probability: f64,
    /// Expected visits to them.
    pub expected_visits: f64,
}

/// One stratum of a preview.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StratumPreview {
    /// Its opaque key.
    pub key: String,
    /// What it stands for.
    pub meaning: StratumMeaning,
    /// Its objects.
    pub objects: u64,
    /// Its target, in parts per billion of a visit.
    pub target_ppb: u64,
    /// Objects that stand by.
    pub reserve: u64,
    /// Inclusion probability of each of its objects, exploration included.
    pub inclusion_probability: f64,
}

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

/// A text that stands in the plan as it is given: 1 to `most` bytes, no control character, not only white space.
pub(super) fn printable(name: &str, text: &str, most: usize) -> Result<(), FieldError> {
    if text.len() > most {
        let reason = format!("has {} bytes; allowed are 1 to {most}", text.len());
        return Err(FieldError::new(name, text, reason));
    }
    field::text(name, text, 1, most).map(drop)
}

impl PlanRequest {
    pub(super) fn check(&self) -> Result<(), FieldError> {
        let share = |field: &str, value: f64, most: f64| {
            let inside = (0.0..=most).contains(&value);
            inside.then_some(()).ok_or_else(|| {
                FieldError::new(
                    field,
                    &value.to_string(),
                    format!("is not within 0 to {most}"),
                )
            })
        };
        share("exploration_share", self.exploration_share, 0.5)?;
        share("reserve_share", self.reserve_share, 1.0)?;
        printable("title", &self.title, 200)?;
        self.allocation.check()?;
        self.allocation.allocation(self.visits)?;
        let mut seen = BTreeSet::new();
        for (place, item) in self.items.iter().enumerate() {
            let name = format!("items.{place}");
            field::label(&name, item)?;
            if !seen.insert(item) {
                return Err(FieldError::new(&name, item, "is named twice"));
            }
        }
        for (place, contribution) in self.public.iter().enumerate() {
            printable(&format!("public.{place}.rule"), &contribution.rule, 1_000)?;
        }
        let Period { from, to } = self.period;
        if from > to {
            return Err(FieldError::new(
                "period.to",
                &to.to_string(),
                format!("is before `period.from` ({from})"),
            ));
        }
        if let (Some(measure), Method::Equal | Method::Order) = (self.size_measure, self.method) {
            let reason = "is for method `pareto`; leave it out";
            return Err(FieldError::new("size_measure", measure.as_str(), reason));
        }
        match self.method {
            Method::Equal => Ok(()),
            Method::Pareto if self.rounding == Rounding::Systematic => Err(FieldError::new(
                "rounding",
                "systematic",
                "does not go with method `pareto`; use largest_remainder or whole",
            )),
            Method::Pareto => Ok(()),
            Method::Order if self.visits.is_some() => Err(FieldError::new(
                "visits",
                &self.visits.unwrap_or(0).to_string(),
                "does not go with method `order`, which puts the whole pool in order",
            )),
            Method::Order if self.allocation != AllocationRequest::default() => {
                let reason = "does not go with method `order`, which puts the whole pool in order";
                Err(FieldError::new("allocation", "", reason))
            }
            Method::Order if self.exploration_share > 0.0 => Err(FieldError::new(
                "exploration_share",
                &self.exploration_share.to_string(),
                "does not go with method `order`",
            )),
            Method::Order => Ok(()),
        }
    }

    /// Days of the period, both ends included.
    pub(super) fn days(&self) -> u64 {
        u64::try_from(dates::days_between(self.period.from, self.period.to) + 1).unwrap_or(1)
    }
}

impl Service {
    /// Shows what a plan would do.
    ///
    /// # Errors
    ///
    /// Names the field that is wrong, an unknown frame, an empty pool, or visits that exceed it.
    pub fn preview_plan(&self, request: &PlanRequest) -> Result<PlanPreview, ServiceError> {
        let request = self.in_group(request.clone())?;
        Ok(self.draft(&self.current(), &request)?.preview)
    }

    pub(super) fn draft(
        &self,
        current: &Current,
        request: &PlanRequest,
    ) -> Result<Drafted, ServiceError> {
        request.check()?;
        let (summary, frame) = self.frame_rows(&request.frame_id)?;
        let items = self.planned_items(&request.items)?;
        let class = class_of(&items, request.item_class)?;
        let ground = Ground {
            policy: &current.models.sampling,
            classifier: &current.models.classifier,
            frame: &frame,
            items: &items,
            class,
            bookings: &self.bookings(class, request.period)?,
            recent: &self.recent_plans(request.period)?,
        };
        let mut selection = request.filter.select(&frame);
        self.leave_out_drawn(request, &frame, &mut selection)?;
        let Thought {
            strata,
            sizes,
            preview,
            probability: _,
        } = think(&ground, request, selection)?;
        Ok(Drafted {
            summary,
            frame,
            strata,
            sizes,
            preview,
        })
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
    let strata = stratify(ground.frame, &selection.members, &rule)?;
    let terms = request
        .allocation
        .terms(&strata, ground.frame, ground.classifier);
    let allocation = match request.method {
        Method::Order => Allocation::Total(selection.members.len().max(1) as u64),
        Method::Equal | Method::Pareto => request.allocation.allocation(request.visits)?,
    };
    let least_ppb = (ground.policy.least_rate * PPB as f64).round() as u64;
    let targets = allocate_within(&strata, allocation, &terms, least_ppb)?;
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
    let (exploration_n, mut targets) = exploration_split(
        &cells,
        (request.exploration_share * PPB as f64).round() as u64,
    );
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
    };
    let probability = preview.fill(&strata, &targets, &terms, request);
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

impl PlanPreview {
    /// How the rate moves with tier and complaint band: tiers from A to D, bands in rising order of their rate.
    pub fn by_tier_and_band(&self) -> Vec<TierBandPreview> {
        let mut cells: BTreeMap<(Tier, u64), TierBandPreview> = BTreeMap::new();
        for stratum in &self.strata {
            let meaning = &stratum.meaning;
            let cell = cells
                .entry((meaning.tier, meaning.rate.band_multiplier_milli))
                .or_insert_with(|| TierBandPreview {
                    tier: meaning.tier,
                    complaint_band: meaning.complaint_band.clone(),
                    objects: 0,
                    rate: 0.0,
                    inclusion_probability: 0.0,
                    expected_visits: 0.0,
                });
            let objects = stratum.objects as f64;
            cell.objects += stratum.objects;
            cell.rate += meaning.rate.rate_ppb as f64 / PPB as f64 * objects;
            cell.expected_visits += stratum.inclusion_probability * objects;
        }
        for cell in cells.values_mut() {
            let objects = cell.objects.max(1) as f64;
            cell.rate /= objects;
            cell.inclusion_probability = cell.expected_visits / objects;
        }
        cells.into_values().collect()
    }

    /// Fills in what comes of the targets, and returns the inclusion probability of each object by its position.
    fn fill(
        &mut self,
        strata: &[Stratum],
        targets: &[u64],
        terms: &[StratumTerms],
        request: &PlanRequest,
    ) -> BTreeMap<usize, f64> {
        let explored = self.exploration_n as f64 / self.pool_size.max(1) as f64;
        let mut by_tier: BTreeMap<Tier, TierSums> = BTreeMap::new();
        let mut probability = BTreeMap::new();
        for ((stratum, target_ppb), terms) in strata.iter().zip(targets).zip(terms) {
            let objects = stratum.members.len() as u64;
            let own = *target_ppb as f64 / PPB as f64 / objects.max(1) as f64;
            // DRAW: π = 1 − (1 − π_stratum)(1 − exploration_n / pool_size).
            let inclusion_probability = 1.0 - (1.0 - own) * (1.0 - explored);
            let visits = inclusion_probability * objects as f64;
            let problem = terms.problem_ppb.map(|ppb| ppb as f64 / PPB as f64);
            probability.extend(
                stratum
                    .members
                    .iter()
                    .map(|at| (*at, inclusion_probability)),
            );
            self.expected_visits += visits;
            self.inspector_days += visits * f64::from(terms.visit_milli_days) / 1_000.0;
            *self
                .divisions
                .entry(stratum.meaning.division.clone())
                .or_default() += visits;
            let tier = by_tier.entry(stratum.meaning.tier).or_default();
            tier.objects += objects;
            tier.visits += visits;
            tier.problems = tier
                .problems
                .zip(problem)
                .map(|(sum, problem)| sum + problem * visits);
            tier.precision.push(Precision {
                objects,
                visits,
                problem: problem.unwrap_or(0.5),
            });
            if request.method != Method::Order {
                self.strata.push(StratumPreview {
                    key: stratum.key.clone(),
                    meaning: stratum.meaning.clone(),
                    objects,
                    target_ppb: *target_ppb,
                    reserve: reserve(*target_ppb, objects, request.reserve_share),
                    inclusion_probability,
                });
            }
        }
        self.tiers = by_tier
            .into_iter()
            .map(|(tier, sums)| TierPreview {
                tier,
                objects: sums.objects,
                expected_visits: sums.visits,
                inclusion_probability: sums.visits / sums.objects.max(1) as f64,
                expected_problems: sums.problems,
                expected_half_width: expected_half_width(&sums.precision),
            })
            .collect();
        probability
    }
}

/// What is summed up of one tier.
struct TierSums {
    objects: u64,
    visits: f64,
    /// Nothing as soon as one of its strata has no prediction.
    problems: Option<f64>,
    precision: Vec<Precision>,
}

impl Default for TierSums {
    fn default() -> Self {
        Self {
            objects: 0,
            visits: 0.0,
            problems: Some(0.0),
            precision: Vec::new(),
        }
    }
}

/// Objects that stand by: the share of the target, rounded up, as far as the stratum has them.
fn reserve(target_ppb: u64, objects: u64, share: f64) -> u64 {
    let wanted = (target_ppb as f64 / PPB as f64 * share).ceil() as u64;
    wanted.min(objects - (target_ppb / PPB).min(objects))
}
