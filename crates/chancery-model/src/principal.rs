//! Who asks: organizations, their trust anchors and registrations, and principals.

use super::{OrganizationName, PrincipalName};

crate::words! {
    /// What a principal is to its organization.
    pub enum Role {
        /// A Fabric peer, or another chain's validating node.
        Peer = "peer",
        /// A Fabric orderer.
        Orderer = "orderer",
        /// A client application.
        Client = "client",
        /// Manages keys; signs nothing.
        SecurityOfficer = "security-officer",
        /// Reads the organization's records.
        Auditor = "auditor",
        /// Issues certificates with the keys it owns.
        Ca = "ca",
        /// The OpsSC agent: signs proposals and votes.
        OpsscAgent = "opssc-agent",
        /// Runs the service; touches no organization's key.
        PlatformOperator = "platform-operator",
    }
}

impl Role {
    /// The roles that a certificate may give by itself, each from the organizational unit of the same name. Every
    /// other role comes from a registration.
    pub const BY_CERTIFICATE: [Self; 3] = [Self::Peer, Self::Orderer, Self::Client];
}

/// A member of the consortium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Its name.
    pub name: OrganizationName,
    /// Roles whose holders may create signing keys that they own.
    pub enrolling_roles: Vec<Role>,
    /// Nanoseconds since the Unix epoch.
    pub create_time: i64,
    /// Generation of the key-encryption key that ENCLAVE keys are wrapped under; 0: none was made yet.
    pub kek_generation: u64,
    /// The oldest generation that still exists; 0: none.
    pub oldest_kek_generation: u64,
    /// Why keys are not destroyed until an officer confirms the clock.
    pub destruction_frozen: Option<String>,
    /// A new public key under a known node's name waits for an officer.
    pub pin_strict: bool,
    /// A revocation list past its next update still lets its anchor's other certificates in.
    pub accept_expired_crl: bool,
}

impl Organization {
    /// One that has no key yet.
    pub fn new(name: OrganizationName, enrolling_roles: Vec<Role>, create_time: i64) -> Self {
        Self {
            name,
            enrolling_roles,
            create_time,
            kek_generation: 0,
            oldest_kek_generation: 0,
            destruction_frozen: None,
            pin_strict: false,
            accept_expired_crl: false,
        }
    }
}

/// A certificate authority that vouches for an organization's members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustAnchor {
    /// Whose members it vouches for.
    pub organization: OrganizationName,
    /// Its certificate, DER.
    pub certificate: Vec<u8>,
    /// Whom it may make peer, orderer or client by certificate alone.
    pub patterns: Vec<NamePattern>,
    /// It vouches for nobody any more.
    pub removed: bool,
}

/// Names that a trust anchor may give a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern {
    /// One of [`Role::BY_CERTIFICATE`].
    pub role: Role,
    /// Common names; `*` stands for any run of characters.
    pub pattern: String,
}

impl NamePattern {
    /// Whether the pattern covers `name`.
    pub fn matches(&self, name: &str) -> bool {
        covers(&self.pattern, name)
    }
}

/// Whether a pattern, in which `*` stands for any run of characters, covers a name.
pub fn covers(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(middle) = last.replace(part) {
            match rest.find(middle) {
                Some(at) => rest = &rest[at + str::len(middle)..],
                None => return false,
            }
        }
    }
    match last {
        Some(suffix) => rest.ends_with(suffix),
        None => rest.is_empty(),
    }
}

/// A role given to whoever holds one of some public keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The principal.
    pub name: PrincipalName,
    /// Its role.
    pub role: Role,
    /// SHA-256 of each SubjectPublicKeyInfo, DER; none: the registration was removed, and nobody bears the name.
    pub public_keys_sha256: Vec<[u8; 32]>,
}

/// Someone who was identified: a verified certificate and the organization's registry agree.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    /// Who.
    pub name: PrincipalName,
    /// As what.
    pub role: Role,
    /// SHA-256 of the certificate, DER.
    pub certificate_fingerprint: [u8; 32],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (pattern, name, expected) in [
            ("peer*", "peer0", true),
            ("peer*", "peer", true),
            ("peer*", "xpeer0", false),
            ("*", "", true),
            ("*.org1", "peer0.org1", true),
            ("*.org1", "peer0.org2", false),
            ("p*r*1", "peer01", true),
            ("p*r*1", "peer0", false),
            ("peer0", "peer0", true),
            ("peer0", "peer01", false),
            ("a*a", "a", false),
            ("a*b*b", "ab", false),
            ("*a*", "bab", true),
            ("", "x", false),
        ] {
            let pattern = NamePattern { role: Role::Peer, pattern: pattern.into() };
            assert_eq!(pattern.matches(name), expected, "{} {name}", pattern.pattern);
        }
    }
}
