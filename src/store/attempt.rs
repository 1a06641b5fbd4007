//! The attempt at a request with an idempotency key that a thread works for.
//!
//! The stores write its mark in every transaction that they keep, so that "it was done" is known exactly where something
//! was done: after a crash a request whose key has no mark has changed nothing and may be carried out, and one whose key
//! has a mark is never carried out again. A transaction of an attempt that another one has taken over is not kept.

use std::cell::RefCell;

/// One attempt at a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The digest of the request's key.
    pub key_digest: String,
    /// What tells this attempt from others at the same request.
    pub token: String,
}

thread_local! {
    static CURRENT: RefCell<Option<Attempt>> = const { RefCell::new(None) };
}

/// Runs `work` on this thread for an attempt, or for none.
pub fn attempting<T>(attempt: Option<Attempt>, work: impl FnOnce() -> T) -> T {
    /// Puts back what was there before, also when `work` panics.
    struct Restore(Option<Attempt>);

    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0.take());
        }
    }

    let _restore = Restore(CURRENT.replace(attempt));
    work()
}

/// The attempt that this thread works for.
pub(super) fn current() -> Option<Attempt> {
    CURRENT.with_borrow(Clone::clone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_belongs_to_its_work_alone() {
        let attempt = Attempt {
            key_digest: "k".to_owned(),
            token: "t".to_owned(),
        };
        attempting(Some(attempt.clone()), || {
            assert_eq!(current(), Some(attempt));
            attempting(None, || assert_eq!(current(), None));
            assert!(current().is_some());
        });
        assert_eq!(current(), None);
    }
}
