//! Subscriptions to the log of tier moves.

use rusqlite::types::ToSql;
use rusqlite::{Transaction, params};

use super::SqliteStore;
use super::tiers::{NOW, all};
use crate::store::StoreError;
use crate::store::webhooks::{Attempted, WEBHOOK_COLUMNS, Webhook, WebhookStore, read};

const LAST_MOVE: &str = "(SELECT coalesce(max(seq), 0) FROM tier_moves)";

impl WebhookStore for SqliteStore {
    fn insert_webhook(
        &self,
        webhook_id: &str,
        url: &str,
        secret: &[u8],
        most: u64,
    ) -> Result<bool, StoreError> {
        self.write(|tx| {
            let inserted = tx.execute(
                &format!(
                    "INSERT INTO webhooks (webhook_id, url, secret, cursor, created_at, due_at) \
                     SELECT ?1, ?2, ?3, {LAST_MOVE}, {NOW}, {NOW} WHERE (SELECT count(*) FROM webhooks) < ?4"
                ),
                params![webhook_id, url, secret, most],
            )?;
            Ok(inserted == 1)
        })
    }

    fn webhook(&self, webhook_id: &str) -> Result<Option<Webhook>, StoreError> {
        self.read(|tx| Ok(select(tx, "WHERE webhook_id = ?1", &[&webhook_id])?.pop()))
    }

    fn webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        self.read(|tx| select(tx, "ORDER BY webhook_id", &[]))
    }

    fn delete_webhook(&self, webhook_id: &str) -> Result<bool, StoreError> {
        self.write(|tx| {
            let sql = "DELETE FROM webhooks WHERE webhook_id = ?1";
            Ok(tx.execute(sql, [webhook_id])? == 1)
        })
    }

    fn resume_webhook(&self, webhook_id: &str, skip: bool) -> Result<bool, StoreError> {
        self.write(|tx| {
            let resumed = tx.execute(
                &format!(
                    "UPDATE webhooks SET is_suspended = 0, failing_since = NULL, failure_count = 0, due_at = {NOW}, \
                     cursor = CASE WHEN ?2 THEN {LAST_MOVE} ELSE cursor END WHERE webhook_id = ?1"
                ),
                params![webhook_id, skip],
            )?;
            Ok(resumed == 1)
        })
    }

    fn claim_webhook(&self, owner: &str, lease_ms: i64) -> Result<Option<Webhook>, StoreError> {
        let due = format!(
            "WHERE is_suspended = 0 AND due_at <= {NOW} AND lease_until <= {NOW} AND cursor < {LAST_MOVE} \
             ORDER BY due_at LIMIT 1"
        );
        // Nothing is written as long as there is nothing to deliver.
        if self.read(|tx| select(tx, &due, &[]))?.is_empty() {
            return Ok(None);
        }
        self.write(|tx| {
            let Some(webhook) = select(tx, &due, &[])?.pop() else {
                return Ok(None);
            };
            tx.execute(
                &format!(
                    "UPDATE webhooks SET owner = ?2, lease_until = {NOW} + ?3 WHERE webhook_id = ?1"
                ),
                params![webhook.webhook_id, owner, lease_ms],
            )?;
            Ok(Some(webhook))
        })
    }

    fn note_webhook(
        &self,
        webhook_id: &str,
        owner: &str,
        attempted: &Attempted,
    ) -> Result<bool, StoreError> {
        self.write(|tx| {
            let noted = tx.execute(
                &format!(
                    "UPDATE webhooks SET owner = NULL, lease_until = 0, attempted_at = {NOW}, due_at = {NOW} + ?3, \
                     cursor = coalesce(?4, cursor), last_status = ?5, last_failure = ?6, is_suspended = ?7, \
                     failing_since = CASE WHEN ?6 IS NULL THEN NULL ELSE coalesce(failing_since, {NOW}) END, \
                     failure_count = CASE WHEN ?6 IS NULL THEN 0 ELSE failure_count + 1 END \
                     WHERE webhook_id = ?1 AND owner = ?2"
                ),
                params![
                    webhook_id,
                    owner,
                    attempted.due_in_ms,
                    attempted.cursor,
                    attempted.status,
                    attempted.failure,
                    attempted.suspend
                ],
            )?;
            Ok(noted == 1)
        })
    }
}

fn select(
    tx: &Transaction<'_>,
    which: &str,
    values: &[&dyn ToSql],
) -> Result<Vec<Webhook>, StoreError> {
    let sql = format!("SELECT {WEBHOOK_COLUMNS}, {LAST_MOVE}, {NOW}, secret FROM webhooks {which}");
    all(tx, &sql, values, |row| read(row, row.get(13)?))
}
