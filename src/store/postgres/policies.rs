//! Policies and what persons did with them.
//!
//! Whoever adds a row holds the lock `Models`, so that numbers become visible in order.

use super::lock::Lock;
use super::pool::{End, Session};
use super::tiers::{NOW, limited, signed};
use super::{PostgresStore, unstorable};
use crate::store::policies::{
    self, LAST_CHAINED, NewPolicy, NewPolicyChange, POLICY_CHANGE_COLUMNS, POLICY_COLUMNS,
    PolicyChange, PolicyRow, PolicyStore, UNCHAINED, registered,
};
use crate::store::{StoreError, rows};

impl PolicyStore for PostgresStore {
    fn put_policy(
        &self,
        new: &NewPolicy,
        by: Option<&str>,
        reason: Option<&str>,
    ) -> Result<(PolicyRow, bool), StoreError> {
        self.pool.write(|tx| {
            Lock::Models.take(tx)?;
            if let Some(known) = find(tx, &new.policy_id)? {
                return Ok(End::Undo((known, false)));
            }
            tx.execute(
                "INSERT INTO model_files (digest, body) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                &[&new.policy_id, &new.body],
            )?;
            tx.execute(
                &format!(
                    "INSERT INTO policies (policy_id, name, version, author, added_at) VALUES ($1, $2, $3, $4, {NOW})"
                ),
                &[&new.policy_id, &new.name, &i64::from(new.version), &by],
            )?;
            note(tx, &registered(new, by, reason))?;
            let row = find(tx, &new.policy_id)?;
            let row = row.ok_or(StoreError::Corrupt { column: "policy_id" })?;
            Ok(End::Keep((row, true)))
        })
    }

    fn policy(&self, policy_id: &str) -> Result<Option<PolicyRow>, StoreError> {
        if unstorable(policy_id) {
            return Ok(None);
        }
        self.pool.read(|tx| find(tx, policy_id))
    }

    fn policies_before(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<PolicyRow>, StoreError> {
        self.pool.read(|tx| {
            let sql = format!(
                "SELECT {POLICY_COLUMNS} FROM policies p WHERE p.policy_no < $1 ORDER BY p.policy_no DESC LIMIT $2"
            );
            tx.query(&sql, &[&upto(before), &limited(limit)])?
                .iter()
                .map(policies::policy)
                .collect()
        })
    }

    fn note_policy_change(&self, change: &NewPolicyChange) -> Result<(), StoreError> {
        self.pool.write(|tx| {
            Lock::Models.take(tx)?;
            note(tx, change)?;
            Ok(End::Keep(()))
        })
    }

    fn policy_changes(
        &self,
        policy_id: Option<&str>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<PolicyChange>, StoreError> {
        if policy_id.is_some_and(unstorable) {
            return Ok(Vec::new());
        }
        self.pool.read(|tx| {
            let sql = format!(
                "SELECT {POLICY_CHANGE_COLUMNS} FROM policy_changes WHERE seq < $1 \
                 AND ($2::text IS NULL OR policy_id = $2) ORDER BY seq DESC LIMIT $3"
            );
            tx.query(&sql, &[&upto(before), &policy_id, &limited(limit)])?
                .iter()
                .map(policies::policy_change)
                .collect()
        })
    }
}

fn upto(before: Option<u64>) -> i64 {
    before.map_or(i64::MAX, signed)
}

fn find(tx: &mut Session, policy_id: &str) -> Result<Option<PolicyRow>, StoreError> {
    let sql = format!("SELECT {POLICY_COLUMNS} FROM policies p WHERE p.policy_id = $1");
    tx.optional(&sql, &[&policy_id])?
        .as_ref()
        .map(policies::policy)
        .transpose()
}

fn note(tx: &mut Session, change: &NewPolicyChange) -> Result<(), StoreError> {
    tx.execute(
        &format!(
            "INSERT INTO policy_changes (at, policy_id, what, by_whom, reason, run_id) \
             VALUES ({NOW}, $1, $2, $3, $4, $5)"
        ),
        &[
            &change.policy_id,
            &change.what.as_str(),
            &change.by,
            &change.reason,
            &change.run_id,
        ],
    )?;
    chain(tx)
}

/// Gives every row at the end that has no digest its own; the caller holds the lock `Models`.
pub(super) fn chain(tx: &mut Session) -> Result<(), StoreError> {
    let last = match tx.optional(LAST_CHAINED, &[])? {
        Some(row) => Some(rows::text(&row, 0, "digest")?.to_owned()),
        None => None,
    };
    let sql = format!("SELECT {POLICY_CHANGE_COLUMNS} {UNCHAINED}");
    let unchained: Vec<PolicyChange> = tx
        .query(&sql, &[])?
        .iter()
        .map(policies::policy_change)
        .collect::<Result<_, _>>()?;
    for row in policies::chained(last, unchained)? {
        tx.execute(
            "UPDATE policy_changes SET previous = $2, digest = $3 WHERE seq = $1",
            &[&signed(row.seq), &row.previous, &row.digest],
        )?;
    }
    Ok(())
}
