//! Two levels: in process before Redis.
//!
//! What the near level has not got is asked of Redis and kept here; what neither has comes from the store. The near level
//! stays right by following the store's log of changes itself, never ahead of Redis (law 5), so a Redis that is away,
//! flushed or lying costs it nothing.

use async_trait::async_trait;
use jiff::civil::Date;

use super::catch_up::catch_up_level;
use super::{
    CacheError, CachedTier, CaughtUp, ChangeLog, Lookup, MemoryCache, RedisCache, Ticket, TierCache,
};
use crate::domain::{EnterpriseId, Epoch};

/// The in-process cache before Redis.
pub struct LayeredCache {
    near: MemoryCache,
    far: RedisCache,
}

impl LayeredCache {
    /// Puts the levels together.
    pub fn new(near: MemoryCache, far: RedisCache) -> Self {
        Self { near, far }
    }
}

#[async_trait]
impl TierCache for LayeredCache {
    fn ticket(&self, epoch: &Epoch) -> Option<Ticket> {
        let near = self.near.ticket(epoch).and_then(|ticket| ticket.near);
        let far = self.far.ticket(epoch).and_then(|ticket| ticket.far);
        (near.is_some() || far.is_some()).then_some(Ticket {
            epoch: *epoch,
            near,
            far,
        })
    }

    fn at_hand(&self, epoch: &Epoch, id: &EnterpriseId, today: Date) -> Option<CachedTier> {
        self.near.at_hand(epoch, id, today)
    }

    async fn get(&self, epoch: &Epoch, id: &EnterpriseId, today: Date) -> Lookup {
        let near = self.near.get(epoch, id, today).await;
        if let Lookup::Hit(_) = near {
            return near;
        }
        // The ticket comes before the read: it names what the near level knew when the read began.
        let ticket = self.near.ticket(epoch);
        let far = self.far.get(epoch, id, today).await;
        if let (Lookup::Hit(value), Some(ticket)) = (far, ticket) {
            self.near.keep(&ticket, id, value);
        }
        far
    }

    async fn get_many(&self, epoch: &Epoch, ids: &[EnterpriseId], today: Date) -> Vec<Lookup> {
        let mut found = self.near.get_many(epoch, ids, today).await;
        let missed: Vec<EnterpriseId> = ids
            .iter()
            .zip(&found)
            .filter(|(_, lookup)| matches!(lookup, Lookup::Miss(_)))
            .map(|(id, _)| id.clone())
            .collect();
        if missed.is_empty() {
            return found;
        }
        let ticket = self.near.ticket(epoch);
        let far = self.far.get_many(epoch, &missed, today).await;
        if let Some(ticket) = &ticket {
            for (id, lookup) in missed.iter().zip(&far) {
                if let Lookup::Hit(value) = lookup {
                    self.near.keep(ticket, id, *value);
                }
            }
        }
        let places = found
            .iter_mut()
            .filter(|lookup| matches!(lookup, Lookup::Miss(_)));
        for (place, lookup) in places.zip(far) {
            *place = lookup;
        }
        found
    }

    async fn put_many(&self, ticket: &Ticket, entries: &[(EnterpriseId, CachedTier)]) {
        self.near.put_many(ticket, entries).await;
        self.far.put_many(ticket, entries).await;
    }

    async fn invalidate(
        &self,
        epoch: &Epoch,
        changes: &[(EnterpriseId, u64)],
    ) -> Result<(), CacheError> {
        // Redis first: a value that is read from it after the near level has marked the change is of after the change.
        let far = self.far.invalidate(epoch, changes).await;
        self.near.invalidate(epoch, changes).await?;
        far
    }

    async fn catch_up(&self, epoch: &Epoch, log: &dyn ChangeLog) -> Result<CaughtUp, CacheError> {
        let far = self.far.catch_up(epoch, log).await;
        // A failure has cost Redis its trust, so the near level may go on alone.
        let no_further = far.as_ref().ok().map(CaughtUp::seq);
        let near = catch_up_level(&self.near, epoch, log, no_further).await;
        far.and_then(|far| near.map(|_| far))
    }

    async fn announce(&self, number: u64, epoch: &Epoch) -> Result<(), CacheError> {
        self.far.announce(number, epoch).await
    }

    async fn retire(&self, epoch: &Epoch, part: u16) -> Result<bool, CacheError> {
        self.far.retire(epoch, part).await
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn is_open_to(&self, ticket: &Ticket) -> bool {
        self.far.is_open_to(ticket)
    }

    fn is_trusted(&self, epoch: &Epoch) -> bool {
        self.near.is_trusted(epoch) || self.far.is_trusted(epoch)
    }
}
