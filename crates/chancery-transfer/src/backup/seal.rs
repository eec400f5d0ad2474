//! Making and opening a backup, entry by entry.
//!
//! **Invariant**: [`Sealer`] and [`Opener`] count entries themselves, so an entry that is left out, doubled or moved does
//! not open, and a missing last one spoils the seal.

use std::fmt;

use prost::Message as _;

use super::entry::{Entry, EntryHead, MAX_ENTRY, MAX_SECRET, OpenedEntry, RawEntry};
use super::header::RawSealedHeader;
use super::keys::{Keys, Place, Sealed};
use super::{BackupError, Custodian, Header};
use crate::envelope::{self, Context, PublicKey};
use crate::fields::RunningHash;
use crate::shares::{self, Secret, Share, SharesError};

/// The longest trailer, in bytes.
pub const MAX_TRAILER: usize = 1 << 10;

/// What a backup is begun with.
#[derive(Clone, Copy, Debug)]
pub struct Backup<'a> {
    /// The deployment's id.
    pub deployment: &'a str,
    /// Resource id of the organization.
    pub organization: &'a str,
    /// Full resource name of the backup.
    pub backup: &'a str,
    /// Now, milliseconds since the Unix epoch.
    pub time_unix_millis: u64,
    /// How many records the audit log holds.
    pub log_size: u64,
    /// How many shares restore it.
    pub threshold: usize,
    /// Who gets a share each: full resource name, and SubjectPublicKeyInfo, DER, of a P-256 key.
    pub custodians: &'a [(&'a str, &'a [u8])],
}

#[derive(Clone, PartialEq, prost::Message)]
struct RawTrailer {
    #[prost(uint64, tag = "1")]
    entries: u64,
    #[prost(bytes = "vec", tag = "2")]
    states_sha256: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    seal: Vec<u8>,
}

/// A trailer as it reads; [`Opener::finish`] says whether it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// How many entries there are.
    pub entries: u64,
    /// SHA-256 over the states, each after its length.
    pub states_sha256: [u8; 32],
    seal: Vec<u8>,
}

impl Trailer {
    /// Reads a trailer. It proves nothing yet.
    pub fn decode(bytes: &[u8]) -> Result<Self, BackupError> {
        if bytes.len() > MAX_TRAILER {
            return Err(BackupError::TrailerForm);
        }
        let raw = RawTrailer::decode(bytes).map_err(|_| BackupError::TrailerForm)?;
        if raw.encode_to_vec() != bytes {
            return Err(BackupError::TrailerForm);
        }
        let states_sha256 = raw.states_sha256.try_into().map_err(|_| BackupError::TrailerForm)?;
        Ok(Self { entries: raw.entries, states_sha256, seal: raw.seal })
    }
}

/// Draws a backup's secret, cuts it into shares, seals each to its custodian: the header's bytes, and what seals entries.
///
/// # Panics
/// If the system has no randomness.
pub fn begin(backup: &Backup<'_>) -> Result<(Vec<u8>, Sealer), BackupError> {
    let secret = Secret::generate();
    let (shares, commitments) = shares::split(&secret, backup.threshold, backup.custodians.len())?;
    let custodians = backup.custodians.iter().zip(&shares).map(|((principal, public_key), share)| {
        let Backup { deployment, backup, .. } = *backup;
        let context = Context::Custody { deployment, backup, custodian: principal };
        let sealed_share = envelope::seal(&PublicKey::from_spki(public_key)?, &context, &share.to_bytes()[..])?;
        Ok(Custodian { principal: (*principal).to_owned(), public_key: public_key.to_vec(), sealed_share })
    });
    let header = Header {
        deployment: backup.deployment.to_owned(),
        organization: backup.organization.to_owned(),
        backup: backup.backup.to_owned(),
        time_unix_millis: backup.time_unix_millis,
        log_size: backup.log_size,
        custodians: custodians.collect::<Result<_, BackupError>>()?,
        commitments,
    };
    let body = header.encode_body()?;
    let keys = Keys::derive(&secret, &body);
    let sealed = RawSealedHeader { body, seal: keys.header_seal().to_vec() };
    Ok((sealed.encode_to_vec(), Sealer { keys, entries: 0, hash: RunningHash::default() }))
}

/// Encrypts the keys of one backup, one after the other.
pub struct Sealer {
    keys: Keys,
    entries: u64,
    hash: RunningHash,
}

impl Sealer {
    /// The next entry's bytes.
    pub fn seal(&mut self, entry: &Entry<'_>) -> Result<Vec<u8>, BackupError> {
        if entry.secret.len() > MAX_SECRET {
            return Err(BackupError::TooLong { length: entry.secret.len() });
        }
        let Entry { version, algorithm, purpose, origin, .. } = *entry;
        let public_key_sha256 = entry.public_key_sha256.as_slice();
        let place = Place { index: self.entries, version, algorithm, purpose, origin, public_key_sha256 };
        let malformed = BackupError::EntryForm { index: self.entries };
        let raw = RawEntry {
            index: self.entries,
            version: version.to_owned(),
            algorithm: algorithm.to_owned(),
            purpose: purpose.to_owned(),
            origin: origin.to_owned(),
            public_key_sha256: public_key_sha256.to_vec(),
            ciphertext: self.keys.encrypt(&place, entry.secret).ok_or(malformed.clone())?,
        };
        let bytes = raw.encode_to_vec();
        if bytes.len() > MAX_ENTRY {
            return Err(malformed);
        }
        self.hash.add(&bytes);
        self.entries += 1;
        Ok(bytes)
    }

    /// The trailer's bytes: the backup is complete.
    pub fn finish(&self, states_sha256: &[u8; 32]) -> Vec<u8> {
        let sealed =
            Sealed { entries: self.entries, entries_sha256: self.hash.clone().finish(), states_sha256: *states_sha256 };
        let seal = self.keys.seal(&sealed).to_vec();
        RawTrailer { entries: self.entries, states_sha256: states_sha256.to_vec(), seal }.encode_to_vec()
    }
}

/// Decrypts the entries of one backup, in their order.
pub struct Opener {
    keys: Keys,
    entries: u64,
    hash: RunningHash,
}

impl Opener {
    /// Puts the backup's secret together, and proves with it that the header is the one that was made.
    ///
    /// Too few shares are [`SharesError::TooFew`]; a wrong one is [`BackupError::WrongShare`] and names its custodian.
    pub fn open(header: &[u8], shares: &[Share]) -> Result<(Header, Self), BackupError> {
        let (parsed, sealed) = Header::decode_sealed(header)?;
        let custodian = |number: u8| match parsed.custodians.get(usize::from(number) - 1) {
            Some(custodian) => Ok(custodian.principal.clone()),
            None => Err(BackupError::NoSuchCustodian { number }),
        };
        for share in shares {
            custodian(share.number())?;
        }
        let secret = match shares::combine(&parsed.commitments, shares) {
            Ok(secret) => secret,
            Err(SharesError::Wrong { number }) => {
                return Err(BackupError::WrongShare { custodian: custodian(number)? });
            }
            Err(SharesError::Twice { number }) => {
                return Err(BackupError::ShareTwice { custodian: custodian(number)? });
            }
            Err(other) => return Err(other.into()),
        };
        let keys = Keys::derive(&secret, &sealed.body);
        if !keys.header_seal_holds(&sealed.seal) {
            return Err(BackupError::HeaderSeal);
        }
        Ok((parsed, Self { keys, entries: 0, hash: RunningHash::default() }))
    }

    /// Opens the next entry. After an error the same place may be tried again.
    pub fn entry(&mut self, bytes: &[u8]) -> Result<OpenedEntry, BackupError> {
        let index = self.entries;
        let (head, ciphertext) = RawEntry::parse(index, bytes)?;
        let EntryHead { version, algorithm, purpose, origin, public_key_sha256, .. } = &head;
        let place = Place { index, version, algorithm, purpose, origin, public_key_sha256 };
        let secret = self.keys.decrypt(&place, &ciphertext).filter(|_| head.index == index);
        let secret = secret.ok_or(BackupError::Entry { index })?;
        self.hash.add(bytes);
        self.entries += 1;
        Ok(OpenedEntry { head, secret })
    }

    /// Whether the seal holds over everything that was opened and over the states: how many entries there were.
    pub fn finish(&self, trailer: &[u8], states_sha256: &[u8; 32]) -> Result<u64, BackupError> {
        let trailer = Trailer::decode(trailer)?;
        let sealed =
            Sealed { entries: self.entries, entries_sha256: self.hash.clone().finish(), states_sha256: *states_sha256 };
        let holds = self.keys.seal_holds(&sealed, &trailer.seal);
        if holds && trailer.entries == self.entries && trailer.states_sha256 == *states_sha256 {
            Ok(self.entries)
        } else {
            Err(BackupError::Seal)
        }
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({} entries)", self.entries)
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opener({} entries)", self.entries)
    }
}
