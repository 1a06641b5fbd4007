//! Jobs: the reclassification, and looking after all of them.

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{HttpResponse, delete, get, post};

use crate::api::cursor::{List, page_limit};
use crate::api::dto::jobs::JobAnswer;
use crate::api::dto::page::{Page, PageQuery};
use crate::api::examples;
use crate::api::optional::NoQuery;
use crate::api::problem::{Problem, ProblemKind};
use crate::api::responses::{ListProblems, ReadProblems};
use crate::api::state::AppState;
use crate::domain::FieldError;
use crate::service::Job;

/// Reclassify the register
///
/// Asks for a run with the model files in force: every enterprise is classified anew, the statistics of the register are
/// frozen, and all tiers change over at once. Where such a run is queued or running already, that one is given back.
/// Until it has succeeded all answers are of the tiers before.
#[utoipa::path(
    operation_id = "reclassify_register",
    tag = "tiers",
    responses(
        (status = 202, description = "The run is queued or running",
            headers(("location" = String, description = "Path of the job")),
            body = JobAnswer, example = json!(examples::job())),
        ListProblems
    )
)]
#[post("/v1/tiers/reclassify")]
pub(crate) async fn reclassify_register(
    state: Data<AppState>,
    _query: NoQuery,
) -> Result<HttpResponse, Problem> {
    Ok(accepted(state.run(|service| service.reclassify()).await?))
}

/// A job that was asked for, with its path.
pub(super) fn accepted(job: Job) -> HttpResponse {
    let job = JobAnswer::from(job);
    HttpResponse::Accepted()
        .insert_header((LOCATION, format!("/v1/jobs/{}", job.job_id)))
        .json(job)
}

/// Jobs, latest first
#[utoipa::path(
    operation_id = "list_jobs",
    tag = "operations",
    params(PageQuery),
    responses(
        (status = 200, description = "A page of jobs", body = Page<JobAnswer>,
            example = json!({"items": [examples::job()]})),
        ListProblems
    )
)]
#[get("/v1/jobs")]
pub(crate) async fn list_jobs(
    state: Data<AppState>,
    query: Query<PageQuery>,
) -> Result<Json<Page<JobAnswer>>, Problem> {
    let limit = page_limit(&state.settings.limits, query.limit)?;
    let list = List {
        name: "jobs",
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
        .run(move |service| service.jobs(before, limit + 1))
        .await?;
    Ok(Json(
        list.page(found, limit, |job| job.run.run_no.to_string()),
    ))
}

/// One job
#[utoipa::path(
    operation_id = "get_job",
    tag = "operations",
    params(("job_id" = String, Path, description = "Id of the job",
        example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11")),
    responses(
        (status = 200, description = "The job", body = JobAnswer, example = json!(examples::job())),
        ReadProblems
    )
)]
#[get("/v1/jobs/{job_id}")]
pub(crate) async fn get_job(
    state: Data<AppState>,
    job_id: Path<String>,
    _query: NoQuery,
) -> Result<Json<JobAnswer>, Problem> {
    let job = state.run(move |service| service.job(&job_id)).await?;
    Ok(Json(job.into()))
}

/// Cancel a job
///
/// A job that has ended stays as it is. What a cancelled run wrote is never seen.
#[utoipa::path(
    operation_id = "cancel_job",
    tag = "operations",
    params(("job_id" = String, Path, description = "Id of the job",
        example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11")),
    responses(
        (status = 200, description = "The job as it is now", body = JobAnswer, example = json!(examples::job())),
        ReadProblems
    )
)]
#[delete("/v1/jobs/{job_id}")]
pub(crate) async fn cancel_job(
    state: Data<AppState>,
    job_id: Path<String>,
    _query: NoQuery,
) -> Result<Json<JobAnswer>, Problem> {
    let job = state
        .run(move |service| service.cancel_job(&job_id))
        .await?;
    Ok(Json(job.into()))
}
