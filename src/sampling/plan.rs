//! The frozen plan: what is fixed and published before the seed exists (`risktier-draw/1` section 3).
//!
//! This module holds the object and its digest; its constraints stand beside it. It drafts nothing: rates, bounds and targets are
//! decided before.

mod rules;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::contribution::PlannedContribution;
use super::pool::StratumKey;
use crate::domain::canonical::{CanonicalError, canonical_bytes};
use crate::domain::digest::{Digest, HashAlgorithm, Secret32};

pub use rules::{PlanError, PlanProblem, public_seed_allowed};

/// The only plan format that this version writes and reads.
pub const PLAN_FORMAT: &str = "risktier-plan/1";

/// Parts per billion in one visit.
pub const PPB: u64 = 1_000_000_000;

/// How objects are selected within a stratum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Equal probability: the smallest tickets.
    Equal,
    /// Probability proportional to size (Pareto sampling, Rosén 1997).
    Pareto,
    /// No selection: the whole pool in ticket order.
    Order,
}

/// How targets become whole numbers of visits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// At the draw, by one random start over all strata: the expectation is the target.
    Systematic,
    /// Before the freeze, by largest remainder.
    LargestRemainder,
    /// The targets were whole from the start.
    Whole,
}

/// One stratum of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedStratum {
    /// The stratum's key.
    pub key: StratumKey,
    /// Number of its objects in the pool.
    pub pool: u64,
    /// Visits to be drawn, in ppb of one visit, `0..=pool·10^9`.
    pub target_ppb: u64,
    /// Number of objects that stand by after the drawn ones.
    pub reserve: u64,
}

/// Objects that were taken out of the pool, counted by reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Excluded {
    /// Code of the reason.
    pub reason: String,
    /// Number of objects.
    pub count: u64,
}

/// The days within which the visits take place, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// First day.
    pub from: Date,
    /// Last day, not before `from`.
    pub to: Date,
}

/// The plan object. Absent members are left out, never null; empty lists are kept; unknown members are refused.
///
/// The fields are public because the layer above fills them; [`FrozenPlan::validate`] says whether the whole is a
/// valid plan, and a draw refuses one that is not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenPlan {
    /// [`PLAN_FORMAT`].
    pub format: String,
    /// 32 random bytes, so that the plan digest confirms no guess of the plan.
    pub nonce: Secret32,
    /// Consecutive number within the installation, from 1.
    pub number: u64,
    /// Digest of the plan that this one extends.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub extends: Option<Digest>,
    /// Title for people.
    pub title: String,
    /// The hash used for every digest, ticket and sub-key.
    pub hash: HashAlgorithm,
    /// How objects are selected.
    pub method: Method,
    /// How targets become whole.
    pub rounding: Rounding,
    /// Digest of the file `pool.tsv`.
    pub pool_digest: Digest,
    /// Merkle root of the pool.
    pub pool_root: Digest,
    /// Number of objects in the pool.
    pub pool_size: u64,
    /// The strata in byte order of key, exactly those of the pool; absent for method `order`.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub strata: Option<Vec<PlannedStratum>>,
    /// Number of exploration objects drawn from the whole pool.
    pub exploration_n: u64,
    /// Objects taken out before, by reason in byte order.
    pub excluded: Vec<Excluded>,
    /// What was asked for, as asked.
    pub filter: Map<String, Value>,
    /// Codes of the check items.
    pub items: Vec<String>,
    /// When the visits take place.
    pub period: Period,
    /// Id of the coordinated group, if the plan belongs to one.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub group: Option<StratumKey>,
    /// The contributions in byte order of name.
    pub contributions: Vec<PlannedContribution>,
    /// Digest of the frame from which the pool was selected.
    pub frame_digest: Digest,
    /// Digest of the policy.
    pub policy_digest: Digest,
    /// Digest of the model.
    pub model_digest: Digest,
    /// Whether the public edition reveals values and seed.
    pub public_seed: bool,
}

/// A member that may be absent but, if there, is not null.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl FrozenPlan {
    /// The bytes that are hashed and published by digest.
    ///
    /// # Errors
    ///
    /// When the plan does not serialise; a valid plan always does.
    pub fn canonical_bytes(&self) -> Result<Vec<u8>, CanonicalError> {
        canonical_bytes(self)
    }

    /// The plan digest `H(plan)`.
    ///
    /// # Errors
    ///
    /// As [`FrozenPlan::canonical_bytes`].
    pub fn digest(&self) -> Result<Digest, CanonicalError> {
        Ok(self.hash.hash(&[&self.canonical_bytes()?]))
    }

    /// The strata; none for method `order`.
    #[must_use]
    pub fn strata(&self) -> &[PlannedStratum] {
        self.strata.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_valid_plan_survives_the_way_through_json() {
        let plan = plan();

        let bytes = plan.canonical_bytes().unwrap();

        assert_eq!(serde_json::from_slice::<FrozenPlan>(&bytes).unwrap(), plan);
        assert!(plan.validate().is_ok());
        assert!(!String::from_utf8(bytes).unwrap().contains("null"));
    }

    #[test]
    fn unknown_members_and_null_are_refused() {
        let mut value = serde_json::to_value(plan()).unwrap();
        value["extra"] = 1.into();
        assert!(serde_json::from_value::<FrozenPlan>(value).is_err());
        let mut value = serde_json::to_value(plan()).unwrap();
        value["group"] = Value::Null;
        assert!(serde_json::from_value::<FrozenPlan>(value).is_err());
        let mut value = serde_json::to_value(plan()).unwrap();
        value["contributions"][0]["rule"] = "x".into();
        assert!(serde_json::from_value::<FrozenPlan>(value).is_err());
    }
}
