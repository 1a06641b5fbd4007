//! Enterprises of the register.

use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, header, ok, pointers, problem};

const PATH: &str = "/v1/enterprises/91990000MA00000017";

fn input() -> Value {
    json!({
        "name": "Example Foods Ltd", "division": "990102", "industry": "F5212", "established_on": "2015-03-02",
        "size": "small", "tags": ["食品生产"], "attributes": {"employees": 12.0}
    })
}

#[tokio::test]
async fn an_enterprise_is_created_then_replaced_then_left_alone() {
    let app = TestApp::start().await;

    let response = app.put(PATH, &input()).await;
    assert_eq!(header(&response, "location"), PATH);
    let created = ok(response, 201).await;
    let again = ok(app.put(PATH, &input()).await, 200).await;
    let mut changed = input();
    changed["status"] = "revoked".into();
    let replaced = ok(app.put(PATH, &changed).await, 200).await;

    assert_eq!(created, again);
    assert_eq!(created["kind"], "enterprise");
    assert_eq!(created["attributes"]["employees"], 12.0);
    assert_eq!(replaced["status"], "revoked");
    assert!(replaced["revision"].as_u64() > created["revision"].as_u64());
    assert_eq!(app.json(PATH).await, replaced);
}

#[tokio::test]
async fn the_id_of_the_body_may_be_that_of_the_path_only() {
    let app = TestApp::start().await;
    let mut body = input();
    body["enterprise_id"] = " 91990000ma00000017 ".into();
    assert_eq!(app.put(PATH, &body).await.status(), 201);

    body["enterprise_id"] = "another".into();
    let refused = problem(app.put(PATH, &body).await, 422, "invalid-body").await;
    assert_eq!(pointers(&refused), ["/enterprise_id"]);
}

#[tokio::test]
async fn what_does_not_fit_is_named_by_its_place() {
    let app = TestApp::start().await;
    for (member, value, pointer) in [
        ("colour", json!("red"), "/colour"),
        ("name", json!(7), "/name"),
        ("name", json!(""), "/name"),
        ("kind", json!("planet"), "/kind"),
        ("kind", Value::Null, "/kind"),
        ("established_on", json!("2026-02-30"), "/established_on"),
        ("established_on", json!(""), "/established_on"),
        ("established_on", json!(" 2026-02-03"), "/established_on"),
        ("kind", json!(""), "/kind"),
        ("owner_id", json!(" "), "/owner_id"),
        ("division", json!(""), "/division"),
        ("division", json!("x".repeat(65)), "/division"),
        ("tags", json!(["a", 1]), "/tags/1"),
        (
            "attributes",
            json!({"employees": "many"}),
            "/attributes/employees",
        ),
    ] {
        let mut body = input();
        body[member] = value;
        let refused = problem(app.put(PATH, &body).await, 422, "invalid-body").await;
        assert_eq!(pointers(&refused), [pointer], "{refused}");
        let detail = refused["detail"].as_str().unwrap();
        assert!(!detail.contains("EnterpriseInput"), "{detail}");
    }
    problem(app.get(PATH).await, 404, "unknown-enterprise").await;
}

#[tokio::test]
async fn bodies_of_other_forms_are_refused() {
    let app = TestApp::start().await;
    let put = |media_type: &'static str, body: Vec<u8>| {
        app.request(Method::PUT, PATH)
            .header("content-type", media_type)
            .body(body)
            .send()
    };
    let json = "application/json";
    problem(
        put("text/plain", b"{}".to_vec()).await.unwrap(),
        415,
        "unsupported-media-type",
    )
    .await;
    problem(
        put(json, b"{\"name\":".to_vec()).await.unwrap(),
        400,
        "malformed-body",
    )
    .await;
    problem(
        put(json, b"{\"name\":\"\xff\"}".to_vec()).await.unwrap(),
        400,
        "malformed-body",
    )
    .await;
    problem(
        put(json, b"[]".to_vec()).await.unwrap(),
        422,
        "invalid-body",
    )
    .await;
    problem(put(json, Vec::new()).await.unwrap(), 400, "malformed-body").await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let app = TestApp::start_with(&[("limits.body_bytes", "1024")]).await;
    let mut body = input();
    body["name"] = "x".repeat(2_000).into();
    let refused = problem(app.put(PATH, &body).await, 413, "too-large").await;
    assert_eq!(refused["limit_bytes"], 1024);
}

#[tokio::test]
async fn an_id_that_is_none_is_a_wrong_path() {
    let app = TestApp::start().await;
    for bad in ["a%20b", "%00", &"x".repeat(65)] {
        let response = app.get(&format!("/v1/enterprises/{bad}")).await;
        let refused = problem(response, 400, "invalid-path").await;
        assert_eq!(refused["errors"][0]["field"], "id");
    }
    let refused = problem(
        app.get("/v1/enterprises/nobody").await,
        404,
        "unknown-enterprise",
    )
    .await;
    assert_eq!(refused["enterprise_id"], "nobody");
    problem(
        app.get("/v1/enterprises/nobody/records").await,
        404,
        "unknown-enterprise",
    )
    .await;
    problem(
        app.get("/v1/enterprises/nobody?x=1").await,
        400,
        "invalid-query",
    )
    .await;
}

#[tokio::test]
async fn a_list_is_walked_by_its_cursor() {
    let app = TestApp::start().await;
    app.frame(25).await;
    let mut seen = Vec::new();
    let mut path = "/v1/enterprises?division=990100&limit=4".to_owned();
    loop {
        let page = app.json(&path).await;
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 4);
        for item in items {
            assert!(item["division"].as_str().unwrap().starts_with("9901"));
            seen.push(item["enterprise_id"].as_str().unwrap().to_owned());
        }
        let Some(cursor) = page["next_cursor"].as_str() else {
            assert!(page.get("next_cursor").is_none());
            break;
        };
        path = format!("/v1/enterprises?division=990100&limit=4&cursor={cursor}");
    }
    // Of three divisions in turn, two lie in the city.
    let expected: Vec<String> = (0..25)
        .filter(|number| number % 3 != 2)
        .map(|number| format!("E{number:04}"))
        .collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_cursor_does_not_fit_another_list_and_limits_hold() {
    let app = TestApp::start_with(&[("limits.page", "5"), ("limits.page_default", "2")]).await;
    app.frame(12).await;
    let page = app.json("/v1/enterprises?division=9901").await;
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    let cursor = page["next_cursor"].as_str().unwrap();
    for path in [
        format!("/v1/enterprises?cursor={cursor}"),
        format!("/v1/frames?cursor={cursor}"),
        format!("/v1/plans?cursor={cursor}"),
        "/v1/enterprises?cursor=%C3%BF".to_owned(),
        "/v1/enterprises?cursor=".to_owned(),
    ] {
        problem(app.get(&path).await, 400, "invalid-cursor").await;
    }
    for bad in [
        "limit=0",
        "limit=6",
        "limit=-1",
        "limit=x",
        "page=2",
        "division=",
    ] {
        problem(
            app.get(&format!("/v1/enterprises?{bad}")).await,
            400,
            "invalid-query",
        )
        .await;
    }
}

#[tokio::test]
async fn an_enterprise_whose_id_needs_escapes_is_found_where_it_was_put() {
    let app = TestApp::start().await;
    let response = app
        .put(
            "/v1/enterprises/%E4%BC%81%E4%B8%9A%2B1",
            &json!({"name": "企业"}),
        )
        .await;
    let location = header(&response, "location").to_owned();
    assert_eq!(location, "/v1/enterprises/%E4%BC%81%E4%B8%9A%2B1");
    let created = ok(response, 201).await;
    assert_eq!(created["enterprise_id"], "企业+1");
    assert_eq!(app.json(&location).await, created);
}

#[tokio::test]
async fn an_attribute_that_stands_twice_is_refused() {
    let app = TestApp::start().await;
    let body = r#"{"name": "a", "attributes": {"employees": 1, "employees": 2}}"#;
    let request = app.request(Method::PUT, PATH);
    let response = request
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await
        .unwrap();
    let refused = problem(response, 422, "invalid-body").await;
    assert_eq!(pointers(&refused), ["/attributes"]);
    assert!(refused["detail"].as_str().unwrap().contains("stands twice"));
}
