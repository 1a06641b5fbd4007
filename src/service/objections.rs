//! Objections to records (异议): filed, examined, decided, within time limits of working days.
//!
//! While an objection is examined the tier is frozen: it stays what it was on the day the examination began. It falls
//! away when the objection is decided, or at the time limit if nobody decides.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

use super::dossiers::Dossiers;
use super::merges::{lineage, refuse_merged};
use super::proceedings::{
    Person, act, concerning, decide, document, documents, same_person, to_text,
};
use super::register::{corrected, withdrawn};
use super::{Service, ServiceError};
use crate::domain::dates::add_days;
use crate::domain::{
    AsOf, Decision, EnterpriseId, FieldError, Label, ProceedingKind, Record, Tier,
};
use crate::store::{Concerned, Deed, Proceeding, ProceedingFilter};

/// An objection to a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objection {
    /// Its id.
    pub objection_id: String,
    /// Source of the record.
    pub source: Label,
    /// Id of the record at its source.
    pub record_id: String,
    /// The enterprise for which the record counts.
    pub enterprise_id: EnterpriseId,
    /// Who filed it: a pseudonym or role, never a private name.
    pub filed_by: Label,
    /// What it says.
    pub reason: String,
    /// The day on which it was received.
    pub filed_on: Date,
    /// The last day on which its examination may begin in time.
    pub accept_by: Date,
    /// Its examination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub examination: Option<Examination>,
    /// The decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
}

/// The examination of an objection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examination {
    /// Who examines.
    pub by: Label,
    /// Why the tier is frozen, in the examiner's words.
    pub reason: String,
    /// The day on which it began.
    pub on: Date,
    /// The last day on which it may be decided in time; the tier is frozen up to it.
    pub decide_by: Date,
    /// The tier that is kept.
    pub frozen_tier: Tier,
}

/// How an objection was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Who decided.
    pub by: Label,
    /// Why.
    pub reason: String,
    /// When.
    pub on: Date,
    /// What became of the record.
    pub outcome: Outcome,
}

/// What became of a record under objection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The objection was rejected; the record stands.
    Rejected,
    /// It was upheld; the record is withdrawn.
    Withdrawn,
    /// It was upheld; the record is corrected.
    Corrected,
}

/// Where an objection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectionState {
    /// It waits for its examination.
    Filed,
    /// It is examined.
    Examined,
    /// It was upheld.
    Upheld,
    /// It was rejected.
    Rejected,
}

/// A decision to be taken about an objection.
#[derive(Clone, Debug, PartialEq)]
pub enum Ruling {
    /// The record stands.
    Reject,
    /// The record is withdrawn from the present day on.
    Withdraw,
    /// The record says this from the present day on.
    Correct(Box<Record>),
}

impl ObjectionState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Filed => "filed",
            Self::Examined => "examined",
            Self::Upheld => "upheld",
            Self::Rejected => "rejected",
        }
    }
}

impl Objection {
    /// Where it stands.
    pub fn state(&self) -> ObjectionState {
        match (&self.examination, &self.verdict) {
            (_, Some(verdict)) => match verdict.outcome {
                Outcome::Rejected => ObjectionState::Rejected,
                Outcome::Withdrawn | Outcome::Corrected => ObjectionState::Upheld,
            },
            (Some(_), None) => ObjectionState::Examined,
            (None, None) => ObjectionState::Filed,
        }
    }

    /// Whether it waits longer than its time limit allows.
    pub fn is_overdue_on(&self, day: Date) -> bool {
        self.due_on().is_some_and(|due| due <= day)
    }

    /// The first day after its present time limit.
    fn due_on(&self) -> Option<Date> {
        match (&self.examination, &self.verdict) {
            (_, Some(_)) => None,
            (Some(examination), None) => Some(add_days(examination.decide_by, 1)),
            (None, None) => Some(add_days(self.accept_by, 1)),
        }
    }

    /// Whether a reader of the tier of `day` should know of it: it was filed by then and not decided.
    pub(super) fn concerns(&self, day: Date) -> bool {
        let decided = self
            .verdict
            .as_ref()
            .is_some_and(|verdict| verdict.on <= day);
        self.filed_on <= day && !decided
    }

    /// What a classification needs of it; nothing before it was examined.
    pub(super) fn decision(&self) -> Option<Decision> {
        let examination = self.examination.as_ref()?;
        Some(Decision::Freeze {
            objection_id: self.objection_id.clone(),
            tier: examination.frozen_tier,
            reason: examination.reason.clone(),
            from_on: examination.on,
            expires_on: add_days(examination.decide_by, 1),
            ended_on: self.verdict.as_ref().map(|verdict| verdict.on),
        })
    }

    fn proceeding(&self) -> Result<Proceeding, ServiceError> {
        Ok(Proceeding {
            proceeding_id: self.objection_id.clone(),
            kind: ProceedingKind::Objection,
            enterprise_id: self.enterprise_id.clone(),
            related_id: None,
            state: self.state().as_str().to_owned(),
            is_open: self.verdict.is_none(),
            due_on: self.due_on(),
            document: to_text(self)?,
        })
    }

    fn deed(&self, what: &str, on: Date, by: &Label, reason: &str) -> Result<Deed, ServiceError> {
        let said = (Some(by), Some(reason));
        Ok(Deed {
            proceedings: vec![self.proceeding()?],
            acts: vec![act(&self.enterprise_id, what, &self.objection_id, on, said)],
            touched: [self.enterprise_id.clone()].into(),
            ..Deed::default()
        })
    }
}

impl Service {
    /// Files an objection to a record, received on `filed_on` (default: the present day).
    ///
    /// # Errors
    ///
    /// When there is no such record, the day is to come or before the record occurred, the record counts no longer, or
    /// an objection to it is open.
    pub async fn file_objection(
        &self,
        source: Label,
        record_id: String,
        filed_on: Option<Date>,
        person: Person,
    ) -> Result<Objection, ServiceError> {
        let today = self.today();
        let filed_on = filed_on.unwrap_or(today);
        let current = self.current();
        let rules = &current.models.decisions;
        let accept_by = rules
            .working_days()
            .after(filed_on, rules.acceptance_working_days);
        let objection_id = self.entropy.id()?;
        if filed_on > today {
            let reason = format!("is to come; the present day is {today}");
            return Err(FieldError::new("on", &filed_on.to_string(), reason).into());
        }
        let store = Arc::clone(&self.store);
        self.change(move || {
            let unknown = || ServiceError::UnknownRecord {
                source_name: source.to_string(),
                record_id: record_id.clone(),
            };
            let owner = store
                .record_owner(&source, &record_id)?
                .ok_or_else(unknown)?;
            let lineage = lineage(&store.proceedings_about(&owner)?)?;
            let filed = Objection {
                objection_id,
                source: source.clone(),
                record_id: record_id.clone(),
                enterprise_id: lineage.successor_on(&owner, today).unwrap_or(owner.clone()),
                filed_by: person.by,
                reason: person.reason,
                filed_on,
                accept_by,
                examination: None,
                verdict: None,
            };
            let concerned = Concerned {
                enterprises: BTreeSet::from([owner, filed.enterprise_id.clone()]),
                record: Some((&filed.source, &filed.record_id, today)),
                alone: false,
            };
            decide(store.as_ref(), &concerned, |standing| {
                let Some(record) = &standing.record else {
                    return Err(unknown());
                };
                if filed_on < record.occurred_on {
                    let reason = format!("is before the record occurred ({})", record.occurred_on);
                    return Err(FieldError::new("on", &filed_on.to_string(), reason).into());
                }
                let gone = [record.repaired_on, record.withdrawn_on];
                if gone.into_iter().flatten().any(|day| day <= today) {
                    return Err(ServiceError::Conflict(format!(
                        "record `{}` of source `{}` is repaired or withdrawn and counts no longer",
                        filed.record_id, filed.source
                    )));
                }
                refuse_merged(&standing.proceedings, &filed.enterprise_id)?;
                let all: Vec<Objection> =
                    documents(&standing.proceedings, ProceedingKind::Objection)?;
                let open = all.iter().find(|one| {
                    one.verdict.is_none()
                        && one.source == filed.source
                        && one.record_id == filed.record_id
                });
                if let Some(open) = open {
                    return Err(ServiceError::Conflict(format!(
                        "objection `{}` to this record is open; it has to be decided first",
                        open.objection_id
                    )));
                }
                let deed =
                    filed.deed("objection_filed", filed_on, &filed.filed_by, &filed.reason)?;
                Ok((deed, filed.clone()))
            })
        })
        .await
    }

    /// Begins the examination of an objection: from the present day on the tier stays what it is.
    ///
    /// # Errors
    ///
    /// When there is no such objection, or it is examined or decided already.
    pub async fn examine_objection(
        &self,
        objection_id: String,
        person: Person,
    ) -> Result<Objection, ServiceError> {
        let today = self.today();
        let current = self.current();
        let rules = &current.models.decisions;
        let decide_by = rules
            .working_days()
            .after(today, rules.examination_working_days);
        let store = Arc::clone(&self.store);
        self.change(move || {
            let found = objection(store.proceeding(&objection_id)?, &objection_id)?;
            let frozen_tier = Dossiers::new(store.as_ref(), &current, today)
                .tier_without_overrides(&found.enterprise_id, AsOf::monthly(today))?
                .ok_or_else(|| ServiceError::UnknownEnterprise(found.enterprise_id.clone()))?;
            decide(
                store.as_ref(),
                &concerning(&found.enterprise_id),
                |standing| {
                    let found = among(&standing.proceedings, &objection_id)?;
                    match found.state() {
                        ObjectionState::Filed => {}
                        ObjectionState::Examined => {
                            return Err(ServiceError::Conflict(format!(
                                "objection `{objection_id}` is examined already"
                            )));
                        }
                        ObjectionState::Upheld | ObjectionState::Rejected => {
                            return Err(decided_already(&objection_id));
                        }
                    }
                    if same_person(&found.filed_by, &person.by) {
                        return Err(own_case(&found, &person.by));
                    }
                    let examined = Objection {
                        examination: Some(Examination {
                            by: person.by.clone(),
                            reason: person.reason.clone(),
                            on: today,
                            decide_by,
                            frozen_tier,
                        }),
                        ..found
                    };
                    let deed =
                        examined.deed("objection_examined", today, &person.by, &person.reason)?;
                    Ok((deed, examined))
                },
            )
        })
        .await
    }

    /// Decides an objection. Upheld, its record is withdrawn or corrected from the present day on in the same step;
    /// rejected, everything is as before. An objection may be rejected without an examination.
    ///
    /// # Errors
    ///
    /// When there is no such objection, it is decided already, it is to be upheld without an examination, or the
    /// correction is of another record or says nothing new.
    pub async fn decide_objection(
        &self,
        objection_id: String,
        ruling: Ruling,
        person: Person,
    ) -> Result<Objection, ServiceError> {
        let today = self.today();
        let store = Arc::clone(&self.store);
        self.change(move || {
            let found = objection(store.proceeding(&objection_id)?, &objection_id)?;
            let owner = store
                .record_owner(&found.source, &found.record_id)?
                .unwrap_or_else(|| found.enterprise_id.clone());
            let concerned = Concerned {
                enterprises: BTreeSet::from([owner.clone(), found.enterprise_id.clone()]),
                record: Some((&found.source, &found.record_id, today)),
                alone: false,
            };
            decide(store.as_ref(), &concerned, |standing| {
                let found = among(&standing.proceedings, &objection_id)?;
                match found.state() {
                    ObjectionState::Examined => {}
                    ObjectionState::Filed if ruling == Ruling::Reject => {}
                    ObjectionState::Filed => {
                        return Err(ServiceError::Conflict(format!(
                            "objection `{objection_id}` was not examined; examine it before it is upheld"
                        )));
                    }
                    ObjectionState::Upheld | ObjectionState::Rejected => {
                        return Err(decided_already(&objection_id));
                    }
                }
                if same_person(&found.filed_by, &person.by) {
                    return Err(own_case(&found, &person.by));
                }
                let (outcome, record) = match (&ruling, &standing.record) {
                    (Ruling::Reject, _) => (Outcome::Rejected, None),
                    (Ruling::Withdraw | Ruling::Correct(_), None) => {
                        return Err(ServiceError::UnknownRecord {
                            source_name: found.source.to_string(),
                            record_id: found.record_id.clone(),
                        });
                    }
                    (Ruling::Withdraw, Some(record)) => {
                        (Outcome::Withdrawn, Some(withdrawn(record, today)?))
                    }
                    (Ruling::Correct(content), Some(record)) => {
                        let correction = corrected(record, content, today)?.ok_or_else(|| {
                            FieldError::new("correction", "", "says what the record says already")
                        })?;
                        (Outcome::Corrected, Some(correction))
                    }
                };
                let decided = Objection {
                    verdict: Some(Verdict {
                        by: person.by.clone(),
                        reason: person.reason.clone(),
                        on: today,
                        outcome,
                    }),
                    ..found
                };
                let what = match outcome {
                    Outcome::Rejected => "objection_rejected",
                    Outcome::Withdrawn | Outcome::Corrected => "objection_upheld",
                };
                let mut deed = decided.deed(what, today, &person.by, &person.reason)?;
                deed.record = record;
                deed.touched.insert(owner.clone());
                Ok((deed, decided))
            })
        })
        .await
    }

    /// One objection.
    ///
    /// # Errors
    ///
    /// When there is none, or the store fails.
    pub fn objection(&self, objection_id: &str) -> Result<Objection, ServiceError> {
        objection(self.store.proceeding(objection_id)?, objection_id)
    }

    /// Objections after `after` in order of their ids, at most `limit`; of one state, and overdue or not, if asked for.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn objections(
        &self,
        state: Option<ObjectionState>,
        overdue: Option<bool>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Objection>, ServiceError> {
        let today = self.today();
        let filter = ProceedingFilter {
            kind: ProceedingKind::Objection,
            state: state.map(|state| state.as_str().to_owned()),
            due_by: overdue.map(|overdue| (today, overdue)),
        };
        self.store
            .proceedings_after(&filter, after, limit)?
            .iter()
            .map(document)
            .collect()
    }
}

fn objection(found: Option<Proceeding>, objection_id: &str) -> Result<Objection, ServiceError> {
    match found.filter(|one| one.kind == ProceedingKind::Objection) {
        Some(found) => document(&found),
        None => Err(ServiceError::UnknownObjection(objection_id.to_owned())),
    }
}

fn among(proceedings: &[Proceeding], objection_id: &str) -> Result<Objection, ServiceError> {
    let found = proceedings
        .iter()
        .find(|one| one.proceeding_id == objection_id);
    objection(found.cloned(), objection_id)
}

fn decided_already(objection_id: &str) -> ServiceError {
    ServiceError::Conflict(format!(
        "objection `{objection_id}` is decided already; file a new one"
    ))
}

fn own_case(objection: &Objection, by: &Label) -> ServiceError {
    ServiceError::Rule(format!(
        "`{by}` filed objection `{}`; another person must examine and decide it",
        objection.objection_id
    ))
}
