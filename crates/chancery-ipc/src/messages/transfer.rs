//! Keys on their way: import, backup, restore, and statements about their origin. All of them are ciphertext or public
//! here; the formats are those of `chancery-transfer`.

use super::{KeyAlgorithm, KeyProtection, KeyPurpose, KeyRef};

/// See [`super::request::Verb::Attest`]. Reply: [`Attested`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Attest {
    /// Which key; an enclave key with `wrapped`.
    #[prost(message, required, tag = "1")]
    pub key: KeyRef,
    /// The caller's, 0 to 64 bytes, stated as it is.
    #[prost(bytes = "vec", tag = "2")]
    pub nonce: Vec<u8>,
}

/// Reply to [`Attest`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Attested {
    /// The statement's text (`chancery_transfer::statement`).
    #[prost(string, tag = "1")]
    pub statement: String,
    /// The audit key's signature over it: Ed25519, or ECDSA in DER for a P-256 audit key.
    #[prost(bytes = "vec", tag = "2")]
    pub signature: Vec<u8>,
}

/// What a transport key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum TransportUse {
    /// Not said: an error.
    Unspecified = 0,
    /// Importing keys.
    Import = 1,
    /// Restoring a backup: custodians seal their shares to it.
    Restore = 2,
}

/// See [`super::request::Verb::CreateTransportKey`]. Reply: [`TransportKeyCreated`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct CreateTransportKey {
    /// Resource id of the organization whose keys come in.
    #[prost(string, tag = "1")]
    pub organization: String,
    /// What for.
    #[prost(enumeration = "TransportUse", tag = "2")]
    pub r#use: i32,
}

/// Reply to [`CreateTransportKey`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct TransportKeyCreated {
    /// Names it: 16 random bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub id: Vec<u8>,
    /// HPKE public key (RFC 9180 §7.1, DHKEM(P-256, HKDF-SHA256)): an uncompressed point.
    #[prost(bytes = "vec", tag = "2")]
    pub public_key: Vec<u8>,
    /// When it is forgotten, milliseconds since the Unix epoch.
    #[prost(uint64, tag = "3")]
    pub expires_unix_millis: u64,
    /// A statement about it.
    #[prost(string, tag = "4")]
    pub statement: String,
    /// The audit key's signature over the statement.
    #[prost(bytes = "vec", tag = "5")]
    pub signature: Vec<u8>,
}

/// See [`super::request::Verb::ImportKey`]. Reply: [`KeyImported`]. A token that has no way to take the key in is
/// [`super::FaultReason::Unsupported`], and then holds nothing of it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ImportKey {
    /// Id of the transport key.
    #[prost(bytes = "vec", tag = "1")]
    pub transport_key: Vec<u8>,
    /// The key, sealed (`chancery_transfer::envelope`).
    #[prost(bytes = "vec", tag = "2")]
    pub sealed: Vec<u8>,
    /// Full resource name of the key version that it becomes.
    #[prost(string, tag = "3")]
    pub version: String,
    /// What it must be.
    #[prost(enumeration = "KeyAlgorithm", tag = "4")]
    pub algorithm: i32,
    /// What for.
    #[prost(enumeration = "KeyPurpose", tag = "5")]
    pub purpose: i32,
    /// Where to.
    #[prost(enumeration = "KeyProtection", tag = "6")]
    pub protection: i32,
    /// Enclave keys: the generation to wrap it under.
    #[prost(uint64, tag = "7")]
    pub kek_generation: u64,
}

/// Reply to [`ImportKey`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyImported {
    /// The version asked for.
    #[prost(string, tag = "1")]
    pub version: String,
    /// SubjectPublicKeyInfo, DER; empty for a secret key.
    #[prost(bytes = "vec", tag = "2")]
    pub public_key: Vec<u8>,
    /// What the log must show of it.
    #[prost(message, required, tag = "5")]
    pub operation: super::Operation,
    /// Enclave keys: the wrapped key.
    #[prost(bytes = "vec", tag = "4")]
    pub wrapped: Vec<u8>,
}

/// Someone who keeps a share of a backup key.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Custodian {
    /// Full resource name of the principal.
    #[prost(string, tag = "1")]
    pub principal: String,
    /// Its registered public key: SubjectPublicKeyInfo, DER, of a P-256 key.
    #[prost(bytes = "vec", tag = "2")]
    pub public_key: Vec<u8>,
}

/// See [`super::request::Verb::BeginBackup`]. Reply: [`BackupBegun`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct BeginBackup {
    /// Full resource name of the backup: organizations/{organization}/backups/{backup}.
    #[prost(string, tag = "1")]
    pub backup: String,
    /// How many shares restore it.
    #[prost(uint32, tag = "2")]
    pub threshold: u32,
    /// Who gets a share each.
    #[prost(message, repeated, tag = "3")]
    pub custodians: Vec<Custodian>,
    /// How many records the audit log holds: stands in the header.
    #[prost(uint64, tag = "4")]
    pub log_size: u64,
}

/// Reply to [`BeginBackup`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct BackupBegun {
    /// The backup's header (`chancery_transfer::backup::Header`), encoded: threshold, commitments, sealed shares.
    #[prost(bytes = "vec", tag = "1")]
    pub header: Vec<u8>,
}

/// See [`super::request::Verb::BackUpKey`]. Reply: [`KeyBackedUp`]. Keys of one backup come one after the other;
/// a key whose reply was lost may have its entry: give the backup up.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BackUpKey {
    /// The backup's name.
    #[prost(string, tag = "1")]
    pub backup: String,
    /// An enclave key of its organization, with `wrapped`.
    #[prost(message, required, tag = "2")]
    pub key: KeyRef,
}

/// Reply to [`BackUpKey`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyBackedUp {
    /// The version.
    #[prost(string, tag = "1")]
    pub version: String,
    /// The backup's entry (`chancery_transfer::backup::Entry`), encoded.
    #[prost(bytes = "vec", tag = "2")]
    pub entry: Vec<u8>,
}

/// See [`super::request::Verb::EndBackup`]. Reply: [`BackupEnded`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct EndBackup {
    /// The backup's name.
    #[prost(string, tag = "1")]
    pub backup: String,
    /// What else the backup holds, in one SHA-256: the states of keys and versions, in the file's order.
    #[prost(bytes = "vec", tag = "2")]
    pub states_sha256: Vec<u8>,
    /// It is given up: only forget the key.
    #[prost(bool, tag = "3")]
    pub abandoned: bool,
}

/// Reply to [`EndBackup`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct BackupEnded {
    /// The backup's trailer (`chancery_transfer::backup::Trailer`), encoded: count and seal.
    #[prost(bytes = "vec", tag = "1")]
    pub trailer: Vec<u8>,
}

/// See [`super::request::Verb::BeginRestore`]. Reply: [`RestoreBegun`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct BeginRestore {
    /// Id of the transport key that the shares are sealed to.
    #[prost(bytes = "vec", tag = "1")]
    pub transport_key: Vec<u8>,
    /// The backup's header.
    #[prost(bytes = "vec", tag = "2")]
    pub header: Vec<u8>,
    /// Shares, each sealed to the transport key.
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub shares: Vec<Vec<u8>>,
}

/// Reply to [`BeginRestore`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct RestoreBegun {
    /// The backup's name, as its key confirms it.
    #[prost(string, tag = "1")]
    pub backup: String,
}

/// See [`super::request::Verb::RestoreKey`]. Reply: [`KeyRestored`]. Entries come in the file's order. Nothing
/// that was restored may come into force before [`RestoreEnded`]: the states are proven only then.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RestoreKey {
    /// The backup's name.
    #[prost(string, tag = "1")]
    pub backup: String,
    /// The backup's entry.
    #[prost(bytes = "vec", tag = "2")]
    pub entry: Vec<u8>,
    /// The key as the service registers it, without `wrapped`. Its origin: imported if the entry says so, else restored.
    #[prost(message, required, tag = "3")]
    pub key: KeyRef,
    /// The generation to wrap it under; 0: only check the entry, the key is not restored.
    #[prost(uint64, tag = "4")]
    pub kek_generation: u64,
}

/// Reply to [`RestoreKey`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyRestored {
    /// The version.
    #[prost(string, tag = "1")]
    pub version: String,
    /// The wrapped key; empty when it was only checked.
    #[prost(bytes = "vec", tag = "2")]
    pub wrapped: Vec<u8>,
}

/// See [`super::request::Verb::EndRestore`]. Reply: [`RestoreEnded`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct EndRestore {
    /// The backup's name.
    #[prost(string, tag = "1")]
    pub backup: String,
    /// The backup's trailer; empty: it is given up, only forget the key.
    #[prost(bytes = "vec", tag = "2")]
    pub trailer: Vec<u8>,
    /// As in [`EndBackup`].
    #[prost(bytes = "vec", tag = "3")]
    pub states_sha256: Vec<u8>,
}

/// Reply to [`EndRestore`]. The seal holds: nothing was left out, added or changed.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RestoreEnded {
    /// Entries, restored or only checked.
    #[prost(uint64, tag = "1")]
    pub entries: u64,
}
