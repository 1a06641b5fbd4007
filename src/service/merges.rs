//! Merges of ids: a firm whose code changed is known under both.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

use super::lineage::Lineage;
use super::proceedings::{Person, act, decide, document, documents, to_text};
use super::{Service, ServiceError};
use crate::domain::{EnterpriseId, FieldError, Label, ProceedingKind};
use crate::store::{Concerned, Deed, Proceeding, Standing};

/// A merge of one id into another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merge {
    /// Its id.
    pub merge_id: String,
    /// The id that is merged.
    pub enterprise_id: EnterpriseId,
    /// Its successor.
    pub into_id: EnterpriseId,
    /// Why.
    pub reason: String,
    /// Who made it.
    pub made_by: Label,
    /// The day on which it was made.
    pub made_on: Date,
    /// The first day on which the successor stands for the id.
    pub from_on: Date,
    /// How it was undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone: Option<Undoing>,
}

/// How a merge was undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undoing {
    /// Who undid it.
    pub by: Label,
    /// The first day on which the id stands for itself again.
    pub on: Date,
    /// Why.
    pub reason: String,
}

impl Merge {
    /// The first day on which the id stands for itself again.
    pub fn undone_on(&self) -> Option<Date> {
        self.undone.as_ref().map(|undone| undone.on)
    }

    /// Whether the successor stands for the id on `day`.
    pub fn counts_on(&self, day: Date) -> bool {
        self.from_on <= day && !self.is_over_on(day)
    }

    /// Whether it was undone by `day`, or before it ever counted.
    pub(super) fn is_over_on(&self, day: Date) -> bool {
        self.never_counts() || self.undone_on().is_some_and(|undone| undone <= day)
    }

    /// Whether it was undone before its first day.
    pub(super) fn never_counts(&self) -> bool {
        self.undone_on()
            .is_some_and(|undone| undone <= self.from_on)
    }

    fn proceeding(&self) -> Result<Proceeding, ServiceError> {
        let is_open = self.undone.is_none();
        Ok(Proceeding {
            proceeding_id: self.merge_id.clone(),
            kind: ProceedingKind::Merge,
            enterprise_id: self.enterprise_id.clone(),
            related_id: Some(self.into_id.clone()),
            state: if is_open { "made" } else { "undone" }.to_owned(),
            is_open,
            due_on: None,
            document: to_text(self)?,
        })
    }
}

impl Service {
    /// Merges `id` into `into_id` from `from_on` on (default: the present day): its records count for the successor,
    /// and look-ups of it answer with the successor's tier.
    ///
    /// # Errors
    ///
    /// When one of the two is unknown, the day is past, `id` is merged already, the merge would close a ring, or
    /// persons are still deciding about `id`.
    pub async fn merge_enterprise(
        &self,
        id: EnterpriseId,
        into_id: EnterpriseId,
        from_on: Option<Date>,
        person: Person,
    ) -> Result<Merge, ServiceError> {
        let today = self.today();
        let from_on = from_on.unwrap_or(today);
        if from_on < today {
            let reason = format!(
                "is past; a merge counts from the day on which it is made ({today}) or later"
            );
            return Err(FieldError::new("on", &from_on.to_string(), reason).into());
        }
        if id == into_id {
            let reason = "is the enterprise itself; name its successor";
            return Err(FieldError::new("into_id", into_id.as_str(), reason).into());
        }
        let merge = Merge {
            merge_id: self.entropy.id()?,
            enterprise_id: id,
            into_id,
            reason: person.reason,
            made_by: person.by,
            made_on: today,
            from_on,
            undone: None,
        };
        let store = Arc::clone(&self.store);
        self.change(move || {
            for known in [&merge.enterprise_id, &merge.into_id] {
                if store.enterprise(known)?.is_none() {
                    return Err(ServiceError::UnknownEnterprise(known.clone()));
                }
            }
            decide(store.as_ref(), &concerned(&merge), |standing| {
                let deed = make(&merge, standing, today)?;
                Ok((deed, merge.clone()))
            })
        })
        .await
    }

    /// Undoes the merge of `id` from the present day on; what it changed on earlier days stays.
    ///
    /// # Errors
    ///
    /// When `id` is unknown or not merged.
    pub async fn undo_merge(
        &self,
        id: EnterpriseId,
        person: Person,
    ) -> Result<Merge, ServiceError> {
        let today = self.today();
        let store = Arc::clone(&self.store);
        self.change(move || {
            if store.enterprise(&id)?.is_none() {
                return Err(ServiceError::UnknownEnterprise(id));
            }
            let Some(merge) = open_merge(&store.proceedings_about(&id)?, &id)? else {
                return Err(ServiceError::UnknownMerge(id));
            };
            decide(store.as_ref(), &concerned(&merge), |standing| {
                // Another person may have undone it since.
                let Some(mut merge) = open_merge(&standing.proceedings, &id)? else {
                    return Err(ServiceError::UnknownMerge(id.clone()));
                };
                let said = (Some(&person.by), Some(person.reason.as_str()));
                let acts = [&merge.enterprise_id, &merge.into_id]
                    .map(|of| act(of, "merge_undone", &merge.merge_id, today, said));
                merge.undone = Some(Undoing {
                    by: person.by.clone(),
                    on: today,
                    reason: person.reason.clone(),
                });
                let deed = Deed {
                    proceedings: vec![merge.proceeding()?],
                    acts: acts.to_vec(),
                    touched: concerned(&merge).enterprises,
                    ..Deed::default()
                };
                Ok((deed, merge))
            })
        })
        .await
    }

    /// The merges of an id and into it, undone ones included, in order of their ids.
    ///
    /// # Errors
    ///
    /// When `id` is unknown or the store fails.
    pub fn merges(&self, id: &EnterpriseId) -> Result<Vec<Merge>, ServiceError> {
        if self.store.enterprise(id)?.is_none() {
            return Err(ServiceError::UnknownEnterprise(id.clone()));
        }
        let mut merges: Vec<Merge> =
            documents(&self.store.proceedings_about(id)?, ProceedingKind::Merge)?;
        merges.retain(|merge| merge.enterprise_id == *id || merge.into_id == *id);
        Ok(merges)
    }
}

/// The merges among proceedings.
pub(super) fn lineage(proceedings: &[Proceeding]) -> Result<Lineage, ServiceError> {
    Ok(Lineage::new(documents(proceedings, ProceedingKind::Merge)?))
}

/// Refuses to decide about an id that is, or is about to be, merged.
pub(super) fn refuse_merged(
    proceedings: &[Proceeding],
    id: &EnterpriseId,
) -> Result<(), ServiceError> {
    match open_merge(proceedings, id)? {
        None => Ok(()),
        Some(merge) => Err(ServiceError::Merged {
            enterprise_id: id.clone(),
            into_id: merge.into_id,
        }),
    }
}

fn concerned(merge: &Merge) -> Concerned<'static> {
    Concerned {
        enterprises: BTreeSet::from([merge.enterprise_id.clone(), merge.into_id.clone()]),
        record: None,
        alone: true,
    }
}

fn open_merge(
    proceedings: &[Proceeding],
    id: &EnterpriseId,
) -> Result<Option<Merge>, ServiceError> {
    proceedings
        .iter()
        .find(|one| one.kind == ProceedingKind::Merge && one.is_open && one.enterprise_id == *id)
        .map(document)
        .transpose()
}

fn make(merge: &Merge, standing: &Standing, today: Date) -> Result<Deed, ServiceError> {
    let old = &merge.enterprise_id;
    refuse_merged(&standing.proceedings, old)?;
    let waiting = standing.proceedings.iter().find(|one| {
        one.enterprise_id == *old
            && one.is_open
            && match one.kind {
                ProceedingKind::Merge => false,
                // What has run out by itself is in nobody's way.
                ProceedingKind::Override => one.due_on.is_none_or(|due| today < due),
                ProceedingKind::Objection => true,
            }
    });
    if let Some(waiting) = waiting {
        return Err(ServiceError::Conflict(format!(
            "enterprise `{old}` has {} `{}` open; end or decide it before the id is merged",
            waiting.kind, waiting.proceeding_id
        )));
    }
    // Open merges of whatever day count: one that begins later would close the ring then.
    let mut at = merge.into_id.clone();
    for _ in &standing.proceedings {
        let Some(next) = open_merge(&standing.proceedings, &at)? else {
            break;
        };
        if next.into_id == *old {
            return Err(ServiceError::Conflict(format!(
                "enterprise `{}` is itself merged into `{old}`; undo that merge first",
                merge.into_id
            )));
        }
        at = next.into_id;
    }
    let said = (Some(&merge.made_by), Some(merge.reason.as_str()));
    let acts =
        [old, &merge.into_id].map(|of| act(of, "merge_made", &merge.merge_id, merge.from_on, said));
    Ok(Deed {
        proceedings: vec![merge.proceeding()?],
        acts: acts.to_vec(),
        touched: concerned(merge).enterprises,
        ..Deed::default()
    })
}
