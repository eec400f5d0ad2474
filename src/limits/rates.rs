//! Requests in a second: token buckets that hold one second's worth.
//!
//! **Invariant**: a bucket takes nothing from another; what a request was charged before it was refused stays charged.

use crate::{
    config,
    error::Error,
    model::{LimitSubject, OrganizationName, PrincipalName},
};
use chancery_api::reasons;
use governor::{
    DefaultDirectRateLimiter, NotUntil, Quota, RateLimiter,
    clock::{Clock, DefaultClock, Reference},
    state::keyed::HashMapStateStore,
};
use std::{
    collections::HashMap,
    hash::Hash,
    net::SocketAddr,
    num::NonZeroU32,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Buckets of one size, by whose they are.
struct Buckets<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, HashMapStateStore<K>, DefaultClock>,
    per_second: NonZeroU32,
}

/// See the module.
pub(super) struct Rates {
    connections: Option<Buckets<SocketAddr>>,
    principals: Option<Buckets<PrincipalName>>,
    organizations: Option<Buckets<OrganizationName>>,
    /// Those that officers set, with the size that each was made for.
    subjects: Mutex<HashMap<LimitSubject, (u32, DefaultDirectRateLimiter)>>,
}

fn wait<P: Reference>(until: &NotUntil<P>, clock: &impl Clock<Instant = P>) -> Duration {
    until.wait_time_from(clock.now())
}

/// Whose rate was exceeded, and who can raise it.
fn exceeded(whose: &str, per_second: u32, who: &str, wait: Duration) -> Error {
    Error::Exhausted {
        reason: reasons::RATE_EXCEEDED,
        message: format!("{whose} is limited to {per_second} requests in a second; slow down, or have {who} raise it"),
        retry_after: Some(wait),
    }
}

const OPERATOR: &str = "the operator";
const OFFICER: &str = "a security officer";

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn new(per_second: NonZeroU32) -> Self {
        Self { limiter: RateLimiter::hashmap(Quota::per_second(per_second)), per_second }
    }

    fn charge(&self, key: &K, name: impl FnOnce() -> String) -> Result<(), Error> {
        let refused =
            |until: NotUntil<_>| exceeded(&name(), self.per_second.get(), OPERATOR, wait(&until, self.limiter.clock()));
        self.limiter.check_key(key).map_err(refused)
    }
}

impl Rates {
    pub(super) fn new(options: &config::Limits) -> Self {
        Self {
            connections: options.requests_per_connection.map(Buckets::new),
            principals: options.requests_per_principal.map(Buckets::new),
            organizations: options.requests_per_organization.map(Buckets::new),
            subjects: Mutex::default(),
        }
    }

    fn subjects(&self) -> MutexGuard<'_, HashMap<LimitSubject, (u32, DefaultDirectRateLimiter)>> {
        self.subjects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn charge_connection(&self, address: &SocketAddr) -> Result<(), Error> {
        let Some(buckets) = &self.connections else { return Ok(()) };
        buckets.charge(address, || "this connection".into())
    }

    pub(super) fn charge_caller(&self, name: &PrincipalName) -> Result<(), Error> {
        if let Some(buckets) = &self.principals {
            buckets.charge(name, || name.to_string())?;
        }
        if let Some(buckets) = &self.organizations {
            buckets.charge(name.organization(), || name.organization().to_string())?;
        }
        Ok(())
    }

    /// By what an officer set.
    pub(super) fn charge(&self, subject: LimitSubject, per_second: u32) -> Result<(), Error> {
        let Some(size) = NonZeroU32::new(per_second) else {
            return Err(exceeded(&subject.to_string(), 0, OFFICER, Duration::from_secs(1)));
        };
        let fresh = || (per_second, RateLimiter::direct(Quota::per_second(size)));
        let mut subjects = self.subjects();
        let name = subject.to_string();
        let (made_for, bucket) = subjects.entry(subject).or_insert_with(fresh);
        if *made_for != per_second {
            (*made_for, *bucket) = fresh();
        }
        bucket.check().map_err(|until| exceeded(&name, per_second, OFFICER, wait(&until, bucket.clock())))
    }

    /// Forgets buckets that are full again.
    pub(super) fn tidy(&self) {
        if let Some(buckets) = &self.connections {
            buckets.limiter.retain_recent();
        }
        if let Some(buckets) = &self.principals {
            buckets.limiter.retain_recent();
        }
        if let Some(buckets) = &self.organizations {
            buckets.limiter.retain_recent();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(connection: u32, principal: u32, organization: u32) -> config::Limits {
        let text = format!(
            "[service]\norigin = \"o\"\nlisten = \"127.0.0.1:1\"\n[token]\nlibrary = \"l\"\nlabel = \"t\"\npin_file = \"p\"\n\
             [limits]\nrequests_per_second_per_connection = {connection}\n\
             requests_per_second_per_principal = {principal}\nrequests_per_second_per_organization = {organization}\n"
        );
        config::Configuration::parse(&text, std::path::Path::new("/")).unwrap().limits
    }

    fn principal(organization: &str, name: &str) -> PrincipalName {
        OrganizationName::from_id(organization).unwrap().principal(name).unwrap()
    }

    /// How many of so many are let through at once. A bucket may gain a drop meanwhile.
    fn passed(tries: u32, charge: impl Fn() -> Result<(), Error>) -> u32 {
        (0..tries).map(|_| u32::from(charge().is_ok())).sum()
    }

    #[test]
    fn a_second_holds_what_was_configured_and_everyone_has_a_bucket_of_its_own() {
        let rates = Rates::new(&options(10, 0, 0));
        let [one, two] = [1, 2].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        assert!((10..13).contains(&passed(100, || rates.charge_connection(&one))));
        assert_eq!(passed(10, || rates.charge_connection(&two)), 10);
        let rates = Rates::new(&options(0, 5, 8));
        assert!((5..7).contains(&passed(100, || rates.charge_caller(&principal("org1", "peer0")))));
        assert!((1..5).contains(&passed(5, || rates.charge_caller(&principal("org1", "peer1")))), "8 in all");
        assert_eq!(passed(5, || rates.charge_caller(&principal("org2", "peer0"))), 5);
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let rates = Rates::new(&options(0, 0, 0));
        let subject = || LimitSubject::Principal(principal("org1", "peer0"));
        rates.charge(subject(), 1).unwrap();
        let Error::Exhausted { reason, retry_after: Some(wait), message } = rates.charge(subject(), 1).unwrap_err()
        else {
            panic!("no refusal of a rate")
        };
        assert_eq!(reason, reasons::RATE_EXCEEDED);
        assert!(wait > Duration::from_millis(100) && wait <= Duration::from_secs(1), "{wait:?}");
        assert!(message.contains("organizations/org1/principals/peer0") && message.contains("officer"), "{message}");
        std::thread::sleep(wait);
        rates.charge(subject(), 1).unwrap();
    }

    #[test]
    fn another_limit_is_in_force_at_once() {
        let rates = Rates::new(&options(0, 0, 0));
        let subject = || LimitSubject::Organization(OrganizationName::from_id("org1").unwrap());
        rates.charge(subject(), 1).unwrap();
        rates.charge(subject(), 1).unwrap_err();
        assert!(passed(100, || rates.charge(subject(), 50)) >= 50);
        rates.charge(subject(), 0).unwrap_err();
    }

    #[test]
    fn nothing_configured_limits_nobody() {
        let rates = Rates::new(&options(0, 0, 0));
        assert_eq!(passed(10_000, || rates.charge_caller(&principal("org1", "peer0"))), 10_000);
    }
}
