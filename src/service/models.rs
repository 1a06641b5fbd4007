//! The model files: catalogue, scorecard, policy; from disk at a start, from the store for what is or was in force.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::calendar_rules::{CalendarRules, CalendarRulesError};
use super::decision_rules::{DecisionRules, DecisionRulesError};
use crate::domain::EnterpriseKind;
use crate::domain::canonical::{CanonicalError, canonical_bytes};
use crate::domain::digest::{Digest, HashAlgorithm};
use crate::indicators::{Catalogue, CatalogueError};
use crate::model::evaluation::{Guard, GuardError};
use crate::model::{
    Classifier, ClassifierError, Scorecard, ScorecardError, Scorecards, Statistics, TierRules,
};
use crate::sampling::{PolicyError, SamplingPolicy};
use crate::store::ModelFile;

/// The policy format this build reads.
const POLICY_FORMAT: &str = "risktier-policy/1";

/// Roles of files in a set; kept in the store.
const CATALOGUE: &str = "catalogue";
const SCORECARD: &str = "scorecard";
const POLICY: &str = "policy";

/// Where the model files lie; a file that is left out is the compiled-in default.
#[derive(Clone, Debug, Default)]
pub struct ModelFiles {
    /// Catalogue of indicators (TOML).
    pub catalogue: Option<PathBuf>,
    /// Scorecard (JSON).
    pub scorecard: Option<PathBuf>,
    /// Scorecards (JSON) for enterprises of single kinds; the others are scored by the general one.
    pub scorecards: BTreeMap<EnterpriseKind, PathBuf>,
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
    /// Time limits of what persons decide.
    pub decisions: DecisionRules,
    /// How often items with frequencies are checked.
    pub calendar: CalendarRules,
    /// What an evaluation must keep.
    pub guard: Guard,
    /// Name and version of the policy, as `name/version`.
    pub policy_name: String,
    /// Digest of the policy in canonical form.
    pub policy_digest: Digest,
    /// The files as they were read.
    files: Vec<ModelFile>,
    /// Identity of the set of files, byte for byte: 32 hexadecimal digits.
    files_id: String,
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
    #[serde(default)]
    decisions: DecisionRules,
    // Left out where nothing is changed, so that a policy keeps its digest: neither decides a tier or a draw.
    #[serde(default, skip_serializing_if = "is_default")]
    calendar: CalendarRules,
    #[serde(default, skip_serializing_if = "is_default")]
    guard: Guard,
}

/// The sampling part of a policy file that is looked at and not put in force.
#[derive(Clone, Debug)]
pub(super) struct PolicyText {
    /// Name and version, as `name/version`.
    pub(super) name: String,
    /// Its rates, bands, caps.
    pub(super) sampling: SamplingPolicy,
    /// Its tier rules in canonical form, to be compared.
    pub(super) tier_rules: Vec<u8>,
}

impl PolicyText {
    /// Reads and checks a policy file.
    ///
    /// # Errors
    ///
    /// Names the first rule that is wrong.
    pub(super) fn read(text: &str) -> Result<Self, ModelsError> {
        let policy: PolicyFile = toml::from_str(text)?;
        if policy.format != POLICY_FORMAT {
            return Err(ModelsError::PolicyFormat(policy.format));
        }
        policy.sampling.check()?;
        Ok(Self {
            name: format!("{}/{}", policy.name, policy.version),
            tier_rules: canonical_bytes(&policy.tier)?,
            sampling: policy.sampling,
        })
    }
}

fn is_default<T: Default + PartialEq>(part: &T) -> bool {
    *part == T::default()
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
    /// A set of files in the store lacks one.
    #[error("the set of model files has no {role}; give the files again at the next start")]
    Missing {
        /// What it lacks.
        role: &'static str,
    },
    /// The catalogue is wrong.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The scorecard is wrong.
    #[error(transparent)]
    Scorecard(#[from] ScorecardError),
    /// A kind has a card in the scorecard's own file and one of its own.
    #[error(
        "the scorecard holds a card for `{kind}`, and a file is named for that kind too; leave out one of them"
    )]
    TwoScorecards {
        /// The kind.
        kind: EnterpriseKind,
    },
    /// The scorecard of a kind is wrong.
    #[error("the scorecard for `{kind}`: {cause}")]
    KindScorecard {
        /// The kind.
        kind: EnterpriseKind,
        /// What is wrong.
        cause: ScorecardError,
    },
    /// The policy is not TOML of the policy's shape.
    #[error("the policy cannot be read: {0}")]
    PolicySyntax(#[from] toml::de::Error),
    /// The policy was written for another release.
    #[error("the policy has format `{0}`; this release reads `{POLICY_FORMAT}`")]
    PolicyFormat(String),
    /// The sampling part breaks a promise.
    #[error("the policy cannot be used: {0}")]
    Policy(#[from] PolicyError),
    /// A time limit or the calendar cannot be kept.
    #[error("the policy cannot be used: {0}")]
    Decisions(#[from] DecisionRulesError),
    /// Frequencies do not go together.
    #[error("the policy cannot be used: {0}")]
    Calendar(#[from] CalendarRulesError),
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
        let mut set = vec![
            model_file(
                CATALOGUE,
                text(
                    &files.catalogue,
                    include_str!("../../models/indicators.toml"),
                )?,
            ),
            model_file(
                SCORECARD,
                text(
                    &files.scorecard,
                    include_str!("../../models/default/scorecard.json"),
                )?,
            ),
            model_file(
                POLICY,
                text(&files.policy, include_str!("../../models/policy.toml"))?,
            ),
        ];
        for (kind, path) in &files.scorecards {
            set.push(model_file(&scorecard_role(*kind), read(path)?));
        }
        Self::of(set)
    }

    /// Checks files against each other and binds them together.
    ///
    /// # Errors
    ///
    /// Names the first file, indicator or rule that is wrong.
    pub fn of(mut files: Vec<ModelFile>) -> Result<Self, ModelsError> {
        files.sort_by(|a, b| a.role.cmp(&b.role));
        let text = |role: &'static str| {
            let file = files.iter().find(|file| file.role == role);
            file.and_then(|file| std::str::from_utf8(&file.body).ok())
                .ok_or(ModelsError::Missing { role })
        };
        let policy: PolicyFile = toml::from_str(text(POLICY)?)?;
        if policy.format != POLICY_FORMAT {
            return Err(ModelsError::PolicyFormat(policy.format));
        }
        policy.sampling.check()?;
        let mut scorecards = Scorecards::from_json(text(SCORECARD)?)?;
        for kind in EnterpriseKind::ALL {
            let role = scorecard_role(*kind);
            let Some(file) = files.iter().find(|file| file.role == role) else {
                continue;
            };
            if scorecards.by_kind.contains_key(kind) {
                return Err(ModelsError::TwoScorecards { kind: *kind });
            }
            let fail = |cause| ModelsError::KindScorecard { kind: *kind, cause };
            let body = String::from_utf8_lossy(&file.body);
            let scorecard = Scorecard::from_json(&body).map_err(fail)?;
            scorecards.by_kind.insert(*kind, scorecard);
        }
        policy.decisions.check()?;
        policy.calendar.check()?;
        policy.guard.check()?;
        let policy_digest = HashAlgorithm::Sha256.hash(&[&canonical_bytes(&policy)?]);
        let classifier = Classifier::new(
            Catalogue::from_toml(text(CATALOGUE)?)?,
            scorecards,
            policy.tier,
        )?;
        let parts: Vec<&[u8]> = files
            .iter()
            .flat_map(|file| {
                [
                    file.role.as_bytes(),
                    b"\0".as_slice(),
                    file.digest.as_bytes(),
                    b"\n",
                ]
            })
            .collect();
        let mut files_id = HashAlgorithm::Sha256.hash(&parts).to_string();
        files_id.truncate(32);
        Ok(Self {
            classifier,
            sampling: policy.sampling,
            decisions: policy.decisions,
            calendar: policy.calendar,
            guard: policy.guard,
            policy_name: format!("{}/{}", policy.name, policy.version),
            policy_digest,
            files,
            files_id,
        })
    }

    /// The same files with others in the place of those that are named.
    ///
    /// # Errors
    ///
    /// As [`Models::load`].
    pub fn replacing(&self, files: &ModelFiles) -> Result<Self, ModelsError> {
        let mut named: Vec<(String, &PathBuf)> = [
            (CATALOGUE, &files.catalogue),
            (SCORECARD, &files.scorecard),
            (POLICY, &files.policy),
        ]
        .into_iter()
        .filter_map(|(role, path)| Some((role.to_owned(), path.as_ref()?)))
        .collect();
        let by_kind = files.scorecards.iter();
        named.extend(by_kind.map(|(kind, path)| (scorecard_role(*kind), path)));
        let mut set = self.files.clone();
        for (role, path) in named {
            let body = read(path)?;
            set.retain(|file| file.role != role);
            set.push(model_file(&role, body));
        }
        Self::of(set)
    }

    /// The policy of these files.
    pub(super) fn policy_text(&self) -> Result<PolicyText, ModelsError> {
        let file = self.files.iter().find(|file| file.role == POLICY);
        let text = file.and_then(|file| std::str::from_utf8(&file.body).ok());
        PolicyText::read(text.ok_or(ModelsError::Missing { role: POLICY })?)
    }

    /// The cards that make up the model: those in the file of the scorecard. Cards of kinds in files of their own belong
    /// to the process and not to the model.
    ///
    /// # Errors
    ///
    /// Never for a set that was checked.
    pub(in crate::service) fn model_cards(&self) -> Result<Scorecards, ModelsError> {
        let text = String::from_utf8_lossy(self.body(SCORECARD)?);
        Ok(Scorecards::from_json(&text)?)
    }

    /// The same files with another general scorecard, and the cards of kinds that its file holds.
    ///
    /// # Errors
    ///
    /// When the card does not fit the catalogue.
    pub(in crate::service) fn with_card(&self, card: &[u8]) -> Result<Self, ModelsError> {
        let mut set = self.files.clone();
        set.retain(|file| file.role != SCORECARD);
        set.push(model_file(
            SCORECARD,
            String::from_utf8_lossy(card).into_owned(),
        ));
        Self::of(set)
    }

    /// The same files with the general scorecard of others.
    ///
    /// # Errors
    ///
    /// As [`Models::load`].
    pub(in crate::service) fn with_card_of(&self, other: &Self) -> Result<Self, ModelsError> {
        self.with_card(other.body(SCORECARD)?)
    }

    /// The same files with another policy.
    ///
    /// # Errors
    ///
    /// As [`Models::load`].
    pub(in crate::service) fn with_policy(&self, policy: &[u8]) -> Result<Self, ModelsError> {
        let mut set = self.files.clone();
        set.retain(|file| file.role != POLICY);
        set.push(model_file(
            POLICY,
            String::from_utf8_lossy(policy).into_owned(),
        ));
        Self::of(set)
    }

    /// The file of the policy.
    ///
    /// # Errors
    ///
    /// When there is none, which a set that was checked never lacks.
    pub(in crate::service) fn policy_body(&self) -> Result<&[u8], ModelsError> {
        self.body(POLICY)
    }

    fn body(&self, role: &'static str) -> Result<&[u8], ModelsError> {
        let file = self.files.iter().find(|file| file.role == role);
        file.map(|file| file.body.as_slice())
            .ok_or(ModelsError::Missing { role })
    }

    /// The same files with statistics that a run has frozen.
    pub(in crate::service) fn with_statistics(&self, statistics: Arc<Statistics>) -> Self {
        Self {
            classifier: self.classifier.with_statistics(statistics),
            ..self.clone()
        }
    }

    /// The files as they were read.
    pub(in crate::service) fn files(&self) -> &[ModelFile] {
        &self.files
    }

    /// Identity of the set of files, byte for byte.
    pub fn files_id(&self) -> &str {
        &self.files_id
    }
}

fn model_file(role: &str, body: String) -> ModelFile {
    ModelFile {
        role: role.to_owned(),
        digest: HashAlgorithm::Sha256.hash(&[body.as_bytes()]).to_string(),
        body: body.into_bytes(),
    }
}

/// The role of the scorecard of one kind.
fn scorecard_role(kind: EnterpriseKind) -> String {
    format!("{SCORECARD}:{}", kind.as_str())
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
    fn a_card_of_a_kind_belongs_to_the_epoch_and_is_refused_by_kind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("card.json");
        let load = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Models::load(&ModelFiles {
                scorecards: [(EnterpriseKind::IndividualBusiness, path.clone())].into(),
                ..ModelFiles::default()
            })
        };
        let text = include_str!("../../models/default/scorecard.json");
        let own = load(&text.replacen("cn-general-expert", "shops", 1)).unwrap();
        let general = Models::load(&ModelFiles::default()).unwrap();
        assert_ne!(own.classifier.epoch(), general.classifier.epoch());
        assert_ne!(
            own.classifier.model_digest(),
            general.classifier.model_digest()
        );
        let name = |kind| own.classifier.scorecard_of(kind).name.clone();
        assert_eq!(name(EnterpriseKind::IndividualBusiness), "shops");
        assert_eq!(name(EnterpriseKind::Enterprise), "cn-general-expert");

        for wrong in [text.replacen("\"BAS01\"", "\"BAS99\"", 1), "{}".to_owned()] {
            let error = load(&wrong).unwrap_err().to_string();
            assert!(error.contains("`individual_business`"), "{error}");
        }
    }

    #[test]
    fn a_matrix_of_grades_that_falls_is_refused_by_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy.toml");
        let load = |commented: &str| {
            let (before, rest) = commented.split_once("# [tier.grade]\n").unwrap();
            let (example, after) = rest.split_once("# ]\n").unwrap();
            let example = example.replace("# ", "");
            let text = format!("{before}[tier.grade]\n{example}]\n{after}");
            std::fs::write(&path, text).unwrap();
            Models::load(&ModelFiles {
                policy: Some(path.clone()),
                ..ModelFiles::default()
            })
        };
        let policy = include_str!("../../models/policy.toml");
        let with = load(policy).unwrap();
        let without = Models::load(&ModelFiles::default()).unwrap();
        assert_ne!(with.classifier.epoch(), without.classifier.epoch());

        let falls = policy.replacen("C = \"C\", D = \"D\"", "C = \"D\", D = \"C\"", 1);
        let error = load(&falls).unwrap_err().to_string();
        assert!(error.contains("tier.grade"), "{error}");
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
