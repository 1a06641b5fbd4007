//! The steps of a plan: freeze, draw, close, void, verify, and what became of each.

use actix_web::web::{Data, Json, Path};
use actix_web::{get, post};

use crate::api::dto::page::Page;
use crate::api::dto::plan_events::PlanEventAnswer;
use crate::api::dto::plan_input::{DrawInput, StepInput, VoidInput, asker};
use crate::api::dto::plan_results::VerificationAnswer;
use crate::api::dto::plans::PlanAnswer;
use crate::api::examples;
use crate::api::extract::Body;
use crate::api::optional::{NoQuery, OptionalBody};
use crate::api::problem::{Problem, field_item};
use crate::api::responses::{ReadProblems, StateProblems, StepProblems};
use crate::api::state::AppState;
use crate::domain::{FieldError, Label};

/// Who asks for a step, where that is said.
pub(super) fn asked_by(by: Option<&str>) -> Result<Option<Label>, Problem> {
    asker(by).map_err(invalid)
}

fn invalid(error: FieldError) -> Problem {
    Problem::invalid_fields([field_item("", error)])
}

/// Freeze a draft
///
/// Fixes pool, targets and commitments under the next consecutive number. From now on nothing of it changes.
#[utoipa::path(
    operation_id = "freeze_plan",
    tag = "plans",
    params(("plan_id" = String, Path, description = "Id of the plan",
        example = "rtp1-0123456789abcdef0123456789abcdef")),
    request_body(content = Option<StepInput>, description = "May be left out", example = json!({"by": "officer-17"})),
    responses(
        (status = 200, description = "The frozen plan", body = PlanAnswer, example = json!(examples::plan("frozen"))),
        StepProblems
    )
)]
#[post("/v1/plans/{plan_id}/freeze")]
pub(crate) async fn freeze_plan(
    state: Data<AppState>,
    plan_id: Path<String>,
    _query: NoQuery,
    body: OptionalBody<StepInput>,
) -> Result<Json<PlanAnswer>, Problem> {
    let by = asked_by(body.0.by.as_deref())?;
    let plan = state
        .run(move |service| service.freeze_plan_by(&plan_id, by.as_ref()))
        .await?;
    Ok(Json(plan.into()))
}

/// Draw a frozen plan
///
/// Opens the contributions and draws the sample. The server's own contribution is opened by itself.
#[utoipa::path(
    operation_id = "draw_plan",
    tag = "plans",
    params(("plan_id" = String, Path, description = "Id of the plan",
        example = "rtp1-0123456789abcdef0123456789abcdef")),
    request_body(content = Option<DrawInput>, description = "May be left out where nobody else contributes",
        example = json!({"contributions": [{"name": "lottery", "value": "3,8,15,21,30,33"}]})),
    responses(
        (status = 200, description = "The drawn plan", body = PlanAnswer, example = json!(examples::plan("drawn"))),
        StepProblems
    )
)]
#[post("/v1/plans/{plan_id}/draw")]
pub(crate) async fn draw_plan(
    state: Data<AppState>,
    plan_id: Path<String>,
    _query: NoQuery,
    body: OptionalBody<DrawInput>,
) -> Result<Json<PlanAnswer>, Problem> {
    let by = asked_by(body.0.by.as_deref())?;
    let opened = body.0.parse().map_err(invalid)?;
    let plan = state
        .run(move |service| service.draw_plan_by(&plan_id, opened, by.as_ref()))
        .await?;
    Ok(Json(plan.into()))
}

/// Close a drawn plan
///
/// Makes its transcript final and chains it to the plan closed before it.
#[utoipa::path(
    operation_id = "close_plan",
    tag = "plans",
    params(("plan_id" = String, Path, description = "Id of the plan",
        example = "rtp1-0123456789abcdef0123456789abcdef")),
    request_body(content = Option<StepInput>, description = "May be left out", example = json!({"by": "officer-17"})),
    responses(
        (status = 200, description = "The closed plan", body = PlanAnswer, example = json!(examples::plan("closed"))),
        StepProblems
    )
)]
#[post("/v1/plans/{plan_id}/close")]
pub(crate) async fn close_plan(
    state: Data<AppState>,
    plan_id: Path<String>,
    _query: NoQuery,
    body: OptionalBody<StepInput>,
) -> Result<Json<PlanAnswer>, Problem> {
    let by = asked_by(body.0.by.as_deref())?;
    let plan = state
        .run(move |service| service.close_plan_by(&plan_id, by.as_ref()))
        .await?;
    Ok(Json(plan.into()))
}

/// Give up a plan
///
/// A plan that is not closed; it stays visible with its reason.
#[utoipa::path(
    operation_id = "void_plan",
    tag = "plans",
    params(("plan_id" = String, Path, description = "Id of the plan",
        example = "rtp1-0123456789abcdef0123456789abcdef")),
    request_body(content = VoidInput, example = json!({"reason": "the division was merged"})),
    responses(
        (status = 200, description = "The plan, given up", body = PlanAnswer, example = json!(examples::plan("void"))),
        StepProblems
    )
)]
#[post("/v1/plans/{plan_id}/void")]
pub(crate) async fn void_plan(
    state: Data<AppState>,
    plan_id: Path<String>,
    _query: NoQuery,
    body: Body<VoidInput>,
) -> Result<Json<PlanAnswer>, Problem> {
    let by = asked_by(body.0.by.as_deref())?;
    let plan = state
        .run(move |service| service.void_plan_by(&plan_id, &body.0.reason, by.as_ref()))
        .await?;
    Ok(Json(plan.into()))
}

/// Verify a closed plan
///
/// Draws again from its own transcript and pool and compares everything that is recorded.
#[utoipa::path(
    operation_id = "verify_plan",
    tag = "plans",
    params(("plan_id" = String, Path, description = "Id of the plan",
        example = "rtp1-0123456789abcdef0123456789abcdef")),
    responses(
        (status = 200, description = "What was found", body = VerificationAnswer, example = json!({"same": true, "edition": "auditor", "checks": [
            {"name": "sample_digest", "outcome": "same"}]})),
        StateProblems
    )
)]
#[post("/v1/plans/{plan_id}/verify")]
pub(crate) async fn verify_plan(
    state: Data<AppState>,
    plan_id: Path<String>,
    _query: NoQuery,
) -> Result<Json<VerificationAnswer>, Problem> {
    let verification = state
        .run(move |service| service.verify_plan(&plan_id))
        .await?;
    Ok(Json(verification.into()))
}

/// What happened to a plan
///
/// Every step that was taken and every one that was refused, with when, why and who asked: an attempt to draw before the
/// freeze or twice, to open another value, to freeze again what is frozen. Refused steps are kept for good; they are no part
/// of the transcript.
#[utoipa::path(
    operation_id = "list_plan_history",
    tag = "plans",
    params(("plan_id" = String, Path, description = "Id of the plan",
        example = "rtp1-0123456789abcdef0123456789abcdef")),
    responses(
        (status = 200, description = "The steps, whole, in order of time", body = Page<PlanEventAnswer>,
            example = json!({"items": [{"at": "2026-11-22T08:05:00Z", "step": "draft", "refused": false},
                {"at": "2026-11-22T08:06:00Z", "step": "draw", "refused": true, "by": "officer-17",
                "reason": "plan `rtp1-0123456789abcdef0123456789abcdef` is draft; this step needs it to be frozen"}]})),
        ReadProblems
    )
)]
#[get("/v1/plans/{plan_id}/history")]
pub(crate) async fn list_plan_history(
    state: Data<AppState>,
    plan_id: Path<String>,
    _query: NoQuery,
) -> Result<Json<Page<PlanEventAnswer>>, Problem> {
    let events = state
        .run(move |service| service.plan_events(&plan_id))
        .await?;
    let events = events.into_iter().map(Into::into);
    Ok(Json(Page::whole(events.collect())))
}
