//! What callers may spend: requests in a second, uses of keys in a day and in all, keys, and space in the log.
//!
//! **Invariants**: what the configuration gives an organization, no officer raises. A refusal says when it may be tried
//! again, if it may. Rates are charged before anything durable is written; a use of a key counts against its quotas
//! before it is made, and never twice.
//!
//! **Not here**: limits on records of denials (`admission`), whose turn it is at the enclave (`enclave`), what officers
//! set (`limiting`).

mod places;
mod quotas;
mod rates;

pub use places::KeyPlace;

use crate::{
    access::{Caller, Grant, now},
    audit::{AuditLog, until_next_day},
    changes::Changes,
    config,
    directory::Directory,
    error::Error,
    model::{Action, KeyName, LimitSubject, PrincipalName},
};
use chancery_api::reasons;
use places::Places;
use quotas::Quotas;
use rates::Rates;
use std::{net::SocketAddr, sync::Arc};

/// See the module.
pub struct Limits {
    directory: Arc<Directory>,
    audit: Arc<AuditLog>,
    rates: Rates,
    quotas: Arc<Quotas>,
    places: Places,
    log_bytes: Option<u64>,
}

/// Uses of keys that a subject made, as far as they are counted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Uses {
    /// Today (UTC).
    pub today: u64,
    /// In all.
    pub total: u64,
}

impl Limits {
    /// As configured, and as officers set them.
    pub fn new(changes: Arc<Changes>, audit: Arc<AuditLog>, options: &config::Limits) -> Self {
        let directory = Arc::clone(changes.directory());
        Self {
            audit,
            rates: Rates::new(options),
            quotas: Arc::new(Quotas::new(changes)),
            places: Places::new(Arc::clone(&directory), options),
            directory,
            log_bytes: options.log_bytes,
        }
    }

    /// Charges a request to the connection that it came by, from there, to its caller, and to the caller's organization.
    ///
    /// # Errors
    /// [`reasons::RATE_EXCEEDED`]; for a use of a key also [`reasons::LOG_SHARE_EXHAUSTED`].
    pub fn charge(&self, from: &SocketAddr, caller: &Caller, action: Action) -> Result<(), Error> {
        let name = &caller.principal().name;
        self.rates.charge_connection(from)?;
        self.rates.charge_caller(name)?;
        if !action.uses_key() {
            return Ok(());
        }
        let organization = name.organization();
        if let Some(most) = self.log_bytes
            && self.audit.shares().taken(organization.id(), now()).all >= most
        {
            return Err(Error::Exhausted {
                reason: reasons::LOG_SHARE_EXHAUSTED,
                message: format!(
                    "{organization} has used its {most} bytes of the audit log for today; keys can be used again from \
                     midnight (UTC) on, or once the operator raises `limits.log_bytes_per_day`"
                ),
                retry_after: Some(until_next_day(now())),
            });
        }
        if self.directory.has_limits() {
            self.charge_subject(LimitSubject::Principal(name.clone()))?;
            self.charge_subject(LimitSubject::Organization(organization.clone()))?;
        }
        Ok(())
    }

    /// Charges a key that the caller may use.
    ///
    /// # Errors
    /// [`reasons::RATE_EXCEEDED`].
    pub fn charge_key(&self, key: &KeyName) -> Result<(), Error> {
        if self.directory.has_limits() { self.charge_subject(LimitSubject::Key(key.clone())) } else { Ok(()) }
    }

    fn charge_subject(&self, subject: LimitSubject) -> Result<(), Error> {
        let per_second = self.directory.limit(&subject).and_then(|limit| limit.per_second);
        per_second.map_or(Ok(()), |per_second| self.rates.charge(subject, per_second))
    }

    /// Counts a use of a key against every quota that it falls under, or against none.
    ///
    /// # Errors
    /// [`reasons::QUOTA_EXHAUSTED`]; [`Error::Unavailable`] when a quota can't be reserved.
    pub async fn take(&self, grant: &Grant) -> Result<(), Error> {
        if !self.directory.has_limits() {
            return Ok(());
        }
        let caller = &grant.caller().principal().name;
        let subjects = [
            LimitSubject::Principal(caller.clone()),
            LimitSubject::Key(grant.key()?.key.name.clone()),
            LimitSubject::Organization(caller.organization().clone()),
        ];
        self.quotas.take(&subjects).await
    }

    /// A place for one more key of `owner`, which is its maker or not.
    ///
    /// # Errors
    /// [`reasons::TOO_MANY_KEYS`].
    pub fn key_place(&self, owner: &PrincipalName, makes_it: bool) -> Result<KeyPlace, Error> {
        self.places.take(owner, makes_it)
    }

    /// What a subject has used of its quotas. Counted only while it has one.
    pub fn uses(&self, subject: &LimitSubject) -> Uses {
        self.quotas.uses(subject)
    }

    /// Forgets what is over.
    pub fn tidy(&self) {
        self.rates.tidy();
    }

    /// Gives back what was reserved and is not used. Nothing is taken from a quota afterwards.
    pub async fn close(&self) {
        self.quotas.close().await;
    }
}
