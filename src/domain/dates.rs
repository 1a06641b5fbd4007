//! Calendar days: parsing, windows in months, and the instant a classification speaks for.

use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// The day that a tier speaks for.
///
/// `day` decides which records are known and in their window. `decay_clock` is the day of the last scheduled run:
/// decay *inside* a window acts only then, so that a tier does not flicker between runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsOf {
    /// The as-of day.
    pub day: Date,
    /// The day of the last scheduled run, never after `day`.
    pub decay_clock: Date,
}

impl AsOf {
    /// As of `day`, with scheduled runs on the first day of every month.
    pub fn monthly(day: Date) -> Self {
        Self {
            day,
            decay_clock: day.first_of_month(),
        }
    }
}

/// The first scheduled (monthly) run on or after `day`.
pub fn next_scheduled_run(day: Date) -> Date {
    if day.day() == 1 {
        return day;
    }
    day.first_of_month()
        .checked_add(1.month())
        .unwrap_or(Date::MAX)
}

/// The day `months` after `day`; a day that the month lacks becomes its last one.
pub fn add_months(day: Date, months: u16) -> Date {
    day.checked_add(i32::from(months).months())
        .unwrap_or(Date::MAX)
}

/// The day `days` after `day`.
pub fn add_days(day: Date, days: i32) -> Date {
    day.checked_add(days.days())
        .unwrap_or(if days < 0 { Date::MIN } else { Date::MAX })
}

/// Days from 1970-01-01, the form kept in the store.
pub fn to_epoch_day(day: Date) -> i32 {
    // A civil date lies within ±4 million days, so the conversion cannot fail.
    i32::try_from(days_between(EPOCH, day)).unwrap_or(i32::MAX)
}

/// The date of a stored day number; a number outside the calendar becomes the nearest date.
///
/// A register's worth of records has hundreds of millions of dates, so this is plain arithmetic: days are counted in
/// eras of 400 Gregorian years, which have 146,097 days, from the first of March, so that a leap day is the last of its
/// year (Hinnant, "chrono-compatible low-level date algorithms").
pub fn from_epoch_day(days: i32) -> Date {
    let from_march_0 = i64::from(days) + 719_468;
    let (era, day_of_era) = (
        from_march_0.div_euclid(146_097),
        from_march_0.rem_euclid(146_097),
    );
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let parts = (i16::try_from(year), i8::try_from(month), i8::try_from(day));
    let date = match parts {
        (Ok(year), Ok(month), Ok(day)) => Date::new(year, month, day).ok(),
        _ => None,
    };
    date.unwrap_or(if days < 0 { Date::MIN } else { Date::MAX })
}

const EPOCH: Date = jiff::civil::date(1970, 1, 1);

/// Whole days from `from` to `to`; negative when `to` is earlier.
pub fn days_between(from: Date, to: Date) -> i64 {
    from.duration_until(to).as_hours() / 24
}

/// Completed months from `from` to `to`; 0 when `to` is earlier.
pub fn months_between(from: Date, to: Date) -> u16 {
    let years = i32::from(to.year()) - i32::from(from.year());
    let mut months = years * 12 + i32::from(to.month()) - i32::from(from.month());
    if months > 0 && add_months(from, u16::try_from(months).unwrap_or(u16::MAX)) > to {
        months -= 1;
    }
    u16::try_from(months.max(0)).unwrap_or(u16::MAX)
}

/// Reads an ISO date, `2026-12-01`; a trailing time (`2026-12-01T08:00:00`) is refused, not cut.
pub fn parse_date(text: &str) -> Result<Date, String> {
    let iso = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    if !iso {
        return Err("is not a date of the form 2026-12-01".to_owned());
    }
    text.parse()
        .map_err(|_| "is not a day of the calendar".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_month_later_than_the_31st_is_the_last_day() {
        assert_eq!(add_months(date(2026, 1, 31), 1), date(2026, 2, 28));
        assert_eq!(add_months(date(2024, 1, 31), 1), date(2024, 2, 29));
    }

    #[test]
    fn months_count_only_when_completed() {
        assert_eq!(months_between(date(2025, 12, 15), date(2026, 12, 14)), 11);
        assert_eq!(months_between(date(2025, 12, 15), date(2026, 12, 15)), 12);
        assert_eq!(months_between(date(2026, 1, 31), date(2026, 2, 28)), 1);
        assert_eq!(months_between(date(2027, 1, 1), date(2026, 1, 1)), 0);
    }

    #[test]
    fn day_numbers_round_trip() {
        for day in [date(1970, 1, 1), date(1949, 10, 1), date(2026, 12, 31)] {
            assert_eq!(from_epoch_day(to_epoch_day(day)), day);
        }
        assert_eq!(to_epoch_day(date(1970, 1, 2)), 1);
        assert_eq!(from_epoch_day(i32::MAX), Date::MAX);
        assert_eq!(from_epoch_day(i32::MIN), Date::MIN);
        for days in (-800_000..800_000).step_by(7) {
            assert_eq!(from_epoch_day(days), add_days(EPOCH, days), "{days}");
        }
        assert_eq!(days_between(date(1, 1, 1), date(9999, 12, 31)), 3_652_058);
    }

    #[test]
    fn only_plain_iso_dates_are_read() {
        assert_eq!(parse_date("2026-02-28"), Ok(date(2026, 2, 28)));
        for bad in [
            "2026-02-30",
            "2026-2-28",
            "28.02.2026",
            "2026-02-28T00:00:00",
            "",
            "20260228",
        ] {
            assert!(parse_date(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_decay_clock_is_the_first_of_the_month() {
        assert_eq!(
            AsOf::monthly(date(2026, 11, 22)).decay_clock,
            date(2026, 11, 1)
        );
        assert_eq!(next_scheduled_run(date(2026, 11, 1)), date(2026, 11, 1));
        assert_eq!(next_scheduled_run(date(2026, 11, 2)), date(2026, 12, 1));
    }
}
