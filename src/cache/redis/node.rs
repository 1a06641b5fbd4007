//! One Redis server: a budget for every call, a breaker, and a multiplexed connection for each thread that asks.
//!
//! A connection is driven by the runtime that opened it. Were there one for all, every look-up would wake another thread
//! and be woken by it; so each worker of the server has its own, and a look-up stays on its thread.

use std::cell::RefCell;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, Pipeline, RedisResult, Value,
};

use crate::cache::CacheError;
use crate::cache::breaker::Breaker;
use crate::cache::trust::Trust;

const FAILURES_TO_OPEN: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);
/// Catching up is nobody's request, so it may take this many budgets.
const UPKEEP_BUDGETS: u32 = 4;

/// What a call is for; its name in the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Read,
    Put,
    Invalidate,
    Upkeep,
}

/// What all servers of a cache share.
pub(super) struct Shared {
    budget: Duration,
    trust: Arc<Trust>,
    read: CallMeters,
    put: CallMeters,
    invalidate: CallMeters,
    upkeep: CallMeters,
}

struct CallMeters {
    seconds: Histogram,
    failures: Counter,
}

impl Shared {
    pub(super) fn new(budget: Duration, trust: Arc<Trust>) -> Self {
        let meters = |call: &'static str| CallMeters {
            seconds: histogram!("risktier_cache_call_seconds", "cache" => "redis", "call" => call),
            failures: counter!("risktier_cache_failures_total", "cache" => "redis", "call" => call),
        };
        Self {
            budget,
            trust,
            read: meters("read"),
            put: meters("put"),
            invalidate: meters("invalidate"),
            upkeep: meters("upkeep"),
        }
    }

    fn meters(&self, call: Call) -> &CallMeters {
        match call {
            Call::Read => &self.read,
            Call::Put => &self.put,
            Call::Invalidate => &self.invalidate,
            Call::Upkeep => &self.upkeep,
        }
    }

    /// Time for one call that a request waits for.
    pub(super) fn budget(&self) -> Duration {
        self.budget
    }

    /// Counts a failure that a server's own answer told.
    pub(super) fn count_failure(&self, call: Call) {
        self.meters(call).failures.increment(1);
    }
}

/// One server.
pub(super) struct Node {
    client: Client,
    address: String,
    /// Names the server among the connections of a thread.
    token: Arc<()>,
    /// Grows when a connection is found broken, so that no thread uses one from before.
    age: AtomicU64,
    /// Held by the one caller that connects, so that a thousand callers do not open a thousand connections.
    connecting: tokio::sync::Mutex<()>,
    breaker: Breaker,
    breaker_state: Gauge,
    shared: Arc<Shared>,
}

/// A connection of the present thread.
struct Link {
    of: Weak<()>,
    age: u64,
    connection: MultiplexedConnection,
}

thread_local! {
    static LINKS: RefCell<Vec<Link>> = const { RefCell::new(Vec::new()) };
}

impl Node {
    /// A server that is connected to when it is first asked.
    pub(super) fn new(info: ConnectionInfo, shared: Arc<Shared>) -> Result<Self, CacheError> {
        let address = info.addr().to_string();
        let unusable = |error: redis::RedisError| CacheError::Address(error.to_string());
        let breaker_state =
            gauge!("risktier_cache_breaker_state", "cache" => "redis", "server" => address.clone());
        breaker_state.set(0.0);
        Ok(Self {
            client: Client::open(info).map_err(unusable)?,
            address,
            token: Arc::default(),
            age: AtomicU64::new(0),
            connecting: tokio::sync::Mutex::default(),
            breaker: Breaker::new(FAILURES_TO_OPEN, PAUSE),
            breaker_state,
            shared,
        })
    }

    /// Its host and port.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Sends commands at once; the answers come in their order, refusals of single commands among them.
    pub(super) async fn send(
        &self,
        call: Call,
        pipeline: &Pipeline,
    ) -> Result<Vec<Value>, CacheError> {
        let count = pipeline.len();
        let answers = self
            .run(call, |mut connection| async move {
                connection.send_packed_commands(pipeline, 0, count).await
            })
            .await?;
        if answers.len() == count {
            return Ok(answers);
        }
        Err(CacheError::Unavailable(format!(
            "redis gave {} answers to {count} commands",
            answers.len()
        )))
    }

    /// Sends one command; a refusal is an answer.
    pub(super) async fn send_one(&self, call: Call, command: &Cmd) -> Result<Value, CacheError> {
        self.run(call, |mut connection| async move {
            connection.send_packed_command(command).await
        })
        .await
    }

    /// One call within its budget and under the breaker.
    async fn run<T: Answer, F>(
        &self,
        call: Call,
        work: impl FnOnce(MultiplexedConnection) -> F + Send,
    ) -> Result<T, CacheError>
    where
        F: Future<Output = RedisResult<T>> + Send,
    {
        let began = Instant::now();
        if !self.breaker.admits(began) {
            return Err(CacheError::Unavailable("left alone after failures".into()));
        }
        let budget = match call {
            Call::Read | Call::Put | Call::Invalidate => self.shared.budget,
            Call::Upkeep => self.shared.budget * UPKEEP_BUDGETS,
        };
        let age = self.age.load(Ordering::SeqCst);
        let outcome =
            tokio::time::timeout(budget, async { work(self.connect(age).await?).await }).await;
        let meters = self.shared.meters(call);
        meters.seconds.record(began.elapsed().as_secs_f64());
        let why = match outcome {
            Ok(Ok(answer)) => {
                self.answered();
                return Ok(answer);
            }
            Ok(Err(error)) => {
                if matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
                    && let Some(answer) = T::of_refusal(&error)
                {
                    self.answered();
                    return Ok(answer);
                }
                // Whatever is no answer of a Redis server ends the connection: a server that was put in its place, or
                // answers that no longer belong to their questions.
                self.disconnect(age);
                self.shared.trust.revoke("the connection to redis was lost");
                error.to_string()
            }
            Err(_) => format!("no answer within {} ms", budget.as_millis()),
        };
        meters.failures.increment(1);
        self.failed(&why);
        Err(CacheError::Unavailable(why))
    }

    fn answered(&self) {
        if self.breaker.succeeded() {
            self.breaker_state.set(0.0);
            tracing::info!(server = self.address, "redis answers again");
        }
    }

    /// Enough failures in a row open the breaker.
    fn failed(&self, why: &str) {
        if !self.breaker.failed(Instant::now()) {
            return;
        }
        self.breaker_state.set(1.0);
        tracing::warn!(
            server = self.address,
            why,
            "redis fails and is left alone for a second at a time"
        );
        // A server that hangs may be gone for good; the next probe asks for a fresh connection.
        self.age.fetch_add(1, Ordering::SeqCst);
        self.shared.trust.revoke("redis does not answer");
    }

    async fn connect(&self, age: u64) -> RedisResult<MultiplexedConnection> {
        if let Some(standing) = self.standing(age) {
            return Ok(standing);
        }
        let _one_at_a_time = self.connecting.lock().await;
        if let Some(standing) = self.standing(age) {
            return Ok(standing);
        }
        // The budget of the call covers both, so the library's own time-outs are off.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let connection = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let link = Link {
            of: Arc::downgrade(&self.token),
            age,
            connection: connection.clone(),
        };
        LINKS.with_borrow_mut(|links| {
            links.retain(|link| link.of.strong_count() > 0 && !self.owns(link));
            links.push(link);
        });
        Ok(connection)
    }

    /// The connection of the present thread, if it is not older than the last break.
    fn standing(&self, age: u64) -> Option<MultiplexedConnection> {
        LINKS.with_borrow(|links| {
            let link = links.iter().find(|link| self.owns(link))?;
            (link.age == age).then(|| link.connection.clone())
        })
    }

    fn owns(&self, link: &Link) -> bool {
        std::ptr::eq(link.of.as_ptr(), Arc::as_ptr(&self.token))
    }

    /// Lets no thread use connections of this age.
    fn disconnect(&self, age: u64) {
        let next = age + 1;
        // Someone else may have seen the same break.
        let _was_newer = self
            .age
            .compare_exchange(age, next, Ordering::SeqCst, Ordering::SeqCst);
    }
}

/// What a call answers with, and how a refusal by the server looks in it.
trait Answer: Sized {
    fn of_refusal(error: &redis::RedisError) -> Option<Self>;
}

impl Answer for Value {
    fn of_refusal(error: &redis::RedisError) -> Option<Self> {
        redis::ServerError::try_from(error.clone())
            .ok()
            .map(Value::ServerError)
    }
}

impl Answer for Vec<Value> {
    fn of_refusal(_: &redis::RedisError) -> Option<Self> {
        None
    }
}
