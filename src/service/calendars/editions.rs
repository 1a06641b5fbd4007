//! Making calendars and their editions.

use jiff::civil::Date;
use std::collections::BTreeSet;

use super::document::{CalendarDocument, CalendarView, EditionCause, EditionView, Tally, loads};
use crate::domain::digest::HashAlgorithm;
use crate::domain::{FieldError, Label, field};
use crate::files::{pack, unpack};
use crate::sampling::FrameRow;
use crate::sampling::schedule::{
    Balance, Batch, BatchKind, Calendar, CalendarHeader, CalendarOrder, Done, PresentObject,
    ScheduleError, TierFrequencies, batches_of, plan_calendar,
};
use crate::service::frames::FrameSummary;
use crate::service::plans::DrawnOrder;
use crate::service::{Models, Service, ServiceError};
use crate::store::{DoneVisit, KeptEdition, StoreError};

/// How often: by a name of the policy, or as given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frequencies {
    /// A name of the policy's `[calendar.frequencies]`.
    Named(Label),
    /// As given.
    Given(TierFrequencies),
}

/// What a new calendar asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarRequest {
    /// The drawn plan of method `order` whose objects and tickets it takes.
    pub plan_id: String,
    /// Title for people, 1–200 bytes.
    pub title: String,
    /// How its years are cut.
    pub batches: BatchKind,
    /// What is level; absent: as the policy says.
    pub balance: Option<Balance>,
    /// How often.
    pub frequencies: Frequencies,
    /// The first batch is the one that begins on or after this day.
    pub from: Date,
}

/// What a further edition asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditionRequest {
    /// The frame whose tiers set the frequencies from now on.
    pub frame_id: String,
    /// The first batch to be planned is the one that begins on or after this day.
    pub from: Date,
    /// How often; absent: as in the edition before.
    pub frequencies: Option<Frequencies>,
    /// What is level; absent: as in the edition before.
    pub balance: Option<Balance>,
}

/// Everything that an edition is made of, but what was done.
pub(super) struct Material<'a> {
    pub(super) models: &'a Models,
    pub(super) header: CalendarHeader,
    pub(super) batches: Vec<Batch>,
    pub(super) frequencies: TierFrequencies,
    pub(super) objects: Vec<PresentObject>,
    pub(super) summary: FrameSummary,
}

impl Service {
    /// Makes a calendar with its first edition.
    ///
    /// # Errors
    ///
    /// Names the field that is wrong; a plan that is unknown, not drawn or not of method `order`.
    pub fn create_calendar(&self, request: CalendarRequest) -> Result<CalendarView, ServiceError> {
        let title = field::text("title", &request.title, 1, 200)?;
        let current = self.current();
        let models = &current.models;
        let frequencies = frequencies(models, &request.frequencies)?;
        let order = self.drawn_order("plan_id", &request.plan_id)?;
        let balance = request.balance.unwrap_or(models.calendar.balance);
        let (header, batches) =
            first_batches(models, request.from, request.batches, balance, &order)?;
        let (summary, frame) = self.frame_rows(&order.frame_id)?;
        let ids: BTreeSet<&str> = order.pool.objects().map(|object| object.id).collect();
        let rows = frame.rows().iter();
        let objects = rows
            .filter(|row| ids.contains(row.enterprise_id.as_str()))
            .map(|row| present(row, &frequencies))
            .collect();
        let material = Material {
            models,
            header,
            batches,
            frequencies,
            objects,
            summary,
        };
        let (edition, body) = material.edition(1, EditionCause::First, None, &Done::new())?;
        let calendar_id = self.entropy.id()?;
        let document = |number| CalendarDocument {
            calendar_id: calendar_id.clone(),
            number,
            title: title.clone(),
            plan_id: request.plan_id.clone(),
            plan_digest: order.plan_digest,
            items: order.items.clone(),
            batches: request.batches,
            insecure: order.insecure,
            created_at: edition.made_at.clone(),
        };
        let number = self.store.put_calendar(
            &calendar_id,
            &|number| serde_json::to_string(&document(number)).unwrap_or_default(),
            (&serde_json::to_string(&edition)?, &body),
        )?;
        Ok(document(number).view(vec![edition]))
    }

    /// Adds an edition: the next year, or the rest of the present one anew. What is done stays, what was missed moves into
    /// it, and the tiers of the frame set the slopes from its beginning on.
    ///
    /// # Errors
    ///
    /// When the calendar or frame is unknown, the edition does not follow on the last one, nobody is left to visit, or
    /// another edition came first.
    pub fn add_calendar_edition(
        &self,
        calendar_id: &str,
        request: &EditionRequest,
    ) -> Result<EditionView, ServiceError> {
        let document = self.calendar_document(calendar_id)?;
        let current = self.current();
        let models = &current.models;
        let last = self.kept_edition(calendar_id, None)?;
        let before: EditionView = serde_json::from_str(&last.document)?;
        let calendar = calendar_of(&last)?;
        let frequencies = match &request.frequencies {
            None => before.frequencies,
            Some(given) => frequencies(models, given)?,
        };
        let order = self.drawn_order("plan_id", &document.plan_id)?;
        let balance = request.balance.unwrap_or(before.balance);
        let (header, batches) =
            first_batches(models, request.from, document.batches, balance, &order)?;
        let (summary, frame) = self.frame_rows(&request.frame_id)?;
        let members = order.filter.select(&frame).members;
        let objects = members
            .iter()
            .filter_map(|position| frame.rows().get(*position))
            .map(|row| present(row, &frequencies))
            .collect();
        let material = Material {
            models,
            header,
            batches,
            frequencies,
            objects,
            summary,
        };
        let cause = if material.header.year == before.year {
            EditionCause::Rest
        } else {
            EditionCause::Year
        };
        let mut made = None;
        let added =
            self.store
                .add_calendar_edition(calendar_id, last.edition_no, &mut |number, done| {
                    let built = material.edition(number, cause, Some(&calendar), &done_of(done));
                    let written = built.and_then(|(edition, body)| {
                        let text = serde_json::to_string(&edition)?;
                        Ok((edition, text, body))
                    });
                    match written {
                        Ok((edition, text, body)) => {
                            made = Some(Ok(edition));
                            Ok((text, body))
                        }
                        Err(error) => {
                            let reason = error.to_string();
                            made = Some(Err(error));
                            Err(StoreError::Aborted(reason))
                        }
                    }
                });
        match (added, made) {
            (_, Some(Err(error))) => Err(error),
            (Ok(true), Some(Ok(edition))) => Ok(edition),
            (Err(error), _) => Err(error.into()),
            (Ok(_), _) => Err(ServiceError::Conflict(format!(
                "calendar `{calendar_id}` has got another edition meanwhile; look at it and try again"
            ))),
        }
    }

    pub(super) fn calendar_document(
        &self,
        calendar_id: &str,
    ) -> Result<CalendarDocument, ServiceError> {
        let text = self
            .store
            .calendar(calendar_id)?
            .ok_or_else(|| ServiceError::UnknownCalendar(calendar_id.to_owned()))?;
        Ok(serde_json::from_str(&text)?)
    }

    /// One edition of a calendar that exists; without a number the one in force.
    pub(super) fn kept_edition(
        &self,
        calendar_id: &str,
        edition: Option<u64>,
    ) -> Result<KeptEdition, ServiceError> {
        self.store
            .calendar_edition(calendar_id, edition)?
            .ok_or_else(|| match edition {
                Some(number) => {
                    FieldError::new("edition", &number.to_string(), "does not exist").into()
                }
                None => ServiceError::UnknownCalendar(calendar_id.to_owned()),
            })
    }
}

impl Material<'_> {
    pub(super) fn edition(
        &self,
        number: u64,
        cause: EditionCause,
        before: Option<&Calendar>,
        done: &Done,
    ) -> Result<(EditionView, Vec<u8>), ServiceError> {
        let calendar = plan_calendar(&CalendarOrder {
            header: &self.header,
            batches: &self.batches,
            objects: &self.objects,
            before,
            done,
        })
        .map_err(|error| refused(&error))?;
        let file = calendar.to_bytes()?;
        let tally = Tally::of(&calendar);
        let edition = EditionView {
            edition: number,
            cause,
            year: self.header.year,
            from: self.header.from,
            made_at: jiff::Timestamp::now().to_string(),
            frame_id: self.summary.frame_id.clone(),
            frame_digest: self.summary.frame_digest,
            policy_digest: self.models.policy_digest,
            frequencies: self.frequencies,
            balance: self.header.balance,
            file_digest: HashAlgorithm::Sha256.hash(&[&file]),
            object_count: tally.objects,
            planned_count: tally.planned,
            done_count: tally.done,
            missed_count: tally.missed,
            batches: loads(&calendar, &self.batches),
        };
        Ok((edition, pack(&file)?))
    }
}

/// What the schedule refuses, blamed on the field that says so.
pub(super) fn refused(error: &ScheduleError) -> ServiceError {
    let reason = error.to_string();
    match error {
        ScheduleError::NoBatch { from, .. } | ScheduleError::Gap { from, .. } => {
            FieldError::new("from", &from.to_string(), reason).into()
        }
        ScheduleError::Empty | ScheduleError::Other { .. } => ServiceError::Rule(reason),
        ScheduleError::Twice(_) => ServiceError::Internal(reason),
    }
}

/// The calendar of a kept edition.
pub(super) fn calendar_of(edition: &KeptEdition) -> Result<Calendar, ServiceError> {
    Calendar::from_bytes(&unpack(&edition.body)?)
        .map_err(|error| ServiceError::Internal(format!("a kept calendar cannot be read: {error}")))
}

pub(super) fn done_of(done: &[DoneVisit]) -> Done {
    done.iter()
        .map(|visit| {
            let key = (visit.enterprise_id.as_str().to_owned(), visit.visit_no);
            (key, visit.done_on)
        })
        .collect()
}

pub(super) fn present(row: &FrameRow, frequencies: &TierFrequencies) -> PresentObject {
    PresentObject {
        id: row.enterprise_id.as_str().to_owned(),
        division: row
            .division
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        frequency: frequencies.of(row.tier),
    }
}

/// The frequencies asked for, checked.
pub(super) fn frequencies(
    models: &Models,
    asked: &Frequencies,
) -> Result<TierFrequencies, FieldError> {
    match asked {
        Frequencies::Given(given) => {
            let check = given.check();
            check.map_err(|error| FieldError::new("frequencies", "", error.to_string()))?;
            Ok(*given)
        }
        Frequencies::Named(name) => {
            let known = &models.calendar.frequencies;
            known.get(name).copied().ok_or_else(|| {
                let names: Vec<&str> = known.keys().map(Label::as_str).collect();
                let reason = format!(
                    "is not among the policy's `[calendar.frequencies]`: {}; name one of them or give `frequencies`",
                    names.join(", ")
                );
                FieldError::new("frequency", name.as_str(), reason)
            })
        }
    }
}

fn first_batches(
    models: &Models,
    from: Date,
    kind: BatchKind,
    balance: Balance,
    order: &DrawnOrder,
) -> Result<(CalendarHeader, Vec<Batch>), FieldError> {
    let (year, from, batches) = batches_from(models, from, kind)?;
    let header = CalendarHeader {
        year,
        from,
        batches: kind,
        balance,
        hash: order.hash,
        seed: order.seed,
    };
    Ok((header, batches))
}

/// The year of the first batch that begins on or after a day, its month, and the batches of the year.
pub(super) fn batches_from(
    models: &Models,
    from: Date,
    kind: BatchKind,
) -> Result<(i16, crate::sampling::schedule::Month, Vec<Batch>), FieldError> {
    let wrong = |reason: &str| FieldError::new("from", &from.to_string(), reason);
    let month = kind
        .first_from(from)
        .ok_or_else(|| wrong("lies outside the years 1900 to 9000"))?;
    let batches = batches_of(month.year(), kind, &models.decisions.working_days());
    let batches = batches.ok_or_else(|| {
        wrong("begins a year in which a batch has no working day; look at the policy's `holidays`")
    })?;
    Ok((month.year(), month, batches))
}
