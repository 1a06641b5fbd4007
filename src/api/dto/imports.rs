//! Imports, and exports.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::service::{
    ImportKind, ImportReport, ImportState, ImportSummary, ImportView, KeptFaults, LineError,
};

/// What an import did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportReport)]
pub(crate) struct ImportAnswer {
    /// Id of the import: what is kept of it can be asked for, and an import that broke off gone on with.
    #[schema(example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a12")]
    import_id: String,
    /// Rows read, good and bad.
    #[schema(example = 3)]
    row_count: u64,
    /// Rows that are new.
    #[schema(example = 1)]
    created_count: u64,
    /// Rows that replaced or followed an earlier version.
    #[schema(example = 0)]
    updated_count: u64,
    /// Rows that said nothing new.
    #[schema(example = 1)]
    unchanged_count: u64,
    /// Records that wait for their enterprise, which is not in the register.
    #[schema(example = 0)]
    set_aside_count: u64,
    /// Rows that were refused.
    #[schema(example = 1)]
    refused_count: u64,
    /// Rows that an earlier request had dealt with; the other counts include them.
    #[schema(example = 0)]
    resumed_count: u64,
    /// The first 100 refused rows.
    errors: Vec<LineFault>,
}

/// A row that was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LineFault {
    /// The physical line on which the row starts, or the number of the row in a Parquet file, from 1.
    #[schema(example = 3, minimum = 1)]
    line: u64,
    /// The field that is wrong, if the fault lies in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "established_on")]
    field: Option<String>,
    /// What the field held, shortened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-02-30")]
    value: Option<String>,
    /// Why it was refused and what to do.
    #[schema(example = "is not a day of the calendar")]
    reason: String,
}

/// How an import stands.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ImportState)]
pub(crate) enum StateWord {
    /// It goes on, or its process was killed.
    Running,
    /// The file was read to its end.
    Finished,
    /// The file or the store failed in the middle.
    BrokenOff,
    /// It was all or nothing, and something was refused.
    NothingWritten,
}

/// What the rows of an import are.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ImportKind)]
pub(crate) enum KindWord {
    /// Enterprises.
    Enterprises,
    /// Records.
    Records,
}

/// An import as it is kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Import)]
pub(crate) struct ImportEntry {
    /// Its id.
    #[schema(example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a12")]
    import_id: String,
    /// What its rows are.
    kind: KindWord,
    /// The name of the file.
    #[schema(example = "records.csv")]
    file: String,
    /// How it stands.
    state: StateWord,
    /// Whether it was to be kept only as a whole.
    all_or_nothing: bool,
    /// When it began.
    #[schema(example = "2026-11-22T08:00:00Z")]
    started_at: String,
    /// When it was last heard of.
    #[schema(example = "2026-11-22T08:00:05Z")]
    noted_at: String,
    /// Rows dealt with, good and bad.
    #[schema(example = 3)]
    row_count: u64,
    /// Rows that are new.
    #[schema(example = 1)]
    created_count: u64,
    /// Rows that replaced or followed an earlier version.
    #[schema(example = 0)]
    updated_count: u64,
    /// Rows that said nothing new.
    #[schema(example = 1)]
    unchanged_count: u64,
    /// Records that wait for their enterprise to be registered.
    #[schema(example = 0)]
    set_aside_count: u64,
    /// Rows that were refused.
    #[schema(example = 1)]
    refused_count: u64,
    /// Why it broke off.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "the body broke off")]
    failure: Option<String>,
}

/// The faults that are kept of an import.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportErrors)]
pub(crate) struct FaultPage {
    /// The refused rows in the order in which they were found.
    items: Vec<LineFault>,
    /// Refused rows beyond the first 10,000, of which only the number is kept.
    #[schema(example = 0)]
    dropped_count: u64,
    /// Where to go on; left out on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "5f1d0c6ba3e8429731303030")]
    next_cursor: Option<String>,
}

impl FaultPage {
    /// A page with the place where the next one begins.
    pub(crate) fn new(kept: KeptFaults, next_cursor: Option<String>) -> Self {
        let KeptFaults {
            faults,
            dropped_count,
        } = kept;
        Self {
            items: faults.into_iter().map(Into::into).collect(),
            dropped_count,
            next_cursor,
        }
    }
}

impl From<ImportReport> for ImportAnswer {
    fn from(report: ImportReport) -> Self {
        let ImportReport {
            import_ids,
            row_count,
            created_count,
            updated_count,
            unchanged_count,
            set_aside_count,
            refused_count,
            resumed_count,
            // An import that wrote nothing or broke off is a problem, not a report.
            nothing_written: _,
            errors,
            failure: _,
        } = report;
        Self {
            import_id: import_ids.into_iter().next().unwrap_or_default(),
            row_count,
            created_count,
            updated_count,
            unchanged_count,
            set_aside_count,
            refused_count,
            resumed_count,
            errors: errors.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<ImportView> for ImportEntry {
    fn from(view: ImportView) -> Self {
        let ImportSummary {
            import_id,
            kind,
            file,
            state,
            all_or_nothing,
            started_at,
            noted_at,
            length: _,
            beginning: _,
            reading: _,
            row_count,
            created_count,
            updated_count,
            unchanged_count,
            set_aside_count,
            refused_count,
            kept_fault_count: _,
            failure,
        } = view.summary;
        Self {
            import_id,
            kind: match kind {
                ImportKind::Enterprises => KindWord::Enterprises,
                ImportKind::Records => KindWord::Records,
            },
            file,
            state: match state {
                ImportState::Running => StateWord::Running,
                ImportState::Finished => StateWord::Finished,
                ImportState::BrokenOff => StateWord::BrokenOff,
                ImportState::NothingWritten => StateWord::NothingWritten,
            },
            all_or_nothing,
            started_at,
            noted_at,
            row_count,
            created_count,
            updated_count,
            unchanged_count,
            set_aside_count,
            refused_count,
            failure,
        }
    }
}

impl From<LineError> for LineFault {
    fn from(error: LineError) -> Self {
        let LineError {
            file: _,
            line,
            field,
            value,
            reason,
        } = error;
        Self {
            line,
            field,
            value,
            reason,
        }
    }
}

/// How the rows of an import go in.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportQuery {
    /// Write nothing at all if a single row is refused.
    #[param(example = false)]
    pub(crate) all_or_nothing: Option<bool>,
    /// Go on with this import, which broke off: the body is the same file, and what is done is passed over.
    #[param(example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a12")]
    pub(crate) resume: Option<String>,
}

/// What the rows of an import leave open, and how they go in.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RecordImportQuery {
    /// Source of the records that name none themselves.
    #[param(example = "penalties", min_length = 1, max_length = 64)]
    pub(crate) source: String,
    /// Write nothing at all if a single row is refused.
    #[param(example = false)]
    pub(crate) all_or_nothing: Option<bool>,
    /// Go on with this import, which broke off: the body is the same file, and what is done is passed over.
    #[param(example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a12")]
    pub(crate) resume: Option<String>,
}

/// The form of an export.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    /// The form of the file; CSV unless named.
    #[param(inline, example = "csv")]
    pub(crate) format: Option<ExportFormat>,
}

/// Forms of an export.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExportFormat {
    /// Comma-separated cells with a header.
    Csv,
    /// One JSON object per line.
    Ndjson,
    /// Apache Parquet.
    Parquet,
}
