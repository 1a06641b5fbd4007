//! Tiers: read, explained, looked up, computed.

use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TODAY, TestApp, header, ok, pointers, problem};

#[tokio::test]
async fn the_second_read_is_a_hit_and_an_entity_tag_saves_the_third() {
    let app = TestApp::start().await;
    app.enterprise("E1").await;
    let path = "/v1/enterprises/E1/tier";

    let first = app.get(path).await;
    let second = app.get(path).await;
    let tag = header(&second, "etag").to_owned();
    let third = app
        .request(Method::GET, path)
        .header("if-none-match", format!("\"x\", W/{tag}"));
    let third = third.send().await.unwrap();

    assert!(header(&first, "cache-status").starts_with("risktier; fwd=miss"));
    assert_eq!(header(&second, "cache-status"), "risktier; hit");
    assert_eq!(header(&first, "etag"), tag);
    assert!(tag.starts_with('"') && tag.len() == 34, "{tag}");
    assert!(header(&second, "cache-control").starts_with("private"));
    assert_eq!(third.status(), 304);
    assert_eq!(header(&third, "etag"), tag);
    assert!(third.bytes().await.unwrap().is_empty());
    let (first, second) = (ok(first, 200).await, ok(second, 200).await);
    assert_eq!(first, second);
    assert_eq!(second["as_of"], TODAY);
    assert_eq!(second["epoch"].as_str().unwrap().len(), 16);
    assert_eq!(second["revision"], 1);
}

#[tokio::test]
async fn the_entity_tag_changes_with_the_answer() {
    let app = TestApp::start().await;
    app.enterprise("E1").await;
    let path = "/v1/enterprises/E1/tier";
    let tag = header(&app.get(path).await, "etag").to_owned();
    let body = json!({"records": [{
        "source": "s", "record_id": "1", "enterprise_id": "E1", "kind": "penalty", "occurred_on": "2026-10-05"
    }]});
    ok(app.post("/v1/records", &body).await, 200).await;
    let request = app.request(Method::GET, path).header("if-none-match", &tag);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_ne!(header(&response, "etag"), tag);
}

#[tokio::test]
async fn a_tier_as_of_a_past_day_uses_only_what_was_known_by_then() {
    let app = TestApp::start().await;
    app.enterprise("E1").await;
    let body = json!({"records": [{
        "source": "s", "record_id": "1", "enterprise_id": "E1", "kind": "stop_order", "occurred_on": "2026-10-05",
        "known_on": "2026-10-20"
    }]});
    ok(app.post("/v1/records", &body).await, 200).await;
    let tier = async |day: &str| {
        app.get(&format!("/v1/enterprises/E1/tier?as_of={day}"))
            .await
    };

    let before = tier("2026-10-19").await;
    assert_eq!(header(&before, "cache-status"), "risktier; fwd=bypass");
    let before = ok(before, 200).await;
    assert_ne!(before["tier"], "D");
    assert_eq!(before["as_of"], "2026-10-19");
    assert_eq!(ok(tier("2026-10-20").await, 200).await["tier"], "D");
    assert_eq!(ok(tier(TODAY).await, 200).await["tier"], "D");

    for bad in [
        "as_of=2026-02-30",
        "as_of=today",
        "as_of=",
        "day=2026-01-01",
    ] {
        let path = format!("/v1/enterprises/E1/tier?{bad}");
        problem(app.get(&path).await, 400, "invalid-query").await;
        let path = format!("/v1/enterprises/E1/tier/explanation?{bad}");
        problem(app.get(&path).await, 400, "invalid-query").await;
    }
}

#[tokio::test]
async fn an_unknown_enterprise_has_no_tier() {
    let app = TestApp::start().await;
    for path in ["tier", "tier?as_of=2026-01-01", "tier/explanation"] {
        let path = format!("/v1/enterprises/nobody/{path}");
        let refused = problem(app.get(&path).await, 404, "unknown-enterprise").await;
        assert_eq!(refused["enterprise_id"], "nobody");
    }
}

#[tokio::test]
async fn an_explanation_names_rules_and_records_in_both_languages() {
    let app = TestApp::start().await;
    app.enterprise("E1").await;
    let listing = json!({
        "source": "listings", "record_id": "L1", "enterprise_id": "E1", "kind": "serious_violation_listing",
        "occurred_on": "2026-10-05"
    });
    ok(
        app.post("/v1/records", &json!({"records": [listing]}))
            .await,
        200,
    )
    .await;

    let explained = app.json("/v1/enterprises/E1/tier/explanation").await;
    let tier = app.json("/v1/enterprises/E1/tier").await;

    for member in ["tier", "points", "as_of", "epoch"] {
        assert_eq!(explained[member], tier[member], "{member}");
    }
    assert_eq!(explained["policy"], "cn-general/1");
    assert_eq!(explained["decay_as_of"], "2026-11-01");
    assert!(explained["scorecard"].as_str().unwrap().contains('/'));
    let reasons = explained["reasons"].as_array().unwrap();
    let rule = reasons
        .iter()
        .find(|reason| reason["step"] == "direct_rule")
        .unwrap();
    assert_eq!(rule["tier"], "D");
    assert_eq!(rule["records"][0]["record_id"], "L1");
    for reason in reasons {
        assert!(
            !reason["text"]["zh"].as_str().unwrap().is_ascii(),
            "{reason}"
        );
        assert!(
            !reason["text"]["en"].as_str().unwrap().is_empty(),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn a_bulk_look_up_keeps_the_order_and_answers_for_every_id() {
    let app = TestApp::start().await;
    app.enterprise("E1").await;
    app.enterprise("E2").await;
    let ids = json!({"enterprise_ids": ["E2", "nobody", "a b", "E1", "E2", ""]});

    let answer = ok(app.post("/v1/tiers/lookup", &ids).await, 200).await;
    let again = ok(app.post("/v1/tiers/lookup", &ids).await, 200).await;

    assert_eq!(answer, again);
    let items = answer["items"].as_array().unwrap();
    assert_eq!(items.len(), 6);
    assert_eq!(items[0], app.json("/v1/enterprises/E2/tier").await);
    assert_eq!(items[3], app.json("/v1/enterprises/E1/tier").await);
    assert_eq!(items[4], items[0]);
    let missing = |item: &Value, id: &str, slug: &str| {
        assert_eq!(item["enterprise_id"], id);
        assert_eq!(
            item["error"]["type"],
            format!("urn:risktier:problem:{slug}")
        );
        assert!(item.get("tier").is_none());
    };
    missing(&items[1], "nobody", "unknown-enterprise");
    missing(&items[2], "a b", "invalid-body");
    missing(&items[5], "", "invalid-body");
}

#[tokio::test]
async fn a_bulk_look_up_has_its_limit() {
    let app = TestApp::start_with(&[("limits.lookup_ids", "3")]).await;
    let ids = json!({"enterprise_ids": ["a", "b", "c", "d"]});
    let refused = problem(
        app.post("/v1/tiers/lookup", &ids).await,
        422,
        "too-many-items",
    )
    .await;
    assert_eq!(refused["limit"], 3);
    assert_eq!(pointers(&refused), ["/enterprise_ids"]);
    let none = json!({"enterprise_ids": []});
    assert_eq!(
        ok(app.post("/v1/tiers/lookup", &none).await, 200).await["items"],
        json!([])
    );
    for (body, pointer) in [
        (json!({"enterprise_ids": ["a", 1]}), "/enterprise_ids/1"),
        (json!({"ids": []}), "/ids"),
        (json!({"enterprise_ids": "a"}), "/enterprise_ids"),
    ] {
        let refused = problem(
            app.post("/v1/tiers/lookup", &body).await,
            422,
            "invalid-body",
        )
        .await;
        assert_eq!(pointers(&refused), [pointer]);
    }
}

#[tokio::test]
async fn a_what_if_gives_what_the_register_would_and_stores_nothing() {
    let app = TestApp::start().await;
    let enterprise = json!({"name": "Enterprise E1", "division": "990102"});
    let record = json!({
        "source": "s", "record_id": "1", "enterprise_id": "E1", "kind": "penalty", "occurred_on": "2026-10-05",
        "severity": "serious", "amount_cny": 500_000.0
    });
    let mut named = enterprise.clone();
    named["enterprise_id"] = "E1".into();
    let body = json!({"enterprise": named, "records": [record], "as_of": TODAY});

    let guessed = ok(app.post("/v1/tiers/score", &body).await, 200).await;
    problem(
        app.get("/v1/enterprises/E1").await,
        404,
        "unknown-enterprise",
    )
    .await;
    app.put("/v1/enterprises/E1", &enterprise).await;
    ok(
        app.post("/v1/records", &json!({"records": [record]})).await,
        200,
    )
    .await;

    assert_eq!(
        guessed,
        app.json("/v1/enterprises/E1/tier/explanation").await
    );
}

#[tokio::test]
async fn a_what_if_names_what_does_not_fit() {
    let app = TestApp::start().await;
    let record = json!({
        "source": "s", "record_id": "1", "enterprise_id": "E2", "kind": "penalty", "occurred_on": "2026-10-05"
    });
    let enterprise = json!({"enterprise_id": "E1", "name": "x"});
    for (body, pointer) in [
        (
            json!({"enterprise": {"name": "x"}}),
            "/enterprise/enterprise_id",
        ),
        (
            json!({"enterprise": {"enterprise_id": "E1", "name": 1}}),
            "/enterprise/name",
        ),
        (json!({"enterprise": enterprise, "as_of": "soon"}), "/as_of"),
        (json!({"enterprise": enterprise, "as_of": null}), "/as_of"),
        (
            json!({"enterprise": enterprise, "records": [record]}),
            "/records/0/enterprise_id",
        ),
        (
            json!({"enterprise": enterprise, "records": [{}]}),
            "/records/0",
        ),
    ] {
        let refused = problem(
            app.post("/v1/tiers/score", &body).await,
            422,
            "invalid-body",
        )
        .await;
        assert_eq!(pointers(&refused), [pointer]);
    }
}

#[tokio::test]
async fn a_bulk_look_up_by_lines_gives_the_items_of_the_json_form() {
    let app = TestApp::start().await;
    app.enterprise("E1").await;
    app.enterprise("E2").await;
    let ids = json!({"enterprise_ids": ["E2", "nobody", "a b", "企业-1", "E1"]});
    let lines = "\"E2\"\n{\"enterprise_id\": \"nobody\"}\r\n\n \"a b\" \n\"企业\\u002d1\"\n\"E1\"";
    let asked = async |accept: &str, media_type: &str, body: String| {
        let request = app.request(Method::POST, "/v1/tiers/lookup");
        let request = request
            .header("accept", accept)
            .header("content-type", media_type);
        request.body(body).send().await.unwrap()
    };
    let ndjson = "application/x-ndjson";

    let first = asked("application/json", ndjson, lines.to_owned()).await;
    assert_eq!(header(&first, "cache-status"), "risktier; fwd=miss");
    let first = ok(first, 200).await;
    assert_eq!(
        first,
        ok(app.post("/v1/tiers/lookup", &ids).await, 200).await
    );
    let answer = asked(ndjson, "application/json", ids.to_string()).await;
    assert_eq!(header(&answer, "content-type"), ndjson);
    assert_eq!(header(&answer, "vary"), "accept");
    // Two of the five have no tier anywhere, and one has no id.
    assert_eq!(header(&answer, "cache-status"), "risktier; fwd=partial");
    let text = answer.text().await.unwrap();
    let items: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(Value::from(items), first["items"]);
    let known = asked(ndjson, ndjson, "\"E1\"\n\"E2\"\n".to_owned()).await;
    assert_eq!(header(&known, "cache-status"), "risktier; hit");
    let nothing = asked(ndjson, ndjson, "\n".to_owned()).await;
    assert_eq!(nothing.text().await.unwrap(), "");
}

#[tokio::test]
async fn a_bulk_look_up_names_the_line_that_it_cannot_read() {
    let app = TestApp::start().await;
    for (body, line) in [
        ("\"E1\"\nE2\n", 2),
        ("{\"id\": \"E1\"}", 1),
        ("\"E1\"\n\n[\"E2\"]", 3),
        ("\"E1\" \"E2\"", 1),
    ] {
        let answer = app
            .upload("/v1/tiers/lookup", "application/x-ndjson", body)
            .await;
        let refused = problem(answer, 422, "invalid-body").await;
        assert_eq!(refused["errors"][0]["line"], line, "{body}");
    }
    let request = app
        .request(Method::POST, "/v1/tiers/lookup")
        .header("accept", "text/csv");
    let answer = request
        .json(&json!({"enterprise_ids": []}))
        .send()
        .await
        .unwrap();
    problem(answer, 406, "not-acceptable").await;
}

#[tokio::test]
async fn escaped_ids_in_a_path_name_the_same_enterprise() {
    let app = TestApp::start().await;
    app.enterprise("a-%E4%BC%81%22").await;
    let first = app.get("/v1/enterprises/a-%E4%BC%81%22/tier").await;
    let tag = header(&first, "etag").to_owned();
    let first = ok(first, 200).await;
    assert_eq!(first["enterprise_id"], "a-企\"");
    for path in [
        "/v1/enterprises/%61-%E4%BC%81%22/tier",
        &format!("/v1/enterprises/a-%E4%BC%81%22/tier?as_of={TODAY}"),
    ] {
        let again = app.get(path).await;
        assert_eq!(header(&again, "etag"), tag);
        assert_eq!(ok(again, 200).await, first);
    }
}

/// A plain request is answered before it is routed where the tier lies in the process; with an escaped letter it is routed.
#[tokio::test]
async fn an_answer_at_hand_is_that_of_the_route() {
    let app = TestApp::start().await;
    app.enterprise("E1").await;
    ok(app.get("/v1/enterprises/E1/tier").await, 200).await;
    let told = async |method: Method, id: &str, tag: Option<&str>| {
        let mut request = app
            .request(method, &format!("/v1/enterprises/{id}/tier"))
            .header("x-request-id", "one-and-the-same")
            .header("traceparent", "none");
        if let Some(tag) = tag {
            request = request.header("if-none-match", tag);
        }
        let response = request.send().await.unwrap();
        let mut headers: Vec<String> = response
            .headers()
            .iter()
            // The clock may tick, and the rate is one request further on.
            .filter(|(name, _)| !["date", "ratelimit"].contains(&name.as_str()))
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        headers.sort();
        (
            response.status(),
            headers,
            response.bytes().await.unwrap().to_vec(),
        )
    };
    let tag = header(&app.get("/v1/enterprises/E1/tier").await, "etag").to_owned();
    for (method, tag) in [
        (Method::GET, None),
        (Method::HEAD, None),
        (Method::GET, Some(tag.as_str())),
    ] {
        let at_hand = told(method.clone(), "E1", tag).await;
        let routed = told(method, "%451", tag).await;
        assert!(
            at_hand
                .1
                .contains(&"cache-status: risktier; hit".to_owned())
        );
        assert_eq!(at_hand, routed);
    }
    let metrics = app.get("/metrics").await.text().await.unwrap();
    let counted = |method: &str, status: u16| {
        let route = "/v1/enterprises/{id}/tier";
        let line = format!(
            "risktier_http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}} "
        );
        let found = metrics.lines().find_map(|text| text.strip_prefix(&line));
        found.map(|count| count.parse::<u32>().unwrap())
    };
    assert_eq!(counted("GET", 200), Some(4));
    assert_eq!(counted("HEAD", 200), Some(2));
    assert_eq!(counted("GET", 304), Some(2));
}
