//! Plans: preview, draft, list, read.

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{HttpResponse, get, post};

use crate::api::cursor::{List, page_limit};
use crate::api::dto::page::{Page, PageQuery};
use crate::api::dto::plan_input::{DrawWhen, PlanInput};
use crate::api::dto::plan_results::{PlanPreview, StratumAnswer};
use crate::api::dto::plans::{PlanAnswer, PlanListItem};
use crate::api::examples;
use crate::api::extract::Body;
use crate::api::optional::NoQuery;
use crate::api::problem::{Problem, ProblemItem, field_item};
use crate::api::responses::{ListProblems, ReadProblems, StepProblems};
use crate::api::state::AppState;
use crate::domain::FieldError;
use crate::service::PlanRequest;

fn parse(input: PlanInput) -> Result<PlanRequest, Problem> {
    input.parse().map_err(invalid)
}

fn invalid(error: FieldError) -> Problem {
    Problem::invalid_fields([field_item("", error)])
}

/// Show what a plan would do
///
/// Targets, rates, load by division and every bound that is touched; nothing is kept, nothing is drawn.
#[utoipa::path(
    operation_id = "preview_plan",
    tag = "plans",
    request_body(content = PlanInput, example = json!(examples::plan_input())),
    responses(
        (status = 200, description = "What the plan would do", body = PlanPreview,
            example = json!(examples::preview())),
        StepProblems
    )
)]
#[post("/v1/plans/preview")]
pub(crate) async fn preview_plan(
    state: Data<AppState>,
    _query: NoQuery,
    body: Body<PlanInput>,
) -> Result<Json<PlanPreview>, Problem> {
    let input = body.0;
    if input.draw.is_some() {
        return Err(Problem::invalid_fields([ProblemItem {
            pointer: Some("/draw".to_owned()),
            detail: "does not go with a preview, which draws nothing; leave it out".to_owned(),
            ..ProblemItem::default()
        }]));
    }
    let request = parse(input)?;
    let preview = state
        .run(move |service| service.preview_plan(&request))
        .await?;
    Ok(Json(preview.into()))
}

/// Make a plan
///
/// A draft, which can be frozen, drawn and closed step by step; or with `"draw": "now"` all steps at once.
#[utoipa::path(
    operation_id = "create_plan",
    tag = "plans",
    request_body(content = PlanInput, example = json!(examples::plan_input())),
    responses(
        (status = 201, description = "The plan",
            headers(("location" = String, description = "Path of the plan")),
            body = PlanAnswer, example = json!(examples::plan("draft"))),
        StepProblems
    )
)]
#[post("/v1/plans")]
pub(crate) async fn create_plan(
    state: Data<AppState>,
    _query: NoQuery,
    body: Body<PlanInput>,
) -> Result<HttpResponse, Problem> {
    let input = body.0;
    let draw = input.draw;
    let request = parse(input)?;
    let plan = state
        .run(move |service| match draw {
            None => service.draft_plan(request),
            Some(DrawWhen::Now) => service.draw_plan_now(request),
        })
        .await?;
    let plan = PlanAnswer::from(plan);
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/plans/{}", plan.plan_id)))
        .json(plan))
}

/// Plans, latest first
#[utoipa::path(
    operation_id = "list_plans",
    tag = "plans",
    params(PageQuery),
    responses(
        (status = 200, description = "A page of plans", body = Page<PlanListItem>,
            example = json!(examples::plan_list())),
        ListProblems
    )
)]
#[get("/v1/plans")]
pub(crate) async fn list_plans(
    state: Data<AppState>,
    query: Query<PageQuery>,
) -> Result<Json<Page<PlanListItem>>, Problem> {
    let limit = page_limit(&state.settings.limits, query.limit)?;
    let list = List {
        name: "plans",
        filter: "",
    };
    let before = list.place(query.cursor.as_deref())?;
    let found = state
        .run(move |service| service.plans(before.as_deref(), limit + 1))
        .await?;
    Ok(Json(list.page(found, limit, |plan| plan.plan_id.clone())))
}

/// One plan
#[utoipa::path(
    operation_id = "get_plan",
    tag = "plans",
    params(("plan_id" = String, Path, description = "Id of the plan",
        example = "rtp1-0123456789abcdef0123456789abcdef")),
    responses(
        (status = 200, description = "The plan", body = PlanAnswer, example = json!(examples::plan("closed"))),
        ReadProblems
    )
)]
#[get("/v1/plans/{plan_id}")]
pub(crate) async fn get_plan(
    state: Data<AppState>,
    plan_id: Path<String>,
    _query: NoQuery,
) -> Result<Json<PlanAnswer>, Problem> {
    let plan = state.run(move |service| service.plan(&plan_id)).await?;
    Ok(Json(plan.into()))
}

/// The strata of a plan
///
/// Internal: they show tiers and rates.
#[utoipa::path(
    operation_id = "list_plan_strata",
    tag = "plans",
    params(("plan_id" = String, Path, description = "Id of the plan",
        example = "rtp1-0123456789abcdef0123456789abcdef")),
    responses(
        (status = 200, description = "The strata, whole, in order of key", body = Page<StratumAnswer>,
            example = json!({"items": [examples::stratum()]})),
        ReadProblems
    )
)]
#[get("/v1/plans/{plan_id}/strata")]
pub(crate) async fn list_plan_strata(
    state: Data<AppState>,
    plan_id: Path<String>,
    _query: NoQuery,
) -> Result<Json<Page<StratumAnswer>>, Problem> {
    let plan = state.run(move |service| service.plan(&plan_id)).await?;
    Ok(Json(Page::whole(PlanPreview::from(plan.preview).strata)))
}
