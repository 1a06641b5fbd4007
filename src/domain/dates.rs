//! Calendar days: parsing, windows in months, and the instant a classification speaks for.

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
    add_months(day.first_of_month(), 1)
}

/// The day `months` after `day`; a day that the month lacks becomes its last one.
///
/// Windows are asked for by the hundred million, so this is plain arithmetic.
pub fn add_months(day: Date, months: u16) -> Date {
    let month = i32::from(day.year()) * 12 + i32::from(day.month()) - 1 + i32::from(months);
    let first = civil(i64::from(month.div_euclid(12)), month.rem_euclid(12) + 1, 1);
    first
        .and_then(|first| {
            Date::new(
                first.year(),
                first.month(),
                day.day().min(first.days_in_month()),
            )
            .ok()
        })
        .unwrap_or(Date::MAX)
}

fn civil(year: i64, month: i32, day: i32) -> Option<Date> {
    let (year, month, day) = (i16::try_from(year), i8::try_from(month), i8::try_from(day));
    Date::new(year.ok()?, month.ok()?, day.ok()?).ok()
}

/// The day `days` after `day`.
pub fn add_days(day: Date, days: i32) -> Date {
    from_epoch_day(to_epoch_day(day).saturating_add(days))
}

/// Days from 1970-01-01, the form kept in the store.
///
/// A register's worth of records has hundreds of millions of dates, so this is plain arithmetic: days are counted in
/// eras of 400 Gregorian years, which have 146,097 days, from the first of March, so that a leap day is the last of its
/// year (Hinnant, "chrono-compatible low-level date algorithms").
pub fn to_epoch_day(day: Date) -> i32 {
    let (month, day_of_month) = (i32::from(day.month()), i32::from(day.day()));
    let year = i32::from(day.year()) - i32::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day_of_month - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The number of the first day of the calendar, −9999-01-01.
pub(super) const FIRST_DAY: i32 = -4_371_587;
/// The number of its last day, 9999-12-31.
pub(super) const LAST_DAY: i32 = 2_932_896;

/// The date of a stored day number; a number outside the calendar becomes the nearest date. The inverse of
/// [`to_epoch_day`].
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
    let date = match (i32::try_from(month), i32::try_from(day)) {
        (Ok(month), Ok(day)) => civil(year, month, day),
        _ => None,
    };
    date.unwrap_or(if days < 0 { Date::MIN } else { Date::MAX })
}

/// Whole days from `from` to `to`; negative when `to` is earlier.
pub fn days_between(from: Date, to: Date) -> i64 {
    i64::from(to_epoch_day(to)) - i64::from(to_epoch_day(from))
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
    use jiff::ToSpan;
    use jiff::civil::date;

    #[test]
    fn the_calendar_begins_and_ends_where_it_is_said_to() {
        assert_eq!(to_epoch_day(Date::MIN), FIRST_DAY);
        assert_eq!(to_epoch_day(Date::MAX), LAST_DAY);
    }

    #[test]
    fn a_month_later_than_the_31st_is_the_last_day() {
        assert_eq!(add_months(date(2026, 1, 31), 1), date(2026, 2, 28));
        assert_eq!(add_months(date(2024, 1, 31), 1), date(2024, 2, 29));
    }

    #[test]
    fn months_are_added_as_the_calendar_does() {
        for day in (-400_000..400_000).step_by(101).map(from_epoch_day) {
            for months in [0_u16, 1, 6, 11, 12, 36, 60, 1_201] {
                let expected = day.checked_add(i32::from(months).months()).unwrap();
                assert_eq!(add_months(day, months), expected, "{day} {months}");
            }
        }
        assert_eq!(add_months(date(9999, 12, 1), 1), Date::MAX);
        assert_eq!(add_months(date(9999, 1, 31), u16::MAX), Date::MAX);
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
        let epoch = date(1970, 1, 1);
        for days in (-800_000..800_000).step_by(7) {
            let day = epoch.checked_add(days.days()).unwrap();
            assert_eq!(from_epoch_day(days), day, "{days}");
            assert_eq!(to_epoch_day(day), days);
            assert_eq!(add_days(epoch, days), day);
        }
        for day in [Date::MIN, Date::MAX] {
            assert_eq!(from_epoch_day(to_epoch_day(day)), day);
        }
        assert_eq!(add_days(date(9999, 12, 31), 1), Date::MAX);
        assert_eq!(add_days(Date::MIN, i32::MIN), Date::MIN);
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
