//! The token: probing, setting up, opening, and what the deployment signs with its own keys.

use super::KeyAlgorithm;

/// Which token, and how to log in to it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TokenAccess {
    /// Path of the PKCS#11 library.
    #[prost(string, tag = "1")]
    pub library: String,
    /// The token's label (PKCS#11 v3.0 §3.4), without its padding.
    #[prost(string, tag = "2")]
    pub label: String,
    /// Path of a file with the user PIN. The enclave reads it itself.
    #[prost(string, tag = "3")]
    pub pin_file: String,
}

/// See [`super::request::Verb::Probe`]. Reply: [`Probed`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Probe {
    /// Path of the PKCS#11 library.
    #[prost(string, tag = "1")]
    pub library: String,
}

/// See [`super::request::Verb::InitializeToken`]. Reply: [`TokenInitialized`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct InitializeToken {
    /// Library, the new token's label, and the file with the user PIN to set.
    #[prost(message, required, tag = "1")]
    pub token: TokenAccess,
    /// Path of a file with the security officer's PIN to set.
    #[prost(string, tag = "2")]
    pub so_pin_file: String,
}

/// See [`super::request::Verb::CreateDeployment`]. Reply: [`DeploymentCreated`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct CreateDeployment {
    /// The token to use.
    #[prost(message, required, tag = "1")]
    pub token: TokenAccess,
    /// The new deployment's id.
    #[prost(string, tag = "2")]
    pub deployment: String,
}

/// See [`super::request::Verb::SignDeploymentCertificate`]. Reply: [`DeploymentCertificateSigned`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct SignDeploymentCertificate {
    /// TBSCertificate, DER (RFC 5280 §4.1). Signed with ecdsa-with-SHA256.
    #[prost(bytes = "vec", tag = "1")]
    pub tbs_certificate: Vec<u8>,
}

/// See [`super::request::Verb::Open`]. Reply: [`Opened`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Open {
    /// The token to use.
    #[prost(message, required, tag = "1")]
    pub token: TokenAccess,
    /// The deployment whose objects are used.
    #[prost(string, tag = "2")]
    pub deployment: String,
    /// The log's origin line (C2SP tlog-checkpoint).
    #[prost(string, tag = "3")]
    pub origin: String,
    /// Number of session threads, at least 1.
    #[prost(uint32, tag = "4")]
    pub sessions: u32,
    /// The most enclave keys that are open at a time, at least 1.
    #[prost(uint32, tag = "6")]
    pub open_keys: u32,
    /// The log's newest checkpoint, a note that the audit key signed: the enclave signs only what extends it. Empty: it
    /// signs the first one, in the process that ran the ceremony, and else none.
    #[prost(string, tag = "7")]
    pub checkpoint: String,
}

/// See [`super::request::Verb::SignCheckpoint`]. Reply: [`CheckpointSigned`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct SignCheckpoint {
    /// Number of records in the tree.
    #[prost(uint64, tag = "1")]
    pub size: u64,
    /// The tree's root hash (RFC 6962 §2.1), 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub root: Vec<u8>,
    /// That the tree extends the one of the last checkpoint that was signed, or was given at [`Open`] (RFC 6962 §2.1.2):
    /// hashes of 32 bytes.
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub consistency: Vec<Vec<u8>>,
    /// Statements of this process that stand in the tree.
    #[prost(message, repeated, tag = "4")]
    pub statements: Vec<ShownStatement>,
}

/// A statement's record, and that it stands in a tree.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ShownStatement {
    /// The record's index.
    #[prost(uint64, tag = "1")]
    pub index: u64,
    /// The record's bytes, as stored.
    #[prost(bytes = "vec", tag = "2")]
    pub record: Vec<u8>,
    /// Audit path (RFC 6962 §2.1.1): hashes of 32 bytes.
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub path: Vec<Vec<u8>>,
}

/// See [`super::request::Verb::SignStatement`]. Reply: [`StatementSigned`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct SignStatement {}

/// Reply to [`SignStatement`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct StatementSigned {
    /// 16 bytes that name the enclave process.
    #[prost(bytes = "vec", tag = "1")]
    pub incarnation: Vec<u8>,
    /// How many operations it made.
    #[prost(uint64, tag = "2")]
    pub operations: u64,
    /// The last link of their chain, 32 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub running_hash: Vec<u8>,
    /// By the audit key over the statement's text (docs/audit-log.md §9): Ed25519, or ECDSA in DER.
    #[prost(bytes = "vec", tag = "4")]
    pub signature: Vec<u8>,
}

/// Reply to [`Probe`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Probed {
    /// `CK_INFO.libraryDescription` and version.
    #[prost(string, tag = "1")]
    pub library: String,
    /// The slots, in the library's order.
    #[prost(message, repeated, tag = "2")]
    pub slots: Vec<SlotDescription>,
}

/// A slot and its token.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SlotDescription {
    /// The slot's id.
    #[prost(uint64, tag = "1")]
    pub slot: u64,
    /// The token's data; meaningless while `initialized` is false.
    #[prost(message, required, tag = "2")]
    pub token: TokenDescription,
    /// Whether the token is initialized (CKF_TOKEN_INITIALIZED).
    #[prost(bool, tag = "3")]
    pub initialized: bool,
    /// Whether a user PIN is set (CKF_USER_PIN_INITIALIZED).
    #[prost(bool, tag = "4")]
    pub user_pin_initialized: bool,
    /// The mechanisms' names, sorted.
    #[prost(string, repeated, tag = "5")]
    pub mechanisms: Vec<String>,
}

/// What is known of a token.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TokenDescription {
    /// `CK_TOKEN_INFO.label`, trimmed.
    #[prost(string, tag = "1")]
    pub label: String,
    /// `CK_TOKEN_INFO.model`, trimmed.
    #[prost(string, tag = "2")]
    pub model: String,
    /// `CK_TOKEN_INFO.manufacturerID`, trimmed.
    #[prost(string, tag = "3")]
    pub manufacturer: String,
    /// `CK_TOKEN_INFO.serialNumber`, trimmed.
    #[prost(string, tag = "4")]
    pub serial: String,
}

/// Reply to [`InitializeToken`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct TokenInitialized {
    /// The new token.
    #[prost(message, required, tag = "1")]
    pub token: TokenDescription,
}

/// Reply to [`CreateDeployment`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct DeploymentCreated {
    /// The audit key's SubjectPublicKeyInfo, DER: Ed25519 where the token has it, else P-256.
    #[prost(bytes = "vec", tag = "1")]
    pub audit_public_key: Vec<u8>,
    /// The deployment CA's SubjectPublicKeyInfo, DER (P-256).
    #[prost(bytes = "vec", tag = "2")]
    pub ca_public_key: Vec<u8>,
    /// The token that holds them.
    #[prost(message, required, tag = "3")]
    pub token: TokenDescription,
}

/// Reply to [`SignDeploymentCertificate`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct DeploymentCertificateSigned {
    /// ECDSA-Sig-Value, DER (RFC 3279 §2.2.3).
    #[prost(bytes = "vec", tag = "1")]
    pub signature: Vec<u8>,
}

/// Reply to [`Open`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Opened {
    /// 16 random bytes that name this enclave process.
    #[prost(bytes = "vec", tag = "1")]
    pub incarnation: Vec<u8>,
    /// The audit key's SubjectPublicKeyInfo, DER.
    #[prost(bytes = "vec", tag = "2")]
    pub audit_public_key: Vec<u8>,
    /// The token.
    #[prost(message, required, tag = "3")]
    pub token: TokenDescription,
    /// The key algorithms that this token offers.
    #[prost(enumeration = "KeyAlgorithm", repeated, tag = "4")]
    pub algorithms: Vec<i32>,
    /// The key algorithms that the enclave offers; none where the token has no key-encryption mechanism.
    #[prost(enumeration = "KeyAlgorithm", repeated, tag = "5")]
    pub enclave_algorithms: Vec<i32>,
    /// `CK_INFO.libraryDescription` and version.
    #[prost(string, tag = "6")]
    pub library: String,
}

/// Reply to [`SignCheckpoint`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct CheckpointSigned {
    /// Signature over the checkpoint's note text: Ed25519, or ECDSA in DER for a P-256 audit key.
    #[prost(bytes = "vec", tag = "1")]
    pub signature: Vec<u8>,
}
