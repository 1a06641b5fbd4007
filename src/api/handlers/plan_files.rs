//! The files of a plan: sample, pool, transcript.

use actix_web::http::header::{CONTENT_DISPOSITION, VARY};
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, get};

use crate::api::accept::negotiate;
use crate::api::download::download;
use crate::api::dto::codes::Edition;
use crate::api::dto::page::Page;
use crate::api::dto::plan_results::{SampleAnswer, SampleFormat, SampleQuery, TranscriptQuery};
use crate::api::examples;
use crate::api::optional::NoQuery;
use crate::api::problem::Problem;
use crate::api::responses::{FormProblems, StateProblems};
use crate::api::state::AppState;
use crate::service::{Compression, Format, Sink, write_sample};

/// The forms of a sample, the default first.
const FORMS: [(&str, SampleFormat); 5] = [
    ("application/json", SampleFormat::Json),
    ("text/csv", SampleFormat::Csv),
    ("text/tab-separated-values", SampleFormat::Tsv),
    ("application/x-ndjson", SampleFormat::Ndjson),
    ("application/vnd.apache.parquet", SampleFormat::Parquet),
];

/// The drawn objects
///
/// In the order of the sample file, with who took whose place since, and with the probability of each and its inverse, the
/// design weight: internal, for they show rates. As tab-separated values it is the normative file, to the byte: what was
/// drawn, whatever was replaced later.
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
            headers(("vary" = String, description = "The form depends on `Accept`"),
                ("content-disposition" = String, description = "A name for the file, for CSV, NDJSON and Parquet")),
            content(
                (Page<SampleAnswer> = "application/json", example = json!({"items": [
                    {"enterprise_id": examples::ENTERPRISE_ID, "stratum": "S001", "order": 1, "standing": "drawn",
                     "inclusion_probability": 0.08, "design_weight": 12.5}]})),
                (String = "text/csv", example = "enterprise_id,stratum,order,standing,reason,replaces,inclusion_probability,design_weight\n\
                    91990000MA00000017,S001,1,drawn,,,0.08,12.5\n"),
                (String = "text/tab-separated-values", example = "91990000MA00000017\tS001\t1\n"),
                (String = "application/x-ndjson",
                    example = "{\"enterprise_id\":\"91990000MA00000017\",\"stratum\":\"S001\",\"order\":1,\"standing\":\"drawn\",\
                        \"inclusion_probability\":0.08,\"design_weight\":12.5}\n"),
                (String = "application/vnd.apache.parquet", example = "PAR1…")
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
    let (vary, plan_id) = ((VARY, "accept"), plan_id.into_inner());
    if format == SampleFormat::Tsv {
        let file = state
            .run(move |service| service.sample_file(&plan_id))
            .await?;
        return Ok(HttpResponse::Ok()
            .content_type("text/tab-separated-values; charset=utf-8")
            .insert_header(vary)
            .body(file));
    }
    let id = plan_id.clone();
    let objects = state
        .run(move |service| service.weighted_sample(&id))
        .await?;
    let (format, media_type) = match format {
        SampleFormat::Json | SampleFormat::Tsv => {
            let items: Vec<SampleAnswer> = objects.into_iter().map(Into::into).collect();
            return Ok(HttpResponse::Ok()
                .insert_header(vary)
                .json(Page::whole(items)));
        }
        SampleFormat::Csv => (Format::Csv, "text/csv; charset=utf-8"),
        SampleFormat::Ndjson => (Format::Ndjson, "application/x-ndjson"),
        SampleFormat::Parquet => (Format::Parquet, "application/vnd.apache.parquet"),
    };
    let (writer, body) = download();
    let name = format!("sample-{plan_id}.{}", format.as_str());
    tokio::task::spawn_blocking(move || {
        let end = writer.another();
        let sink = Sink::to_writer("the sample", format, Compression::Plain, writer);
        if let Err(error) = write_sample(&objects, sink) {
            tracing::error!(%error, "an export of a sample broke off");
            end.fail("the export broke off");
        }
    });
    Ok(HttpResponse::Ok()
        .content_type(media_type)
        .insert_header(vary)
        .insert_header((
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ))
        .streaming(body))
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
