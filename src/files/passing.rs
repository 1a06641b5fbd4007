//! A folder for files that pass: it is removed when it is dropped.

use std::io;
use std::path::{Path, PathBuf};

/// A folder of its own in the system's place for temporary files.
#[derive(Debug)]
pub struct PassingFolder(tempfile::TempDir);

impl PassingFolder {
    /// Makes one.
    ///
    /// # Errors
    ///
    /// When the system gives no room for it.
    pub fn new() -> io::Result<Self> {
        tempfile::tempdir().map(Self)
    }

    /// A path in it.
    pub fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }
}
