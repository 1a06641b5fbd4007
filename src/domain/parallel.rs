//! Work over a range of objects on all cores, with the results in the order of the range.
//!
//! The result never depends on the number of threads: chunks are fixed by their length and come back in order.

use std::cmp::Ordering;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::atomic::{self, AtomicUsize};
use std::thread;

/// Fewer are sorted by one thread.
const LEAST_SORTED_APART: usize = 1 << 14;

/// Applies `work` to consecutive chunks of `0..count`, each `chunk` long (the last may be shorter), and returns the
/// results in order.
pub(crate) fn map_chunks<T: Send>(
    count: usize,
    chunk: usize,
    work: impl Fn(Range<usize>) -> T + Sync,
) -> Vec<T> {
    let chunk = chunk.max(1);
    let chunks = count.div_ceil(chunk);
    let range = |index: usize| index * chunk..((index + 1) * chunk).min(count);
    let workers = thread::available_parallelism()
        .map_or(1, std::num::NonZero::get)
        .min(chunks);
    if workers <= 1 {
        return (0..chunks).map(|index| work(range(index))).collect();
    }
    let next = AtomicUsize::new(0);
    let run = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, atomic::Ordering::Relaxed);
            if index >= chunks {
                return done;
            }
            done.push((index, work(range(index))));
        }
    };
    let mut parts: Vec<(usize, T)> = thread::scope(|scope| {
        let handles: Vec<_> = (0..workers).map(|_| scope.spawn(run)).collect();
        handles
            .into_iter()
            .flat_map(|handle| handle.join().unwrap_or_else(|cause| resume_unwind(cause)))
            .collect()
    });
    parts.sort_unstable_by_key(|(index, _)| *index);
    parts.into_iter().map(|(_, result)| result).collect()
}

/// Sorts on all cores; what compares as equal may come in any order.
pub(crate) fn sort_by<T: Copy + Send + Sync>(
    mut rows: Vec<T>,
    compare: impl Fn(&T, &T) -> Ordering + Sync,
) -> Vec<T> {
    let is_sorted = rows.is_sorted_by(|a, b| compare(a, b) != Ordering::Greater);
    let workers = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if is_sorted || workers == 1 || rows.len() < LEAST_SORTED_APART {
        if !is_sorted {
            rows.sort_unstable_by(&compare);
        }
        return rows;
    }
    let piece = rows.len().div_ceil(workers);
    thread::scope(|scope| {
        for piece in rows.chunks_mut(piece) {
            let compare = &compare;
            scope.spawn(move || piece.sort_unstable_by(compare));
        }
    });
    let mut runs: Vec<Vec<T>> = Vec::new();
    {
        let mut pieces = rows.chunks(piece);
        while let Some(one) = pieces.next() {
            runs.push(match pieces.next() {
                Some(other) => merge(one, other, &compare),
                None => one.to_vec(),
            });
        }
    }
    drop(rows);
    while runs.len() > 1 {
        runs = runs
            .chunks(2)
            .map(|pair| match pair {
                [one, other] => merge(one, other, &compare),
                alone => alone.concat(),
            })
            .collect();
    }
    runs.pop().unwrap_or_default()
}

/// One sorted list of two.
fn merge<T: Copy>(one: &[T], other: &[T], compare: &impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    let mut merged = Vec::with_capacity(one.len() + other.len());
    let (mut left, mut right) = (one.iter(), other.iter());
    let (mut a, mut b) = (left.next(), right.next());
    while let (Some(x), Some(y)) = (a, b) {
        if compare(x, y) == Ordering::Greater {
            merged.push(*y);
            b = right.next();
        } else {
            merged.push(*x);
            a = left.next();
        }
    }
    merged.extend(a.into_iter().chain(left));
    merged.extend(b.into_iter().chain(right));
    merged
}

/// Does one thing on a thread of its own beside another, and returns both results.
pub(crate) fn beside<A: Send, B>(
    one: impl FnOnce() -> A + Send,
    other: impl FnOnce() -> B,
) -> (A, B) {
    thread::scope(|scope| {
        let handle = scope.spawn(one);
        let other = other();
        let one = handle.join().unwrap_or_else(|cause| resume_unwind(cause));
        (one, other)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_come_back_in_order_and_cover_the_range() {
        let seen: Vec<usize> = map_chunks(1003, 10, |range| range.collect::<Vec<_>>()).concat();

        assert_eq!(seen, (0..1003).collect::<Vec<_>>());
        assert!(map_chunks(0, 10, |range| range.len()).is_empty());
    }

    #[test]
    fn what_is_sorted_on_all_cores_is_sorted() {
        let scattered = |count: u64| -> Vec<u64> {
            let rows = (0..count).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40);
            rows.collect()
        };
        for count in [0, 1, 2, 3, 1_000, LEAST_SORTED_APART as u64, 100_003] {
            let mut expected = scattered(count);
            expected.sort_unstable();

            let sorted = sort_by(scattered(count), u64::cmp);

            assert_eq!(sorted, expected, "{count}");
            assert_eq!(sort_by(expected.clone(), u64::cmp), expected);
        }
        assert_eq!(
            merge(&[1, 3, 3], &[2, 3, 9, 9], &i32::cmp),
            [1, 2, 3, 3, 3, 9, 9]
        );
    }
}
