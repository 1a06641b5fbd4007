//! What handlers share.

use std::sync::Arc;

use async_trait::async_trait;

use crate::config::Settings;
use crate::telemetry::Metrics;

/// What every handler may use, through `web::Data<AppState>`.
#[derive(Clone)]
pub struct AppState {
    /// The validated settings.
    pub settings: Arc<Settings>,
    /// What `/metrics` shows.
    pub metrics: Metrics,
    /// What `/readyz` asks.
    pub readiness: Arc<dyn Readiness>,
}

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
