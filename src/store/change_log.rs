//! Shortening the log of tier changes.
//!
//! Followers keep a place in the log. Old entries are removed whether or not every follower has passed them: one that was
//! away for so long is told by [`StoreError::LogShortened`] and starts over, which is cheaper than keeping the log forever.

use super::{Changed, StoreError};

/// Shortening the log.
pub trait ChangeLog {
    /// Removes the oldest entries beyond the latest `keep`, which is at least 1, but at most `at_most` of them; tells how
    /// many. The last entry stays, so that numbers go on behind it.
    fn shorten_log(&self, keep: u64, at_most: u64) -> Result<u64, StoreError>;
}

/// The number up to which entries go, if any go.
pub(super) fn removed_until(first: u64, last: u64, keep: u64, at_most: u64) -> Option<u64> {
    let until = last
        .saturating_sub(keep.max(1))
        .min(first.saturating_add(at_most).saturating_sub(1));
    (first > 0 && until >= first).then_some(until)
}

/// Whether the log still has every change after `seq`; `first` is the first that it has.
pub(super) fn unbroken_since(seq: u64, first: u64) -> Result<(), StoreError> {
    if first > seq + 1 {
        return Err(StoreError::LogShortened { after: seq, first });
    }
    Ok(())
}

/// Changes read after `seq`, unless some between are missing: numbers have no gaps.
pub(super) fn without_gap(seq: u64, changes: Vec<Changed>) -> Result<Vec<Changed>, StoreError> {
    match changes.first() {
        Some(first) if first.seq > seq + 1 => Err(StoreError::LogShortened {
            after: seq,
            first: first.seq,
        }),
        Some(_) | None => Ok(changes),
    }
}
