//! The ledger of visits.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::codes::{ExemptReason, LedgerVisitState, VisitKind};
use super::present;
use crate::domain::{FieldError, Label, Visit, field};
use crate::service::{EnterpriseLedger, ExemptVisit, LedgerSummary, VisitCounts, person};

/// Visits outside the plans.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `visits`")]
pub(crate) struct VisitsInput {
    /// The visits, all entered or none.
    #[schema(min_items = 1, max_items = 1000)]
    visits: Vec<VisitInput>,
}

/// A visit outside the plans.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct VisitInput {
    /// Who was visited.
    #[schema(example = "91990000MA00000017")]
    enterprise_id: String,
    /// When.
    #[schema(format = Date, example = "2026-11-20")]
    visited_on: String,
    /// Why it is outside the plans.
    reason: ExemptReason,
    /// Departments that took part.
    #[serde(default)]
    #[schema(example = json!(["market-regulation"]))]
    departments: Vec<String>,
    /// Codes of the check items.
    #[serde(default)]
    #[schema(example = json!(["SP-0301"]))]
    items: Vec<String>,
    /// A remark.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "complaint 12315-2026-881", max_length = 500)]
    note: Option<String>,
    /// Who enters it; a later release takes it from the caller's token.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "officer-17", min_length = 1, max_length = 64)]
    by: Option<String>,
}

impl VisitsInput {
    /// Checks it.
    pub(crate) fn parse(self) -> Result<Vec<ExemptVisit>, FieldError> {
        let visits = self.visits.into_iter().enumerate();
        visits
            .map(|(place, given)| {
                given.parse().map_err(|error| FieldError {
                    field: format!("visits.{place}.{}", error.field),
                    ..error
                })
            })
            .collect()
    }
}

impl VisitInput {
    fn parse(self) -> Result<ExemptVisit, FieldError> {
        let labels = |name: &str, given: &[String]| -> Result<Vec<Label>, FieldError> {
            let given = given.iter().enumerate();
            given
                .map(|(place, text)| field::label(&format!("{name}.{place}"), text))
                .collect()
        };
        Ok(ExemptVisit {
            enterprise_id: field::enterprise_id("enterprise_id", &self.enterprise_id)?,
            visited_on: field::date("visited_on", &self.visited_on)?,
            reason: self.reason.into(),
            departments: labels("departments", &self.departments)?,
            items: labels("items", &self.items)?,
            note: self
                .note
                .map(|note| field::text("note", &note, 1, 500))
                .transpose()?,
            by: self.by.map(|by| person("by", &by)).transpose()?,
        })
    }
}

/// When a planned visit took place.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `visited_on`")]
pub(crate) struct LedgerDoneInput {
    /// The day.
    #[schema(format = Date, example = "2026-11-20")]
    visited_on: String,
    /// Who notes it; a later release takes it from the caller's token.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "officer-17", min_length = 1, max_length = 64)]
    by: Option<String>,
}

impl LedgerDoneInput {
    /// Checks it.
    pub(crate) fn parse(self) -> Result<(jiff::civil::Date, Option<Label>), FieldError> {
        let by = self.by.map(|by| person("by", &by)).transpose()?;
        Ok((field::date("visited_on", &self.visited_on)?, by))
    }
}

/// Which visits to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LedgerQuery {
    /// Of this year.
    #[param(example = 2026)]
    pub(crate) year: Option<i16>,
    /// Of this kind.
    #[param(inline, example = "general")]
    pub(crate) kind: Option<VisitKind>,
    /// In this state.
    #[param(inline, example = "planned")]
    pub(crate) state: Option<LedgerVisitState>,
    /// Of this plan.
    #[param(example = "rtp1-0123456789abcdef0123456789abcdef")]
    pub(crate) plan_id: Option<String>,
    /// Where to go on: `next_cursor` of the page before.
    #[param(example = "5f1d0c6ba3e84297313038")]
    pub(crate) cursor: Option<String>,
    /// Visits per page.
    #[param(minimum = 1, example = 100)]
    pub(crate) limit: Option<usize>,
}

/// Which year.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct YearQuery {
    /// The year; left out: the present one.
    #[param(example = 2026)]
    pub(crate) year: Option<i16>,
}

/// A visit of the ledger.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Visit)]
pub(crate) struct LedgerVisitAnswer {
    /// Its number in the ledger.
    #[schema(example = 17, minimum = 1)]
    visit_no: u64,
    /// Who is visited.
    #[schema(example = "91990000MA00000017")]
    enterprise_id: String,
    /// The calendar year that it counts in.
    #[schema(example = 2027)]
    year: i16,
    /// What it counts as.
    kind: VisitKind,
    /// Where it stands.
    state: LedgerVisitState,
    /// Its number among the visits for general items to this enterprise in its year; left out where it does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1, minimum = 1)]
    slot: Option<u16>,
    /// First day on which it may take place.
    #[schema(format = Date, example = "2027-01-01")]
    from_on: String,
    /// Last day on which it may take place.
    #[schema(format = Date, example = "2027-03-31")]
    until_on: String,
    /// When it took place.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Date, example = "2027-02-11")]
    visited_on: Option<String>,
    /// The plan that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "rtp1-0123456789abcdef0123456789abcdef")]
    plan_id: Option<String>,
    /// Departments that take part.
    departments: Vec<String>,
    /// Codes of the check items.
    items: Vec<String>,
    /// Why it is outside the plans.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<ExemptReason>,
    /// A remark.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// Who entered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// When it was entered.
    #[schema(format = DateTime, example = "2026-11-22T08:15:00Z")]
    noted_at: String,
}

impl From<Visit> for LedgerVisitAnswer {
    fn from(visit: Visit) -> Self {
        let Visit {
            visit_no,
            enterprise_id,
            year,
            kind,
            state,
            slot,
            from_on,
            until_on,
            visited_on,
            plan_id,
            departments,
            items,
            reason,
            note,
            by,
            noted_at,
        } = visit;
        Self {
            visit_no,
            enterprise_id: enterprise_id.to_string(),
            year,
            kind: kind.into(),
            state: state.into(),
            slot,
            from_on: from_on.to_string(),
            until_on: until_on.to_string(),
            visited_on: visited_on.map(|day| day.to_string()),
            plan_id,
            departments: departments.into_iter().map(Into::into).collect(),
            items: items.into_iter().map(Into::into).collect(),
            reason: reason.map(Into::into),
            note,
            by: by.map(Into::into),
            noted_at,
        }
    }
}

/// Visits that were entered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VisitsEntered {
    /// The visits, in the order of the request.
    pub(crate) visits: Vec<LedgerVisitAnswer>,
}

/// What the ledger says of one enterprise.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EnterpriseLedger)]
pub(crate) struct EnterpriseLedgerAnswer {
    /// The enterprise.
    #[schema(example = "91990000MA00000017")]
    enterprise_id: String,
    /// Its visits by year, latest first; void and replaced ones are not counted.
    years: Vec<YearOfVisits>,
    /// All its visits, latest window first.
    visits: Vec<LedgerVisitAnswer>,
}

/// Visits of one enterprise in one year.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct YearOfVisits {
    /// The year.
    #[schema(example = 2027)]
    year: i16,
    /// Planned for general items.
    #[schema(example = 1)]
    general_count: u64,
    /// Planned for key items.
    #[schema(example = 0)]
    key_count: u64,
    /// Outside the plans.
    #[schema(example = 1)]
    exempt_count: u64,
    /// Those of them that have taken place.
    #[schema(example = 1)]
    done_count: u64,
}

impl From<EnterpriseLedger> for EnterpriseLedgerAnswer {
    fn from(ledger: EnterpriseLedger) -> Self {
        let EnterpriseLedger {
            enterprise_id,
            years,
            visits,
        } = ledger;
        let years = years.into_iter().rev().map(|(year, counts)| {
            let VisitCounts {
                general,
                key,
                exempt,
                done,
            } = counts;
            YearOfVisits {
                year,
                general_count: general,
                key_count: key,
                exempt_count: exempt,
                done_count: done,
            }
        });
        Self {
            enterprise_id: enterprise_id.to_string(),
            years: years.collect(),
            visits: visits.into_iter().map(Into::into).collect(),
        }
    }
}

/// A year of the ledger. Void and replaced visits are not counted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LedgerSummary)]
pub(crate) struct LedgerSummaryAnswer {
    /// The year.
    #[schema(example = 2027)]
    year: i16,
    /// Planned visits for general items.
    #[schema(example = 620)]
    general_count: u64,
    /// Planned visits for key items.
    #[schema(example = 140)]
    key_count: u64,
    /// Visits outside the plans.
    #[schema(example = 33)]
    exempt_count: u64,
    /// Visits that have taken place.
    #[schema(example = 410)]
    done_count: u64,
    /// Enterprises with a planned visit.
    #[schema(example = 750)]
    visited_count: u64,
    /// Share of them with more than one.
    #[schema(example = 0.0137, minimum = 0, maximum = 1)]
    repeat_rate: f64,
    /// Share of the planned visits in which several departments take part.
    #[schema(example = 0.22, minimum = 0, maximum = 1)]
    joint_share: f64,
    /// Enterprises that can be visited at present.
    #[schema(example = 20000)]
    object_count: u64,
    /// Planned visits for general items per enterprise that can be visited.
    #[schema(example = 0.031)]
    general_rate: f64,
    /// The policy's floor of that rate.
    #[schema(example = 0.03)]
    floor: f64,
    /// The policy's ceiling.
    #[schema(example = 0.05)]
    ceiling: f64,
}

impl From<LedgerSummary> for LedgerSummaryAnswer {
    fn from(summary: LedgerSummary) -> Self {
        let LedgerSummary {
            year,
            general_count,
            key_count,
            exempt_count,
            done_count,
            visited_count,
            repeat_rate,
            joint_share,
            object_count,
            general_rate,
            floor,
            ceiling,
        } = summary;
        Self {
            year,
            general_count,
            key_count,
            exempt_count,
            done_count,
            visited_count,
            repeat_rate,
            joint_share,
            object_count,
            general_rate,
            floor,
            ceiling,
        }
    }
}
