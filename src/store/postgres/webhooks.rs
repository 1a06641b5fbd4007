//! Subscriptions to the log of tier moves.

use postgres::types::ToSql;

use super::pool::{End, Session};
use super::tiers::{NOW, bytes, signed};
use super::{PostgresStore, unstorable};
use crate::store::StoreError;
use crate::store::webhooks::{Attempted, WEBHOOK_COLUMNS, Webhook, WebhookStore, read};

const LAST_MOVE: &str = "(SELECT coalesce(max(seq), 0) FROM tier_moves)";

impl WebhookStore for PostgresStore {
    fn insert_webhook(
        &self,
        webhook_id: &str,
        url: &str,
        secret: &[u8],
        most: u64,
    ) -> Result<bool, StoreError> {
        let sql = format!(
            "INSERT INTO webhooks (webhook_id, url, secret, cursor, created_at, due_at) \
             SELECT $1, $2, $3, {LAST_MOVE}, {NOW}, {NOW} WHERE (SELECT count(*) FROM webhooks) < $4"
        );
        self.pool.write(|tx| {
            let inserted = tx.execute(&sql, &[&webhook_id, &url, &secret, &signed(most)])?;
            Ok(End::Keep(inserted == 1))
        })
    }

    fn webhook(&self, webhook_id: &str) -> Result<Option<Webhook>, StoreError> {
        if unstorable(webhook_id) {
            return Ok(None);
        }
        self.pool
            .read(|tx| Ok(select(tx, "WHERE webhook_id = $1", &[&webhook_id])?.pop()))
    }

    fn webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        self.pool.read(|tx| select(tx, "ORDER BY webhook_id", &[]))
    }

    fn delete_webhook(&self, webhook_id: &str) -> Result<bool, StoreError> {
        if unstorable(webhook_id) {
            return Ok(false);
        }
        let sql = "DELETE FROM webhooks WHERE webhook_id = $1";
        self.pool
            .write(|tx| Ok(End::Keep(tx.execute(sql, &[&webhook_id])? == 1)))
    }

    fn resume_webhook(&self, webhook_id: &str, skip: bool) -> Result<bool, StoreError> {
        if unstorable(webhook_id) {
            return Ok(false);
        }
        let sql = format!(
            "UPDATE webhooks SET is_suspended = false, failing_since = NULL, failure_count = 0, due_at = {NOW}, \
             cursor = CASE WHEN $2 THEN {LAST_MOVE} ELSE cursor END WHERE webhook_id = $1"
        );
        self.pool
            .write(|tx| Ok(End::Keep(tx.execute(&sql, &[&webhook_id, &skip])? == 1)))
    }

    fn claim_webhook(&self, owner: &str, lease_ms: i64) -> Result<Option<Webhook>, StoreError> {
        let due = format!(
            "WHERE NOT is_suspended AND due_at <= {NOW} AND lease_until <= {NOW} AND cursor < {LAST_MOVE} \
             ORDER BY due_at LIMIT 1"
        );
        // Nothing is written as long as there is nothing to deliver.
        if self.pool.read(|tx| select(tx, &due, &[]))?.is_empty() {
            return Ok(None);
        }
        let locked = format!("{due} FOR UPDATE SKIP LOCKED");
        let claim = format!(
            "UPDATE webhooks SET owner = $2, lease_until = {NOW} + $3::bigint WHERE webhook_id = $1"
        );
        self.pool.write(|tx| {
            let Some(webhook) = select(tx, &locked, &[])?.pop() else {
                return Ok(End::Undo(None));
            };
            tx.execute(&claim, &[&webhook.webhook_id, &owner, &lease_ms])?;
            Ok(End::Keep(Some(webhook)))
        })
    }

    fn note_webhook(
        &self,
        webhook_id: &str,
        owner: &str,
        attempted: &Attempted,
    ) -> Result<bool, StoreError> {
        let sql = format!(
            "UPDATE webhooks SET owner = NULL, lease_until = 0, attempted_at = {NOW}, due_at = {NOW} + $3::bigint, \
             cursor = coalesce($4::bigint, cursor), last_status = $5, last_failure = $6::text, is_suspended = $7, \
             failing_since = CASE WHEN $6::text IS NULL THEN NULL ELSE coalesce(failing_since, {NOW}) END, \
             failure_count = CASE WHEN $6::text IS NULL THEN 0 ELSE failure_count + 1 END \
             WHERE webhook_id = $1 AND owner = $2"
        );
        self.pool.write(|tx| {
            let noted = tx.execute(
                &sql,
                &[
                    &webhook_id,
                    &owner,
                    &attempted.due_in_ms,
                    &attempted.cursor.map(signed),
                    &attempted.status.map(i32::from),
                    &attempted.failure,
                    &attempted.suspend,
                ],
            )?;
            Ok(End::Keep(noted == 1))
        })
    }
}

fn select(
    tx: &mut Session,
    which: &str,
    values: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Webhook>, StoreError> {
    let sql = format!("SELECT {WEBHOOK_COLUMNS}, {LAST_MOVE}, {NOW}, secret FROM webhooks {which}");
    tx.query(&sql, values)?
        .iter()
        .map(|row| read(row, bytes(row, 13, "secret")?.to_vec()))
        .collect()
}
