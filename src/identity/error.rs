//! Why a registry is not consistent, and why a client certificate names no principal.

use super::Identity;
use crate::{
    certificates::CertificateError,
    model::{OrganizationName, Principal, PrincipalName, Role},
};
use chancery_api::reasons;
use der::DateTime;
use std::time::Duration;

/// Why a registry was refused; the one before it stays in force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// An organization stands there twice.
    #[error("{0} stands in the registry twice")]
    OrganizationTwice(OrganizationName),
    /// A trust anchor or registration of an organization that is none.
    #[error("{0} does not exist; create it first")]
    UnknownOrganization(OrganizationName),
    /// A certificate that is no trust anchor's.
    #[error("trust anchor of {organization}: {source}")]
    Anchor {
        /// Whose.
        organization: OrganizationName,
        /// What is wrong with it.
        source: CertificateError,
    },
    /// A trust anchor's key that TLS can't check client certificates with.
    #[error(
        "trust anchor {anchor} of {organization}: {algorithm} keys can't vouch for clients, since TLS lacks them; use \
         P-256, P-384, P-521, Ed25519 or RSA"
    )]
    AnchorAlgorithm {
        /// Whose.
        organization: OrganizationName,
        /// Its subject.
        anchor: String,
        /// Its key's.
        algorithm: &'static str,
    },
    /// A revocation list that can't be read.
    #[error("revocation list of {organization}: {source}")]
    RevocationList {
        /// Whose.
        organization: OrganizationName,
        /// What is wrong with it.
        source: CertificateError,
    },
    /// One key vouches for two organizations.
    #[error("trust anchor {anchor}: its public key is an anchor of {first} and of {second}; it can vouch for one only")]
    AnchorShared {
        /// Its subject.
        anchor: String,
        /// One of them.
        first: OrganizationName,
        /// The other.
        second: OrganizationName,
    },
    /// One organization's anchor vouches for another's.
    #[error(
        "trust anchor {anchor} of {organization} was issued by an anchor of {issuer}, so its members would belong to \
         both; register an authority that {issuer} did not issue"
    )]
    AnchorIssuedByOther {
        /// Its subject.
        anchor: String,
        /// Whose.
        organization: OrganizationName,
        /// Whose anchor issued it.
        issuer: OrganizationName,
    },
    /// A name pattern for a role that certificates don't give.
    #[error("trust anchor {anchor} of {organization}: no certificate makes anyone {role}; register the key instead")]
    PatternRole {
        /// Its subject.
        anchor: String,
        /// Whose.
        organization: OrganizationName,
        /// The pattern's.
        role: Role,
    },
    /// One key is registered for two principals.
    #[error("one public key is registered for {first} and {second}; each needs a key of its own")]
    KeyOfTwo {
        /// One of them.
        first: PrincipalName,
        /// The other.
        second: PrincipalName,
    },
    /// Two organizations would run the service.
    #[error("{first} and {second} both have a platform-operator; one organization runs the service")]
    SeveralOperators {
        /// One of them.
        first: OrganizationName,
        /// The other.
        second: OrganizationName,
    },
    /// One principal is registered with two roles.
    #[error("{name} is registered as {first} and as {second}; a principal has one role")]
    TwoRoles {
        /// Who.
        name: PrincipalName,
        /// One of them.
        first: Role,
        /// The other.
        second: Role,
    },
}

/// Why a client certificate names no principal. The message is for its holder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// No registered trust anchor issued it.
    #[error("{0}")]
    UnknownAnchor(String),
    /// It ends in trust anchors of several organizations.
    #[error("the certificate chain ends in trust anchors of several organizations; present the certificate alone")]
    SeveralOrganizations,
    /// It, or its issuer's certificate, has expired.
    #[error("{what} expired at {}; renew it", instant(*not_after))]
    Expired {
        /// Which certificate.
        what: &'static str,
        /// Its end, in seconds since the Unix epoch.
        not_after: u64,
    },
    /// It, or its issuer's certificate, is not valid yet.
    #[error("{what} is valid from {} only; check both clocks", instant(*not_before))]
    NotYetValid {
        /// Which certificate.
        what: &'static str,
        /// Its beginning, in seconds since the Unix epoch.
        not_before: u64,
    },
    /// It names no single principal.
    #[error("the certificate names no single principal: {0}")]
    Ambiguous(String),
    /// The name is not its to bear.
    #[error("the certificate may not name {name}: {why}")]
    NameNotAllowed {
        /// Who it would be.
        name: PrincipalName,
        /// What forbids it, and what to do.
        why: String,
    },
    /// It gives no role.
    #[error(
        "the certificate of {0} gives no role: have it issued with one OU of peer, orderer or client, or have its \
         public key registered for another role"
    )]
    NoRole(PrincipalName),
    /// Its key is kept here.
    #[error(
        "the certificate's public key is kept by this service, whose callers could log in as its holder; use a \
         certificate for a key of the client's own"
    )]
    KeyHeldHere,
    /// Its organization lets it in no more.
    #[error("{0} is suspended; ask a security officer of your organization")]
    Suspended(String),
    /// Its key was not seen before; that is recorded before its bearer is let in.
    #[error("public key {} is new under the name {}; try again", hex::encode(public_key_sha256), principal.name)]
    KeyUnseen {
        /// Who it would be.
        principal: Box<Principal>,
        /// SHA-256 of its SubjectPublicKeyInfo.
        public_key_sha256: [u8; 32],
    },
    /// Its key is new, and new keys wait.
    #[error(
        "public key {} is new under the name {name}, and your organization has new keys wait: have a security officer \
         approve it (`chancery principals approve-key`)",
        hex::encode(public_key_sha256)
    )]
    KeyPending {
        /// Whose it says it is.
        name: PrincipalName,
        /// SHA-256 of its SubjectPublicKeyInfo.
        public_key_sha256: [u8; 32],
    },
    /// Its trust anchor revoked it.
    #[error("the certificate was revoked by its issuer; have another one issued")]
    Revoked,
    /// Nobody knows whether its trust anchor revoked it.
    #[error(
        "the revocation list of the certificate's issuer was due for renewal at {}, so nothing that it issued is \
         accepted: have an officer bring a newer list (`chancery anchors crl`)",
        instant(*next_update)
    )]
    ListExpired {
        /// When the next list was due, in seconds since the Unix epoch.
        next_update: u64,
        /// Who it would be: whoever that is may bring a newer list, and nothing else.
        otherwise: Box<Identity>,
    },
    /// It is no client's.
    #[error("no client certificate: {0}")]
    Unfit(String),
    /// It does not parse.
    #[error("malformed client certificate: {0}")]
    Malformed(String),
}

impl IdentityError {
    /// The reason for programs: one of [`chancery_api::reasons`].
    pub fn reason(&self) -> &'static str {
        match self {
            Self::UnknownAnchor(_) => reasons::UNKNOWN_ANCHOR,
            Self::Expired { .. } | Self::NotYetValid { .. } => reasons::CERTIFICATE_EXPIRED,
            Self::SeveralOrganizations | Self::Ambiguous(_) | Self::Malformed(_) => reasons::IDENTITY_AMBIGUOUS,
            Self::NameNotAllowed { .. } => reasons::NAME_NOT_ALLOWED,
            Self::NoRole(_) | Self::Unfit(_) => reasons::NO_ROLE,
            Self::KeyHeldHere => reasons::KEY_HELD_HERE,
            Self::Suspended(_) => reasons::SUSPENDED,
            Self::KeyUnseen { .. } | Self::KeyPending { .. } => reasons::KEY_PENDING,
            Self::Revoked => reasons::CERTIFICATE_REVOKED,
            Self::ListExpired { .. } => reasons::CRL_EXPIRED,
        }
    }
}

/// As 2031-12-31T23:59:59Z.
fn instant(seconds: u64) -> String {
    DateTime::from_unix_duration(Duration::from_secs(seconds))
        .map_or_else(|_| format!("{seconds} seconds after 1970"), |instant| instant.to_string())
}
