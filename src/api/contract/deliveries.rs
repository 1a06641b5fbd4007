//! What webhooks are sent: the calls that this service makes, and what it expects in return.

use serde_json::{Value, json};
use utoipa::openapi::{Components, OpenApi, PathItem, Paths, RefOr, Schema};

/// The deliveries: name, operation id, schema, summary, description, and an example.
fn deliveries() -> [(
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    Value,
); 3] {
    [
        (
            "tiersChanged",
            "deliver_tier_changes",
            "TiersChangedDelivery",
            "Changes of tiers",
            "In order, at least once, up to 500 together. Tell repeated changes by their `number`.",
            json!({"type": "tiers.changed", "webhook_id": WEBHOOK_ID, "items": [{
                "number": 108, "kind": "tier", "enterprise_id": "91990000MA00000017", "from_tier": "B", "tier": "C",
                "points": 420, "on": "2026-11-22", "epoch": "0123456789abcdef", "noted_at": "2026-11-22T08:00:00Z"
            }]}),
        ),
        (
            "tiersLost",
            "deliver_tiers_lost",
            "TiersLostDelivery",
            "Changes were removed before they could be delivered",
            "Read all tiers by `GET /v1/tiers/export`; what comes after `next_number` is delivered.",
            json!({"type": "tiers.lost", "webhook_id": WEBHOOK_ID, "lost_after": 100, "next_number": 5000,
                "detail": "changes were removed before they could be delivered; read all tiers by `GET /v1/tiers/export`"}),
        ),
        (
            "ping",
            "deliver_ping",
            "PingDelivery",
            "A trial",
            "Sent once for each `POST /v1/webhooks/{webhook_id}/ping`.",
            json!({"type": "ping", "webhook_id": WEBHOOK_ID}),
        ),
    ]
}

const WEBHOOK_ID: &str = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a21";

/// Adds the `webhooks` of the document with their schemas.
pub(super) fn declare(document: &mut OpenApi) {
    let components = document.components.get_or_insert_with(Components::default);
    for (name, schema) in schemas() {
        // Built from constants; a test holds that every one is there.
        if let Ok(schema) = serde_json::from_value::<RefOr<Schema>>(schema) {
            components.schemas.insert(name.to_owned(), schema);
        }
    }
    let mut webhooks = Paths::new();
    for (name, operation_id, schema, summary, description, example) in deliveries() {
        let item = json!({"post": {
            "tags": ["webhooks"],
            "operationId": operation_id,
            "summary": summary,
            "description": format!("{description} {SIGNATURE}"),
            "parameters": headers(),
            "requestBody": {"required": true, "content": {"application/json": {
                "schema": {"$ref": format!("#/components/schemas/{schema}")}, "example": example
            }}},
            "responses": {
                "2XX": {"description": "It is taken; answer within ten seconds. The body is not read."},
                "410": {"description": "Nothing more is wanted: the webhook is suspended until it is resumed."},
                "default": {"description": "It is sent again after 1, 2, 4, … seconds, at most an hour; redirections are \
                    not followed. After three days without success (unless the operator says otherwise) the webhook is \
                    suspended and keeps its place."}
            }
        }});
        if let Ok(item) = serde_json::from_value::<PathItem>(item) {
            webhooks.paths.insert(name.to_owned(), item);
        }
    }
    document.webhooks = Some(webhooks);
}

const SIGNATURE: &str = "Signed as the Standard Webhooks specification says: `webhook-signature` holds `v1,` and the \
    base64 of the HMAC-SHA256 over `{webhook-id}.{webhook-timestamp}.{body}` under the secret without `whsec_`, decoded. \
    Compare in constant time, and refuse timestamps that are older than five minutes.";

fn headers() -> Value {
    let header = |name: &str, description: &str, example: &str| {
        json!({"name": name, "in": "header", "required": true, "description": description,
            "schema": {"type": "string"}, "example": example})
    };
    json!([
        header(
            "webhook-id",
            "The delivery; the same when it is sent again",
            "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a21.108-108"
        ),
        header(
            "webhook-timestamp",
            "Seconds since 1970, of this attempt",
            "1795334400"
        ),
        header(
            "webhook-signature",
            "`v1,` and the signature; several are separated by blanks",
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        ),
    ])
}

fn schemas() -> [(&'static str, Value); 3] {
    let kind = |word: &str| json!({"type": "string", "enum": [word], "x-closed-enum": true, "description": "What this is"});
    let webhook_id = json!({"type": "string", "description": "The webhook", "example": WEBHOOK_ID});
    [
        (
            "TiersChangedDelivery",
            json!({
                "type": "object",
                "description": "Changes, as `GET /v1/tiers/changes` shows them.",
                "required": ["type", "webhook_id", "items"],
                "properties": {
                    "type": kind("tiers.changed"),
                    "webhook_id": webhook_id,
                    "items": {"type": "array", "description": "The changes, in order",
                        "items": {"$ref": "#/components/schemas/Change"}}
                }
            }),
        ),
        (
            "TiersLostDelivery",
            json!({
                "type": "object",
                "description": "Changes that nobody took in time were removed.",
                "required": ["type", "webhook_id", "lost_after", "next_number", "detail"],
                "properties": {
                    "type": kind("tiers.lost"),
                    "webhook_id": webhook_id,
                    "lost_after": {"type": "integer", "format": "int64", "minimum": 0,
                        "description": "The number of the last change that was taken", "example": 100},
                    "next_number": {"type": "integer", "format": "int64", "minimum": 1,
                        "description": "The number of the first change that is still kept", "example": 5000},
                    "detail": {"type": "string", "description": "What to do"}
                }
            }),
        ),
        (
            "PingDelivery",
            json!({
                "type": "object",
                "description": "A trial.",
                "required": ["type", "webhook_id"],
                "properties": {"type": kind("ping"), "webhook_id": webhook_id}
            }),
        ),
    ]
}
