//! Start-up: from settings to a service. The one place that names store and cache.

use clap::Args;
use jiff::civil::Date;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::exit::Failure;
use crate::cache::{LayeredCache, MemoryCache, RedisCache, RedisOptions, TierCache};
use crate::config::{Settings, Sources};
use crate::domain::{EnterpriseKind, UnknownCode};
use crate::service::{
    Clock, Entropy, ImportOptions, LookUpOptions, ModelFiles, Models, ReadOptions, Service,
    WebhookOptions,
};
use crate::store::{PostgresOptions, PostgresStore, SqliteStore, Store};

/// Flags that every verb with a register takes; also after a verb of the verb, as in `import folder DIR --store FILE`.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct CommonFlags {
    /// Settings file (TOML) laid over the defaults; default: none.
    #[arg(long, value_name = "FILE", env = "RISKTIER_CONFIG", global = true)]
    config: Option<PathBuf>,
    /// File of the embedded store, used even where the settings name a database; default: risktier.db.
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) store: Option<PathBuf>,
    /// Catalogue of indicators (TOML); default: the compiled-in one.
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) catalogue: Option<PathBuf>,
    /// Scorecard (JSON); default: the compiled-in one.
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) scorecard: Option<PathBuf>,
    /// Scorecard (JSON) for enterprises of one kind, such as individual_business=FILE; may be given for several kinds;
    /// default: every kind is scored by the general one.
    #[arg(long = "kind-scorecard", value_name = "KIND=FILE", value_parser = kind_scorecard, global = true)]
    pub(super) kind_scorecards: Vec<(EnterpriseKind, PathBuf)>,
    /// Policy (TOML); default: the compiled-in one.
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) policy: Option<PathBuf>,
    /// The day that answers speak for, such as 2026-12-01; default: today.
    #[arg(long, value_name = "DATE", global = true)]
    pub(super) as_of: Option<Date>,
}

impl CommonFlags {
    /// The model files of a verb that works on tables: a scorecard there need not fit the catalogue of the register.
    pub(super) fn table_files(&self) -> ModelFiles {
        ModelFiles {
            catalogue: self.catalogue.clone(),
            scorecard: None,
            scorecards: BTreeMap::new(),
            policy: self.policy.clone(),
        }
    }

    /// Settings from defaults, file, environment and flags.
    pub(super) fn settings(&self, listen: Option<SocketAddr>) -> Result<Settings, Failure> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let mut settings = Sources::new()
            .file(self.config.as_deref())
            .environment(std::env::vars())
            .flag(
                "--listen",
                "listen",
                listen.map(|address| address.to_string()),
            )
            .flag("--store", "store.path", path(&self.store))
            .flag("--catalogue", "models.catalogue", path(&self.catalogue))
            .flag("--scorecard", "models.scorecard", path(&self.scorecard))
            .flag("--policy", "models.policy", path(&self.policy))
            .flag("--as-of", "as_of", self.as_of.map(|day| day.to_string()))
            .load()?;
        settings
            .models
            .scorecards
            .extend(self.kind_scorecards.iter().cloned());
        if self.store.is_some() {
            // A flag lies over everything: whoever names a file means that file.
            settings.store.database_url = None;
        }
        Ok(settings)
    }
}

/// Reads `KIND=FILE`.
pub(super) fn kind_scorecard(text: &str) -> Result<(EnterpriseKind, PathBuf), String> {
    let (kind, file) = text
        .split_once('=')
        .filter(|(_, file)| !file.is_empty())
        .ok_or_else(|| "is not of the form KIND=FILE".to_owned())?;
    Ok((enterprise_kind(kind)?, file.into()))
}

/// Reads a kind of enterprises.
pub(super) fn enterprise_kind(text: &str) -> Result<EnterpriseKind, String> {
    text.parse().map_err(|error: UnknownCode| error.to_string())
}

/// A service on the store and cache of the settings. Not to be called from asynchronous threads: it may wait.
pub(super) fn service(settings: &Settings, entropy: Entropy) -> Result<Service, Failure> {
    match &settings.store.database_url {
        None => service_on(settings, &settings.store.path, entropy),
        Some(url) => {
            let options = PostgresOptions {
                connections: settings.store.connections,
                statement_timeout: settings.store.statement_timeout(),
            };
            let store = Arc::new(PostgresStore::open_with(url.expose(), options)?);
            service_with(settings, store, entropy)
        }
    }
}

/// A service on an embedded store other than that of the settings.
pub(super) fn service_on(
    settings: &Settings,
    store: &Path,
    entropy: Entropy,
) -> Result<Service, Failure> {
    service_with(
        settings,
        Arc::new(SqliteStore::open_limited(
            store,
            settings.store.most_bytes(),
        )?),
        entropy,
    )
}

fn service_with(
    settings: &Settings,
    store: Arc<dyn Store>,
    entropy: Entropy,
) -> Result<Service, Failure> {
    let models = Models::load(&ModelFiles {
        catalogue: settings.models.catalogue.clone(),
        scorecard: settings.models.scorecard.clone(),
        scorecards: settings.models.scorecards.clone(),
        policy: settings.models.policy.clone(),
    })?;
    let near = || MemoryCache::with_capacity(settings.cache.entries);
    let cache: Arc<dyn TierCache> = match &settings.cache.redis_url {
        None => Arc::new(near()),
        Some(url) => {
            let authorities = match &settings.cache.redis_ca {
                None => None,
                Some(path) => Some(std::fs::read(path).map_err(|error| {
                    Failure::Other(format!(
                        "`cache.redis_ca`: `{}` cannot be read: {error}",
                        path.display()
                    ))
                })?),
            };
            let far = RedisCache::new(RedisOptions {
                url: url.expose().to_owned(),
                authorities,
                budget: settings.cache.redis_budget(),
                log_id: store.store_id()?,
                ttl: settings.cache.redis_ttl(),
            })?;
            match settings.cache.entries {
                0 => Arc::new(far),
                _ => Arc::new(LayeredCache::new(near(), far)),
            }
        }
    };
    let clock = settings.as_of.map_or(Clock::System, Clock::Fixed);
    let service = Service::open(store, cache, models, clock, entropy)?;
    Ok(service
        .with_look_ups(LookUpOptions {
            store_reads: settings.cache.store_reads,
            warm_up_per_second: settings.cache.warm_up_per_second,
        })
        .with_results_kept(settings.runs.keep_results()))
}

/// How files are read under these settings.
pub(super) fn import_options(settings: &Settings) -> ImportOptions {
    ImportOptions::from(ReadOptions {
        max_row_bytes: settings.limits.line_bytes,
        max_spool_bytes: settings.limits.spool_bytes,
    })
}

/// What the settings say about webhooks.
pub(super) fn webhook_options(settings: &Settings) -> WebhookOptions {
    let webhooks = &settings.webhooks;
    WebhookOptions {
        allow_loopback: webhooks.allow_loopback,
        allowed_hosts: webhooks.hosts(),
        give_up: webhooks.give_up(),
        first_pause: webhooks.first_pause(),
    }
}

/// The asynchronous runtime of one verb.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Other(format!("the runtime cannot be started: {error}")))
}

/// Runs blocking work inside the runtime, where it may wait for the cache.
pub(super) fn blocking<T: Send + 'static>(
    runtime: &tokio::runtime::Runtime,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    runtime
        .block_on(runtime.spawn_blocking(work))
        .map_err(|error| Failure::Other(format!("a task ended early: {error}")))?
}
