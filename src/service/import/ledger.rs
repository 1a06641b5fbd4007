//! What is kept of every import: which file it was, how far it has come, what it did.

use serde::{Deserialize, Serialize};

use super::report::ImportReport;
use crate::domain::digest::{Digest, HashAlgorithm};
use crate::files::{Fingerprint, Format, LineError};
use crate::service::{Service, ServiceError};
use crate::store::ImportRow;

/// Faults kept with an import; more are counted.
pub(super) const KEPT_FAULTS: u64 = 10_000;

/// What the rows of an import are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportKind {
    /// Enterprises.
    Enterprises,
    /// Records.
    Records,
}

/// How an import stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportState {
    /// It goes on, or was killed: `noted_at` says when it was last heard of.
    Running,
    /// The file was read to its end.
    Finished,
    /// The file or the store failed in the middle; it can be taken up again.
    BrokenOff,
    /// It was all or nothing, and something was refused.
    NothingWritten,
}

impl ImportKind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enterprises => "enterprises",
            Self::Records => "records",
        }
    }
}

impl ImportState {
    /// Whether there is more to do.
    pub(super) fn is_open(self) -> bool {
        match self {
            Self::Running | Self::BrokenOff => true,
            Self::Finished | Self::NothingWritten => false,
        }
    }
}

/// Which earlier import a file may go on with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Resume {
    /// None: every import begins at the first row.
    #[default]
    Never,
    /// The last one of the same file, read in the same way, if it was broken off.
    SameFile,
    /// This one.
    Import(String),
}

/// An import, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportSummary {
    /// Its id.
    pub import_id: String,
    /// What its rows are.
    pub kind: ImportKind,
    /// The name of the file, without its folder.
    pub file: String,
    /// How it stands.
    pub state: ImportState,
    /// Whether it was to be kept only as a whole.
    pub all_or_nothing: bool,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// When it was last heard of.
    pub noted_at: String,
    /// Bytes of the file, where they are known.
    pub length: Option<u64>,
    /// SHA-256 of the first MiB.
    pub beginning: Option<Digest>,
    /// SHA-256 of the way in which the file is read.
    pub reading: Digest,
    /// Rows read, good and bad.
    pub row_count: u64,
    /// Rows that are new.
    pub created_count: u64,
    /// Rows that replaced or followed an earlier version.
    pub updated_count: u64,
    /// Rows that said nothing new.
    pub unchanged_count: u64,
    /// Records that wait for their enterprise.
    pub set_aside_count: u64,
    /// Rows that were refused.
    pub refused_count: u64,
    /// Refused rows whose fault is kept.
    pub kept_fault_count: u64,
    /// Why it was broken off.
    pub failure: Option<String>,
}

/// An import with its number, by which imports are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportView {
    /// Its number.
    pub import_no: i64,
    /// What is kept of it.
    pub summary: ImportSummary,
}

/// Some of the faults that are kept of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptFaults {
    /// The faults in the order in which they were found.
    pub faults: Vec<LineError>,
    /// How many faults there were beyond those that are kept.
    pub dropped_count: u64,
}

/// Which file is imported, and how.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) file: String,
    pub(super) fingerprint: Fingerprint,
    pub(super) reading: Digest,
}

impl Subject {
    /// A file and everything that decides what its rows become.
    pub(super) fn new(
        file: &str,
        fingerprint: Fingerprint,
        format: Format,
        manner: &[&str],
    ) -> Self {
        let parts: Vec<&[u8]> = std::iter::once(&format.as_str())
            .chain(manner)
            .flat_map(|part| [part.as_bytes(), &b"\0"[..]])
            .collect();
        let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
        Self {
            file: name.to_owned(),
            fingerprint,
            reading: HashAlgorithm::Sha256.hash(&parts),
        }
    }

    /// What tells this file, read in this way, from others; nothing for a stream, whose end nobody knows.
    pub(super) fn identity(&self, kind: ImportKind) -> Option<String> {
        let Fingerprint {
            length,
            beginning,
            ending,
        } = &self.fingerprint;
        let (length, beginning, ending) = (
            (*length)?.to_string(),
            (*beginning)?.to_string(),
            (*ending)?.to_string(),
        );
        let reading = self.reading.to_string();
        let parts = [kind.as_str(), &length, &beginning, &ending, &reading];
        Some(parts.join(" "))
    }
}

impl ImportSummary {
    pub(super) fn new(
        import_id: String,
        kind: ImportKind,
        subject: &Subject,
        all_or_nothing: bool,
    ) -> Self {
        let now = jiff::Timestamp::now().to_string();
        Self {
            import_id,
            kind,
            file: subject.file.clone(),
            state: ImportState::Running,
            all_or_nothing,
            started_at: now.clone(),
            noted_at: now,
            length: subject.fingerprint.length,
            beginning: subject.fingerprint.beginning,
            reading: subject.reading,
            row_count: 0,
            created_count: 0,
            updated_count: 0,
            unchanged_count: 0,
            set_aside_count: 0,
            refused_count: 0,
            kept_fault_count: 0,
            failure: None,
        }
    }

    /// Takes the counts of a report.
    pub(super) fn take(&mut self, report: &ImportReport, state: ImportState) {
        self.state = state;
        self.noted_at = jiff::Timestamp::now().to_string();
        self.row_count = report.row_count;
        self.created_count = report.created_count;
        self.updated_count = report.updated_count;
        self.unchanged_count = report.unchanged_count;
        self.set_aside_count = report.set_aside_count;
        self.refused_count = report.refused_count;
        self.kept_fault_count = report.refused_count.min(KEPT_FAULTS);
        self.failure.clone_from(&report.failure);
    }

    /// The report of what is done; `kept` are the first of its faults.
    pub(super) fn report(&self, kept: Vec<LineError>) -> ImportReport {
        ImportReport {
            import_ids: vec![self.import_id.clone()],
            row_count: self.row_count,
            created_count: self.created_count,
            updated_count: self.updated_count,
            unchanged_count: self.unchanged_count,
            set_aside_count: self.set_aside_count,
            refused_count: self.refused_count,
            resumed_count: self.row_count,
            nothing_written: self.state == ImportState::NothingWritten,
            errors: kept,
            failure: self.failure.clone(),
        }
    }

    /// How many faults there were beyond those that are kept.
    pub fn dropped_fault_count(&self) -> u64 {
        self.refused_count.saturating_sub(self.kept_fault_count)
    }
}

impl Service {
    /// One import.
    ///
    /// # Errors
    ///
    /// When it is unknown or the store fails.
    pub fn import_view(&self, import_id: &str) -> Result<ImportView, ServiceError> {
        let row = self.store.import(import_id)?;
        row.map(view)
            .unwrap_or_else(|| Err(ServiceError::UnknownImport(import_id.to_owned())))
    }

    /// Imports before number `before`, latest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn imports(
        &self,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<ImportView>, ServiceError> {
        let rows = self.store.imports_before(before, limit)?;
        rows.into_iter().map(view).collect()
    }

    /// The kept faults of an import after the first `after`, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the import is unknown or the store fails.
    pub fn import_faults(
        &self,
        import_id: &str,
        after: u64,
        limit: usize,
    ) -> Result<KeptFaults, ServiceError> {
        let view = self.import_view(import_id)?;
        Ok(KeptFaults {
            faults: self.kept_faults(view.import_no, after, limit)?,
            dropped_count: view.summary.dropped_fault_count(),
        })
    }

    pub(super) fn kept_faults(
        &self,
        import_no: i64,
        after: u64,
        limit: usize,
    ) -> Result<Vec<LineError>, ServiceError> {
        let kept = self.store.import_faults(import_no, after, limit)?;
        kept.iter()
            .map(|fault| Ok(serde_json::from_str(fault)?))
            .collect()
    }
}

fn view(row: ImportRow) -> Result<ImportView, ServiceError> {
    Ok(ImportView {
        import_no: row.import_no,
        summary: serde_json::from_str(&row.document)?,
    })
}
