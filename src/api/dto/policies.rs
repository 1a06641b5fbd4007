//! Policies: what is registered and what persons did with it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::codes::PolicyDeed;
use super::jobs::instant;
use super::present;
use crate::domain::{FieldError, Label};
use crate::service::{NewPolicyChange, PolicyChange, PolicyRow, person, reason_of};

/// A policy to register.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `by` and `policy`")]
pub(crate) struct PolicyInput {
    /// Who registers it, and is its author; a later release takes it from the caller's token.
    #[schema(example = "analyst-3", min_length = 1, max_length = 64)]
    by: String,
    /// Why.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "fewer visits to tier A", min_length = 1, max_length = 2000)]
    reason: Option<String>,
    /// The policy file (TOML), byte for byte.
    #[schema(example = "format = \"risktier-policy/1\"\nname = \"cn-general\"\nversion = 2\n…")]
    policy: String,
}

impl PolicyInput {
    /// Checks who and why, and gives the file.
    pub(crate) fn parse(self) -> Result<(Label, Option<String>, String), FieldError> {
        Ok((
            person("by", &self.by)?,
            self.reason.as_deref().map(reason_of).transpose()?,
            self.policy,
        ))
    }
}

/// A registered policy.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicyAnswer {
    /// SHA-256 of its file.
    #[schema(example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")]
    pub(crate) policy_id: String,
    /// Its number, rising.
    #[schema(example = 2, minimum = 1)]
    number: u64,
    /// Its name.
    #[schema(example = "cn-general")]
    name: String,
    /// Version within the name.
    #[schema(example = 2)]
    version: u32,
    /// Who registered it; absent where it came with the files of a process.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "analyst-3")]
    author: Option<String>,
    /// When it was registered.
    #[schema(format = DateTime, example = "2026-11-22T08:00:00Z")]
    added_at: String,
    /// Whether it is in force.
    #[schema(example = true)]
    is_in_force: bool,
}

impl From<PolicyRow> for PolicyAnswer {
    fn from(row: PolicyRow) -> Self {
        let PolicyRow {
            policy_no,
            policy_id,
            name,
            version,
            author,
            added_at,
            is_in_force,
        } = row;
        Self {
            policy_id,
            number: policy_no,
            name,
            version,
            author,
            added_at: instant(added_at),
            is_in_force,
        }
    }
}

/// What a person did with a policy.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicyChangeAnswer {
    /// Its number, rising.
    #[schema(example = 4, minimum = 1)]
    seq: u64,
    /// When.
    #[schema(format = DateTime, example = "2026-11-22T08:00:00Z")]
    at: String,
    /// The policy.
    #[schema(example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")]
    policy_id: String,
    /// What was done.
    what: PolicyDeed,
    /// Who did it; absent where it came with the files of a process.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "head-2")]
    by: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "minutes of 2026-11-20")]
    reason: Option<String>,
    /// The run that brings it into force, where it takes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11")]
    job_id: Option<String>,
    /// Digest of the row before; of the first one, zeros. Absent, as is `digest`, where an earlier release wrote the row
    /// since this one opened the store.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(
        example = "0000000000000000000000000000000000000000000000000000000000000000",
        required = false
    )]
    previous: String,
    /// SHA-256 over all of the row but itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(
        example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728",
        required = false
    )]
    digest: String,
}

impl From<PolicyChange> for PolicyChangeAnswer {
    fn from(row: PolicyChange) -> Self {
        let PolicyChange {
            seq,
            at,
            change:
                NewPolicyChange {
                    policy_id,
                    what,
                    by,
                    reason,
                    run_id,
                },
            previous,
            digest,
        } = row;
        Self {
            seq,
            at: instant(at),
            policy_id,
            what: what.into(),
            by,
            reason,
            job_id: run_id,
            previous,
            digest,
        }
    }
}
