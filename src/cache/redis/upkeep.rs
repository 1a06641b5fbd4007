//! Upkeep: where the change log has been applied to, and whether a generation is still whole.

use std::time::{Instant, SystemTime};

use async_trait::async_trait;
use futures_util::future::join_all;
use redis::{Cmd, Pipeline, Value, cmd};

use super::node::Call;
use super::servers::{Cluster, Master, Shape, accepted};
use super::slots::slot_of;
use super::{RedisCache, tombstones};
use crate::cache::key::random_generation;
use crate::cache::{CacheError, Level, Position, TierChange};
use crate::domain::Epoch;

const RESTART: &str = include_str!("lua/restart.lua");
const ADVANCE: &str = include_str!("lua/advance.lua");

impl RedisCache {
    /// One script of upkeep.
    pub(super) async fn upkeep(
        &self,
        script: &str,
        key: &str,
        arguments: &[&str],
    ) -> Result<Value, CacheError> {
        let mut command = cmd("EVAL");
        command.arg(script).arg(1).arg(key);
        for argument in arguments {
            command.arg(*argument);
        }
        match self
            .servers
            .one(Call::Upkeep, (slot_of(key), command))
            .await?
        {
            Value::ServerError(error) => {
                self.shared.count_failure(Call::Upkeep);
                Err(CacheError::Unavailable(error.to_string()))
            }
            answer => Ok(answer),
        }
    }

    /// Whether every master is the process that it was when the generation began, with what it had.
    async fn is_whole(
        &self,
        cluster: &Cluster,
        epoch: &Epoch,
        generation: u64,
    ) -> Result<bool, CacheError> {
        let checks = cluster.masters().iter().map(async |master| {
            let Some(bucket) = master.bucket else {
                return Ok(true);
            };
            let key = self.layout.witness(epoch, generation, bucket);
            let mut pipeline = Pipeline::with_capacity(3);
            pipeline.cmd("GET").arg(&key);
            pipeline.cmd("INFO").arg("server");
            let ttl = self.layout.longest_ttl();
            pipeline.cmd("EXPIRE").arg(&key).arg(ttl);
            let mut answers = master.node.send(Call::Upkeep, &pipeline).await?.into_iter();
            let witness = answers.next();
            let process = run_id(&answers.next().unwrap_or(Value::Nil))?;
            Ok(match witness {
                Some(Value::BulkString(bytes)) => bytes == process.as_bytes(),
                // The slot is on its way to another server: its new holder has no witness of its own yet.
                _ => false,
            })
        });
        let checked: Vec<Result<bool, CacheError>> = join_all(checks).await;
        let mut is_whole = true;
        for checked in checked {
            is_whole &= checked?;
        }
        Ok(is_whole)
    }

    /// Leaves the witnesses of a generation that is about to begin.
    async fn leave_witnesses(
        &self,
        cluster: &Cluster,
        epoch: &Epoch,
        generation: u64,
    ) -> Result<(), CacheError> {
        let left = cluster
            .masters()
            .iter()
            .map(async |Master { node, bucket }| {
                let Some(bucket) = bucket else { return Ok(()) };
                let mut question = cmd("INFO");
                question.arg("server");
                let process = run_id(&node.send_one(Call::Upkeep, &question).await?)?;
                let mut command = cmd("SET");
                command
                    .arg(self.layout.witness(epoch, generation, *bucket))
                    .arg(process)
                    .arg("EX")
                    .arg(self.layout.longest_ttl());
                accepted(node.send_one(Call::Upkeep, &command).await)
            });
        join_all(left).await.into_iter().collect()
    }
}

#[async_trait]
impl Level for RedisCache {
    async fn position(&self, epoch: &Epoch) -> Result<Option<Position>, CacheError> {
        let (losses, began) = (self.trust.losses(), Instant::now());
        let shape = self.servers.look().await?;
        let key = self.layout.applied(epoch);
        let slot = slot_of(&key);
        let mut get: Cmd = cmd("GET");
        get.arg(&key);
        let mut expire = cmd("EXPIRE");
        expire.arg(&key).arg(self.layout.longest_ttl());
        let commands = vec![(slot, get), (slot, expire)];
        let answer = self.servers.each(Call::Upkeep, commands).await;
        // Anything but our own text counts as missing and is replaced by a new generation; but a server that refuses to
        // answer (loading, out of memory, no permission) is unavailable.
        let found = match answer.into_iter().next() {
            Some(Ok(Value::BulkString(bytes))) => std::str::from_utf8(&bytes)
                .ok()
                .and_then(|text| position_of(text, losses, began)),
            Some(Ok(Value::ServerError(error))) if error.code() != "WRONGTYPE" => {
                self.shared.count_failure(Call::Upkeep);
                return Err(CacheError::Unavailable(error.to_string()));
            }
            Some(Err(error)) => return Err(error),
            _ => None,
        };
        let (Some(mut position), Shape::Cluster(cluster)) = (found, shape.as_ref()) else {
            return Ok(found);
        };
        position.is_whole = self.is_whole(cluster, epoch, position.generation).await?;
        Ok(Some(position))
    }

    async fn restart(
        &self,
        epoch: &Epoch,
        seq: u64,
        instead_of: Option<&Position>,
    ) -> Result<Position, CacheError> {
        let (losses, began) = (self.trust.losses(), Instant::now());
        let generation = random_generation()?;
        // Witnesses come before the generation is known to anyone.
        if let Shape::Cluster(cluster) = self.servers.shape().as_ref() {
            self.leave_witnesses(cluster, epoch, generation).await?;
        }
        let begin = format!("{generation:016x} {seq} {}", seconds_since_1970());
        let replaced =
            instead_of.map_or_else(String::new, |old| format!("{:016x}", old.generation));
        let ttl = self.layout.longest_ttl().to_string();
        let standing = self
            .upkeep(
                RESTART,
                &self.layout.applied(epoch),
                &[&replaced, &begin, &ttl],
            )
            .await?;
        tracing::info!(epoch = %epoch, seq, "redis begins an empty generation of tiers");
        let text = match &standing {
            Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
            Value::SimpleString(text) => Some(text.as_str()),
            _ => None,
        };
        text.and_then(|text| position_of(text, losses, began))
            .ok_or(CacheError::Restarted)
    }

    async fn advance(
        &self,
        epoch: &Epoch,
        position: &Position,
        changes: &[TierChange],
    ) -> Result<Position, CacheError> {
        let tombstones = tombstones(changes.iter().map(|one| (&one.enterprise_id, one.revision)));
        self.write(Call::Upkeep, epoch, position.generation, &tombstones)
            .await?;
        let seq = changes.last().map_or(position.seq, |last| last.seq);
        let moved = self
            .upkeep(
                ADVANCE,
                &self.layout.applied(epoch),
                &[
                    &format!("{:016x}", position.generation),
                    &seq.to_string(),
                    &self.layout.longest_ttl().to_string(),
                    &seconds_since_1970().to_string(),
                ],
            )
            .await;
        match moved {
            Ok(Value::Int(0)) => Err(CacheError::Restarted),
            Ok(_) => Ok(Position { seq, ..*position }),
            // A full Redis cannot note the time; what it has is right all the same.
            Err(_) if changes.is_empty() => Ok(*position),
            Err(error) => Err(error),
        }
    }

    fn vouch(&self, epoch: &Epoch, position: &Position) {
        self.trust.grant(epoch, position);
    }
}

/// Reads what the position key holds.
fn position_of(text: &str, losses: u64, began: Instant) -> Option<Position> {
    let mut parts = text.split(' ');
    let generation = u64::from_str_radix(parts.next()?, 16).ok()?;
    let seq = parts.next()?.parse().ok()?;
    let _time: u64 = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some(Position {
        generation,
        seq,
        losses,
        began,
        is_whole: true,
    })
}

/// The number of a server's process, which every start draws anew.
fn run_id(info: &Value) -> Result<String, CacheError> {
    let text = match info {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).unwrap_or_default(),
        Value::VerbatimString { text, .. } | Value::SimpleString(text) => text,
        _ => "",
    };
    text.lines()
        .find_map(|line| line.strip_prefix("run_id:"))
        .map(|id| id.trim().to_owned())
        .ok_or_else(|| CacheError::Unavailable("a server does not tell its run_id".to_owned()))
}

fn seconds_since_1970() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
