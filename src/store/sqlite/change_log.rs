//! The log of tier changes that caches follow.

use rusqlite::{Transaction, params};

use super::SqliteStore;
use crate::domain::EnterpriseId;
use crate::store::change_log::{ChangeLog, removed_until, without_gap};
use crate::store::{Changed, StoreError, rows};

impl ChangeLog for SqliteStore {
    fn shorten_log(&self, keep: u64, at_most: u64) -> Result<u64, StoreError> {
        self.write(|tx| {
            let first = tx.query_row(
                "SELECT coalesce(min(seq), 0) FROM tier_changes",
                [],
                |row| row.get(0),
            )?;
            let Some(until) = removed_until(first, last_change(tx)?, keep, at_most) else {
                return Ok(0);
            };
            let removed = tx.execute("DELETE FROM tier_changes WHERE seq <= ?1", params![until])?;
            Ok(u64::try_from(removed).unwrap_or(0))
        })
    }
}

/// Writes changes to the log that caches follow, and gives the number before the first of them.
pub(super) fn log_changes(
    tx: &Transaction<'_>,
    changes: &[(&EnterpriseId, u64)],
) -> Result<u64, StoreError> {
    let mut statement =
        tx.prepare_cached("INSERT INTO tier_changes (enterprise_id, revision) VALUES (?1, ?2)")?;
    for (id, revision) in changes {
        statement.execute(params![id.as_str(), revision])?;
    }
    let last = u64::try_from(tx.last_insert_rowid()).unwrap_or(0);
    let count = u64::try_from(changes.len()).unwrap_or(0);
    Ok(last.saturating_sub(count))
}

pub(super) fn last_change(tx: &Transaction<'_>) -> Result<u64, StoreError> {
    Ok(tx.query_row(
        "SELECT coalesce(max(seq), 0) FROM tier_changes",
        [],
        |row| row.get(0),
    )?)
}

pub(super) fn changes_after(
    tx: &Transaction<'_>,
    seq: u64,
    limit: usize,
) -> Result<Vec<Changed>, StoreError> {
    let mut statement = tx.prepare_cached(
                "SELECT seq, enterprise_id, revision FROM tier_changes WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            )?;
    let mut found = statement.query(params![seq, limit])?;
    let mut changes = Vec::new();
    while let Some(row) = found.next()? {
        changes.push(rows::changed(row)?);
    }
    without_gap(seq, changes)
}
