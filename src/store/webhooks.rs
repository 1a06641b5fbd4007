//! Subscriptions to the log of tier moves.

use super::StoreError;
use super::rows::{self, Row};
use super::tier_rows;

/// Subscriptions to the log of tier moves.
pub trait WebhookStore {
    /// Keeps a new subscription, which begins behind the last move; `false` where there are `most` already.
    fn insert_webhook(
        &self,
        webhook_id: &str,
        url: &str,
        secret: &[u8],
        most: u64,
    ) -> Result<bool, StoreError>;

    /// One subscription.
    fn webhook(&self, webhook_id: &str) -> Result<Option<Webhook>, StoreError>;

    /// All subscriptions, in order of their ids.
    fn webhooks(&self) -> Result<Vec<Webhook>, StoreError>;

    /// Removes a subscription; `false` for an unknown one.
    fn delete_webhook(&self, webhook_id: &str) -> Result<bool, StoreError>;

    /// Lets a suspended subscription go on from its place, or, with `skip`, behind the last move; `false` for an unknown
    /// one.
    fn resume_webhook(&self, webhook_id: &str, skip: bool) -> Result<bool, StoreError>;

    /// Takes the subscription that has waited longest among those that are due, have something to deliver and are held
    /// by nobody. It is held for `lease_ms`.
    fn claim_webhook(&self, owner: &str, lease_ms: i64) -> Result<Option<Webhook>, StoreError>;

    /// Notes what came of a delivery and gives the subscription back; `false` where it is not held any more.
    fn note_webhook(
        &self,
        webhook_id: &str,
        owner: &str,
        attempted: &Attempted,
    ) -> Result<bool, StoreError>;
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub webhook_id: String,
    /// Where moves are sent.
    pub url: String,
    /// What signs them.
    pub secret: Vec<u8>,
    /// Whether nothing is sent until it is resumed.
    pub is_suspended: bool,
    /// The last move that the target took.
    pub cursor: u64,
    /// The last move that there is.
    pub last_move: u64,
    /// When it was made, in milliseconds since 1970 (UTC), as are the following.
    pub created_at: i64,
    /// When it is called next.
    pub due_at: i64,
    /// Since when nothing has been taken.
    pub failing_since: Option<i64>,
    /// Deliveries that failed in a row.
    pub failure_count: u32,
    /// When it was last called.
    pub attempted_at: Option<i64>,
    /// The status of the last answer.
    pub last_status: Option<u16>,
    /// What was wrong with the last delivery.
    pub last_failure: Option<String>,
    /// The store's clock when this was read.
    pub read_at: i64,
}

/// What came of a delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempted {
    /// The last move that the target has taken by now; nothing where it took none.
    pub cursor: Option<u64>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// What was wrong; nothing where the target took what it was sent.
    pub failure: Option<String>,
    /// In how many milliseconds to call again.
    pub due_in_ms: i64,
    /// Whether to stop until someone resumes the subscription.
    pub suspend: bool,
}

/// Columns of `webhooks`, behind which the last move and the clock follow, in the order that [`read`] reads.
pub(super) const WEBHOOK_COLUMNS: &str = "webhook_id, url, is_suspended, cursor, created_at, due_at, failing_since, failure_count, attempted_at, \
     last_status, last_failure";

pub(super) fn read(row: &impl Row, secret: Vec<u8>) -> Result<Webhook, StoreError> {
    Ok(Webhook {
        webhook_id: rows::text(row, 0, "webhook_id")?.to_owned(),
        url: rows::text(row, 1, "url")?.to_owned(),
        secret,
        is_suspended: rows::number::<i64>(row, 2, "is_suspended")? != 0,
        cursor: rows::number(row, 3, "cursor")?,
        created_at: rows::number(row, 4, "created_at")?,
        due_at: rows::number(row, 5, "due_at")?,
        failing_since: row.whole(6, "failing_since")?,
        failure_count: rows::number(row, 7, "failure_count")?,
        attempted_at: row.whole(8, "attempted_at")?,
        last_status: rows::optional_number(row, 9, "last_status")?,
        last_failure: tier_rows::owned(row, 10, "last_failure")?,
        last_move: rows::number(row, 11, "seq")?,
        read_at: rows::number(row, 12, "now")?,
    })
}
