//! The tier cache follows the store's log of changes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::{Service, off_thread};
use crate::cache::{BoxError, CacheError, CaughtUp, ChangeLog, TierChange, catch_up};
use crate::domain::Epoch;
use crate::store::{Store, StoreError};

/// How often old changes are removed from the log.
const SHORTEN_INTERVAL: Duration = Duration::from_secs(60);
/// How often a cache is brought to the end of the log of changes.
const CATCH_UP_INTERVAL: Duration = Duration::from_millis(300);

impl Service {
    /// Brings the cache to the end of the log of changes, again and again; runs beside a server until it is dropped. A
    /// shared cache that turns out to be empty is filled meanwhile.
    pub async fn follow_changes(&self) {
        let mut away = false;
        let mut shortened = None::<Instant>;
        let mut filling: Option<Pin<Box<dyn Future<Output = ()> + Send + '_>>> = None;
        loop {
            if shortened.is_none_or(|last| last.elapsed() >= SHORTEN_INTERVAL) {
                self.shorten_log().await;
                shortened = Some(Instant::now());
            }
            match self.catch_up_once().await {
                Ok(caught_up) => {
                    if away {
                        tracing::info!("the tier cache has caught up");
                        away = false;
                    }
                    if caught_up.has_begun() && self.cache.is_shared() {
                        filling = Some(Box::pin(self.fill_with_live_tiers()));
                    }
                }
                Err(error) if !away => {
                    tracing::warn!(%error, "the tier cache cannot be caught up; tiers are read from the store");
                    away = true;
                }
                Err(_) => {}
            }
            let pause = tokio::time::sleep(CATCH_UP_INTERVAL);
            match filling.as_mut() {
                None => pause.await,
                Some(under_way) => {
                    let ended = tokio::select! {
                        () = pause => false,
                        () = under_way => true,
                    };
                    if ended {
                        filling = None;
                    }
                }
            }
        }
    }

    /// Brings the cache to the end of the log of changes once.
    ///
    /// # Errors
    ///
    /// When cache or log cannot be read.
    pub async fn catch_up(&self) -> Result<(), CacheError> {
        self.catch_up_once().await.map(|_| ())
    }

    async fn catch_up_once(&self) -> Result<CaughtUp, CacheError> {
        let (store, following) = (Arc::clone(&self.store), Arc::clone(&self.following));
        off_thread(move || following.refresh(store.as_ref()))
            .await
            .map_err(|error| CacheError::Log(error.to_string()))?;
        let current = self.current();
        let caught_up = self.catch_up_with(current.epoch()).await?;
        self.cache.announce(current.number, current.epoch()).await?;
        Ok(caught_up)
    }

    /// Brings the entries of one epoch to the end of the log of changes.
    pub(super) async fn catch_up_with(&self, epoch: &Epoch) -> Result<CaughtUp, CacheError> {
        let log = StoreLog(Arc::clone(&self.store));
        catch_up(self.cache.as_ref(), epoch, &log).await
    }
}

/// The store's log as the cache reads it.
struct StoreLog(Arc<dyn Store>);

#[async_trait]
impl ChangeLog for StoreLog {
    async fn last_seq(&self) -> Result<u64, BoxError> {
        let store = Arc::clone(&self.0);
        off_thread(move || Ok(store.last_change()?))
            .await
            .map_err(Into::into)
    }

    async fn changes_after(
        &self,
        seq: u64,
        limit: usize,
    ) -> Result<Option<Vec<TierChange>>, BoxError> {
        let store = Arc::clone(&self.0);
        let changes = off_thread(move || match store.changes_after(seq, limit) {
            Err(StoreError::LogShortened { .. }) => Ok(None),
            changes => Ok(Some(changes?)),
        })
        .await?;
        Ok(changes.map(|changes| {
            changes
                .into_iter()
                .map(|changed| TierChange {
                    seq: changed.seq,
                    enterprise_id: changed.enterprise_id,
                    revision: changed.revision,
                })
                .collect()
        }))
    }
}
