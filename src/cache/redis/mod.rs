//! The tier cache in Redis, shared by all replicas of a service: a single server or a Cluster.
//!
//! Every call has a budget. After three failures in a row a circuit breaker leaves a server alone and lets one probe
//! through per second. A lost connection, a failed write or an upkeep that did not succeed costs the trust until the next
//! catch-up, because Redis may have come back with less than it had.

mod layout;
mod node;
mod servers;
mod slots;
mod upkeep;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::civil::Date;
use redis::{Script, Value, cmd};

use super::catch_up::catch_up_level;
use super::count::LookupCounters;
use super::key::{BUCKETS, bucket_of};
use super::trust::Trust;
use super::value::Stored;
use super::{CacheError, CachedTier, CaughtUp, ChangeLog, Lookup, MissReason, Ticket, TierCache};
use crate::domain::{EnterpriseId, Epoch};
use layout::{BucketKeys, LIVE, Layout};
use node::{Call, Shared};
use servers::{Reply, Routed, Servers, Shape, accepted};
use slots::{slot_of, slot_of_bucket};

/// Ids per pipeline; each pipeline has its own budget.
const CHUNK: usize = 1_000;
/// What is no longer in force lives this long.
const RETIRED_SECONDS: u64 = 60 * 60;
/// Buckets that are let go in one call.
const RETIRED_AT_ONCE: u16 = 256;

/// The scripts that compare and write in one step; each opens with what it does.
const PUT: &str = include_str!("lua/put.lua");
const DROP_GARBAGE: &str = include_str!("lua/drop_garbage.lua");
const ANNOUNCE: &str = include_str!("lua/announce.lua");

/// Where Redis is and how patient to be.
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://[user:password@]host:port[/database]`, or `rediss://` for TLS; several, separated by commas, are members of
    /// one Cluster.
    pub url: String,
    /// The authorities (PEM) that issue the servers' certificates; none means those of the system.
    pub authorities: Option<Vec<u8>>,
    /// Time for one call, connecting included.
    pub budget: Duration,
    /// The identity of the store's change log, drawn at random when the store is made; letters, digits and `-`.
    pub log_id: String,
    /// How long entries live after they were last written, give or take a tenth.
    pub ttl: Duration,
}

/// What tells, when values are put, that Redis lost what it had since they were read from the store: a tombstone that would
/// stop an older one may be gone then.
enum Guard {
    /// Nothing is looked at.
    None,
    /// The key of the position, which one server looks at in the same step.
    Position(String),
    /// Of every master of a Cluster a slot and the key of its witness, which are asked for behind the values, because no step
    /// spans two slots.
    Witnesses(Vec<(u16, String)>),
}

impl Guard {
    fn witnesses(&self) -> &[(u16, String)] {
        match self {
            Self::None | Self::Position(_) => &[],
            Self::Witnesses(witnesses) => witnesses,
        }
    }
}

/// The tier cache in Redis.
pub struct RedisCache {
    servers: Servers,
    layout: Layout,
    shared: Arc<Shared>,
    /// Whether the last refused value is not yet followed by an accepted one.
    refusing: AtomicBool,
    trust: Arc<Trust>,
    lookups: LookupCounters,
    put: Script,
}

impl RedisCache {
    /// Checks the addresses; connects when first used.
    pub fn new(options: RedisOptions) -> Result<Self, CacheError> {
        let trust = Arc::new(Trust::new("redis"));
        let shared = Arc::new(Shared::new(options.budget, Arc::clone(&trust)));
        Ok(Self {
            servers: Servers::new(&options, Arc::clone(&shared))?,
            layout: Layout {
                log_id: options.log_id,
                ttl: options.ttl,
            },
            shared,
            refusing: AtomicBool::new(false),
            trust,
            lookups: LookupCounters::new("redis"),
            put: Script::new(PUT),
        })
    }

    /// Reads one id with one command.
    async fn read_one(
        &self,
        epoch: &Epoch,
        generation: u64,
        id: &EnterpriseId,
        today: Date,
    ) -> Lookup {
        let bucket = bucket_of(id);
        let mut command = cmd("HGET");
        let mut keys = self.layout.buckets(epoch, generation);
        command.arg(keys.of(bucket)).arg(id.as_str());
        let routed = (slot_of_bucket(bucket), command);
        match self.servers.one(Call::Read, routed).await {
            Ok(Value::Nil) => Lookup::Miss(MissReason::Cold),
            Ok(Value::BulkString(bytes)) => match Stored::decode(id, &bytes) {
                Some(stored) => stored.answer(today),
                None => {
                    self.clean_up(&mut keys, vec![(bucket, id, bytes)]).await;
                    Lookup::Miss(MissReason::Decode)
                }
            },
            Ok(answer) => self.unreadable(&answer),
            Err(_) => Lookup::Miss(MissReason::Outage),
        }
    }

    /// Reads up to [`CHUNK`] ids, one command per bucket and one pipeline per server. Ids whose server did not answer are
    /// missed as such; the others are read all the same.
    async fn read(
        &self,
        epoch: &Epoch,
        generation: u64,
        ids: &[EnterpriseId],
        today: Date,
    ) -> Vec<Lookup> {
        let places = by_bucket(ids.iter());
        let mut keys = self.layout.buckets(epoch, generation);
        let mut commands = Vec::with_capacity(places.len());
        for (bucket, members) in groups(&places) {
            let mut command = cmd("HMGET");
            command.arg(keys.of(bucket));
            for id in members.iter().filter_map(|(_, at)| ids.get(*at)) {
                command.arg(id.as_str());
            }
            commands.push((slot_of_bucket(bucket), command));
        }
        let replies = self.servers.each(Call::Read, commands).await;

        let mut found = vec![Lookup::Miss(MissReason::Outage); ids.len()];
        let mut garbage = Vec::new();
        for ((bucket, members), reply) in groups(&places).zip(replies) {
            let Ok(reply) = reply else { continue };
            let Value::Array(values) = reply else {
                // A bucket of the wrong type is an error here; the next write replaces it.
                let lookup = self.unreadable(&reply);
                for (_, at) in members {
                    put_at(&mut found, *at, lookup);
                }
                continue;
            };
            let mut values = values.into_iter();
            for (_, at) in members {
                let lookup = match (values.next(), ids.get(*at)) {
                    (Some(Value::Nil), _) => Lookup::Miss(MissReason::Cold),
                    (Some(Value::BulkString(bytes)), Some(id)) => {
                        match Stored::decode(id, &bytes) {
                            Some(stored) => stored.answer(today),
                            None => {
                                garbage.push((bucket, id, bytes));
                                Lookup::Miss(MissReason::Decode)
                            }
                        }
                    }
                    _ => Lookup::Miss(MissReason::Decode),
                };
                put_at(&mut found, *at, lookup);
            }
        }
        if !garbage.is_empty() {
            self.clean_up(&mut keys, garbage).await;
        }
        found
    }

    /// What an answer that holds no value is to a reader.
    fn unreadable(&self, answer: &Value) -> Lookup {
        match answer {
            Value::ServerError(error) if error.code() != "WRONGTYPE" => {
                self.shared.count_failure(Call::Read);
                Lookup::Miss(MissReason::Outage)
            }
            _ => Lookup::Miss(MissReason::Decode),
        }
    }

    /// Removes values that could not be read, so that they do not stand in the way of good ones.
    async fn clean_up(&self, keys: &mut BucketKeys, garbage: Vec<(u16, &EnterpriseId, Vec<u8>)>) {
        tracing::warn!(
            values = garbage.len(),
            "redis held values that are not ours"
        );
        let commands = garbage
            .into_iter()
            .map(|(bucket, id, bytes)| {
                let mut command = cmd("EVAL");
                command
                    .arg(DROP_GARBAGE)
                    .arg(1)
                    .arg(keys.of(bucket))
                    .arg(id.as_str())
                    .arg(bytes);
                (slot_of_bucket(bucket), command)
            })
            .collect();
        // A failure is counted where it happens; the next read tries again.
        let _counted = self.servers.each(Call::Put, commands).await;
    }

    /// Writes entries that are newer than what stands, one script call per bucket.
    async fn write(
        &self,
        call: Call,
        epoch: &Epoch,
        generation: u64,
        entries: &[(&EnterpriseId, Stored)],
    ) -> Result<(), CacheError> {
        let guard = match call {
            Call::Put => self.guard(epoch, generation),
            Call::Read | Call::Invalidate | Call::Upkeep => Guard::None,
        };
        for chunk in entries.chunks(CHUNK) {
            let places = by_bucket(chunk.iter().map(|(id, _)| *id));
            let replies = self
                .servers
                .each(call, self.puts(epoch, generation, chunk, &places, &guard))
                .await;
            let lacks_script = replies.iter().any(
                |reply| matches!(reply, Ok(Value::ServerError(error)) if error.code() == "NOSCRIPT"),
            );
            if !lacks_script {
                self.taken(call, replies, &guard)?;
                continue;
            }
            let mut teach = cmd("SCRIPT");
            teach.arg("LOAD").arg(PUT);
            self.servers.everywhere(call, &teach).await?;
            // Putting again what was put changes nothing.
            let again = self.puts(epoch, generation, chunk, &places, &guard);
            self.taken(call, self.servers.each(call, again).await, &guard)?;
        }
        Ok(())
    }

    fn puts(
        &self,
        epoch: &Epoch,
        generation: u64,
        entries: &[(&EnterpriseId, Stored)],
        places: &[(u16, usize)],
        guard: &Guard,
    ) -> Vec<Routed> {
        let mut keys = self.layout.buckets(epoch, generation);
        let mut commands = Vec::with_capacity(places.len());
        for (bucket, members) in groups(places) {
            // What does not fit the compact form is not cached.
            let mut forms = members
                .iter()
                .filter_map(|(_, at)| entries.get(*at))
                .filter_map(|(id, stored)| Some((id, stored.encode(id)?)))
                .peekable();
            if forms.peek().is_none() {
                continue;
            }
            let mut command = cmd("EVALSHA");
            command.arg(self.put.get_hash());
            match guard {
                Guard::Position(position) => command.arg(2).arg(keys.of(bucket)).arg(position),
                Guard::Witnesses(_) | Guard::None => command.arg(1).arg(keys.of(bucket)),
            };
            command.arg(self.layout.bucket_ttl(bucket));
            for (id, form) in forms {
                command.arg(id.as_str()).arg(form.as_bytes());
            }
            commands.push((slot_of_bucket(bucket), command));
        }
        // Asked behind the writes: each server answers in order.
        for (slot, witness) in guard.witnesses() {
            let mut command = cmd("GET");
            command.arg(witness);
            commands.push((*slot, command));
        }
        commands
    }

    /// What tells that values go into a generation that is gone.
    fn guard(&self, epoch: &Epoch, generation: u64) -> Guard {
        match self.servers.shape().as_ref() {
            Shape::Unknown => Guard::None,
            Shape::Single(_) => Guard::Position(self.layout.applied(epoch)),
            Shape::Cluster(cluster) => {
                let buckets = cluster.masters().iter().filter_map(|master| master.bucket);
                let witness = |bucket| {
                    let key = self.layout.witness(epoch, generation, bucket);
                    (slot_of_bucket(bucket), key)
                };
                Guard::Witnesses(buckets.map(witness).collect())
            }
        }
    }

    /// Whether every write was taken, by a generation that still counts.
    fn taken(&self, call: Call, replies: Vec<Reply>, guard: &Guard) -> Result<(), CacheError> {
        let puts = replies.len().saturating_sub(guard.witnesses().len());
        let is_gone = replies.iter().enumerate().any(|(at, reply)| match reply {
            Ok(Value::Int(0)) => matches!(guard, Guard::Position(_)),
            Ok(Value::Nil) => at >= puts,
            Ok(_) | Err(_) => false,
        });
        if is_gone {
            self.trust.revoke("redis has lost what it had");
        }
        for reply in replies {
            if let Ok(Value::ServerError(error)) = &reply {
                self.shared.count_failure(call);
                // A server that answers but takes nothing more in (its memory is full) still serves what it has.
                if call == Call::Put && !self.refusing.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        why = %error,
                        "redis refuses new values; give it memory for the register"
                    );
                }
            }
            accepted(reply)?;
        }
        if call == Call::Put && self.refusing.swap(false, Ordering::Relaxed) {
            tracing::info!("redis takes new values again");
        }
        Ok(())
    }
}

#[async_trait]
impl TierCache for RedisCache {
    fn ticket(&self, epoch: &Epoch) -> Option<Ticket> {
        Some(Ticket {
            epoch: *epoch,
            near: None,
            far: Some(self.trust.generation(epoch)?),
        })
    }

    fn at_hand(&self, _epoch: &Epoch, _id: &EnterpriseId, _today: Date) -> Option<CachedTier> {
        None
    }

    async fn get(&self, epoch: &Epoch, id: &EnterpriseId, today: Date) -> Lookup {
        self.lookups.count(match self.trust.generation(epoch) {
            Some(generation) => self.read_one(epoch, generation, id, today).await,
            None => Lookup::Miss(MissReason::Untrusted),
        })
    }

    async fn get_many(&self, epoch: &Epoch, ids: &[EnterpriseId], today: Date) -> Vec<Lookup> {
        if let [id] = ids {
            return vec![self.get(epoch, id, today).await];
        }
        let mut found = Vec::with_capacity(ids.len());
        let began = Instant::now();
        for chunk in ids.chunks(CHUNK) {
            let Some(generation) = self.trust.generation(epoch) else {
                break;
            };
            found.extend(self.read(epoch, generation, chunk, today).await);
            if began.elapsed() >= self.shared.budget() {
                // One budget is enough for one request: the rest is not tried.
                found.resize(ids.len(), Lookup::Miss(MissReason::Outage));
                break;
            }
        }
        found.resize(ids.len(), Lookup::Miss(MissReason::Untrusted));
        found
            .into_iter()
            .map(|lookup| self.lookups.count(lookup))
            .collect()
    }

    async fn put_many(&self, ticket: &Ticket, entries: &[(EnterpriseId, CachedTier)]) {
        let Some(generation) = ticket.far.filter(|_| self.is_open_to(ticket)) else {
            return;
        };
        let entries: Vec<_> = entries
            .iter()
            .map(|(id, value)| (id, Stored::Value(*value)))
            .collect();
        // A value that was not kept is computed again; the failure is counted where it happens.
        let _counted = self
            .write(Call::Put, &ticket.epoch, generation, &entries)
            .await;
    }

    async fn invalidate(
        &self,
        epoch: &Epoch,
        changes: &[(EnterpriseId, u64)],
    ) -> Result<(), CacheError> {
        // Without a generation this replica has never read or written Redis, and the catch-up brings the change.
        let Some(generation) = self.trust.last_generation(epoch) else {
            return Ok(());
        };
        let tombstones = tombstones(changes.iter().map(|(id, revision)| (id, *revision)));
        let outcome = self
            .write(Call::Invalidate, epoch, generation, &tombstones)
            .await;
        if outcome.is_err() {
            self.trust.revoke("a change could not be written to redis");
        }
        outcome
    }

    async fn catch_up(&self, epoch: &Epoch, log: &dyn ChangeLog) -> Result<CaughtUp, CacheError> {
        let outcome = catch_up_level(self, epoch, log, None).await;
        if outcome.is_err() {
            self.trust.revoke("redis could not be caught up");
        }
        outcome
    }

    async fn announce(&self, number: u64, epoch: &Epoch) -> Result<(), CacheError> {
        let arguments = [&self.layout.log_id, &number.to_string(), epoch.as_str()];
        self.upkeep(ANNOUNCE, LIVE, &arguments).await.map(|_| ())
    }

    async fn retire(&self, epoch: &Epoch, part: u16) -> Result<bool, CacheError> {
        let Some(generation) = self.trust.last_generation(epoch) else {
            return Ok(false);
        };
        let first = part.saturating_mul(RETIRED_AT_ONCE);
        if first >= BUCKETS {
            return Ok(false);
        }
        let mut keys = self.layout.buckets(epoch, generation);
        let mut commands = Vec::with_capacity(usize::from(RETIRED_AT_ONCE) + 1);
        let mut expire = |key: &str, slot: u16| {
            let mut command = cmd("EXPIRE");
            command.arg(key).arg(RETIRED_SECONDS);
            commands.push((slot, command));
        };
        if part == 0 {
            // The position goes first: should the epoch come back, its generation is not taken up again.
            let applied = self.layout.applied(epoch);
            expire(&applied, slot_of(&applied));
        }
        for bucket in first..(first + RETIRED_AT_ONCE).min(BUCKETS) {
            expire(keys.of(bucket), slot_of_bucket(bucket));
        }
        let replies = self.servers.each(Call::Upkeep, commands).await;
        replies.into_iter().try_for_each(accepted)?;
        Ok(true)
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn is_open_to(&self, ticket: &Ticket) -> bool {
        ticket.far.is_some() && self.trust.generation(&ticket.epoch) == ticket.far
    }

    fn is_trusted(&self, epoch: &Epoch) -> bool {
        self.trust.generation(epoch).is_some()
    }
}

fn tombstones<'a>(
    changes: impl Iterator<Item = (&'a EnterpriseId, u64)>,
) -> Vec<(&'a EnterpriseId, Stored)> {
    changes
        .map(|(id, revision)| (id, Stored::Tombstone { revision }))
        .collect()
}

/// The buckets of ids with the places of the ids, in the order of buckets and places.
fn by_bucket<'a>(ids: impl Iterator<Item = &'a EnterpriseId>) -> Vec<(u16, usize)> {
    let mut places: Vec<(u16, usize)> = ids.map(bucket_of).zip(0..).collect();
    places.sort_unstable();
    places
}

/// The places of each bucket.
fn groups(places: &[(u16, usize)]) -> impl Iterator<Item = (u16, &[(u16, usize)])> {
    places
        .chunk_by(|(one, _), (next, _)| one == next)
        .filter_map(|group| group.first().map(|(bucket, _)| (*bucket, group)))
}

fn put_at(found: &mut [Lookup], at: usize, lookup: Lookup) {
    if let Some(place) = found.get_mut(at) {
        *place = lookup;
    }
}
