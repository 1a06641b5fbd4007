//! Looking tiers up: cache → store → compute → store → cache.

use std::sync::Arc;
use std::time::Duration;

use super::dossiers::Dossiers;
use super::in_force::Current;
use super::settle::settle;
use super::{Origin, Service, ServiceError, TierAnswer, off_thread};
use crate::cache::{CachedTier, Lookup};
use crate::domain::{AsOf, EnterpriseId, Epoch};
use crate::store::{Changed, NewTier, StoreError, StoredTier};

/// How often one answer is begun anew because other files came into force while it was made.
const BEGINNINGS: usize = 5;
/// How long a look-up waits for its turn at the store.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

impl Service {
    /// The tier of one enterprise on the present day and its epoch, if it lies in this process. Nothing is waited for.
    pub fn tier_at_hand(&self, id: &EnterpriseId) -> Option<(Epoch, CachedTier)> {
        let epoch = self.following.epoch();
        let tier = self.cache.at_hand(&epoch, id, self.today())?;
        Some((epoch, tier))
    }

    /// The tier of one enterprise on the present day: cache → store → compute → store → cache.
    ///
    /// # Errors
    ///
    /// When the enterprise is unknown or the store fails. A cache that is away is no error.
    pub async fn tier(&self, id: &EnterpriseId) -> Result<TierAnswer, ServiceError> {
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
        let (mut missed, mut places) = (Vec::new(), Vec::new());
        for (at, (id, lookup)) in ids.iter().zip(lookups).enumerate() {
            match lookup {
                Lookup::Hit(cached) => {
                    answers.push(Some(answer(id.clone(), epoch, cached, Origin::Cache)))
                }
                Lookup::Miss(_) => {
                    missed.push(id.clone());
                    places.push(at);
                    answers.push(None);
                }
            }
        }
        if missed.is_empty() {
            return Ok(Some(answers));
        }
        let Some(found) = self.tiers_together(&current, missed).await? else {
            return Ok(None);
        };
        for (at, found) in places.into_iter().zip(found) {
            if let Some(place) = answers.get_mut(at) {
                *place = found;
            }
        }
        Ok(Some(answers))
    }

    /// Reads tiers from the store, together with other requests that miss the same ones.
    async fn tiers_together(
        &self,
        current: &Arc<Current>,
        ids: Vec<EnterpriseId>,
    ) -> Result<Option<Vec<Option<TierAnswer>>>, ServiceError> {
        let mut answers = vec![None; ids.len()];
        let mut keep = |at: usize, answer: Option<TierAnswer>| {
            if let Some(place) = answers.get_mut(at) {
                *place = answer;
            }
        };
        let asked = ids.clone();
        let boarding = self.flights.board(current.epoch(), ids);
        if !boarding.own.is_empty() {
            let found = self.tiers_of_own(current, boarding.own).await?;
            let landing = found.map(Arc::new);
            boarding.flight.land(landing.clone());
            let Some(found) = landing else {
                return Ok(None);
            };
            for (at, answer) in boarding.places.into_iter().zip(found.iter()) {
                keep(at, answer.clone());
            }
        }
        let mut left = Vec::new();
        for (at, joined) in boarding.joined {
            match joined.answer().await {
                Ok(None) => return Ok(None),
                Ok(Some(found)) => keep(
                    at,
                    found.map(|found| TierAnswer {
                        origin: Origin::Joined,
                        ..found
                    }),
                ),
                Err(_) => left.extend(asked.get(at).map(|id| (at, id.clone()))),
            }
        }
        if !left.is_empty() {
            // Those whose reader failed or went away read for themselves, so that a failure does not go from one to the
            // next.
            let (places, ids): (Vec<_>, Vec<_>) = left.into_iter().unzip();
            let Some(found) = self.tiers_from_store(current, ids).await? else {
                return Ok(None);
            };
            for (at, answer) in places.into_iter().zip(found) {
                keep(at, answer);
            }
        }
        Ok(Some(answers))
    }

    /// Reads tiers that nobody else is reading. A read that has landed since the cache was asked left its tiers there, so
    /// what lies in process by now is not read a second time.
    async fn tiers_of_own(
        &self,
        current: &Arc<Current>,
        ids: Vec<EnterpriseId>,
    ) -> Result<Option<Vec<Option<TierAnswer>>>, ServiceError> {
        let (epoch, today) = (*current.epoch(), self.today());
        let mut answers = Vec::with_capacity(ids.len());
        let mut missing = Vec::new();
        for id in ids {
            let landed = self.cache.at_hand(&epoch, &id, today);
            answers.push(landed.map(|cached| answer(id.clone(), epoch, cached, Origin::Cache)));
            if landed.is_none() {
                missing.push(id);
            }
        }
        if missing.is_empty() {
            return Ok(Some(answers));
        }
        let Some(found) = self.tiers_from_store(current, missing).await? else {
            return Ok(None);
        };
        let places = answers.iter_mut().filter(|place| place.is_none());
        for (place, found) in places.zip(found) {
            *place = found;
        }
        Ok(Some(answers))
    }

    /// Reads tiers from the store, computes what is outdated, keeps it, and hands it to the cache. So many at once and no
    /// more: the store is not to fall because the cache did.
    async fn tiers_from_store(
        &self,
        current: &Arc<Current>,
        ids: Vec<EnterpriseId>,
    ) -> Result<Option<Vec<Option<TierAnswer>>>, ServiceError> {
        let turn = tokio::time::timeout(LONGEST_WAIT, self.store_reads.acquire());
        let Ok(Ok(_turn)) = turn.await else {
            return Err(StoreError::Busy {
                seconds: LONGEST_WAIT.as_secs(),
            }
            .into());
        };
        let epoch = *current.epoch();
        // The ticket comes before the read: it names what the cache knew when the read began.
        let ticket = self.cache.ticket(&epoch);
        let today = AsOf::monthly(self.today());
        let (store, of_now) = (Arc::clone(&self.store), Arc::clone(current));
        let brought = off_thread(move || {
            bring_up(
                &Dossiers::new(store.as_ref(), &of_now, today.day),
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

pub(super) fn cached(stored: &StoredTier) -> CachedTier {
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
