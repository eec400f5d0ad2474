//! Keys and key versions.

use super::{Algorithm, KeyName, KeyVersionName, PrincipalName};
use std::collections::BTreeMap;

super::words! {
    /// What a key may be used for.
    pub enum Purpose {
        /// Signing digests and messages, and making certificate signing requests.
        Sign = "sign",
        /// Issuing certificates, and nothing else.
        Certify = "certify",
    }
}

super::words! {
    /// Where a private key lives.
    pub enum Protection {
        /// In the token.
        Token = "token",
    }
}

super::words! {
    /// Whether a signature is verified before release.
    pub enum Check {
        /// Every one.
        Always = "always",
        /// The first on a new session or handle, then one in 64.
        Sampled = "sampled",
        /// None.
        Never = "never",
    }
}

super::words! {
    /// Where a key version is in its life (NIST SP 800-57 part 1 revision 5 §7).
    pub enum KeyState {
        /// Made, not yet in use.
        PreActive = "PRE_ACTIVE",
        /// May sign.
        Active = "ACTIVE",
        /// Out of use until activated again.
        Suspended = "SUSPENDED",
        /// May verify and be looked up, not sign.
        Deactivated = "DEACTIVATED",
        /// Known or suspected to be in other hands.
        Compromised = "COMPROMISED",
        /// Gone; a tombstone stays.
        Destroyed = "DESTROYED",
    }
}

/// A key: an owner, a purpose, and numbered versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: KeyName,
    /// The principal who may use it.
    pub owner: PrincipalName,
    /// What it may be used for.
    pub purpose: Purpose,
    /// What its versions are made of.
    pub algorithm: Algorithm,
    /// Where its versions live.
    pub protection: Protection,
    /// Whether its signatures are verified before release.
    pub check: Check,
    /// Free text for its owner.
    pub labels: BTreeMap<String, String>,
    /// The version used where only the key is named.
    pub primary_version: u64,
    /// Nanoseconds since the Unix epoch.
    pub create_time: i64,
}

/// One key pair of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyVersion {
    /// Its name.
    pub name: KeyVersionName,
    /// Where it is in its life.
    pub state: KeyState,
    /// SubjectPublicKeyInfo, DER.
    pub public_key: Vec<u8>,
    /// Nanoseconds since the Unix epoch.
    pub create_time: i64,
    /// The certificate bound to it, DER.
    pub certificate: Option<Vec<u8>>,
}
