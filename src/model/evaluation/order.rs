//! How many days earlier problems would have been found, had the same visits been made in the order of the score.
//!
//! The visits of a period are taken as they were: so many on each day. They are handed out again by falling score, as
//! the City of Chicago evaluated its order of food inspections (2015). Rows of equal score share the mean of their
//! days, which is the expectation over their order; so nothing is simulated. Features stay those of the real visit.

use jiff::civil::Date;

use super::rows::Rows;
use super::slots::{add, at, code, ratio};
use crate::domain::dates::to_epoch_day;

/// Rows by window, once by day and once by falling score.
#[derive(Clone, Debug)]
pub(super) struct Order {
    windows: Vec<Window>,
    /// Each row's day, from the first day of its window.
    day: Vec<f64>,
}

#[derive(Clone, Debug, Default)]
struct Window {
    by_day: Vec<u32>,
    by_score: Vec<u32>,
}

/// Mean days per problem against the real order.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Earlier {
    pub(super) days: f64,
    /// In random order.
    pub(super) random: f64,
    /// With every problem first.
    pub(super) perfect: f64,
}

impl Earlier {
    /// `(days − random)/(perfect − random)`: 0 for a random order, 1 for a perfect one.
    pub(super) fn skill(self) -> Option<f64> {
        ratio(self.days - self.random, self.perfect - self.random)
    }
}

impl Order {
    /// Cuts the rows into consecutive windows of `days` days from the first one. Absent without days.
    pub(super) fn of(rows: &Rows, days: u32) -> Option<Self> {
        let dates = rows.day.as_deref()?;
        let first = *dates.iter().min()?;
        let window_of = |date: &Date| {
            let since = to_epoch_day(*date) - to_epoch_day(first);
            u32::try_from(since).unwrap_or(0) / days.max(1)
        };
        let mut by_day: Vec<(u32, i32, u32)> = dates
            .iter()
            .zip(0..)
            .map(|(date, row)| (window_of(date), to_epoch_day(*date), row))
            .collect();
        by_day.sort_unstable();
        let mut windows = Vec::new();
        let mut day = vec![0.0; dates.len()];
        for window in by_day.chunk_by(|a, b| a.0 == b.0) {
            let start = window.first().map_or(0, |(_, day, _)| *day);
            for (_, own, row) in window {
                add(&mut day, *row as usize, f64::from(own - start));
            }
            let by_day: Vec<u32> = window.iter().map(|(_, _, row)| *row).collect();
            let mut by_score = by_day.clone();
            by_score.sort_unstable_by_key(|row| {
                (
                    std::cmp::Reverse(code(&rows.score.rank, *row as usize)),
                    *row,
                )
            });
            windows.push(Window { by_day, by_score });
        }
        Some(Self { windows, day })
    }

    /// Number of windows.
    pub(super) fn windows(&self) -> usize {
        self.windows.len()
    }

    /// The days per problem, each row counted `times` over. Absent without a problem.
    pub(super) fn earlier(&self, rows: &Rows, times: &[f64]) -> Option<Earlier> {
        let day_of = |row: usize| at(&self.day, row);
        let times_of = |row: usize| at(times, row);
        let (mut days, mut random, mut perfect, mut found) = (0.0, 0.0, 0.0, 0.0);
        for window in &self.windows {
            let mut slots = Slots::new(window.by_day.iter().map(|row| {
                let row = *row as usize;
                (day_of(row), times_of(row))
            }));
            let (mut count, mut all_days, mut own_found, mut own_days) = (0.0, 0.0, 0.0, 0.0);
            for block in window.by_score.chunk_by(|a, b| {
                code(&rows.score.rank, *a as usize) == code(&rows.score.rank, *b as usize)
            }) {
                let (mut size, mut problems) = (0.0, 0.0);
                for row in block {
                    let row = *row as usize;
                    let times = times_of(row);
                    size += times;
                    all_days += times * day_of(row);
                    if rows.is_found(row) {
                        problems += times;
                        own_days += times * day_of(row);
                    }
                }
                if size > 0.0 {
                    days -= slots.take(size) * problems / size;
                }
                count += size;
                own_found += problems;
            }
            if count <= 0.0 {
                continue;
            }
            let mut first = Slots::new(window.by_day.iter().map(|row| {
                let row = *row as usize;
                (day_of(row), times_of(row))
            }));
            days += own_days;
            random += own_days - own_found * all_days / count;
            perfect += own_days - first.take(own_found);
            found += own_found;
        }
        (found > 0.0).then(|| Earlier {
            days: days / found,
            random: random / found,
            perfect: perfect / found,
        })
    }
}

/// Visits in order of their day, handed out from the earliest.
struct Slots<I> {
    rest: I,
    current: (f64, f64),
}

impl<I: Iterator<Item = (f64, f64)>> Slots<I> {
    fn new(rest: I) -> Self {
        Self {
            rest,
            current: (0.0, 0.0),
        }
    }

    /// Takes the next `count` visits; the sum of their days.
    fn take(&mut self, count: f64) -> f64 {
        let (mut left, mut sum) = (count, 0.0);
        while left > 0.0 {
            if self.current.1 <= 0.0 {
                match self.rest.next() {
                    Some(next) => self.current = next,
                    None => break,
                }
            }
            let taken = self.current.1.min(left);
            sum += taken * self.current.0;
            self.current.1 -= taken;
            left -= taken;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::Columns;
    use super::*;
    use crate::domain::rng::SeededRng;
    use jiff::civil::date;

    fn rows(score: &[f64], outcome: &[u8], days: &[i8]) -> Rows {
        Columns {
            score: score.to_vec(),
            outcome: outcome.iter().map(|found| *found == 1).collect(),
            day: Some(days.iter().map(|day| date(2026, 3, *day)).collect()),
            ..Columns::default()
        }
        .check()
        .unwrap()
    }

    #[test]
    fn four_visits_are_reordered_as_by_hand() {
        // Days 1, 2, 3, 4; the problem lies on day 4 and has the highest score, one on day 2 the lowest.
        let rows = rows(&[1.0, 0.0, 1.0, 9.0], &[0, 1, 0, 1], &[1, 2, 3, 4]);
        let order = Order::of(&rows, 60).unwrap();
        let earlier = order.earlier(&rows, &[1.0; 4]).unwrap();
        // From day 4 to 1 and from day 2 to 4: (3 − 2)/2. Random: mean day 2.5, so (1.5 − 0.5)/2. Perfect: days 1 and 2.
        assert_eq!(
            earlier,
            Earlier {
                days: 0.5,
                random: 0.5,
                perfect: 1.5
            }
        );
        assert_eq!(earlier.skill(), Some(0.0));
    }

    #[test]
    fn a_score_that_knows_the_outcome_is_perfect_and_one_for_all_is_random() {
        let mut rng = SeededRng::new(5, "order");
        let outcome: Vec<u8> = (0..400).map(|_| u8::from(rng.chance(0.2))).collect();
        let days: Vec<i8> = (0..400).map(|_| 1 + rng.below(28) as i8).collect();
        let knowing: Vec<f64> = outcome.iter().map(|found| f64::from(*found)).collect();
        for window in [7, 28] {
            let perfect = rows(&knowing, &outcome, &days);
            let order = Order::of(&perfect, window).unwrap();
            assert_eq!(order.windows(), 28 / window as usize);
            let skill = order
                .earlier(&perfect, &[1.0; 400])
                .unwrap()
                .skill()
                .unwrap();
            assert!((skill - 1.0).abs() < 1e-12, "{skill}");
            let equal = rows(&[3.0; 400], &outcome, &days);
            let skill = order_of(&equal, window).skill().unwrap();
            assert!(skill.abs() < 1e-12, "{skill}");
        }
    }

    fn order_of(rows: &Rows, window: u32) -> Earlier {
        Order::of(rows, window)
            .unwrap()
            .earlier(rows, &vec![1.0; rows.count()])
            .unwrap()
    }

    #[test]
    fn ties_give_the_mean_over_every_order_of_theirs() {
        // Three rows of one score: every order is simulated by scores of its own, and the mean is the exact figure.
        let (outcome, days) = ([1, 0, 0, 1], [5, 1, 2, 9]);
        let mut sum = 0.0;
        let orders = [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ];
        for order in orders {
            let score: Vec<f64> = order
                .iter()
                .map(|place| f64::from(*place))
                .chain([-1.0])
                .collect();
            sum += order_of(&rows(&score, &outcome, &days), 60).days;
        }
        let tied = order_of(&rows(&[0.0, 0.0, 0.0, -1.0], &outcome, &days), 60).days;
        assert!((tied - sum / 6.0).abs() < 1e-12, "{tied} {}", sum / 6.0);
    }

    #[test]
    fn counting_a_row_twice_is_having_it_twice() {
        let twice = rows(&[3.0, 2.0, 2.0, 1.0], &[0, 1, 1, 0], &[1, 4, 4, 9]);
        let once = rows(&[3.0, 2.0, 1.0], &[0, 1, 0], &[1, 4, 9]);
        let counted = Order::of(&once, 60)
            .unwrap()
            .earlier(&once, &[1.0, 2.0, 1.0])
            .unwrap();
        assert_eq!(order_of(&twice, 60), counted);
    }
}
