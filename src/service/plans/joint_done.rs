//! Joint visits that took place: what is noted of them stands in the ledger.

use jiff::civil::Date;
use std::collections::BTreeMap;

use super::document::PlanDocument;
use crate::domain::{EnterpriseId, FieldError, Label, Visit};
use crate::service::{DoneNote, NotedVisits, Service, ServiceError};

impl Service {
    /// When the visits to each enterprise took place: the last day, once all of them have.
    pub(super) fn done_days(
        &self,
        documents: &[PlanDocument],
    ) -> Result<BTreeMap<String, Option<Date>>, ServiceError> {
        let mut days: BTreeMap<String, Option<Date>> = BTreeMap::new();
        for visit in self.store.visits_of_plans(&ids(documents))? {
            let day = days
                .entry(visit.enterprise_id.to_string())
                .or_insert(visit.visited_on);
            *day = day.zip(visit.visited_on).map(|(a, b)| a.max(b));
        }
        Ok(days)
    }

    /// Notes joint visits as done, in the ledger: for every row that selected the object, on visits whose days suit, all or
    /// none in one transaction. What is wrong with one of them shows before any is noted. Noting one again with the same day changes nothing.
    ///
    /// # Errors
    ///
    /// When there is no such group or a row is not drawn; names the note whose object is not visited, whose day is to come
    /// or another one than was noted.
    pub fn note_joint_visits(
        &self,
        group_id: &str,
        notes: &[DoneNote],
        by: Option<&Label>,
    ) -> Result<NotedVisits, ServiceError> {
        let documents = self.drawn_rows(group_id)?;
        let mut visits: BTreeMap<EnterpriseId, Vec<Visit>> = BTreeMap::new();
        for visit in self.store.visits_of_plans(&ids(&documents))? {
            visits
                .entry(visit.enterprise_id.clone())
                .or_default()
                .push(visit);
        }
        let today = self.today();
        let mut noted = NotedVisits::default();
        let mut changes = BTreeMap::new();
        for (place, note) in notes.iter().enumerate() {
            let wrong = |field: &str, value: String, reason: String| {
                FieldError::new(&format!("visits.{place}.{field}"), &value, reason)
            };
            if let Some(number) = note.visit {
                let reason = "is for calendars; a joint visit has no number, leave it out";
                return Err(wrong("visit", number.to_string(), reason.to_owned()).into());
            }
            let day = note.done_on;
            if day > today {
                let reason = format!("is after the present day, {today}");
                return Err(wrong("done_on", day.to_string(), reason).into());
            }
            let found = visits.get(&note.enterprise_id);
            let found = found.map_or(&[][..], Vec::as_slice);
            let suits = |visit: &&Visit| (visit.from_on..=visit.until_on).contains(&day);
            let mut meant: Vec<&Visit> = found.iter().filter(suits).collect();
            if meant.is_empty() {
                // Early or late: the visits that are still to come.
                meant.extend(found.iter().filter(|visit| visit.visited_on.is_none()));
            }
            if meant.is_empty() {
                meant.extend(found);
            }
            if meant.is_empty() {
                let reason = "is not visited for this joint plan; `GET …/visits` lists who is";
                return Err(wrong(
                    "enterprise_id",
                    note.enterprise_id.to_string(),
                    reason.to_owned(),
                )
                .into());
            }
            if let Some(other) = meant
                .iter()
                .find_map(|visit| visit.visited_on.filter(|on| *on != day))
            {
                return Err(ServiceError::Conflict(format!(
                    "the visit to `{}` was noted as done on {other}; correct it in the ledger",
                    note.enterprise_id
                )));
            }
            let open: Vec<u64> = meant
                .iter()
                .filter(|visit| visit.visited_on.is_none())
                .map(|visit| visit.visit_no)
                .collect();
            if open.is_empty() {
                noted.unchanged += 1;
            } else {
                noted.noted += 1;
                changes.extend(open.into_iter().map(|number| (number, day)));
            }
        }
        match self.note_visits(&changes, by)? {
            Some(_) => Ok(noted),
            None => Err(ServiceError::Internal(
                "a visit of a joint plan left the ledger while it was noted".to_owned(),
            )),
        }
    }
}

fn ids(documents: &[PlanDocument]) -> Vec<String> {
    documents.iter().map(|plan| plan.plan_id.clone()).collect()
}
