//! Overrides: a tier set by two persons, dated, with a reason and an end.
//!
//! One person proposes, another approves; a proposal nobody approves lapses. An override never reaches back: it counts
//! from the day of its approval at the earliest, so what a past day showed stays as it was.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::merges::refuse_merged;
use super::proceedings::{
    Person, act, concerning, decide, document, documents, same_person, to_text,
};
use super::{Service, ServiceError};
use crate::domain::dates::{add_days, days_between};
use crate::domain::{Decision, EnterpriseId, FieldError, Label, ProceedingKind, Tier};
use crate::store::{Deed, Proceeding, ProceedingFilter};

/// An override of a tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Its id.
    pub override_id: String,
    /// Whose tier.
    pub enterprise_id: EnterpriseId,
    /// The tier.
    pub tier: Tier,
    /// Why.
    pub reason: String,
    /// Who proposed it.
    pub proposed_by: Label,
    /// When.
    pub proposed_on: Date,
    /// The first day after which it can no longer be approved.
    pub lapses_on: Date,
    /// The first day on which it counts.
    pub from_on: Date,
    /// The first day on which it no longer counts.
    pub expires_on: Date,
    /// Who approved it, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<Approval>,
    /// Who ended or withdrew it, when and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ending>,
}

/// The approval of an override.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub by: Label,
    /// When.
    pub on: Date,
}

/// The early end of an override.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// Who.
    pub by: Label,
    /// The first day on which it no longer counts.
    pub on: Date,
    /// Why.
    pub reason: String,
}

/// Where an override stands on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OverrideState {
    /// It waits for a second person.
    Proposed,
    /// Nobody approved it in time.
    Lapsed,
    /// It was approved, and counts or is to count.
    Approved,
    /// It has run its time.
    Expired,
    /// A person ended it early.
    Ended,
    /// It was taken back before it was approved.
    Withdrawn,
}

/// What a person proposes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverrideProposal {
    /// The tier.
    pub tier: Tier,
    /// The first day; default the present one.
    pub from_on: Option<Date>,
    /// The first day on which it no longer counts.
    pub expires_on: Date,
    /// Who and why.
    pub person: Person,
}

impl Override {
    /// Where it stands on `day`.
    pub fn state_on(&self, day: Date) -> OverrideState {
        match (&self.approved, &self.ended) {
            (None, Some(_)) => OverrideState::Withdrawn,
            (Some(_), Some(_)) => OverrideState::Ended,
            (None, None) if day < self.lapses_on => OverrideState::Proposed,
            (None, None) => OverrideState::Lapsed,
            (Some(_), None) if day < self.expires_on => OverrideState::Approved,
            (Some(_), None) => OverrideState::Expired,
        }
    }

    /// Whether a reader of the tier of `day` should know of it: it was proposed by then and was not over.
    pub(super) fn concerns(&self, day: Date) -> bool {
        let approved = self
            .approved
            .as_ref()
            .is_some_and(|approved| approved.on <= day);
        let limit = if approved {
            self.expires_on
        } else {
            self.lapses_on
        };
        let ended = self.ended.as_ref().is_some_and(|ended| ended.on <= day);
        self.proposed_on <= day && day < limit && !ended
    }

    /// What a classification needs of it; nothing before it was approved.
    pub(super) fn decision(&self) -> Option<Decision> {
        let approved = self.approved.as_ref()?;
        Some(Decision::Override {
            decision_id: self.override_id.clone(),
            tier: self.tier,
            reason: self.reason.clone(),
            proposed_by: self.proposed_by.to_string(),
            approved_by: approved.by.to_string(),
            from_on: self.from_on,
            expires_on: self.expires_on,
            ended_on: self.ended.as_ref().map(|ended| ended.on),
        })
    }

    fn proceeding(&self) -> Result<Proceeding, ServiceError> {
        let (state, due_on) = match (&self.approved, &self.ended) {
            (None, None) => (OverrideState::Proposed, self.lapses_on),
            (Some(_), None) => (OverrideState::Approved, self.expires_on),
            (None, Some(ended)) => (OverrideState::Withdrawn, ended.on),
            (Some(_), Some(ended)) => (OverrideState::Ended, ended.on),
        };
        Ok(Proceeding {
            proceeding_id: self.override_id.clone(),
            kind: ProceedingKind::Override,
            enterprise_id: self.enterprise_id.clone(),
            related_id: None,
            state: state.stored().to_owned(),
            is_open: self.ended.is_none(),
            due_on: Some(due_on),
            document: to_text(self)?,
        })
    }
}

impl OverrideState {
    /// The word kept in the store: what time alone does is worked out on reading.
    fn stored(self) -> &'static str {
        match self {
            Self::Proposed | Self::Lapsed => "proposed",
            Self::Approved | Self::Expired => "approved",
            Self::Ended => "ended",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Whether the time limit of that state has passed; absent where it has none.
    fn is_past(self) -> Option<bool> {
        match self {
            Self::Proposed | Self::Approved => Some(false),
            Self::Lapsed | Self::Expired => Some(true),
            Self::Ended | Self::Withdrawn => None,
        }
    }
}

impl Service {
    /// Proposes an override. Nothing changes until another person approves it.
    ///
    /// # Errors
    ///
    /// When the enterprise is unknown or merged, its days are in the wrong order, too far apart or past, or another
    /// proposal waits.
    pub async fn propose_override(
        &self,
        id: EnterpriseId,
        proposal: OverrideProposal,
    ) -> Result<Override, ServiceError> {
        let today = self.today();
        let current = self.current();
        let rules = &current.models.decisions;
        let OverrideProposal {
            tier,
            from_on,
            expires_on,
            person,
        } = proposal;
        let from_on = from_on.unwrap_or(today);
        let refuse = |name: &str, day: Date, reason: String| {
            ServiceError::from(FieldError::new(name, &day.to_string(), reason))
        };
        if from_on < today {
            let reason =
                format!("is past; an override counts from the present day ({today}) or later");
            return Err(refuse("from_on", from_on, reason));
        }
        if expires_on <= from_on {
            let reason = format!("is not after the first day, {from_on}; give a later one");
            return Err(refuse("expires_on", expires_on, reason));
        }
        if days_between(from_on, expires_on) > i64::from(rules.override_days) {
            let most = add_days(from_on, rules.override_days.into());
            let reason = format!(
                "is more than {} days after the first one; the policy allows {most} at the latest",
                rules.override_days
            );
            return Err(refuse("expires_on", expires_on, reason));
        }
        let proposed = Override {
            override_id: self.entropy.id()?,
            enterprise_id: id,
            tier,
            reason: person.reason,
            proposed_by: person.by,
            proposed_on: today,
            lapses_on: add_days(today, rules.proposal_days.into()).min(expires_on),
            from_on,
            expires_on,
            approved: None,
            ended: None,
        };
        let store = Arc::clone(&self.store);
        self.change(move || {
            let id = &proposed.enterprise_id;
            if store.enterprise(id)?.is_none() {
                return Err(ServiceError::UnknownEnterprise(id.clone()));
            }
            decide(store.as_ref(), &concerning(id), |standing| {
                refuse_merged(&standing.proceedings, id)?;
                let standing = of_enterprise(&standing.proceedings, id)?;
                if let Some(waiting) = standing
                    .iter()
                    .find(|one| one.state_on(today) == OverrideState::Proposed)
                {
                    return Err(ServiceError::Conflict(format!(
                        "override `{}` of this enterprise waits for approval; approve or end it first",
                        waiting.override_id
                    )));
                }
                refuse_overlap(&standing, &proposed)?;
                let said = (Some(&proposed.proposed_by), Some(proposed.reason.as_str()));
                let deed = Deed {
                    proceedings: vec![proposed.proceeding()?],
                    acts: vec![act(id, "override_proposed", &proposed.override_id, today, said)],
                    touched: [id.clone()].into(),
                    ..Deed::default()
                };
                Ok((deed, proposed.clone()))
            })
        })
        .await
    }

    /// Approves a proposed override; from its first day on, or from the present day if that is past, the tier is set.
    ///
    /// # Errors
    ///
    /// When there is no such override of the enterprise, it does not wait for approval, or its proposer is approving.
    pub async fn approve_override(
        &self,
        id: EnterpriseId,
        override_id: String,
        by: Label,
    ) -> Result<Override, ServiceError> {
        let today = self.today();
        let store = Arc::clone(&self.store);
        self.change(move || {
            if store.enterprise(&id)?.is_none() {
                return Err(ServiceError::UnknownEnterprise(id));
            }
            decide(store.as_ref(), &concerning(&id), |standing| {
                refuse_merged(&standing.proceedings, &id)?;
                let standing = of_enterprise(&standing.proceedings, &id)?;
                let Some(found) = standing.iter().find(|one| one.override_id == override_id) else {
                    return Err(ServiceError::UnknownOverride(override_id.clone()));
                };
                match found.state_on(today) {
                    OverrideState::Proposed => {}
                    OverrideState::Lapsed => {
                        return Err(ServiceError::Conflict(format!(
                            "override `{override_id}` could be approved until {} only; propose it anew",
                            add_days(found.lapses_on, -1)
                        )));
                    }
                    OverrideState::Approved | OverrideState::Expired => {
                        return Err(ServiceError::Conflict(format!(
                            "override `{override_id}` is approved already"
                        )));
                    }
                    OverrideState::Ended | OverrideState::Withdrawn => {
                        return Err(ServiceError::Conflict(format!(
                            "override `{override_id}` was ended; propose it anew"
                        )));
                    }
                }
                if same_person(&found.proposed_by, &by) {
                    return Err(ServiceError::Rule(format!(
                        "`{by}` proposed override `{override_id}`; another person must approve it"
                    )));
                }
                let approved = Override {
                    from_on: found.from_on.max(today),
                    approved: Some(Approval {
                        by: by.clone(),
                        on: today,
                    }),
                    ..found.clone()
                };
                refuse_overlap(&standing, &approved)?;
                let said = (Some(&by), None);
                let deed = Deed {
                    proceedings: vec![approved.proceeding()?],
                    acts: vec![act(&id, "override_approved", &override_id, approved.from_on, said)],
                    touched: [id.clone()].into(),
                    ..Deed::default()
                };
                Ok((deed, approved))
            })
        })
        .await
    }

    /// Ends an override from the present day on, or takes a proposal back. Without `override_id` it is the one that
    /// counts, else the one that is to count, else the one that waits.
    ///
    /// # Errors
    ///
    /// When there is none to end.
    pub async fn end_override(
        &self,
        id: EnterpriseId,
        override_id: Option<String>,
        person: Person,
    ) -> Result<Override, ServiceError> {
        let today = self.today();
        let store = Arc::clone(&self.store);
        self.change(move || {
            if store.enterprise(&id)?.is_none() {
                return Err(ServiceError::UnknownEnterprise(id));
            }
            decide(store.as_ref(), &concerning(&id), |standing| {
                let standing = of_enterprise(&standing.proceedings, &id)?;
                let mut live: Vec<&Override> = standing
                    .iter()
                    .filter(|one| match one.state_on(today) {
                        OverrideState::Proposed | OverrideState::Approved => true,
                        OverrideState::Lapsed
                        | OverrideState::Expired
                        | OverrideState::Ended
                        | OverrideState::Withdrawn => false,
                    })
                    .filter(|one| {
                        override_id
                            .as_ref()
                            .is_none_or(|wanted| *wanted == one.override_id)
                    })
                    .collect();
                live.sort_by_key(|one| (one.approved.is_none(), one.from_on));
                let Some(found) = live.first() else {
                    return Err(match &override_id {
                        Some(wanted) => ServiceError::UnknownOverride(wanted.clone()),
                        None => ServiceError::NoOverride(id.clone()),
                    });
                };
                let mut ended = (*found).clone();
                ended.ended = Some(Ending {
                    by: person.by.clone(),
                    on: today,
                    reason: person.reason.clone(),
                });
                let what = match ended.approved {
                    Some(_) => "override_ended",
                    None => "override_withdrawn",
                };
                let said = (Some(&person.by), Some(person.reason.as_str()));
                let deed = Deed {
                    proceedings: vec![ended.proceeding()?],
                    acts: vec![act(&id, what, &ended.override_id, today, said)],
                    touched: [id.clone()].into(),
                    ..Deed::default()
                };
                Ok((deed, ended))
            })
        })
        .await
    }

    /// Overrides after `after` in order of their ids, at most `limit`, in one state if one is asked for.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn overrides(
        &self,
        state: Option<OverrideState>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Override>, ServiceError> {
        let today = self.today();
        let filter = ProceedingFilter {
            kind: ProceedingKind::Override,
            state: state.map(|state| state.stored().to_owned()),
            due_by: state
                .and_then(OverrideState::is_past)
                .map(|past| (today, past)),
        };
        self.store
            .proceedings_after(&filter, after, limit)?
            .iter()
            .map(document)
            .collect()
    }
}

/// The overrides of one enterprise among proceedings.
pub(super) fn of_enterprise(
    proceedings: &[Proceeding],
    id: &EnterpriseId,
) -> Result<Vec<Override>, ServiceError> {
    let mut all: Vec<Override> = documents(proceedings, ProceedingKind::Override)?;
    all.retain(|one| one.enterprise_id == *id);
    Ok(all)
}

/// At most one override counts on any day.
fn refuse_overlap(standing: &[Override], new: &Override) -> Result<(), ServiceError> {
    let other = standing.iter().find(|one| {
        one.override_id != new.override_id
            && one.approved.is_some()
            && one.ended.is_none()
            && one.from_on < new.expires_on
            && new.from_on < one.expires_on
    });
    match other {
        None => Ok(()),
        Some(other) => Err(ServiceError::Conflict(format!(
            "override `{}` of this enterprise counts from {} until {}; end it first, or choose days outside of these",
            other.override_id,
            other.from_on,
            add_days(other.expires_on, -1)
        ))),
    }
}
