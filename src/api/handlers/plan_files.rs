//! The files of a plan: sample, pool, transcript.

use actix_web::http::header::VARY;
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, get};

use crate::api::accept::negotiate;
use crate::api::dto::codes::Edition;
use crate::api::dto::page::Page;
use crate::api::dto::plan_results::{SampleAnswer, SampleFormat, SampleQuery, TranscriptQuery};
use crate::api::examples;
use crate::api::optional::NoQuery;
use crate::api::problem::Problem;
use crate::api::responses::{FormProblems, StateProblems};
use crate::api::state::AppState;
use crate::domain::ReplaceReason;
use crate::service::SampleObject;

/// The forms of a sample, the default first.
const FORMS: [(&str, SampleFormat); 4] = [
    ("application/json", SampleFormat::Json),
    ("text/csv", SampleFormat::Csv),
    ("text/tab-separated-values", SampleFormat::Tsv),
    ("application/x-ndjson", SampleFormat::Ndjson),
];

/// The drawn objects
///
/// In the order of the sample file, with who took whose place since. As tab-separated values it is the normative file, to
/// the byte: what was drawn, whatever was replaced later.
#[utoipa::path(
    operation_id = "get_plan_sample",
    tag = "plans",
    params(
        ("plan_id" = String, Path, description = "Id of the plan",
            example = "rtp1-0123456789abcdef0123456789abcdef"),
        SampleQuery,
        ("accept" = Option<String>, Header, description = "The form, unless `format` names it",
            example = "text/tab-separated-values")
    ),
    responses(
        (status = 200, description = "The sample, whole",
            headers(("vary" = String, description = "The form depends on `Accept`")), content(
                (Page<SampleAnswer> = "application/json", example = json!({"items": [
                    {"enterprise_id": examples::ENTERPRISE_ID, "stratum": "S001", "order": 1, "standing": "drawn"}]})),
                (String = "text/csv", example = "enterprise_id,stratum,order,standing,reason,replaces\n91990000MA00000017,S001,1,drawn,,\n"),
                (String = "text/tab-separated-values", example = "91990000MA00000017\tS001\t1\n"),
                (String = "application/x-ndjson",
                    example = "{\"enterprise_id\":\"91990000MA00000017\",\"stratum\":\"S001\",\"order\":1,\"standing\":\"drawn\"}\n")
            )),
        FormProblems
    )
)]
#[get("/v1/plans/{plan_id}/sample")]
pub(crate) async fn get_plan_sample(
    state: Data<AppState>,
    plan_id: Path<String>,
    query: Query<SampleQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let format = match query.format {
        Some(format) => format,
        None => negotiate(request.headers(), &FORMS)?,
    };
    let (media_type, body) = state
        .run(move |service| {
            if format == SampleFormat::Tsv {
                let file = service.sample_file(&plan_id)?;
                return Ok(("text/tab-separated-values; charset=utf-8", file));
            }
            let objects = service.sample(&plan_id)?;
            if format == SampleFormat::Csv {
                return Ok(("text/csv; charset=utf-8", csv(&objects)));
            }
            let items: Vec<SampleAnswer> = objects.into_iter().map(Into::into).collect();
            Ok(match format {
                SampleFormat::Ndjson => ("application/x-ndjson", ndjson(&items)?),
                SampleFormat::Json | SampleFormat::Csv | SampleFormat::Tsv => {
                    let page = serde_json::to_vec(&Page::whole(items))?;
                    ("application/json", page)
                }
            })
        })
        .await?;
    Ok(HttpResponse::Ok()
        .content_type(media_type)
        .insert_header((VARY, "accept"))
        .body(body))
}

fn ndjson(items: &[SampleAnswer]) -> Result<Vec<u8>, serde_json::Error> {
    let mut text = Vec::new();
    for item in items {
        serde_json::to_writer(&mut text, item)?;
        text.push(b'\n');
    }
    Ok(text)
}

/// RFC 4180; only ids can need quotes.
fn csv(objects: &[SampleObject]) -> Vec<u8> {
    let mut text = String::from("enterprise_id,stratum,order,standing,reason,replaces\n");
    let quoted = |id: &str| {
        if id.contains([',', '"']) {
            format!("\"{}\"", id.replace('"', "\"\""))
        } else {
            id.to_owned()
        }
    };
    for SampleObject {
        enterprise_id,
        stratum,
        order,
        standing,
        reason,
        replaces,
    } in objects
    {
        let (id, replaces) = (quoted(enterprise_id), replaces.as_deref().map(quoted));
        text.push_str(&format!(
            "{id},{stratum},{order},{},{},{}\n",
            standing.as_str(),
            reason.map_or("", ReplaceReason::as_str),
            replaces.unwrap_or_default()
        ));
    }
    text.into_bytes()
}

/// The pool of a frozen plan
///
/// The normative file, to the byte: id, stratum and size of every object. Confidential: strata follow tiers.
#[utoipa::path(
    operation_id = "get_plan_pool",
    tag = "plans",
    params(("plan_id" = String, Path, description = "Id of the plan",
        example = "rtp1-0123456789abcdef0123456789abcdef")),
    responses(
        (status = 200, description = "The pool file", body = String, content_type = "text/tab-separated-values",
            example = "91990000MA00000017\tS001\t1\n"),
        StateProblems
    )
)]
#[get("/v1/plans/{plan_id}/pool")]
pub(crate) async fn get_plan_pool(
    state: Data<AppState>,
    plan_id: Path<String>,
    _query: NoQuery,
) -> Result<HttpResponse, Problem> {
    let file = state
        .run(move |service| service.pool_file(&plan_id))
        .await?;
    Ok(HttpResponse::Ok()
        .content_type("text/tab-separated-values; charset=utf-8")
        .body(file))
}

/// The transcript of a closed plan
///
/// The exact canonical bytes. The public edition shows who was drawn and proves that what was fixed before was kept; the
/// auditor edition replays completely with the pool file; the internal edition also says what strata mean.
#[utoipa::path(
    operation_id = "get_plan_transcript",
    tag = "plans",
    params(
        ("plan_id" = String, Path, description = "Id of the plan",
            example = "rtp1-0123456789abcdef0123456789abcdef"),
        TranscriptQuery
    ),
    responses(
        (status = 200, description = "The transcript", body = Object, content_type = "application/json",
            example = json!(examples::transcript())),
        StateProblems
    )
)]
#[get("/v1/plans/{plan_id}/transcript")]
pub(crate) async fn get_plan_transcript(
    state: Data<AppState>,
    plan_id: Path<String>,
    query: Query<TranscriptQuery>,
) -> Result<HttpResponse, Problem> {
    let edition = query.edition.unwrap_or(Edition::Public);
    let bytes = state
        .run(move |service| service.transcript(&plan_id, edition.into()))
        .await?;
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .body(bytes))
}
