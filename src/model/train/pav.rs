//! Pool-adjacent-violators: the nearest rising sequence, by weighted least squares.
//!
//! Exact and in order: Barlow, Bartholomew, Bremner and Brunk, "Statistical Inference under Order Restrictions", 1972.

/// A run of values pooled into one.
#[derive(Clone, Copy, Debug)]
struct Block {
    sum: f64,
    weight: f64,
    length: usize,
}

impl Block {
    fn mean(self) -> f64 {
        if self.weight > 0.0 {
            self.sum / self.weight
        } else {
            0.0
        }
    }
}

/// The rising sequence nearest to `values` by `weights`; a weight of zero or less takes the value of its neighbours.
pub(super) fn rising(values: &[f64], weights: &[f64]) -> Vec<f64> {
    let mut blocks: Vec<Block> = Vec::with_capacity(values.len());
    for (value, weight) in values.iter().zip(weights) {
        // A tiny weight keeps an empty place in order without moving its neighbours.
        let weight = weight.max(1e-12);
        blocks.push(Block {
            sum: value * weight,
            weight,
            length: 1,
        });
        while let [.., lower, upper] = blocks.as_slice()
            && lower.mean() > upper.mean()
        {
            let merged = Block {
                sum: lower.sum + upper.sum,
                weight: lower.weight + upper.weight,
                length: lower.length + upper.length,
            };
            blocks.truncate(blocks.len() - 2);
            blocks.push(merged);
        }
    }
    blocks
        .iter()
        .flat_map(|block| std::iter::repeat_n(block.mean(), block.length))
        .collect()
}

/// As [`rising`], rising or falling.
pub(super) fn monotone(values: &[f64], weights: &[f64], rises: bool) -> Vec<f64> {
    if rises {
        return rising(values, weights);
    }
    let turned: Vec<f64> = values.iter().map(|value| -value).collect();
    rising(&turned, weights)
        .iter()
        .map(|value| -value)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rng::SeededRng;

    #[test]
    fn violators_are_pooled_by_weight() {
        assert_eq!(
            rising(&[1.0, 3.0, 2.0, 4.0], &[1.0, 1.0, 3.0, 1.0]),
            [1.0, 2.25, 2.25, 4.0]
        );
        assert_eq!(monotone(&[1.0, 2.0], &[1.0, 1.0], false), [1.5, 1.5]);
    }

    #[test]
    fn a_perfectly_calibrated_score_is_left_near_itself_whatever_the_order_of_rows() {
        // The published failure: shuffled rows gave a mean of 0.988 where the mean outcome is 0.501.
        let mut rng = SeededRng::new(7, "pav");
        let mut rows: Vec<(f64, f64)> = (0..5_000)
            .map(|_| {
                let p = rng.unit_f64();
                (p, if rng.chance(p) { 1.0 } else { 0.0 })
            })
            .collect();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        let outcomes: Vec<f64> = rows.iter().map(|row| row.1).collect();
        let fitted = rising(&outcomes, &vec![1.0; outcomes.len()]);
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        assert!((mean(&fitted) - mean(&outcomes)).abs() < 1e-9);
        let error: f64 = rows
            .iter()
            .zip(&fitted)
            .map(|(row, fitted)| (row.0 - fitted).abs())
            .sum::<f64>()
            / 5_000.0;
        assert!(error < 0.04, "{error}");
    }

    #[test]
    fn the_result_equals_the_minimax_formula() {
        // max over starts of min over ends of the weighted mean, the definition by brute force.
        let mut rng = SeededRng::new(3, "pav-brute");
        for _ in 0..50 {
            let values: Vec<f64> = (0..12).map(|_| rng.unit_f64()).collect();
            let weights: Vec<f64> = (0..12).map(|_| 0.1 + rng.unit_f64()).collect();
            let mean = |from: usize, to: usize| {
                let w: f64 = weights[from..=to].iter().sum();
                values[from..=to]
                    .iter()
                    .zip(&weights[from..=to])
                    .map(|(v, w)| v * w)
                    .sum::<f64>()
                    / w
            };
            let fitted = rising(&values, &weights);
            for (at, fitted) in fitted.iter().enumerate() {
                let expected = (0..=at)
                    .map(|from| {
                        (at..12)
                            .map(|to| mean(from, to))
                            .fold(f64::INFINITY, f64::min)
                    })
                    .fold(f64::NEG_INFINITY, f64::max);
                assert!((fitted - expected).abs() < 1e-12);
            }
        }
    }
}
