//! Session keys stay as long as their process is heard of: their leases, renewed in the background; and what could not be
//! dropped so far, tried again each time.
//!
//! **Not here**: which keys there are (`objects`), what a lease is (the service, `RenewSessionObjects`).

use super::chores::Chores;
use crate::log;
use chancery_api::v1;
use chancery_client::{Client, retry_until};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{runtime::Handle, task::AbortHandle, time::sleep};

/// After a failure that repeating at once did not mend.
const AFTER_FAILURE: Duration = Duration::from_secs(10);
/// What one chore may take of the time between renewals.
const CHORE: Duration = Duration::from_secs(1);

/// By organization.
#[derive(Default)]
pub(super) struct Leases(Mutex<HashMap<String, AbortHandle>>);

impl Leases {
    /// Renews one from now on, each time when a third of it is over.
    pub(super) fn renew(
        &self,
        runtime: &Handle,
        client: &Client,
        chores: &Arc<Chores>,
        (organization, process): (&str, &str),
        patience: Duration,
    ) {
        let request = v1::RenewSessionObjectsRequest { parent: organization.to_owned(), process: process.to_owned() };
        let (client, chores) = (client.clone(), Arc::clone(chores));
        let renewing = runtime.spawn(async move {
            loop {
                let renewed = retry_until((Instant::now() + patience).into(), |attempt| {
                    let (mut objects, request) = (client.objects(), attempt.request(request.clone()));
                    async move { objects.renew_session_objects(request).await }
                });
                let next = match renewed.await {
                    Ok(answer) => {
                        chores.attend_all(&request.parent, &client, patience.min(CHORE)).await;
                        Duration::from_secs(u64::from(answer.lease_seconds.max(3))) / 3
                    }
                    Err(error) => {
                        log::line(format_args!("session keys of {} may end: {error}", request.parent));
                        AFTER_FAILURE
                    }
                };
                sleep(next).await;
            }
        });
        if let Some(former) = self.lock().insert(organization.to_owned(), renewing.abort_handle()) {
            former.abort();
        }
    }

    /// Lets one end.
    pub(super) fn end(&self, organization: &str) {
        if let Some(renewing) = self.lock().remove(organization) {
            renewing.abort();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, AbortHandle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
