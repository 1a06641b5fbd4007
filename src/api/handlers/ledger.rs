//! The ledger of visits.

use actix_web::web::{Data, Json, Path, Query};
use actix_web::{HttpResponse, get, post};

use super::enterprises::id_of_path;
use crate::api::cursor::{List, page_limit};
use crate::api::dto::ledger::{
    EnterpriseLedgerAnswer, LedgerDoneInput, LedgerQuery, LedgerSummaryAnswer, LedgerVisitAnswer,
    VisitsEntered, VisitsInput, YearQuery,
};
use crate::api::dto::page::Page;
use crate::api::examples;
use crate::api::extract::Body;
use crate::api::optional::NoQuery;
use crate::api::problem::{Problem, ProblemKind, field_item};
use crate::api::responses::{ChangeProblems, ListProblems, ReadProblems, StepProblems};
use crate::api::state::AppState;
use crate::domain::{FieldError, field};
use crate::service::LedgerFilter;

/// Enter visits outside the plans
///
/// All or none. Each with one of the ten reasons: such visits are counted, and no cap binds them.
#[utoipa::path(
    operation_id = "enter_visits",
    tag = "ledger",
    request_body(content = VisitsInput, example = json!({"visits": [{"enterprise_id": examples::ENTERPRISE_ID,
        "visited_on": "2026-11-20", "reason": "complaint", "departments": ["market-regulation"]}]})),
    responses(
        (status = 201, description = "They are entered", body = VisitsEntered,
            example = json!({"visits": [examples::exempt_visit()]})),
        ChangeProblems
    )
)]
#[post("/v1/ledger")]
pub(crate) async fn enter_visits(
    state: Data<AppState>,
    _query: NoQuery,
    body: Body<VisitsInput>,
) -> Result<HttpResponse, Problem> {
    let visits = body
        .0
        .parse()
        .map_err(|error| Problem::invalid_fields([field_item("", error)]))?;
    let entered = state
        .run(move |service| service.enter_visits(visits))
        .await?;
    Ok(HttpResponse::Created().json(VisitsEntered {
        visits: entered.into_iter().map(Into::into).collect(),
    }))
}

/// Note that a planned visit took place
///
/// The same call again corrects the day. The gap to other visits counts from this day on, and no longer from the end of
/// the window.
#[utoipa::path(
    operation_id = "note_visit",
    tag = "ledger",
    params(("visit_no" = u64, Path, description = "Number of the visit", example = 17)),
    request_body(content = LedgerDoneInput, example = json!({"visited_on": "2027-02-11", "by": "officer-17"})),
    responses(
        (status = 200, description = "It is noted", body = LedgerVisitAnswer, example = json!(examples::ledger_visit("done"))),
        StepProblems
    )
)]
#[post("/v1/ledger/visits/{visit_no}/done")]
pub(crate) async fn note_visit(
    state: Data<AppState>,
    visit_no: Path<String>,
    _query: NoQuery,
    body: Body<LedgerDoneInput>,
) -> Result<Json<LedgerVisitAnswer>, Problem> {
    let number = field::number("visit_no", &visit_no)
        .map_err(|error| Problem::invalid_parameter(ProblemKind::InvalidPath, error))?;
    let (visited_on, by) = body
        .0
        .parse()
        .map_err(|error| Problem::invalid_fields([field_item("", error)]))?;
    let visit = state
        .run(move |service| service.note_visit(number, visited_on, by))
        .await?;
    Ok(Json(visit.into()))
}

/// Visits, latest entry first
#[utoipa::path(
    operation_id = "list_visits",
    tag = "ledger",
    params(LedgerQuery),
    responses(
        (status = 200, description = "A page of visits", body = Page<LedgerVisitAnswer>,
            example = json!({"items": [examples::ledger_visit("planned")]})),
        ListProblems
    )
)]
#[get("/v1/ledger")]
pub(crate) async fn list_visits(
    state: Data<AppState>,
    query: Query<LedgerQuery>,
) -> Result<Json<Page<LedgerVisitAnswer>>, Problem> {
    let LedgerQuery {
        year,
        kind,
        state: visit_state,
        plan_id,
        cursor,
        limit,
    } = query.into_inner();
    let limit = page_limit(&state.settings.limits, limit)?;
    let filter = LedgerFilter {
        year,
        kind: kind.map(Into::into),
        state: visit_state.map(Into::into),
        plan_id,
    };
    let named = format!("{filter:?}");
    let list = List {
        name: "visits",
        filter: &named,
    };
    let before = list.place(cursor.as_deref())?;
    let before = before.map(|number| number.parse::<u64>()).transpose();
    let before = before.map_err(|_| {
        let error = FieldError::new("cursor", "", "is damaged; start without a cursor");
        Problem::invalid_parameter(ProblemKind::InvalidCursor, error)
    })?;
    let found = state
        .run(move |service| service.visits(&filter, before, limit + 1))
        .await?;
    Ok(Json(
        list.page(found, limit, |visit| visit.visit_no.to_string()),
    ))
}

/// A year of the ledger in numbers
///
/// Repeat rate, share of joint visits, and the region-wide rate of general visits against the policy's floor and ceiling.
#[utoipa::path(
    operation_id = "get_ledger_summary",
    tag = "ledger",
    params(YearQuery),
    responses(
        (status = 200, description = "The year", body = LedgerSummaryAnswer,
            example = json!(examples::ledger_summary())),
        ListProblems
    )
)]
#[get("/v1/ledger/summary")]
pub(crate) async fn get_ledger_summary(
    state: Data<AppState>,
    query: Query<YearQuery>,
) -> Result<Json<LedgerSummaryAnswer>, Problem> {
    let year = query.year;
    let summary = state
        .run(move |service| service.ledger_summary(year))
        .await?;
    Ok(Json(summary.into()))
}

/// The visits to one enterprise
///
/// How often it was disturbed, by whom, and why.
#[utoipa::path(
    operation_id = "get_enterprise_ledger",
    tag = "ledger",
    params(("enterprise_id" = String, Path, description = "Id of the enterprise", example = "91990000MA00000017")),
    responses(
        (status = 200, description = "Its visits", body = EnterpriseLedgerAnswer,
            example = json!(examples::enterprise_ledger())),
        ReadProblems
    )
)]
#[get("/v1/ledger/{enterprise_id}")]
pub(crate) async fn get_enterprise_ledger(
    state: Data<AppState>,
    enterprise_id: Path<String>,
    _query: NoQuery,
) -> Result<Json<EnterpriseLedgerAnswer>, Problem> {
    let id = id_of_path(&enterprise_id)?;
    let ledger = state
        .run(move |service| service.enterprise_ledger(&id))
        .await?;
    Ok(Json(ledger.into()))
}
