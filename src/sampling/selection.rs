//! Who is selected: the order of objects within a stratum (`risktier-draw/1` section 6).
//!
//! Everything here works on indexes into the pool. Every object gets a 64-bit key from its ticket (and, for method
//! `pareto`, its size); the whole ticket is computed again only where keys tie.

use std::ops::Range;

use super::pareto::Design;
use super::plan::Method;
use super::pool::Pool;
use super::seed::Tickets;
use crate::domain::parallel::map_chunks;

/// Objects hashed in one piece by one thread.
const CHUNK: usize = 1 << 15;

/// The objects of a stratum in the order in which they are drawn, as far as was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StratumOrder {
    /// Indexes into the pool.
    pub objects: Vec<u32>,
    /// How many objects of the stratum, the first in the order, are certain to be drawn (method `pareto`).
    pub certain: u32,
}

/// What is to be taken from a stratum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// `n_h`, the number of objects to draw.
    pub size: u64,
    /// How far the order is wanted: the drawn objects and the reserve. Never more than the stratum has is given.
    pub length: u64,
}

/// The order of each stratum of the pool; `wanted` has one entry per stratum, in the pool's order. Method `order` has
/// no strata: its order is [`lowest_of_pool`].
#[must_use]
pub fn select(
    method: Method,
    pool: &Pool,
    tickets: &Tickets,
    wanted: &[Wanted],
) -> Vec<StratumOrder> {
    let lengths: Vec<u64> = wanted.iter().map(|stratum| stratum.length).collect();
    match method {
        Method::Equal => {
            let thresholds = thresholds(&lengths, pool.strata().iter().map(|(_, count)| *count));
            let groups = Groups {
                pool,
                tickets,
                designs: None,
                whole: false,
            };
            let found = groups.lowest(&lengths, thresholds);
            found
                .into_iter()
                .map(|objects| StratumOrder {
                    objects,
                    certain: 0,
                })
                .collect()
        }
        Method::Pareto => {
            let designs: Vec<Design> = sizes_by_stratum(pool)
                .into_iter()
                .zip(wanted)
                .map(|(sizes, w)| Design::new(sizes, w.size))
                .collect();
            let counts = pool.strata().iter().map(|(_, count)| *count);
            let thresholds = designs.iter().zip(&lengths).zip(counts);
            let thresholds = thresholds
                .map(|((design, length), count)| design.threshold(*length, count))
                .collect();
            let groups = Groups {
                pool,
                tickets,
                designs: Some(&designs),
                whole: false,
            };
            let found = groups.lowest(&lengths, thresholds);
            let order = |(objects, design): (Vec<u32>, &Design)| StratumOrder {
                objects,
                certain: design.certain(),
            };
            found.into_iter().zip(&designs).map(order).collect()
        }
        Method::Order => Vec::new(),
    }
}

/// The objects with the smallest tickets of the whole pool, in ticket order; at most `length`.
#[must_use]
pub fn lowest_of_pool(pool: &Pool, tickets: &Tickets, length: u64) -> Vec<u32> {
    let count = u32::try_from(pool.len()).unwrap_or(u32::MAX);
    let groups = Groups {
        pool,
        tickets,
        designs: None,
        whole: true,
    };
    groups
        .lowest(&[length], thresholds(&[length], [count]))
        .pop()
        .unwrap_or_default()
}

/// The sizes of the objects of each stratum, in the order of the pool.
pub(super) fn sizes_by_stratum(pool: &Pool) -> Vec<Vec<u32>> {
    let mut sizes: Vec<Vec<u32>> = pool
        .strata()
        .iter()
        .map(|(_, count)| Vec::with_capacity(*count as usize))
        .collect();
    for (size, stratum) in pool.sizes().iter().zip(pool.stratum_indexes()) {
        if let Some(list) = sizes.get_mut(*stratum as usize) {
            list.push(*size);
        }
    }
    sizes
}

/// An object with the number that orders it.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    key: u64,
    object: u32,
    group: u32,
}

/// The objects in their groups, each with its key.
#[derive(Clone, Copy)]
struct Groups<'a> {
    pool: &'a Pool,
    tickets: &'a Tickets,
    /// Per stratum, for method `pareto`; otherwise the key is the ticket's leading 64 bits.
    designs: Option<&'a [Design]>,
    /// All objects form one group, instead of one per stratum.
    whole: bool,
}

impl Groups<'_> {
    /// The objects with the smallest keys of each group, in order; ties by whole ticket, then by id.
    ///
    /// One pass keeps only the objects up to the group's threshold, so that nothing is kept of most objects; `None`
    /// keeps none. A group that comes out short is passed over again without threshold: a threshold costs or saves
    /// time, never changes the result.
    fn lowest(self, lengths: &[u64], mut thresholds: Vec<Option<u64>>) -> Vec<Vec<u32>> {
        let mut groups: Vec<Vec<u32>> = vec![Vec::new(); lengths.len()];
        while thresholds.iter().any(Option::is_some) {
            let mut members: Vec<Vec<Candidate>> = vec![Vec::new(); lengths.len()];
            for candidate in self.candidates(&thresholds) {
                if let Some(list) = members.get_mut(candidate.group as usize) {
                    list.push(candidate);
                }
            }
            for (((objects, mut list), length), threshold) in groups
                .iter_mut()
                .zip(members)
                .zip(lengths)
                .zip(&mut thresholds)
            {
                let Some(limit) = *threshold else { continue };
                let short = (list.len() as u64) < *length && limit < u64::MAX;
                *threshold = short.then_some(u64::MAX);
                if !short {
                    self.sort(&mut list);
                    objects.extend(
                        list.iter()
                            .take(to_usize(*length))
                            .map(|candidate| candidate.object),
                    );
                }
            }
        }
        groups
    }

    /// Sorts by key; where keys tie, by whole ticket, then by id: the pool is sorted by id, so the index stands for it.
    fn sort(self, list: &mut [Candidate]) {
        list.sort_unstable_by_key(|candidate| (candidate.key, candidate.object));
        for ties in list
            .chunk_by_mut(|a, b| a.key == b.key)
            .filter(|ties| ties.len() > 1)
        {
            ties.sort_by_cached_key(|tie| {
                (
                    self.tickets.ticket(self.pool.id_bytes(tie.object as usize)),
                    tie.object,
                )
            });
        }
    }

    /// One pass over the pool in file order.
    fn candidates(self, thresholds: &[Option<u64>]) -> Vec<Candidate> {
        map_chunks(self.pool.len(), CHUNK, |range| self.scan(range, thresholds)).concat()
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "INVARIANT: a pool has fewer than 2^32 objects"
    )]
    fn scan(self, range: Range<usize>, thresholds: &[Option<u64>]) -> Vec<Candidate> {
        let strata = self
            .pool
            .stratum_indexes()
            .get(range.clone())
            .unwrap_or_default();
        let mut kept = Vec::new();
        for (object, stratum) in range.zip(strata) {
            let group = if self.whole { 0 } else { *stratum };
            let Some(Some(threshold)) = thresholds.get(group as usize) else {
                continue;
            };
            let ticket = self
                .tickets
                .ticket(self.pool.id_bytes(object))
                .leading_u64();
            let design = self
                .designs
                .and_then(|designs| designs.get(*stratum as usize));
            let key = design.map_or(ticket, |design| {
                design.key(self.pool.sizes().get(object).copied().unwrap_or(1), ticket)
            });
            if key <= *threshold {
                kept.push(Candidate {
                    key,
                    object: object as u32,
                    group,
                });
            }
        }
        kept
    }
}

fn thresholds(lengths: &[u64], counts: impl IntoIterator<Item = u32>) -> Vec<Option<u64>> {
    lengths
        .iter()
        .zip(counts)
        .map(|(length, count)| ticket_threshold(*length, count))
        .collect()
}

/// The leading bits of a ticket up to which `length` of `count` objects are found but for one case in 10^9; `None` when
/// nothing is wanted.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate: the result does not depend on it"
)]
pub(super) fn ticket_threshold(length: u64, count: u32) -> Option<u64> {
    if length == 0 {
        return None;
    }
    Some((generous(length) / f64::from(count) * u64::MAX as f64) as u64)
}

/// How many objects to expect so that at least `length` come.
#[expect(
    clippy::cast_precision_loss,
    reason = "an estimate: the result does not depend on it"
)]
pub(super) fn generous(length: u64) -> f64 {
    length as f64 + 6.0 * (length as f64).sqrt() + 8.0
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::digest::{Digest, HashAlgorithm};
    use crate::sampling::pool::{PoolBuilder, StratumKey};
    use crate::sampling::seed::Seed;

    fn pool_of(count: usize, strata: usize) -> Pool {
        let mut builder = PoolBuilder::new();
        for number in 0..count {
            let key = StratumKey::new(format!("S{:03}", number % strata)).unwrap();
            builder.push(&format!("id{number}"), &key, 1).unwrap();
        }
        builder.build().unwrap()
    }

    fn tickets() -> Tickets {
        Tickets::new(
            HashAlgorithm::Sha256,
            &Seed::new(Digest::from_bytes([5; 32])),
        )
    }

    #[test]
    fn a_threshold_that_is_too_low_changes_nothing() {
        let (pool, tickets) = (pool_of(1000, 3), tickets());
        let limits = [10, 0, 333];

        let groups = Groups {
            pool: &pool,
            tickets: &tickets,
            designs: None,
            whole: false,
        };
        let generous = groups.lowest(&limits, thresholds(&limits, [334, 333, 333]));
        let low = groups.lowest(&limits, vec![Some(0), None, Some(1 << 60)]);

        assert_eq!(generous, low);
        assert_eq!(
            generous.iter().map(Vec::len).collect::<Vec<_>>(),
            [10, 0, 333]
        );
    }

    #[test]
    fn the_lowest_tickets_are_those_of_a_full_sort() {
        let (pool, tickets) = (pool_of(500, 2), tickets());
        let mut all: Vec<_> = (0..500_u32)
            .map(|i| (tickets.ticket(pool.id_bytes(i as usize)), i))
            .collect();
        all.sort();

        let lowest = lowest_of_pool(&pool, &tickets, 40);

        assert_eq!(
            lowest,
            all[..40]
                .iter()
                .map(|(_, object)| *object)
                .collect::<Vec<_>>()
        );
        assert_eq!(lowest_of_pool(&pool, &tickets, u64::MAX).len(), 500);
    }

    #[test]
    fn equal_leading_bits_are_ordered_by_the_whole_ticket() {
        let (pool, tickets) = (pool_of(50, 1), tickets());
        let mut tied: Vec<_> = (0..50)
            .map(|object| Candidate {
                key: 0,
                group: 0,
                object,
            })
            .collect();

        Groups {
            pool: &pool,
            tickets: &tickets,
            designs: None,
            whole: true,
        }
        .sort(&mut tied);

        let objects: Vec<u32> = tied.iter().map(|candidate| candidate.object).collect();
        assert_eq!(objects, lowest_of_pool(&pool, &tickets, 50));
    }
}
