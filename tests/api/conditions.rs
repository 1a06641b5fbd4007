//! Conditional writes of check items and records.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::helpers::{TestApp, header, ok, problem};

async fn write(
    app: &TestApp,
    method: Method,
    path: &str,
    condition: (&str, &str),
    body: &Value,
) -> Response {
    app.request(method, path)
        .header(condition.0, condition.1)
        .json(body)
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn an_item_is_replaced_only_as_it_was_seen() {
    let app = TestApp::start().await;
    let path = "/v1/items/SP-1";
    let body = |name: &str| json!({"name": name, "class": "general", "published": true});
    let put = async |name: &str, value: &str, text: &str| {
        write(&app, Method::PUT, path, (name, value), &body(text)).await
    };
    problem(put("if-match", "*", "a").await, 412, "precondition-failed").await;
    let made = put("if-none-match", "*", "a").await;
    let tag = header(&made, "etag").to_owned();
    ok(made, 201).await;
    problem(
        put("if-none-match", "*", "b").await,
        412,
        "precondition-failed",
    )
    .await;
    assert_eq!(header(&app.get(path).await, "etag"), tag);
    let known = app
        .request(Method::GET, path)
        .header("if-none-match", &tag)
        .send()
        .await
        .unwrap();
    assert_eq!(known.status(), 304);

    let changed = put("if-match", &tag, "b").await;
    let next = header(&changed, "etag").to_owned();
    assert_eq!(ok(changed, 200).await["name"], "b");
    assert_ne!(next, tag);
    let stale = problem(put("if-match", &tag, "c").await, 412, "precondition-failed").await;
    assert_eq!(stale["revision"], 2);
    assert_eq!(app.json(path).await["name"], "b");
}

#[tokio::test]
async fn a_record_is_changed_only_as_it_was_seen() {
    let app = TestApp::start().await;
    app.enterprise("E1").await;
    let record = |amount: f64| {
        json!({"source": "s", "record_id": "1", "enterprise_id": "E1", "kind": "penalty",
            "occurred_on": "2026-10-01", "severity": "general", "amount_cny": amount})
    };
    ok(
        app.post("/v1/records", &json!({"records": [record(1_000.0)]}))
            .await,
        200,
    )
    .await;
    let path = "/v1/records/s/1";
    let read = app.get(path).await;
    let tag = header(&read, "etag").to_owned();
    assert_eq!(ok(read, 200).await["amount_cny"], 1_000.0);
    problem(app.get("/v1/records/s/2").await, 404, "unknown-record").await;

    let correction =
        |amount: f64| json!({"record": record(amount), "by": "officer-17", "reason": "mistyped"});
    let put = async |tag: &str, amount: f64| {
        write(
            &app,
            Method::PUT,
            path,
            ("if-match", tag),
            &correction(amount),
        )
        .await
    };
    problem(put("\"0\"", 2_000.0).await, 412, "precondition-failed").await;
    problem(
        put(&format!("W/{tag}"), 2_000.0).await,
        412,
        "precondition-failed",
    )
    .await;
    let corrected = put(&tag, 2_000.0).await;
    let next = header(&corrected, "etag").to_owned();
    assert_eq!(ok(corrected, 200).await["amount_cny"], 2_000.0);
    assert_ne!(next, tag);
    assert_eq!(header(&app.get(path).await, "etag"), next);
    let stale = problem(put(&tag, 3_000.0).await, 412, "precondition-failed").await;
    assert_eq!(stale["record_id"], "1");

    for step in ["repair", "withdraw", "end"] {
        let step = format!("{path}/{step}");
        let refused = write(&app, Method::POST, &step, ("if-match", &tag), &json!({})).await;
        problem(refused, 412, "precondition-failed").await;
    }
    assert_eq!(app.json(path).await["amount_cny"], 2_000.0);
    let repair = format!("{path}/repair");
    let repaired = write(&app, Method::POST, &repair, ("if-match", &next), &json!({})).await;
    assert_eq!(repaired.status(), 204);
    assert_eq!(app.json(path).await["repaired_on"], "2026-11-22");
}

#[tokio::test]
async fn where_conditions_are_required_nothing_is_replaced_blindly() {
    let app = TestApp::start_with(&[("writes.require_if_match", "true")]).await;
    app.enterprise("E1").await;
    let item = json!({"name": "a", "class": "general", "published": true});
    ok(app.put("/v1/items/SP-1", &item).await, 201).await;
    problem(
        app.put("/v1/items/SP-1", &item).await,
        428,
        "precondition-required",
    )
    .await;
    let record = json!({"source": "s", "record_id": "1", "enterprise_id": "E1", "kind": "complaint",
        "occurred_on": "2026-10-01"});
    ok(
        app.post("/v1/records", &json!({"records": [record]})).await,
        200,
    )
    .await;
    let correction = json!({"record": record, "by": "officer-17", "reason": "mistyped"});
    problem(
        app.put("/v1/records/s/1", &correction).await,
        428,
        "precondition-required",
    )
    .await;
}
