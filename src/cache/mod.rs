//! Layer 2: the tier cache, a copy of the store's current tiers that may vanish at any moment.
//!
//! A cache never fails a look-up and never answers with what it cannot vouch for: every doubt is a miss, and a miss is
//! computed from the store. It refuses to be a record of anything.
//!
//! # Levels
//!
//! In process alone ([`MemoryCache`]); in Redis alone ([`RedisCache`], a single server or a Cluster); or, the normal case
//! with several replicas, in process before Redis ([`LayeredCache`]).
//!
//! # The laws
//!
//! 1. *An older revision never replaces a newer one.* An invalidation leaves a tombstone that says up to which
//!    revision the enterprise is known to have changed; only a value of that or a later revision goes in.
//! 2. *A tier ends on its day.* A cached tier is a hit on the days from its as-of day to the day before its next
//!    possible change, and a miss on every other.
//! 3. *Trust is earned.* The store numbers every tier change. A cache knows up to which number it has applied them (its
//!    `Position`) and answers only while a [`catch_up`] has recently brought it to the end of that log.
//! 4. *A generation begins empty.* When the position is missing, because the cache is new or was flushed, the entries
//!    cannot be told from leftovers. A new generation with a random number begins at the current end of the log, under
//!    keys that nothing else uses. A [`Ticket`], taken before the store is read, names the generation, so a slow reader
//!    cannot carry a value from before the beginning into it.
//!
//! Why 4 is enough: a value of a generation was read from the store after that generation's starting point was taken,
//! so it contains every change up to the starting point, and every later change is applied from the log.
//!
//! 5. *The near level never knows of a change that the far one does not.* While Redis is trusted, the level in process
//!    follows the log only as far as Redis has; so what is read from Redis is never older than what was forgotten here.
//! 6. *A Cluster is whole or not trusted.* Redis replicates without waiting, so a replica that takes over may lack the last
//!    tombstones although the position, on another server, counts them as applied. Each generation therefore keeps a
//!    witness on every master: the number of that very server process. A witness that is missing or names another
//!    process begins a new generation, and an upkeep that does not reach every master costs the trust.
//!
//! What remains: within one second (catch-ups run twice a second) after a change, a replica other than the one that made
//! it may still answer with the tier before the change. A value read before a change and written after it is refused
//! by the tombstone. Where a flush has taken the tombstone, one server refuses the value in the same step, because the
//! position is gone too; of a Cluster the witness of the master is asked for behind the value, and its absence costs the
//! trust at once, so that only look-ups within that round trip could see it. Only if Redis evicted that very tombstone in the
//! moment between does the value stand until the next change, so Redis needs memory for the register (about 45 bytes per
//! enterprise) rather than eviction.
//!
//! # Reading the tiers straight from Redis
//!
//! Another system may read the tiers without asking us. Everything is under the prefix `rt:`; readers never write.
//!
//! 1. `HGETALL rt:live` gives `<log>` → `<number> <epoch>`: one field for each store that uses this Redis, normally one. The
//!    number grows with every change of the files in force.
//! 2. `GET rt:<epoch>:<log>:applied` gives `<generation> <seq> <time>`: 16 hexadecimal digits, the number of the last change
//!    of the register that the tiers contain, and when a replica last found that there is no later one (seconds since
//!    1970, UTC). If the key is missing, or the time is more than 3 seconds ago, ask the API instead. Keep the answer for
//!    at most a second.
//! 3. `HGET rt:<epoch>:<log>-<generation>:{<bucket>} <id>`, where the bucket is the first four hexadecimal digits of
//!    `SHA-256(id)` as a number, modulo 16,384, written in decimal. Many ids: `HMGET` by bucket, pipelined.
//! 4. Take the 16 bytes apart:
//!
//! | bytes | hold |
//! |---|---|
//! | 0 | `0x21` A, `0x22` B, `0x23` C, `0x24` D |
//! | 1–5 | revision of the enterprise |
//! | 6–8 | as-of day, in days since 1970-01-01 |
//! | 9–10 | days from there to the first day on which the tier may differ, `FFFF` for none |
//! | 11–12 | points |
//! | 13–15 | check: FNV-1a (64 bits) over id and bytes 0–12, `h ^ (h >> 24) ^ (h >> 48)`, the lowest 24 bits |
//!
//! The tier holds on the as-of day and on every later day before the next change. Anything else is not an answer: no
//! field, another length (9 bytes beginning with `0x20` say that the enterprise has changed), a wrong check, a day outside.
//! Ask the API then; it answers, and the field is there the next time. An id that was merged into another has no field.

mod breaker;
mod catch_up;
mod count;
mod key;
mod layered;
mod memory;
mod redis;
mod trust;
mod value;

use std::time::Instant;

use async_trait::async_trait;
use jiff::civil::Date;

use crate::domain::{EnterpriseId, Epoch};

pub use catch_up::{BoxError, ChangeLog, catch_up};
pub use key::{BUCKETS, bucket_of};
pub use layered::LayeredCache;
pub use memory::MemoryCache;
pub use redis::{RedisCache, RedisOptions};
pub use trust::LEASE;
pub use value::CachedTier;

/// The tier cache.
#[async_trait]
pub trait TierCache: Send + Sync {
    /// Permission to write values that are read from the store from now on; none while the cache is untrusted.
    fn ticket(&self, epoch: &Epoch) -> Option<Ticket>;

    /// The tier of one enterprise for a read that asks for `today`, if it is at hand without waiting for anything. What
    /// this finds is counted as a look-up; what it does not find is left to [`TierCache::get`] to count.
    fn at_hand(&self, epoch: &Epoch, id: &EnterpriseId, today: Date) -> Option<CachedTier>;

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

    /// Applies every change of the log that the cache has not seen and vouches for its entries.
    ///
    /// Safe to run on any number of replicas at once: applying a change twice changes nothing, and the position only
    /// moves forward over changes that its mover has applied.
    async fn catch_up(&self, epoch: &Epoch, log: &dyn ChangeLog) -> Result<CaughtUp, CacheError>;

    /// Tells readers from outside which epoch is in force, by its number; an earlier number never replaces a later one.
    async fn announce(&self, _number: u64, _epoch: &Epoch) -> Result<(), CacheError> {
        Ok(())
    }

    /// Lets the entries of an epoch that is no longer in force go soon, a part of them per call; `false` when there is
    /// nothing left to let go.
    async fn retire(&self, _epoch: &Epoch, _part: u16) -> Result<bool, CacheError> {
        Ok(false)
    }

    /// Whether the cache is shared and worth filling before it is asked: what lies in process fills by itself.
    fn is_shared(&self) -> bool {
        false
    }

    /// Whether a ticket still lets values into the shared level.
    fn is_open_to(&self, _ticket: &Ticket) -> bool {
        false
    }

    /// Whether look-ups are answered at the moment.
    fn is_trusted(&self, epoch: &Epoch) -> bool;
}

/// One level of a cache as a catch-up sees it.
#[async_trait]
trait Level: Send + Sync {
    /// Up to where the change log has been applied; nothing when the level is new, flushed or unreadable.
    async fn position(&self, epoch: &Epoch) -> Result<Option<Position>, CacheError>;

    /// Begins an empty generation at `seq`, in place of `instead_of` if there was one. Of several replicas that do so at
    /// once one wins, and all get its position.
    async fn restart(
        &self,
        epoch: &Epoch,
        seq: u64,
        instead_of: Option<&Position>,
    ) -> Result<Position, CacheError>;

    /// Applies the changes that follow `position` in the log, without a gap; none when the end was reached.
    async fn advance(
        &self,
        epoch: &Epoch,
        position: &Position,
        changes: &[TierChange],
    ) -> Result<Position, CacheError>;

    /// Trusts the level for up to [`LEASE`] after `position` was asked for: the caller reached the end of the log.
    fn vouch(&self, epoch: &Epoch, position: &Position);
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
    /// The cache has not been caught up with the store's changes, or its generation is not known.
    Untrusted,
}

/// Permission to put values into one generation of each level that is trusted.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    epoch: Epoch,
    /// In process: the generation, and the number of invalidations when the ticket was taken.
    near: Option<(u64, u64)>,
    /// In Redis: the generation.
    far: Option<u64>,
}

impl Ticket {
    /// Permission for the level that replicas share alone.
    pub fn for_shared_only(self) -> Self {
        Self { near: None, ..self }
    }
}

/// Up to where a level has applied the change log.
#[derive(Clone, Copy, Debug)]
struct Position {
    generation: u64,
    seq: u64,
    losses: u64,
    began: Instant,
    /// Whether nothing of the generation can be missing.
    is_whole: bool,
}

/// What a complete catch-up came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaughtUp {
    seq: u64,
    has_begun: bool,
}

impl CaughtUp {
    /// The number of the last change that has been applied.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Whether this catch-up began an empty generation of the level that replicas share.
    pub fn has_begun(&self) -> bool {
        self.has_begun
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
