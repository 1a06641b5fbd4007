//! The printable sheet: whole in itself, in two languages, and without a tier where everybody may read it.

use crate::helpers::{TestApp, header, problem};
use crate::plans::{drafted, input};

async fn sheet(app: &TestApp, path: &str) -> String {
    let response = app.get(path).await;
    assert_eq!(response.status(), 200, "{path}");
    assert_eq!(
        header(&response, "content-type"),
        "text/html; charset=utf-8"
    );
    response.text().await.unwrap()
}

/// What stands on the page, without style and markup.
fn words(page: &str) -> String {
    let body = &page[page.find("<main>").unwrap()..];
    let mut text = String::new();
    let mut inside = false;
    for character in body.chars() {
        match character {
            '<' => inside = true,
            '>' => {
                inside = false;
                text.push(' ');
            }
            other if !inside => text.push(other),
            _ => {}
        }
    }
    text
}

#[tokio::test]
async fn the_public_sheet_shows_no_tier_rate_or_stratum() {
    let (app, plan) = drafted(|frame| {
        let mut input = input(frame);
        input["draw"] = "now".into();
        input
    })
    .await;

    let public = sheet(&app, &format!("{plan}/sheet")).await;
    let internal = sheet(&app, &format!("{plan}/sheet?edition=internal")).await;

    let (open, closed) = (words(&public), words(&internal));
    for word in [
        "S001",
        "S002",
        "risk tier A",
        " A ",
        " B ",
        " C ",
        " D ",
        "rate",
        "target",
        "比例",
        "应抽",
        "入样概率",
        "inclusion",
    ] {
        assert!(!open.contains(word), "`{word}` in {open}");
    }
    assert!(closed.contains("S001") && closed.contains("入样概率") && closed.contains(" C "));
    let view = app.json(&plan).await;
    for (digest, everybody) in [
        (&view["frozen"]["plan_digest"], true),
        (&view["frozen"]["pool_root"], true),
        (&view["transcript_digest"], true),
        (&view["frozen"]["contributions"][0]["commitment"], true),
        (&view["frozen"]["pool_digest"], false),
        (&view["sample_digest"], false),
    ] {
        let digest = digest.as_str().unwrap();
        assert!(closed.contains(digest));
        assert_eq!(open.contains(digest), everybody, "{digest}");
    }
    // The order of the drawn objects tells nothing: it is that of their ids.
    let sample = app.json(&format!("{plan}/sample")).await;
    let mut ids: Vec<String> = sample["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|object| object["enterprise_id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    let places: Vec<usize> = ids
        .iter()
        .map(|id| open.find(id.as_str()).unwrap())
        .collect();
    assert!(places.is_sorted());
    assert!(open.contains(&format!(
        "Enterprise {}",
        ids[0][1..].parse::<u32>().unwrap()
    )));
}

#[tokio::test]
async fn a_sheet_is_whole_in_itself_and_speaks_two_languages() {
    let (app, plan) = drafted(|frame| {
        let mut input = input(frame);
        input["title"] = "<script>alert(1)</script> & \"第一季度\"".into();
        input
    })
    .await;

    let draft = sheet(&app, &format!("{plan}/sheet?language=en")).await;
    app.step(&format!("{plan}/freeze")).await;
    let frozen = sheet(&app, &format!("{plan}/sheet?edition=internal&language=zh")).await;

    for page in [&draft, &frozen] {
        assert!(
            !page.contains("<script") && !page.contains("http://") && !page.contains("https://")
        );
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;第一季度&quot;"));
        assert!(page.contains("default-src 'none'"));
        assert!(page.contains("lang=\"zh\"") && page.contains("lang=\"en\""));
    }
    assert!(draft.starts_with("<!doctype html>\n<html lang=\"en\">"));
    assert!(frozen.starts_with("<!doctype html>\n<html lang=\"zh-CN\">"));
    assert!(words(&draft).contains("Nothing is drawn yet"));
    assert!(words(&frozen).contains("已冻结，未抽取"));
    let chinese = app
        .request(reqwest::Method::GET, &format!("{plan}/sheet"))
        .header("accept-language", "zh-CN")
        .send()
        .await
        .unwrap();
    assert!(
        chinese
            .text()
            .await
            .unwrap()
            .contains("<html lang=\"zh-CN\">")
    );
    problem(app.get("/v1/plans/none/sheet").await, 404, "unknown-plan").await;
    problem(
        app.get(&format!("{plan}/sheet?edition=auditor")).await,
        400,
        "invalid-query",
    )
    .await;
}
