//! `risktier serve`: the HTTP interface.

use clap::Args;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::compose::{CommonFlags, runtime, service, webhook_options};
use super::exit::{Ended, ExitCode, Failure};
use crate::api::{ApiServer, AppState};
use crate::config::Settings;
use crate::service::{Entropy, Service};
use crate::telemetry::{Metrics, init_logs};

/// How often what is kept for a time only is removed.
const TIDY_INTERVAL: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: CommonFlags,
    /// Address to listen on; default: 127.0.0.1:8080.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(arguments.listen)?;
    init_logs(&settings.log)?;
    // Counters are resolved when caches and servers are built, so the recorder comes first.
    let metrics = Metrics::install()?;
    let service = Arc::new(service(&settings, Entropy::System)?);
    if settings.models.are_named()
        && let Some(run) = service.adopt_given(settings.models.scorecard.is_some())?
    {
        tracing::info!(
            run.id = run.run_id,
            "the files named in the settings come into force by a run"
        );
    }
    serve(settings, service, metrics, |_| {})?;
    Ok(ExitCode::Done)
}

/// Serves until told to stop; `started` gets the address. The cache follows the log of changes beside it, tiers
/// follow it too, and runs are carried out.
pub(super) fn serve(
    settings: Settings,
    service: Arc<Service>,
    metrics: Metrics,
    started: impl FnOnce(std::net::SocketAddr),
) -> Result<(), Failure> {
    runtime()?.block_on(async move {
        if let Err(error) = service.catch_up().await {
            tracing::warn!(%error, "the tier cache is away; tiers are read from the store");
        }
        let follower = tokio::spawn({
            let service = Arc::clone(&service);
            async move { service.follow_changes().await }
        });
        let worker = tokio::spawn(Arc::clone(&service).work(settings.runs.monthly));
        let delivering = settings.webhooks.enabled.then(|| {
            let options = webhook_options(&settings);
            tokio::spawn(Arc::clone(&service).deliver(options))
        });
        let tidying = tokio::spawn({
            let service = Arc::clone(&service);
            async move {
                loop {
                    service.tidy().await;
                    tokio::time::sleep(TIDY_INTERVAL).await;
                }
            }
        });
        let server = ApiServer::bind(AppState::new(settings, service, metrics))?;
        started(server.address());
        let ended = server.run().await;
        follower.abort();
        worker.abort();
        tidying.abort();
        if let Some(delivering) = delivering {
            delivering.abort();
        }
        ended.map_err(|error| Failure::Other(format!("the server ended: {error}")))
    })
}
