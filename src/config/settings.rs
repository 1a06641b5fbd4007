//! The settings as values, and the checks that serde cannot make.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::Date;
use serde::Deserialize;

use super::ConfigError;
use crate::domain::EnterpriseKind;

/// Every setting, validated.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the server listens; always a loopback address.
    pub listen: SocketAddr,
    /// The day that answers speak for; none means today.
    pub as_of: Option<Date>,
    /// The system of record.
    pub store: StoreSettings,
    /// The tier cache.
    pub cache: CacheSettings,
    /// How much a caller may ask for at once.
    pub limits: Limits,
    /// What writes need.
    pub writes: WriteSettings,
    /// Changes of tiers, sent to those who subscribed.
    pub webhooks: WebhookSettings,
    /// Files in place of the compiled-in ones.
    pub models: ModelPaths,
    /// Reclassification in the background.
    pub runs: RunSettings,
    /// What is logged and how.
    pub log: LogSettings,
}

/// The system of record.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSettings {
    /// The SQLite file, which is used unless there is a `database_url`.
    pub path: PathBuf,
    /// The PostgreSQL database; none means the SQLite file.
    pub database_url: Option<SecretUrl>,
    /// Most bytes of the SQLite file; 0 means as many as the disk holds.
    pub max_bytes: u64,
    /// Connections to PostgreSQL that one replica opens at most.
    pub connections: usize,
    /// Time for one statement in PostgreSQL, in milliseconds.
    pub statement_timeout_ms: u64,
}

/// The tier cache.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheSettings {
    /// Redis, a single server or members of a Cluster; none means in process alone.
    pub redis_url: Option<SecretUrl>,
    /// The authorities (PEM) that issue Redis' certificates; none means those of the system.
    pub redis_ca: Option<PathBuf>,
    /// Room of the in-process cache, in tiers; 0 means that there is none.
    pub entries: usize,
    /// Time for one call to Redis, in milliseconds.
    pub redis_budget_ms: u64,
    /// How long entries in Redis live, in days.
    pub redis_ttl_days: u64,
    /// Tiers per second that are written to Redis in advance; 0 means none.
    pub warm_up_per_second: u32,
    /// Look-ups that may read the store at once.
    pub store_reads: usize,
}

impl StoreSettings {
    /// Most bytes of the SQLite file, if there is a limit.
    pub fn most_bytes(&self) -> Option<u64> {
        (self.max_bytes > 0).then_some(self.max_bytes)
    }

    /// Time for one statement in PostgreSQL.
    pub fn statement_timeout(&self) -> Duration {
        Duration::from_millis(self.statement_timeout_ms)
    }
}

impl CacheSettings {
    /// Time for one call to Redis.
    pub fn redis_budget(&self) -> Duration {
        Duration::from_millis(self.redis_budget_ms)
    }

    /// How long entries in Redis live.
    pub fn redis_ttl(&self) -> Duration {
        Duration::from_secs(self.redis_ttl_days.saturating_mul(24 * 60 * 60))
    }
}

/// An address that may hold a password, so it is never printed.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// The address with its password, for the client alone.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretUrl(…)")
    }
}

/// How much a caller may ask for at once.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Largest request body, in bytes after decompression.
    pub body_bytes: usize,
    /// Largest import, in bytes after decompression.
    pub import_bytes: u64,
    /// Most bytes kept on disk of a Parquet file that is imported from a stream.
    pub spool_bytes: u64,
    /// Largest table that is sent for a training, in bytes after decompression.
    pub table_bytes: u64,
    /// Longest line of an import, in bytes.
    pub line_bytes: usize,
    /// Most enterprises in one bulk look-up.
    pub lookup_ids: usize,
    /// Most items on one page.
    pub page: usize,
    /// Items on one page unless the caller says otherwise.
    pub page_default: usize,
    /// Most bytes of the headers of a request.
    pub header_bytes: usize,
    /// Seconds that a request may take; imports and streams may take longer.
    pub request_seconds: u64,
    /// Requests that are worked on at the same time.
    pub concurrent_requests: usize,
    /// Imports that are worked on at the same time.
    pub concurrent_imports: usize,
    /// Requests in one window; 0 means any number.
    pub rate_requests: u32,
    /// The length of the window, in seconds.
    pub rate_seconds: u32,
}

/// What writes need.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteSettings {
    /// Hours for which answers are kept by idempotency key.
    pub keep_keys_hours: u64,
    /// Whether a POST that creates something needs an idempotency key.
    pub require_key: bool,
    /// Whether a write that replaces something needs to say which version it replaces.
    pub require_if_match: bool,
}

impl WriteSettings {
    /// For how long answers are kept by idempotency key.
    pub fn keep_keys(&self) -> Duration {
        Duration::from_secs(self.keep_keys_hours * 3_600)
    }
}

/// Changes of tiers, sent to those who subscribed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// Whether they are sent.
    pub enabled: bool,
    /// Hosts that may be called, joined by commas; empty means all.
    pub allowed_hosts: String,
    /// Whether targets on this machine may be called.
    pub allow_loopback: bool,
    /// Hours without success after which a webhook is suspended.
    pub give_up_hours: u64,
    /// Milliseconds until the second call.
    pub first_pause_ms: u64,
}

impl WebhookSettings {
    /// After how long without success a webhook is suspended.
    pub fn give_up(&self) -> Duration {
        Duration::from_secs(self.give_up_hours * 3_600)
    }

    /// The pause after a first failure.
    pub fn first_pause(&self) -> Duration {
        Duration::from_millis(self.first_pause_ms)
    }

    /// The hosts that may be called.
    pub fn hosts(&self) -> Vec<String> {
        self.allowed_hosts
            .split(',')
            .map(str::trim)
            .filter(|host| !host.is_empty())
            .map(str::to_owned)
            .collect()
    }
}

/// Files in place of the compiled-in ones.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelPaths {
    /// The indicator catalogue.
    pub catalogue: Option<PathBuf>,
    /// The scorecard.
    pub scorecard: Option<PathBuf>,
    /// Scorecards of single kinds, in place of the general one.
    #[serde(default)]
    pub scorecards: BTreeMap<EnterpriseKind, PathBuf>,
    /// The policy.
    pub policy: Option<PathBuf>,
}

impl ModelPaths {
    /// Whether any file is named.
    pub fn are_named(&self) -> bool {
        *self != Self::default()
    }
}

/// Reclassification in the background.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSettings {
    /// Whether the server asks for a run when a month has begun.
    pub monthly: bool,
    /// Days for which results of jobs are kept.
    pub keep_results_days: u64,
}

impl RunSettings {
    /// How long results of jobs are kept.
    pub fn keep_results(&self) -> Duration {
        Duration::from_secs(self.keep_results_days.saturating_mul(24 * 60 * 60))
    }
}

/// What is logged and how.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// The form of a log line.
    pub format: LogFormat,
    /// A level, or levels by module.
    pub filter: String,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object per line.
    Json,
}

impl Settings {
    /// The checks that concern several values or a range.
    pub(super) fn validated(self) -> Result<Self, ConfigError> {
        if !self.listen.ip().is_loopback() {
            return Err(ConfigError::NotLoopback {
                address: self.listen,
            });
        }
        let Limits {
            body_bytes,
            import_bytes,
            spool_bytes,
            table_bytes,
            line_bytes,
            lookup_ids,
            page,
            page_default,
            header_bytes,
            request_seconds,
            concurrent_requests,
            concurrent_imports,
            rate_requests,
            rate_seconds,
        } = &self.limits;
        in_range("cache.entries", as_u64(self.cache.entries), 0, 100_000_000)?;
        in_range("cache.redis_ttl_days", self.cache.redis_ttl_days, 1, 3_650)?;
        in_range(
            "cache.warm_up_per_second",
            u64::from(self.cache.warm_up_per_second),
            0,
            10_000_000,
        )?;
        in_range(
            "cache.store_reads",
            as_u64(self.cache.store_reads),
            1,
            10_000,
        )?;
        in_range(
            "cache.redis_budget_ms",
            self.cache.redis_budget_ms,
            1,
            10_000,
        )?;
        if self.cache.entries == 0 && self.cache.redis_url.is_none() {
            return Err(invalid(
                "cache.entries",
                "is `0` although there is no Redis; give room for the register, or set `cache.redis_url`",
            ));
        }
        if self.cache.redis_ca.is_some() && self.cache.redis_url.is_none() {
            return Err(invalid(
                "cache.redis_ca",
                "is set although there is no Redis; set `cache.redis_url`, or leave it out",
            ));
        }
        in_range("store.max_bytes", self.store.max_bytes, 0, 1 << 44)?;
        in_range(
            "store.connections",
            as_u64(self.store.connections),
            2,
            1_000,
        )?;
        in_range(
            "store.statement_timeout_ms",
            self.store.statement_timeout_ms,
            1_000,
            86_400_000,
        )?;
        in_range("limits.body_bytes", as_u64(*body_bytes), 1_024, 1 << 30)?;
        in_range("limits.import_bytes", *import_bytes, 1_024, 1 << 40)?;
        in_range("limits.table_bytes", *table_bytes, 1_024, 1 << 29)?;
        in_range("limits.spool_bytes", *spool_bytes, 1_024, 1 << 40)?;
        in_range("limits.line_bytes", as_u64(*line_bytes), 256, 1 << 26)?;
        in_range("limits.lookup_ids", as_u64(*lookup_ids), 1, 100_000)?;
        in_range("limits.page", as_u64(*page), 1, 10_000)?;
        in_range(
            "limits.page_default",
            as_u64(*page_default),
            1,
            as_u64(*page),
        )?;
        in_range("limits.header_bytes", as_u64(*header_bytes), 1_024, 65_536)?;
        in_range("limits.request_seconds", *request_seconds, 1, 3_600)?;
        in_range(
            "limits.concurrent_requests",
            as_u64(*concurrent_requests),
            1,
            1_000_000,
        )?;
        in_range(
            "limits.concurrent_imports",
            as_u64(*concurrent_imports),
            1,
            256,
        )?;
        in_range(
            "limits.rate_requests",
            (*rate_requests).into(),
            0,
            100_000_000,
        )?;
        in_range("limits.rate_seconds", (*rate_seconds).into(), 1, 86_400)?;
        in_range(
            "writes.keep_keys_hours",
            self.writes.keep_keys_hours,
            24,
            8_760,
        )?;
        in_range(
            "runs.keep_results_days",
            self.runs.keep_results_days,
            1,
            3_650,
        )?;
        in_range(
            "webhooks.give_up_hours",
            self.webhooks.give_up_hours,
            1,
            8_760,
        )?;
        in_range(
            "webhooks.first_pause_ms",
            self.webhooks.first_pause_ms,
            10,
            3_600_000,
        )?;
        if let Some(host) = self.webhooks.hosts().iter().find(|host| {
            let name = host.strip_prefix("*.").unwrap_or(host);
            name.is_empty() || name.contains(['*', '/', ' ', '@'])
        }) {
            return Err(invalid(
                "webhooks.allowed_hosts",
                format!("holds `{host}`, which is neither a host nor `*.` and the end of hosts"),
            ));
        }
        if self.store.path.as_os_str().is_empty() {
            return Err(invalid("store.path", "is empty; name a file"));
        }
        let schemes = ["postgresql://", "postgres://"];
        if let Some(url) = &self.store.database_url
            && !schemes
                .iter()
                .any(|scheme| url.expose().starts_with(scheme))
        {
            return Err(invalid(
                "store.database_url",
                "is no address of a PostgreSQL database; use one such as \
                 `postgresql://risktier@127.0.0.1/risktier`",
            ));
        }
        if self.log.filter.trim().is_empty() {
            return Err(invalid(
                "log.filter",
                "is empty; use a level such as `info`",
            ));
        }
        Ok(self)
    }
}

fn in_range(key: &str, given: u64, least: u64, most: u64) -> Result<(), ConfigError> {
    if (least..=most).contains(&given) {
        return Ok(());
    }
    Err(invalid(
        key,
        format!("is `{given}`; allowed are {least} to {most}"),
    ))
}

fn invalid(key: &str, reason: impl Into<String>) -> ConfigError {
    ConfigError::Invalid {
        key: key.to_owned(),
        origin: None,
        reason: reason.into(),
    }
}

fn as_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
