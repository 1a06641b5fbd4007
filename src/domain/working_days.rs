//! Working days: every day but weekends and holidays, and those weekends that are worked instead.

use jiff::civil::{Date, Weekday};
use std::collections::BTreeSet;

use super::dates::add_days;

/// Which days are worked. Weekends are off by themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkingDays {
    /// Days off beside weekends.
    pub holidays: BTreeSet<Date>,
    /// Saturdays and Sundays that are worked (调休).
    pub working_weekends: BTreeSet<Date>,
}

impl WorkingDays {
    /// Whether `day` is worked.
    pub fn is_worked(&self, day: Date) -> bool {
        let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        if weekend {
            self.working_weekends.contains(&day)
        } else {
            !self.holidays.contains(&day)
        }
    }

    /// The `count`th working day after `day`, which itself is not counted. The last day of a time limit that began on
    /// `day`.
    pub fn after(&self, day: Date, count: u16) -> Date {
        let mut last = day;
        for _ in 0..count {
            last = add_days(last, 1);
            // INVARIANT: the holidays are finite, so a working day follows any day but the end of the calendar.
            while !self.is_worked(last) && last < Date::MAX {
                last = add_days(last, 1);
            }
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn weekends_and_holidays_are_not_counted_but_worked_weekends_are() {
        let plain = WorkingDays::default();
        // 2026-11-20 is a Friday.
        assert_eq!(plain.after(date(2026, 11, 20), 1), date(2026, 11, 23));
        assert_eq!(plain.after(date(2026, 11, 21), 5), date(2026, 11, 27));
        assert_eq!(plain.after(date(2026, 11, 20), 0), date(2026, 11, 20));
        let calendar = WorkingDays {
            holidays: [date(2026, 11, 23), date(2026, 11, 24)].into(),
            working_weekends: [date(2026, 11, 22)].into(),
        };
        assert_eq!(calendar.after(date(2026, 11, 20), 1), date(2026, 11, 22));
        assert_eq!(calendar.after(date(2026, 11, 20), 2), date(2026, 11, 25));
    }

    #[test]
    fn the_end_of_the_calendar_ends_the_count() {
        assert_eq!(WorkingDays::default().after(Date::MAX, 3), Date::MAX);
    }
}
