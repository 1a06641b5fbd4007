//! Shortening the log of tier changes.

use super::pool::End;
use super::tiers::signed;
use super::{PostgresStore, tiers};
use crate::store::change_log::{ChangeLog, removed_until};
use crate::store::{StoreError, rows};

impl ChangeLog for PostgresStore {
    fn shorten_log(&self, keep: u64, at_most: u64) -> Result<u64, StoreError> {
        self.pool.write(|tx| {
            let row = tx.one("SELECT coalesce(min(seq), 0) FROM tier_changes", &[])?;
            let first = rows::number(&row, 0, "seq")?;
            let Some(until) = removed_until(first, tiers::last_change(tx)?, keep, at_most) else {
                return Ok(End::Keep(0));
            };
            let sql = "DELETE FROM tier_changes WHERE seq <= $1";
            Ok(End::Keep(tx.execute(sql, &[&signed(until)])?))
        })
    }
}
