//! The log of tier moves.

use rusqlite::{Transaction, params};

use super::SqliteStore;
use super::tiers::{Live, NOW, all, one};
use crate::domain::Tier;
use crate::domain::dates::to_epoch_day;
use crate::store::change_log::removed_until;
use crate::store::feed::{EPOCH, Feed, MOVE_COLUMNS, Move, TIER, read, without_gap};
use crate::store::rows;
use crate::store::{NewTier, StoreError};

impl Feed for SqliteStore {
    fn moves_after(&self, seq: u64, limit: usize) -> Result<Vec<Move>, StoreError> {
        self.read(|tx| {
            let sql = format!(
                "SELECT {MOVE_COLUMNS} FROM tier_moves m JOIN in_force f ON f.number = m.force_no \
                 WHERE m.seq > ?1 ORDER BY m.seq LIMIT ?2"
            );
            let moves = all(tx, &sql, &[&seq, &limit], |row| read(row))?;
            without_gap(seq, range(tx)?.0, moves)
        })
    }

    fn moves_range(&self) -> Result<(u64, u64), StoreError> {
        self.read(range)
    }

    fn shorten_moves(&self, keep: u64, at_most: u64) -> Result<u64, StoreError> {
        let (first, last) = self.moves_range()?;
        let Some(until) = removed_until(first, last, keep, at_most) else {
            return Ok(0);
        };
        self.write(|tx| {
            let removed = tx.execute("DELETE FROM tier_moves WHERE seq <= ?1", params![until])?;
            Ok(u64::try_from(removed).unwrap_or(0))
        })
    }

    fn is_first_run(&self, run_id: &str) -> Result<bool, StoreError> {
        self.read(|tx| {
            let sql = "SELECT is_first FROM runs WHERE run_id = ?1";
            let found = one(tx, sql, &[&run_id], |row| Ok(row.get::<_, bool>(0)?))?;
            Ok(found.unwrap_or(false))
        })
    }
}

fn range(tx: &Transaction<'_>) -> Result<(u64, u64), StoreError> {
    let sql = "SELECT (SELECT coalesce(min(seq), 0) FROM tier_moves), (SELECT coalesce(max(seq), 0) FROM tier_moves)";
    let found = one(tx, sql, &[], |row| {
        Ok((rows::number(row, 0, "seq")?, rows::number(row, 1, "seq")?))
    })?;
    Ok(found.unwrap_or((0, 0)))
}

/// Logs a tier that is another than before, or the first.
pub(super) fn log_tier(
    tx: &Transaction<'_>,
    live: &Live,
    from: Option<Tier>,
    new: &NewTier,
) -> Result<(), StoreError> {
    if from == Some(new.tier.tier) {
        return Ok(());
    }
    tx.prepare_cached(&format!(
        "INSERT INTO tier_moves (kind, enterprise_id, from_tier, tier, points, on_day, force_no, noted_at) \
         VALUES ({TIER}, ?1, ?2, ?3, ?4, ?5, ?6, {NOW})"
    ))?
    .execute(params![
        new.enterprise_id.as_str(),
        from.map(Tier::code),
        new.tier.tier.code(),
        new.tier.points,
        to_epoch_day(new.tier.as_of),
        live.number
    ])?;
    Ok(())
}

/// Notes whether a run that begins is the first of the register: none has flipped.
pub(super) fn note_first(tx: &Transaction<'_>, run_id: &str) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE runs SET is_first = NOT EXISTS (SELECT 1 FROM runs earlier WHERE earlier.change_count IS NOT NULL) \
             WHERE run_id = ?1",
        params![run_id],
    )?;
    Ok(())
}

/// Logs a flip: the epoch, then every tier that came with it and is another than before, or the first.
pub(super) fn log_flip(
    tx: &Transaction<'_>,
    run_id: &str,
    number: u64,
    day: i32,
) -> Result<(), StoreError> {
    tx.execute(
        &format!(
            "INSERT INTO tier_moves (kind, on_day, force_no, is_whole, noted_at) \
             SELECT {EPOCH}, ?2, ?3, 1 - is_first, {NOW} FROM runs WHERE run_id = ?1"
        ),
        params![run_id, day, number],
    )?;
    tx.execute(
        &format!(
            "INSERT INTO tier_moves (kind, enterprise_id, from_tier, tier, points, on_day, force_no, noted_at) \
             SELECT {TIER}, enterprise_id, nullif(tier, 0), new_tier, new_points, ?1, ?2, {NOW} FROM run_changes \
             ORDER BY enterprise_id"
        ),
        params![day, number],
    )?;
    Ok(())
}
