//! What is in force: the model files and frozen statistics under which tiers are told.
//!
//! The store says what is in force; every replica follows it within a second. One answer is made under one epoch: it
//! takes what is in force once, at its beginning.

use jiff::civil::Date;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::registry::{keep_files, keep_policy};
use super::{Models, Service, ServiceError};
use crate::domain::Epoch;
use crate::model::Statistics;
use crate::store::{InForce, NewInForce, NewRun, Run, RunCause, Store, StoreError};

/// Past entries of the log whose files are kept ready.
const PAST_KEPT: usize = 8;

/// The files and statistics of one entry of the log of what was in force.
#[derive(Debug)]
pub struct Current {
    /// The number of the entry.
    pub number: u64,
    /// From which day it was in force.
    pub from_on: Date,
    /// The files, bound together with the frozen statistics.
    pub models: Models,
    /// Digest of the frozen statistics, if there are any.
    pub statistics: Option<String>,
}

impl Current {
    /// The epoch of its tiers.
    pub fn epoch(&self) -> &Epoch {
        self.models.classifier.epoch()
    }

    /// What an answer for `day` tells of it.
    pub fn of_day(&self, day: Date) -> FilesOfDay {
        FilesOfDay {
            number: self.number,
            from_on: self.from_on,
            files_id: self.models.files_id().to_owned(),
            statistics: self.statistics.clone(),
            is_instead: day < self.from_on,
        }
    }

    fn load(store: &dyn Store, entry: InForce) -> Result<Self, ServiceError> {
        let mut models = Models::of(store.model_set(&entry.files_id)?)?;
        if let Some(digest) = &entry.statistics {
            models = models.with_statistics(Arc::new(statistics(store, digest)?));
        }
        if *models.classifier.epoch() != entry.epoch {
            return Err(ServiceError::Internal(format!(
                "this release computes epoch {} from the files of epoch {}; use the release that put them in force, or \
                 reclassify with this one",
                models.classifier.epoch(),
                entry.epoch
            )));
        }
        Ok(Self {
            number: entry.number,
            from_on: entry.from_on,
            models,
            statistics: entry.statistics,
        })
    }
}

/// Which files and statistics an answer for a day rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesOfDay {
    /// The number of their entry in the log of what was in force.
    pub number: u64,
    /// From which day they were in force.
    pub from_on: Date,
    /// The set of model files.
    pub files_id: String,
    /// Digest of the frozen statistics, if there are any.
    pub statistics: Option<String>,
    /// Whether nothing was in force yet on the day, so that the first files speak for it.
    pub is_instead: bool,
}

/// Frozen statistics by their digest.
pub(super) fn statistics(store: &dyn Store, digest: &str) -> Result<Statistics, ServiceError> {
    let bytes = store.model_file(digest)?.ok_or(StoreError::Corrupt {
        column: "statistics",
    })?;
    Statistics::from_bytes(&bytes).map_err(|error| ServiceError::Internal(error.to_string()))
}

/// What a service knows of what is and was in force.
pub(super) struct Following {
    now: RwLock<Arc<Current>>,
    past: Mutex<BTreeMap<u64, Arc<Current>>>,
}

impl Following {
    /// Follows the store. In a database that was never served, `given` is put in force.
    pub(super) fn open(
        store: &dyn Store,
        given: &Models,
        today: Date,
    ) -> Result<Self, ServiceError> {
        let entry = match store.in_force()? {
            Some(entry) => entry,
            None => {
                keep_files(store, given)?;
                let first = NewInForce {
                    epoch: *given.classifier.epoch(),
                    files_id: given.files_id().to_owned(),
                    statistics: None,
                    from_on: today,
                };
                // Of two that start at once one is first, and both serve its files.
                let put = store.put_in_force(None, &first, None)?;
                match put {
                    Some(entry) => entry,
                    None => store
                        .in_force()?
                        .ok_or(StoreError::Corrupt { column: "live" })?,
                }
            }
        };
        let current = Current::load(store, entry)?;
        // A database of an earlier release did not note whose card is live, or which policy is in force.
        if store.model_of_set(current.models.files_id())?.is_none() {
            keep_files(store, &current.models)?;
        }
        keep_policy(store, &current.models)?;
        Ok(Self {
            now: RwLock::new(Arc::new(current)),
            past: Mutex::default(),
        })
    }

    /// Follows the store if something else is in force by now; says whether it did.
    pub(super) fn refresh(&self, store: &dyn Store) -> Result<bool, ServiceError> {
        let Some(entry) = store.in_force()? else {
            return Ok(false);
        };
        if entry.number == self.now().number {
            return Ok(false);
        }
        let next = Arc::new(Current::load(store, entry)?);
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        if next.number > now.number {
            tracing::info!(epoch = %next.epoch(), number = next.number, "other model files or statistics are in force");
            *now = next;
        }
        Ok(true)
    }

    /// The epoch of what is in force.
    pub(super) fn epoch(&self) -> Epoch {
        *self
            .now
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .epoch()
    }

    // A panic while a lock is held cannot leave an Arc half-changed, so a poisoned lock is as good as a whole one.
    pub(super) fn now(&self) -> Arc<Current> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Service {
    /// What is in force; take it once per answer.
    pub fn current(&self) -> Arc<Current> {
        self.following.now()
    }

    /// The files that this process was started with.
    pub fn given(&self) -> &Models {
        &self.given
    }

    /// The files that this process was started with as if they were in force, with the frozen statistics that are.
    pub fn try_given(&self) -> Current {
        let current = self.current();
        let statistics = current.models.classifier.statistics().cloned();
        Current {
            number: current.number,
            from_on: current.from_on,
            models: match statistics {
                Some(statistics) => self.given.with_statistics(statistics),
                None => self.given.clone(),
            },
            statistics: current.statistics.clone(),
        }
    }

    /// Files as if they had been in force on a day, with statistics that were frozen by then, or without any: what a run
    /// counts later is not known on that day.
    ///
    /// # Errors
    ///
    /// When the store fails, or the files or those then in force cannot be used by this release.
    pub fn as_in_force_on(&self, models: &Models, day: Date) -> Result<Current, ServiceError> {
        let current = self.current();
        let (models, statistics) = match self.statistics_known_on(day)? {
            Some((statistics, digest)) => (models.with_statistics(statistics), Some(digest)),
            None => (Models::of(models.files().to_vec())?, None),
        };
        Ok(Current {
            number: current.number,
            from_on: current.from_on,
            models,
            statistics,
        })
    }

    /// The statistics that were frozen, and in force, by a day, with their digest; nothing where there were none.
    pub(super) fn statistics_known_on(
        &self,
        day: Date,
    ) -> Result<Option<(Arc<Statistics>, String)>, ServiceError> {
        let current = self.current();
        let present = current.models.classifier.statistics();
        if let (Some(present), Some(digest)) = (present, &current.statistics)
            && present.as_of() <= day
        {
            return Ok(Some((Arc::clone(present), digest.clone())));
        }
        let past = self.store.in_force_on(day)?;
        let Some(digest) = past
            .filter(|entry| entry.number != current.number)
            .and_then(|entry| entry.statistics)
        else {
            return Ok(None);
        };
        let frozen = statistics(self.store.as_ref(), &digest)?;
        Ok((frozen.as_of() <= day).then(|| (Arc::new(frozen), digest)))
    }

    /// Follows the store if something else is in force by now; says whether it did.
    ///
    /// # Errors
    ///
    /// When the store fails or its files cannot be used by this release.
    pub fn refresh(&self) -> Result<bool, ServiceError> {
        self.following.refresh(self.store.as_ref())
    }

    /// What was in force at the end of `day`; on the present and later days what is in force now.
    ///
    /// # Errors
    ///
    /// When the store fails or its files cannot be used by this release.
    pub fn in_force_on(&self, day: Date) -> Result<Arc<Current>, ServiceError> {
        if day >= self.today() {
            return Ok(self.current());
        }
        self.logged_on(day)
    }

    /// What was in force at the end of `day` by the log, whatever the clock says.
    ///
    /// # Errors
    ///
    /// When the store fails or its files cannot be used by this release.
    pub fn logged_on(&self, day: Date) -> Result<Arc<Current>, ServiceError> {
        let current = self.current();
        if day >= current.from_on {
            return Ok(current);
        }
        let entry = self
            .store
            .in_force_on(day)?
            .ok_or(StoreError::Corrupt { column: "in_force" })?;
        if entry.number == current.number {
            return Ok(current);
        }
        let past = || {
            self.following
                .past
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(kept) = past().get(&entry.number) {
            return Ok(Arc::clone(kept));
        }
        let number = entry.number;
        let loaded = Arc::new(Current::load(self.store.as_ref(), entry)?);
        let mut past = past();
        if past.len() >= PAST_KEPT {
            past.pop_first();
        }
        past.insert(number, Arc::clone(&loaded));
        Ok(loaded)
    }

    /// Brings the files that this process was started with into force: at once where they give the same tiers, by a run
    /// otherwise, which is returned. Until it has flipped, what is in force stays.
    ///
    /// A model that persons promoted stands above files: where no scorecard is named it stays in its place, and files that
    /// were in force before it do not come back by a mere start.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn adopt_given(&self, names_card: bool) -> Result<Option<Run>, ServiceError> {
        let current = self.current();
        let promoted = self.promoted_model()?;
        let kept;
        let given = match &promoted {
            Some(model_id) if !names_card => {
                kept = self.given.with_card(&self.model_artefact(model_id)?)?;
                &kept
            }
            Some(_) if self.store.was_in_force(self.given.files_id())? => {
                tracing::warn!(
                    "the files named in the settings were in force before the model that was promoted, which stays; roll \
                     back, or register and promote the other card"
                );
                return Ok(None);
            }
            Some(_) | None => &self.given,
        };
        if given.files_id() == current.models.files_id() {
            return Ok(None);
        }
        self.keep_files(given)?;
        if given.classifier.files_digest() == current.models.classifier.files_digest() {
            // Where a run is putting other tiers in force, the files that were named last take its place by a run.
            if self.put_at_once(given)? {
                return Ok(None);
            }
        }
        self.request_run(given.files_id(), RunCause::Files)
            .map(Some)
    }

    pub(super) fn request_run(&self, files_id: &str, cause: RunCause) -> Result<Run, ServiceError> {
        let run = self.store.request_run(&NewRun {
            run_id: self.entropy.id()?,
            cause,
            files_id: files_id.to_owned(),
            as_of: self.today(),
        })?;
        tracing::info!(
            run.id = run.run_id,
            cause = cause.as_str(),
            "a run is asked for"
        );
        Ok(run)
    }
}
