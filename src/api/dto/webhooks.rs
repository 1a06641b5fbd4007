//! Webhooks.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::jobs::instant;
use crate::service::{Delivery, Webhook};

/// A target to be told of changes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookInput {
    /// Where changes are sent by POST: an `https://` or `http://` address of another machine.
    #[schema(
        format = "uri",
        example = "https://draw.example.gov.cn/hooks/tiers",
        max_length = 2048
    )]
    pub(crate) url: String,
}

/// A webhook with its secret, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewWebhook {
    /// What verifies the signatures: `whsec_` and base64, as the Standard Webhooks specification has it.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    pub(crate) secret: String,
    /// The webhook.
    pub(crate) webhook: WebhookAnswer,
}

/// Where a webhook stands: `failing` when the last delivery was not taken and is repeated, `suspended` when nothing was
/// taken for too long, and nothing is sent until it is resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WebhookState {
    Active,
    Failing,
    Suspended,
}

/// A webhook.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(crate) struct WebhookAnswer {
    /// Its id.
    #[schema(example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a21")]
    pub(crate) webhook_id: String,
    /// Where changes are sent.
    #[schema(format = "uri", example = "https://draw.example.gov.cn/hooks/tiers")]
    url: String,
    /// Where it stands.
    state: WebhookState,
    /// The number of the last change that the target took.
    #[schema(example = 107)]
    taken_number: u64,
    /// Changes that wait.
    #[schema(example = 1)]
    waiting_count: u64,
    /// Deliveries that failed in a row.
    #[schema(example = 0)]
    failure_count: u32,
    /// Since when nothing was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, example = "2026-11-22T08:00:00Z")]
    failing_since: Option<String>,
    /// When the target was last called.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, example = "2026-11-22T08:00:00Z")]
    attempted_at: Option<String>,
    /// When it is called next, if it waits after a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, example = "2026-11-22T08:00:04Z")]
    next_attempt_at: Option<String>,
    /// The status that it answered last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 204)]
    last_status: Option<u16>,
    /// What was wrong with the last delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "the target answered 500")]
    last_failure: Option<String>,
    /// When it was made.
    #[schema(format = DateTime, example = "2026-11-20T08:00:00Z")]
    created_at: String,
}

impl From<Webhook> for WebhookAnswer {
    fn from(webhook: Webhook) -> Self {
        let Webhook {
            webhook_id,
            url,
            secret: _,
            is_suspended,
            cursor,
            last_move,
            created_at,
            due_at,
            failing_since,
            failure_count,
            attempted_at,
            last_status,
            last_failure,
            read_at: _,
        } = webhook;
        let is_failing = failing_since.is_some();
        Self {
            webhook_id,
            url,
            state: match (is_suspended, is_failing) {
                (true, _) => WebhookState::Suspended,
                (false, true) => WebhookState::Failing,
                (false, false) => WebhookState::Active,
            },
            taken_number: cursor,
            waiting_count: last_move.saturating_sub(cursor),
            failure_count,
            failing_since: failing_since.map(instant),
            attempted_at: attempted_at.map(instant),
            next_attempt_at: (is_failing && !is_suspended).then(|| instant(due_at)),
            last_status,
            last_failure,
            created_at: instant(created_at),
        }
    }
}

/// What came of a call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PingAnswer {
    /// Whether the target took it.
    is_taken: bool,
    /// The status that it answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 204)]
    status: Option<u16>,
    /// What was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "the target answered 500")]
    failure: Option<String>,
}

impl From<Delivery> for PingAnswer {
    fn from(delivery: Delivery) -> Self {
        let Delivery { status, failure } = delivery;
        Self {
            is_taken: failure.is_none(),
            status,
            failure,
        }
    }
}

/// Where a webhook goes on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ResumeQuery {
    /// Whether to leave out what waits and to go on with what comes; default: false.
    pub(crate) skip: Option<bool>,
}
