//! Challengers: other models on the same rows, to see what the card leaves behind. They are reported and never served.
//!
//! linfa's logistic regression gets standardised columns with missing cells at their mean, and its positive class fixed by
//! the sign of what it gives, because in 0.8.1 the more frequent class counts as positive. The ensemble is AdaBoost on
//! stumps. The boosted trees are forust's. None of them sees weights here, and the figures say so by being unweighted for
//! all alike.

use forust_ml::{GradientBooster, Matrix};
use linfa::DatasetBase;
use linfa::traits::{Fit, Predict};
use linfa_ensemble::AdaBoostParams;
use linfa_logistic::LogisticRegression;
use linfa_trees::DecisionTree;
use ndarray::{Array1, Array2};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::collections::BTreeMap;

use super::error::TrainError;
use super::measure::{Figures, figures};
use super::params::TrainParams;
use crate::model::table::MISSING_CODE;
use crate::model::{Column, Table, Values};

/// Rounds of AdaBoost and of boosted trees.
const STUMPS: usize = 20;
const TREES: usize = 200;

/// A column as numbers; categories by their code.
fn numbers(column: &Column) -> Vec<f64> {
    match &column.values {
        Values::Numbers(numbers) => numbers.clone(),
        Values::Categories { codes, .. } => codes
            .iter()
            .map(|code| {
                if *code == MISSING_CODE {
                    f64::NAN
                } else {
                    f64::from(*code)
                }
            })
            .collect(),
    }
}

/// Standardised columns of both tables, by the mean and spread of the first.
fn standardised(fit: &Table, validation: &Table) -> (Array2<f64>, Array2<f64>) {
    let width = fit.features().len();
    let mut one = Array2::zeros((fit.row_count(), width));
    let mut other = Array2::zeros((validation.row_count(), width));
    for (at, column) in fit.features().iter().enumerate() {
        let values = numbers(column);
        let known: Vec<f64> = values
            .iter()
            .copied()
            .filter(|value| !value.is_nan())
            .collect();
        let count = known.len().max(1) as f64;
        let mean = known.iter().sum::<f64>() / count;
        let spread = (known
            .iter()
            .map(|value| (value - mean).powi(2))
            .sum::<f64>()
            / count)
            .sqrt();
        let standard = |value: f64| {
            if value.is_nan() || spread == 0.0 {
                0.0
            } else {
                (value - mean) / spread
            }
        };
        for (cell, value) in one.column_mut(at).iter_mut().zip(values) {
            *cell = standard(value);
        }
        let values = validation
            .feature(&column.name)
            .map(numbers)
            .unwrap_or_default();
        for (cell, value) in other.column_mut(at).iter_mut().zip(values) {
            *cell = standard(value);
        }
    }
    (one, other)
}

/// Fits every challenger and measures it on the validation rows, unweighted.
pub(super) fn challengers(
    fit: &Table,
    validation: &Table,
    params: &TrainParams,
) -> Result<BTreeMap<String, Figures>, TrainError> {
    let (Some(fit_outcome), Some(outcome)) = (fit.outcome(), validation.outcome()) else {
        return Err(TrainError::NoOutcome);
    };
    let problem: Vec<bool> = fit_outcome.iter().map(|outcome| *outcome > 0).collect();
    let (x, x_validation) = standardised(fit, validation);
    let ones = vec![1.0; outcome.len()];
    let mut found = BTreeMap::new();
    let mut put = |name: &str, score: &[f64], is_probability: bool| {
        let probability = is_probability.then_some(score);
        found.insert(name.to_owned(), figures(score, probability, outcome, &ones));
    };

    let fail = |name: &'static str| move |reason: String| TrainError::Challenger { name, reason };
    let dataset = DatasetBase::new(x.clone(), Array1::from(problem.clone()));
    let logistic = LogisticRegression::default()
        .max_iterations(200)
        .fit(&dataset)
        .map_err(|error| fail("linfa logistic regression")(error.to_string()))?;
    let mut score = logistic.predict_probabilities(&x_validation).to_vec();
    if !logistic.labels().pos.class {
        for value in &mut score {
            *value = 1.0 - *value;
        }
    }
    put("linfa logistic regression", &score, true);

    let labels: Array1<usize> = problem
        .iter()
        .map(|problem| usize::from(*problem))
        .collect();
    let dataset = DatasetBase::new(x, labels);
    let stump = DecisionTree::<f64, usize>::params().max_depth(Some(1));
    let rng = SmallRng::seed_from_u64(params.seed);
    let ensemble = AdaBoostParams::new_fixed_rng(stump, rng)
        .n_estimators(STUMPS)
        .learning_rate(1.0)
        .fit(&dataset)
        .map_err(|error| fail("linfa AdaBoost")(error.to_string()))?;
    let mut votes = vec![0.0; outcome.len()];
    for (model, weight) in ensemble.models.iter().zip(ensemble.weights()) {
        let labels: Array1<usize> = model.predict(&x_validation);
        for (vote, label) in votes.iter_mut().zip(labels) {
            *vote += if label == 1 { *weight } else { -*weight };
        }
    }
    put("linfa AdaBoost of 20 stumps", &votes, false);

    let flat = |table: &Table| -> Vec<f64> { table.features().iter().flat_map(numbers).collect() };
    let data = flat(fit);
    let matrix = Matrix::new(&data, fit.row_count(), fit.features().len());
    let target: Vec<f64> = problem
        .iter()
        .map(|problem| f64::from(u8::from(*problem)))
        .collect();
    let mut booster = GradientBooster::default()
        .set_iterations(TREES)
        .set_learning_rate(0.05)
        .set_max_leaves(31)
        .set_parallel(false);
    booster
        .fit_unweighted(&matrix, &target, None)
        .map_err(|error| fail("forust boosted trees")(error.to_string()))?;
    let data = flat(validation);
    let matrix = Matrix::new(&data, validation.row_count(), validation.features().len());
    let score: Vec<f64> = booster
        .predict(&matrix, false)
        .into_iter()
        .map(super::newton::sigmoid)
        .collect();
    put("forust boosted trees", &score, true);
    Ok(found)
}
