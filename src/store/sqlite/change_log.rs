//! Shortening the log of tier changes.

use rusqlite::params;

use super::{SqliteStore, tiers};
use crate::store::StoreError;
use crate::store::change_log::{ChangeLog, removed_until};

impl ChangeLog for SqliteStore {
    fn shorten_log(&self, keep: u64, at_most: u64) -> Result<u64, StoreError> {
        self.write(|tx| {
            let first = tx.query_row(
                "SELECT coalesce(min(seq), 0) FROM tier_changes",
                [],
                |row| row.get(0),
            )?;
            let Some(until) = removed_until(first, tiers::last_change(tx)?, keep, at_most) else {
                return Ok(0);
            };
            let removed = tx.execute("DELETE FROM tier_changes WHERE seq <= ?1", params![until])?;
            Ok(u64::try_from(removed).unwrap_or(0))
        })
    }
}
