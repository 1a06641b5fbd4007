//! The errors of the service as problems.

use super::{Problem, ProblemItem, ProblemKind};
use crate::domain::FieldError;
use crate::service::{
    AllocationError, DrawError, FilesError, LineError, OpeningError, ServiceError,
};

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        let detail = error.to_string();
        match error {
            ServiceError::Field(field) => Self::invalid_fields([field_item("", field)]),
            ServiceError::UnknownEnterprise(id) => Self::new(
                ProblemKind::UnknownEnterprise,
                format!("{detail}; import it first"),
            )
            .with_member("enterprise_id", id.as_str()),
            ServiceError::UnknownRecord {
                source_name,
                record_id,
            } => Self::new(ProblemKind::UnknownRecord, detail)
                .with_member("source", source_name)
                .with_member("record_id", record_id),
            ServiceError::UnknownFrame(id) => Self::new(
                ProblemKind::UnknownFrame,
                format!("{detail}; `GET /v1/frames` lists those that do"),
            )
            .with_member("frame_id", id),
            ServiceError::UnknownPlan(id) => Self::new(
                ProblemKind::UnknownPlan,
                format!("{detail}; `GET /v1/plans` lists those that do"),
            )
            .with_member("plan_id", id),
            ServiceError::UnknownImport(id) => Self::new(
                ProblemKind::UnknownImport,
                format!("{detail}; `GET /v1/imports` lists those that do"),
            )
            .with_member("import_id", id),
            ServiceError::OtherFile { import_id } | ServiceError::WholeImport { import_id } => {
                Self::new(ProblemKind::Conflict, detail).with_member("import_id", import_id)
            }
            ServiceError::EmptyRegister => Self::new(ProblemKind::RuleViolated, detail),
            ServiceError::Refused {
                subject,
                refusal: _,
            } => Self::new(ProblemKind::RuleViolated, detail).with_member("subject", subject),
            ServiceError::PlanState {
                plan_id,
                state,
                needed,
            } => Self::new(ProblemKind::PlanState, detail)
                .with_member("plan_id", plan_id)
                .with_member("state", state.as_str())
                .with_member("needed", needed),
            ServiceError::Allocation(allocation) => Self::of_allocation(&allocation, detail),
            ServiceError::Policy(_) | ServiceError::Plan(_) => {
                Self::new(ProblemKind::RuleViolated, detail)
            }
            ServiceError::Opening(openings) => Self::new(ProblemKind::InvalidBody, detail)
                .with_items(openings.iter().map(opening_item)),
            ServiceError::Draw(DrawError::Contribution(opening)) => {
                Self::new(ProblemKind::InvalidBody, detail).with_item(opening_item(&opening))
            }
            // What is kept does not fit together, which no caller can have caused.
            ServiceError::Draw(
                DrawError::Plan(_) | DrawError::Pool(_) | DrawError::PoolDigest { .. },
            )
            | ServiceError::Frame(_)
            | ServiceError::Files(_)
            | ServiceError::Verify(_)
            | ServiceError::Store(_)
            | ServiceError::Internal(_) => Self::internal(detail),
        }
    }
}

impl Problem {
    /// A body with wrong fields; says the first in its detail.
    pub(crate) fn invalid_fields(items: impl IntoIterator<Item = ProblemItem>) -> Self {
        let items: Vec<_> = items.into_iter().collect();
        let detail = match items.as_slice() {
            [item] => {
                let place = item.pointer.as_deref().unwrap_or_default();
                format!("the body does not fit at `{place}`: {}", item.detail)
            }
            items => format!("the body has {} wrong fields; see `errors`", items.len()),
        };
        Self::new(ProblemKind::InvalidBody, detail).with_items(items)
    }

    /// A wrong parameter of the query or a wrong part of the path.
    pub(crate) fn invalid_parameter(kind: ProblemKind, error: FieldError) -> Self {
        let FieldError {
            field,
            value,
            reason,
        } = error;
        Self::new(kind, format!("`{field}`: `{value}` {reason}")).with_item(ProblemItem {
            field: Some(field),
            value: Some(value),
            detail: reason,
            ..ProblemItem::default()
        })
    }

    /// A body that is not a file of rows as this service reads them.
    pub(crate) fn unreadable(error: &FilesError) -> Self {
        let detail = error.to_string();
        match error {
            FilesError::Header(line) => {
                Self::new(ProblemKind::InvalidBody, detail).with_item(line_item(line.clone()))
            }
            FilesError::Read { .. }
            | FilesError::Damaged { .. }
            | FilesError::Parquet { .. }
            | FilesError::UnknownFormat { .. }
            | FilesError::Unreadable { .. }
            | FilesError::Empty { .. } => Self::new(ProblemKind::MalformedBody, detail),
            FilesError::Spool { limit, .. } => {
                Self::new(ProblemKind::TooLarge, detail).with_member("limit_bytes", *limit)
            }
            FilesError::Open { .. }
            | FilesError::Stopped
            | FilesError::Missing { .. }
            | FilesError::Frame { .. }
            | FilesError::Write { .. }
            | FilesError::UndeclaredAttribute { .. } => Self::internal(detail),
        }
    }

    fn of_allocation(error: &AllocationError, detail: String) -> Self {
        let problem = Self::new(ProblemKind::RuleViolated, detail.clone());
        let item = |pointer: &str, value: Option<u64>| ProblemItem {
            pointer: Some(pointer.to_owned()),
            value: value.map(|visits| visits.to_string()),
            detail,
            ..ProblemItem::default()
        };
        match error {
            AllocationError::EmptyPool => problem.with_item(item("/filter", None)),
            AllocationError::NoVisit => problem.with_item(item("/visits", Some(0))),
            AllocationError::TooManyVisits { visits, objects } => problem
                .with_item(item("/visits", Some(*visits)))
                .with_member("visits", *visits)
                .with_member("objects", *objects),
        }
    }
}

/// A wrong field of the body; `prefix` is the pointer to the object that it belongs to.
pub(crate) fn field_item(prefix: &str, error: FieldError) -> ProblemItem {
    let FieldError {
        field,
        value,
        reason,
    } = error;
    ProblemItem {
        pointer: Some(format!("{prefix}/{}", field.replace('.', "/"))),
        value: (!value.is_empty()).then_some(value),
        detail: reason,
        ..ProblemItem::default()
    }
}

/// A refused row of an import.
pub(crate) fn line_item(error: LineError) -> ProblemItem {
    let LineError {
        file: _,
        line,
        field,
        value,
        reason,
    } = error;
    ProblemItem {
        line: Some(line),
        field,
        value,
        detail: reason,
        ..ProblemItem::default()
    }
}

fn opening_item(error: &OpeningError) -> ProblemItem {
    ProblemItem {
        pointer: Some("/contributions".to_owned()),
        field: error.contribution().map(ToString::to_string),
        detail: error.to_string(),
        ..ProblemItem::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::StoreError;

    #[test]
    fn a_store_that_fails_tells_the_caller_nothing() {
        let failed = ServiceError::Store(StoreError::Aborted("disk full at /var/lib".to_owned()));
        let problem = Problem::from(failed);
        assert_eq!(problem.kind(), ProblemKind::Internal);
        assert!(!problem.to_string().contains("disk"));
        assert_eq!(problem.cause(), Some("disk full at /var/lib"));
    }

    #[test]
    fn a_wrong_field_is_named_by_its_pointer() {
        let field = FieldError::new("period.to", "2026-02-30", "is not a day of the calendar");
        let item = field_item("/records/3", field);
        assert_eq!(item.pointer.as_deref(), Some("/records/3/period/to"));
        assert_eq!(item.value.as_deref(), Some("2026-02-30"));
    }
}
