//! Keeping the log of changes short.

use std::sync::Arc;

use super::{Service, off_thread};

/// Changes that are kept for followers: with a register of five million, a bulk import of all of it.
const KEPT: u64 = 10_000_000;
/// Changes removed in one transaction, which is short.
const AT_ONCE: u64 = 50_000;
/// Transactions in one go, so that a long log is shortened in steps.
const STEPS: usize = 20;

impl Service {
    /// Removes old changes from the log, a bounded number of them. A failure is logged; the next call goes on.
    pub async fn shorten_log(&self) {
        for _ in 0..STEPS {
            let store = Arc::clone(&self.store);
            let removed = off_thread(move || Ok(store.shorten_log(KEPT, AT_ONCE)?)).await;
            match removed {
                Ok(removed) if removed == AT_ONCE => {}
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(%error, "the log of changes could not be shortened");
                    return;
                }
            }
        }
    }
}
