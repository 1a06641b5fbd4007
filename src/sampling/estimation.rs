//! Estimates of a total and a mean from a drawn sample, with their variance.
//!
//! Horvitz–Thompson `Ŷ = Σ y/π` and Hájek `Ȳ = Σ(y/π)/Σ(1/π)`. Variances: stratified equal probability
//! `V̂ = Σ N²(1 − n/N)s²/n`; Pareto sampling `V̂ = n/(n − 1)·Σ(1 − λ)(y/λ − B)²` with `B = Σ(1 − λ)(y/λ)/Σ(1 − λ)`
//! (Rosén 1997), by stratum. For the mean the residuals `y − Ȳ` take the place of `y` and the result is divided by `N̂²`.
//! The probabilities are those of the realised sizes. Single-visit strata have no variance of their own: it is left open,
//! not guessed. Nothing here knows what `y` is.

/// What was observed in one stratum.
#[derive(Debug, Clone, PartialEq)]
pub enum ObservedStratum {
    /// Drawn with equal probability: the size of the stratum, and `y` of each drawn object.
    Equal {
        /// Objects in the stratum.
        pool: u64,
        /// What was observed of each drawn object.
        observed: Vec<f64>,
    },
    /// Drawn by method `pareto`: `y` of each drawn object with its inclusion probability, 1 for certain ones.
    Pareto {
        /// What was observed of each drawn object, and its inclusion probability in `(0, 1]`.
        observed: Vec<(f64, f64)>,
    },
}

/// An estimate with its variance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Its estimated variance; `None` where a stratum of which only a part is drawn has a single observation.
    pub variance: Option<f64>,
}

impl Estimate {
    /// The interval of this many standard errors to both sides: 1.96 for 95 %.
    #[must_use]
    pub fn interval(&self, standard_errors: f64) -> Option<(f64, f64)> {
        let half = standard_errors * self.variance?.max(0.0).sqrt();
        Some((self.value - half, self.value + half))
    }
}

/// The Horvitz–Thompson estimate of the total of `y` over all strata.
#[must_use]
pub fn total(strata: &[ObservedStratum]) -> Estimate {
    Estimate {
        value: strata.iter().map(|stratum| stratum.weighted(|y| y)).sum(),
        variance: variance(strata, |y| y),
    }
}

/// The Hájek estimate of the mean of `y`; `None` where nothing was observed.
#[must_use]
pub fn mean(strata: &[ObservedStratum]) -> Option<Estimate> {
    let size: f64 = strata.iter().map(|stratum| stratum.weighted(|_| 1.0)).sum();
    if size <= 0.0 {
        return None;
    }
    let value = strata
        .iter()
        .map(|stratum| stratum.weighted(|y| y))
        .sum::<f64>()
        / size;
    Some(Estimate {
        value,
        variance: variance(strata, |y| y - value).map(|variance| variance / (size * size)),
    })
}

fn variance(strata: &[ObservedStratum], of: impl Fn(f64) -> f64) -> Option<f64> {
    strata
        .iter()
        .map(|stratum| stratum.variance(&of))
        .sum::<Option<f64>>()
}

impl ObservedStratum {
    /// `Σ of(y)/π`.
    fn weighted(&self, of: impl Fn(f64) -> f64) -> f64 {
        match self {
            Self::Equal { observed, .. } if observed.is_empty() => 0.0,
            Self::Equal { pool, observed } => {
                let sum: f64 = observed.iter().map(|y| of(*y)).sum();
                sum * *pool as f64 / observed.len() as f64
            }
            Self::Pareto { observed } => observed.iter().map(|(y, pi)| of(*y) / pi).sum(),
        }
    }

    /// The variance of [`Self::weighted`]; `None` where a single observation speaks for others.
    fn variance(&self, of: impl Fn(f64) -> f64) -> Option<f64> {
        match self {
            Self::Equal { pool, observed } => {
                let (size, drawn) = (*pool as f64, observed.len() as f64);
                if observed.len() as u64 >= *pool || observed.is_empty() {
                    return Some(0.0);
                }
                if observed.len() < 2 {
                    return None;
                }
                let mean = observed.iter().map(|y| of(*y)).sum::<f64>() / drawn;
                let squares: f64 = observed.iter().map(|y| (of(*y) - mean).powi(2)).sum();
                Some(size * size * (1.0 - drawn / size) * squares / (drawn - 1.0) / drawn)
            }
            Self::Pareto { observed } => {
                let open: Vec<(f64, f64)> = observed
                    .iter()
                    .filter(|(_, pi)| *pi < 1.0)
                    .map(|(y, pi)| (of(*y) / pi, 1.0 - pi))
                    .collect();
                match open.len() {
                    0 => Some(0.0),
                    1 => None,
                    n => {
                        let weight: f64 = open.iter().map(|(_, rest)| rest).sum();
                        let b = open.iter().map(|(y, rest)| y * rest).sum::<f64>() / weight;
                        let squares: f64 =
                            open.iter().map(|(y, rest)| rest * (y - b).powi(2)).sum();
                        Some(n as f64 / (n as f64 - 1.0) * squares)
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn a_stratified_total_is_that_of_the_formulas() {
        let strata = [
            ObservedStratum::Equal {
                pool: 10,
                observed: vec![1.0, 3.0],
            },
            ObservedStratum::Equal {
                pool: 2,
                observed: vec![5.0, 7.0],
            },
        ];

        let total = total(&strata);
        let mean = mean(&strata).unwrap();

        assert!(close(total.value, 32.0));
        // 10²·(1 − 0.2)·2/2, and nothing from the stratum that is taken whole.
        assert!(close(total.variance.unwrap(), 80.0));
        assert!(close(mean.value, 32.0 / 12.0));
        assert!(close(mean.variance.unwrap(), 80.0 / 144.0));
        let (low, high) = total.interval(2.0).unwrap();
        assert!(close(high - low, 4.0 * 80.0_f64.sqrt()));
    }

    #[test]
    fn certain_objects_count_once_and_add_no_variance() {
        let strata = [ObservedStratum::Pareto {
            observed: vec![(9.0, 1.0), (2.0, 0.5), (3.0, 0.25)],
        }];

        let total = total(&strata);

        assert!(close(total.value, 9.0 + 4.0 + 12.0));
        let b = (0.5 * 4.0 + 0.75 * 12.0) / 1.25;
        let squares = 0.5 * (4.0_f64 - b).powi(2) + 0.75 * (12.0_f64 - b).powi(2);
        assert!(close(total.variance.unwrap(), 2.0 * squares));
    }

    #[test]
    fn what_a_single_observation_cannot_tell_is_left_open() {
        let one = ObservedStratum::Equal {
            pool: 5,
            observed: vec![1.0],
        };
        assert_eq!(total(std::slice::from_ref(&one)).variance, None);
        assert_eq!(total(&[one]).interval(1.96), None);
        let pareto = ObservedStratum::Pareto {
            observed: vec![(1.0, 0.5)],
        };
        assert_eq!(total(&[pareto]).variance, None);
        assert!(mean(&[]).is_none());
        let nothing = ObservedStratum::Equal {
            pool: 5,
            observed: vec![],
        };
        assert!(mean(&[nothing]).is_none());
    }
}
