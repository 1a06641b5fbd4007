//! What can go wrong in a store.

/// Why the store could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database answered with an error.
    #[error("the store failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The database does not open.
    #[error("the store `{path}` does not open: {cause}")]
    Open {
        /// The database.
        path: String,
        /// What SQLite said.
        cause: rusqlite::Error,
    },
    /// The database belongs to something else.
    #[error(
        "`{path}` is a database of something else and was left alone; give the store a file of its own"
    )]
    Foreign {
        /// The database.
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
    /// A step of the caller inside a transaction failed; nothing was written.
    #[error("{0}")]
    Aborted(String),
}
