//! Intervals by resampling enterprises (Efron & Tibshirani 1993, chapters 6 and 13; Field & Welsh 2007 for clusters).
//!
//! Each round draws as many enterprises as there are, with replacement, and takes all their rows; two models are
//! measured on the same draw, so that their difference is paired. Every round has its own stream of the seed: the
//! result is the same for any number of threads.

use super::figure::Figure;
use super::measures::{Measure, Prepared, Values};
use super::ranking::Tally;
use super::slots::at;
use crate::domain::parallel::map_chunks;
use crate::domain::rng::SeededRng;

/// Rounds that one piece of work takes.
const CHUNK: usize = 8;

/// The measures of every round, for every model and set of weights.
#[derive(Clone, Debug, Default)]
pub(super) struct Rounds {
    /// `values[round][model][weights]`.
    values: Vec<Vec<Vec<Values>>>,
}

/// Measures every model under every set of weights on `rounds` resamples.
///
/// The models have the same rows in the same order.
pub(super) fn resample(
    models: &[Prepared<'_>],
    weights: &[Vec<f64>],
    rounds: u32,
    seed: u64,
) -> Rounds {
    let Some(first) = models.first() else {
        return Rounds::default();
    };
    let clusters = &first.rows.clusters;
    if clusters.count < 2 {
        return Rounds::default();
    }
    let parts = map_chunks(rounds as usize, CHUNK, |range| {
        let mut drawn = vec![0.0; clusters.count];
        let mut tallies: Vec<Tally> = models
            .iter()
            .map(|model| Tally::empty(model.rows.score.values.len()))
            .collect();
        let mut times: Vec<f64> = Vec::with_capacity(clusters.of.len());
        range
            .map(|round| {
                drawn.fill(0.0);
                let mut rng = SeededRng::new(seed, &format!("bootstrap/{round}"));
                for _ in 0..clusters.count {
                    if let Some(count) = drawn.get_mut(index(&mut rng, clusters.count)) {
                        *count += 1.0;
                    }
                }
                times.clear();
                times.extend(
                    clusters
                        .of
                        .iter()
                        .map(|cluster| at(&drawn, *cluster as usize)),
                );
                models
                    .iter()
                    .zip(&mut tallies)
                    .map(|(model, tally)| {
                        weights
                            .iter()
                            .enumerate()
                            .map(|(view, weights)| model.measure(weights, &times, tally, view == 0))
                            .collect()
                    })
                    .collect()
            })
            .collect::<Vec<Vec<Vec<Values>>>>()
    });
    Rounds {
        values: parts.into_iter().flatten().collect(),
    }
}

/// A uniform position below `count` by the high half of a product (Lemire 2019), without his rejection step: for
/// `count` below 2^32 the probabilities differ from `1/count` by less than 2^-32 of themselves.
fn index(rng: &mut SeededRng, count: usize) -> usize {
    let product = u128::from(rng.next_u64()) * count as u128;
    usize::try_from(product >> 64).unwrap_or(0)
}

impl Rounds {
    fn each(
        &self,
        model: usize,
        view: usize,
        measure: Measure,
    ) -> impl Iterator<Item = Option<f64>> + '_ {
        self.values.iter().map(move |models| {
            models
                .get(model)
                .and_then(|views| views.get(view))
                .and_then(|values| values.of(measure))
        })
    }

    /// The figure of one measure: its value, and the percentile interval over the rounds.
    pub(super) fn figure(
        &self,
        value: Option<f64>,
        model: usize,
        view: usize,
        measure: Measure,
        reason: &str,
    ) -> Figure {
        self.with_interval(
            Figure::or_reason(value, reason),
            self.each(model, view, measure).collect(),
        )
    }

    /// The figure of the second model's value less that of the first.
    pub(super) fn difference(
        &self,
        value: Option<f64>,
        view: usize,
        measure: Measure,
        reason: &str,
    ) -> Figure {
        let differences = self
            .each(0, view, measure)
            .zip(self.each(1, view, measure))
            .map(|(first, second)| Some(second? - first?))
            .collect();
        self.with_interval(Figure::or_reason(value, reason), differences)
    }

    fn with_interval(&self, figure: Figure, values: Vec<Option<f64>>) -> Figure {
        if figure.value.is_none() {
            return figure;
        }
        if self.values.is_empty() {
            return figure
                .without_interval("resampling needs two enterprises and at least one round");
        }
        let rounds = values.len();
        let mut values: Vec<f64> = values.into_iter().flatten().collect();
        // A resample without a problem has no area. Where that is more than a rare accident, the interval would speak
        // of the lucky resamples only.
        if values.len() * 20 < rounds * 19 || values.len() < 20 {
            return figure.without_interval(
                "too few resamples give this figure; more problems or more rounds are needed",
            );
        }
        values.sort_by(f64::total_cmp);
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let square = values
            .iter()
            .map(|value| (value - mean) * (value - mean))
            .sum::<f64>();
        figure
            .between(quantile(&values, 0.025), quantile(&values, 0.975))
            .with_error((square / (count - 1.0)).sqrt())
    }
}

/// The quantile of sorted numbers, interpolated (Hyndman & Fan 1996, type 7).
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let place = p * (sorted.len().max(1) - 1) as f64;
    let below = place.floor();
    let low = at(sorted, below as usize);
    let high = sorted.get(below as usize + 1).copied().unwrap_or(low);
    low + (place - below) * (high - low)
}

#[cfg(test)]
mod tests {
    use super::super::rows::{Columns, Rows};
    use super::*;

    fn rows(n: usize, seed: u64) -> Rows {
        let mut rng = SeededRng::new(seed, "bootstrap test");
        let score: Vec<f64> = (0..n).map(|_| rng.below(50) as f64).collect();
        Columns {
            outcome: score
                .iter()
                .map(|score| rng.chance(0.05 + score / 100.0))
                .collect(),
            enterprise: Some(
                (0..n)
                    .map(|_| rng.below(n as u64 / 2).to_string())
                    .collect(),
            ),
            score,
            ..Columns::default()
        }
        .check()
        .unwrap()
    }

    fn interval(rows: &Rows, seed: u64) -> Figure {
        let n = rows.count();
        let prepared = [Prepared::new(rows, 60)];
        let rounds = resample(&prepared, &[vec![1.0; n]], 200, seed);
        let auc = prepared[0]
            .measure(&vec![1.0; n], &vec![1.0; n], &mut Tally::empty(50), true)
            .of(Measure::Auc);
        rounds.figure(auc, 0, 0, Measure::Auc, "")
    }

    #[test]
    fn the_same_seed_gives_the_same_interval_and_another_seed_another() {
        let rows = rows(500, 1);
        assert_eq!(interval(&rows, 3), interval(&rows, 3));
        assert_ne!(interval(&rows, 3), interval(&rows, 4));
    }

    #[test]
    fn a_round_is_the_same_whatever_runs_beside_it() {
        // Rounds are shared out among threads in chunks; other chunks mean other neighbours, and nothing else.
        let rows = rows(300, 4);
        let of = |count| {
            let prepared = [Prepared::new(&rows, 60)];
            resample(&prepared, &[vec![1.0; 300]], count, 9).values
        };
        let (few, many) = (of(13), of(100));
        assert_eq!((few.len(), many.len()), (13, 100));
        assert_eq!(few[..], many[..13]);
    }

    #[test]
    fn the_drawn_positions_are_stable() {
        let mut rng = SeededRng::new(42, "bootstrap/0");
        let drawn: Vec<usize> = (0..6).map(|_| index(&mut rng, 1_000)).collect();
        assert_eq!(drawn, STABLE);
        assert!((0..1_000).all(|_| index(&mut rng, 3) < 3));
    }

    /// Another value here is another resampling: every interval of an earlier evaluation would change.
    const STABLE: [usize; 6] = [182, 960, 450, 643, 208, 953];

    #[test]
    fn the_standard_error_agrees_with_the_linearised_one() {
        // The bootstrap and the variance of DeLong with clusters estimate the same thing in two ways.
        let rows = rows(3_000, 2);
        let error = interval(&rows, 1).standard_error.unwrap();
        let all = rows.clusters.rows.clone();
        let influence = rows.influence(&all, &vec![1.0; 3_000]).unwrap();
        let linear = rows.variance_of(&all, &influence.of).unwrap().sqrt();
        assert!((error / linear - 1.0).abs() < 0.15, "{error} {linear}");
    }

    #[test]
    fn one_enterprise_or_one_problem_gives_no_interval() {
        let one = Columns {
            score: vec![1.0, 2.0],
            outcome: vec![true, false],
            enterprise: Some(vec!["a".to_owned(), "a".to_owned()]),
            ..Columns::default()
        }
        .check()
        .unwrap();
        let figure = interval(&one, 1);
        assert!(figure.value.is_some() && figure.low.is_none() && figure.not_estimable.is_some());
        let mut outcome = vec![false; 40];
        outcome[0] = true;
        let rare = Columns {
            score: (0..40).map(f64::from).collect(),
            outcome,
            ..Columns::default()
        }
        .check()
        .unwrap();
        assert!(
            interval(&rare, 1).low.is_none(),
            "a third of the resamples has no problem"
        );
    }

    #[test]
    fn quantiles_interpolate() {
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0], 0.5), 2.5);
        assert_eq!(quantile(&[1.0, 2.0], 0.975), 1.975);
        assert_eq!(quantile(&[], 0.5), 0.0);
    }
}
