//! Filling the cache that replicas share before it is asked: with the tiers of a run before it flips, and with the live
//! tiers after the cache came back empty.
//!
//! Only what would be right to read from the store is put in, under the rule that every put follows: a ticket is taken
//! before the store is read, and what has changed since is refused by its tombstone. A rate bounds what this asks of store
//! and cache. A failure ends it: what is missing comes in when it is asked for.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::look_ups::cached;
use super::{Service, ServiceError, off_thread};
use crate::cache::{CacheError, CachedTier, Ticket};
use crate::domain::{EnterpriseId, Epoch};
use crate::store::{Run, StoreError, StoredTier};

/// Enterprises that are read at once.
const PART: u64 = 25_000;
/// Tiers that are written at once.
const AT_ONCE: usize = 1_000;
/// How often the new epoch is brought to the end of the log meanwhile, so that it stays trusted.
const UPKEEP: Duration = Duration::from_millis(500);
/// With more changes than this since a run began its tiers are not worth to be written in advance.
const MOST_CHANGES: usize = 1_000_000;
/// Changes that are read at once.
const LOG_PAGE: usize = 10_000;

/// What has been written so far, and how fast it may go on.
struct Pace {
    began: Instant,
    looked_after: Instant,
    written: u64,
    per_second: u32,
}

impl Pace {
    fn new(per_second: u32) -> Self {
        Self {
            began: Instant::now(),
            looked_after: Instant::now(),
            written: 0,
            per_second,
        }
    }

    /// Waits until as much as was written may have been written.
    async fn keep(&mut self, written: usize) {
        self.written += written as u64;
        let due = self.written as f64 / f64::from(self.per_second.max(1));
        let ahead = due - self.began.elapsed().as_secs_f64();
        if ahead > 0.0 {
            tokio::time::sleep(Duration::from_secs_f64(ahead)).await;
        }
    }
}

impl Service {
    /// Writes the tiers of a run that is about to flip to the shared cache, under the epoch that comes into force then.
    /// Without a runtime, as in the command line, and without a shared cache there is nothing to do.
    pub(super) fn fill_before_flip(&self, run: &Run, epoch: &Epoch) {
        self.in_runtime(async {
            match self.fill_with_run(run, epoch).await {
                Ok(Some(count)) => {
                    tracing::info!(run.id = run.run_id, count, "the tiers of a run are in the shared cache");
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(run.id = run.run_id, %error, "the tiers of a run are not all in the shared cache; they come in when they are asked for");
                }
            }
        });
    }

    /// Lets the entries of an epoch go that a flip has superseded.
    pub(super) fn let_go(&self, superseded: &Epoch) {
        self.in_runtime(async {
            let mut part = 0;
            loop {
                match self.cache.retire(superseded, part).await {
                    Ok(true) => part += 1,
                    Ok(false) => return,
                    Err(error) => {
                        tracing::warn!(%error, "superseded tiers stay in the shared cache until their time is over");
                        return;
                    }
                }
            }
        });
    }

    /// Runs `work` to its end from a thread that may block, if there is a runtime and a shared cache.
    fn in_runtime(&self, work: impl Future<Output = ()> + Send) {
        if !self.cache.is_shared() || self.warm_up_per_second == 0 {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        // A thread of its own, because the caller's may belong to the runtime.
        std::thread::scope(|scope| {
            scope.spawn(|| runtime.block_on(work));
        });
    }

    async fn fill_with_run(&self, run: &Run, epoch: &Epoch) -> Result<Option<u64>, ServiceError> {
        let Some(start_seq) = run.start_seq else {
            return Ok(None);
        };
        // From here on every change leaves a tombstone in the new epoch; those since the run began are left out below.
        let Some(ticket) = self.ticket_for(epoch).await? else {
            return Ok(None);
        };
        let Some(changed) = self.changed_since(start_seq).await? else {
            return Ok(None);
        };
        let (store, run_id) = (Arc::clone(&self.store), run.run_id.clone());
        let parts = off_thread(move || Ok(store.run_parts(&run_id)?)).await?;
        let mut pace = Pace::new(self.warm_up_per_second);
        for part in parts {
            let (store, run_id) = (Arc::clone(&self.store), run.run_id.clone());
            let rows = off_thread(move || Ok(store.run_tiers_in(&run_id, &part.range)?)).await?;
            let rows = rows.into_iter().filter(|(id, _)| !changed.contains(id));
            self.write_ahead(epoch, &ticket, rows, &mut pace).await?;
        }
        self.catch_up_with(epoch).await.map_err(unavailable)?;
        Ok(Some(pace.written))
    }

    /// Writes the live tiers to the shared cache.
    pub(super) async fn fill_with_live_tiers(&self) {
        if self.warm_up_per_second == 0 {
            return;
        }
        match self.fill_with_live().await {
            Ok(count) => tracing::info!(count, "the shared cache is filled with the live tiers"),
            Err(error) => {
                tracing::warn!(%error, "the shared cache is not filled to the end; tiers come in when they are asked for");
            }
        }
    }

    async fn fill_with_live(&self) -> Result<u64, ServiceError> {
        let epoch = *self.current().epoch();
        let Some(ticket) = self.cache.ticket(&epoch).map(Ticket::for_shared_only) else {
            return Ok(0);
        };
        let store = Arc::clone(&self.store);
        let (ranges, _) = off_thread(move || Ok(store.parts_of(PART)?)).await?;
        let mut pace = Pace::new(self.warm_up_per_second);
        for range in ranges {
            let store = Arc::clone(&self.store);
            let rows = off_thread(move || Ok(store.standing_tiers_in(&epoch, &range)?)).await?;
            let Some(rows) = rows else {
                // Another epoch is in force by now, and a run has filled it.
                break;
            };
            // The follower of changes keeps the present epoch trusted.
            pace.looked_after = Instant::now() + Duration::from_secs(3_600);
            self.write_ahead(&epoch, &ticket, rows.into_iter(), &mut pace)
                .await?;
        }
        Ok(pace.written)
    }

    async fn write_ahead(
        &self,
        epoch: &Epoch,
        ticket: &Ticket,
        rows: impl Iterator<Item = (EnterpriseId, StoredTier)>,
        pace: &mut Pace,
    ) -> Result<(), ServiceError> {
        let today = self.today();
        let mut rows = rows
            .filter(|(_, tier)| {
                tier.as_of <= today && tier.next_change_on.is_none_or(|change| today < change)
            })
            .map(|(id, tier)| (id, cached(&tier)));
        loop {
            let entries: Vec<(EnterpriseId, CachedTier)> = rows.by_ref().take(AT_ONCE).collect();
            if entries.is_empty() {
                return Ok(());
            }
            if pace.looked_after.elapsed() >= UPKEEP {
                self.catch_up_with(epoch).await.map_err(unavailable)?;
                pace.looked_after = Instant::now();
            }
            if !self.cache.is_open_to(ticket) {
                return Err(ServiceError::Internal(
                    "the shared cache was lost meanwhile".to_owned(),
                ));
            }
            self.cache.put_many(ticket, &entries).await;
            pace.keep(entries.len()).await;
        }
    }

    async fn ticket_for(&self, epoch: &Epoch) -> Result<Option<Ticket>, ServiceError> {
        self.catch_up_with(epoch).await.map_err(unavailable)?;
        Ok(self.cache.ticket(epoch).map(Ticket::for_shared_only))
    }

    /// Enterprises that changed after `seq`; nothing if they are too many or not known any more.
    async fn changed_since(&self, seq: u64) -> Result<Option<HashSet<EnterpriseId>>, ServiceError> {
        let store = Arc::clone(&self.store);
        off_thread(move || {
            let (mut changed, mut after) = (HashSet::new(), seq);
            loop {
                let page = match store.changes_after(after, LOG_PAGE) {
                    Err(StoreError::LogShortened { .. }) => return Ok(None),
                    page => page?,
                };
                let Some(last) = page.last() else {
                    return Ok(Some(changed));
                };
                after = last.seq;
                changed.extend(page.into_iter().map(|change| change.enterprise_id));
                if changed.len() > MOST_CHANGES {
                    return Ok(None);
                }
            }
        })
        .await
    }
}

fn unavailable(error: CacheError) -> ServiceError {
    ServiceError::Internal(error.to_string())
}
