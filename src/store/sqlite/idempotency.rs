//! Requests by idempotency key.

use rusqlite::{Transaction, params};

use super::SqliteStore;
use super::tiers::{NOW, one};
use crate::store::idempotency::{IdempotencyStore, KeptAnswer, KeyRow, Taken, taken_over, verdict};
use crate::store::{Attempt, StoreError, attempt};

impl IdempotencyStore for SqliteStore {
    fn take_key(
        &self,
        attempt: &Attempt,
        fingerprint: &str,
        lease_ms: i64,
        keep_ms: i64,
    ) -> Result<Taken, StoreError> {
        self.write(|tx| {
            if let Some(known) = verdict(find(tx, &attempt.key_digest)?, fingerprint) {
                return Ok(known);
            }
            tx.execute(
                &format!(
                    "INSERT OR REPLACE INTO idempotency_keys (key_digest, fingerprint, token, lease_until, expires_at) \
                     VALUES (?1, ?2, ?3, {NOW} + ?4, {NOW} + ?5)"
                ),
                params![
                    attempt.key_digest,
                    fingerprint,
                    attempt.token,
                    lease_ms,
                    keep_ms
                ],
            )?;
            Ok(Taken::Fresh)
        })
    }

    fn hold_key(&self, attempt: &Attempt, lease_ms: i64) -> Result<bool, StoreError> {
        self.write(|tx| {
            let held = tx.execute(
                &format!(
                    "UPDATE idempotency_keys SET lease_until = {NOW} + ?3 WHERE key_digest = ?1 AND token = ?2"
                ),
                params![attempt.key_digest, attempt.token, lease_ms],
            )?;
            Ok(held == 1)
        })
    }

    fn answer_key(&self, attempt: &Attempt, answer: &KeptAnswer) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute(
                "UPDATE idempotency_keys SET status = ?3, headers = ?4, body = ?5, lease_until = 0 \
                 WHERE key_digest = ?1 AND token = ?2",
                params![
                    attempt.key_digest,
                    attempt.token,
                    answer.status,
                    answer.headers,
                    answer.body
                ],
            )?;
            Ok(())
        })
    }

    fn release_key(&self, attempt: &Attempt) -> Result<(), StoreError> {
        self.write(|tx| {
            let removed = tx.execute(
                "DELETE FROM idempotency_keys WHERE key_digest = ?1 AND token = ?2 AND is_applied = 0",
                params![attempt.key_digest, attempt.token],
            )?;
            if removed == 0 {
                tx.execute(
                    "UPDATE idempotency_keys SET lease_until = 0 WHERE key_digest = ?1 AND token = ?2",
                    params![attempt.key_digest, attempt.token],
                )?;
            }
            Ok(())
        })
    }

    fn forget_keys(&self, at_most: u64) -> Result<u64, StoreError> {
        self.write(|tx| {
            let removed = tx.execute(
                &format!(
                    "DELETE FROM idempotency_keys WHERE key_digest IN (SELECT key_digest FROM idempotency_keys \
                     WHERE expires_at <= {NOW} AND lease_until <= {NOW} ORDER BY expires_at LIMIT ?1)"
                ),
                params![at_most],
            )?;
            Ok(u64::try_from(removed).unwrap_or(0))
        })
    }
}

fn find(tx: &Transaction<'_>, key_digest: &str) -> Result<Option<KeyRow>, StoreError> {
    let sql = format!(
        "SELECT fingerprint, is_applied, lease_until > {NOW}, expires_at <= {NOW}, status, headers, body \
         FROM idempotency_keys WHERE key_digest = ?1"
    );
    one(tx, &sql, &[&key_digest], |row| {
        let status: Option<u16> = row.get(4)?;
        Ok(KeyRow {
            fingerprint: row.get(0)?,
            is_applied: row.get(1)?,
            is_held: row.get(2)?,
            is_over: row.get(3)?,
            answer: match status {
                Some(status) => Some(KeptAnswer {
                    status,
                    headers: row.get(5)?,
                    body: row.get(6)?,
                }),
                None => None,
            },
        })
    })
}

/// Marks the attempt that this thread works for, if any, as one that has changed something.
pub(super) fn apply(tx: &Transaction<'_>) -> Result<(), StoreError> {
    let Some(attempt) = attempt::current() else {
        return Ok(());
    };
    let marked = tx
        .prepare_cached(
            "UPDATE idempotency_keys SET is_applied = 1 WHERE key_digest = ?1 AND token = ?2",
        )?
        .execute(params![attempt.key_digest, attempt.token])?;
    if marked == 1 {
        Ok(())
    } else {
        Err(taken_over())
    }
}
