//! Visits that were done.

use jiff::civil::Date;
use std::collections::BTreeMap;

use super::editions::{calendar_of, done_of};
use crate::domain::{EnterpriseId, FieldError};
use crate::sampling::schedule::Done;
use crate::service::{Service, ServiceError};
use crate::store::DoneVisit;

/// How often noting is tried again when an edition comes in between.
const TRIES: usize = 3;

/// A visit that is said to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoneNote {
    /// The object.
    pub enterprise_id: EnterpriseId,
    /// The visit's number within the object; absent: its first that is not done.
    pub visit: Option<u32>,
    /// When it was done, not after the present day.
    pub done_on: Date,
}

/// What became of notes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotedVisits {
    /// Visits that are new as done.
    pub noted: u64,
    /// Visits that were noted before, with the same day.
    pub unchanged: u64,
}

impl Service {
    /// Notes visits of the edition in force as done, all or none, here and in the ledger. Noting one again with the same
    /// day changes nothing.
    ///
    /// # Errors
    ///
    /// Names the note that is wrong: an object or visit that is not in the calendar, a day to come, a visit noted with
    /// another day.
    pub fn note_done_visits(
        &self,
        calendar_id: &str,
        notes: &[DoneNote],
    ) -> Result<NotedVisits, ServiceError> {
        let plan_id = self.calendar_document(calendar_id)?.plan_id;
        let entry = self.done_entry(&plan_id)?;
        let entry = |done: &DoneVisit| entry.visit(done.enterprise_id.clone(), done.done_on);
        for _ in 0..TRIES {
            let edition = self.kept_edition(calendar_id, None)?;
            let known = done_of(&self.store.done_visits(calendar_id)?);
            let visits = self.matched(&edition, notes, known)?;
            let put =
                self.store
                    .put_done_visits(calendar_id, edition.edition_no, &visits, &entry)?;
            if let Some(noted) = put {
                return Ok(NotedVisits {
                    noted,
                    unchanged: (notes.len() as u64).saturating_sub(noted),
                });
            }
        }
        Err(ServiceError::Conflict(format!(
            "calendar `{calendar_id}` gets new editions all the time; try again"
        )))
    }

    fn matched(
        &self,
        edition: &crate::store::KeptEdition,
        notes: &[DoneNote],
        mut known: Done,
    ) -> Result<Vec<DoneVisit>, ServiceError> {
        let calendar = calendar_of(edition)?;
        let objects: BTreeMap<&str, _> = calendar
            .objects
            .iter()
            .map(|object| (object.id.as_str(), object))
            .collect();
        let today = self.today();
        let mut visits = Vec::new();
        for (place, note) in notes.iter().enumerate() {
            let id = note.enterprise_id.as_str();
            let wrong = |field: &str, value: &str, reason: String| {
                FieldError::new(&format!("visits.{place}.{field}"), value, reason)
            };
            if note.done_on > today {
                let reason = format!("is after the present day, {today}");
                return Err(wrong("done_on", &note.done_on.to_string(), reason).into());
            }
            let object = objects.get(id).ok_or_else(|| {
                let reason = "is not in the calendar; `GET …/visits` lists what is".to_owned();
                wrong("enterprise_id", id, reason)
            })?;
            let is_done = |number: u32| {
                let noted = known.get(&(id.to_owned(), number)).copied();
                let visit = object.visits.iter().find(|visit| visit.number == number);
                noted.or(visit.and_then(|visit| visit.done_on))
            };
            let number = match note.visit {
                Some(number) => {
                    if !object.visits.iter().any(|visit| visit.number == number) {
                        let reason = "is not a visit of this object in the present edition";
                        let shown = number.to_string();
                        return Err(wrong("visit", &shown, reason.to_owned()).into());
                    }
                    number
                }
                None => {
                    // Said twice on one day is said once.
                    let same = object
                        .visits
                        .iter()
                        .rev()
                        .find(|visit| is_done(visit.number) == Some(note.done_on));
                    let open = object
                        .visits
                        .iter()
                        .find(|visit| is_done(visit.number).is_none());
                    same.or(open).map(|visit| visit.number).ok_or_else(|| {
                        let reason = "has no visit left in the present edition".to_owned();
                        wrong("enterprise_id", id, reason)
                    })?
                }
            };
            match is_done(number) {
                Some(day) if day != note.done_on => {
                    return Err(ServiceError::Conflict(format!(
                        "visit {number} of `{id}` was noted as done on {day}; what is noted stays"
                    )));
                }
                Some(_) => {}
                None => {
                    known.insert((id.to_owned(), number), note.done_on);
                    visits.push(DoneVisit {
                        enterprise_id: note.enterprise_id.clone(),
                        visit_no: number,
                        done_on: note.done_on,
                    });
                }
            }
        }
        Ok(visits)
    }
}
