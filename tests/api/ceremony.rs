//! The whole ceremony of a plan over HTTP, verified by strangers from its files.

use std::fs;
use std::path::Path;
use std::process::Command;

use reqwest::Method;
use risktier::sampling::verification::{VerifyInput, verify};
use serde_json::{Value, json};

use crate::helpers::{TestApp, header, ok, problem};
use crate::plans::{drafted, input};

async fn bytes(app: &TestApp, path: &str) -> Vec<u8> {
    let response = app.get(path).await;
    assert_eq!(response.status(), 200, "{path}");
    response.bytes().await.unwrap().to_vec()
}

/// What the plain-Python verifier says: 0 same, 1 differs, 2 could not run.
fn python(transcript: &[u8], pool: &[u8], sample: &[u8]) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let output = Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verifier/verify_plan.py"))
        .arg("--transcript")
        .arg(write("transcript.json", transcript))
        .arg("--pool")
        .arg(write("pool.tsv", pool))
        .arg("--sample")
        .arg(write("sample.tsv", sample))
        .output()
        .unwrap();
    let said =
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), said)
}

#[tokio::test]
async fn a_plan_goes_through_its_steps_and_strangers_can_verify_it() {
    let (app, plan) = drafted(|frame| {
        let mut input = input(frame);
        input["public"] = json!([{"name": "lottery", "rule": "numbers of 2026-12-01, rising"}]);
        input
    })
    .await;

    let frozen = ok(app.step(&format!("{plan}/freeze")).await, 200).await;
    let opened = json!({"contributions": [{"name": "lottery", "value": "3,8,15,21,30,33"}]});
    let drawn = ok(app.post(&format!("{plan}/draw"), &opened).await, 200).await;
    let closed = ok(app.step(&format!("{plan}/close")).await, 200).await;

    assert_eq!(frozen["state"], "frozen");
    assert_eq!(frozen["frozen"]["number"], 1);
    assert_eq!(frozen["frozen"]["insecure"], true);
    assert_eq!(frozen["frozen"]["contributions"][0]["name"], "lottery");
    assert!(frozen["frozen"]["contributions"][1]["commitment"].is_string());
    assert_eq!(drawn["state"], "drawn");
    assert_eq!(drawn["frozen"], frozen["frozen"]);
    assert_eq!(closed["state"], "closed");
    assert_eq!(app.json(&plan).await, closed);

    let pool = bytes(&app, &format!("{plan}/pool")).await;
    let sample = bytes(&app, &format!("{plan}/sample?format=tsv")).await;
    for edition in ["auditor", "internal", "public"] {
        let transcript = bytes(&app, &format!("{plan}/transcript?edition={edition}")).await;
        let verification = verify(VerifyInput {
            transcript: &transcript,
            pool: Some(pool.clone()),
            sample: Some(&sample),
            ..VerifyInput::default()
        })
        .unwrap();
        assert!(
            verification.is_same(),
            "{edition}: {:?}",
            verification.checks
        );
        let (code, said) = python(&transcript, &pool, &sample);
        assert_eq!(code, 0, "{edition}: {said}");
    }
    let transcript = bytes(&app, &format!("{plan}/transcript?edition=auditor")).await;
    let cut = &sample[..sample.len() / 2];
    assert_eq!(python(&transcript, &pool, cut).0, 1);

    let verified = ok(app.step(&format!("{plan}/verify")).await, 200).await;
    assert_eq!(verified["same"], true);
    assert_eq!(verified["edition"], "auditor");
    let checks = verified["checks"].as_array().unwrap();
    assert!(
        checks.len() > 5 && checks.iter().all(|check| check["outcome"] == "same"),
        "{verified}"
    );
}

#[tokio::test]
async fn a_public_transcript_tells_no_tier_rate_or_stratum() {
    let (app, plan) = drafted(|frame| {
        let mut input = input(frame);
        input["draw"] = "now".into();
        input
    })
    .await;
    let public = bytes(&app, &format!("{plan}/transcript")).await;
    let public = String::from_utf8(public).unwrap();
    let value: Value = serde_json::from_str(&public).unwrap();
    assert_eq!(value["edition"], "public");
    let public = public.replace("risktier", "");
    for word in [
        "tier",
        "rate",
        "strat",
        "target",
        "S001",
        "pool_secret",
        "sample",
    ] {
        assert!(
            !public
                .to_ascii_lowercase()
                .contains(&word.to_ascii_lowercase()),
            "{word} in {public}"
        );
    }
    let internal = bytes(&app, &format!("{plan}/transcript?edition=internal")).await;
    assert!(
        String::from_utf8(internal)
            .unwrap()
            .contains("strata_meaning")
    );
    problem(
        app.get(&format!("{plan}/transcript?edition=secret")).await,
        400,
        "invalid-query",
    )
    .await;
}

#[tokio::test]
async fn a_sample_comes_in_four_forms() {
    let (app, plan) = drafted(|frame| {
        let mut input = input(frame);
        input["draw"] = "now".into();
        input
    })
    .await;
    let accepted = async |media_type: &str| {
        let request = app.request(Method::GET, &format!("{plan}/sample"));
        request.header("accept", media_type).send().await.unwrap()
    };
    let size = app.json(&plan).await["sample_size"].as_u64().unwrap() as usize;
    let json = app.json(&format!("{plan}/sample")).await;
    let items = json["items"].as_array().unwrap();
    let tsv = bytes(&app, &format!("{plan}/sample?format=tsv")).await;
    let csv = accepted("text/csv").await;
    assert_eq!(header(&csv, "content-type"), "text/csv; charset=utf-8");
    assert!(
        header(&csv, "vary").contains("accept"),
        "{}",
        header(&csv, "vary")
    );
    let csv = csv.text().await.unwrap();
    let ndjson = accepted("application/x-ndjson, application/json;q=0.9")
        .await
        .text()
        .await
        .unwrap();

    assert_eq!(items.len(), size);
    assert_eq!(tsv.iter().filter(|byte| **byte == b'\n').count(), size);
    assert_eq!(csv.lines().count(), size + 1);
    let lines: Vec<Value> = ndjson
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(&lines, items);
    assert_eq!(
        accepted("text/tab-separated-values")
            .await
            .bytes()
            .await
            .unwrap(),
        tsv
    );
    problem(accepted("image/png").await, 406, "not-acceptable").await;
    problem(
        app.get(&format!("{plan}/sample?format=xml")).await,
        400,
        "invalid-query",
    )
    .await;
}
