//! Delivering what subscriptions wait for.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::send::{Message, Sender};
use super::sign::signature;
use super::target::Target;
use crate::service::{Entropy, Service, ServiceError, off_thread};
use crate::store::{Attempted, Move, MoveKind, StoreError, Webhook};

/// Changes in one delivery.
const PART: usize = 500;
/// How long a process keeps a subscription that it delivers to; longer than a call may take.
const LEASE_MS: i64 = 60_000;
/// Deliveries at the same time.
const SIDE_BY_SIDE: usize = 4;
/// How often it is looked for something to deliver.
const PAUSE: Duration = Duration::from_millis(500);
/// Longest pause between two calls of a target that takes nothing.
const LONGEST_PAUSE_MS: i64 = 3_600_000;

/// What the settings say about webhooks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookOptions {
    /// Whether targets on this machine may be called.
    pub allow_loopback: bool,
    /// Hosts that may be called, `*.` and the end of names among them; empty means all.
    pub allowed_hosts: Vec<String>,
    /// After how long without success a subscription is suspended.
    pub give_up: Duration,
    /// The pause after the first failure; it doubles with every further one.
    pub first_pause: Duration,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The status of the answer.
    pub status: Option<u16>,
    /// What was wrong; nothing where the target took what it was sent.
    pub failure: Option<String>,
}

impl Delivery {
    fn of(sent: Result<u16, String>) -> Self {
        match sent {
            Ok(status) if (200..300).contains(&status) => Self {
                status: Some(status),
                failure: None,
            },
            Ok(status) => Self {
                status: Some(status),
                failure: Some(format!("the target answered {status}")),
            },
            Err(failure) => Self {
                status: None,
                failure: Some(failure),
            },
        }
    }
}

impl Service {
    /// Sends a message that says nothing, to try a target out. Its place in the feed stays.
    ///
    /// # Errors
    ///
    /// When there is no such subscription or the store fails.
    pub fn ping_webhook(
        &self,
        webhook_id: &str,
        options: &WebhookOptions,
    ) -> Result<Delivery, ServiceError> {
        let webhook = self.webhook(webhook_id)?;
        let id = format!("ping-{}", Entropy::System.id()?);
        let body = json!({"type": "ping", "webhook_id": webhook.webhook_id});
        Ok(call(&Sender::new(options), &webhook, options, &id, &body))
    }

    /// Delivers a part to the subscription that has waited longest; `false` when none waits.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn deliver_once(&self, options: &WebhookOptions) -> Result<bool, ServiceError> {
        self.deliver_with(&Sender::new(options), options)
    }

    fn deliver_with(
        &self,
        sender: &Sender,
        options: &WebhookOptions,
    ) -> Result<bool, ServiceError> {
        let Some(webhook) = self.store.claim_webhook(&self.owner, LEASE_MS)? else {
            return Ok(false);
        };
        let (body, last) = match self.store.moves_after(webhook.cursor, PART) {
            Ok(moves) => {
                let last = moves.last().map_or(webhook.cursor, |last| last.seq);
                (changes_body(&webhook, &moves), last)
            }
            Err(StoreError::LogShortened { after, first }) => {
                (lost_body(&webhook, after, first), first - 1)
            }
            Err(error) => return Err(error.into()),
        };
        let id = format!("{}.{}-{last}", webhook.webhook_id, webhook.cursor + 1);
        let delivery = call(sender, &webhook, options, &id, &body);
        let attempted = outcome(&webhook, &delivery, last, options);
        let is_taken = attempted.failure.is_none();
        if attempted.suspend {
            tracing::warn!(
                webhook.id = webhook.webhook_id,
                failure = attempted.failure,
                "a webhook is suspended: its target has taken nothing for too long"
            );
        }
        // A subscription that was deleted meanwhile, or is held by another process by now, is none of ours.
        self.store
            .note_webhook(&webhook.webhook_id, &self.owner, &attempted)?;
        metrics::counter!("risktier_webhook_deliveries_total",
            "outcome" => if is_taken { "taken" } else { "failed" })
        .increment(1);
        Ok(true)
    }

    /// Delivers, again and again; runs beside a server until it is dropped.
    pub async fn deliver(self: Arc<Self>, options: WebhookOptions) {
        let options = Arc::new(options);
        let sender = Sender::new(&options);
        let mut side_by_side = JoinSet::new();
        for _ in 0..SIDE_BY_SIDE {
            let (service, sender, options) =
                (Arc::clone(&self), sender.clone(), Arc::clone(&options));
            side_by_side.spawn(service.deliver_on(sender, options));
        }
        // Those who deliver do so until they are dropped.
        while side_by_side.join_next().await.is_some() {}
    }

    async fn deliver_on(self: Arc<Self>, sender: Sender, options: Arc<WebhookOptions>) {
        loop {
            let step = {
                let (service, sender, options) =
                    (Arc::clone(&self), sender.clone(), Arc::clone(&options));
                off_thread(move || service.deliver_with(&sender, &options)).await
            };
            match step {
                Ok(true) => {}
                Ok(false) => tokio::time::sleep(PAUSE).await,
                Err(error) => {
                    tracing::warn!(%error, "webhooks cannot be delivered; tried again soon");
                    tokio::time::sleep(PAUSE * 4).await;
                }
            }
        }
    }
}

fn call(
    sender: &Sender,
    webhook: &Webhook,
    options: &WebhookOptions,
    id: &str,
    body: &Value,
) -> Delivery {
    let body = body.to_string();
    let seconds = jiff::Timestamp::now().as_second();
    let signature = signature(&webhook.secret, id, seconds, body.as_bytes());
    let message = Message {
        id,
        seconds,
        signature: &signature,
        body: body.as_bytes(),
    };
    // What the settings allow may be less than when the subscription was made.
    let sent = Target::parse(&webhook.url, options)
        .map_err(|reason| format!("the target {reason}"))
        .and_then(|target| sender.send(&target, &message));
    Delivery::of(sent)
}

/// What is noted of a delivery.
fn outcome(
    webhook: &Webhook,
    delivery: &Delivery,
    last: u64,
    options: &WebhookOptions,
) -> Attempted {
    let Delivery { status, failure } = delivery.clone();
    if failure.is_none() {
        return Attempted {
            cursor: Some(last),
            status,
            ..Attempted::default()
        };
    }
    let failing_ms = webhook
        .failing_since
        .map_or(0, |since| webhook.read_at - since);
    let give_up_ms = i64::try_from(options.give_up.as_millis()).unwrap_or(i64::MAX);
    // A target that says it is gone for good is believed.
    let suspend = failing_ms >= give_up_ms || status == Some(410);
    let first = i64::try_from(options.first_pause.as_millis()).unwrap_or(LONGEST_PAUSE_MS);
    let pause = first
        .saturating_mul(1 << webhook.failure_count.min(20))
        .min(LONGEST_PAUSE_MS);
    Attempted {
        cursor: None,
        status,
        failure,
        due_in_ms: pause,
        suspend,
    }
}

fn changes_body(webhook: &Webhook, moves: &[Move]) -> Value {
    let items: Vec<Value> = moves.iter().map(item).collect();
    json!({"type": "tiers.changed", "webhook_id": webhook.webhook_id, "items": items})
}

fn lost_body(webhook: &Webhook, after: u64, first: u64) -> Value {
    json!({
        "type": "tiers.lost", "webhook_id": webhook.webhook_id,
        "lost_after": after, "next_number": first,
        "detail": "changes were removed before they could be delivered; read all tiers by `GET /v1/tiers/export`"
    })
}

/// A change as `GET /v1/tiers/changes` shows it.
fn item(change: &Move) -> Value {
    let noted_at = jiff::Timestamp::from_millisecond(change.noted_at)
        .unwrap_or_default()
        .to_string();
    let mut item = json!({
        "number": change.seq, "on": change.on.to_string(), "epoch": change.epoch.to_string(), "noted_at": noted_at,
    });
    let more = match &change.kind {
        MoveKind::Tier {
            enterprise_id,
            from,
            tier,
            points,
        } => {
            let mut more = json!({
                "kind": "tier", "enterprise_id": enterprise_id.as_str(), "tier": tier.as_str(), "points": points,
            });
            if let (Some(from), Some(members)) = (from, more.as_object_mut()) {
                members.insert("from_tier".to_owned(), json!(from.as_str()));
            }
            more
        }
        MoveKind::Epoch { is_whole } => json!({"kind": "epoch", "is_whole": is_whole}),
    };
    if let (Some(item), Value::Object(more)) = (item.as_object_mut(), more) {
        item.extend(more);
    }
    item
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(failure_count: u32, failing_since: Option<i64>) -> Webhook {
        Webhook {
            webhook_id: "w".to_owned(),
            url: "http://a.example/".to_owned(),
            secret: vec![1],
            is_suspended: false,
            cursor: 4,
            last_move: 9,
            created_at: 0,
            due_at: 0,
            failing_since,
            failure_count,
            attempted_at: None,
            last_status: None,
            last_failure: None,
            read_at: 10_000_000,
        }
    }

    fn options() -> WebhookOptions {
        WebhookOptions {
            give_up: Duration::from_secs(3_600),
            first_pause: Duration::from_secs(1),
            ..WebhookOptions::default()
        }
    }

    #[test]
    fn what_was_taken_moves_the_place_on() {
        let taken = outcome(&webhook(3, Some(0)), &Delivery::of(Ok(204)), 9, &options());
        assert_eq!(taken.cursor, Some(9));
        assert!(taken.failure.is_none() && !taken.suspend && taken.due_in_ms == 0);
    }

    #[test]
    fn pauses_grow_and_end_in_a_suspension() {
        let failed = |count, since| {
            outcome(
                &webhook(count, since),
                &Delivery::of(Ok(500)),
                9,
                &options(),
            )
        };
        let pauses: Vec<i64> = (0..14).map(|count| failed(count, None).due_in_ms).collect();
        assert_eq!(pauses[..4], [1_000, 2_000, 4_000, 8_000]);
        assert_eq!(pauses[12..], [3_600_000, 3_600_000]);
        assert_eq!(failed(0, None).cursor, None);
        assert!(!failed(5, Some(10_000_000 - 3_599_999)).suspend);
        assert!(failed(5, Some(10_000_000 - 3_600_000)).suspend);
        let gone = outcome(&webhook(0, None), &Delivery::of(Ok(410)), 9, &options());
        assert!(gone.suspend);
    }
}
