//! Who may do what, decided once and rechecked: identity, policy and the key's place in the directory together.
//!
//! **Invariants**: a [`Grant`] exists only for a verified identity and a policy's permit. [`Access::recheck`] tells
//! whether it still holds; that is nearly free while nothing changed. A permit that is given again without asking the
//! policies (`decisions`) is the one that they would give.
//!
//! **Not here**: recording denials and counting them (`admission`), the key's state as an operation needs it
//! (`signing`, `keys`).

mod decisions;
mod peer;
#[cfg(test)]
mod tests;
mod usable;

pub use peer::{Peer, STREAMS_PER_CONNECTION};
pub use usable::require_active;
pub(crate) use usable::{now, written};

use crate::{
    directory::{Directory, KeyEntry, Version},
    error::Error,
    identity::{Identity, IdentityError, Registry},
    model::{Action, KeyOrVersionName, KeyVersionName, OrganizationName, Principal, Purpose},
    policy::{
        AccessRequest, Asked, Context, Denial, KeyFacts, OrganizationSet, Permit, Policies, PolicyError, PolicySet,
        Resource, Session,
    },
};
use arc_swap::ArcSwap;
use chancery_api::reasons;
use decisions::{Decisions, Question};
use std::sync::Arc;

/// What an action is done to, as the request names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// An organization.
    Organization(OrganizationName),
    /// A key, or one of its versions.
    Key(KeyOrVersionName),
    /// An organization's records.
    Log(OrganizationName),
    /// The service itself.
    Deployment,
}

/// Who asks: identified, and as of when.
#[derive(Debug, Clone)]
pub struct Caller {
    peer: Arc<Peer>,
    principal: Principal,
    public_key_sha256: [u8; 32],
    /// Of its certificate, seconds since the Unix epoch.
    not_before: u64,
    /// The directory's identity epoch that the judgement is of.
    identity_epoch: u64,
}

impl Caller {
    fn new(peer: &Arc<Peer>, identity: Identity, identity_epoch: u64) -> Self {
        let Identity { principal, public_key_sha256, not_before, .. } = identity;
        Self { peer: Arc::clone(peer), principal, public_key_sha256, not_before, identity_epoch }
    }

    /// Who it is.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// SHA-256 of its certificate's SubjectPublicKeyInfo.
    pub fn public_key_sha256(&self) -> &[u8; 32] {
        &self.public_key_sha256
    }

    /// How its request came, now.
    pub fn session(&self) -> Session {
        let time = now() / 1_000_000_000;
        Session {
            time,
            source_address: self.peer.address().ip().to_canonical(),
            certificate_age: time.saturating_sub_unsigned(self.not_before),
            shim: self.peer.is_shim(),
        }
    }
}

/// Decides. See the module.
pub struct Access {
    directory: Arc<Directory>,
    policies: ArcSwap<Policies>,
    decisions: Decisions,
}

/// A permit, and what it was decided on.
#[must_use]
pub struct Grant {
    permit: Permit,
    caller: Caller,
    target: Target,
    entry: Option<Arc<KeyEntry>>,
    asked: Asked,
}

impl Grant {
    /// The policies' permit.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// Who asks, for a decision about another resource.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What was asked for.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The key.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it does not exist, which the caller may know; `STATE_MISMATCH` when store and log
    /// disagree about it.
    pub fn key(&self) -> Result<&Arc<KeyEntry>, Error> {
        let entry = self.entry.as_ref().ok_or_else(|| Error::NotFound(self.target.to_string()))?;
        match &entry.mismatch {
            Some(why) => Err(mismatch(&entry.key.name.to_string(), why)),
            None => Ok(entry),
        }
    }

    /// The version named, or the primary one.
    ///
    /// # Errors
    /// As [`Grant::key`].
    pub fn version(&self) -> Result<&Arc<Version>, Error> {
        let number = match &self.target {
            Target::Key(KeyOrVersionName::Version(name)) => Some(name.number()),
            _ => None,
        };
        let version = self.key()?.version(number).ok_or_else(|| Error::NotFound(self.target.to_string()))?;
        match &version.mismatch {
            Some(why) => Err(mismatch(&version.row.name.to_string(), why)),
            None => Ok(version),
        }
    }
}

fn mismatch(name: &str, why: &str) -> Error {
    Error::Precondition { reason: reasons::STATE_MISMATCH, message: format!("{name} is not used: {why}") }
}

impl Access {
    /// Over this directory, by this base set and what the directory has of organizations' own policies.
    ///
    /// # Errors
    /// [`PolicyError`]: an organization's policies can't be used by this version. Without them it would have another
    /// say than it chose.
    pub fn new(directory: Arc<Directory>, base: impl Into<Arc<PolicySet>>) -> Result<Self, PolicyError> {
        let own = directory.all_policies().into_iter();
        let mut policies = own.map(|row| OrganizationSet::parse(row.organization, row.text));
        let policies = policies.try_fold(Policies::new(base), |all, set| Ok(all.with_organization(set?)))?;
        Ok(Self { directory, policies: ArcSwap::from_pointee(policies), decisions: Decisions::default() })
    }

    /// What exists.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// The policies in force.
    pub fn policies(&self) -> Arc<Policies> {
        self.policies.load_full()
    }

    /// Puts another base set in force, at once.
    pub fn set_base(&self, base: impl Into<Arc<PolicySet>>) {
        let base = base.into();
        self.policies.rcu(|policies| policies.with_base(Arc::clone(&base)));
    }

    /// Puts an organization's own policies in force, at once; an empty text is none.
    pub fn set_organization(&self, set: impl Into<Arc<OrganizationSet>>) {
        let set = set.into();
        self.policies.rcu(|policies| policies.with_organization(Arc::clone(&set)));
    }

    /// Who the peer is, now.
    ///
    /// # Errors
    /// [`IdentityError`]: its certificate makes nobody of it.
    pub fn identify(&self, peer: &Arc<Peer>) -> Result<Caller, IdentityError> {
        // Read first: a change in between makes the judgement older than it says, never newer.
        let identity_epoch = self.directory.identity_epoch();
        let identity = peer.identify(&self.directory, identity_epoch)?;
        Ok(Caller::new(peer, identity, identity_epoch))
    }

    /// The same, for one action: whoever is nobody only because its anchor's revocation list is past its next update may
    /// bring a newer one. Otherwise nobody could, and the list speaks for itself: the anchor signed it.
    ///
    /// # Errors
    /// As [`Access::identify`].
    pub fn identify_for(&self, peer: &Arc<Peer>, action: Action) -> Result<Caller, IdentityError> {
        let identity_epoch = self.directory.identity_epoch();
        match self.identify(peer) {
            Err(IdentityError::ListExpired { otherwise, .. }) if action == Action::UpdateRevocationList => {
                Ok(Caller::new(peer, *otherwise, identity_epoch))
            }
            judged => judged,
        }
    }

    /// Who a grant's caller would be by another registry.
    ///
    /// # Errors
    /// [`IdentityError`]: nobody.
    pub fn identify_by(&self, grant: &Grant, registry: &Registry) -> Result<Identity, IdentityError> {
        grant.caller.peer.identify_by(registry, &self.directory)
    }

    /// Whose trust anchor vouches for a peer that is nobody.
    pub fn vouching(&self, peer: &Peer) -> Option<OrganizationName> {
        peer.vouching(&self.directory)
    }

    /// Decides by the policies.
    ///
    /// # Errors
    /// [`Denial`], which must be recorded.
    pub fn authorize(
        &self,
        caller: &Caller,
        action: Action,
        target: Target,
        context: Context,
    ) -> Result<Grant, Box<Denial>> {
        // Read first: what comes later makes the decision newer than it says, never older.
        let identity_epoch = self.directory.identity_epoch();
        let asked = self.asked(&caller.principal, &target);
        let entry = self.entry(&target);
        let question = Question { principal: &caller.principal, action, target: &target };
        let known = self.decisions.find(question, &asked, entry.as_ref(), identity_epoch);
        let remembered = match known {
            Some(known) => known.permit(context, caller.session()),
            None => Err(context),
        };
        let permit = match remembered {
            Ok(permit) => permit,
            Err(context) => {
                let (principal, session) = (caller.principal.clone(), caller.session());
                let request = self.request(principal, action, &target, entry.as_deref(), context, session);
                let permit = asked.authorize(request).map_err(Box::new)?;
                self.decisions.remember(question, &asked, entry.as_ref(), identity_epoch, &permit);
                permit
            }
        };
        Ok(Grant { permit, caller: caller.clone(), target, entry, asked })
    }

    /// Whether the policies permit it now. Not remembered: whoever asks about many keys would drive out what is used.
    pub fn would_permit(&self, caller: &Caller, action: Action, target: Target, context: Context) -> bool {
        let asked = self.asked(&caller.principal, &target);
        let entry = self.entry(&target);
        let (principal, session) = (caller.principal.clone(), caller.session());
        let request = self.request(principal, action, &target, entry.as_deref(), context, session);
        asked.authorize(request).is_ok()
    }

    /// What the policies would be asked, if `principal` asked for this under these circumstances now.
    pub fn describe(
        &self,
        principal: Principal,
        action: Action,
        target: &Target,
        context: Context,
        session: Session,
    ) -> AccessRequest {
        let entry = self.entry(target);
        self.request(principal, action, target, entry.as_deref(), context, session)
    }

    /// What a denied caller is told: that it was denied; only a key's owner learns that nothing but the key's purpose
    /// stands in its way. For whoever is not the owner, the same steps are taken whether the key exists or not.
    pub fn told(&self, denial: &Denial) -> Error {
        let request = denial.request();
        let Resource::Key { name, facts: Some(facts) } = &request.resource else { return Error::Denied };
        if facts.owner != request.principal.name {
            return Error::Denied;
        }
        let (wanted, what) = match request.action {
            Action::Sign => (Purpose::Sign, "signing"),
            Action::IssueCertificate => (Purpose::Certify, "issuing certificates"),
            Action::Encrypt | Action::Decrypt => (Purpose::Encrypt, "encryption"),
            Action::DeriveSharedSecret => (Purpose::Agree, "key agreement"),
            Action::GenerateMac | Action::VerifyMac => (Purpose::Mac, "message authentication codes"),
            Action::WrapKey | Action::UnwrapKey => (Purpose::Wrap, "wrapping keys"),
            _ => return Error::Denied,
        };
        let fitting = KeyFacts { purpose: wanted, ..facts.clone() };
        let resource = Resource::Key { name: name.clone(), facts: Some(fitting) };
        match self.policies.load().authorize(AccessRequest { resource, ..request.clone() }) {
            Ok(_) if facts.purpose != wanted => Error::Precondition {
                reason: reasons::WRONG_PURPOSE,
                message: format!("{name} is for {}, not for {what}", facts.purpose),
            },
            _ => Error::Denied,
        }
    }

    /// Whether a grant still holds, and, where a key is used, whether `version` may still be.
    ///
    /// # Errors
    /// [`Error::Unidentified`], [`Error::Denied`] or [`Error::Precondition`]: something changed meanwhile.
    pub fn recheck(&self, grant: &Grant, version: Option<&KeyVersionName>) -> Result<(), Error> {
        let entry = self.entry(&grant.target);
        if same(entry.as_ref(), grant.entry.as_ref()) && self.is_current(grant) {
            return grant.recheck_version(entry.as_deref(), version);
        }
        let AccessRequest { principal, action, context, .. } = grant.permit.request();
        let caller = self.identify_for(&grant.caller.peer, *action).map_err(|error| unidentified(&error))?;
        if caller.principal != *principal {
            return Err(Error::Denied);
        }
        let (session, context) = (caller.session(), context.clone());
        let again = self.request(caller.principal, *action, &grant.target, entry.as_deref(), context, session);
        let _still = self.policies.load().authorize(again).map_err(|_| Error::Denied)?;
        grant.recheck_version(entry.as_deref(), version)
    }

    fn is_current(&self, grant: &Grant) -> bool {
        self.directory.identity_epoch() == grant.caller.identity_epoch
            && self.asked(&grant.caller.principal, &grant.target).are(&grant.asked)
            && !grant.permit.reads_session()
            && !grant.caller.peer.has_expired()
    }

    /// The policies that are asked.
    fn asked(&self, principal: &Principal, target: &Target) -> Asked {
        let home = principal.name.organization();
        self.policies.load().asked(target.organization().filter(|organization| *organization == home))
    }

    /// The key, if one is meant and there is one.
    fn entry(&self, target: &Target) -> Option<Arc<KeyEntry>> {
        match target {
            Target::Key(name) => self.directory.key(name.key()),
            Target::Organization(_) | Target::Log(_) | Target::Deployment => None,
        }
    }

    /// Full names of the groups of its organization that it is in.
    fn groups_of(&self, principal: &Principal) -> Vec<String> {
        self.directory.groups_of(&principal.name)
    }

    fn request(
        &self,
        principal: Principal,
        action: Action,
        target: &Target,
        entry: Option<&KeyEntry>,
        context: Context,
        session: Session,
    ) -> AccessRequest {
        let groups = self.groups_of(&principal);
        let resource = self.resource(&principal, target, entry);
        AccessRequest { principal, groups, action, resource, context, session }
    }

    /// The resource as policies see it. The same look-ups are made whether it exists or not.
    fn resource(&self, principal: &Principal, target: &Target, entry: Option<&KeyEntry>) -> Resource {
        match target {
            Target::Organization(name) => {
                let enrolling_roles =
                    self.directory.organization(name).map(|found| found.enrolling_roles).unwrap_or_default();
                Resource::Organization { name: name.clone(), enrolling_roles }
            }
            Target::Deployment => {
                // Without an operator nobody may do anything with it, whoever it is said to belong to.
                let operator = self.directory.operator();
                let organization = operator.unwrap_or_else(|| principal.name.organization().clone());
                Resource::Deployment { organization }
            }
            Target::Log(organization) => Resource::Log { organization: organization.clone() },
            Target::Key(name) => {
                let number = match name {
                    KeyOrVersionName::Version(version) => Some(version.number()),
                    KeyOrVersionName::Key(_) => None,
                };
                let facts = entry.and_then(|entry| {
                    let version = entry.version(number)?;
                    Some(KeyFacts {
                        owner: entry.key.owner.clone(),
                        purpose: entry.key.purpose,
                        algorithm: entry.key.algorithm,
                        protection: entry.key.protection,
                        state: version.row.state,
                        labels: entry.key.labels.clone(),
                    })
                });
                Resource::Key { name: name.key().clone(), facts }
            }
        }
    }
}

/// Whether these are one and the same entry, or none.
fn same(one: Option<&Arc<KeyEntry>>, other: Option<&Arc<KeyEntry>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}

impl Target {
    /// The organization it belongs to; the service itself belongs to none.
    pub fn organization(&self) -> Option<&OrganizationName> {
        match self {
            Self::Organization(name) | Self::Log(name) => Some(name),
            Self::Key(name) => Some(name.key().organization()),
            Self::Deployment => None,
        }
    }
}

/// An identity error as the caller is told it.
pub fn unidentified(error: &IdentityError) -> Error {
    Error::Unidentified { reason: error.reason(), message: error.to_string() }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Organization(name) | Self::Log(name) => name.fmt(f),
            Self::Key(name) => name.fmt(f),
            Self::Deployment => f.write_str("deployment"),
        }
    }
}
