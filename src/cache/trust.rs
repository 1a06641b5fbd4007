//! Whether a cache may answer: a lease that every complete catch-up renews.
//!
//! A cache starts untrusted, and loses its trust when a change could not be written to it, when its server went away,
//! or when nobody has caught it up for [`LEASE`]. While untrusted it answers nothing and takes nothing in.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use super::Position;
use crate::domain::Epoch;

/// How long a complete catch-up vouches for the entries. Catch-ups run at least every second, so a lease runs out only
/// when several of them failed.
pub const LEASE: Duration = Duration::from_secs(3);

/// The leases of one cache.
pub(super) struct Trust {
    layer: &'static str,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    /// Counts losses of trust, so that a catch-up which began before a loss cannot undo it.
    losses: u64,
    epochs: BTreeMap<Epoch, Lease>,
}

#[derive(Clone, Copy)]
struct Lease {
    generation: u64,
    until: Option<Instant>,
}

impl Trust {
    pub(super) fn new(layer: &'static str) -> Self {
        Self {
            layer,
            state: RwLock::default(),
        }
    }

    /// The generation to read and write while the epoch is trusted.
    pub(super) fn generation(&self, epoch: &Epoch) -> Option<u64> {
        let lease = self.read().epochs.get(epoch).copied()?;
        lease
            .until
            .is_some_and(|until| Instant::now() < until)
            .then_some(lease.generation)
    }

    /// The generation that was last trusted, for invalidations that are better written twice than not at all.
    pub(super) fn last_generation(&self, epoch: &Epoch) -> Option<u64> {
        self.read().epochs.get(epoch).map(|lease| lease.generation)
    }

    /// The number of losses so far; taken when a catch-up begins.
    pub(super) fn losses(&self) -> u64 {
        self.read().losses
    }

    /// Trusts the epoch up to [`LEASE`] after the catch-up began, unless trust was lost since.
    pub(super) fn grant(&self, epoch: &Epoch, position: &Position) {
        let mut state = self.write();
        if state.losses != position.losses {
            return;
        }
        let lease = Lease {
            generation: position.generation,
            until: Some(position.began + LEASE),
        };
        let before = state.epochs.insert(*epoch, lease);
        drop(state);
        if before.is_none_or(|lease| lease.until.is_none()) {
            tracing::info!(cache = self.layer, epoch = %epoch, "the tier cache is caught up and trusted");
        }
    }

    /// Trusts nothing until the next complete catch-up.
    pub(super) fn revoke(&self, why: &str) {
        let mut state = self.write();
        state.losses += 1;
        let mut lost = false;
        for lease in state.epochs.values_mut() {
            lost |= lease.until.take().is_some();
        }
        drop(state);
        if lost {
            tracing::warn!(
                cache = self.layer,
                why,
                "the tier cache is not trusted until it is caught up"
            );
        }
    }

    // A panic while the lock is held cannot leave the map half-changed, so a poisoned lock is as good as a whole one.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(trust: &Trust, began: Instant) -> Position {
        Position {
            generation: 7,
            seq: 0,
            losses: trust.losses(),
            began,
            is_whole: true,
        }
    }

    #[test]
    fn a_lease_runs_out() {
        let (trust, epoch) = (Trust::new("test"), "0123456789abcdef".parse().unwrap());
        assert_eq!(trust.generation(&epoch), None);

        trust.grant(&epoch, &position(&trust, Instant::now()));
        assert_eq!(trust.generation(&epoch), Some(7));

        let Some(long_ago) = Instant::now().checked_sub(LEASE) else {
            return;
        };
        trust.grant(&epoch, &position(&trust, long_ago));
        assert_eq!(trust.generation(&epoch), None);
        assert_eq!(trust.last_generation(&epoch), Some(7));
    }

    #[test]
    fn a_catch_up_that_began_before_a_loss_does_not_restore_trust() {
        let (trust, epoch) = (Trust::new("test"), "0123456789abcdef".parse().unwrap());
        let before = position(&trust, Instant::now());
        trust.revoke("a test");

        trust.grant(&epoch, &before);
        assert_eq!(trust.generation(&epoch), None);

        trust.grant(&epoch, &position(&trust, Instant::now()));
        assert_eq!(trust.generation(&epoch), Some(7));
    }
}
