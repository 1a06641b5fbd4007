//! Layer 2: the tier cache, a copy of the store's current tiers that may vanish at any moment.
//!
//! A cache never fails a look-up and never answers with what it cannot vouch for: every doubt is a miss, and a miss is
//! computed from the store. It refuses to be a record of anything.
//!
//! # The laws
//!
//! 1. *An older revision never replaces a newer one.* An invalidation leaves a tombstone that says up to which
//!    revision the enterprise is known to have changed; only a value of that or a later revision goes in.
//! 2. *A tier ends on its day.* A cached tier is a hit on the days from its as-of day to the day before its next
//!    possible change, and a miss on every other.
//! 3. *Trust is earned.* The store numbers every tier change. A cache knows up to which number it has applied them (its
//!    [`Position`]) and answers only while a [`catch_up`] has recently brought it to the end of that log.
//! 4. *A generation begins empty.* When the position is missing, because the cache is new or was flushed, the entries
//!    cannot be told from leftovers. A new generation with a random number begins at the current end of the log, under
//!    keys that nothing else uses. A [`Ticket`], taken before the store is read, names the generation, so a slow reader
//!    cannot carry a value from before the beginning into it.
//!
//! Why 4 is enough: a value of a generation was read from the store after that generation's starting point was taken,
//! so it contains every change up to the starting point, and every later change is applied from the log.
//!
//! What remains: within one second (the interval of catch-ups) after a change, a replica other than the one that made
//! it may still answer with the tier before the change. A value read before a change and written after it is refused
//! by the tombstone; only if Redis evicted that very tombstone in the moment between does it stand until the next
//! change, so Redis needs memory for the register (about 45 bytes per enterprise) rather than eviction.

mod breaker;
mod catch_up;
mod count;
mod key;
mod memory;
mod redis;
mod trust;
mod value;

use std::time::Instant;

use async_trait::async_trait;
use jiff::civil::Date;

use crate::domain::EnterpriseId;

pub use catch_up::{BoxError, ChangeLog, catch_up};
pub use key::{BUCKETS, Epoch, NotAnEpoch, bucket_of};
pub use memory::MemoryCache;
pub use redis::{RedisCache, RedisOptions};
pub use trust::LEASE;
pub use value::CachedTier;

/// The tier cache: in process ([`MemoryCache`], the default) or in Redis ([`RedisCache`], shared by several replicas).
#[async_trait]
pub trait TierCache: Send + Sync {
    /// Permission to write values that are read from the store from now on; none while the cache is untrusted.
    fn ticket(&self, epoch: &Epoch) -> Option<Ticket>;

    /// The tier of one enterprise for a read that asks for `today`.
    async fn get(&self, epoch: &Epoch, id: &EnterpriseId, today: Date) -> Lookup;

    /// The tiers of many enterprises, in the order of `ids`.
    async fn get_many(&self, epoch: &Epoch, ids: &[EnterpriseId], today: Date) -> Vec<Lookup>;

    /// Keeps values that were read from the store after `ticket` was taken. What cannot be kept is dropped.
    async fn put_many(&self, ticket: &Ticket, entries: &[(EnterpriseId, CachedTier)]);

    /// Marks enterprises as changed up to a revision, right after the store has committed the change.
    ///
    /// After a failure the cache is untrusted and the next catch-up repairs it, so the caller only reports it.
    async fn invalidate(
        &self,
        epoch: &Epoch,
        changes: &[(EnterpriseId, u64)],
    ) -> Result<(), CacheError>;

    /// Up to where the change log has been applied; nothing when the cache is new, flushed or unreadable.
    async fn position(&self, epoch: &Epoch) -> Result<Option<Position>, CacheError>;

    /// Begins an empty generation at `seq`, in place of `instead_of` if there was one. Of several replicas that do so at
    /// once one wins, and all get its position.
    async fn restart(
        &self,
        epoch: &Epoch,
        seq: u64,
        instead_of: Option<&Position>,
    ) -> Result<Position, CacheError>;

    /// Applies the changes that follow `position` in the log, without a gap.
    async fn advance(
        &self,
        epoch: &Epoch,
        position: &Position,
        changes: &[TierChange],
    ) -> Result<Position, CacheError>;

    /// Trusts the cache for up to [`LEASE`] after `position` was asked for: the caller reached the end of the log.
    fn vouch(&self, epoch: &Epoch, position: &Position);

    /// Whether look-ups are answered at the moment.
    fn is_trusted(&self, epoch: &Epoch) -> bool;
}

/// What a look-up found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// A tier that stands on the day asked for.
    Hit(CachedTier),
    /// Nothing to answer with; compute it from the store.
    Miss(MissReason),
}

/// Why a look-up missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissReason {
    /// Nothing is cached.
    Cold,
    /// The enterprise changed up to this revision and was not read since.
    Changed {
        /// The revision of the change.
        revision: u64,
    },
    /// The day of the tier's next possible change has come, or the day asked for is before the tier's own.
    Due,
    /// What was cached could not be read.
    Decode,
    /// The cache did not answer within its budget, or is left alone after failures.
    Outage,
    /// The cache has not been caught up with the store's changes.
    Untrusted,
}

/// Permission to put values into one generation of a cache.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    epoch: Epoch,
    generation: u64,
    /// In process: the number of invalidations when the ticket was taken.
    tick: u64,
}

/// Up to where a cache has applied the change log.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    generation: u64,
    seq: u64,
    losses: u64,
    began: Instant,
}

impl Position {
    /// The number of the last change that has been applied.
    pub fn seq(&self) -> u64 {
        self.seq
    }
}

/// One line of the store's log of tier changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierChange {
    /// Its number; numbers only grow.
    pub seq: u64,
    /// The enterprise that changed.
    pub enterprise_id: EnterpriseId,
    /// The enterprise's revision after the change.
    pub revision: u64,
}

/// Why the cache could not be written or caught up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CacheError {
    /// The address of the cache cannot be used.
    #[error("the redis address cannot be used: {0}")]
    Address(String),
    /// The cache did not answer.
    #[error("the tier cache is unavailable: {0}")]
    Unavailable(String),
    /// Another replica began a new generation meanwhile; the next catch-up follows it.
    #[error("the tier cache was started anew meanwhile; catch up again")]
    Restarted,
    /// The log of tier changes could not be read.
    #[error("the log of tier changes could not be read: {0}")]
    Log(String),
}
