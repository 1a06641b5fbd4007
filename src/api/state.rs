//! What handlers share.

use std::sync::Arc;

use async_trait::async_trait;

use super::problem::Problem;
use crate::config::Settings;
use crate::service::{Service, ServiceError, WebhookOptions, off_thread};
use crate::telemetry::Metrics;

/// What every handler may use, through `web::Data<AppState>`.
#[derive(Clone)]
pub struct AppState {
    /// The validated settings.
    pub settings: Arc<Settings>,
    /// The use-cases.
    pub service: Arc<Service>,
    /// What `/metrics` shows.
    pub metrics: Metrics,
    /// What `/readyz` asks.
    pub readiness: Arc<dyn Readiness>,
}

impl AppState {
    /// The state of a server over `service`; it is ready when the store answers.
    pub fn new(settings: Settings, service: Arc<Service>, metrics: Metrics) -> Self {
        Self {
            settings: Arc::new(settings),
            readiness: Arc::new(StoreAnswers(Arc::clone(&service))),
            service,
            metrics,
        }
    }

    /// What the settings say about webhooks.
    pub(super) fn webhook_options(&self) -> WebhookOptions {
        let webhooks = &self.settings.webhooks;
        WebhookOptions {
            allow_loopback: webhooks.allow_loopback,
            allowed_hosts: webhooks.hosts(),
            give_up: webhooks.give_up(),
            first_pause: webhooks.first_pause(),
        }
    }

    /// Runs a use-case that blocks off the asynchronous threads.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Service) -> Result<T, ServiceError> + Send + 'static,
    ) -> Result<T, Problem> {
        let service = Arc::clone(&self.service);
        Ok(off_thread(move || work(&service)).await?)
    }
}

/// Whether the server was told to stop.
#[derive(Clone)]
pub(super) struct Stopping(pub(super) tokio::sync::watch::Receiver<bool>);

/// Whether the service can answer. It does not ask the cache: without it answers are slower, not wrong.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// The parts that must work, each with its state.
    async fn checks(&self) -> Vec<ReadinessCheck>;
}

/// One part that must work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadinessCheck {
    /// Its name, such as `store`.
    pub name: &'static str,
    /// Nothing when it works, otherwise what is wrong in words that anyone may read.
    pub trouble: Option<String>,
}

/// Asks the store.
struct StoreAnswers(Arc<Service>);

#[async_trait]
impl Readiness for StoreAnswers {
    async fn checks(&self) -> Vec<ReadinessCheck> {
        let service = Arc::clone(&self.0);
        let trouble = off_thread(move || service.ping()).await.err().map(|error| {
            tracing::warn!(%error, "the store does not answer");
            "the store does not answer".to_owned()
        });
        vec![ReadinessCheck {
            name: "store",
            trouble,
        }]
    }
}
