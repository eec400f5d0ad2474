//! Which processes are there still, as far as they were heard of.
//!
//! **Invariants**: a process that was not heard of since the service started has a whole lease from then. Memory is
//! bounded: one principal's processes are counted.

use crate::{error::Error, model::PrincipalName};
use chancery_api::reasons;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Processes of one principal at most.
const PROCESSES: usize = 1024;

type Heard = HashMap<PrincipalName, HashMap<String, Instant>>;

/// See the module.
pub(in crate::keys) struct Leases {
    lease: Duration,
    started: Instant,
    heard: Mutex<Heard>,
}

impl Leases {
    pub(in crate::keys) fn new(lease: Duration) -> Self {
        Self { lease, started: Instant::now(), heard: Mutex::default() }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A process is there; how long its lease is.
    ///
    /// # Errors
    /// [`Error::Exhausted`].
    pub(in crate::keys) fn renew(&self, principal: &PrincipalName, process: &str) -> Result<Duration, Error> {
        let now = Instant::now();
        let mut heard = self.heard();
        let of = heard.entry(principal.clone()).or_default();
        if of.len() >= PROCESSES && !of.contains_key(process) {
            of.retain(|_, at| now.duration_since(*at) < self.lease);
            if of.len() >= PROCESSES {
                return Err(Error::Exhausted {
                    reason: reasons::TOO_MANY_SESSION_KEYS,
                    message: format!("{principal} has {PROCESSES} processes with sessions; close some"),
                    retry_after: Some(self.lease),
                });
            }
        }
        of.insert(process.to_owned(), now);
        Ok(self.lease)
    }

    /// How much is left of a process's lease; `None`: it is over.
    pub(in crate::keys) fn left(&self, principal: &PrincipalName, process: &str) -> Option<Duration> {
        let heard = self.heard().get(principal).and_then(|of| of.get(process)).copied().unwrap_or(self.started);
        self.lease.checked_sub(heard.elapsed()).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::OrganizationName;

    #[test]
    fn a_lease_ends_for_whoever_is_not_heard_of() {
        let principal = OrganizationName::from_id("org1").unwrap().principal("peer0").unwrap();
        let leases = Leases::new(Duration::from_millis(300));
        // As after a restart.
        assert!(leases.left(&principal, "unheard").is_some());
        std::thread::sleep(Duration::from_millis(400));
        assert!(leases.left(&principal, "unheard").is_none());
        leases.renew(&principal, "heard").unwrap();
        assert!(leases.left(&principal, "heard").is_some());
    }

    #[test]
    fn one_principals_processes_are_counted() {
        let organization = OrganizationName::from_id("org1").unwrap();
        let [one, other] = ["one", "other"].map(|name| organization.principal(name).unwrap());
        let leases = Leases::new(Duration::from_secs(600));
        for process in 0..PROCESSES {
            leases.renew(&one, &process.to_string()).unwrap();
        }
        assert!(leases.renew(&one, "another").is_err());
        leases.renew(&one, "7").unwrap();
        leases.renew(&other, "another").unwrap();
    }
}
