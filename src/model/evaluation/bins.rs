//! Bins of about equal weight that never part equal numbers.

use super::rows::Ranked;
use super::slots::{add, at};

/// The bin of each rank, from 0 without gaps, and the number of bins: at most `parts`.
///
/// A number belongs to the bin in which the middle of its own weight falls.
pub(super) fn equal_weight(ranked: &Ranked, weights: &[f64], parts: u32) -> (Vec<u32>, usize) {
    let mut of_rank = vec![0.0; ranked.values.len()];
    for (rank, weight) in ranked.rank.iter().zip(weights) {
        add(&mut of_rank, *rank as usize, *weight);
    }
    let total: f64 = of_rank.iter().sum();
    let (mut below, mut bins, mut last) = (0.0, Vec::with_capacity(of_rank.len()), None);
    let mut count = 0_u32;
    for weight in of_rank {
        let middle = (below + 0.5 * weight) / total * f64::from(parts);
        let part = middle.floor().min(f64::from(parts.max(1) - 1));
        if last != Some(part) {
            count += 1;
            last = Some(part);
        }
        bins.push(count - 1);
        below += weight;
    }
    (bins, count as usize)
}

/// The lower edges of the bins after the first: each the smallest number of its bin.
pub(super) fn edges(ranked: &Ranked, bins: &[u32]) -> Vec<f64> {
    bins.windows(2)
        .enumerate()
        .filter(|(_, pair)| matches!(pair, [below, above] if below != above))
        .map(|(rank, _)| at(&ranked.values, rank + 1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_stay_together_and_bins_have_no_gaps() {
        let ranked = Ranked::of(&[1.0, 1.0, 1.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        let (bins, count) = equal_weight(&ranked, &[1.0; 8], 4);
        assert_eq!((bins.as_slice(), count), (&[0, 1, 1, 2, 2][..], 3));
        assert_eq!(edges(&ranked, &bins), [2.0, 4.0]);
    }

    #[test]
    fn one_number_is_one_bin() {
        let ranked = Ranked::of(&[7.0; 5]);
        assert_eq!(equal_weight(&ranked, &[1.0; 5], 10), (vec![0], 1));
    }
}
