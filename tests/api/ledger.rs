//! The ledger, rates explained, and policies tried, over HTTP.

use serde_json::{Value, json};

use crate::helpers::{TestApp, ok, pointers, problem};
use crate::plans::input;

/// A plan of general items, drawn and closed, over sixty enterprises.
async fn drawn(app: &TestApp) -> (String, Value) {
    let frame = app.frame(60).await;
    let mut body = input(&frame);
    body["draw"] = "now".into();
    body["department"] = "amr".into();
    body["exploration_share"] = 0.0.into();
    let plan = ok(app.post("/v1/plans", &body).await, 201).await;
    (frame, plan)
}

#[tokio::test]
async fn a_draw_enters_its_visits_and_later_plans_leave_them_alone() {
    let app = TestApp::start().await;
    let (frame, plan) = drawn(&app).await;
    let plan_id = plan["plan_id"].as_str().unwrap();
    let visits = app.json(&format!("/v1/ledger?plan_id={plan_id}")).await;
    let visits = visits["items"].as_array().unwrap();
    assert_eq!(visits.len(), 12);
    let sample = app.json(&format!("/v1/plans/{plan_id}/sample")).await;
    let drawn: Vec<&str> = sample["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|object| object["enterprise_id"].as_str().unwrap())
        .collect();
    for visit in visits {
        assert!(drawn.contains(&visit["enterprise_id"].as_str().unwrap()));
        assert_eq!(
            (&visit["kind"], &visit["state"], &visit["year"]),
            (&json!("general"), &json!("planned"), &json!(2027))
        );
        assert_eq!(visit["departments"], json!(["amr"]));
    }
    let first = app.json("/v1/ledger?limit=5&year=2027").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = app
        .json(&format!("/v1/ledger?limit=50&year=2027&cursor={cursor}"))
        .await;
    assert_eq!(rest["items"].as_array().unwrap().len(), 7);
    problem(
        app.get(&format!("/v1/ledger?cursor={cursor}")).await,
        400,
        "invalid-cursor",
    )
    .await;

    // The six in tier C may be visited twice, but not within the gap; all others once.
    let preview = ok(app.post("/v1/plans/preview", &input(&frame)).await, 200).await;
    let excluded: u64 = preview["outlook"]["excluded"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["count"].as_u64().unwrap())
        .sum();
    assert_eq!(
        (excluded, &preview["outlook"]["pool_size"]),
        (12, &json!(48))
    );
    assert_eq!(preview["outlook"]["year"]["planned_count"], 12);
    assert_eq!(preview["outlook"]["overlaps"][0]["plan_id"], plan_id);

    let summary = app.json("/v1/ledger/summary?year=2027").await;
    assert_eq!(
        (&summary["general_count"], &summary["object_count"]),
        (&json!(12), &json!(60))
    );
    assert_eq!(summary["general_rate"], 0.2);
    let empty = app.json("/v1/ledger/summary").await;
    assert_eq!(
        (&empty["year"], &empty["general_count"]),
        (&json!(2026), &json!(0))
    );
}

#[tokio::test]
async fn visits_outside_the_plans_are_entered_with_their_reason() {
    let app = TestApp::start().await;
    app.enterprise("E1").await;
    let visit = |reason: &str, on: &str| {
        json!({"enterprise_id": "E1", "visited_on": on, "reason": reason, "departments": ["amr", "fire"],
            "by": "officer-1"})
    };
    let body =
        json!({"visits": [visit("complaint", "2026-11-20"), visit("licensing", "2026-11-21")]});
    let entered = ok(app.post("/v1/ledger", &body).await, 201).await;
    assert_eq!(entered["visits"][1]["reason"], "licensing");
    let ledger = app.json("/v1/ledger/E1").await;
    assert_eq!(
        ledger["years"],
        json!([{"year": 2026, "general_count": 0, "key_count": 0, "exempt_count": 2, "done_count": 2}])
    );
    assert_eq!(ledger["visits"][0]["visited_on"], "2026-11-21");
    assert_eq!(
        app.json("/v1/ledger?kind=exempt&state=done").await["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );

    for (body, pointer) in [
        (
            json!({"visits": [visit("curiosity", "2026-11-20")]}),
            "/visits/0/reason",
        ),
        (
            json!({"visits": [visit("complaint", "2026-13-20")]}),
            "/visits/0/visited_on",
        ),
        (
            json!({"visits": [visit("complaint", "2026-11-23")]}),
            "/visits/0/visited_on",
        ),
        (json!({"visits": []}), "/visits"),
    ] {
        let refused = problem(app.post("/v1/ledger", &body).await, 422, "invalid-body").await;
        assert_eq!(pointers(&refused), [pointer], "{refused}");
    }
    let mut unknown = visit("complaint", "2026-11-20");
    unknown["enterprise_id"] = "E9".into();
    let refused = app.post("/v1/ledger", &json!({"visits": [unknown]})).await;
    problem(refused, 404, "unknown-enterprise").await;
    problem(app.get("/v1/ledger/E9").await, 404, "unknown-enterprise").await;
}

#[tokio::test]
async fn a_planned_visit_is_noted_as_done() {
    let app = TestApp::start().await;
    drawn(&app).await;
    let visits = app.json("/v1/ledger?limit=1").await;
    let number = &visits["items"][0]["visit_no"];
    let path = format!("/v1/ledger/visits/{number}/done");
    let done = ok(
        app.post(
            &path,
            &json!({"visited_on": "2026-11-20", "by": "officer-1"}),
        )
        .await,
        200,
    )
    .await;
    assert_eq!(
        (&done["state"], &done["visited_on"], &done["by"]),
        (&json!("done"), &json!("2026-11-20"), &json!("officer-1"))
    );
    let corrected = ok(
        app.post(&path, &json!({"visited_on": "2026-11-19"})).await,
        200,
    )
    .await;
    assert_eq!(corrected["visited_on"], "2026-11-19");
    let late = problem(
        app.post(&path, &json!({"visited_on": "2026-11-23"})).await,
        422,
        "invalid-body",
    )
    .await;
    assert_eq!(pointers(&late), ["/visited_on"]);
    let body = json!({"visited_on": "2026-11-20"});
    problem(
        app.post("/v1/ledger/visits/99999/done", &body).await,
        404,
        "unknown-visit",
    )
    .await;
    problem(
        app.post("/v1/ledger/visits/x/done", &body).await,
        400,
        "invalid-path",
    )
    .await;
}

#[tokio::test]
async fn the_rate_of_an_object_is_explained() {
    let app = TestApp::start().await;
    let (_, plan) = drawn(&app).await;
    let plan_id = plan["plan_id"].as_str().unwrap();
    let rate = app.json(&format!("/v1/plans/{plan_id}/rates/E0010")).await;
    assert_eq!(
        (&rate["tier"], &rate["policy"]),
        (&json!("C"), &json!("cn-general/1"))
    );
    let steps = rate["steps"].as_array().unwrap();
    assert_eq!(
        steps[0],
        json!({"factor": "tier_rate", "source": "sampling.rates.general.C", "value": 0.15, "rate_ppb": 150_000_000})
    );
    assert_eq!(steps.last().unwrap()["rate_ppb"], rate["rate_ppb"]);
    assert_eq!(rate["place"]["state"], "in_pool");
    problem(
        app.get(&format!("/v1/plans/{plan_id}/rates/E9999")).await,
        404,
        "unknown-enterprise",
    )
    .await;
    problem(
        app.get("/v1/plans/none/rates/E0010").await,
        404,
        "unknown-plan",
    )
    .await;
}

#[tokio::test]
async fn visits_are_spread_as_the_request_says() {
    let app = TestApp::start().await;
    let frame = app.frame(60).await;
    let with = |allocation: Value| {
        let mut body = input(&frame);
        body["allocation"] = allocation;
        body
    };
    let neyman = json!({"by": "neyman", "strata": [
        {"problem_probability": 0.05}, {"tier": "C", "problem_probability": 0.4, "least": 1}]});
    let preview = ok(
        app.post("/v1/plans/preview", &with(neyman.clone())).await,
        200,
    )
    .await;
    let tiers = preview["outlook"]["tiers"].as_array().unwrap();
    assert!(
        tiers
            .iter()
            .all(|tier| tier["expected_problems"].is_number())
    );
    let plan = ok(app.post("/v1/plans", &with(neyman)).await, 201).await;
    assert_eq!(plan["request"]["allocation"]["by"], "neyman");
    assert_eq!(plan["request"]["allocation"]["strata"][1]["least"], 1);
    for (allocation, pointer, slug) in [
        (
            json!({"by": "neyman"}),
            "/allocation/strata",
            "rule-violated",
        ),
        (json!({"by": "guess"}), "/allocation/by", "invalid-body"),
        (
            json!({"strata_by": ["city", "province"]}),
            "/allocation/strata_by",
            "invalid-body",
        ),
        (
            json!({"strata_by": ["colour"]}),
            "/allocation/strata_by/0",
            "invalid-body",
        ),
        (
            json!({"strata_by": [], "strata": [{"division": "990101", "least": 1}]}),
            "/allocation/strata/0/division",
            "invalid-body",
        ),
        (json!({"inspector_days": 3}), "/visits", "invalid-body"),
        (
            json!({"strata": [{"least": 100}]}),
            "/allocation/strata",
            "rule-violated",
        ),
        (
            json!({"strata": [{"least": 1}, {"problem_probability": 2}]}),
            "/allocation/strata/1/problem_probability",
            "invalid-body",
        ),
        (
            json!({"strata": [{"tier": "E"}]}),
            "/allocation/strata/0/tier",
            "invalid-body",
        ),
    ] {
        let refused = problem(
            app.post("/v1/plans/preview", &with(allocation)).await,
            422,
            slug,
        )
        .await;
        assert_eq!(pointers(&refused), [pointer], "{refused}");
    }
    let coarse = with(json!({"strata_by": ["province", "industry"]}));
    let preview = ok(app.post("/v1/plans/preview", &coarse).await, 200).await;
    for stratum in preview["strata"].as_array().unwrap() {
        assert_eq!(stratum["division"], "990000");
        assert!(stratum["beside"]["industry"].as_str().unwrap().len() <= 1);
    }
    let plan = ok(app.post("/v1/plans", &coarse).await, 201).await;
    let asked = &plan["request"]["allocation"]["strata_by"];
    assert_eq!(*asked, json!(["province", "industry"]));

    let mut days = with(json!({"inspector_days": 6, "strata": [{"days_per_visit": 0.5}]}));
    days.as_object_mut().unwrap().remove("visits");
    let preview = ok(app.post("/v1/plans/preview", &days).await, 200).await;
    let visits = preview["outlook"]["expected_visits"].as_f64().unwrap();
    assert!((visits - 12.0).abs() < 0.1, "{visits}");
}

#[tokio::test]
async fn a_candidate_policy_is_tried_on_a_frame() {
    let app = TestApp::start().await;
    let frame = app.frame(60).await;
    let policy = include_str!("../../models/policy.toml");
    let mut plan = input(&frame);
    plan.as_object_mut().unwrap().remove("visits");
    let body = |candidate: &str| json!({"plan": plan, "candidate": candidate});
    let candidate = policy.replacen("C = 0.15", "C = 0.30", 1);
    let answer = app.post("/v1/policies/simulate", &body(&candidate)).await;
    let simulation = ok(answer, 200).await;
    let c = |side: &str| {
        let tiers = simulation[side]["tiers"].as_array().unwrap();
        let of = tiers.iter().find(|tier| tier["tier"] == "C").unwrap();
        of["expected_visits"].as_f64().unwrap()
    };
    assert!(c("candidate") > 1.5 * c("current"), "{simulation}");
    assert_eq!(app.json("/v1/plans").await["items"], json!([]));

    let falls = policy.replacen("D = 0.50", "D = 0.10", 1);
    let refused = app.post("/v1/policies/simulate", &body(&falls)).await;
    let refused = problem(refused, 422, "invalid-body").await;
    assert_eq!(pointers(&refused), ["/candidate"]);
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("rates never fall with risk")
    );
    let mut wrong = body(&candidate);
    wrong["plan"]["title"] = "".into();
    let refused = problem(
        app.post("/v1/policies/simulate", &wrong).await,
        422,
        "invalid-body",
    )
    .await;
    assert_eq!(pointers(&refused), ["/plan/title"], "{refused}");
}

#[tokio::test]
async fn visits_follow_the_precision_that_is_asked_for() {
    let app = TestApp::start().await;
    let frame = app.frame(60).await;
    let mut body = input(&frame);
    body.as_object_mut().unwrap().remove("visits");
    body["allocation"] = json!({
        "by": "precision", "strata": [
            {"tier": "A", "problem_probability": 0.02}, {"tier": "B", "problem_probability": 0.1},
            {"tier": "C", "problem_probability": 0.3, "shares": {"unlicensed": 0.1}},
            {"tier": "D", "problem_probability": 0.5}],
        "precision": [{"cv": 0.4}, {"cv": 0.6, "within": {"tier": "C"}}, {"cv": 1.5, "each": ["division"]},
            {"cv": 1.2, "of": "unlicensed", "within": {"tier": "C"}}]
    });

    let preview = ok(app.post("/v1/plans/preview", &body).await, 200).await;

    let precision = &preview["outlook"]["precision"];
    let bounds = precision["bounds"].as_array().unwrap();
    assert!(bounds.len() >= 4, "{precision}");
    for bound in bounds {
        let (most, expected) = (
            bound["most_cv"].as_f64().unwrap(),
            bound["expected_cv"].as_f64().unwrap(),
        );
        assert!(expected <= most * (1.0 + 1e-9), "{bound}");
        assert!(bound["days_per_point"].as_f64().unwrap() >= 0.0);
    }
    assert_eq!(
        (&bounds[0]["domain"], &bounds[1]["domain"]),
        (&json!({}), &json!({"tier": "C"}))
    );
    assert_eq!(bounds.last().unwrap()["of"], "unlicensed");
    assert!(precision["census"].is_array());
    let plan = ok(app.post("/v1/plans", &body).await, 201).await;
    assert_eq!(&plan["outlook"]["precision"], precision);
    assert_eq!(
        plan["request"]["allocation"]["precision"],
        body["allocation"]["precision"]
    );
    let policy = include_str!("../../models/policy.toml");
    let asked = json!({"plan": body, "candidate": policy});
    let simulated = ok(app.post("/v1/policies/simulate", &asked).await, 200).await;
    assert_eq!(&simulated["current"]["precision"], precision);

    for (place, value, pointer) in [
        ("visits", json!(12), "/visits"),
        (
            "/allocation/precision/0/cv",
            json!(0.0),
            "/allocation/precision/0/cv",
        ),
        (
            "/allocation/precision/1/within",
            json!({"street": "x"}),
            "/allocation/precision/1/within",
        ),
        (
            "/allocation/precision/1/within",
            json!({"tier": "E"}),
            "/allocation/precision/1/within/tier",
        ),
        (
            "/allocation/precision/2/each",
            json!(["kind"]),
            "/allocation/precision/2/each",
        ),
        ("/allocation/precision", json!([]), "/allocation/by"),
    ] {
        let mut bad = body.clone();
        match bad.pointer_mut(place) {
            Some(found) => *found = value,
            None => bad[place] = value,
        }
        let refused = problem(
            app.post("/v1/plans/preview", &bad).await,
            422,
            "invalid-body",
        )
        .await;
        assert_eq!(pointers(&refused), [pointer], "{refused}");
    }
    // A bound that the ceilings do not let be held is named, with the best there is.
    let mut far = body.clone();
    far["allocation"]["strata"][2]["most"] = 0.into();
    far["allocation"]["precision"] = json!([{"cv": 0.6, "within": {"tier": "C"}}]);
    let refused = problem(
        app.post("/v1/plans/preview", &far).await,
        422,
        "rule-violated",
    )
    .await;
    assert_eq!(refused["bound"], "`problems` over tier `C`");
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("the best that the upper bounds of the strata allow")
    );
}
