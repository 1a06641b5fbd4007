//! The headline measures of one model on one set of weights, for the rows as they are and for a resample of them.

use super::order::Order;
use super::ranking::Tally;
use super::rows::Rows;
use super::slots::ratio;

/// The headline measures, in the order in which they are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    Auc,
    Gini,
    Ks,
    CapturedTop,
    LiftTop,
    ProblemRate,
    Brier,
    LogLoss,
    ObservedToExpected,
    PolicyRate,
    PolicyRatio,
    DaysEarlier,
    DaysRandom,
    DaysPerfect,
    DaysSkill,
}

/// Number of measures.
const COUNT: usize = 15;

/// The share of rows that the "top" measures look at.
pub(super) const TOP_SHARE: f64 = 0.1;

/// One value per measure; absent where the rows do not give it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Values([Option<f64>; COUNT]);

impl Values {
    pub(super) fn of(&self, measure: Measure) -> Option<f64> {
        self.0.get(measure as usize).copied().flatten()
    }

    fn set(&mut self, measure: Measure, value: Option<f64>) {
        if let Some(slot) = self.0.get_mut(measure as usize) {
            *slot = value.filter(|value| value.is_finite());
        }
    }
}

/// What the measures need of each row, computed once.
pub(super) struct Prepared<'a> {
    pub(super) rows: &'a Rows,
    /// Brier and logarithmic loss per row.
    losses: Option<Vec<Loss>>,
    pub(super) order: Option<Order>,
}

#[derive(Clone, Copy)]
struct Loss {
    probability: f64,
    brier: f64,
    log: f64,
}

/// A probability of exactly 0 or 1 would make the logarithmic loss infinite on the first miss; it counts as this far
/// from it.
const LEAST_PROBABILITY: f64 = 1e-12;

impl<'a> Prepared<'a> {
    pub(super) fn new(rows: &'a Rows, window_days: u32) -> Self {
        let losses = rows.probability.as_ref().map(|probabilities| {
            probabilities
                .iter()
                .zip(&rows.outcome)
                .map(|(probability, found)| {
                    let outcome = if *found { 1.0 } else { 0.0 };
                    let hit = if *found {
                        *probability
                    } else {
                        1.0 - probability
                    };
                    Loss {
                        probability: *probability,
                        brier: (probability - outcome) * (probability - outcome),
                        log: -hit.max(LEAST_PROBABILITY).ln(),
                    }
                })
                .collect()
        });
        Self {
            order: Order::of(rows, window_days),
            rows,
            losses,
        }
    }

    /// The measures with each row counted with `weights · times`. Days earlier take no weights: a visit is a visit.
    pub(super) fn measure(
        &self,
        weights: &[f64],
        times: &[f64],
        tally: &mut Tally,
        days: bool,
    ) -> Values {
        let rows = self.rows;
        tally.clear();
        let each = || {
            weights
                .iter()
                .zip(times)
                .map(|(weight, times)| weight * times)
        };
        for ((rank, found), weight) in rows.score.rank.iter().zip(&rows.outcome).zip(each()) {
            tally.add(*rank, *found, weight);
        }
        let (found, clean) = tally.totals();
        let total = found + clean;
        let mut values = Values::default();
        let auc = tally.auc();
        values.set(Measure::Auc, auc);
        values.set(Measure::Gini, auc.map(|auc| 2.0 * auc - 1.0));
        values.set(Measure::Ks, tally.ks().map(|(distance, _)| distance));
        let captured = tally.captured(TOP_SHARE);
        values.set(Measure::CapturedTop, captured);
        values.set(
            Measure::LiftTop,
            captured.map(|captured| captured / TOP_SHARE),
        );
        values.set(Measure::ProblemRate, ratio(found, total));
        if let Some(losses) = &self.losses {
            let (mut brier, mut log, mut expected) = (0.0, 0.0, 0.0);
            for (loss, weight) in losses.iter().zip(each()) {
                brier += weight * loss.brier;
                log += weight * loss.log;
                expected += weight * loss.probability;
            }
            values.set(Measure::Brier, ratio(brier, total));
            values.set(Measure::LogLoss, ratio(log, total));
            values.set(Measure::ObservedToExpected, ratio(found, expected));
        }
        if let Some(rates) = &rows.rate {
            let (mut visits, mut problems) = (0.0, 0.0);
            for ((rate, found), weight) in rates.iter().zip(&rows.outcome).zip(each()) {
                visits += weight * rate;
                if *found {
                    problems += weight * rate;
                }
            }
            let per_visit = ratio(problems, visits);
            values.set(Measure::PolicyRate, per_visit);
            let uniform = ratio(found, total);
            values.set(
                Measure::PolicyRatio,
                per_visit
                    .zip(uniform)
                    .and_then(|(policy, uniform)| ratio(policy, uniform)),
            );
        }
        if let Some(earlier) = self
            .order
            .as_ref()
            .filter(|_| days)
            .and_then(|order| order.earlier(rows, times))
        {
            values.set(Measure::DaysEarlier, Some(earlier.days));
            values.set(Measure::DaysRandom, Some(earlier.random));
            values.set(Measure::DaysPerfect, Some(earlier.perfect));
            values.set(Measure::DaysSkill, earlier.skill());
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::Columns;
    use super::*;

    #[test]
    fn the_measures_of_four_rows_are_those_by_hand() {
        let rows = Columns {
            score: vec![4.0, 3.0, 2.0, 1.0],
            outcome: vec![true, false, true, false],
            probability: Some(vec![0.8, 0.6, 0.4, 0.2]),
            rate: Some(vec![0.5, 0.2, 0.2, 0.1]),
            ..Columns::default()
        }
        .check()
        .unwrap();
        let values =
            Prepared::new(&rows, 60).measure(&[1.0; 4], &[1.0; 4], &mut Tally::empty(4), true);
        let close = |measure, wanted: f64| {
            let got = values.of(measure).unwrap();
            assert!(
                (got - wanted).abs() < 1e-12,
                "{measure:?}: {got} is not {wanted}"
            );
        };
        close(Measure::Auc, 0.75);
        close(Measure::Gini, 0.5);
        close(Measure::Ks, 0.5);
        close(Measure::ProblemRate, 0.5);
        close(Measure::Brier, (0.04 + 0.36 + 0.36 + 0.04) / 4.0);
        close(
            Measure::LogLoss,
            -(0.8_f64.ln() * 2.0 + 0.4_f64.ln() * 2.0) / 4.0,
        );
        close(Measure::ObservedToExpected, 1.0);
        // A tenth of four rows is four tenths of the first one.
        close(Measure::CapturedTop, 0.2);
        close(Measure::LiftTop, 2.0);
        // Expected visits 1.0, expected problems 0.7; uniform finds one in two.
        close(Measure::PolicyRate, 0.7);
        close(Measure::PolicyRatio, 1.4);
        assert_eq!(values.of(Measure::DaysEarlier), None, "no days were given");
    }

    #[test]
    fn a_sure_prediction_that_fails_has_a_finite_loss() {
        let rows = Columns {
            score: vec![1.0, 0.0],
            outcome: vec![false, true],
            probability: Some(vec![1.0, 0.0]),
            ..Columns::default()
        }
        .check()
        .unwrap();
        let values =
            Prepared::new(&rows, 60).measure(&[1.0; 2], &[1.0; 2], &mut Tally::empty(2), false);
        assert!(values.of(Measure::LogLoss).unwrap() < 28.0);
        assert_eq!(values.of(Measure::Brier), Some(1.0));
    }
}
