//! The right to do what keys' schedules say: of all services on one store, one at a time has it.
//!
//! **Invariant**: [`Lease::is_held`] is true only while the store gives the lease to nobody else.

use crate::store::Store;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

const NAME: &str = "key-schedules";
/// How long the store keeps it for a holder that does not come back.
const SECONDS: i64 = 15;
/// It counts as lost a little earlier here, for clocks of two hosts differ.
const HELD: Duration = Duration::from_secs(12);
/// It is renewed this often.
const RENEWAL: Duration = Duration::from_secs(5);

/// See the module.
pub(super) struct Lease {
    store: Arc<dyn Store>,
    holder: String,
    /// When the last attempt began, and whether it succeeded.
    last: Mutex<Option<(Instant, bool)>>,
}

impl Lease {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, holder: uuid::Uuid::new_v4().to_string(), last: Mutex::default() }
    }

    fn last(&self) -> Option<(Instant, bool)> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this process has it.
    pub(super) fn is_held(&self) -> bool {
        self.last().is_some_and(|(at, taken)| taken && at.elapsed() < HELD)
    }

    /// Takes or renews it, when it is time to.
    pub(super) async fn renew(&self) {
        if self.last().is_some_and(|(at, taken)| taken && at.elapsed() < RENEWAL) {
            return;
        }
        let (before, began) = (self.is_held(), Instant::now());
        let taken = match self.store.lease(NAME, self.holder.clone(), SECONDS).await {
            Ok(taken) => taken,
            Err(error) => {
                // Held as long as it was granted for.
                if before {
                    tracing::warn!(%error, "the lease on keys' schedules can't be renewed; trying again");
                }
                return;
            }
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((began, taken));
        match (before, taken) {
            (false, true) => tracing::info!("this service runs keys' schedules"),
            (true, false) => tracing::warn!("another service runs keys' schedules now"),
            _ => {}
        }
    }

    /// Gives it up, so that the next holder need not wait.
    pub(super) async fn give_up(&self) {
        if !self.is_held() {
            return;
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Err(error) = self.store.lease(NAME, self.holder.clone(), -1).await {
            tracing::debug!(%error, "the lease on keys' schedules ends by itself");
        }
    }
}
