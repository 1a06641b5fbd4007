//! Training from a file: column roles, the table, the run, and the folder that it writes.

mod folder;
mod read;
mod roles;

pub use folder::{TrainingFolder, read_card_rows, write_training};
pub use read::{TableRead, read_table};
pub use roles::{ColumnRole, Roles, RolesError};

use crate::files::{CellRowsError, FilesError};
use crate::model::train::TrainError;
use crate::model::{ScorecardError, TableError};

/// Why training from a file did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// The roles are wrong.
    #[error(transparent)]
    Roles(#[from] RolesError),
    /// The file cannot be read.
    #[error(transparent)]
    Table(#[from] CellRowsError),
    /// The columns make no table.
    #[error(transparent)]
    Columns(#[from] TableError),
    /// No card came out.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A card cannot be used.
    #[error(transparent)]
    Scorecard(#[from] ScorecardError),
    /// A file cannot be written.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A file cannot be read or written.
    #[error("`{path}`: {cause}")]
    Path {
        /// The file.
        path: String,
        /// What the operating system says.
        cause: std::io::Error,
    },
}

impl TrainingError {
    /// Whether the data were read and the answer is no, rather than nothing having run.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Train(TrainError::WrongWay { .. } | TrainError::NotConverged { .. })
        )
    }
}
