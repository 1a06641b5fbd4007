//! The laws of the tier cache, held against both implementations, and Redis broken on purpose.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "test code"
)]

#[path = "../support/redis_cluster.rs"]
mod redis_cluster;
#[path = "../support/redis_server.rs"]
mod redis_server;

mod cluster;
mod faults;
mod guarded;
mod laws;
mod layers;
mod layout;

use std::sync::Mutex;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::civil::{Date, date};
use risktier::cache::{
    BoxError, CachedTier, ChangeLog, RedisCache, RedisOptions, TierCache, TierChange, catch_up,
};
use risktier::domain::Epoch;
use risktier::domain::{EnterpriseId, Tier};

pub const TODAY: Date = date(2026, 11, 22);
/// Generous, because tests share their machine; the tests of the budget itself set their own.
pub const BUDGET: Duration = Duration::from_millis(500);

pub fn epoch() -> Epoch {
    "0123456789abcdef".parse().unwrap()
}

pub fn id(number: usize) -> EnterpriseId {
    EnterpriseId::parse(&format!("91990000MA{number:08}")).unwrap()
}

pub fn value(revision: u64) -> CachedTier {
    CachedTier {
        tier: Tier::C,
        points: 612,
        revision,
        as_of: TODAY,
        next_change_on: Some(date(2026, 12, 1)),
    }
}

pub fn redis_cache(url: &str, budget: Duration) -> RedisCache {
    redis_cache_of(url, budget, "log1")
}

/// The cache of the store whose log has a name.
pub fn redis_cache_of(url: &str, budget: Duration, log_id: &str) -> RedisCache {
    RedisCache::new(RedisOptions {
        url: url.to_owned(),
        authorities: None,
        budget,
        log_id: log_id.to_owned(),
        ttl: Duration::from_secs(24 * 60 * 60),
    })
    .unwrap()
}

/// Catches up as the service does, every so often, until it succeeds.
pub async fn recover(cache: &dyn TierCache, log: &Log) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while let Err(error) = catch_up(cache, &epoch(), log).await {
        assert!(Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A store's change log in memory.
#[derive(Default)]
pub struct Log(Mutex<Vec<TierChange>>);

impl Log {
    /// Removes everything but the last change.
    pub fn shorten(&self) {
        let mut changes = self.0.lock().unwrap();
        let all_but_the_last = changes.len().saturating_sub(1);
        changes.drain(..all_but_the_last);
    }

    /// Commits a change of an enterprise.
    pub fn commit(&self, enterprise_id: EnterpriseId, revision: u64) {
        let mut changes = self.0.lock().unwrap();
        let seq = changes.last().map_or(0, |last| last.seq) + 1;
        changes.push(TierChange {
            seq,
            enterprise_id,
            revision,
        });
    }
}

#[async_trait]
impl ChangeLog for Log {
    async fn last_seq(&self) -> Result<u64, BoxError> {
        Ok(self.0.lock().unwrap().last().map_or(0, |last| last.seq))
    }

    async fn changes_after(
        &self,
        seq: u64,
        limit: usize,
    ) -> Result<Option<Vec<TierChange>>, BoxError> {
        let changes = self.0.lock().unwrap();
        if changes.first().is_some_and(|first| first.seq > seq + 1) {
            return Ok(None);
        }
        Ok(Some(
            changes
                .iter()
                .filter(|change| change.seq > seq)
                .take(limit)
                .cloned()
                .collect(),
        ))
    }
}
