//! Coordinated groups over HTTP.

use serde_json::{Value, json};

use crate::helpers::{TestApp, header, ok, pointers, problem};
use crate::plans::input;

fn in_group(frame: &str, group: &str, visits: u64) -> Value {
    let mut input = input(frame);
    input["group"] = group.into();
    input["visits"] = visits.into();
    input["rounding"] = "largest_remainder".into();
    input["filter"] = json!({"division": "990102", "tiers": ["A"]});
    input
}

async fn sampled(app: &TestApp, plan: &str) -> Vec<String> {
    let sample = app.json(&format!("/v1/plans/{plan}/sample")).await;
    let items = sample["items"].as_array().unwrap().iter();
    items
        .map(|item| item["enterprise_id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn plans_of_a_group_are_frozen_one_by_one_and_drawn_after_the_last() {
    let app = TestApp::start().await;
    let frame = app.frame(60).await;
    let body = json!({"group_id": "2027-q1", "title": "Joint checks",
        "public": [{"name": "lottery", "rule": "numbers of 2026-12-01, rising"}]});
    let response = app.post("/v1/plan-groups", &body).await;
    assert_eq!(header(&response, "location"), "/v1/plan-groups/2027-q1");
    let made = ok(response, 201).await;
    assert_eq!(made["state"], "forming");
    assert_eq!(made["contributions"][1]["name"], "server");
    problem(app.post("/v1/plan-groups", &body).await, 409, "conflict").await;

    let mut plans = Vec::new();
    for visits in [4, 9] {
        let draft = app
            .post("/v1/plans", &in_group(&frame, "2027-q1", visits))
            .await;
        let plan = ok(draft, 201).await["plan_id"].as_str().unwrap().to_owned();
        let frozen = ok(app.step(&format!("/v1/plans/{plan}/freeze")).await, 200).await;
        assert_eq!(frozen["request"]["group"], "2027-q1");
        assert_eq!(frozen["frozen"]["contributions"], made["contributions"]);
        let early = app.step(&format!("/v1/plans/{plan}/draw")).await;
        let refused = problem(early, 409, "plan-state").await;
        assert_eq!(refused["group_id"], "2027-q1");
        plans.push(plan);
    }
    let group = "/v1/plan-groups/2027-q1";
    let refused = problem(app.step(&format!("{group}/open")).await, 409, "plan-state").await;
    assert_eq!(
        (&refused["state"], &refused["needed"]),
        (&json!("forming"), &json!("sealed"))
    );
    let sealed = ok(app.step(&format!("{group}/seal")).await, 200).await;
    assert_eq!(sealed["plans"][1]["plan_id"], *plans[1]);
    let late = app.post("/v1/plans", &in_group(&frame, "2027-q1", 5)).await;
    problem(late, 409, "plan-state").await;

    let refused = problem(
        app.step(&format!("{group}/open")).await,
        422,
        "invalid-body",
    )
    .await;
    assert_eq!(refused["errors"][0]["field"], "lottery");
    let opened = json!({"contributions": [{"name": "lottery", "value": "3,8,15,21,30,33"}]});
    let open = ok(app.post(&format!("{group}/open"), &opened).await, 200).await;
    assert!(!open.to_string().contains("3,8,15"));
    problem(
        app.post(&format!("{group}/open"), &opened).await,
        409,
        "plan-state",
    )
    .await;

    for plan in &plans {
        let given = app.post(&format!("/v1/plans/{plan}/draw"), &opened).await;
        let refused = problem(given, 422, "invalid-body").await;
        assert_eq!(pointers(&refused), ["/contributions"]);
        ok(app.step(&format!("/v1/plans/{plan}/draw")).await, 200).await;
        ok(app.step(&format!("/v1/plans/{plan}/close")).await, 200).await;
        let verified = ok(app.step(&format!("/v1/plans/{plan}/verify")).await, 200).await;
        assert_eq!(verified["same"], true);
    }
    let (few, many) = (
        sampled(&app, &plans[0]).await,
        sampled(&app, &plans[1]).await,
    );
    assert_eq!((few.len(), many.len()), (4, 9));
    assert!(few.iter().all(|id| many.contains(id)));
    let listed = app.json(&format!("{group}/plans")).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_a_group_asks_wrongly_is_named() {
    let app = TestApp::start().await;
    for (member, value, pointer) in [
        ("group_id", json!("a/b"), "/group_id"),
        ("group_id", json!(""), "/group_id"),
        ("title", json!(""), "/title"),
        ("hash", json!("md5"), "/hash"),
        ("colour", json!(1), "/colour"),
        (
            "public",
            json!([{"name": "A B", "rule": "x"}]),
            "/public/0/name",
        ),
        (
            "public",
            json!([{"name": "a", "rule": " "}]),
            "/public/0/rule",
        ),
        (
            "committed",
            json!([{"name": "a", "commitment": "00"}]),
            "/committed/0/commitment",
        ),
    ] {
        let mut body = json!({"group_id": "g", "title": "t"});
        body[member] = value;
        let refused = problem(
            app.post("/v1/plan-groups", &body).await,
            422,
            "invalid-body",
        )
        .await;
        assert_eq!(pointers(&refused), [pointer], "{refused}");
    }
    for part in ["", "/plans"] {
        let response = app.get(&format!("/v1/plan-groups/none{part}")).await;
        assert_eq!(
            problem(response, 404, "unknown-group").await["group_id"],
            "none"
        );
    }
    for part in ["seal", "open"] {
        let path = format!("/v1/plan-groups/none/{part}");
        problem(app.step(&path).await, 404, "unknown-group").await;
    }
    let frame = app.frame(20).await;
    let response = app.post("/v1/plans", &in_group(&frame, "none", 2)).await;
    problem(response, 404, "unknown-group").await;
    assert_eq!(app.json("/v1/plan-groups").await, json!({"items": []}));
}

#[tokio::test]
async fn groups_are_listed_by_pages_and_given_up_with_a_reason() {
    let app = TestApp::start().await;
    for group in ["a", "b", "c"] {
        let body = json!({"group_id": group, "title": "t"});
        ok(app.post("/v1/plan-groups", &body).await, 201).await;
    }
    let first = app.json("/v1/plan-groups?limit=2").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = app
        .json(&format!("/v1/plan-groups?limit=2&cursor={cursor}"))
        .await;
    assert_eq!(first["items"][0]["group_id"], "c");
    assert_eq!(second["items"][0]["group_id"], "a");
    let path = "/v1/plan-groups/a/void";
    let void = ok(app.post(path, &json!({"reason": "merged"})).await, 200).await;
    assert_eq!(
        (&void["state"], &void["void_reason"]),
        (&json!("void"), &json!("merged"))
    );
    problem(
        app.post(path, &json!({"reason": "again"})).await,
        409,
        "plan-state",
    )
    .await;
}
