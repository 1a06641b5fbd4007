//! What would come of a plan, as it is shown before anything is fixed.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::draft::PlanRequest;
use super::limits::{LimitNote, PlanOverlap, PlanYear};
use super::precision::PrecisionPreview;
use crate::domain::{ItemClass, Tier};
use crate::sampling::inclusion::StratumInclusion;
use crate::sampling::plan::{Excluded, Method, PPB};
use crate::sampling::{
    Frame, Precision, Stratum, StratumMeaning, StratumTerms, expected_half_width,
};

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
    /// How far the estimates will be off, for an allocation by precision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<PrecisionPreview>,
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
    pub(super) fn fill(
        &mut self,
        frame: &Frame,
        strata: &[Stratum],
        (targets, terms): (&[u64], &[StratumTerms]),
        request: &PlanRequest,
    ) -> BTreeMap<usize, f64> {
        let mut by_tier: BTreeMap<Tier, TierSums> = BTreeMap::new();
        let mut probability = BTreeMap::new();
        for ((stratum, target_ppb), terms) in strata.iter().zip(targets).zip(terms) {
            let objects = stratum.members.len() as u64;
            let (exploration_n, pool_size) = (self.exploration_n, self.pool_size);
            let inclusion = StratumInclusion::new(*target_ppb, objects, exploration_n, pool_size);
            let inclusion_probability = inclusion.probability();
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
            for (division, objects) in by_division(frame, stratum) {
                *self.divisions.entry(division).or_default() +=
                    inclusion_probability * objects as f64;
            }
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

/// How many objects of a stratum each division has.
fn by_division(frame: &Frame, stratum: &Stratum) -> BTreeMap<String, u64> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for row in stratum
        .members
        .iter()
        .filter_map(|at| frame.rows().get(*at))
    {
        let division = row
            .division
            .as_ref()
            .map_or("", |division| division.as_str());
        *counts.entry(division).or_default() += 1;
    }
    let owned = counts.into_iter();
    owned
        .map(|(division, count)| (division.to_owned(), count))
        .collect()
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
