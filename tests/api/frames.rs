//! Frames.

use risktier::domain::digest::HashAlgorithm;
use serde_json::json;

use crate::helpers::{TODAY, TestApp, header, ok, pointers, problem};

#[tokio::test]
async fn a_frame_is_frozen_listed_and_read() {
    let app = TestApp::start().await;
    let first = app.frame(30).await;
    let response = app
        .post("/v1/frames", &json!({"as_of": "2026-11-01"}))
        .await;
    let location = header(&response, "location").to_owned();
    let second = ok(response, 201).await;

    let list = app.json("/v1/frames").await;
    let frame = app.json(&format!("/v1/frames/{first}")).await;

    assert_eq!(app.json(&location).await, second);
    assert_eq!(second["as_of"], "2026-11-01");
    assert_eq!(second["number"], 2);
    assert_eq!(list["items"], json!([second, frame]));
    assert_eq!(frame["as_of"], TODAY);
    assert_eq!(frame["object_count"], 30);
    let tiers = frame["tiers"].as_object().unwrap();
    let sum: u64 = tiers.values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!((tiers.len(), sum), (4, 30));
}

#[tokio::test]
async fn the_file_of_a_frame_has_its_digest_and_one_row_per_object() {
    let app = TestApp::start().await;
    let frame = app.frame(30).await;
    let summary = app.json(&format!("/v1/frames/{frame}")).await;
    let response = app.get(&format!("/v1/frames/{frame}/file")).await;
    assert!(header(&response, "content-type").starts_with("text/csv"));
    let file = response.bytes().await.unwrap();
    assert_eq!(
        summary["frame_digest"],
        HashAlgorithm::Sha256.hash(&[&file]).to_string()
    );
    assert_eq!(file.iter().filter(|byte| **byte == b'\n').count(), 31);
}

#[tokio::test]
async fn frames_are_listed_by_pages() {
    let app = TestApp::start().await;
    app.frame(3).await;
    for _ in 0..2 {
        ok(app.step("/v1/frames").await, 201).await;
    }
    let page = app.json("/v1/frames?limit=2").await;
    assert_eq!(page["items"][0]["number"], 3);
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = app
        .json(&format!("/v1/frames?limit=2&cursor={cursor}"))
        .await;
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    assert_eq!(rest["items"][0]["number"], 1);
    assert!(rest.get("next_cursor").is_none());
}

#[tokio::test]
async fn a_frame_needs_a_register_and_a_day() {
    let app = TestApp::start().await;
    problem(app.step("/v1/frames").await, 422, "rule-violated").await;
    app.enterprise("E1").await;
    for (body, pointer) in [
        (json!({"as_of": "2026-02-30"}), "/as_of"),
        (json!({"as_of": 7}), "/as_of"),
        (json!({"day": TODAY}), "/day"),
    ] {
        let refused = problem(app.post("/v1/frames", &body).await, 422, "invalid-body").await;
        assert_eq!(pointers(&refused), [pointer]);
    }
    for path in ["/v1/frames/none", "/v1/frames/none/file"] {
        let refused = problem(app.get(path).await, 404, "unknown-frame").await;
        assert_eq!(refused["frame_id"], "none");
    }
}
