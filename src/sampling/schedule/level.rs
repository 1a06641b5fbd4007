//! Levelling: visits move between neighbouring batches until no batch of a division has more to do than another, as far
//! as the room of each visit allows.
//!
//! A division is a bipartite assignment of visits to batches, each visit with an interval of batches. A visit moves along
//! the shortest path of such moves from a fuller batch to an emptier one as long as that helps; when no path helps any
//! more, the loads are as level as any assignment within the intervals could make them (an optimal semi-matching, Harvey,
//! Ladner, Lovász, Tamir 2006). A second pass moves visits between batches that differ by one, which leaves a division as
//! level as it is, so that the sum over divisions becomes level too.

use std::collections::{BTreeMap, VecDeque};

/// A visit that may move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Movable {
    /// The batch in which it is due.
    pub(super) due: usize,
    /// First batch that it may move to.
    pub(super) first: usize,
    /// Last batch that it may move to.
    pub(super) last: usize,
}

/// The visits of one division.
#[derive(Clone, Debug, Default)]
pub(super) struct Division {
    /// Visits that may move, in the order in which they are asked to: the first goes first.
    pub(super) visits: Vec<Movable>,
    /// Visits by batch that stay where they are.
    pub(super) fixed: Vec<u64>,
}

/// The batch of each visit, division by division. `weights` says how much each batch can take in comparison (0: no visit
/// moves there).
pub(super) fn level(divisions: &[Division], weights: &[u64]) -> Vec<Vec<usize>> {
    let mut loads: Vec<Load<'_>> = divisions
        .iter()
        .map(|division| Load::new(division, weights))
        .collect();
    for load in &mut loads {
        load.level();
    }
    level_sum(&mut loads, weights);
    loads.into_iter().map(|load| load.batches).collect()
}

/// Whether a visit is better off in a batch with `there` visits than in one with `here`: `(there + 1)/w < here/w'`.
fn helps(here: (u64, u64), there: (u64, u64)) -> bool {
    compare(here, there).is_lt()
}

/// The load of a batch after one more visit, against the load of another batch as it is.
fn compare(
    (here, here_weight): (u64, u64),
    (there, there_weight): (u64, u64),
) -> std::cmp::Ordering {
    if there_weight == 0 {
        return std::cmp::Ordering::Greater;
    }
    (u128::from(there + 1) * u128::from(here_weight))
        .cmp(&(u128::from(here) * u128::from(there_weight)))
}

/// Visits of one batch with the same room, the next to move last.
type Bucket = Vec<usize>;

struct Load<'a> {
    division: &'a Division,
    weights: &'a [u64],
    counts: Vec<u64>,
    batches: Vec<usize>,
    /// By batch: the visits in it that may move, by their room.
    rooms: Vec<BTreeMap<(usize, usize, usize), Bucket>>,
}

impl<'a> Load<'a> {
    fn new(division: &'a Division, weights: &'a [u64]) -> Self {
        let mut load = Self {
            division,
            weights,
            counts: division.fixed.clone(),
            batches: Vec::with_capacity(division.visits.len()),
            rooms: vec![BTreeMap::new(); weights.len()],
        };
        load.counts.resize(weights.len(), 0);
        for visit in &division.visits {
            load.batches.push(visit.due);
        }
        for (number, visit) in division.visits.iter().enumerate().rev() {
            load.put(number, visit.due);
        }
        load
    }

    fn put(&mut self, number: usize, batch: usize) {
        let Some(visit) = self.division.visits.get(number) else {
            return;
        };
        if let (Some(rooms), Some(count)) = (self.rooms.get_mut(batch), self.counts.get_mut(batch))
        {
            let room = (visit.due, visit.first, visit.last);
            rooms.entry(room).or_default().push(number);
            *count += 1;
        }
        if let Some(slot) = self.batches.get_mut(number) {
            *slot = batch;
        }
    }

    /// The room of the visit that moves from one batch to another with the least distance from its due batch.
    fn best_room(&self, from: usize, to: usize) -> Option<(usize, usize, usize)> {
        let rooms = self.rooms.get(from)?.keys();
        rooms
            .filter(|(_, first, last)| (*first..=*last).contains(&to))
            .min_by_key(|(due, first, last)| (due.abs_diff(to), *due, *first, *last))
            .copied()
    }

    fn shift(&mut self, from: usize, to: usize) {
        let Some(room) = self.best_room(from, to) else {
            return;
        };
        let moved = self.rooms.get_mut(from).and_then(|rooms| {
            let bucket = rooms.get_mut(&room)?;
            let number = bucket.pop();
            if bucket.is_empty() {
                rooms.remove(&room);
            }
            number
        });
        if let Some(number) = moved {
            if let Some(count) = self.counts.get_mut(from) {
                *count -= 1;
            }
            self.put(number, to);
        }
    }

    fn load(&self, batch: usize) -> (u64, u64) {
        let of = |list: &[u64]| list.get(batch).copied().unwrap_or(0);
        (of(&self.counts), of(self.weights))
    }

    /// The batches that a visit can be passed on to from `from`, each with the batch before it on the shortest way.
    fn reached(&self, from: usize) -> Vec<Option<usize>> {
        let mut before: Vec<Option<usize>> = vec![None; self.weights.len()];
        let mut waiting = VecDeque::from([from]);
        while let Some(batch) = waiting.pop_front() {
            for next in 0..self.weights.len() {
                let is_new = next != from && before.get(next).is_some_and(Option::is_none);
                if is_new && self.best_room(batch, next).is_some() {
                    if let Some(slot) = before.get_mut(next) {
                        *slot = Some(batch);
                    }
                    waiting.push_back(next);
                }
            }
        }
        before
    }

    /// Passes one visit on along the way, from its end to its beginning.
    fn pass(&mut self, from: usize, to: usize, before: &[Option<usize>]) {
        let mut place = to;
        while place != from {
            let Some(Some(previous)) = before.get(place).copied() else {
                return;
            };
            self.shift(previous, place);
            place = previous;
        }
    }

    fn level(&mut self) {
        let count = self.weights.len();
        let mut stuck = vec![false; count];
        loop {
            let fullest = (0..count)
                .filter(|batch| stuck.get(*batch) == Some(&false))
                .reduce(|best, batch| {
                    if is_fuller(self.load(batch), self.load(best)) {
                        batch
                    } else {
                        best
                    }
                });
            let Some(from) = fullest else { return };
            let before = self.reached(from);
            let emptiest = (0..count)
                .filter(|batch| before.get(*batch).is_some_and(Option::is_some))
                .reduce(|best, batch| {
                    if is_emptier(self.load(batch), self.load(best)) {
                        batch
                    } else {
                        best
                    }
                });
            match emptiest {
                Some(to) if helps(self.load(from), self.load(to)) => {
                    self.pass(from, to, &before);
                    stuck.fill(false);
                }
                Some(_) | None => {
                    if let Some(slot) = stuck.get_mut(from) {
                        *slot = true;
                    }
                }
            }
        }
    }
}

fn is_fuller((a, a_weight): (u64, u64), (b, b_weight): (u64, u64)) -> bool {
    u128::from(a) * u128::from(b_weight) > u128::from(b) * u128::from(a_weight)
}

/// After one more visit each; a batch that takes none is the fullest.
fn is_emptier((a, a_weight): (u64, u64), (b, b_weight): (u64, u64)) -> bool {
    a_weight > 0
        && (b_weight == 0
            || u128::from(a + 1) * u128::from(b_weight) < u128::from(b + 1) * u128::from(a_weight))
}

/// Levels the sum over divisions by moves that leave every division as level as it is.
fn level_sum(loads: &mut [Load<'_>], weights: &[u64]) {
    let count = weights.len();
    let mut sums: Vec<u64> = (0..count)
        .map(|batch| loads.iter().map(|load| load.load(batch).0).sum())
        .collect();
    loop {
        let of = |batch: usize| {
            let at = |list: &[u64]| list.get(batch).copied().unwrap_or(0);
            (at(&sums), at(weights))
        };
        let mut pairs: Vec<(usize, usize)> = (0..count)
            .flat_map(|from| (0..count).map(move |to| (from, to)))
            .filter(|(from, to)| helps(of(*from), of(*to)))
            .collect();
        // The widest gap first.
        pairs.sort_by_key(|(from, to)| {
            (
                std::cmp::Reverse(of(*from).0.saturating_sub(of(*to).0)),
                *from,
                *to,
            )
        });
        let found = pairs.into_iter().find_map(|(from, to)| {
            let neutral = |load: &Load<'_>| compare(load.load(from), load.load(to)).is_eq();
            let way = loads
                .iter()
                .enumerate()
                .filter(|(_, load)| neutral(load))
                .find_map(|(number, load)| {
                    let before = load.reached(from);
                    before.get(to).copied().flatten().map(|_| (number, before))
                });
            way.map(|(number, before)| (from, to, number, before))
        });
        let Some((from, to, number, before)) = found else {
            return;
        };
        if let Some(load) = loads.get_mut(number) {
            load.pass(from, to, &before);
        }
        for (batch, less) in [(from, true), (to, false)] {
            if let Some(sum) = sums.get_mut(batch) {
                *sum = if less {
                    sum.saturating_sub(1)
                } else {
                    *sum + 1
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rng::SeededRng;

    fn division(visits: &[(usize, usize, usize)]) -> Division {
        let movable = |(due, first, last): &(usize, usize, usize)| Movable {
            due: *due,
            first: *first,
            last: *last,
        };
        Division {
            visits: visits.iter().map(movable).collect(),
            fixed: Vec::new(),
        }
    }

    fn counts(batches: &[usize], count: usize) -> Vec<u64> {
        let mut counts = vec![0; count];
        for batch in batches {
            counts[*batch] += 1;
        }
        counts
    }

    /// The least sum of squares over all assignments, by trying them all.
    fn best(visits: &[Movable], counts: &mut Vec<u64>) -> u64 {
        let Some((visit, rest)) = visits.split_first() else {
            return counts.iter().map(|count| count * count).sum();
        };
        (visit.first..=visit.last)
            .map(|batch| {
                counts[batch] += 1;
                let found = best(rest, counts);
                counts[batch] -= 1;
                found
            })
            .min()
            .unwrap()
    }

    #[test]
    fn no_assignment_within_the_rooms_is_more_level() {
        let mut rng = SeededRng::new(5, "level");
        for _ in 0..300 {
            let visits: Vec<_> = (0..rng.below(9))
                .map(|_| {
                    let due = rng.below(4) as usize;
                    let first = due.saturating_sub(rng.below(3) as usize);
                    (due, first, (due + rng.below(3) as usize).min(3))
                })
                .collect();
            let division = division(&visits);

            let levelled = level(std::slice::from_ref(&division), &[1; 4]);

            for (batch, visit) in levelled[0].iter().zip(&division.visits) {
                assert!((visit.first..=visit.last).contains(batch));
            }
            let squares: u64 = counts(&levelled[0], 4)
                .iter()
                .map(|count| count * count)
                .sum();
            assert_eq!(
                squares,
                best(&division.visits, &mut vec![0; 4]),
                "{visits:?}"
            );
        }
    }

    #[test]
    fn what_is_level_already_stays_where_it_is_due() {
        let division = division(&[(0, 0, 1), (1, 0, 2), (2, 1, 3), (3, 2, 3)]);

        assert_eq!(level(&[division], &[1; 4])[0], [0, 1, 2, 3]);
    }

    #[test]
    fn the_sum_over_divisions_is_level_too() {
        // Ten divisions with one visit each, all due in the first batch.
        let divisions = vec![division(&[(0, 0, 3)]); 10];

        let levelled = level(&divisions, &[1; 4]);

        let mut sums = vec![0; 4];
        for batches in &levelled {
            for (sum, count) in sums.iter_mut().zip(counts(batches, 4)) {
                *sum += count;
            }
        }
        sums.sort_unstable();
        assert_eq!(sums, [2, 2, 3, 3]);
    }

    #[test]
    fn weights_and_fixed_visits_count() {
        let mut division = division(&[(0, 0, 2); 12]);
        division.fixed = vec![0, 3, 0];

        let levelled = level(&[division], &[1, 2, 2]);

        // Three, six and six visits where one, two and two can be taken.
        assert_eq!(counts(&levelled[0], 3), [3, 3, 6]);
    }
}
