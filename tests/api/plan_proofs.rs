//! Replacements, membership proofs and the chain over HTTP.

use reqwest::Method;
use risktier::domain::{Enterprise, EnterpriseDraft};
use risktier::files::{Format, Sink, enterprise_writer};
use serde_json::{Value, json};

use crate::helpers::{TestApp, header, ok, pointers, problem};
use crate::plans::{drafted, input};

/// A drawn plan whose strata have a reserve.
async fn drawn() -> (TestApp, String) {
    let (app, plan) = drafted(|frame| {
        let mut input = input(frame);
        input["reserve_share"] = 1.0.into();
        input
    })
    .await;
    ok(app.step(&format!("{plan}/freeze")).await, 200).await;
    ok(app.step(&format!("{plan}/draw")).await, 200).await;
    (app, plan)
}

#[tokio::test]
async fn a_replacement_is_kept_with_who_when_and_why() {
    let (app, plan) = drawn().await;
    let sample = app.json(&format!("{plan}/sample")).await;
    assert_eq!(sample["items"][0]["standing"], "drawn");
    let id = sample["items"][0]["enterprise_id"].as_str().unwrap();
    let path = format!("{plan}/replace");
    let body = json!({"enterprise_id": id, "reason": "ceased", "by": "officer-17", "note": "closed since October"});

    let replacement = ok(app.post(&path, &body).await, 200).await;

    assert_eq!(replacement["number"], 1);
    assert_eq!(replacement["by"], "officer-17");
    let taken = &replacement["taken"]["enterprise_id"];
    let listed = app.json(&format!("{plan}/replacements")).await;
    assert_eq!(listed["items"], json!([replacement]));
    let sample = app.json(&format!("{plan}/sample")).await;
    let items = sample["items"].as_array().unwrap();
    let shown = |wanted: &Value| {
        items
            .iter()
            .find(|item| item["enterprise_id"] == *wanted)
            .unwrap()
    };
    assert_eq!(shown(&json!(id))["standing"], "replaced");
    assert_eq!(shown(&json!(id))["reason"], "ceased");
    assert_eq!(shown(taken)["standing"], "replacement");
    assert_eq!(shown(taken)["replaces"], id);
    let csv = app
        .get(&format!("{plan}/sample?format=csv"))
        .await
        .text()
        .await
        .unwrap();
    assert!(csv.starts_with(
        "enterprise_id,stratum,order,standing,reason,replaces,inclusion_probability,design_weight\n"
    ));
    assert!(
        csv.contains(",replaced,ceased,,") && csv.contains(&format!(",replacement,,{id},")),
        "{csv}"
    );
    let accept = ("accept", "application/vnd.apache.parquet");
    for parquet in [
        app.get(&format!("{plan}/sample?format=parquet")).await,
        app.request(Method::GET, &format!("{plan}/sample"))
            .header(accept.0, accept.1)
            .send()
            .await
            .unwrap(),
    ] {
        assert_eq!(header(&parquet, "content-type"), accept.1);
        let named = header(&parquet, "content-disposition").to_owned();
        assert!(named.ends_with(".parquet\""), "{named}");
        assert!(parquet.bytes().await.unwrap().starts_with(b"PAR1"));
    }
    let ndjson = app.get(&format!("{plan}/sample?format=ndjson")).await;
    let ndjson = ndjson.text().await.unwrap();
    let lines: Vec<Value> = ndjson
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(&lines, items);
    for item in items {
        let number = |name: &str| item[name].as_f64().unwrap();
        assert_eq!(
            number("design_weight"),
            1.0 / number("inclusion_probability")
        );
    }

    problem(app.post(&path, &body).await, 409, "conflict").await;
    for (member, value, pointer) in [
        ("enterprise_id", json!("X-NOT-HERE"), "/enterprise_id"),
        ("enterprise_id", json!(""), "/enterprise_id"),
        ("reason", json!("tired"), "/reason"),
        ("reason", json!("other"), "/note"),
        ("by", json!(" "), "/by"),
        ("colour", json!(1), "/colour"),
    ] {
        let mut bad = json!({"enterprise_id": taken, "reason": "ceased", "by": "officer-17"});
        bad[member] = value;
        let refused = problem(app.post(&path, &bad).await, 422, "invalid-body").await;
        assert_eq!(pointers(&refused), [pointer], "{refused}");
    }
}

#[tokio::test]
async fn a_replacement_needs_a_drawn_plan() {
    let (app, plan) = drafted(input).await;
    let body = json!({"enterprise_id": "E0001", "reason": "ceased", "by": "officer-17"});
    let refused = app.post(&format!("{plan}/replace"), &body).await;
    problem(refused, 409, "plan-state").await;
    let refused = app.post("/v1/plans/none/replace", &body).await;
    problem(refused, 404, "unknown-plan").await;
    problem(
        app.get("/v1/plans/none/replacements").await,
        404,
        "unknown-plan",
    )
    .await;
    assert_eq!(
        app.json(&format!("{plan}/replacements")).await,
        json!({"items": []})
    );
}

#[tokio::test]
async fn a_membership_proof_leads_to_the_published_root() {
    let (app, plan) = drafted(input).await;
    let early = app.get(&format!("{plan}/membership/E0001")).await;
    problem(early, 409, "plan-state").await;
    let frozen = ok(app.step(&format!("{plan}/freeze")).await, 200).await;

    let shown = app.json(&format!("{plan}/membership/E0001")).await;
    let own = app
        .json(&format!("{plan}/membership/E0001?own_row=true"))
        .await;

    assert_eq!(shown["pool_root"], frozen["frozen"]["pool_root"]);
    assert_eq!(shown["plan_digest"], frozen["frozen"]["plan_digest"]);
    assert!(shown.get("own_row").is_none() && own["own_row"]["stratum"].is_string());
    for proof in [&shown, &own] {
        let verified = ok(app.post("/v1/memberships/verify", proof).await, 200).await;
        assert_eq!(verified["same"], true);
    }
    let mut bent = own.clone();
    bent["own_row"]["size"] = 2.into();
    let verified = ok(app.post("/v1/memberships/verify", &bent).await, 200).await;
    assert_eq!(verified["same"], false);
    assert_eq!(verified["checks"][1]["name"], "own_row");
    for (pointer, value) in [
        ("/pool_root", json!("00")),
        ("/proof/blind", json!("zz")),
        ("/proof/path/0/1", json!("zz")),
        ("/hash", json!("md5")),
    ] {
        let mut bad = shown.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        let refused = app.post("/v1/memberships/verify", &bad).await;
        let refused = problem(refused, 422, "invalid-body").await;
        assert_eq!(pointers(&refused), [pointer], "{refused}");
    }
    let stranger = app.get(&format!("{plan}/membership/E9999")).await;
    let refused = problem(stranger, 404, "unknown-enterprise").await;
    assert_eq!(refused["enterprise_id"], "E9999");
    let wrong = app
        .get(&format!("{plan}/membership/E0001?own_row=perhaps"))
        .await;
    problem(wrong, 400, "invalid-query").await;
}

#[tokio::test]
async fn the_chain_over_all_closed_plans_is_verified() {
    let app = TestApp::start().await;
    let frame = app.frame(60).await;
    let none = ok(app.step("/v1/plans/verify").await, 200).await;
    assert_eq!(
        none,
        json!({"same": true, "edition": "auditor", "checks": []})
    );
    for method in ["equal", "pareto", "order"] {
        let mut input = input(&frame);
        input["draw"] = "now".into();
        input["method"] = method.into();
        if method == "pareto" {
            input["rounding"] = "largest_remainder".into();
            input["size_measure"] = "points".into();
        }
        if method == "order" {
            input.as_object_mut().unwrap().remove("visits");
        }
        let plan = ok(app.post("/v1/plans", &input).await, 201).await;
        assert_eq!(plan["request"]["method"], method);
    }
    let verified = ok(app.step("/v1/plans/verify").await, 200).await;
    assert_eq!(verified["same"], true, "{verified}");
    let names: Vec<&str> = verified["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["name"].as_str().unwrap())
        .collect();
    assert!(
        names.contains(&"chain") && names.contains(&"head"),
        "{names:?}"
    );
}

#[tokio::test]
async fn an_extension_leaves_out_who_was_drawn() {
    let (app, plan) = drawn().await;
    let first = app.json(&plan).await;
    let mut more = input(first["request"]["frame_id"].as_str().unwrap());
    more["extends"] = first["plan_id"].clone();
    more["visits"] = 6.into();
    let second = ok(app.post("/v1/plans", &more).await, 201).await;
    assert_eq!(second["request"]["extends"], first["plan_id"]);
    let drawn = first["sample_size"].as_u64().unwrap();
    assert_eq!(second["outlook"]["pool_size"], 60 - drawn);
    assert_eq!(
        second["outlook"]["excluded"][0],
        json!({"reason": "drawn_before", "count": drawn})
    );
    more["extends"] = second["plan_id"].clone();
    let refused = problem(app.post("/v1/plans", &more).await, 409, "plan-state").await;
    assert_eq!(refused["plan_id"], second["plan_id"]);
    more["extends"] = "none".into();
    problem(app.post("/v1/plans", &more).await, 404, "unknown-plan").await;
}

#[tokio::test]
async fn values_are_text_and_never_numbers() {
    let (app, plan) = drafted(|frame| {
        let mut input = input(frame);
        input["public"] = json!([{"name": "lottery", "rule": "as read"}]);
        input
    })
    .await;
    ok(app.step(&format!("{plan}/freeze")).await, 200).await;
    let path = format!("{plan}/draw");
    for value in ["1", "12345678901234567890123", "1.0"] {
        let body = format!(r#"{{"contributions": [{{"name": "lottery", "value": {value}}}]}}"#);
        let refused = app.upload(&path, "application/json", body).await;
        let refused = problem(refused, 422, "invalid-body").await;
        assert_eq!(pointers(&refused), ["/contributions/0/value"]);
    }
    let body = json!({"contributions": [{"name": "lottery", "value": "00123456789012345678901234567890"}]});
    ok(app.post(&path, &body).await, 200).await;
    ok(app.step(&format!("{plan}/close")).await, 200).await;
    let auditor = app
        .json(&format!("{plan}/transcript?edition=auditor"))
        .await;
    assert_eq!(
        auditor["contributions"][0]["value"],
        "00123456789012345678901234567890"
    );
}

/// Acceptance test 8: the forms in which the same register comes, and the order of its rows, change nothing.
#[tokio::test]
async fn file_format_and_row_order_change_neither_frame_nor_draw() {
    let rows: Vec<(String, String)> = (0..90)
        .map(|number| {
            (
                format!("企-{number:03}"),
                ["990102", "990103"][number % 2].to_owned(),
            )
        })
        .collect();
    let csv = |rows: &[&(String, String)], end: &str| {
        let mut text = format!("enterprise_id,name,division,size{end}");
        for (id, division) in rows {
            text.push_str(&format!("{id},name of {id},{division},small{end}"));
        }
        text.into_bytes()
    };
    let forward: Vec<&(String, String)> = rows.iter().collect();
    let backward: Vec<&(String, String)> = rows.iter().rev().collect();
    let ndjson: String = backward
        .iter()
        .map(|(id, division)| {
            json!({"enterprise_id": id, "name": format!("name of {id}"), "division": division, "size": "small"})
                .to_string()
                + "\n"
        })
        .collect();
    let mut marked = vec![0xef, 0xbb, 0xbf];
    marked.extend(csv(&backward, "\r\n"));
    let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    let sink = Sink::create(&path, Some(Format::Parquet)).unwrap();
    let mut writer = enterprise_writer(sink, &std::collections::BTreeSet::new()).unwrap();
    for (id, division) in &backward {
        let draft = EnterpriseDraft {
            enterprise_id: id.clone(),
            name: format!("name of {id}"),
            division: Some(division.clone()),
            size: Some("small".into()),
            ..EnterpriseDraft::default()
        };
        writer.write(&Enterprise::parse(draft).unwrap()).unwrap();
    }
    writer.finish().unwrap();
    let parquet = std::fs::read(&path).unwrap();

    let mut seen = Vec::new();
    for (media_type, file) in [
        ("text/csv", csv(&forward, "\n")),
        ("text/csv", marked),
        ("application/x-ndjson", ndjson.into_bytes()),
        ("application/vnd.apache.parquet", parquet),
    ] {
        let app = TestApp::start().await;
        let imported = app.upload("/v1/enterprises/import", media_type, file).await;
        assert_eq!(ok(imported, 200).await["created_count"], 90, "{media_type}");
        let frame = ok(app.step("/v1/frames").await, 201).await;
        let mut input = input(frame["frame_id"].as_str().unwrap());
        input["draw"] = "now".into();
        input["exploration_share"] = 0.2.into();
        let plan = ok(app.post("/v1/plans", &input).await, 201).await;
        let path = format!(
            "/v1/plans/{}/sample?format=tsv",
            plan["plan_id"].as_str().unwrap()
        );
        let sample = app.get(&path).await.text().await.unwrap();
        assert!(sample.lines().count() > 10);
        seen.push((
            frame["frame_digest"].clone(),
            plan["frozen"]["pool_root"].clone(),
            plan["frozen"]["pool_digest"].clone(),
            sample,
        ));
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
}

/// Acceptance test 9: spellings of one id are one unit with one ticket.
#[tokio::test]
async fn spellings_of_one_id_are_one_unit() {
    let app = TestApp::start().await;
    let file = "enterprise_id,name\n91990000MA00000017,one\n ９１９９００００ＭＡ００００００１７ ,one\n91990000ma00000017,one\nE2,two\n";
    let imported = ok(
        app.upload("/v1/enterprises/import", "text/csv", file).await,
        200,
    )
    .await;
    assert_eq!(imported["created_count"], 2, "{imported}");
    let frame = ok(app.step("/v1/frames").await, 201).await;
    assert_eq!(frame["object_count"], 2);
    let mut input = input(frame["frame_id"].as_str().unwrap());
    input["visits"] = 2.into();
    let plan = ok(app.post("/v1/plans", &input).await, 201).await;
    let plan = format!("/v1/plans/{}", plan["plan_id"].as_str().unwrap());
    ok(app.step(&format!("{plan}/freeze")).await, 200).await;
    let pool = app.get(&format!("{plan}/pool")).await.text().await.unwrap();
    let ids: Vec<&str> = pool
        .lines()
        .map(|line| line.split('\t').next().unwrap())
        .collect();
    assert_eq!(ids, ["91990000MA00000017", "E2"]);
}
