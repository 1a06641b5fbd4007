//! The log of tier moves: what other systems follow instead of asking again and again.
//!
//! A move is written in the transaction that makes the tier visible. Numbers have no gaps and become visible in order, so
//! whoever reads behind the last number that it knows misses nothing.

use jiff::civil::Date;

use super::rows::{self, Row};
use super::{StoreError, tier_rows};
use crate::domain::{EnterpriseId, Epoch, Tier};

/// The log of tier moves.
pub trait Feed {
    /// Moves after `seq` in order, at most `limit`; [`StoreError::LogShortened`] if the next one is no longer there.
    fn moves_after(&self, seq: u64, limit: usize) -> Result<Vec<Move>, StoreError>;

    /// The numbers of the first and the last move that are there; 0 and 0 without any.
    fn moves_range(&self) -> Result<(u64, u64), StoreError>;

    /// Removes the oldest moves beyond the latest `keep`, which is at least 1, but at most `at_most` of them; tells how
    /// many. The last one stays, so that numbers go on behind it.
    fn shorten_moves(&self, keep: u64, at_most: u64) -> Result<u64, StoreError>;

    /// Whether a run began while no tier was live. Such a run tells of all tiers at once.
    fn is_first_run(&self, run_id: &str) -> Result<bool, StoreError>;
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Its number.
    pub seq: u64,
    /// What it tells.
    pub kind: MoveKind,
    /// The day that it speaks for.
    pub on: Date,
    /// The epoch of the tier, or the one that came into force.
    pub epoch: Epoch,
    /// When it was noted, in milliseconds since 1970 (UTC).
    pub noted_at: i64,
}

/// What an entry of the log tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MoveKind {
    /// An enterprise has another tier, or its first.
    Tier {
        /// The enterprise.
        enterprise_id: EnterpriseId,
        /// The tier before; nothing for the first.
        from: Option<Tier>,
        /// The tier.
        tier: Tier,
        /// Its points.
        points: u16,
    },
    /// Another epoch came into force.
    Epoch {
        /// Whether every tier that came with it follows as an entry of its own; first tiers that came with the first run do
        /// not.
        is_whole: bool,
    },
}

/// Columns of the log, joined with what was in force, in the order that [`read`] reads.
pub(super) const MOVE_COLUMNS: &str = "m.seq, m.kind, m.enterprise_id, m.from_tier, m.tier, m.points, m.on_day, f.epoch, m.noted_at, \
     m.is_whole";

/// The kinds of entries as they are stored.
pub(super) const TIER: i16 = 1;
/// See [`TIER`].
pub(super) const EPOCH: i16 = 2;

pub(super) fn read(row: &impl Row) -> Result<Move, StoreError> {
    let kind = match rows::number::<i16>(row, 1, "kind")? {
        TIER => MoveKind::Tier {
            enterprise_id: rows::id(row, 2, "enterprise_id")?,
            from: tier_rows::optional_tier(row, 3)?,
            tier: tier_rows::tier(row, 4)?,
            points: rows::number(row, 5, "points")?,
        },
        EPOCH => MoveKind::Epoch {
            is_whole: rows::number::<i64>(row, 9, "is_whole")? != 0,
        },
        _ => return Err(StoreError::Corrupt { column: "kind" }),
    };
    Ok(Move {
        seq: rows::number(row, 0, "seq")?,
        kind,
        on: tier_rows::day(row, 6, "on_day")?,
        epoch: tier_rows::epoch(row, 7)?.ok_or(StoreError::Corrupt { column: "epoch" })?,
        noted_at: rows::number(row, 8, "noted_at")?,
    })
}

/// Moves read after `seq`, unless some between are missing; `first` is the first that is there.
pub(super) fn without_gap(seq: u64, first: u64, moves: Vec<Move>) -> Result<Vec<Move>, StoreError> {
    if first > seq + 1 {
        return Err(StoreError::LogShortened { after: seq, first });
    }
    Ok(moves)
}
