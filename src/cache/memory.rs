//! The tier cache in process: a bounded table of fixed size, for one replica or a small register.
//!
//! The table is set-associative: the hash of an id names a set of [`WAYS`] slots, and an entry lies in one of them. It
//! never grows, never rehashes and takes 48 bytes per entry it was built for. When a set is full, an entry that was not
//! read since the last pass gives way (second chance).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use jiff::civil::Date;

use super::catch_up::catch_up_level;
use super::count::LookupCounters;
use super::key::{entry_key, random_generation};
use super::trust::Trust;
use super::value::Stored;
use super::{
    CacheError, CachedTier, CaughtUp, ChangeLog, Level, Lookup, MissReason, Position, Ticket,
    TierCache, TierChange,
};
use crate::domain::{EnterpriseId, Epoch};

const WAYS: usize = 32;
const SHARDS: usize = 64;

/// The in-process tier cache.
pub struct MemoryCache {
    shards: Vec<Mutex<Shard>>,
    sets_per_shard: usize,
    trust: Trust,
    lookups: LookupCounters,
    /// Counts invalidations. A put whose ticket is older than the last invalidation before an eviction is refused,
    /// because the tombstone that would have refused it may be what was evicted.
    ticks: AtomicU64,
    /// Generation and position of each epoch that was begun.
    positions: Mutex<BTreeMap<Epoch, (u64, u64)>>,
}

/// A part of the table under one lock: keys and entries of a set side by side.
struct Shard {
    keys: Vec<u128>,
    entries: Vec<u128>,
    /// The value of `ticks` at the last eviction.
    evicted_at: u64,
}

/// The lowest byte of an entry, where the compact form has its check byte, says whether it was read.
const WAS_READ: u128 = 1;
const MARKS: u128 = 0xFF;

impl MemoryCache {
    /// A cache with room for about `entries` tiers; half as much again is reserved because sets fill unevenly.
    pub fn with_capacity(entries: usize) -> Self {
        let slots = entries.saturating_add(entries / 2);
        let sets_per_shard = slots.div_ceil(SHARDS * WAYS).max(1);
        let shard = || {
            Mutex::new(Shard {
                // Zeroed memory is only touched, and so only taken, where entries lie.
                keys: vec![0; sets_per_shard * WAYS],
                entries: vec![0; sets_per_shard * WAYS],
                evicted_at: 0,
            })
        };
        Self {
            shards: std::iter::repeat_with(shard).take(SHARDS).collect(),
            sets_per_shard,
            trust: Trust::new("memory"),
            lookups: LookupCounters::new("memory"),
            ticks: AtomicU64::new(0),
            positions: Mutex::default(),
        }
    }

    fn find(&self, generation: u64, epoch: &Epoch, id: &EnterpriseId, today: Date) -> Lookup {
        let key = entry_key(epoch, generation, id);
        let entry = self.with_set(key, |_, keys, entries| {
            let entry = entries.get_mut(place_of(key, keys)?)?;
            *entry |= WAS_READ;
            Some(*entry)
        });
        match entry.flatten().and_then(unpack) {
            Some(stored) => stored.answer(today),
            None => Lookup::Miss(MissReason::Cold),
        }
    }

    /// Stores an entry unless a newer one stands, or the writer's knowledge is older than an eviction.
    fn store(&self, key: u128, stored: &Stored, known_at: Option<u64>) {
        let Some(packed) = pack(stored) else { return };
        let now = self.ticks.load(Ordering::SeqCst);
        self.with_set(key, |evicted_at, keys, entries| {
            if let Some(entry) = place_of(key, keys).and_then(|place| entries.get_mut(place)) {
                if unpack(*entry).is_none_or(|standing| standing.order() <= stored.order()) {
                    *entry = packed;
                }
                return;
            }
            if known_at.is_some_and(|tick| tick < *evicted_at) {
                return;
            }
            let Some((place, entry)) = free_slot(key, keys, entries) else {
                return;
            };
            if *place != 0 {
                *evicted_at = now;
            }
            *place = key;
            *entry = packed;
        });
    }

    /// Runs `work` on the set of `key` under its shard's lock.
    fn with_set<T>(
        &self,
        key: u128,
        work: impl FnOnce(&mut u64, &mut [u128], &mut [u128]) -> T,
    ) -> Option<T> {
        // The halves of the hash are independent: one names the shard, the other the set.
        let (set, shard) = ((key >> 64) as usize, key as usize);
        let mut guard = lock(self.shards.get(shard % SHARDS)?);
        let Shard {
            keys,
            entries,
            evicted_at,
        } = &mut *guard;
        let start = (set % self.sets_per_shard) * WAYS;
        let keys = keys.get_mut(start..start + WAYS)?;
        let entries = entries.get_mut(start..start + WAYS)?;
        Some(work(evicted_at, keys, entries))
    }

    /// Keeps a value that was read after `ticket` was taken.
    pub(super) fn keep(&self, ticket: &Ticket, id: &EnterpriseId, value: CachedTier) {
        if let Some((generation, tick)) = ticket.near {
            let key = entry_key(&ticket.epoch, generation, id);
            self.store(key, &Stored::Value(value), Some(tick));
        }
    }

    fn mark(&self, generation: u64, epoch: &Epoch, id: &EnterpriseId, revision: u64) {
        // Counted before the tombstone is written: an eviction that hits it then bears at least this number.
        self.ticks.fetch_add(1, Ordering::SeqCst);
        let key = entry_key(epoch, generation, id);
        self.store(key, &Stored::Tombstone { revision }, None);
    }

    fn standing_at(&self, (generation, seq): (u64, u64)) -> Position {
        Position {
            generation,
            seq,
            losses: self.trust.losses(),
            began: Instant::now(),
            is_whole: true,
        }
    }
}

#[async_trait]
impl TierCache for MemoryCache {
    fn ticket(&self, epoch: &Epoch) -> Option<Ticket> {
        Some(Ticket {
            epoch: *epoch,
            near: Some((
                self.trust.generation(epoch)?,
                self.ticks.load(Ordering::SeqCst),
            )),
            far: None,
        })
    }

    fn at_hand(&self, epoch: &Epoch, id: &EnterpriseId, today: Date) -> Option<CachedTier> {
        let generation = self.trust.generation(epoch)?;
        match self.find(generation, epoch, id, today) {
            Lookup::Hit(tier) => {
                self.lookups.count(Lookup::Hit(tier));
                Some(tier)
            }
            Lookup::Miss(_) => None,
        }
    }

    async fn get(&self, epoch: &Epoch, id: &EnterpriseId, today: Date) -> Lookup {
        self.lookups.count(match self.trust.generation(epoch) {
            Some(generation) => self.find(generation, epoch, id, today),
            None => Lookup::Miss(MissReason::Untrusted),
        })
    }

    async fn get_many(&self, epoch: &Epoch, ids: &[EnterpriseId], today: Date) -> Vec<Lookup> {
        let generation = self.trust.generation(epoch);
        let find = |id| match generation {
            Some(generation) => self.find(generation, epoch, id, today),
            None => Lookup::Miss(MissReason::Untrusted),
        };
        ids.iter().map(|id| self.lookups.count(find(id))).collect()
    }

    async fn put_many(&self, ticket: &Ticket, entries: &[(EnterpriseId, CachedTier)]) {
        for (id, value) in entries {
            self.keep(ticket, id, *value);
        }
    }

    async fn invalidate(
        &self,
        epoch: &Epoch,
        changes: &[(EnterpriseId, u64)],
    ) -> Result<(), CacheError> {
        // Without a generation there are no entries, and the change is ahead of the position.
        if let Some(generation) = self.trust.last_generation(epoch) {
            for (id, revision) in changes {
                self.mark(generation, epoch, id, *revision);
            }
        }
        Ok(())
    }

    async fn catch_up(&self, epoch: &Epoch, log: &dyn ChangeLog) -> Result<CaughtUp, CacheError> {
        catch_up_level(self, epoch, log, None).await
    }

    fn is_trusted(&self, epoch: &Epoch) -> bool {
        self.trust.generation(epoch).is_some()
    }
}

#[async_trait]
impl Level for MemoryCache {
    async fn position(&self, epoch: &Epoch) -> Result<Option<Position>, CacheError> {
        let position = lock(&self.positions).get(epoch).copied();
        Ok(position.map(|position| self.standing_at(position)))
    }

    async fn restart(
        &self,
        epoch: &Epoch,
        seq: u64,
        instead_of: Option<&Position>,
    ) -> Result<Position, CacheError> {
        let mut positions = lock(&self.positions);
        let standing = positions
            .get(epoch)
            .copied()
            .filter(|(generation, _)| Some(*generation) != instead_of.map(|old| old.generation));
        let position = match standing {
            Some(position) => position,
            None => (random_generation()?, seq),
        };
        positions.insert(*epoch, position);
        drop(positions);
        Ok(self.standing_at(position))
    }

    async fn advance(
        &self,
        epoch: &Epoch,
        position: &Position,
        changes: &[TierChange],
    ) -> Result<Position, CacheError> {
        for change in changes {
            self.mark(
                position.generation,
                epoch,
                &change.enterprise_id,
                change.revision,
            );
        }
        let upto = changes.last().map_or(position.seq, |change| change.seq);
        let mut positions = lock(&self.positions);
        match positions.get_mut(epoch) {
            Some((generation, seq)) if *generation == position.generation => {
                *seq = upto.max(*seq);
            }
            Some(_) | None => return Err(CacheError::Restarted),
        }
        Ok(Position {
            seq: upto,
            ..*position
        })
    }

    fn vouch(&self, epoch: &Epoch, position: &Position) {
        self.trust.grant(epoch, position);
    }
}

/// The slot of a set where a key is looked for first, so that most are found without reading the whole set. The bits are
/// those that name neither shard nor set.
fn home_of(key: u128) -> usize {
    (key >> 32) as usize % WAYS
}

/// The slot of a set where a key lies.
fn place_of(key: u128, keys: &[u128]) -> Option<usize> {
    let home = home_of(key);
    match keys.get(home) {
        Some(at) if *at == key => Some(home),
        _ => keys.iter().position(|at| *at == key),
    }
}

/// The slot for a new entry: its home or another empty one, or one that was not read since the last pass.
fn free_slot<'a>(
    key: u128,
    keys: &'a mut [u128],
    entries: &'a mut [u128],
) -> Option<(&'a mut u128, &'a mut u128)> {
    let home = Some(home_of(key)).filter(|home| keys.get(*home) == Some(&0));
    let chosen = match home.or_else(|| keys.iter().position(|key| *key == 0)) {
        Some(empty) => empty,
        None => match entries.iter().position(|entry| entry & MARKS == 0) {
            Some(unread) => {
                // Entries that were passed over lose their mark, so that they go next unless they are read again.
                for entry in entries.iter_mut().take(unread) {
                    *entry &= !MARKS;
                }
                unread
            }
            None => {
                for entry in entries.iter_mut() {
                    *entry &= !MARKS;
                }
                0
            }
        },
    };
    Some((keys.get_mut(chosen)?, entries.get_mut(chosen)?))
}

fn pack(stored: &Stored) -> Option<u128> {
    stored
        .body()
        .map(|body| u128::from_be_bytes(body.bytes) & !MARKS)
}

fn unpack(entry: u128) -> Option<Stored> {
    Stored::from_body(&(entry & !MARKS).to_be_bytes())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code under these locks leaves its data half-changed, so a poisoned lock is as good as a whole one.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Tier;
    use jiff::civil::date;

    const TODAY: Date = date(2026, 11, 22);

    fn id(number: usize) -> EnterpriseId {
        EnterpriseId::parse(&format!("91990000MA{number:08}")).unwrap()
    }

    fn value(revision: u64) -> CachedTier {
        CachedTier {
            tier: Tier::B,
            points: 300,
            revision,
            as_of: TODAY,
            next_change_on: None,
        }
    }

    async fn trusted(entries: usize) -> (MemoryCache, Epoch) {
        let (cache, epoch) = (
            MemoryCache::with_capacity(entries),
            "0123456789abcdef".parse().unwrap(),
        );
        let position = cache.restart(&epoch, 0, None).await.unwrap();
        cache.vouch(&epoch, &position);
        (cache, epoch)
    }

    /// Catches up again: filling takes longer than a lease where the machine is busy.
    async fn renew(cache: &MemoryCache, epoch: &Epoch) {
        let position = cache.position(epoch).await.unwrap().unwrap();
        cache.vouch(epoch, &position);
    }

    #[tokio::test]
    async fn it_holds_what_it_was_built_for_and_never_more() {
        let (cache, epoch) = trusted(20_000).await;
        let ticket = cache.ticket(&epoch).unwrap();
        let ids: Vec<_> = (0..100_000).map(id).collect();
        let hits = async |ids: &[EnterpriseId]| {
            renew(&cache, &epoch).await;
            let found = cache.get_many(&epoch, ids, TODAY).await;
            found.iter().filter(|l| matches!(l, Lookup::Hit(_))).count()
        };

        let entries: Vec<_> = ids.iter().map(|id| (id.clone(), value(1))).collect();
        cache.put_many(&ticket, &entries[..20_000]).await;
        assert!(hits(&ids[..20_000]).await > 19_900);

        cache.put_many(&ticket, &entries[20_000..]).await;
        let held = hits(&ids).await;
        assert!((20_000..=30_720).contains(&held), "{held}");
    }

    #[tokio::test]
    async fn a_put_from_before_an_invalidation_is_refused_after_an_eviction() {
        let (cache, epoch) = trusted(1).await;
        let before = cache.ticket(&epoch).unwrap();
        cache.invalidate(&epoch, &[(id(0), 2)]).await.unwrap();
        let after = cache.ticket(&epoch).unwrap();
        let crowd: Vec<_> = (1..100_000).map(|n| (id(n), value(1))).collect();
        cache.put_many(&after, &crowd).await;

        cache.put_many(&before, &[(id(0), value(1))]).await;
        renew(&cache, &epoch).await;
        let Lookup::Miss(_) = cache.get(&epoch, &id(0), TODAY).await else {
            panic!("the stale value came back");
        };

        cache.put_many(&after, &[(id(0), value(2))]).await;
        renew(&cache, &epoch).await;
        assert_eq!(
            cache.get(&epoch, &id(0), TODAY).await,
            Lookup::Hit(value(2))
        );
    }
}
