//! Streamed imports.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Method;
use risktier::domain::{Enterprise, EnterpriseDraft};
use risktier::files::{Format, Sink, enterprise_writer};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::helpers::{TestApp, ok, problem};

const ENTERPRISES: &str = "/v1/enterprises/import";
const RECORDS: &str = "/v1/records/import?source=penalties";
const CSV: &str = "text/csv";
const NDJSON: &str = "application/x-ndjson";
const PARQUET: &str = "application/vnd.apache.parquet";

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
    let brotli = app
        .request(Method::POST, ENTERPRISES)
        .header("content-type", CSV)
        .header("content-encoding", "br")
        .body("x");
    problem(brotli.send().await.unwrap(), 415, "unsupported-media-type").await;
    let no_parquet = app.upload(ENTERPRISES, PARQUET, rows(3)).await;
    let refused = problem(no_parquet, 400, "malformed-body").await;
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("not a Parquet file")
    );
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

/// Enterprises as a Parquet file.
fn parquet(count: usize) -> Vec<u8> {
    let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    let sink = Sink::create(&path, Some(Format::Parquet)).unwrap();
    let mut writer = enterprise_writer(sink, &std::collections::BTreeSet::new()).unwrap();
    for number in 0..count {
        let draft = EnterpriseDraft {
            enterprise_id: format!("E{number:05}"),
            name: format!("Enterprise {number}"),
            ..EnterpriseDraft::default()
        };
        writer.write(&Enterprise::parse(draft).unwrap()).unwrap();
    }
    writer.finish().unwrap();
    std::fs::read(&path).unwrap()
}

#[tokio::test]
async fn parquet_is_read_up_to_the_limit_of_what_is_kept() {
    let app = TestApp::start_with(&[("limits.spool_bytes", "50000")]).await;
    let report = ok(app.upload(ENTERPRISES, PARQUET, parquet(3_000)).await, 200).await;
    assert_eq!(counts(&report), [3_000, 3_000, 0, 0, 0]);
    let large = app.upload(ENTERPRISES, PARQUET, parquet(100_000)).await;
    let refused = problem(large, 413, "too-large").await;
    assert_eq!(refused["limit_bytes"], 50_000);
    let mut cut = parquet(300);
    cut.truncate(cut.len() - 5);
    problem(
        app.upload(ENTERPRISES, PARQUET, cut).await,
        400,
        "malformed-body",
    )
    .await;
}

#[tokio::test]
async fn imports_are_kept_with_their_faults() {
    let app = TestApp::start().await;
    let file = "enterprise_id,name,established_on\nE1,one,\nE2,two,2026-02-30\nE3,three,x\n";
    let report = ok(app.upload(ENTERPRISES, CSV, file).await, 200).await;
    let id = report["import_id"].as_str().unwrap();

    let kept = app.json(&format!("/v1/imports/{id}")).await;
    assert_eq!(
        (&kept["state"], &kept["kind"]),
        (&"finished".into(), &"enterprises".into())
    );
    assert_eq!(
        (&kept["row_count"], &kept["refused_count"]),
        (&3.into(), &2.into())
    );
    let first = app.json(&format!("/v1/imports/{id}/errors?limit=1")).await;
    assert_eq!(
        (&first["items"][0]["line"], &first["dropped_count"]),
        (&3.into(), &0.into())
    );
    let cursor = first["next_cursor"].as_str().unwrap();
    let next = app
        .json(&format!("/v1/imports/{id}/errors?limit=1&cursor={cursor}"))
        .await;
    assert_eq!(next["items"][0]["line"], 4);
    assert!(next["next_cursor"].is_null());
    let listed = app.json("/v1/imports").await;
    assert_eq!(listed["items"][0]["import_id"], id);
    problem(app.get("/v1/imports/none").await, 404, "unknown-import").await;
    problem(
        app.get("/v1/imports/none/errors").await,
        404,
        "unknown-import",
    )
    .await;
}

#[tokio::test]
async fn one_bad_row_keeps_a_whole_import_out() {
    let app = TestApp::start().await;
    let whole = format!("{ENTERPRISES}?all_or_nothing=true");
    let mut file = rows(12_000);
    file.push_str("E1,one\n");
    let refused = problem(app.upload(&whole, CSV, file).await, 422, "invalid-body").await;
    assert_eq!(counts(&refused), [12_001, 0, 0, 0, 1]);
    assert_eq!(refused["errors"][0]["line"], 12_002);
    assert_eq!(app.get("/v1/enterprises/E00000").await.status(), 404);
    let id = refused["import_id"].as_str().unwrap();
    let kept = app.json(&format!("/v1/imports/{id}")).await;
    assert_eq!(kept["state"], "nothing_written");
    let faults = app.json(&format!("/v1/imports/{id}/errors")).await;
    assert_eq!(faults["items"][0]["line"], 12_002);

    let report = ok(app.upload(&whole, CSV, rows(12_000)).await, 200).await;
    assert_eq!(counts(&report), [12_000, 12_000, 0, 0, 0]);
    let id = report["import_id"].as_str().unwrap();
    assert_eq!(
        app.json(&format!("/v1/imports/{id}")).await["state"],
        "finished"
    );
    let both = format!("{whole}&resume={id}");
    problem(app.upload(&both, CSV, rows(3)).await, 400, "invalid-query").await;
}

#[tokio::test]
async fn a_body_that_was_cut_goes_on_when_it_is_sent_again() {
    let app = TestApp::start().await;
    let file = rows(90_000);
    let mut connection = TcpStream::connect(app.address()).await.unwrap();
    let head = format!(
        "POST {ENTERPRISES} HTTP/1.1\r\nhost: x\r\ncontent-type: {CSV}\r\ncontent-length: {}\r\n\r\n",
        file.len()
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection
        .write_all(&file.as_bytes()[..2_000_000])
        .await
        .unwrap();
    connection.shutdown().await.unwrap();
    let mut answer = Vec::new();
    drop(tokio::time::timeout(Duration::from_secs(2), connection.read_to_end(&mut answer)).await);
    drop(connection);
    let mut broken = Value::Null;
    for _ in 0..200 {
        broken = app.json("/v1/imports").await["items"][0].take();
        if broken["state"] == "broken_off" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(broken["state"], "broken_off");
    let (id, read) = (
        broken["import_id"].as_str().unwrap(),
        broken["row_count"].as_u64().unwrap(),
    );
    assert!(read > 0 && read < 90_000, "{broken}");

    let resume = format!("{ENTERPRISES}?resume={id}");
    let report = ok(app.upload(&resume, CSV, file.clone()).await, 200).await;
    assert_eq!(counts(&report), [90_000, 90_000, 0, 0, 0]);
    assert_eq!(
        (&report["resumed_count"], &report["import_id"]),
        (&read.into(), &id.into())
    );
    // Sent once more, what was done is told and nothing is read.
    let again = ok(app.upload(&resume, CSV, file).await, 200).await;
    assert_eq!(counts(&again), [90_000, 90_000, 0, 0, 0]);

    problem(app.upload(&resume, CSV, rows(3)).await, 409, "conflict").await;
    let unknown = format!("{ENTERPRISES}?resume=none");
    problem(
        app.upload(&unknown, CSV, rows(3)).await,
        404,
        "unknown-import",
    )
    .await;
}

#[tokio::test]
async fn all_tiers_come_as_a_file() {
    let app = TestApp::start().await;
    ok(app.upload(ENTERPRISES, CSV, rows(3_000)).await, 200).await;
    let csv = app.get("/v1/tiers/export").await;
    let name = csv.headers()["content-disposition"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(name, "attachment; filename=\"tiers-2026-11-22.csv\"");
    let text = csv.text().await.unwrap();
    assert_eq!(text.lines().count(), 3_001);
    let one = app.json("/v1/enterprises/E00000/tier").await;
    let row: Vec<&str> = text.lines().nth(1).unwrap().split(',').collect();
    assert_eq!((row[0], row[1]), ("E00000", "990102"));
    assert_eq!(
        (row[5], row[9]),
        (
            one["tier"].as_str().unwrap(),
            one["epoch"].as_str().unwrap()
        )
    );
    let ndjson = app
        .get("/v1/tiers/export?format=ndjson")
        .await
        .text()
        .await
        .unwrap();
    let last: Value = serde_json::from_str(ndjson.lines().last().unwrap()).unwrap();
    assert_eq!(last["enterprise_id"], "E02999");
    let parquet = app
        .get("/v1/tiers/export?format=parquet")
        .await
        .bytes()
        .await
        .unwrap();
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
    problem(
        app.get("/v1/tiers/export?format=xlsx").await,
        400,
        "invalid-query",
    )
    .await;
}
