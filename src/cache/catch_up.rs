//! Bringing a cache to the end of the store's log of tier changes.

use async_trait::async_trait;

use super::{CacheError, Position, TierCache, TierChange};
use crate::domain::Epoch;

/// Any error of the log's owner.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Changes applied in one step.
const BATCH: usize = 1_000;

/// The store's log of tier changes, as the cache needs it.
///
/// INVARIANT: numbers become visible in order. When change *n* can be read, no change with a smaller number appears
/// later.
#[async_trait]
pub trait ChangeLog: Send + Sync {
    /// The number of the last change; 0 when there is none.
    async fn last_seq(&self) -> Result<u64, BoxError>;

    /// Up to `limit` changes with a number above `seq`, in order; nothing if the log no longer holds the next one.
    async fn changes_after(
        &self,
        seq: u64,
        limit: usize,
    ) -> Result<Option<Vec<TierChange>>, BoxError>;
}

/// Applies every change that the cache has not seen and vouches for it; run at start and at least once per second.
///
/// Safe to run on any number of replicas at once: applying a change twice changes nothing, and the position only moves
/// forward over changes that its mover has applied.
pub async fn catch_up(
    cache: &dyn TierCache,
    epoch: &Epoch,
    log: &dyn ChangeLog,
) -> Result<Position, CacheError> {
    let unreadable = |error: BoxError| CacheError::Log(error.to_string());
    let found = cache.position(epoch).await?;
    let last = log.last_seq().await.map_err(unreadable)?;
    let mut position = match found {
        Some(position) if position.seq <= last => position,
        // A position beyond the log belongs to a store that was since replaced by an older copy.
        missing_or_ahead => {
            cache
                .restart(epoch, last, missing_or_ahead.as_ref())
                .await?
        }
    };
    loop {
        let changes = log
            .changes_after(position.seq, BATCH)
            .await
            .map_err(unreadable)?;
        let Some(changes) = changes else {
            // What changed between cannot be known any more.
            let last = log.last_seq().await.map_err(unreadable)?;
            position = cache.restart(epoch, last, Some(&position)).await?;
            continue;
        };
        position = cache.advance(epoch, &position, &changes).await?;
        if changes.len() < BATCH {
            break;
        }
    }
    cache.vouch(epoch, &position);
    Ok(position)
}
