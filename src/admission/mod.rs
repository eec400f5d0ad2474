//! The first steps of every request: who asks, what it may cost, and whether policy allows it.
//!
//! **Invariants**: every denial stands in the log, one by one within the caller's budget, counted beyond it; the budget
//! is charged before anything durable is written, so that nobody fills another's log.
//!
//! **Not here**: the decision itself (`access`, `policy`).

mod floods;

pub use floods::Floods;

use crate::{
    access::{Access, Caller, Grant, Peer, Target, unidentified},
    audit::{AuditLog, Draft, unavailable},
    error::Error,
    model::{Action, RequestId},
    policy::Context,
};
use chancery_api::reasons;
use std::sync::Arc;

/// See the module.
pub struct Admission {
    access: Arc<Access>,
    audit: Arc<AuditLog>,
    floods: Arc<Floods>,
}

impl Admission {
    /// Over these decisions and this log.
    pub fn new(access: Arc<Access>, audit: Arc<AuditLog>, floods: Arc<Floods>) -> Self {
        Self { access, audit, floods }
    }

    /// Identifies the caller.
    ///
    /// # Errors
    /// [`Error::Unidentified`], recorded or counted; [`Error::Unavailable`] when it could not be recorded.
    pub async fn identify(&self, peer: &Arc<Peer>, action: Action) -> Result<Caller, Error> {
        let error = match self.access.identify(peer) {
            Ok(caller) => return Ok(caller),
            Err(error) => error,
        };
        let organization = self.access.vouching(peer).map(|name| name.id().to_owned()).unwrap_or_default();
        if self.floods.may_record(&organization, "", error.reason()) {
            let draft = Draft::unidentified(&organization, peer.fingerprint(), action.as_str(), error.reason());
            self.audit.append(draft).await.map_err(|error| unavailable(&error))?;
        }
        Err(unidentified(&error))
    }

    /// Asks the policies.
    ///
    /// # Errors
    /// [`Error::Denied`], or [`Error::Precondition`] where the caller may know more, recorded or counted;
    /// [`Error::Unavailable`] when it could not be recorded.
    pub async fn authorize(
        &self,
        caller: &Caller,
        action: Action,
        target: Target,
        context: Context,
        request: &RequestId,
    ) -> Result<Grant, Error> {
        let denial = match self.access.authorize(caller, action, target.clone(), context) {
            Ok(grant) => return Ok(grant),
            Err(denial) => denial,
        };
        let name = &denial.request().principal.name;
        if self.floods.may_record(name.organization().id(), name.id(), reasons::DENIED) {
            self.audit.append(Draft::denial(&denial, &target, request)).await.map_err(|error| unavailable(&error))?;
        }
        Err(self.access.told(&denial))
    }

    /// Identifies and authorizes a caller who only reads.
    ///
    /// # Errors
    /// As [`Admission::identify`] and [`Admission::authorize`].
    pub async fn admit(&self, peer: &Arc<Peer>, action: Action, target: Target) -> Result<Grant, Error> {
        let caller = self.identify(peer, action).await?;
        self.authorize(&caller, action, target, Context::new(), &RequestId::default()).await
    }

    /// Counts a rejected request against its caller. Rejections are recorded only when they come in floods.
    pub fn rejected(&self, caller: &Caller, error: &Error) {
        let name = &caller.principal().name;
        self.floods.may_record(name.organization().id(), name.id(), error.reason());
    }

    /// What exists, and who may do what with it.
    pub fn access(&self) -> &Arc<Access> {
        &self.access
    }

    /// The log.
    pub fn audit(&self) -> &Arc<AuditLog> {
        &self.audit
    }
}
