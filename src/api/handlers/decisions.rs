//! Overrides of tiers, merges of ids, and the acts of persons.

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{HttpResponse, delete, get, post};

use super::enterprises::id_of_path;
use crate::api::cursor::{List, page_limit};
use crate::api::dto::decisions::{
    ApprovalInput, MergeAnswer, MergeInput, OverrideAnswer, OverrideEndInput, OverrideInput,
    OverrideQuery,
};
use crate::api::dto::page::{Page, PageQuery};
use crate::api::dto::persons::{ActAnswer, PersonInput};
use crate::api::examples;
use crate::api::extract::Body;
use crate::api::optional::NoQuery;
use crate::api::problem::{Problem, ProblemKind, field_item};
use crate::api::responses::{ListProblems, ReadProblems, StepProblems};
use crate::api::state::AppState;
use crate::domain::{FieldError, field};

/// A field of the body that is wrong.
pub(super) fn wrong(error: FieldError) -> Problem {
    Problem::invalid_fields([field_item("", error)])
}

/// Propose an override of a tier
///
/// Nothing changes until another person approves it. It needs a reason and an end, and reaches no past day. An enterprise
/// has one proposal at a time.
#[utoipa::path(
    operation_id = "propose_override",
    tag = "tiers",
    params(("id" = String, Path, description = "Id of the enterprise", example = "91990000MA00000017",
        min_length = 1, max_length = 64, pattern = r"^[^\s/\x00-\x1f\x7f-\x9f]+$")),
    request_body(content = OverrideInput, example = json!({"tier": "D", "expires_on": "2027-01-31",
        "by": "officer-17", "reason": "food-safety incident under investigation"})),
    responses(
        (status = 201, description = "It is proposed", body = OverrideAnswer,
            example = json!(examples::override_of("proposed"))),
        StepProblems
    )
)]
#[post("/v1/enterprises/{id}/tier/override")]
pub(crate) async fn propose_override(
    state: Data<AppState>,
    id: Path<String>,
    _query: NoQuery,
    body: Body<OverrideInput>,
) -> Result<HttpResponse, Problem> {
    let id = id_of_path(&id)?;
    let proposal = body.0.parse().map_err(wrong)?;
    let proposed = state.service.propose_override(id, proposal).await?;
    let answer = OverrideAnswer::on(state.service.today(), proposed);
    Ok(HttpResponse::Created().json(answer))
}

/// Approve an override
///
/// By another person than the one who proposed it. From its first day on the tier is set, at once if that day has come.
#[utoipa::path(
    operation_id = "approve_override",
    tag = "tiers",
    params(("id" = String, Path, description = "Id of the enterprise", example = "91990000MA00000017",
        min_length = 1, max_length = 64, pattern = r"^[^\s/\x00-\x1f\x7f-\x9f]+$")),
    request_body(content = ApprovalInput,
        example = json!({"override_id": examples::OVERRIDE_ID, "by": "officer-23"})),
    responses(
        (status = 200, description = "It is approved", body = OverrideAnswer,
            example = json!(examples::override_of("approved"))),
        StepProblems
    )
)]
#[post("/v1/enterprises/{id}/tier/override/approve")]
pub(crate) async fn approve_override(
    state: Data<AppState>,
    id: Path<String>,
    _query: NoQuery,
    body: Body<ApprovalInput>,
) -> Result<Json<OverrideAnswer>, Problem> {
    let id = id_of_path(&id)?;
    let by = body.0.person().map_err(wrong)?;
    let approved = state
        .service
        .approve_override(id, body.0.override_id, by)
        .await?;
    Ok(Json(OverrideAnswer::on(state.service.today(), approved)))
}

/// End an override
///
/// From the present day on it does not count; a proposal is taken back. Earlier days stay as they were.
#[utoipa::path(
    operation_id = "end_override",
    tag = "tiers",
    params(("id" = String, Path, description = "Id of the enterprise", example = "91990000MA00000017",
        min_length = 1, max_length = 64, pattern = r"^[^\s/\x00-\x1f\x7f-\x9f]+$")),
    request_body(content = OverrideEndInput,
        example = json!({"by": "officer-17", "reason": "the investigation is over"})),
    responses(
        (status = 200, description = "It is ended", body = OverrideAnswer,
            example = json!(examples::override_of("ended"))),
        StepProblems
    )
)]
#[delete("/v1/enterprises/{id}/tier/override")]
pub(crate) async fn end_override(
    state: Data<AppState>,
    id: Path<String>,
    _query: NoQuery,
    body: Body<OverrideEndInput>,
) -> Result<Json<OverrideAnswer>, Problem> {
    let id = id_of_path(&id)?;
    let person = body.0.person().map_err(wrong)?;
    let ended = state
        .service
        .end_override(id, body.0.override_id, person)
        .await?;
    Ok(Json(OverrideAnswer::on(state.service.today(), ended)))
}

/// Overrides in the order in which they were proposed
#[utoipa::path(
    operation_id = "list_overrides",
    tag = "tiers",
    params(OverrideQuery),
    responses(
        (status = 200, description = "A page of overrides", body = Page<OverrideAnswer>,
            example = json!({"items": [examples::override_of("approved")]})),
        ListProblems
    )
)]
#[get("/v1/overrides")]
pub(crate) async fn list_overrides(
    state: Data<AppState>,
    query: Query<OverrideQuery>,
) -> Result<Json<Page<OverrideAnswer>>, Problem> {
    let OverrideQuery {
        state: wanted,
        cursor,
        limit,
    } = query.into_inner();
    let limit = page_limit(&state.settings.limits, limit)?;
    let filter = format!("{wanted:?}");
    let list = List {
        name: "overrides",
        filter: &filter,
    };
    let after = list.place(cursor.as_deref())?;
    let wanted = wanted.map(Into::into);
    let found = state
        .run(move |service| service.overrides(wanted, after.as_deref(), limit + 1))
        .await?;
    let today = state.service.today();
    let page = list.page(found, limit, |one| one.override_id.clone());
    Ok(Json(page.map(|one| OverrideAnswer::on(today, one))))
}

/// Merge an id into another
///
/// For an enterprise whose code changed: from that day on its records count for the successor, look-ups of the old id
/// answer with the successor's tier and say so (`merged_into`), and frames hold only the successor. Nothing is moved, so
/// a merge can be undone.
#[utoipa::path(
    operation_id = "merge_enterprise",
    tag = "enterprises",
    params(("id" = String, Path, description = "The id that is merged", example = "91990000MA00000017",
        min_length = 1, max_length = 64, pattern = r"^[^\s/\x00-\x1f\x7f-\x9f]+$")),
    request_body(content = MergeInput, example = json!({"into_id": "91990000MA00000025",
        "by": "officer-17", "reason": "the credit code changed"})),
    responses(
        (status = 201, description = "It is merged",
            headers(("location" = String, description = "Path of the merges of the id")),
            body = MergeAnswer, example = json!(examples::merge())),
        StepProblems
    )
)]
#[post("/v1/enterprises/{id}/merge")]
pub(crate) async fn merge_enterprise(
    state: Data<AppState>,
    id: Path<String>,
    _query: NoQuery,
    body: Body<MergeInput>,
) -> Result<HttpResponse, Problem> {
    let id = id_of_path(&id)?;
    let (into_id, from_on, person) = body.0.parse().map_err(wrong)?;
    let location = format!(
        "/v1/enterprises/{}/merges",
        super::enterprises::escaped(id.as_str())
    );
    let merge = state
        .service
        .merge_enterprise(id, into_id, from_on, person)
        .await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, location))
        .json(MergeAnswer::from(merge)))
}

/// Undo a merge
///
/// From the present day on the id stands for itself again; earlier days stay as they were.
#[utoipa::path(
    operation_id = "undo_merge",
    tag = "enterprises",
    params(("id" = String, Path, description = "The id that was merged", example = "91990000MA00000017",
        min_length = 1, max_length = 64, pattern = r"^[^\s/\x00-\x1f\x7f-\x9f]+$")),
    request_body(content = PersonInput,
        example = json!({"by": "officer-17", "reason": "two firms of one name were mixed up"})),
    responses(
        (status = 200, description = "It is undone", body = MergeAnswer, example = json!(examples::merge())),
        StepProblems
    )
)]
#[delete("/v1/enterprises/{id}/merge")]
pub(crate) async fn undo_merge(
    state: Data<AppState>,
    id: Path<String>,
    _query: NoQuery,
    body: Body<PersonInput>,
) -> Result<Json<MergeAnswer>, Problem> {
    let id = id_of_path(&id)?;
    let person = body.0.parse().map_err(wrong)?;
    Ok(Json(state.service.undo_merge(id, person).await?.into()))
}

/// Merges of an id and into it
///
/// Undone ones included, in the order in which they were made.
#[utoipa::path(
    operation_id = "list_enterprise_merges",
    tag = "enterprises",
    params(("id" = String, Path, description = "Id of the enterprise", example = "91990000MA00000017",
        min_length = 1, max_length = 64, pattern = r"^[^\s/\x00-\x1f\x7f-\x9f]+$")),
    responses(
        (status = 200, description = "The merges, whole", body = Page<MergeAnswer>,
            example = json!({"items": [examples::merge()]})),
        ReadProblems
    )
)]
#[get("/v1/enterprises/{id}/merges")]
pub(crate) async fn list_enterprise_merges(
    state: Data<AppState>,
    id: Path<String>,
    _query: NoQuery,
) -> Result<Json<Page<MergeAnswer>>, Problem> {
    let id = id_of_path(&id)?;
    let merges = state.run(move |service| service.merges(&id)).await?;
    let items = merges.into_iter().map(Into::into).collect();
    Ok(Json(Page::whole(items)))
}

/// What persons did about an enterprise
///
/// Who, when and why, latest first: overrides, objections, merges, and changes of its records.
#[utoipa::path(
    operation_id = "list_enterprise_acts",
    tag = "enterprises",
    params(
        ("id" = String, Path, description = "Id of the enterprise", example = "91990000MA00000017",
            min_length = 1, max_length = 64, pattern = r"^[^\s/\x00-\x1f\x7f-\x9f]+$"),
        PageQuery
    ),
    responses(
        (status = 200, description = "A page of acts", body = Page<ActAnswer>, example = json!({"items": [{
            "act_no": 2, "enterprise_id": examples::ENTERPRISE_ID, "what": "override_approved",
            "subject": examples::OVERRIDE_ID, "on": "2026-11-22", "at": "2026-11-22T08:00:00Z",
            "by": "officer-23"}]})),
        ReadProblems
    )
)]
#[get("/v1/enterprises/{id}/acts")]
pub(crate) async fn list_enterprise_acts(
    state: Data<AppState>,
    id: Path<String>,
    query: Query<PageQuery>,
) -> Result<Json<Page<ActAnswer>>, Problem> {
    let id = id_of_path(&id)?;
    let PageQuery { cursor, limit } = query.into_inner();
    let limit = page_limit(&state.settings.limits, limit)?;
    let filter = id.to_string();
    let list = List {
        name: "acts",
        filter: &filter,
    };
    let before = list
        .place(cursor.as_deref())?
        .map(|place| field::number("cursor", &place))
        .transpose()
        .map_err(|error| Problem::invalid_parameter(ProblemKind::InvalidQuery, error))?;
    let found = state
        .run(move |service| service.acts(&id, before, limit + 1))
        .await?;
    Ok(Json(list.page(found, limit, |act| act.act_no.to_string())))
}
