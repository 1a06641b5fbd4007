//! The feed of tier changes, and jobs as they are watched.

use serde_json::{Value, json};

use crate::helpers::{TestApp, header, ok, problem};

/// A penalty that makes an enterprise worse.
async fn penalty(app: &TestApp, id: &str, record_id: &str) {
    let record = json!({"source": "penalties", "record_id": record_id, "enterprise_id": id, "kind": "penalty",
        "occurred_on": "2026-10-01", "severity": "serious", "amount_cny": 500_000.0});
    let written = app.post("/v1/records", &json!({"records": [record]})).await;
    ok(written, 200).await;
}

async fn tier(app: &TestApp, id: &str) -> String {
    let tier = app.json(&format!("/v1/enterprises/{id}/tier")).await;
    tier["tier"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_change_is_told_once_in_order_and_the_last_one_is_the_present_tier() {
    let app = TestApp::start().await;
    let empty = app.json("/v1/tiers/changes").await;
    assert_eq!(
        (&empty["items"], &empty["is_current"]),
        (&json!([]), &json!(true))
    );
    let mut cursor = empty["next_cursor"].as_str().unwrap().to_owned();

    for id in ["E1", "E2", "E3"] {
        app.enterprise(id).await;
    }
    for record in 0..4 {
        penalty(&app, "E2", &format!("P{record}")).await;
    }
    let mut items: Vec<Value> = Vec::new();
    loop {
        let part = app
            .json(&format!("/v1/tiers/changes?limit=2&cursor={cursor}"))
            .await;
        items.extend(part["items"].as_array().unwrap().iter().cloned());
        cursor = part["next_cursor"].as_str().unwrap().to_owned();
        if part["is_current"] == true {
            break;
        }
    }

    let numbers: Vec<u64> = items
        .iter()
        .map(|item| item["number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (1..=items.len() as u64).collect::<Vec<_>>());
    for id in ["E1", "E2", "E3"] {
        let of: Vec<&Value> = items
            .iter()
            .filter(|item| item["enterprise_id"] == id)
            .collect();
        assert!(of[0].get("from_tier").is_none());
        for pair in of.windows(2) {
            assert_eq!(pair[0]["tier"], pair[1]["from_tier"]);
        }
        assert_eq!(of.last().unwrap()["tier"], tier(&app, id).await);
    }
    assert!(
        items
            .iter()
            .filter(|item| item["enterprise_id"] == "E2")
            .count()
            > 1
    );
    let now = app.json("/v1/tiers/changes?from=now").await;
    assert_eq!(now["items"], json!([]));
    assert_eq!(now["next_cursor"], cursor.as_str());
}

#[tokio::test]
async fn a_run_tells_its_epoch_and_the_tiers_that_came_with_it() {
    let app = TestApp::start().await;
    app.enterprise("E1").await;
    tier(&app, "E1").await;
    let asked = app.step("/v1/tiers/reclassify").await;
    let job = ok(asked, 202).await;
    app.carry_out_run().await;

    let feed = app.json("/v1/tiers/changes").await;
    let items = feed["items"].as_array().unwrap();
    let last = items.last().unwrap();
    assert_eq!(last["kind"], "epoch", "{items:#?}");
    // The first run of a register tells all tiers at once.
    assert_eq!(last["is_whole"], false);
    let path = format!("/v1/jobs/{}", job["job_id"].as_str().unwrap());
    assert_eq!(last["epoch"], app.json(&path).await["epoch"]);

    // Enterprises that a run is the first to classify are told one by one.
    let rows = "enterprise_id,name\nE2,Two\nE3,Three\n";
    ok(
        app.upload("/v1/enterprises/import", "text/csv", rows).await,
        200,
    )
    .await;
    app.step("/v1/tiers/reclassify").await;
    app.carry_out_run().await;
    for id in ["E2", "E3"] {
        tier(&app, id).await;
    }
    let cursor = feed["next_cursor"].as_str().unwrap();
    let more = app
        .json(&format!("/v1/tiers/changes?cursor={cursor}"))
        .await;
    let told: Vec<(&str, Option<&str>)> = more["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            (
                item["kind"].as_str().unwrap(),
                item["enterprise_id"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [("epoch", None), ("tier", Some("E2")), ("tier", Some("E3"))]
    );
    assert_eq!(more["items"][0]["is_whole"], true);
}

#[tokio::test]
async fn a_cursor_of_another_list_or_feed_is_refused_by_name() {
    let app = TestApp::start().await;
    for number in 0..3 {
        app.enterprise(&format!("E{number}")).await;
    }
    let other = TestApp::start().await;
    let cursor = |body: Value| body["next_cursor"].as_str().unwrap().to_owned();
    let list = cursor(app.json("/v1/enterprises?limit=1").await);
    let filtered = cursor(app.json("/v1/enterprises?limit=1&division=9901").await);
    let feed = cursor(other.json("/v1/tiers/changes").await);
    for (path, why) in [
        (
            format!("/v1/tiers/changes?cursor={list}"),
            "list of tier changes",
        ),
        (
            format!("/v1/tiers/changes?cursor={feed}"),
            "with another filter",
        ),
        (
            format!("/v1/enterprises?cursor={filtered}"),
            "with another filter",
        ),
        (
            format!("/v1/enterprises?division=9902&cursor={filtered}"),
            "with another filter",
        ),
        (format!("/v1/frames?cursor={list}"), "list of frames"),
        ("/v1/frames?cursor=00".to_owned(), "damaged"),
    ] {
        let refused = problem(app.get(&path).await, 400, "invalid-cursor").await;
        assert!(
            refused["detail"].as_str().unwrap().contains(why),
            "{refused}"
        );
    }
    let both = app
        .get(&format!("/v1/tiers/changes?from=now&cursor={feed}"))
        .await;
    problem(both, 400, "invalid-query").await;
    problem(
        app.get("/v1/tiers/changes?from=then").await,
        400,
        "invalid-query",
    )
    .await;
}

#[tokio::test]
async fn a_job_is_watched_until_it_ends() {
    let app = TestApp::start().await;
    app.enterprise("E1").await;
    let job = ok(app.step("/v1/tiers/reclassify").await, 202).await;
    let path = format!("/v1/jobs/{}/events", job["job_id"].as_str().unwrap());
    let mut events = app.get(&path).await;
    assert_eq!(header(&events, "content-type"), "text/event-stream");
    assert_eq!(header(&events, "cache-control"), "no-store");
    let mut text = String::new();
    let mut is_carried_out = false;
    while let Some(chunk) = events.chunk().await.unwrap() {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        if !is_carried_out {
            app.carry_out_run().await;
            is_carried_out = true;
        }
    }

    let all: Vec<(&str, Value)> = text
        .split("\n\n")
        .filter_map(|event| {
            let (name, data) = event.strip_prefix("event: ")?.split_once("\ndata: ")?;
            Some((name, serde_json::from_str(data).unwrap()))
        })
        .collect();
    assert_eq!(all[0].0, "progress");
    assert_eq!(all[0].1["state"], "queued");
    let (name, ended) = all.last().unwrap();
    assert_eq!((*name, &ended["state"]), ("end", &json!("succeeded")));
    // A job that has ended is told at once.
    let again = app.get(&path).await.text().await.unwrap();
    assert!(again.starts_with("event: end\ndata: {"), "{again}");
    problem(app.get("/v1/jobs/none/events").await, 404, "unknown-job").await;
}
