//! Reclassification as a job.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, header, ok, problem};

#[tokio::test]
async fn a_reclassification_is_a_job_that_succeeds_and_changes_the_epoch() {
    let app = TestApp::start().await;
    let id = "91990000MA00000017";
    let path = format!("/v1/enterprises/{id}");
    app.put(&path, &json!({"name": "Example Foods Ltd"})).await;
    let epoch = |body: Value| body["epoch"].as_str().unwrap().to_owned();
    let before = epoch(app.get(&format!("{path}/tier")).await.json().await.unwrap());

    let asked = app.step("/v1/tiers/reclassify").await;
    let location = header(&asked, "location").to_owned();
    let job = ok(asked, 202).await;
    assert_eq!(
        location,
        format!("/v1/jobs/{}", job["job_id"].as_str().unwrap())
    );
    assert_eq!(
        (&job["state"], &job["cause"]),
        (&json!("queued"), &json!("demand"))
    );
    // Asked again before it has begun, the same run is given back.
    let again: Value = app.step("/v1/tiers/reclassify").await.json().await.unwrap();
    assert_eq!(again["job_id"], job["job_id"]);

    app.carry_out_run().await;

    let job = app.json(&location).await;
    assert_eq!(job["state"], "succeeded");
    assert_eq!(
        (&job["percent"], &job["total_count"]),
        (&json!(100.0), &json!(1))
    );
    let after = epoch(app.get(&format!("{path}/tier")).await.json().await.unwrap());
    assert_eq!(job["epoch"], json!(after));
    assert_ne!(before, after);
    let list = app.json("/v1/jobs?limit=1").await;
    assert_eq!(list["items"][0]["job_id"], job["job_id"]);
    assert!(list.get("next_cursor").is_none());
}

#[tokio::test]
async fn a_job_can_be_cancelled_once_and_an_unknown_one_is_told() {
    let app = TestApp::start().await;
    let job: Value = app.step("/v1/tiers/reclassify").await.json().await.unwrap();
    let path = format!("/v1/jobs/{}", job["job_id"].as_str().unwrap());
    for _ in 0..2 {
        let response = app.request(Method::DELETE, &path).send().await.unwrap();
        let cancelled = ok(response, 200).await;
        assert_eq!(cancelled["state"], "cancelled");
    }
    let second: Value = app.step("/v1/tiers/reclassify").await.json().await.unwrap();
    assert_ne!(second["job_id"], job["job_id"]);
    let list = app.json("/v1/jobs?limit=1").await;
    assert_eq!(list["items"][0]["job_id"], second["job_id"]);
    let next = list["next_cursor"].as_str().unwrap();
    let rest: Value = app
        .get(&format!("/v1/jobs?cursor={next}"))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(rest["items"][0]["job_id"], job["job_id"]);

    problem(app.get("/v1/jobs/none").await, 404, "unknown-job").await;
    let unknown = app.request(Method::DELETE, "/v1/jobs/none");
    problem(unknown.send().await.unwrap(), 404, "unknown-job").await;
    problem(app.get("/v1/jobs?cursor=00").await, 400, "invalid-cursor").await;
}

#[tokio::test]
async fn a_result_is_kept_for_its_time_and_then_gone_while_the_job_stays() {
    for keep in [Duration::from_secs(24 * 60 * 60), Duration::ZERO] {
        let app = TestApp::start_built(&[], |service| service.with_results_kept(keep)).await;
        app.enterprise("E1").await;
        let asked = ok(app.step("/v1/models/drift").await, 202).await;
        let path = format!("/v1/jobs/{}", asked["job_id"].as_str().unwrap());
        assert!(asked.get("result_expires_at").is_none());
        problem(app.get(&format!("{path}/result")).await, 409, "conflict").await;

        assert!(app.carry_out_task().await);

        let job = app.json(&path).await;
        assert_eq!(job["state"], "succeeded");
        let instant =
            |name: &str| -> jiff::Timestamp { job[name].as_str().unwrap().parse().unwrap() };
        let kept = instant("result_expires_at").duration_since(instant("ended_at"));
        assert_eq!(kept.as_secs(), i64::try_from(keep.as_secs()).unwrap());
        let result = app.get(&format!("{path}/result")).await;
        if keep > Duration::ZERO {
            assert_eq!(job["result"], format!("{path}/result"));
            assert_eq!(result.status(), 200);
            continue;
        }
        assert!(job.get("result").is_none());
        let gone = problem(result, 410, "result-expired").await;
        assert_eq!(gone["job_id"], asked["job_id"]);
        problem(
            app.get(&format!("{path}/report")).await,
            410,
            "result-expired",
        )
        .await;
        // What it measured stays.
        assert_eq!(
            app.json("/v1/models/drift").await["items"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
    }
}
