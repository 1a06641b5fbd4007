//! One call of a target.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use super::deliver::WebhookOptions;
use super::target::{Target, allowed_address};

/// How long a call may take, connecting included.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Calls targets. Calls block: use it off the asynchronous threads.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    agent: Agent,
}

/// What is sent.
pub(super) struct Message<'a> {
    pub(super) id: &'a str,
    pub(super) seconds: i64,
    pub(super) signature: &'a str,
    pub(super) body: &'a [u8],
}

impl Sender {
    pub(super) fn new(options: &WebhookOptions) -> Self {
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .build();
        let config = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .http_status_as_error(false)
            .proxy(None)
            .user_agent(concat!("risktier/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build();
        let resolver = Guarded {
            options: Arc::new(options.clone()),
            inner: DefaultResolver::default(),
        };
        Self {
            agent: Agent::with_parts(config, DefaultConnector::default(), resolver),
        }
    }

    /// The status of the answer, or why there was none in words that anyone may read.
    pub(super) fn send(&self, target: &Target, message: &Message<'_>) -> Result<u16, String> {
        let sent = self
            .agent
            .post(target.as_str())
            .header("content-type", "application/json")
            .header("webhook-id", message.id)
            .header("webhook-timestamp", message.seconds.to_string())
            .header("webhook-signature", message.signature)
            .send(message.body);
        match sent {
            // What the target writes is not read.
            Ok(answer) => Ok(answer.status().as_u16()),
            Err(ureq::Error::Timeout(_)) => Err(format!(
                "the target did not answer within {} seconds",
                TIMEOUT.as_secs()
            )),
            Err(ureq::Error::HostNotFound) => Err("the host is not known".to_owned()),
            Err(error) => {
                Err(format!("the target could not be called: {error}").replace('\n', "; "))
            }
        }
    }
}

/// Names are resolved as usual, and addresses that may not be called are taken out of the answer.
#[derive(Debug)]
struct Guarded {
    options: Arc<WebhookOptions>,
    inner: DefaultResolver,
}

impl Resolver for Guarded {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut allowed = self.empty();
        let mut refused = None;
        for address in &self.inner.resolve(uri, config, timeout)? {
            match allowed_address(address.ip(), &self.options) {
                Ok(()) => allowed.push(*address),
                Err(reason) => refused = Some(reason),
            }
        }
        match refused {
            Some(reason) if allowed.is_empty() => {
                Err(io::Error::other(format!("the host {reason}")).into())
            }
            _ => Ok(allowed),
        }
    }
}
