//! Tiers over time, over HTTP.

use serde_json::{Value, json};

use crate::helpers::{TODAY, TestApp, ok, problem};

/// E1 gets worse today by a listing; E2 stays as it is.
async fn worsened() -> TestApp {
    let app = TestApp::start().await;
    for id in ["E1", "E2"] {
        app.enterprise(id).await;
        app.json(&format!("/v1/enterprises/{id}/tier")).await;
    }
    let listing = json!({
        "source": "listings", "record_id": "L1", "enterprise_id": "E1", "kind": "serious_violation_listing",
        "occurred_on": "2026-10-05"
    });
    ok(
        app.post("/v1/records", &json!({"records": [listing]}))
            .await,
        200,
    )
    .await;
    app
}

#[tokio::test]
async fn the_history_says_which_tier_holds_and_what_brought_it() {
    let app = worsened().await;

    let history = app.json("/v1/enterprises/E1/tier/history").await;

    let present = &history["items"][0];
    assert_eq!(
        (&present["tier"], &present["from_on"]),
        (&json!("D"), &json!(TODAY))
    );
    assert!(present["until_on"].is_null());
    let causes = present["brought_by"].as_array().unwrap();
    assert!(causes.contains(&json!({"what": "record", "subject": "listings/L1"})));
    let tier = app.json("/v1/enterprises/E1/tier").await;
    assert_eq!(present["epoch"], tier["epoch"]);
    for beside in ["overrides", "objections", "merges"] {
        assert_eq!(history[beside], json!([]), "{beside}");
    }
    let unknown = app.get("/v1/enterprises/E9/tier/history").await;
    problem(unknown, 404, "unknown-enterprise").await;
    let cursor = app
        .get("/v1/enterprises/E1/tier/history?cursor=0011223344556677")
        .await;
    problem(cursor, 400, "invalid-cursor").await;
}

#[tokio::test]
async fn a_day_before_anything_was_in_force_is_told_with_the_first_files() {
    let app = worsened().await;
    let past = app.json("/v1/enterprises/E1/tier?as_of=2026-11-21").await;
    assert_eq!(
        (&past["files"]["why"], &past["files"]["from_on"]),
        (&json!("first"), &json!(TODAY))
    );
    let explained = app
        .json("/v1/enterprises/E1/tier/explanation?as_of=2026-11-21")
        .await;
    assert_eq!(explained["files"], past["files"]);
    let present = app.json("/v1/enterprises/E1/tier/explanation").await;
    assert_eq!(present["files"]["why"], "in_force");
}

#[tokio::test]
async fn the_feed_of_alerts_neither_repeats_nor_leaves_out() {
    let app = worsened().await;
    let mut path = "/v1/tiers/alerts?limit=1".to_owned();
    let mut seen: Vec<Value> = Vec::new();
    for _ in 0..4 {
        let feed = app.json(&path).await;
        seen.extend(feed["items"].as_array().unwrap().iter().cloned());
        let cursor = feed["next_cursor"].as_str().unwrap();
        path = format!("/v1/tiers/alerts?limit=1&cursor={cursor}");
    }
    let kinds: Vec<_> = seen.iter().map(|alert| &alert["kind"]).collect();
    assert_eq!(kinds, ["worsened", "entered_d"]);
    assert!(seen.iter().all(|alert| alert["enterprise_id"] == "E1"));

    let entered = app.json("/v1/tiers/alerts?kind=entered_d").await;
    assert_eq!(entered["items"].as_array().unwrap().len(), 1);
    let elsewhere = app.json("/v1/tiers/alerts?division=810000").await;
    assert_eq!(elsewhere["items"], json!([]));
    // A cursor belongs to its filter.
    let cursor = entered["next_cursor"].as_str().unwrap();
    let other = app.get(&format!("/v1/tiers/alerts?cursor={cursor}")).await;
    problem(other, 400, "invalid-cursor").await;
}

#[tokio::test]
async fn summaries_and_migrations_count_the_register() {
    let app = worsened().await;
    let summary = app.json("/v1/tiers/summary?by=kind").await;
    let group = &summary["items"][0];
    let count = |tier: usize| group["tiers"][tier]["count"].as_u64().unwrap();
    assert_eq!((0..4).map(count).sum::<u64>(), 2);
    assert_eq!((count(3), group["stale_count"].as_u64()), (1, Some(0)));
    let level = app.get("/v1/tiers/summary?by=kind&level=1").await;
    assert!(level.status().is_client_error());

    let matrix = app
        .json(&format!("/v1/tiers/migrations?from=2026-11-21&to={TODAY}"))
        .await;
    assert_eq!(matrix["moves"].as_array().unwrap().len(), 16);
    let new: u64 = matrix["new"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["count"].as_u64().unwrap())
        .sum();
    assert_eq!(new, 2);
    let backwards = format!("/v1/tiers/migrations?from={TODAY}&to=2026-11-21");
    assert!(app.get(&backwards).await.status().is_client_error());
}
