//! Enterprises of the register.

use actix_web::http::header::{ETAG, IF_NONE_MATCH, LOCATION};
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{HttpRequest, HttpResponse, get, put};

use crate::api::conditional::{names, precondition, revision_tag};
use crate::api::cursor::{List, page_limit};
use crate::api::dto::enterprises::{EnterpriseAnswer, EnterpriseInput, EnterpriseQuery};
use crate::api::dto::page::Page;
use crate::api::dto::records::RecordAnswer;
use crate::api::examples;
use crate::api::extract::Body;
use crate::api::optional::NoQuery;
use crate::api::problem::{Problem, ProblemKind, field_item};
use crate::api::responses::{ConditionalProblems, ListProblems, ReadProblems};
use crate::api::state::AppState;
use crate::domain::{EnterpriseId, field};
use crate::service::Written;

/// The enterprise that a path names.
pub(super) fn id_of_path(id: &str) -> Result<EnterpriseId, Problem> {
    field::enterprise_id("id", id)
        .map_err(|error| Problem::invalid_parameter(ProblemKind::InvalidPath, error))
}

/// Write an enterprise
///
/// Replaces what the register holds of it. Its next tier read sees the change. With `If-Match` it replaces only the
/// version that the caller saw, with `If-None-Match: *` it only creates; both hold against writers at the same time.
#[utoipa::path(
    operation_id = "put_enterprise",
    tag = "enterprises",
    params(
        ("id" = String, Path, description = "Id of the enterprise", example = "91990000MA00000017",
            min_length = 1, max_length = 64, pattern = r"^[^\s/\x00-\x1f\x7f-\x9f]+$"),
        ("if-match" = Option<String>, Header, description = "Entity tag of the version that is to be replaced, or `*`",
            example = "\"r12\""),
        ("if-none-match" = Option<String>, Header, description = "`*`: only where there is none yet",
            pattern = r"^\*$")
    ),
    request_body(content = EnterpriseInput, example = json!(examples::enterprise_input())),
    responses(
        (status = 200, description = "It replaced what stood, or said nothing new",
            headers(("etag" = String, description = "Entity tag of what stands now")), body = EnterpriseAnswer,
            example = json!(examples::enterprise())),
        (status = 201, description = "It is new",
            headers(
                ("location" = String, description = "Path of the enterprise"),
                ("etag" = String, description = "Entity tag of what stands now")
            ),
            body = EnterpriseAnswer, example = json!(examples::enterprise())),
        ConditionalProblems
    )
)]
#[put("/v1/enterprises/{id}")]
pub(crate) async fn put_enterprise(
    state: Data<AppState>,
    id: Path<String>,
    _query: NoQuery,
    request: HttpRequest,
    body: Body<EnterpriseInput>,
) -> Result<HttpResponse, Problem> {
    let id = id_of_path(&id)?;
    let is_required = state.settings.writes.require_if_match;
    let precondition = precondition(request.headers(), is_required)?;
    let enterprise = body
        .0
        .parse(Some(&id))
        .map_err(|error| Problem::invalid_fields([field_item("", error)]))?;
    let written = state
        .service
        .put_enterprise_if(enterprise, precondition)
        .await?;
    let location = format!("/v1/enterprises/{}", escaped(id.as_str()));
    let registered = state.run(move |service| service.enterprise(&id)).await?;
    let tag = revision_tag(registered.revision);
    let answer = EnterpriseAnswer::from(registered);
    Ok(match written {
        Written::Created => HttpResponse::Created()
            .insert_header((LOCATION, location))
            .insert_header((ETAG, tag))
            .json(answer),
        // An enterprise waits for nothing.
        Written::Updated | Written::Unchanged | Written::SetAside => {
            HttpResponse::Ok().insert_header((ETAG, tag)).json(answer)
        }
    })
}

/// One enterprise
///
/// Its entity tag changes with its revision: send it as `If-Match` to replace exactly this version.
#[utoipa::path(
    operation_id = "get_enterprise",
    tag = "enterprises",
    params(("id" = String, Path, description = "Id of the enterprise", example = "91990000MA00000017",
        min_length = 1, max_length = 64, pattern = r"^[^\s/\x00-\x1f\x7f-\x9f]+$")),
    responses(
        (status = 200, description = "The enterprise", body = EnterpriseAnswer,
            example = json!(examples::enterprise())),
        ReadProblems
    )
)]
#[get("/v1/enterprises/{id}")]
pub(crate) async fn get_enterprise(
    state: Data<AppState>,
    id: Path<String>,
    _query: NoQuery,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let id = id_of_path(&id)?;
    let registered = state.run(move |service| service.enterprise(&id)).await?;
    let tag = revision_tag(registered.revision);
    if names(request.headers(), IF_NONE_MATCH, &tag) {
        return Ok(HttpResponse::NotModified()
            .insert_header((ETAG, tag))
            .finish());
    }
    let answer = EnterpriseAnswer::from(registered);
    Ok(HttpResponse::Ok().insert_header((ETAG, tag)).json(answer))
}

/// Enterprises in the order of their ids
#[utoipa::path(
    operation_id = "list_enterprises",
    tag = "enterprises",
    params(EnterpriseQuery),
    responses(
        (status = 200, description = "A page of enterprises", body = Page<EnterpriseAnswer>,
            example = json!({"items": [examples::enterprise()]})),
        ListProblems
    )
)]
#[get("/v1/enterprises")]
pub(crate) async fn list_enterprises(
    state: Data<AppState>,
    query: Query<EnterpriseQuery>,
) -> Result<Json<Page<EnterpriseAnswer>>, Problem> {
    let EnterpriseQuery {
        division,
        cursor,
        limit,
    } = query.into_inner();
    let limit = page_limit(&state.settings.limits, limit)?;
    let invalid = |error| Problem::invalid_parameter(ProblemKind::InvalidQuery, error);
    let division = division
        .map(|text| field::label("division", &text))
        .transpose()
        .map_err(invalid)?;
    let filter = division
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let list = List {
        name: "enterprises",
        filter: &filter,
    };
    let after = list
        .place(cursor.as_deref())?
        .map(|id| field::enterprise_id("cursor", &id))
        .transpose()
        .map_err(invalid)?;
    let found = state
        .run(move |service| service.enterprises(after.as_ref(), division.as_ref(), limit + 1))
        .await?;
    Ok(Json(list.page(found, limit, |registered| {
        registered.enterprise.enterprise_id.to_string()
    })))
}

/// All versions of an enterprise's records
///
/// Grouped by record, each in the order in which its versions became known.
#[utoipa::path(
    operation_id = "list_enterprise_records",
    tag = "enterprises",
    params(("id" = String, Path, description = "Id of the enterprise", example = "91990000MA00000017",
        min_length = 1, max_length = 64, pattern = r"^[^\s/\x00-\x1f\x7f-\x9f]+$")),
    responses(
        (status = 200, description = "The records, whole", body = Page<RecordAnswer>,
            example = json!({"items": [examples::record()]})),
        ReadProblems
    )
)]
#[get("/v1/enterprises/{id}/records")]
pub(crate) async fn list_enterprise_records(
    state: Data<AppState>,
    id: Path<String>,
    _query: NoQuery,
) -> Result<Json<Page<RecordAnswer>>, Problem> {
    let id = id_of_path(&id)?;
    let records = state.run(move |service| service.records(&id)).await?;
    let items = records.into_iter().map(Into::into).collect();
    Ok(Json(Page::whole(items)))
}

/// A path part with everything but unreserved characters escaped (RFC 3986).
pub(super) fn escaped(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
