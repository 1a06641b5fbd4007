//! The few figures that training itself needs: ranking and calibration on held-back rows.
//!
//! They decide between fitters and are written down beside the card; the full evaluation is another step.

use serde::Serialize;

/// Figures of one model on one set of rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Rows.
    pub row_count: usize,
    /// Rows with a problem.
    pub problem_count: usize,
    /// Weighted share of problems.
    pub problem_rate: f64,
    /// Area under the ROC curve, ties counted half; absent with one class only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auc: Option<f64>,
    /// Its standard error (Hanley and McNeil, 1982), of the unweighted rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auc_standard_error: Option<f64>,
    /// Mean log loss of the probability of a problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_loss: Option<f64>,
    /// Mean squared error of that probability.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brier: Option<f64>,
    /// Mean distance of probability and problem rate over ten bands of equal weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration_error: Option<f64>,
}

/// The weighted area under the ROC curve, exact, ties counted half; absent where one class has no weight.
pub(super) fn auc(score: &[f64], problem: &[bool], weight: &[f64]) -> Option<f64> {
    let mut order: Vec<(f64, bool, f64)> = score
        .iter()
        .zip(problem)
        .zip(weight)
        .map(|((score, problem), weight)| (*score, *problem, *weight))
        .collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut good, mut bad, mut won) = (0.0, 0.0, 0.0, 0.0);
    let mut rest = order.as_slice();
    while let Some((first, _)) = rest.split_first() {
        let same = rest.iter().take_while(|row| row.0 == first.0).count();
        let (tied, next) = rest.split_at(same);
        let sum = |wanted: bool| {
            tied.iter()
                .filter(|row| row.1 == wanted)
                .map(|row| row.2)
                .sum::<f64>()
        };
        let (tied_good, tied_bad) = (sum(false), sum(true));
        won += tied_bad * (below + 0.5 * tied_good);
        below += tied_good;
        good += tied_good;
        bad += tied_bad;
        rest = next;
    }
    (good > 0.0 && bad > 0.0).then(|| won / (good * bad))
}

/// Figures of a score and, where there is one, a probability.
pub(super) fn figures(
    score: &[f64],
    probability: Option<&[f64]>,
    outcome: &[u8],
    weight: &[f64],
) -> Figures {
    let problem: Vec<bool> = outcome.iter().map(|outcome| *outcome > 0).collect();
    let total: f64 = weight.iter().sum();
    let bad_weight: f64 = problem
        .iter()
        .zip(weight)
        .filter(|(p, _)| **p)
        .map(|(_, w)| w)
        .sum();
    let auc = auc(score, &problem, weight);
    let problem_count = problem.iter().filter(|problem| **problem).count();
    let (bad, good) = (problem_count as f64, (problem.len() - problem_count) as f64);
    let standard_error = auc.map(|a| {
        let (q1, q2) = (a / (2.0 - a), 2.0 * a * a / (1.0 + a));
        ((a * (1.0 - a) + (bad - 1.0) * (q1 - a * a) + (good - 1.0) * (q2 - a * a)) / (bad * good))
            .sqrt()
    });
    let mean = |of: &dyn Fn(f64, bool) -> f64| {
        probability.map(|probability| {
            probability
                .iter()
                .zip(&problem)
                .zip(weight)
                .map(|((p, problem), w)| w * of(*p, *problem))
                .sum::<f64>()
                / total
        })
    };
    Figures {
        row_count: outcome.len(),
        problem_count,
        problem_rate: bad_weight / total,
        auc,
        auc_standard_error: standard_error,
        log_loss: mean(&|p, problem| -(if problem { p } else { 1.0 - p }).clamp(1e-12, 1.0).ln()),
        brier: mean(&|p, problem| (p - f64::from(u8::from(problem))).powi(2)),
        calibration_error: probability.map(|p| calibration_error(p, &problem, weight)),
    }
}

fn calibration_error(probability: &[f64], problem: &[bool], weight: &[f64]) -> f64 {
    let mut order: Vec<(f64, bool, f64)> = probability
        .iter()
        .zip(problem)
        .zip(weight)
        .map(|((p, problem), weight)| (*p, *problem, *weight))
        .collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = weight.iter().sum();
    let mut error = 0.0;
    let (mut mass, mut expected, mut found, mut passed) = (0.0, 0.0, 0.0, 0.0);
    let mut band = 1.0;
    for (p, problem, weight) in order {
        mass += weight;
        expected += weight * p;
        found += weight * f64::from(u8::from(problem));
        passed += weight;
        if passed >= total * band / 10.0 - 1e-9 * total {
            error += (expected - found).abs();
            (mass, expected, found) = (0.0, 0.0, 0.0);
            while passed >= total * band / 10.0 - 1e-9 * total && band < 11.0 {
                band += 1.0;
            }
        }
    }
    (error
        + if mass > 0.0 {
            (expected - found).abs()
        } else {
            0.0
        })
        / total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_counts_ties_half_and_weighs() {
        let problem = [false, true, false, true];
        let plain = auc(&[1.0, 1.0, 2.0, 3.0], &problem, &[1.0; 4]).unwrap();
        // Pairs (bad, good): tie, lost, won, won.
        assert!((plain - 2.5 / 4.0).abs() < 1e-12);
        let weighted = auc(&[1.0, 1.0, 2.0, 3.0], &problem, &[1.0, 3.0, 1.0, 1.0]).unwrap();
        assert!((weighted - (3.0 * 0.5 + 0.0 + 2.0) / 8.0).abs() < 1e-12);
        assert_eq!(auc(&[1.0], &[true], &[1.0]), None);
    }
}
