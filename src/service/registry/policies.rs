//! The registry of policies: what is registered, and what came into force by whom.
//!
//! A policy is registered under the SHA-256 of its file and never changes. Another person than its author brings it into
//! force: at once where it gives the same tiers, by a run otherwise. What it takes the place of stays in the registry and
//! may be brought back the same way.

use super::keep_files;
use super::ledger::{LedgerCheck, Link, walk};
use crate::domain::Label;
use crate::domain::digest::HashAlgorithm;
use crate::service::proceedings::same_person;
use crate::service::runs::Job;
use crate::service::{Models, ModelsError, Person, Service, ServiceError};
use crate::store::{
    CarriedRun, JobKind, NewInForce, NewPolicy, NewPolicyChange, PolicyChange, PolicyDeed,
    PolicyRow, Run, RunCause, RunState, Store,
};

/// Digits of an id that a shortened one needs.
const LEAST_PREFIX: usize = 8;

/// Policies, or runs, looked through at once.
const PAGE: usize = 1_000;

/// How often files are put in force anew when something else changed meanwhile.
const MOST_TRIES: usize = 5;

/// Why a policy is not registered. Nothing is kept of it.
#[derive(Debug, thiserror::Error)]
pub enum RegisterPolicyError {
    /// It cannot be used with the files in force.
    #[error(transparent)]
    Files(#[from] ModelsError),
    /// The register fails.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// How a policy comes into force.
#[derive(Clone, Debug)]
pub enum Activation {
    /// It gives the same tiers and is in force.
    Done(PolicyRow),
    /// It gives other tiers, which a run computes beside those that are told.
    Run(Box<Job>),
}

impl NewPolicy {
    /// The policy of a set of files, as it is registered.
    fn of(models: &Models) -> Result<Self, ModelsError> {
        let body = models.policy_body()?.to_vec();
        let (name, version) = models
            .policy_name
            .rsplit_once('/')
            .unwrap_or((models.policy_name.as_str(), ""));
        Ok(Self {
            policy_id: HashAlgorithm::Sha256.hash(&[&body]).to_string(),
            name: name.to_owned(),
            version: version.parse().unwrap_or(0),
            body,
        })
    }
}

impl Service {
    /// Registers a policy, under the digest of its file; one that is registered already stays as it is. Says whether it
    /// is new.
    ///
    /// # Errors
    ///
    /// When it is no policy of this release, breaks a promise, or does not go with the catalogue and cards in force.
    pub fn add_policy(
        &self,
        text: &str,
        by: &Label,
        reason: Option<&str>,
    ) -> Result<(PolicyRow, bool), RegisterPolicyError> {
        let models = self.current().models.with_policy(text.as_bytes())?;
        let new = NewPolicy::of(&models)?;
        let added = self
            .store
            .put_policy(&new, Some(by.as_str()), reason)
            .map_err(ServiceError::from)?;
        Ok(added)
    }

    /// Policies before number `before`, latest first.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn policies(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<PolicyRow>, ServiceError> {
        Ok(self.store.policies_before(before, limit)?)
    }

    /// One policy by its id.
    ///
    /// # Errors
    ///
    /// When there is no such policy or the store fails.
    pub fn policy(&self, policy_id: &str) -> Result<PolicyRow, ServiceError> {
        self.store
            .policy(policy_id)?
            .ok_or_else(|| ServiceError::UnknownPolicy(policy_id.to_owned()))
    }

    /// One policy by its id, the first digits of it, `name/version`, or the word `in-force`.
    ///
    /// # Errors
    ///
    /// When none or several are meant.
    pub fn policy_named(&self, text: &str) -> Result<PolicyRow, ServiceError> {
        if let Some(found) = self.store.policy(text)? {
            return Ok(found);
        }
        let mut meant = Vec::new();
        let mut before = None;
        loop {
            let page = self.store.policies_before(before, PAGE)?;
            let Some(last) = page.last() else { break };
            before = Some(last.policy_no);
            meant.extend(page.into_iter().filter(|row| {
                let by_name = text.rsplit_once('/').is_some_and(|(name, version)| {
                    row.name == name && row.version.to_string() == version
                });
                let by_prefix = text.len() >= LEAST_PREFIX && row.policy_id.starts_with(text);
                by_name || by_prefix || (text == "in-force" && row.is_in_force)
            }));
        }
        if meant.len() > 1 {
            return Err(ServiceError::Conflict(format!(
                "`{text}` names {} policies; give more of the id",
                meant.len()
            )));
        }
        meant
            .pop()
            .ok_or_else(|| ServiceError::UnknownPolicy(text.to_owned()))
    }

    /// The file of a policy, byte for byte as its id says.
    ///
    /// # Errors
    ///
    /// When there is no such policy or the store fails.
    pub fn policy_file(&self, policy_id: &str) -> Result<Vec<u8>, ServiceError> {
        self.policy(policy_id)?;
        let body = self.store.model_file(policy_id)?.unwrap_or_default();
        let digest = HashAlgorithm::Sha256.hash(&[&body]).to_string();
        if digest != policy_id {
            return Err(ServiceError::Internal(format!(
                "the file of policy `{policy_id}` has digest {digest}; the store was changed by something else"
            )));
        }
        Ok(body)
    }

    /// What persons did before number `before`, latest first; with one policy or with all.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn policy_history(
        &self,
        policy_id: Option<&str>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<PolicyChange>, ServiceError> {
        Ok(self.store.policy_changes(policy_id, before, limit)?)
    }

    /// Walks along the whole history and computes every digest anew.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn check_policy_history(&self) -> Result<LedgerCheck, ServiceError> {
        let mut rows: Vec<PolicyChange> = Vec::new();
        loop {
            let before = rows.last().map(|row| row.seq);
            let page = self.store.policy_changes(None, before, PAGE)?;
            if page.is_empty() {
                break;
            }
            rows.extend(page);
        }
        walk(rows.iter().rev().map(|row| Link {
            seq: row.seq,
            // Numbers may have gaps: one that was never kept leaves one behind.
            expected_seq: None,
            previous: &row.previous,
            digest: &row.digest,
            computed: row.computed_digest(),
        }))
    }

    /// Brings a policy into force, as another person than its author: at once where it gives the same tiers as the one in
    /// force, by a run otherwise. A promotion that is under way goes on with a policy that changes no tier.
    ///
    /// # Errors
    ///
    /// When it is in force, its author asks, it does not go with the catalogue and cards in force, or a run is putting
    /// other tiers in force.
    pub fn activate_policy(
        &self,
        policy_id: &str,
        person: &Person,
    ) -> Result<Activation, ServiceError> {
        self.refresh()?;
        let row = self.policy(policy_id)?;
        if row.is_in_force {
            return Err(ServiceError::Conflict(format!(
                "policy `{policy_id}` is in force"
            )));
        }
        let author = row.author.as_deref().map(Label::parse);
        if let Some(Ok(author)) = author
            && same_person(&author, &person.by)
        {
            return Err(ServiceError::Rule(format!(
                "`{}` registered policy `{policy_id}`; another person must bring it into force",
                person.by
            )));
        }
        let current = self.current();
        let file = self.policy_file(policy_id)?;
        let next = current.models.with_policy(&file).map_err(|error| {
            ServiceError::Conflict(format!(
                "policy `{policy_id}` does not go with the catalogue and cards in force: {error}"
            ))
        })?;
        let is_at_once = next.classifier.files_digest() == current.models.classifier.files_digest();
        let is_in_the_way = |run: &Run| match run.kind {
            JobKind::Reclassify => run.files_id != current.models.files_id(),
            _ => !is_at_once,
        };
        if let Some(active) = self.active_run()?.filter(is_in_the_way) {
            return Err(other_tiers(&active));
        }
        let asked = |run_id: Option<&str>| NewPolicyChange {
            policy_id: policy_id.to_owned(),
            what: PolicyDeed::ActivationAsked,
            by: Some(person.by.to_string()),
            reason: Some(person.reason.clone()),
            run_id: run_id.map(str::to_owned),
        };
        if is_at_once {
            // Who asked is kept before anything changes.
            self.store.note_policy_change(&asked(None))?;
            if !self.put_at_once(&next)? {
                return Err(ServiceError::Conflict(
                    "other files are coming into force at this moment; ask again".to_owned(),
                ));
            }
            tracing::info!(policy.id = policy_id, "another policy is in force");
            return Ok(Activation::Done(self.policy(policy_id)?));
        }
        keep_files(self.store.as_ref(), &next)?;
        let run = self.request_run(next.files_id(), RunCause::Files)?;
        // A promotion that was asked for at this moment goes through instead.
        if run.files_id != next.files_id() {
            return Err(other_tiers(&run));
        }
        self.store.note_policy_change(&asked(Some(&run.run_id)))?;
        Ok(Activation::Run(Box::new(self.job_of(run))))
    }

    /// The run that is queued or running.
    pub(in crate::service) fn active_run(&self) -> Result<Option<Run>, ServiceError> {
        let runs = self.store.runs_before(None, PAGE)?;
        Ok(runs.into_iter().find(|run| {
            run.kind.is_run() && matches!(run.state, RunState::Queued | RunState::Running)
        }))
    }

    /// Puts files in force that give the same tiers, without a run; an active promotion goes on with them and its own
    /// card, so that its flip takes nothing back. `false` where a run that puts other tiers in force is in the way.
    pub(in crate::service) fn put_at_once(&self, next: &Models) -> Result<bool, ServiceError> {
        for _ in 0..MOST_TRIES {
            self.refresh()?;
            let current = self.current();
            if next.files_id() == current.models.files_id() {
                return Ok(true);
            }
            if next.classifier.files_digest() != current.models.classifier.files_digest() {
                return Ok(false);
            }
            let active = self.active_run()?;
            let carried = match active {
                Some(run) if run.kind != JobKind::Reclassify => {
                    let promoted = Models::of(self.store.model_set(&run.files_id)?)?;
                    let with = next.with_card_of(&promoted)?;
                    keep_files(self.store.as_ref(), &with)?;
                    Some(CarriedRun {
                        run_id: run.run_id,
                        from_files: run.files_id,
                        to_files: with.files_id().to_owned(),
                    })
                }
                Some(run) if run.files_id != current.models.files_id() => return Ok(false),
                Some(_) | None => None,
            };
            keep_files(self.store.as_ref(), next)?;
            let entry = NewInForce {
                epoch: *current.epoch(),
                files_id: next.files_id().to_owned(),
                statistics: current.statistics.clone(),
                from_on: self.today(),
            };
            let put = self
                .store
                .put_in_force(Some(current.number), &entry, carried.as_ref())?;
            if put.is_some() {
                self.refresh()?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn other_tiers(run: &Run) -> ServiceError {
    ServiceError::Conflict(format!(
        "run `{}` is putting other tiers in force; wait until it has ended, or cancel it",
        run.run_id
    ))
}

/// Keeps the policy of files beside their card.
pub(in crate::service) fn keep_policy(
    store: &dyn Store,
    models: &Models,
) -> Result<(), ServiceError> {
    let new = NewPolicy::of(models)?;
    if store.policy(&new.policy_id)?.is_none() {
        store.put_policy(&new, None, None)?;
    }
    Ok(())
}
