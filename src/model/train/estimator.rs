//! The trainer as a linfa estimator, for programs that hold their rows in ndarray: `CardEstimator` is checked into valid
//! settings, fits a `Dataset` of numbers with its weights, and the fitted card predicts the probability of a problem.

use linfa::dataset::{AsSingleTargets, DatasetBase};
use linfa::traits::{Fit, PredictInplace};
use linfa::{Float as _, ParamGuard};
use ndarray::{Array1, ArrayBase, Data, Ix2};

use super::error::TrainError;
use super::params::{TrainParams, ValidTrainParams, Validation};
use super::run::{Trained, train};
use crate::model::{Beside, Column, Scorecard, Table, Values};

/// Unchecked settings of an estimator.
#[derive(Clone, Debug)]
pub struct CardEstimator {
    settings: TrainParams,
    valid: Option<ValidTrainParams>,
}

impl CardEstimator {
    /// An estimator of these settings; a dataset has no days, so nothing is held back for validation.
    pub fn new(settings: TrainParams) -> Self {
        let settings = TrainParams {
            validation: Validation::None,
            ..settings
        };
        Self {
            valid: settings.clone().valid().ok(),
            settings,
        }
    }
}

impl ParamGuard for CardEstimator {
    type Checked = ValidTrainParams;
    type Error = TrainError;

    fn check_ref(&self) -> Result<&Self::Checked, Self::Error> {
        match &self.valid {
            Some(valid) => Ok(valid),
            None => Err(match self.settings.clone().valid() {
                Err(error) => error,
                Ok(_) => TrainError::NoOutcome,
            }),
        }
    }

    fn check(self) -> Result<Self::Checked, Self::Error> {
        self.settings.valid()
    }
}

/// A card fitted on a dataset.
#[derive(Clone, Debug)]
pub struct FittedCard {
    /// The card with its report.
    pub trained: Trained,
    names: Vec<String>,
}

impl FittedCard {
    /// The card.
    pub fn card(&self) -> &Scorecard {
        &self.trained.card
    }
}

/// Columns of a matrix as a table; `NaN` is missing.
fn table<D: Data<Elem = f64>>(
    records: &ArrayBase<D, Ix2>,
    names: &[String],
    beside: Beside,
) -> Result<Table, TrainError> {
    let columns = names
        .iter()
        .zip(records.columns())
        .map(|(name, column)| Column {
            name: name.clone(),
            values: Values::Numbers(column.to_vec()),
        })
        .collect();
    Ok(Table::new(columns, beside)?)
}

fn names<D: Data<Elem = f64>, T>(dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Vec<String> {
    let given = dataset.feature_names();
    (0..dataset.records().ncols())
        .map(|at| {
            given
                .get(at)
                .cloned()
                .unwrap_or_else(|| format!("feature-{at}"))
        })
        .collect()
}

impl<D, T> Fit<ArrayBase<D, Ix2>, T, TrainError> for ValidTrainParams
where
    D: Data<Elem = f64>,
    T: AsSingleTargets<Elem = usize>,
{
    type Object = FittedCard;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<FittedCard, TrainError> {
        let names = names(dataset);
        let outcome = dataset
            .targets()
            .as_single_targets()
            .iter()
            .map(|outcome| u8::try_from(*outcome).unwrap_or(u8::MAX))
            .collect();
        // linfa's own logistic regression passes over these weights; this estimator reads them.
        let weight = dataset
            .weights()
            .map(|weights| weights.iter().map(|weight| f64::cast(*weight)).collect());
        let beside = Beside {
            outcome: Some(outcome),
            weight,
            ..Beside::default()
        };
        let table = table(dataset.records(), &names, beside)?;
        Ok(FittedCard {
            trained: train(&table, self, &mut |_| {})?,
            names,
        })
    }
}

impl<D: Data<Elem = f64>> PredictInplace<ArrayBase<D, Ix2>, Array1<f64>> for FittedCard {
    fn predict_inplace<'a>(&'a self, records: &'a ArrayBase<D, Ix2>, out: &mut Array1<f64>) {
        // Rows that make no table (an infinite number, another width) have no probability.
        out.fill(f64::NAN);
        let probabilities = table(records, &self.names, Beside::default())
            .ok()
            .and_then(|table| self.card().score_table(&table).ok())
            .and_then(|scored| self.card().probabilities(&scored.points));
        for (out, probability) in out.iter_mut().zip(probabilities.unwrap_or_default()) {
            *out = probability;
        }
    }

    fn default_target(&self, records: &ArrayBase<D, Ix2>) -> Array1<f64> {
        Array1::zeros(records.nrows())
    }
}
