//! The tier cache in Redis, shared by all replicas of a service.
//!
//! | key | holds |
//! |---|---|
//! | `rt:<epoch>:<log>:applied` | `<generation> <seq>`: the generation that counts and up to where the log is applied |
//! | `rt:<epoch>:<log>-<generation>:{<bucket>}` | a hash: enterprise id → compact form |
//!
//! `<log>` names the store's log, so that two stores (a test system and a production system, or a store that was made
//! anew) may share one Redis and one epoch. The bucket is the only hash tag, so that buckets spread over a Redis Cluster.
//! All keys expire [`TTL_SECONDS`] after they were last written.
//!
//! Every call has a budget. After [`FAILURES_TO_OPEN`] failures in a row a circuit breaker leaves Redis alone and lets one
//! probe through per second. A lost connection or a failed write costs the trust until the next catch-up, because Redis
//! may have come back with less than it had.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::civil::Date;
use metrics::counter;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ErrorKind, Pipeline, RedisError, RedisResult, Script, Value,
};

use super::breaker::Breaker;
use super::count::LookupCounters;
use super::key::{bucket_of, random_generation};
use super::trust::Trust;
use super::value::Stored;
use super::{CacheError, CachedTier, Lookup, MissReason, Position, Ticket, TierCache, TierChange};
use crate::domain::{EnterpriseId, Epoch};

/// Keys live this long after their last write: longer than the month between scheduled runs.
const TTL_SECONDS: u64 = 40 * 24 * 60 * 60;
const FAILURES_TO_OPEN: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);
/// Ids per pipeline; each pipeline has its own budget.
const CHUNK: usize = 1_000;
/// Catching up is nobody's request, so it may take this many budgets.
const UPKEEP_BUDGETS: u32 = 10;

/// The scripts that compare and write in one step; each opens with what it does.
const PUT: &str = include_str!("lua/put.lua");
const DROP_GARBAGE: &str = include_str!("lua/drop_garbage.lua");
const RESTART: &str = include_str!("lua/restart.lua");
const ADVANCE: &str = include_str!("lua/advance.lua");

/// Where Redis is and how patient to be.
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://[user:password@]host:port[/database]`.
    pub url: String,
    /// Time for one call, connecting included.
    pub budget: Duration,
    /// The identity of the store's change log, drawn at random when the store is made; letters, digits and `-`.
    pub log_id: String,
}

/// The tier cache in Redis.
pub struct RedisCache {
    client: Client,
    connection: Mutex<Option<MultiplexedConnection>>,
    budget: Duration,
    log_id: String,
    breaker: Breaker,
    /// Whether the last refused value is not yet followed by an accepted one.
    refusing: AtomicBool,
    trust: Trust,
    lookups: LookupCounters,
    scripts: Scripts,
}

struct Scripts {
    put: Script,
    restart: Script,
    advance: Script,
}

/// Where a failure belongs in the metrics.
#[derive(Clone, Copy)]
enum Call {
    Read,
    Put,
    Invalidate,
    Upkeep,
}

impl RedisCache {
    /// Checks the address; connects when first used.
    pub fn new(options: RedisOptions) -> Result<Self, CacheError> {
        let client =
            Client::open(options.url).map_err(|error| CacheError::Address(error.to_string()))?;
        Ok(Self {
            client,
            connection: Mutex::default(),
            budget: options.budget,
            log_id: options.log_id,
            breaker: Breaker::new(FAILURES_TO_OPEN, PAUSE),
            refusing: AtomicBool::new(false),
            trust: Trust::new("redis"),
            lookups: LookupCounters::new("redis"),
            scripts: Scripts {
                put: Script::new(PUT),
                restart: Script::new(RESTART),
                advance: Script::new(ADVANCE),
            },
        })
    }

    /// One call within its budget and under the breaker.
    async fn run<T, F>(
        &self,
        call: Call,
        work: impl FnOnce(MultiplexedConnection) -> F + Send,
    ) -> Result<T, CacheError>
    where
        F: Future<Output = RedisResult<T>> + Send,
    {
        if !self.breaker.admits(Instant::now()) {
            return Err(CacheError::Unavailable("left alone after failures".into()));
        }
        let budget = match call {
            Call::Read | Call::Put | Call::Invalidate => self.budget,
            Call::Upkeep => self.budget * UPKEEP_BUDGETS,
        };
        let outcome = tokio::time::timeout(budget, async {
            let connection = self.connect().await?;
            work(connection).await
        });
        let (why, answered) = match outcome.await {
            Ok(Ok(answer)) => {
                if self.breaker.succeeded() {
                    tracing::info!("redis answers again");
                }
                if matches!(call, Call::Put) && self.refusing.swap(false, Ordering::Relaxed) {
                    tracing::info!("redis takes new values again");
                }
                return Ok(answer);
            }
            Ok(Err(error)) => {
                if error.is_io_error() || error.is_unrecoverable_error() {
                    self.disconnect();
                    self.trust.revoke("the connection to redis was lost");
                }
                let answered = matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension);
                (error.to_string(), answered)
            }
            Err(_) => {
                let why = format!("no answer within {} ms", budget.as_millis());
                (why, false)
            }
        };
        self.failed(call, &why, answered);
        Err(CacheError::Unavailable(why))
    }

    /// Counts a failure; enough of them in a row open the breaker.
    fn failed(&self, call: Call, why: &str, answered: bool) {
        let name = match call {
            Call::Read => "read",
            Call::Put => "put",
            Call::Invalidate => "invalidate",
            Call::Upkeep => "upkeep",
        };
        counter!("risktier_cache_failures_total", "cache" => "redis", "call" => name).increment(1);
        // A server that answers but takes nothing more in (its memory is full) still serves what it has.
        if answered && matches!(call, Call::Put) {
            if !self.refusing.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    why,
                    "redis refuses new values; give it memory for the register"
                );
            }
            return;
        }
        if self.breaker.failed(Instant::now()) {
            tracing::warn!(why, "redis fails and is left alone for a second at a time");
            // A server that hangs may be gone for good; the next probe asks for a fresh connection.
            self.disconnect();
            self.trust.revoke("redis does not answer");
        }
    }

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        if let Some(connection) = lock(&self.connection).clone() {
            return Ok(connection);
        }
        // The budget of the call covers both, so the library's own time-outs are off.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let connection = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        Ok(lock(&self.connection).insert(connection).clone())
    }

    fn disconnect(&self) {
        lock(&self.connection).take();
    }

    fn applied_key(&self, epoch: &Epoch) -> String {
        format!("rt:{epoch}:{}:applied", self.log_id)
    }

    fn bucket_key(&self, epoch: &Epoch, generation: u64, bucket: u16) -> String {
        format!("rt:{epoch}:{}-{generation:016x}:{{{bucket}}}", self.log_id)
    }

    /// Reads up to [`CHUNK`] ids with one pipeline, one command per bucket.
    async fn read(
        &self,
        epoch: &Epoch,
        generation: u64,
        ids: &[EnterpriseId],
        today: Date,
    ) -> Result<Vec<Lookup>, CacheError> {
        let buckets = by_bucket(ids.iter().enumerate(), |(_, id)| id);
        let mut pipeline = Pipeline::with_capacity(buckets.len());
        pipeline.ignore_errors();
        for (bucket, members) in &buckets {
            let command = pipeline
                .cmd("HMGET")
                .arg(self.bucket_key(epoch, generation, *bucket));
            for (_, id) in members {
                command.arg(id.as_str());
            }
        }
        let answers: Vec<RedisResult<Vec<Value>>> = self
            .run(Call::Read, |mut connection| async move {
                pipeline.query_async(&mut connection).await
            })
            .await?;

        let mut found = vec![Lookup::Miss(MissReason::Decode); ids.len()];
        let mut garbage = Vec::new();
        for ((bucket, members), answer) in buckets.iter().zip(answers) {
            // A bucket of the wrong type is an error here; the next write replaces it.
            for ((at, id), value) in members.iter().zip(answer.unwrap_or_default()) {
                let lookup = match &value {
                    Value::Nil => Lookup::Miss(MissReason::Cold),
                    Value::BulkString(bytes) => match Stored::decode(id, bytes) {
                        Some(stored) => stored.answer(today),
                        None => {
                            garbage.push((*bucket, (*id).clone(), bytes.clone()));
                            Lookup::Miss(MissReason::Decode)
                        }
                    },
                    _ => Lookup::Miss(MissReason::Decode),
                };
                if let Some(place) = found.get_mut(*at) {
                    *place = lookup;
                }
            }
        }
        self.clean_up(epoch, generation, garbage).await;
        Ok(found)
    }

    /// Removes values that could not be read, so that they do not stand in the way of good ones.
    async fn clean_up(
        &self,
        epoch: &Epoch,
        generation: u64,
        garbage: Vec<(u16, EnterpriseId, Vec<u8>)>,
    ) {
        if garbage.is_empty() {
            return;
        }
        tracing::warn!(
            values = garbage.len(),
            "redis held values that are not ours"
        );
        let mut pipeline = Pipeline::new();
        for (bucket, id, bytes) in garbage {
            pipeline
                .cmd("EVAL")
                .arg(DROP_GARBAGE)
                .arg(1)
                .arg(self.bucket_key(epoch, generation, bucket))
                .arg(id.as_str())
                .arg(bytes);
        }
        // A failure is counted where it happens; the next read tries again.
        let _counted = self
            .run(Call::Put, |mut connection| async move {
                pipeline.exec_async(&mut connection).await
            })
            .await;
    }

    /// Writes entries that are newer than what stands, one script call per bucket.
    async fn write(
        &self,
        call: Call,
        epoch: &Epoch,
        generation: u64,
        entries: &[(&EnterpriseId, Stored)],
    ) -> Result<(), CacheError> {
        let (mut pipeline, mut pending) = (Pipeline::new(), 0);
        for (bucket, members) in by_bucket(entries.iter(), |(id, _)| id) {
            for members in members.chunks(CHUNK) {
                // What does not fit the compact form is not cached.
                let forms: Vec<_> = members
                    .iter()
                    .filter_map(|(id, stored)| Some((id, stored.encode(id)?)))
                    .collect();
                if forms.is_empty() {
                    continue;
                }
                let mut command = redis::cmd("EVALSHA");
                command
                    .arg(self.scripts.put.get_hash())
                    .arg(1)
                    .arg(self.bucket_key(epoch, generation, bucket))
                    .arg(TTL_SECONDS);
                for (id, form) in &forms {
                    command.arg(id.as_str()).arg(form.as_bytes());
                }
                pipeline.add_command(command);
                pending += forms.len();
                if pending >= CHUNK {
                    self.send(call, std::mem::take(&mut pipeline)).await?;
                    pending = 0;
                }
            }
        }
        if pending > 0 {
            self.send(call, pipeline).await?;
        }
        Ok(())
    }

    /// Runs a pipeline of the put script, teaching the script to a server that does not know it.
    async fn send(&self, call: Call, pipeline: Pipeline) -> Result<(), CacheError> {
        let put = &self.scripts.put;
        self.run(call, |mut connection| async move {
            match pipeline.exec_async(&mut connection).await {
                Err(error) if is_unknown_script(&error) => {
                    put.load_async(&mut connection).await?;
                    pipeline.exec_async(&mut connection).await
                }
                outcome => outcome,
            }
        })
        .await
    }

    fn position_of(&self, text: &str, losses: u64, began: Instant) -> Option<Position> {
        let (generation, seq) = text.split_once(' ')?;
        Some(Position {
            generation: u64::from_str_radix(generation, 16).ok()?,
            seq: seq.parse().ok()?,
            losses,
            began,
        })
    }
}

#[async_trait]
impl TierCache for RedisCache {
    fn ticket(&self, epoch: &Epoch) -> Option<Ticket> {
        Some(Ticket {
            epoch: *epoch,
            generation: self.trust.generation(epoch)?,
            tick: 0,
        })
    }

    async fn get(&self, epoch: &Epoch, id: &EnterpriseId, today: Date) -> Lookup {
        let found = self.get_many(epoch, std::slice::from_ref(id), today).await;
        found
            .first()
            .copied()
            .unwrap_or(Lookup::Miss(MissReason::Outage))
    }

    async fn get_many(&self, epoch: &Epoch, ids: &[EnterpriseId], today: Date) -> Vec<Lookup> {
        let mut found = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            let Some(generation) = self.trust.generation(epoch) else {
                break;
            };
            match self.read(epoch, generation, chunk, today).await {
                Ok(lookups) => found.extend(lookups),
                Err(_) => {
                    // One budget is enough for one request: the rest is not tried.
                    found.resize(ids.len(), Lookup::Miss(MissReason::Outage));
                }
            }
            if found.len() == ids.len() {
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
        if self.trust.generation(&ticket.epoch) != Some(ticket.generation) {
            return;
        }
        let entries: Vec<_> = entries
            .iter()
            .map(|(id, value)| (id, Stored::Value(*value)))
            .collect();
        // A value that was not kept is computed again; the failure is counted where it happens.
        let _counted = self
            .write(Call::Put, &ticket.epoch, ticket.generation, &entries)
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
        let tombstones: Vec<_> = changes
            .iter()
            .map(|(id, revision)| {
                (
                    id,
                    Stored::Tombstone {
                        revision: *revision,
                    },
                )
            })
            .collect();
        let outcome = self
            .write(Call::Invalidate, epoch, generation, &tombstones)
            .await;
        if outcome.is_err() {
            self.trust.revoke("a change could not be written to redis");
        }
        outcome
    }

    async fn position(&self, epoch: &Epoch) -> Result<Option<Position>, CacheError> {
        let (losses, began) = (self.trust.losses(), Instant::now());
        let key = self.applied_key(epoch);
        let mut pipeline = Pipeline::new();
        pipeline.ignore_errors();
        pipeline.cmd("GET").arg(&key);
        pipeline.cmd("EXPIRE").arg(&key).arg(TTL_SECONDS);
        let mut answers: Vec<RedisResult<Value>> = self
            .run(Call::Upkeep, |mut connection| async move {
                pipeline.query_async(&mut connection).await
            })
            .await?;
        // Anything but our own text counts as missing and is replaced by a new generation; but a server that refuses to
        // answer (loading, out of memory, no permission) is unavailable.
        match answers.drain(..).next() {
            Some(Ok(Value::BulkString(bytes))) => Ok(std::str::from_utf8(&bytes)
                .ok()
                .and_then(|text| self.position_of(text, losses, began))),
            Some(Err(error)) if error.code() != Some("WRONGTYPE") => {
                self.failed(Call::Upkeep, &error.to_string(), true);
                Err(CacheError::Unavailable(error.to_string()))
            }
            _ => Ok(None),
        }
    }

    async fn restart(
        &self,
        epoch: &Epoch,
        seq: u64,
        instead_of: Option<&Position>,
    ) -> Result<Position, CacheError> {
        let (losses, began) = (self.trust.losses(), Instant::now());
        let begin = format!("{:016x} {seq}", random_generation()?);
        let replaced =
            instead_of.map_or_else(String::new, |old| format!("{:016x}", old.generation));
        let mut call = self.scripts.restart.key(self.applied_key(epoch));
        call.arg(replaced).arg(begin).arg(TTL_SECONDS);
        let standing: String = self
            .run(Call::Upkeep, |mut connection| async move {
                call.invoke_async(&mut connection).await
            })
            .await?;
        tracing::info!(epoch = %epoch, seq, "redis begins an empty generation of tiers");
        self.position_of(&standing, losses, began)
            .ok_or(CacheError::Restarted)
    }

    async fn advance(
        &self,
        epoch: &Epoch,
        position: &Position,
        changes: &[TierChange],
    ) -> Result<Position, CacheError> {
        let Some(last) = changes.last() else {
            return Ok(*position);
        };
        let tombstones: Vec<_> = changes
            .iter()
            .map(|change| {
                (
                    &change.enterprise_id,
                    Stored::Tombstone {
                        revision: change.revision,
                    },
                )
            })
            .collect();
        self.write(Call::Upkeep, epoch, position.generation, &tombstones)
            .await?;
        let mut call = self.scripts.advance.key(self.applied_key(epoch));
        call.arg(format!("{:016x}", position.generation))
            .arg(last.seq)
            .arg(TTL_SECONDS);
        let moved: bool = self
            .run(Call::Upkeep, |mut connection| async move {
                call.invoke_async(&mut connection).await
            })
            .await?;
        moved
            .then_some(Position {
                seq: last.seq,
                ..*position
            })
            .ok_or(CacheError::Restarted)
    }

    fn vouch(&self, epoch: &Epoch, position: &Position) {
        self.trust.grant(epoch, position);
    }

    fn is_trusted(&self, epoch: &Epoch) -> bool {
        self.trust.generation(epoch).is_some()
    }
}

/// Groups items by the bucket of their id, in the order of the buckets.
fn by_bucket<T>(
    items: impl Iterator<Item = T>,
    id: impl Fn(&T) -> &EnterpriseId,
) -> BTreeMap<u16, Vec<T>> {
    let mut buckets: BTreeMap<u16, Vec<T>> = BTreeMap::new();
    for item in items {
        buckets.entry(bucket_of(id(&item))).or_default().push(item);
    }
    buckets
}

fn is_unknown_script(error: &RedisError) -> bool {
    error.code() == Some("NOSCRIPT")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
