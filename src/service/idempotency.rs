//! Requests by idempotency key: carried out once, answered as often as they are repeated.
//!
//! What is guaranteed. An attempt holds its key by a lease that it renews. Every transaction that it keeps marks the key
//! in the same transaction, and is not kept if the key is not its own any more. So, whatever crashes when:
//!
//! - a request whose answer is kept is never carried out again;
//! - one that was broken off before it had changed anything is carried out by the next that repeats it;
//! - one that was broken off after it had changed something is not carried out again: whoever repeats it is told so, and
//!   that the answer was lost.

use std::future::Future;
use std::time::Duration;

use super::{Service, ServiceError, off_thread};
use crate::domain::digest::HashAlgorithm;
use crate::store::{Attempt, KeptAnswer, Taken};

/// How long an attempt that does not answer keeps its key.
const LEASE: Duration = Duration::from_secs(6);
/// How often the lease is renewed.
pub(crate) const RENEWAL: Duration = Duration::from_secs(2);

tokio::task_local! {
    static ATTEMPT: Attempt;
}

/// Lets everything that `work` writes belong to an attempt.
pub(crate) async fn attempting<F: Future>(attempt: Attempt, work: F) -> F::Output {
    ATTEMPT.scope(attempt, work).await
}

/// The attempt that the present task works for.
pub(super) fn current() -> Option<Attempt> {
    ATTEMPT.try_with(Clone::clone).ok()
}

impl Service {
    /// Begins an attempt at the request with `fingerprint`, unless its key was used before. Keys are kept for `keep`.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub(crate) async fn take_key(
        &self,
        key: &str,
        fingerprint: String,
        keep: Duration,
    ) -> Result<(Attempt, Taken), ServiceError> {
        let attempt = Attempt {
            key_digest: HashAlgorithm::Sha256.hash(&[key.as_bytes()]).to_string(),
            token: super::Entropy::System.id()?,
        };
        let store = self.store.clone();
        off_thread(move || {
            let taken = store.take_key(&attempt, &fingerprint, millis(LEASE), millis(keep))?;
            Ok((attempt, taken))
        })
        .await
    }

    /// Goes on holding the key of an attempt. A failure is logged: if it lasts, another attempt may take over.
    pub(crate) async fn hold_key(&self, attempt: &Attempt) {
        let (store, attempt) = (self.store.clone(), attempt.clone());
        let held = off_thread(move || Ok(store.hold_key(&attempt, millis(LEASE))?)).await;
        if let Err(error) = held {
            tracing::warn!(%error, "an idempotency key could not be held");
        }
    }

    /// Keeps the answer of an attempt, or gives its key back where there is none to keep. A failure is logged: the
    /// request is then answered as one that was broken off.
    pub(crate) async fn end_attempt(&self, attempt: Attempt, answer: Option<KeptAnswer>) {
        let store = self.store.clone();
        let ended = off_thread(move || match answer {
            Some(answer) => Ok(store.answer_key(&attempt, &answer)?),
            None => Ok(store.release_key(&attempt)?),
        })
        .await;
        if let Err(error) = ended {
            tracing::warn!(%error, "the answer to a request with an idempotency key could not be kept");
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
