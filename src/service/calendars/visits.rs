//! Reading calendars: editions, visits, single objects.

use jiff::civil::Date;
use serde::Serialize;
use std::collections::BTreeMap;

use super::document::{BatchLoad, CalendarDocument, CalendarView, EditionView};
use super::editions::{calendar_of, done_of};
use crate::domain::EnterpriseId;
use crate::files::{ColumnType, ExportWriter, Sink, Value, unpack};
use crate::sampling::schedule::{
    BatchKind, Calendar, CalendarObject, Done, Frequency, Month, ticket_phase_ppb,
};
use crate::sampling::seed::Tickets;
use crate::service::{Service, ServiceError};

/// Where a visit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VisitState {
    /// To come.
    Planned,
    /// Its batch is over and it is not done.
    Overdue,
    /// Done.
    Done,
}

impl VisitState {
    /// The word used in files and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Overdue => "overdue",
            Self::Done => "done",
        }
    }
}

/// One visit of a calendar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VisitView {
    /// The object.
    pub enterprise_id: String,
    /// Its division; empty where none is known.
    pub division: String,
    /// The visit's number within the object.
    pub visit: u32,
    /// The batch in which it takes place, such as `2027-Q1`.
    pub batch: String,
    /// First working day of the batch; absent where the batch belongs to another year.
    pub from: Option<Date>,
    /// Last working day of the batch.
    pub to: Option<Date>,
    /// The batch in which its phase says that it is due.
    pub due: String,
    /// Where it stands.
    pub state: VisitState,
    /// When it was done.
    pub done_on: Option<Date>,
}

/// Which visits; conditions that are left out do not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VisitFilter {
    /// The edition; absent: the one in force.
    pub edition: Option<u64>,
    /// Only of this batch, such as `2027-Q1`.
    pub batch: Option<String>,
    /// Only of this division.
    pub division: Option<String>,
    /// Only in this state.
    pub state: Option<VisitState>,
}

/// One object of a calendar, and how its visits come about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CalendarObjectView {
    /// The object.
    pub enterprise_id: String,
    /// Its division; empty where none is known.
    pub division: String,
    /// How often it is visited; absent once it has left the pool.
    pub frequency: Option<Frequency>,
    /// Its ticket, hexadecimal.
    pub ticket: String,
    /// The phase with which a ticket like this comes into a calendar, in ppb of a visit.
    pub ticket_phase_ppb: u64,
    /// Its phase at the beginning of the edition, in ppb of a visit since it came into the calendar.
    pub phase_ppb: u64,
    /// First month of the edition.
    pub from: Month,
    /// Its visits in the edition.
    pub visits: Vec<VisitView>,
}

/// The columns of a list of visits.
const COLUMNS: [(&str, ColumnType); 9] = [
    ("enterprise_id", ColumnType::Text),
    ("division", ColumnType::Text),
    ("visit", ColumnType::Count),
    ("batch", ColumnType::Text),
    ("from", ColumnType::Day),
    ("to", ColumnType::Day),
    ("due", ColumnType::Text),
    ("state", ColumnType::Text),
    ("done_on", ColumnType::Day),
];

impl Service {
    /// One calendar with its editions.
    ///
    /// # Errors
    ///
    /// When there is no such calendar or the store fails.
    pub fn calendar(&self, calendar_id: &str) -> Result<CalendarView, ServiceError> {
        let document = self.calendar_document(calendar_id)?;
        let editions = self.store.calendar_editions(calendar_id)?;
        let editions = editions
            .iter()
            .map(|text| serde_json::from_str(text))
            .collect::<Result<Vec<EditionView>, _>>()?;
        Ok(document.view(editions))
    }

    /// Calendars before number `before`, latest first, each with the edition in force only.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn calendars(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<CalendarView>, ServiceError> {
        let documents = self.store.calendars_before(before, limit)?;
        documents
            .iter()
            .map(|text| {
                let document: CalendarDocument = serde_json::from_str(text)?;
                let last = self.kept_edition(&document.calendar_id, None)?;
                Ok(document.view(vec![serde_json::from_str(&last.document)?]))
            })
            .collect()
    }

    /// The number of the edition in force.
    ///
    /// # Errors
    ///
    /// When there is no such calendar or the store fails.
    pub fn calendar_in_force(&self, calendar_id: &str) -> Result<u64, ServiceError> {
        self.calendar_document(calendar_id)?;
        Ok(self.kept_edition(calendar_id, None)?.edition_no)
    }

    /// The file `calendar.tsv` of an edition; confidential.
    ///
    /// # Errors
    ///
    /// When there is no such calendar or edition, or the store fails.
    pub fn calendar_file(
        &self,
        calendar_id: &str,
        edition: Option<u64>,
    ) -> Result<Vec<u8>, ServiceError> {
        self.calendar_document(calendar_id)?;
        Ok(unpack(&self.kept_edition(calendar_id, edition)?.body)?)
    }

    /// The visits of an edition in order of object and number, with what was done since.
    ///
    /// # Errors
    ///
    /// When there is no such calendar or edition, or the store fails.
    pub fn calendar_visits(
        &self,
        calendar_id: &str,
        filter: &VisitFilter,
    ) -> Result<Vec<VisitView>, ServiceError> {
        let document = self.calendar_document(calendar_id)?;
        let kept = self.kept_edition(calendar_id, filter.edition)?;
        let edition: EditionView = serde_json::from_str(&kept.document)?;
        let done = done_of(&self.store.done_visits(calendar_id)?);
        let calendar = calendar_of(&kept)?;
        let shown = Shown::new(document.batches, &edition.batches, self.today());
        let visits = calendar
            .objects
            .iter()
            .flat_map(|object| shown.visits(object, &done));
        Ok(visits.filter(|visit| filter.matches(visit)).collect())
    }

    /// Writes the visits of an edition to a sink and says how many.
    ///
    /// # Errors
    ///
    /// As [`Service::calendar_visits`], and when the sink cannot be written.
    pub fn export_calendar_visits(
        &self,
        calendar_id: &str,
        filter: &VisitFilter,
        sink: Sink,
    ) -> Result<u64, ServiceError> {
        write_visits(&self.calendar_visits(calendar_id, filter)?, sink)
    }

    /// One object of the edition in force: its ticket, phase and visits.
    ///
    /// # Errors
    ///
    /// When there is no such calendar, or the object is not in it.
    pub fn calendar_object(
        &self,
        calendar_id: &str,
        id: &EnterpriseId,
    ) -> Result<CalendarObjectView, ServiceError> {
        let document = self.calendar_document(calendar_id)?;
        let kept = self.kept_edition(calendar_id, None)?;
        let edition: EditionView = serde_json::from_str(&kept.document)?;
        let calendar = calendar_of(&kept)?;
        let found = calendar
            .objects
            .binary_search_by(|object| object.id.as_str().cmp(id.as_str()));
        let object = found
            .ok()
            .and_then(|place| calendar.objects.get(place))
            .ok_or_else(|| ServiceError::NotInCalendar(id.clone()))?;
        let done = done_of(&self.store.done_visits(calendar_id)?);
        let ticket =
            Tickets::new(calendar.header.hash, &calendar.header.seed).ticket(object.id.as_bytes());
        let shown = Shown::new(document.batches, &edition.batches, self.today());
        Ok(CalendarObjectView {
            enterprise_id: object.id.clone(),
            division: object.division.clone(),
            frequency: object.frequency,
            ticket: ticket.to_string(),
            ticket_phase_ppb: ticket_phase_ppb(&ticket),
            phase_ppb: object.phase_ppb,
            from: calendar.header.from,
            visits: shown.visits(object, &done).collect(),
        })
    }
}

impl VisitFilter {
    pub(super) fn matches(&self, visit: &VisitView) -> bool {
        self.batch
            .as_ref()
            .is_none_or(|batch| visit.batch == *batch)
            && self
                .division
                .as_ref()
                .is_none_or(|division| visit.division == *division)
            && self.state.is_none_or(|state| visit.state == state)
    }
}

/// What visits are shown with.
pub(super) struct Shown<'a> {
    kind: BatchKind,
    batches: BTreeMap<Month, &'a BatchLoad>,
    today: Date,
}

impl<'a> Shown<'a> {
    pub(super) fn new(kind: BatchKind, batches: &'a [BatchLoad], today: Date) -> Self {
        Self {
            kind,
            batches: batches.iter().map(|batch| (batch.month, batch)).collect(),
            today,
        }
    }

    pub(super) fn visits(
        &self,
        object: &CalendarObject,
        done: &Done,
    ) -> impl Iterator<Item = VisitView> {
        object.visits.iter().map(move |visit| {
            let batch = self.batches.get(&visit.planned);
            let to = batch.map(|batch| batch.to);
            let key = (object.id.clone(), visit.number);
            let done_on = visit.done_on.or_else(|| done.get(&key).copied());
            VisitView {
                enterprise_id: object.id.clone(),
                division: object.division.clone(),
                visit: visit.number,
                batch: self.kind.name(visit.planned),
                from: batch.map(|batch| batch.from),
                to,
                due: self.kind.name(visit.due),
                state: match done_on {
                    Some(_) => VisitState::Done,
                    None if to.is_some_and(|to| to < self.today) => VisitState::Overdue,
                    None => VisitState::Planned,
                },
                done_on,
            }
        })
    }
}

/// The visits of a calendar that is in no store.
pub(super) fn visits_of(calendar: &Calendar, batches: &[BatchLoad], today: Date) -> Vec<VisitView> {
    let (shown, done) = (
        Shown::new(calendar.header.batches, batches, today),
        Done::new(),
    );
    let objects = calendar.objects.iter();
    objects
        .flat_map(|object| shown.visits(object, &done))
        .collect()
}

/// Writes visits as CSV, NDJSON or Parquet and says how many.
pub(super) fn write_visits(visits: &[VisitView], sink: Sink) -> Result<u64, ServiceError> {
    let mut rows = ExportWriter::open(sink, &COLUMNS)?;
    let day = |day: Option<Date>| day.map_or(Value::Absent, Value::Day);
    for visit in visits {
        let division = Some(visit.division.as_str()).filter(|division| !division.is_empty());
        rows.row(&[
            Value::Text(&visit.enterprise_id),
            division.map_or(Value::Absent, Value::Text),
            Value::Count(visit.visit),
            Value::Text(&visit.batch),
            day(visit.from),
            day(visit.to),
            Value::Text(&visit.due),
            Value::Text(visit.state.as_str()),
            day(visit.done_on),
        ])?;
    }
    Ok(rows.finish()?)
}
