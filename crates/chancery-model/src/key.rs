//! Keys and key versions.

use super::{Algorithm, BackupName, KeyName, KeyVersionName, PrincipalName};
use std::{collections::BTreeMap, time::Duration};

crate::words! {
    /// What a key may be used for.
    pub enum Purpose {
        /// Signing digests and messages, and making certificate signing requests.
        Sign = "sign",
        /// Issuing certificates, and nothing else.
        Certify = "certify",
        /// Encrypting and decrypting.
        Encrypt = "encrypt",
        /// Key agreement.
        Agree = "agree",
        /// Message authentication codes.
        Mac = "mac",
        /// Wrapping the bytes of other keys.
        Wrap = "wrap",
    }
}

crate::words! {
    /// Where a private key lives.
    pub enum Protection {
        /// In the token.
        Token = "token",
        /// Wrapped under a key of the token, opened in the enclave's memory.
        Enclave = "enclave",
    }
}

crate::words! {
    /// Where a private key comes from.
    pub enum Origin {
        /// Made here.
        Generated = "generated",
        /// Brought from elsewhere.
        Imported = "imported",
        /// Brought back from a backup: made here or elsewhere, only the backup says which.
        Restored = "restored",
    }
}

impl Origin {
    /// Of a key that comes back from a backup. Whoever can put the backup's key together could have written it: it proves
    /// of no key that it was generated.
    pub fn after_restore(self) -> Self {
        match self {
            Self::Generated | Self::Restored => Self::Restored,
            Self::Imported => Self::Imported,
        }
    }
}

crate::words! {
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

crate::words! {
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
    /// When the service rotates it.
    pub rotation: Option<Rotation>,
    /// When the next scheduled rotation is due, nanoseconds since the Unix epoch.
    pub next_rotation: Option<i64>,
    /// How long the last primary version still signs after a rotation; `None`: until someone deactivates it.
    pub overlap: Option<Duration>,
    /// Next versions that are made ahead of time.
    pub pool_size: u32,
}

/// When a key is rotated by the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// So long after the last rotation.
    Every(Duration),
    /// Five fields of cron, in UTC.
    Cron(String),
}

/// One key pair of a key, or one secret key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyVersion {
    /// Its name.
    pub name: KeyVersionName,
    /// Where it is in its life.
    pub state: KeyState,
    /// SubjectPublicKeyInfo, DER; empty for a secret key.
    pub public_key: Vec<u8>,
    /// Nanoseconds since the Unix epoch.
    pub create_time: i64,
    /// The certificate bound to it, DER.
    pub certificate: Option<Vec<u8>>,
    /// Where it comes from.
    pub origin: Origin,
    /// When it becomes ACTIVE by itself. Times are nanoseconds since the Unix epoch.
    pub activate_time: Option<i64>,
    /// When it stops signing by itself.
    pub expire_time: Option<i64>,
    /// When it is to be destroyed.
    pub destroy_time: Option<i64>,
    /// When it was destroyed.
    pub destroyed_time: Option<i64>,
    /// When it was marked as compromised.
    pub compromised_time: Option<i64>,
    /// It waits in the key's pool.
    pub pooled: bool,
    /// The key-encryption key's generation when an ENCLAVE version was destroyed; 0: none.
    pub destroyed_under_kek: u64,
    /// The backup that it, or its lost key, was restored from.
    pub restored_from: Option<String>,
}

impl KeyVersion {
    /// A version that was just made.
    pub fn new(name: KeyVersionName, state: KeyState, public_key: Vec<u8>, create_time: i64) -> Self {
        Self {
            name,
            state,
            public_key,
            create_time,
            certificate: None,
            origin: Origin::Generated,
            activate_time: None,
            expire_time: None,
            destroy_time: None,
            destroyed_time: None,
            compromised_time: None,
            pooled: false,
            destroyed_under_kek: 0,
            restored_from: None,
        }
    }

    /// Whether its private key ever was here. A restore also brings tombstones of keys that never were: nothing proves
    /// whose their public keys are.
    pub fn was_kept_here(&self) -> bool {
        let tombstone = self.state == KeyState::Destroyed && self.restored_from.is_some();
        !tombstone || self.destroyed_under_kek > 0
    }
}

/// A backup of an organization's keys that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Its name.
    pub name: BackupName,
    /// Nanoseconds since the Unix epoch.
    pub create_time: i64,
    /// Key versions in it; 0 until it is complete.
    pub versions: u64,
    /// TOKEN versions that are not in it; 0 until it is complete.
    pub token_versions: u64,
    /// How many custodians can restore it.
    pub threshold: u32,
    /// Who keeps a share: full principal names.
    pub custodians: Vec<String>,
    /// Of the file. `None`: it was not completed, or not yet; the caller has a part of it, and no seal.
    pub sha256: Option<[u8; 32]>,
}
