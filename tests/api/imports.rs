//! Streamed imports.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Method;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::helpers::{TestApp, ok, problem};

const ENTERPRISES: &str = "/v1/enterprises/import";
const RECORDS: &str = "/v1/records/import?source=penalties";
const CSV: &str = "text/csv";
const NDJSON: &str = "application/x-ndjson";

fn rows(count: usize) -> String {
    let mut text = String::from("enterprise_id,name,division\n");
    for number in 0..count {
        text.push_str(&format!("E{number:05},Enterprise {number},990102\n"));
    }
    text
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn counts(report: &Value) -> [u64; 5] {
    let names = [
        "row_count",
        "created_count",
        "updated_count",
        "unchanged_count",
        "refused_count",
    ];
    names.map(|name| report[name].as_u64().unwrap())
}

#[tokio::test]
async fn an_import_again_changes_nothing() {
    let app = TestApp::start().await;
    let first = ok(app.upload(ENTERPRISES, CSV, rows(12_000)).await, 200).await;
    let second = ok(app.upload(ENTERPRISES, CSV, rows(12_001)).await, 200).await;
    assert_eq!(counts(&first), [12_000, 12_000, 0, 0, 0]);
    assert_eq!(counts(&second), [12_001, 1, 0, 12_000, 0]);
    assert_eq!(first["errors"], serde_json::json!([]));
}

#[tokio::test]
async fn gzip_is_read_with_and_without_its_header() {
    let app = TestApp::start().await;
    let packed = gzip(&rows(3));
    let plain = app.upload(ENTERPRISES, CSV, packed.clone()).await;
    assert_eq!(counts(&ok(plain, 200).await), [3, 3, 0, 0, 0]);
    let encoded = app
        .request(Method::POST, ENTERPRISES)
        .header("content-type", CSV)
        .header("content-encoding", "gzip")
        .body(packed);
    let encoded = encoded.send().await.unwrap();
    assert_eq!(counts(&ok(encoded, 200).await), [3, 0, 0, 3, 0]);
}

#[tokio::test]
async fn bad_lines_are_told_and_good_ones_go_in() {
    let app = TestApp::start_with(&[("limits.line_bytes", "300")]).await;
    let mut file = Vec::new();
    file.extend_from_slice(b"{\"enterprise_id\":\"E1\",\"name\":\"one\"}\n");
    file.extend_from_slice(b"{\"enterprise_id\":\"E2\",\"name\":\"\xff\"}\n");
    file.extend_from_slice(b"{\"enterprise_id\":\"E3\",\"name\":\"three\",\"colour\":1}\n");
    file.extend_from_slice(
        format!(
            "{{\"enterprise_id\":\"E4\",\"name\":\"{}\"}}\n",
            "x".repeat(400)
        )
        .as_bytes(),
    );
    file.extend_from_slice(
        b"{\"enterprise_id\":\"E5\",\"name\":\"five\",\"established_on\":\"2026-02-30\"}\n",
    );
    file.extend_from_slice(b"{\"enterprise_id\":\"E1\",\"name\":\"another\"}\n");
    file.extend_from_slice(b"not json\n");
    file.extend_from_slice(b"{\"enterprise_id\":\"E6\",\"name\":\"six\"}\n");

    let report = ok(app.upload(ENTERPRISES, NDJSON, file).await, 200).await;

    assert_eq!(counts(&report), [8, 2, 0, 0, 6]);
    let mut faults: Vec<(u64, Option<&str>)> = report["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| (fault["line"].as_u64().unwrap(), fault["field"].as_str()))
        .collect();
    faults.sort_unstable();
    assert_eq!(
        faults,
        [
            (2, None),
            (3, Some("colour")),
            (4, None),
            (5, Some("established_on")),
            (6, Some("enterprise_id")),
            (7, None)
        ]
    );
    assert_eq!(app.json("/v1/enterprises/E1").await["name"], "one");
    assert_eq!(app.get("/v1/enterprises/E6").await.status(), 200);
}

#[tokio::test]
async fn records_need_their_source_and_wait_for_their_enterprise() {
    let app = TestApp::start().await;
    app.enterprise("E1").await;
    let file = "record_id,enterprise_id,kind,occurred_on\nP1,E1,penalty,2026-10-05\nP2,E9,penalty,2026-10-05\n";
    let report = ok(app.upload(RECORDS, CSV, file).await, 200).await;
    assert_eq!(counts(&report), [2, 1, 0, 0, 0]);
    assert_eq!(report["set_aside_count"], 1);
    let kept = app.json("/v1/enterprises/E1/records").await;
    assert_eq!(kept["items"][0]["source"], "penalties");
    assert_eq!(kept["items"][0]["known_on"], "2026-11-22");

    for path in [
        "/v1/records/import",
        "/v1/records/import?source=",
        "/v1/records/import?source=a&x=1",
    ] {
        problem(app.upload(path, CSV, file).await, 400, "invalid-query").await;
    }
}

#[tokio::test]
async fn an_import_takes_back_cached_tiers() {
    let app = TestApp::start().await;
    app.enterprise("E1").await;
    let before = app.json("/v1/enterprises/E1/tier").await;
    let file = "record_id,enterprise_id,kind,occurred_on\nS1,E1,stop_order,2026-10-05\n";
    ok(app.upload(RECORDS, CSV, file).await, 200).await;
    assert_ne!(before["tier"], "D");
    assert_eq!(app.json("/v1/enterprises/E1/tier").await["tier"], "D");
}

#[tokio::test]
async fn files_that_cannot_be_read_say_why() {
    let app = TestApp::start().await;
    let mut damaged = gzip(&rows(1_000));
    damaged.truncate(damaged.len() / 2);
    for (media_type, body, status, slug, words) in [
        (CSV, Vec::new(), 400, "malformed-body", "is empty"),
        (NDJSON, Vec::new(), 400, "malformed-body", "is empty"),
        (
            CSV,
            b"PK\x03\x04rest".to_vec(),
            400,
            "malformed-body",
            "spreadsheet",
        ),
        (CSV, damaged, 400, "malformed-body", "damaged"),
        (
            CSV,
            b"enterprise_id,name,colour\n".to_vec(),
            422,
            "invalid-body",
            "colour",
        ),
        (
            CSV,
            b"name\nx\n".to_vec(),
            422,
            "invalid-body",
            "enterprise_id",
        ),
        (
            "application/json",
            b"{}".to_vec(),
            415,
            "unsupported-media-type",
            "text/csv",
        ),
    ] {
        let refused = problem(
            app.upload(ENTERPRISES, media_type, body).await,
            status,
            slug,
        )
        .await;
        assert!(
            refused["detail"].as_str().unwrap().contains(words),
            "{refused}"
        );
    }
    let zstd = app
        .request(Method::POST, ENTERPRISES)
        .header("content-type", CSV)
        .header("content-encoding", "zstd")
        .body("x");
    problem(zstd.send().await.unwrap(), 415, "unsupported-media-type").await;
}

#[tokio::test]
async fn an_import_over_the_limit_says_what_was_read() {
    let app = TestApp::start_with(&[("limits.import_bytes", "200000")]).await;
    for body in [rows(20_000).into_bytes(), gzip(&rows(20_000))] {
        let refused = problem(app.upload(ENTERPRISES, CSV, body).await, 413, "too-large").await;
        assert_eq!(refused["limit_bytes"], 200_000);
        let read = refused["row_count"].as_u64().unwrap();
        assert!((1_000..20_000).contains(&read), "{refused}");
    }
    assert_eq!(app.get("/v1/enterprises/E00000").await.status(), 200);
    assert_eq!(app.get("/v1/enterprises/E19999").await.status(), 404);
}

#[tokio::test]
async fn a_cut_connection_never_makes_a_row_of_half_a_line() {
    let app = TestApp::start().await;
    let mut connection = TcpStream::connect(app.address()).await.unwrap();
    let head = format!(
        "POST {ENTERPRISES} HTTP/1.1\r\nhost: x\r\ncontent-type: {CSV}\r\ncontent-length: 100000\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection
        .write_all(b"enterprise_id,name\nE1,one\nE2,tw")
        .await
        .unwrap();
    connection.shutdown().await.unwrap();
    let mut answer = Vec::new();
    drop(tokio::time::timeout(Duration::from_secs(2), connection.read_to_end(&mut answer)).await);
    drop(connection);

    let mut kept = false;
    for _ in 0..50 {
        kept = app.get("/v1/enterprises/E1").await.status() == 200;
        if kept {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(kept, "the whole line before the cut was read");
    assert_eq!(app.get("/v1/enterprises/E2").await.status(), 404);
}
