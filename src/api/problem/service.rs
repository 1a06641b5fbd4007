//! The errors of the service as problems.

use actix_web::http::header::RETRY_AFTER;

use super::{Problem, ProblemItem, ProblemKind};
use crate::api::dto::jobs::instant;
use crate::domain::FieldError;
use crate::service::{
    AllocationError, DrawError, FilesError, LineError, OpeningError, ServiceError, StoreError,
};

/// When to try again while the store is away.
const RETRY_AFTER_SECONDS: &str = "5";

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
            ServiceError::UnknownOverride(id) => Self::new(
                ProblemKind::UnknownOverride,
                format!("{detail}; `GET /v1/overrides` lists those that do"),
            )
            .with_member("override_id", id),
            ServiceError::NoOverride(id) => Self::new(ProblemKind::UnknownOverride, detail)
                .with_member("enterprise_id", id.as_str()),
            ServiceError::UnknownObjection(id) => Self::new(
                ProblemKind::UnknownObjection,
                format!("{detail}; `GET /v1/objections` lists those that do"),
            )
            .with_member("objection_id", id),
            ServiceError::UnknownMerge(id) => Self::new(ProblemKind::UnknownMerge, detail)
                .with_member("enterprise_id", id.as_str()),
            ServiceError::Merged {
                enterprise_id,
                into_id,
            } => Self::new(ProblemKind::Conflict, detail)
                .with_member("enterprise_id", enterprise_id.as_str())
                .with_member("merged_into", into_id.as_str()),
            ServiceError::Conflict(_) => Self::new(ProblemKind::Conflict, detail),
            ServiceError::Rule(_) => Self::new(ProblemKind::RuleViolated, detail),
            ServiceError::UnknownFrame(id) => Self::new(
                ProblemKind::UnknownFrame,
                format!("{detail}; `GET /v1/frames` lists those that do"),
            )
            .with_member("frame_id", id),
            ServiceError::UnknownItem(code) => Self::new(
                ProblemKind::UnknownItem,
                format!("{detail}; `GET /v1/items` lists those that are"),
            )
            .with_member("item_code", code),
            ServiceError::UnknownVisit(number) => Self::new(
                ProblemKind::UnknownVisit,
                format!("{detail}; `GET /v1/ledger` lists those that are"),
            )
            .with_member("visit_no", number),
            ServiceError::UnknownPlan(id) => Self::new(
                ProblemKind::UnknownPlan,
                format!("{detail}; `GET /v1/plans` lists those that do"),
            )
            .with_member("plan_id", id),
            ServiceError::UnknownCalendar(id) => Self::new(
                ProblemKind::UnknownCalendar,
                format!("{detail}; `GET /v1/calendars` lists those that do"),
            )
            .with_member("calendar_id", id),
            ServiceError::NotInCalendar(id) => Self::new(ProblemKind::UnknownCalendar, detail)
                .with_member("enterprise_id", id.as_str()),
            ServiceError::NotInPool {
                plan_id,
                enterprise_id,
            } => Self::new(ProblemKind::UnknownEnterprise, detail)
                .with_member("plan_id", plan_id)
                .with_member("enterprise_id", enterprise_id.as_str()),
            ServiceError::UnknownGroup(id) => Self::new(
                ProblemKind::UnknownGroup,
                format!("{detail}; `GET /v1/plan-groups` lists those that do"),
            )
            .with_member("group_id", id),
            ServiceError::GroupState {
                group_id,
                state,
                needed,
            } => Self::new(ProblemKind::PlanState, detail)
                .with_member("group_id", group_id)
                .with_member("state", state.as_str())
                .with_member("needed", needed),
            ServiceError::UnknownModel(id) => Self::new(
                ProblemKind::UnknownModel,
                format!("{detail}; `GET /v1/models` lists those that do"),
            )
            .with_member("model_id", id),
            ServiceError::UnknownTable(id) => {
                Self::new(ProblemKind::UnknownTable, detail).with_member("table_id", id)
            }
            ServiceError::UnknownPolicy(id) => Self::new(
                ProblemKind::UnknownPolicy,
                format!("{detail}; `GET /v1/policies` lists those that do"),
            )
            .with_member("policy_id", id),
            ServiceError::ModelState {
                model_id,
                state,
                step: _,
                needed,
            } => Self::new(ProblemKind::ModelState, detail)
                .with_member("model_id", model_id)
                .with_member("state", state.as_str())
                .with_member(
                    "needed",
                    needed
                        .iter()
                        .map(|state| state.as_str())
                        .collect::<Vec<_>>(),
                ),
            ServiceError::GatesBroken { model_id, gates } => {
                Self::new(ProblemKind::RuleViolated, detail)
                    .with_member("model_id", model_id)
                    .with_member("gates", gates)
            }
            ServiceError::PromotionBusy { run_id, model_id } => {
                Self::new(ProblemKind::Conflict, detail)
                    .with_member("job_id", run_id)
                    .with_member("model_id", model_id)
            }
            ServiceError::UnknownJob(id) => Self::new(
                ProblemKind::UnknownJob,
                format!("{detail}; `GET /v1/jobs` lists those that do"),
            )
            .with_member("job_id", id),
            ServiceError::ResultExpired { job_id, expired_at } => {
                Self::new(ProblemKind::ResultExpired, detail)
                    .with_member("job_id", job_id)
                    .with_member("expired_at", instant(expired_at))
            }
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
            ServiceError::UnknownWebhook(id) => Self::new(
                ProblemKind::UnknownWebhook,
                format!("{detail}; `GET /v1/webhooks` lists those that do"),
            )
            .with_member("webhook_id", id),
            ServiceError::Stale { revision } => {
                let problem = Self::new(ProblemKind::PreconditionFailed, detail);
                match revision {
                    Some(revision) => problem.with_member("revision", revision),
                    None => problem,
                }
            }
            ServiceError::StaleRecord {
                source_name,
                record_id,
            } => Self::new(ProblemKind::PreconditionFailed, detail)
                .with_member("source", source_name)
                .with_member("record_id", record_id),
            ServiceError::OtherEpoch { of: _, now } => {
                Self::new(ProblemKind::StaleCursor, detail).with_member("epoch", now.to_string())
            }
            ServiceError::Unconditional { revision } => {
                Self::new(ProblemKind::PreconditionRequired, detail)
                    .with_member("revision", revision)
            }
            ServiceError::Store(StoreError::LogShortened { after, first }) => Self::new(
                ProblemKind::ChangesRemoved,
                format!(
                    "changes {} to {} were removed; read all tiers by `GET /v1/tiers/export`, and go on from a \
                     cursor that was taken before",
                    after + 1,
                    first.saturating_sub(1)
                ),
            )
            .with_member("next_number", first),
            ServiceError::Store(error) if error.is_passing() => Self::of_passing(&error, detail),
            // What is kept does not fit together, which no caller can have caused.
            ServiceError::Draw(
                DrawError::Plan(_) | DrawError::Pool(_) | DrawError::PoolDigest { .. },
            )
            | ServiceError::Frame(_)
            | ServiceError::Files(_)
            | ServiceError::Verify(_)
            | ServiceError::Models(_)
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

    /// The store is away, busy or full.
    fn of_passing(error: &StoreError, cause: String) -> Self {
        let detail = match error {
            StoreError::CommitUnknown(_) => {
                "the connection to the register was lost while the change was kept, so it is either wholly there or not \
                 at all; read it back, or repeat the request, which changes nothing twice"
            }
            _ => {
                "the register cannot be read or written just now; repeat the request a little later"
            }
        };
        Self::new(ProblemKind::Unavailable, detail)
            .with_header(RETRY_AFTER, RETRY_AFTER_SECONDS)
            .with_cause(cause)
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
            AllocationError::Contradiction { stratum, .. }
            | AllocationError::NoPrediction { stratum, .. } => problem
                .with_item(item("/allocation/strata", None))
                .with_member("stratum", stratum.as_str()),
            AllocationError::OutOfReach { bound, .. }
            | AllocationError::NothingToEstimate { bound } => problem
                .with_item(item("/allocation/precision", None))
                .with_member("bound", bound.as_str()),
            AllocationError::NoSolution => problem.with_item(item("/allocation/precision", None)),
            AllocationError::BoundsNeedMore { .. } | AllocationError::BoundsAllowLess { .. } => {
                problem.with_item(item("/allocation/strata", None))
            }
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
    #[test]
    fn a_store_that_fails_tells_the_caller_nothing() {
        let failed = ServiceError::Store(StoreError::Aborted("disk full at /var/lib".to_owned()));
        let problem = Problem::from(failed);
        assert_eq!(problem.kind(), ProblemKind::Internal);
        assert!(!problem.to_string().contains("disk"));
        assert_eq!(problem.cause(), Some("disk full at /var/lib"));
    }

    #[test]
    fn a_store_that_is_away_or_full_says_when_to_try_again() {
        for passing in [
            StoreError::Busy { seconds: 30 },
            StoreError::Full {
                cause: Box::new(StoreError::Aborted("disk at /var/lib".to_owned())),
            },
        ] {
            let problem = Problem::from(ServiceError::Store(passing));
            assert_eq!(problem.kind(), ProblemKind::Unavailable);
            assert!(!problem.to_string().contains("disk"));
            let response = problem.render(crate::api::Language::English, None);
            assert_eq!(response.headers().get(RETRY_AFTER).unwrap(), "5");
        }
    }

    #[test]
    fn a_wrong_field_is_named_by_its_pointer() {
        let field = FieldError::new("period.to", "2026-02-30", "is not a day of the calendar");
        let item = field_item("/records/3", field);
        assert_eq!(item.pointer.as_deref(), Some("/records/3/period/to"));
        assert_eq!(item.value.as_deref(), Some("2026-02-30"));
    }
}
