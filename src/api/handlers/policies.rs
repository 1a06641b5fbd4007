//! Policies: the registry, and how one comes into force.

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{HttpResponse, get, post};

use super::decisions::wrong;
use super::jobs::accepted;
use super::models::number_of;
use crate::api::cursor::{List, page_limit};
use crate::api::dto::models::LedgerAnswer;
use crate::api::dto::page::{Page, PageQuery};
use crate::api::dto::persons::PersonInput;
use crate::api::dto::policies::{PolicyAnswer, PolicyChangeAnswer, PolicyInput};
use crate::api::examples;
use crate::api::extract::Body;
use crate::api::optional::NoQuery;
use crate::api::problem::{Problem, ProblemItem};
use crate::api::responses::{CreateProblems, ListProblems, ReadProblems, StepProblems};
use crate::api::state::AppState;
use crate::service::{Activation, RegisterPolicyError};

impl From<RegisterPolicyError> for Problem {
    fn from(error: RegisterPolicyError) -> Self {
        match error {
            RegisterPolicyError::Service(error) => error.into(),
            RegisterPolicyError::Files(error) => Self::invalid_fields([ProblemItem {
                pointer: Some("/policy".to_owned()),
                detail: error.to_string(),
                ..Default::default()
            }]),
        }
    }
}

/// Policies, latest first
///
/// Every one that was registered or is in force with the files of a process.
#[utoipa::path(
    operation_id = "list_policies",
    tag = "models",
    params(PageQuery),
    responses(
        (status = 200, description = "A page of policies", body = Page<PolicyAnswer>,
            example = json!({"items": [examples::policy(true)]})),
        ListProblems
    )
)]
#[get("/v1/policies")]
pub(crate) async fn list_policies(
    state: Data<AppState>,
    query: Query<PageQuery>,
) -> Result<Json<Page<PolicyAnswer>>, Problem> {
    let PageQuery { cursor, limit } = query.into_inner();
    let limit = page_limit(&state.settings.limits, limit)?;
    let list = List {
        name: "policies",
        filter: "",
    };
    let before = number_of(list.place(cursor.as_deref())?)?;
    let found = state
        .run(move |service| service.policies(before, limit + 1))
        .await?;
    Ok(Json(
        list.page(found, limit, |row| row.policy_no.to_string()),
    ))
}

/// Register a policy
///
/// The file comes in under its SHA-256 and never changes. One that is no policy of this release, breaks a promise, or does
/// not go with the catalogue and cards in force is refused, and nothing of it is kept. The same file again gives the policy
/// that is there.
#[utoipa::path(
    operation_id = "create_policy",
    tag = "models",
    request_body(content = PolicyInput, example = json!({"by": "analyst-3", "reason": "fewer visits to tier A",
        "policy": "format = \"risktier-policy/1\"\nname = \"cn-general\"\nversion = 2\n…"})),
    responses(
        (status = 201, description = "It is registered",
            headers(("location" = String, description = "Path of the policy")),
            body = PolicyAnswer, example = json!(examples::policy(false))),
        (status = 200, description = "It was registered already", body = PolicyAnswer,
            example = json!(examples::policy(false))),
        CreateProblems
    )
)]
#[post("/v1/policies")]
pub(crate) async fn create_policy(
    state: Data<AppState>,
    _query: NoQuery,
    body: Body<PolicyInput>,
) -> Result<HttpResponse, Problem> {
    let (by, reason, text) = body.0.parse().map_err(wrong)?;
    let added = state
        .run(move |service| Ok(service.add_policy(&text, &by, reason.as_deref())))
        .await?;
    let (row, is_new) = added?;
    let answer = PolicyAnswer::from(row);
    let mut response = if is_new {
        HttpResponse::Created()
    } else {
        HttpResponse::Ok()
    };
    Ok(response
        .insert_header((LOCATION, format!("/v1/policies/{}", answer.policy_id)))
        .json(answer))
}

/// What persons did with policies, latest first
#[utoipa::path(
    operation_id = "list_policies_history",
    tag = "models",
    params(PageQuery),
    responses(
        (status = 200, description = "A page of changes", body = Page<PolicyChangeAnswer>,
            example = json!({"items": [examples::policy_change()]})),
        ListProblems
    )
)]
#[get("/v1/policies/history")]
pub(crate) async fn list_policies_history(
    state: Data<AppState>,
    query: Query<PageQuery>,
) -> Result<Json<Page<PolicyChangeAnswer>>, Problem> {
    let PageQuery { cursor, limit } = query.into_inner();
    let limit = page_limit(&state.settings.limits, limit)?;
    let list = List {
        name: "policy-changes",
        filter: "",
    };
    let before = number_of(list.place(cursor.as_deref())?)?;
    let found = state
        .run(move |service| service.policy_history(None, before, limit + 1))
        .await?;
    Ok(Json(list.page(found, limit, |row| row.seq.to_string())))
}

/// Whether the history is whole
///
/// Every digest is computed anew: a row that was taken out or altered is found.
#[utoipa::path(
    operation_id = "verify_policies_history",
    tag = "models",
    responses(
        (status = 200, description = "What was found", body = LedgerAnswer,
            example = json!({"row_count": 4, "head": examples::MODEL_ID, "is_intact": true})),
        ListProblems
    )
)]
#[get("/v1/policies/history/verification")]
pub(crate) async fn verify_policies_history(
    state: Data<AppState>,
    _query: NoQuery,
) -> Result<Json<LedgerAnswer>, Problem> {
    let check = state.run(|service| service.check_policy_history()).await?;
    Ok(Json(check.into()))
}

/// One policy
#[utoipa::path(
    operation_id = "get_policy",
    tag = "models",
    params(("policy_id" = String, Path, description = "Id of the policy", example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")),
    responses(
        (status = 200, description = "The policy", body = PolicyAnswer, example = json!(examples::policy(true))),
        ReadProblems
    )
)]
#[get("/v1/policies/{policy_id}")]
pub(crate) async fn get_policy(
    state: Data<AppState>,
    policy_id: Path<String>,
    _query: NoQuery,
) -> Result<Json<PolicyAnswer>, Problem> {
    let row = state.run(move |service| service.policy(&policy_id)).await?;
    Ok(Json(row.into()))
}

/// The file of a policy
///
/// Byte for byte: its SHA-256 is the id.
#[utoipa::path(
    operation_id = "get_policy_file",
    tag = "models",
    params(("policy_id" = String, Path, description = "Id of the policy", example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")),
    responses(
        (status = 200, description = "The file", content((String = "application/toml",
            example = "format = \"risktier-policy/1\""))),
        ReadProblems
    )
)]
#[get("/v1/policies/{policy_id}/file")]
pub(crate) async fn get_policy_file(
    state: Data<AppState>,
    policy_id: Path<String>,
    _query: NoQuery,
) -> Result<HttpResponse, Problem> {
    let file = state
        .run(move |service| service.policy_file(&policy_id))
        .await?;
    Ok(HttpResponse::Ok()
        .content_type("application/toml")
        .body(file))
}

/// Bring a policy into force
///
/// By another person than its author. A policy that gives the same tiers is in force at once, and a promotion that is under
/// way goes on with it. One that gives other tiers reclassifies the whole register beside what is served, and everything
/// changes over at once; while a promotion or other files are on their way it is refused.
#[utoipa::path(
    operation_id = "activate_policy",
    tag = "models",
    params(("policy_id" = String, Path, description = "Id of the policy", example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")),
    request_body(content = PersonInput, example = json!({"by": "head-2", "reason": "minutes of 2026-11-20"})),
    responses(
        (status = 200, description = "It is in force", body = PolicyAnswer, example = json!(examples::policy(true))),
        (status = 202, description = "The run is queued or running",
            headers(("location" = String, description = "Path of the job")),
            body = crate::api::dto::jobs::JobAnswer, example = json!(examples::job())),
        StepProblems
    )
)]
#[post("/v1/policies/{policy_id}/activate")]
pub(crate) async fn activate_policy(
    state: Data<AppState>,
    policy_id: Path<String>,
    _query: NoQuery,
    body: Body<PersonInput>,
) -> Result<HttpResponse, Problem> {
    let person = body.0.parse().map_err(wrong)?;
    let activation = state
        .run(move |service| service.activate_policy(&policy_id, &person))
        .await?;
    Ok(match activation {
        Activation::Done(row) => HttpResponse::Ok().json(PolicyAnswer::from(row)),
        Activation::Run(job) => accepted(*job),
    })
}
