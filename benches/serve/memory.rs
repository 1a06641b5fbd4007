//! What a cached tier takes, in process and in Redis.

use std::time::Duration;

use jiff::civil::date;
use risktier::cache::{
    BoxError, CachedTier, ChangeLog, Lookup, MemoryCache, RedisCache, RedisOptions, TierCache,
    TierChange, catch_up,
};
use risktier::domain::Tier;

use crate::servers::{Redis, pinned};
use crate::{SERVER_CORE, TODAY, enterprise_id};

/// A log without changes.
struct Nothing;

#[async_trait::async_trait]
impl ChangeLog for Nothing {
    async fn last_seq(&self) -> Result<u64, BoxError> {
        Ok(0)
    }

    async fn changes_after(&self, _: u64, _: usize) -> Result<Option<Vec<TierChange>>, BoxError> {
        Ok(Some(Vec::new()))
    }
}

fn resident_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<f64>()
        .unwrap()
        * 1024.0
}

fn value() -> CachedTier {
    CachedTier {
        tier: Tier::B,
        points: 120,
        revision: 3,
        as_of: TODAY,
        next_change_on: Some(date(2026, 12, 1)),
    }
}

/// Fills a cache and gives what it needed per entry.
async fn fill(cache: &dyn TierCache, count: usize) {
    let epoch = "0123456789abcdef".parse().unwrap();
    for first in (0..count).step_by(1_000) {
        catch_up(cache, &epoch, &Nothing).await.unwrap();
        let ticket = cache.ticket(&epoch).unwrap();
        let entries: Vec<_> = (first..first + 1_000)
            .map(|n| (enterprise_id(n), value()))
            .collect();
        cache.put_many(&ticket, &entries).await;
    }
    // What was not taken in would make the rest look cheap.
    let mut hits = 0;
    for first in (0..count).step_by(1_000) {
        catch_up(cache, &epoch, &Nothing).await.unwrap();
        let ids: Vec<_> = (first..first + 1_000).map(enterprise_id).collect();
        let found = cache.get_many(&epoch, &ids, TODAY).await;
        hits += found
            .iter()
            .filter(|lookup| matches!(lookup, Lookup::Hit(_)))
            .count();
    }
    assert!(hits * 100 >= count * 99, "{hits} of {count} are there");
}

pub(crate) fn near_memory(count: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let before = resident_bytes();
    let cache = MemoryCache::with_capacity(count);
    runtime.block_on(fill(&cache, count));
    println!("{:.1}", (resident_bytes() - before) / count as f64);
}

pub(crate) fn memory() {
    const COUNT: usize = 1_000_000;
    let output = pinned(SERVER_CORE, &["--near", &COUNT.to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let near = String::from_utf8(output.stdout).unwrap();
    println!(
        "memory per tier at {COUNT}: in process {} bytes",
        near.trim()
    );
    let redis = Redis::start();
    let used = || {
        let info: String = redis.ask(&["INFO", "memory"]);
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("used_memory:"))
            .unwrap();
        line.trim().parse::<f64>().unwrap()
    };
    let before = used();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cache = RedisCache::new(RedisOptions {
        url: redis.url.clone(),
        authorities: None,
        budget: Duration::from_millis(2_000),
        log_id: "0123456789abcdef".to_owned(),
        ttl: Duration::from_secs(24 * 60 * 60),
    })
    .unwrap();
    runtime.block_on(fill(&cache, COUNT));
    println!(
        "memory per tier at {COUNT}: in Redis {:.1} bytes",
        (used() - before) / COUNT as f64
    );
}
