//! Logs to stderr and metrics for our own route.
//!
//! Log lines carry ids, durations and counts. They never carry a tier beside an enterprise, a secret or a request body.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSettings};

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log filter cannot be read.
    #[error("the log filter `{filter}` cannot be read: {cause}")]
    Filter {
        /// The filter as given.
        filter: String,
        /// What is wrong with it.
        cause: String,
    },
    /// Something else collects logs or metrics in this process.
    #[error("telemetry is already set up differently: {0}")]
    AlreadySet(String),
}

/// Upper bounds of the time histograms, in seconds: from a look-up in process to a slow import.
const SECONDS: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    10.0, 60.0,
];

/// Sends log lines to stderr from now on; call it once, first thing.
pub fn init_logs(settings: &LogSettings) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&settings.filter).map_err(|error| TelemetryError::Filter {
        filter: settings.filter.clone(),
        cause: error.to_string(),
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let set = match settings.format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    set.map_err(|error| TelemetryError::AlreadySet(error.to_string()))
}

/// What was counted in this process, in the text form of Prometheus.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Starts counting. Install it before building caches and servers, which resolve their counters once; installing it
    /// again gives the same metrics.
    pub fn install() -> Result<Self, TelemetryError> {
        static INSTALLED: OnceLock<Result<Metrics, String>> = OnceLock::new();
        INSTALLED
            .get_or_init(|| {
                PrometheusBuilder::new()
                    .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
                    .and_then(PrometheusBuilder::install_recorder)
                    .map(Metrics)
                    .map_err(|error| error.to_string())
            })
            .clone()
            .map_err(TelemetryError::AlreadySet)
    }

    /// The text that a scraper reads.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Folds recent samples into their histograms; without it they pile up until the next scrape.
    pub fn upkeep(&self) {
        self.0.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_counted_once_installed() {
        let metrics = Metrics::install().unwrap();
        metrics::counter!("risktier_test_total").increment(2);
        metrics::histogram!("risktier_test_seconds").record(0.002);
        let text = Metrics::install().unwrap().render();
        metrics.upkeep();
        assert!(text.contains("risktier_test_total 2"), "{text}");
        assert!(
            text.contains(r#"risktier_test_seconds_bucket{le="0.0025"} 1"#),
            "{text}"
        );
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_refused() {
        let settings = LogSettings {
            format: LogFormat::Text,
            filter: "risktier=loud".to_owned(),
        };
        let message = init_logs(&settings).unwrap_err().to_string();
        assert!(
            message.starts_with("the log filter `risktier=loud` cannot be read"),
            "{message}"
        );
    }
}
