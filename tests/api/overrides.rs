//! Overrides: two persons, a reason, an end.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::helpers::{TODAY, TestApp, ok, pointers, problem};

const OVERRIDE: &str = "/v1/enterprises/E1/tier/override";
const APPROVE: &str = "/v1/enterprises/E1/tier/override/approve";

async fn app() -> TestApp {
    let app = TestApp::start().await;
    app.enterprise("E1").await;
    app
}

fn proposal() -> Value {
    json!({"tier": "D", "expires_on": "2026-12-22", "by": "officer-1", "reason": "an incident is investigated"})
}

async fn propose(app: &TestApp, change: impl FnOnce(&mut Value)) -> Value {
    let mut body = proposal();
    change(&mut body);
    ok(app.post(OVERRIDE, &body).await, 201).await
}

async fn approve(app: &TestApp, proposed: &Value, by: &str) -> Response {
    let body = json!({"override_id": proposed["override_id"], "by": by});
    app.post(APPROVE, &body).await
}

async fn end(app: &TestApp, body: &Value) -> Response {
    app.request(Method::DELETE, OVERRIDE)
        .json(body)
        .send()
        .await
        .unwrap()
}

async fn tier(app: &TestApp) -> Value {
    app.json("/v1/enterprises/E1/tier").await
}

#[tokio::test]
async fn an_override_counts_from_its_approval_until_it_is_ended() {
    let app = app().await;
    let before = tier(&app).await;
    assert_ne!(before["tier"], "D");

    let proposed = propose(&app, |_| {}).await;
    assert_eq!(
        (
            &proposed["state"],
            &proposed["from_on"],
            &proposed["lapses_on"]
        ),
        (&json!("proposed"), &json!(TODAY), &json!("2026-12-22"))
    );
    assert_eq!(tier(&app).await["tier"], before["tier"]);
    let waiting = app.json("/v1/enterprises/E1/tier/explanation").await;
    assert_eq!(waiting["overrides"], json!([proposed]));
    let approved = ok(approve(&app, &proposed, "officer-2").await, 200).await;
    assert_eq!(
        (&approved["state"], &approved["approved_by"]),
        (&json!("approved"), &json!("officer-2"))
    );

    let set = tier(&app).await;
    assert_eq!(set["tier"], "D");
    assert!(set["next_change_on"].as_str().unwrap() <= "2026-12-22");
    let why = app.json("/v1/enterprises/E1/tier/explanation").await;
    let last = why["reasons"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["step"], &last["tier"]),
        (&json!("override"), &json!("D"))
    );
    assert_eq!(why["overrides"], json!([approved]));
    let yesterday = app.json("/v1/enterprises/E1/tier?as_of=2026-11-21").await;
    assert_eq!(yesterday["tier"], before["tier"]);
    // It falls away on its day by itself.
    for (day, expected) in [("2026-12-21", &json!("D")), ("2026-12-22", &before["tier"])] {
        let then = app
            .json(&format!("/v1/enterprises/E1/tier?as_of={day}"))
            .await;
        assert_eq!(&then["tier"], expected, "{day}");
    }

    let body = json!({"by": "officer-3", "reason": "the investigation is over"});
    let ended = ok(end(&app, &body).await, 200).await;
    assert_eq!(
        (&ended["state"], &ended["ended_on"]),
        (&json!("ended"), &json!(TODAY))
    );
    assert_eq!(tier(&app).await["tier"], before["tier"]);
    problem(end(&app, &body).await, 404, "unknown-override").await;
    let acts = app.json("/v1/enterprises/E1/acts?limit=2").await;
    let told: Vec<_> = acts["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|act| (act["what"].clone(), act["by"].clone()))
        .collect();
    assert_eq!(
        told,
        [
            (json!("override_ended"), json!("officer-3")),
            (json!("override_approved"), json!("officer-2"))
        ]
    );
    let cursor = acts["next_cursor"].as_str().unwrap();
    let rest = app
        .json(&format!("/v1/enterprises/E1/acts?cursor={cursor}"))
        .await;
    assert_eq!(rest["items"][0]["what"], "override_proposed");
    assert_eq!(rest["items"][0]["reason"], "an incident is investigated");
}

#[tokio::test]
async fn one_person_is_not_two() {
    let app = app().await;
    let proposed = propose(&app, |_| {}).await;
    for by in ["officer-1", "Officer-1", " officer-1 ", "ｏｆｆｉｃｅｒ-1"] {
        problem(approve(&app, &proposed, by).await, 422, "rule-violated").await;
    }
    assert_ne!(tier(&app).await["tier"], "D");
    ok(approve(&app, &proposed, "officer-2").await, 200).await;
    problem(approve(&app, &proposed, "officer-3").await, 409, "conflict").await;
}

#[tokio::test]
async fn at_most_one_override_counts_on_a_day() {
    let app = app().await;
    let first = propose(&app, |_| {}).await;
    problem(app.post(OVERRIDE, &proposal()).await, 409, "conflict").await;
    ok(approve(&app, &first, "officer-2").await, 200).await;
    problem(app.post(OVERRIDE, &proposal()).await, 409, "conflict").await;
    // The next one may follow on.
    let next = propose(&app, |body| {
        body["from_on"] = json!("2026-12-22");
        body["expires_on"] = json!("2027-01-22");
    })
    .await;
    ok(approve(&app, &next, "officer-2").await, 200).await;
    // Without an id the one that counts is ended.
    let person = json!({"by": "officer-1", "reason": "over"});
    let ended = ok(end(&app, &person).await, 200).await;
    assert_eq!(ended["override_id"], first["override_id"]);
    let mut other = person.clone();
    other["override_id"] = first["override_id"].clone();
    problem(end(&app, &other).await, 404, "unknown-override").await;
    other["override_id"] = next["override_id"].clone();
    assert_eq!(ok(end(&app, &other).await, 200).await["state"], "ended");
}

#[tokio::test]
async fn a_proposal_may_be_taken_back_and_is_then_not_approved() {
    let app = app().await;
    let proposed = propose(&app, |_| {}).await;
    let person = json!({"by": "officer-1", "reason": "a slip"});
    assert_eq!(
        ok(end(&app, &person).await, 200).await["state"],
        "withdrawn"
    );
    problem(approve(&app, &proposed, "officer-2").await, 409, "conflict").await;
    let unknown = json!({"override_id": "none"});
    problem(approve(&app, &unknown, "o").await, 404, "unknown-override").await;
}

#[tokio::test]
async fn days_reasons_and_ids_are_checked() {
    let app = app().await;
    for (name, value, pointer) in [
        ("from_on", json!("2026-11-21"), "/from_on"),
        ("expires_on", json!(TODAY), "/expires_on"),
        ("expires_on", json!("2026-11-01"), "/expires_on"),
        ("expires_on", json!("2027-02-21"), "/expires_on"),
        ("expires_on", json!("2026-02-30"), "/expires_on"),
        ("reason", json!(" \t"), "/reason"),
        ("reason", json!("x".repeat(2_001)), "/reason"),
        ("by", json!(""), "/by"),
        ("tier", json!("E"), "/tier"),
    ] {
        let mut body = proposal();
        body[name] = value;
        let refused = problem(app.post(OVERRIDE, &body).await, 422, "invalid-body").await;
        assert_eq!(pointers(&refused), [pointer], "{body}");
    }
    // Ninety days are allowed.
    propose(&app, |body| body["expires_on"] = json!("2027-02-20")).await;
    let elsewhere = "/v1/enterprises/E9/tier/override";
    problem(
        app.post(elsewhere, &proposal()).await,
        404,
        "unknown-enterprise",
    )
    .await;
    let approval = json!({"override_id": "x", "by": "o"});
    problem(
        app.post(&format!("{elsewhere}/approve"), &approval).await,
        404,
        "unknown-enterprise",
    )
    .await;
}

#[tokio::test]
async fn overrides_are_listed_by_state() {
    let app = app().await;
    app.enterprise("E2").await;
    let first = propose(&app, |_| {}).await;
    let approved = ok(approve(&app, &first, "officer-2").await, 200).await;
    let other = "/v1/enterprises/E2/tier/override";
    let waiting = ok(app.post(other, &proposal()).await, 201).await;
    let list =
        async |query: &str| app.json(&format!("/v1/overrides{query}")).await["items"].clone();
    assert_eq!(list("?state=approved").await, json!([approved]));
    assert_eq!(list("?state=proposed").await, json!([waiting]));
    for state in ["lapsed", "expired", "ended", "withdrawn"] {
        assert_eq!(list(&format!("?state={state}")).await, json!([]));
    }
    assert_eq!(list("").await.as_array().unwrap().len(), 2);
    let page = app.json("/v1/overrides?limit=1").await;
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = app
        .json(&format!("/v1/overrides?limit=1&cursor={cursor}"))
        .await;
    assert_ne!(rest["items"][0], page["items"][0]);
    let foreign = app
        .get(&format!("/v1/overrides?state=ended&cursor={cursor}"))
        .await;
    problem(foreign, 400, "invalid-cursor").await;
    problem(app.get("/v1/overrides?state=x").await, 400, "invalid-query").await;
}
