//! Webhooks: changes of tiers, sent to those who subscribed.

use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{HttpResponse, delete, get, post};

use crate::api::dto::page::Page;
use crate::api::dto::webhooks::{NewWebhook, PingAnswer, ResumeQuery, WebhookAnswer, WebhookInput};
use crate::api::examples;
use crate::api::extract::Body;
use crate::api::optional::NoQuery;
use crate::api::problem::Problem;
use crate::api::responses::{CreateProblems, ListProblems, ReadProblems};
use crate::api::state::AppState;
use crate::service::secret_text;

/// Subscribe to changes of tiers
///
/// From now on every change of `GET /v1/tiers/changes` is sent to the address by POST, in order, at least once, up to 500
/// together: `{"type": "tiers.changed", "webhook_id", "items"}`. Signed as the Standard Webhooks specification says
/// (headers `webhook-id`, `webhook-timestamp`, `webhook-signature`): check the signature, refuse old timestamps, and tell
/// repeated changes by their `number`. Answer 2xx within ten seconds to take a delivery, 410 to be suspended. What is not
/// taken is sent again after growing pauses; after three days without success (the operator may say otherwise) the webhook
/// is suspended, keeps its place, and goes on when it is resumed. If changes were removed meanwhile,
/// `{"type": "tiers.lost"}` says so. The `webhooks` of this document have the schemas of what is sent.
///
/// The answer holds the secret, so it is kept nowhere: a request that is repeated with its idempotency key subscribes
/// nothing twice and is answered 409 `idempotency-unanswered`; delete the webhook whose secret was lost, and make another.
#[utoipa::path(
    operation_id = "create_webhook",
    tag = "webhooks",
    request_body(content = WebhookInput, example = json!({"url": "https://draw.example.gov.cn/hooks/tiers"})),
    responses(
        (status = 201, description = "It is subscribed; the secret is not shown again",
            headers(
                ("location" = String, description = "Path of the webhook"),
                ("cache-control" = String, description = "`no-store`: the answer holds a secret")
            ),
            body = NewWebhook, example = json!({
                "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "webhook": examples::webhook()})),
        CreateProblems
    )
)]
#[post("/v1/webhooks")]
pub(crate) async fn create_webhook(
    state: Data<AppState>,
    _query: NoQuery,
    body: Body<WebhookInput>,
) -> Result<HttpResponse, Problem> {
    let options = state.webhook_options();
    let url = body.0.url;
    let webhook = state
        .run(move |service| service.create_webhook(&url, &options))
        .await?;
    let location = format!("/v1/webhooks/{}", webhook.webhook_id);
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, location))
        // Not even under an idempotency key.
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(NewWebhook {
            secret: secret_text(&webhook.secret),
            webhook: webhook.into(),
        }))
}

/// Webhooks
#[utoipa::path(
    operation_id = "list_webhooks",
    tag = "webhooks",
    responses(
        (status = 200, description = "The webhooks, whole", body = Page<WebhookAnswer>,
            example = json!({"items": [examples::webhook()]})),
        ListProblems
    )
)]
#[get("/v1/webhooks")]
pub(crate) async fn list_webhooks(
    state: Data<AppState>,
    _query: NoQuery,
) -> Result<Json<Page<WebhookAnswer>>, Problem> {
    let webhooks = state.run(|service| service.webhooks()).await?;
    Ok(Json(Page::whole(
        webhooks.into_iter().map(Into::into).collect(),
    )))
}

/// One webhook
#[utoipa::path(
    operation_id = "get_webhook",
    tag = "webhooks",
    params(("webhook_id" = String, Path, description = "Id of the webhook",
        example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a21")),
    responses(
        (status = 200, description = "The webhook", body = WebhookAnswer, example = json!(examples::webhook())),
        ReadProblems
    )
)]
#[get("/v1/webhooks/{webhook_id}")]
pub(crate) async fn get_webhook(
    state: Data<AppState>,
    webhook_id: Path<String>,
    _query: NoQuery,
) -> Result<Json<WebhookAnswer>, Problem> {
    let webhook = state
        .run(move |service| service.webhook(&webhook_id))
        .await?;
    Ok(Json(webhook.into()))
}

/// End a subscription
///
/// A delivery that is on its way may still arrive.
#[utoipa::path(
    operation_id = "delete_webhook",
    tag = "webhooks",
    params(("webhook_id" = String, Path, description = "Id of the webhook",
        example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a21")),
    responses(
        (status = 200, description = "The webhook as it was", body = WebhookAnswer,
            example = json!(examples::webhook())),
        ReadProblems
    )
)]
#[delete("/v1/webhooks/{webhook_id}")]
pub(crate) async fn delete_webhook(
    state: Data<AppState>,
    webhook_id: Path<String>,
    _query: NoQuery,
) -> Result<Json<WebhookAnswer>, Problem> {
    let webhook = state
        .run(move |service| service.delete_webhook(&webhook_id))
        .await?;
    Ok(Json(webhook.into()))
}

/// Try a webhook out
///
/// Sends `{"type": "ping"}` once, signed like everything else, and says what came of it.
#[utoipa::path(
    operation_id = "ping_webhook",
    tag = "webhooks",
    params(("webhook_id" = String, Path, description = "Id of the webhook",
        example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a21")),
    responses(
        (status = 200, description = "What came of the call", body = PingAnswer,
            example = json!({"is_taken": true, "status": 204})),
        ReadProblems
    )
)]
#[post("/v1/webhooks/{webhook_id}/ping")]
pub(crate) async fn ping_webhook(
    state: Data<AppState>,
    webhook_id: Path<String>,
    _query: NoQuery,
) -> Result<Json<PingAnswer>, Problem> {
    let options = state.webhook_options();
    let delivery = state
        .run(move |service| service.ping_webhook(&webhook_id, &options))
        .await?;
    Ok(Json(delivery.into()))
}

/// Let a webhook go on at once
///
/// A suspended one goes on from its place, so nothing is left out unless `skip` says so; one that waits after a failure
/// is called again at once.
#[utoipa::path(
    operation_id = "resume_webhook",
    tag = "webhooks",
    params(
        ("webhook_id" = String, Path, description = "Id of the webhook",
            example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a21"),
        ResumeQuery
    ),
    responses(
        (status = 200, description = "The webhook as it is now", body = WebhookAnswer,
            example = json!(examples::webhook())),
        ReadProblems
    )
)]
#[post("/v1/webhooks/{webhook_id}/resume")]
pub(crate) async fn resume_webhook(
    state: Data<AppState>,
    webhook_id: Path<String>,
    query: Query<ResumeQuery>,
) -> Result<Json<WebhookAnswer>, Problem> {
    let skip = query.skip.unwrap_or(false);
    let webhook = state
        .run(move |service| service.resume_webhook(&webhook_id, skip))
        .await?;
    Ok(Json(webhook.into()))
}
