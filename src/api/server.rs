//! The server as a value: built from its state, tells its address, runs.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpServer};
use utoipa_actix_web::AppExt;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::contract::RouteTable;
use super::guards::Guards;
use super::problem::Problem;
use super::state::{AppState, Stopping};
use super::{coding, context, extract, openapi, openapi_json, problems_page, routes};
use crate::telemetry::Metrics;

/// How long requests in flight may take to finish once the server was told to stop.
const SHUTDOWN_SECONDS: u64 = 30;
/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
const KEEP_ALIVE: Duration = Duration::from_secs(75);
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken or not ours.
    #[error("cannot listen on `{address}`: {cause}; choose another address with `--listen`")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
}

/// A server that listens, and serves once it is run.
pub struct ApiServer {
    address: SocketAddr,
    server: Server,
    metrics: Metrics,
    stopping: tokio::sync::watch::Sender<bool>,
}

/// The document as it is served, rendered once.
pub(super) struct Contract {
    pub(super) json: Bytes,
}

impl ApiServer {
    /// Listens on the address of the settings and builds the server; run it inside a Tokio runtime.
    ///
    /// It ends on SIGINT and SIGTERM, after the requests in flight.
    pub fn bind(state: AppState) -> Result<Self, StartError> {
        Self::bind_beside(state, |_| {})
    }

    /// As [`ApiServer::bind`], with services of the caller's own under everything that surrounds ours; they are not part of
    /// the contract. Measurements use it to see what a request costs that does nothing.
    pub fn bind_beside(
        state: AppState,
        others: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
    ) -> Result<Self, StartError> {
        let address = state.settings.listen;
        let refused = |cause| StartError::Listen { address, cause };
        let listener = TcpListener::bind(address).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let metrics = state.metrics.clone();
        let guards = Data::new(Guards::new(&state.settings.limits));
        let (stopping, is_stopping) = tokio::sync::watch::channel(false);
        let is_stopping = Data::new(Stopping(is_stopping));
        let state = Data::new(state);
        let table = Data::new(RouteTable::new(&openapi()));
        let contract = Data::new(Contract {
            json: Bytes::from(openapi_json()),
        });
        let server = HttpServer::new(move || {
            App::new()
                .configure(&others)
                .into_utoipa_app()
                .app_data(state.clone())
                .app_data(table.clone())
                .app_data(contract.clone())
                .app_data(guards.clone())
                .app_data(is_stopping.clone())
                .app_data(extract::path_config())
                .app_data(extract::query_config())
                .configure(routes)
                .map(|app| {
                    app.service(web::redirect("/docs", "/docs/"))
                        .route("/docs/problems", web::get().to(problems_page::all))
                        .route("/docs/problems/{slug}", web::get().to(problems_page::one))
                        .service(docs())
                        .default_service(web::to(unrouted))
                        .wrap(from_fn(context::surround))
                        .wrap(Compress::default())
                        .wrap(from_fn(coding::choose))
                })
                .into_app()
        })
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_TIMEOUT)
        .disable_signals()
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .listen(listener)
        .map_err(refused)?
        .run();
        Ok(Self {
            address,
            server,
            metrics,
            stopping,
        })
    }

    /// Where it listens; with port 0 in the settings this is where the free port is found.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the server from elsewhere.
    pub fn handle(&self) -> ServerHandle {
        self.server.handle()
    }

    /// Serves until it is stopped, by its handle or by a signal: then it takes no more connections, ends streams of events,
    /// and finishes the requests that it has accepted.
    pub async fn run(self) -> io::Result<()> {
        tracing::info!(address = %self.address, "listening");
        let upkeep = async {
            let mut ticks = tokio::time::interval(METRICS_UPKEEP);
            loop {
                ticks.tick().await;
                self.metrics.upkeep();
            }
        };
        let handle = self.server.handle();
        let signalled = async {
            told_to_stop().await;
            tracing::info!("stopping: requests that were accepted are finished");
            // Nobody listens where there is no stream.
            let _ = self.stopping.send(true);
            handle.stop(true).await;
            // The server itself says when it has ended.
            std::future::pending().await
        };
        tokio::select! {
            ended = self.server => ended,
            never = upkeep => never,
            never = signalled => never,
        }
    }
}

/// Waits for SIGINT or SIGTERM.
async fn told_to_stop() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminated = async {
        let signal = tokio::signal::unix::SignalKind::terminate();
        match tokio::signal::unix::signal(signal) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(error) => {
                tracing::warn!(%error, "SIGTERM cannot be waited for");
                std::future::pending::<()>().await;
            }
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        () = interrupted => {}
        () = terminated => {}
    }
}

/// The human form of the contract. All of its files are in the binary, and it asks no other host to check the document.
fn docs() -> SwaggerUi {
    let config = Config::new(["/openapi.json"]).validator_url("none");
    SwaggerUi::new("/docs/{_:.*}").config(config)
}

async fn unrouted(request: HttpRequest, table: Data<RouteTable>) -> Result<String, Problem> {
    Err(table.refuse(&request))
}
