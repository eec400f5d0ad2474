//! What an organization's officers say of its members: who is suspended, which nodes are known, groups, revocation
//! lists, policies of its own, limits, and what waits for a second officer.

use super::{KeyName, NameError, OrganizationName, PrincipalName};

/// A node that showed a certificate, with the public keys it was seen with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Who.
    pub principal: PrincipalName,
    /// Its keys, in the order in which they came or were approved.
    pub keys: Vec<NodeKey>,
}

/// Keys of a node that are let in, at most; as many may wait.
pub const KEYS_PER_NODE: usize = 8;

/// One public key of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeKey {
    /// SHA-256 of the SubjectPublicKeyInfo, DER.
    pub public_key_sha256: [u8; 32],
    /// Nanoseconds since the Unix epoch.
    pub first_seen: i64,
    /// It makes nobody of its bearer until an officer approves it.
    pub pending: bool,
}

/// Someone, or something to log in with, that is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// By whom it was said, and of whose members.
    pub organization: OrganizationName,
    /// What is suspended.
    pub subject: Suspended,
    /// Why, for people.
    pub reason: String,
    /// Nanoseconds since the Unix epoch.
    pub create_time: i64,
    /// It was taken back.
    pub lifted: bool,
}

/// What is suspended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Suspended {
    /// Whoever bears this name in the organization.
    Principal(PrincipalName),
    /// The certificate with this SHA-256 of its DER.
    Certificate([u8; 32]),
    /// Every certificate of the public key with this SHA-256 of its SubjectPublicKeyInfo.
    PublicKey([u8; 32]),
}

/// Principals that policies may speak of together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Whose.
    pub organization: OrganizationName,
    /// The last part of its name.
    pub id: String,
    /// Who is in it, sorted; empty: the group is gone.
    pub members: Vec<PrincipalName>,
}

/// The newest certificate revocation list of a trust anchor (RFC 5280 §5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationList {
    /// Whose members it speaks of.
    pub organization: OrganizationName,
    /// The last part of its trust anchor's name.
    pub anchor: String,
    /// DER.
    pub crl: Vec<u8>,
}

/// An organization's own policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationPolicies {
    /// Whose.
    pub organization: OrganizationName,
    /// Cedar; empty: it has none.
    pub text: String,
    /// Nanoseconds since the Unix epoch.
    pub update_time: i64,
}

/// How much one subject may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Of whom or what.
    pub subject: LimitSubject,
    /// Operations with keys in a second.
    pub per_second: Option<u32>,
    /// Operations with keys in a day (UTC).
    pub per_day: Option<u64>,
    /// Operations with keys in all.
    pub total: Option<u64>,
    /// Keys that it may have: of an organization all, of a principal those that it owns.
    pub keys: Option<u64>,
}

/// Of whom or what a limit is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LimitSubject {
    /// An organization.
    Organization(OrganizationName),
    /// A principal.
    Principal(PrincipalName),
    /// A key.
    Key(KeyName),
}

/// What a limit's subject has reserved: operations up to it may have been made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Of whom or what.
    pub subject: LimitSubject,
    /// The day that `day_reserved` is of: days since the Unix epoch (UTC).
    pub day: i64,
    /// Operations reserved on that day.
    pub day_reserved: u64,
    /// Operations reserved in all.
    pub total_reserved: u64,
}

/// A dangerous operation that waits for a second officer, or was approved by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Whose.
    pub organization: OrganizationName,
    /// The last part of its name.
    pub id: String,
    /// The action's name.
    pub action: String,
    /// What it is done to.
    pub resource: String,
    /// SHA-256 of the request's content, without its id.
    pub request_hash: [u8; 32],
    /// What it would do, for people.
    pub summary: String,
    /// Who asked.
    pub requester: PrincipalName,
    /// With which public key: SHA-256 of the SubjectPublicKeyInfo.
    pub requester_key: [u8; 32],
    /// Nanoseconds since the Unix epoch, as all times here.
    pub create_time: i64,
    /// From then on it is worth nothing.
    pub expire_time: i64,
    /// Who approved it, and when.
    pub approved: Option<(PrincipalName, i64)>,
    /// It was used, or called off.
    pub closed: bool,
}

impl LimitSubject {
    /// The organization it belongs to.
    pub fn organization(&self) -> &OrganizationName {
        match self {
            Self::Organization(name) => name,
            Self::Principal(name) => name.organization(),
            Self::Key(name) => name.organization(),
        }
    }
}

impl std::str::FromStr for LimitSubject {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let organization = text.parse().map(Self::Organization);
        let principal = || text.parse().map(Self::Principal);
        let key = || text.parse().map(Self::Key);
        organization.or_else(|_: NameError| principal()).or_else(|_: NameError| key())
    }
}

impl std::fmt::Display for LimitSubject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Organization(name) => name.fmt(f),
            Self::Principal(name) => name.fmt(f),
            Self::Key(name) => name.fmt(f),
        }
    }
}

/// `organizations/{organization}/nodes/{name}`
impl Node {
    /// The resource's full name.
    pub fn name(&self) -> String {
        format!("{}/nodes/{}", self.principal.organization(), self.principal.id())
    }

    /// One of its keys.
    pub fn key(&self, public_key_sha256: &[u8; 32]) -> Option<&NodeKey> {
        self.keys.iter().find(|key| key.public_key_sha256 == *public_key_sha256)
    }

    /// With this key as its newest. When there are more than [`KEYS_PER_NODE`] the oldest goes, of those that wait or of
    /// those that are let in: whoever can show new keys displaces none that an officer approved.
    #[must_use]
    pub fn with(mut self, key: NodeKey) -> Self {
        self.keys.retain(|known| known.public_key_sha256 != key.public_key_sha256);
        self.keys.push(key);
        let mut alike = (0..self.keys.len()).filter(|at| self.keys[*at].pending == key.pending);
        if let (Some(oldest), KEYS_PER_NODE..) = (alike.next(), alike.count()) {
            self.keys.remove(oldest);
        }
        self
    }
}

impl Suspension {
    /// `organizations/{organization}/suspensions/{id}`, the id from what is suspended.
    pub fn name(&self) -> String {
        format!("{}/suspensions/{}", self.organization, self.subject.id())
    }
}

impl Suspended {
    /// The last part of its suspension's name: `principal-NAME`, `certificate-HEX` or `public-key-HEX`.
    pub fn id(&self) -> String {
        let hex = |hash: &[u8; 32]| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        match self {
            Self::Principal(name) => format!("principal-{}", name.id()),
            Self::Certificate(hash) => format!("certificate-{}", hex(hash)),
            Self::PublicKey(hash) => format!("public-key-{}", hex(hash)),
        }
    }

    /// From [`Suspended::id`] in an organization.
    pub fn from_id(organization: &OrganizationName, id: &str) -> Option<Self> {
        let hash = |hex: &str| {
            let mut hash = [0; 32];
            let digits = (hex.len() == 64).then(|| hex.bytes())?;
            // One spelling only.
            let digits = digits.map(|c| char::from(c).to_digit(16).filter(|_| !c.is_ascii_uppercase()));
            for (at, digit) in digits.enumerate() {
                hash[at / 2] = hash[at / 2] << 4 | u8::try_from(digit?).ok()?;
            }
            Some(hash)
        };
        if let Some(name) = id.strip_prefix("principal-") {
            organization.principal(name).ok().map(Self::Principal)
        } else if let Some(hex) = id.strip_prefix("certificate-") {
            hash(hex).map(Self::Certificate)
        } else {
            id.strip_prefix("public-key-").and_then(hash).map(Self::PublicKey)
        }
    }
}

impl Group {
    /// `organizations/{organization}/groups/{id}`
    pub fn name(&self) -> String {
        format!("{}/groups/{}", self.organization, self.id)
    }
}

impl RevocationList {
    /// `organizations/{organization}/anchors/{anchor}/revocations`
    pub fn name(&self) -> String {
        format!("{}/anchors/{}/revocations", self.organization, self.anchor)
    }
}

impl OrganizationPolicies {
    /// `organizations/{organization}/policies`
    pub fn name(&self) -> String {
        format!("{}/policies", self.organization)
    }
}

impl Limit {
    /// Whether it limits anything.
    pub fn limits(&self) -> bool {
        self.per_second.is_some() || self.per_day.is_some() || self.total.is_some() || self.keys.is_some()
    }

    /// The subject's name and `/limit`.
    pub fn name(&self) -> String {
        format!("{}/limit", self.subject)
    }
}

impl Usage {
    /// The subject's name and `/usage`.
    pub fn name(&self) -> String {
        format!("{}/usage", self.subject)
    }
}

impl Approval {
    /// `organizations/{organization}/approvals/{id}`
    pub fn name(&self) -> String {
        format!("{}/approvals/{}", self.organization, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organization() -> OrganizationName {
        OrganizationName::from_id("org1").unwrap()
    }

    fn key(byte: u8, pending: bool) -> NodeKey {
        NodeKey { public_key_sha256: [byte; 32], first_seen: i64::from(byte), pending }
    }

    fn bytes(node: &Node, pending: bool) -> Vec<u8> {
        node.keys.iter().filter(|key| key.pending == pending).map(|key| key.public_key_sha256[0]).collect()
    }

    #[test]
    fn a_key_displaces_the_oldest_of_its_kind_and_no_other() {
        let mut node = Node { principal: organization().principal("peer0").unwrap(), keys: Vec::new() };
        for byte in 0..8 {
            node = node.with(key(byte, false)).with(key(100 + byte, true));
        }
        assert_eq!(node.keys.len(), 16);
        node = node.with(key(200, true));
        assert_eq!(bytes(&node, false), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(bytes(&node, true), [101, 102, 103, 104, 105, 106, 107, 200]);
        // Approved: it waits no more, and the oldest that was let in goes.
        node = node.with(key(200, false));
        assert_eq!(bytes(&node, false), [1, 2, 3, 4, 5, 6, 7, 200]);
        assert_eq!(bytes(&node, true), [101, 102, 103, 104, 105, 106, 107]);
        // Seen again, it is the newest.
        assert_eq!(bytes(&node.clone().with(key(1, false)), false), [2, 3, 4, 5, 6, 7, 200, 1]);
        assert!(node.key(&[1; 32]).is_some() && node.key(&[0; 32]).is_none());
    }

    #[test]
    fn a_suspensions_id_has_one_spelling() {
        let organization = organization();
        for subject in [
            Suspended::Principal(organization.principal("User1@org1.example.com").unwrap()),
            Suspended::Certificate([0xa7; 32]),
            Suspended::PublicKey([9; 32]),
        ] {
            assert_eq!(Suspended::from_id(&organization, &subject.id()), Some(subject));
        }
        let hex = Suspended::Certificate([0xa7; 32]).id();
        for id in ["", "peer0", "principal-", "principal-a/b", "public-key-", &hex[..75], &hex.to_uppercase()] {
            assert_eq!(Suspended::from_id(&organization, id), None, "{id}");
        }
        assert_eq!(Suspended::from_id(&organization, &hex.replace("a7", "A7")), None);
    }
}
