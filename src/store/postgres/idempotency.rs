//! Requests by idempotency key.

use super::PostgresStore;
use super::pool::{End, Session};
use super::tiers::{NOW, bytes, signed};
use crate::store::idempotency::{IdempotencyStore, KeptAnswer, KeyRow, Taken, taken_over, verdict};
use crate::store::rows::{self, Row as _};
use crate::store::{Attempt, StoreError, attempt};

impl IdempotencyStore for PostgresStore {
    fn take_key(
        &self,
        attempt: &Attempt,
        fingerprint: &str,
        lease_ms: i64,
        keep_ms: i64,
    ) -> Result<Taken, StoreError> {
        let values = |sql: &str, tx: &mut Session| {
            tx.execute(
                sql,
                &[
                    &attempt.key_digest,
                    &fingerprint,
                    &attempt.token,
                    &lease_ms,
                    &keep_ms,
                ],
            )
        };
        let insert = format!(
            "INSERT INTO idempotency_keys (key_digest, fingerprint, token, lease_until, expires_at) \
             VALUES ($1, $2, $3, {NOW} + $4::bigint, {NOW} + $5::bigint) ON CONFLICT DO NOTHING"
        );
        let replace = format!(
            "UPDATE idempotency_keys SET fingerprint = $2, token = $3, is_applied = false, \
             lease_until = {NOW} + $4::bigint, expires_at = {NOW} + $5::bigint, status = NULL, headers = NULL, \
             body = NULL WHERE key_digest = $1"
        );
        self.pool.write(|tx| {
            if values(&insert, tx)? == 1 {
                return Ok(End::Keep(Taken::Fresh));
            }
            // Another attempt was first; the row stays as it is until this transaction ends.
            let Some(row) = find(tx, &attempt.key_digest)? else {
                // It was removed meanwhile, because its time was over.
                return Err(StoreError::Contended { attempts: 1 });
            };
            if let Some(known) = verdict(Some(row), fingerprint) {
                return Ok(End::Undo(known));
            }
            values(&replace, tx)?;
            Ok(End::Keep(Taken::Fresh))
        })
    }

    fn hold_key(&self, attempt: &Attempt, lease_ms: i64) -> Result<bool, StoreError> {
        let sql = format!(
            "UPDATE idempotency_keys SET lease_until = {NOW} + $3::bigint WHERE key_digest = $1 AND token = $2"
        );
        self.pool.write(|tx| {
            let held = tx.execute(&sql, &[&attempt.key_digest, &attempt.token, &lease_ms])?;
            Ok(End::Keep(held == 1))
        })
    }

    fn answer_key(&self, attempt: &Attempt, answer: &KeptAnswer) -> Result<(), StoreError> {
        self.pool.write(|tx| {
            tx.execute(
                "UPDATE idempotency_keys SET status = $3, headers = $4, body = $5, lease_until = 0 \
                 WHERE key_digest = $1 AND token = $2",
                &[
                    &attempt.key_digest,
                    &attempt.token,
                    &i32::from(answer.status),
                    &answer.headers,
                    &answer.body,
                ],
            )?;
            Ok(End::Keep(()))
        })
    }

    fn release_key(&self, attempt: &Attempt) -> Result<(), StoreError> {
        self.pool.write(|tx| {
            let removed = tx.execute(
                "DELETE FROM idempotency_keys WHERE key_digest = $1 AND token = $2 AND NOT is_applied",
                &[&attempt.key_digest, &attempt.token],
            )?;
            if removed == 0 {
                tx.execute(
                    "UPDATE idempotency_keys SET lease_until = 0 WHERE key_digest = $1 AND token = $2",
                    &[&attempt.key_digest, &attempt.token],
                )?;
            }
            Ok(End::Keep(()))
        })
    }

    fn forget_keys(&self, at_most: u64) -> Result<u64, StoreError> {
        let sql = format!(
            "DELETE FROM idempotency_keys WHERE key_digest = ANY(ARRAY(SELECT key_digest FROM idempotency_keys \
             WHERE expires_at <= {NOW} AND lease_until <= {NOW} ORDER BY expires_at LIMIT $1 \
             FOR UPDATE SKIP LOCKED))"
        );
        self.pool
            .write(|tx| Ok(End::Keep(tx.execute(&sql, &[&signed(at_most)])?)))
    }
}

fn find(tx: &mut Session, key_digest: &str) -> Result<Option<KeyRow>, StoreError> {
    let sql = format!(
        "SELECT fingerprint, is_applied, lease_until > {NOW}, expires_at <= {NOW}, status, headers, body \
         FROM idempotency_keys WHERE key_digest = $1 FOR UPDATE"
    );
    let Some(row) = tx.optional(&sql, &[&key_digest])? else {
        return Ok(None);
    };
    let truth = |at, column| Ok::<bool, StoreError>(row.whole(at, column)? == Some(1));
    Ok(Some(KeyRow {
        fingerprint: rows::text(&row, 0, "fingerprint")?.to_owned(),
        is_applied: truth(1, "is_applied")?,
        is_held: truth(2, "lease_until")?,
        is_over: truth(3, "expires_at")?,
        answer: match rows::optional_number(&row, 4, "status")? {
            Some(status) => Some(KeptAnswer {
                status,
                headers: rows::text(&row, 5, "headers")?.to_owned(),
                body: bytes(&row, 6, "body")?.to_vec(),
            }),
            None => None,
        },
    }))
}

/// Marks the attempt that this thread works for, if any, as one that has changed something.
pub(super) fn apply(tx: &mut Session) -> Result<(), StoreError> {
    let Some(attempt) = attempt::current() else {
        return Ok(());
    };
    let marked = tx.execute(
        "UPDATE idempotency_keys SET is_applied = true WHERE key_digest = $1 AND token = $2",
        &[&attempt.key_digest, &attempt.token],
    )?;
    if marked == 1 {
        Ok(())
    } else {
        Err(taken_over())
    }
}
