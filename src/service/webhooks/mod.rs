//! Webhooks: changes of tiers, sent to those who subscribed.
//!
//! Every subscription has a place in the feed. What lies behind it is sent in order, in parts, signed as the Standard
//! Webhooks specification says; the place moves on once the target has taken a part, so each change arrives at least
//! once. A target that takes nothing is called again after growing pauses; after a time it is suspended, keeps its place,
//! and goes on when someone resumes it.

mod deliver;
mod send;
mod sign;
mod target;

use super::{Service, ServiceError};
use crate::domain::FieldError;
use crate::store::Webhook;

pub use deliver::{Delivery, WebhookOptions};
pub use sign::secret_text;
pub use target::Target;

/// Most subscriptions of an installation.
const MOST: u64 = 64;
/// Bytes of a secret.
const SECRET_BYTES: usize = 32;

impl Service {
    /// Subscribes a target to the changes from now on. Gives the subscription with its secret, which is not shown again.
    ///
    /// # Errors
    ///
    /// When the target may not be called, there are too many subscriptions, or the store fails.
    pub fn create_webhook(
        &self,
        url: &str,
        options: &WebhookOptions,
    ) -> Result<Webhook, ServiceError> {
        let target = Target::parse(url, options)
            .map_err(|reason| ServiceError::Field(FieldError::new("url", url, reason)))?;
        let webhook_id = self.entropy.id()?;
        let secret: [u8; SECRET_BYTES] = self.entropy.bytes()?;
        if !self
            .store
            .insert_webhook(&webhook_id, target.as_str(), &secret, MOST)?
        {
            return Err(ServiceError::Rule(format!(
                "there are {MOST} webhooks already, which is the most; delete one first"
            )));
        }
        self.webhook(&webhook_id)
    }

    /// One subscription.
    ///
    /// # Errors
    ///
    /// When there is no such subscription or the store fails.
    pub fn webhook(&self, webhook_id: &str) -> Result<Webhook, ServiceError> {
        self.store
            .webhook(webhook_id)?
            .ok_or_else(|| ServiceError::UnknownWebhook(webhook_id.to_owned()))
    }

    /// All subscriptions, in order of their ids.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn webhooks(&self) -> Result<Vec<Webhook>, ServiceError> {
        Ok(self.store.webhooks()?)
    }

    /// Ends a subscription, and gives it as it was.
    ///
    /// # Errors
    ///
    /// When there is no such subscription or the store fails.
    pub fn delete_webhook(&self, webhook_id: &str) -> Result<Webhook, ServiceError> {
        let webhook = self.webhook(webhook_id)?;
        if self.store.delete_webhook(webhook_id)? {
            return Ok(webhook);
        }
        Err(ServiceError::UnknownWebhook(webhook_id.to_owned()))
    }

    /// Lets a subscription go on at once, from its place or, with `skip`, with the changes from now on.
    ///
    /// # Errors
    ///
    /// When there is no such subscription or the store fails.
    pub fn resume_webhook(&self, webhook_id: &str, skip: bool) -> Result<Webhook, ServiceError> {
        if !self.store.resume_webhook(webhook_id, skip)? {
            return Err(ServiceError::UnknownWebhook(webhook_id.to_owned()));
        }
        self.webhook(webhook_id)
    }
}
