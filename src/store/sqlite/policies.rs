//! Policies and what persons did with them.

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::SqliteStore;
use super::tiers::{NOW, all, one};
use crate::store::StoreError;
use crate::store::policies::{
    self, LAST_CHAINED, NewPolicy, NewPolicyChange, POLICY_CHANGE_COLUMNS, POLICY_COLUMNS,
    PolicyChange, PolicyRow, PolicyStore, UNCHAINED, registered,
};

impl PolicyStore for SqliteStore {
    fn put_policy(
        &self,
        new: &NewPolicy,
        by: Option<&str>,
        reason: Option<&str>,
    ) -> Result<(PolicyRow, bool), StoreError> {
        self.write(|tx| {
            if let Some(known) = find(tx, &new.policy_id)? {
                return Ok((known, false));
            }
            tx.execute(
                "INSERT OR IGNORE INTO model_files (digest, body) VALUES (?1, ?2)",
                params![new.policy_id, new.body],
            )?;
            tx.execute(
                &format!(
                    "INSERT INTO policies (policy_id, name, version, author, added_at) VALUES (?1, ?2, ?3, ?4, {NOW})"
                ),
                params![new.policy_id, new.name, new.version, by],
            )?;
            note(tx, &registered(new, by, reason))?;
            let row = find(tx, &new.policy_id)?;
            Ok((row.ok_or(StoreError::Corrupt { column: "policy_id" })?, true))
        })
    }

    fn policy(&self, policy_id: &str) -> Result<Option<PolicyRow>, StoreError> {
        self.read(|tx| find(tx, policy_id))
    }

    fn policies_before(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<PolicyRow>, StoreError> {
        self.read(|tx| {
            let sql = format!(
                "SELECT {POLICY_COLUMNS} FROM policies p WHERE p.policy_no < ?1 ORDER BY p.policy_no DESC LIMIT ?2"
            );
            all(tx, &sql, &[&upto(before), &limit], |row| policies::policy(row))
        })
    }

    fn note_policy_change(&self, change: &NewPolicyChange) -> Result<(), StoreError> {
        self.write(|tx| note(tx, change))
    }

    fn policy_changes(
        &self,
        policy_id: Option<&str>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<PolicyChange>, StoreError> {
        self.read(|tx| {
            let sql = format!(
                "SELECT {POLICY_CHANGE_COLUMNS} FROM policy_changes WHERE seq < ?1 \
                 AND (?2 IS NULL OR policy_id = ?2) ORDER BY seq DESC LIMIT ?3"
            );
            all(tx, &sql, &[&upto(before), &policy_id, &limit], |row| {
                policies::policy_change(row)
            })
        })
    }
}

fn upto(before: Option<u64>) -> i64 {
    before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX))
}

fn find(tx: &Transaction<'_>, policy_id: &str) -> Result<Option<PolicyRow>, StoreError> {
    let sql = format!("SELECT {POLICY_COLUMNS} FROM policies p WHERE p.policy_id = ?1");
    one(tx, &sql, &[&policy_id], |row| policies::policy(row))
}

fn note(tx: &Transaction<'_>, change: &NewPolicyChange) -> Result<(), StoreError> {
    tx.execute(
        &format!(
            "INSERT INTO policy_changes (at, policy_id, what, by_whom, reason, run_id) \
             VALUES ({NOW}, ?1, ?2, ?3, ?4, ?5)"
        ),
        params![
            change.policy_id,
            change.what.as_str(),
            change.by,
            change.reason,
            change.run_id
        ],
    )?;
    chain(tx)
}

/// Gives every row at the end that has no digest its own.
pub(super) fn chain(tx: &Transaction<'_>) -> Result<(), StoreError> {
    let last: Option<String> = tx
        .query_row(LAST_CHAINED, [], |row| row.get(0))
        .optional()?;
    let sql = format!("SELECT {POLICY_CHANGE_COLUMNS} {UNCHAINED}");
    let rows = all(tx, &sql, &[], |row| policies::policy_change(row))?;
    for row in policies::chained(last, rows)? {
        tx.execute(
            "UPDATE policy_changes SET previous = ?2, digest = ?3 WHERE seq = ?1",
            params![row.seq, row.previous, row.digest],
        )?;
    }
    Ok(())
}
