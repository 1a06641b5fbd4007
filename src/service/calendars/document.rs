//! A calendar and its editions as they are kept and shown.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::domain::digest::Digest;
use crate::sampling::schedule::{Balance, Batch, BatchKind, Calendar, Month, TierFrequencies};

/// A calendar as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct CalendarDocument {
    pub(super) calendar_id: String,
    pub(super) number: u64,
    pub(super) title: String,
    pub(super) plan_id: String,
    pub(super) plan_digest: Digest,
    pub(super) items: Vec<String>,
    pub(super) batches: BatchKind,
    pub(super) insecure: bool,
    pub(super) created_at: String,
}

/// A calendar as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CalendarView {
    /// Its id.
    pub calendar_id: String,
    /// Its number, consecutive within the installation.
    pub number: u64,
    /// Title for people.
    pub title: String,
    /// The drawn plan whose objects and tickets it takes.
    pub plan_id: String,
    /// Digest of that plan.
    pub plan_digest: Digest,
    /// Codes of the check items.
    pub items: Vec<String>,
    /// How its years are cut.
    pub batches: BatchKind,
    /// Whether its tickets follow from a fixed seed: for demonstrations only.
    pub insecure: bool,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// Its editions in order; the last is in force.
    pub editions: Vec<EditionView>,
}

/// Why an edition was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EditionCause {
    /// It is the first.
    First,
    /// A further year.
    Year,
    /// The rest of the year anew.
    Rest,
}

impl EditionCause {
    /// The word used in files and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Year => "year",
            Self::Rest => "rest",
        }
    }
}

/// An edition as it is kept and shown: everything but its objects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EditionView {
    /// Its number, from 1.
    pub edition: u64,
    /// Why it was made.
    pub cause: EditionCause,
    /// Its year.
    pub year: i16,
    /// First month that it plans.
    pub from: Month,
    /// When it was made, RFC 3339.
    pub made_at: String,
    /// The frame whose tiers set the frequencies.
    pub frame_id: String,
    /// Digest of that frame.
    pub frame_digest: Digest,
    /// Digest of the policy, whose calendar of working days it follows.
    pub policy_digest: Digest,
    /// How often by tier.
    pub frequencies: TierFrequencies,
    /// What is level over its batches.
    pub balance: Balance,
    /// SHA-256 of its file.
    pub file_digest: Digest,
    /// Objects that are visited.
    pub object_count: u64,
    /// Visits that it plans, done ones not among them.
    pub planned_count: u64,
    /// Visits of the year that were done before it.
    pub done_count: u64,
    /// Visits that were due before it, were missed, and are planned again.
    pub missed_count: u64,
    /// Its batches.
    pub batches: Vec<BatchLoad>,
}

/// One batch of an edition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchLoad {
    /// First month.
    pub month: Month,
    /// Name, such as `2027-Q1`.
    pub name: String,
    /// First working day.
    pub from: Date,
    /// Last working day.
    pub to: Date,
    /// Number of working days.
    pub working_days: u32,
    /// Visits that take place in it, done ones among them.
    pub visits: u64,
    /// Of the divisions: the fewest visits of one.
    pub least_by_division: u64,
    /// The most visits of one.
    pub most_by_division: u64,
}

impl CalendarDocument {
    pub(super) fn view(self, editions: Vec<EditionView>) -> CalendarView {
        let Self {
            calendar_id,
            number,
            title,
            plan_id,
            plan_digest,
            items,
            batches,
            insecure,
            created_at,
        } = self;
        CalendarView {
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
        }
    }
}

/// Counts of a calendar: planned, done and missed visits.
pub(super) struct Tally {
    pub(super) objects: u64,
    pub(super) planned: u64,
    pub(super) done: u64,
    pub(super) missed: u64,
}

impl Tally {
    pub(super) fn of(calendar: &Calendar) -> Self {
        let mut tally = Self {
            objects: 0,
            planned: 0,
            done: 0,
            missed: 0,
        };
        for object in &calendar.objects {
            tally.objects += u64::from(object.frequency.is_some());
            for visit in &object.visits {
                if visit.done_on.is_some() {
                    tally.done += 1;
                } else {
                    tally.planned += 1;
                    tally.missed += u64::from(visit.due < calendar.header.from);
                }
            }
        }
        tally
    }
}

/// The load of each batch.
pub(super) fn loads(calendar: &Calendar, batches: &[Batch]) -> Vec<BatchLoad> {
    let mut by_division: BTreeMap<&str, BTreeMap<Month, u64>> = BTreeMap::new();
    for object in &calendar.objects {
        let months = by_division.entry(&object.division).or_default();
        for visit in &object.visits {
            *months.entry(visit.planned).or_default() += 1;
        }
    }
    let load = |batch: &Batch| {
        let counts = || {
            by_division
                .values()
                .map(|months| months.get(&batch.month).copied().unwrap_or(0))
        };
        BatchLoad {
            month: batch.month,
            name: batch.name.clone(),
            from: batch.from,
            to: batch.to,
            working_days: batch.working_days,
            visits: counts().sum(),
            least_by_division: counts().min().unwrap_or(0),
            most_by_division: counts().max().unwrap_or(0),
        }
    };
    batches.iter().map(load).collect()
}
