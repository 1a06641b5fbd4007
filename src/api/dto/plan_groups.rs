//! Coordinated groups of plans.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::codes::{GroupState, Hash};
use super::plan_input::{CommittedInput, PublicInput, committed, public, sha256};
use super::plans::ContributionAnswer;
use crate::domain::FieldError;
use crate::service::{GroupRequest, GroupView, SealedPlan};

/// What a group is made of.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "an object with `group_id` and `title`"
)]
pub(crate) struct GroupInput {
    /// Its id, never used before: 1 to 64 of letters, digits, `.`, `_`, `-`.
    #[schema(example = "2027-q1", pattern = "^[A-Za-z0-9._-]{1,64}$")]
    group_id: String,
    /// Title for people, 1 to 200 bytes.
    #[schema(
        example = "Joint checks, first quarter",
        min_length = 1,
        max_length = 200
    )]
    title: String,
    /// The hash of all its plans; default `sha256`.
    #[serde(default = "sha256")]
    #[schema(default = "sha256")]
    hash: Hash,
    /// Contributions of others whose values exist already, beside the server's own.
    #[serde(default)]
    committed: Vec<CommittedInput>,
    /// Contributions that come into being after the group is sealed.
    #[serde(default)]
    public: Vec<PublicInput>,
    /// Whether public editions may reveal values and seed; every plan of the group must then allow it.
    #[serde(default)]
    #[schema(default = false)]
    public_seed: bool,
}

impl GroupInput {
    /// Checks the parts that have a form of their own; the service checks the whole.
    pub(crate) fn parse(self) -> Result<GroupRequest, FieldError> {
        Ok(GroupRequest {
            group_id: self.group_id,
            title: self.title,
            hash: self.hash.into(),
            committed: committed(self.committed)?,
            public: public(self.public)?,
            public_seed: self.public_seed,
        })
    }
}

/// A coordinated group: its plans carry the same contributions, so every object has the same ticket in all of them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlanGroup)]
pub(crate) struct GroupAnswer {
    /// Its id.
    #[schema(example = "2027-q1")]
    pub(crate) group_id: String,
    /// Where it stands.
    state: GroupState,
    /// Title for people.
    #[schema(example = "Joint checks, first quarter")]
    title: String,
    /// When it was made.
    #[schema(format = DateTime, example = "2026-11-22T08:05:00Z")]
    created_at: String,
    /// The hash of all its plans.
    hash: Hash,
    /// Commitments and rules of the contributions.
    contributions: Vec<ContributionAnswer>,
    /// Whether public editions reveal values and seed.
    public_seed: bool,
    /// Whether the secrets follow from a fixed seed: for demonstrations only.
    insecure: bool,
    /// When it was sealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    sealed_at: Option<String>,
    /// The plans that the seal fixed, in order of their numbers; empty before.
    plans: Vec<SealedPlanAnswer>,
    /// When its contributions were opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    opened_at: Option<String>,
    /// Why it was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    void_reason: Option<String>,
}

/// A plan that a seal fixed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SealedPlan)]
pub(crate) struct SealedPlanAnswer {
    /// Its id.
    #[schema(example = "rtp1-0123456789abcdef0123456789abcdef")]
    plan_id: String,
    /// Its consecutive number.
    #[schema(example = 1, minimum = 1)]
    number: u64,
    /// Digest of the frozen plan.
    plan_digest: String,
}

impl From<GroupView> for GroupAnswer {
    fn from(view: GroupView) -> Self {
        let GroupView {
            group_id,
            state,
            title,
            created_at,
            hash,
            contributions,
            public_seed,
            insecure,
            sealed_at,
            plans,
            opened_at,
            void_reason,
        } = view;
        Self {
            group_id,
            state: state.into(),
            title,
            created_at,
            hash: hash.into(),
            contributions: contributions.into_iter().map(Into::into).collect(),
            public_seed,
            insecure,
            sealed_at,
            plans: plans
                .into_iter()
                .map(
                    |SealedPlan {
                         plan_id,
                         number,
                         plan_digest,
                     }| SealedPlanAnswer {
                        plan_id,
                        number,
                        plan_digest: plan_digest.to_string(),
                    },
                )
                .collect(),
            opened_at,
            void_reason,
        }
    }
}
