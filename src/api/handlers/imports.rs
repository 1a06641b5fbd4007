//! Streamed imports of enterprises and records, and what is kept of them.

use actix_web::web::{Data, Json, Path, Payload, Query};
use actix_web::{HttpMessage, HttpRequest, get, post};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::api::cursor::{List, page_limit};
use crate::api::dto::imports::{
    FaultPage, ImportAnswer, ImportEntry, ImportQuery, RecordImportQuery,
};
use crate::api::dto::page::{Page, PageQuery};
use crate::api::examples;
use crate::api::extract::{CSV, PARQUET, expect_import};
use crate::api::optional::NoQuery;
use crate::api::problem::{Problem, ProblemKind, line_item};
use crate::api::responses::{ImportProblems, ListProblems, ReadProblems};
use crate::api::state::AppState;
use crate::api::upload::{Cut, upload};
use crate::domain::FieldError;
use crate::service::{
    FilesError, Format, ImportOptions, ImportReport, ReadOptions, Resume, Service, ServiceError,
    Source, label,
};

/// What messages call the file.
const NAME: &str = "the body";

/// Import enterprises
///
/// Good rows go in, bad ones are told by line. CSV and NDJSON are streamed; Parquet is kept in a temporary file first,
/// because it is read from its end. gzip and zstd are noticed by themselves. Importing the same file again changes
/// nothing. An import that broke off goes on with `resume`, its counts are those of the whole.
#[utoipa::path(
    operation_id = "import_enterprises",
    tag = "enterprises",
    params(ImportQuery),
    request_body(description = "CSV with a header, one JSON object per line, or Parquet; plain, gzip or zstd", content(
        (String = "text/csv", example = "enterprise_id,name,division\n91990000MA00000017,Example Foods Ltd,990102\n"),
        (String = "application/x-ndjson",
            example = "{\"enterprise_id\":\"91990000MA00000017\",\"name\":\"Example Foods Ltd\"}\n"),
        (String = "application/vnd.apache.parquet", example = "PAR1…")
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
    query: Query<ImportQuery>,
    body: Payload,
) -> Result<Json<ImportAnswer>, Problem> {
    let ImportQuery {
        all_or_nothing,
        resume,
    } = query.into_inner();
    let options = options(&state, all_or_nothing, resume)?;
    import(&state, &request, body, move |service, source| {
        service.import_enterprises(source, &options, &mut ())
    })
    .await
}

/// Import records
///
/// Good rows go in, bad ones are told by line; a record whose enterprise is unknown is a bad row. CSV and NDJSON are
/// streamed; Parquet is kept in a temporary file first, because it is read from its end. gzip and zstd are noticed by
/// themselves. Importing the same file again changes nothing. An import that broke off goes on with `resume`, its counts
/// are those of the whole.
#[utoipa::path(
    operation_id = "import_records",
    tag = "records",
    params(RecordImportQuery),
    request_body(description = "CSV with a header, one JSON object per line, or Parquet; plain, gzip or zstd", content(
        (String = "text/csv",
            example = "record_id,enterprise_id,kind,occurred_on\nP-2026-0042,91990000MA00000017,penalty,2026-10-05\n"),
        (String = "application/x-ndjson", example =
            "{\"record_id\":\"P-1\",\"enterprise_id\":\"91990000MA00000017\",\"kind\":\"penalty\",\"occurred_on\":\"2026-10-05\"}\n"),
        (String = "application/vnd.apache.parquet", example = "PAR1…")
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
    let RecordImportQuery {
        source,
        all_or_nothing,
        resume,
    } = query.into_inner();
    let source = label("source", &source).map_err(|error| match error {
        ServiceError::Field(field) => Problem::invalid_parameter(ProblemKind::InvalidQuery, field),
        other => other.into(),
    })?;
    let options = options(&state, all_or_nothing, resume)?;
    import(&state, &request, body, move |service, rows| {
        service.import_records(rows, &source, &options, &mut ())
    })
    .await
}

/// Imports, latest first
#[utoipa::path(
    operation_id = "list_imports",
    tag = "imports",
    params(PageQuery),
    responses(
        (status = 200, description = "A page of imports", body = Page<ImportEntry>,
            example = json!({"items": [examples::import()]})),
        ListProblems
    )
)]
#[get("/v1/imports")]
pub(crate) async fn list_imports(
    state: Data<AppState>,
    query: Query<PageQuery>,
) -> Result<Json<Page<ImportEntry>>, Problem> {
    let limit = page_limit(&state.settings.limits, query.limit)?;
    let list = List {
        name: "imports",
        filter: "",
    };
    let before = number::<i64>(list.place(query.cursor.as_deref())?)?;
    let found = state
        .run(move |service| service.imports(before, limit + 1))
        .await?;
    Ok(Json(
        list.page(found, limit, |import| import.import_no.to_string()),
    ))
}

/// One import
///
/// How far it has come and what it did so far.
#[utoipa::path(
    operation_id = "get_import",
    tag = "imports",
    params(("import_id" = String, Path, description = "Id of the import",
        example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a12")),
    responses(
        (status = 200, description = "The import", body = ImportEntry, example = json!(examples::import())),
        ReadProblems
    )
)]
#[get("/v1/imports/{import_id}")]
pub(crate) async fn get_import(
    state: Data<AppState>,
    import_id: Path<String>,
    _query: NoQuery,
) -> Result<Json<ImportEntry>, Problem> {
    let found = state
        .run(move |service| service.import_view(&import_id))
        .await?;
    Ok(Json(found.into()))
}

/// The refused rows of an import
///
/// The first 10,000 are kept with the import; `dropped_count` says how many more there were.
#[utoipa::path(
    operation_id = "list_import_errors",
    tag = "imports",
    params(
        ("import_id" = String, Path, description = "Id of the import",
            example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a12"),
        PageQuery
    ),
    responses(
        (status = 200, description = "A page of refused rows", body = FaultPage,
            example = json!(examples::import_errors())),
        ReadProblems
    )
)]
#[get("/v1/imports/{import_id}/errors")]
pub(crate) async fn list_import_errors(
    state: Data<AppState>,
    import_id: Path<String>,
    query: Query<PageQuery>,
) -> Result<Json<FaultPage>, Problem> {
    let limit = page_limit(&state.settings.limits, query.limit)?;
    let import_id = import_id.into_inner();
    let filter = import_id.clone();
    let list = List {
        name: "import errors",
        filter: &filter,
    };
    let after = number::<u64>(list.place(query.cursor.as_deref())?)?.unwrap_or(0);
    let mut kept = state
        .run(move |service| service.import_faults(&import_id, after, limit + 1))
        .await?;
    let goes_on = kept.faults.len() > limit;
    kept.faults.truncate(limit);
    let next = goes_on.then(|| list.cursor(&(after + limit as u64).to_string()));
    Ok(Json(FaultPage::new(kept, next)))
}

/// The number that a cursor holds.
fn number<T: std::str::FromStr>(place: Option<String>) -> Result<Option<T>, Problem> {
    let number = place.map(|number| number.parse::<T>()).transpose();
    number.map_err(|_| {
        let error = FieldError::new("cursor", "", "is damaged; start without a cursor");
        Problem::invalid_parameter(ProblemKind::InvalidCursor, error)
    })
}

fn options(
    state: &AppState,
    all_or_nothing: Option<bool>,
    resume: Option<String>,
) -> Result<ImportOptions, Problem> {
    let all_or_nothing = all_or_nothing.unwrap_or(false);
    if all_or_nothing && resume.is_some() {
        let reason =
            "does not go with `all_or_nothing`, which leaves nothing to go on with; leave one out";
        let error = FieldError::new("resume", resume.as_deref().unwrap_or_default(), reason);
        return Err(Problem::invalid_parameter(ProblemKind::InvalidQuery, error));
    }
    let limits = &state.settings.limits;
    Ok(ImportOptions {
        read: ReadOptions {
            max_row_bytes: limits.line_bytes,
            max_spool_bytes: limits.spool_bytes,
        },
        all_or_nothing,
        resume: resume.map_or(Resume::Never, Resume::Import),
    })
}

async fn import(
    state: &AppState,
    request: &HttpRequest,
    body: Payload,
    run: impl FnOnce(&Service, Source) -> Result<ImportReport, ServiceError> + Send + 'static,
) -> Result<Json<ImportAnswer>, Problem> {
    Ok(Json(receive(state, request, body, run).await?.into()))
}

/// Receives the rows of a body while `run` reads them.
pub(super) async fn receive(
    state: &AppState,
    request: &HttpRequest,
    body: Payload,
    run: impl FnOnce(&Service, Source) -> Result<ImportReport, ServiceError> + Send + 'static,
) -> Result<ImportReport, Problem> {
    expect_import(request)?;
    let limit = state.settings.limits.import_bytes;
    let Streamed {
        result,
        limit: exceeded,
        cut: how,
    } = stream(state, request, limit, body, run).await?;
    let cut = |report: &ImportReport| broken_off(exceeded, how.clone(), report);
    match result {
        Ok(report) => match (cut(&report), &report.failure) {
            (Some(problem), _) => Err(problem),
            (None, Some(failure)) => {
                let problem = Problem::new(ProblemKind::MalformedBody, failure.clone());
                Err(told(problem, &report))
            }
            (None, None) if report.nothing_written => Err(refused_whole(&report)),
            (None, None) => Ok(report),
        },
        Err(ServiceError::Files(error)) => {
            Err(cut(&ImportReport::default()).unwrap_or_else(|| Problem::unreadable(&error)))
        }
        Err(error) => Err(error.into()),
    }
}

/// What came of a body that was streamed.
pub(super) struct Streamed<T, E> {
    /// What its reader gave.
    pub(super) result: Result<T, E>,
    /// The limit, where the body was larger.
    pub(super) limit: Option<u64>,
    /// Why it ended early, where it did.
    pub(super) cut: Option<Cut>,
}

/// Hands the rows of a body of at most `limit` bytes to `run` while they arrive.
pub(super) async fn stream<T: Send + 'static, E: From<FilesError> + Send + 'static>(
    state: &AppState,
    request: &HttpRequest,
    limit: u64,
    body: Payload,
    run: impl FnOnce(&Service, Source) -> Result<T, E> + Send + 'static,
) -> Result<Streamed<T, E>, Problem> {
    let media_type = request.content_type().to_ascii_lowercase();
    let format = match media_type.as_str() {
        CSV => Format::Csv,
        PARQUET => Format::Parquet,
        _ => Format::Ndjson,
    };
    let (pump, body, note) = upload(body);
    let too_large = Arc::new(AtomicBool::new(false));
    let exceeded = Arc::clone(&too_large);
    let service = Arc::clone(&state.service);
    let mut task = tokio::task::spawn_blocking(move || {
        let source = Source::from_reader(NAME, format, body)?.bounded(limit, exceeded);
        run(&service, source)
    });
    // The import may end before the body does: then nobody waits for the rest of it.
    let ended = tokio::select! {
        ended = &mut task => ended,
        () = pump.run() => task.await,
    };
    Ok(Streamed {
        result: ended.map_err(Problem::internal)?,
        limit: too_large.load(Ordering::Relaxed).then_some(limit),
        cut: note.read(),
    })
}

/// The problem of a body that was larger than `limit` or cut, if it was.
pub(super) fn broken_off(
    limit: Option<u64>,
    cut: Option<Cut>,
    report: &ImportReport,
) -> Option<Problem> {
    let read = if report.nothing_written {
        "nothing was written".to_owned()
    } else {
        format!("its first {} rows were read", report.row_count)
    };
    let problem = match (limit, cut) {
        (Some(limit), _) => Problem::new(
            ProblemKind::TooLarge,
            format!("the body has more than {limit} bytes; {read}, send the rest in parts"),
        )
        .with_member("limit_bytes", limit),
        (None, Some(Cut::Paused)) => Problem::new(
            ProblemKind::RequestTimeout,
            format!("the body did not go on; {read}, send it again"),
        ),
        (None, Some(Cut::Broken(cause))) => Problem::new(
            ProblemKind::MalformedBody,
            format!("the body broke off: {cause}; {read}, send it again"),
        ),
        (None, None) => return None,
    };
    Some(told(problem, report))
}

/// The problem of a file that was to go in as a whole.
fn refused_whole(report: &ImportReport) -> Problem {
    let refused = report.refused_count;
    let problem = Problem::new(
        ProblemKind::InvalidBody,
        format!(
            "{refused} rows were refused, so nothing was written; correct them and send the file again"
        ),
    );
    told(problem, report)
}

/// Adds what was read before the break; good rows are in the register.
fn told(problem: Problem, report: &ImportReport) -> Problem {
    let ImportReport {
        import_ids,
        row_count,
        created_count,
        updated_count,
        unchanged_count,
        set_aside_count,
        refused_count,
        resumed_count,
        nothing_written: _,
        errors,
        failure: _,
    } = report;
    // A body that broke off before its first row began no import.
    let problem = match import_ids.first() {
        Some(import_id) => problem.with_member("import_id", import_id.as_str()),
        None => problem,
    };
    problem
        .with_member("row_count", *row_count)
        .with_member("created_count", *created_count)
        .with_member("updated_count", *updated_count)
        .with_member("unchanged_count", *unchanged_count)
        .with_member("set_aside_count", *set_aside_count)
        .with_member("refused_count", *refused_count)
        .with_member("resumed_count", *resumed_count)
        .with_items(errors.iter().cloned().map(line_item))
}
