//! Tables that are sent for a training over HTTP: kept until they are used, read by a job, refused where they are wrong.

use std::fmt::Write as _;
use std::io::Write as _;

use risktier::domain::rng::SeededRng;
use serde_json::{Value, json};

use crate::helpers::{TestApp, header, ok, pointers, problem};

const IMPORT: &str = "/v1/training-tables/import";

/// Visits with two columns, of which the first raises the risk and the second lowers it.
fn visits(first: &str, second: &str, rows: usize) -> String {
    let mut rng = SeededRng::new(31, "training-tables");
    let mut text = format!("enterprise_id,day,{first},{second},outcome\n");
    for row in 0..rows {
        let (one, other) = (rng.below(4), rng.below(60));
        let risk = 0.05 + 0.15 * one as f64 + if other < 12 { 0.2 } else { 0.0 };
        writeln!(
            text,
            "E{},2025-{:02}-{:02},{one},{other},{}",
            row / 2,
            1 + row * 12 / rows,
            1 + row % 28,
            u8::from(rng.chance(risk))
        )
        .unwrap();
    }
    text
}

async fn sent(app: &TestApp, media_type: &str, body: impl Into<Vec<u8>>) -> Value {
    ok(app.upload(IMPORT, media_type, body).await, 200).await
}

/// Carries out the job of a training, and gives it back.
async fn trained(app: &TestApp, body: &Value) -> Value {
    let response = app.post("/v1/models/train", body).await;
    let location = header(&response, "location").to_owned();
    ok(response, 202).await;
    app.carry_out_task().await;
    app.json(&location).await
}

#[tokio::test]
async fn a_table_of_indicators_becomes_a_registered_draft() {
    let app = TestApp::start().await;
    // SUP02 raises the risk and BAS01, months of age, lowers it.
    let text = visits("SUP02", "BAS01", 3_000);
    let table = sent(&app, "text/csv", text.clone()).await;
    assert_eq!(
        table["columns"],
        json!(["enterprise_id", "day", "SUP02", "BAS01", "outcome"])
    );
    assert_eq!(table["byte_count"], text.len());
    let digest = risktier::domain::digest::HashAlgorithm::Sha256.hash(&[text.as_bytes()]);
    assert_eq!(table["table_id"], digest.to_string());
    // The same bytes, compressed, are the same table.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let again = sent(&app, "text/csv", gzip.finish().unwrap()).await;
    assert_eq!(again, table);

    let roles = "format = \"risktier-roles/1\"\n[feature.SUP02]\ndirection = \"raises\"\n\
                 [feature.BAS01]\ndirection = \"lowers\"\n";
    let body = json!({
        "by": "analyst-1", "name": "from-a-table", "fitter": "woe", "shares": [0.3, 0.15, 0.05],
        "validate_from": "2025-10-01", "gap_days": 10,
        "table": {"table_id": table["table_id"], "roles": roles},
    });
    let job = trained(&app, &body).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    let result = app.json(job["result"].as_str().unwrap()).await;
    assert_eq!(result["report"]["split"]["validation_from"], "2025-10-01");
    assert!(result["report"]["split"]["purged_count"].as_u64().unwrap() > 0);
    assert_eq!(result.get("scorecard"), None);
    let path = format!("/v1/models/{}", result["model_id"].as_str().unwrap());
    let model = app.json(&path).await;
    assert_eq!(
        (&model["state"], &model["author"]),
        (&json!("draft"), &json!("analyst-1"))
    );
    assert_eq!(model["training"]["table_id"], table["table_id"]);
    // The table stays for the next try.
    let job = trained(&app, &body).await;
    let again = app.json(job["result"].as_str().unwrap()).await;
    assert_eq!(
        (&again["model_id"], &again["is_new"]),
        (&result["model_id"], &json!(false))
    );
}

#[tokio::test]
async fn a_card_of_other_columns_stands_in_the_result_and_in_no_registry() {
    let app = TestApp::start().await;
    let table = sent(&app, "text/csv", visits("fines", "years", 3_000)).await;
    let body = json!({
        "by": "analyst-1", "fitter": "woe",
        "table": {"table_id": table["table_id"], "outcome": "outcome"},
    });
    let job = trained(&app, &body).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    let result = app.json(job["result"].as_str().unwrap()).await;
    assert!(
        result["not_registered"]
            .as_str()
            .unwrap()
            .contains("`fines`"),
        "{result}"
    );
    let card = risktier::model::Scorecard::from_json(&result["scorecard"].to_string()).unwrap();
    assert!(card.indicators.contains_key("years"));
    let list = app.json("/v1/models").await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_table_that_cannot_be_read_or_trained_on_says_why() {
    let app = TestApp::start_with(&[("limits.table_bytes", "20000")]).await;
    let large = app
        .upload(IMPORT, "text/csv", visits("a", "b", 3_000))
        .await;
    let refusal = problem(large, 413, "too-large").await;
    assert_eq!(refusal["limit_bytes"], 20_000);
    let lines = app
        .upload(IMPORT, "application/x-ndjson", "{\"a\":1}\n")
        .await;
    problem(lines, 415, "unsupported-media-type").await;
    let twice = app.upload(IMPORT, "text/csv", "a,a,outcome\n1,2,0\n").await;
    problem(twice, 422, "invalid-body").await;
    let none = app.upload(IMPORT, "text/csv", "").await;
    problem(none, 400, "malformed-body").await;
    let parquet = app
        .upload(IMPORT, "application/vnd.apache.parquet", "PAR1 no PAR1")
        .await;
    problem(parquet, 400, "malformed-body").await;

    let unknown = json!({"by": "analyst-1", "table": {"table_id": "none"}});
    problem(
        app.post("/v1/models/train", &unknown).await,
        404,
        "unknown-table",
    )
    .await;
    let table = sent(&app, "text/csv", visits("a", "b", 40).replace(",0,", ",x,")).await;
    let id = &table["table_id"];
    for (body, pointer) in [
        (
            json!({"by": "a", "table": {"table_id": id, "roles": "format = 7"}}),
            "/table/roles",
        ),
        (
            json!({"by": "a", "table": {"table_id": id, "roles": "format = \"risktier-roles/9\""}}),
            "/table/roles",
        ),
        (
            json!({"by": "a", "since": "2025-01-01", "table": {"table_id": id}}),
            "/since",
        ),
        (
            json!({"by": "a", "split": "group", "table": {"table_id": id}}),
            "/split",
        ),
    ] {
        let refused = app.post("/v1/models/train", &body).await;
        let refusal = problem(refused, 422, "invalid-body").await;
        assert_eq!(pointers(&refusal), [pointer], "{refusal}");
    }
    // What is wrong inside is told by the job, with line and column where there are any.
    for (more, said) in [
        (json!({"table_id": id, "outcome": "a"}), "is not an outcome"),
        (json!({"table_id": id, "outcome": "gone"}), "`gone`"),
        (json!({"table_id": id}), "too few to fit"),
    ] {
        let body = json!({"by": "analyst-1", "table": more});
        let job = trained(&app, &body).await;
        assert_eq!(job["state"], "failed", "{job}");
        assert!(job["failure"].as_str().unwrap().contains(said), "{job}");
    }
    let list = app.json("/v1/models").await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn whatever_the_command_line_takes_a_job_takes_too() {
    let app = TestApp::start().await;
    let table = sent(&app, "text/csv", visits("a", "b", 3_000)).await;
    let id = &table["table_id"];
    let train = async |more: Value| -> Value {
        let mut body = json!({"by": "analyst-1", "fitter": "woe", "table": {"table_id": id}});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let job = trained(&app, &body).await;
        assert_eq!(job["state"], "succeeded", "{job}");
        app.json(job["result"].as_str().unwrap()).await
    };
    let settings = |result: &Value| result["scorecard"]["manifest"]["settings"].clone();

    let fixed = train(json!({"cutoffs": [300, 500, 800], "calibration": "isotonic"})).await;
    assert_eq!(
        fixed["scorecard"]["cutoffs"],
        json!({"B": 300, "C": 500, "D": 800})
    );
    assert_eq!(fixed["scorecard"]["calibration"]["method"], "isotonic");

    // A tier begins at the least points whose probability is that of its rate.
    let rates = train(json!({"problem_rates": [0.2, 0.3, 0.5]})).await;
    let knots = rates["scorecard"]["calibration"]["levels"][0]["knots"].clone();
    let knots = knots.as_array().unwrap();
    for (tier, rate) in [("B", 0.2), ("C", 0.3), ("D", 0.5)] {
        let from = rates["scorecard"]["cutoffs"][tier].as_u64().unwrap();
        let before = knots
            .iter()
            .rfind(|knot| knot["points"].as_u64().unwrap() < from)
            .unwrap();
        let after = knots
            .iter()
            .find(|knot| knot["points"].as_u64().unwrap() >= from)
            .unwrap();
        assert!(before["probability"].as_f64().unwrap() < rate, "{rates}");
        assert!(after["probability"].as_f64().unwrap() >= rate, "{rates}");
    }

    // Rates of visits come from the policy in force unless they are given.
    let capacity = train(json!({"capacity": {"visits": 400, "enterprises": 10_000}})).await;
    let chosen = settings(&capacity)["cutoffs"]["capacity"].clone();
    let policy = include_str!("../../models/policy.toml")
        .parse::<toml::Table>()
        .unwrap();
    let general = &policy["sampling"]["rates"]["general"];
    for (at, tier) in ["A", "B", "C", "D"].into_iter().enumerate() {
        assert_eq!(
            chosen["rates"][at].as_f64(),
            general[tier].as_float(),
            "{chosen}"
        );
    }
    assert_eq!(chosen["visits"], 400);
    let given =
        json!({"visits": 400, "enterprises": 10_000, "visit_rates": [0.01, 0.02, 0.05, 0.1]});
    let other = train(json!({"capacity": given, "shares": [0.3, 0.1, 0.05]})).await;
    let chosen = settings(&other)["cutoffs"]["capacity"].clone();
    assert_eq!(chosen["rates"], json!([0.01, 0.02, 0.05, 0.1]));
    assert_eq!(chosen["shares"], json!([0.3, 0.1, 0.05]));

    let more = train(json!({
        "pdo": {"pdo": 40.0, "points": 500.0}, "declared_pairs": [["a", "b"]], "fitter": "boost", "strict": true,
        "challengers": true, "validate_share": 0.3
    }))
    .await;
    let settings = settings(&more);
    for (name, expected) in [("pdo", 40.0), ("points", 500.0), ("odds", 1.0)] {
        let found = settings["scaling"]["pdo"][name].as_f64();
        assert_eq!(found, Some(expected), "{name}");
    }
    assert_eq!(settings["declared_pairs"], json!([["a", "b"]]));
    assert_eq!(settings["strict"], true);
    assert!(
        !more["report"]["challengers"]
            .as_object()
            .unwrap()
            .is_empty()
    );

    let all = train(json!({"validate_share": 0.0})).await;
    assert_eq!(all["report"]["split"]["by"], "none");

    // The parent is a registered model.
    let live = app.json("/v1/models/live").await;
    let child = train(json!({"parent": live["model_id"]})).await;
    assert_eq!(child["scorecard"]["manifest"]["parent"], live["model_id"]);
}
