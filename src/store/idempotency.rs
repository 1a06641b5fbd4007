//! Requests by idempotency key, and the answers that they were given.

use super::{Attempt, StoreError};

/// Requests by idempotency key.
pub trait IdempotencyStore {
    /// Begins an attempt at the request with `fingerprint`, unless its key was used before. The key is held for
    /// `lease_ms` and kept for `keep_ms`; both from now, in milliseconds.
    fn take_key(
        &self,
        attempt: &Attempt,
        fingerprint: &str,
        lease_ms: i64,
        keep_ms: i64,
    ) -> Result<Taken, StoreError>;

    /// Goes on holding a key; `false` where another attempt has taken it over.
    fn hold_key(&self, attempt: &Attempt, lease_ms: i64) -> Result<bool, StoreError>;

    /// Keeps the answer of an attempt; nothing happens where another one has taken the key over.
    fn answer_key(&self, attempt: &Attempt, answer: &KeptAnswer) -> Result<(), StoreError>;

    /// Gives a key back if the attempt has changed nothing, so that the request may be repeated.
    fn release_key(&self, attempt: &Attempt) -> Result<(), StoreError>;

    /// Removes keys whose time is over, at most `at_most`; tells how many.
    fn forget_keys(&self, at_most: u64) -> Result<u64, StoreError>;
}

/// What became of an attempt to take a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The request is to be carried out.
    Fresh,
    /// It is being carried out.
    InFlight,
    /// The key belongs to another request.
    OtherRequest,
    /// It was answered.
    Answered(KeptAnswer),
    /// It has changed something, and its answer was lost.
    Unanswered,
}

/// An answer as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Its status.
    pub status: u16,
    /// Its headers, as JSON; what is in it is the caller's business.
    pub headers: String,
    /// Its body.
    pub body: Vec<u8>,
}

/// What is known of a key.
pub(super) struct KeyRow {
    pub(super) fingerprint: String,
    pub(super) is_applied: bool,
    pub(super) is_held: bool,
    pub(super) is_over: bool,
    pub(super) answer: Option<KeptAnswer>,
}

/// What the row of a key, if there is one, means for a request; nothing where the key may be taken.
pub(super) fn verdict(row: Option<KeyRow>, fingerprint: &str) -> Option<Taken> {
    let KeyRow {
        fingerprint: kept,
        is_applied,
        is_held,
        is_over,
        answer,
    } = row?;
    // A key whose time is over is as good as new, unless its request still runs.
    if is_over && !(is_held && answer.is_none()) {
        return None;
    }
    if kept != fingerprint {
        return Some(Taken::OtherRequest);
    }
    match answer {
        Some(answer) => Some(Taken::Answered(answer)),
        None if is_held => Some(Taken::InFlight),
        None if is_applied => Some(Taken::Unanswered),
        // Whoever held it has gone away, and nothing was written.
        None => None,
    }
}

/// The error of a transaction whose attempt was taken over.
pub(super) fn taken_over() -> StoreError {
    StoreError::Aborted(
        "another attempt at the request with this idempotency key took over".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_request_that_changed_nothing_is_carried_out_again() {
        let row = |is_applied, is_held, is_over, answer: Option<u16>| KeyRow {
            fingerprint: "f".to_owned(),
            is_applied,
            is_held,
            is_over,
            answer: answer.map(|status| KeptAnswer {
                status,
                headers: "[]".to_owned(),
                body: Vec::new(),
            }),
        };
        let of = |row| verdict(Some(row), "f");
        assert_eq!(verdict(None, "f"), None);
        assert_eq!(of(row(false, true, false, None)), Some(Taken::InFlight));
        assert_eq!(of(row(true, true, false, None)), Some(Taken::InFlight));
        assert_eq!(of(row(true, false, false, None)), Some(Taken::Unanswered));
        assert_eq!(of(row(false, false, false, None)), None);
        let other = verdict(Some(row(true, false, false, Some(201))), "g");
        assert_eq!(other, Some(Taken::OtherRequest));
        assert!(matches!(
            of(row(true, false, false, Some(201))),
            Some(Taken::Answered(KeptAnswer { status: 201, .. }))
        ));
        assert_eq!(of(row(true, false, true, Some(201))), None);
        assert_eq!(of(row(true, true, true, None)), Some(Taken::InFlight));
    }
}
