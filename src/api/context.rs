//! What surrounds every request: its id, the language, problems in their final form, counting and the access log.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant, SystemTime};

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpResponse};
use futures_util::FutureExt;
use metrics::{Counter, Histogram, counter, histogram};

use super::contract::RouteTable;
use super::guards::{Admission, Guards};
use super::handlers::tiers;
use super::idempotency::{self, Begun};
use super::language::Language;
use super::problem::{CONTENT_TYPE, Problem, ProblemKind};
use super::state::AppState;
use super::trace::{TRACEPARENT, Trace};
use super::{address, coding, conditional};

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
            HeaderValue::from_str(new_uuid().hyphenated().encode_lower(&mut [0; 36]))
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

/// A UUID of version 7. Its random part comes from a generator of the thread's own, which asks the system for randomness
/// once in a while and not with every request.
fn new_uuid() -> uuid::Uuid {
    let millis = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0));
    uuid::Builder::from_unix_timestamp_millis(millis, &rand::random()).into_uuid()
}

/// The characters that need no escape anywhere in a URI (RFC 3986), so an id is also a valid `instance`.
fn is_unreserved(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What is known of a request before it is carried out.
#[derive(Clone)]
struct Asked {
    id: RequestId,
    language: Language,
    method: Method,
    trace: Option<Trace>,
}

impl Asked {
    fn render(&self, problem: &Problem) -> HttpResponse {
        problem.render(self.language, Some(self.id.as_str()))
    }
}

/// The middleware around every route.
pub(super) async fn surround(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let asked = Asked {
        id: RequestId::of(request.headers()),
        language: Language::of(request.headers()),
        method: request.method().clone(),
        trace: Trace::of(request.headers()),
    };
    if asked.method == Method::HEAD {
        // Every GET route answers HEAD; the HTTP layer below leaves the body out.
        request.head_mut().method = Method::GET;
    }
    request.extensions_mut().insert(asked.id.clone());
    let guards = request.app_data::<Data<Guards>>().cloned();
    let (admission, refused) = match &guards {
        Some(guards) => guards.admit(&request),
        None => (Admission::default(), None),
    };
    let refused = refused
        .or_else(|| address::problem(request.uri()))
        .or_else(|| coding::problem(&request));
    let answered = match refused {
        Some(problem) => Ok(request.into_response(asked.render(&problem))),
        None => match tiers::tier_at_hand(&request) {
            Some(response) => {
                let mut response = request.into_response(response);
                add_headers(response.headers_mut(), &asked, &admission);
                account_for(&asked, tiers::TIER_PATH, response.status(), started);
                return Ok(response);
            }
            None => {
                let limit = guards.and_then(|guards| guards.time_limit(&request));
                // In a box of its own, so that what is answered above does not move the room that this needs.
                Box::pin(answer(request, next, &asked, limit)).await
            }
        },
    };
    let mut response = match answered {
        Ok(response) => conditional::tagged(response),
        Err(problem) => return Err(without_request(problem, &asked, &admission)),
    };
    add_headers(response.headers_mut(), &asked, &admission);
    let pattern = response.request().match_pattern();
    let route = pattern.as_deref().unwrap_or("unmatched");
    account_for(&asked, route, response.status(), started);
    Ok(response)
}

/// Carries a request out, once if it has an idempotency key. When the request is gone with what failed, there is only a
/// problem.
async fn answer(
    request: ServiceRequest,
    next: Next<BoxBody>,
    asked: &Asked,
    limit: Option<Duration>,
) -> Result<ServiceResponse, Problem> {
    // A body that is read for its key counts within the limit, as every other does.
    let begun = match limit {
        Some(limit) => tokio::time::timeout(limit, begin(request))
            .await
            .map_err(|_| too_long(limit))?,
        None => begin(request).await,
    };
    match begun {
        Begun::Settled(request, response) => Ok(request.into_response(response)),
        Begun::Refused(request, problem) => {
            log_cause(&problem, &asked.id);
            Ok(request.into_response(asked.render(&problem)))
        }
        Begun::Keyed(request, state, attempt) => {
            let called = call(request, next, asked.clone());
            let work = idempotency::carry_out(state, attempt, called);
            within(limit, work, idempotency::too_long).await
        }
        Begun::Plain(request) => within(limit, call(request, next, asked.clone()), too_long).await,
    }
}

/// Waits for an answer, but not longer than the limit.
async fn within(
    limit: Option<Duration>,
    work: impl Future<Output = Result<ServiceResponse, Problem>>,
    too_long: impl Fn(Duration) -> Problem,
) -> Result<ServiceResponse, Problem> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, work)
            .await
            .unwrap_or_else(|_| Err(too_long(limit))),
        None => work.await,
    }
}

/// What is to be done about a request: whether it has an idempotency key, and what is known of that.
async fn begin(request: ServiceRequest) -> Begun {
    if request.method() != Method::POST {
        return Begun::Plain(request);
    }
    let state = request.app_data::<Data<AppState>>().cloned();
    let table = request.app_data::<Data<RouteTable>>().cloned();
    let (Some(state), Some(table)) = (state, table) else {
        return Begun::Plain(request);
    };
    let takes_key = request
        .match_pattern()
        .is_some_and(|pattern| table.takes_key(&pattern));
    if !takes_key {
        return Begun::Plain(request);
    }
    match idempotency::key_of(request.headers()) {
        Ok(Some(key)) => idempotency::begin(request, state.get_ref(), &key).await,
        Ok(None) if state.settings.writes.require_key => {
            let problem = Problem::new(
                ProblemKind::MissingHeader,
                "this operation needs an `Idempotency-Key`; send a new one, such as a UUID, with every new request",
            );
            Begun::Refused(request, problem)
        }
        Ok(None) => Begun::Plain(request),
        Err(problem) => Begun::Refused(request, problem),
    }
}

/// Calls the route. A refusal that only the HTTP library knows, and a panic, become problems.
async fn call(
    request: ServiceRequest,
    next: Next<BoxBody>,
    asked: Asked,
) -> Result<ServiceResponse, Problem> {
    match AssertUnwindSafe(next.call(request)).catch_unwind().await {
        Ok(Ok(response)) => Ok(finish(response, &asked)),
        Ok(Err(error)) => {
            let status = error.as_response_error().status_code();
            Err(foreign(status, &error))
        }
        // What the handler shared is behind locks that outlive a panic, so the next request finds it whole.
        Err(_) => Err(Problem::internal("the handler panicked")),
    }
}

fn too_long(limit: Duration) -> Problem {
    Problem::new(
        ProblemKind::TookTooLong,
        format!(
            "the request was not answered within {} seconds; read back whether it took effect before repeating it",
            limit.as_secs()
        ),
    )
    .with_header(header::RETRY_AFTER, "5")
}

/// The headers of every answer.
fn add_headers(headers: &mut HeaderMap, asked: &Asked, admission: &Admission) {
    headers.insert(REQUEST_ID, asked.id.0.clone());
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if !headers.contains_key(header::CACHE_CONTROL) {
        let private = HeaderValue::from_static("private, no-cache");
        headers.insert(header::CACHE_CONTROL, private);
    }
    if let Some(traceparent) = asked.trace.as_ref().and_then(Trace::answer) {
        headers.insert(TRACEPARENT, traceparent);
    }
    admission.tell(headers);
}

/// The answer when the request is gone with what failed.
fn without_request(problem: Problem, asked: &Asked, admission: &Admission) -> Error {
    log_cause(&problem, &asked.id);
    let status = problem.kind().status().as_u16();
    with_counters("unmatched", &asked.method, status, |counters| {
        counters.requests.increment(1);
    });
    let mut response = asked.render(&problem);
    add_headers(response.headers_mut(), asked, admission);
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
fn finish(response: ServiceResponse, asked: &Asked) -> ServiceResponse {
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
    log_cause(&problem, &asked.id);
    response.into_response(asked.render(&problem))
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
fn account_for(asked: &Asked, route: &str, status: StatusCode, started: Instant) {
    let Asked {
        id, method, trace, ..
    } = asked;
    let trace = trace.as_ref().map(Trace::id);
    let status = status.as_u16();
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
                trace.id = trace,
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
