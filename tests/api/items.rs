//! Check items over HTTP, and what plans make of them.

use serde_json::{Value, json};

use crate::helpers::{TestApp, header, ok, pointers, problem};
use crate::plans::input;

fn item(class: &str, published: bool) -> Value {
    json!({
        "name": "Hygiene of food sale", "class": class, "published": published, "ratio_cap": 0.05,
        "levels": ["county"], "methods": ["on_site"], "sub_items": ["storage"], "department": "amr"
    })
}

#[tokio::test]
async fn an_item_is_written_read_and_versioned() {
    let app = TestApp::start().await;
    let response = app.put("/v1/items/SP-01", &item("general", true)).await;
    assert_eq!(header(&response, "location"), "/v1/items/SP-01");
    let written = ok(response, 201).await;
    assert_eq!(
        (&written["version"], &written["from_on"]),
        (&json!(1), &json!("2026-11-22"))
    );
    assert_eq!(app.json("/v1/items/SP-01").await, written);
    let same = ok(
        app.put("/v1/items/SP-01", &item("general", true)).await,
        200,
    )
    .await;
    assert_eq!(same, written);
    let changed = ok(app.put("/v1/items/SP-01", &item("key", true)).await, 200).await;
    assert_eq!(changed["version"], 2);
    let versions = app.json("/v1/items/SP-01/versions").await;
    assert_eq!(versions["items"], json!([changed, written]));
    assert_eq!(app.json("/v1/items/SP-01?on=2026-11-22").await, changed);

    problem(
        app.get("/v1/items/SP-01?on=2026-11-21").await,
        404,
        "unknown-item",
    )
    .await;
    problem(app.get("/v1/items/none").await, 404, "unknown-item").await;
    problem(
        app.get("/v1/items/none/versions").await,
        404,
        "unknown-item",
    )
    .await;
    for (member, value, pointer) in [
        ("class", json!("major"), "/class"),
        ("ratio_cap", json!(5), "/ratio_cap"),
        ("levels", json!(["town"]), "/levels/0"),
        ("item_code", json!("SP-02"), "/item_code"),
        ("colour", json!(1), "/colour"),
    ] {
        let mut wrong = item("general", true);
        wrong[member] = value;
        let refused = problem(
            app.put("/v1/items/SP-01", &wrong).await,
            422,
            "invalid-body",
        )
        .await;
        assert_eq!(pointers(&refused), [pointer], "{refused}");
    }
}

#[tokio::test]
async fn items_come_in_many_at_once_and_from_files() {
    let app = TestApp::start().await;
    let entry = |code: &str| {
        let mut entry = item("general", true);
        entry["item_code"] = code.into();
        entry
    };
    let body = json!({"items": [entry("A"), entry("B"), entry("A")]});
    let written = ok(app.post("/v1/items", &body).await, 200).await;
    let outcomes: Vec<&Value> = (0..3).map(|at| &written["items"][at]["outcome"]).collect();
    assert_eq!(outcomes, ["created", "created", "unchanged"]);
    let mut wrong = entry("C");
    wrong["class"] = "x".into();
    let body = json!({"items": [entry("D"), wrong]});
    let refused = problem(app.post("/v1/items", &body).await, 422, "invalid-body").await;
    assert_eq!(pointers(&refused), ["/items/1/class"]);
    problem(
        app.post("/v1/items", &json!({"items": []})).await,
        422,
        "invalid-body",
    )
    .await;

    let csv = "item_code,name,class,published\nC,c,general,true\nE,e,major,true\n";
    let report = ok(app.upload("/v1/items/import", "text/csv", csv).await, 200).await;
    assert_eq!(
        (&report["created_count"], &report["refused_count"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(report["errors"][0]["line"], 3);
    let lines = "{\"item_code\":\"F\",\"name\":\"f\",\"class\":\"key\"}\n";
    let report = app
        .upload("/v1/items/import", "application/x-ndjson", lines)
        .await;
    assert_eq!(ok(report, 200).await["created_count"], 1);
    let refused = app
        .upload("/v1/items/import", "text/csv", "item_code,colour\n")
        .await;
    problem(refused, 422, "invalid-body").await;

    let first = app.json("/v1/items?limit=3").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = app
        .json(&format!("/v1/items?limit=3&cursor={cursor}"))
        .await;
    let codes: Vec<&str> = [&first, &rest]
        .iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|item| item["item_code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["A", "B", "C", "F"]);
}

#[tokio::test]
async fn only_published_items_of_one_class_are_planned() {
    let app = TestApp::start().await;
    let frame = app.frame(60).await;
    for (code, class, published) in [
        ("G", "general", true),
        ("K", "key", true),
        ("U", "key", false),
    ] {
        ok(
            app.put(&format!("/v1/items/{code}"), &item(class, published))
                .await,
            201,
        )
        .await;
    }
    let plan = |items: Value| {
        let mut body = input(&frame);
        body["items"] = items;
        body
    };
    for (items, pointer) in [
        (json!(["G", "N"]), "/items/1"),
        (json!(["U"]), "/items/0"),
        (json!(["G", "K"]), "/items/1"),
    ] {
        let refused = app.post("/v1/plans/preview", &plan(items)).await;
        let refused = problem(refused, 422, "invalid-body").await;
        assert_eq!(pointers(&refused), [pointer], "{refused}");
    }
    let key = ok(
        app.post("/v1/plans/preview", &plan(json!(["K"]))).await,
        200,
    )
    .await;
    assert_eq!(key["outlook"]["item_class"], "key");
    assert!(key["outlook"].get("year").is_none());
    let mut said = plan(json!(["K"]));
    said["item_class"] = "general".into();
    let refused = problem(app.post("/v1/plans", &said).await, 422, "invalid-body").await;
    assert_eq!(pointers(&refused), ["/item_class"]);
    let general = ok(app.post("/v1/plans", &plan(json!(["G"]))).await, 201).await;
    assert_eq!(general["outlook"]["item_class"], "general");
    assert_eq!(general["outlook"]["year"]["planned_count"], 0);
}
