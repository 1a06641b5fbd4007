//! What happened to plans and groups.

use serde::Serialize;
use utoipa::ToSchema;

use super::codes::PlanStep;
use crate::service::PlanEvent;

/// A step of a plan or a group that was taken or refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlanEvent)]
pub(crate) struct PlanEventAnswer {
    /// When.
    #[schema(format = DateTime, example = "2026-11-22T08:15:00Z")]
    at: String,
    /// Which step.
    step: PlanStep,
    /// Whether it was refused.
    #[schema(example = true)]
    refused: bool,
    /// Why it was refused, given up or replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        example = "plan `rtp1-0123456789abcdef0123456789abcdef` is drawn; this step needs it to be frozen"
    )]
    reason: Option<String>,
    /// Who asked for it, where that was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "officer-17")]
    by: Option<String>,
}

impl From<PlanEvent> for PlanEventAnswer {
    fn from(event: PlanEvent) -> Self {
        let PlanEvent {
            at,
            step,
            refused,
            reason,
            by,
        } = event;
        Self {
            at,
            step: step.into(),
            refused,
            reason,
            by: by.map(Into::into),
        }
    }
}
