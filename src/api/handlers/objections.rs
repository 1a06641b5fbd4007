//! Objections to records.

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{HttpResponse, get, post};

use super::decisions::wrong;
use super::records::source_of_path;
use crate::api::cursor::{List, page_limit};
use crate::api::dto::objections::{ObjectionAnswer, ObjectionInput, ObjectionQuery, RulingInput};
use crate::api::dto::page::Page;
use crate::api::dto::persons::PersonInput;
use crate::api::examples;
use crate::api::extract::Body;
use crate::api::optional::NoQuery;
use crate::api::problem::{Problem, field_item};
use crate::api::responses::{ListProblems, ReadProblems, StepProblems};
use crate::api::state::AppState;

/// File an objection to a record
///
/// (异议) It must be examined within the policy's working days; until then nothing changes. A record has one open
/// objection at a time.
#[utoipa::path(
    operation_id = "file_objection",
    tag = "objections",
    params(
        ("source" = String, Path, description = "Source of the record", example = "penalties"),
        ("record_id" = String, Path, description = "Its id at the source", example = "P-2026-0042")
    ),
    request_body(content = ObjectionInput, example = json!({"by": "legal-representative",
        "reason": "the penalty concerns another firm of the same name"})),
    responses(
        (status = 201, description = "It is filed",
            headers(("location" = String, description = "Path of the objection")),
            body = ObjectionAnswer, example = json!(examples::objection("filed"))),
        StepProblems
    )
)]
#[post("/v1/records/{source}/{record_id}/objections")]
pub(crate) async fn file_objection(
    state: Data<AppState>,
    path: Path<(String, String)>,
    _query: NoQuery,
    body: Body<ObjectionInput>,
) -> Result<HttpResponse, Problem> {
    let (source, record_id) = path.into_inner();
    let source = source_of_path(&source)?;
    let (on, person) = body.0.parse().map_err(wrong)?;
    let filed = state
        .service
        .file_objection(source, record_id, on, person)
        .await?;
    let location = format!("/v1/objections/{}", filed.objection_id);
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, location))
        .json(ObjectionAnswer::on(state.service.today(), filed)))
}

/// Begin the examination of an objection
///
/// The tier is frozen: it stays what it is until the objection is decided or the time limit passes, whatever arrives
/// meanwhile. Overrides count all the same, and the frozen tier is the one without them.
#[utoipa::path(
    operation_id = "examine_objection",
    tag = "objections",
    params(("id" = String, Path, description = "Id of the objection",
        example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11")),
    request_body(content = PersonInput,
        example = json!({"by": "officer-17", "reason": "the file is asked for at the court"})),
    responses(
        (status = 200, description = "It is examined", body = ObjectionAnswer,
            example = json!(examples::objection("examined"))),
        StepProblems
    )
)]
#[post("/v1/objections/{id}/examine")]
pub(crate) async fn examine_objection(
    state: Data<AppState>,
    id: Path<String>,
    _query: NoQuery,
    body: Body<PersonInput>,
) -> Result<Json<ObjectionAnswer>, Problem> {
    let person = body.0.parse().map_err(wrong)?;
    let examined = state
        .service
        .examine_objection(id.into_inner(), person)
        .await?;
    Ok(Json(ObjectionAnswer::on(state.service.today(), examined)))
}

/// Decide an objection
///
/// Upheld, the record is withdrawn or corrected from the present day on in the same step; rejected, it stands. The tier is
/// no longer frozen. An objection may be rejected without an examination, but not upheld.
#[utoipa::path(
    operation_id = "decide_objection",
    tag = "objections",
    params(("id" = String, Path, description = "Id of the objection",
        example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11")),
    request_body(content = RulingInput, example = json!({"outcome": "upheld", "by": "officer-23",
        "reason": "the registry confirms the mistake"})),
    responses(
        (status = 200, description = "It is decided", body = ObjectionAnswer,
            example = json!(examples::objection("upheld"))),
        StepProblems
    )
)]
#[post("/v1/objections/{id}/decide")]
pub(crate) async fn decide_objection(
    state: Data<AppState>,
    id: Path<String>,
    _query: NoQuery,
    body: Body<RulingInput>,
) -> Result<Json<ObjectionAnswer>, Problem> {
    let today = state.service.today();
    let (ruling, person) = body.0.parse(today).map_err(|(of_correction, error)| {
        let prefix = if of_correction { "/correction" } else { "" };
        Problem::invalid_fields([field_item(prefix, error)])
    })?;
    let decided = state
        .service
        .decide_objection(id.into_inner(), ruling, person)
        .await?;
    Ok(Json(ObjectionAnswer::on(today, decided)))
}

/// One objection
#[utoipa::path(
    operation_id = "get_objection",
    tag = "objections",
    params(("id" = String, Path, description = "Id of the objection",
        example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11")),
    responses(
        (status = 200, description = "The objection", body = ObjectionAnswer,
            example = json!(examples::objection("examined"))),
        ReadProblems
    )
)]
#[get("/v1/objections/{id}")]
pub(crate) async fn get_objection(
    state: Data<AppState>,
    id: Path<String>,
    _query: NoQuery,
) -> Result<Json<ObjectionAnswer>, Problem> {
    let found = state.run(move |service| service.objection(&id)).await?;
    Ok(Json(ObjectionAnswer::on(state.service.today(), found)))
}

/// Objections in the order in which they were filed
#[utoipa::path(
    operation_id = "list_objections",
    tag = "objections",
    params(ObjectionQuery),
    responses(
        (status = 200, description = "A page of objections", body = Page<ObjectionAnswer>,
            example = json!({"items": [examples::objection("filed")]})),
        ListProblems
    )
)]
#[get("/v1/objections")]
pub(crate) async fn list_objections(
    state: Data<AppState>,
    query: Query<ObjectionQuery>,
) -> Result<Json<Page<ObjectionAnswer>>, Problem> {
    let ObjectionQuery {
        state: wanted,
        overdue,
        cursor,
        limit,
    } = query.into_inner();
    let limit = page_limit(&state.settings.limits, limit)?;
    let filter = format!("{wanted:?} {overdue:?}");
    let list = List {
        name: "objections",
        filter: &filter,
    };
    let after = list.place(cursor.as_deref())?;
    let wanted = wanted.map(Into::into);
    let found = state
        .run(move |service| service.objections(wanted, overdue, after.as_deref(), limit + 1))
        .await?;
    let today = state.service.today();
    let page = list.page(found, limit, |one| one.objection_id.clone());
    Ok(Json(page.map(|one| ObjectionAnswer::on(today, one))))
}
