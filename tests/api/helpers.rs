//! A running server and a client for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use jiff::civil::date;
use reqwest::{Method, RequestBuilder, Response};
use risktier::api::{ApiServer, AppState, Readiness, ReadinessCheck};
use risktier::cache::MemoryCache;
use risktier::config::Sources;
use risktier::service::{Clock, Entropy, ModelFiles, Models, Service, WebhookOptions};
use risktier::store::SqliteStore;
use risktier::telemetry::Metrics;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::schema::assert_promised;

/// The day on which every test takes place.
pub const TODAY: &str = "2026-11-22";

/// How long a test waits for one answer, on a machine that others use too.
const LONGEST_WAIT: std::time::Duration = std::time::Duration::from_secs(180);

/// A server on a free port over a store of its own, stopped when dropped.
pub struct TestApp {
    base: String,
    client: reqwest::Client,
    pub store_works: Arc<AtomicBool>,
    handle: actix_web::dev::ServerHandle,
    follower: tokio::task::JoinHandle<()>,
    service: Arc<Service>,
    folder: tempfile::TempDir,
}

/// What is ready by a test's decision.
struct Switch {
    works: Arc<AtomicBool>,
    real: Arc<dyn Readiness>,
}

#[async_trait]
impl Readiness for Switch {
    async fn checks(&self) -> Vec<ReadinessCheck> {
        if self.works.load(Ordering::SeqCst) {
            return self.real.checks().await;
        }
        vec![ReadinessCheck {
            name: "store",
            trouble: Some("the store does not answer".to_owned()),
        }]
    }
}

impl TestApp {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A server with settings that differ from the defaults.
    pub async fn start_with(settings: &[(&'static str, &str)]) -> Self {
        Self::start_built(settings, |service| service).await
    }

    /// A server whose service is built otherwise.
    pub async fn start_built(
        settings: &[(&'static str, &str)],
        build: impl FnOnce(Service) -> Service,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listen = ("listen", "127.0.0.1:0");
        let settings = settings
            .iter()
            .chain([&listen])
            .fold(Sources::new(), |sources, (key, value)| {
                sources.flag("--test", key, Some((*value).to_owned()))
            })
            .load()
            .unwrap();
        let service = Service::open(
            Arc::new(SqliteStore::open(&folder.path().join("risktier.db")).unwrap()),
            Arc::new(MemoryCache::with_capacity(1_000)),
            Models::load(&ModelFiles::default()).unwrap(),
            Clock::Fixed(date(2026, 11, 22)),
            Entropy::insecure(7),
        );
        let service = Arc::new(build(service.unwrap()));
        service.catch_up().await.unwrap();
        let follower = Arc::clone(&service);
        let follower = tokio::spawn(async move { follower.follow_changes().await });
        let mut state = AppState::new(settings, Arc::clone(&service), Metrics::install().unwrap());
        let store_works = Arc::new(AtomicBool::new(true));
        state.readiness = Arc::new(Switch {
            works: store_works.clone(),
            real: state.readiness,
        });
        let server = ApiServer::bind(state).unwrap();
        let base = format!("http://{}", server.address());
        let handle = server.handle();
        tokio::spawn(server.run());
        Self {
            base,
            client: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                // A test that waits for an answer that never comes is to fail and not to hang.
                .timeout(LONGEST_WAIT)
                // Sooner than the server closes a silent connection, or a slow machine meets one that is just being closed.
                .pool_idle_timeout(std::time::Duration::from_secs(2))
                .build()
                .unwrap(),
            store_works,
            handle,
            follower,
            service,
            folder,
        }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// The file of the store.
    pub fn store_path(&self) -> std::path::PathBuf {
        self.folder.path().join("risktier.db")
    }

    /// Where the server listens, as `host:port`.
    pub fn address(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    /// The JSON of a successful answer to a GET.
    pub async fn json(&self, path: &str) -> Value {
        ok(self.get(path).await, 200).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Response {
        let request = self.request(Method::POST, path);
        request.json(body).send().await.unwrap()
    }

    pub async fn put(&self, path: &str, body: &Value) -> Response {
        let request = self.request(Method::PUT, path);
        request.json(body).send().await.unwrap()
    }

    /// A POST without a body.
    pub async fn step(&self, path: &str) -> Response {
        self.request(Method::POST, path).send().await.unwrap()
    }

    pub async fn upload(&self, path: &str, media_type: &str, body: impl Into<Vec<u8>>) -> Response {
        self.request(Method::POST, path)
            .header("content-type", media_type)
            .body(body.into())
            .send()
            .await
            .unwrap()
    }

    /// Does what a server does in the background: carries out the run that was asked for.
    pub async fn carry_out_run(&self) {
        let service = Arc::clone(&self.service);
        let work = move || service.carry_out_run(&()).unwrap().unwrap();
        tokio::task::spawn_blocking(work).await.unwrap();
    }

    /// Carries out the first job beside the runs; says whether there was one.
    pub async fn carry_out_task(&self) -> bool {
        let service = Arc::clone(&self.service);
        let work = move || service.carry_out_task().unwrap().is_some();
        tokio::task::spawn_blocking(work).await.unwrap()
    }

    /// Does what a server does in the background: delivers what webhooks wait for, until nothing is due.
    pub async fn deliver(&self, options: &WebhookOptions) {
        let (service, options) = (Arc::clone(&self.service), options.clone());
        let work = move || while service.deliver_once(&options).unwrap() {};
        tokio::task::spawn_blocking(work).await.unwrap();
    }

    /// Sends bytes as they are and gives what comes back until the server closes, or until it has nothing more to say.
    pub async fn raw(&self, bytes: &[u8]) -> String {
        let stream = tokio::net::TcpStream::connect(self.address())
            .await
            .unwrap();
        let (mut reader, mut writer) = stream.into_split();
        // The server may refuse and close before it has read everything, or stop reading without closing.
        let bytes = bytes.to_vec();
        let sending = tokio::spawn(async move {
            let _ = writer.write_all(&bytes).await;
            // Kept open: a client that has said everything still listens.
            std::future::pending::<()>().await;
        });
        let mut answer = Vec::new();
        let read = reader.read_to_end(&mut answer);
        let _ = tokio::time::timeout(std::time::Duration::from_secs(20), read).await;
        sending.abort();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Writes an enterprise of two members.
    pub async fn enterprise(&self, id: &str) {
        let body = json!({"name": format!("Enterprise {id}"), "division": "990102"});
        let response = self.put(&format!("/v1/enterprises/{id}"), &body).await;
        assert_eq!(response.status(), 201);
    }

    /// A register of `count` enterprises, every tenth of them with a penalty, and a frame of it.
    pub async fn frame(&self, count: usize) -> String {
        let mut rows = String::from("enterprise_id,name,division,industry,size,status\n");
        let mut records = String::new();
        for number in 0..count {
            let division = ["990102", "990103", "990201"][number % 3];
            rows.push_str(&format!(
                "E{number:04},Enterprise {number},{division},F5212,small,active\n"
            ));
            if number % 10 == 0 {
                let record = json!({
                    "record_id": format!("P{number}"), "enterprise_id": format!("E{number:04}"), "kind": "penalty",
                    "occurred_on": "2026-06-01", "known_on": "2026-06-02", "severity": "serious",
                    "amount_cny": 200_000.0
                });
                records.push_str(&format!("{record}\n"));
            }
        }
        let imported = self
            .upload("/v1/enterprises/import", "text/csv", rows)
            .await;
        assert_eq!(ok(imported, 200).await["created_count"], count);
        let path = "/v1/records/import?source=penalties";
        let imported = self.upload(path, "application/x-ndjson", records).await;
        assert_eq!(ok(imported, 200).await["refused_count"], 0);
        let items = ["food-hygiene", "fire-exits", "annual-report"].map(
            |code| json!({"item_code": code, "name": code, "class": "general", "published": true}),
        );
        let lifts =
            json!({"item_code": "lift-safety", "name": "lifts", "class": "key", "published": true});
        let items: Vec<Value> = items.into_iter().chain([lifts]).collect();
        ok(self.post("/v1/items", &json!({"items": items})).await, 200).await;
        let frame = ok(self.step("/v1/frames").await, 201).await;
        frame["frame_id"].as_str().unwrap().to_owned()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.follower.abort();
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

/// The JSON of an answer with the expected status, as the contract promises it.
pub async fn ok(response: Response, status: u16) -> Value {
    let found = response.status().as_u16();
    let path = response.url().path().to_owned();
    let text = response.text().await.unwrap();
    assert_eq!(found, status, "{text}");
    let body = serde_json::from_str(&text).unwrap();
    assert_promised(&path, status, &body);
    body
}

/// The body of a problem, after checking what every problem has.
pub async fn problem(response: Response, status: u16, slug: &str) -> Value {
    let found = response.status().as_u16();
    let media_type = header(&response, "content-type").to_owned();
    let id = header(&response, "x-request-id").to_owned();
    let text = response.text().await.unwrap();
    assert_eq!(found, status, "{text}");
    assert_eq!(media_type, "application/problem+json");
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        body["type"],
        format!("urn:risktier:problem:{slug}"),
        "{body}"
    );
    assert_eq!(body["status"], status);
    assert_eq!(body["instance"], id);
    assert!(
        body["title"].is_string() && body["detail"].is_string(),
        "{body}"
    );
    body
}

/// The JSON Pointers that a problem names.
pub fn pointers(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().unwrap().iter();
    errors
        .filter_map(|error| error["pointer"].as_str())
        .collect()
}
