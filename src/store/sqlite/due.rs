//! Entries by which rows are found on the day on which they may change.

use jiff::civil::Date;
use rusqlite::{Transaction, params};

use super::SqliteStore;
use super::tiers::{live, one, table};
use crate::domain::dates::{add_days, to_epoch_day};
use crate::store::tiers::ENTERED_AHEAD;
use crate::store::{StoreError, rows};

/// Rows that are gone through at once to give them entries for their day.
const ENTERED_AT_ONCE: usize = 10_000;

impl SqliteStore {
    /// Sees to it that the rows of a run whose day has come have their entries for it. A few thousand rows are gone through
    /// in one transaction, so that nobody waits for long.
    pub(super) fn enter_due(&self, day: Date) -> Result<(), StoreError> {
        let sql = "SELECT slot, number FROM live WHERE one = 1 \
                   AND (entered_until IS NULL OR entered_until < ?1)";
        let open = self.read(|tx| {
            one(tx, sql, &[&to_epoch_day(day)], |row| {
                let slot: i64 = rows::number(row, 0, "slot")?;
                Ok((slot, rows::number::<u64>(row, 1, "number")?))
            })
        })?;
        let Some((slot, number)) = open else {
            return Ok(());
        };
        let until = to_epoch_day(add_days(day, ENTERED_AHEAD));
        let mut after = String::new();
        loop {
            let last = self.write(|tx| enter_next(tx, (slot, number), &after, until))?;
            match last {
                Some(last) => after = last,
                None => return Ok(()),
            }
        }
    }
}

/// Gives the next open rows behind an id their entries; the last one's id, or nothing when all are gone through or another
/// slot is live by now.
fn enter_next(
    tx: &Transaction<'_>,
    (slot, number): (i64, u64),
    after: &str,
    until: i32,
) -> Result<Option<String>, StoreError> {
    if live(tx)?.is_none_or(|live| live.number != number) {
        return Ok(None);
    }
    let slot = table(slot);
    let sql = format!(
        "SELECT enterprise_id FROM {slot} WHERE enterprise_id > ?1 ORDER BY enterprise_id LIMIT 1 OFFSET ?2"
    );
    let last = one(tx, &sql, &[&after, &(ENTERED_AT_ONCE - 1)], |row| {
        Ok(rows::text(row, 0, "enterprise_id")?.to_owned())
    })?;
    let sql = format!(
        "UPDATE {slot} SET is_open = 0 WHERE enterprise_id > ?1 AND (?2 IS NULL OR enterprise_id <= ?2) \
         AND is_open = 1 AND next_change_on <= ?3"
    );
    tx.prepare_cached(&sql)?
        .execute(params![after, last, until])?;
    if last.is_none() {
        tx.execute("UPDATE live SET entered_until = ?1", [until])?;
    }
    Ok(last)
}
