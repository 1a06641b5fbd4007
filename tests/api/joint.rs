//! Joint plans over HTTP: rows on shared tickets, one list of visits, and what that saves.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::helpers::{TestApp, ok, pointers, problem};

fn rows() -> Value {
    json!([
        {"title": "food", "items": ["food-hygiene"], "visits": 12},
        {"title": "fire", "items": ["fire-exits"], "visits": 10},
        {"title": "annual reports", "items": ["annual-report"], "visits": 6, "filter": {"division": "990102"}}
    ])
}

fn input(frame: &str) -> Value {
    json!({
        "group_id": "2027-q1", "title": "Joint checks", "frame_id": frame,
        "period": {"from": "2027-01-01", "to": "2027-03-31"}, "rows": rows()
    })
}

#[tokio::test]
async fn rows_on_shared_tickets_become_one_list_of_visits() {
    let app = TestApp::start().await;
    let frame = app.frame(60).await;
    let preview = ok(
        app.post("/v1/joint-plans/preview", &input(&frame)).await,
        200,
    )
    .await;
    assert_eq!(preview["rows"].as_array().unwrap().len(), 3);
    assert_eq!(preview["outlook"]["objects"], 60);
    let separate = preview["outlook"]["separate_visits"].as_f64().unwrap();
    assert!((separate - 28.0).abs() < 1e-6, "{separate}");
    let least = preview["outlook"]["least_visits"].as_f64().unwrap();
    assert!((12.0 - 1e-6..14.0).contains(&least), "{least}");
    assert_eq!(app.json("/v1/plan-groups").await, json!({"items": []}));

    let mut asked = input(&frame);
    asked["draw"] = "now".into();
    let response = app.post("/v1/joint-plans", &asked).await;
    let location = crate::helpers::header(&response, "location").to_owned();
    let plan = ok(response, 201).await;

    assert_eq!(location, "/v1/joint-plans/2027-q1");
    assert_eq!(app.json(&location).await, plan);
    assert_eq!(plan["group"]["state"], "opened");
    let told = plan["outlook"]["least_visits"].as_f64().unwrap();
    assert!((told - least).abs() < 1e-6);
    // The visits are the union of the samples, each with the rows that selected it.
    let mut expected: BTreeMap<String, (BTreeSet<String>, Vec<String>)> = BTreeMap::new();
    let mut checks = 0;
    for row in plan["rows"].as_array().unwrap() {
        assert_eq!(row["state"], "closed");
        let id = row["plan_id"].as_str().unwrap();
        let sample = app.json(&format!("/v1/plans/{id}/sample")).await;
        for object in sample["items"].as_array().unwrap() {
            checks += 1;
            let visit = expected
                .entry(object["enterprise_id"].as_str().unwrap().to_owned())
                .or_default();
            visit.0.insert(row["items"][0].as_str().unwrap().to_owned());
            visit.1.push(id.to_owned());
        }
        let verified = ok(app.step(&format!("/v1/plans/{id}/verify")).await, 200).await;
        assert_eq!(verified["same"], true);
    }
    let visits = app.json(&format!("{location}/visits")).await;
    let expected: Vec<Value> = expected
        .into_iter()
        .map(|(id, (items, plan_ids))| json!({"enterprise_id": id, "items": items, "plan_ids": plan_ids}))
        .collect();
    assert_eq!(visits["items"], json!(expected));
    let saving = &plan["saving"];
    assert_eq!(saving["separate_visits"], checks);
    assert_eq!(saving["joint_visits"], expected.len());
    // Food and fire have the same pool and strata: whoever the smaller one selects, the larger one selects too, but for
    // the rounding of each stratum.
    assert!(saving["saved"].as_f64().unwrap() > 0.25, "{saving}");
    for (format, start) in [
        ("csv", "enterprise_id,row_count,items,plan_ids,done_on\n"),
        ("ndjson", "{"),
        ("parquet", "PAR1"),
    ] {
        let body = app.get(&format!("{location}/visits?format={format}")).await;
        assert!(
            body.bytes().await.unwrap().starts_with(start.as_bytes()),
            "{format}"
        );
    }

    // A joint visit that took place is done for all of its rows, here and in the ledger.
    let visit = expected
        .iter()
        .find(|visit| visit["plan_ids"].as_array().unwrap().len() > 1)
        .unwrap();
    let id = visit["enterprise_id"].as_str().unwrap();
    let close = format!("{location}/visits/close");
    let note = json!({"visits": [{"enterprise_id": id, "done_on": "2026-11-20"}]});
    let noted = ok(app.post(&close, &note).await, 200).await;
    let again = ok(app.post(&close, &note).await, 200).await;
    assert_eq!(noted, json!({"noted_count": 1, "unchanged_count": 0}));
    assert_eq!(again, json!({"noted_count": 0, "unchanged_count": 1}));
    let visits = app.json(&format!("{location}/visits")).await;
    let done: Vec<&Value> = visits["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|visit| visit.get("done_on").is_some())
        .collect();
    assert_eq!((done.len(), &done[0]["enterprise_id"]), (1, &json!(id)));
    let ledger = app.json(&format!("/v1/ledger/{id}")).await;
    assert!(
        ledger["visits"]
            .as_array()
            .unwrap()
            .iter()
            .all(|visit| visit["state"] == "done" && visit["visited_on"] == "2026-11-20")
    );
    let mut bad = note.clone();
    bad["visits"][0]["done_on"] = "2026-11-19".into();
    problem(app.post(&close, &bad).await, 409, "conflict").await;
    for (member, value) in [
        ("enterprise_id", json!("NOBODY")),
        ("done_on", json!("2099-01-01")),
        ("visit", json!(1)),
    ] {
        let mut bad = note.clone();
        bad["visits"][0][member] = value;
        let refused = problem(app.post(&close, &bad).await, 422, "invalid-body").await;
        assert_eq!(
            pointers(&refused),
            [format!("/visits/0/{member}")],
            "{refused}"
        );
    }
    // Several at once are noted together or not at all.
    let open: Vec<&str> = expected
        .iter()
        .map(|visit| visit["enterprise_id"].as_str().unwrap())
        .filter(|other| *other != id)
        .take(3)
        .collect();
    let several = |last: &str| {
        let notes = open
            .iter()
            .map(|id| json!({"enterprise_id": id, "done_on": "2026-11-20"}));
        let last = json!({"enterprise_id": last, "done_on": "2026-11-20"});
        json!({"visits": notes.chain([last]).collect::<Vec<_>>()})
    };
    problem(
        app.post(&close, &several("NOBODY")).await,
        422,
        "invalid-body",
    )
    .await;
    let noted = ok(app.post(&close, &several(id)).await, 200).await;
    assert_eq!(noted, json!({"noted_count": 3, "unchanged_count": 1}));
    let none = app.post("/v1/joint-plans/none/visits/close", &note).await;
    problem(none, 404, "unknown-group").await;
}

#[tokio::test]
async fn a_sealed_joint_plan_waits_for_its_contributions() {
    let app = TestApp::start().await;
    let frame = app.frame(60).await;
    let mut asked = input(&frame);
    asked["public"] = json!([{"name": "lottery", "rule": "numbers of 2026-12-01, rising"}]);

    let plan = ok(app.post("/v1/joint-plans", &asked).await, 201).await;

    assert_eq!(plan["group"]["state"], "sealed");
    assert!(plan["saving"].is_null() && plan["outlook"].is_object());
    problem(
        app.get("/v1/joint-plans/2027-q1/visits").await,
        409,
        "plan-state",
    )
    .await;
    let opened = json!({"contributions": [{"name": "lottery", "value": "3,8,15,21,30,33"}]});
    ok(app.post("/v1/plan-groups/2027-q1/open", &opened).await, 200).await;
    for row in plan["rows"].as_array().unwrap() {
        let path = format!("/v1/plans/{}/draw", row["plan_id"].as_str().unwrap());
        ok(app.step(&path).await, 200).await;
    }
    let drawn = app.json("/v1/joint-plans/2027-q1").await;
    let visits = app.json("/v1/joint-plans/2027-q1/visits").await;
    assert_eq!(
        drawn["saving"]["joint_visits"],
        visits["items"].as_array().unwrap().len()
    );
    asked["draw"] = "now".into();
    let refused = problem(
        app.post("/v1/joint-plans", &asked).await,
        422,
        "invalid-body",
    )
    .await;
    assert_eq!(pointers(&refused), ["/draw"]);
}

#[tokio::test]
async fn a_wrong_row_is_named_and_nothing_is_kept() {
    let app = TestApp::start().await;
    let frame = app.frame(60).await;
    for (place, row, pointer) in [
        (1, json!({"title": "food"}), "/rows/1/title"),
        (
            1,
            json!({"title": "x", "items": ["a", "a"]}),
            "/rows/1/items/1",
        ),
        (
            2,
            json!({"title": "x", "reserve_share": 2.0}),
            "/rows/2/reserve_share",
        ),
    ] {
        let mut asked = input(&frame);
        asked["rows"][place] = row;
        let problem = problem(
            app.post("/v1/joint-plans", &asked).await,
            422,
            "invalid-body",
        )
        .await;
        assert_eq!(pointers(&problem), [pointer]);
    }
    let mut asked = input(&frame);
    asked["rows"] = json!([]);
    let none = problem(
        app.post("/v1/joint-plans", &asked).await,
        422,
        "invalid-body",
    )
    .await;
    assert_eq!(pointers(&none), ["/rows"]);
    assert_eq!(app.json("/v1/plans").await, json!({"items": []}));
    assert_eq!(app.json("/v1/plan-groups").await, json!({"items": []}));
    problem(app.get("/v1/joint-plans/none").await, 404, "unknown-group").await;
}
