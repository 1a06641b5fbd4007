//! A run while this process holds it: the whole register reclassified, then the flip.
//!
//! A run goes through the register once, on all cores, in parts. What an enterprise's own files say, its own half, is
//! noted part by part; then the statistics are frozen, what linked enterprises add is looked up, and the rows are written
//! whole into the slot that is not live, which becomes live in one transaction. Every part is durable by itself: after a
//! crash the next owner goes on with the parts that are missing, and gets to the same bytes.

use jiff::civil::Date;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::dossiers::{Assembler, Dossiers};
use super::in_force::statistics;
use super::lineage::Lineage;
use super::runs::RunObserver;
use super::scanned::{ScannedPart, ScannedRow};
use super::settle::{link_state, linked_enterprise, own_link_state};
use super::{Models, Service, ServiceError};
use crate::domain::{AsOf, EnterpriseId, Tier};
use crate::model::{Classifier, LinkedEnterprise, Provisional, Statistics, StatisticsBuilder};
use crate::store::{
    LinkState, LiveTier, Run, RunChange, RunPart, RunPhase, RunRow, RunState, StoreError,
};

/// Enterprises in one part; its rows are in memory while it is written.
const PART: u64 = 25_000;
/// How long an owner that does not answer keeps a run.
pub(super) const LEASE: Duration = Duration::from_secs(10);
/// How often the lease is renewed.
const RENEWAL: Duration = Duration::from_secs(3);

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A run while this process holds it.
pub(super) struct Execution<'a> {
    service: &'a Service,
    run_id: String,
    is_lost: AtomicBool,
    /// Whether it is the first run of the register.
    is_first: AtomicBool,
    observer: &'a dyn RunObserver,
}

/// What the scan of some parts has found.
struct Seen {
    statistics: StatisticsBuilder,
    /// The enterprises that answer for what links and owners name.
    named: Vec<EnterpriseId>,
}

/// What the other ends of links add, in order of their ids.
type Others = Vec<(EnterpriseId, LinkState)>;

impl<'a> Execution<'a> {
    pub(super) fn new(service: &'a Service, run_id: &str, observer: &'a dyn RunObserver) -> Self {
        Self {
            service,
            run_id: run_id.to_owned(),
            is_lost: AtomicBool::new(false),
            is_first: AtomicBool::new(false),
            observer,
        }
    }

    /// Renews the lease beside `work`.
    pub(super) fn under_lease<T>(
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

    /// Fails when the run is not ours any more.
    fn still_ours(&self) -> Result<(), ServiceError> {
        if self.is_lost.load(Ordering::Relaxed) {
            Err(self.lost())
        } else {
            Ok(())
        }
    }

    /// Carries the run to its flip.
    pub(super) fn execute(&self, run: Run) -> Result<Run, ServiceError> {
        let (store, owner) = (&self.service.store, &self.service.owner);
        let models = Models::of(store.model_set(&run.files_id)?)?;
        let today = self.service.today();
        let mut run = run;
        if run.state == RunState::Queued
            || run.as_of != today
            || store.lacks_scanned(&self.run_id)?
        {
            let (ranges, count) = store.parts_of(PART)?;
            run = store.begin_run(&self.run_id, owner, today, &ranges, count)?;
        }
        let is_first = store.is_first_run(&self.run_id)?;
        self.is_first.store(is_first, Ordering::Relaxed);
        let as_of = AsOf::monthly(run.as_of);
        // INVARIANT: what persons decided is read after the run has begun: whoever decides later changes enterprises that
        // the flip then takes for changed.
        let current = self.service.current();
        let assembler = Dossiers::new(store.as_ref(), &current, today).of_all()?;
        let Seen {
            statistics: counted,
            named,
        } = self.scan(&models.classifier, &assembler, as_of, run.total_count)?;
        let statistics: Arc<Statistics> = match (run.phase, &run.statistics) {
            (RunPhase::Finish, Some(digest)) => Arc::new(statistics(store.as_ref(), digest)?),
            (RunPhase::Scan | RunPhase::Finish, _) => {
                let frozen = Arc::new(counted.freeze());
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
        let others = self.others(&classifier, &named)?;
        let finish = Finish {
            execution: self,
            classifier: &classifier,
            others: &others,
            merges: assembler.merges(),
            day: run.as_of,
        };
        finish.all(run.total_count)?;
        self.service.fill_before_flip(&run, classifier.epoch());
        let flipped = store.flip(&self.run_id, owner)?;
        if current.epoch() != classifier.epoch() {
            self.service.let_go(current.epoch());
        }
        Ok(flipped)
    }

    fn scanned(&self, part: &RunPart) -> Result<Vec<u8>, ServiceError> {
        let body = self.service.store.scanned(&self.run_id, part.part)?;
        body.ok_or_else(|| self.lost())
    }

    /// Scans the parts that are not scanned, and sees what all of them say together.
    fn scan(
        &self,
        classifier: &Classifier,
        assembler: &Assembler<'_>,
        as_of: AsOf,
        total: u64,
    ) -> Result<Seen, ServiceError> {
        let parts = self.service.store.run_parts(&self.run_id)?;
        let done = Mutex::new(0_u64);
        let nothing = || Seen {
            statistics: StatisticsBuilder::new(as_of.day),
            named: Vec::new(),
        };
        let seen = self.side_by_side(&parts, nothing, |seen, part| {
            let count = if part.is_scanned {
                self.recount(part, assembler, as_of.day, seen)?
            } else {
                self.scan_part(classifier, assembler, as_of, part, seen)?
            };
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            *done += count;
            self.observer.scanned(*done, total);
            Ok(())
        })?;
        let mut all = seen
            .into_iter()
            .reduce(|mut all, mut more| {
                all.statistics = all.statistics.merge(more.statistics);
                all.named.append(&mut more.named);
                all
            })
            .unwrap_or_else(nothing);
        all.named.sort_unstable();
        all.named.dedup();
        Ok(all)
    }

    fn scan_part(
        &self,
        classifier: &Classifier,
        assembler: &Assembler<'_>,
        as_of: AsOf,
        part: &RunPart,
        seen: &mut Seen,
    ) -> Result<u64, ServiceError> {
        let store = &self.service.store;
        let mut noted = ScannedPart::new();
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
            seen.take(&own, assembler.merges(), as_of.day);
            noted.add(&found.enterprise.enterprise_id, found.revision, &own);
            ControlFlow::Continue(())
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        self.still_ours()?;
        let count = noted.row_count();
        let (owner, body) = (&self.service.owner, noted.into_bytes());
        store.put_scanned(&self.run_id, owner, part.part, count, &body)?;
        Ok(count)
    }

    /// Sees again what an earlier owner scanned.
    fn recount(
        &self,
        part: &RunPart,
        assembler: &Assembler<'_>,
        day: Date,
        seen: &mut Seen,
    ) -> Result<u64, ServiceError> {
        let mut count = 0;
        ScannedPart::read(
            &self.scanned(part)?,
            |_| true,
            |row| {
                seen.take(&row.own, assembler.merges(), day);
                count += 1;
            },
        )?;
        Ok(count)
    }

    /// What the named enterprises add to those whose links or owner name them, as far as they are in the register.
    fn others(
        &self,
        classifier: &Classifier,
        named: &[EnterpriseId],
    ) -> Result<Others, ServiceError> {
        let parts = self.service.store.run_parts(&self.run_id)?;
        let found = self.side_by_side(&parts, Vec::new, |found, part| {
            let mut named = within(named, part).iter().peekable();
            if named.peek().is_none() {
                return Ok(());
            }
            self.still_ours()?;
            ScannedPart::read(
                &self.scanned(part)?,
                // Both are in order of ids.
                |id| {
                    while named.next_if(|name| name.as_str() < id).is_some() {}
                    named.peek().is_some_and(|name| name.as_str() == id)
                },
                |row| {
                    let adds = classifier.as_linked(row.enterprise_id.clone(), &row.own);
                    found.push((row.enterprise_id, link_state(&adds)));
                },
            )
        })?;
        let mut others: Others = found.into_iter().flatten().collect();
        others.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Ok(others)
    }

    /// Works on the parts with one thread more than there are cores, because one of them mostly waits for the disk; the
    /// first error ends all.
    fn side_by_side<S: Send>(
        &self,
        parts: &[RunPart],
        state: impl Fn() -> S + Sync,
        work: impl Fn(&mut S, &RunPart) -> Result<(), ServiceError> + Sync,
    ) -> Result<Vec<S>, ServiceError> {
        let threads = std::thread::available_parallelism()
            .map_or(1, NonZeroUsize::get)
            .saturating_add(1)
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

impl Seen {
    fn take(&mut self, own: &Provisional, merges: &Lineage, day: Date) {
        self.statistics.add(own);
        let named = own.links();
        self.named
            .extend(named.map(|name| answering(name, merges, day)));
    }
}

/// The enterprise that answers for an id.
fn answering(name: &EnterpriseId, merges: &Lineage, day: Date) -> EnterpriseId {
    merges
        .successor_on(name, day)
        .unwrap_or_else(|| name.clone())
}

/// Those of the sorted ids that lie in the range of a part.
fn within<'i>(ids: &'i [EnterpriseId], part: &RunPart) -> &'i [EnterpriseId] {
    let end = |bound: &Option<String>, otherwise: usize| {
        bound.as_deref().map_or(otherwise, |bound| {
            ids.partition_point(|id| id.as_str() <= bound)
        })
    };
    let (from, until) = (end(&part.range.after, 0), end(&part.range.until, ids.len()));
    ids.get(from..until).unwrap_or_default()
}

/// The last step of a run before the flip: rows with the statistics and with what other enterprises add.
struct Finish<'a> {
    execution: &'a Execution<'a>,
    classifier: &'a Classifier,
    others: &'a Others,
    merges: &'a Lineage,
    day: Date,
}

impl Finish<'_> {
    /// Writes the parts that are not written.
    fn all(&self, total: u64) -> Result<(), ServiceError> {
        let execution = self.execution;
        let parts = execution.service.store.run_parts(&execution.run_id)?;
        let each = total / parts.len().max(1) as u64;
        let done = AtomicU64::new(0);
        execution.side_by_side(
            &parts,
            || (),
            |(), part| {
                if !part.is_finished {
                    self.part(part)?;
                }
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                execution.observer.finished((done * each).min(total), total);
                Ok(())
            },
        )?;
        Ok(())
    }

    fn part(&self, part: &RunPart) -> Result<(), ServiceError> {
        let (execution, store) = (self.execution, &self.execution.service.store);
        let body = execution.scanned(part)?;
        let live = store.live_tiers_in(&part.range)?;
        let mut live = Beside::new(&live);
        let (mut rows, mut changes) = (Vec::new(), Vec::new());
        ScannedPart::read(
            &body,
            |_| true,
            |scanned| {
                let before = live.of(&scanned.enterprise_id);
                let row = self.row(scanned, before);
                changes.extend(self.change(&row, before));
                rows.push(row);
            },
        )?;
        execution.still_ours()?;
        store.put_finished(
            &execution.run_id,
            &execution.service.owner,
            part.part,
            &rows,
            &changes,
        )?;
        Ok(())
    }

    fn row(&self, scanned: ScannedRow, before: Option<&LiveTier>) -> RunRow {
        let ScannedRow {
            enterprise_id,
            revision,
            own,
        } = scanned;
        let (tier, points, next_change_on, link) = if own.needs_register() {
            let settled = self
                .classifier
                .finish(&own, &self.linked(&enterprise_id, &own));
            let adds = self.classifier.as_linked(enterprise_id.clone(), &own);
            let link = link_state(&adds);
            (settled.tier, settled.points, settled.next_change_on, link)
        } else {
            let link = own_link_state(&own);
            (own.tier(), own.points(), own.next_change_on(), link)
        };
        RunRow {
            revision,
            tier,
            points,
            next_change_on,
            from_on: from_on(before, tier, self.day),
            link,
            is_surge: before.is_some_and(|before| before.is_surge),
            enterprise_id,
        }
    }

    /// What the run changes about an enterprise.
    fn change(&self, row: &RunRow, before: Option<&LiveTier>) -> Option<RunChange> {
        let is_told = match before {
            Some(before) => before.tier != row.tier,
            // The first run tells of all tiers at once.
            None => !self.execution.is_first.load(Ordering::Relaxed),
        };
        is_told.then(|| RunChange {
            enterprise_id: row.enterprise_id.clone(),
            before: before.map(|before| (before.tier, before.points, before.from_on)),
            tier: row.tier,
            points: row.points,
        })
    }

    /// The enterprises that the links and the owner of `id` name, under the ids by which they are named.
    fn linked(&self, id: &EnterpriseId, own: &Provisional) -> Vec<LinkedEnterprise> {
        own.links()
            .filter_map(|name| {
                let of = answering(name, self.merges, self.day);
                // A link to an id that was merged into the enterprise itself is no link to another.
                if of == *id {
                    return None;
                }
                let place = self.others.binary_search_by(|(other, _)| other.cmp(&of));
                let (_, state) = self.others.get(place.ok()?)?;
                Some(linked_enterprise(name.clone(), *state))
            })
            .collect()
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
