//! The pass that turns one enterprise's records into values as of a day.

use jiff::civil::Date;

use super::measure::{Aggregate, Measure, RecordMeasure};
use crate::domain::dates::{
    add_days, add_months, days_between, months_between, next_scheduled_run,
};
use crate::domain::{AsOf, Enterprise, Record};

/// Days that count as recent for [`Aggregate::Surge`].
const SURGE_DAYS: i32 = 90;
/// Fewer recent records than this are no surge.
const SURGE_MINIMUM: u32 = 3;

/// An enterprise with the record versions that may be used as of a day.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The enterprise.
    pub enterprise: &'a Enterprise,
    /// One version per record: the one known on the as-of day; see [`current_versions`].
    pub records: &'a [&'a Record],
    /// The day the values speak for.
    pub as_of: AsOf,
}

/// A measured value and what it rests on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measurement {
    /// The value; absent is missing, which is not zero.
    pub value: Option<f64>,
    /// Positions in the subject's records that made the value.
    pub evidence: Vec<usize>,
    /// The first later day on which the value may differ though no record arrives.
    pub next_change_on: Option<Date>,
}

/// Picks from all stored versions the one of each record that was known on `day`, and tells the first later day on
/// which another version becomes known.
///
/// `versions` must be grouped by record and, within a record, ordered by `known_on`.
pub fn current_versions(versions: &[Record], day: Date) -> (Vec<&Record>, Option<Date>) {
    let mut current: Vec<&Record> = Vec::with_capacity(versions.len());
    let mut next = NextChange::after(day);
    for version in versions {
        if version.known_on > day {
            next.on(version.known_on);
            continue;
        }
        match current.last_mut() {
            Some(last) if last.source == version.source && last.record_id == version.record_id => {
                *last = version
            }
            _ => current.push(version),
        }
    }
    (current, next.first)
}

/// The earliest of the days on which something may change.
#[derive(Clone, Copy)]
pub(super) struct NextChange {
    after: Date,
    pub(super) first: Option<Date>,
}

impl NextChange {
    pub(super) fn after(day: Date) -> Self {
        Self {
            after: day,
            first: None,
        }
    }

    pub(super) fn on(&mut self, day: Date) {
        if day > self.after && day < Date::MAX && self.first.is_none_or(|first| day < first) {
            self.first = Some(day);
        }
    }
}

impl Measure {
    /// Measures one subject.
    pub fn of(&self, subject: &Subject<'_>) -> Measurement {
        let mut evidence = Vec::new();
        let plain = self.measured(subject, &mut evidence);
        Measurement {
            value: plain.value,
            evidence,
            next_change_on: plain.next_change_on,
        }
    }

    /// As [`Measure::of`]. The evidence is written over what `evidence` held: one list serves all measures of a walk
    /// through the register.
    pub(crate) fn measured(&self, subject: &Subject<'_>, evidence: &mut Vec<usize>) -> Measured {
        evidence.clear();
        match self {
            Self::Records(measure) => measure.measured(subject, evidence),
            Self::Attribute { name } => plain(subject.enterprise.attributes.get(name).copied()),
            Self::AgeMonths { cap } => age(subject, *cap),
            Self::Industry { scopes } => {
                plain(subject.enterprise.industry.as_ref().map(|industry| {
                    f64::from(u8::from(
                        scopes
                            .iter()
                            .any(|scope| industry.in_industry(scope.as_str())),
                    ))
                }))
            }
            // Needs other enterprises: see `RegisterView`.
            Self::Register { .. } => plain(None),
        }
    }
}

/// A measured value without its evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Measured {
    /// See [`Measurement::value`].
    pub(crate) value: Option<f64>,
    /// See [`Measurement::next_change_on`].
    pub(crate) next_change_on: Option<Date>,
}

fn plain(value: Option<f64>) -> Measured {
    Measured {
        value,
        next_change_on: None,
    }
}

fn age(subject: &Subject<'_>, cap: u16) -> Measured {
    let day = subject.as_of.day;
    let Some(established) = subject.enterprise.established_on else {
        return plain(None);
    };
    let months = months_between(established, day);
    let mut next = NextChange::after(day);
    if months < cap {
        // The first completed month is one month after founding; before founding the age stays 0 until then.
        next.on(add_months(established, months.saturating_add(1)));
    }
    Measured {
        value: Some(f64::from(months.min(cap))),
        next_change_on: next.first,
    }
}

impl RecordMeasure {
    /// The value of an enterprise without a single record of the kind. It stands until one arrives.
    pub fn without_records(&self) -> Option<f64> {
        match self.aggregate {
            Aggregate::DaysSince | Aggregate::Latest => None,
            Aggregate::Count
            | Aggregate::DecayedCount
            | Aggregate::SumAmount
            | Aggregate::SumCount
            | Aggregate::MaxAmount
            | Aggregate::InForce
            | Aggregate::Ended
            | Aggregate::Streak
            | Aggregate::Lapsed
            | Aggregate::Surge => Some(0.0),
        }
    }

    fn measured(&self, subject: &Subject<'_>, evidence: &mut Vec<usize>) -> Measured {
        let mut found = Found {
            measure: self,
            as_of: subject.as_of,
            next: NextChange::after(subject.as_of.day),
            evidence,
        };
        for (position, record) in subject.records.iter().enumerate() {
            if record.kind == self.kind {
                found.look_at(position, record);
            }
        }
        let value = found.aggregate(subject.records);
        Measured {
            value: value.map(|value| self.cap.map_or(value, |cap| value.min(f64::from(cap)))),
            next_change_on: found.next.first,
        }
    }

    /// The first day on which a record no longer counts for its age.
    fn window_end(&self, record: &Record) -> Date {
        let from = match self.aggregate {
            Aggregate::Ended => record.ended_on.unwrap_or(record.occurred_on),
            Aggregate::InForce | Aggregate::Lapsed => return Date::MAX,
            _ => record.occurred_on,
        };
        self.window_months
            .map_or(Date::MAX, |months| add_months(from, months))
    }
}

/// The records of one measure's kind that count, collected on the way to its aggregate.
struct Found<'m> {
    measure: &'m RecordMeasure,
    as_of: AsOf,
    next: NextChange,
    evidence: &'m mut Vec<usize>,
}

impl Found<'_> {
    /// Notes a record of the kind: whether it counts today, and the days on which that changes.
    fn look_at(&mut self, position: usize, record: &Record) {
        // `Latest` and `Streak` compare with the other records of the kind, so those must be seen too.
        let compares = matches!(
            self.measure.aggregate,
            Aggregate::Latest | Aggregate::Streak
        );
        if !compares && !self.measure.selects(record) {
            return;
        }
        let day = self.as_of.day;
        let window_end = self.measure.window_end(record);
        self.next.on(record.occurred_on);
        self.next.on(window_end);
        for change in [record.repaired_on, record.withdrawn_on]
            .into_iter()
            .flatten()
        {
            self.next.on(change);
        }
        if matches!(
            self.measure.aggregate,
            Aggregate::InForce | Aggregate::Ended | Aggregate::Lapsed
        ) {
            record
                .ended_on
                .into_iter()
                .for_each(|ended| self.next.on(ended));
        }
        if record.counts_on(day) && day < window_end {
            self.evidence.push(position);
        }
    }

    fn aggregate(&mut self, records: &[&Record]) -> Option<f64> {
        let day = self.as_of.day;
        let at = |position: &usize| records.get(*position).copied();
        match self.measure.aggregate {
            Aggregate::Count => Some(self.evidence.len() as f64),
            Aggregate::DecayedCount => {
                let halves: u32 = self
                    .evidence
                    .iter()
                    .filter_map(at)
                    .map(|record| decay_halves(self.measure, record, self.as_of, &mut self.next))
                    .sum();
                Some(f64::from(halves) / 2.0)
            }
            Aggregate::SumAmount => self
                .evidence
                .iter()
                .filter_map(at)
                .map(|record| record.amount_fen.map(i128::from))
                .sum::<Option<i128>>()
                .map(yuan),
            Aggregate::SumCount => Some(
                self.evidence
                    .iter()
                    .filter_map(at)
                    .map(|record| f64::from(record.count.unwrap_or(1)))
                    .sum(),
            ),
            Aggregate::MaxAmount => {
                let amounts: Option<Vec<i128>> = self
                    .evidence
                    .iter()
                    .filter_map(at)
                    .map(|record| record.amount_fen.map(i128::from))
                    .collect();
                amounts.map(|amounts| yuan(amounts.into_iter().max().unwrap_or(0)))
            }
            Aggregate::DaysSince => {
                let latest = self
                    .evidence
                    .iter()
                    .filter_map(at)
                    .map(|record| record.occurred_on)
                    .max()?;
                let days = days_between(latest, day);
                if self.measure.cap.is_none_or(|cap| days < i64::from(cap)) {
                    self.next.on(add_days(day, 1));
                }
                Some(days as f64)
            }
            Aggregate::InForce => {
                self.evidence
                    .retain(|position| at(position).is_some_and(|record| record.in_force_on(day)));
                Some(self.evidence.len() as f64)
            }
            Aggregate::Ended => {
                self.evidence
                    .retain(|position| at(position).is_some_and(|record| !record.in_force_on(day)));
                Some(self.evidence.len() as f64)
            }
            Aggregate::Latest => {
                self.latest_first(records);
                self.evidence.truncate(1);
                let latest = self.evidence.first().and_then(at)?;
                Some(f64::from(u8::from(self.measure.selects(latest))))
            }
            Aggregate::Streak => {
                self.latest_first(records);
                let unbroken = self
                    .evidence
                    .iter()
                    .filter_map(at)
                    .take_while(|record| self.measure.selects(record))
                    .count();
                self.evidence.truncate(unbroken);
                Some(unbroken as f64)
            }
            Aggregate::Lapsed => {
                let in_force: Vec<_> = self
                    .evidence
                    .iter()
                    .filter_map(at)
                    .filter(|record| record.in_force_on(day))
                    .map(|record| &record.item_code)
                    .collect();
                let mut lapsed: Vec<_> = self
                    .evidence
                    .iter()
                    .filter_map(at)
                    .map(|record| &record.item_code)
                    .filter(|item| !in_force.contains(item))
                    .collect();
                self.evidence.retain(|position| {
                    at(position).is_some_and(|record| lapsed.contains(&&record.item_code))
                });
                lapsed.sort();
                lapsed.dedup();
                Some(lapsed.len() as f64)
            }
            Aggregate::Surge => Some(self.surge(records)),
        }
    }

    /// Orders by day, latest first; of one day the higher id first, so that the order of arrival does not matter.
    fn latest_first(&mut self, records: &[&Record]) {
        let key = |position: &usize| {
            records
                .get(*position)
                .map(|record| (record.occurred_on, &record.source, &record.record_id))
        };
        self.evidence.sort_by(|a, b| key(b).cmp(&key(a)));
    }

    fn surge(&mut self, records: &[&Record]) -> f64 {
        let day = self.as_of.day;
        let mut recent = 0_u32;
        for record in self
            .evidence
            .iter()
            .filter_map(|position| records.get(*position))
        {
            let recent_until = add_days(record.occurred_on, SURGE_DAYS);
            self.next.on(recent_until);
            recent += u32::from(day < recent_until);
        }
        if recent < SURGE_MINIMUM {
            return 0.0;
        }
        let earlier = u32::try_from(self.evidence.len()).unwrap_or(u32::MAX) - recent;
        // A month counts 30 days here, so that the expectation does not move with the calendar between records.
        let window_days = i32::from(self.measure.window_months.unwrap_or(0)) * 30;
        let expected = f64::from(earlier) * f64::from(SURGE_DAYS)
            / f64::from((window_days - SURGE_DAYS).max(SURGE_DAYS));
        f64::from(recent) / expected.max(1.0)
    }
}

/// 2 in the first half of the window and 1 in the second, by the decay clock.
fn decay_halves(
    measure: &RecordMeasure,
    record: &Record,
    as_of: AsOf,
    next: &mut NextChange,
) -> u32 {
    let end = measure.window_end(record);
    let length = days_between(record.occurred_on, end);
    let half = add_days(
        record.occurred_on,
        i32::try_from((length + 1) / 2).unwrap_or(i32::MAX),
    );
    if as_of.decay_clock < half {
        next.on(next_scheduled_run(half));
        2
    } else {
        1
    }
}

fn yuan(fen: i128) -> f64 {
    fen as f64 / 100.0
}
