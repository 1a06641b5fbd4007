//! Coordinated groups of plans: make, seal, open, give up, read.

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{HttpResponse, get, post};

use crate::api::cursor::{List, page_limit};
use crate::api::dto::page::{Page, PageQuery};
use crate::api::dto::plan_events::PlanEventAnswer;
use crate::api::dto::plan_groups::{GroupAnswer, GroupInput};
use crate::api::dto::plan_input::{DrawInput, StepInput, VoidInput};
use crate::api::dto::plans::PlanListItem;
use crate::api::examples;
use crate::api::extract::Body;
use crate::api::optional::{NoQuery, OptionalBody};
use crate::api::problem::{Problem, field_item};
use crate::api::responses::{ConflictProblems, ListProblems, ReadProblems, StepProblems};
use crate::api::state::AppState;

use super::plan_steps::asked_by;

/// Make a coordinated group
///
/// Its plans will carry the same contributions and hash, so that every object has the same ticket in all of them and
/// their samples overlap as far as they can. Draft plans with `group`, freeze them one by one, seal the group, open its
/// contributions, then draw the plans.
#[utoipa::path(
    operation_id = "create_plan_group",
    tag = "plan groups",
    request_body(content = GroupInput, example = json!({"group_id": "2027-q1", "title": "Joint checks, first quarter"})),
    responses(
        (status = 201, description = "The group",
            headers(("location" = String, description = "Path of the group")),
            body = GroupAnswer, example = json!(examples::plan_group("forming"))),
        ConflictProblems
    )
)]
#[post("/v1/plan-groups")]
pub(crate) async fn create_plan_group(
    state: Data<AppState>,
    _query: NoQuery,
    body: Body<GroupInput>,
) -> Result<HttpResponse, Problem> {
    let request = body
        .0
        .parse()
        .map_err(|error| Problem::invalid_fields([field_item("", error)]))?;
    let group = state
        .run(move |service| service.create_group(request))
        .await?;
    let group = GroupAnswer::from(group);
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/plan-groups/{}", group.group_id)))
        .json(group))
}

/// Coordinated groups, latest first
#[utoipa::path(
    operation_id = "list_plan_groups",
    tag = "plan groups",
    params(PageQuery),
    responses(
        (status = 200, description = "A page of groups", body = Page<GroupAnswer>,
            example = json!({"items": [examples::plan_group("opened")]})),
        ListProblems
    )
)]
#[get("/v1/plan-groups")]
pub(crate) async fn list_plan_groups(
    state: Data<AppState>,
    query: Query<PageQuery>,
) -> Result<Json<Page<GroupAnswer>>, Problem> {
    let limit = page_limit(&state.settings.limits, query.limit)?;
    let list = List {
        name: "plan-groups",
        filter: "",
    };
    let before = list.place(query.cursor.as_deref())?;
    let found = state
        .run(move |service| service.groups(before.as_deref(), limit + 1))
        .await?;
    Ok(Json(
        list.page(found, limit, |group| group.group_id.clone()),
    ))
}

/// One coordinated group
#[utoipa::path(
    operation_id = "get_plan_group",
    tag = "plan groups",
    params(("group_id" = String, Path, description = "Id of the group", example = "2027-q1")),
    responses(
        (status = 200, description = "The group", body = GroupAnswer, example = json!(examples::plan_group("opened"))),
        ReadProblems
    )
)]
#[get("/v1/plan-groups/{group_id}")]
pub(crate) async fn get_plan_group(
    state: Data<AppState>,
    group_id: Path<String>,
    _query: NoQuery,
) -> Result<Json<GroupAnswer>, Problem> {
    let group = state.run(move |service| service.group(&group_id)).await?;
    Ok(Json(group.into()))
}

/// The plans of a coordinated group
///
/// In any state, in the order in which they were drafted.
#[utoipa::path(
    operation_id = "list_plan_group_plans",
    tag = "plan groups",
    params(("group_id" = String, Path, description = "Id of the group", example = "2027-q1")),
    responses(
        (status = 200, description = "The plans, whole", body = Page<PlanListItem>, example = json!(examples::plan_list())),
        ReadProblems
    )
)]
#[get("/v1/plan-groups/{group_id}/plans")]
pub(crate) async fn list_plan_group_plans(
    state: Data<AppState>,
    group_id: Path<String>,
    _query: NoQuery,
) -> Result<Json<Page<PlanListItem>>, Problem> {
    let plans = state
        .run(move |service| service.plans_of_group(&group_id))
        .await?;
    Ok(Json(Page::whole(
        plans.into_iter().map(Into::into).collect(),
    )))
}

/// Seal a coordinated group
///
/// Its last plan is frozen, and it takes no more. Refused while a plan of it is a draft.
#[utoipa::path(
    operation_id = "seal_plan_group",
    tag = "plan groups",
    params(("group_id" = String, Path, description = "Id of the group", example = "2027-q1")),
    request_body(content = Option<StepInput>, description = "May be left out", example = json!({"by": "officer-17"})),
    responses(
        (status = 200, description = "The sealed group", body = GroupAnswer, example = json!(examples::plan_group("sealed"))),
        StepProblems
    )
)]
#[post("/v1/plan-groups/{group_id}/seal")]
pub(crate) async fn seal_plan_group(
    state: Data<AppState>,
    group_id: Path<String>,
    _query: NoQuery,
    body: OptionalBody<StepInput>,
) -> Result<Json<GroupAnswer>, Problem> {
    let by = asked_by(body.0.by.as_deref())?;
    let group = state
        .run(move |service| service.seal_group_by(&group_id, by.as_ref()))
        .await?;
    Ok(Json(group.into()))
}

/// Open the contributions of a sealed group
///
/// Once, for all of its plans. The server's own contribution is opened by itself; no value is shown before the
/// transcripts.
#[utoipa::path(
    operation_id = "open_plan_group",
    tag = "plan groups",
    params(("group_id" = String, Path, description = "Id of the group", example = "2027-q1")),
    request_body(content = Option<DrawInput>, description = "May be left out where nobody else contributes",
        example = json!({"contributions": [{"name": "lottery", "value": "3,8,15,21,30,33"}]})),
    responses(
        (status = 200, description = "The opened group", body = GroupAnswer, example = json!(examples::plan_group("opened"))),
        StepProblems
    )
)]
#[post("/v1/plan-groups/{group_id}/open")]
pub(crate) async fn open_plan_group(
    state: Data<AppState>,
    group_id: Path<String>,
    _query: NoQuery,
    body: OptionalBody<DrawInput>,
) -> Result<Json<GroupAnswer>, Problem> {
    let by = asked_by(body.0.by.as_deref())?;
    let opened = body
        .0
        .parse()
        .map_err(|error| Problem::invalid_fields([field_item("", error)]))?;
    let group = state
        .run(move |service| service.open_group_by(&group_id, opened, by.as_ref()))
        .await?;
    Ok(Json(group.into()))
}

/// Give up a coordinated group
///
/// A group that is not opened and whose plans are all given up; it stays visible with its reason.
#[utoipa::path(
    operation_id = "void_plan_group",
    tag = "plan groups",
    params(("group_id" = String, Path, description = "Id of the group", example = "2027-q1")),
    request_body(content = VoidInput, example = json!({"reason": "the division was merged"})),
    responses(
        (status = 200, description = "The group, given up", body = GroupAnswer, example = json!(examples::plan_group("void"))),
        StepProblems
    )
)]
#[post("/v1/plan-groups/{group_id}/void")]
pub(crate) async fn void_plan_group(
    state: Data<AppState>,
    group_id: Path<String>,
    _query: NoQuery,
    body: Body<VoidInput>,
) -> Result<Json<GroupAnswer>, Problem> {
    let by = asked_by(body.0.by.as_deref())?;
    let group = state
        .run(move |service| service.void_group_by(&group_id, &body.0.reason, by.as_ref()))
        .await?;
    Ok(Json(group.into()))
}

/// What happened to a coordinated group
///
/// Every step that was taken and every one that was refused; what happened to its plans they tell themselves.
#[utoipa::path(
    operation_id = "list_plan_group_history",
    tag = "plan groups",
    params(("group_id" = String, Path, description = "Id of the group", example = "2027-q1")),
    responses(
        (status = 200, description = "The steps, whole, in order of time", body = Page<PlanEventAnswer>,
            example = json!({"items": [{"at": "2026-11-22T08:05:00Z", "step": "draft", "refused": false},
                {"at": "2026-11-22T08:06:00Z", "step": "open", "refused": true,
                "reason": "group `2027-q1` is forming; this step needs it to be sealed"}]})),
        ReadProblems
    )
)]
#[get("/v1/plan-groups/{group_id}/history")]
pub(crate) async fn list_plan_group_history(
    state: Data<AppState>,
    group_id: Path<String>,
    _query: NoQuery,
) -> Result<Json<Page<PlanEventAnswer>>, Problem> {
    let events = state
        .run(move |service| service.group_events(&group_id))
        .await?;
    let events = events.into_iter().map(Into::into);
    Ok(Json(Page::whole(events.collect())))
}
