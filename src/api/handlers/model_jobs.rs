//! Jobs about models: training, judging, comparing, validating, drift, and what they leave.

use actix_web::web::{Data, Json, Path, Payload, Query};
use actix_web::{HttpRequest, HttpResponse, get, post};

use super::decisions::wrong;
use super::imports::{Streamed, broken_off, stream};
use super::jobs::accepted;
use super::models::{html, language_of, number_of};
use crate::api::cursor::{List, page_limit};
use crate::api::dto::jobs::JobAnswer;
use crate::api::dto::model_jobs::{
    ComparisonInput, DriftAnswer, JudgingInput, TableAnswer, ValidationInput,
};
use crate::api::dto::models::PageLanguageQuery;
use crate::api::dto::page::{Page, PageQuery};
use crate::api::dto::train_input::TrainInput;
use crate::api::examples;
use crate::api::extract::{Body, CSV, PARQUET, expect_media_type};
use crate::api::optional::{NoQuery, OptionalBody};
use crate::api::problem::{Problem, ProblemKind};
use crate::api::responses::{
    ChangeProblems, ImportProblems, ListProblems, ResultProblems, StateProblems, StepProblems,
};
use crate::api::state::AppState;
use crate::report;
use crate::service::training::TrainingError;
use crate::service::{CellRowsError, ImportReport, JobKind, ServiceError, TaskRequest};

async fn ask(state: &Data<AppState>, request: TaskRequest) -> Result<HttpResponse, Problem> {
    let job = state.run(move |service| service.ask_task(&request)).await?;
    Ok(accepted(job))
}

/// Send a table for a training
///
/// CSV or Parquet, plain, gzip or zstd, up to `limits.table_bytes` after decompression. It is kept under the SHA-256 of its
/// bytes until a day has passed in which nobody asked for it, and as long as a job waits that names it; `train_model` takes
/// its id. The same bytes again give the table that is there.
#[utoipa::path(
    operation_id = "import_training_table",
    tag = "models",
    request_body(description = "CSV with a header, or Parquet; plain, gzip or zstd", content(
        (String = "text/csv", example = "enterprise_id,day,fines,outcome\n91990000MA00000017,2026-03-02,2,1\n"),
        (String = "application/vnd.apache.parquet", example = "PAR1…")
    )),
    responses(
        (status = 200, description = "It is kept", body = TableAnswer, example = json!({
            "table_id": examples::MODEL_ID, "byte_count": 1_048_576,
            "columns": ["enterprise_id", "day", "fines", "outcome"]})),
        ImportProblems
    )
)]
#[post("/v1/training-tables/import")]
pub(crate) async fn import_training_table(
    state: Data<AppState>,
    request: HttpRequest,
    _query: NoQuery,
    body: Payload,
) -> Result<Json<TableAnswer>, Problem> {
    expect_media_type(&request, &[CSV, PARQUET])?;
    let limit = state.settings.limits.table_bytes;
    let Streamed { result, limit, cut } =
        stream(&state, &request, limit, body, |service, source| {
            service.add_training_table(source)
        })
        .await?;
    if let Some(problem) = broken_off(limit, cut, &ImportReport::default()) {
        return Err(problem);
    }
    match result {
        Ok(taken) => Ok(Json(taken.into())),
        Err(TrainingError::Service(error)) => Err(error.into()),
        Err(TrainingError::Table(CellRowsError::File(error)) | TrainingError::Files(error)) => {
            Err(Problem::unreadable(&error))
        }
        Err(error) => Err(Problem::new(ProblemKind::MalformedBody, error.to_string())),
    }
}

/// Train a model
///
/// On the register: one row per inspection, what was known on the day before and what it found. Or on a `table` that was
/// sent. Tiers begin by one of `shares` (`[0.29, 0.065, 0.025]`), `cutoffs` (`[400, 600, 800]`), `problem_rates`
/// (`[0.1, 0.25, 0.5]`) or `capacity`. The card is registered as a draft; the result of the job names it and carries rows
/// and report. A card of columns that are no indicators of the register is not registered and stands in the result itself.
#[utoipa::path(
    operation_id = "train_model",
    tag = "models",
    request_body(content = TrainInput, example = json!({"by": "analyst-3", "name": "retrained", "fitter": "woe",
        "capacity": {"visits": 20_000, "enterprises": 400_000}, "calibration": "isotonic"})),
    responses(
        (status = 202, description = "The job is queued",
            headers(("location" = String, description = "Path of the job")),
            body = JobAnswer, example = json!(examples::task("train"))),
        ChangeProblems
    )
)]
#[post("/v1/models/train")]
pub(crate) async fn train_model(
    state: Data<AppState>,
    _query: NoQuery,
    body: Body<TrainInput>,
) -> Result<HttpResponse, Problem> {
    let job = state
        .run(move |service| {
            let request = body.0.training(service.visit_rates())?;
            service.ask_task(&request)
        })
        .await?;
    Ok(accepted(job))
}

/// Judge a model
///
/// By the first inspection of each enterprise after a day; the result of the job is the evaluation, and its page
/// `…/report`.
#[utoipa::path(
    operation_id = "evaluate_model",
    tag = "models",
    params(("model_id" = String, Path, description = "Id of the model", example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")),
    request_body(content = Option<JudgingInput>, example = json!({"as_of": "2026-06-30"})),
    responses(
        (status = 202, description = "The job is queued",
            headers(("location" = String, description = "Path of the job")),
            body = JobAnswer, example = json!(examples::task("evaluate"))),
        StepProblems
    )
)]
#[post("/v1/models/{model_id}/evaluate")]
pub(crate) async fn evaluate_model(
    state: Data<AppState>,
    model_id: Path<String>,
    _query: NoQuery,
    body: OptionalBody<JudgingInput>,
) -> Result<HttpResponse, Problem> {
    let request = body.0.evaluation(model_id.into_inner()).map_err(wrong)?;
    ask(&state, request).await
}

/// Compare a model with another
///
/// On the same later inspections, by default with the live one; the result of the job is the comparison, and its page
/// `…/report`.
#[utoipa::path(
    operation_id = "compare_model",
    tag = "models",
    params(("model_id" = String, Path, description = "Id of the model", example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")),
    request_body(content = Option<ComparisonInput>, example = json!({"as_of": "2026-06-30"})),
    responses(
        (status = 202, description = "The job is queued",
            headers(("location" = String, description = "Path of the job")),
            body = JobAnswer, example = json!(examples::task("compare"))),
        StepProblems
    )
)]
#[post("/v1/models/{model_id}/compare")]
pub(crate) async fn compare_model(
    state: Data<AppState>,
    model_id: Path<String>,
    _query: NoQuery,
    body: OptionalBody<ComparisonInput>,
) -> Result<HttpResponse, Problem> {
    let request = body.0.comparison(model_id.into_inner()).map_err(wrong)?;
    ask(&state, request).await
}

/// Put a model through the gates
///
/// Test vectors, directions, convergence, later inspections with intervals against the live model, guard rails of the
/// policy, and the tier mix of the present register. A draft that passes is validated then. `force` with a reason
/// overrides the gates that may be; the ledger keeps it.
#[utoipa::path(
    operation_id = "validate_model",
    tag = "models",
    params(("model_id" = String, Path, description = "Id of the model", example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")),
    request_body(content = ValidationInput, example = json!({"by": "analyst-3"})),
    responses(
        (status = 202, description = "The job is queued",
            headers(("location" = String, description = "Path of the job")),
            body = JobAnswer, example = json!(examples::task("validate"))),
        StepProblems
    )
)]
#[post("/v1/models/{model_id}/validate")]
pub(crate) async fn validate_model(
    state: Data<AppState>,
    model_id: Path<String>,
    _query: NoQuery,
    body: Body<ValidationInput>,
) -> Result<HttpResponse, Problem> {
    let request = body.0.validation(model_id.into_inner()).map_err(wrong)?;
    ask(&state, request).await
}

/// Where a model in shadow and the live one disagree
///
/// As its last report found: all sixteen cells from tier to tier, and by division, industry and size.
#[utoipa::path(
    operation_id = "get_model_shadow",
    tag = "models",
    params(("model_id" = String, Path, description = "Id of the model", example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")),
    responses(
        (status = 200, description = "The report", body = Object, example = json!({"as_of": "2026-11-22",
            "enterprise_count": 1000, "changed_count": 80, "worsened_count": 30, "far_count": 2})),
        StateProblems
    )
)]
#[get("/v1/models/{model_id}/shadow")]
pub(crate) async fn get_model_shadow(
    state: Data<AppState>,
    model_id: Path<String>,
    _query: NoQuery,
) -> Result<HttpResponse, Problem> {
    let report = state
        .run(move |service| service.shadow_report(&model_id))
        .await?;
    Ok(HttpResponse::Ok().json(report))
}

/// Measure drift
///
/// Of the present register against the rows that the live model was trained on; done by itself beside the run of each
/// month.
#[utoipa::path(
    operation_id = "measure_drift",
    tag = "models",
    responses(
        (status = 202, description = "The job is queued",
            headers(("location" = String, description = "Path of the job")),
            body = JobAnswer, example = json!(examples::task("drift"))),
        ListProblems
    )
)]
#[post("/v1/models/drift")]
pub(crate) async fn measure_drift(
    state: Data<AppState>,
    _query: NoQuery,
) -> Result<HttpResponse, Problem> {
    ask(&state, TaskRequest::Drift {}).await
}

/// Measured drift, latest first
#[utoipa::path(
    operation_id = "list_drift",
    tag = "models",
    params(PageQuery),
    responses(
        (status = 200, description = "A page of measurings", body = Page<DriftAnswer>,
            example = json!({"items": [examples::drift()]})),
        ListProblems
    )
)]
#[get("/v1/models/drift")]
pub(crate) async fn list_drift(
    state: Data<AppState>,
    query: Query<PageQuery>,
) -> Result<Json<Page<DriftAnswer>>, Problem> {
    let PageQuery { cursor, limit } = query.into_inner();
    let limit = page_limit(&state.settings.limits, limit)?;
    let list = List {
        name: "drift",
        filter: "",
    };
    let before = number_of(list.place(cursor.as_deref())?)?;
    let found = state
        .run(move |service| service.drifts(before, limit + 1))
        .await?;
    Ok(Json(
        list.page(found, limit, |row| row.drift_no.to_string()),
    ))
}

/// The result of a job
///
/// Of training, judging, comparing, validating, shadow reports and drift, once the job has succeeded. It is kept until
/// `result_expires_at` of the job, 30 days unless the operator says otherwise, and gone (410 `result-expired`) afterwards;
/// what it registered, such as a model or a measured drift, stays.
#[utoipa::path(
    operation_id = "get_job_result",
    tag = "operations",
    params(("job_id" = String, Path, description = "Id of the job",
        example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11")),
    responses(
        (status = 200, description = "The result", body = Object,
            example = json!({"model_id": examples::MODEL_ID, "is_new": true})),
        ResultProblems
    )
)]
#[get("/v1/jobs/{job_id}/result")]
pub(crate) async fn get_job_result(
    state: Data<AppState>,
    job_id: Path<String>,
    _query: NoQuery,
) -> Result<HttpResponse, Problem> {
    let text = state
        .run(move |service| service.job_result(&job_id))
        .await?;
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .body(text))
}

/// The page of a job
///
/// The evaluation, comparison or validation that the job made, as a self-contained HTML page in Chinese and English.
#[utoipa::path(
    operation_id = "get_job_report",
    tag = "operations",
    params(
        ("job_id" = String, Path, description = "Id of the job",
            example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11"),
        PageLanguageQuery
    ),
    responses(
        (status = 200, description = "The page", content((String = "text/html", example = "<!doctype html>"))),
        ResultProblems
    )
)]
#[get("/v1/jobs/{job_id}/report")]
pub(crate) async fn get_job_report(
    state: Data<AppState>,
    job_id: Path<String>,
    query: Query<PageLanguageQuery>,
) -> Result<HttpResponse, Problem> {
    let language = language_of(&query);
    let page = state
        .run(move |service| {
            let job = service.job(&job_id)?;
            let text = service.job_result(&job_id)?;
            Ok(match job.run.kind {
                JobKind::Evaluate => {
                    report::evaluation_page(&serde_json::from_str(&text)?, language)
                }
                JobKind::Compare => {
                    report::comparison_page(&serde_json::from_str(&text)?, language)
                }
                JobKind::Validate => {
                    report::validation_page(&serde_json::from_str(&text)?, language)
                }
                JobKind::Reclassify
                | JobKind::Promote
                | JobKind::Rollback
                | JobKind::Train
                | JobKind::Shadow
                | JobKind::Drift => {
                    return Err(ServiceError::Conflict(format!(
                        "job `{job_id}` makes no page; evaluations, comparisons and validations do"
                    )));
                }
            })
        })
        .await?;
    Ok(html(page))
}
