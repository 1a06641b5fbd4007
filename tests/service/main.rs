//! The use-cases over a real store and real caches: tiers that are never stale, plans that cannot be bent.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "test code"
)]

#[path = "../support/postgres_server.rs"]
#[allow(dead_code, reason = "shared with other test binaries")]
mod postgres_server;
#[path = "../support/redis_cluster.rs"]
#[allow(dead_code, reason = "shared with other test binaries")]
mod redis_cluster;
#[path = "../support/redis_server.rs"]
#[allow(dead_code, reason = "shared with other test binaries")]
mod redis_server;
#[path = "../support/register.rs"]
#[allow(dead_code, reason = "shared with other test binaries")]
mod register;

mod both_verifiers;
mod calendars;
mod history;
mod imports;
mod items;
mod ledger;
mod life;
mod look_ups;
mod models;
mod plan_ceremony;
mod plan_faults;
mod plan_groups;
mod plan_steps;
mod plans;
mod policies;
mod postgres;
mod rates;
mod redis;
mod redis_faults;
mod runs;
mod tiers;
mod training;
mod warm_up;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use risktier::cache::{LayeredCache, MemoryCache, RedisCache, RedisOptions, TierCache};
use risktier::domain::{Record, Tier};
use risktier::service::{Clock, Entropy, Models, Origin, Service};
use risktier::store::{PostgresStore, SqliteStore, Store};
use tempfile::TempDir;

use postgres_server::PostgresServer;
use register::{TODAY, default_models, enterprise, id};

/// A database of its own, with as many services on it as a test asks for.
pub struct Place {
    directory: TempDir,
    database_url: Option<String>,
}

impl Place {
    pub fn empty() -> Self {
        Self {
            directory: TempDir::new().unwrap(),
            database_url: None,
        }
    }

    /// A database on PostgreSQL. Its services and stores are made and asked outside asynchronous threads.
    pub fn on(server: &PostgresServer) -> Self {
        Self {
            database_url: Some(server.new_database()),
            ..Self::empty()
        }
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join("register.db")
    }

    pub fn store(&self) -> Arc<dyn Store> {
        match &self.database_url {
            None => Arc::new(SqliteStore::open(&self.path()).unwrap()),
            Some(url) => Arc::new(PostgresStore::open(url).unwrap()),
        }
    }

    /// A replica with everything at its default.
    pub fn service(&self) -> Service {
        self.replica(
            Arc::new(MemoryCache::with_capacity(10_000)),
            default_models(),
            TODAY,
        )
    }

    pub fn replica(&self, cache: Arc<dyn TierCache>, models: Models, today: Date) -> Service {
        Service::open(
            self.store(),
            cache,
            models,
            Clock::Fixed(today),
            Entropy::System,
        )
        .unwrap()
    }

    pub fn redis_cache(&self, url: &str) -> Arc<RedisCache> {
        Arc::new(self.far(url, Duration::from_millis(500)))
    }

    /// In Redis alone, with a budget.
    pub fn redis_cache_within(&self, url: &str, budget: Duration) -> Arc<RedisCache> {
        Arc::new(self.far(url, budget))
    }

    /// In process before Redis, as a server has it.
    pub fn layered_cache(&self, url: &str, budget: Duration) -> Arc<LayeredCache> {
        let near = MemoryCache::with_capacity(10_000);
        Arc::new(LayeredCache::new(near, self.far(url, budget)))
    }

    fn far(&self, url: &str, budget: Duration) -> RedisCache {
        RedisCache::new(RedisOptions {
            url: url.to_owned(),
            authorities: None,
            budget,
            log_id: self.store().store_id().unwrap(),
            ttl: Duration::from_secs(24 * 60 * 60),
        })
        .unwrap()
    }
}

/// Writes enterprises `1..=count`.
pub async fn register(service: &Service, count: usize) {
    for number in 1..=count {
        service.put_enterprise(enterprise(number)).await.unwrap();
    }
}

pub async fn put(service: &Service, record: Record) {
    service.put_records(vec![record]).await.unwrap();
}

/// Tier and origin of enterprise `number`.
pub async fn read(service: &Service, number: usize) -> (Tier, Origin) {
    let answer = service.tier(&id(number)).await.unwrap();
    assert_eq!(answer.enterprise_id, id(number));
    (answer.tier, answer.origin)
}

/// The default models with other cut-offs: another epoch.
pub fn stricter_models() -> Models {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("scorecard.json");
    let card = include_str!("../../models/default/scorecard.json");
    let stricter = card.replace(
        "\"cutoffs\": { \"B\": 30, \"C\": 100, \"D\": 350 }",
        "\"cutoffs\": { \"B\": 30, \"C\": 100, \"D\": 180 }",
    );
    assert_ne!(card, stricter);
    std::fs::write(&path, stricter).unwrap();
    let files = risktier::service::ModelFiles {
        scorecard: Some(path),
        ..Default::default()
    };
    Models::load(&files).unwrap()
}
