//! What can go wrong in a store.

use postgres::error::SqlState;
use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
use std::error::Error;

/// Why the store could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The embedded database answered with an error.
    #[error("the store failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL answered with an error.
    #[error("the store failed: {}", causes(.0))]
    Postgres(#[from] postgres::Error),
    /// Rows that PostgreSQL copies could not be read to their end.
    #[error("the store failed: {0}")]
    Copied(#[from] std::io::Error),
    /// PostgreSQL cannot be reached.
    #[error(
        "the database at `{place}` cannot be reached: {}; check that it runs and lets this user in",
        causes(.cause)
    )]
    Unreachable {
        /// Where it should be, without user and password.
        place: String,
        /// What the client said.
        cause: postgres::Error,
    },
    /// All connections to PostgreSQL were in use for too long.
    #[error("no connection to the database came free for {seconds} seconds; repeat the call")]
    Busy {
        /// How long the call waited.
        seconds: u64,
    },
    /// The connection ended between the request to commit and its answer.
    #[error(
        "the connection was lost during a commit, so the change is either wholly in the store or not at all; read it \
         back, or repeat the call: {}", causes(.0)
    )]
    CommitUnknown(postgres::Error),
    /// Other writers wrote the same rows first, again and again.
    #[error("other writers were faster {attempts} times in a row; repeat the call")]
    Contended {
        /// How often it was tried.
        attempts: u32,
    },
    /// Entries of the log that a follower needs were removed.
    #[error("the log of changes begins at {first}, behind the place {after}; start over")]
    LogShortened {
        /// The follower's place.
        after: u64,
        /// The first entry that is there.
        first: u64,
    },
    /// The disk, or the room that the store may take, is full.
    #[error(
        "the store has no room left, so nothing of this was written; make room and repeat the call: {cause}"
    )]
    Full {
        /// What the database said.
        cause: Box<StoreError>,
    },
    /// The database cannot hold what this service writes.
    #[error("the database at `{place}` has encoding {encoding}; create it with encoding UTF8")]
    Encoding {
        /// Where it is.
        place: String,
        /// Its encoding.
        encoding: String,
    },
    /// The database does not open.
    #[error("the store `{path}` does not open: {cause}")]
    Open {
        /// The database.
        path: String,
        /// What SQLite said.
        cause: rusqlite::Error,
    },
    /// The file or database belongs to something else.
    #[error(
        "`{path}` belongs to something else and was left alone; give the store a file of its own"
    )]
    Foreign {
        /// The file.
        path: String,
    },
    /// The database was written by a newer release.
    #[error(
        "the store at `{path}` has schema {found}, this release knows up to {known}; use a newer release"
    )]
    TooNew {
        /// The database.
        path: String,
        /// Its schema version.
        found: i64,
        /// The newest that this release knows.
        known: i64,
    },
    /// A stored value has no meaning.
    #[error(
        "the store holds an unreadable value in `{column}`; the database was changed by something else"
    )]
    Corrupt {
        /// The column.
        column: &'static str,
    },
    /// A run went on to another owner, or ended.
    #[error("run `{run_id}` was cancelled or is continued elsewhere")]
    RunLost {
        /// The run.
        run_id: String,
    },
    /// A step of the caller inside a transaction failed; nothing was written.
    #[error("{0}")]
    Aborted(String),
}

impl StoreError {
    /// Whether the store is away, busy or full, so that the same call may succeed later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Busy { .. }
            | Self::Contended { .. }
            | Self::CommitUnknown(_)
            | Self::Copied(_)
            | Self::Full { .. } => true,
            Self::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
            ),
            Self::Postgres(error) => {
                error.is_closed()
                    || error.code().is_none_or(|code| {
                        // Connection lost, resources short, ended by the operator.
                        ["08", "53", "57"]
                            .iter()
                            .any(|class| code.code().starts_with(class))
                    })
            }
            Self::LogShortened { .. }
            | Self::Encoding { .. }
            | Self::Open { .. }
            | Self::Foreign { .. }
            | Self::TooNew { .. }
            | Self::Corrupt { .. }
            | Self::RunLost { .. }
            | Self::Aborted(_) => false,
        }
    }

    /// The same error, told apart if it says that there is no room.
    pub(super) fn named(self) -> Self {
        let is_full = match &self {
            Self::Sqlite(error) => {
                // A disk without room for the index of the write-ahead log is told as a fault of the disk.
                let extended = error.sqlite_error().map(|error| error.extended_code);
                error.sqlite_error_code() == Some(ErrorCode::DiskFull)
                    || extended == Some(SQLITE_IOERR_SHMSIZE)
            }
            Self::Postgres(error) => error.code() == Some(&SqlState::DISK_FULL),
            _ => false,
        };
        if is_full {
            Self::Full {
                cause: Box::new(self),
            }
        } else {
            self
        }
    }
}

/// The client's error with its causes on one line.
fn causes(error: &postgres::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line = format!("{line}: {error}");
        cause = error.source();
    }
    line.replace('\n', "; ")
}
