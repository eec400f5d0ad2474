//! What is asked of the policies: principal, action, resource, context.

use super::Session;
use chancery_model::{
    Action, Algorithm, KeyName, KeyState, OrganizationName, Principal, PrincipalName, Protection, Purpose, Role,
};
use std::{collections::BTreeMap, fmt};

/// One question to the policies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AccessRequest {
    /// Who asks.
    pub principal: Principal,
    /// Full names of the groups that it is a member of, all of its own organization.
    pub groups: Vec<String>,
    /// What for.
    pub action: Action,
    /// On what. Each action has one kind of resource; another is denied.
    pub resource: Resource,
    /// Under which circumstances: what the schema lists for the action, no more and no less.
    pub context: Context,
    /// When and from where.
    pub session: Session,
}

impl AccessRequest {
    /// The organization whose own policies are asked: the principal's, where the resource is that organization's too.
    /// The service itself is no organization's, whoever runs it.
    pub fn home(&self) -> Option<&OrganizationName> {
        let organization = self.principal.name.organization();
        let at_home = match &self.resource {
            Resource::Deployment { .. } => false,
            resource => resource.organization() == organization,
        };
        at_home.then_some(organization)
    }
}

/// What an action is done to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Resource {
    /// An organization: what makes, lists or moves keys, `GenerateRandom`, `ConfirmClock`, `GetCheckpoint`.
    Organization {
        /// Which.
        name: OrganizationName,
        /// Roles whose holders may create keys that they own; empty when there is no such organization.
        enrolling_roles: Vec<Role>,
    },
    /// A key, or one of its versions: everything else.
    Key {
        /// Which.
        name: KeyName,
        /// What is known of it; `None` when there is no such key or version. Policies are not told it of another
        /// organization's key.
        facts: Option<KeyFacts>,
    },
    /// The service itself: `CreateOrganization`, `ListOrganizations`, `ReloadPolicies`, `GetTokenStatus`.
    Deployment {
        /// The organization that runs it: the platform operator's.
        organization: OrganizationName,
    },
    /// The audit records of an organization: `ListRecords`, `TailRecords`.
    Log {
        /// Whose.
        organization: OrganizationName,
    },
}

/// What policies may know of a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyFacts {
    /// The principal who may use it.
    pub owner: PrincipalName,
    /// What it may be used for.
    pub purpose: Purpose,
    /// What it is made of.
    pub algorithm: Algorithm,
    /// Where it lives.
    pub protection: Protection,
    /// State of the version that is meant.
    pub state: KeyState,
    /// Free text of its owner.
    pub labels: BTreeMap<String, String>,
}

impl Resource {
    /// The organization it belongs to.
    pub fn organization(&self) -> &OrganizationName {
        match self {
            Self::Organization { name, .. } => name,
            Self::Key { name, .. } => name.organization(),
            Self::Log { organization } | Self::Deployment { organization } => organization,
        }
    }
}

/// The resource's name; a log or the deployment goes by its organization's.
impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organization { name, .. } => name.fmt(f),
            Self::Key { name, .. } => name.fmt(f),
            Self::Log { organization } | Self::Deployment { organization } => organization.fmt(f),
        }
    }
}

/// Circumstances of a request but its session, named as in policies/schema.cedarschema. They stand in the audit record.
///
/// | action | values |
/// |---|---|
/// | `Sign` | `input`: digest or message; `hash`: its name, `""` for none; `size`: bytes |
/// | `CreateCertificateSigningRequest` | `subject` |
/// | `IssueCertificate` | `profile`: root-ca, peer, orderer, client or admin; `commonName` |
/// | `CreateKey` | `key`: its id; `owner`: full principal name; `purpose`; `algorithm`; `protection` |
/// | `ImportKey` | as `CreateKey` |
/// | `ScheduleKeyVersionDestruction` | `waitSeconds` |
/// | `Encrypt`, `Decrypt` | `size`: bytes; `mode`, absent for `default` |
/// | `GenerateMac`, `VerifyMac`, `WrapKey`, `UnwrapKey`, `GenerateRandom` | `size`: bytes |
/// | `RotateKey`, `ActivateKeyVersion` | `mayEnrol` (optional): whether the caller's role may make keys for itself |
/// | `BackUpKeys` | `threshold`: how many custodians restore it; `custodians`: full principal names, blanks between |
/// | `UpdateObject`, `CopyObject` | `standing`: named, provisional or session; `object`: which one; `ski`: the id that its version implies, hexadecimal; `id`: the one that it is to bear; `renames`: whether id or label become others |
/// | `DeleteObject` | `standing`, `object`, `ski`; `id`: the one that it bears; `last`: whether no other object of its class bears it |
/// | `RegisterPrincipal` | `name`: the principal's id; `role` |
/// | `RestoreBackup` | `withoutLog` (optional): whether the log that says what was destroyed is not at hand; `log` (optional): origin and size of the log that the caller names, a blank between; `loggedStates` (optional): how many states it brings from there |
/// | others | none |
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Context(BTreeMap<&'static str, ContextValue>);

/// One circumstance.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ContextValue {
    /// Text, or a word of one of the schema's lists.
    Text(String),
    /// A number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
}

impl Context {
    /// Without circumstances.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a text.
    #[must_use]
    pub fn text(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.insert(name, ContextValue::Text(value.into()));
        self
    }

    /// With a number.
    #[must_use]
    pub fn number(mut self, name: &'static str, value: i64) -> Self {
        self.0.insert(name, ContextValue::Number(value));
        self
    }

    pub(super) fn with(mut self, name: &'static str, value: ContextValue) -> Self {
        self.0.insert(name, value);
        self
    }

    /// With a yes or no.
    #[must_use]
    pub fn flag(mut self, name: &'static str, value: bool) -> Self {
        self.0.insert(name, ContextValue::Flag(value));
        self
    }

    /// Names in order, with their values as text.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.0.iter().map(|(name, value)| (*name, value.to_string()))
    }

    pub(super) fn value(&self, name: &str) -> Option<&ContextValue> {
        self.0.get(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }
}

impl fmt::Display for ContextValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
        }
    }
}
