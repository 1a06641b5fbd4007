//! The three model files: catalogue, scorecard, policy.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

use crate::domain::canonical::{CanonicalError, canonical_bytes};
use crate::domain::digest::{Digest, HashAlgorithm};
use crate::indicators::{Catalogue, CatalogueError};
use crate::model::evaluation::{Guard, GuardError};
use crate::model::{Classifier, ClassifierError, Scorecard, ScorecardError, TierRules};
use crate::sampling::{PolicyError, SamplingPolicy};

/// The policy format this build reads.
const POLICY_FORMAT: &str = "risktier-policy/1";

/// Where the model files lie; a file that is left out is the compiled-in default.
#[derive(Clone, Debug, Default)]
pub struct ModelFiles {
    /// Catalogue of indicators (TOML).
    pub catalogue: Option<PathBuf>,
    /// Scorecard (JSON).
    pub scorecard: Option<PathBuf>,
    /// Policy (TOML).
    pub policy: Option<PathBuf>,
}

/// The model files in force, checked and bound together.
#[derive(Clone, Debug)]
pub struct Models {
    /// Gives tiers.
    pub classifier: Classifier,
    /// Gives rates.
    pub sampling: SamplingPolicy,
    /// What an evaluation must keep.
    pub guard: Guard,
    /// Name and version of the policy, as `name/version`.
    pub policy_name: String,
    /// Digest of the policy in canonical form.
    pub policy_digest: Digest,
}

/// A policy file: tier rules and sampling rates.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    format: String,
    name: String,
    version: u32,
    tier: TierRules,
    sampling: SamplingPolicy,
    // Left out where nothing is changed, so that a policy keeps its digest: guards decide no plan.
    #[serde(default, skip_serializing_if = "is_default")]
    guard: Guard,
}

fn is_default(guard: &Guard) -> bool {
    *guard == Guard::default()
}

/// Why the model files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelsError {
    /// A file cannot be read.
    #[error("`{path}` cannot be read: {cause}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// The catalogue is wrong.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The scorecard is wrong.
    #[error(transparent)]
    Scorecard(#[from] ScorecardError),
    /// The policy is not TOML of the policy's shape.
    #[error("the policy cannot be read: {0}")]
    PolicySyntax(#[from] toml::de::Error),
    /// The policy was written for another release.
    #[error("the policy has format `{0}`; this release reads `{POLICY_FORMAT}`")]
    PolicyFormat(String),
    /// The sampling part breaks a promise.
    #[error("the policy cannot be used: {0}")]
    Policy(#[from] PolicyError),
    /// The guard rails contradict themselves.
    #[error("the policy cannot be used: {0}")]
    Guard(#[from] GuardError),
    /// The files do not go together.
    #[error(transparent)]
    Classifier(#[from] ClassifierError),
    /// The policy has no canonical form.
    #[error("the policy has no digest: {0}")]
    Digest(#[from] CanonicalError),
}

impl Models {
    /// Reads the files and checks them against each other.
    ///
    /// # Errors
    ///
    /// Names the first file, indicator or rule that is wrong.
    pub fn load(files: &ModelFiles) -> Result<Self, ModelsError> {
        let text = |path: &Option<PathBuf>, default: &str| match path {
            Some(path) => read(path),
            None => Ok(default.to_owned()),
        };
        let catalogue = text(
            &files.catalogue,
            include_str!("../../models/indicators.toml"),
        )?;
        let scorecard = text(
            &files.scorecard,
            include_str!("../../models/default/scorecard.json"),
        )?;
        let policy = text(&files.policy, include_str!("../../models/policy.toml"))?;
        let policy: PolicyFile = toml::from_str(&policy)?;
        if policy.format != POLICY_FORMAT {
            return Err(ModelsError::PolicyFormat(policy.format));
        }
        policy.sampling.check()?;
        policy.guard.check()?;
        let policy_digest = HashAlgorithm::Sha256.hash(&[&canonical_bytes(&policy)?]);
        Ok(Self {
            classifier: Classifier::new(
                Catalogue::from_toml(&catalogue)?,
                Scorecard::from_json(&scorecard)?,
                policy.tier,
            )?,
            sampling: policy.sampling,
            guard: policy.guard,
            policy_name: format!("{}/{}", policy.name, policy.version),
            policy_digest,
        })
    }
}

pub(super) fn read(path: &Path) -> Result<String, ModelsError> {
    std::fs::read_to_string(path).map_err(|cause| ModelsError::Read {
        path: path.display().to_string(),
        cause,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_files_go_together() {
        let models = Models::load(&ModelFiles::default()).unwrap();
        assert_eq!(models.policy_name, "cn-general/1");
    }

    #[test]
    fn the_guard_of_the_default_policy_is_the_one_of_a_policy_without_any() {
        let models = Models::load(&ModelFiles::default()).unwrap();
        assert_eq!(models.guard, Guard::default());
    }

    #[test]
    fn a_rate_that_falls_with_risk_is_refused_by_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy.toml");
        let policy = include_str!("../../models/policy.toml").replacen("D = 0.50", "D = 0.10", 1);
        std::fs::write(&path, policy).unwrap();
        let error = Models::load(&ModelFiles {
            policy: Some(path),
            ..ModelFiles::default()
        })
        .unwrap_err()
        .to_string();
        assert!(
            error.contains("sampling.rates.general") && error.contains("tier D"),
            "{error}"
        );
    }
}
