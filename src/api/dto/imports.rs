//! Imports.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::service::{ImportReport, LineError};

/// What an import did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportReport)]
pub(crate) struct ImportAnswer {
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
    /// The first 100 refused rows.
    errors: Vec<LineFault>,
}

/// A row that was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LineFault {
    /// The physical line on which the row starts, from 1.
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

impl From<ImportReport> for ImportAnswer {
    fn from(report: ImportReport) -> Self {
        let ImportReport {
            row_count,
            created_count,
            updated_count,
            unchanged_count,
            set_aside_count,
            refused_count,
            errors,
            // An import that broke off is a problem, not a report.
            failure: _,
        } = report;
        Self {
            row_count,
            created_count,
            updated_count,
            unchanged_count,
            set_aside_count,
            refused_count,
            errors: errors.into_iter().map(Into::into).collect(),
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

/// What the rows of an import leave open.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RecordImportQuery {
    /// Source of the records that name none themselves.
    #[param(example = "penalties", min_length = 1, max_length = 64)]
    pub(crate) source: String,
}
