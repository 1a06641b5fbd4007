//! Streamed imports of enterprises and records.

use actix_web::web::{Data, Json, Payload, Query};
use actix_web::{HttpMessage, HttpRequest, post};
use std::io::Read;
use std::sync::Arc;

use crate::api::dto::imports::{ImportAnswer, RecordImportQuery};
use crate::api::examples;
use crate::api::extract::expect_media_type;
use crate::api::optional::NoQuery;
use crate::api::problem::{Problem, ProblemKind, line_item};
use crate::api::responses::ImportProblems;
use crate::api::state::AppState;
use crate::api::upload::{Cut, CutNote, upload};
use crate::domain::{Enterprise, Record, RecordDefaults};
use crate::files::{
    FilesError, Format, ReadOptions, Rows, Source, Tabular, read_enterprises, read_records,
};
use crate::service::{ImportReport, Importable, Service, ServiceError, source_label};

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
    import::<Enterprise>(&state, &request, body, read_enterprises).await
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
    let source = source_label(&query.source).map_err(|error| match error {
        ServiceError::Field(field) => Problem::invalid_parameter(ProblemKind::InvalidQuery, field),
        other => other.into(),
    })?;
    let defaults = RecordDefaults {
        source,
        known_on: state.service.today(),
    };
    import::<Record>(&state, &request, body, move |source, options| {
        read_records(source, options, defaults)
    })
    .await
}

async fn import<T: Importable + Tabular>(
    state: &AppState,
    request: &HttpRequest,
    body: Payload,
    read: impl FnOnce(Source, &ReadOptions) -> Result<Rows<T>, FilesError> + Send + 'static,
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
    let (pump, body, note) = upload(body, limit);
    let service = Arc::clone(&state.service);
    let mut task = tokio::task::spawn_blocking(move || {
        let rows = body
            .into_reader()
            .map_err(|cause| FilesError::Read {
                file: NAME.to_owned(),
                line: 0,
                cause,
            })
            .and_then(|reader| open(reader, format))
            .and_then(|source| read(source, &options));
        rows.map(|rows| run(&service, rows))
    });
    // The import may end before the body does: then nobody waits for the rest of it.
    let ended = tokio::select! {
        ended = &mut task => ended,
        () = pump.run() => task.await,
    };
    let outcome = ended.map_err(Problem::internal)?;
    let report = match outcome {
        Ok(report) => report?,
        Err(error) => {
            return Err(broken_off(&note, limit, &ImportReport::default())
                .unwrap_or_else(|| Problem::unreadable(&error)));
        }
    };
    match (broken_off(&note, limit, &report), &report.failure) {
        (Some(problem), _) => Err(problem),
        (None, Some(failure)) => Err(told(
            Problem::new(ProblemKind::MalformedBody, failure.clone()),
            &report,
        )),
        (None, None) => Ok(Json(report.into())),
    }
}

fn open(reader: impl Read + Send + 'static, format: Format) -> Result<Source, FilesError> {
    Source::from_reader(NAME, format, reader)
}

fn run<T: Importable + Tabular>(
    service: &Service,
    rows: Rows<T>,
) -> Result<ImportReport, ServiceError> {
    service.import(None, rows, &mut ())
}

/// The problem of a body that was cut, if it was.
fn broken_off(note: &CutNote, limit: u64, report: &ImportReport) -> Option<Problem> {
    let read = report.row_count;
    let problem = match note.read()? {
        Cut::TooLarge => Problem::new(
            ProblemKind::TooLarge,
            format!("the body has more than {limit} bytes; its first {read} rows were read, send the rest in parts"),
        )
        .with_member("limit_bytes", limit),
        Cut::Paused => Problem::new(
            ProblemKind::RequestTimeout,
            format!("the body did not go on; its first {read} rows were read, send it again"),
        ),
        Cut::Broken(cause) => Problem::new(
            ProblemKind::MalformedBody,
            format!("the body broke off: {cause}; its first {read} rows were read, send it again"),
        ),
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
        refused_count,
        errors,
        failure: _,
    } = report;
    problem
        .with_member("row_count", *row_count)
        .with_member("created_count", *created_count)
        .with_member("updated_count", *updated_count)
        .with_member("unchanged_count", *unchanged_count)
        .with_member("refused_count", *refused_count)
        .with_items(errors.iter().cloned().map(line_item))
}
