//! Entries by which rows are found on the day on which they may change.

use jiff::civil::Date;

use super::PostgresStore;
use super::pool::{End, Session};
use super::tiers::{LiveLock, limited, live, table};
use crate::domain::dates::{add_days, to_epoch_day};
use crate::store::tiers::ENTERED_AHEAD;
use crate::store::{StoreError, rows};

/// Rows that are gone through at once to give them entries for their day.
const ENTERED_AT_ONCE: usize = 10_000;

impl PostgresStore {
    /// Sees to it that the rows of a run whose day has come have their entries for it. A few thousand rows are gone through
    /// in one transaction, so that nobody waits for long.
    pub(super) fn enter_due(&self, day: Date) -> Result<(), StoreError> {
        let sql = "SELECT slot, number FROM live WHERE one = 1 \
                   AND (entered_until IS NULL OR entered_until < $1)";
        let open = self.pool.read(|tx| {
            tx.optional(sql, &[&to_epoch_day(day)])?
                .map(|row| {
                    let slot: i64 = rows::number(&row, 0, "slot")?;
                    Ok((slot, rows::number::<u64>(&row, 1, "number")?))
                })
                .transpose()
        })?;
        let Some((slot, number)) = open else {
            return Ok(());
        };
        let until = to_epoch_day(add_days(day, ENTERED_AHEAD));
        let mut after = String::new();
        while let Some(last) = self
            .pool
            .write(|tx| Ok(End::Keep(enter_next(tx, (slot, number), &after, until)?)))?
        {
            after = last;
        }
        self.pool.write(|tx| {
            let is_live = live(tx, LiveLock::Move)?.is_some_and(|live| live.number == number);
            if is_live {
                tx.execute("UPDATE live SET entered_until = $1", &[&until])?;
            }
            Ok(End::Keep(()))
        })
    }
}

/// Gives the next open rows behind an id their entries; the last one's id, or nothing when all are gone through or another
/// slot is live by now.
fn enter_next(
    tx: &mut Session,
    (slot, number): (i64, u64),
    after: &str,
    until: i32,
) -> Result<Option<String>, StoreError> {
    if live(tx, LiveLock::Stay)?.is_none_or(|live| live.number != number) {
        return Ok(None);
    }
    let slot = table(slot);
    let sql = format!(
        "SELECT enterprise_id FROM {slot} WHERE enterprise_id > $1 ORDER BY enterprise_id LIMIT 1 OFFSET $2"
    );
    let last = tx
        .optional(&sql, &[&after, &limited(ENTERED_AT_ONCE - 1)])?
        .map(|row| rows::text(&row, 0, "enterprise_id").map(str::to_owned))
        .transpose()?;
    let sql = format!(
        "UPDATE {slot} SET is_open = false WHERE enterprise_id > $1 AND ($2::text IS NULL OR enterprise_id <= $2) \
         AND is_open AND next_change_on <= $3"
    );
    tx.execute(&sql, &[&after, &last, &until])?;
    Ok(last)
}
