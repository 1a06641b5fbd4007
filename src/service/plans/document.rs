//! A plan as it is kept, and as it is shown.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

use super::draft::PlanRequest;
use super::events::PlanStep;
use super::preview::PlanPreview;
use crate::domain::Label;
use crate::domain::digest::{Digest, Secret32};
use crate::sampling::StratumMeaning;
use crate::sampling::contribution::{Contribution, ContributionValue};
use crate::sampling::plan::FrozenPlan;
use crate::sampling::pool::StratumKey;

/// Where a plan stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanState {
    /// Thought through, nothing fixed.
    Draft,
    /// Pool, targets and commitments are fixed.
    Frozen,
    /// The sample is drawn.
    Drawn,
    /// The transcript is final and chained.
    Closed,
    /// Given up, with a reason; stays visible.
    Void,
}

impl PlanState {
    /// The word used in files and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Frozen => "frozen",
            Self::Drawn => "drawn",
            Self::Closed => "closed",
            Self::Void => "void",
        }
    }
}

impl fmt::Display for PlanState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A plan as it is kept; holds secrets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PlanDocument {
    pub(super) plan_id: String,
    /// The nonce of the frozen plan; the id follows from it.
    pub(super) nonce: Secret32,
    pub(super) state: PlanState,
    pub(super) created_at: String,
    pub(super) request: PlanRequest,
    pub(super) preview: PlanPreview,
    /// Digest of the policy that the draft was made with; a freeze under another one is refused.
    pub(super) policy_digest: Digest,
    pub(super) frozen: Option<Frozen>,
    pub(super) drawn: Option<Drawn>,
    pub(super) closed: Option<Closed>,
    pub(super) void_reason: Option<String>,
    /// When it was given up; plans of earlier releases do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) void_at: Option<String>,
    /// Who asked for the steps that were taken, where that was said.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) said_by: BTreeMap<PlanStep, Label>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Frozen {
    pub(super) plan: FrozenPlan,
    pub(super) plan_digest: Digest,
    pub(super) pool_secret: Secret32,
    /// The server's own contribution, secret until the draw is published.
    pub(super) server_value: ContributionValue,
    pub(super) strata_meaning: BTreeMap<StratumKey, StratumMeaning>,
    pub(super) insecure: bool,
    pub(super) frozen_at: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Drawn {
    pub(super) contributions: Vec<Contribution>,
    pub(super) sample_digest: Digest,
    /// Digest of the file of the reserve; plans of earlier releases keep none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reserve_digest: Option<Digest>,
    pub(super) sample_size: u64,
    pub(super) drawn_at: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Closed {
    pub(super) previous: Option<Digest>,
    pub(super) transcript_digest: Digest,
    pub(super) closed_at: String,
}

/// A plan as it is shown: everything but its secrets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanView {
    /// Its id.
    pub plan_id: String,
    /// Where it stands.
    pub state: PlanState,
    /// When it was drafted, RFC 3339.
    pub created_at: String,
    /// What it asks for.
    pub request: PlanRequest,
    /// What comes of it.
    pub preview: PlanPreview,
    /// What the freeze fixed.
    pub frozen: Option<FrozenPart>,
    /// Digest of the sample, once drawn.
    pub sample_digest: Option<Digest>,
    /// Objects in the sample, once drawn.
    pub sample_size: Option<u64>,
    /// When it was drawn, RFC 3339.
    pub drawn_at: Option<String>,
    /// Digest of the auditor edition of the transcript, once closed.
    pub transcript_digest: Option<Digest>,
    /// When it was closed, RFC 3339.
    pub closed_at: Option<String>,
    /// Why it was given up.
    pub void_reason: Option<String>,
}

/// What the freeze fixed and publishes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FrozenPart {
    /// The plan's consecutive number.
    pub number: u64,
    /// Digest of the frozen plan.
    pub plan_digest: Digest,
    /// Digest of the pool file.
    pub pool_digest: Digest,
    /// Merkle root of the pool.
    pub pool_root: Digest,
    /// Commitments and rules of the contributions.
    pub contributions: Vec<crate::sampling::contribution::PlannedContribution>,
    /// Whether the secrets follow from a fixed seed: for demonstrations only.
    pub insecure: bool,
    /// When it was frozen, RFC 3339.
    pub frozen_at: String,
}

impl PlanDocument {
    /// Notes who asked for a step.
    pub(super) fn say(&mut self, step: PlanStep, by: Option<&Label>) {
        self.said_by.extend(by.map(|by| (step, by.clone())));
    }

    pub(super) fn view(&self) -> PlanView {
        PlanView {
            plan_id: self.plan_id.clone(),
            state: self.state,
            created_at: self.created_at.clone(),
            request: self.request.clone(),
            preview: self.preview.clone(),
            frozen: self.frozen.as_ref().map(|frozen| FrozenPart {
                number: frozen.plan.number,
                plan_digest: frozen.plan_digest,
                pool_digest: frozen.plan.pool_digest,
                pool_root: frozen.plan.pool_root,
                contributions: frozen.plan.contributions.clone(),
                insecure: frozen.insecure,
                frozen_at: frozen.frozen_at.clone(),
            }),
            sample_digest: self.drawn.as_ref().map(|drawn| drawn.sample_digest),
            sample_size: self.drawn.as_ref().map(|drawn| drawn.sample_size),
            drawn_at: self.drawn.as_ref().map(|drawn| drawn.drawn_at.clone()),
            transcript_digest: self.closed.as_ref().map(|closed| closed.transcript_digest),
            closed_at: self.closed.as_ref().map(|closed| closed.closed_at.clone()),
            void_reason: self.void_reason.clone(),
        }
    }
}
