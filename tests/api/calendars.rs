//! Calendars over HTTP: made from a drawn order, listed in four forms, noted, planned anew.

use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, header, ok, pointers, problem};

/// A register of 60, a drawn order of it, and the body of a calendar.
async fn ordered() -> (TestApp, String, Value) {
    let app = TestApp::start().await;
    let frame = app.frame(60).await;
    let order = json!({
        "frame_id": frame, "title": "food", "item_class": "key", "method": "order",
        "period": {"from": "2027-01-01", "to": "2027-12-31"}, "items": ["lift-safety"], "draw": "now"
    });
    let plan = ok(app.post("/v1/plans", &order).await, 201).await;
    let input = json!({
        "plan_id": plan["plan_id"], "title": "Food producers", "frequency": "food_production",
        "from": "2026-01-01"
    });
    (app, frame, input)
}

#[tokio::test]
async fn a_calendar_is_made_listed_noted_and_planned_anew() {
    let (app, frame, input) = ordered().await;

    let response = app.post("/v1/calendars", &input).await;
    let path = header(&response, "location").to_owned();
    let made = ok(response, 201).await;

    assert_eq!(app.json(&path).await, made);
    assert_eq!(app.json("/v1/calendars").await["items"], json!([made]));
    assert_eq!(made["batches"], "quarter");
    assert_eq!(made["items"], json!(["lift-safety"]));
    assert_eq!(made["insecure"], true);
    let edition = &made["editions"][0];
    assert_eq!(
        edition["frequencies"],
        json!({"A": "1", "B": "2", "C": "3", "D": "4"})
    );
    assert_eq!(edition["object_count"], 60);
    let batches = edition["batches"].as_array().unwrap();
    assert_eq!(batches.len(), 4);
    let planned: u64 = batches
        .iter()
        .map(|batch| batch["visit_count"].as_u64().unwrap())
        .sum();
    assert_eq!(edition["planned_count"], planned);

    // The same visits as pages, CSV, NDJSON and Parquet.
    let mut items = Vec::new();
    let mut next = format!("{path}/visits?limit=25");
    loop {
        let page = app.json(&next).await;
        items.extend(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(cursor) => next = format!("{path}/visits?limit=25&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(items.len() as u64, planned);
    let csv = app.get(&format!("{path}/visits?format=csv")).await;
    assert_eq!(header(&csv, "content-type"), "text/csv; charset=utf-8");
    let csv = csv.text().await.unwrap();
    assert_eq!(csv.lines().count() as u64, planned + 1);
    assert!(csv.starts_with("enterprise_id,division,visit,batch,from,to,due,state,done_on\n"));
    let ndjson = app
        .get(&format!("{path}/visits?format=ndjson&batch=2026-Q4"))
        .await;
    let lines = ndjson.text().await.unwrap();
    assert_eq!(
        lines.lines().count() as u64,
        batches[3]["visit_count"].as_u64().unwrap()
    );
    let parquet = app.get(&format!("{path}/visits?format=parquet")).await;
    assert_eq!(&parquet.bytes().await.unwrap()[..4], b"PAR1");
    let file = app.get(&format!("{path}/file")).await.text().await.unwrap();
    assert!(file.starts_with("risktier-calendar/1\t{"));
    assert_eq!(file.lines().count(), 61);

    // Visits of the first quarters are overdue on the day of the test.
    let overdue = app.json(&format!("{path}/visits?state=overdue")).await;
    let late = &overdue["items"][0];
    let note = json!({"visits": [{
        "enterprise_id": late["enterprise_id"], "visit": late["visit"], "done_on": "2026-11-20"}]});
    let close = format!("{path}/visits/close");
    let noted = ok(app.post(&close, &note).await, 200).await;
    let again = ok(app.post(&close, &note).await, 200).await;
    assert_eq!(noted, json!({"noted_count": 1, "unchanged_count": 0}));
    assert_eq!(again, json!({"noted_count": 0, "unchanged_count": 1}));
    let id = late["enterprise_id"].as_str().unwrap();
    let object = app.json(&format!("{path}/objects/{id}")).await;
    assert_eq!(object["visits"][0]["done_on"], "2026-11-20");
    assert_eq!(object["phase_ppb"], object["ticket_phase_ppb"]);

    let rest = json!({"frame_id": frame, "from": "2026-10-01"});
    let second = ok(app.post(&format!("{path}/editions"), &rest).await, 201).await;
    assert_eq!(
        (&second["edition"], &second["cause"]),
        (&json!(2), &json!("rest"))
    );
    assert_eq!(second["done_count"], 1);
    let year = json!({"frame_id": frame, "from": "2027-01-01", "frequencies": {"A": "1/3", "B": "1", "C": "2", "D": "4"}});
    let third = ok(app.post(&format!("{path}/editions"), &year).await, 201).await;
    assert_eq!(
        (&third["year"], &third["cause"]),
        (&json!(2027), &json!("year"))
    );
    assert_eq!(third["frequencies"]["A"], "1/3");
    let old = app
        .json(&format!("{path}/visits?edition=1&limit=1000"))
        .await;
    assert_eq!(old["items"].as_array().unwrap().len() as u64, planned);
    assert_eq!(
        app.json(&path).await["editions"].as_array().unwrap().len(),
        3
    );
}

#[tokio::test]
async fn what_cannot_be_a_calendar_is_refused_by_field() {
    let (app, frame, input) = ordered().await;
    let with = |changes: Value| {
        let mut changed = input.clone();
        for (member, value) in changes.as_object().unwrap() {
            changed[member] = value.clone();
        }
        changed
    };
    for (changes, pointer) in [
        (json!({"frequency": "hotels"}), "/frequency"),
        (json!({"from": "2026-02-30"}), "/from"),
        (json!({"from": "1899-01-01"}), "/from"),
        (json!({"title": ""}), "/title"),
        (
            json!({"frequencies": {"A": "1", "B": "1", "C": "1", "D": "1"}}),
            "/frequency",
        ),
    ] {
        let problem = problem(
            app.post("/v1/calendars", &with(changes)).await,
            422,
            "invalid-body",
        )
        .await;
        assert_eq!(pointers(&problem), [pointer]);
    }
    let mut given = input.clone();
    given.as_object_mut().unwrap().remove("frequency");
    for (frequencies, pointer) in [
        (
            json!({"A": "1", "B": "0", "C": "2", "D": "4"}),
            "/frequencies/B",
        ),
        (
            json!({"A": "1", "B": "2", "C": "1", "D": "4"}),
            "/frequencies",
        ),
        (
            json!({"A": "53", "B": "53", "C": "53", "D": "53"}),
            "/frequencies/A",
        ),
    ] {
        given["frequencies"] = frequencies;
        let problem = problem(app.post("/v1/calendars", &given).await, 422, "invalid-body").await;
        assert_eq!(pointers(&problem), [pointer]);
    }
    let plan = json!({"plan_id": "rtp1-00000000000000000000000000000000"});
    problem(
        app.post("/v1/calendars", &with(plan)).await,
        404,
        "unknown-plan",
    )
    .await;

    let made = ok(app.post("/v1/calendars", &input).await, 201).await;
    let path = format!("/v1/calendars/{}", made["calendar_id"].as_str().unwrap());
    for from in ["2029-01-01", "2025-06-01"] {
        let body = json!({"frame_id": frame, "from": from});
        let problem = problem(
            app.post(&format!("{path}/editions"), &body).await,
            422,
            "invalid-body",
        )
        .await;
        assert_eq!(pointers(&problem), ["/from"]);
    }
    let body = json!({"frame_id": "none", "from": "2026-07-01"});
    problem(
        app.post(&format!("{path}/editions"), &body).await,
        404,
        "unknown-frame",
    )
    .await;
    for (place, status, slug) in [
        ("/v1/calendars/none".to_owned(), 404, "unknown-calendar"),
        (
            "/v1/calendars/none/visits?format=csv".to_owned(),
            404,
            "unknown-calendar",
        ),
        (format!("{path}/objects/none"), 404, "unknown-calendar"),
        (format!("{path}/visits?limit=0"), 400, "invalid-query"),
        (
            format!("{path}/visits?format=csv&limit=3"),
            400,
            "invalid-query",
        ),
        (format!("{path}/visits?cursor=00"), 400, "invalid-cursor"),
        (format!("{path}/visits?format=xml"), 400, "invalid-query"),
    ] {
        problem(app.get(&place).await, status, slug).await;
    }
    let none = json!({"visits": []});
    problem(
        app.post(&format!("{path}/visits/close"), &none).await,
        422,
        "invalid-body",
    )
    .await;
    let gone = app.request(Method::DELETE, &path).send().await.unwrap();
    problem(gone, 405, "method-not-allowed").await;
}
