//! A backup's header: whose it is, who keeps shares of its key, and what every share is verified against.
//!
//! **Invariant**: a [`Header`] has a threshold that its custodians can reach, one commitment for each needed share, and
//! custodians that differ in name and key.

use std::collections::HashSet;

use prost::Message as _;

use super::BackupError;
use crate::envelope::PublicKey;
use crate::shares::{Commitments, MAX_SHARES};

/// The longest header, in bytes.
pub const MAX_HEADER: usize = 64 << 10;

/// The longest name or id, in bytes.
const MAX_NAME: usize = 512;

/// The first field of every header.
pub(super) const FORMAT: &str = "chancery-backup/v1";

/// As it stands in the file: a body, and a seal that only the backup's secret can make.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RawSealedHeader {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) body: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) seal: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RawHeader {
    #[prost(string, tag = "1")]
    format: String,
    #[prost(string, tag = "2")]
    deployment: String,
    #[prost(string, tag = "3")]
    organization: String,
    #[prost(string, tag = "4")]
    backup: String,
    #[prost(uint64, tag = "5")]
    time_unix_millis: u64,
    #[prost(uint64, tag = "6")]
    log_size: u64,
    #[prost(uint32, tag = "7")]
    threshold: u32,
    #[prost(message, repeated, tag = "8")]
    custodians: Vec<RawCustodian>,
    #[prost(bytes = "vec", repeated, tag = "9")]
    commitments: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RawCustodian {
    #[prost(string, tag = "1")]
    principal: String,
    #[prost(bytes = "vec", tag = "2")]
    public_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    sealed_share: Vec<u8>,
}

/// A backup's header. What it says is proven only when its shares open it: see [`super::Opener::open`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The deployment that made the backup.
    pub deployment: String,
    /// Resource id of the organization whose keys it holds.
    pub organization: String,
    /// Full resource name of the backup.
    pub backup: String,
    /// When it was begun, milliseconds since the Unix epoch.
    pub time_unix_millis: u64,
    /// How many records the audit log held then.
    pub log_size: u64,
    /// Who keeps a share, in the shares' order.
    pub custodians: Vec<Custodian>,
    /// What shares are verified against; there are as many as restore the backup.
    pub commitments: Commitments,
}

/// Who keeps a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Custodian {
    /// Full resource name of the principal.
    pub principal: String,
    /// SubjectPublicKeyInfo, DER, of the P-256 key that the share is sealed to.
    pub public_key: Vec<u8>,
    /// The share, sealed.
    pub sealed_share: Vec<u8>,
}

impl Header {
    /// Reads the header of a file. It proves nothing yet.
    pub fn decode(bytes: &[u8]) -> Result<Self, BackupError> {
        Self::decode_sealed(bytes).map(|(header, _)| header)
    }

    /// How many shares restore the backup.
    pub fn threshold(&self) -> usize {
        self.commitments.threshold()
    }

    pub(super) fn decode_sealed(bytes: &[u8]) -> Result<(Self, RawSealedHeader), BackupError> {
        if bytes.len() > MAX_HEADER {
            return Err(BackupError::Header("it is longer than 64 KiB"));
        }
        let malformed = |_| BackupError::Header("it is malformed");
        let sealed = RawSealedHeader::decode(bytes).map_err(malformed)?;
        if sealed.encode_to_vec() != bytes {
            return Err(BackupError::Header("it is not in its one form"));
        }
        let raw = RawHeader::decode(sealed.body.as_slice()).map_err(malformed)?;
        if raw.format != FORMAT {
            return Err(BackupError::Header("it is of a format that this program does not know"));
        }
        let points = raw.commitments.iter().map(Vec::as_slice);
        let commitments = Commitments::from_bytes(points)?;
        if commitments.threshold() != raw.threshold as usize {
            return Err(BackupError::Header("it has not one commitment for each needed share"));
        }
        let custodian = |raw: RawCustodian| Custodian {
            principal: raw.principal,
            public_key: raw.public_key,
            sealed_share: raw.sealed_share,
        };
        let header = Self {
            deployment: raw.deployment,
            organization: raw.organization,
            backup: raw.backup,
            time_unix_millis: raw.time_unix_millis,
            log_size: raw.log_size,
            custodians: raw.custodians.into_iter().map(custodian).collect(),
            commitments,
        };
        header.check()?;
        Ok((header, sealed))
    }

    pub(super) fn encode_body(&self) -> Result<Vec<u8>, BackupError> {
        self.check()?;
        let raw = RawHeader {
            format: FORMAT.to_owned(),
            deployment: self.deployment.clone(),
            organization: self.organization.clone(),
            backup: self.backup.clone(),
            time_unix_millis: self.time_unix_millis,
            log_size: self.log_size,
            threshold: self.threshold() as u32,
            custodians: self.custodians.iter().map(Custodian::to_raw).collect(),
            commitments: self.commitments.to_bytes().iter().map(|point| point.to_vec()).collect(),
        };
        Ok(raw.encode_to_vec())
    }

    fn check(&self) -> Result<(), BackupError> {
        let named = [&self.deployment, &self.organization, &self.backup]
            .into_iter()
            .chain(self.custodians.iter().map(|custodian| &custodian.principal));
        if named.into_iter().any(|name| name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control))
        {
            return Err(BackupError::Header("a name in it is empty, too long or holds control characters"));
        }
        if self.custodians.len() > MAX_SHARES || self.custodians.len() < self.threshold() {
            return Err(BackupError::Header("its custodians are too many, or fewer than the shares that restore it"));
        }
        let names: HashSet<_> = self.custodians.iter().map(|custodian| &custodian.principal).collect();
        let mut keys = HashSet::new();
        for custodian in &self.custodians {
            keys.insert(PublicKey::from_spki(&custodian.public_key)?.to_bytes());
        }
        if names.len() != self.custodians.len() || keys.len() != self.custodians.len() {
            return Err(BackupError::Header("two custodians have the same name or the same key"));
        }
        Ok(())
    }
}

impl Custodian {
    fn to_raw(&self) -> RawCustodian {
        RawCustodian {
            principal: self.principal.clone(),
            public_key: self.public_key.clone(),
            sealed_share: self.sealed_share.clone(),
        }
    }
}
