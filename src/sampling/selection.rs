//! Who is selected: the order of objects within a stratum (`risktier-draw/1` section 6).
//!
//! Everything here works on indexes into the pool. Objects are compared by the leading 64 bits of their ticket first;
//! the whole ticket is computed again only where those tie.

use std::cmp::Ordering;
use std::ops::Range;

use super::parallel::map_chunks;
use super::plan::Method;
use super::pool::Pool;
use super::seed::Tickets;

/// Objects hashed in one piece by one thread.
const CHUNK: usize = 1 << 15;

/// The objects of a stratum in the order in which they are drawn, as far as was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StratumOrder {
    /// Indexes into the pool.
    pub objects: Vec<u32>,
    /// How many of them, from the first, are certain to be drawn (method `pareto`).
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

/// The order of each stratum of the pool; `wanted` has one entry per stratum, in the pool's order.
#[must_use]
pub fn select(
    method: Method,
    pool: &Pool,
    tickets: &Tickets,
    wanted: &[Wanted],
) -> Vec<StratumOrder> {
    match method {
        Method::Equal => {
            let lengths: Vec<u64> = wanted.iter().map(|stratum| stratum.length).collect();
            lowest_tickets(pool, tickets, Grouping::ByStratum, &lengths)
                .into_iter()
                .map(|objects| StratumOrder {
                    objects,
                    certain: 0,
                })
                .collect()
        }
        Method::Pareto => pareto(pool, tickets, wanted),
        Method::Order => Vec::new(),
    }
}

/// The objects with the smallest tickets of the whole pool, in ticket order; at most `length`.
#[must_use]
pub fn lowest_of_pool(pool: &Pool, tickets: &Tickets, length: u64) -> Vec<u32> {
    lowest_tickets(pool, tickets, Grouping::Whole, &[length])
        .pop()
        .unwrap_or_default()
}

/// An object with the number that orders it.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    /// Leading bits of the ticket, or the bits of a Pareto number; both order as unsigned numbers.
    key: u64,
    group: u32,
    object: u32,
}

impl Candidate {
    /// By key, then by whole ticket, then by id: the pool is sorted by id, so the index stands for it.
    fn order(&self, other: &Self, pool: &Pool, tickets: &Tickets) -> Ordering {
        let ticket = |candidate: &Self| tickets.ticket(pool.id_bytes(candidate.object as usize));
        self.key
            .cmp(&other.key)
            .then_with(|| ticket(self).cmp(&ticket(other)))
            .then_with(|| self.object.cmp(&other.object))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grouping {
    ByStratum,
    Whole,
}

/// The smallest tickets of each group.
///
/// One pass keeps only the objects below a threshold that is generous for the number wanted, so that nothing is kept
/// of most objects. A group that comes out short is passed over again without threshold; the result is exact always.
fn lowest_tickets(
    pool: &Pool,
    tickets: &Tickets,
    grouping: Grouping,
    lengths: &[u64],
) -> Vec<Vec<u32>> {
    let counts: Vec<u64> = match grouping {
        Grouping::ByStratum => pool
            .strata()
            .iter()
            .map(|(_, count)| u64::from(*count))
            .collect(),
        Grouping::Whole => vec![pool.len() as u64],
    };
    let limits: Vec<u64> = lengths
        .iter()
        .zip(&counts)
        .map(|(length, count)| *length.min(count))
        .collect();
    let thresholds = limits
        .iter()
        .zip(&counts)
        .map(|(limit, count)| threshold(*limit, *count))
        .collect();
    lowest_below(pool, tickets, grouping, &limits, thresholds)
}

fn lowest_below(
    pool: &Pool,
    tickets: &Tickets,
    grouping: Grouping,
    limits: &[u64],
    mut thresholds: Vec<Option<u64>>,
) -> Vec<Vec<u32>> {
    let mut groups: Vec<Vec<u32>> = vec![Vec::new(); limits.len()];
    while thresholds.iter().any(Option::is_some) {
        let mut found = candidates(pool, tickets, grouping, &thresholds);
        found.sort_unstable_by(|a, b| {
            a.group
                .cmp(&b.group)
                .then_with(|| a.order(b, pool, tickets))
        });
        for members in found.chunk_by(|a, b| a.group == b.group) {
            let group = members.first().map_or(0, |first| first.group as usize);
            let limit = limits.get(group).copied().unwrap_or_default();
            if let Some(objects) = groups.get_mut(group) {
                *objects = members
                    .iter()
                    .take(to_usize(limit))
                    .map(|member| member.object)
                    .collect();
            }
        }
        for ((threshold, limit), objects) in thresholds.iter_mut().zip(limits).zip(&groups) {
            *threshold = (objects.len() < to_usize(*limit)).then_some(u64::MAX);
        }
    }
    groups
}

/// The largest leading bits worth keeping so that `limit` of `count` objects are found but for one case in 10^9;
/// `None` when nothing is wanted. A wrong guess costs time, never the result.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate: the result does not depend on it"
)]
fn threshold(limit: u64, count: u64) -> Option<u64> {
    if limit == 0 {
        return None;
    }
    let generous = limit as f64 + 6.0 * (limit as f64).sqrt() + 8.0;
    Some((generous / count as f64 * u64::MAX as f64) as u64)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "INVARIANT: a pool has fewer than 2^32 objects"
)]
fn candidates(
    pool: &Pool,
    tickets: &Tickets,
    grouping: Grouping,
    thresholds: &[Option<u64>],
) -> Vec<Candidate> {
    let scan = |range: Range<usize>| {
        let strata = pool
            .stratum_indexes()
            .get(range.clone())
            .unwrap_or_default();
        let mut kept = Vec::new();
        for (object, stratum) in range.zip(strata) {
            let group = match grouping {
                Grouping::ByStratum => *stratum,
                Grouping::Whole => 0,
            };
            let Some(Some(threshold)) = thresholds.get(group as usize) else {
                continue;
            };
            let key = tickets.ticket(pool.id_bytes(object)).leading_u64();
            if key <= *threshold {
                kept.push(Candidate {
                    key,
                    group,
                    object: object as u32,
                });
            }
        }
        kept
    };
    map_chunks(pool.len(), CHUNK, scan).concat()
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Pareto sampling (Rosén 1997) in every stratum.
fn pareto(pool: &Pool, tickets: &Tickets, wanted: &[Wanted]) -> Vec<StratumOrder> {
    let members = members_by_stratum(pool);
    let order = |range: Range<usize>| {
        let strata = members
            .iter()
            .zip(wanted)
            .skip(range.start)
            .take(range.len());
        strata
            .map(|(objects, wanted)| pareto_order(pool, tickets, objects, *wanted))
            .collect::<Vec<_>>()
    };
    map_chunks(members.len(), 1, order)
        .into_iter()
        .flatten()
        .collect()
}

fn members_by_stratum(pool: &Pool) -> Vec<Vec<u32>> {
    let mut members: Vec<Vec<u32>> = pool
        .strata()
        .iter()
        .map(|(_, count)| Vec::with_capacity(*count as usize))
        .collect();
    for (object, stratum) in (0_u32..).zip(pool.stratum_indexes()) {
        if let Some(list) = members.get_mut(*stratum as usize) {
            list.push(object);
        }
    }
    members
}

fn pareto_order(pool: &Pool, tickets: &Tickets, members: &[u32], wanted: Wanted) -> StratumOrder {
    let length = to_usize(wanted.length).min(members.len());
    if length == 0 {
        return StratumOrder::default();
    }
    let size_of = |object: u32| pool.sizes().get(object as usize).copied().unwrap_or(1);
    let design = Design::new(
        members.iter().map(|object| size_of(*object)).collect(),
        wanted.size,
    );
    let (mut certain, mut rest) = (Vec::new(), Vec::with_capacity(members.len()));
    for &object in members {
        let ticket = tickets.ticket(pool.id_bytes(object as usize)).leading_u64();
        match design.probability(size_of(object)) {
            Probability::Certain => certain.push(Candidate {
                key: ticket,
                group: 0,
                object,
            }),
            Probability::None => rest.push(Candidate {
                key: ticket,
                group: 0,
                object,
            }),
            Probability::Below(lambda) => rest.push(Candidate {
                key: pareto_number(ticket, lambda).to_bits(),
                group: 0,
                object,
            }),
        }
    }
    let order = |a: &Candidate, b: &Candidate| a.order(b, pool, tickets);
    certain.sort_unstable_by(order);
    let more = length.saturating_sub(certain.len());
    if more > 0 && more < rest.len() {
        rest.select_nth_unstable_by(more - 1, order);
    }
    rest.truncate(more);
    rest.sort_unstable_by(order);
    let count = u32::try_from(certain.len()).unwrap_or(u32::MAX);
    let objects = certain
        .iter()
        .chain(&rest)
        .take(length)
        .map(|candidate| candidate.object)
        .collect();
    StratumOrder {
        objects,
        certain: count,
    }
}

/// `q = (u·(1 − λ)) / (λ·(1 − u))` in binary64, each operation rounded to nearest even, none fused, with
/// `u = (t + 0.5)/2^52` and `t` the ticket's leading 52 bits. Never negative, so its bits order as it does.
#[expect(
    clippy::cast_precision_loss,
    reason = "52 bits and a half fit a binary64 exactly"
)]
fn pareto_number(ticket: u64, lambda: f64) -> f64 {
    let u = ((ticket >> 12) as f64 + 0.5) / (1_u64 << 52) as f64;
    let above = u * (1.0 - lambda);
    let below = lambda * (1.0 - u);
    above / below
}

/// How probable a draw by size is within a stratum.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Probability {
    Certain,
    None,
    Below(f64),
}

/// The inclusion probabilities of a stratum with sizes: 1 for certain objects, `n·s/S` for the others, after the
/// certain ones have left `n` and `S`. Approximate for the others, with an error below 0.004 (Rosén 1997).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Design {
    /// Smallest size that is certain, if any is.
    certain_from: Option<u32>,
    n: u64,
    sum: u64,
}

impl Design {
    /// Finds the certain objects among the sizes of a stratum of which `n` objects are drawn.
    ///
    /// The definition takes away all objects with `n·s ≥ S` at once and repeats. The threshold `S/n` only falls when
    /// such an object leaves, so taking them one by one from the largest gives the same objects.
    #[must_use]
    pub fn new(mut sizes: Vec<u32>, n: u64) -> Self {
        let sum = sizes.iter().map(|size| u64::from(*size)).sum();
        let mut design = Self {
            certain_from: None,
            n,
            sum,
        };
        let largest = sizes.iter().max().copied().unwrap_or_default();
        if !design.is_above(largest) {
            return design;
        }
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        for size in sizes {
            if !design.is_above(size) {
                break;
            }
            design.certain_from = Some(size);
            design.n -= 1;
            design.sum -= u64::from(size);
        }
        design
    }

    fn is_above(&self, size: u32) -> bool {
        self.n > 0 && u128::from(self.n) * u128::from(size) >= u128::from(self.sum)
    }

    fn probability(&self, size: u32) -> Probability {
        if self.certain_from.is_some_and(|from| size >= from) {
            Probability::Certain
        } else if self.n == 0 {
            Probability::None
        } else {
            Probability::Below(quotient(
                u128::from(self.n) * u128::from(size),
                u128::from(self.sum),
            ))
        }
    }

    /// The inclusion probability of an object of this size, in `[0, 1]`.
    #[must_use]
    pub fn inclusion_probability(&self, size: u32) -> f64 {
        match self.probability(size) {
            Probability::Certain => 1.0,
            Probability::None => 0.0,
            Probability::Below(lambda) => lambda,
        }
    }
}

/// `numerator / denominator` correctly rounded to binary64, for `0 < numerator < denominator < 2^64`.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "the one rounding of each branch is the correct one"
)]
fn quotient(numerator: u128, denominator: u128) -> f64 {
    const EXACT: u128 = 1 << 53;
    if denominator <= EXACT {
        // Both are exact, so the division rounds once, correctly.
        return numerator as f64 / denominator as f64;
    }
    long_quotient(numerator, denominator)
}

/// Divides with 55 or 56 bits, more than the 53 that are kept, and marks a remainder in the last of them: converting
/// then rounds once, correctly. Scaling by a power of two is exact.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "the one rounding is the correct one; 56 bits fit 64"
)]
fn long_quotient(numerator: u128, denominator: u128) -> f64 {
    let shift = 55 + numerator.leading_zeros() - denominator.leading_zeros();
    let scaled = numerator << shift;
    let digits = (scaled / denominator) as u64;
    let marked = digits | u64::from(scaled % denominator != 0);
    marked as f64 / (1_u128 << shift) as f64
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

        let generous = lowest_tickets(&pool, &tickets, Grouping::ByStratum, &limits);
        let low = lowest_below(
            &pool,
            &tickets,
            Grouping::ByStratum,
            &limits,
            vec![Some(0), None, Some(1 << 60)],
        );

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

        tied.sort_unstable_by(|a, b| a.order(b, &pool, &tickets));

        assert_eq!(
            tied.iter().map(|c| c.object).collect::<Vec<_>>(),
            lowest_of_pool(&pool, &tickets, 50)
        );
    }

    /// The definition, literally: all at once, repeated.
    fn certain_by_definition(sizes: &[u32], mut n: u64) -> (Vec<u32>, u64, u64) {
        let mut left = sizes.to_vec();
        let mut certain = Vec::new();
        let mut sum: u64 = left.iter().map(|s| u64::from(*s)).sum();
        loop {
            let (out, rest): (Vec<u32>, Vec<u32>) = left
                .iter()
                .partition(|s| n > 0 && n * u64::from(**s) >= sum);
            if out.is_empty() {
                certain.sort_unstable();
                return (certain, n, sum);
            }
            n -= out.len() as u64;
            sum -= out.iter().map(|s| u64::from(*s)).sum::<u64>();
            certain.extend(out);
            left = rest;
        }
    }

    #[test]
    fn certain_objects_are_those_of_the_definition() {
        let mut rng = crate::domain::rng::SeededRng::new(3, "certain");
        for _ in 0..2000 {
            let count = 1 + rng.below(12);
            let spread = 1 + rng.below(40);
            let sizes: Vec<u32> = (0..count)
                .map(|_| 1 + u32::try_from(rng.below(spread) * rng.below(spread)).unwrap())
                .collect();
            let n = rng.below(count + 1);

            let design = Design::new(sizes.clone(), n);

            let (certain, left, sum) = certain_by_definition(&sizes, n);
            let mut found: Vec<u32> = sizes
                .iter()
                .copied()
                .filter(|s| design.probability(*s) == Probability::Certain)
                .collect();
            found.sort_unstable();
            assert_eq!(
                (found, design.n, design.sum),
                (certain, left, sum),
                "{sizes:?} {n}"
            );
            if n > 0 {
                let total: f64 = sizes.iter().map(|s| design.inclusion_probability(*s)).sum();
                assert!((total - n as f64).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn the_long_quotient_agrees_with_the_division_of_exact_numbers() {
        let mut rng = crate::domain::rng::SeededRng::new(1, "quotient");
        for _ in 0..20_000 {
            let denominator = u128::from(2 + (rng.next_u64() >> (11 + rng.below(50))));
            let numerator = u128::from(1 + rng.below(u64::try_from(denominator).unwrap() - 1));
            let exact = numerator as f64 / denominator as f64;
            assert_eq!(
                long_quotient(numerator, denominator).to_bits(),
                exact.to_bits(),
                "{numerator}/{denominator}"
            );
        }
    }

    #[test]
    fn the_long_quotient_rounds_once_where_two_roundings_would_differ() {
        // (2^63 − 1)/(2^63 + 1) = 1 − 2^−62 + …: nearer to 1 than to the number below it.
        let big = 1_u128 << 63;
        assert_eq!(quotient(big - 1, big + 1).to_bits(), 1.0_f64.to_bits());
        // A tie exactly between two numbers goes to the even one.
        let tie = (1_u128 << 54) - 1;
        assert_eq!(quotient(tie, 1 << 54).to_bits(), 1.0_f64.to_bits());
        assert_eq!(
            quotient(tie - 2, 1 << 54).to_bits(),
            (1.0 - f64::EPSILON).to_bits()
        );
    }
}
