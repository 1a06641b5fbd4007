//! A running server and a client for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use reqwest::{Method, RequestBuilder, Response};
use risktier::api::{ApiServer, AppState, Readiness, ReadinessCheck};
use risktier::config::Sources;
use risktier::telemetry::Metrics;
use serde_json::Value;

/// A server on a free port, stopped when dropped.
pub struct TestApp {
    base: String,
    client: reqwest::Client,
    pub store_works: Arc<AtomicBool>,
    handle: actix_web::dev::ServerHandle,
}

/// What is ready by a test's decision.
struct Switch(Arc<AtomicBool>);

#[async_trait]
impl Readiness for Switch {
    async fn checks(&self) -> Vec<ReadinessCheck> {
        let works = self.0.load(Ordering::SeqCst);
        vec![ReadinessCheck {
            name: "store",
            trouble: (!works).then(|| "the store does not answer".to_owned()),
        }]
    }
}

impl TestApp {
    pub async fn start() -> Self {
        let settings = Sources::new()
            .flag("--listen", "listen", Some("127.0.0.1:0".to_owned()))
            .load()
            .unwrap();
        let store_works = Arc::new(AtomicBool::new(true));
        let server = ApiServer::bind(AppState {
            settings: Arc::new(settings),
            metrics: Metrics::install().unwrap(),
            readiness: Arc::new(Switch(store_works.clone())),
        })
        .unwrap();
        let base = format!("http://{}", server.address());
        let handle = server.handle();
        tokio::spawn(server.run());
        Self {
            base,
            client: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap(),
            store_works,
            handle,
        }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

pub fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
        .unwrap_or_default()
}

/// The body of a problem, after checking what every problem has.
pub async fn problem(response: Response, status: u16, slug: &str) -> Value {
    assert_eq!(response.status().as_u16(), status);
    assert_eq!(
        header(&response, "content-type"),
        "application/problem+json"
    );
    let id = header(&response, "x-request-id").to_owned();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["type"], format!("urn:risktier:problem:{slug}"));
    assert_eq!(body["status"], status);
    assert_eq!(body["instance"], id);
    assert!(
        body["title"].is_string() && body["detail"].is_string(),
        "{body}"
    );
    body
}
