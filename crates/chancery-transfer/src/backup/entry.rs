//! One entry: a key, encrypted, and what it says of itself.
//!
//! **Invariant**: an entry has one encoding, and its parts are bounded before anything is opened.

use std::fmt;

use prost::Message as _;
use zeroize::Zeroizing;

use super::BackupError;
use super::keys;

/// The longest encoding of a private or secret key, in bytes.
pub const MAX_SECRET: usize = 16 << 10;

/// The longest entry, in bytes.
pub const MAX_ENTRY: usize = 32 << 10;

/// One key, in and out of an entry.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    /// Full resource name of the key version.
    pub version: &'a str,
    /// Its algorithm, by its command-line name.
    pub algorithm: &'a str,
    /// Its purpose.
    pub purpose: &'a str,
    /// `generated`, `imported` or `restored`, where the backup was made.
    pub origin: &'a str,
    /// SHA-256 of its SubjectPublicKeyInfo; of a secret key, of no bytes at all.
    pub public_key_sha256: &'a [u8; 32],
    /// The key, as the enclave encodes it.
    pub secret: &'a [u8],
}

/// What an entry held.
pub struct OpenedEntry {
    /// What it is, as its encryption proves.
    pub head: EntryHead,
    /// The key, as the enclave encoded it.
    pub secret: Zeroizing<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RawEntry {
    #[prost(uint64, tag = "1")]
    pub(super) index: u64,
    #[prost(string, tag = "2")]
    pub(super) version: String,
    #[prost(string, tag = "3")]
    pub(super) algorithm: String,
    #[prost(string, tag = "4")]
    pub(super) purpose: String,
    #[prost(string, tag = "5")]
    pub(super) origin: String,
    #[prost(bytes = "vec", tag = "6")]
    pub(super) public_key_sha256: Vec<u8>,
    #[prost(bytes = "vec", tag = "7")]
    pub(super) ciphertext: Vec<u8>,
}

/// What an entry says of itself, for whoever cannot open it. It proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryHead {
    /// Its place, counted from 0.
    pub index: u64,
    /// Full resource name of the key version.
    pub version: String,
    /// Its algorithm, by its command-line name.
    pub algorithm: String,
    /// Its purpose.
    pub purpose: String,
    /// `generated`, `imported` or `restored`, where the backup was made.
    pub origin: String,
    /// SHA-256 of its SubjectPublicKeyInfo; of a secret key, of no bytes at all.
    pub public_key_sha256: [u8; 32],
}

impl EntryHead {
    /// Reads the head of the entry at `index`.
    pub fn decode(index: u64, entry: &[u8]) -> Result<Self, BackupError> {
        RawEntry::parse(index, entry).map(|(head, _)| head)
    }
}

impl RawEntry {
    /// The head, and the ciphertext.
    pub(super) fn parse(index: u64, bytes: &[u8]) -> Result<(EntryHead, Vec<u8>), BackupError> {
        let malformed = || BackupError::EntryForm { index };
        if bytes.len() > MAX_ENTRY {
            return Err(malformed());
        }
        let raw = Self::decode(bytes).map_err(|_| malformed())?;
        if raw.encode_to_vec() != bytes || raw.ciphertext.len() > MAX_SECRET + keys::OVERHEAD {
            return Err(malformed());
        }
        let public_key_sha256 = raw.public_key_sha256.try_into().map_err(|_| malformed())?;
        let Self { index, version, algorithm, purpose, origin, ciphertext, .. } = raw;
        Ok((EntryHead { index, version, algorithm, purpose, origin, public_key_sha256 }, ciphertext))
    }
}

impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({})", self.version)
    }
}

impl fmt::Debug for OpenedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenedEntry({}: {})", self.head.index, self.head.version)
    }
}
