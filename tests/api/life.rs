//! The life of records and ids: ended, corrected, objected to, merged.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::helpers::{TODAY, TestApp, header, ok, pointers, problem};

fn listing(enterprise: &str, id: &str) -> Value {
    json!({
        "source": "listings", "record_id": id, "enterprise_id": enterprise, "kind": "serious_violation_listing",
        "occurred_on": "2026-10-05"
    })
}

fn person(by: &str) -> Value {
    json!({"by": by, "reason": "because"})
}

async fn delete(app: &TestApp, path: &str, body: &Value) -> Response {
    app.request(Method::DELETE, path)
        .json(body)
        .send()
        .await
        .unwrap()
}

async fn tier(app: &TestApp, id: &str) -> Value {
    app.json(&format!("/v1/enterprises/{id}/tier")).await
}

/// A register of E1 to E4, of which E1 is listed as L1.
async fn listed() -> TestApp {
    let app = TestApp::start().await;
    for id in ["E1", "E2", "E3", "E4"] {
        app.enterprise(id).await;
    }
    let mut known = listing("E1", "L1");
    known["known_on"] = json!("2026-10-05");
    let body = json!({"records": [known]});
    ok(app.post("/v1/records", &body).await, 200).await;
    app
}

#[tokio::test]
async fn an_ended_listing_is_not_in_force_from_its_day() {
    let app = listed().await;
    assert_eq!(tier(&app, "E1").await["tier"], "D");
    let end = "/v1/records/listings/L1/end";
    let body = json!({"on": TODAY, "by": "officer-1", "reason": "removed from the list"});
    assert_eq!(app.post(end, &body).await.status(), 204);
    assert_ne!(tier(&app, "E1").await["tier"], "D");
    let yesterday = app.json("/v1/enterprises/E1/tier?as_of=2026-11-21").await;
    assert_eq!(yesterday["tier"], "D");

    let acts = app.json("/v1/enterprises/E1/acts").await;
    let act = &acts["items"][0];
    assert_eq!(act["what"], "record_ended");
    assert_eq!(act["subject"], "listings/L1");
    assert_eq!(
        (&act["by"], &act["on"]),
        (&json!("officer-1"), &json!(TODAY))
    );
    // Saying it again is nothing new.
    assert_eq!(app.post(end, &body).await.status(), 204);
    let again = app.json("/v1/enterprises/E1/acts").await;
    assert_eq!(again["items"].as_array().unwrap().len(), 1);

    let early = app.post(end, &json!({"on": "2026-10-04"})).await;
    let early = problem(early, 422, "invalid-body").await;
    assert_eq!(pointers(&early), ["/on"]);
    let blank = app.post(end, &json!({"reason": " "})).await;
    assert_eq!(
        pointers(&problem(blank, 422, "invalid-body").await),
        ["/reason"]
    );
    problem(
        app.step("/v1/records/listings/L9/end").await,
        404,
        "unknown-record",
    )
    .await;
}

#[tokio::test]
async fn a_correction_is_known_from_the_present_day() {
    let app = listed().await;
    let path = "/v1/records/listings/L1";
    let mut record = listing("E1", "L1");
    record["kind"] = json!("commendation");
    let body =
        json!({"record": record, "by": "officer-1", "reason": "entered under the wrong heading"});

    let corrected = ok(app.put(path, &body).await, 200).await;

    assert_eq!(
        (&corrected["kind"], &corrected["known_on"]),
        (&json!("commendation"), &json!(TODAY))
    );
    assert_ne!(tier(&app, "E1").await["tier"], "D");
    let revision = tier(&app, "E1").await["revision"].clone();
    ok(app.put(path, &body).await, 200).await;
    assert_eq!(tier(&app, "E1").await["revision"], revision);

    let with = |name: &str, value: Value| {
        let mut body = body.clone();
        body["record"][name] = value;
        body
    };
    for (name, value) in [
        ("source", json!("others")),
        ("record_id", json!("L2")),
        ("known_on", json!("2026-10-05")),
        ("kind", json!("gossip")),
    ] {
        let refused = app.put(path, &with(name, value)).await;
        let refused = problem(refused, 422, "invalid-body").await;
        assert_eq!(pointers(&refused), [format!("/record/{name}")]);
    }
    let moved = app.put(path, &with("enterprise_id", json!("E2"))).await;
    problem(moved, 422, "invalid-body").await;
    let mut unknown = with("record_id", json!("L9"));
    unknown["record"]["source"] = json!("listings");
    let unknown = app.put("/v1/records/listings/L9", &unknown).await;
    problem(unknown, 404, "unknown-record").await;
}

#[tokio::test]
async fn an_objection_freezes_the_tier_until_it_is_decided() {
    let app = listed().await;
    ok(
        app.post("/v1/records", &json!({"records": [listing("E2", "L2")]}))
            .await,
        200,
    )
    .await;
    let filed = app
        .post("/v1/records/listings/L1/objections", &person("firm"))
        .await;
    let location = header(&filed, "location").to_owned();
    let filed = ok(filed, 201).await;
    // 2026-11-22 is a Sunday: the fifth working day after it is the Friday.
    assert_eq!(
        (&filed["state"], &filed["accept_by"]),
        (&json!("filed"), &json!("2026-11-27"))
    );
    assert_eq!(app.json(&location).await, filed);

    let examined = ok(
        app.post(&format!("{location}/examine"), &person("officer-1"))
            .await,
        200,
    )
    .await;
    assert_eq!(examined["frozen_tier"], "D");
    assert_eq!(examined["decide_by"], "2026-12-18");
    // Whatever arrives, the tier stays.
    let repaired = app.step("/v1/records/listings/L1/repair").await;
    assert_eq!(repaired.status(), 204);
    let frozen = tier(&app, "E1").await;
    assert_eq!(
        (&frozen["tier"], &frozen["next_change_on"]),
        (&json!("D"), &json!("2026-12-19"))
    );
    let why = app.json("/v1/enterprises/E1/tier/explanation").await;
    let last = why["reasons"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&last["step"], &last["tier"]),
        (&json!("freeze"), &json!("D"))
    );
    assert_eq!(why["objections"][0], examined);

    let decide = format!("{location}/decide");
    let mut ruling = person("officer-2");
    ruling["outcome"] = json!("rejected");
    let decided = ok(app.post(&decide, &ruling).await, 200).await;
    assert_eq!(
        (&decided["state"], &decided["remedy"]),
        (&json!("rejected"), &json!("none"))
    );
    assert_ne!(tier(&app, "E1").await["tier"], "D");
    let why = app.json("/v1/enterprises/E1/tier/explanation").await;
    assert!(why.get("objections").is_none());
    problem(app.post(&decide, &ruling).await, 409, "conflict").await;
    let examine = format!("{location}/examine");
    problem(app.post(&examine, &person("o")).await, 409, "conflict").await;
    let whats: Vec<Value> = app.json("/v1/enterprises/E1/acts").await["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|act| act["what"].clone())
        .collect();
    assert_eq!(
        whats,
        [
            "objection_rejected",
            "record_repaired",
            "objection_examined",
            "objection_filed"
        ]
    );
}

#[tokio::test]
async fn an_upheld_objection_withdraws_or_corrects_its_record() {
    let app = listed().await;
    let file = async || {
        let filed = app
            .post("/v1/records/listings/L1/objections", &person("firm"))
            .await;
        let filed = ok(filed, 201).await;
        format!("/v1/objections/{}", filed["objection_id"].as_str().unwrap())
    };
    let mut uphold = person("officer-2");
    uphold["outcome"] = json!("upheld");
    let objection = file().await;
    let decide = format!("{objection}/decide");
    problem(app.post(&decide, &uphold).await, 409, "conflict").await;
    ok(
        app.post(&format!("{objection}/examine"), &person("officer-1"))
            .await,
        200,
    )
    .await;
    let mut wrong = uphold.clone();
    wrong["correction"] = listing("E1", "L1");
    wrong["correction"]["occurred_on"] = json!("2026-02-30");
    let refused = problem(app.post(&decide, &wrong).await, 422, "invalid-body").await;
    assert_eq!(pointers(&refused), ["/correction/occurred_on"]);
    wrong["correction"] = listing("E1", "L1");
    problem(app.post(&decide, &wrong).await, 422, "invalid-body").await;
    let mut correction = uphold.clone();
    correction["correction"] = listing("E1", "L1");
    correction["correction"]["ended_on"] = json!("2026-11-01");
    let decided = ok(app.post(&decide, &correction).await, 200).await;
    assert_eq!(decided["remedy"], "corrected");
    assert_ne!(tier(&app, "E1").await["tier"], "D");

    let objection = file().await;
    ok(
        app.post(&format!("{objection}/examine"), &person("officer-1"))
            .await,
        200,
    )
    .await;
    let mut mixed = correction.clone();
    mixed["outcome"] = json!("rejected");
    let decide = format!("{objection}/decide");
    problem(app.post(&decide, &mixed).await, 422, "invalid-body").await;
    let decided = ok(app.post(&decide, &uphold).await, 200).await;
    assert_eq!(decided["remedy"], "withdrawn");
    let versions = app.json("/v1/enterprises/E1/records").await;
    let last = versions["items"].as_array().unwrap().last().unwrap();
    assert_eq!(last["withdrawn_on"], TODAY);
    // Nothing is left to object to.
    let again = app
        .post("/v1/records/listings/L1/objections", &person("firm"))
        .await;
    problem(again, 409, "conflict").await;
}

#[tokio::test]
async fn an_objection_that_cannot_be_is_refused() {
    let app = listed().await;
    let path = "/v1/records/listings/L1/objections";
    let with = |on: &str| json!({"by": "firm", "reason": "because", "on": on});
    for (body, pointer) in [
        (with("2026-11-23"), "/on"),
        (with("2026-10-04"), "/on"),
        (with("2026-02-30"), "/on"),
        (json!({"by": "firm", "reason": "  "}), "/reason"),
        (json!({"by": " ", "reason": "because"}), "/by"),
    ] {
        let refused = problem(app.post(path, &body).await, 422, "invalid-body").await;
        assert_eq!(pointers(&refused), [pointer], "{body}");
    }
    let unknown = app
        .post("/v1/records/listings/L9/objections", &person("firm"))
        .await;
    problem(unknown, 404, "unknown-record").await;
    for path in ["", "/examine", "/decide"] {
        let path = format!("/v1/objections/none{path}");
        let mut body = person("o");
        if path.ends_with("decide") {
            body["outcome"] = json!("rejected");
        }
        let answer = if path.ends_with("none") {
            app.get(&path).await
        } else {
            app.post(&path, &body).await
        };
        problem(answer, 404, "unknown-objection").await;
    }
    let filed = ok(app.post(path, &with("2026-10-05")).await, 201).await;
    problem(app.post(path, &person("other")).await, 409, "conflict").await;
    // The firm neither examines nor decides its own objection, however it writes its name.
    let objection = format!("/v1/objections/{}", filed["objection_id"].as_str().unwrap());
    let own = app
        .post(&format!("{objection}/examine"), &person("FIRM"))
        .await;
    problem(own, 422, "rule-violated").await;
    let mut ruling = person("Firm");
    ruling["outcome"] = json!("rejected");
    let own = app.post(&format!("{objection}/decide"), &ruling).await;
    problem(own, 422, "rule-violated").await;

    let list =
        async |query: &str| app.json(&format!("/v1/objections{query}")).await["items"].clone();
    assert_eq!(list("").await, json!([filed]));
    assert_eq!(list("?state=filed&overdue=true").await, json!([filed]));
    assert_eq!(filed["overdue"], true);
    assert_eq!(list("?state=filed&overdue=false").await, json!([]));
    assert_eq!(list("?state=examined").await, json!([]));
    let bad = app.get("/v1/objections?state=lost").await;
    problem(bad, 400, "invalid-query").await;
}

#[tokio::test]
async fn a_merged_id_answers_with_its_successor_and_says_so() {
    let app = listed().await;
    let before = tier(&app, "E2").await;
    assert_ne!(before["tier"], "D");
    let merge = json!({"into_id": "E2", "by": "officer-1", "reason": "the code changed"});

    let merged = app.post("/v1/enterprises/E1/merge", &merge).await;
    assert_eq!(header(&merged, "location"), "/v1/enterprises/E1/merges");
    let merged = ok(merged, 201).await;

    assert_eq!(
        (&merged["into_id"], &merged["from_on"]),
        (&json!("E2"), &json!(TODAY))
    );
    let (old, new) = (tier(&app, "E1").await, tier(&app, "E2").await);
    assert_eq!(
        (&old["tier"], &old["merged_into"], &old["enterprise_id"]),
        (&json!("D"), &json!("E2"), &json!("E1"))
    );
    assert_eq!((&new["tier"], new.get("merged_into")), (&json!("D"), None));
    assert_eq!(old["revision"], new["revision"]);
    let ids = json!({"enterprise_ids": ["E1", "E2", "E3"]});
    let found = ok(app.post("/v1/tiers/lookup", &ids).await, 200).await;
    assert_eq!(found["items"][0]["merged_into"], "E2");
    let why = app.json("/v1/enterprises/E1/tier/explanation").await;
    assert_eq!(why["merged_into"], "E2");
    assert_eq!(
        why["merged_ids"],
        json!([{"enterprise_id": "E1", "from_on": TODAY}])
    );
    let behind = why["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .find(|reason| reason["step"] == "direct_rule");
    assert_eq!(
        behind.unwrap()["records"],
        json!([{"source": "listings", "record_id": "L1", "came_under": "E1"}])
    );
    // The day before, both stood for themselves.
    let day = "as_of=2026-11-21";
    let old = app.json(&format!("/v1/enterprises/E1/tier?{day}")).await;
    let new = app.json(&format!("/v1/enterprises/E2/tier?{day}")).await;
    assert_eq!((&old["tier"], old.get("merged_into")), (&json!("D"), None));
    assert_eq!(new["tier"], before["tier"]);
    // A record that comes under the old id counts for the successor at once, also where its tier is cached.
    let repaired = app.step("/v1/records/listings/L1/repair").await;
    assert_eq!(repaired.status(), 204);
    assert_ne!(tier(&app, "E2").await["tier"], "D");
    let body = json!({"records": [listing("E1", "L3")]});
    ok(app.post("/v1/records", &body).await, 200).await;
    assert_eq!(tier(&app, "E2").await["tier"], "D");
    // Frames hold only the successor.
    let frame = ok(app.step("/v1/frames").await, 201).await;
    assert_eq!(frame["object_count"], 3);
    assert_eq!(frame["tiers"]["D"], 1);

    let undone = delete(&app, "/v1/enterprises/E1/merge", &person("officer-2")).await;
    assert_eq!(ok(undone, 200).await["undone_on"], TODAY);
    assert_ne!(tier(&app, "E2").await["tier"], "D");
    let old = tier(&app, "E1").await;
    assert_eq!((&old["tier"], old.get("merged_into")), (&json!("D"), None));
    let frame = ok(app.step("/v1/frames").await, 201).await;
    assert_eq!(frame["object_count"], 4);
    let again = delete(&app, "/v1/enterprises/E1/merge", &person("officer-2")).await;
    problem(again, 404, "unknown-merge").await;
    let merges = app.json("/v1/enterprises/E1/merges").await;
    assert_eq!(merges["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_merge_that_cannot_be_is_refused() {
    let app = listed().await;
    let merge = async |old: &str, into: &str| {
        let body = json!({"into_id": into, "by": "officer-1", "reason": "because"});
        app.post(&format!("/v1/enterprises/{old}/merge"), &body)
            .await
    };
    problem(merge("E9", "E1").await, 404, "unknown-enterprise").await;
    problem(merge("E1", "E9").await, 404, "unknown-enterprise").await;
    let own = problem(merge("E1", "E1").await, 422, "invalid-body").await;
    assert_eq!(pointers(&own), ["/into_id"]);
    let past = json!({"into_id": "E2", "by": "o", "reason": "r", "on": "2026-11-21"});
    let past = app.post("/v1/enterprises/E1/merge", &past).await;
    assert_eq!(pointers(&problem(past, 422, "invalid-body").await), ["/on"]);
    ok(merge("E1", "E2").await, 201).await;
    let twice = problem(merge("E1", "E3").await, 409, "conflict").await;
    assert_eq!(twice["merged_into"], "E2");
    ok(merge("E2", "E3").await, 201).await;
    problem(merge("E3", "E1").await, 409, "conflict").await;
    problem(merge("E3", "E2").await, 409, "conflict").await;
    // A chain leads to its end.
    assert_eq!(tier(&app, "E1").await["merged_into"], "E3");
    assert_eq!(tier(&app, "E1").await["tier"], "D");
    let on_old = json!({"tier": "A", "expires_on": "2026-12-01", "by": "o", "reason": "r"});
    let on_old = app.post("/v1/enterprises/E1/tier/override", &on_old).await;
    problem(on_old, 409, "conflict").await;
    // An id about which persons are deciding is not merged.
    let body = json!({"records": [listing("E4", "L4")]});
    ok(app.post("/v1/records", &body).await, 200).await;
    let objection = app
        .post("/v1/records/listings/L4/objections", &person("firm"))
        .await;
    ok(objection, 201).await;
    problem(merge("E4", "E3").await, 409, "conflict").await;
}

#[tokio::test]
async fn a_move_and_a_cancellation_change_tier_and_frame_at_once() {
    let app = listed().await;
    let put = async |body: Value| {
        ok(app.put("/v1/enterprises/E2", &body).await, 200).await;
    };
    let before = tier(&app, "E2").await;
    put(json!({"name": "Enterprise E2", "division": "990201", "status": "cancelled"})).await;
    let after = tier(&app, "E2").await;
    assert!(after["revision"].as_u64() > before["revision"].as_u64());
    let frame = ok(app.step("/v1/frames").await, 201).await;
    let path = format!("/v1/frames/{}/file", frame["frame_id"].as_str().unwrap());
    let file = app.get(&path).await.text().await.unwrap();
    let row = file.lines().find(|line| line.starts_with("E2,")).unwrap();
    assert!(row.contains("990201") && row.contains("cancelled"), "{row}");
}
