//! What happened to a plan or a group: every step that was taken, and every one that was refused.
//!
//! Steps that were taken stand in the document; refused ones are noted beside it in the store, with when, why and who
//! asked, so that an attempt to draw twice, to open another value or to change what is frozen stays visible. None of it is
//! part of a transcript.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

use super::document::PlanDocument;
use super::groups::GroupDocument;
use super::steps::now;
use crate::domain::Label;
use crate::service::{Service, ServiceError};

/// A step of a plan or of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanStep {
    /// It was made.
    Draft,
    /// The freeze of a plan.
    Freeze,
    /// The seal of a group.
    Seal,
    /// The opening of a group's contributions.
    Open,
    /// The draw.
    Draw,
    /// The replacement of a drawn object.
    Replace,
    /// The close.
    Close,
    /// It is given up.
    Void,
}

impl PlanStep {
    /// The word used in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Freeze => "freeze",
            Self::Seal => "seal",
            Self::Open => "open",
            Self::Draw => "draw",
            Self::Replace => "replace",
            Self::Close => "close",
            Self::Void => "void",
        }
    }
}

impl fmt::Display for PlanStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A step that was taken or refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanEvent {
    /// When, RFC 3339.
    pub at: String,
    /// Which step.
    pub step: PlanStep,
    /// Whether it was refused.
    pub refused: bool,
    /// Why it was refused, or why the plan was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who asked for it, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Label>,
}

/// Whose steps they are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject<'a> {
    Plan(&'a str),
    Group(&'a str),
}

impl Subject<'_> {
    fn key(self) -> String {
        match self {
            Self::Plan(id) => format!("plan/{id}"),
            Self::Group(id) => format!("group/{id}"),
        }
    }
}

impl Service {
    /// Everything that happened to a plan, in order of time: steps that were taken and steps that were refused.
    ///
    /// # Errors
    ///
    /// When there is no such plan or the store fails.
    pub fn plan_events(&self, plan_id: &str) -> Result<Vec<PlanEvent>, ServiceError> {
        let document = self.plan_document(plan_id)?;
        let mut events = taken(&document);
        let replaced = match &document.drawn {
            None => Vec::new(),
            Some(_) => self.replacements(plan_id)?,
        };
        events.extend(replaced.into_iter().map(|replacement| PlanEvent {
            at: replacement.at,
            step: PlanStep::Replace,
            refused: false,
            reason: Some(replacement.reason.as_str().to_owned()),
            by: Some(replacement.by),
        }));
        self.with_refused(Subject::Plan(plan_id), events)
    }

    /// Everything that happened to a group, in order of time; what happened to its plans they tell themselves.
    ///
    /// # Errors
    ///
    /// When there is no such group or the store fails.
    pub fn group_events(&self, group_id: &str) -> Result<Vec<PlanEvent>, ServiceError> {
        let events = taken_by_group(&self.group_document(group_id)?);
        self.with_refused(Subject::Group(group_id), events)
    }

    fn with_refused(
        &self,
        subject: Subject<'_>,
        mut events: Vec<PlanEvent>,
    ) -> Result<Vec<PlanEvent>, ServiceError> {
        for text in self.store.refusals(&subject.key())? {
            events.push(serde_json::from_str(&text)?);
        }
        let instant = |event: &PlanEvent| event.at.parse::<jiff::Timestamp>().ok();
        events.sort_by_key(|event| (instant(event), event.step));
        Ok(events)
    }

    /// Notes a step that was refused. A store that cannot take the note is logged; the refusal stands all the same.
    pub(super) fn noted<T>(
        &self,
        subject: Subject<'_>,
        step: PlanStep,
        by: Option<&Label>,
        outcome: Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let Err(error) = &outcome else {
            return outcome;
        };
        if !is_refusal(error) {
            return outcome;
        }
        let event = PlanEvent {
            at: now(),
            step,
            refused: true,
            reason: Some(error.to_string()),
            by: by.cloned(),
        };
        let key = subject.key();
        tracing::warn!(subject = key, %step, %error, "a step of a plan was refused");
        let kept = serde_json::to_string(&event)
            .map_err(ServiceError::from)
            .and_then(|text| Ok(self.store.note_refusal(&key, &text)?));
        match kept {
            Ok(true) => {}
            Ok(false) => tracing::warn!(
                subject = key,
                "so many refused steps are noted already that this one is not"
            ),
            Err(error) => {
                tracing::error!(subject = key, %error, "a refused step could not be noted")
            }
        }
        outcome
    }
}

/// Whether an error is a refusal of the step, and not a store that is away or a plan that is not there.
fn is_refusal(error: &ServiceError) -> bool {
    matches!(
        error,
        ServiceError::PlanState { .. }
            | ServiceError::GroupState { .. }
            | ServiceError::Opening(_)
            | ServiceError::Plan(_)
            | ServiceError::Draw(_)
            | ServiceError::Conflict(_)
            | ServiceError::Rule(_)
            | ServiceError::Field(_)
            | ServiceError::Allocation(_)
            | ServiceError::Internal(_)
    )
}

/// The steps that a plan's document tells of.
fn taken(document: &PlanDocument) -> Vec<PlanEvent> {
    let frozen = document.frozen.as_ref();
    let drawn = document.drawn.as_ref();
    let closed = document.closed.as_ref();
    let steps = [
        (PlanStep::Draft, Some(&document.created_at)),
        (PlanStep::Freeze, frozen.map(|frozen| &frozen.frozen_at)),
        (PlanStep::Draw, drawn.map(|drawn| &drawn.drawn_at)),
        (PlanStep::Close, closed.map(|closed| &closed.closed_at)),
        (PlanStep::Void, document.void_at.as_ref()),
    ];
    events_of(steps, document.void_reason.as_ref(), &document.said_by)
}

fn taken_by_group(document: &GroupDocument) -> Vec<PlanEvent> {
    let opened = document.opened.as_ref();
    let steps = [
        (PlanStep::Draft, Some(&document.created_at)),
        (PlanStep::Seal, document.sealed_at.as_ref()),
        (PlanStep::Open, opened.map(|opened| &opened.opened_at)),
        (PlanStep::Void, document.void_at.as_ref()),
    ];
    events_of(steps, document.void_reason.as_ref(), &document.said_by)
}

/// The steps of these that were taken, with what was said of them.
fn events_of<const COUNT: usize>(
    steps: [(PlanStep, Option<&String>); COUNT],
    void_reason: Option<&String>,
    said_by: &BTreeMap<PlanStep, Label>,
) -> Vec<PlanEvent> {
    let taken = steps.into_iter().filter_map(|(step, at)| Some((step, at?)));
    taken
        .map(|(step, at)| PlanEvent {
            at: at.clone(),
            step,
            refused: false,
            reason: void_reason.filter(|_| step == PlanStep::Void).cloned(),
            by: said_by.get(&step).cloned(),
        })
        .collect()
}
