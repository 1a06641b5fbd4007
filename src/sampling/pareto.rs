//! Pareto sampling with probability proportional to size (Rosén 1997; `risktier-draw/1` section 6).
//!
//! Only additions, multiplications and divisions of binary64, each rounded once, so that every machine finds the same
//! order.

use super::selection::{generous, ticket_threshold};

/// Marks the keys of objects that are not certain.
const LATER: u64 = 1 << 63;

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
    certain: u32,
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
            certain: 0,
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
            design.certain += 1;
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

    /// How many objects are certain.
    #[must_use]
    pub const fn certain(&self) -> u32 {
        self.certain
    }

    /// The number that orders an object: certain objects come first, by ticket; the others follow by their Pareto
    /// number, or by ticket if none of them is drawn. The highest bit tells the two apart.
    pub(super) fn key(&self, size: u32, ticket: u64) -> u64 {
        match self.probability(size) {
            Probability::Certain => ticket >> 1,
            Probability::None => LATER | ticket >> 1,
            Probability::Below(lambda) => LATER | pareto_number(ticket, lambda).to_bits(),
        }
    }

    /// The key up to which `length` of `count` objects are found in most cases; `None` when nothing is wanted. About
    /// `n` objects have a Pareto number below 1.
    #[expect(
        clippy::cast_precision_loss,
        reason = "an estimate: the result does not depend on it"
    )]
    pub(super) fn threshold(&self, length: u64, count: u32) -> Option<u64> {
        let more = length.saturating_sub(u64::from(self.certain));
        if length == 0 {
            None
        } else if length >= u64::from(count) {
            Some(u64::MAX)
        } else if self.n == 0 {
            Some(LATER | ticket_threshold(more, count).unwrap_or_default() >> 1)
        } else {
            Some(LATER | (1.25 * generous(more) / self.n as f64).to_bits())
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
    reason = "both numbers are exact up to 2^53"
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
    let marked = digits | u64::from(!scaled.is_multiple_of(denominator));
    marked as f64 / (1_u128 << shift) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

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
