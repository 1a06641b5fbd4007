//! Taking requests in: JSON bodies with a limit, and refusals as problems.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::{Decompress, Payload};
use actix_web::error::{PathError, PayloadError, QueryPayloadError};
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{self, Bytes, BytesMut};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::{Stream, StreamExt};
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use super::AppState;
use super::problem::{Problem, ProblemItem, ProblemKind};
use super::upload::LONGEST_PAUSE;

/// A JSON body. Give the type `#[serde(deny_unknown_fields)]`, so that a misspelt field is an error.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            expect_media_type(&request, &["application/json"])?;
            let limit = request
                .app_data::<web::Data<AppState>>()
                .ok_or_else(|| Problem::internal("the server was built without its state"))?
                .settings
                .limits
                .body_bytes;
            let bytes = read_body(request.headers(), payload, limit).await?;
            parse_json(&bytes).map(Self)
        })
    }
}

/// Media types of imports.
pub(super) const CSV: &str = "text/csv";
pub(super) const NDJSON: &str = "application/x-ndjson";
pub(super) const PARQUET: &str = "application/vnd.apache.parquet";

/// Refuses a body whose media type is not one of `allowed`, and a compression that we do not read.
pub(super) fn expect_media_type(request: &HttpRequest, allowed: &[&str]) -> Result<(), Problem> {
    expect_body(request, allowed, &["gzip", "zstd"])
}

/// Refuses a body that is no file of rows. Compressions are noticed by the reader itself.
pub(super) fn expect_import(request: &HttpRequest) -> Result<(), Problem> {
    expect_body(request, &[CSV, NDJSON, PARQUET], &["gzip", "zstd"])
}

fn expect_body(
    request: &HttpRequest,
    allowed: &[&str],
    compressions: &[&str],
) -> Result<(), Problem> {
    let given = request.content_type();
    if !allowed
        .iter()
        .any(|one| one.eq_ignore_ascii_case(given.trim()))
    {
        return Err(Problem::new(
            ProblemKind::UnsupportedMediaType,
            format!("the body is `{given}`; send {}", allowed.join(" or ")),
        )
        .with_header(header::ACCEPT, allowed.join(", ")));
    }
    let encoding = request
        .headers()
        .get(header::CONTENT_ENCODING)
        .map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase());
    match encoding.as_deref() {
        None | Some("identity") => Ok(()),
        Some(given) if compressions.contains(&given) => Ok(()),
        Some(other) => {
            let known = compressions.join(" or ");
            Err(Problem::new(
                ProblemKind::UnsupportedMediaType,
                format!("the body is compressed with `{other}`; send it plain or with {known}"),
            )
            .with_header(header::ACCEPT_ENCODING, compressions.join(", ")))
        }
    }
}

/// Reads a whole body, decompressed, up to `limit` bytes.
pub(super) async fn read_body(
    headers: &HeaderMap,
    payload: Payload,
    limit: usize,
) -> Result<Bytes, Problem> {
    read_body_within(headers, payload, limit, LONGEST_PAUSE).await
}

/// Reads a whole body as it was sent, up to `limit` bytes.
pub(super) async fn read_raw(
    headers: &HeaderMap,
    payload: Payload,
    limit: usize,
) -> Result<Bytes, Problem> {
    read_stream(headers, payload, limit, LONGEST_PAUSE).await
}

async fn read_body_within(
    headers: &HeaderMap,
    payload: Payload,
    limit: usize,
    pause: Duration,
) -> Result<Bytes, Problem> {
    let stream = Decompress::from_headers(payload, headers);
    read_stream(headers, stream, limit, pause).await
}

async fn read_stream(
    headers: &HeaderMap,
    mut stream: impl Stream<Item = Result<Bytes, PayloadError>> + Unpin,
    limit: usize,
    pause: Duration,
) -> Result<Bytes, Problem> {
    let too_large = || {
        Problem::new(
            ProblemKind::TooLarge,
            format!("the body has more than {limit} bytes; send it in parts"),
        )
        .with_member("limit_bytes", limit)
    };
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut body = BytesMut::with_capacity(announced.unwrap_or(0).min(1 << 16));
    loop {
        let chunk = match tokio::time::timeout(pause, stream.next()).await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(_) => {
                return Err(Problem::new(
                    ProblemKind::RequestTimeout,
                    "the body did not go on; send it again",
                ));
            }
        };
        let chunk = chunk.map_err(|error| {
            Problem::new(
                ProblemKind::MalformedBody,
                format!("the body did not arrive whole: {error}"),
            )
        })?;
        if body.len() + chunk.len() > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Parses JSON; what does not fit names the place by JSON Pointer.
pub(super) fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer = pointer_of(error.path());
        json_problem(error.inner(), Some(pointer))
    })?;
    deserializer
        .end()
        .map_err(|error| json_problem(&error, None))?;
    Ok(value)
}

fn json_problem(error: &serde_json::Error, pointer: Option<String>) -> Problem {
    let text = error.to_string();
    let what = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(what, _)| what)
        .to_owned();
    let line = u64::try_from(error.line()).ok().filter(|line| *line > 0);
    if what == "recursion limit exceeded" {
        let detail = format!(
            "the body is nested too deeply at line {} column {}; no request needs that",
            error.line(),
            error.column()
        );
        return Problem::new(ProblemKind::TooDeep, detail).with_item(ProblemItem {
            line,
            detail: what,
            ..ProblemItem::default()
        });
    }
    if error.is_data() {
        let place = pointer.filter(|pointer| !pointer.is_empty());
        let detail = match &place {
            Some(pointer) => format!("the body does not fit at `{pointer}`: {what}"),
            None => format!("the body does not fit: {what}"),
        };
        Problem::new(ProblemKind::InvalidBody, detail).with_item(ProblemItem {
            pointer: Some(place.unwrap_or_default()),
            line,
            detail: what,
            ..ProblemItem::default()
        })
    } else {
        let place = format!("line {} column {}", error.line(), error.column());
        Problem::new(
            ProblemKind::MalformedBody,
            format!("the body is not JSON at {place}: {what}"),
        )
        .with_item(ProblemItem {
            line,
            detail: what,
            ..ProblemItem::default()
        })
    }
}

/// JSON Pointer, RFC 6901; the empty text is the whole body.
fn pointer_of(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            // The name of a variant or an unreadable key is not a place of its own.
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

/// How rejected path parts answer.
pub(super) fn path_config() -> web::PathConfig {
    web::PathConfig::default().error_handler(|error, _| {
        let detail = match &error {
            PathError::Deserialize(cause) => cause.to_string(),
            other => other.to_string(),
        };
        Problem::new(
            ProblemKind::InvalidPath,
            format!("the path does not fit: {detail}"),
        )
        .into()
    })
}

/// How rejected queries answer.
pub(super) fn query_config() -> web::QueryConfig {
    web::QueryConfig::default().error_handler(|error, _| {
        let detail = match &error {
            QueryPayloadError::Deserialize(cause) => cause.to_string(),
            other => other.to_string(),
        };
        Problem::new(
            ProblemKind::InvalidQuery,
            format!("the query does not fit: {detail}"),
        )
        .into()
    })
}

#[cfg(test)]
mod tests {
    use super::super::context;
    use super::super::language::Language;
    use super::*;
    use crate::cache::MemoryCache;
    use crate::config::Sources;
    use crate::service::{Clock, Entropy, ModelFiles, Models};
    use crate::store::SqliteStore;
    use crate::telemetry::Metrics;
    use actix_web::App;
    use actix_web::body::MessageBody;
    use actix_web::dev::Service;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, init_service};
    use std::io::Write;
    use std::sync::Arc;

    #[derive(Debug, serde::Deserialize, serde::Serialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[serde(default)]
        enterprise_ids: Vec<crate::domain::EnterpriseId>,
    }

    fn refused(body: &str) -> serde_json::Value {
        let problem = parse_json::<Sample>(body.as_bytes()).unwrap_err();
        let response = problem.render(Language::English, None);
        let bytes = response.into_body().try_into_bytes().unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn a_field_that_does_not_fit_is_named_by_its_pointer() {
        let body = refused("{\"enterprise_ids\": [\"a\",\n \"b c\"]}");
        assert_eq!(body["status"], 422);
        assert_eq!(body["errors"][0]["pointer"], "/enterprise_ids/1");
        assert_eq!(body["errors"][0]["line"], 2);

        let body = refused("{\"enterprise/ids\": []}");
        assert_eq!(body["errors"][0]["pointer"], "/enterprise~1ids");
        assert!(body["detail"].as_str().unwrap().contains("unknown field"));
    }

    #[test]
    fn what_is_not_json_says_where() {
        for (body, place) in [
            ("", "line 1 column 0"),
            ("{\"enterprise_ids\": [", "line 1"),
            ("{}\n{}", "line 2 column 1"),
            ("{\"enterprise_ids\": \"\u{0}\"}", "line 1"),
        ] {
            let body = refused(body);
            assert_eq!(body["status"], 400, "{body}");
            assert_eq!(body["type"], "urn:risktier:problem:malformed-body");
            assert!(body["detail"].as_str().unwrap().contains(place), "{body}");
        }
        let deep = "[".repeat(100_000);
        assert!(parse_json::<serde_json::Value>(deep.as_bytes()).is_err());
        assert!(parse_json::<Sample>(b"{\"enterprise_ids\": [\"\xff\"]}").is_err());
    }

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Page {
        limit: u16,
    }

    /// Asks a server that gives bodies back and takes at most 2,000 bytes.
    async fn answer(request: TestRequest) -> (u16, serde_json::Value) {
        let settings = Sources::new()
            .flag("--limit", "limits.body_bytes", Some("2000".to_owned()))
            .load()
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("risktier.db")).unwrap();
        let service = crate::service::Service::open(
            Arc::new(store),
            Arc::new(MemoryCache::with_capacity(1)),
            Models::load(&ModelFiles::default()).unwrap(),
            Clock::System,
            Entropy::insecure(1),
        )
        .unwrap();
        let state = AppState::new(settings, Arc::new(service), Metrics::install().unwrap());
        let echo = async |Body(sample): Body<Sample>| web::Json(sample);
        let page = async |number: web::Path<u16>, page: web::Query<Page>| {
            format!("{number} {}", page.limit)
        };
        let app = App::new()
            .app_data(web::Data::new(state))
            .app_data(path_config())
            .app_data(query_config())
            .route("/echo", web::post().to(echo))
            .route("/pages/{number}", web::get().to(page))
            .route(
                "/panic",
                web::get().to(async || -> String { panic!("as a test wants it") }),
            )
            .wrap(from_fn(context::surround));
        let service = init_service(app).await;
        let response = match service.call(request.to_request()).await {
            Ok(response) => response.into_parts().1,
            Err(error) => error.error_response(),
        };
        let status = response.status().as_u16();
        assert!(response.headers().contains_key(context::REQUEST_ID));
        let body = response.into_body().try_into_bytes().unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    fn post(media_type: &str, body: impl Into<Bytes>) -> TestRequest {
        TestRequest::post()
            .uri("/echo")
            .insert_header(("content-type", media_type))
            .set_payload(body)
    }

    fn gzipped(body: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    #[actix_web::test]
    async fn a_body_is_read_plain_or_compressed() {
        let body = r#"{"enterprise_ids":["a"]}"#;
        let (status, echoed) = answer(post("application/json; charset=utf-8", body)).await;
        assert_eq!((status, &echoed["enterprise_ids"][0]), (200, &"a".into()));

        let request = post("application/json", gzipped(body.as_bytes()))
            .insert_header(("content-encoding", "gzip"));
        assert_eq!(answer(request).await.0, 200);
    }

    #[actix_web::test]
    async fn a_body_of_the_wrong_form_or_size_is_a_problem() {
        let spaces = " ".repeat(2_001);
        let bomb = gzipped(&[b' '; 1 << 20]);
        let cases = [
            (post("text/plain", "{}"), 415, "unsupported-media-type"),
            (post("", "{}"), 415, "unsupported-media-type"),
            (
                post("application/json", "{}").insert_header(("content-encoding", "br")),
                415,
                "unsupported-media-type",
            ),
            (post("application/json", spaces), 413, "too-large"),
            (
                post("application/json", bomb).insert_header(("content-encoding", "gzip")),
                413,
                "too-large",
            ),
            (
                post("application/json", "{}").insert_header(("content-encoding", "gzip")),
                400,
                "malformed-body",
            ),
            (post("application/json", "{"), 400, "malformed-body"),
            (post("application/json", r#"{"x":1}"#), 422, "invalid-body"),
        ];
        for (request, status, slug) in cases {
            let (got, body) = answer(request).await;
            assert_eq!(got, status, "{body}");
            assert_eq!(body["type"], format!("urn:risktier:problem:{slug}"));
            assert!(body["instance"].is_string());
        }
    }

    #[actix_web::test]
    async fn a_body_that_does_not_go_on_is_given_up() {
        let first = futures_util::stream::iter([Ok(Bytes::from_static(b"{"))]);
        let payload = Payload::from(Box::pin(first.chain(futures_util::stream::pending()))
            as Pin<Box<dyn futures_util::Stream<Item = _>>>);
        let pause = Duration::from_millis(20);

        let problem = read_body_within(&HeaderMap::new(), payload, 100, pause)
            .await
            .unwrap_err();

        assert_eq!(problem.kind(), ProblemKind::RequestTimeout);
    }

    #[actix_web::test]
    async fn rejected_paths_and_queries_are_problems() {
        let get = |uri: &str| answer(TestRequest::get().uri(uri));
        for (uri, slug) in [
            ("/pages/x?limit=1", "invalid-path"),
            ("/pages/70000?limit=1", "invalid-path"),
            ("/pages/1", "invalid-query"),
            ("/pages/1?limit=x", "invalid-query"),
            ("/pages/1?limit=1&other=2", "invalid-query"),
        ] {
            let (status, body) = get(uri).await;
            assert_eq!(status, 400, "{uri}");
            assert_eq!(
                body["type"],
                format!("urn:risktier:problem:{slug}"),
                "{uri}"
            );
        }
    }

    #[actix_web::test]
    async fn a_panic_is_a_problem_that_tells_nothing() {
        let (status, body) = answer(TestRequest::get().uri("/panic")).await;
        assert_eq!(status, 500);
        assert_eq!(body["type"], "urn:risktier:problem:internal");
        assert!(!body.to_string().contains("as a test wants it"), "{body}");
    }
}
