//! A circuit breaker: after several failures in a row a server is left alone, and then tried by one caller at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Closed, open, or half open; the clock is an argument.
pub(super) struct Breaker {
    threshold: u32,
    pause: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
}

impl Breaker {
    /// Opens after `threshold` failures in a row and admits one probe per `pause`.
    pub(super) fn new(threshold: u32, pause: Duration) -> Self {
        Self {
            threshold,
            pause,
            state: Mutex::default(),
        }
    }

    /// Whether a call may go out. An open breaker lets one probe through when its pause is over; a probe that never
    /// reports back only costs another pause.
    pub(super) fn admits(&self, now: Instant) -> bool {
        let mut state = self.lock();
        match state.open_until {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                state.open_until = Some(now + self.pause);
                true
            }
        }
    }

    /// Records a success; true when it closed the breaker.
    pub(super) fn succeeded(&self) -> bool {
        let mut state = self.lock();
        state.failures = 0;
        state.open_until.take().is_some()
    }

    /// Records a failure; true when it opened the breaker.
    pub(super) fn failed(&self, now: Instant) -> bool {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        if state.failures < self.threshold {
            return false;
        }
        state.open_until.replace(now + self.pause).is_none()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(1);

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_after_a_good_probe() {
        let (breaker, start) = (Breaker::new(2, PAUSE), Instant::now());
        assert!(!breaker.failed(start));
        assert!(!breaker.succeeded());
        assert!(!breaker.failed(start));
        assert!(breaker.failed(start));
        assert!(!breaker.admits(start));

        let later = start + PAUSE;
        assert!(breaker.admits(later), "one probe");
        assert!(!breaker.admits(later), "and only one");
        assert!(breaker.succeeded());
        assert!(breaker.admits(later));
    }

    #[test]
    fn a_failed_probe_keeps_it_open() {
        let (breaker, start) = (Breaker::new(1, PAUSE), Instant::now());
        assert!(breaker.failed(start));
        assert!(breaker.admits(start + PAUSE));
        assert!(!breaker.failed(start + PAUSE));
        assert!(!breaker.admits(start + PAUSE));
        assert!(breaker.admits(start + PAUSE * 2));
    }
}
