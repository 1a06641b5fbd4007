//! What holds for every operation: repeated requests, conditions, compression, limits, traces.

use std::io::{Read, Write};

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::helpers::{TestApp, header, ok, problem};

async fn keyed(app: &TestApp, path: &str, key: &str, body: &Value) -> Response {
    app.request(Method::POST, path)
        .header("idempotency-key", key)
        .json(body)
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_request_with_a_key_is_carried_out_once_and_answered_alike() {
    let app = TestApp::start().await;
    app.enterprise("E1").await;
    let first = keyed(&app, "/v1/frames", "key-1", &json!({})).await;
    assert_eq!(header(&first, "idempotency-replayed"), "");
    let location = header(&first, "location").to_owned();
    let first = ok(first, 201).await;
    for key in ["key-1", "\"key-1\""] {
        let again = keyed(&app, "/v1/frames", key, &json!({})).await;
        assert_eq!(header(&again, "idempotency-replayed"), "true");
        assert_eq!(header(&again, "location"), location);
        assert_eq!(ok(again, 201).await, first);
    }
    let frames = app.json("/v1/frames").await;
    assert_eq!(frames["items"].as_array().unwrap().len(), 1);
    let other = keyed(&app, "/v1/frames", "key-2", &json!({})).await;
    assert_ne!(ok(other, 201).await["frame_id"], first["frame_id"]);
}

#[tokio::test]
async fn a_refusal_is_repeated_too_with_its_own_instance() {
    let app = TestApp::start().await;
    let body = json!({"records": [{"source": "s"}]});
    let first = keyed(&app, "/v1/records", "k", &body).await;
    let first = problem(first, 422, "invalid-body").await;
    let again = keyed(&app, "/v1/records", "k", &body).await;
    assert_eq!(header(&again, "idempotency-replayed"), "true");
    assert_eq!(again.status(), 422);
    let again: Value = again.json().await.unwrap();
    assert_eq!(again, first);
}

#[tokio::test]
async fn a_key_belongs_to_one_request() {
    let app = TestApp::start().await;
    app.enterprise("E1").await;
    let record = json!({"records": [{"source": "s", "record_id": "1", "enterprise_id": "E1", "kind": "complaint",
        "occurred_on": "2026-10-01"}]});
    ok(keyed(&app, "/v1/records", "k", &record).await, 200).await;
    let mut other = record.clone();
    other["records"][0]["record_id"] = json!("2");
    for (path, body) in [
        ("/v1/records", &other),
        ("/v1/frames", &json!({})),
        ("/v1/records?a=b", &record),
    ] {
        let refused = keyed(&app, path, "k", body).await;
        problem(refused, 422, "idempotency-mismatch").await;
    }
    let records = app.json("/v1/enterprises/E1/records").await;
    assert_eq!(records["items"].as_array().unwrap().len(), 1);
    for bad in ["", " ", "a b", &"x".repeat(256)] {
        let refused = keyed(&app, "/v1/frames", bad, &json!({})).await;
        problem(refused, 400, "bad-request").await;
    }
}

#[tokio::test]
async fn of_many_equal_requests_at_once_one_is_carried_out() {
    let app = TestApp::start().await;
    for number in 0..50 {
        app.enterprise(&format!("E{number}")).await;
    }
    let (mut ids, mut waiting) = (Vec::new(), 0);
    let body = json!({});
    let requests = (0..12).map(|_| keyed(&app, "/v1/frames", "one", &body));
    let answers = futures_util::future::join_all(requests).await;
    for answer in answers {
        if answer.status() == 409 {
            assert_eq!(header(&answer, "retry-after"), "1");
            problem(answer, 409, "idempotency-in-flight").await;
            waiting += 1;
        } else {
            ids.push(ok(answer, 201).await["frame_id"].clone());
        }
    }
    assert_eq!(ids.len() + waiting, 12);
    assert!(!ids.is_empty() && ids.iter().all(|id| *id == ids[0]));
    let frames = app.json("/v1/frames").await;
    assert_eq!(frames["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn where_keys_are_required_creating_without_one_is_refused_and_reading_is_not() {
    let app = TestApp::start_with(&[("writes.require_key", "true")]).await;
    app.enterprise("E1").await;
    problem(app.step("/v1/frames").await, 400, "missing-header").await;
    ok(keyed(&app, "/v1/frames", "k", &json!({})).await, 201).await;
    let lookup = json!({"enterprise_ids": ["E1"]});
    ok(app.post("/v1/tiers/lookup", &lookup).await, 200).await;
}

async fn put_if(app: &TestApp, name: &str, value: &str, body: &Value) -> Response {
    app.request(Method::PUT, "/v1/enterprises/E1")
        .header(name, value)
        .json(body)
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_write_replaces_only_the_version_that_was_seen() {
    let app = TestApp::start().await;
    let body = |name: &str| json!({"name": name});
    problem(
        put_if(&app, "if-match", "*", &body("a")).await,
        412,
        "precondition-failed",
    )
    .await;
    let created = put_if(&app, "if-none-match", "*", &body("a")).await;
    let tag = header(&created, "etag").to_owned();
    ok(created, 201).await;
    let refused = put_if(&app, "if-none-match", "*", &body("b")).await;
    problem(refused, 412, "precondition-failed").await;

    let read = app.get("/v1/enterprises/E1").await;
    assert_eq!(header(&read, "etag"), tag);
    let replaced = put_if(&app, "if-match", &tag, &body("b")).await;
    let newer = header(&replaced, "etag").to_owned();
    ok(replaced, 200).await;
    assert_ne!(newer, tag);
    let stale = put_if(&app, "if-match", &tag, &body("c")).await;
    let stale = problem(stale, 412, "precondition-failed").await;
    assert_eq!(format!("\"r{}\"", stale["revision"]), newer);
    assert_eq!(app.json("/v1/enterprises/E1").await["name"], "b");
    let either = format!("\"r77\", {newer}");
    ok(put_if(&app, "if-match", &either, &body("d")).await, 200).await;
    let unclear = put_if(&app, "if-none-match", "\"r1\"", &body("e")).await;
    problem(unclear, 400, "bad-request").await;
}

#[tokio::test]
async fn where_conditions_are_required_a_blind_replacement_is_refused() {
    let app = TestApp::start_with(&[("writes.require_if_match", "true")]).await;
    app.enterprise("E1").await;
    let body = json!({"name": "b"});
    let blind = app.put("/v1/enterprises/E1", &body).await;
    let blind = problem(blind, 428, "precondition-required").await;
    let tag = format!("\"r{}\"", blind["revision"]);
    ok(put_if(&app, "if-match", &tag, &body).await, 200).await;
}

#[tokio::test]
async fn every_read_has_a_tag_and_is_not_sent_twice() {
    let app = TestApp::start().await;
    app.enterprise("E1").await;
    for path in [
        "/v1/enterprises",
        "/v1/enterprises/E1",
        "/v1/enterprises/E1/records",
        "/v1/enterprises/E1/tier",
        "/v1/enterprises/E1/tier/explanation",
        "/v1/frames",
        "/v1/jobs",
        "/v1/tiers/changes",
        "/v1/webhooks",
    ] {
        let first = app.get(path).await;
        let tag = header(&first, "etag").to_owned();
        assert!(tag.starts_with('"'), "{path}: {tag}");
        let again = app
            .request(Method::GET, path)
            .header("if-none-match", format!("\"x\", W/{tag}"))
            .send()
            .await
            .unwrap();
        assert_eq!(again.status(), 304, "{path}");
        assert_eq!(header(&again, "etag"), tag, "{path}");
        assert!(again.text().await.unwrap().is_empty());
    }
}

fn zstd(body: &[u8]) -> Vec<u8> {
    zstd::encode_all(body, 3).unwrap()
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn bodies_may_be_compressed_both_ways() {
    let app = TestApp::start().await;
    let ids: Vec<String> = (0..500).map(|number| format!("no-such-{number}")).collect();
    let body = json!({"enterprise_ids": ids}).to_string();
    let ask = async |coding: &str, body: Vec<u8>, accept: &str| {
        let mut request = app
            .request(Method::POST, "/v1/tiers/lookup")
            .header("content-type", "application/json")
            .header("accept-encoding", accept);
        if !coding.is_empty() {
            request = request.header("content-encoding", coding);
        }
        request.body(body).send().await.unwrap()
    };
    for (coding, sent) in [
        ("", body.clone().into_bytes()),
        ("gzip", gzip(body.as_bytes())),
        ("zstd", zstd(body.as_bytes())),
    ] {
        for accept in ["gzip", "zstd", "identity", "br"] {
            let answer = ask(coding, sent.clone(), accept).await;
            assert_eq!(answer.status(), 200, "{coding} {accept}");
            let used = header(&answer, "content-encoding").to_owned();
            let bytes = answer.bytes().await.unwrap();
            let mut text = String::new();
            match used.as_str() {
                "gzip" => {
                    flate2::read::GzDecoder::new(bytes.as_ref())
                        .read_to_string(&mut text)
                        .unwrap();
                }
                "zstd" => {
                    text = String::from_utf8(zstd::decode_all(bytes.as_ref()).unwrap()).unwrap()
                }
                plain => {
                    assert!(["", "identity"].contains(&plain));
                    text = String::from_utf8(bytes.to_vec()).unwrap();
                }
            }
            assert_eq!(
                used == accept,
                ["gzip", "zstd"].contains(&accept),
                "{accept}: {used}"
            );
            let answer: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(answer["items"].as_array().unwrap().len(), 500);
        }
    }
    let refused = ask("br", body.clone().into_bytes(), "identity").await;
    assert_eq!(header(&refused, "accept-encoding"), "gzip, zstd");
    problem(refused, 415, "unsupported-media-type").await;
    for nothing in ["identity;q=0, br", "*;q=0"] {
        let refused = ask("", body.clone().into_bytes(), nothing).await;
        problem(refused, 406, "not-acceptable").await;
    }
    for (coding, bytes) in [("gzip", b"{}".to_vec()), ("zstd", b"{}".to_vec())] {
        problem(ask(coding, bytes, "identity").await, 400, "malformed-body").await;
    }
}

#[tokio::test]
async fn a_trace_goes_on_and_the_rate_is_told() {
    let app = TestApp::start_with(&[
        ("limits.rate_requests", "3"),
        ("limits.rate_seconds", "3600"),
    ])
    .await;
    let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let traced = app
        .request(Method::GET, "/v1/frames")
        .header("traceparent", given)
        .send()
        .await
        .unwrap();
    let answer = header(&traced, "traceparent");
    assert!(
        answer.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"),
        "{answer}"
    );
    assert_ne!(answer, given);
    assert_eq!(
        header(&traced, "ratelimit-policy"),
        "\"default\";q=3;w=3600"
    );
    assert_eq!(header(&traced, "ratelimit"), "\"default\";r=2;t=3600");
    for _ in 0..2 {
        let untraced = app.get("/v1/frames").await;
        assert_eq!(untraced.status(), 200);
        assert_eq!(header(&untraced, "traceparent"), "");
    }
    let refused = app.get("/v1/frames").await;
    assert!(header(&refused, "retry-after").parse::<u64>().unwrap() > 0);
    assert!(header(&refused, "ratelimit").starts_with("\"default\";r=0;"));
    problem(refused, 429, "too-many-requests").await;
    // Probes are answered all the same.
    assert_eq!(app.get("/healthz").await.status(), 200);
}

#[tokio::test]
async fn every_kind_of_problem_is_explained_where_its_link_leads() {
    let app = TestApp::start().await;
    let refused = app.get("/v1/frames/none").await;
    let link = header(&refused, "link").to_owned();
    let path = link
        .strip_prefix('<')
        .and_then(|link| link.strip_suffix(">; rel=\"describedby\""))
        .unwrap();
    let body = problem(refused, 404, "unknown-frame").await;
    let page = app.get(path).await;
    assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
    let text = page.text().await.unwrap();
    for told in [
        body["type"].as_str().unwrap(),
        body["title"].as_str().unwrap(),
        "抽样框不存在",
    ] {
        assert!(text.contains(told), "{text}");
    }
    let all = app.get("/docs/problems").await.text().await.unwrap();
    for kind in risktier::api::ProblemKind::ALL {
        assert!(all.contains(&kind.type_uri()), "{}", kind.slug());
    }
    problem(app.get("/docs/problems/none").await, 404, "unknown-route").await;
}
