//! Plans: preview, draft, steps, and each of their refusals.

use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, header, ok, pointers, problem};

pub fn input(frame_id: &str) -> Value {
    json!({
        "frame_id": frame_id, "title": "First quarter", "visits": 12,
        "period": {"from": "2027-01-01", "to": "2027-03-31"}
    })
}

/// A register of 60 and a plan over it that is not drawn yet.
pub async fn drafted(input_of: impl Fn(&str) -> Value) -> (TestApp, String) {
    let app = TestApp::start().await;
    let frame = app.frame(60).await;
    let response = app.post("/v1/plans", &input_of(&frame)).await;
    let location = header(&response, "location").to_owned();
    let plan = ok(response, 201).await;
    assert_eq!(
        location,
        format!("/v1/plans/{}", plan["plan_id"].as_str().unwrap())
    );
    (app, location)
}

#[tokio::test]
async fn a_preview_shows_all_and_keeps_nothing() {
    let app = TestApp::start().await;
    let frame = app.frame(60).await;
    let preview = ok(app.post("/v1/plans/preview", &input(&frame)).await, 200).await;
    assert_eq!(preview["outlook"]["pool_size"], 60);
    let expected = preview["outlook"]["expected_visits"].as_f64().unwrap();
    assert!((expected - 12.0).abs() < 1e-6, "{expected}");
    let strata = preview["strata"].as_array().unwrap();
    assert_eq!(strata[0]["key"], "S001");
    let objects: u64 = strata
        .iter()
        .map(|stratum| stratum["objects"].as_u64().unwrap())
        .sum();
    assert_eq!(objects, 60);
    assert_eq!(app.json("/v1/plans").await, json!({"items": []}));

    let plan = ok(app.post("/v1/plans", &input(&frame)).await, 201).await;
    let path = format!("/v1/plans/{}/strata", plan["plan_id"].as_str().unwrap());
    assert_eq!(app.json(&path).await["items"], preview["strata"]);
    assert_eq!(plan["outlook"], preview["outlook"]);
    let defaults = &plan["request"];
    for (member, value) in [
        ("item_class", json!("general")),
        ("method", json!("equal")),
        ("rounding", json!("systematic")),
        ("hash", json!("sha256")),
        ("exploration_share", json!(0.05)),
        ("reserve_share", json!(0.2)),
        ("public_seed", json!(false)),
    ] {
        assert_eq!(defaults[member], value, "{member}");
    }
}

#[tokio::test]
async fn what_a_plan_asks_wrongly_is_named() {
    let app = TestApp::start().await;
    let frame = app.frame(20).await;
    for (member, value, pointer) in [
        ("colour", json!(1), "/colour"),
        ("title", json!(""), "/title"),
        ("visits", json!("many"), "/visits"),
        ("visits", json!(-1), "/visits"),
        ("visits", Value::Null, "/visits"),
        (
            "period",
            json!({"from": "2027-02-30", "to": "2027-03-31"}),
            "/period/from",
        ),
        (
            "period",
            json!({"from": "2027-04-01", "to": "2027-03-31"}),
            "/period/to",
        ),
        ("period", json!({"from": "2027-04-01"}), "/period"),
        (
            "filter",
            json!({"enterprise_id": "E1"}),
            "/filter/enterprise_id",
        ),
        ("filter", json!({"tiers": ["A", "E"]}), "/filter/tiers/1"),
        ("filter", json!({"division": ""}), "/filter/division"),
        ("method", json!("pareto"), "/rounding"),
        ("method", json!("lottery"), "/method"),
        ("size_measure", json!("rate"), "/size_measure"),
        ("size_measure", json!("weight"), "/size_measure"),
        ("rounding", json!("whole"), "/rounding"),
        ("exploration_share", json!(0.6), "/exploration_share"),
        ("reserve_share", json!(-0.1), "/reserve_share"),
        ("hash", json!("md5"), "/hash"),
        ("draw", json!("later"), "/draw"),
        (
            "committed",
            json!([{"name": "A B", "commitment": "00"}]),
            "/committed/0/name",
        ),
        (
            "committed",
            json!([{"name": "notary", "commitment": "00"}]),
            "/committed/0/commitment",
        ),
        (
            "public",
            json!([{"name": "server", "rule": "mine"}]),
            "/public/name",
        ),
    ] {
        let mut body = input(&frame);
        body[member] = value;
        let refused = problem(app.post("/v1/plans", &body).await, 422, "invalid-body").await;
        assert_eq!(pointers(&refused), [pointer], "{refused}");
    }
    let mut now = input(&frame);
    now["draw"] = "now".into();
    let refused = problem(
        app.post("/v1/plans/preview", &now).await,
        422,
        "invalid-body",
    )
    .await;
    assert_eq!(pointers(&refused), ["/draw"]);
    now["public"] = json!([{"name": "lottery", "rule": "numbers"}]);
    let refused = problem(app.post("/v1/plans", &now).await, 422, "invalid-body").await;
    assert_eq!(pointers(&refused), ["/draw"]);
    problem(
        app.post("/v1/plans", &input("none")).await,
        404,
        "unknown-frame",
    )
    .await;
    assert_eq!(app.json("/v1/plans").await, json!({"items": []}));
}

#[tokio::test]
async fn visits_that_cannot_be_allocated_are_refused() {
    let app = TestApp::start().await;
    let frame = app.frame(20).await;
    let mut empty = input(&frame);
    empty["filter"] = json!({"division": "110000"});
    let refused = problem(app.post("/v1/plans", &empty).await, 422, "rule-violated").await;
    assert_eq!(pointers(&refused), ["/filter"]);

    for (visits, detail) in [(21, "20 objects"), (0, "at least one visit")] {
        let mut body = input(&frame);
        body["visits"] = visits.into();
        for path in ["/v1/plans", "/v1/plans/preview"] {
            let refused = problem(app.post(path, &body).await, 422, "rule-violated").await;
            assert_eq!(pointers(&refused), ["/visits"]);
            assert!(
                refused["detail"].as_str().unwrap().contains(detail),
                "{refused}"
            );
        }
    }
}

#[tokio::test]
async fn a_step_out_of_turn_is_a_conflict() {
    let (app, plan) = drafted(input).await;
    let conflict = async |method: Method, part: &str, state: &str| {
        let path = format!("{plan}/{part}");
        let response = app.request(method, &path).send().await.unwrap();
        let refused = problem(response, 409, "plan-state").await;
        assert_eq!(refused["state"], state, "{part}");
        assert!(refused["needed"].is_string() && refused["plan_id"].is_string());
    };
    for part in ["draw", "close", "verify"] {
        conflict(Method::POST, part, "draft").await;
    }
    for part in ["pool", "sample", "transcript"] {
        conflict(Method::GET, part, "draft").await;
    }
    ok(app.step(&format!("{plan}/freeze")).await, 200).await;
    conflict(Method::POST, "freeze", "frozen").await;
    conflict(Method::POST, "close", "frozen").await;
    conflict(Method::GET, "sample", "frozen").await;
    assert_eq!(app.get(&format!("{plan}/pool")).await.status(), 200);
    ok(app.step(&format!("{plan}/draw")).await, 200).await;
    conflict(Method::POST, "draw", "drawn").await;
    conflict(Method::GET, "transcript", "drawn").await;
    ok(app.step(&format!("{plan}/close")).await, 200).await;
    let void = app
        .post(&format!("{plan}/void"), &json!({"reason": "late"}))
        .await;
    problem(void, 409, "plan-state").await;
}

#[tokio::test]
async fn contributions_that_do_not_fit_are_named_and_not_repeated() {
    let value = "11".repeat(32);
    let commitment = risktier::domain::digest::HashAlgorithm::Sha256
        .hash(&[format!("risktier-commit/1\nnotary={value}\n").as_bytes()]);
    let (app, plan) = drafted(|frame| {
        let mut input = input(frame);
        input["committed"] = json!([{"name": "notary", "commitment": commitment.to_string()}]);
        input
    })
    .await;
    ok(app.step(&format!("{plan}/freeze")).await, 200).await;
    let path = format!("{plan}/draw");
    let tampered = "22".repeat(32);
    for (contributions, field) in [
        (json!([]), "notary"),
        (json!([{"name": "notary", "value": tampered}]), "notary"),
        (
            json!([{"name": "notary", "value": value}, {"name": "dice", "value": "6"}]),
            "dice",
        ),
        (
            json!([{"name": "notary", "value": value}, {"name": "notary", "value": value}]),
            "notary",
        ),
    ] {
        let body = json!({"contributions": contributions});
        let refused = problem(app.post(&path, &body).await, 422, "invalid-body").await;
        assert_eq!(pointers(&refused)[0], "/contributions");
        assert_eq!(refused["errors"][0]["field"], field);
        assert!(!refused.to_string().contains(&tampered) && !refused.to_string().contains(&value));
    }
    for (body, pointer) in [
        (
            json!({"contributions": [{"name": "A", "value": "1"}]}),
            "/contributions/0/name",
        ),
        (
            json!({"contributions": [{"name": "a", "value": "企"}]}),
            "/contributions/0/value",
        ),
        (json!({"values": []}), "/values"),
    ] {
        let refused = problem(app.post(&path, &body).await, 422, "invalid-body").await;
        assert_eq!(pointers(&refused), [pointer]);
    }
    let body = json!({"contributions": [{"name": "notary", "value": value}]});
    assert_eq!(
        ok(app.post(&path, &body).await, 200).await["state"],
        "drawn"
    );
}

#[tokio::test]
async fn a_plan_is_given_up_with_a_reason() {
    let (app, plan) = drafted(input).await;
    let path = format!("{plan}/void");
    for (body, pointer) in [
        (json!({"reason": " "}), "/reason"),
        (json!({"reason": 1}), "/reason"),
        (json!({"why": "x"}), "/why"),
    ] {
        let refused = problem(app.post(&path, &body).await, 422, "invalid-body").await;
        assert_eq!(pointers(&refused), [pointer]);
    }
    problem(app.step(&path).await, 415, "unsupported-media-type").await;
    let void = ok(app.post(&path, &json!({"reason": "merged"})).await, 200).await;
    assert_eq!(void["state"], "void");
    assert_eq!(void["void_reason"], "merged");
    problem(app.step(&format!("{plan}/freeze")).await, 409, "plan-state").await;
}

#[tokio::test]
async fn plans_are_listed_by_pages() {
    let app = TestApp::start().await;
    let frame = app.frame(20).await;
    let mut made = Vec::new();
    for _ in 0..3 {
        let plan = ok(app.post("/v1/plans", &input(&frame)).await, 201).await;
        made.push(plan["plan_id"].as_str().unwrap().to_owned());
    }
    let first = app.json("/v1/plans?limit=2").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = app
        .json(&format!("/v1/plans?limit=2&cursor={cursor}"))
        .await;
    let pages = [&first, &second].map(|page| page["items"].as_array().unwrap().clone());
    let seen: Vec<String> = pages
        .concat()
        .iter()
        .map(|plan| plan["plan_id"].as_str().unwrap().to_owned())
        .collect();
    made.reverse();
    assert_eq!(seen, made);
    assert_eq!(first["items"][0]["title"], "First quarter");
    assert!(first["items"][0].get("number").is_none());
}

#[tokio::test]
async fn an_unknown_plan_is_unknown_everywhere() {
    let app = TestApp::start().await;
    for part in ["", "/strata", "/sample", "/pool", "/transcript"] {
        let response = app.get(&format!("/v1/plans/none{part}")).await;
        let refused = problem(response, 404, "unknown-plan").await;
        assert_eq!(refused["plan_id"], "none");
    }
    for part in ["freeze", "draw", "close", "verify"] {
        problem(
            app.step(&format!("/v1/plans/none/{part}")).await,
            404,
            "unknown-plan",
        )
        .await;
    }
    let void = app
        .post("/v1/plans/none/void", &json!({"reason": "x"}))
        .await;
    problem(void, 404, "unknown-plan").await;
}

#[tokio::test]
async fn a_draft_that_could_never_be_frozen_is_refused_at_once() {
    let app = TestApp::start().await;
    let frame = app.frame(60).await;
    for (member, value, pointer) in [
        ("title", json!("line\nbreak"), "/title"),
        ("title", json!("   "), "/title"),
        ("title", json!("x".repeat(201)), "/title"),
        ("items", json!(["a", ""]), "/items/1"),
        ("items", json!(["a", "b", "a"]), "/items/2"),
        ("items", json!(["x".repeat(65)]), "/items/0"),
        (
            "public",
            json!([{"name": "lottery", "rule": ""}]),
            "/public/0/rule",
        ),
        (
            "public",
            json!([{"name": "lottery", "rule": "a\tb"}]),
            "/public/0/rule",
        ),
        ("public_seed", json!(true), "/public_seed"),
    ] {
        let mut body = input(&frame);
        body[member] = value.clone();
        let refused = problem(app.post("/v1/plans", &body).await, 422, "invalid-body").await;
        assert_eq!(pointers(&refused), [pointer], "{member}: {value}");
    }
    assert_eq!(app.json("/v1/plans").await, json!({"items": []}));
}

/// Refused steps stay visible with who asked and why.
#[tokio::test]
async fn the_history_of_a_plan_tells_of_refused_steps() {
    let app = TestApp::start().await;
    let frame = app.frame(60).await;
    let plan = ok(app.post("/v1/plans", &input(&frame)).await, 201).await;
    let path = format!("/v1/plans/{}", plan["plan_id"].as_str().unwrap());
    let by = json!({"by": "officer-17"});

    problem(
        app.post(&format!("{path}/draw"), &by).await,
        409,
        "plan-state",
    )
    .await;
    ok(app.post(&format!("{path}/freeze"), &by).await, 200).await;
    problem(app.step(&format!("{path}/freeze")).await, 409, "plan-state").await;
    let given =
        json!({"contributions": [{"name": "dice", "value": "secret value"}], "by": "officer-18"});
    let refused = app.post(&format!("{path}/draw"), &given).await;
    assert_eq!(refused.status(), 422);
    ok(app.step(&format!("{path}/draw")).await, 200).await;
    problem(
        app.post(&format!("{path}/draw"), &by).await,
        409,
        "plan-state",
    )
    .await;
    let unnamed = app.post(&format!("{path}/close"), &json!({"by": ""})).await;
    assert_eq!(
        pointers(&problem(unnamed, 422, "invalid-body").await),
        ["/by"]
    );

    let history = app.json(&format!("{path}/history")).await;
    let told: Vec<(&str, bool, Option<&str>)> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            let (step, refused) = (
                event["step"].as_str().unwrap(),
                event["refused"].as_bool().unwrap(),
            );
            (step, refused, event["by"].as_str())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("draft", false, None),
            ("draw", true, Some("officer-17")),
            ("freeze", false, Some("officer-17")),
            ("freeze", true, None),
            ("draw", true, Some("officer-18")),
            ("draw", false, None),
            ("draw", true, Some("officer-17")),
        ]
    );
    assert!(!history.to_string().contains("secret value"), "{history}");
    problem(app.get("/v1/plans/none/history").await, 404, "unknown-plan").await;
    problem(
        app.get("/v1/plan-groups/none/history").await,
        404,
        "unknown-group",
    )
    .await;
    let group = json!({"group_id": "2027-q1", "title": "Joint checks"});
    ok(app.post("/v1/plan-groups", &group).await, 201).await;
    problem(
        app.post("/v1/plan-groups/2027-q1/seal", &by).await,
        409,
        "conflict",
    )
    .await;
    let history = app.json("/v1/plan-groups/2027-q1/history").await;
    let last = &history["items"][1];
    assert_eq!(
        (&last["step"], &last["refused"], &last["by"]),
        (&json!("seal"), &json!(true), &json!("officer-17"))
    );
}
