//! Runs: the whole register reclassified, then the flip.
//!
//! A run goes through the register once, on all cores, in parts. What an enterprise's own files say is written part by
//! part into the slot that is not live; then the statistics are frozen, the rows that depend on other enterprises are
//! completed, and the slot becomes live in one transaction. Every part is durable by itself: after a crash the next
//! owner goes on with the parts that are missing, and gets to the same bytes.

use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::dossiers::{Assembler, Dossiers};
use super::in_force::statistics;
use super::lineage::Lineage;
use super::settle::{link_state, own_link_state};
use super::{Models, Service, ServiceError};
use crate::domain::{AsOf, EnterpriseId, Tier};
use crate::model::{Classifier, LinkedEnterprise, Provisional, Statistics, StatisticsBuilder};
use crate::store::{
    FinishedRow, LiveTier, Run, RunCause, RunChange, RunPart, RunPhase, RunRow, RunState,
    StoreError,
};

/// Enterprises in one part; its rows are in memory while it is written.
const PART: u64 = 25_000;
/// How long an owner that does not answer keeps a run.
const LEASE: Duration = Duration::from_secs(10);
/// How often the lease is renewed.
const RENEWAL: Duration = Duration::from_secs(3);
/// Other ends of links that are looked up at once.
const LOOKED_UP: usize = 1_000;

/// A run as it is told to callers.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The run.
    pub run: Run,
    /// How much of it is done, in percent.
    pub percent: f64,
    /// Enterprises gone through per second since it began.
    pub rows_per_second: Option<f64>,
    /// An estimate of the seconds that are left.
    pub seconds_left: Option<u64>,
}

impl Job {
    fn of(run: Run) -> Self {
        // Completing a part costs about a quarter of scanning it.
        let done = 4.0 * run.scanned_count as f64 + run.finished_count as f64;
        let all = 5.0 * run.total_count as f64;
        let share = match run.state {
            RunState::Queued => 0.0,
            RunState::Succeeded => 1.0,
            RunState::Running | RunState::Failed | RunState::Cancelled if all > 0.0 => {
                (done / all).min(1.0)
            }
            RunState::Running | RunState::Failed | RunState::Cancelled => 0.0,
        };
        let until = run.ended_at.unwrap_or(run.read_at);
        let seconds = run
            .started_at
            .map(|from| (until - from) as f64 / 1_000.0)
            .filter(|seconds| *seconds > 0.0);
        let is_running = run.state == RunState::Running;
        Self {
            percent: (share * 1_000.0).round() / 10.0,
            rows_per_second: seconds
                .map(|seconds| (run.scanned_count as f64 / seconds).round())
                .filter(|_| run.scanned_count > 0),
            seconds_left: seconds
                .filter(|_| is_running && share > 0.0)
                .map(|seconds| (seconds * (1.0 - share) / share).ceil() as u64),
            run,
        }
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        match self.run.state {
            RunState::Queued | RunState::Running => false,
            RunState::Succeeded | RunState::Failed | RunState::Cancelled => true,
        }
    }
}

/// Who watches a run.
pub trait RunObserver: Sync {
    /// Called when so many of all enterprises were gone through.
    fn scanned(&self, _done: u64, _total: u64) {}
    /// Called when so many of all enterprises are complete.
    fn finished(&self, _done: u64, _total: u64) {}
}

/// Watches nothing.
impl RunObserver for () {}

impl Service {
    /// Asks for a run with the files in force; an active one with these files is given back instead.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn reclassify(&self) -> Result<Job, ServiceError> {
        let current = self.current();
        let run = self.request_run(current.models.files_id(), RunCause::Demand)?;
        Ok(Job::of(run))
    }

    /// Asks for a run with the files that this process was started with.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn reclassify_with_given(&self) -> Result<Job, ServiceError> {
        let given = self.given();
        self.store.put_model_set(given.files_id(), given.files())?;
        let run = self.request_run(given.files_id(), RunCause::Demand)?;
        Ok(Job::of(run))
    }

    /// One job.
    ///
    /// # Errors
    ///
    /// When there is no such job or the store fails.
    pub fn job(&self, job_id: &str) -> Result<Job, ServiceError> {
        let run = self.store.run(job_id)?;
        run.map(Job::of)
            .ok_or_else(|| ServiceError::UnknownJob(job_id.to_owned()))
    }

    /// Jobs before number `before`, latest first.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn jobs(&self, before: Option<u64>, limit: usize) -> Result<Vec<Job>, ServiceError> {
        let runs = self.store.runs_before(before, limit)?;
        Ok(runs.into_iter().map(Job::of).collect())
    }

    /// Cancels a job; one that has ended stays as it is. What it wrote is never seen.
    ///
    /// # Errors
    ///
    /// When there is no such job or the store fails.
    pub fn cancel_job(&self, job_id: &str) -> Result<Job, ServiceError> {
        self.job(job_id)?;
        self.store.cancel_run(job_id)?;
        self.job(job_id)
    }

    /// Asks for the run of the month when the last one is older than the present month; says whether it did.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn request_monthly_run(&self) -> Result<bool, ServiceError> {
        let month = self.today().first_of_month();
        let current = self.current();
        if current.from_on >= month {
            return Ok(false);
        }
        let runs = self.store.runs_before(None, 20)?;
        let is_asked_for = runs.iter().any(|run| match run.state {
            RunState::Queued | RunState::Running => true,
            RunState::Succeeded => run.as_of >= month,
            // A run that failed or was cancelled this month is not begun again and again.
            RunState::Failed | RunState::Cancelled => {
                run.as_of >= month && run.cause == RunCause::Month
            }
        });
        if is_asked_for {
            return Ok(false);
        }
        self.request_run(current.models.files_id(), RunCause::Month)?;
        Ok(true)
    }

    /// Carries out the active run, if there is one and no other process holds it; returns when it has ended.
    ///
    /// # Errors
    ///
    /// When the store fails; the run is then continued by whoever asks next, unless it cannot succeed.
    pub fn carry_out_run(&self, observer: &dyn RunObserver) -> Result<Option<Job>, ServiceError> {
        let Some(run) = self.store.claim_run(&self.owner, millis(LEASE))? else {
            return Ok(None);
        };
        let run_id = run.run_id.clone();
        let execution = Execution {
            service: self,
            run_id: run_id.clone(),
            is_lost: AtomicBool::new(false),
            is_first: AtomicBool::new(false),
            observer,
        };
        let outcome = execution.under_lease(|| execution.execute(run));
        match outcome {
            Ok(run) => {
                tracing::info!(
                    run.id = run_id,
                    changed = run.change_count,
                    "a run has flipped"
                );
                self.refresh()?;
                Ok(Some(Job::of(run)))
            }
            // Someone cancelled it, or another process goes on with it.
            Err(ServiceError::Store(StoreError::RunLost { .. })) => {
                Ok(self.store.run(&run_id)?.map(Job::of))
            }
            // The run is continued when the store is back.
            Err(ServiceError::Store(error)) if error.is_passing() => Err(error.into()),
            Err(error) => {
                tracing::error!(run.id = run_id, %error, "a run has failed");
                self.store
                    .fail_run(&run_id, &self.owner, &error.to_string())?;
                Err(error)
            }
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A run while this process holds it.
struct Execution<'a> {
    service: &'a Service,
    run_id: String,
    is_lost: AtomicBool,
    /// Whether it is the first run of the register.
    is_first: AtomicBool,
    observer: &'a dyn RunObserver,
}

impl Execution<'_> {
    /// Renews the lease beside `work`.
    fn under_lease<T>(
        &self,
        work: impl FnOnce() -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let (ended, bell) = (Mutex::new(false), Condvar::new());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut guard = ended.lock().unwrap_or_else(PoisonError::into_inner);
                while !*guard {
                    guard = bell
                        .wait_timeout(guard, RENEWAL)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0;
                    if *guard {
                        break;
                    }
                    let service = self.service;
                    let renewed =
                        service
                            .store
                            .renew_run(&self.run_id, &service.owner, millis(LEASE));
                    // A store that does not answer is noticed by the work itself.
                    if let Ok(false) = renewed {
                        self.is_lost.store(true, Ordering::Relaxed);
                    }
                }
            });
            let done = work();
            *ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
            bell.notify_all();
            done
        })
    }

    fn lost(&self) -> ServiceError {
        StoreError::RunLost {
            run_id: self.run_id.clone(),
        }
        .into()
    }

    fn execute(&self, run: Run) -> Result<Run, ServiceError> {
        let (store, owner) = (&self.service.store, &self.service.owner);
        let models = Models::of(store.model_set(&run.files_id)?)?;
        let today = self.service.today();
        let mut run = run;
        if run.state == RunState::Queued || run.as_of != today {
            let count = store.enterprise_count()?;
            let parts = usize::try_from(count / PART + 1).unwrap_or(usize::MAX);
            let ranges = store.id_ranges(parts)?;
            run = store.begin_run(&self.run_id, owner, today, &ranges, count)?;
        }
        let is_first = store.is_first_run(&self.run_id)?;
        self.is_first.store(is_first, Ordering::Relaxed);
        let as_of = AsOf::monthly(run.as_of);
        // INVARIANT: what persons decided is read after the run has begun: whoever decides later changes enterprises that
        // the flip then takes for changed.
        let current = self.service.current();
        let assembler = Dossiers::new(store.as_ref(), &current, today).of_all()?;
        let statistics: Arc<Statistics> = match (run.phase, &run.statistics) {
            (RunPhase::Finish, Some(digest)) => Arc::new(statistics(store.as_ref(), digest)?),
            (RunPhase::Scan | RunPhase::Finish, _) => {
                let frozen = self.scan(&models.classifier, &assembler, as_of, run.total_count)?;
                let frozen = Arc::new(frozen);
                let digest = frozen.digest().to_string();
                let epoch = *models
                    .classifier
                    .with_statistics(Arc::clone(&frozen))
                    .epoch();
                let bytes = frozen.to_bytes();
                store.freeze_run(&self.run_id, owner, &epoch, Some((&digest, &bytes)))?;
                frozen
            }
        };
        let classifier = models.classifier.with_statistics(statistics);
        self.finish(&classifier, assembler.merges(), run.as_of, run.total_count)?;
        self.service.fill_before_flip(&run, classifier.epoch());
        let flipped = store.flip(&self.run_id, owner)?;
        if current.epoch() != classifier.epoch() {
            self.service.let_go(current.epoch());
        }
        Ok(flipped)
    }

    /// Scans the parts that are not scanned, and freezes the statistics of all.
    fn scan(
        &self,
        classifier: &Classifier,
        assembler: &Assembler<'_>,
        as_of: AsOf,
        total: u64,
    ) -> Result<Statistics, ServiceError> {
        let parts = self.service.store.run_parts(&self.run_id)?;
        let done = Mutex::new(0_u64);
        let builders = self.side_by_side(&parts, || StatisticsBuilder::new(as_of.day), {
            |builder, part| {
                let count = if part.is_scanned {
                    self.recount(part, builder)?
                } else {
                    self.scan_part(classifier, assembler, as_of, part, builder)?
                };
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                *done += count;
                self.observer.scanned(*done, total);
                Ok(())
            }
        })?;
        let all = builders
            .into_iter()
            .reduce(StatisticsBuilder::merge)
            .unwrap_or_else(|| StatisticsBuilder::new(as_of.day));
        Ok(all.freeze())
    }

    fn scan_part(
        &self,
        classifier: &Classifier,
        assembler: &Assembler<'_>,
        as_of: AsOf,
        part: &RunPart,
        builder: &mut StatisticsBuilder,
    ) -> Result<u64, ServiceError> {
        let store = &self.service.store;
        let live = store.live_tiers_in(&part.range)?;
        let mut live = Beside::new(&live);
        let (mut rows, mut changes) = (Vec::new(), Vec::new());
        let mut failed = None;
        store.each_dossier_in(&part.range, &mut |dossier| {
            if self.is_lost.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
            let found = match assembler.alone(dossier, as_of) {
                Ok(Some(found)) => found,
                // Its successor answers for it.
                Ok(None) => return ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
            };
            let own = found.own_half(classifier);
            builder.add(&own);
            let before = live.of(&found.enterprise.enterprise_id);
            let is_open = own.needs_register();
            let from_on = from_on(before, own.tier(), as_of.day);
            if !is_open {
                let id = &found.enterprise.enterprise_id;
                changes.extend(self.change(id, before, own.tier(), own.points()));
            }
            rows.push(RunRow {
                enterprise_id: found.enterprise.enterprise_id,
                revision: found.revision,
                tier: own.tier(),
                points: own.points(),
                next_change_on: own.next_change_on(),
                from_on,
                link: own_link_state(&own),
                is_surge: before.is_some_and(|before| before.is_surge),
                is_open,
                facts: own.to_bytes(),
            });
            ControlFlow::Continue(())
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        if self.is_lost.load(Ordering::Relaxed) {
            return Err(self.lost());
        }
        store.put_scanned(
            &self.run_id,
            &self.service.owner,
            part.part,
            &rows,
            &changes,
        )?;
        Ok(rows.len() as u64)
    }

    /// Adds the rows of a part that an earlier owner scanned to the statistics.
    fn recount(
        &self,
        part: &RunPart,
        builder: &mut StatisticsBuilder,
    ) -> Result<u64, ServiceError> {
        let (mut count, mut unreadable) = (0, None);
        self.service
            .store
            .each_facts_in(&self.run_id, &part.range, false, &mut |_, facts| {
                match Provisional::from_bytes(facts) {
                    Ok(own) => {
                        builder.add(&own);
                        count += 1;
                        ControlFlow::Continue(())
                    }
                    Err(error) => {
                        unreadable = Some(error);
                        ControlFlow::Break(())
                    }
                }
            })?;
        match unreadable {
            Some(error) => Err(ServiceError::Internal(error.to_string())),
            None => Ok(count),
        }
    }

    /// Completes the rows that the statistics or other enterprises touch.
    fn finish(
        &self,
        classifier: &Classifier,
        merges: &Lineage,
        day: Date,
        total: u64,
    ) -> Result<(), ServiceError> {
        let parts = self.service.store.run_parts(&self.run_id)?;
        let each = total / parts.len().max(1) as u64;
        let done = AtomicUsize::new(0);
        self.side_by_side(
            &parts,
            || (),
            |(), part| {
                if !part.is_finished {
                    self.finish_part(classifier, merges, day, part)?;
                }
                let done = done.fetch_add(1, Ordering::Relaxed) as u64 + 1;
                self.observer.finished((done * each).min(total), total);
                Ok(())
            },
        )?;
        Ok(())
    }

    fn finish_part(
        &self,
        classifier: &Classifier,
        merges: &Lineage,
        day: Date,
        part: &RunPart,
    ) -> Result<(), ServiceError> {
        let store = &self.service.store;
        let mut open: Vec<(EnterpriseId, Provisional)> = Vec::new();
        let mut unreadable = None;
        store.each_facts_in(&self.run_id, &part.range, true, &mut |id, facts| {
            match Provisional::from_bytes(facts) {
                Ok(own) => {
                    open.push((id.clone(), own));
                    ControlFlow::Continue(())
                }
                Err(error) => {
                    unreadable = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        if let Some(error) = unreadable {
            return Err(ServiceError::Internal(error.to_string()));
        }
        let others = self.others(classifier, merges, day, &open)?;
        let live = store.live_tiers_in(&part.range)?;
        let mut live = Beside::new(&live);
        let (mut rows, mut changes) = (Vec::with_capacity(open.len()), Vec::new());
        for (id, own) in open {
            let linked: Vec<LinkedEnterprise> = own
                .links()
                .filter_map(|link| others.get(link))
                // A link to an id that was merged into the enterprise itself is no link to another.
                .filter(|(of, _)| *of != id)
                .map(|(_, adds)| adds.clone())
                .collect();
            let settled = classifier.finish(&own, &linked);
            let before = live.of(&id);
            changes.extend(self.change(&id, before, settled.tier, settled.points));
            rows.push(FinishedRow {
                tier: settled.tier,
                points: settled.points,
                next_change_on: settled.next_change_on,
                from_on: from_on(before, settled.tier, day),
                link: link_state(&classifier.as_linked(id.clone(), &own)),
                enterprise_id: id,
            });
        }
        if self.is_lost.load(Ordering::Relaxed) {
            return Err(self.lost());
        }
        store.put_finished(
            &self.run_id,
            &self.service.owner,
            part.part,
            &rows,
            &changes,
        )?;
        Ok(())
    }

    /// What the run changes about an enterprise.
    fn change(
        &self,
        id: &EnterpriseId,
        before: Option<&LiveTier>,
        tier: Tier,
        points: u16,
    ) -> Option<RunChange> {
        let is_told = match before {
            Some(before) => before.tier != tier,
            // The first run tells of all tiers at once.
            None => !self.is_first.load(Ordering::Relaxed),
        };
        is_told.then(|| RunChange {
            enterprise_id: id.clone(),
            before: before.map(|before| (before.tier, before.points, before.from_on)),
            tier,
            points,
        })
    }

    /// What the other ends of links add, by the ids that the links name, with the enterprises that answer for those.
    fn others(
        &self,
        classifier: &Classifier,
        merges: &Lineage,
        day: Date,
        open: &[(EnterpriseId, Provisional)],
    ) -> Result<BTreeMap<EnterpriseId, (EnterpriseId, LinkedEnterprise)>, ServiceError> {
        let named: BTreeSet<&EnterpriseId> = open.iter().flat_map(|(_, own)| own.links()).collect();
        let mut named_by: BTreeMap<EnterpriseId, Vec<&EnterpriseId>> = BTreeMap::new();
        for name in named {
            let of = merges
                .successor_on(name, day)
                .unwrap_or_else(|| name.clone());
            named_by.entry(of).or_default().push(name);
        }
        let ids: Vec<EnterpriseId> = named_by.keys().cloned().collect();
        let mut others = BTreeMap::new();
        for some in ids.chunks(LOOKED_UP) {
            for (id, facts) in self.service.store.run_facts_of(&self.run_id, some)? {
                let own = Provisional::from_bytes(&facts)
                    .map_err(|error| ServiceError::Internal(error.to_string()))?;
                for name in named_by.get(&id).into_iter().flatten() {
                    let adds = classifier.as_linked((*name).clone(), &own);
                    others.insert((*name).clone(), (id.clone(), adds));
                }
            }
        }
        Ok(others)
    }

    /// Works on the parts with one thread per core; the first error ends all.
    fn side_by_side<S: Send>(
        &self,
        parts: &[RunPart],
        state: impl Fn() -> S + Sync,
        work: impl Fn(&mut S, &RunPart) -> Result<(), ServiceError> + Sync,
    ) -> Result<Vec<S>, ServiceError> {
        let threads = std::thread::available_parallelism()
            .map_or(1, NonZeroUsize::get)
            .min(parts.len().max(1));
        let next = AtomicUsize::new(0);
        let has_failed = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|_| {
                    scope.spawn(|| {
                        let mut state = state();
                        while !has_failed.load(Ordering::Relaxed) {
                            let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) else {
                                break;
                            };
                            if let Err(error) = work(&mut state, part) {
                                has_failed.store(true, Ordering::Relaxed);
                                return Err(error);
                            }
                        }
                        Ok(state)
                    })
                })
                .collect();
            workers
                .into_iter()
                .map(|worker| {
                    worker.join().unwrap_or_else(|_| {
                        Err(ServiceError::Internal(
                            "a thread of the run ended early".into(),
                        ))
                    })
                })
                .collect()
        })
    }
}

/// The live tiers of a range, walked beside its enterprises.
struct Beside<'a> {
    rest: &'a [LiveTier],
}

impl<'a> Beside<'a> {
    fn new(rest: &'a [LiveTier]) -> Self {
        Self { rest }
    }

    /// The live tier of an enterprise; ids must be asked for in order.
    fn of(&mut self, id: &EnterpriseId) -> Option<&'a LiveTier> {
        while let Some((first, rest)) = self.rest.split_first() {
            if first.enterprise_id > *id {
                return None;
            }
            self.rest = rest;
            if first.enterprise_id == *id {
                return Some(first);
            }
        }
        None
    }
}

fn from_on(before: Option<&LiveTier>, tier: Tier, day: Date) -> Date {
    match before {
        Some(before) if before.tier == tier => before.from_on,
        Some(_) | None => day,
    }
}
