//! The batches of a year: months, quarters, or the first working days of each quarter.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

use crate::domain::WorkingDays;
use crate::domain::dates::{add_days, add_months};

/// Working days at the beginning of a quarter in which visits are concentrated.
const FIRST_DAYS: u32 = 5;

/// A month, counted from January of year 0; the unit of time in which phases grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Month(u32);

impl Month {
    /// A month (1 to 12) of a year (1900 to 9000).
    #[must_use]
    pub fn of(year: i16, month: i8) -> Option<Self> {
        let fits = (1900..=9000).contains(&year) && (1..=12).contains(&month);
        let number = i32::from(year) * 12 + i32::from(month) - 1;
        fits.then(|| u32::try_from(number).ok().map(Self)).flatten()
    }

    /// The month of a day.
    #[must_use]
    pub fn of_day(day: Date) -> Option<Self> {
        Self::of(day.year(), day.month())
    }

    /// The month this many months later.
    #[must_use]
    pub const fn plus(self, months: u32) -> Self {
        Self(self.0.saturating_add(months))
    }

    /// Months since January of year 0.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Its year.
    #[must_use]
    pub fn year(self) -> i16 {
        i16::try_from(self.0 / 12).unwrap_or(i16::MAX)
    }

    /// Its first day.
    #[must_use]
    pub fn first_day(self) -> Date {
        // INVARIANT: months are made within years 1900 to 9000 and a few years on.
        let month = i8::try_from(self.0 % 12 + 1).unwrap_or(1);
        Date::new(self.year(), month, 1).unwrap_or(Date::MAX)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0 / 12, self.0 % 12 + 1)
    }
}

impl FromStr for Month {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text
            .split_once('-')
            .filter(|(year, month)| year.len() == 4 && month.len() == 2);
        parts
            .and_then(|(year, month)| Self::of(year.parse().ok()?, month.parse().ok()?))
            .ok_or_else(|| format!("`{text}` is not a month of the form 2027-04"))
    }
}

impl TryFrom<String> for Month {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Month> for String {
    fn from(month: Month) -> Self {
        month.to_string()
    }
}

/// How a year is cut into batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchKind {
    /// Twelve months.
    Month,
    /// Four quarters.
    Quarter,
    /// The first five working days of each quarter.
    QuarterStart,
}

impl BatchKind {
    /// The word used in files and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::QuarterStart => "quarter_start",
        }
    }

    /// Months from one batch to the next.
    #[must_use]
    pub const fn months(self) -> u32 {
        match self {
            Self::Month => 1,
            Self::Quarter | Self::QuarterStart => 3,
        }
    }

    /// Batches of a year.
    #[must_use]
    pub const fn per_year(self) -> u32 {
        12 / self.months()
    }

    /// Whether a batch begins with this month.
    #[must_use]
    pub const fn begins_with(self, month: Month) -> bool {
        month.number().is_multiple_of(self.months())
    }

    /// The first batch that begins on or after a day.
    #[must_use]
    pub fn first_from(self, day: Date) -> Option<Month> {
        let mut month = Month::of_day(day)?;
        if day.day() > 1 {
            month = month.plus(1);
        }
        while !self.begins_with(month) {
            month = month.plus(1);
        }
        Some(month)
    }

    /// The name of the batch that begins with this month: `2027-03` or `2027-Q1`.
    #[must_use]
    pub fn name(self, month: Month) -> String {
        match self {
            Self::Month => month.to_string(),
            Self::Quarter | Self::QuarterStart => {
                format!("{:04}-Q{}", month.year(), month.number() % 12 / 3 + 1)
            }
        }
    }
}

/// A batch: when its visits take place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Its first month, which identifies it.
    pub month: Month,
    /// Its name: `2027-03` or `2027-Q1`.
    pub name: String,
    /// First working day.
    pub from: Date,
    /// Last working day.
    pub to: Date,
    /// Number of working days.
    pub working_days: u32,
}

/// The batches of a year by the calendar of working days; `None` where a batch would have no working day, or the year
/// lies outside 1900 to 9000.
#[must_use]
pub fn batches_of(year: i16, kind: BatchKind, working: &WorkingDays) -> Option<Vec<Batch>> {
    let january = Month::of(year, 1)?;
    (0..kind.per_year())
        .map(|number| {
            let month = january.plus(number * kind.months());
            let first = month.first_day();
            let end = add_months(first, u16::try_from(kind.months()).unwrap_or(1));
            let mut days = Vec::new();
            let mut day = first;
            while day < end {
                if working.is_worked(day) {
                    days.push(day);
                }
                day = add_days(day, 1);
            }
            if kind == BatchKind::QuarterStart {
                days.truncate(FIRST_DAYS as usize);
            }
            Some(Batch {
                month,
                name: kind.name(month),
                from: *days.first()?,
                to: *days.last()?,
                working_days: u32::try_from(days.len()).unwrap_or(u32::MAX),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn quarters_begin_and_end_with_working_days() {
        // New Year's Day off; Sunday 3 January is worked instead.
        let working = WorkingDays {
            holidays: [date(2027, 1, 1)].into(),
            working_weekends: [date(2027, 1, 3)].into(),
        };

        let starts = batches_of(2027, BatchKind::QuarterStart, &working).unwrap();
        let quarters = batches_of(2027, BatchKind::Quarter, &working).unwrap();

        assert_eq!(starts.len(), 4);
        assert_eq!(
            (starts[0].from, starts[0].to),
            (date(2027, 1, 3), date(2027, 1, 7))
        );
        assert_eq!(starts[0].name, "2027-Q1");
        // 1 April 2027 is a Thursday.
        assert_eq!(
            (starts[1].from, starts[1].to),
            (date(2027, 4, 1), date(2027, 4, 7))
        );
        assert!(starts.iter().all(|batch| batch.working_days == 5));
        assert_eq!(
            (quarters[3].from, quarters[3].to),
            (date(2027, 10, 1), date(2027, 12, 31))
        );
        assert_eq!(
            batches_of(2027, BatchKind::Month, &working).unwrap()[11].name,
            "2027-12"
        );
    }

    #[test]
    fn a_batch_without_a_working_day_is_none() {
        let mut working = WorkingDays::default();
        let mut day = date(2027, 2, 1);
        while day < date(2027, 3, 1) {
            working.holidays.insert(day);
            day = add_days(day, 1);
        }

        assert!(batches_of(2027, BatchKind::Month, &working).is_none());
        assert!(batches_of(2027, BatchKind::Quarter, &working).is_some());
    }

    #[test]
    fn months_are_counted_and_written() {
        let month = Month::of(2027, 4).unwrap();
        assert_eq!(month.to_string(), "2027-04");
        assert_eq!("2027-04".parse(), Ok(month));
        assert_eq!(month.plus(9).to_string(), "2028-01");
        assert!("2027-13".parse::<Month>().is_err() && "27-04".parse::<Month>().is_err());
        let first = |day| BatchKind::Quarter.first_from(day).unwrap().to_string();
        assert_eq!(first(date(2027, 4, 1)), "2027-04");
        assert_eq!(first(date(2027, 4, 2)), "2027-07");
        assert_eq!(first(date(2027, 12, 2)), "2028-01");
    }
}
