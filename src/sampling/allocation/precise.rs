//! Allocation by precision (Bethel 1989): as few inspector-days as hold bounds on how far estimates may be off.
//!
//! A bound says that the coefficient of variation of an estimated total over some strata is at most so much. With
//! `S² = p(1 − p)` of what is predicted, the variance of a total from stratified equal-probability samples is
//! `Σ N²S²(1/x − 1/N)`, so that a bound reads `Σ a_h/x_h ≤ 1` with `a_h = N_h²S_h² / (V + ΣN S²)` and `V = (cv·Y)²`.
//! The effort `Σ c_h·x_h` is the least under all bounds at once, within the box of every stratum; of two strata of a
//! division the riskier one never gets less per object, unless somebody has bounded it so.

use super::interior::{Cell, Problem, Solution, solve};
use super::{AllocationError, Cv, StratumTerms, Visits, nowhere_riskier};
use crate::sampling::plan::PPB;
use crate::sampling::strata::Stratum;

/// Room that a bound leaves at all upper bounds, relative to what it allows, that is no room.
const NO_ROOM: f64 = 1e-11;
/// Relative distance from an upper bound that is no distance.
const AT_BOUND: f64 = 1e-10;

/// A bound on the coefficient of variation of an estimated total.
#[derive(Clone, Debug, PartialEq)]
pub struct CvBound {
    /// What it is about, in words, for messages.
    pub name: String,
    /// The coefficient of variation that is allowed, above 0.
    pub most_cv: f64,
    /// The share of visits, in ppb, for which what is estimated is predicted to hold, for each stratum in order; `None`
    /// where a stratum does not belong to the total.
    pub share_ppb: Vec<Option<u64>>,
}

/// What a bound comes to on given strata.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sums {
    /// `Y`: the total that is estimated.
    total: f64,
    /// `Σ N S²`.
    spread: f64,
}

impl CvBound {
    /// The total that is estimated: how many visits would find it if every object was visited.
    pub fn expected_total(&self, strata: &[Stratum]) -> f64 {
        self.sums(strata).total
    }

    /// Objects of the strata that it is about.
    pub fn object_count(&self, strata: &[Stratum]) -> u64 {
        self.parts(strata).map(|(objects, _)| objects).sum()
    }

    /// The coefficient of variation that targets lead to, from the expected sizes; infinite where a stratum of unknown
    /// outcome gets no visit, and 0 where nothing is expected.
    pub fn expected_cv(&self, strata: &[Stratum], targets_ppb: &[u64]) -> f64 {
        let mut variance = 0.0;
        for ((stratum, share), target) in strata.iter().zip(&self.share_ppb).zip(targets_ppb) {
            let Some(share) = share else { continue };
            let objects = stratum.members.len() as u64;
            let spread = objects as f64 * variance_of(*share);
            // As a difference of whole numbers, which is 0 where everybody is visited.
            let unseen = u128::from(objects) * u128::from(PPB);
            let unseen = unseen.saturating_sub(u128::from(*target)) as f64;
            if spread > 0.0 && unseen > 0.0 {
                variance += spread * unseen / *target as f64;
            }
        }
        let total = self.sums(strata).total;
        if variance == 0.0 || total == 0.0 {
            0.0
        } else {
            variance.sqrt() / total
        }
    }

    /// What one percentage point less of the bound costs, in inspector-days: the slope at the solution, from the bound's
    /// multiplier.
    pub fn price(&self, strata: &[Stratum], multiplier: f64) -> f64 {
        let Sums { total, .. } = self.sums(strata);
        multiplier * 2.0 * self.most_cv * total * total * 0.01 / self.limit(strata)
    }

    /// `V + ΣN S²`: the variance that is allowed, and what the finite population takes off.
    fn limit(&self, strata: &[Stratum]) -> f64 {
        let Sums { total, spread } = self.sums(strata);
        let allowed = self.most_cv * total;
        allowed * allowed + spread
    }

    fn sums(&self, strata: &[Stratum]) -> Sums {
        let mut sums = Sums {
            total: 0.0,
            spread: 0.0,
        };
        for (objects, share) in self.parts(strata) {
            sums.total += objects as f64 * (share as f64 / PPB as f64);
            sums.spread += objects as f64 * variance_of(share);
        }
        sums
    }

    fn parts(&self, strata: &[Stratum]) -> impl Iterator<Item = (u64, u64)> {
        let strata = strata.iter().zip(&self.share_ppb);
        strata.filter_map(|(stratum, share)| Some((stratum.members.len() as u64, (*share)?)))
    }
}

/// `p(1 − p)`.
fn variance_of(share_ppb: u64) -> f64 {
    let share = share_ppb.min(PPB);
    (share as f64 / PPB as f64) * ((PPB - share) as f64 / PPB as f64)
}

/// Targets that hold every bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Precise {
    /// The target of each stratum in parts per billion of a visit, in the order of the strata.
    pub targets_ppb: Vec<u64>,
    /// For each bound by how many inspector-days the effort would fall if its right side rose from 1 to 2, were that
    /// linear (its Kuhn–Tucker multiplier); 0 where it holds anyway.
    pub multipliers: Vec<f64>,
}

/// The box of a stratum in ppb.
#[derive(Clone, Copy)]
struct Room {
    least: u64,
    most: u64,
}

/// The targets of least effort that hold every bound; `least_ppb` is the least inclusion probability of anybody.
///
/// # Errors
///
/// When a bound cannot be held even at the upper bounds of all strata, predicts nothing, or the terms of a stratum
/// contradict each other.
pub fn allocate_precisely(
    strata: &[Stratum],
    terms: &[StratumTerms],
    bounds: &[CvBound],
    least_ppb: u64,
) -> Result<Precise, AllocationError> {
    if strata.iter().all(|stratum| stratum.members.is_empty()) {
        return Err(AllocationError::EmptyPool);
    }
    let mut boxes = boxes(strata, terms, least_ppb)?;
    for bound in bounds {
        within_reach(bound, strata, &boxes)?;
    }
    let pairs = riskier_pairs(strata, terms, &boxes);
    leave_no_room(strata, bounds, &pairs, &mut boxes);
    let met =
        |bound: &CvBound, targets: &[u64]| bound.expected_cv(strata, targets) <= bound.most_cv;
    let floors: Vec<u64> = boxes.iter().map(|one| one.least).collect();
    // What holds at the lower bounds holds anyway.
    let acting: Vec<usize> = (0..bounds.len())
        .filter(|at| bounds.get(*at).is_some_and(|bound| !met(bound, &floors)))
        .collect();
    let mut precise = Precise {
        targets_ppb: floors,
        multipliers: vec![0.0; bounds.len()],
    };
    if acting.is_empty() {
        return Ok(precise);
    }
    let acting_bounds: Vec<&CvBound> = acting.iter().filter_map(|at| bounds.get(*at)).collect();
    let posed = pose(strata, terms, &boxes, &acting_bounds, &pairs);
    let solution = starts(&posed.problem)
        .find_map(|start| solve(&posed.problem, start))
        .ok_or(AllocationError::NoSolution)?;
    let Solution { v, multipliers } = solution;
    for ((place, cell), v) in posed.places.iter().zip(&posed.problem.cells).zip(v) {
        let (Some(stratum), Some(one), Some(target)) = (
            strata.get(*place),
            boxes.get(*place),
            precise.targets_ppb.get_mut(*place),
        ) else {
            continue;
        };
        // Rounded up, so that no bound is broken by it.
        let ppb = (stratum.members.len() as f64 * PPB as f64 / v).ceil() as u64;
        *target = if v <= cell.low * (1.0 + AT_BOUND) {
            one.most
        } else {
            ppb.clamp(one.least, one.most)
        };
    }
    for (at, multiplier) in acting.iter().zip(multipliers) {
        if let Some(place) = precise.multipliers.get_mut(*at) {
            *place = multiplier;
        }
    }
    Ok(precise)
}

fn boxes(
    strata: &[Stratum],
    terms: &[StratumTerms],
    least_ppb: u64,
) -> Result<Vec<Room>, AllocationError> {
    let one = |(stratum, terms): (&Stratum, &StratumTerms)| {
        let objects = stratum.members.len() as u64;
        let whole = objects.saturating_mul(PPB);
        let (least, most) = (terms.least_ppb, terms.most_ppb.unwrap_or(whole).min(whole));
        if least > most {
            return Err(AllocationError::Contradiction {
                stratum: stratum.key.clone(),
                least: Visits(least),
                most: Visits(most),
            });
        }
        // The least share of anybody gives way to an upper bound that somebody has set.
        let floor = objects.saturating_mul(least_ppb.clamp(1, PPB)).min(most);
        Ok(Room {
            least: least.max(floor),
            most,
        })
    };
    strata.iter().zip(terms).map(one).collect()
}

/// Refuses a bound about nothing, and one that all upper bounds together do not reach.
fn within_reach(
    bound: &CvBound,
    strata: &[Stratum],
    boxes: &[Room],
) -> Result<(), AllocationError> {
    if bound.expected_total(strata) == 0.0 {
        return Err(AllocationError::NothingToEstimate {
            bound: bound.name.clone(),
        });
    }
    let ceilings: Vec<u64> = boxes.iter().map(|one| one.most).collect();
    let best = bound.expected_cv(strata, &ceilings);
    if best <= bound.most_cv * (1.0 + 1e-12) {
        return Ok(());
    }
    Err(AllocationError::OutOfReach {
        bound: bound.name.clone(),
        asked: Cv::of(bound.most_cv),
        best: Cv::of(best),
    })
}

/// Where only all upper bounds together hold a bound, its strata are at them, and whoever is riskier gets no less.
fn leave_no_room(
    strata: &[Stratum],
    bounds: &[CvBound],
    pairs: &[(usize, usize)],
    boxes: &mut [Room],
) {
    for bound in bounds {
        let used: f64 = strata
            .iter()
            .zip(&bound.share_ppb)
            .zip(boxes.iter())
            .filter_map(|((stratum, share), one)| {
                let objects = stratum.members.len() as f64;
                let spread = objects * variance_of((*share)?);
                (spread > 0.0).then(|| spread * (objects * PPB as f64 / one.most as f64))
            })
            .sum();
        if used < bound.limit(strata) * (1.0 - NO_ROOM) {
            continue;
        }
        for (one, share) in boxes.iter_mut().zip(&bound.share_ppb) {
            if share.is_some_and(|share| variance_of(share) > 0.0) {
                one.least = one.most;
            }
        }
    }
    // Pairs have no cycles: as many rounds as the longest chain settle it.
    loop {
        let mut moved = false;
        for (l, u) in pairs {
            let (Some(lower), Some(upper)) = (strata.get(*l), strata.get(*u)) else {
                continue;
            };
            let least = boxes.get(*l).map_or(0, |one| u128::from(one.least));
            let each = least * upper.members.len() as u128;
            let least = each.div_ceil((lower.members.len() as u128).max(1));
            let least = u64::try_from(least).unwrap_or(u64::MAX);
            if let Some(one) = boxes
                .get_mut(*u)
                .filter(|one| one.least < least.min(one.most))
            {
                one.least = least.min(one.most);
                moved = true;
            }
        }
        if !moved {
            return;
        }
    }
}

/// The problem over the strata that are not fixed, and which strata they are.
struct Posed {
    problem: Problem,
    places: Vec<usize>,
}

fn pose(
    strata: &[Stratum],
    terms: &[StratumTerms],
    boxes: &[Room],
    bounds: &[&CvBound],
    ranked: &[(usize, usize)],
) -> Posed {
    let limits: Vec<f64> = bounds.iter().map(|bound| bound.limit(strata)).collect();
    let mut posed = Posed {
        problem: Problem {
            cells: Vec::new(),
            limits: vec![1.0; bounds.len()],
            pairs: Vec::new(),
        },
        places: Vec::new(),
    };
    let mut paired = vec![false; strata.len()];
    for at in ranked.iter().flat_map(|(l, u)| [l, u]) {
        if let Some(paired) = paired.get_mut(*at) {
            *paired = true;
        }
    }
    let mut number = vec![None; strata.len()];
    for (place, ((stratum, terms), one)) in strata.iter().zip(terms).zip(boxes).enumerate() {
        let objects = stratum.members.len() as f64;
        let per_visit = |ppb: u64| objects * PPB as f64 / ppb as f64;
        let loads: Vec<(usize, f64)> = bounds
            .iter()
            .zip(&limits)
            .enumerate()
            .filter_map(|(at, (bound, limit))| {
                let share = (*bound.share_ppb.get(place)?)?;
                let load = objects * variance_of(share) / limit;
                (load > 0.0).then_some((at, load))
            })
            .collect();
        let is_paired = paired.get(place).copied().unwrap_or(false);
        let is_fixed = one.least >= one.most || (loads.is_empty() && !is_paired);
        if is_fixed {
            for (at, load) in &loads {
                if let Some(limit) = posed.problem.limits.get_mut(*at) {
                    *limit -= load * per_visit(one.most);
                }
            }
            continue;
        }
        if let Some(number) = number.get_mut(place) {
            *number = Some(posed.problem.cells.len());
        }
        posed.places.push(place);
        posed.problem.cells.push(Cell {
            cost: objects * f64::from(terms.visit_milli_days.max(1)) / 1_000.0,
            low: per_visit(one.most),
            high: per_visit(one.least),
            loads,
        });
    }
    let of = |at: usize| number.get(at).copied().flatten();
    let pairs = ranked.iter().filter_map(|(l, u)| Some((of(*l)?, of(*u)?)));
    posed.problem.pairs = pairs.collect();
    posed
}

/// Pairs of strata of which the second is riskier and may not get less per object: of one division, and neither bounded
/// otherwise by somebody. Pairs that others imply are left out.
fn riskier_pairs(
    strata: &[Stratum],
    terms: &[StratumTerms],
    boxes: &[Room],
) -> Vec<(usize, usize)> {
    // Strata of one division and of the same beside it stand together.
    let mut together: std::collections::BTreeMap<_, Vec<usize>> = std::collections::BTreeMap::new();
    for (at, stratum) in strata.iter().enumerate() {
        let is_free = boxes.get(at).is_some_and(|one| one.least < one.most);
        if is_free {
            let meaning = &stratum.meaning;
            let place = (&meaning.division, &meaning.beside);
            together.entry(place).or_default().push(at);
        }
    }
    let below = |l: usize, u: usize| {
        let (Some(lower), Some(upper)) = (strata.get(l), strata.get(u)) else {
            return false;
        };
        nowhere_riskier(lower, upper)
            && !nowhere_riskier(upper, lower)
            && terms.get(l).is_some_and(|terms| terms.least_ppb == 0)
            && terms.get(u).is_some_and(|terms| terms.most_ppb.is_none())
    };
    let mut pairs = Vec::new();
    for members in together.values() {
        for &l in members {
            for &u in members {
                let implied = || members.iter().any(|&k| below(l, k) && below(k, u));
                if below(l, u) && !implied() {
                    pairs.push((l, u));
                }
            }
        }
    }
    pairs
}

/// Points strictly within all constraints: every stratum at one part of its box, riskier ones slightly further up; the
/// smallest part that holds the bounds first.
fn starts(problem: &Problem) -> impl Iterator<Item = Vec<f64>> {
    let ranks = ranks(problem);
    let most = ranks.iter().copied().max().unwrap_or(0);
    let small = (1..=40).rev().map(|power| 0.5_f64.powi(power));
    let large = (2..50).map(|power| 1.0 - 0.5_f64.powi(power));
    small.chain(large).filter_map(move |part| {
        let point: Vec<f64> = problem
            .cells
            .iter()
            .zip(&ranks)
            .map(|(cell, rank)| {
                let rank = (*rank as f64 + 1.0) / (most as f64 + 2.0);
                let part = if part <= 0.5 {
                    part * (1.0 + rank) / 2.0
                } else {
                    1.0 - (1.0 - part) * (1.0 - rank / 2.0)
                };
                let (least, most) = (1.0 / cell.high, 1.0 / cell.low);
                1.0 / (least + (most - least) * part)
            })
            .collect();
        problem.is_within(&point).then_some(point)
    })
}

/// How many riskier pairs lie below each cell at most.
fn ranks(problem: &Problem) -> Vec<usize> {
    let mut ranks = vec![0_usize; problem.cells.len()];
    // Pairs have no cycles, so that as many rounds as the longest chain settle it.
    loop {
        let mut moved = false;
        for (l, u) in &problem.pairs {
            let least = ranks.get(*l).map_or(0, |rank| rank + 1);
            if let Some(rank) = ranks.get_mut(*u).filter(|rank| **rank < least) {
                *rank = least;
                moved = true;
            }
        }
        if !moved {
            return ranks;
        }
    }
}
