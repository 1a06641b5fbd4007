//! Inclusion probabilities (入样概率) and design weights: what an estimate divides by.
//!
//! They are those of the plan, before the random rounding: `π = 1 − (1 − π_stratum)(1 − exploration_n/pool_size)`
//! (`risktier-draw/1` section 6), where `π_stratum` is the target over the objects of the stratum, 1 for certain objects and
//! `λ` for the others of method `pareto`, and 1 for method `order`. Whoever has plan and pool finds the same numbers.

use std::fmt;

use super::pareto::Design;
use super::plan::{FrozenPlan, Method, PPB};
use super::pool::Pool;
use super::selection::sizes_by_stratum;

/// The inclusion probability of every object of an equal-probability stratum, as a fraction in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StratumInclusion {
    numerator: u128,
    denominator: u128,
}

impl StratumInclusion {
    /// Of a stratum of so many objects with this target in ppb of a visit, in a pool of which `exploration_n` objects are
    /// drawn beside the strata. Zero where there are no objects.
    #[must_use]
    pub fn new(target_ppb: u64, objects: u64, exploration_n: u64, pool_size: u64) -> Self {
        // A pool has fewer than 2^32 objects, so everything stays below 2^95.
        let whole = u128::from(objects) * u128::from(PPB);
        let target = u128::from(target_ppb).min(whole);
        let (explored, pool) = (u128::from(exploration_n), u128::from(pool_size.max(1)));
        let explored = explored.min(pool);
        let numerator = target * pool + (whole - target) * explored;
        let denominator = (whole * pool).max(1);
        let common = common_divisor(numerator, denominator);
        Self {
            numerator: numerator / common,
            denominator: denominator / common,
        }
    }

    /// The probability, from 0 to 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "the nearest numbers there are")]
    pub fn probability(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }

    /// Its inverse as a fraction; nothing where the probability is zero.
    #[must_use]
    pub fn weight(self) -> Option<String> {
        (self.numerator > 0).then(|| format!("{}/{}", self.denominator, self.numerator))
    }
}

impl fmt::Display for StratumInclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

/// The greatest common divisor, at least 1.
fn common_divisor(mut a: u128, mut b: u128) -> u128 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

/// The design weight of an object that is drawn with this probability: its inverse. Nothing where it is zero.
#[must_use]
pub fn design_weight(inclusion_probability: f64) -> Option<f64> {
    (inclusion_probability > 0.0).then(|| 1.0 / inclusion_probability)
}

/// The inclusion probabilities of all objects of a pool.
pub struct PlanInclusion<'a> {
    pool: &'a Pool,
    strata: Vec<InStratum>,
    /// Probability of being explored.
    explored: f64,
}

enum InStratum {
    Alike(f64),
    BySize(Design),
}

impl<'a> PlanInclusion<'a> {
    /// Of a plan and its pool.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "the nearest numbers there are")]
    pub fn new(plan: &FrozenPlan, pool: &'a Pool) -> Self {
        let size = pool.len() as u64;
        let strata = match plan.method {
            Method::Order => pool
                .strata()
                .iter()
                .map(|_| InStratum::Alike(1.0))
                .collect(),
            Method::Equal => plan
                .strata()
                .iter()
                .map(|stratum| {
                    let (target, objects) = (stratum.target_ppb, stratum.pool);
                    let found = StratumInclusion::new(target, objects, plan.exploration_n, size);
                    InStratum::Alike(found.probability())
                })
                .collect(),
            Method::Pareto => plan
                .strata()
                .iter()
                .zip(sizes_by_stratum(pool))
                .map(|(stratum, sizes)| {
                    InStratum::BySize(Design::new(sizes, stratum.target_ppb / PPB))
                })
                .collect(),
        };
        Self {
            pool,
            strata,
            explored: plan.exploration_n as f64 / size as f64,
        }
    }

    /// The probability of the object at an index of the pool; nothing where there is no such object.
    #[must_use]
    pub fn of(&self, index: usize) -> Option<f64> {
        let stratum = *self.pool.stratum_indexes().get(index)?;
        match self.strata.get(stratum as usize)? {
            InStratum::Alike(probability) => Some(*probability),
            InStratum::BySize(design) => {
                let own = design.inclusion_probability(*self.pool.sizes().get(index)?);
                Some(1.0 - (1.0 - own) * (1.0 - self.explored))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probability_is_the_fraction_in_lowest_terms() {
        // 6 of 100 in the stratum, 5 of 1,000 beside it: 1 − 0.94·0.995.
        let found = StratumInclusion::new(6 * PPB, 100, 5, 1_000);

        assert_eq!(found.to_string(), "647/10000");
        assert_eq!(found.weight().unwrap(), "10000/647");
        assert_eq!(found.probability(), 647.0 / 10_000.0);
        assert_eq!(
            StratumInclusion::new(6 * PPB, 100, 0, 1_000).to_string(),
            "3/50"
        );
        assert_eq!(
            StratumInclusion::new(100 * PPB, 100, 7, 1_000).to_string(),
            "1/1"
        );
        assert_eq!(StratumInclusion::new(0, 100, 0, 1_000).weight(), None);
        assert_eq!(StratumInclusion::new(0, 0, 0, 0).probability(), 0.0);
        let large = StratumInclusion::new(u64::MAX, u64::from(u32::MAX), 1, u64::from(u32::MAX));
        assert_eq!(large.probability(), 1.0);
    }

    #[test]
    fn nobody_has_a_weight_without_a_probability() {
        assert_eq!(design_weight(0.0), None);
        assert_eq!(design_weight(0.25), Some(4.0));
    }
}
