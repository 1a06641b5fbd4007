//! Health, readiness, metrics, the contract and its human form.

use std::sync::atomic::Ordering;

use reqwest::Method;
use serde_json::Value;

use crate::helpers::{TestApp, header, problem};

#[tokio::test]
async fn health_says_that_the_process_runs() {
    let app = TestApp::start().await;
    app.store_works.store(false, Ordering::SeqCst);
    let response = app.get("/healthz").await;
    assert_eq!(response.status(), 200);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["status"], "ok");
}

#[tokio::test]
async fn readiness_follows_the_store() {
    let app = TestApp::start().await;
    let body: Value = app.get("/readyz").await.json().await.unwrap();
    assert_eq!(body["checks"][0], "store");

    app.store_works.store(false, Ordering::SeqCst);
    let response = app.get("/readyz").await;
    assert_eq!(header(&response, "retry-after"), "1");
    let body = problem(response, 503, "unavailable").await;
    assert_eq!(body["errors"][0]["field"], "store");

    app.store_works.store(true, Ordering::SeqCst);
    assert_eq!(app.get("/readyz").await.status(), 200);
}

#[tokio::test]
async fn metrics_count_requests_by_route_and_status() {
    let app = TestApp::start().await;
    app.get("/healthz").await;
    app.get("/no/such/path").await;
    let response = app.get("/metrics").await;
    assert!(header(&response, "content-type").starts_with("text/plain"));
    let text = response.text().await.unwrap();
    for expected in [
        r#"risktier_http_requests_total{method="GET",route="/healthz",status="200"}"#,
        r#"risktier_http_requests_total{method="GET",route="unmatched",status="404"}"#,
        r#"risktier_http_request_seconds_count{route="/healthz"}"#,
    ] {
        assert!(text.contains(expected), "{expected} is missing in\n{text}");
    }
}

#[tokio::test]
async fn the_contract_is_served_as_it_is_generated() {
    let app = TestApp::start().await;
    let served = app.get("/openapi.json").await.text().await.unwrap();
    assert_eq!(served, risktier::api::openapi_json());
    let document: Value = serde_json::from_str(&served).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(
        !served.contains("\"null\""),
        "absent members are left out, never null"
    );
    assert_eq!(document["info"]["license"]["identifier"], "Apache-2.0");
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
        let operation = &document["paths"][path]["get"];
        assert!(operation["operationId"].is_string(), "{path}");
        assert!(operation["summary"].is_string(), "{path}");
        assert_eq!(
            operation["responses"]["default"]["$ref"],
            "#/components/responses/Problem"
        );
    }
}

#[tokio::test]
async fn the_human_form_needs_no_other_host() {
    let app = TestApp::start().await;
    let redirect = app.get("/docs").await;
    assert!(redirect.status().is_redirection());
    assert_eq!(header(&redirect, "location"), "/docs/");

    let page = app.get("/docs/").await.text().await.unwrap();
    let script = app
        .get("/docs/swagger-initializer.js")
        .await
        .text()
        .await
        .unwrap();
    assert!(
        script.contains("/openapi.json") && script.contains("validatorUrl"),
        "{script}"
    );
    for text in [&page, &script] {
        assert!(
            !text.contains("http://") && !text.contains("https://"),
            "{text}"
        );
    }
    for reference in page
        .split(['"', '\''])
        .filter(|part| part.starts_with("./") || part.ends_with(".css") || part.ends_with(".js"))
    {
        let path = format!("/docs/{}", reference.trim_start_matches("./"));
        assert_eq!(app.get(&path).await.status(), 200, "{path}");
    }
    problem(app.get("/docs/no-such-file").await, 404, "unknown-route").await;
}

#[tokio::test]
async fn head_answers_like_get_without_a_body() {
    let app = TestApp::start().await;
    let response = app.request(Method::HEAD, "/healthz").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "content-type"), "application/json");
    assert!(response.bytes().await.unwrap().is_empty());
}

#[tokio::test]
async fn answers_are_compressed_when_asked() {
    let app = TestApp::start().await;
    let response = app
        .request(Method::GET, "/openapi.json")
        .header("accept-encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert_eq!(header(&response, "content-encoding"), "gzip");
}
