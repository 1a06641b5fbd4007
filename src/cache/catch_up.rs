//! Bringing a cache to the end of the store's log of tier changes.

use async_trait::async_trait;

use super::{CacheError, CaughtUp, Level, TierCache, TierChange};
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

/// As [`TierCache::catch_up`]; run it at start and at least once per second.
pub async fn catch_up(
    cache: &dyn TierCache,
    epoch: &Epoch,
    log: &dyn ChangeLog,
) -> Result<CaughtUp, CacheError> {
    cache.catch_up(epoch, log).await
}

/// Brings one level to the end of the log, or no further than `no_further`.
pub(super) async fn catch_up_level(
    level: &dyn Level,
    epoch: &Epoch,
    log: &dyn ChangeLog,
    no_further: Option<u64>,
) -> Result<CaughtUp, CacheError> {
    let unreadable = |error: BoxError| CacheError::Log(error.to_string());
    let bound = |seq: u64| no_further.map_or(seq, |most| most.min(seq));
    let found = level.position(epoch).await?;
    let last = log.last_seq().await.map_err(unreadable)?;
    let mut has_begun = false;
    let mut position = match found {
        Some(position) if position.seq <= last && position.is_whole => position,
        // A position beyond the log belongs to a store that was since replaced by an older copy.
        missing_or_ahead => {
            has_begun = true;
            level
                .restart(epoch, bound(last), missing_or_ahead.as_ref())
                .await?
        }
    };
    loop {
        let changes = log
            .changes_after(position.seq, BATCH)
            .await
            .map_err(unreadable)?;
        let Some(mut changes) = changes else {
            // What changed between cannot be known any more.
            let last = log.last_seq().await.map_err(unreadable)?;
            has_begun = true;
            position = level.restart(epoch, bound(last), Some(&position)).await?;
            continue;
        };
        let is_last = changes.len() < BATCH;
        let read = changes.len();
        if let Some(most) = no_further {
            changes.retain(|change| change.seq <= most);
        }
        let is_last = is_last || changes.len() < read;
        if !changes.is_empty() || is_last {
            position = level.advance(epoch, &position, &changes).await?;
        }
        if is_last {
            break;
        }
    }
    level.vouch(epoch, &position);
    Ok(CaughtUp {
        seq: position.seq,
        has_begun,
    })
}
