//! The record of a draw in three editions (`risktier-draw/1` section 8).
//!
//! - [`InternalTranscript`]: everything, with the meaning of stratum keys.
//! - [`AuditorTranscript`]: replays completely with the pool file. Confidential: targets show rates.
//! - [`PublicTranscript`]: who was selected and that what was fixed beforehand was kept; no stratum, target or tier.
//!
//! The plan's own id and `previous` are not inputs of the draw, so no replay finds them changed. What guards them is
//! the chain: `previous` of the next plan is the digest of this plan's auditor edition, byte for byte.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::contribution::{Assurance, Contribution, PlannedContribution};
use super::draw::DrawOutcome;
use super::merkle::{MembershipProof, PoolTree};
use super::plan::FrozenPlan;
use super::pool::{Pool, StratumKey};
use super::seed::Seed;
use crate::domain::canonical::{CanonicalError, canonical_bytes};
use crate::domain::digest::{Digest, HashAlgorithm, Secret32};

/// The only transcript format that this version writes and reads.
pub const TRANSCRIPT_FORMAT: &str = "risktier-transcript/1";

/// For whom a transcript is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edition {
    /// The office that made the plan.
    Internal,
    /// Supervision office, notary, court.
    Auditor,
    /// Everyone.
    Public,
}

/// Number of objects drawn in a stratum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrawnCount {
    /// The stratum's key.
    pub key: StratumKey,
    /// Number of objects drawn in it.
    pub n: u64,
}

/// Begins every plan id that [`plan_id_of`] made.
pub const PLAN_ID_PREFIX: &str = "rtp1-";

/// The id of a plan with this nonce: a prefix and the first 32 hex digits of
/// `SHA-256("risktier-plan-id/1\n" ‖ nonce in hex ‖ "\n")`.
///
/// The nonce is in the frozen plan, so a replay can check the id; the id tells nothing of the nonce.
#[must_use]
pub fn plan_id_of(nonce: &Secret32) -> String {
    let hex = nonce.expose_hex();
    let digest = HashAlgorithm::Sha256.hash(&[b"risktier-plan-id/1\n", hex.as_bytes(), b"\n"]);
    let digits: String = digest.to_string().chars().take(32).collect();
    format!("{PLAN_ID_PREFIX}{digits}")
}

/// The auditor edition: with the pool file it replays completely.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditorTranscript {
    /// [`TRANSCRIPT_FORMAT`].
    pub format: String,
    /// [`Edition::Auditor`], or [`Edition::Internal`] as the body of that edition.
    pub edition: Edition,
    /// The product's own id of the plan.
    pub plan_id: String,
    /// The plan as frozen.
    pub plan: FrozenPlan,
    /// `H(plan)`.
    pub plan_digest: Digest,
    /// The opened contributions, sorted by name.
    pub contributions: Vec<Contribution>,
    /// The seed.
    pub seed: Seed,
    /// The random start of systematic rounding, in ppb; absent for the other roundings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounding_v: Option<u64>,
    /// Every stratum in byte order of key, also those with 0; empty for method `order`.
    pub drawn: Vec<DrawnCount>,
    /// Number of exploration objects in the sample.
    pub explore_drawn: u64,
    /// The secret behind the leaves of the pool root.
    pub pool_secret: Secret32,
    /// Digest of the file `sample.tsv`.
    pub sample_digest: Digest,
    /// What the transcript proves about the choice of the seed.
    pub assurance: Assurance,
    /// Digest of the auditor edition of the plan closed before this one; absent for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
}

impl AuditorTranscript {
    /// The canonical bytes: this is the file, and what `previous` of the next plan is the digest of.
    ///
    /// # Errors
    ///
    /// When the plan does not serialise; a valid plan always does.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CanonicalError> {
        canonical_bytes(self)
    }

    /// The digest of the file under the plan's hash.
    ///
    /// # Errors
    ///
    /// As [`AuditorTranscript::to_bytes`].
    pub fn digest(&self) -> Result<Digest, CanonicalError> {
        Ok(self.plan.hash.hash(&[&self.to_bytes()?]))
    }
}

/// The internal edition: the auditor edition's members, and what stratum keys and exclusions mean.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InternalTranscript {
    /// The members shared with the auditor edition.
    #[serde(flatten)]
    pub body: AuditorTranscript,
    /// Meaning of every stratum key: tier, division, rate, complaint band; as the caller writes it.
    pub strata_meaning: BTreeMap<StratumKey, Value>,
    /// Meaning of every reason in the plan's `excluded`; as the caller writes it.
    pub excluded_reasons: BTreeMap<String, Value>,
    /// Who took the place of whom after the draw, in order; left out while nobody did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replacements: Vec<Value>,
}

impl InternalTranscript {
    /// The canonical bytes of the file.
    ///
    /// # Errors
    ///
    /// When a meaning does not serialise.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CanonicalError> {
        canonical_bytes(self)
    }
}

/// The public edition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicTranscript {
    /// [`TRANSCRIPT_FORMAT`].
    pub format: String,
    /// [`Edition::Public`].
    pub edition: Edition,
    /// The product's own id of the plan.
    pub plan_id: String,
    /// The plan digest published at the freeze.
    pub plan_digest: Digest,
    /// The pool root published at the freeze.
    pub pool_root: Digest,
    /// Commitments and rules published at the freeze.
    pub commitments: Vec<PlannedContribution>,
    /// Every drawn object with its membership proof, sorted by id bytes.
    pub selected: Vec<MembershipProof>,
    /// What is proved about the choice of the seed.
    pub assurance: Assurance,
    /// Digest of the auditor edition of the plan closed before this one; absent for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// The opened contributions; only with the plan's `public_seed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contributions: Option<Vec<Contribution>>,
    /// The seed; only with the plan's `public_seed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<Seed>,
}

impl PublicTranscript {
    /// The canonical bytes of the file.
    ///
    /// # Errors
    ///
    /// Never for a transcript that was built from a draw.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CanonicalError> {
        canonical_bytes(self)
    }
}

/// Everything that a transcript is made of.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The product's own id of the plan.
    pub plan_id: &'a str,
    /// The plan as frozen.
    pub plan: &'a FrozenPlan,
    /// The opened contributions, in any order.
    pub contributions: &'a [Contribution],
    /// The secret behind the leaves of the pool root.
    pub pool_secret: &'a Secret32,
    /// The result of the draw.
    pub outcome: &'a DrawOutcome,
    /// Digest of the auditor edition of the plan closed before this one; absent for the first.
    pub previous: Option<Digest>,
}

impl Record<'_> {
    /// The auditor edition.
    #[must_use]
    pub fn auditor(&self) -> AuditorTranscript {
        self.body(Edition::Auditor)
    }

    /// The internal edition, with the meaning of every stratum key and of every excluded reason.
    #[must_use]
    pub fn internal(
        &self,
        strata_meaning: BTreeMap<StratumKey, Value>,
        excluded_reasons: BTreeMap<String, Value>,
    ) -> InternalTranscript {
        InternalTranscript {
            body: self.body(Edition::Internal),
            strata_meaning,
            excluded_reasons,
            replacements: Vec::new(),
        }
    }

    /// The public edition. Values and seed are revealed if and only if the plan says `public_seed`; whether it may say
    /// so is decided before the freeze. Hashes the whole pool once.
    #[must_use]
    pub fn public(&self, pool: &Pool) -> PublicTranscript {
        let tree = PoolTree::new(self.plan.hash, self.pool_secret, pool);
        let mut drawn: Vec<u32> = self.outcome.lines.iter().map(|line| line.object).collect();
        // The pool is sorted by id bytes, so indexes sort as ids do.
        drawn.sort_unstable();
        PublicTranscript {
            format: TRANSCRIPT_FORMAT.to_owned(),
            edition: Edition::Public,
            plan_id: self.plan_id.to_owned(),
            plan_digest: self.outcome.plan_digest,
            pool_root: self.plan.pool_root,
            commitments: self.plan.contributions.clone(),
            selected: drawn
                .into_iter()
                .filter_map(|object| tree.proof(object as usize))
                .collect(),
            assurance: Assurance::of(&self.plan.contributions),
            previous: self.previous,
            contributions: self.plan.public_seed.then(|| self.sorted_contributions()),
            seed: self.plan.public_seed.then_some(self.outcome.seed),
        }
    }

    fn body(&self, edition: Edition) -> AuditorTranscript {
        let count = |stratum: &super::draw::DrawnStratum| DrawnCount {
            key: stratum.key.clone(),
            n: stratum.n,
        };
        AuditorTranscript {
            format: TRANSCRIPT_FORMAT.to_owned(),
            edition,
            plan_id: self.plan_id.to_owned(),
            plan: self.plan.clone(),
            plan_digest: self.outcome.plan_digest,
            contributions: self.sorted_contributions(),
            seed: self.outcome.seed,
            rounding_v: self.outcome.rounding_v,
            drawn: self.outcome.strata.iter().map(count).collect(),
            explore_drawn: self.outcome.explore_drawn,
            pool_secret: self.pool_secret.clone(),
            sample_digest: self.outcome.sample_digest,
            assurance: Assurance::of(&self.plan.contributions),
            previous: self.previous,
        }
    }

    fn sorted_contributions(&self) -> Vec<Contribution> {
        let mut sorted = self.contributions.to_vec();
        sorted.sort_by(|a, b| a.name.cmp(&b.name));
        sorted
    }
}
