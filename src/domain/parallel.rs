//! Work over a range of objects on all cores, with the results in the order of the range.
//!
//! The result never depends on the number of threads: chunks are fixed by their length and come back in order.

use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

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
            let index = next.fetch_add(1, Ordering::Relaxed);
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
}
