//! The tiers of the register, page by page, all of one epoch.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::helpers::{TestApp, problem};

/// All pages from the first on, and the cursors on the way.
async fn all(app: &TestApp, query: &str) -> (Vec<Value>, Vec<String>) {
    let (mut items, mut cursors) = (Vec::new(), Vec::<String>::new());
    loop {
        let cursor = cursors.last().map(|cursor| format!("&cursor={cursor}"));
        let page = app
            .json(&format!("/v1/tiers?{query}{}", cursor.unwrap_or_default()))
            .await;
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        match page.get("next_cursor") {
            Some(cursor) => cursors.push(cursor.as_str().unwrap().to_owned()),
            None => return (items, cursors),
        }
        assert!(cursors.len() < 100, "the list does not end");
    }
}

fn ids(items: &[Value]) -> Vec<&str> {
    items
        .iter()
        .map(|item| item["enterprise_id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn pages_hold_every_tier_once_in_the_order_of_ids() {
    let app = TestApp::start().await;
    app.frame(30).await;
    let (items, cursors) = all(&app, "limit=7").await;
    assert!(cursors.len() >= 4, "{cursors:?}");
    let wanted: Vec<String> = (0..30).map(|number| format!("E{number:04}")).collect();
    assert_eq!(ids(&items), wanted);
    for item in &items {
        let id = item["enterprise_id"].as_str().unwrap();
        assert_eq!(*item, app.json(&format!("/v1/enterprises/{id}/tier")).await);
    }

    let (of_tier, _) = all(&app, "limit=2&tier=C").await;
    assert_eq!(ids(&of_tier), ["E0000", "E0010", "E0020"]);
    let (of_division, _) = all(&app, "division=990201").await;
    assert_eq!(of_division.len(), 10);
    let letters: BTreeSet<&str> = items
        .iter()
        .map(|item| item["tier"].as_str().unwrap())
        .collect();
    let mut count = 0;
    for letter in &letters {
        count += all(&app, &format!("tier={letter}&limit=4")).await.0.len();
    }
    assert_eq!(count, 30);
    assert!(all(&app, "tier=D&division=99").await.0.is_empty());
}

#[tokio::test]
async fn a_cursor_serves_its_own_filter_and_epoch_alone() {
    let app = TestApp::start().await;
    app.frame(30).await;
    let page = app.json("/v1/tiers?limit=5&division=99").await;
    let cursor = page["next_cursor"].as_str().unwrap();
    for other in ["limit=5", "division=9901", "division=99&tier=A"] {
        let refused = app.get(&format!("/v1/tiers?{other}&cursor={cursor}")).await;
        problem(refused, 400, "invalid-cursor").await;
    }
    for path in ["/v1/enterprises?division=99&", "/v1/frames?"] {
        let refused = app.get(&format!("{path}cursor={cursor}")).await;
        problem(refused, 400, "invalid-cursor").await;
    }
    // Another length of the page is no other list.
    let goes_on = format!("/v1/tiers?limit=9&division=99&cursor={cursor}");
    assert_eq!(
        app.json(&goes_on).await["items"].as_array().unwrap().len(),
        9
    );

    app.step("/v1/tiers/reclassify").await;
    app.carry_out_run().await;

    let refused = problem(app.get(&goes_on).await, 410, "stale-cursor").await;
    let now = app.json("/v1/tiers?limit=1").await;
    assert_eq!(refused["epoch"], now["items"][0]["epoch"]);
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("without a cursor"),
        "{refused}"
    );
}
