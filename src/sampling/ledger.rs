//! The rules of the ledger: how often and how close together one object is visited for general items.
//!
//! Which visits there are is for the store to know. Here is said what they allow, and what becomes of a drawn object
//! that may not be visited any more: the next of its stratum's reserve takes its place, in order, or nobody.

use jiff::civil::Date;

use super::policy::VisitLimits;
use crate::domain::Tier;
use crate::domain::dates::{add_days, days_between};

/// Days within which a visit takes place, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First day.
    pub from: Date,
    /// Last day, not before `from`.
    pub to: Date,
}

/// A visit for general items that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Booked {
    /// The year that it counts in.
    pub year: i16,
    /// When it may take place; one day once it has.
    pub window: Window,
}

/// Why an object rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It has as many visits in the year as its tier allows.
    CapReached,
    /// On no day of the window is the gap to every other visit kept.
    GapNotOver,
}

impl Rest {
    /// The coded reason.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CapReached => "cap_reached",
            Self::GapNotOver => "gap_not_over",
        }
    }
}

/// The calendar year that a visit within the window counts in: that of most of its days, of equal ones the earlier.
pub fn year_of(window: Window) -> i16 {
    let (first, last) = (window.from.year(), window.to.year());
    let days_in = |year: i16| {
        let from = Date::new(year, 1, 1)
            .unwrap_or(window.from)
            .max(window.from);
        let to = Date::new(year, 12, 31).unwrap_or(window.to).min(window.to);
        days_between(from, to)
    };
    // Whole years between the two are longer than either end.
    let candidates = [first, first.saturating_add(1).min(last), last];
    let longest = candidates.iter().map(|year| days_in(*year)).max();
    let found = candidates
        .iter()
        .find(|year| Some(days_in(**year)) == longest);
    found.copied().unwrap_or(first)
}

/// The days of `window` on which an object of this tier may be visited beside the visits that are booked: the first of
/// them with all that follow without a break; or why there is none.
///
/// A visit that has not taken place yet may do so on any day of its own window, so the gap is counted from the ends of
/// that.
///
/// # Errors
///
/// The reason to rest.
pub fn may_visit(
    limits: &VisitLimits,
    tier: Tier,
    window: Window,
    booked: &[Booked],
) -> Result<Window, Rest> {
    let year = year_of(window);
    let in_year = booked.iter().filter(|visit| visit.year == year).count();
    if in_year >= usize::from(limits.cap.of(tier)) {
        return Err(Rest::CapReached);
    }
    let gap = i32::from(limits.gap_days.of(tier));
    if gap == 0 {
        return Ok(window);
    }
    let mut closed: Vec<(Date, Date)> = booked
        .iter()
        .map(|visit| {
            (
                add_days(visit.window.from, -gap),
                add_days(visit.window.to, gap),
            )
        })
        .collect();
    closed.sort_unstable();
    // Days strictly between the two ends of a closed span are too close to its visit.
    let mut day = window.from;
    for (before, after) in &closed {
        if day > *before && day < *after {
            day = *after;
        }
    }
    if day > window.to {
        return Err(Rest::GapNotOver);
    }
    let next = closed
        .iter()
        .map(|(before, _)| *before)
        .filter(|before| *before >= day);
    Ok(Window {
        from: day,
        to: next.min().unwrap_or(window.to).min(window.to),
    })
}

/// A drawn object that is not visited, and who is instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Substitution<T> {
    /// The object that is not visited.
    pub left_out: T,
    /// Why.
    pub reason: Rest,
    /// The next of its stratum's reserve that may be visited; absent when the reserve is used up.
    pub taken: Option<T>,
}

/// A sample that keeps the ledger's limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled<T> {
    /// Objects to be visited: those drawn that may be, then those that stand in for others.
    pub visits: Vec<T>,
    /// Objects that are not visited, drawn ones and passed ones of the reserve, in order.
    pub substitutions: Vec<Substitution<T>>,
}

/// Walks a stratum: drawn objects in order, and for each that rests the next of the reserve that does not. Objects of the
/// reserve that rest themselves are passed over with their own reason.
pub fn settle<T: Copy>(
    drawn: &[T],
    reserve: &[T],
    mut rests: impl FnMut(T) -> Option<Rest>,
) -> Settled<T> {
    let mut settled = Settled {
        visits: Vec::with_capacity(drawn.len()),
        substitutions: Vec::new(),
    };
    let mut waiting = reserve.iter().copied();
    for object in drawn.iter().copied() {
        let Some(reason) = rests(object) else {
            settled.visits.push(object);
            continue;
        };
        let (mut left_out, mut reason) = (object, reason);
        loop {
            let taken = waiting.next();
            settled.substitutions.push(Substitution {
                left_out,
                reason,
                taken,
            });
            let Some(candidate) = taken else { break };
            match rests(candidate) {
                None => {
                    settled.visits.push(candidate);
                    break;
                }
                Some(its_reason) => (left_out, reason) = (candidate, its_reason),
            }
        }
    }
    settled
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn window(from: (i16, i8, i8), to: (i16, i8, i8)) -> Window {
        Window {
            from: date(from.0, from.1, from.2),
            to: date(to.0, to.1, to.2),
        }
    }

    fn booked(window: Window) -> Booked {
        Booked {
            year: year_of(window),
            window,
        }
    }

    #[test]
    fn a_window_counts_in_the_year_of_most_of_its_days() {
        for (from, to, year) in [
            ((2026, 3, 1), (2026, 3, 1), 2026),
            ((2026, 12, 20), (2027, 3, 1), 2027),
            ((2026, 12, 31), (2027, 1, 1), 2026),
            ((2026, 7, 1), (2027, 2, 1), 2026),
            ((2026, 12, 1), (2028, 2, 1), 2027),
        ] {
            assert_eq!(year_of(window(from, to)), year, "{from:?}");
        }
    }

    #[test]
    fn the_cap_of_the_year_is_the_last_visit() {
        let limits = VisitLimits::default();
        let first = window((2026, 1, 1), (2026, 3, 31));
        let third = window((2026, 7, 1), (2026, 9, 30));
        let may = |tier, booked: &[Booked]| may_visit(&limits, tier, third, booked);
        assert_eq!(may(Tier::A, &[]), Ok(third));
        assert_eq!(may(Tier::A, &[booked(first)]), Err(Rest::CapReached));
        assert_eq!(
            may(Tier::C, &[booked(first)]),
            Ok(window((2026, 7, 29), (2026, 9, 30)))
        );
        let next_year = booked(window((2025, 1, 1), (2025, 2, 1)));
        assert_eq!(may(Tier::A, &[next_year]), Ok(third));
    }

    #[test]
    fn the_gap_is_kept_to_the_end_of_a_window_and_to_the_day_of_a_visit() {
        let limits = VisitLimits::default();
        let second = window((2026, 4, 1), (2026, 5, 15));
        let planned = booked(window((2026, 1, 1), (2026, 3, 31)));
        let done = booked(window((2026, 2, 1), (2026, 2, 1)));
        let may = |booked: &[Booked]| may_visit(&limits, Tier::D, second, booked);
        assert_eq!(may(&[planned]), Err(Rest::GapNotOver));
        assert_eq!(may(&[done]), Ok(window((2026, 4, 2), (2026, 5, 15))));
        let later = booked(window((2026, 6, 20), (2026, 7, 1)));
        assert_eq!(may(&[later]), Ok(window((2026, 4, 1), (2026, 4, 21))));
        assert_eq!(may(&[done, later]), Ok(window((2026, 4, 2), (2026, 4, 21))));
        let close = booked(window((2026, 5, 20), (2026, 7, 1)));
        let near = booked(window((2026, 5, 1), (2026, 5, 2)));
        assert_eq!(may(&[done, near]), Err(Rest::GapNotOver));
        assert_eq!(may(&[close]), Err(Rest::GapNotOver));
        let all_year = window((2026, 1, 1), (2026, 12, 31));
        assert_eq!(
            may_visit(&limits, Tier::D, all_year, &[planned]),
            Ok(window((2026, 5, 30), (2026, 12, 31)))
        );
    }

    #[test]
    fn the_reserve_steps_in_strictly_in_order() {
        let rests = |object: u32| object.is_multiple_of(10).then_some(Rest::CapReached);
        let settled = settle(&[1, 10, 2, 20, 30], &[40, 3, 50], rests);
        assert_eq!(settled.visits, [1, 3, 2]);
        let told: Vec<(u32, Option<u32>)> = settled
            .substitutions
            .iter()
            .map(|one| (one.left_out, one.taken))
            .collect();
        assert_eq!(
            told,
            [
                (10, Some(40)),
                (40, Some(3)),
                (20, Some(50)),
                (50, None),
                (30, None)
            ]
        );
    }
}
