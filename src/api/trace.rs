//! W3C trace context: a caller's trace goes on in our log lines and comes back with the answer.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

/// The header, in and out.
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The trace that a request belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trace {
    trace_id: String,
    flags: String,
}

impl Trace {
    /// The caller's trace, if it names one in a form that we know.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut given = headers.get_all(TRACEPARENT);
        let text = given.next()?.to_str().ok()?;
        // Two of them contradict each other.
        if given.next().is_some() {
            return None;
        }
        let mut parts = text.split('-');
        let (version, trace_id, parent_id, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_hex = |part: &str, digits: usize| {
            part.len() == digits && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        let is_set = |part: &str| part.bytes().any(|b| b != b'0');
        // Later versions may add parts; version 00 has four.
        let is_known =
            is_hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
        (is_known
            && is_hex(trace_id, 32)
            && is_set(trace_id)
            && is_hex(parent_id, 16)
            && is_set(parent_id)
            && is_hex(flags, 2))
        .then(|| Self {
            trace_id: trace_id.to_owned(),
            flags: flags.to_owned(),
        })
    }

    /// The id of the trace.
    pub(super) fn id(&self) -> &str {
        &self.trace_id
    }

    /// What goes back: the same trace, with this request as the parent.
    pub(super) fn answer(&self) -> Option<HeaderValue> {
        let own = uuid::Uuid::new_v4().simple().to_string();
        let own = own.get(..16)?;
        let Self { trace_id, flags } = self;
        HeaderValue::from_str(&format!("00-{trace_id}-{own}-{flags}")).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<Trace> {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, HeaderValue::from_str(text).unwrap());
        Trace::of(&headers)
    }

    #[test]
    fn a_trace_of_a_known_form_goes_on() {
        let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace = of(given).unwrap();
        assert_eq!(trace.id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let answer = trace.answer().unwrap();
        let answer = answer.to_str().unwrap();
        assert!(answer.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
        assert!(answer.ends_with("-01") && answer != given);
        assert_eq!(of(answer).unwrap(), trace);
        assert!(of("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more").is_some());
    }

    #[test]
    fn another_form_is_no_trace() {
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
