//! Writing and reading the register.

use jiff::civil::Date;
use serde::Serialize;

use super::{Service, ServiceError, off_thread};
use crate::domain::{Enterprise, EnterpriseId, FieldError, IdCheck, Label, Record, field};
use crate::store::{Changed, Counts, Outcome, StoreError};

/// An enterprise as the register holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct RegisteredEnterprise {
    /// The enterprise.
    pub enterprise: Enterprise,
    /// What the check character of its id says.
    pub id_check: IdCheck,
    /// Grows with every change of it or of its records.
    pub revision: u64,
}

/// What became of one written row, in the words of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Written {
    /// It is new.
    Created,
    /// It replaced or followed an earlier version.
    Updated,
    /// It says nothing new.
    Unchanged,
}

/// What to change about a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amendment {
    /// Repaired (信用修复): it may not be used from this day on.
    Repair,
    /// Found wrong or annulled: it may not be used from this day on.
    Withdraw,
}

impl Service {
    /// Writes one enterprise; its tier, and those of enterprises linked with it, follow at once.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn put_enterprise(&self, enterprise: Enterprise) -> Result<Written, ServiceError> {
        let subject = enterprise.enterprise_id.to_string();
        let store = self.store.clone();
        let outcomes = off_thread(move || Ok(store.put_enterprises(&[enterprise], 0)?)).await?;
        Ok(self
            .settle(&outcomes, |_| subject.clone())
            .await?
            .into_iter()
            .next()
            .unwrap_or(Written::Unchanged))
    }

    /// Writes records in one transaction, all or none: the first refused one is told by its source and id.
    ///
    /// # Errors
    ///
    /// When a record is refused or the store fails.
    pub async fn put_records(&self, records: Vec<Record>) -> Result<Vec<Written>, ServiceError> {
        let subjects: Vec<String> = records
            .iter()
            .map(|record| format!("{}/{}", record.source, record.record_id))
            .collect();
        let store = self.store.clone();
        let outcomes = off_thread(move || Ok(store.put_records_or_none(&records)?)).await?;
        self.settle(&outcomes, |position| {
            subjects.get(position).cloned().unwrap_or_default()
        })
        .await
    }

    /// Repairs or withdraws a record from `day` on (default: the present day).
    ///
    /// # Errors
    ///
    /// When there is no such record, or the day lies before it occurred.
    pub async fn amend_record(
        &self,
        source: Label,
        record_id: String,
        amendment: Amendment,
        day: Option<Date>,
    ) -> Result<(), ServiceError> {
        let today = self.today();
        let day = day.unwrap_or(today);
        let store = self.store.clone();
        let (of, id) = (source.clone(), record_id.clone());
        let changed = off_thread(move || {
            let amended = store.amend_record(&of, &id, today, &|record| {
                if day < record.occurred_on {
                    return Err(format!(
                        "is before the record occurred ({})",
                        record.occurred_on
                    ));
                }
                match amendment {
                    Amendment::Repair => record.repaired_on = Some(day),
                    Amendment::Withdraw => record.withdrawn_on = Some(day),
                }
                Ok(())
            });
            match amended {
                Err(StoreError::Aborted(reason)) => {
                    Err(FieldError::new("on", &day.to_string(), reason).into())
                }
                amended => Ok(amended?),
            }
        })
        .await?;
        match changed {
            Some(changed) => {
                self.follow(&[changed]).await;
                Ok(())
            }
            None => Err(ServiceError::UnknownRecord {
                source_name: source.to_string(),
                record_id,
            }),
        }
    }

    /// One enterprise.
    ///
    /// # Errors
    ///
    /// When it is unknown or the store fails.
    pub fn enterprise(&self, id: &EnterpriseId) -> Result<RegisteredEnterprise, ServiceError> {
        let (enterprise, revision) = self
            .store
            .enterprise(id)?
            .ok_or_else(|| ServiceError::UnknownEnterprise(id.clone()))?;
        Ok(RegisteredEnterprise {
            id_check: id.check(),
            enterprise,
            revision,
        })
    }

    /// Enterprises after `after` in id order, at most `limit`, of one division if one is asked for.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn enterprises(
        &self,
        after: Option<&EnterpriseId>,
        division: Option<&Label>,
        limit: usize,
    ) -> Result<Vec<RegisteredEnterprise>, ServiceError> {
        let mut page = Vec::with_capacity(limit.min(1_000));
        let mut after = after.map(ToString::to_string);
        loop {
            let batch = self
                .store
                .enterprises_after(after.as_deref(), limit.max(100))?;
            let ended = batch.len() < limit.max(100);
            for (enterprise, revision) in batch {
                after = Some(enterprise.enterprise_id.to_string());
                let wanted = division.is_none_or(|scope| {
                    enterprise
                        .division
                        .as_ref()
                        .is_some_and(|division| division.in_division(scope.as_str()))
                });
                if wanted {
                    page.push(RegisteredEnterprise {
                        id_check: enterprise.enterprise_id.check(),
                        enterprise,
                        revision,
                    });
                    if page.len() == limit {
                        return Ok(page);
                    }
                }
            }
            if ended {
                return Ok(page);
            }
        }
    }

    /// All versions of an enterprise's records, grouped by record and ordered by `known_on`.
    ///
    /// # Errors
    ///
    /// When the enterprise is unknown or the store fails.
    pub fn records(&self, id: &EnterpriseId) -> Result<Vec<Record>, ServiceError> {
        let dossier = self
            .store
            .dossier(id)?
            .ok_or_else(|| ServiceError::UnknownEnterprise(id.clone()))?;
        Ok(dossier.versions)
    }

    /// Size of the register.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn counts(&self) -> Result<Counts, ServiceError> {
        Ok(self.store.counts()?)
    }

    /// Tells the cache what changed, and the caller what became of each row.
    async fn settle(
        &self,
        outcomes: &[Outcome],
        subject: impl Fn(usize) -> String,
    ) -> Result<Vec<Written>, ServiceError> {
        let mut written = Vec::with_capacity(outcomes.len());
        for (position, outcome) in outcomes.iter().enumerate() {
            written.push(match outcome {
                Outcome::Created(_) => Written::Created,
                Outcome::Updated(_) => Written::Updated,
                Outcome::Unchanged => Written::Unchanged,
                Outcome::Refused(refusal) => {
                    return Err(ServiceError::Refused {
                        subject: subject(position),
                        refusal: refusal.clone(),
                    });
                }
            });
        }
        self.follow(&changes(outcomes)).await;
        Ok(written)
    }

    /// Lets caches and tiers follow changes that were written in this request.
    pub(super) async fn follow(&self, changes: &[Changed]) {
        self.invalidate(changes).await;
        self.retier(changes).await;
    }

    /// Takes cached tiers back. A cache that cannot be reached catches up from the log of changes later.
    pub(super) async fn invalidate(&self, changes: &[Changed]) {
        let entries: Vec<(EnterpriseId, u64)> = changes
            .iter()
            .map(|changed| (changed.enterprise_id.clone(), changed.revision))
            .collect();
        if entries.is_empty() {
            return;
        }
        if let Err(error) = self
            .cache
            .invalidate(self.current().epoch(), &entries)
            .await
        {
            tracing::warn!(%error, "cached tiers could not be taken back; the cache is left alone until it has caught up");
        }
    }
}

/// The changes among outcomes.
pub(super) fn changes(outcomes: &[Outcome]) -> Vec<Changed> {
    outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Created(changed) | Outcome::Updated(changed) => Some(changed.clone()),
            Outcome::Unchanged | Outcome::Refused(_) => None,
        })
        .collect()
}

/// A label that a caller names in `field`, checked.
///
/// # Errors
///
/// When the text is no label.
pub fn label(field: &str, text: &str) -> Result<Label, ServiceError> {
    Ok(field::label(field, text)?)
}
