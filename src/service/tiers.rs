//! Tiers: read through the cache, explained, computed for what is not stored.

use async_trait::async_trait;
use jiff::civil::Date;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::dossiers::{Assembled, Dossiers, Life};
use super::in_force::{Current, FilesOfDay};
use super::settle::settle;
use super::{Service, ServiceError, off_thread};
use crate::cache::{BoxError, CacheError, CachedTier, ChangeLog, Lookup, TierChange, catch_up};
use crate::domain::{AsOf, Enterprise, EnterpriseId, Epoch, Record, Tier, carry_amendments};
use crate::model::{Case, Classification};
use crate::store::{Changed, NewTier, Store, StoreError, StoredTier};

/// How often old changes are removed from the log.
const SHORTEN_INTERVAL: Duration = Duration::from_secs(60);
/// How often a cache is brought to the end of the log of changes.
const CATCH_UP_INTERVAL: Duration = Duration::from_millis(500);

/// The tier of one enterprise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierAnswer {
    /// The enterprise.
    pub enterprise_id: EnterpriseId,
    /// Its tier.
    pub tier: Tier,
    /// The points behind it.
    pub points: u16,
    /// The day it was computed for; it holds from then until `next_change_on`.
    pub as_of: Date,
    /// The first day on which it may differ though no record arrives.
    pub next_change_on: Option<Date>,
    /// The enterprise's revision that it was computed from.
    pub revision: u64,
    /// Which model files gave it.
    pub epoch: Epoch,
    /// The enterprise that answers for this id, if it is merged into another.
    pub merged_into: Option<EnterpriseId>,
    /// Where the answer came from.
    pub origin: Origin,
}

/// Where a tier came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The tier cache.
    Cache,
    /// The store.
    Store,
    /// It was computed for this answer.
    Computed,
}

/// A tier with every reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The enterprise as it was asked for.
    pub enterprise_id: EnterpriseId,
    /// The tier and its reasons.
    pub classification: Classification,
    /// Which model files gave it.
    pub epoch: Epoch,
    /// The files and statistics that it rests on, and since when they are in force.
    pub files: FilesOfDay,
    /// Name and version of the scorecard.
    pub scorecard: String,
    /// Name and version of the policy.
    pub policy: String,
    /// What persons decided about the enterprise, as far as it concerns the day.
    pub life: Life,
    /// The revision that it was computed from; 0 for what is not stored.
    pub revision: u64,
}

/// How often one answer is begun anew because other files came into force while it was made.
const BEGINNINGS: usize = 5;

impl Service {
    /// The tier of one enterprise on the present day: cache → store → compute → store → cache.
    ///
    /// # Errors
    ///
    /// When the enterprise is unknown or the store fails. A cache that is away is no error.
    pub async fn tier(&self, id: &EnterpriseId) -> Result<TierAnswer, ServiceError> {
        let epoch = *self.current().epoch();
        let today = self.today();
        if let Lookup::Hit(cached) = self.cache.get(&epoch, id, today).await {
            return Ok(answer(id.clone(), epoch, cached, Origin::Cache));
        }
        let found = self.tiers(std::slice::from_ref(id)).await?;
        found
            .into_iter()
            .next()
            .flatten()
            .ok_or_else(|| ServiceError::UnknownEnterprise(id.clone()))
    }

    /// The tiers of many enterprises in the order of `ids`; `None` for unknown ones. All are of one epoch.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn tiers(
        &self,
        ids: &[EnterpriseId],
    ) -> Result<Vec<Option<TierAnswer>>, ServiceError> {
        for _ in 0..BEGINNINGS {
            if let Some(answers) = self.tiers_under(self.current(), ids).await? {
                return Ok(answers);
            }
            let (store, following) = (Arc::clone(&self.store), Arc::clone(&self.following));
            off_thread(move || following.refresh(store.as_ref())).await?;
        }
        Err(ServiceError::Internal(
            "other model files came into force again and again".to_owned(),
        ))
    }

    /// As [`Service::tiers`] under one epoch; `None` when the store has gone on to another one.
    async fn tiers_under(
        &self,
        current: Arc<Current>,
        ids: &[EnterpriseId],
    ) -> Result<Option<Vec<Option<TierAnswer>>>, ServiceError> {
        let epoch = *current.epoch();
        let lookups = self.cache.get_many(&epoch, ids, self.today()).await;
        let mut answers = Vec::with_capacity(ids.len());
        let mut missed = Vec::new();
        for (id, lookup) in ids.iter().zip(lookups) {
            match lookup {
                Lookup::Hit(cached) => {
                    answers.push(Some(answer(id.clone(), epoch, cached, Origin::Cache)))
                }
                Lookup::Miss(_) => {
                    missed.push(id.clone());
                    answers.push(None);
                }
            }
        }
        if missed.is_empty() {
            return Ok(Some(answers));
        }
        let Some(found) = self.tiers_from_store(current, missed).await? else {
            return Ok(None);
        };
        let mut found = found.into_iter();
        // A missing answer is a cache miss, so the store's answers fill the gaps in order.
        for slot in answers.iter_mut().filter(|slot| slot.is_none()) {
            *slot = found.next().flatten();
        }
        Ok(Some(answers))
    }

    /// Reads tiers from the store, computes what is outdated, keeps it, and hands it to the cache.
    async fn tiers_from_store(
        &self,
        current: Arc<Current>,
        ids: Vec<EnterpriseId>,
    ) -> Result<Option<Vec<Option<TierAnswer>>>, ServiceError> {
        let epoch = *current.epoch();
        // The ticket comes before the read: it names what the cache knew when the read began.
        let ticket = self.cache.ticket(&epoch);
        let today = AsOf::monthly(self.today());
        let store = Arc::clone(&self.store);
        let brought = off_thread(move || {
            bring_up(
                &Dossiers::new(store.as_ref(), &current, today.day),
                today,
                &ids,
            )
        })
        .await?;
        let Some(brought) = brought else {
            return Ok(None);
        };
        self.invalidate(&brought.touched).await;
        let answers = brought.answers;
        if let Some(ticket) = ticket {
            let entries: Vec<(EnterpriseId, CachedTier)> = answers
                .iter()
                .flatten()
                .map(|answer| {
                    let TierAnswer {
                        tier,
                        points,
                        revision,
                        as_of,
                        next_change_on,
                        ..
                    } = *answer;
                    // Nothing is cached under a merged id: it would not follow its successor.
                    let id = answer.merged_into.as_ref().unwrap_or(&answer.enterprise_id);
                    (
                        id.clone(),
                        CachedTier {
                            tier,
                            points,
                            revision,
                            as_of,
                            next_change_on,
                        },
                    )
                })
                .collect();
            self.cache.put_many(&ticket, &entries).await;
        }
        Ok(Some(answers))
    }

    /// The tier of one enterprise with every reason, as of `day` (default: the present day). A past day is seen with the
    /// files and statistics that were in force then.
    ///
    /// # Errors
    ///
    /// When the enterprise is unknown or the store fails.
    pub fn explain(
        &self,
        id: &EnterpriseId,
        day: Option<Date>,
    ) -> Result<Explanation, ServiceError> {
        let day = day.unwrap_or_else(|| self.today());
        let current = self.in_force_on(day)?;
        self.explain_on(&current, id, day)
    }

    /// As [`Service::explain`], under files and statistics of the caller's choice.
    ///
    /// # Errors
    ///
    /// When the enterprise is unknown or the store fails.
    pub fn explain_under(
        &self,
        current: &Current,
        id: &EnterpriseId,
        day: Option<Date>,
    ) -> Result<Explanation, ServiceError> {
        self.explain_on(current, id, day.unwrap_or_else(|| self.today()))
    }

    fn explain_on(
        &self,
        current: &Current,
        id: &EnterpriseId,
        day: Date,
    ) -> Result<Explanation, ServiceError> {
        let found = Dossiers::new(self.store.as_ref(), current, self.today())
            .find(id, AsOf::monthly(day))?
            .ok_or_else(|| ServiceError::UnknownEnterprise(id.clone()))?;
        let classification = found.explain(current);
        Ok(Explanation {
            life: found.life,
            revision: found.revision,
            ..explanation(&found.enterprise, id, classification, current)
        })
    }

    /// The tier of what is given, with every reason; nothing is stored.
    pub fn explain_given(
        &self,
        enterprise: &Enterprise,
        versions: &[Record],
        day: Option<Date>,
    ) -> Explanation {
        let as_of = AsOf::monthly(day.unwrap_or_else(|| self.today()));
        let current = self.current();
        let mut versions = versions.to_vec();
        versions.sort_by(|a, b| {
            (&a.source, &a.record_id, a.known_on).cmp(&(&b.source, &b.record_id, b.known_on))
        });
        carry_amendments(&mut versions);
        let classifier = &current.models.classifier;
        let classification = classifier.explain(&Case::of(enterprise, &versions), as_of);
        explanation(
            enterprise,
            &enterprise.enterprise_id,
            classification,
            &current,
        )
    }

    /// Classifies the whole register as of `as_of`, in id order, with what was in force on that day. Enterprises founded
    /// later are left out, and ids that are merged into others.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn classify_register(
        &self,
        as_of: AsOf,
        visit: &mut dyn FnMut(&Enterprise, &[Record], &Classification),
    ) -> Result<(), ServiceError> {
        let current = self.in_force_on(as_of.day)?;
        self.classify_under(&current, as_of, visit)
    }

    /// As [`Service::classify_register`] under files and statistics of the caller's choice.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn classify_under(
        &self,
        current: &Current,
        as_of: AsOf,
        visit: &mut dyn FnMut(&Enterprise, &[Record], &Classification),
    ) -> Result<(), ServiceError> {
        self.each_assembled(current, as_of, &mut |found| {
            let classification = found.classify(current);
            visit(&found.enterprise, &found.versions, &classification);
        })
    }

    /// Goes through the register as of `as_of` in id order: what was founded by then and stands for itself.
    pub(super) fn each_assembled(
        &self,
        current: &Current,
        as_of: AsOf,
        visit: &mut dyn FnMut(Assembled),
    ) -> Result<(), ServiceError> {
        let assembler = Dossiers::new(self.store.as_ref(), current, self.today()).of_all()?;
        let mut failed = None;
        self.store.each_dossier(&mut |dossier| {
            let founded = dossier
                .enterprise
                .established_on
                .is_none_or(|established| established <= as_of.day);
            if failed.is_some() || !founded {
                return;
            }
            match assembler.assemble(dossier, as_of) {
                Ok(Some(found)) => visit(found),
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// Brings the cache to the end of the log of changes, again and again; runs beside a server until it is dropped.
    pub async fn follow_changes(&self) {
        let mut away = false;
        let mut shortened = None::<Instant>;
        loop {
            if shortened.is_none_or(|last| last.elapsed() >= SHORTEN_INTERVAL) {
                self.shorten_log().await;
                shortened = Some(Instant::now());
            }
            match self.catch_up().await {
                Ok(()) if away => {
                    tracing::info!("the tier cache has caught up");
                    away = false;
                }
                Ok(()) => {}
                Err(error) if !away => {
                    tracing::warn!(%error, "the tier cache cannot be caught up; tiers are read from the store");
                    away = true;
                }
                Err(_) => {}
            }
            tokio::time::sleep(CATCH_UP_INTERVAL).await;
        }
    }

    /// Brings the cache to the end of the log of changes once.
    ///
    /// # Errors
    ///
    /// When cache or log cannot be read.
    pub async fn catch_up(&self) -> Result<(), CacheError> {
        let (store, following) = (Arc::clone(&self.store), Arc::clone(&self.following));
        off_thread(move || following.refresh(store.as_ref()))
            .await
            .map_err(|error| CacheError::Log(error.to_string()))?;
        let log = StoreLog(Arc::clone(&self.store));
        catch_up(self.cache.as_ref(), self.current().epoch(), &log)
            .await
            .map(|_| ())
    }
}

/// What [`bring_up`] did.
pub(super) struct BroughtUp {
    /// In the order of the ids; `None` for unknown enterprises.
    pub(super) answers: Vec<Option<TierAnswer>>,
    /// Enterprises at the other end of links that are to be computed anew.
    pub(super) touched: Vec<Changed>,
}

/// Reads tiers from the store, computes what is outdated and keeps it. `None` when another epoch is in force.
pub(super) fn bring_up(
    dossiers: &Dossiers<'_>,
    today: AsOf,
    ids: &[EnterpriseId],
) -> Result<Option<BroughtUp>, ServiceError> {
    let (store, current) = (dossiers.store(), dossiers.current());
    let epoch = *current.epoch();
    let mut answers = Vec::with_capacity(ids.len());
    let mut computed: Vec<NewTier> = Vec::new();
    for id in ids {
        let Some(row) = store.tier(id)? else {
            answers.push(None);
            continue;
        };
        if row.epoch != Some(epoch) {
            return Ok(None);
        }
        let stands = row.stored.filter(|stored| {
            stored.revision == row.revision
                && stored.as_of <= today.day
                && stored
                    .next_change_on
                    .is_none_or(|change| today.day < change)
        });
        if let Some(stored) = stands {
            answers.push(Some(answer(
                id.clone(),
                epoch,
                cached(&stored),
                Origin::Store,
            )));
            continue;
        }
        let Some(found) = dossiers.find(id, today)? else {
            answers.push(None);
            continue;
        };
        let new = settle(current, &found);
        answers.push(Some(TierAnswer {
            merged_into: found.life.merged_into,
            ..answer(id.clone(), epoch, cached(&new.tier), Origin::Computed)
        }));
        computed.push(new);
    }
    let kept = store.put_tiers(&epoch, &computed);
    let touched = match kept {
        Ok(kept) if kept.is_live || computed.is_empty() => kept.touched,
        Ok(_) => return Ok(None),
        Err(error) => {
            // The answers are right all the same; the next read computes them again.
            tracing::warn!(%error, "computed tiers could not be kept");
            Vec::new()
        }
    };
    Ok(Some(BroughtUp { answers, touched }))
}

/// An explanation with the names of the files behind it.
fn explanation(
    enterprise: &Enterprise,
    id: &EnterpriseId,
    classification: Classification,
    current: &Current,
) -> Explanation {
    let classifier = &current.models.classifier;
    let scorecard = classifier.scorecard_of(enterprise.kind);
    Explanation {
        enterprise_id: id.clone(),
        files: current.of_day(classification.as_of.day),
        classification,
        epoch: *classifier.epoch(),
        scorecard: format!("{}/{}", scorecard.name, scorecard.version),
        policy: current.models.policy_name.clone(),
        life: Life::default(),
        revision: 0,
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

fn answer(
    enterprise_id: EnterpriseId,
    epoch: Epoch,
    cached: CachedTier,
    origin: Origin,
) -> TierAnswer {
    let CachedTier {
        tier,
        points,
        revision,
        as_of,
        next_change_on,
    } = cached;
    TierAnswer {
        enterprise_id,
        tier,
        points,
        as_of,
        next_change_on,
        revision,
        epoch,
        merged_into: None,
        origin,
    }
}

fn cached(stored: &StoredTier) -> CachedTier {
    let StoredTier {
        revision,
        tier,
        points,
        as_of,
        next_change_on,
    } = *stored;
    CachedTier {
        tier,
        points,
        revision,
        as_of,
        next_change_on,
    }
}
