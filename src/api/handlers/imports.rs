//! Streamed imports of enterprises and records.

use actix_web::web::{Data, Json, Payload, Query};
use actix_web::{HttpMessage, HttpRequest, post};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::api::dto::imports::{ImportAnswer, RecordImportQuery};
use crate::api::examples;
use crate::api::extract::expect_media_type;
use crate::api::optional::NoQuery;
use crate::api::problem::{Problem, ProblemKind, line_item};
use crate::api::responses::ImportProblems;
use crate::api::state::AppState;
use crate::api::upload::{Cut, upload};
use crate::service::{Format, ImportReport, ReadOptions, Service, ServiceError, Source, label};

const CSV: &str = "text/csv";
const NDJSON: &str = "application/x-ndjson";
/// What messages call the file.
const NAME: &str = "the body";

/// Import enterprises
///
/// Good rows go in, bad ones are told by line. The body is streamed; gzip is noticed by itself. Importing the same file
/// again changes nothing.
#[utoipa::path(
    operation_id = "import_enterprises",
    tag = "enterprises",
    request_body(description = "CSV with a header, or one JSON object per line; plain or gzip", content(
        (String = "text/csv", example = "enterprise_id,name,division\n91990000MA00000017,Example Foods Ltd,990102\n"),
        (String = "application/x-ndjson",
            example = "{\"enterprise_id\":\"91990000MA00000017\",\"name\":\"Example Foods Ltd\"}\n")
    )),
    responses(
        (status = 200, description = "The file was read to its end", body = ImportAnswer,
            example = json!(examples::import_report())),
        ImportProblems
    )
)]
#[post("/v1/enterprises/import")]
pub(crate) async fn import_enterprises(
    state: Data<AppState>,
    request: HttpRequest,
    _query: NoQuery,
    body: Payload,
) -> Result<Json<ImportAnswer>, Problem> {
    import(&state, &request, body, |service, source, options| {
        service.import_enterprises(source, options, &mut ())
    })
    .await
}

/// Import records
///
/// Good rows go in, bad ones are told by line; a record whose enterprise is unknown is a bad row. The body is streamed;
/// gzip is noticed by itself. Importing the same file again changes nothing.
#[utoipa::path(
    operation_id = "import_records",
    tag = "records",
    params(RecordImportQuery),
    request_body(description = "CSV with a header, or one JSON object per line; plain or gzip", content(
        (String = "text/csv",
            example = "record_id,enterprise_id,kind,occurred_on\nP-2026-0042,91990000MA00000017,penalty,2026-10-05\n"),
        (String = "application/x-ndjson", example =
            "{\"record_id\":\"P-1\",\"enterprise_id\":\"91990000MA00000017\",\"kind\":\"penalty\",\"occurred_on\":\"2026-10-05\"}\n")
    )),
    responses(
        (status = 200, description = "The file was read to its end", body = ImportAnswer,
            example = json!(examples::import_report())),
        ImportProblems
    )
)]
#[post("/v1/records/import")]
pub(crate) async fn import_records(
    state: Data<AppState>,
    request: HttpRequest,
    query: Query<RecordImportQuery>,
    body: Payload,
) -> Result<Json<ImportAnswer>, Problem> {
    let source = label("source", &query.source).map_err(|error| match error {
        ServiceError::Field(field) => Problem::invalid_parameter(ProblemKind::InvalidQuery, field),
        other => other.into(),
    })?;
    import(&state, &request, body, move |service, rows, options| {
        service.import_records(rows, &source, options, &mut ())
    })
    .await
}

async fn import(
    state: &AppState,
    request: &HttpRequest,
    body: Payload,
    run: impl FnOnce(&Service, Source, &ReadOptions) -> Result<ImportReport, ServiceError>
    + Send
    + 'static,
) -> Result<Json<ImportAnswer>, Problem> {
    expect_media_type(request, &[CSV, NDJSON])?;
    let format = if request.content_type().eq_ignore_ascii_case(CSV) {
        Format::Csv
    } else {
        Format::Ndjson
    };
    let limits = &state.settings.limits;
    let limit = limits.import_bytes;
    let options = ReadOptions {
        max_row_bytes: limits.line_bytes,
    };
    let (pump, body, note) = upload(body);
    let too_large = Arc::new(AtomicBool::new(false));
    let exceeded = Arc::clone(&too_large);
    let service = Arc::clone(&state.service);
    let mut task = tokio::task::spawn_blocking(move || {
        let source = Source::from_reader(NAME, format, body)?.bounded(limit, exceeded);
        run(&service, source, &options)
    });
    // The import may end before the body does: then nobody waits for the rest of it.
    let ended = tokio::select! {
        ended = &mut task => ended,
        () = pump.run() => task.await,
    };
    let cut = |report: &ImportReport| {
        let large = too_large.load(Ordering::Relaxed);
        broken_off(large.then_some(limit), note.read(), report)
    };
    match ended.map_err(Problem::internal)? {
        Ok(report) => match (cut(&report), &report.failure) {
            (Some(problem), _) => Err(problem),
            (None, Some(failure)) => {
                let problem = Problem::new(ProblemKind::MalformedBody, failure.clone());
                Err(told(problem, &report))
            }
            (None, None) => Ok(Json(report.into())),
        },
        Err(ServiceError::Files(error)) => {
            Err(cut(&ImportReport::default()).unwrap_or_else(|| Problem::unreadable(&error)))
        }
        Err(error) => Err(error.into()),
    }
}

/// The problem of a body that was larger than `limit` or cut, if it was.
fn broken_off(limit: Option<u64>, cut: Option<Cut>, report: &ImportReport) -> Option<Problem> {
    let read = report.row_count;
    let problem = match (limit, cut) {
        (Some(limit), _) => Problem::new(
            ProblemKind::TooLarge,
            format!("the body has more than {limit} bytes; its first {read} rows were read, send the rest in parts"),
        )
        .with_member("limit_bytes", limit),
        (None, Some(Cut::Paused)) => Problem::new(
            ProblemKind::RequestTimeout,
            format!("the body did not go on; its first {read} rows were read, send it again"),
        ),
        (None, Some(Cut::Broken(cause))) => Problem::new(
            ProblemKind::MalformedBody,
            format!("the body broke off: {cause}; its first {read} rows were read, send it again"),
        ),
        (None, None) => return None,
    };
    Some(told(problem, report))
}

/// Adds what was read before the break; good rows are in the register.
fn told(problem: Problem, report: &ImportReport) -> Problem {
    let ImportReport {
        row_count,
        created_count,
        updated_count,
        unchanged_count,
        set_aside_count,
        refused_count,
        errors,
        failure: _,
    } = report;
    problem
        .with_member("row_count", *row_count)
        .with_member("created_count", *created_count)
        .with_member("updated_count", *updated_count)
        .with_member("unchanged_count", *unchanged_count)
        .with_member("set_aside_count", *set_aside_count)
        .with_member("refused_count", *refused_count)
        .with_items(errors.iter().cloned().map(line_item))
}
