//! Re-tiering: tiers, their history and their alerts follow every change.
//!
//! A single write computes the tiers that it concerns in the request. After a bulk import, or when a window ends, the
//! worker does: it follows the log of changes with a durable cursor, one process at a time. Reads are right in any case,
//! because a stored tier of an older revision is computed anew.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::dossiers::Dossiers;
use super::look_ups::bring_up;
use super::{Service, ServiceError, off_thread};
use crate::domain::{AsOf, EnterpriseId};
use crate::store::{Changed, RunCause, StoreError};

/// Enterprises whose tiers a request computes at most; the worker does the others.
const AT_ONCE: usize = 256;
/// How far links are followed within a request; what is beyond is left to the worker.
const ROUNDS: usize = 3;
/// Changes that the worker takes in one step.
const STEP: usize = 1_000;
/// When the worker is so many changes behind, a run is quicker.
const FAR: u64 = 200_000;
/// The name of the worker.
const WORKER: &str = "retier";
/// How long an owner that does not answer keeps the worker.
const LEASE_MS: i64 = 10_000;
/// How often the worker looks for work when there was none.
const PAUSE: Duration = Duration::from_millis(500);

/// What one step of the worker did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetierStep {
    /// So many changes, or tiers whose day had come, were followed; there may be more.
    Done(usize),
    /// There was nothing to do.
    Idle,
    /// Another process does the work.
    Elsewhere,
    /// It is far behind and waits for a run.
    Waiting,
}

impl Service {
    /// Computes the tiers of enterprises that changed, and of those whose links name them. A failure is no error of the
    /// write that it follows: the tiers are computed at the next read.
    pub(super) async fn retier(&self, changes: &[Changed]) {
        let mut changes: Vec<Changed> = changes.to_vec();
        for _ in 0..ROUNDS {
            let ids: BTreeSet<EnterpriseId> = changes
                .iter()
                .map(|changed| changed.enterprise_id.clone())
                .take(AT_ONCE)
                .collect();
            if ids.is_empty() {
                return;
            }
            let ids: Vec<EnterpriseId> = ids.into_iter().collect();
            let (store, current) = (Arc::clone(&self.store), self.current());
            let today = AsOf::monthly(self.today());
            let brought = off_thread(move || {
                bring_up(
                    &Dossiers::new(store.as_ref(), &current, today.day),
                    today,
                    &ids,
                )
            })
            .await;
            match brought {
                Ok(Some(brought)) => {
                    self.invalidate(&brought.touched).await;
                    changes = brought.touched;
                }
                // Another epoch came into force; the worker follows the change under that one.
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "tiers could not be computed after a change; the next read does it");
                    return;
                }
            }
        }
    }

    /// Follows the log of changes by one step, or computes tiers whose day has come.
    ///
    /// # Errors
    ///
    /// When the store fails; the step is repeated by whoever asks next.
    pub fn retier_step(&self) -> Result<RetierStep, ServiceError> {
        let Some(cursor) = self.store.claim_worker(WORKER, &self.owner, LEASE_MS)? else {
            return Ok(RetierStep::Elsewhere);
        };
        self.refresh()?;
        // A log that was shortened beyond the cursor is farther behind than any.
        let changes = match self.store.changes_after(cursor, STEP) {
            Err(StoreError::LogShortened { .. }) => None,
            changes => Some(changes?),
        };
        let is_far = self.store.last_change()?.saturating_sub(cursor) > FAR;
        let Some(changes) = changes.filter(|_| !is_far) else {
            let is_active = self
                .store
                .runs_before(None, 20)?
                .iter()
                .any(|run| run.kind.is_run() && run.ended_at.is_none());
            if !is_active {
                let current = self.current();
                self.request_run(current.models.files_id(), RunCause::Demand)?;
            }
            return Ok(RetierStep::Waiting);
        };
        let Some(last) = changes.last() else {
            return self.retier_due();
        };
        let ids: BTreeSet<&EnterpriseId> = changes
            .iter()
            .map(|changed| &changed.enterprise_id)
            .collect();
        if !self.bring_up_all(ids.into_iter().cloned().collect())? {
            // The step is repeated under the epoch that is in force now.
            return Ok(RetierStep::Done(0));
        }
        self.store
            .advance_worker(WORKER, &self.owner, cursor, last.seq)?;
        Ok(RetierStep::Done(changes.len()))
    }

    fn retier_due(&self) -> Result<RetierStep, ServiceError> {
        let due = self.store.due_tiers(self.today(), STEP)?;
        if due.is_empty() {
            return Ok(RetierStep::Idle);
        }
        let count = due.len();
        self.bring_up_all(due)?;
        Ok(RetierStep::Done(count))
    }

    /// Computes what is outdated among the tiers of enterprises; `false` when another epoch came into force.
    pub(super) fn bring_up_all(&self, ids: Vec<EnterpriseId>) -> Result<bool, ServiceError> {
        let today = AsOf::monthly(self.today());
        let current = self.current();
        let dossiers = Dossiers::new(self.store.as_ref(), &current, today.day);
        let brought = bring_up(&dossiers, today, &ids)?;
        Ok(brought.is_some())
    }

    /// Follows the log of changes and carries out runs and jobs, again and again; runs beside a server until it is dropped.
    pub async fn work(self: Arc<Self>, is_monthly: bool) {
        let retiering = {
            let service = Arc::clone(&self);
            async move {
                loop {
                    let step = {
                        let service = Arc::clone(&service);
                        off_thread(move || service.retier_step()).await
                    };
                    match step {
                        Ok(RetierStep::Done(_)) => tokio::task::yield_now().await,
                        Ok(RetierStep::Idle | RetierStep::Elsewhere | RetierStep::Waiting) => {
                            tokio::time::sleep(PAUSE).await;
                        }
                        Err(error) => {
                            tracing::warn!(%error, "the changes cannot be followed; tried again soon");
                            tokio::time::sleep(PAUSE * 4).await;
                        }
                    }
                }
            }
        };
        let worker = Arc::clone(&self);
        let running = async move {
            loop {
                let service = Arc::clone(&self);
                let step = off_thread(move || {
                    if is_monthly {
                        service.request_monthly_run()?;
                    }
                    service.carry_out_run(&())
                })
                .await;
                if let Err(error) = step {
                    tracing::warn!(%error, "a run stopped");
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        let working = async move {
            loop {
                let service = Arc::clone(&worker);
                let step = off_thread(move || {
                    if is_monthly {
                        service.request_monthly_drift()?;
                    }
                    service.carry_out_task()
                })
                .await;
                match step {
                    Ok(Some(_)) => {}
                    Ok(None) => tokio::time::sleep(PAUSE).await,
                    Err(error) => {
                        tracing::warn!(%error, "a job stopped; tried again soon");
                        tokio::time::sleep(PAUSE * 4).await;
                    }
                }
            }
        };
        tokio::join!(retiering, running, working);
    }
}
