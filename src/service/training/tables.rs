//! Tables that are sent for a training over the network, kept in the store until nobody asks for them any more.

use std::path::Path;

use super::read::{TableRead, read_table};
use super::{Roles, TrainingError};
use crate::domain::digest::HashAlgorithm;
use crate::files::{CellRows, CellRowsError, PassingFolder, ReadOptions, Source};
use crate::service::{Service, ServiceError};
use crate::store::TrainingTable;

/// Tables that are kept at most.
const MOST_TABLES: usize = 16;

/// How long a table is kept that nobody asks for, in milliseconds.
const KEPT_MS: i64 = 24 * 60 * 60 * 1_000;

/// A table that was taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenTable {
    /// SHA-256 of its bytes after decompression.
    pub table_id: String,
    /// How many bytes.
    pub byte_count: u64,
    /// Its columns, in order.
    pub columns: Vec<String>,
    /// Whether it was not there before.
    pub is_new: bool,
}

impl Service {
    /// Takes a table in, CSV or Parquet, and keeps it until a day has passed in which nobody asked for it.
    ///
    /// # Errors
    ///
    /// When it cannot be read, its header is wrong, or as many tables as the service keeps are waiting.
    pub fn add_training_table(&self, source: Source) -> Result<TakenTable, TrainingError> {
        self.store
            .forget_training_tables(KEPT_MS)
            .map_err(ServiceError::from)?;
        let format = source.format();
        let body = source.into_bytes().map_err(CellRowsError::from)?;
        let table = TrainingTable {
            table_id: HashAlgorithm::Sha256.hash(&[&body]).to_string(),
            format: format.as_str().to_owned(),
            body,
        };
        let columns = in_a_file(&table, |path| {
            let source = Source::open(path, Some(format)).map_err(CellRowsError::from)?;
            let rows =
                CellRows::open(source, &ReadOptions::default()).map_err(CellRowsError::from)?;
            Ok(rows.header().to_vec())
        })?;
        let is_new = self
            .store
            .put_training_table(&table, MOST_TABLES)
            .map_err(ServiceError::from)?;
        let Some(is_new) = is_new else {
            return Err(ServiceError::Conflict(format!(
                "{MOST_TABLES} tables are kept, which is all there is room for; each goes a day after it was last asked for"
            ))
            .into());
        };
        Ok(TakenTable {
            table_id: table.table_id,
            byte_count: u64::try_from(table.body.len()).unwrap_or(u64::MAX),
            columns,
            is_new,
        })
    }

    /// Whether a table is kept, which counts as asking for it.
    ///
    /// # Errors
    ///
    /// When it is not, or the store fails.
    pub(in crate::service) fn ask_for_table(
        &self,
        table_id: &str,
    ) -> Result<TrainingTable, ServiceError> {
        self.store
            .training_table(table_id)?
            .ok_or_else(|| ServiceError::UnknownTable(table_id.to_owned()))
    }

    /// Reads a table that is kept.
    pub(in crate::service) fn read_training_table(
        &self,
        table_id: &str,
        roles: Roles,
    ) -> Result<TableRead, TrainingError> {
        let table = self.ask_for_table(table_id)?;
        in_a_file(&table, |path| {
            read_table(path, roles, ReadOptions::default().max_row_bytes)
        })
    }
}

/// Does something with a table as a file, because columns are looked at before they are kept.
fn in_a_file<T>(
    table: &TrainingTable,
    work: impl FnOnce(&Path) -> Result<T, TrainingError>,
) -> Result<T, TrainingError> {
    let folder = PassingFolder::new().map_err(ServiceError::from)?;
    let path = folder.file(format!("table.{}", table.format));
    std::fs::write(&path, &table.body).map_err(ServiceError::from)?;
    work(&path)
}
