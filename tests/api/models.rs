//! Models over HTTP: registered, judged, approved by another person, promoted, rolled back, and told.

use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, header, ok, pointers, problem};

/// The default card under another version and cut-off.
fn card(version: u32, d: u16) -> Value {
    let text = include_str!("../../models/default/scorecard.json");
    let mut card: Value = serde_json::from_str(text).unwrap();
    card["version"] = version.into();
    card["cutoffs"]["D"] = d.into();
    card
}

async fn register(app: &TestApp, card: Value) -> String {
    let body = json!({"by": "analyst-1", "reason": "try", "scorecard": card});
    let response = app.post("/v1/models", &body).await;
    let location = header(&response, "location").to_owned();
    let model = ok(response, 201).await;
    assert_eq!(model["state"], "draft");
    let model_id = model["model_id"].as_str().unwrap().to_owned();
    assert_eq!(location, format!("/v1/models/{model_id}"));
    model_id
}

/// Carries out the first job beside the runs, and gives it back.
async fn task(app: &TestApp, response: reqwest::Response) -> Value {
    let location = header(&response, "location").to_owned();
    let queued = ok(response, 202).await;
    assert_eq!(queued["state"], "queued");
    assert_eq!(queued["phase"], "work");
    app.carry_out_task().await;
    app.json(&location).await
}

async fn approved(app: &TestApp, card: Value) -> String {
    let model_id = register(app, card).await;
    let path = format!("/v1/models/{model_id}");
    let body = json!({"by": "analyst-1", "force": true, "reason": "a new register", "rounds": 10});
    let job = task(app, app.post(&format!("{path}/validate"), &body).await).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    let body = json!({"by": "head-2", "reason": "seen"});
    let answer = ok(app.post(&format!("{path}/approve"), &body).await, 200).await;
    assert_eq!(answer["state"], "approved");
    model_id
}

#[tokio::test]
async fn a_model_goes_from_draft_to_live_and_back() {
    let app = TestApp::start().await;
    app.frame(30).await;
    let first = app.json("/v1/models/live").await;
    let first_id = first["model_id"].as_str().unwrap();
    let before = jiff::Timestamp::now();
    std::thread::sleep(std::time::Duration::from_millis(5));
    let tier = async || app.json("/v1/enterprises/E0000/tier").await["tier"].clone();
    assert_eq!(tier().await, "C");
    let model_id = approved(&app, card(2, 170)).await;
    let path = format!("/v1/models/{model_id}");

    let body = json!({"by": "director-3", "reason": "minutes of November"});
    let refusal = problem(
        app.post(&format!("{path}/promote"), &body).await,
        422,
        "rule-violated",
    )
    .await;
    assert!(
        refusal["gates"]
            .as_array()
            .unwrap()
            .contains(&json!("later_inspections"))
    );
    let body = json!({"by": "director-3", "reason": "minutes of November", "force": true});
    let asked = app.post(&format!("{path}/promote"), &body).await;
    let location = header(&asked, "location").to_owned();
    let job = ok(asked, 202).await;
    assert_eq!(
        (&job["kind"], &job["state"]),
        (&json!("promote"), &json!("queued"))
    );
    // Until it flips everything is as it was.
    assert_eq!(tier().await, "C");
    app.carry_out_run().await;
    assert_eq!(app.json(&location).await["state"], "succeeded");
    assert_eq!(tier().await, "D");
    let live = app.json("/v1/models/live").await;
    assert_eq!(live["model_id"], json!(model_id));
    let then = app.json(&format!("/v1/models/live?at={before}")).await;
    assert_eq!(then["model_id"], json!(first_id));
    problem(
        app.get("/v1/models/live?at=1999-01-01T00:00:00Z").await,
        404,
        "unknown-model",
    )
    .await;
    problem(
        app.get("/v1/models/live?at=yesterday").await,
        400,
        "invalid-query",
    )
    .await;

    let body = json!({"by": "director-3", "reason": "too strict"});
    let rolled = ok(app.post("/v1/models/rollback", &body).await, 202).await;
    assert_eq!(rolled["kind"], "rollback");
    app.carry_out_run().await;
    assert_eq!(tier().await, "C");
    assert_eq!(
        app.json("/v1/models/live").await["model_id"],
        json!(first_id)
    );

    let history = app.json("/v1/models/history?limit=1000").await;
    let told: Vec<&str> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|row| row["what"].as_str().unwrap())
        .collect();
    assert_eq!(
        told,
        [
            "registered",
            "adopted",
            "registered",
            "validated",
            "approved",
            "promotion_asked",
            "superseded",
            "promoted",
            "rollback_asked",
            "superseded",
            "rolled_back"
        ]
    );
    let own = app.json(&format!("{path}/history?limit=1")).await;
    assert!(own["next_cursor"].is_string());
    let check = app.json("/v1/models/history/verification").await;
    assert_eq!(
        (&check["is_intact"], &check["row_count"]),
        (&json!(true), &json!(11))
    );
    let list = app.json("/v1/models?state=retired").await;
    assert_eq!(list["items"][0]["model_id"], json!(model_id));
}

#[tokio::test]
async fn a_step_that_the_state_does_not_allow_is_a_conflict_by_name() {
    let app = TestApp::start().await;
    let model_id = register(&app, card(2, 170)).await;
    let path = format!("/v1/models/{model_id}");
    let person = json!({"by": "head-2", "reason": "seen"});
    for step in ["approve", "shadow", "promote"] {
        let refusal = problem(
            app.post(&format!("{path}/{step}"), &person).await,
            409,
            "model-state",
        )
        .await;
        assert_eq!(refusal["state"], "draft", "{step}");
    }
    let none = app.post("/v1/models/none/approve", &person).await;
    problem(none, 404, "unknown-model").await;
    let live = app.json("/v1/models/live").await;
    let live_path = format!("/v1/models/{}", live["model_id"].as_str().unwrap());
    for (step, body) in [
        ("retire", person.clone()),
        ("validate", json!({"by": "analyst-1"})),
        ("approve", person.clone()),
    ] {
        let response = app.post(&format!("{live_path}/{step}"), &body).await;
        let status = response.status().as_u16();
        assert!(status == 409 || status == 422, "{step}: {status}");
    }
    let force = app
        .post(
            &format!("{path}/validate"),
            &json!({"by": "analyst-1", "force": true}),
        )
        .await;
    let refusal = problem(force, 422, "invalid-body").await;
    assert_eq!(pointers(&refusal), ["/reason"]);

    let retired = ok(app.post(&format!("{path}/retire"), &person).await, 200).await;
    assert_eq!(retired["state"], "retired");
    let same = json!({"by": "other-9", "scorecard": card(2, 170)});
    let again = ok(app.post("/v1/models", &same).await, 200).await;
    assert_eq!(
        (&again["state"], &again["author"]),
        (&json!("retired"), &json!("analyst-1"))
    );
}

#[tokio::test]
async fn the_author_does_not_approve() {
    let app = TestApp::start().await;
    let model_id = register(&app, card(2, 170)).await;
    let path = format!("/v1/models/{model_id}");
    let body = json!({"by": "analyst-1", "force": true, "reason": "a new register", "rounds": 10});
    task(&app, app.post(&format!("{path}/validate"), &body).await).await;
    let author = json!({"by": "ANALYST-1", "reason": "mine"});
    let refusal = problem(
        app.post(&format!("{path}/approve"), &author).await,
        422,
        "rule-violated",
    )
    .await;
    assert!(
        refusal["detail"]
            .as_str()
            .unwrap()
            .contains("another person")
    );
    assert_eq!(app.json(&path).await["state"], "validated");
}

#[tokio::test]
async fn a_card_that_cannot_be_served_is_refused_and_nothing_of_it_is_kept() {
    let app = TestApp::start().await;
    let mut newer = card(2, 170);
    newer["format"] = "risktier-scorecard/9".into();
    let mut turned = card(2, 170);
    turned["indicators"]["SUP01"]["linear"]["points_per_unit"] = json!(-60);
    turned["indicators"]["SUP01"]["linear"]["cap"] = json!(-180);
    let mut unknown = card(2, 170);
    unknown["indicators"]["NEW99"] = unknown["indicators"]["SUP01"].clone();
    let mut vectors = card(2, 170);
    vectors["format"] = "risktier-scorecard/2".into();
    let rising = card(2, 20);
    for (wrong, said) in [
        (newer, "risktier-scorecard/9"),
        (turned, "SUP01"),
        (unknown, "NEW99"),
        (vectors, "test vectors"),
        (rising, "cut-offs"),
    ] {
        let body = json!({"by": "analyst-1", "scorecard": wrong});
        let refusal = problem(app.post("/v1/models", &body).await, 422, "invalid-body").await;
        assert_eq!(pointers(&refusal), ["/scorecard"]);
        assert!(
            refusal["detail"].as_str().unwrap().contains(said),
            "{refusal}"
        );
    }
    for body in [
        json!({"scorecard": card(2, 170)}),
        json!({"by": " ", "scorecard": card(2, 170)}),
        json!({"by": "analyst-1", "scorecard": "text"}),
        json!({"by": "analyst-1", "scorecard": card(2, 170), "state": "live"}),
    ] {
        problem(app.post("/v1/models", &body).await, 422, "invalid-body").await;
    }
    let list = app.json("/v1/models").await;
    assert_eq!(
        list["items"].as_array().unwrap().len(),
        1,
        "the live one alone"
    );
}

/// A register of shops with two rounds of visits; those with penalties are found wanting more often.
async fn inspected(app: &TestApp, count: usize) {
    let mut rows =
        String::from("enterprise_id,name,division,industry,size,status,established_on\n");
    let mut records = String::new();
    for number in 0..count {
        rows.push_str(&format!(
            "E{number:04},Shop {number},99010{},F5212,small,active,2015-03-0{}\n",
            2 + number % 3,
            1 + number % 9
        ));
        let mut add = |record: Value| records.push_str(&format!("{record}\n"));
        let id = format!("E{number:04}");
        for nth in 0..number % 5 {
            for year in [2024, 2025] {
                add(
                    json!({"record_id": format!("C{number}-{nth}-{year}"), "enterprise_id": id, "kind": "penalty",
                    "occurred_on": format!("{year}-11-0{}", 1 + nth), "known_on": format!("{year}-12-01"), "severity": "general"}),
                );
            }
        }
        if number % 4 == 0 {
            add(
                json!({"record_id": format!("P{number}"), "enterprise_id": id, "kind": "penalty",
                "occurred_on": "2024-01-10", "known_on": "2024-01-20", "severity": "serious", "amount_cny": 9_000.0}),
            );
        }
        let risk = 1 + number % 5 + 3 * usize::from(number % 4 == 0);
        for (round, day) in [("a", "2025-03"), ("b", "2026-03")] {
            // A fixed scramble that has nothing to do with what is known before.
            let chance = (number * 7_919 + usize::from(round == "b") * 104_729) % 97 % 12;
            let found = chance < risk;
            add(
                json!({"record_id": format!("V{number}{round}"), "enterprise_id": id, "kind": "inspection",
                "occurred_on": format!("{day}-{:02}", 1 + number % 28), "known_on": format!("{day}-{:02}", 1 + number % 28),
                "codes": [if found { "E" } else { "1" }]}),
            );
        }
    }
    let imported = app.upload("/v1/enterprises/import", "text/csv", rows).await;
    assert_eq!(ok(imported, 200).await["created_count"], count);
    let path = "/v1/records/import?source=double_random";
    let imported = app.upload(path, "application/x-ndjson", records).await;
    assert_eq!(ok(imported, 200).await["refused_count"], 0);
}

#[tokio::test]
async fn training_judging_and_comparing_are_jobs_with_results_and_pages() {
    let app = TestApp::start().await;
    inspected(&app, 800).await;
    let wanted = json!({"by": "analyst-1", "name": "retrained", "fitter": "woe", "pairs": 0, "shares": [0.3, 0.2, 0.1]});
    let job = task(&app, app.post("/v1/models/train", &wanted).await).await;
    assert_eq!(
        (&job["kind"], &job["state"]),
        (&json!("train"), &json!("succeeded")),
        "{job}"
    );
    let result = app.json(job["result"].as_str().unwrap()).await;
    assert_eq!(result["rows"]["row_count"], 1_600);
    assert!(result["rows"]["purged_count"].as_u64().unwrap() > 0);
    let model_id = result["model_id"].as_str().unwrap();
    let path = format!("/v1/models/{model_id}");

    let detail = app.json(&path).await;
    assert_eq!(
        (&detail["state"], &detail["author"]),
        (&json!("draft"), &json!("analyst-1"))
    );
    assert_eq!(detail["training"]["rows"]["row_count"], 1_600);
    let artefact = app
        .get(&format!("{path}/artefact"))
        .await
        .bytes()
        .await
        .unwrap();
    let digest = risktier::domain::digest::HashAlgorithm::Sha256.hash(&[&artefact]);
    assert_eq!(digest.to_string(), model_id);
    // The same request gives the same model.
    let job = task(&app, app.post("/v1/models/train", &wanted).await).await;
    let again = app.json(job["result"].as_str().unwrap()).await;
    assert_eq!(
        (&again["model_id"], &again["is_new"]),
        (&json!(model_id), &json!(false))
    );

    let judging = json!({"as_of": "2026-02-01", "rounds": 20});
    let job = task(&app, app.post(&format!("{path}/evaluate"), &judging).await).await;
    let evaluation = app.json(job["result"].as_str().unwrap()).await;
    assert_eq!(evaluation["format"], "risktier-evaluation/1");
    assert_eq!(evaluation["data"]["rows"], 800);
    let auc = evaluation["views"][0]["headline"]["auc"]["value"]
        .as_f64()
        .unwrap();
    assert!(auc > 0.55, "{auc}");
    let page = app
        .get(&format!(
            "/v1/jobs/{}/report",
            job["job_id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
    assert!(page.text().await.unwrap().starts_with("<!doctype html>"));

    let job = task(&app, app.post(&format!("{path}/compare"), &judging).await).await;
    let comparison = app.json(job["result"].as_str().unwrap()).await;
    assert_eq!(comparison["format"], "risktier-comparison/1");
    assert_eq!(comparison["moves"].as_array().unwrap().len(), 16);

    let body = json!({"by": "analyst-1", "rounds": 20});
    let job = task(&app, app.post(&format!("{path}/validate"), &body).await).await;
    let validation = app.json(job["result"].as_str().unwrap()).await;
    let gates: Vec<&str> = validation["gates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|gate| gate["gate"].as_str().unwrap())
        .collect();
    for gate in [
        "vectors",
        "direction",
        "convergence",
        "time_split",
        "later_inspections",
        "not_worse_than_live",
        "guard.mix_shift",
        "guard.auc",
    ] {
        assert!(gates.contains(&gate), "{gates:?}");
    }
    let of = |name: &str| {
        let gate = validation["gates"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["gate"] == name);
        gate.unwrap()["state"].clone()
    };
    for gate in [
        "vectors",
        "direction",
        "convergence",
        "time_split",
        "later_inspections",
    ] {
        assert_eq!(of(gate), "holds", "{gate}");
    }
    let page = app
        .get(&format!("{path}/report?language=en"))
        .await
        .text()
        .await
        .unwrap();
    assert!(page.contains("guard.mix_shift") && page.contains("lang=\"en\""));
    let card = app.json(&format!("{path}/card")).await;
    assert_eq!(card["format"], "risktier-model-card/1");
    assert_eq!(card["data"]["row_count"], 1_600);
    assert!(card["validation"]["headline"]["auc"]["value"].is_number());
    assert!(!card["validation"]["groups"].as_array().unwrap().is_empty());
    let request = app.request(Method::GET, &format!("{path}/card"));
    let page = request.header("accept", "text/html").send().await.unwrap();
    assert!(
        page.text()
            .await
            .unwrap()
            .contains("Model card: retrained 1")
    );

    let job = task(&app, app.step("/v1/models/drift").await).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    let drift = app.json("/v1/models/drift").await;
    assert_eq!(drift["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_job_that_cannot_be_done_says_why_and_leaves_nothing() {
    let app = TestApp::start().await;
    app.frame(20).await;
    let job = task(
        &app,
        app.post("/v1/models/train", &json!({"by": "analyst-1"}))
            .await,
    )
    .await;
    assert_eq!(job["state"], "failed");
    assert!(
        job["failure"].as_str().unwrap().contains("no visit"),
        "{job}"
    );
    let path = format!("/v1/jobs/{}", job["job_id"].as_str().unwrap());
    problem(app.get(&format!("{path}/result")).await, 409, "conflict").await;
    problem(app.get(&format!("{path}/report")).await, 409, "conflict").await;
    problem(app.get("/v1/jobs/none/result").await, 404, "unknown-job").await;
    assert_eq!(
        app.json("/v1/models").await["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );

    // A job that was cancelled before it began is not begun.
    let queued = ok(
        app.post("/v1/models/train", &json!({"by": "analyst-1"}))
            .await,
        202,
    )
    .await;
    let path = format!("/v1/jobs/{}", queued["job_id"].as_str().unwrap());
    let cancelled = app.request(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(ok(cancelled, 200).await["state"], "cancelled");
    assert!(!app.carry_out_task().await);

    for (body, pointer) in [
        (json!({"by": "a", "validate_share": 2.0}), "/validate_share"),
        (json!({"by": "a", "since": "2026-02-30"}), "/since"),
        (
            json!({"by": "a", "outcome": {"codes": {"E": 7}}}),
            "/outcome/codes",
        ),
        (
            json!({"by": "a", "outcome": {"codes": {"E": 0}}}),
            "/outcome/codes",
        ),
        (
            json!({"by": "a", "outcome": {"kind": "visit", "codes": {"E": 1}}}),
            "/outcome/kind",
        ),
        (json!({"by": "a", "fitter": "best"}), "/fitter"),
        (json!({"by": "a", "shares": [0.3, 0.2]}), "/shares"),
        (json!({"by": "a", "shares": [0.5, 0.4, 0.2]}), "/shares"),
        (json!({"by": "a", "cutoffs": [400, 300, 800]}), "/cutoffs"),
        (json!({"by": "a", "cutoffs": [400, 600, 1001]}), "/cutoffs"),
        (
            json!({"by": "a", "problem_rates": [0.1, 0.3]}),
            "/problem_rates",
        ),
        (
            json!({"by": "a", "problem_rates": [0.1, 0.3, 1.0]}),
            "/problem_rates",
        ),
        (
            json!({"by": "a", "cutoffs": [1, 2, 3], "shares": [0.3, 0.2, 0.1]}),
            "/shares",
        ),
        (
            json!({"by": "a", "cutoffs": [1, 2, 3], "problem_rates": [0.1, 0.2, 0.3]}),
            "/problem_rates",
        ),
        (
            json!({"by": "a", "capacity": {"visits": 10, "enterprises": 0}}),
            "/capacity/enterprises",
        ),
        (
            json!({"by": "a", "capacity": {"visits": 10, "enterprises": 9, "visit_rates": [0.1, 0.2, 0.3, 2.0]}}),
            "/capacity/visit_rates",
        ),
        (
            json!({"by": "a", "capacity": {"visits": 10, "enterprises": 9, "visit_rates": [0.1]}}),
            "/capacity/visit_rates",
        ),
        (
            json!({"by": "a", "pdo": {"pdo": 0.0, "points": 500.0}}),
            "/pdo/pdo",
        ),
        (json!({"by": "a", "calibration": "none"}), "/calibration"),
        (
            json!({"by": "a", "declared_pairs": [["SUP02"]]}),
            "/declared_pairs",
        ),
        (json!({"by": "a", "parent": "none"}), "/parent"),
        (json!({"by": "a", "validate_share": 1.0}), "/validate_share"),
        (json!({"by": "a", "pairs": 101}), "/pairs"),
        (json!({"by": "a", "name": ""}), "/name"),
    ] {
        let refusal = problem(
            app.post("/v1/models/train", &body).await,
            422,
            "invalid-body",
        )
        .await;
        assert_eq!(pointers(&refusal), [pointer], "{body}");
    }
    let live = app.json("/v1/models/live").await;
    let path = format!("/v1/models/{}", live["model_id"].as_str().unwrap());
    problem(app.get(&format!("{path}/report")).await, 409, "conflict").await;
    problem(app.get(&format!("{path}/shadow")).await, 409, "conflict").await;
    problem(app.get("/v1/models/none").await, 404, "unknown-model").await;
    let accept = app.request(Method::GET, &format!("{path}/card"));
    let accept = accept.header("accept", "image/png").send().await.unwrap();
    problem(accept, 406, "not-acceptable").await;
}
