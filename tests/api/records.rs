//! Records, and what they do to tiers.

use serde_json::{Value, json};

use crate::helpers::{TODAY, TestApp, ok, pointers, problem};

fn penalty(id: &str) -> Value {
    json!({
        "source": "penalties", "record_id": id, "enterprise_id": "E1", "kind": "penalty",
        "occurred_on": "2026-10-05", "severity": "serious", "amount_cny": 500_000.0
    })
}

async fn with_enterprise() -> TestApp {
    let app = TestApp::start().await;
    app.enterprise("E1").await;
    app
}

#[tokio::test]
async fn a_record_changes_the_next_tier_read_and_its_repair_changes_it_back() {
    let app = with_enterprise().await;
    let before = app.json("/v1/enterprises/E1/tier").await;

    let listing = json!({
        "source": "listings", "record_id": "L1", "enterprise_id": "E1", "kind": "serious_violation_listing",
        "occurred_on": "2026-10-05"
    });
    let written = ok(
        app.post("/v1/records", &json!({"records": [listing]}))
            .await,
        200,
    )
    .await;
    let worse = app.json("/v1/enterprises/E1/tier").await;
    let repaired = app
        .post("/v1/records/listings/L1/repair", &json!({"on": TODAY}))
        .await;
    let after = app.json("/v1/enterprises/E1/tier").await;

    assert_eq!(written["items"][0]["outcome"], "created");
    assert_eq!(worse["tier"], "D");
    assert_ne!(before["tier"], "D");
    assert_eq!(repaired.status(), 204);
    assert_eq!(after["tier"], before["tier"]);
    assert!(after["revision"].as_u64() > worse["revision"].as_u64());
}

#[tokio::test]
async fn records_that_come_before_their_enterprise_are_listed_and_count_once_it_arrives() {
    let app = TestApp::start().await;
    let waiting = [penalty("P1"), penalty("P2"), penalty("P3")];

    let body = json!({"records": waiting});
    let written = ok(app.post("/v1/records", &body).await, 200).await;
    let first = app.json("/v1/records/set-aside?limit=2").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = app
        .json(&format!("/v1/records/set-aside?limit=2&cursor={cursor}"))
        .await;
    problem(
        app.get("/v1/enterprises/E1/tier").await,
        404,
        "unknown-enterprise",
    )
    .await;
    app.enterprise("E1").await;
    let tier = app.json("/v1/enterprises/E1/tier").await;

    assert_eq!(written["items"][2]["outcome"], "set_aside");
    assert_eq!(first["items"][1]["record_id"], "P2");
    assert_eq!(rest["items"][0]["record_id"], "P3");
    assert!(rest.get("next_cursor").is_none());
    assert_eq!(tier["tier"], "D", "{tier}");
    let left = app.json("/v1/records/set-aside").await;
    assert_eq!(left, json!({"items": []}));
}

#[tokio::test]
async fn a_withdrawn_record_counts_no_more_and_its_versions_stay() {
    let app = with_enterprise().await;
    let body = json!({"records": [penalty("P1")]});
    ok(app.post("/v1/records", &body).await, 200).await;
    let worse = app.json("/v1/enterprises/E1/tier").await;

    assert_eq!(
        app.step("/v1/records/penalties/P1/withdraw").await.status(),
        204
    );

    let after = app.json("/v1/enterprises/E1/tier").await;
    assert!(after["points"].as_u64() < worse["points"].as_u64());
    let records = app.json("/v1/enterprises/E1/records").await;
    let last = records["items"].as_array().unwrap().last().unwrap();
    assert_eq!(last["withdrawn_on"], TODAY);
    assert_eq!(last["amount_cny"], 500_000.0);
}

#[tokio::test]
async fn writing_the_same_records_again_changes_nothing() {
    let app = with_enterprise().await;
    let body = json!({"records": [penalty("P1"), penalty("P2")]});
    ok(app.post("/v1/records", &body).await, 200).await;
    let again = ok(app.post("/v1/records", &body).await, 200).await;
    assert_eq!(again["items"][0]["outcome"], "unchanged");
    assert_eq!(again["items"][1]["record_id"], "P2");

    let mut changed = penalty("P1");
    changed["amount_cny"] = 1.5.into();
    let body = json!({"records": [changed]});
    let written = ok(app.post("/v1/records", &body).await, 200).await;
    assert_eq!(written["items"][0]["outcome"], "updated");
}

#[tokio::test]
async fn every_record_that_is_wrong_is_named_and_none_is_written() {
    let app = with_enterprise().await;
    let with = |id: &str, member: &str, value: Value| {
        let mut record = penalty(id);
        record[member] = value;
        record
    };
    let records = json!({"records": [
        penalty("P0"),
        with("P1", "occurred_on", "2026-02-30".into()),
        with("P2", "kind", "parking".into()),
        with("P3", "ended_on", "2020-01-01".into()),
        with("P4", "source", "".into()),
        with("P5", "amount_cny", 0.001.into()),
    ]});
    let refused = problem(app.post("/v1/records", &records).await, 422, "invalid-body").await;
    assert_eq!(
        pointers(&refused),
        [
            "/records/1/occurred_on",
            "/records/2/kind",
            "/records/3/ended_on",
            "/records/4/source",
            "/records/5/amount_cny"
        ]
    );
    assert_eq!(refused["errors"][0]["value"], "2026-02-30");
    let kept = app.json("/v1/enterprises/E1/records").await;
    assert_eq!(kept["items"], json!([]));
}

#[tokio::test]
async fn what_the_register_refuses_is_named_and_none_is_written() {
    let app = with_enterprise().await;
    app.enterprise("E2").await;
    let body = json!({"records": [penalty("P9")]});
    ok(app.post("/v1/records", &body).await, 200).await;
    let mut moved = penalty("P9");
    moved["enterprise_id"] = "E2".into();
    let body = json!({"records": [penalty("P8"), moved]});
    let refused = problem(app.post("/v1/records", &body).await, 422, "rule-violated").await;
    assert_eq!(pointers(&refused), ["/records/1"]);
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("belongs to enterprise `E1`"), "{detail}");
    let kept = app.json("/v1/enterprises/E1/records").await;
    assert_eq!(kept["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn one_id_with_two_contents_in_one_request_is_refused() {
    let app = with_enterprise().await;
    let mut other = penalty("P1");
    other["amount_cny"] = 2.0.into();
    let body = json!({"records": [penalty("P1"), other, penalty("P1")]});
    let refused = problem(app.post("/v1/records", &body).await, 422, "invalid-body").await;
    assert_eq!(pointers(&refused), ["/records/1/record_id"]);

    // The same content twice says nothing new, and a version of another day is a version.
    let mut later = penalty("P1");
    later["known_on"] = "2026-11-30".into();
    later["amount_cny"] = 3.0.into();
    let body = json!({"records": [penalty("P1"), penalty("P1"), later]});
    let written = ok(app.post("/v1/records", &body).await, 200).await;
    let outcomes = [0, 1, 2].map(|place| written["items"][place]["outcome"].clone());
    assert_eq!(outcomes, ["created", "unchanged", "updated"]);
}

#[tokio::test]
async fn a_request_of_no_or_too_many_records_is_refused() {
    let app = with_enterprise().await;
    let refused = problem(
        app.post("/v1/records", &json!({"records": []})).await,
        422,
        "invalid-body",
    )
    .await;
    assert_eq!(pointers(&refused), ["/records"]);
    let many: Vec<Value> = (0..1_001).map(|n| penalty(&format!("P{n}"))).collect();
    let refused = problem(
        app.post("/v1/records", &json!({"records": many})).await,
        422,
        "too-many-items",
    )
    .await;
    assert_eq!(refused["limit"], 1_000);
    for (body, pointer) in [
        (json!({}), ""),
        (json!({"source": "penalties"}), "/source"),
        (json!({"records": [{"colour": 1}]}), "/records/0/colour"),
        (json!({"records": [7]}), "/records/0"),
    ] {
        let refused = problem(app.post("/v1/records", &body).await, 422, "invalid-body").await;
        assert_eq!(pointers(&refused), [pointer]);
    }
}

#[tokio::test]
async fn an_amendment_needs_a_record_and_a_day_that_fits() {
    let app = with_enterprise().await;
    let body = json!({"records": [penalty("P/1")]});
    ok(app.post("/v1/records", &body).await, 200).await;

    let unknown = app.step("/v1/records/penalties/P2/repair").await;
    let unknown = problem(unknown, 404, "unknown-record").await;
    assert_eq!(unknown["record_id"], "P2");
    assert_eq!(unknown["source"], "penalties");

    let path = "/v1/records/penalties/P%2F1/repair";
    for (body, pointer) in [
        (json!({"on": "2026-02-30"}), "/on"),
        (json!({"on": "2020-01-01"}), "/on"),
        (json!({"on": 7}), "/on"),
        (json!({"day": TODAY}), "/day"),
    ] {
        let refused = problem(app.post(path, &body).await, 422, "invalid-body").await;
        assert_eq!(pointers(&refused), [pointer]);
    }
    assert_eq!(app.step(path).await.status(), 204);
}
