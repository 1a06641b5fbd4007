//! The log of tier moves. Its numbers become visible in order: the lock is held until the commit is visible, so whoever
//! gives the next numbers sees these, and nobody sees a number while a smaller one is still to come.

use super::PostgresStore;
use super::lock::Lock;
use super::pool::{End, Session};
use super::tiers::{Live, NOW, limited, signed};
use crate::domain::dates::to_epoch_day;
use crate::domain::{EnterpriseId, Tier};
use crate::store::change_log::removed_until;
use crate::store::feed::{EPOCH, Feed, MOVE_COLUMNS, Move, TIER, read, without_gap};
use crate::store::rows::{self, Row as _};
use crate::store::{NewTier, StoreError, tier_rows};

impl Feed for PostgresStore {
    fn moves_after(&self, seq: u64, limit: usize) -> Result<Vec<Move>, StoreError> {
        let sql = format!(
            "SELECT {MOVE_COLUMNS} FROM tier_moves m JOIN in_force f ON f.number = m.force_no \
             WHERE m.seq > $1 ORDER BY m.seq LIMIT $2"
        );
        self.pool.read_at_one_instant(|tx| {
            let moves = tx
                .query(&sql, &[&signed(seq), &limited(limit)])?
                .iter()
                .map(read)
                .collect::<Result<_, _>>()?;
            without_gap(seq, range(tx)?.0, moves)
        })
    }

    fn moves_range(&self) -> Result<(u64, u64), StoreError> {
        self.pool.read(range)
    }

    fn shorten_moves(&self, keep: u64, at_most: u64) -> Result<u64, StoreError> {
        let (first, last) = self.moves_range()?;
        let Some(until) = removed_until(first, last, keep, at_most) else {
            return Ok(0);
        };
        let sql = "DELETE FROM tier_moves WHERE seq <= $1";
        self.pool
            .write(|tx| Ok(End::Keep(tx.execute(sql, &[&signed(until)])?)))
    }

    fn is_first_run(&self, run_id: &str) -> Result<bool, StoreError> {
        self.pool.read(|tx| {
            let sql = "SELECT is_first FROM runs WHERE run_id = $1";
            match tx.optional(sql, &[&run_id])? {
                Some(row) => Ok(row.whole(0, "is_first")? == Some(1)),
                None => Ok(false),
            }
        })
    }
}

fn range(tx: &mut Session) -> Result<(u64, u64), StoreError> {
    let sql = "SELECT (SELECT coalesce(min(seq), 0) FROM tier_moves), (SELECT coalesce(max(seq), 0) FROM tier_moves)";
    let row = tx.one(sql, &[])?;
    Ok((rows::number(&row, 0, "seq")?, rows::number(&row, 1, "seq")?))
}

/// What an enterprise's tier was before it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// This one.
    Tier(Tier),
    /// It had none.
    Nothing,
    /// It had none when this transaction looked, and another writer was first.
    AnotherWriter,
}

/// Logs tiers that may be others than before, or the first.
pub(super) fn log_tiers(
    tx: &mut Session,
    live: &Live,
    written: &[(&EnterpriseId, From, &NewTier)],
) -> Result<(), StoreError> {
    if written.is_empty() {
        return Ok(());
    }
    Lock::Moves.take(tx)?;
    let mut moves = Vec::with_capacity(written.len());
    for (id, from, new) in written {
        let from = match from {
            From::Tier(tier) => Some(*tier),
            From::Nothing => None,
            From::AnotherWriter => last_told(tx, id)?,
        };
        if from != Some(new.tier.tier) {
            moves.push((id.as_str(), from, &new.tier));
        }
    }
    let ids: Vec<&str> = moves.iter().map(|(id, ..)| *id).collect();
    let from: Vec<Option<i16>> = moves
        .iter()
        .map(|(_, from, _)| from.map(|tier| tier.code().into()))
        .collect();
    let of = || moves.iter().map(|(.., tier)| tier);
    let codes: Vec<i16> = of().map(|tier| tier.tier.code().into()).collect();
    let points: Vec<i32> = of().map(|tier| tier.points.into()).collect();
    let days: Vec<i32> = of().map(|tier| to_epoch_day(tier.as_of)).collect();
    let sql = format!(
        "INSERT INTO tier_moves (seq, kind, enterprise_id, from_tier, tier, points, on_day, force_no, noted_at) \
         SELECT (SELECT coalesce(max(seq), 0) FROM tier_moves) + u.place, {TIER}, u.id, u.from_tier, u.tier, \
             u.points, u.day, $6, {NOW} \
         FROM unnest($1::text[], $2::smallint[], $3::smallint[], $4::integer[], $5::integer[]) \
             WITH ORDINALITY AS u(id, from_tier, tier, points, day, place)"
    );
    tx.execute(
        &sql,
        &[&ids, &from, &codes, &points, &days, &signed(live.number)],
    )?;
    Ok(())
}

/// The tier that the log tells last of an enterprise. Going backwards finds what another writer told just now.
fn last_told(tx: &mut Session, id: &EnterpriseId) -> Result<Option<Tier>, StoreError> {
    let sql = "SELECT tier FROM tier_moves WHERE enterprise_id = $1 ORDER BY seq DESC LIMIT 1";
    tx.optional(sql, &[&id.as_str()])?
        .map(|row| tier_rows::tier(&row, 0))
        .transpose()
}

/// Notes whether a run that begins is the first of the register: none has flipped.
pub(super) fn note_first(tx: &mut Session, run_id: &str) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE runs SET is_first = NOT EXISTS (SELECT 1 FROM runs earlier \
             WHERE earlier.change_count IS NOT NULL) WHERE run_id = $1",
        &[&run_id],
    )?;
    Ok(())
}

/// Logs a flip: the epoch, then every tier that came with it and is another than before, or the first.
pub(super) fn log_flip(
    tx: &mut Session,
    run_id: &str,
    number: u64,
    day: i32,
) -> Result<(), StoreError> {
    Lock::Moves.take(tx)?;
    let number = signed(number);
    let sql = format!(
        "INSERT INTO tier_moves (seq, kind, on_day, force_no, is_whole, noted_at) \
         SELECT (SELECT coalesce(max(seq), 0) FROM tier_moves) + 1, {EPOCH}, $2::integer, $3::bigint, NOT is_first, \
             {NOW} FROM runs WHERE run_id = $1"
    );
    tx.execute(&sql, &[&run_id, &day, &number])?;
    let sql = format!(
        "INSERT INTO tier_moves (seq, kind, enterprise_id, from_tier, tier, points, on_day, force_no, noted_at) \
         SELECT (SELECT coalesce(max(seq), 0) FROM tier_moves) + row_number() OVER (ORDER BY enterprise_id), {TIER}, \
             enterprise_id, nullif(tier, 0), new_tier, new_points, $1::integer, $2::bigint, {NOW} FROM run_changes"
    );
    tx.execute(&sql, &[&day, &number])?;
    Ok(())
}
