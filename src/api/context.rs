//! What surrounds every request: its id, the language, problems in their final form, counting and the access log.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse};
use futures_util::FutureExt;
use metrics::{Counter, Histogram, counter, histogram};

use super::address;
use super::language::Language;
use super::problem::{CONTENT_TYPE, Problem, ProblemKind};

/// The header that carries the request id, in and out.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const LONGEST_REQUEST_ID: usize = 128;

/// The id of one request: the caller's own if it is sane, otherwise a new UUID (version 7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(REQUEST_ID).filter(|value| {
            let bytes = value.as_bytes();
            (1..=LONGEST_REQUEST_ID).contains(&bytes.len()) && bytes.iter().all(is_unreserved)
        });
        let id = given.cloned().unwrap_or_else(|| {
            HeaderValue::from_str(uuid::Uuid::now_v7().hyphenated().encode_lower(&mut [0; 36]))
                .unwrap_or_else(|_| HeaderValue::from_static("unknown"))
        });
        Self(id)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        // INVARIANT: the bytes are unreserved ASCII.
        self.0.to_str().unwrap_or_default()
    }
}

/// The characters that need no escape anywhere in a URI (RFC 3986), so an id is also a valid `instance`.
fn is_unreserved(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// The middleware around every route.
pub(super) async fn surround(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let id = RequestId::of(request.headers());
    let language = Language::of(request.headers());
    let method = request.method().clone();
    if method == Method::HEAD {
        // Every GET route answers HEAD; the HTTP layer below leaves the body out.
        request.head_mut().method = Method::GET;
    }
    request.extensions_mut().insert(id.clone());
    if let Some(problem) = address::problem(request.uri()) {
        let mut response = request.into_response(problem.render(language, Some(id.as_str())));
        add_headers(response.headers_mut(), &id);
        account_for(&method, &response, &id, started);
        return Ok(response);
    }

    let answered = AssertUnwindSafe(next.call(request)).catch_unwind().await;
    let mut response = match answered {
        Ok(Ok(response)) => finish(response, &id, language),
        Ok(Err(error)) => {
            let status = error.as_response_error().status_code();
            return Err(without_request(
                foreign(status, &error),
                &method,
                &id,
                language,
            ));
        }
        // What the handler shared is behind locks that outlive a panic, so the next request finds it whole.
        Err(_) => {
            let problem = Problem::internal("the handler panicked");
            return Err(without_request(problem, &method, &id, language));
        }
    };
    add_headers(response.headers_mut(), &id);
    account_for(&method, &response, &id, started);
    Ok(response)
}

/// The headers of every answer.
fn add_headers(headers: &mut HeaderMap, id: &RequestId) {
    headers.insert(REQUEST_ID, id.0.clone());
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if !headers.contains_key(header::CACHE_CONTROL) {
        let private = HeaderValue::from_static("private, no-cache");
        headers.insert(header::CACHE_CONTROL, private);
    }
}

/// The answer when the request is gone with what failed.
fn without_request(problem: Problem, method: &Method, id: &RequestId, language: Language) -> Error {
    log_cause(&problem, id);
    let status = problem.kind().status().as_u16();
    with_counters("unmatched", method, status, |counters| {
        counters.requests.increment(1);
    });
    let mut response = problem.render(language, Some(id.as_str()));
    add_headers(response.headers_mut(), id);
    InternalError::from_response(problem, response).into()
}

fn log_cause(problem: &Problem, id: &RequestId) {
    if let Some(cause) = problem.cause() {
        tracing::error!(
            request.id = id.as_str(),
            problem = problem.kind().slug(),
            cause,
            "a request failed"
        );
    }
}

/// Gives every problem its language and instance, and turns the HTTP library's own refusals into problems.
fn finish(response: ServiceResponse, id: &RequestId, language: Language) -> ServiceResponse {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let problem = match response.response().error() {
        Some(error) => match error.as_error::<Problem>() {
            Some(problem) => problem.clone(),
            None => foreign(status, error),
        },
        None if is_problem(response.response()) => return response,
        None => foreign(status, &"no further reason"),
    };
    log_cause(&problem, id);
    let rendered = problem.render(language, Some(id.as_str()));
    response.into_response(rendered)
}

/// A refusal that did not come from our code.
fn foreign(status: StatusCode, reason: &dyn std::fmt::Display) -> Problem {
    let kind = ProblemKind::of_status(status);
    if kind == ProblemKind::Internal {
        return Problem::internal(reason);
    }
    Problem::new(kind, format!("the request was refused: {reason}"))
}

fn is_problem(response: &HttpResponse) -> bool {
    response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(CONTENT_TYPE.as_bytes()))
}

/// Counts the request and writes its line: failures of ours always, refusals at `info`, the rest at `debug`, probes
/// never. The line names the route, not the path, which holds ids of enterprises.
fn account_for(method: &Method, response: &ServiceResponse, id: &RequestId, started: Instant) {
    let pattern = response.request().match_pattern();
    let route = pattern.as_deref().unwrap_or("unmatched");
    let status = response.status().as_u16();
    let elapsed = started.elapsed();
    with_counters(route, method, status, |counters| {
        counters.requests.increment(1);
        counters.seconds.record(elapsed.as_secs_f64());
    });
    if matches!(route, "/healthz" | "/readyz" | "/metrics") {
        return;
    }
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                target: "risktier::access",
                method = method.as_str(),
                route,
                status,
                request.id = id.as_str(),
                duration_ms = elapsed.as_secs_f64() * 1e3,
                "request"
            )
        };
    }
    match status {
        500.. => line!(warn),
        400..500 => line!(info),
        _ => line!(debug),
    }
}

struct RouteCounters {
    requests: Counter,
    seconds: Histogram,
}

/// The counters of one route by method and status.
type ByOutcome = BTreeMap<(&'static str, u16), RouteCounters>;

thread_local! {
    /// Counters by route, method and status, resolved once per worker.
    static COUNTERS: RefCell<BTreeMap<String, ByOutcome>> = const { RefCell::new(BTreeMap::new()) };
}

fn with_counters(route: &str, method: &Method, status: u16, work: impl FnOnce(&RouteCounters)) {
    // Callers may invent methods; labels may not grow with them.
    let method = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]
        .into_iter()
        .find(|known| *known == method.as_str())
        .unwrap_or("other");
    COUNTERS.with_borrow_mut(|routes| {
        if !routes.contains_key(route) {
            routes.insert(route.to_owned(), BTreeMap::new());
        }
        let Some(known) = routes.get_mut(route) else {
            return;
        };
        work(known.entry((method, status)).or_insert_with(|| RouteCounters {
            requests: counter!(
                "risktier_http_requests_total",
                "method" => method, "route" => route.to_owned(), "status" => status.to_string()
            ),
            seconds: histogram!("risktier_http_request_seconds", "route" => route.to_owned()),
        }));
    });
}
