//! Refusals that no handler sees, and what surrounds every request.

use reqwest::Method;

use crate::helpers::{TestApp, header, problem};

#[tokio::test]
async fn an_unknown_path_is_a_problem() {
    let app = TestApp::start().await;
    for path in [
        "/",
        "/v1",
        "/healthz/",
        "/no/such/path",
        "/%00",
        "/docs/../x",
    ] {
        problem(app.get(path).await, 404, "unknown-route").await;
    }
}

#[tokio::test]
async fn a_wrong_method_is_a_problem_that_names_the_right_ones() {
    let app = TestApp::start().await;
    for method in [Method::POST, Method::DELETE, Method::OPTIONS, Method::TRACE] {
        let response = app.request(method, "/healthz").send().await.unwrap();
        assert_eq!(header(&response, "allow"), "GET, HEAD");
        problem(response, 405, "method-not-allowed").await;
    }
}

#[tokio::test]
async fn a_sane_request_id_comes_back_and_another_is_replaced() {
    let app = TestApp::start().await;
    let echoed = async |given: &str| {
        let request = app.request(Method::GET, "/healthz");
        let response = request.header("x-request-id", given).send().await.unwrap();
        header(&response, "x-request-id").to_owned()
    };
    assert_eq!(echoed("case-17.b_~").await, "case-17.b_~");
    let longest = "x".repeat(128);
    assert_eq!(echoed(&longest).await, longest);
    for bad in ["", "a b", "a:b", "<script>", &"x".repeat(129)] {
        let id = echoed(bad).await;
        let id = uuid::Uuid::parse_str(&id).unwrap();
        assert_eq!(id.get_version_num(), 7, "{bad}");
    }
}

#[tokio::test]
async fn every_answer_has_its_own_request_id() {
    let app = TestApp::start().await;
    let (first, second) = (app.get("/healthz").await, app.get("/healthz").await);
    let ids = [&first, &second].map(|response| header(response, "x-request-id").to_owned());
    assert!(!ids[0].is_empty() && ids[0] != ids[1]);
    assert_eq!(header(&first, "x-content-type-options"), "nosniff");
    assert_eq!(header(&first, "cache-control"), "private, no-cache");
}

#[tokio::test]
async fn titles_come_in_chinese_when_asked() {
    let app = TestApp::start().await;
    let request = app.request(Method::GET, "/no/such/path");
    let response = request
        .header("accept-language", "zh-CN,zh;q=0.9,en;q=0.5")
        .send()
        .await
        .unwrap();
    assert_eq!(header(&response, "content-language"), "zh-CN");
    let body = problem(response, 404, "unknown-route").await;
    assert_eq!(body["title"], "路径不存在");
}

#[tokio::test]
async fn an_address_that_is_no_utf8_is_a_problem_and_names_nothing() {
    let app = TestApp::start().await;
    for path in [
        "/v1/enterprises/%ff%fe",
        "/v1/enterprises/%c0%af/tier",
        "/v1/enterprises/%ed%a0%80",
        "/v1/frames/%zz",
    ] {
        problem(app.get(path).await, 400, "invalid-path").await;
    }
    problem(
        app.get("/v1/enterprises?division=%ff").await,
        400,
        "invalid-query",
    )
    .await;
}
