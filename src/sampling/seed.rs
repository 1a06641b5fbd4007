//! The seed of a draw, the tickets of its objects, and sub-keys for any other randomness
//! (`risktier-draw/1` section 4).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::contribution::Contribution;
use super::plan::FrozenPlan;
use crate::domain::digest::{Beginning, Digest, HashAlgorithm};
use crate::domain::rng::SubKeyRng;

/// Purpose of the sub-key that starts systematic rounding.
pub const ROUNDING: &str = "rounding";
/// Purpose of the sub-key under which exploration objects are drawn.
pub const EXPLORATION: &str = "exploration";
/// Purpose of the sub-key for the random choice of inspectors.
pub const INSPECTORS: &str = "inspectors";

/// The seed: a digest whose 64 hex characters are what is hashed. A sub-key used as a seed takes the same place.
///
/// `Debug` hides it: until a plan is closed its seed shows every ticket.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(Digest);

impl Seed {
    /// Wraps a digest as a seed.
    #[must_use]
    pub const fn new(digest: Digest) -> Self {
        Self(digest)
    }

    /// The seed of a plan with its opened contributions, which come in any order.
    #[must_use]
    pub fn of(plan: &FrozenPlan, plan_digest: &Digest, contributions: &[Contribution]) -> Self {
        let group = plan.group.as_ref().map(|group| group.as_str());
        Self::from_parts(plan.hash, plan_digest, group, contributions)
    }

    /// The seed from what its text says: the plan digest, or the group of coordinated plans, and the contributions.
    #[must_use]
    pub fn from_parts(
        algorithm: HashAlgorithm,
        plan_digest: &Digest,
        group: Option<&str>,
        contributions: &[Contribution],
    ) -> Self {
        let mut text = String::from("risktier-seed/1\n");
        text += &group.map_or_else(
            || format!("plan={plan_digest}\n"),
            |group| format!("group={group}\n"),
        );
        let mut sorted: Vec<&Contribution> = contributions.iter().collect();
        sorted.sort_by(|a, b| a.name.cmp(&b.name));
        for contribution in sorted {
            text += &format!("{}={}\n", contribution.name, contribution.value.expose());
        }
        Self(algorithm.hash(&[text.as_bytes()]))
    }

    /// The seed in lower-case hex, for the transcript.
    #[must_use]
    pub fn expose_hex(&self) -> String {
        self.0.to_string()
    }

    /// The sub-key for a purpose:
    /// `H("risktier-subkey/1\n" ‖ seed ‖ "\n" ‖ purpose ‖ "\n" ‖ plan digest ‖ "\n")`.
    #[must_use]
    pub fn sub_key(&self, algorithm: HashAlgorithm, purpose: &str, plan_digest: &Digest) -> Digest {
        let text = format!("risktier-subkey/1\n{}\n{purpose}\n{plan_digest}\n", self.0);
        algorithm.hash(&[text.as_bytes()])
    }

    /// The generator of the sub-key for a purpose; use each stream for one purpose, in order.
    #[must_use]
    pub fn stream(
        &self,
        algorithm: HashAlgorithm,
        purpose: &str,
        plan_digest: &Digest,
    ) -> SubKeyRng {
        SubKeyRng::new(&self.sub_key(algorithm, purpose, plan_digest))
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(hidden)")
    }
}

/// Gives every object its ticket, `H(seed ‖ "," ‖ id)`.
///
/// The 64 characters of the seed fill the hash's first block, whose state is computed once; an object costs one block
/// more.
#[derive(Debug, Clone)]
pub struct Tickets {
    prepared: Beginning,
}

impl Tickets {
    /// Prepares the tickets under a seed.
    #[must_use]
    pub fn new(algorithm: HashAlgorithm, seed: &Seed) -> Self {
        let beginning = format!("{},", seed.expose_hex());
        Self {
            prepared: Beginning::new(algorithm, beginning.as_bytes()),
        }
    }

    /// The ticket of an object.
    #[must_use]
    pub fn ticket(&self, id: &[u8]) -> Digest {
        self.prepared.finish_with(id)
    }
}
