//! The feed and webhooks on the command line, and a server that is killed or told to stop while it is asked.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{risktier, stderr, stdout};

fn json_of(folder: &Path, arguments: &[&str]) -> Value {
    let mut command = risktier(folder);
    command.args(arguments).args(["--format", "json"]);
    serde_json::from_str(&stdout(&mut command, 0)).unwrap()
}

#[test]
fn changes_are_shown_and_webhooks_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("e.csv"), "enterprise_id,name\nE1,One\nE2,Two\n").unwrap();
    stdout(risktier(folder).args(["import", "enterprises", "e.csv"]), 0);
    stdout(risktier(folder).arg("reclassify"), 0);
    let changes = json_of(folder, &["changes"]);
    assert_eq!(changes[0]["kind"], "epoch", "{changes}");
    let last = changes.as_array().unwrap().last().unwrap()["number"].to_string();
    assert_eq!(json_of(folder, &["changes", "--after", &last]), json!([]));

    let create = |url: &str, code| {
        let mut command = risktier(folder);
        command.args(["webhook", "create", url]);
        if code == 0 {
            stdout(&mut command, 0)
        } else {
            stderr(&mut command, code)
        }
    };
    assert!(create("http://127.0.0.1/", 3).contains("this machine"));
    let secret = create("http://hooks.example/", 0);
    assert!(secret.starts_with("whsec_"));
    let list = json_of(folder, &["webhook", "list"]);
    let id = list[0]["webhook_id"].as_str().unwrap();
    assert_eq!(list[0]["url"], "http://hooks.example/");
    let resumed = json_of(folder, &["webhook", "resume", id, "--skip"]);
    assert_eq!(resumed[0]["waiting_count"], 0);
    stdout(risktier(folder).args(["webhook", "delete", id]), 0);
    assert_eq!(json_of(folder, &["webhook", "list"]), json!([]));
    stderr(risktier(folder).args(["webhook", "delete", id]), 3);
}

/// A server of the test's own.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let address = format!("127.0.0.1:{port}");
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("risktier"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("RISKTIER_")) {
            command.env_remove(name);
        }
        let child = command
            .args(["serve", "--listen", &address, "--as-of", "2026-11-22"])
            .current_dir(folder)
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while TcpStream::connect(&address).is_err() {
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "the server does not listen"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, address }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const ROUNDS: usize = 4;
const KEYS: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_does_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let client = reqwest::Client::new();
    let server = Server::start(folder.path());
    let put = client
        .put(server.url("/v1/enterprises/E1"))
        .json(&json!({"name": "One"}));
    assert_eq!(put.send().await.unwrap().status(), 201);
    let frame = client.post(server.url("/v1/frames")).send().await.unwrap();
    let frame: Value = frame.json().await.unwrap();
    let plan = |title: &str| {
        json!({"frame_id": frame["frame_id"], "title": title, "visits": 1,
            "period": {"from": "2026-12-01", "to": "2026-12-31"}})
    };
    let mut server = server;
    let mut unanswered = 0;
    for round in 0..ROUNDS {
        let requests = (0..KEYS).map(|number| {
            let title = format!("{round}-{number}");
            let request = client
                .post(server.url("/v1/plans"))
                .header("idempotency-key", &title)
                .json(&plan(&title));
            tokio::spawn(async move {
                match request.send().await {
                    Ok(answer) => answer.status() == StatusCode::CREATED,
                    Err(_) => false,
                }
            })
        });
        let requests: Vec<_> = requests.collect();
        tokio::time::sleep(Duration::from_millis(3 * (1 + round as u64))).await;
        server.kill();
        let mut answered = Vec::new();
        for request in requests {
            answered.push(request.await.unwrap());
        }
        server = Server::start(folder.path());
        for (number, was_answered) in answered.into_iter().enumerate() {
            let title = format!("{round}-{number}");
            // Whoever held the key is gone; it comes free when its lease ends.
            let answer = loop {
                let request = client
                    .post(server.url("/v1/plans"))
                    .header("idempotency-key", &title)
                    .json(&plan(&title));
                let answer = request.send().await.unwrap();
                let status = answer.status();
                let body: Value = answer.json().await.unwrap();
                if body["type"] != "urn:risktier:problem:idempotency-in-flight" {
                    break (status, body);
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            };
            if answer.0 == StatusCode::CREATED {
                assert_eq!(answer.1["request"]["title"], title);
            } else {
                // It was done, and its answer was lost.
                assert!(!was_answered, "{}", answer.1);
                assert_eq!(
                    answer.1["type"],
                    "urn:risktier:problem:idempotency-unanswered"
                );
                unanswered += 1;
            }
        }
    }

    let mut titles: BTreeMap<String, usize> = BTreeMap::new();
    let mut path = "/v1/plans?limit=100".to_owned();
    loop {
        let page = client.get(server.url(&path)).send().await.unwrap();
        let page: Value = page.json().await.unwrap();
        for plan in page["items"].as_array().unwrap() {
            *titles
                .entry(plan["title"].as_str().unwrap().to_owned())
                .or_default() += 1;
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/plans?limit=100&cursor={cursor}"),
            None => break,
        }
    }
    println!("{unanswered} of {} answers were lost", ROUNDS * KEYS);
    assert_eq!(titles.len(), ROUNDS * KEYS);
    assert!(titles.values().all(|count| *count == 1), "{titles:?}");
}

#[cfg(unix)]
#[test]
fn a_server_that_is_told_to_stop_finishes_what_it_has_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let rows: String = (0..200)
        .map(|number| format!("E{number},Name {number}\n"))
        .collect();
    let body = format!("enterprise_id,name\n{rows}");
    let (first, second) = body.split_at(body.len() / 2);
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let head = format!(
        "POST /v1/enterprises/import HTTP/1.1\r\nhost: a\r\ncontent-type: text/csv\r\ncontent-length: {}\r\n\r\n{first}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The server has the request in hand as soon as it is listed.
    let started = Instant::now();
    loop {
        let mut ask = TcpStream::connect(&server.address).unwrap();
        ask.write_all(b"GET /v1/imports HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        ask.read_to_string(&mut answer).unwrap();
        if answer.contains("import_id") || started.elapsed() > Duration::from_secs(2) {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let told = Command::new("kill")
        .args(["-TERM", &server.child.id().to_string()])
        .status();
    assert!(told.unwrap().success());
    std::thread::sleep(Duration::from_millis(200));
    stream.write_all(second.as_bytes()).unwrap();
    let mut answer = String::new();
    // A server that keeps the connection open after the answer would make this wait; one that stops closes it.
    stream.read_to_string(&mut answer).unwrap();

    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("\"created_count\":200"), "{answer}");
    assert!(server.child.wait().unwrap().success());
}
