//! The constraints of a frozen plan (`risktier-draw/1` section 3), and when its seed may be public (section 8).

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::contribution::PlannedContribution;
use super::super::pool::{Pool, StratumKey};
use super::super::sizes::Target;
use super::{FrozenPlan, Method, PLAN_FORMAT, PPB, Rounding};
use crate::domain::canonical::{CanonicalError, MAX_INTEGER};

/// One broken constraint of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanProblem {
    /// The member concerned, for example `strata[2].target_ppb`.
    pub member: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl std::fmt::Display for PlanProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.member, self.message)
    }
}

/// Why a plan cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Constraints are broken; the first is shown.
    #[error("the plan is not valid: {}", .0.first().map(ToString::to_string).unwrap_or_default())]
    Invalid(Vec<PlanProblem>),
    /// The plan has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

impl FrozenPlan {
    /// Checks every constraint that the plan alone must meet.
    ///
    /// # Errors
    ///
    /// [`PlanError::Invalid`] with every broken constraint.
    pub fn validate(&self) -> Result<(), PlanError> {
        let problems = self.problems();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(PlanError::Invalid(problems))
        }
    }

    /// Every constraint that the plan breaks; empty for a valid plan.
    #[must_use]
    pub fn problems(&self) -> Vec<PlanProblem> {
        let mut found = Problems::default();
        found.unless(
            self.format == PLAN_FORMAT,
            "format",
            "must be `risktier-plan/1`: use a matching version",
        );
        found.unless(
            (1..=MAX_INTEGER).contains(&self.number),
            "number",
            "must be from 1 to 2^53 - 1",
        );
        found.unless(
            (1..=MAX_INTEGER).contains(&self.pool_size),
            "pool_size",
            "must be from 1 to 2^53 - 1",
        );
        found.unless(
            self.exploration_n <= self.pool_size,
            "exploration_n",
            "must not exceed `pool_size`",
        );
        found.unless(
            self.period.from <= self.period.to,
            "period",
            "must not end before it begins",
        );
        found.unless(
            self.excluded.is_sorted_by(|a, b| a.reason < b.reason),
            "excluded",
            "must be sorted by reason, each once",
        );
        for (index, excluded) in self.excluded.iter().enumerate() {
            found.unless(
                excluded.count <= MAX_INTEGER,
                &format!("excluded[{index}].count"),
                "must be below 2^53",
            );
        }
        found.unless(
            self.filter.values().all(is_exact),
            "filter",
            "must hold text, true, false and whole numbers below 2^53 only",
        );
        self.contribution_problems(&mut found);
        match self.method {
            Method::Equal | Method::Pareto => self.strata_problems(&mut found),
            Method::Order => {
                found.unless(
                    self.strata.is_none(),
                    "strata",
                    "must be left out for method `order`",
                );
                found.unless(
                    self.rounding == Rounding::Whole,
                    "rounding",
                    "must be `whole` for method `order`",
                );
                found.unless(
                    self.exploration_n == 0,
                    "exploration_n",
                    "must be 0 for method `order`",
                );
            }
        }
        found.0
    }

    fn contribution_problems(&self, found: &mut Problems) {
        let list = &self.contributions;
        found.unless(
            list.is_sorted_by(|a, b| a.name() < b.name()),
            "contributions",
            "must be sorted by name, each once",
        );
        found.unless(
            !list.iter().all(PlannedContribution::is_public),
            "contributions",
            "must have one of kind `committed`",
        );
        for (index, contribution) in list.iter().enumerate() {
            if let PlannedContribution::Public { name: _, rule } = contribution {
                found.unless(
                    !rule.trim().is_empty(),
                    &format!("contributions[{index}].rule"),
                    "must say source, date and reading rule",
                );
            }
        }
    }

    fn strata_problems(&self, found: &mut Problems) {
        let Some(strata) = &self.strata else {
            found.unless(
                false,
                "strata",
                "must be there for methods `equal` and `pareto`",
            );
            return;
        };
        found.unless(
            strata.is_sorted_by(|a, b| a.key < b.key),
            "strata",
            "must be sorted by key, each once",
        );
        let objects: u128 = strata.iter().map(|stratum| u128::from(stratum.pool)).sum();
        found.unless(
            objects == u128::from(self.pool_size),
            "strata",
            "must hold `pool_size` objects in all",
        );
        let whole = match self.rounding {
            Rounding::Systematic => false,
            Rounding::LargestRemainder | Rounding::Whole => true,
        };
        found.unless(
            whole || self.method != Method::Pareto,
            "rounding",
            "must be `whole` or `largest_remainder` for method `pareto`",
        );
        for (index, stratum) in strata.iter().enumerate() {
            let target = format!("strata[{index}].target_ppb");
            let most = u128::from(stratum.pool) * u128::from(PPB);
            found.unless(
                stratum.pool >= 1,
                &format!("strata[{index}].pool"),
                "must be at least 1",
            );
            found.unless(
                stratum.reserve <= MAX_INTEGER,
                &format!("strata[{index}].reserve"),
                "must be below 2^53",
            );
            found.unless(
                stratum.target_ppb <= MAX_INTEGER,
                &target,
                "must be below 2^53",
            );
            found.unless(
                u128::from(stratum.target_ppb) <= most,
                &target,
                "must not exceed the stratum's pool",
            );
            found.unless(
                !whole || stratum.target_ppb % PPB == 0,
                &target,
                "must be a whole number of visits for this rounding",
            );
        }
    }

    /// Every way in which the plan does not describe this pool, except the digest and root; empty when it does.
    #[must_use]
    pub fn pool_problems(&self, pool: &Pool) -> Vec<PlanProblem> {
        let mut found = Problems::default();
        found.unless(
            self.pool_size == pool.len() as u64,
            "pool_size",
            &format!("the pool has {} objects", pool.len()),
        );
        if self.method == Method::Order {
            return found.0;
        }
        for stratum in self.strata() {
            let there = pool
                .strata()
                .binary_search_by(|(key, _)| key.cmp(&stratum.key))
                .ok();
            let count = there
                .and_then(|index| pool.strata().get(index))
                .map_or(0, |(_, count)| u64::from(*count));
            found.unless(
                count == stratum.pool,
                &format!("strata:{}", stratum.key),
                &format!("the pool has {count} objects in it"),
            );
        }
        let planned: BTreeSet<&StratumKey> =
            self.strata().iter().map(|stratum| &stratum.key).collect();
        for (key, _) in pool.strata() {
            let message = "the pool has this stratum, the plan has not";
            found.unless(planned.contains(key), &format!("strata:{key}"), message);
        }
        found.0
    }
}

/// Whether a plan may by default reveal its values and seed to the public: method `order`, or `equal` with one rate
/// over all strata, because otherwise a large ticket on a selected object shows a high rate, and so its tier.
///
/// One rate means that some rate gives every target when rounded down to a whole number of ppb. A coordinated group
/// needs this for every one of its plans.
#[must_use]
pub fn public_seed_allowed(method: Method, strata: impl IntoIterator<Item = Target>) -> bool {
    match method {
        Method::Order => true,
        Method::Pareto => false,
        Method::Equal => has_one_rate(strata),
    }
}

/// Whether an `r` exists with `target = ⌊r·pool⌋` in every stratum: the largest `target/pool` lies below the smallest
/// `(target + 1)/pool`.
fn has_one_rate(strata: impl IntoIterator<Item = Target>) -> bool {
    let below = |(a, b): (u128, u128), (c, d): (u128, u128)| a * d < c * b;
    let mut floor = (0, 1);
    let mut ceiling = (1, 0);
    for stratum in strata {
        let (target, pool) = (u128::from(stratum.target_ppb), u128::from(stratum.pool));
        if below(floor, (target, pool)) {
            floor = (target, pool);
        }
        if below((target + 1, pool), ceiling) {
            ceiling = (target + 1, pool);
        }
    }
    below(floor, ceiling)
}

/// Whether canonical JSON keeps a value exactly and it holds no null.
fn is_exact(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => {
            number.as_u64().is_some_and(|n| n <= MAX_INTEGER)
                || number
                    .as_i64()
                    .is_some_and(|n| n < 0 && n.unsigned_abs() <= MAX_INTEGER)
        }
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
    }
}

#[derive(Default)]
struct Problems(Vec<PlanProblem>);

impl Problems {
    fn unless(&mut self, holds: bool, member: &str, message: &str) {
        if !holds {
            self.0.push(PlanProblem {
                member: member.to_owned(),
                message: message.to_owned(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::PlannedStratum;
    use super::*;
    use crate::sampling::plan::Excluded;

    fn stratum(key: &str, pool: u64, target_ppb: u64) -> PlannedStratum {
        PlannedStratum {
            key: StratumKey::new(key).unwrap(),
            pool,
            target_ppb,
            reserve: 1,
        }
    }

    fn plan() -> FrozenPlan {
        let text = serde_json::json!({
            "format": PLAN_FORMAT, "nonce": "11".repeat(32), "number": 1, "title": "t", "hash": "sha256",
            "method": "equal", "rounding": "whole", "pool_digest": "22".repeat(32), "pool_root": "33".repeat(32),
            "pool_size": 5, "exploration_n": 0, "excluded": [], "filter": {}, "items": [],
            "strata": [{"key": "A", "pool": 2, "target_ppb": PPB, "reserve": 0}, {"key": "B", "pool": 3, "target_ppb": 0, "reserve": 9}],
            "period": {"from": "2026-01-01", "to": "2026-01-31"},
            "contributions": [{"name": "server", "kind": "committed", "commitment": "44".repeat(32)}],
            "frame_digest": "55".repeat(32), "policy_digest": "66".repeat(32), "model_digest": "77".repeat(32),
            "public_seed": false,
        });
        serde_json::from_value(text).unwrap()
    }

    fn members(plan: &FrozenPlan) -> Vec<String> {
        plan.problems()
            .into_iter()
            .map(|problem| problem.member)
            .collect()
    }

    #[test]
    fn every_broken_constraint_is_named() {
        type Edit = fn(&mut FrozenPlan);
        let cases: [(Edit, &str); 16] = [
            (|p| p.format = "risktier-plan/0".into(), "format"),
            (|p| p.number = 0, "number"),
            (|p| p.pool_size = 6, "strata"),
            (|p| p.exploration_n = 6, "exploration_n"),
            (
                |p| p.period.to = p.period.from.yesterday().unwrap(),
                "period",
            ),
            (
                |p| {
                    p.excluded = vec![Excluded {
                        reason: "a".into(),
                        count: 1 << 53,
                    }]
                },
                "excluded[0].count",
            ),
            (
                |p| {
                    p.excluded = ["b", "a"]
                        .map(|r| Excluded {
                            reason: r.into(),
                            count: 1,
                        })
                        .into()
                },
                "excluded",
            ),
            (
                |p| p.filter = serde_json::from_str("{\"a\":[1.5]}").unwrap(),
                "filter",
            ),
            (
                |p| p.filter = serde_json::from_str("{\"a\":{\"b\":null}}").unwrap(),
                "filter",
            ),
            (|p| p.contributions.clear(), "contributions"),
            (
                |p| p.contributions.push(p.contributions[0].clone()),
                "contributions",
            ),
            (|p| p.strata = None, "strata"),
            (|p| p.strata.as_mut().unwrap().reverse(), "strata"),
            (
                |p| p.strata.as_mut().unwrap()[1].target_ppb = 4 * PPB,
                "strata[1].target_ppb",
            ),
            (
                |p| p.strata.as_mut().unwrap()[0].target_ppb = 1,
                "strata[0].target_ppb",
            ),
            (
                |p| {
                    p.method = Method::Pareto;
                    p.rounding = Rounding::Systematic
                },
                "rounding",
            ),
        ];
        for (edit, member) in cases {
            let mut broken = plan();
            edit(&mut broken);
            assert!(
                members(&broken).iter().any(|found| found == member),
                "{member}: {:?}",
                broken.problems()
            );
        }
    }

    #[test]
    fn an_order_plan_has_no_strata_rounding_or_exploration() {
        let mut order = plan();
        order.method = Method::Order;
        order.exploration_n = 1;
        order.rounding = Rounding::Systematic;

        assert_eq!(members(&order), ["strata", "rounding", "exploration_n"]);
        assert!(seed_may_be_public(&order));
    }

    fn seed_may_be_public(plan: &FrozenPlan) -> bool {
        let targets = plan.strata().iter().map(|stratum| Target {
            pool: stratum.pool,
            target_ppb: stratum.target_ppb,
        });
        public_seed_allowed(plan.method, targets)
    }

    #[test]
    fn the_seed_may_be_public_only_with_one_rate() {
        let mut equal = plan();
        assert!(!seed_may_be_public(&equal));
        equal.strata = Some(vec![
            stratum("A", 3, 142_857_142 * 3),
            stratum("B", 7, PPB - 1),
        ]);
        assert!(!seed_may_be_public(&equal));
        equal.strata = Some(vec![stratum("A", 3, 428_571_428), stratum("B", 7, PPB)]);
        assert!(seed_may_be_public(&equal));
        equal.strata = Some(vec![stratum("A", 2, PPB), stratum("B", 4, 2 * PPB)]);
        assert!(seed_may_be_public(&equal));
        equal.method = Method::Pareto;
        assert!(!seed_may_be_public(&equal));
    }
}
