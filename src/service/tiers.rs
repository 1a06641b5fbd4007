//! Tiers: read through the cache, explained, computed for what is not stored.

use async_trait::async_trait;
use jiff::civil::Date;
use std::sync::Arc;
use std::time::Duration;

use super::{Service, ServiceError, off_thread};
use crate::cache::{BoxError, CachedTier, ChangeLog, Lookup, TierChange, catch_up};
use crate::domain::{AsOf, Enterprise, EnterpriseId, Epoch, Record, Tier, carry_amendments};
use crate::model::{Case, Classification};
use crate::store::{Store, StoredTier};

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
    /// The enterprise.
    pub enterprise_id: EnterpriseId,
    /// The tier and its reasons.
    pub classification: Classification,
    /// Which model files gave it.
    pub epoch: Epoch,
    /// Name and version of the scorecard.
    pub scorecard: String,
    /// Name and version of the policy.
    pub policy: String,
}

impl Service {
    /// The tier of one enterprise on the present day: cache → store → compute → store → cache.
    ///
    /// # Errors
    ///
    /// When the enterprise is unknown or the store fails. A cache that is away is no error.
    pub async fn tier(&self, id: &EnterpriseId) -> Result<TierAnswer, ServiceError> {
        let epoch = *self.models.classifier.epoch();
        let today = self.today();
        if let Lookup::Hit(cached) = self.cache.get(&epoch, id, today).await {
            return Ok(answer(id.clone(), epoch, cached, Origin::Cache));
        }
        let found = self.tiers_from_store(vec![id.clone()]).await?;
        found
            .into_iter()
            .next()
            .flatten()
            .ok_or_else(|| ServiceError::UnknownEnterprise(id.clone()))
    }

    /// The tiers of many enterprises in the order of `ids`; `None` for unknown ones.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn tiers(
        &self,
        ids: &[EnterpriseId],
    ) -> Result<Vec<Option<TierAnswer>>, ServiceError> {
        let epoch = *self.models.classifier.epoch();
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
            return Ok(answers);
        }
        let mut found = self.tiers_from_store(missed).await?.into_iter();
        // A missing answer is a cache miss, so the store's answers fill the gaps in order.
        for slot in answers.iter_mut().filter(|slot| slot.is_none()) {
            *slot = found.next().flatten();
        }
        Ok(answers)
    }

    /// Reads tiers from the store, computes what is outdated, keeps it, and hands it to the cache.
    async fn tiers_from_store(
        &self,
        ids: Vec<EnterpriseId>,
    ) -> Result<Vec<Option<TierAnswer>>, ServiceError> {
        let epoch = *self.models.classifier.epoch();
        // The ticket comes before the read: it names what the cache knew when the read began.
        let ticket = self.cache.ticket(&epoch);
        let today = AsOf::monthly(self.today());
        let (store, models) = (Arc::clone(&self.store), Arc::clone(&self.models));
        let answers = off_thread(move || {
            let mut answers = Vec::with_capacity(ids.len());
            let mut computed = Vec::new();
            for id in ids {
                let Some(row) = store.tier(&id)? else {
                    answers.push(None);
                    continue;
                };
                let current = row.stored.filter(|(of, stored)| {
                    *of == epoch
                        && stored.revision == row.revision
                        && stored.as_of <= today.day
                        && stored
                            .next_change_on
                            .is_none_or(|change| today.day < change)
                });
                if let Some((_, stored)) = current {
                    answers.push(Some(answer(id, epoch, cached(&stored), Origin::Store)));
                    continue;
                }
                let Some(dossier) = store.dossier(&id)? else {
                    answers.push(None);
                    continue;
                };
                let classification = models
                    .classifier
                    .classify(&Case::of(&dossier.enterprise, &dossier.versions), today);
                let stored = stored_tier(&classification, dossier.revision);
                computed.push((id.clone(), stored));
                answers.push(Some(answer(id, epoch, cached(&stored), Origin::Computed)));
            }
            if let Err(error) = store.put_tiers(&epoch, &computed) {
                // The answers are right all the same; the next read computes them again.
                tracing::warn!(%error, "computed tiers could not be kept");
            }
            Ok(answers)
        })
        .await?;
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
                    (
                        answer.enterprise_id.clone(),
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
        Ok(answers)
    }

    /// The tier of one enterprise with every reason, as of `day` (default: the present day).
    ///
    /// # Errors
    ///
    /// When the enterprise is unknown or the store fails.
    pub fn explain(
        &self,
        id: &EnterpriseId,
        day: Option<Date>,
    ) -> Result<Explanation, ServiceError> {
        let dossier = self
            .store
            .dossier(id)?
            .ok_or_else(|| ServiceError::UnknownEnterprise(id.clone()))?;
        Ok(self.explain_given(&dossier.enterprise, &dossier.versions, day))
    }

    /// The tier of what is given, with every reason; nothing is stored.
    pub fn explain_given(
        &self,
        enterprise: &Enterprise,
        versions: &[Record],
        day: Option<Date>,
    ) -> Explanation {
        let as_of = AsOf::monthly(day.unwrap_or_else(|| self.today()));
        let classifier = &self.models.classifier;
        let mut versions = versions.to_vec();
        versions.sort_by(|a, b| {
            (&a.source, &a.record_id, a.known_on).cmp(&(&b.source, &b.record_id, b.known_on))
        });
        carry_amendments(&mut versions);
        let scorecard = classifier.scorecard_of(enterprise.kind);
        Explanation {
            enterprise_id: enterprise.enterprise_id.clone(),
            classification: classifier.explain(&Case::of(enterprise, &versions), as_of),
            epoch: *classifier.epoch(),
            scorecard: format!("{}/{}", scorecard.name, scorecard.version),
            policy: self.models.policy_name.clone(),
        }
    }

    /// Classifies the whole register as of `as_of`, in id order. Enterprises founded later are left out.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn classify_register(
        &self,
        as_of: AsOf,
        visit: &mut dyn FnMut(&Enterprise, &[Record], &Classification),
    ) -> Result<(), ServiceError> {
        self.store.each_dossier(&mut |dossier| {
            if dossier
                .enterprise
                .established_on
                .is_none_or(|established| established <= as_of.day)
            {
                let classification = self
                    .models
                    .classifier
                    .classify(&Case::of(&dossier.enterprise, &dossier.versions), as_of);
                visit(&dossier.enterprise, &dossier.versions, &classification);
            }
        })?;
        Ok(())
    }

    /// Brings the cache to the end of the log of changes, again and again; runs beside a server until it is dropped.
    pub async fn follow_changes(&self) {
        let mut away = false;
        loop {
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
    pub async fn catch_up(&self) -> Result<(), crate::cache::CacheError> {
        let log = StoreLog(Arc::clone(&self.store));
        catch_up(self.cache.as_ref(), self.models.classifier.epoch(), &log)
            .await
            .map(|_| ())
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

    async fn changes_after(&self, seq: u64, limit: usize) -> Result<Vec<TierChange>, BoxError> {
        let store = Arc::clone(&self.0);
        let changes = off_thread(move || Ok(store.changes_after(seq, limit)?)).await?;
        Ok(changes
            .into_iter()
            .map(|changed| TierChange {
                seq: changed.seq,
                enterprise_id: changed.enterprise_id,
                revision: changed.revision,
            })
            .collect())
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

fn stored_tier(classification: &Classification, revision: u64) -> StoredTier {
    StoredTier {
        revision,
        tier: classification.tier,
        points: classification.points,
        as_of: classification.as_of.day,
        next_change_on: classification.next_change_on,
    }
}
