//! Policies: what is registered, and what persons did with it.
//!
//! A policy is a file under the SHA-256 of its bytes. Which one is in force follows from the set of files that is, in the
//! transaction that puts the set there. As in the ledger of models, each row of what was done names the digest of the one
//! before, so that a row that is taken out or altered is found.

use serde_json::json;

use super::rows::{Row, number, text};
use super::runs::worded;
use super::tier_rows::owned;
use super::{ModelChange, StoreError};
use crate::domain::canonical::canonical_bytes;
use crate::domain::digest::HashAlgorithm;

worded! {
    /// What a person did with a policy.
    PolicyDeed {
        /// It came into the registry.
        Registered = "registered",
        /// Someone asked for it to come into force.
        ActivationAsked = "activation_asked",
    }
}

/// A registered policy without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRow {
    /// Its number, rising.
    pub policy_no: u64,
    /// SHA-256 of its bytes, 64 hexadecimal digits.
    pub policy_id: String,
    /// Its name.
    pub name: String,
    /// Version within the name.
    pub version: u32,
    /// Who registered it; nobody where it came with the files of a process.
    pub author: Option<String>,
    /// When it was registered, in milliseconds since 1970 (UTC).
    pub added_at: i64,
    /// Whether it is in force.
    pub is_in_force: bool,
}

/// A policy as it is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPolicy {
    /// See [`PolicyRow::policy_id`].
    pub policy_id: String,
    /// Its name.
    pub name: String,
    /// Version within the name.
    pub version: u32,
    /// The file.
    pub body: Vec<u8>,
}

/// What a person did with a policy, before it has a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPolicyChange {
    /// The policy.
    pub policy_id: String,
    /// What was done.
    pub what: PolicyDeed,
    /// Who did it; nobody where it came with the files of a process.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The run that brings it into force, where it takes one.
    pub run_id: Option<String>,
}

/// What a person did with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyChange {
    /// Its number, rising.
    pub seq: u64,
    /// When, in milliseconds since 1970 (UTC).
    pub at: i64,
    /// What was done.
    pub change: NewPolicyChange,
    /// Digest of the row before, of the first one [`ModelChange::ORIGIN`]; empty where an earlier release wrote the row
    /// since this one opened the store.
    pub previous: String,
    /// SHA-256 over the canonical form of all of the above; empty likewise.
    pub digest: String,
}

impl PolicyChange {
    /// The digest that the row must have.
    ///
    /// # Errors
    ///
    /// Never for rows that came from a store.
    pub fn computed_digest(&self) -> Result<String, StoreError> {
        let NewPolicyChange {
            policy_id,
            what,
            by,
            reason,
            run_id,
        } = &self.change;
        let bytes = canonical_bytes(&json!({
            "seq": self.seq,
            "at": self.at,
            "policy_id": policy_id,
            "what": what,
            "by": by,
            "reason": reason,
            "run_id": run_id,
            "previous": self.previous,
        }))
        .map_err(|error| StoreError::Aborted(format!("the history has no digest: {error}")))?;
        Ok(HashAlgorithm::Sha256.hash(&[&bytes]).to_string())
    }
}

/// Chains rows, in order, behind the last one that is chained.
pub(super) fn chained(
    last: Option<String>,
    mut rows: Vec<PolicyChange>,
) -> Result<Vec<PolicyChange>, StoreError> {
    let mut previous = last.unwrap_or_else(|| ModelChange::ORIGIN.to_owned());
    for row in &mut rows {
        row.previous = previous;
        row.digest = row.computed_digest()?;
        previous = row.digest.clone();
    }
    Ok(rows)
}

/// The digest of the last row that is chained.
pub(super) const LAST_CHAINED: &str =
    "SELECT digest FROM policy_changes WHERE digest <> '' ORDER BY seq DESC LIMIT 1";

/// Rows behind the last one that is chained, after `SELECT` and columns.
pub(super) const UNCHAINED: &str = "FROM policy_changes \
     WHERE seq > (SELECT coalesce(max(seq), 0) FROM policy_changes WHERE digest <> '') ORDER BY seq";

/// Columns of `policies` in the order that [`policy`] reads; the last one needs the alias `p`.
pub(super) const POLICY_COLUMNS: &str = "p.policy_no, p.policy_id, p.name, p.version, p.author, p.added_at, \
     EXISTS (SELECT 1 FROM live JOIN in_force f USING (number) JOIN model_sets s ON s.files_id = f.files_id \
     WHERE live.one = 1 AND s.role = 'policy' AND s.digest = p.policy_id)";

/// Columns of `policy_changes` in the order that [`policy_change`] reads.
pub(super) const POLICY_CHANGE_COLUMNS: &str =
    "seq, at, policy_id, what, by_whom, reason, run_id, previous, digest";

pub(super) fn policy(row: &impl Row) -> Result<PolicyRow, StoreError> {
    Ok(PolicyRow {
        policy_no: number(row, 0, "policy_no")?,
        policy_id: text(row, 1, "policy_id")?.to_owned(),
        name: text(row, 2, "name")?.to_owned(),
        version: number(row, 3, "version")?,
        author: owned(row, 4, "author")?,
        added_at: number(row, 5, "added_at")?,
        is_in_force: number::<i64>(row, 6, "is_in_force")? != 0,
    })
}

pub(super) fn policy_change(row: &impl Row) -> Result<PolicyChange, StoreError> {
    Ok(PolicyChange {
        seq: number(row, 0, "seq")?,
        at: number(row, 1, "at")?,
        change: NewPolicyChange {
            policy_id: text(row, 2, "policy_id")?.to_owned(),
            what: PolicyDeed::from_text(text(row, 3, "what")?)
                .ok_or(StoreError::Corrupt { column: "what" })?,
            by: owned(row, 4, "by_whom")?,
            reason: owned(row, 5, "reason")?,
            run_id: owned(row, 6, "run_id")?,
        },
        previous: text(row, 7, "previous")?.to_owned(),
        digest: text(row, 8, "digest")?.to_owned(),
    })
}

/// The first row about a policy.
pub(super) fn registered(
    new: &NewPolicy,
    by: Option<&str>,
    reason: Option<&str>,
) -> NewPolicyChange {
    NewPolicyChange {
        policy_id: new.policy_id.clone(),
        what: PolicyDeed::Registered,
        by: by.map(str::to_owned),
        reason: reason.map(str::to_owned),
        run_id: None,
    }
}

/// Policies and what persons did with them.
pub trait PolicyStore {
    /// Registers a policy; one that is registered already stays as it is. Says whether it is new.
    fn put_policy(
        &self,
        new: &NewPolicy,
        by: Option<&str>,
        reason: Option<&str>,
    ) -> Result<(PolicyRow, bool), StoreError>;

    /// One policy.
    fn policy(&self, policy_id: &str) -> Result<Option<PolicyRow>, StoreError>;

    /// Policies before number `before`, latest first, at most `limit`.
    fn policies_before(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<PolicyRow>, StoreError>;

    /// Notes what a person did with a policy.
    fn note_policy_change(&self, change: &NewPolicyChange) -> Result<(), StoreError>;

    /// What persons did before number `before`, latest first, at most `limit`; with one policy or with all.
    fn policy_changes(
        &self,
        policy_id: Option<&str>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<PolicyChange>, StoreError>;
}
