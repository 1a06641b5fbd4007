//! Calendars of items with frequencies.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::codes::{CalendarBalance, CalendarBatches, EditionCause, VisitState};
use super::present;
use crate::domain::{FieldError, field};
use crate::service::{
    BatchLoad, CalendarObjectView, CalendarRequest, CalendarView, DoneNote, EditionRequest,
    EditionView, Frequencies, Frequency, NotedVisits, TierFrequencies, VisitFilter, VisitView,
};

/// What a new calendar asks for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct CalendarInput {
    /// A drawn plan of method `order`: the calendar takes its objects, check items and tickets.
    #[schema(example = "rtp1-0123456789abcdef0123456789abcdef")]
    plan_id: String,
    /// Title for people, 1 to 200 bytes.
    #[schema(example = "Food producers", min_length = 1, max_length = 200)]
    title: String,
    /// How its years are cut; default `quarter`.
    #[serde(default = "quarter")]
    #[schema(default = "quarter")]
    batches: CalendarBatches,
    /// What is level over the batches; left out: as the policy says.
    #[serde(default, deserialize_with = "present")]
    balance: Option<CalendarBalance>,
    /// How often, by a name of the policy's `[calendar.frequencies]`; or give `frequencies`.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "food_production")]
    frequency: Option<String>,
    /// How often by tier; or name a `frequency`.
    #[serde(default, deserialize_with = "present")]
    frequencies: Option<TierFrequencyInput>,
    /// The first batch is the one that begins on or after this day; the calendar ends with its year.
    #[schema(format = Date, example = "2027-01-01")]
    from: String,
}

/// What a further edition asks for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct EditionInput {
    /// The frame whose tiers set the frequencies from now on.
    #[schema(example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11")]
    frame_id: String,
    /// The first batch to be planned is the one that begins on or after this day: in the present year the rest of it is
    /// planned anew, in the next one that year is added.
    #[schema(format = Date, example = "2027-07-01")]
    from: String,
    /// How often from now on, by a name of the policy; left out, with `frequencies`: as before.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "food_production")]
    frequency: Option<String>,
    /// How often by tier from now on.
    #[serde(default, deserialize_with = "present")]
    frequencies: Option<TierFrequencyInput>,
    /// What is level over the batches; left out: as before.
    #[serde(default, deserialize_with = "present")]
    balance: Option<CalendarBalance>,
}

/// How often by tier: visits a year, such as `2`, or visits in years, such as `1/3`. Never falling from A to D.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "an object with `A`, `B`, `C` and `D`"
)]
pub(crate) struct TierFrequencyInput {
    /// Of tier A.
    #[serde(rename = "A")]
    #[schema(example = "1/3", pattern = "^[0-9]+(/[0-9]+)?$")]
    a: String,
    /// Of tier B.
    #[serde(rename = "B")]
    #[schema(example = "1", pattern = "^[0-9]+(/[0-9]+)?$")]
    b: String,
    /// Of tier C.
    #[serde(rename = "C")]
    #[schema(example = "2", pattern = "^[0-9]+(/[0-9]+)?$")]
    c: String,
    /// Of tier D.
    #[serde(rename = "D")]
    #[schema(example = "4", pattern = "^[0-9]+(/[0-9]+)?$")]
    d: String,
}

fn quarter() -> CalendarBatches {
    CalendarBatches::Quarter
}

impl TierFrequencyInput {
    fn parse(self) -> Result<TierFrequencies, FieldError> {
        let read = |tier: &str, text: &str| {
            text.parse::<Frequency>().map_err(|error| {
                FieldError::new(&format!("frequencies.{tier}"), text, error.to_string())
            })
        };
        Ok(TierFrequencies {
            a: read("A", &self.a)?,
            b: read("B", &self.b)?,
            c: read("C", &self.c)?,
            d: read("D", &self.d)?,
        })
    }
}

fn frequencies(
    named: Option<String>,
    given: Option<TierFrequencyInput>,
) -> Result<Option<Frequencies>, FieldError> {
    match (named, given) {
        (None, None) => Ok(None),
        (Some(name), None) => Ok(Some(Frequencies::Named(field::label("frequency", &name)?))),
        (None, Some(given)) => Ok(Some(Frequencies::Given(given.parse()?))),
        (Some(name), Some(_)) => {
            let reason = "stands beside `frequencies`; give one of the two";
            Err(FieldError::new("frequency", &name, reason))
        }
    }
}

impl CalendarInput {
    pub(crate) fn parse(self) -> Result<CalendarRequest, FieldError> {
        let frequencies = frequencies(self.frequency, self.frequencies)?;
        Ok(CalendarRequest {
            plan_id: self.plan_id,
            title: self.title,
            batches: self.batches.into(),
            balance: self.balance.map(Into::into),
            frequencies: frequencies.ok_or_else(|| {
                let reason = "is missing, and so is `frequencies`; give one of the two";
                FieldError::new("frequency", "", reason)
            })?,
            from: field::date("from", &self.from)?,
        })
    }
}

impl EditionInput {
    pub(crate) fn parse(self) -> Result<EditionRequest, FieldError> {
        Ok(EditionRequest {
            frame_id: self.frame_id,
            from: field::date("from", &self.from)?,
            frequencies: frequencies(self.frequency, self.frequencies)?,
            balance: self.balance.map(Into::into),
        })
    }
}

/// Visits that were done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `visits`")]
pub(crate) struct DoneInput {
    /// The visits, 1 to 10,000.
    #[schema(min_items = 1, max_items = 10_000)]
    visits: Vec<DoneVisitInput>,
}

/// A visit that was done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct DoneVisitInput {
    /// The object.
    #[schema(example = "91990000MA00000017")]
    enterprise_id: String,
    /// The visit's number; left out: the object's first that is not done.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = 1, minimum = 1)]
    visit: Option<u32>,
    /// When it was done, not after the present day.
    #[schema(format = Date, example = "2026-11-20")]
    done_on: String,
}

impl DoneInput {
    pub(crate) fn parse(self) -> Result<Vec<DoneNote>, FieldError> {
        let count = self.visits.len();
        if !(1..=10_000).contains(&count) {
            let reason = "is not from 1 to 10000 visits";
            return Err(FieldError::new("visits", &count.to_string(), reason));
        }
        let visits = self.visits.into_iter().enumerate();
        visits
            .map(|(place, given)| {
                let name = |field: &str| format!("visits.{place}.{field}");
                let id = &given.enterprise_id;
                Ok(DoneNote {
                    enterprise_id: field::enterprise_id(&name("enterprise_id"), id)?,
                    visit: given.visit,
                    done_on: field::date(&name("done_on"), &given.done_on)?,
                })
            })
            .collect()
    }
}

/// What became of the visits.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DoneAnswer {
    /// Visits that are new as done.
    #[schema(example = 1)]
    noted_count: u64,
    /// Visits that were noted before with the same day.
    #[schema(example = 0)]
    unchanged_count: u64,
}

impl From<NotedVisits> for DoneAnswer {
    fn from(noted: NotedVisits) -> Self {
        let NotedVisits { noted, unchanged } = noted;
        Self {
            noted_count: noted,
            unchanged_count: unchanged,
        }
    }
}

/// A calendar.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Calendar)]
pub(crate) struct CalendarAnswer {
    /// Its id.
    #[schema(example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a13")]
    pub(crate) calendar_id: String,
    /// Its number, consecutive within the installation.
    #[schema(example = 1, minimum = 1)]
    number: u64,
    /// Title for people.
    title: String,
    /// The plan whose objects and tickets it takes.
    plan_id: String,
    /// Digest of that plan.
    plan_digest: String,
    /// Codes of the check items.
    items: Vec<String>,
    /// How its years are cut.
    batches: CalendarBatches,
    /// Whether its tickets follow from a fixed seed: for demonstrations only.
    insecure: bool,
    /// When it was made.
    #[schema(format = DateTime, example = "2026-11-22T08:10:00Z")]
    created_at: String,
    /// Its editions in order, the last of which is in force; in a list only that one.
    editions: Vec<EditionAnswer>,
}

impl From<CalendarView> for CalendarAnswer {
    fn from(view: CalendarView) -> Self {
        let CalendarView {
            calendar_id,
            number,
            title,
            plan_id,
            plan_digest,
            items,
            batches,
            insecure,
            created_at,
            editions,
        } = view;
        Self {
            calendar_id,
            number,
            title,
            plan_id,
            plan_digest: plan_digest.to_string(),
            items,
            batches: batches.into(),
            insecure,
            created_at,
            editions: editions.into_iter().map(Into::into).collect(),
        }
    }
}

/// An edition of a calendar.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarEdition)]
pub(crate) struct EditionAnswer {
    /// Its number, from 1.
    #[schema(example = 1, minimum = 1)]
    edition: u64,
    /// Why it was made.
    cause: EditionCause,
    /// Its year.
    #[schema(example = 2027)]
    year: i16,
    /// First month that it plans; what came before in its year stays.
    #[schema(example = "2027-01")]
    from: String,
    /// When it was made.
    #[schema(format = DateTime, example = "2026-11-22T08:10:00Z")]
    made_at: String,
    /// The frame whose tiers set the frequencies.
    frame_id: String,
    /// Digest of that frame.
    frame_digest: String,
    /// Digest of the policy, whose working days it follows.
    policy_digest: String,
    /// How often by tier.
    frequencies: TierFrequencyAnswer,
    /// What is level over its batches.
    balance: CalendarBalance,
    /// SHA-256 of its file.
    file_digest: String,
    /// Objects that are visited.
    #[schema(example = 120)]
    object_count: u64,
    /// Visits that it plans, done ones not among them.
    #[schema(example = 190)]
    planned_count: u64,
    /// Visits of the year that were done before it.
    #[schema(example = 0)]
    done_count: u64,
    /// Visits that were due before it, were missed, and are planned again.
    #[schema(example = 0)]
    missed_count: u64,
    /// Its batches.
    batches: Vec<BatchAnswer>,
}

/// How often by tier.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TierFrequencies)]
pub(crate) struct TierFrequencyAnswer {
    /// Of tier A.
    #[serde(rename = "A")]
    #[schema(example = "1")]
    a: String,
    /// Of tier B.
    #[serde(rename = "B")]
    #[schema(example = "2")]
    b: String,
    /// Of tier C.
    #[serde(rename = "C")]
    #[schema(example = "3")]
    c: String,
    /// Of tier D.
    #[serde(rename = "D")]
    #[schema(example = "4")]
    d: String,
}

impl From<EditionView> for EditionAnswer {
    fn from(view: EditionView) -> Self {
        let EditionView {
            edition,
            cause,
            year,
            from,
            made_at,
            frame_id,
            frame_digest,
            policy_digest,
            frequencies: TierFrequencies { a, b, c, d },
            balance,
            file_digest,
            object_count,
            planned_count,
            done_count,
            missed_count,
            batches,
        } = view;
        Self {
            edition,
            cause: cause.into(),
            year,
            from: from.to_string(),
            made_at,
            frame_id,
            frame_digest: frame_digest.to_string(),
            policy_digest: policy_digest.to_string(),
            frequencies: TierFrequencyAnswer {
                a: a.to_string(),
                b: b.to_string(),
                c: c.to_string(),
                d: d.to_string(),
            },
            balance: balance.into(),
            file_digest: file_digest.to_string(),
            object_count,
            planned_count,
            done_count,
            missed_count,
            batches: batches.into_iter().map(Into::into).collect(),
        }
    }
}

/// One batch of an edition.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarBatch)]
pub(crate) struct BatchAnswer {
    /// Its name.
    #[schema(example = "2027-Q1")]
    batch: String,
    /// First working day.
    #[schema(format = Date, example = "2027-01-01")]
    from: String,
    /// Last working day.
    #[schema(format = Date, example = "2027-03-31")]
    to: String,
    /// Number of working days.
    #[schema(example = 64)]
    working_days: u32,
    /// Visits that take place in it, done ones among them.
    #[schema(example = 48)]
    visit_count: u64,
    /// Of the divisions: the fewest visits of one.
    #[schema(example = 15)]
    least_by_division: u64,
    /// The most visits of one.
    #[schema(example = 17)]
    most_by_division: u64,
}

impl From<BatchLoad> for BatchAnswer {
    fn from(load: BatchLoad) -> Self {
        let BatchLoad {
            month: _,
            name,
            from,
            to,
            working_days,
            visits,
            least_by_division,
            most_by_division,
        } = load;
        Self {
            batch: name,
            from: from.to_string(),
            to: to.to_string(),
            working_days,
            visit_count: visits,
            least_by_division,
            most_by_division,
        }
    }
}

/// Which visits, and in which form.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct VisitQuery {
    /// Where to go on: `next_cursor` of the page before. Only with JSON.
    #[param(pattern = "^([0-9a-f]{2}){8,}$")]
    pub(crate) cursor: Option<String>,
    /// Most items on the page. Only with JSON; files come whole.
    #[param(example = 100, minimum = 1)]
    pub(crate) limit: Option<usize>,
    /// Only of this batch.
    #[param(example = "2027-Q1")]
    pub(crate) batch: Option<String>,
    /// Only of this division, as it is written in the calendar.
    #[param(example = "990102")]
    pub(crate) division: Option<String>,
    /// Only in this state.
    pub(crate) state: Option<VisitState>,
    /// The edition; default: the one in force.
    #[param(example = 1, minimum = 1)]
    pub(crate) edition: Option<u64>,
    /// The form of the answer; default: `json`, a page.
    #[param(inline, example = "csv")]
    pub(crate) format: Option<VisitFormat>,
}

/// The form of a list of visits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum VisitFormat {
    Json,
    Csv,
    Ndjson,
    Parquet,
}

impl VisitQuery {
    pub(crate) fn filter(&self) -> VisitFilter {
        VisitFilter {
            edition: self.edition,
            batch: self.batch.clone(),
            division: self.division.clone(),
            state: self.state.map(Into::into),
        }
    }
}

/// Which edition.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EditionQuery {
    /// The edition; default: the one in force.
    #[param(example = 1, minimum = 1)]
    pub(crate) edition: Option<u64>,
}

/// One visit of a calendar.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarVisit)]
pub(crate) struct VisitAnswer {
    /// The object.
    #[schema(example = "91990000MA00000017")]
    enterprise_id: String,
    /// Its division.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "990102")]
    division: Option<String>,
    /// The visit's number within the object.
    #[schema(example = 1, minimum = 1)]
    visit: u32,
    /// The batch in which it takes place.
    #[schema(example = "2027-Q1")]
    batch: String,
    /// First working day of the batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Date, example = "2027-01-01")]
    from: Option<String>,
    /// Last working day of the batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Date, example = "2027-03-31")]
    to: Option<String>,
    /// The batch in which its phase says that it is due; visits move to near batches so that the load is level.
    #[schema(example = "2027-Q1")]
    due: String,
    /// Where it stands.
    state: VisitState,
    /// When it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Date, example = "2027-02-11")]
    done_on: Option<String>,
}

impl From<VisitView> for VisitAnswer {
    fn from(view: VisitView) -> Self {
        let VisitView {
            enterprise_id,
            division,
            visit,
            batch,
            from,
            to,
            due,
            state,
            done_on,
        } = view;
        Self {
            enterprise_id,
            division: Some(division).filter(|division| !division.is_empty()),
            visit,
            batch,
            from: from.map(|day| day.to_string()),
            to: to.map(|day| day.to_string()),
            due,
            state: state.into(),
            done_on: done_on.map(|day| day.to_string()),
        }
    }
}

/// One object of a calendar, and how its visits come about.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarObject)]
pub(crate) struct CalendarObjectAnswer {
    /// The object.
    #[schema(example = "91990000MA00000017")]
    enterprise_id: String,
    /// Its division.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "990102")]
    division: Option<String>,
    /// How often it is visited; left out once it has left the pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2")]
    frequency: Option<String>,
    /// Its ticket: the hash of seed, comma and id.
    #[schema(example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")]
    ticket: String,
    /// The fraction of the ticket, with which it came into the calendar, in parts per billion of a visit.
    #[schema(example = 246_249_636, minimum = 0)]
    ticket_phase_ppb: u64,
    /// Its phase at the beginning of the edition. A visit is due whenever it passes a multiple of 10^9.
    #[schema(example = 246_249_636, minimum = 0)]
    phase_ppb: u64,
    /// First month of the edition.
    #[schema(example = "2027-01")]
    from: String,
    /// Its visits in the edition.
    visits: Vec<VisitAnswer>,
}

impl From<CalendarObjectView> for CalendarObjectAnswer {
    fn from(view: CalendarObjectView) -> Self {
        let CalendarObjectView {
            enterprise_id,
            division,
            frequency,
            ticket,
            ticket_phase_ppb,
            phase_ppb,
            from,
            visits,
        } = view;
        Self {
            enterprise_id,
            division: Some(division).filter(|division| !division.is_empty()),
            frequency: frequency.map(|frequency| frequency.to_string()),
            ticket,
            ticket_phase_ppb,
            phase_ppb,
            from: from.to_string(),
            visits: visits.into_iter().map(Into::into).collect(),
        }
    }
}
