//! What one server takes on: how large the head of a request may be, how many requests at once and in a time, and how
//! long each may take. Each limit is a problem of its own.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use super::problem::{Problem, ProblemKind};
use crate::config::Limits;

/// `RateLimit` and `RateLimit-Policy` of the draft of the HTTP working group.
pub(super) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// See [`RATE_LIMIT`].
pub(super) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Longest address, in bytes.
const MOST_URI_BYTES: usize = 8_192;
/// Most streams of events at the same time.
const MOST_STREAMS: usize = 256;

/// The limits of one server, shared by its workers.
pub(super) struct Guards {
    header_bytes: usize,
    time: Duration,
    requests: Gate,
    imports: Gate,
    streams: Gate,
    rate: Option<Rate>,
}

/// So many at the same time.
struct Gate {
    within: Arc<AtomicUsize>,
    most: usize,
}

/// The right to be worked on; gives way to the next when it is dropped.
pub(super) struct Permit(Arc<AtomicUsize>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Gate {
    fn new(most: usize) -> Self {
        Self {
            within: Arc::default(),
            most,
        }
    }

    fn enter(&self) -> Option<Permit> {
        let before = self.within.fetch_add(1, Ordering::AcqRel);
        let permit = Permit(Arc::clone(&self.within));
        (before < self.most).then_some(permit)
    }
}

struct Rate {
    limiter: RateLimiter<NotKeyed, InMemoryState, MonotonicClock, StateInformationMiddleware>,
    clock: MonotonicClock,
    seconds: u32,
    policy: HeaderValue,
}

/// What a request was let in with.
#[derive(Default)]
pub(super) struct Admission {
    /// Held until the request is answered.
    permits: [Option<Permit>; 2],
    /// The headers that say how much is left of the rate.
    rate: Option<(HeaderValue, HeaderValue)>,
}

impl Admission {
    /// Says how much is left of the rate.
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        if let Some((policy, rate)) = &self.rate {
            headers.insert(RATE_LIMIT_POLICY, policy.clone());
            headers.insert(RATE_LIMIT, rate.clone());
        }
    }
}

impl Guards {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            header_bytes: limits.header_bytes,
            time: Duration::from_secs(limits.request_seconds),
            requests: Gate::new(limits.concurrent_requests),
            imports: Gate::new(limits.concurrent_imports),
            streams: Gate::new(MOST_STREAMS),
            rate: Rate::new(limits.rate_requests, limits.rate_seconds),
        }
    }

    /// Lets a request in, or says what is too much; in both cases how much is left of the rate.
    pub(super) fn admit(&self, request: &ServiceRequest) -> (Admission, Option<Problem>) {
        let mut admission = Admission::default();
        if let Some(problem) = self.head_problem(request) {
            return (admission, Some(problem));
        }
        // Probes and the contract are answered however much there is to do.
        if !request.path().starts_with("/v1/") {
            return (admission, None);
        }
        if let Some(rate) = &self.rate {
            let (headers, problem) = rate.check();
            admission.rate = headers;
            if problem.is_some() {
                return (admission, problem);
            }
        }
        let Some(permit) = self.requests.enter() else {
            return (admission, Some(self.requests.overloaded()));
        };
        let import = match is_import(request).then(|| self.imports.enter()) {
            Some(None) => return (admission, Some(self.imports.overloaded())),
            Some(entered) => entered,
            None => None,
        };
        admission.permits = [Some(permit), import];
        (admission, None)
    }

    /// How long a request may take; nothing for those whose body or answer may be any length.
    pub(super) fn time_limit(&self, request: &ServiceRequest) -> Option<Duration> {
        (!is_import(request)).then_some(self.time)
    }

    /// The right to one stream of events.
    pub(super) fn stream(&self) -> Result<Permit, Problem> {
        self.streams
            .enter()
            .ok_or_else(|| self.streams.overloaded())
    }

    fn head_problem(&self, request: &ServiceRequest) -> Option<Problem> {
        let uri_bytes = request
            .uri()
            .path_and_query()
            .map_or(0, |uri| uri.as_str().len());
        if uri_bytes > MOST_URI_BYTES {
            let detail = format!(
                "the address has {uri_bytes} bytes, which is more than {MOST_URI_BYTES}; send a body instead"
            );
            let problem = Problem::new(ProblemKind::UriTooLong, detail);
            return Some(problem.with_member("limit_bytes", MOST_URI_BYTES));
        }
        let bytes: usize = request
            .headers()
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 4)
            .sum();
        (bytes > self.header_bytes).then(|| {
            let detail = format!(
                "the headers have {bytes} bytes, which is more than {}; leave some out",
                self.header_bytes
            );
            Problem::new(ProblemKind::HeadersTooLarge, detail)
                .with_member("limit_bytes", self.header_bytes)
        })
    }
}

impl Gate {
    fn overloaded(&self) -> Problem {
        let detail = format!(
            "{} of these are being worked on already; repeat the request a little later",
            self.most
        );
        Problem::new(ProblemKind::Overloaded, detail)
            .with_member("limit", self.most)
            .with_header(RETRY_AFTER, "1")
    }
}

fn is_import(request: &ServiceRequest) -> bool {
    request.path().ends_with("/import")
}

impl Rate {
    fn new(requests: u32, seconds: u32) -> Option<Self> {
        let burst = NonZeroU32::new(requests)?;
        let each = Duration::from_secs(seconds.into()).checked_div(requests)?;
        let quota = Quota::with_period(each.max(Duration::from_nanos(1)))?.allow_burst(burst);
        let policy = format!("\"default\";q={requests};w={seconds}");
        Some(Self {
            limiter: RateLimiter::direct_with_clock(quota, MonotonicClock)
                .with_middleware::<StateInformationMiddleware>(),
            clock: MonotonicClock,
            seconds,
            policy: HeaderValue::from_str(&policy).ok()?,
        })
    }

    fn check(&self) -> (Option<(HeaderValue, HeaderValue)>, Option<Problem>) {
        let (left, seconds, problem) = match self.limiter.check() {
            Ok(state) => (state.remaining_burst_capacity(), self.seconds, None),
            Err(not_until) => {
                let wait = not_until.wait_time_from(self.clock.now());
                let seconds = u32::try_from(wait.as_secs())
                    .unwrap_or(u32::MAX)
                    .saturating_add(1);
                let detail = "more requests came than the rate allows; repeat this one when `Retry-After` says";
                let problem = Problem::new(ProblemKind::TooManyRequests, detail)
                    .with_header(RETRY_AFTER, seconds.to_string());
                (0, seconds, Some(problem))
            }
        };
        let rate = HeaderValue::from_str(&format!("\"default\";r={left};t={seconds}")).ok();
        (rate.map(|rate| (self.policy.clone(), rate)), problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_lets_in_as_many_as_it_should() {
        let gate = Gate::new(2);
        let first = gate.enter();
        let second = gate.enter();
        assert!(first.is_some() && second.is_some());
        assert!(gate.enter().is_none());
        assert!(gate.enter().is_none());
        drop(first);
        let third = gate.enter();
        assert!(third.is_some() && gate.enter().is_none());
        drop((second, third));
        assert_eq!(gate.within.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_rate_counts_down_and_refuses() {
        assert!(Rate::new(0, 1).is_none());
        let rate = Rate::new(3, 3_600).unwrap();
        let left: Vec<String> = (0..4)
            .map(|_| rate.check().0.unwrap().1.to_str().unwrap().to_owned())
            .collect();
        assert_eq!(left[0], "\"default\";r=2;t=3600");
        assert_eq!(left[2], "\"default\";r=0;t=3600");
        assert!(left[3].starts_with("\"default\";r=0;t="), "{}", left[3]);
        let problem = rate.check().1.unwrap();
        assert_eq!(problem.kind(), ProblemKind::TooManyRequests);
    }
}
