//! Health, readiness, metrics, the contract.

use actix_web::http::header;
use actix_web::web::{Data, Json};
use actix_web::{HttpResponse, get};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::problem::{Problem, ProblemBody, ProblemItem, ProblemKind};
use crate::api::server::Contract;
use crate::api::state::AppState;

/// The process runs.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `ok`.
    #[schema(example = "ok")]
    status: &'static str,
    /// The version of the program.
    #[schema(example = "0.1.0")]
    version: &'static str,
}

/// The parts that must work do.
#[derive(Serialize, ToSchema)]
pub(crate) struct Ready {
    /// Always `ready`.
    #[schema(example = "ready")]
    status: &'static str,
    /// The parts that were asked.
    #[schema(example = json!(["store"]))]
    checks: Vec<&'static str>,
}

/// Whether the process runs
///
/// Asks nothing else: use it to decide whether to restart the process.
#[utoipa::path(
    operation_id = "get_health",
    tag = "operations",
    responses((status = 200, description = "It runs", body = Health,
        example = json!({"status": "ok", "version": "0.1.0"})))
)]
#[get("/healthz")]
pub(crate) async fn get_health() -> Json<Health> {
    Json(Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// Whether requests can be answered
///
/// Asks the store. A cache that is away slows answers down but does not stop them, so it is not asked.
#[utoipa::path(
    operation_id = "get_readiness",
    tag = "operations",
    responses(
        (status = 200, description = "It can answer", body = Ready,
            example = json!({"status": "ready", "checks": ["store"]})),
        (status = 503, description = "It cannot answer yet", body = ProblemBody,
            content_type = "application/problem+json",
            example = json!({"type": "urn:risktier:problem:unavailable", "title": "The service is not ready",
                "status": 503, "detail": "not ready: store"}))
    )
)]
#[get("/readyz")]
pub(crate) async fn get_readiness(state: Data<AppState>) -> Result<Json<Ready>, Problem> {
    let checks = state.readiness.checks().await;
    let troubles: Vec<_> = checks
        .iter()
        .filter_map(|check| Some((check.name, check.trouble.clone()?)))
        .collect();
    if troubles.is_empty() {
        return Ok(Json(Ready {
            status: "ready",
            checks: checks.iter().map(|check| check.name).collect(),
        }));
    }
    let names: Vec<_> = troubles.iter().map(|(name, _)| *name).collect();
    let items = troubles.iter().map(|(name, trouble)| ProblemItem {
        field: Some((*name).to_owned()),
        detail: trouble.clone(),
        ..ProblemItem::default()
    });
    Err(Problem::new(
        ProblemKind::Unavailable,
        format!("not ready: {}", names.join(", ")),
    )
    .with_items(items)
    .with_header(header::RETRY_AFTER, "1"))
}

/// Counters and histograms
///
/// In the text form of Prometheus. Nothing here names an enterprise.
#[utoipa::path(
    operation_id = "get_metrics",
    tag = "operations",
    responses((status = 200, description = "The metrics", body = String, content_type = "text/plain",
        example = "risktier_http_requests_total{method=\"GET\",route=\"/v1/tiers\",status=\"200\"} 12"))
)]
#[get("/metrics")]
pub(crate) async fn get_metrics(state: Data<AppState>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(state.metrics.render())
}

/// This contract
///
/// The OpenAPI document of the running server.
#[utoipa::path(
    operation_id = "get_openapi",
    tag = "operations",
    responses((status = 200, description = "The OpenAPI 3.1 document", body = Object,
        content_type = "application/json", example = json!({"openapi": "3.1.0"})))
)]
#[get("/openapi.json")]
pub(crate) async fn get_openapi(contract: Data<Contract>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(contract.json.clone())
}
