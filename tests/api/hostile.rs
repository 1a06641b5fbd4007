//! Hostile input, over raw sockets: no failure of ours, no leak, no panic, and others are served meanwhile.

use std::io::Write;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::helpers::{TestApp, ok, problem};
use crate::schema::document;

/// The status of a raw answer; 0 where there is none.
fn status(answer: &str) -> u16 {
    answer
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| answer.strip_prefix("HTTP/1.0 "))
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .unwrap_or(0)
}

/// What no answer may tell.
fn assert_tells_nothing(answer: &str) {
    for leak in [
        "panicked",
        "src/",
        ".rs:",
        "rusqlite",
        "SQLITE",
        "SELECT ",
        "INSERT ",
        "backtrace",
        "/.cargo/",
        env!("CARGO_MANIFEST_DIR"),
    ] {
        assert!(!answer.contains(leak), "{leak}: {answer}");
    }
    if let Some(home) = std::env::var("HOME").ok().filter(|home| home.len() > 1) {
        assert!(!answer.contains(&format!("{home}/")), "{home}: {answer}");
    }
}

async fn is_alive(app: &TestApp) {
    assert_eq!(app.get("/healthz").await.status(), 200);
    ok(app.get("/v1/enterprises").await, 200).await;
}

#[tokio::test]
async fn a_head_that_does_not_end_is_given_up_and_others_are_served() {
    let app = TestApp::start().await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(app.address()).await.unwrap();
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n")
            .await
            .unwrap();
        slow.push(stream);
    }
    is_alive(&app).await;
    for stream in &mut slow {
        // One more header every now and then does not help.
        let _ = stream.write_all(b"x: y\r\n").await;
    }
    for mut stream in slow {
        let mut answer = Vec::new();
        let closed =
            tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut answer)).await;
        assert!(closed.is_ok(), "the connection stayed open");
        let answer = String::from_utf8_lossy(&answer);
        assert!(matches!(status(&answer), 0 | 408), "{answer}");
    }
    is_alive(&app).await;
}

#[tokio::test]
async fn a_body_that_does_not_end_is_given_up() {
    let app = TestApp::start_with(&[("limits.request_seconds", "1")]).await;
    for head in ["content-length: 1000\r\n", "transfer-encoding: chunked\r\n"] {
        let request = format!(
            "POST /v1/tiers/lookup HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{head}\r\n1\r\n{{\r\n"
        );
        let mut stream = TcpStream::connect(app.address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 65_536];
        let read = tokio::time::timeout(Duration::from_secs(60), stream.read(&mut answer)).await;
        let count = read.unwrap().unwrap();
        let answer = String::from_utf8_lossy(&answer[..count]);
        assert_eq!(status(&answer), 503, "{answer}");
        assert!(answer.contains("took-too-long"), "{answer}");
    }
    is_alive(&app).await;
}

#[tokio::test]
async fn what_is_too_large_is_refused_by_name() {
    let app = TestApp::start().await;
    let get = |path: &str, headers: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n")
    };
    let large = format!("x-large: {}\r\n", "x".repeat(20_000));
    let answer = app.raw(get("/v1/frames", &large).as_bytes()).await;
    assert_eq!(status(&answer), 431, "{answer}");
    assert!(answer.contains("urn:risktier:problem:headers-too-large"));
    let long = format!("/v1/enterprises?division={}", "9".repeat(9_000));
    let answer = app.raw(get(&long, "").as_bytes()).await;
    assert_eq!(status(&answer), 414, "{answer}");
    assert!(answer.contains("urn:risktier:problem:uri-too-long"));
    for (what, huge) in [
        (
            "one header",
            get(
                "/v1/frames",
                &format!("x-huge: {}\r\n", "x".repeat(1 << 20)),
            ),
        ),
        ("many headers", get("/v1/frames", &"x: y\r\n".repeat(5_000))),
        ("address", get(&format!("/{}", "a".repeat(1 << 20)), "")),
    ] {
        let answer = app.raw(huge.as_bytes()).await;
        assert!(matches!(status(&answer), 0 | 400..=499), "{what}: {answer}");
        assert_tells_nothing(&answer);
    }
    let deep = format!("{{\"enterprise_ids\": {}", "[".repeat(200_000));
    let refused = app
        .request(Method::POST, "/v1/tiers/lookup")
        .header("content-type", "application/json")
        .body(deep)
        .send()
        .await
        .unwrap();
    let refused_status = refused.status().as_u16();
    assert!(matches!(refused_status, 400 | 422), "{refused_status}");
    let deep = format!(
        "{{\"frame_id\": \"f\", \"title\": {}1{}}}",
        "{\"a\":".repeat(300),
        "}".repeat(300)
    );
    let refused = app
        .request(Method::POST, "/v1/plans")
        .header("content-type", "application/json")
        .body(deep)
        .send()
        .await
        .unwrap();
    assert!(refused.status().is_client_error());
    is_alive(&app).await;
}

#[tokio::test]
async fn a_small_body_that_grows_is_stopped_at_the_limit() {
    let app = TestApp::start_with(&[("limits.body_bytes", "100000")]).await;
    let zeros = vec![b' '; 50 << 20];
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&zeros).unwrap();
    let gzip = encoder.finish().unwrap();
    let zstd = zstd::encode_all(zeros.as_slice(), 19).unwrap();
    for (coding, bomb) in [("gzip", gzip), ("zstd", zstd)] {
        assert!(bomb.len() < 100_000);
        for path in ["/v1/tiers/lookup", "/v1/plans", "/v1/frames"] {
            let refused = app
                .request(Method::POST, path)
                .header("content-type", "application/json")
                .header("content-encoding", coding)
                .body(bomb.clone())
                .send()
                .await
                .unwrap();
            problem(refused, 413, "too-large").await;
        }
    }
    is_alive(&app).await;
}

#[tokio::test]
async fn paths_lead_nowhere_else() {
    let app = TestApp::start().await;
    app.enterprise("E1").await;
    for path in [
        "/../../etc/passwd",
        "/docs/../../etc/passwd",
        "/docs/..%2f..%2fetc/passwd",
        "/docs/%2e%2e/%2e%2e/etc/passwd",
        "/docs/....//etc/passwd",
        "/docs/\\..\\etc\\passwd",
        "/v1/../v1/enterprises",
        "//v1//enterprises",
        "/v1/enterprises/.",
        "/v1/enterprises/..",
        "/v1/enterprises/%2e%2e",
        "/v1/enterprises/..%2fE1",
        "/v1/enterprises/E1%2ftier",
        "/v1/enterprises/E1%00",
        "/v1/enterprises/%00",
        "/v1/enterprises/E1%0d%0ax:%20y",
        "/v1/enterprises/E1;a=b",
        "/v1/frames/..%2f..%2fetc",
        "/v1/plans/%2e%2e%2fplans/pool",
        "/V1/enterprises",
        "/v1/enterprises/",
        "http://elsewhere.example/v1/nothing",
        "*",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        let answer = app.raw(request.as_bytes()).await;
        assert!(matches!(status(&answer), 400..=499), "{path}: {answer}");
        assert!(!answer.contains("root:"), "{path}");
        assert_tells_nothing(&answer);
    }
    let raw_nul = b"GET /v1/enterprises/E1\0 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answer = app.raw(raw_nul).await;
    assert!(matches!(status(&answer), 0 | 400..=499), "{answer}");
    is_alive(&app).await;
}

#[tokio::test]
async fn no_header_is_smuggled_in_or_out() {
    let app = TestApp::start().await;
    for (name, value) in [
        ("x-request-id", "a\r\n b"),
        ("x-request-id", "%0d%0ax-evil: 1"),
        ("accept-language", "zh\u{1}"),
        ("traceparent", "00-\r\n\tx"),
        ("idempotency-key", "a%0d%0ax-evil: 1"),
    ] {
        let request = format!(
            "POST /v1/frames HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{name}: {value}\r\ncontent-length: 0\r\n\r\n"
        );
        let answer = app.raw(request.as_bytes()).await;
        assert!(matches!(status(&answer), 0 | 400..=499), "{answer}");
        let head = answer
            .split("\r\n\r\n")
            .next()
            .unwrap()
            .to_ascii_lowercase();
        assert!(!head.contains("\nx-evil"), "{answer}");
    }
    // An id that would break a `Location` is no id.
    let id = "E1%0d%0ax-evil:1";
    let refused = app
        .put(&format!("/v1/enterprises/{id}"), &json!({"name": "x"}))
        .await;
    assert!(refused.headers().get("x-evil").is_none());
    problem(refused, 400, "invalid-path").await;
    // Two lengths, or a length beside chunks, are no request: nothing behind them may pass for another one.
    for lengths in [
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "content-length: +5\r\n",
        "content-length: 5, 5\r\n",
        "content-length: -1\r\n",
        "transfer-encoding: xchunked\r\n",
    ] {
        let request = format!(
            "POST /v1/frames HTTP/1.1\r\nhost: a\r\n{lengths}\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nhost: a\r\n\
             connection: close\r\n\r\n"
        );
        let answer = app.raw(request.as_bytes()).await;
        assert!(
            matches!(status(&answer), 0 | 400..=499),
            "{lengths}: {answer}"
        );
        assert!(!answer.contains("\"version\""), "{lengths}: {answer}");
    }
    for garbage in [
        b"\x16\x03\x01\x02\x00\x01\x00".as_slice(),
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\r\n\r\n\r\n\r\nx\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\n: empty\r\n\r\n",
    ] {
        let answer = app.raw(garbage).await;
        assert!(status(&answer) < 500, "{answer}");
    }
    is_alive(&app).await;
}

/// Every value with one of its leaves, members or items replaced.
fn variants(value: &Value) -> Vec<Value> {
    let long = "长".repeat(3_000);
    let strange = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1.5),
        json!(1e308),
        json!(18_446_744_073_709_551_615_u64),
        json!(""),
        json!(" "),
        json!("\u{0}"),
        json!("\u{202e}evil\u{feff}"),
        json!("9999-99-99"),
        json!("../../etc/passwd"),
        json!("'; DROP TABLE enterprises; --"),
        json!("{{7*7}}<script>"),
        json!(long),
        json!([]),
        json!({}),
        json!([[[[[]]]]]),
        json!({"$ref": "#"}),
    ];
    let mut found: Vec<Value> = strange.to_vec();
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let mut without = members.clone();
                without.remove(name);
                found.push(Value::Object(without));
                for variant in variants(member) {
                    let mut with = members.clone();
                    with.insert(name.clone(), variant);
                    found.push(Value::Object(with));
                }
            }
            let mut more = members.clone();
            more.insert("unknown_member".to_owned(), json!(1));
            found.push(Value::Object(more));
        }
        Value::Array(items) => {
            if let Some(first) = items.first() {
                for variant in variants(first) {
                    found.push(json!([variant]));
                }
                found.push(Value::Array(vec![first.clone(); 300]));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    found
}

/// A path with its parameters filled in: as the contract's examples say, or with something strange.
fn filled(path: &str, item: &Value, strange: Option<&str>) -> String {
    let mut path = path.to_owned();
    for parameter in item["parameters"].as_array().into_iter().flatten() {
        if parameter["in"] == "path" {
            let name = format!("{{{}}}", parameter["name"].as_str().unwrap());
            let example = parameter["example"].as_str().unwrap_or("x");
            path = path.replace(&name, strange.unwrap_or(example));
        }
    }
    path
}

#[tokio::test]
async fn strange_bodies_on_every_operation_are_refused_and_never_a_failure_of_ours() {
    let app = TestApp::start_with(&[("webhooks.allow_loopback", "true")]).await;
    let id = "91990000MA00000017";
    app.enterprise(id).await;
    let mut sent = 0;
    for (path, methods) in document()["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let example = &operation["requestBody"]["content"]["application/json"]["example"];
            if example.is_null() {
                continue;
            }
            let path = filled(path, operation, None);
            let method: Method = method.to_uppercase().parse().unwrap();
            for body in variants(example) {
                let request = app.request(method.clone(), &path).json(&body);
                let answer = request.send().await.unwrap();
                let status = answer.status().as_u16();
                let text = answer.text().await.unwrap();
                assert!(status < 500, "{method} {path} {body}: {text}");
                assert_tells_nothing(&text);
                sent += 1;
            }
            for (media_type, bytes) in [
                ("application/json", b"\xff\xfe{}".to_vec()),
                ("application/json", b"{\"a\": 1, \"a\": 2}".to_vec()),
                ("application/json", b"NaN".to_vec()),
                ("application/json", b"{} {}".to_vec()),
                ("application/json", "[".repeat(100_000).into_bytes()),
                ("application/xml", b"<a/>".to_vec()),
                ("", b"{}".to_vec()),
            ] {
                let request = app
                    .request(method.clone(), &path)
                    .header("content-type", media_type);
                let answer = request.body(bytes).send().await.unwrap();
                let status = answer.status().as_u16();
                assert!(
                    (400..500).contains(&status),
                    "{method} {path} {media_type}: {status}"
                );
                assert_tells_nothing(&answer.text().await.unwrap());
                sent += 1;
            }
        }
    }
    assert!(sent > 1_000, "{sent}");
    is_alive(&app).await;
}

#[tokio::test]
async fn strange_paths_and_queries_on_every_operation_are_refused_and_never_a_failure_of_ours() {
    let app = TestApp::start().await;
    let long = "x".repeat(3_000);
    let strange = [
        "%00",
        "%0d%0a",
        "%F0%9F%92%A9",
        "%e2%80%ae",
        "-1",
        "0",
        "18446744073709551616",
        "null",
        "%7b%7d",
        "'%20OR%201=1--",
        "..%2f..",
        long.as_str(),
    ];
    for (path, methods) in document()["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let mut addresses = Vec::new();
            for value in strange {
                addresses.push(filled(path, operation, Some(value)));
                let path = filled(path, operation, None);
                addresses.push(format!("{path}?{value}"));
                addresses.push(format!("{path}?unknown={value}"));
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    if parameter["in"] == "query" {
                        let name = parameter["name"].as_str().unwrap();
                        addresses.push(format!("{path}?{name}={value}"));
                        addresses.push(format!("{path}?{name}={value}&{name}={value}"));
                    }
                }
            }
            for address in addresses {
                let answer = app.request(method.clone(), &address).send().await.unwrap();
                let status = answer.status().as_u16();
                let is_stream = address.contains("/export") || address.contains("/events");
                assert!(status < 500, "{method} {address}: {status}");
                if !(is_stream && status == 200) {
                    assert_tells_nothing(&answer.text().await.unwrap());
                }
            }
        }
    }
    is_alive(&app).await;
}

/// An import whose body does not go on.
async fn slow_import(app: &TestApp) -> TcpStream {
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    let head = "POST /v1/enterprises/import HTTP/1.1\r\nhost: a\r\ncontent-type: text/csv\r\ncontent-length: 100\r\n\r\nenterprise_id";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn as_many_as_may_be_are_worked_on_and_the_others_are_told_to_come_again() {
    let app = TestApp::start_with(&[("limits.concurrent_imports", "2")]).await;
    let import = async || {
        let body = "enterprise_id,name\nE1,One\n";
        app.upload("/v1/enterprises/import", "text/csv", body).await
    };
    let mut slow = vec![slow_import(&app).await, slow_import(&app).await];
    let refused = async {
        loop {
            let third = import().await;
            if third.status() != 200 {
                return third;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            // A slow one that came while the third was worked on was refused itself.
            for stream in &mut slow {
                if stream.try_read(&mut [0; 1]).is_ok() {
                    *stream = slow_import(&app).await;
                }
            }
        }
    };
    let third = tokio::time::timeout(Duration::from_secs(60), refused).await;
    let third = third.expect("imports are not counted");
    assert_eq!(third.headers()["retry-after"], "1");
    problem(third, 503, "overloaded").await;
    is_alive(&app).await;
    drop(slow);
    let taken = async {
        while import().await.status() != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let taken = tokio::time::timeout(Duration::from_secs(60), taken).await;
    taken.expect("imports that broke off are counted on");
}
