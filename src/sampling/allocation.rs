//! Allocation (样本量分配): how many visits each stratum is to get.
//!
//! Every way of allocating but the plain rates is one problem: shares of an effort in proportion to a weight per object,
//! within a box per stratum. For the weight `S_h/√c_h` that is the exact Neyman allocation under boxes: it minimises
//! `Σ (N_h S_h)²/n_h` with `Σ c_h n_h` given (Wesołowski, Wieczorkowski, Wójciak 2021), and for the rates it is one factor
//! on all of them, none beyond its bound. The other way round is allocation by precision: bounds on how far estimates may
//! be off are given, and the least effort is found.

mod interior;
mod precise;
mod solve;

use std::fmt;

use super::plan::PPB;
use super::strata::Stratum;
use crate::domain::Tier;
pub use precise::{CvBound, Precise, allocate_precisely};
use solve::{Share, Step, spread};

/// How the number of visits is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allocation {
    /// The policy's rates as they are: the target of a stratum is the sum of its objects' rates.
    Rates,
    /// This many visits: all rates scaled by one factor, none beyond 1.
    Total(u64),
    /// This many visits, where they say most about the problems to be found (Neyman): in proportion to the spread
    /// `√(p(1 − p))` of the predicted problem probability.
    Neyman(u64),
    /// As many visits as fit into so many thousandths of an inspector-day: all rates scaled by one factor.
    Days(u64),
    /// As many visits as fit into so many thousandths of an inspector-day, where a day says most.
    NeymanDays(u64),
}

/// What a plan says of one stratum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StratumTerms {
    /// At least so many visits, in ppb.
    pub least_ppb: u64,
    /// At most so many visits, in ppb; absent: all objects.
    pub most_ppb: Option<u64>,
    /// Predicted share of visits that find a problem, in ppb.
    pub problem_ppb: Option<u64>,
    /// Thousandths of an inspector-day that a visit takes.
    pub visit_milli_days: u32,
}

impl Default for StratumTerms {
    /// No bounds, nothing predicted, one day a visit.
    fn default() -> Self {
        Self {
            least_ppb: 0,
            most_ppb: None,
            problem_ppb: None,
            visit_milli_days: 1_000,
        }
    }
}

/// A number of visits in ppb, as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visits(pub u64);

impl fmt::Display for Visits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(PPB) {
            write!(f, "{}", self.0 / PPB)
        } else {
            write!(f, "{:.3}", self.0 as f64 / PPB as f64)
        }
    }
}

/// A coefficient of variation in ppb, as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cv(pub u64);

impl Cv {
    /// Rounded up, so that the text of a bound that cannot be reached is one that can.
    pub fn of(cv: f64) -> Self {
        // A float that is too large becomes the largest number.
        Self((cv * PPB as f64).ceil() as u64)
    }
}

impl fmt::Display for Cv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == u64::MAX {
            return f.write_str("none at all");
        }
        // In hundredths of a per cent, rounded up.
        let hundredths = self.0.div_ceil(PPB / 10_000);
        write!(f, "{}.{:02} %", hundredths / 100, hundredths % 100)
    }
}

/// Why visits cannot be allocated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllocationError {
    /// Nobody to visit.
    #[error("the pool is empty; widen the filter")]
    EmptyPool,
    /// No visit asked for.
    #[error("a plan needs at least one visit")]
    NoVisit,
    /// More visits than objects.
    #[error(
        "{visits} visits are asked for, but the pool holds {objects} objects; ask for at most that many"
    )]
    TooManyVisits {
        /// Visits asked for.
        visits: u64,
        /// Objects in the pool.
        objects: u64,
    },
    /// A stratum is to get at least more than at most.
    #[error(
        "stratum {stratum} is to get at least {least} visits and at most {most}; change one of the two"
    )]
    Contradiction {
        /// Its key.
        stratum: String,
        /// The lower bound.
        least: Visits,
        /// The upper bound, which is never beyond the stratum's objects.
        most: Visits,
    },
    /// The lower bounds need more than there is.
    #[error(
        "the lower bounds of all strata need {needed} {unit}, but there are {given}; lower a bound or allow more"
    )]
    BoundsNeedMore {
        /// What they need.
        needed: Visits,
        /// What there is.
        given: Visits,
        /// Visits or inspector-days.
        unit: &'static str,
    },
    /// The upper bounds leave some of it over.
    #[error(
        "the upper bounds of all strata allow {allowed} {unit}, but {given} are to be used; raise a bound or ask for less"
    )]
    BoundsAllowLess {
        /// What they allow.
        allowed: Visits,
        /// What there is.
        given: Visits,
        /// Visits or inspector-days.
        unit: &'static str,
    },
    /// Neyman without a prediction.
    #[error(
        "stratum {stratum} (tier {tier}) has no predicted problem probability: the scorecard in force is not calibrated; give one for its tier in `stratum_rules`"
    )]
    NoPrediction {
        /// Its key.
        stratum: String,
        /// Its tier.
        tier: Tier,
    },
    /// A bound on precision that even the upper bounds of all strata do not reach.
    #[error(
        "the coefficient of variation of {bound} cannot be held to {asked}: the best that the upper bounds of the strata allow is {best}; raise `most`, or ask for less"
    )]
    OutOfReach {
        /// What it is about.
        bound: String,
        /// The coefficient of variation that is asked for.
        asked: Cv,
        /// The best that can be had.
        best: Cv,
    },
    /// A bound on the precision of what is predicted never to occur.
    #[error(
        "nothing is predicted for {bound}, so its estimate has no coefficient of variation; leave the bound out"
    )]
    NothingToEstimate {
        /// What it is about.
        bound: String,
    },
    /// The method has found no solution, although there is one.
    #[error(
        "the bounds on precision are too far apart for a solution to be computed; ask for fewer or for less"
    )]
    NoSolution,
}

/// The target of each stratum in parts per billion of a visit, in the order of `strata`, without bounds.
///
/// Monotone: where the rate of one stratum is at least that of another, so is its target per object. A total is met
/// exactly: the few ppb that whole rates per object leave over go to the strata of the highest rate.
pub fn allocate(strata: &[Stratum], allocation: Allocation) -> Result<Vec<u64>, AllocationError> {
    let terms = vec![StratumTerms::default(); strata.len()];
    allocate_within(strata, allocation, &terms, 0)
}

/// As [`allocate`], within the terms of each stratum; `least_ppb` is the least inclusion probability of anybody where
/// visits go by Neyman.
///
/// Neyman follows spread, which falls again where most visits find something; so that a riskier stratum of a division
/// never gets less per object, each takes at least the weight of those that are less risky.
///
/// # Errors
///
/// When bounds contradict each other, the pool or the effort, or a prediction is missing.
pub fn allocate_within(
    strata: &[Stratum],
    allocation: Allocation,
    terms: &[StratumTerms],
    least_ppb: u64,
) -> Result<Vec<u64>, AllocationError> {
    let objects: u64 = strata.iter().map(|s| s.members.len() as u64).sum();
    if objects == 0 {
        return Err(AllocationError::EmptyPool);
    }
    let neyman = matches!(
        allocation,
        Allocation::Neyman(_) | Allocation::NeymanDays(_)
    );
    let by_days = matches!(allocation, Allocation::Days(_) | Allocation::NeymanDays(_));
    let mut shares = Vec::with_capacity(strata.len());
    for (stratum, terms) in strata.iter().zip(terms) {
        let objects = stratum.members.len() as u64;
        let most = objects.saturating_mul(PPB);
        let (least, most) = (terms.least_ppb, terms.most_ppb.unwrap_or(most).min(most));
        if least > most {
            return Err(AllocationError::Contradiction {
                stratum: stratum.key.clone(),
                least: Visits(least),
                most: Visits(most),
            });
        }
        // The least share of anybody gives way to an upper bound that somebody has set.
        let floor = if neyman {
            objects * least_ppb.max(1)
        } else {
            0
        };
        let cost = if by_days {
            terms.visit_milli_days.max(1)
        } else {
            1_000
        };
        let per_object = if neyman {
            let problem = terms
                .problem_ppb
                .ok_or_else(|| AllocationError::NoPrediction {
                    stratum: stratum.key.clone(),
                    tier: stratum.meaning.tier,
                })?;
            neyman_weight(problem, cost)
        } else {
            stratum.meaning.rate.rate_ppb
        };
        shares.push(Share {
            objects,
            per_object,
            risk: (
                stratum.meaning.tier,
                stratum.meaning.rate.band_multiplier_milli,
            ),
            least: least.max(floor.min(most)),
            most,
            cost: u64::from(cost),
        });
    }
    if neyman {
        never_less_for_more_risk(strata, &mut shares);
    }
    let (effort, unit) = match allocation {
        Allocation::Rates => {
            let by_rate =
                |share: &Share| (share.objects * share.per_object).clamp(share.least, share.most);
            return Ok(shares.iter().map(by_rate).collect());
        }
        Allocation::Total(0)
        | Allocation::Neyman(0)
        | Allocation::Days(0)
        | Allocation::NeymanDays(0) => return Err(AllocationError::NoVisit),
        Allocation::Total(visits) | Allocation::Neyman(visits) => {
            if visits > objects {
                return Err(AllocationError::TooManyVisits { visits, objects });
            }
            (u128::from(visits) * 1_000 * u128::from(PPB), "visits")
        }
        Allocation::Days(milli) | Allocation::NeymanDays(milli) => {
            (u128::from(milli) * u128::from(PPB), "inspector-days")
        }
    };
    let sum = |bound: fn(&Share) -> u64| -> u128 {
        shares
            .iter()
            .map(|share| u128::from(bound(share)) * u128::from(share.cost))
            .sum()
    };
    let shown = |effort: u128| Visits(u64::try_from(effort / 1_000).unwrap_or(u64::MAX));
    let (needed, allowed) = (sum(|share| share.least), sum(|share| share.most));
    if needed > effort {
        return Err(AllocationError::BoundsNeedMore {
            needed: shown(needed),
            given: shown(effort),
            unit,
        });
    }
    if allowed < effort {
        // Days that are left over when everybody is visited are no contradiction.
        let everybody = terms.iter().all(|terms| terms.most_ppb.is_none());
        if !(by_days && everybody) {
            return Err(AllocationError::BoundsAllowLess {
                allowed: shown(allowed),
                given: shown(effort),
                unit,
            });
        }
    }
    // Rates are told per object, so their order holds to the last ppb; the optimum is held to the last ppb of a stratum.
    let step = if neyman { Step::Stratum } else { Step::Object };
    Ok(spread(&shares, effort.min(allowed), step))
}

/// `√(p(1 − p)) / √c` as a whole number, the same on any machine; at least 1.
fn neyman_weight(problem_ppb: u64, cost: u32) -> u64 {
    let problem = u128::from(problem_ppb.min(PPB));
    let variance = problem * (u128::from(PPB) - problem);
    let weight = ((variance << 30) * 1_000 / u128::from(cost)).isqrt();
    u64::try_from(weight).unwrap_or(u64::MAX).max(1)
}

/// Raises weights so that within a division none is below that of a stratum that is nowhere riskier.
fn never_less_for_more_risk(strata: &[Stratum], shares: &mut [Share]) {
    for at in 0..shares.len() {
        let Some(upper) = strata.get(at) else {
            continue;
        };
        let below = strata.iter().zip(shares.iter());
        let raised = below
            .filter(|(lower, _)| nowhere_riskier(lower, upper))
            .map(|(_, share)| share.per_object)
            .max();
        if let (Some(share), Some(raised)) = (shares.get_mut(at), raised) {
            share.per_object = share.per_object.max(raised);
        }
    }
}

/// Whether two strata are of one division and `lower` is in no worse tier, band or tag.
fn nowhere_riskier(lower: &Stratum, upper: &Stratum) -> bool {
    let (a, b) = (&lower.meaning, &upper.meaning);
    a.division == b.division
        && a.beside == b.beside
        && a.tier <= b.tier
        && a.rate.band_multiplier_milli <= b.rate.band_multiplier_milli
        && a.rate.tag_multiplier_milli <= b.rate.tag_multiplier_milli
}

/// Pairs of strata of one division in which the less risky one gets more per object, by bounds that somebody has set:
/// the keys of the less risky and the riskier one, at most one pair for each riskier one.
pub fn falling_with_risk(strata: &[Stratum], targets: &[u64]) -> Vec<(String, String)> {
    let per_object = |at: usize, other: usize| {
        let count = strata.get(at).map_or(0, |s| s.members.len() as u128);
        u128::from(targets.get(other).copied().unwrap_or(0)) * count
    };
    let mut pairs = Vec::new();
    for (at, upper) in strata.iter().enumerate() {
        // Targets are compared as fractions; the ppb that rounding per object leaves over do not count.
        let falls = strata.iter().enumerate().find(|(below, lower)| {
            let slack = (upper.members.len() * lower.members.len()) as u128;
            nowhere_riskier(lower, upper) && per_object(at, *below) > per_object(*below, at) + slack
        });
        if let Some((_, lower)) = falls {
            pairs.push((lower.key.clone(), upper.key.clone()));
        }
    }
    pairs
}

#[cfg(test)]
mod tests;
