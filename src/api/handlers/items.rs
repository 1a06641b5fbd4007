//! The list of check items.

use actix_web::http::header::{ETAG, IF_NONE_MATCH, LOCATION};
use actix_web::web::{Data, Json, Path, Payload, Query};
use actix_web::{HttpRequest, HttpResponse, get, post, put};

use super::imports::receive;
use crate::api::conditional::{names, precondition, revision_tag};
use crate::api::cursor::{List, page_limit};
use crate::api::dto::items::{
    ItemAnswer, ItemImportAnswer, ItemInput, ItemQuery, ItemWritten, ItemsInput, ItemsWritten,
};
use crate::api::dto::page::{Page, PageQuery};
use crate::api::examples;
use crate::api::extract::Body;
use crate::api::optional::NoQuery;
use crate::api::problem::{Problem, ProblemKind, field_item};
use crate::api::responses::{
    BodyProblems, ConditionalProblems, ImportProblems, ListProblems, ReadProblems,
};
use crate::api::state::AppState;
use crate::domain::{FieldError, field};
use crate::service::{ItemOutcome, MOST_VISITS, ReadOptions};

/// Most items in one request.
const MOST_ITEMS: usize = MOST_VISITS;

fn code_of_path(code: &str) -> Result<String, Problem> {
    let label = field::label("item_code", code)
        .map_err(|error| Problem::invalid_parameter(ProblemKind::InvalidPath, error))?;
    Ok(label.into())
}

/// Write a check item
///
/// (抽查事项) What changes is a new version that holds from the present day on; earlier versions are kept. Only published
/// items can be planned. With `If-Match` it replaces only the version that the caller saw, with `If-None-Match: *` it only
/// creates.
#[utoipa::path(
    operation_id = "put_item",
    tag = "items",
    params(
        ("item_code" = String, Path, description = "Code of the item", example = "SP-0301",
            min_length = 1, max_length = 64),
        ("if-match" = Option<String>, Header, description = "Entity tag of the version that is to be replaced, or `*`",
            example = "\"r2\""),
        ("if-none-match" = Option<String>, Header, description = "`*`: only where there is none yet",
            pattern = r"^\*$")
    ),
    request_body(content = ItemInput, example = json!(examples::item_input())),
    responses(
        (status = 200, description = "It has a new version, or said nothing new",
            headers(("etag" = String, description = "Entity tag of what stands now")), body = ItemAnswer,
            example = json!(examples::item())),
        (status = 201, description = "It is new",
            headers(
                ("location" = String, description = "Path of the item"),
                ("etag" = String, description = "Entity tag of what stands now")
            ),
            body = ItemAnswer, example = json!(examples::item())),
        ConditionalProblems
    )
)]
#[put("/v1/items/{item_code}")]
pub(crate) async fn put_item(
    state: Data<AppState>,
    item_code: Path<String>,
    _query: NoQuery,
    request: HttpRequest,
    body: Body<ItemInput>,
) -> Result<HttpResponse, Problem> {
    let code = code_of_path(&item_code)?;
    let is_required = state.settings.writes.require_if_match;
    let precondition = precondition(request.headers(), is_required)?;
    let item = body
        .0
        .parse(Some(&code))
        .map_err(|error| Problem::invalid_fields([field_item("", error)]))?;
    let (version, outcome) = state
        .run(move |service| service.put_item_if(&item, &precondition))
        .await?;
    let tag = revision_tag(version.version.into());
    let answer = ItemAnswer::from(version);
    Ok(match outcome {
        ItemOutcome::Created => HttpResponse::Created()
            .insert_header((LOCATION, format!("/v1/items/{code}")))
            .insert_header((ETAG, tag))
            .json(answer),
        ItemOutcome::Updated | ItemOutcome::Unchanged => {
            HttpResponse::Ok().insert_header((ETAG, tag)).json(answer)
        }
    })
}

/// Write several check items
///
/// All or none. What changes is a new version that holds from the present day on.
#[utoipa::path(
    operation_id = "create_items",
    tag = "items",
    request_body(content = ItemsInput, example = json!({"items": [examples::item_entry()]})),
    responses(
        (status = 200, description = "They are written", body = ItemsWritten,
            example = json!({"items": [{"item_code": "SP-0301", "outcome": "created"}]})),
        BodyProblems
    )
)]
#[post("/v1/items")]
pub(crate) async fn create_items(
    state: Data<AppState>,
    _query: NoQuery,
    body: Body<ItemsInput>,
) -> Result<Json<ItemsWritten>, Problem> {
    let given = body.0.items;
    if given.is_empty() || given.len() > MOST_ITEMS {
        let reason = format!("are not 1 to {MOST_ITEMS} items; send them in parts");
        let error = FieldError::new("items", &given.len().to_string(), reason);
        return Err(Problem::invalid_fields([field_item("", error)]));
    }
    let mut items = Vec::with_capacity(given.len());
    for (place, item) in given.into_iter().enumerate() {
        let prefix = format!("/items/{place}");
        let item = item.parse(None);
        items.push(item.map_err(|error| Problem::invalid_fields([field_item(&prefix, error)]))?);
    }
    let codes: Vec<String> = items
        .iter()
        .map(|item| item.item_code.to_string())
        .collect();
    let outcomes = state.run(move |service| service.put_items(&items)).await?;
    let written = codes.into_iter().zip(outcomes);
    Ok(Json(ItemsWritten {
        items: written
            .map(|(item_code, outcome)| ItemWritten {
                item_code,
                outcome: outcome.into(),
            })
            .collect(),
    }))
}

/// Import check items
///
/// Good rows go in, bad ones are told by line. Lists inside a cell are separated by `|`. Importing the same file again
/// changes nothing.
#[utoipa::path(
    operation_id = "import_items",
    tag = "items",
    request_body(description = "CSV with a header, one JSON object per line, or Parquet; plain, gzip or zstd", content(
        (String = "text/csv", example = "item_code,name,class,published,ratio_cap\nSP-0301,Hygiene of food sale,general,true,0.05\n"),
        (String = "application/x-ndjson",
            example = "{\"item_code\":\"SP-0301\",\"name\":\"Hygiene of food sale\",\"class\":\"general\",\"published\":true}\n"),
        (String = "application/vnd.apache.parquet", example = "PAR1…")
    )),
    responses(
        (status = 200, description = "The file was read to its end", body = ItemImportAnswer,
            example = json!({"row_count": 3, "created_count": 2, "updated_count": 0, "unchanged_count": 0,
                "refused_count": 1, "errors": [{"line": 3, "field": "class", "value": "major",
                    "reason": "is not one of general, key"}]})),
        ImportProblems
    )
)]
#[post("/v1/items/import")]
pub(crate) async fn import_items(
    state: Data<AppState>,
    request: HttpRequest,
    _query: NoQuery,
    body: Payload,
) -> Result<Json<ItemImportAnswer>, Problem> {
    let limits = &state.settings.limits;
    let options = ReadOptions {
        max_row_bytes: limits.line_bytes,
        max_spool_bytes: limits.spool_bytes,
    };
    let report = receive(&state, &request, body, move |service, source| {
        service.import_items(source, &options)
    })
    .await?;
    Ok(Json(report.into()))
}

/// Check items in the order of their codes
///
/// The latest version of each.
#[utoipa::path(
    operation_id = "list_items",
    tag = "items",
    params(PageQuery),
    responses(
        (status = 200, description = "A page of items", body = Page<ItemAnswer>,
            example = json!({"items": [examples::item()]})),
        ListProblems
    )
)]
#[get("/v1/items")]
pub(crate) async fn list_items(
    state: Data<AppState>,
    query: Query<PageQuery>,
) -> Result<Json<Page<ItemAnswer>>, Problem> {
    let limit = page_limit(&state.settings.limits, query.limit)?;
    let list = List {
        name: "items",
        filter: "",
    };
    let after = list.place(query.cursor.as_deref())?;
    let found = state
        .run(move |service| service.items(after.as_deref(), limit + 1))
        .await?;
    Ok(Json(list.page(found, limit, |version| {
        version.item.item_code.to_string()
    })))
}

/// One check item
///
/// Its latest version, or the one that held on a day. The entity tag of the latest is what `If-Match` takes.
#[utoipa::path(
    operation_id = "get_item",
    tag = "items",
    params(("item_code" = String, Path, description = "Code of the item", example = "SP-0301"), ItemQuery),
    responses(
        (status = 200, description = "The item", body = ItemAnswer, example = json!(examples::item())),
        ReadProblems
    )
)]
#[get("/v1/items/{item_code}")]
pub(crate) async fn get_item(
    state: Data<AppState>,
    item_code: Path<String>,
    query: Query<ItemQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let code = code_of_path(&item_code)?;
    let on = query.on.as_deref().map(|text| field::date("on", text));
    let on = on
        .transpose()
        .map_err(|error| Problem::invalid_parameter(ProblemKind::InvalidQuery, error))?;
    let version = state
        .run(move |service| match on {
            Some(day) => service.item_on(&code, day),
            None => service.item(&code),
        })
        .await?;
    let tag = revision_tag(version.version.into());
    if names(request.headers(), IF_NONE_MATCH, &tag) {
        return Ok(HttpResponse::NotModified()
            .insert_header((ETAG, tag))
            .finish());
    }
    let answer = ItemAnswer::from(version);
    Ok(HttpResponse::Ok().insert_header((ETAG, tag)).json(answer))
}

/// All versions of a check item, latest first
#[utoipa::path(
    operation_id = "list_item_versions",
    tag = "items",
    params(("item_code" = String, Path, description = "Code of the item", example = "SP-0301")),
    responses(
        (status = 200, description = "The versions, whole", body = Page<ItemAnswer>,
            example = json!({"items": [examples::item()]})),
        ReadProblems
    )
)]
#[get("/v1/items/{item_code}/versions")]
pub(crate) async fn list_item_versions(
    state: Data<AppState>,
    item_code: Path<String>,
    _query: NoQuery,
) -> Result<Json<Page<ItemAnswer>>, Problem> {
    let code = code_of_path(&item_code)?;
    let versions = state
        .run(move |service| service.item_versions(&code))
        .await?;
    Ok(Json(Page::whole(
        versions.into_iter().map(Into::into).collect(),
    )))
}
