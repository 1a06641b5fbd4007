//! Frames.

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{HttpResponse, get, post};

use crate::api::cursor::{List, page_limit};
use crate::api::dto::frames::{FrameAnswer, FrameInput};
use crate::api::dto::page::{Page, PageQuery};
use crate::api::examples;
use crate::api::optional::{NoQuery, OptionalBody};
use crate::api::problem::{Problem, ProblemKind, field_item};
use crate::api::responses::{BodyProblems, ListProblems, ReadProblems};
use crate::api::state::AppState;
use crate::domain::{FieldError, field};

/// Freeze the register
///
/// Classifies every enterprise as of a day and keeps the result: plans select their pools from it.
#[utoipa::path(
    operation_id = "create_frame",
    tag = "frames",
    request_body(content = Option<FrameInput>, description = "May be left out", example = json!({"as_of": "2026-11-22"})),
    responses(
        (status = 201, description = "The frame is frozen",
            headers(("location" = String, description = "Path of the frame")),
            body = FrameAnswer, example = json!(examples::frame())),
        BodyProblems
    )
)]
#[post("/v1/frames")]
pub(crate) async fn create_frame(
    state: Data<AppState>,
    _query: NoQuery,
    body: OptionalBody<FrameInput>,
) -> Result<HttpResponse, Problem> {
    let day = body
        .0
        .as_of
        .map(|text| field::date("as_of", &text))
        .transpose()
        .map_err(|error| Problem::invalid_fields([field_item("", error)]))?;
    let frame: FrameAnswer = state
        .run(move |service| service.freeze_frame(day))
        .await?
        .into();
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/frames/{}", frame.frame_id)))
        .json(frame))
}

/// Frames, latest first
#[utoipa::path(
    operation_id = "list_frames",
    tag = "frames",
    params(PageQuery),
    responses(
        (status = 200, description = "A page of frames", body = Page<FrameAnswer>,
            example = json!({"items": [examples::frame()]})),
        ListProblems
    )
)]
#[get("/v1/frames")]
pub(crate) async fn list_frames(
    state: Data<AppState>,
    query: Query<PageQuery>,
) -> Result<Json<Page<FrameAnswer>>, Problem> {
    let limit = page_limit(&state.settings.limits, query.limit)?;
    let list = List {
        name: "frames",
        filter: "",
    };
    let before = list
        .place(query.cursor.as_deref())?
        .map(|number| number.parse::<u64>())
        .transpose()
        .map_err(|_| {
            let error = FieldError::new("cursor", "", "is damaged; start without a cursor");
            Problem::invalid_parameter(ProblemKind::InvalidCursor, error)
        })?;
    let found = state
        .run(move |service| service.frames(before, limit + 1))
        .await?;
    Ok(Json(
        list.page(found, limit, |frame| frame.number.to_string()),
    ))
}

/// One frame
#[utoipa::path(
    operation_id = "get_frame",
    tag = "frames",
    params(("frame_id" = String, Path, description = "Id of the frame",
        example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11")),
    responses(
        (status = 200, description = "The frame", body = FrameAnswer, example = json!(examples::frame())),
        ReadProblems
    )
)]
#[get("/v1/frames/{frame_id}")]
pub(crate) async fn get_frame(
    state: Data<AppState>,
    frame_id: Path<String>,
    _query: NoQuery,
) -> Result<Json<FrameAnswer>, Problem> {
    let frame = state.run(move |service| service.frame(&frame_id)).await?;
    Ok(Json(frame.into()))
}

/// The file of a frame
///
/// One row per object, sorted by id; its SHA-256 is the frame's digest.
#[utoipa::path(
    operation_id = "get_frame_file",
    tag = "frames",
    params(("frame_id" = String, Path, description = "Id of the frame",
        example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11")),
    responses(
        (status = 200, description = "The rows", body = String, content_type = "text/csv",
            example = "enterprise_id,kind,division,…"),
        ReadProblems
    )
)]
#[get("/v1/frames/{frame_id}/file")]
pub(crate) async fn get_frame_file(
    state: Data<AppState>,
    frame_id: Path<String>,
    _query: NoQuery,
) -> Result<HttpResponse, Problem> {
    let file = state
        .run(move |service| service.frame_file(&frame_id))
        .await?;
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .body(file))
}
