//! Joint plans: preview, make, read, list their visits.

use std::sync::Arc;

use actix_web::http::header::{CONTENT_DISPOSITION, LOCATION};
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{HttpResponse, get, post};

use crate::api::download::download;
use crate::api::dto::calendars::{DoneAnswer, DoneInput, VisitFormat};
use crate::api::dto::joint::{
    JointAnswer, JointInput, JointPreview, JointVisitAnswer, JointVisitQuery,
};
use crate::api::dto::page::Page;
use crate::api::examples;
use crate::api::extract::Body;
use crate::api::optional::NoQuery;
use crate::api::problem::{Problem, ProblemItem, field_item};
use crate::api::responses::{ChangeProblems, ReadProblems, StateProblems, StepProblems};
use crate::api::state::AppState;
use crate::domain::FieldError;
use crate::service::{Compression, Format, Sink};

fn invalid(error: FieldError) -> Problem {
    Problem::invalid_fields([field_item("", error)])
}

/// Show what a joint plan would do
///
/// Each row, and the whole: visits without merging, and the least that any design could expect at the same inclusion
/// probabilities. Nothing is kept, nothing is drawn.
#[utoipa::path(
    operation_id = "preview_joint_plan",
    tag = "joint plans",
    request_body(content = JointInput, example = json!(examples::joint_input())),
    responses(
        (status = 200, description = "What the joint plan would do", body = JointPreview,
            example = json!({"outlook": examples::joint_outlook(), "rows": [examples::preview()]})),
        ChangeProblems
    )
)]
#[post("/v1/joint-plans/preview")]
pub(crate) async fn preview_joint_plan(
    state: Data<AppState>,
    _query: NoQuery,
    body: Body<JointInput>,
) -> Result<Json<JointPreview>, Problem> {
    let input = body.0;
    if input.draw.is_some() {
        return Err(Problem::invalid_fields([ProblemItem {
            pointer: Some("/draw".to_owned()),
            detail: "does not go with a preview, which draws nothing; leave it out".to_owned(),
            ..ProblemItem::default()
        }]));
    }
    let request = input.parse().map_err(invalid)?;
    let preview = state
        .run(move |service| service.preview_joint_plan(&request))
        .await?;
    Ok(Json(preview.into()))
}

/// Make a joint plan
///
/// Rows of several departments and items on shared tickets, so that they select the same objects as far as they can. The
/// rows are plans of one coordinated group, frozen and sealed; open its contributions and draw its plans as those of any
/// group, or say `"draw": "now"`.
#[utoipa::path(
    operation_id = "create_joint_plan",
    tag = "joint plans",
    request_body(content = JointInput, example = json!(examples::joint_input())),
    responses(
        (status = 201, description = "The joint plan",
            headers(("location" = String, description = "Path of the joint plan")),
            body = JointAnswer, example = json!(examples::joint_plan())),
        StepProblems
    )
)]
#[post("/v1/joint-plans")]
pub(crate) async fn create_joint_plan(
    state: Data<AppState>,
    _query: NoQuery,
    body: Body<JointInput>,
) -> Result<HttpResponse, Problem> {
    let input = body.0;
    let now = input.draw.is_some();
    let request = input.parse().map_err(invalid)?;
    let plan = state
        .run(move |service| {
            if now {
                service.draw_joint_plan_now(&request)
            } else {
                service.create_joint_plan(&request)
            }
        })
        .await?;
    let plan = JointAnswer::from(plan);
    let location = format!("/v1/joint-plans/{}", plan.group.group_id);
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, location))
        .json(plan))
}

/// One joint plan
///
/// Any coordinated group, seen as one: its rows, what is to be expected of them, and what merging saved.
#[utoipa::path(
    operation_id = "get_joint_plan",
    tag = "joint plans",
    params(("group_id" = String, Path, description = "Id of the group", example = "2027-q1")),
    responses(
        (status = 200, description = "The joint plan", body = JointAnswer, example = json!(examples::joint_plan())),
        ReadProblems
    )
)]
#[get("/v1/joint-plans/{group_id}")]
pub(crate) async fn get_joint_plan(
    state: Data<AppState>,
    group_id: Path<String>,
    _query: NoQuery,
) -> Result<Json<JointAnswer>, Problem> {
    let plan = state
        .run(move |service| service.joint_plan(&group_id))
        .await?;
    Ok(Json(plan.into()))
}

/// The visits of a joint plan
///
/// One for each object that a row selected, with everything that is checked at it, in order of id; objects that were
/// replaced have given their place to those of the reserve.
#[utoipa::path(
    operation_id = "list_joint_visits",
    tag = "joint plans",
    params(
        ("group_id" = String, Path, description = "Id of the group", example = "2027-q1"),
        JointVisitQuery
    ),
    responses(
        (status = 200, description = "The visits, whole", content(
            (Page<JointVisitAnswer> = "application/json", example = json!({"items": [examples::joint_visit()]})),
            (String = "text/csv", example = "enterprise_id,row_count,items,plan_ids\n\
                91990000MA00000017,1,food-hygiene,rtp1-0123456789abcdef0123456789abcdef\n"),
            (String = "application/x-ndjson",
                example = "{\"enterprise_id\":\"91990000MA00000017\",\"row_count\":1,\"items\":[\"food-hygiene\"]}\n"),
            (String = "application/vnd.apache.parquet", example = "PAR1…")
        )),
        StateProblems
    )
)]
#[get("/v1/joint-plans/{group_id}/visits")]
pub(crate) async fn list_joint_visits(
    state: Data<AppState>,
    group_id: Path<String>,
    query: Query<JointVisitQuery>,
) -> Result<HttpResponse, Problem> {
    let group_id = group_id.into_inner();
    let id = group_id.clone();
    // What is not drawn is a problem and not a file without rows.
    let visits = state.run(move |service| service.joint_visits(&id)).await?;
    let (format, media_type) = match query.format.unwrap_or(VisitFormat::Json) {
        VisitFormat::Json => {
            let items = visits.into_iter().map(JointVisitAnswer::from).collect();
            return Ok(HttpResponse::Ok().json(Page::whole(items)));
        }
        VisitFormat::Csv => (Format::Csv, "text/csv; charset=utf-8"),
        VisitFormat::Ndjson => (Format::Ndjson, "application/x-ndjson"),
        VisitFormat::Parquet => (Format::Parquet, "application/vnd.apache.parquet"),
    };
    let service = Arc::clone(&state.service);
    let (writer, body) = download();
    let name = format!("joint-visits-{group_id}.{}", format.as_str());
    tokio::task::spawn_blocking(move || {
        let end = writer.another();
        let sink = Sink::to_writer("the visits", format, Compression::Plain, writer);
        if let Err(error) = service.export_joint_visits(&group_id, sink) {
            tracing::error!(%error, "an export of joint visits broke off");
            end.fail("the export broke off");
        }
    });
    Ok(HttpResponse::Ok()
        .content_type(media_type)
        .insert_header((
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ))
        .streaming(body))
}

/// Note joint visits as done
///
/// In the ledger, for every row that selected the object. Noting a visit again with the same day changes nothing.
#[utoipa::path(
    operation_id = "close_joint_visits",
    tag = "joint plans",
    params(("group_id" = String, Path, description = "Id of the group", example = "2027-q1")),
    request_body(content = DoneInput, example = json!({"visits": [
        {"enterprise_id": examples::ENTERPRISE_ID, "done_on": "2026-11-20"}]})),
    responses(
        (status = 200, description = "What became of them", body = DoneAnswer,
            example = json!({"noted_count": 1, "unchanged_count": 0})),
        StepProblems
    )
)]
#[post("/v1/joint-plans/{group_id}/visits/close")]
pub(crate) async fn close_joint_visits(
    state: Data<AppState>,
    group_id: Path<String>,
    _query: NoQuery,
    body: Body<DoneInput>,
) -> Result<Json<DoneAnswer>, Problem> {
    let notes = body.0.parse().map_err(invalid)?;
    let noted = state
        .run(move |service| service.note_joint_visits(&group_id, &notes, None))
        .await?;
    Ok(Json(noted.into()))
}
