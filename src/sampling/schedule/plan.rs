//! A year's calendar: from phases to visits, and from one edition to the next.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::batches::{Batch, BatchKind, Month};
use super::frequency::Frequency;
use super::level::{Division, Movable, level};
use crate::domain::digest::{Digest, HashAlgorithm};
use crate::sampling::plan::PPB;
use crate::sampling::seed::{Seed, Tickets};

/// What is made level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// The number of visits in each batch.
    #[default]
    Visits,
    /// The number of visits for each working day of a batch.
    WorkingDays,
}

/// What an edition of a calendar says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalendarHeader {
    /// The year.
    pub year: i16,
    /// Beginning of the first batch that this edition plans; the ones before are as they were.
    pub from: Month,
    /// How the year is cut.
    pub batches: BatchKind,
    /// What is level.
    pub balance: Balance,
    /// The hash of the tickets.
    pub hash: HashAlgorithm,
    /// The seed of the tickets; confidential, as it shows when anybody is visited.
    pub seed: Seed,
}

/// A year's calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// What it says about itself.
    pub header: CalendarHeader,
    /// The objects in byte order of id.
    pub objects: Vec<CalendarObject>,
}

/// One object of a calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarObject {
    /// Its id.
    pub id: String,
    /// Its division; empty where none is known.
    pub division: String,
    /// How often it is visited; `None` once it has left the pool.
    pub frequency: Option<Frequency>,
    /// Its phase at the beginning of the edition's first batch, in ppb of a visit since it came into the calendar.
    pub phase_ppb: u64,
    /// Its visits of the year, in order of their numbers.
    pub visits: Vec<CalendarVisit>,
}

/// One visit of a calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalendarVisit {
    /// Its number within the object: the whole number that the phase passes.
    pub number: u32,
    /// The batch in which the phase passes it.
    pub due: Month,
    /// The batch in which it takes place.
    pub planned: Month,
    /// When it was done, as far as the edition knows.
    pub done_on: Option<Date>,
}

/// An object as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentObject {
    /// Its id.
    pub id: String,
    /// Its division; empty where none is known.
    pub division: String,
    /// How often it is to be visited from now on.
    pub frequency: Frequency,
}

/// Visits that were done, by object and number.
pub type Done = BTreeMap<(String, u32), Date>;

/// What a calendar is made of.
#[derive(Clone, Copy, Debug)]
pub struct CalendarOrder<'a> {
    /// What it says about itself.
    pub header: &'a CalendarHeader,
    /// The batches of its year.
    pub batches: &'a [Batch],
    /// The objects as they are now, in any order.
    pub objects: &'a [PresentObject],
    /// The edition before; `None` for the first.
    pub before: Option<&'a Calendar>,
    /// What was done since the edition before.
    pub done: &'a Done,
}

/// Why a calendar cannot be planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Nobody to visit.
    #[error("no object is left to visit; widen the pool")]
    Empty,
    /// Two objects share an id.
    #[error("`{0}` is there twice; every object has one row")]
    Twice(String),
    /// The first batch is not one of the year.
    #[error("no batch of {year} begins in {from}")]
    NoBatch {
        /// The year.
        year: i16,
        /// The month.
        from: Month,
    },
    /// The edition before was made otherwise.
    #[error("the edition before has another {what}; begin a new calendar for it")]
    Other {
        /// What differs.
        what: &'static str,
    },
    /// The edition before does not reach so far, or begins later.
    #[error(
        "the edition before plans from {earliest} to the end of its year, so the next one begins from {earliest} to \
         {latest}, not in {from}"
    )]
    Gap {
        /// First month that may be.
        earliest: Month,
        /// Last month that may be.
        latest: Month,
        /// The month asked for.
        from: Month,
    },
}

/// The phase with which an object comes into a calendar: the fraction of its ticket, in ppb, rounded down.
#[must_use]
pub fn ticket_phase_ppb(ticket: &Digest) -> u64 {
    let fraction = u128::from(ticket.leading_u64()) * u128::from(PPB);
    u64::try_from(fraction >> 64).unwrap_or(0)
}

/// Plans a calendar: a first edition, the next year, or the rest of a year anew.
///
/// What is done stays; visits that were due before and are not done move to the first batches of the edition; the rest
/// follows from the phases at the present frequencies. Same order, same bytes.
///
/// # Errors
///
/// [`ScheduleError`] when there is nobody to visit or the edition does not follow on the one before.
pub fn plan_calendar(order: &CalendarOrder<'_>) -> Result<Calendar, ScheduleError> {
    let header = order.header;
    let first = first_batch(order)?;
    if let Some(before) = order.before {
        follows_on(&before.header, header)?;
    }
    let tickets = Tickets::new(header.hash, &header.seed);
    let mut objects = joined(order, &tickets)?;
    for object in &mut objects {
        due_visits(object, order, first);
    }
    spread(&mut objects, order, first);
    objects
        .retain(|planned| planned.object.frequency.is_some() || !planned.object.visits.is_empty());
    if objects
        .iter()
        .all(|planned| planned.object.frequency.is_none())
    {
        return Err(ScheduleError::Empty);
    }
    Ok(Calendar {
        header: header.clone(),
        objects: objects.into_iter().map(|planned| planned.object).collect(),
    })
}

/// An object while it is planned.
struct Planned {
    object: CalendarObject,
    ticket: Digest,
    /// Positions in its visits of those that may move.
    movable: Vec<usize>,
}

fn first_batch(order: &CalendarOrder<'_>) -> Result<usize, ScheduleError> {
    let CalendarHeader { year, from, .. } = *order.header;
    let found = order.batches.iter().position(|batch| batch.month == from);
    found.ok_or(ScheduleError::NoBatch { year, from })
}

fn follows_on(before: &CalendarHeader, next: &CalendarHeader) -> Result<(), ScheduleError> {
    for (what, same) in [
        ("seed", before.seed == next.seed),
        ("hash", before.hash == next.hash),
        ("cut into batches", before.batches == next.batches),
    ] {
        if !same {
            return Err(ScheduleError::Other { what });
        }
    }
    let (earliest, latest) = (before.from, end_of_year(before));
    if (earliest..=latest).contains(&next.from) {
        Ok(())
    } else {
        let from = next.from;
        Err(ScheduleError::Gap {
            earliest,
            latest,
            from,
        })
    }
}

/// The month after a calendar's year.
fn end_of_year(header: &CalendarHeader) -> Month {
    let months = 12 - header.from.number() % 12;
    header.from.plus(months)
}

/// The objects of the edition before and those of now, in order of id, with their phases at the beginning.
fn joined(order: &CalendarOrder<'_>, tickets: &Tickets) -> Result<Vec<Planned>, ScheduleError> {
    let mut now: BTreeMap<&str, &PresentObject> = BTreeMap::new();
    for object in order.objects {
        if now.insert(&object.id, object).is_some() {
            return Err(ScheduleError::Twice(object.id.clone()));
        }
    }
    let known = order.before.map_or(&[][..], |before| &before.objects);
    let mut all: BTreeMap<&str, Option<&CalendarObject>> =
        now.keys().map(|id| (*id, None)).collect();
    all.extend(
        known
            .iter()
            .map(|object| (object.id.as_str(), Some(object))),
    );
    let planned = |(id, known): (&str, Option<&CalendarObject>)| {
        let ticket = tickets.ticket(id.as_bytes());
        let present = now.get(id);
        let phase_ppb = match (known, order.before) {
            (Some(known), Some(before)) => {
                let grown = known.frequency.map_or(0, |frequency| {
                    frequency.growth_ppb(before.header.from, order.header.from)
                });
                known.phase_ppb.saturating_add(grown)
            }
            _ => ticket_phase_ppb(&ticket),
        };
        Planned {
            object: CalendarObject {
                id: id.to_owned(),
                division: present
                    .map(|object| object.division.clone())
                    .or_else(|| known.map(|object| object.division.clone()))
                    .unwrap_or_default(),
                frequency: present.map(|object| object.frequency),
                phase_ppb,
                visits: known
                    .map(|object| object.visits.clone())
                    .unwrap_or_default(),
            },
            ticket,
            movable: Vec::new(),
        }
    };
    Ok(all.into_iter().map(planned).collect())
}

/// Keeps what is done in the year, carries over what was missed, and adds what the phase says.
fn due_visits(planned: &mut Planned, order: &CalendarOrder<'_>, first: usize) {
    let (from, january) = (
        order.header.from,
        order.batches.first().map(|batch| batch.month),
    );
    let object = &mut planned.object;
    let reached = whole(object.phase_ppb);
    let mut missed = Vec::new();
    let mut done_numbers = Vec::new();
    let mut kept = Vec::new();
    for mut visit in std::mem::take(&mut object.visits) {
        let key = (object.id.clone(), visit.number);
        visit.done_on = order.done.get(&key).copied().or(visit.done_on);
        if visit.done_on.is_some() {
            done_numbers.push(visit.number);
            if january.is_some_and(|january| visit.planned >= january) {
                kept.push(visit);
            }
        } else if visit.number <= reached && object.frequency.is_some() {
            missed.push(visit);
        }
    }
    let mut added = Vec::new();
    if let Some(frequency) = object.frequency {
        let months = order.header.batches.months();
        for batch in order.batches.get(first..).unwrap_or_default() {
            let at = |month: Month| whole(object.phase_ppb + frequency.growth_ppb(from, month));
            for number in at(batch.month) + 1..=at(batch.month.plus(months)) {
                if !done_numbers.contains(&number) {
                    added.push(CalendarVisit {
                        number,
                        due: batch.month,
                        planned: batch.month,
                        done_on: None,
                    });
                }
            }
        }
    }
    // What was missed goes to the first batches in which the object has nothing else to come; such an object moves no
    // more, so that its visits do not meet.
    let is_late = !missed.is_empty();
    for mut visit in missed {
        let open = order.batches.get(first..).unwrap_or_default().iter();
        let free = open.map(|batch| batch.month).find(|month| {
            added
                .iter()
                .chain(&kept)
                .all(|other| other.planned != *month)
        });
        visit.planned = free.unwrap_or(from);
        kept.push(visit);
    }
    let movable = added.iter().map(|visit| visit.number).collect::<Vec<_>>();
    object.visits = kept;
    object.visits.append(&mut added);
    object.visits.sort_by_key(|visit| visit.number);
    if !is_late {
        let places = object.visits.iter().enumerate();
        planned.movable = places
            .filter(|(_, visit)| movable.contains(&visit.number))
            .map(|(place, _)| place)
            .collect();
    }
}

fn whole(phase_ppb: u64) -> u32 {
    u32::try_from(phase_ppb / PPB).unwrap_or(u32::MAX)
}

/// Levels the visits over the open batches, by division and over all.
fn spread(objects: &mut [Planned], order: &CalendarOrder<'_>, first: usize) {
    let open = order.batches.get(first..).unwrap_or_default();
    let months: Vec<Month> = open.iter().map(|batch| batch.month).collect();
    let weights: Vec<u64> = open
        .iter()
        .map(|batch| match order.header.balance {
            Balance::Visits => 1,
            Balance::WorkingDays => u64::from(batch.working_days),
        })
        .collect();
    let place = |month: Month| months.binary_search(&month).ok();
    // By ticket, so that nobody's id decides whose visit moves.
    let mut by_ticket: Vec<usize> = (0..objects.len()).collect();
    by_ticket.sort_by_key(|number| objects.get(*number).map(|planned| planned.ticket));
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    for planned in objects.iter() {
        let next = numbers.len();
        numbers.entry(&planned.object.division).or_insert(next);
    }
    let mut divisions = vec![
        Division {
            visits: Vec::new(),
            fixed: vec![0; months.len()],
        };
        numbers.len()
    ];
    let mut moving: Vec<Vec<(usize, usize)>> = vec![Vec::new(); numbers.len()];
    for number in by_ticket {
        let Some(planned) = objects.get(number) else {
            continue;
        };
        let Planned {
            object, movable, ..
        } = planned;
        let slot = numbers.get(object.division.as_str()).copied();
        let Some((division, moves)) =
            slot.and_then(|slot| Some((divisions.get_mut(slot)?, moving.get_mut(slot)?)))
        else {
            continue;
        };
        let (mut ahead, mut behind) = object.frequency.map_or((0, 0), |frequency| {
            frequency.slack(order.header.batches.per_year())
        });
        // The odd batch of room stands on one side for half of the objects and on the other for the rest; which one
        // follows from the ticket, so that it is the same in every year and an object's visits keep apart.
        if planned
            .ticket
            .as_bytes()
            .last()
            .is_some_and(|byte| byte & 1 == 1)
        {
            std::mem::swap(&mut ahead, &mut behind);
        }
        for (position, visit) in object.visits.iter().enumerate() {
            let Some(due) = place(visit.planned) else {
                continue;
            };
            if movable.contains(&position) {
                division.visits.push(Movable {
                    due,
                    first: due.saturating_sub(ahead as usize),
                    last: (due + behind as usize).min(months.len() - 1),
                });
                moves.push((number, position));
            } else if let Some(count) = division.fixed.get_mut(due) {
                *count += 1;
            }
        }
    }
    for (moves, batches) in moving.into_iter().zip(level(&divisions, &weights)) {
        for ((number, position), batch) in moves.into_iter().zip(batches) {
            let visit = objects
                .get_mut(number)
                .and_then(|planned| planned.object.visits.get_mut(position));
            if let (Some(visit), Some(month)) = (visit, months.get(batch)) {
                visit.planned = *month;
            }
        }
    }
}
