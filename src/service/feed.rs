//! The feed of tier changes: what other systems follow instead of asking again and again.

use std::sync::Arc;

use super::execution::millis;
use super::{Service, ServiceError, off_thread};
use crate::store::Move;

/// Changes that are kept for followers: with a register of five million, two changes of all of it.
const KEPT: u64 = 10_000_000;
/// Rows removed in one transaction, which is short.
const AT_ONCE: u64 = 50_000;
/// Transactions in one go, so that much is removed in steps.
const STEPS: usize = 20;

/// A part of the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The changes, in order.
    pub moves: Vec<Move>,
    /// The number of the last change that is known now: go on behind it.
    pub last: u64,
    /// Whether there is nothing behind these at the moment.
    pub is_current: bool,
}

impl Service {
    /// Identity of the database: a place in one feed means nothing in another.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn feed_id(&self) -> Result<String, ServiceError> {
        Ok(self.store.store_id()?)
    }

    /// Changes of tiers after number `after`, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the changes behind `after` were removed, or the store fails.
    pub fn changes(&self, after: u64, limit: usize) -> Result<Changes, ServiceError> {
        let mut moves = self.store.moves_after(after, limit + 1)?;
        let is_current = moves.len() <= limit;
        moves.truncate(limit);
        let last = moves.last().map_or(after, |last| last.seq);
        Ok(Changes {
            moves,
            last,
            is_current,
        })
    }

    /// The number of the last change, and of the one before the first that is still there.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn changes_range(&self) -> Result<(u64, u64), ServiceError> {
        let (first, last) = self.store.moves_range()?;
        Ok((first.saturating_sub(1), last))
    }

    /// Removes what is kept for a time only: old changes, idempotency keys and results of jobs whose time is over. A
    /// bounded number of them; a failure is logged, and the next call goes on.
    pub async fn tidy(&self) {
        let keep_results = millis(self.keep_results);
        for _ in 0..STEPS {
            let store = Arc::clone(&self.store);
            let removed = off_thread(move || {
                let moves = store.shorten_moves(KEPT, AT_ONCE)?;
                let keys = store.forget_keys(AT_ONCE)?;
                store.forget_results(keep_results, AT_ONCE)?;
                Ok(moves.max(keys))
            })
            .await;
            match removed {
                Ok(removed) if removed == AT_ONCE => {}
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(%error, "old changes, keys and results could not be removed");
                    return;
                }
            }
        }
    }
}
