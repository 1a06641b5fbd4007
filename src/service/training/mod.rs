//! Training: column roles, tables from files and from the register, the run, and the folder that it writes.

mod design;
mod folder;
mod owners;
mod read;
mod register;
mod roles;
mod run;
mod tables;
mod watch;

pub use folder::{TrainingFolder, read_card_rows, write_training};
pub use read::{TableRead, read_table};
pub use register::{RegisterRows, RegisterSplit, RowRules, RowsWritten, SplitBy, Unplanned};
pub use roles::{ColumnRole, Roles, RolesError};
pub use run::{RegisterTrained, write_roles};
pub use tables::TakenTable;

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
    /// The register cannot be read, or the card does not go with its files.
    #[error(transparent)]
    Service(#[from] super::ServiceError),
    /// Roles have no file form.
    #[error("the roles cannot be written: {0}")]
    RolesForm(#[from] toml::ser::Error),
    /// The register holds no visit to learn from.
    #[error(
        "no visit of the register can be learned from: of {} within the days {} came about for a reason, {} were drawn by \
         no plan, {} have codes that say nothing; see the outcome rule", .0.visit_count, .0.apart_count, .0.unplanned_count,
        .0.silent_count
    )]
    NoVisits(Box<RegisterRows>),
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
