//! A training run on the register, from visits to a card that the register can use.

use std::path::Path;

use super::read::read_table;
use super::register::{RegisterRows, RowRules};
use super::{Roles, TrainingError};
use crate::files::PassingFolder;
use crate::model::train::{TrainParams, Trained, train};
use crate::service::{Models, Service, ServiceError};

/// The longest row of a table that this module writes.
const MAX_ROW_BYTES: usize = 1 << 20;

/// A card that was trained on the register.
#[derive(Clone, Debug)]
pub struct RegisterTrained {
    /// The card and its report.
    pub trained: Trained,
    /// The rows that it was trained on.
    pub rows: RegisterRows,
    /// The roles of their table.
    pub roles: Roles,
}

/// Writes roles as the file that `--roles` reads.
///
/// # Errors
///
/// When they have no TOML form or the file cannot be written.
pub fn write_roles(roles: &Roles, path: &Path) -> Result<(), TrainingError> {
    let text = toml::to_string(roles)?;
    std::fs::write(path, text).map_err(|cause| TrainingError::Path {
        path: path.display().to_string(),
        cause,
    })
}

impl Service {
    /// Yearly rates of visits in tiers A, B, C and D for general items, in the policy in force.
    pub fn visit_rates(&self) -> [f64; 4] {
        let rates = self.current().models.sampling.rates.general;
        [rates.a, rates.b, rates.c, rates.d]
    }

    /// Trains a card on what inspections of the register found; `table` keeps the rows, otherwise they pass. `params`
    /// says everything but features and validation, which follow from the catalogue and `rules`.
    ///
    /// The rows always go through their table, so that whoever has the table and its roles gets the same card to the
    /// byte.
    ///
    /// # Errors
    ///
    /// When no rows come about, the rows cannot be fitted, or the card does not go with the other files.
    pub fn train_on_register(
        &self,
        models: &Models,
        rules: &RowRules,
        params: TrainParams,
        table: Option<&Path>,
        progress: &mut dyn FnMut(&str),
    ) -> Result<RegisterTrained, TrainingError> {
        let folder = PassingFolder::new().map_err(ServiceError::from)?;
        let passing = folder.file("rows.csv");
        let path = table.unwrap_or(&passing);
        let written = self.write_training_rows(models, rules, path, progress)?;
        let read = read_table(path, written.roles.clone(), MAX_ROW_BYTES)?;
        let params = TrainParams {
            features: read.roles.feature.clone(),
            validation: written.validation,
            ..params
        }
        .valid()?;
        let trained = train(&read.table, &params, progress)?;
        // What training made must be of use at once.
        models
            .with_card(&trained.card.to_canonical_json()?)
            .map_err(ServiceError::from)?;
        Ok(RegisterTrained {
            trained,
            rows: written.rows,
            roles: written.roles,
        })
    }
}
