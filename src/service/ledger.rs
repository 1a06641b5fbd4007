//! The ledger of visits: how often an enterprise was disturbed, by whom, and why.

use jiff::civil::Date;
use serde::Serialize;
use std::collections::BTreeMap;

use super::{Service, ServiceError};
use crate::domain::{EnterpriseId, ExemptReason, FieldError, Label, Visit, VisitKind, VisitState};
use crate::store::{LedgerFilter, LedgerYear, StoreError};

/// Most visits entered at once.
pub const MOST_VISITS: usize = 1_000;

/// A visit outside the plans, as it is entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExemptVisit {
    /// Who was visited.
    pub enterprise_id: EnterpriseId,
    /// When.
    pub visited_on: Date,
    /// Why it is outside the plans.
    pub reason: ExemptReason,
    /// Departments that took part.
    pub departments: Vec<Label>,
    /// Codes of the check items.
    pub items: Vec<Label>,
    /// A remark.
    pub note: Option<String>,
    /// Who enters it.
    pub by: Option<Label>,
}

/// What the ledger says of one enterprise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnterpriseLedger {
    /// The enterprise.
    pub enterprise_id: EnterpriseId,
    /// Its visits by year, latest first; void and replaced ones are not counted.
    pub years: BTreeMap<i16, VisitCounts>,
    /// All its visits, latest window first, those under ids that are merged into it among them.
    pub visits: Vec<Visit>,
}

/// Visits of one enterprise in one year.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VisitCounts {
    /// Planned for general items.
    pub general: u64,
    /// Planned for key items.
    pub key: u64,
    /// Outside the plans.
    pub exempt: u64,
    /// Those of them that have taken place.
    pub done: u64,
}

/// A year of the ledger, with its rates.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LedgerSummary {
    /// The year.
    pub year: i16,
    /// Planned visits for general items.
    pub general_count: u64,
    /// Planned visits for key items.
    pub key_count: u64,
    /// Visits outside the plans.
    pub exempt_count: u64,
    /// Visits that have taken place.
    pub done_count: u64,
    /// Enterprises with a planned visit.
    pub visited_count: u64,
    /// Share of them with more than one.
    pub repeat_rate: f64,
    /// Share of planned visits in which several departments take part.
    pub joint_share: f64,
    /// Enterprises that can be visited at present.
    pub object_count: u64,
    /// Planned visits for general items per enterprise that can be visited.
    pub general_rate: f64,
    /// The policy's floor of that rate.
    pub floor: f64,
    /// The policy's ceiling.
    pub ceiling: f64,
}

impl Service {
    /// Enters visits outside the plans, all or none.
    ///
    /// # Errors
    ///
    /// Names the visit whose enterprise is not in the register or whose day is to come.
    pub fn enter_visits(&self, visits: Vec<ExemptVisit>) -> Result<Vec<Visit>, ServiceError> {
        if visits.is_empty() || visits.len() > MOST_VISITS {
            let reason = format!("are not 1 to {MOST_VISITS} visits; send them in parts");
            return Err(FieldError::new("visits", &visits.len().to_string(), reason).into());
        }
        let (today, noted_at) = (self.today(), jiff::Timestamp::now().to_string());
        let mut entered = Vec::with_capacity(visits.len());
        for (place, visit) in visits.into_iter().enumerate() {
            if visit.visited_on > today {
                let reason = "is a day to come; enter a visit once it has taken place";
                let field = format!("visits.{place}.visited_on");
                return Err(FieldError::new(&field, &visit.visited_on.to_string(), reason).into());
            }
            if self.store.enterprise(&visit.enterprise_id)?.is_none() {
                return Err(ServiceError::UnknownEnterprise(visit.enterprise_id));
            }
            let ExemptVisit {
                enterprise_id,
                visited_on,
                reason,
                mut departments,
                items,
                note,
                by,
            } = visit;
            departments.sort();
            departments.dedup();
            entered.push(Visit {
                visit_no: 0,
                enterprise_id,
                year: visited_on.year(),
                kind: VisitKind::Exempt,
                state: VisitState::Done,
                slot: None,
                from_on: visited_on,
                until_on: visited_on,
                visited_on: Some(visited_on),
                plan_id: None,
                departments,
                items,
                reason: Some(reason),
                note,
                by,
                noted_at: noted_at.clone(),
            });
        }
        let numbers = self.store.enter_visits(&entered)?;
        for (visit, number) in entered.iter_mut().zip(numbers) {
            visit.visit_no = number;
        }
        Ok(entered)
    }

    /// Notes the day on which a planned visit took place; the same call again corrects the day.
    ///
    /// # Errors
    ///
    /// When there is no such visit, its plan is void, it is outside the plans, or the day is to come.
    pub fn note_visit(
        &self,
        visit_no: u64,
        visited_on: Date,
        by: Option<Label>,
    ) -> Result<Visit, ServiceError> {
        if visited_on > self.today() {
            let reason = "is a day to come; note a visit once it has taken place";
            return Err(FieldError::new("visited_on", &visited_on.to_string(), reason).into());
        }
        let noted = self.note_visits(&BTreeMap::from([(visit_no, visited_on)]), by.as_ref())?;
        let noted = noted.and_then(|mut visits| visits.pop());
        noted.ok_or(ServiceError::UnknownVisit(visit_no))
    }

    /// Notes visits as done on their days, all or none; `None` if one of them is not in the ledger.
    pub(super) fn note_visits(
        &self,
        days: &BTreeMap<u64, Date>,
        by: Option<&Label>,
    ) -> Result<Option<Vec<Visit>>, ServiceError> {
        let noted_at = jiff::Timestamp::now().to_string();
        let numbers: Vec<u64> = days.keys().copied().collect();
        let changed = self.store.change_visits(&numbers, &|mut visit| {
            if visit.kind == VisitKind::Exempt
                || matches!(visit.state, VisitState::Void | VisitState::Replaced)
            {
                return Err(StoreError::Aborted(format!(
                    "visit {} is {} and {}; only planned visits are noted as done",
                    visit.visit_no, visit.kind, visit.state
                )));
            }
            visit.state = VisitState::Done;
            visit.visited_on = days.get(&visit.visit_no).copied().or(visit.visited_on);
            visit.by = by.cloned().or(visit.by);
            visit.noted_at.clone_from(&noted_at);
            Ok(visit)
        });
        match changed {
            Ok(visits) => Ok(visits),
            Err(StoreError::Aborted(reason)) => Err(ServiceError::Conflict(reason)),
            Err(error) => Err(error.into()),
        }
    }

    /// Visits before number `before`, latest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn visits(
        &self,
        filter: &LedgerFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Visit>, ServiceError> {
        Ok(self.store.visits_before(filter, before, limit)?)
    }

    /// Every visit to one enterprise.
    ///
    /// # Errors
    ///
    /// When neither register nor ledger knows it, or the store fails.
    pub fn enterprise_ledger(&self, id: &EnterpriseId) -> Result<EnterpriseLedger, ServiceError> {
        let mut visits = self.store.visits_to(id)?;
        let merged = self.successors()?;
        for (old, _) in merged.iter().filter(|(_, into)| *into == id) {
            visits.extend(self.store.visits_to(old)?);
        }
        visits.sort_by_key(|visit| std::cmp::Reverse((visit.from_on, visit.visit_no)));
        if visits.is_empty() && self.store.enterprise(id)?.is_none() {
            return Err(ServiceError::UnknownEnterprise(id.clone()));
        }
        let mut years: BTreeMap<i16, VisitCounts> = BTreeMap::new();
        for visit in &visits {
            if matches!(visit.state, VisitState::Void | VisitState::Replaced) {
                continue;
            }
            let counts = years.entry(visit.year).or_default();
            let of_kind = match visit.kind {
                VisitKind::General => &mut counts.general,
                VisitKind::Key => &mut counts.key,
                VisitKind::Exempt => &mut counts.exempt,
            };
            *of_kind += 1;
            counts.done += u64::from(visit.state == VisitState::Done);
        }
        Ok(EnterpriseLedger {
            enterprise_id: id.clone(),
            years,
            visits,
        })
    }

    /// A year in numbers, against the floor and ceiling of the policy in force.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn ledger_summary(&self, year: Option<i16>) -> Result<LedgerSummary, ServiceError> {
        let year = year.unwrap_or_else(|| self.today().year());
        let merged: Vec<_> = self.successors()?.into_iter().collect();
        let LedgerYear {
            general_count,
            key_count,
            exempt_count,
            done_count,
            joint_count,
            visited_count,
            repeat_count,
            general_enterprise_count: _,
            object_count,
        } = self.store.ledger_year(year, &merged)?;
        let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        let bounds = self.current().models.sampling.overall;
        Ok(LedgerSummary {
            year,
            general_count,
            key_count,
            exempt_count,
            done_count,
            visited_count,
            repeat_rate: share(repeat_count, visited_count),
            joint_share: share(joint_count, general_count + key_count),
            object_count,
            general_rate: share(general_count, object_count),
            floor: bounds.floor,
            ceiling: bounds.ceiling,
        })
    }
}
