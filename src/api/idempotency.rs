//! `Idempotency-Key`: a POST that creates is carried out once, however often it is sent.
//!
//! The layer knows from the contract which operations take a key, so a new operation needs nothing of its own. What is
//! guaranteed when something crashes stands at the use-case.

use std::future::Future;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::{BoxBody, to_bytes_limited};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::web::Bytes;
use futures_util::StreamExt;

use super::extract::read_raw;
use super::problem::{Problem, ProblemKind};
use super::state::AppState;
use crate::domain::digest::HashAlgorithm;
use crate::service::{Attempt, KeptAnswer, RENEWAL, Taken, attempting};

/// The header that carries the key.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header that marks an answer as a repeated one.
pub(super) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Longest key.
const MOST_KEY_BYTES: usize = 255;
/// Largest answer that is kept.
const MOST_KEPT_BYTES: usize = 8 << 20;

/// The key of a request: bare, or quoted as the draft of the HTTP working group writes it.
pub(super) fn key_of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY);
    let Some(value) = given.next() else {
        return Ok(None);
    };
    let wrong = |what: &str| {
        Problem::new(
            ProblemKind::BadRequest,
            format!(
                "`Idempotency-Key` {what}; send one of 1 to {MOST_KEY_BYTES} visible ASCII characters, such as a UUID"
            ),
        )
    };
    if given.next().is_some() {
        return Err(wrong("is there twice"));
    }
    let text = value.to_str().map_err(|_| wrong("is not ASCII"))?.trim();
    let text = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    if text.is_empty() || text.len() > MOST_KEY_BYTES {
        return Err(wrong("is empty or too long"));
    }
    if !text.bytes().all(|b| b.is_ascii_graphic() && b != b'"') {
        return Err(wrong("holds other characters"));
    }
    Ok(Some(text.to_owned()))
}

/// What becomes of a request.
pub(super) enum Begun {
    /// It has no key, or its operation takes none: it is carried out.
    Plain(ServiceRequest),
    /// It is carried out for an attempt.
    Keyed(ServiceRequest, AppState, Attempt),
    /// It has its answer.
    Settled(ServiceRequest, HttpResponse),
    /// It is refused.
    Refused(ServiceRequest, Problem),
}

/// Takes the key of a request, or finds what was answered to it.
pub(super) async fn begin(request: ServiceRequest, state: &AppState, key: &str) -> Begun {
    let limit = state.settings.limits.body_bytes;
    let (request, payload) = request.into_parts();
    let mut request = ServiceRequest::from_request(request);
    let body = match read_raw(request.headers(), payload, limit).await {
        Ok(body) => body,
        Err(problem) => return Begun::Refused(request, problem),
    };
    let fingerprint = fingerprint(&request, &body);
    request.set_payload(payload_of(body));
    let taken = state
        .service
        .take_key(key, fingerprint, state.settings.writes.keep_keys())
        .await;
    let (attempt, taken) = match taken {
        Ok(taken) => taken,
        Err(error) => return Begun::Refused(request, error.into()),
    };
    match taken {
        Taken::Fresh => Begun::Keyed(request, state.clone(), attempt),
        Taken::Answered(answer) => match replayed(answer) {
            Some(response) => Begun::Settled(request, response),
            None => {
                let problem = Problem::internal("a kept answer cannot be read");
                Begun::Refused(request, problem)
            }
        },
        Taken::InFlight => {
            let problem = Problem::new(
                ProblemKind::IdempotencyInFlight,
                "the request with this key is being worked on; repeat it a little later for its answer",
            );
            Begun::Refused(request, problem.with_header(RETRY_AFTER, "1"))
        }
        Taken::OtherRequest => {
            let problem = Problem::new(
                ProblemKind::IdempotencyMismatch,
                "the key was used for another request; a new request needs a new key",
            );
            Begun::Refused(request, problem)
        }
        Taken::Unanswered => {
            let problem = Problem::new(
                ProblemKind::IdempotencyUnanswered,
                "the request with this key has changed something, and its answer was lost, or is not kept because it \
                 holds a secret; read back what stands, and go on with a new key",
            );
            Begun::Refused(request, problem)
        }
    }
}

/// Carries a request out for an attempt, to its end even if the caller goes away, and keeps its answer.
pub(super) async fn carry_out(
    state: AppState,
    attempt: Attempt,
    work: impl Future<Output = Result<ServiceResponse, Problem>> + 'static,
) -> Result<ServiceResponse, Problem> {
    let carried_out = actix_web::rt::spawn(async move {
        let mut work = std::pin::pin!(attempting(attempt.clone(), work));
        let mut renewals = tokio::time::interval(RENEWAL);
        renewals.tick().await;
        let answered = loop {
            tokio::select! {
                answered = &mut work => break answered,
                _ = renewals.tick() => state.service.hold_key(&attempt).await,
            }
        };
        match answered {
            Ok(response) => {
                let (response, answer) = kept(response).await;
                state.service.end_attempt(attempt, answer).await;
                Ok(response)
            }
            Err(problem) => {
                state.service.end_attempt(attempt, None).await;
                Err(problem)
            }
        }
    });
    match carried_out.await {
        Ok(answered) => answered,
        Err(error) => Err(Problem::internal(error)),
    }
}

fn fingerprint(request: &ServiceRequest, body: &[u8]) -> String {
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .map(HeaderValue::as_bytes)
            .unwrap_or_default()
    };
    let uri = request.uri().to_string();
    let parts = [
        request.method().as_str().as_bytes(),
        uri.as_bytes(),
        header("content-type"),
        header("content-encoding"),
        body,
    ];
    // Each part goes in with its length, so that no two requests run together.
    let lengths = parts.map(|part| part.len().to_le_bytes());
    let mut all: Vec<&[u8]> = Vec::with_capacity(2 * parts.len());
    for (length, part) in lengths.iter().zip(parts) {
        all.extend([length.as_slice(), part]);
    }
    HashAlgorithm::Sha256.hash(&all).to_string()
}

fn payload_of(body: Bytes) -> Payload {
    let stream = futures_util::stream::once(std::future::ready(Ok(body)));
    Payload::Stream {
        payload: stream.boxed_local(),
    }
}

/// The answer with its body whole, and what is kept of it: nothing of failures that may pass, nor of answers that say
/// `no-store` because they hold a secret.
async fn kept(response: ServiceResponse) -> (ServiceResponse, Option<KeptAnswer>) {
    let status = response.status();
    let is_passing = status.is_server_error()
        || status == StatusCode::REQUEST_TIMEOUT
        || status == StatusCode::TOO_MANY_REQUESTS;
    let (request, response) = response.into_parts();
    let (response, body) = response.into_parts();
    let body = match to_bytes_limited(body, MOST_KEPT_BYTES).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) | Err(_) => {
            let problem = Problem::internal("an answer is too large to be kept, or broke off");
            let rendered = problem.render(super::Language::English, None);
            return (ServiceResponse::new(request, rendered), None);
        }
    };
    let headers: Vec<(&str, &str)> = response
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    let is_secret = response
        .headers()
        .get(CACHE_CONTROL)
        .is_some_and(|value| value == "no-store");
    let answer = (!is_passing && !is_secret).then(|| KeptAnswer {
        status: status.as_u16(),
        // Pairs of texts always serialise.
        headers: serde_json::to_string(&headers).unwrap_or_default(),
        body: body.to_vec(),
    });
    let response = response.set_body(BoxBody::new(body));
    (ServiceResponse::new(request, response), answer)
}

fn replayed(answer: KeptAnswer) -> Option<HttpResponse> {
    let KeptAnswer {
        status,
        headers,
        body,
    } = answer;
    let headers: Vec<(String, String)> = serde_json::from_str(&headers).ok()?;
    let mut response = HttpResponse::build(StatusCode::from_u16(status).ok()?);
    for header in headers {
        response.append_header(header);
    }
    response.insert_header((REPLAYED, "true"));
    Some(response.body(body).map_into_boxed_body())
}

/// The problem of a request that took too long while it is carried out.
pub(super) fn too_long(limit: Duration) -> Problem {
    Problem::new(
        ProblemKind::TookTooLong,
        format!(
            "the request is still worked on after {} seconds; repeat it with the same key for its answer",
            limit.as_secs()
        ),
    )
    .with_header(RETRY_AFTER, "5")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_bare_or_quoted() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_str(text).unwrap());
            key_of(&headers)
        };
        assert_eq!(key_of(&HeaderMap::new()).unwrap(), None);
        assert_eq!(of("abc-1").unwrap().as_deref(), Some("abc-1"));
        assert_eq!(of("\"abc-1\"").unwrap().as_deref(), Some("abc-1"));
        assert!(of(&"x".repeat(MOST_KEY_BYTES)).is_ok());
        for bad in ["", "\"\"", "a b", "a\"b", &"x".repeat(MOST_KEY_BYTES + 1)] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
