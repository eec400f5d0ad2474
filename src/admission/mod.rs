//! The first steps of every request: who asks, what it may cost, and whether policy allows it.
//!
//! **Invariants**: every denial stands in the log, one by one within the caller's budget, counted beyond it; the budget
//! is charged before anything durable is written, so that nobody fills another's log. Whoever floods waits for its
//! refusals, and nobody else does.
//!
//! **Not here**: the decision itself (`access`, `policy`).

mod first_use;
mod floods;
mod nodes;

pub use floods::Floods;

use crate::{
    access::{Access, Caller, Grant, Peer, Target, unidentified},
    audit::{AuditLog, Draft, unavailable},
    changes::Changes,
    error::Error,
    identity::IdentityError,
    limits::Limits,
    model::{Action, KeyOrVersionName, RequestId},
    policy::Context,
    witnesses::Gate,
};
use chancery_api::reasons;
use first_use::FirstUses;
use nodes::Sightings;
use std::sync::Arc;

/// See the module.
pub struct Admission {
    access: Arc<Access>,
    audit: Arc<AuditLog>,
    floods: Arc<Floods>,
    limits: Arc<Limits>,
    sightings: Arc<Sightings>,
    first_uses: Arc<FirstUses>,
    gate: Arc<Gate>,
}

impl Admission {
    /// Over these decisions, these limits, and this log with what is put into it; nothing passes but through this gate.
    pub fn new(
        access: Arc<Access>,
        audit: Arc<AuditLog>,
        floods: Arc<Floods>,
        limits: Arc<Limits>,
        changes: Arc<Changes>,
        gate: Arc<Gate>,
    ) -> Self {
        let sightings = Arc::new(Sightings::new(Arc::clone(&floods), Arc::clone(&changes)));
        let first_uses = Arc::new(FirstUses::new(changes));
        Self { access, audit, floods, limits, sightings, first_uses, gate }
    }

    /// Identifies the caller, charges it for the request, and asks the gate. A node whose public key was not seen before is
    /// recorded first.
    ///
    /// # Errors
    /// [`Error::Unidentified`], recorded or counted; [`Error::Exhausted`] beyond a limit, counted, and where too many new
    /// nodes come; [`Error::Unavailable`] when it could not be recorded; what the gate says.
    pub async fn identify(&self, peer: &Arc<Peer>, action: Action) -> Result<Caller, Error> {
        let mut identified = self.access.identify_for(peer, action);
        if let Err(IdentityError::KeyUnseen { principal, public_key_sha256 }) = identified {
            self.sightings.record(*principal, public_key_sha256).await?;
            identified = self.access.identify_for(peer, action);
        }
        let error = match identified {
            Ok(caller) => {
                let passed =
                    self.limits.charge(&peer.address(), &caller, action).and_then(|()| self.gate.check(action));
                return match passed {
                    Ok(()) => Ok(caller),
                    Err(error) => Err(self.rejected(&caller, error).await),
                };
            }
            Err(error) => error,
        };
        let organization = self.access.vouching(peer).map(|name| name.id().to_owned()).unwrap_or_default();
        if self.floods.may_record(&organization, "", error.reason()) {
            let draft = Draft::unidentified(&organization, peer.fingerprint(), action.as_str(), error.reason());
            self.audit.append(draft).await.map_err(|error| unavailable(&error))?;
        } else {
            self.floods.pace(&organization).await;
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
        } else {
            self.floods.pace(name.organization().id()).await;
        }
        Err(self.access.told(&denial))
    }

    /// Asks the policies about a key, and charges the key if it is to be used.
    ///
    /// # Errors
    /// As [`Admission::authorize`]; [`Error::Exhausted`], counted.
    pub async fn authorize_use(
        &self,
        caller: &Caller,
        action: Action,
        key: &KeyOrVersionName,
        context: Context,
        request: &RequestId,
    ) -> Result<Grant, Error> {
        let grant = self.authorize(caller, action, Target::Key(key.clone()), context, request).await?;
        if action.uses_key() {
            match self.limits.charge_key(key.key()) {
                Ok(()) => {}
                Err(error) => return Err(self.rejected(caller, error).await),
            }
        }
        Ok(grant)
    }

    /// Makes a key that would not have stayed do so, before it is held for a change that uses it.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn keep_used(&self, grant: &Grant) -> Result<(), Error> {
        self.first_uses.settle(grant).await
    }

    /// Counts a use of a key that is about to be made against its quotas. A key that would not have stayed does from its
    /// first use on.
    ///
    /// # Errors
    /// [`Error::Exhausted`], counted; [`Error::Unavailable`].
    pub async fn take_use(&self, grant: &Grant) -> Result<(), Error> {
        match self.limits.take(grant).await {
            Ok(()) => self.first_uses.settle(grant).await,
            Err(error) => Err(self.rejected(grant.caller(), error).await),
        }
    }

    /// Identifies and authorizes a caller who only reads.
    ///
    /// # Errors
    /// As [`Admission::identify`] and [`Admission::authorize`].
    pub async fn admit(&self, peer: &Arc<Peer>, action: Action, target: Target) -> Result<Grant, Error> {
        let caller = self.identify(peer, action).await?;
        self.authorize(&caller, action, target, Context::new(), &RequestId::default()).await
    }

    /// Counts a request that is rejected or exceeds a limit against its caller: the error that it is told, once its turn
    /// has come. Rejections are recorded only when they come in floods.
    pub async fn rejected(&self, caller: &Caller, error: Error) -> Error {
        let name = &caller.principal().name;
        if !self.floods.may_record(name.organization().id(), name.id(), error.reason()) {
            self.floods.pace(name.organization().id()).await;
        }
        error
    }

    /// What exists, and who may do what with it.
    pub fn access(&self) -> &Arc<Access> {
        &self.access
    }

    /// What callers may spend.
    pub fn limits(&self) -> &Arc<Limits> {
        &self.limits
    }

    /// The log.
    pub fn audit(&self) -> &Arc<AuditLog> {
        &self.audit
    }
}
