//! Policies over HTTP: registered, listed, brought into force by another person, at once or by a job.

use serde_json::{Value, json};

use crate::helpers::{TestApp, header, ok, pointers, problem};

const POLICY: &str = include_str!("../../models/policy.toml");

/// The default policy under another version and with another rate.
fn rates(version: u32) -> String {
    POLICY
        .replacen("version = 1", &format!("version = {version}"), 1)
        .replacen("D = 0.50", "D = 0.70", 1)
}

async fn register(app: &TestApp, text: &str) -> String {
    let body = json!({"by": "analyst-1", "reason": "try", "policy": text});
    let response = app.post("/v1/policies", &body).await;
    let location = header(&response, "location").to_owned();
    let policy = ok(response, 201).await;
    assert_eq!(policy["is_in_force"], false);
    let policy_id = policy["policy_id"].as_str().unwrap().to_owned();
    assert_eq!(location, format!("/v1/policies/{policy_id}"));
    assert_eq!(app.json(&location).await, policy);
    policy_id
}

#[tokio::test]
async fn a_policy_is_registered_and_comes_into_force_by_another_person() {
    let app = TestApp::start().await;
    let first = app.json("/v1/policies").await["items"][0].clone();
    assert_eq!(
        (&first["name"], &first["version"], &first["is_in_force"]),
        (&json!("cn-general"), &json!(1), &json!(true))
    );
    assert_eq!(first.get("author"), None);

    let policy_id = register(&app, &rates(2)).await;
    let again = json!({"by": "analyst-9", "policy": rates(2)});
    let known = ok(app.post("/v1/policies", &again).await, 200).await;
    assert_eq!(known["author"], "analyst-1");
    let path = format!("/v1/policies/{policy_id}");
    let file = app.get(&format!("{path}/file")).await;
    assert_eq!(header(&file, "content-type"), "application/toml");
    assert_eq!(file.text().await.unwrap(), rates(2));

    let activate = format!("{path}/activate");
    let author = json!({"by": "Analyst-1", "reason": "mine"});
    problem(app.post(&activate, &author).await, 422, "rule-violated").await;
    let other = json!({"by": "head-2", "reason": "minutes"});
    let policy = ok(app.post(&activate, &other).await, 200).await;
    assert_eq!(policy["is_in_force"], true);
    problem(app.post(&activate, &other).await, 409, "conflict").await;
    let page = app.json("/v1/policies?limit=1").await;
    assert_eq!(page["items"][0]["policy_id"], policy_id);
    let next = page["next_cursor"].as_str().unwrap();
    let rest = app.json(&format!("/v1/policies?cursor={next}")).await;
    assert_eq!(rest["items"][0]["is_in_force"], false);
    let check = app.json("/v1/policies/history/verification").await;
    assert_eq!(check["is_intact"], true, "{check}");
    let history = app.json("/v1/policies/history").await;
    assert_eq!(history["items"][0]["digest"], check["head"]);
    let told: Vec<(&Value, &Value)> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (&row["what"], &row["by"]))
        .collect();
    assert_eq!(
        told[..2],
        [
            (&json!("activation_asked"), &json!("head-2")),
            (&json!("registered"), &json!("analyst-1"))
        ]
    );
}

#[tokio::test]
async fn a_policy_of_other_tiers_comes_into_force_by_a_job() {
    let app = TestApp::start().await;
    app.enterprise("E1").await;
    let text = rates(2).replacen(
        "indicator = \"SUP03\", at_least = 0.5",
        "indicator = \"SUP03\", at_least = 1",
        1,
    );
    assert_ne!(text, rates(2));
    let policy_id = register(&app, &text).await;
    let body = json!({"by": "head-2", "reason": "minutes"});
    let response = app
        .post(&format!("/v1/policies/{policy_id}/activate"), &body)
        .await;
    let location = header(&response, "location").to_owned();
    assert_eq!(ok(response, 202).await["state"], "queued");
    let path = format!("/v1/policies/{policy_id}");
    assert_eq!(app.json(&path).await["is_in_force"], false);
    app.carry_out_run().await;
    assert_eq!(app.json(&location).await["state"], "succeeded");
    assert_eq!(app.json(&path).await["is_in_force"], true);
}

#[tokio::test]
async fn a_policy_that_cannot_be_used_is_refused_and_nothing_of_it_is_kept() {
    let app = TestApp::start().await;
    for (wrong, said) in [
        (rates(2).replacen("D = 0.70", "D = 0.10", 1), "tier D"),
        (rates(2).replacen("policy/1", "policy/9", 1), "policy/9"),
        ("no policy".to_owned(), "cannot be read"),
    ] {
        let body = json!({"by": "analyst-1", "policy": wrong});
        let refusal = problem(app.post("/v1/policies", &body).await, 422, "invalid-body").await;
        assert_eq!(pointers(&refusal), ["/policy"]);
        assert!(
            refusal["detail"].as_str().unwrap().contains(said),
            "{refusal}"
        );
    }
    for body in [
        json!({"policy": rates(2)}),
        json!({"by": " ", "policy": rates(2)}),
        json!({"by": "analyst-1", "policy": 7}),
        json!({"by": "analyst-1", "policy": rates(2), "is_in_force": true}),
    ] {
        problem(app.post("/v1/policies", &body).await, 422, "invalid-body").await;
    }
    let list = app.json("/v1/policies").await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    for path in ["/v1/policies/none", "/v1/policies/none/file"] {
        problem(app.get(path).await, 404, "unknown-policy").await;
    }
    let body = json!({"by": "head-2", "reason": "minutes"});
    let none = app.post("/v1/policies/none/activate", &body).await;
    problem(none, 404, "unknown-policy").await;
    problem(
        app.get("/v1/policies?cursor=zz").await,
        400,
        "invalid-cursor",
    )
    .await;
}
