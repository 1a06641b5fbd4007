//! Writing and reading the register.

use jiff::civil::Date;
use serde::Serialize;
use std::sync::Arc;

use super::proceedings::{Said, act, concerning, decide};
use super::{Service, ServiceError, off_thread};
use crate::domain::{Enterprise, EnterpriseId, FieldError, IdCheck, Label, Record, field};
use crate::store::{Changed, Concerned, Conditional, Counts, Deed, Outcome};

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
    /// It waits for its enterprise, which is not in the register.
    SetAside,
}

/// What a write says about the version that it replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing: it replaces whatever stands.
    None,
    /// Nothing, where something has to be said: it only creates.
    Stated,
    /// There is none yet.
    Absent,
    /// There is one.
    Present,
    /// It is one of these revisions.
    Revisions(Vec<u64>),
}

impl Precondition {
    /// Whether it holds for what stands.
    pub(super) fn holds(&self, revision: Option<u64>) -> bool {
        match self {
            Self::None => true,
            Self::Stated | Self::Absent => revision.is_none(),
            Self::Present => revision.is_some(),
            Self::Revisions(revisions) => revision.is_some_and(|of| revisions.contains(&of)),
        }
    }

    pub(super) fn error(&self, revision: Option<u64>) -> ServiceError {
        match (self, revision) {
            (Self::Stated, Some(revision)) => ServiceError::Unconditional { revision },
            _ => ServiceError::Stale { revision },
        }
    }
}

/// What to change about a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amendment {
    /// Repaired (信用修复): it may not be used from this day on.
    Repair,
    /// Found wrong or annulled: it may not be used from this day on.
    Withdraw,
    /// Over: a listing removed, a judgment satisfied, a permit run out. From this day on it is not in force.
    End,
}

impl Amendment {
    /// The word for it among acts.
    fn act(self) -> &'static str {
        match self {
            Self::Repair => "record_repaired",
            Self::Withdraw => "record_withdrawn",
            Self::End => "record_ended",
        }
    }
}

impl Service {
    /// Writes one enterprise; its tier, and those of enterprises linked with it, follow at once.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn put_enterprise(&self, enterprise: Enterprise) -> Result<Written, ServiceError> {
        self.put_enterprise_if(enterprise, Precondition::None).await
    }

    /// Writes one enterprise if the version that it replaces is as `precondition` says; its tier, and those of
    /// enterprises linked with it, follow at once.
    ///
    /// # Errors
    ///
    /// When another version stands, or the store fails.
    pub async fn put_enterprise_if(
        &self,
        enterprise: Enterprise,
        precondition: Precondition,
    ) -> Result<Written, ServiceError> {
        let subject = enterprise.enterprise_id.to_string();
        let store = self.store.clone();
        let today = self.today();
        let outcomes = off_thread(move || {
            let written = store
                .put_enterprise_if(&enterprise, today, &|revision| precondition.holds(revision))?;
            match written {
                Conditional::Written(outcome) => Ok(vec![outcome]),
                Conditional::NotMet(revision) => Err(precondition.error(revision)),
            }
        })
        .await?;
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

    /// Repairs, withdraws or ends a record from the day said on (default: the present day).
    ///
    /// # Errors
    ///
    /// When there is no such record, or the day lies before it occurred.
    pub async fn amend_record(
        &self,
        source: Label,
        record_id: String,
        amendment: Amendment,
        said: impl Into<Said>,
    ) -> Result<(), ServiceError> {
        self.amend_record_if(source, record_id, amendment, said.into(), |_| true)
            .await
    }

    /// As [`Service::amend_record`], if `condition` holds for the record as it stands.
    ///
    /// # Errors
    ///
    /// Also when the condition does not hold.
    pub async fn amend_record_if(
        &self,
        source: Label,
        record_id: String,
        amendment: Amendment,
        said: Said,
        condition: impl Fn(&Record) -> bool + Send + 'static,
    ) -> Result<(), ServiceError> {
        let today = self.today();
        let day = said.on.unwrap_or(today);
        self.change_record(source, record_id, amendment.act(), said, move |record| {
            if !condition(record) {
                return Err(stale_record(record));
            }
            amended(record, amendment, day, today)
        })
        .await
        .map(|_| ())
    }

    /// Corrects a record: from the present day on it says what `content` says. Gives the record as it stands then, and
    /// whether that is anything new. A repair or withdrawal that the correction is silent about stays.
    ///
    /// # Errors
    ///
    /// When there is no such record, or the content is about another enterprise.
    pub async fn correct_record(
        &self,
        content: Record,
        said: Said,
    ) -> Result<(Record, Written), ServiceError> {
        self.correct_record_if(content, said, |_| true).await
    }

    /// As [`Service::correct_record`], if `condition` holds for the record as it stands.
    ///
    /// # Errors
    ///
    /// Also when the condition does not hold.
    pub async fn correct_record_if(
        &self,
        content: Record,
        said: Said,
        condition: impl Fn(&Record) -> bool + Send + 'static,
    ) -> Result<(Record, Written), ServiceError> {
        let today = self.today();
        let (source, record_id) = (content.source.clone(), content.record_id.clone());
        self.change_record(source, record_id, "record_corrected", said, move |record| {
            if !condition(record) {
                return Err(stale_record(record));
            }
            corrected(record, &content, today)
        })
        .await
    }

    /// One record as it stands: its last version that is known on the present day.
    ///
    /// # Errors
    ///
    /// When there is no such record, its enterprise is not in the register, or the store fails.
    pub fn record(&self, source: &Label, record_id: &str) -> Result<Record, ServiceError> {
        let unknown = || ServiceError::UnknownRecord {
            source_name: source.to_string(),
            record_id: record_id.to_owned(),
        };
        let owner = self.store.record_owner(source, record_id)?;
        let versions = self.records(&owner.ok_or_else(unknown)?)?;
        let today = self.today();
        versions
            .into_iter()
            .rfind(|record| {
                record.source == *source
                    && record.record_id == record_id
                    && record.known_on <= today
            })
            .ok_or_else(unknown)
    }

    /// Changes one record in one transaction, with the act behind it; `change` gives its new version, if it is new.
    async fn change_record(
        &self,
        source: Label,
        record_id: String,
        what: &'static str,
        said: Said,
        change: impl Fn(&Record) -> Result<Option<Record>, ServiceError> + Send + 'static,
    ) -> Result<(Record, Written), ServiceError> {
        let today = self.today();
        let store = Arc::clone(&self.store);
        self.change(move || {
            let unknown = || ServiceError::UnknownRecord {
                source_name: source.to_string(),
                record_id: record_id.clone(),
            };
            let owner = store
                .record_owner(&source, &record_id)?
                .ok_or_else(unknown)?;
            // A record that is set aside is changed once its enterprise is registered.
            if store.enterprise(&owner)?.is_none() {
                return Err(ServiceError::UnknownEnterprise(owner));
            }
            let concerned = Concerned {
                record: Some((&source, &record_id, today)),
                ..concerning(&owner)
            };
            decide(store.as_ref(), &concerned, |standing| {
                let record = standing.record.as_ref().ok_or_else(unknown)?;
                let Some(changed) = change(record)? else {
                    return Ok((Deed::default(), (record.clone(), Written::Unchanged)));
                };
                let subject = format!("{source}/{record_id}");
                let on = said.on.unwrap_or(today);
                let by = (said.by.as_ref(), said.reason.as_deref());
                let deed = Deed {
                    record: Some(changed.clone()),
                    acts: vec![act(&owner, what, subject, on, by)],
                    touched: [owner.clone()].into(),
                    ..Deed::default()
                };
                Ok((deed, (changed, Written::Updated)))
            })
        })
        .await
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
                Outcome::SetAside => Written::SetAside,
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

    /// Takes cached tiers back, those of successors of merged ids included. A cache that cannot be reached catches up
    /// from the log of changes later.
    pub(super) async fn invalidate(&self, changes: &[Changed]) {
        let mut entries: Vec<(EnterpriseId, u64)> = changes
            .iter()
            .map(|changed| (changed.enterprise_id.clone(), changed.revision))
            .collect();
        if entries.is_empty() {
            return;
        }
        let store = Arc::clone(&self.store);
        let ids: Vec<EnterpriseId> = entries.iter().map(|(id, _)| id.clone()).collect();
        match off_thread(move || Ok(store.successors(&ids)?)).await {
            Ok(successors) => entries.extend(successors),
            Err(error) => {
                tracing::warn!(%error, "successors of merged ids could not be read; the log of changes names them");
            }
        }
        self.flights.forget(entries.iter().map(|(id, _)| id));
        if let Err(error) = self
            .cache
            .invalidate(self.current().epoch(), &entries)
            .await
        {
            tracing::warn!(%error, "cached tiers could not be taken back; the cache is left alone until it has caught up");
        }
    }
}

fn stale_record(record: &Record) -> ServiceError {
    ServiceError::StaleRecord {
        source_name: record.source.to_string(),
        record_id: record.record_id.clone(),
    }
}

/// A record withdrawn from `day` on, as it becomes known then.
pub(super) fn withdrawn(record: &Record, day: Date) -> Result<Record, ServiceError> {
    amended(record, Amendment::Withdraw, day, day).map(|new| new.unwrap_or_else(|| record.clone()))
}

/// A record after an amendment that becomes known `today`; `None` if it says that already.
fn amended(
    record: &Record,
    amendment: Amendment,
    day: Date,
    today: Date,
) -> Result<Option<Record>, ServiceError> {
    if day < record.occurred_on {
        let reason = format!("is before the record occurred ({})", record.occurred_on);
        return Err(FieldError::new("on", &day.to_string(), reason).into());
    }
    let mut new = record.clone();
    match amendment {
        Amendment::Repair => new.repaired_on = Some(day),
        Amendment::Withdraw => new.withdrawn_on = Some(day),
        Amendment::End => new.ended_on = Some(day),
    }
    Ok(if_new(record, new, today))
}

/// A record with the content of a correction that becomes known `today`; `None` if it says that already.
pub(super) fn corrected(
    record: &Record,
    content: &Record,
    today: Date,
) -> Result<Option<Record>, ServiceError> {
    if content.enterprise_id != record.enterprise_id {
        let reason = format!(
            "is not the enterprise of the record, `{}`; a record does not move between enterprises",
            record.enterprise_id
        );
        return Err(
            FieldError::new("enterprise_id", content.enterprise_id.as_str(), reason).into(),
        );
    }
    let new = Record {
        source: record.source.clone(),
        record_id: record.record_id.clone(),
        repaired_on: content.repaired_on.or(record.repaired_on),
        withdrawn_on: content.withdrawn_on.or(record.withdrawn_on),
        ..content.clone()
    };
    Ok(if_new(record, new, today))
}

fn if_new(record: &Record, mut new: Record, today: Date) -> Option<Record> {
    new.known_on = record.known_on;
    (new != *record).then_some(Record {
        known_on: today,
        ..new
    })
}

/// The changes among outcomes.
pub(super) fn changes(outcomes: &[Outcome]) -> Vec<Changed> {
    outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Created(changed) | Outcome::Updated(changed) => Some(changed.clone()),
            Outcome::Unchanged | Outcome::SetAside | Outcome::Refused(_) => None,
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
