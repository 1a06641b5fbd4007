//! Webhooks against a target of the test's own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use risktier::service::WebhookOptions;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::helpers::{TestApp, header, ok, pointers, problem};
use crate::schema::{document, faults};

/// What the target was sent.
#[derive(Clone, Debug)]
struct Received {
    id: String,
    timestamp: String,
    signature: String,
    body: String,
}

/// A target that answers as it is told and keeps what it was sent.
struct Target {
    url: String,
    status: Arc<Mutex<u16>>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Target {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks", listener.local_addr().unwrap());
        let status = Arc::new(Mutex::new(204));
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let (answers, kept) = (Arc::clone(&status), Arc::clone(&received));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut bytes = Vec::new();
                let (head, length) = loop {
                    let mut chunk = [0; 4_096];
                    let count = stream.read(&mut chunk).await.unwrap();
                    if count == 0 {
                        break (String::new(), 0);
                    }
                    bytes.extend_from_slice(&chunk[..count]);
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    if let Some((head, body)) = text.split_once("\r\n\r\n") {
                        let length: usize = field(head, "content-length").parse().unwrap();
                        if body.len() >= length {
                            break (head.to_owned(), length);
                        }
                    }
                };
                if head.is_empty() {
                    continue;
                }
                let text = String::from_utf8(bytes).unwrap();
                assert!(head.starts_with("POST /hooks HTTP/1.1"), "{head}");
                kept.lock().unwrap().push(Received {
                    id: field(&head, "webhook-id"),
                    timestamp: field(&head, "webhook-timestamp"),
                    signature: field(&head, "webhook-signature"),
                    body: text[text.len() - length..].to_owned(),
                });
                let status = *answers.lock().unwrap();
                let answer = format!(
                    "HTTP/1.1 {status} Told\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self {
            url,
            status,
            received,
        }
    }

    fn answer(&self, status: u16) {
        *self.status.lock().unwrap() = status;
    }

    fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.received.lock().unwrap())
    }
}

fn field(head: &str, name: &str) -> String {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(given, _)| given.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.to_owned())
        .unwrap_or_default()
}

/// Asserts that a delivery is one that the contract describes.
fn assert_delivered(name: &str, body: &Value) {
    let delivery =
        &document()["webhooks"][name]["post"]["requestBody"]["content"]["application/json"];
    let found = faults(&delivery["schema"], body);
    assert!(found.is_empty(), "{name}: {found:#?}");
}

fn options() -> WebhookOptions {
    WebhookOptions {
        allow_loopback: true,
        allowed_hosts: Vec::new(),
        give_up: Duration::from_secs(3_600),
        first_pause: Duration::ZERO,
    }
}

async fn app() -> TestApp {
    TestApp::start_with(&[("webhooks.allow_loopback", "true")]).await
}

#[tokio::test]
async fn changes_are_sent_in_order_signed_and_again_until_they_are_taken() {
    let app = app().await;
    app.enterprise("before").await;
    let target = Target::start().await;
    let created = app.post("/v1/webhooks", &json!({"url": target.url})).await;
    let location = header(&created, "location").to_owned();
    let created = ok(created, 201).await;
    let secret = created["secret"].as_str().unwrap();
    let key = STANDARD
        .decode(secret.strip_prefix("whsec_").unwrap())
        .unwrap();
    for number in 0..3 {
        app.enterprise(&format!("E{number}")).await;
    }
    target.answer(500);
    let one = WebhookOptions {
        first_pause: Duration::from_secs(3_600),
        ..options()
    };
    app.deliver(&one).await;
    let shown = app.json(&location).await;
    assert_eq!(
        (
            &shown["state"],
            &shown["waiting_count"],
            &shown["last_status"]
        ),
        (&json!("failing"), &json!(3), &json!(500))
    );
    // It waits for an hour now, unless someone says otherwise.
    app.deliver(&one).await;
    assert_eq!(target.take().len(), 1);
    target.answer(204);
    ok(app.step(&format!("{location}/resume")).await, 200).await;
    app.deliver(&options()).await;

    let received = target.take();
    assert_eq!(received.len(), 1, "{received:#?}");
    let Received {
        id,
        timestamp,
        signature,
        body,
    } = &received[0];
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    let signed = STANDARD.encode(mac.finalize().into_bytes());
    assert_eq!(*signature, format!("v1,{signed}"));
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["type"], "tiers.changed");
    assert_delivered("tiersChanged", &body);
    // What is sent is what the feed shows.
    let feed = app.json("/v1/tiers/changes").await;
    assert_eq!(
        body["items"].as_array().unwrap()[..],
        feed["items"].as_array().unwrap()[1..]
    );
    let shown = app.json(&location).await;
    assert_eq!(
        (&shown["state"], &shown["waiting_count"]),
        (&json!("active"), &json!(0))
    );
    assert!(!shown.to_string().contains(secret));
    assert!(!app.json("/v1/webhooks").await.to_string().contains(secret));
    app.deliver(&options()).await;
    assert!(target.take().is_empty());
}

#[tokio::test]
async fn a_target_that_takes_nothing_for_too_long_is_suspended_and_keeps_its_place() {
    let app = app().await;
    let target = Target::start().await;
    let created = ok(
        app.post("/v1/webhooks", &json!({"url": target.url})).await,
        201,
    )
    .await;
    let path = format!(
        "/v1/webhooks/{}",
        created["webhook"]["webhook_id"].as_str().unwrap()
    );
    app.enterprise("E1").await;
    target.answer(302);
    let hasty = WebhookOptions {
        give_up: Duration::ZERO,
        ..options()
    };
    app.deliver(&hasty).await;
    let shown = app.json(&path).await;
    assert_eq!(
        (&shown["state"], &shown["waiting_count"]),
        (&json!("suspended"), &json!(1))
    );
    // A redirection is not followed.
    assert_eq!(target.take().len(), 1);
    app.enterprise("E2").await;
    app.deliver(&options()).await;
    assert!(target.take().is_empty());

    target.answer(200);
    ok(app.step(&format!("{path}/resume")).await, 200).await;
    app.deliver(&options()).await;
    let received = target.take();
    let body: Value = serde_json::from_str(&received[0].body).unwrap();
    assert_eq!(body["items"].as_array().unwrap().len(), 2);

    target.answer(410);
    app.enterprise("E3").await;
    app.deliver(&options()).await;
    assert_eq!(app.json(&path).await["state"], "suspended");
    let skipped = ok(app.step(&format!("{path}/resume?skip=true")).await, 200).await;
    assert_eq!(
        (&skipped["state"], &skipped["waiting_count"]),
        (&json!("active"), &json!(0))
    );
}

#[tokio::test]
async fn a_target_is_tried_out_and_taken_away() {
    let app = app().await;
    let target = Target::start().await;
    let created = ok(
        app.post("/v1/webhooks", &json!({"url": target.url})).await,
        201,
    )
    .await;
    let id = created["webhook"]["webhook_id"].as_str().unwrap();
    let path = format!("/v1/webhooks/{id}");
    let pinged = ok(app.step(&format!("{path}/ping")).await, 200).await;
    assert_eq!(pinged, json!({"is_taken": true, "status": 204}));
    let received = target.take();
    let body: Value = serde_json::from_str(&received[0].body).unwrap();
    assert_eq!(body, json!({"type": "ping", "webhook_id": id}));
    assert_delivered("ping", &body);
    target.answer(503);
    let pinged = ok(app.step(&format!("{path}/ping")).await, 200).await;
    assert_eq!(pinged["is_taken"], false);

    let deleted = app.request(Method::DELETE, &path).send().await.unwrap();
    ok(deleted, 200).await;
    app.enterprise("E1").await;
    target.take();
    app.deliver(&options()).await;
    assert!(target.take().is_empty());
    for gone in [
        app.get(&path).await,
        app.step(&format!("{path}/ping")).await,
    ] {
        problem(gone, 404, "unknown-webhook").await;
    }
}

#[tokio::test]
async fn a_target_that_may_not_be_called_is_refused() {
    let app = TestApp::start().await;
    for url in [
        "",
        "ftp://a.example/",
        "http://127.0.0.1:1/",
        "http://[::1]/",
        "http://169.254.169.254/",
        "http://user@a.example/",
        "http://a.example/\r\nx: y",
    ] {
        let refused = app.post("/v1/webhooks", &json!({"url": url})).await;
        let refused = problem(refused, 422, "invalid-body").await;
        assert_eq!(pointers(&refused), ["/url"]);
    }
    // What the settings do not allow is not called either, if they were others before.
    let body = json!({"url": "http://a.example/"});
    for number in 0..64 {
        let created = app.post("/v1/webhooks", &body).await;
        assert_eq!(created.status(), 201, "{number}");
    }
    let refused = app.post("/v1/webhooks", &body).await;
    problem(refused, 422, "rule-violated").await;
}

#[tokio::test]
async fn the_secret_is_given_once_and_kept_under_no_key() {
    let app = app().await;
    let body = json!({"url": "http://127.0.0.1:9/hooks"});
    let create = async || {
        let request = app
            .request(Method::POST, "/v1/webhooks")
            .header("idempotency-key", "hook-1");
        request.json(&body).send().await.unwrap()
    };
    let first = create().await;
    assert_eq!(header(&first, "cache-control"), "no-store");
    let created = ok(first, 201).await;

    let again = create().await;

    assert_eq!(header(&again, "idempotency-replayed"), "");
    let refused = problem(again, 409, "idempotency-unanswered").await;
    let secret = created["secret"].as_str().unwrap();
    assert!(!refused.to_string().contains(secret));
    // It was subscribed once, and nothing of the answer lies beside the key.
    let hooks = app.json("/v1/webhooks").await;
    assert_eq!(hooks["items"], json!([created["webhook"]]));
    let store = std::fs::read(app.store_path()).unwrap();
    let log = std::fs::read(format!("{}-wal", app.store_path().display())).unwrap_or_default();
    for bytes in [store, log] {
        let found = bytes
            .windows(secret.len())
            .any(|part| part == secret.as_bytes());
        assert!(!found, "the secret lies in the store as it was answered");
    }
}
