//! The verbs. Field numbers never change meaning: both binaries ship together, but a stray old one must fail cleanly.

use std::fmt;

/// One request to the enclave.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Request {
    /// Repeated in the reply. Unique among requests in flight.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// Work not begun by then (milliseconds since the Unix epoch) is dropped; 0: none.
    #[prost(uint64, tag = "2")]
    pub deadline_unix_millis: u64,
    /// What to do.
    #[prost(oneof = "request::Verb", tags = "10, 11, 12, 13, 14, 15, 16, 17, 18")]
    pub verb: Option<request::Verb>,
}

/// Verbs of a [`Request`].
pub mod request {
    /// What the enclave is asked to do.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Verb {
        /// Load a library and describe it. No login.
        #[prost(message, tag = "10")]
        Probe(super::Probe),
        /// Initialize a free slot as a new token (development set-up).
        #[prost(message, tag = "11")]
        InitializeToken(super::InitializeToken),
        /// The ceremony: make the system keys of a new deployment.
        #[prost(message, tag = "12")]
        CreateDeployment(super::CreateDeployment),
        /// Sign a certificate of the deployment's own CA; only in the process that ran the ceremony.
        #[prost(message, tag = "13")]
        SignDeploymentCertificate(super::SignDeploymentCertificate),
        /// Open the token of an existing deployment and start the session threads.
        #[prost(message, tag = "14")]
        Open(super::Open),
        /// Make a key pair in the token.
        #[prost(message, tag = "15")]
        GenerateKeyPair(super::GenerateKeyPair),
        /// Use a private key.
        #[prost(message, tag = "16")]
        Sign(super::Sign),
        /// Remove a key pair from the token.
        #[prost(message, tag = "17")]
        DestroyKeyPair(super::DestroyKeyPair),
        /// Sign the log's next checkpoint.
        #[prost(message, tag = "18")]
        SignCheckpoint(super::SignCheckpoint),
    }
}

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

/// See [`request::Verb::Probe`]. Reply: [`Probed`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Probe {
    /// Path of the PKCS#11 library.
    #[prost(string, tag = "1")]
    pub library: String,
}

/// See [`request::Verb::InitializeToken`]. Reply: [`TokenInitialized`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct InitializeToken {
    /// Library, the new token's label, and the file with the user PIN to set.
    #[prost(message, required, tag = "1")]
    pub token: TokenAccess,
    /// Path of a file with the security officer's PIN to set.
    #[prost(string, tag = "2")]
    pub so_pin_file: String,
}

/// See [`request::Verb::CreateDeployment`]. Reply: [`DeploymentCreated`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct CreateDeployment {
    /// The token to use.
    #[prost(message, required, tag = "1")]
    pub token: TokenAccess,
    /// The new deployment's id.
    #[prost(string, tag = "2")]
    pub deployment: String,
}

/// See [`request::Verb::SignDeploymentCertificate`]. Reply: [`DeploymentCertificateSigned`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct SignDeploymentCertificate {
    /// TBSCertificate, DER (RFC 5280 §4.1). Signed with ecdsa-with-SHA256.
    #[prost(bytes = "vec", tag = "1")]
    pub tbs_certificate: Vec<u8>,
}

/// See [`request::Verb::Open`]. Reply: [`Opened`].
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
    /// Size of the last checkpoint that stands on disk: the enclave signs none below it.
    #[prost(uint64, tag = "5")]
    pub checkpoint_size: u64,
}

/// See [`request::Verb::GenerateKeyPair`]. Reply: [`KeyPairGenerated`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct GenerateKeyPair {
    /// Full resource name of the key version.
    #[prost(string, tag = "1")]
    pub version: String,
    /// What to make.
    #[prost(enumeration = "KeyAlgorithm", tag = "2")]
    pub algorithm: i32,
}

/// See [`request::Verb::Sign`]. Reply: [`Signed`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Sign {
    /// Full resource name of the key version.
    #[prost(string, tag = "1")]
    pub version: String,
    /// SHA-256 of the version's SubjectPublicKeyInfo: the token's object must match it.
    #[prost(bytes = "vec", tag = "2")]
    pub public_key_sha256: Vec<u8>,
    /// How to sign.
    #[prost(enumeration = "Mechanism", tag = "3")]
    pub mechanism: i32,
    /// What the mechanism takes: see [`Mechanism`].
    #[prost(bytes = "vec", tag = "4")]
    pub input: Vec<u8>,
}

/// See [`request::Verb::DestroyKeyPair`]. Reply: [`KeyPairDestroyed`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct DestroyKeyPair {
    /// Full resource name of the key version.
    #[prost(string, tag = "1")]
    pub version: String,
}

/// See [`request::Verb::SignCheckpoint`]. Reply: [`CheckpointSigned`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct SignCheckpoint {
    /// Number of records in the tree.
    #[prost(uint64, tag = "1")]
    pub size: u64,
    /// The tree's root hash (RFC 6962 §2.1), 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub root: Vec<u8>,
}

/// Key pairs that the enclave can make in a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum KeyAlgorithm {
    /// No algorithm: an error.
    Unspecified = 0,
    /// NIST P-256.
    EcP256 = 1,
    /// NIST P-384.
    EcP384 = 2,
    /// NIST P-521.
    EcP521 = 3,
    /// SEC 2 secp256k1.
    EcSecp256k1 = 4,
    /// Ed25519 (RFC 8032).
    Ed25519 = 5,
    /// RSA, modulus of 2048 bits, public exponent 65537.
    Rsa2048 = 6,
    /// RSA, modulus of 3072 bits.
    Rsa3072 = 7,
    /// RSA, modulus of 4096 bits.
    Rsa4096 = 8,
}

/// How a private key is used, and what the input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Mechanism {
    /// No mechanism: an error.
    Unspecified = 0,
    /// Input: a digest of 1 to 66 bytes. Output: r ‖ s, each of the field's width (PKCS#11 CKM_ECDSA).
    Ecdsa = 1,
    /// Input: the message. Output: 64 bytes (CKM_EDDSA, RFC 8032 §5.1).
    Eddsa = 2,
    /// Input: a DER DigestInfo (RFC 8017 §9.2). Output: modulus length (CKM_RSA_PKCS).
    RsaPkcs1 = 3,
    /// Input: a SHA-256 digest; salt of 32 bytes, MGF1 with SHA-256 (CKM_RSA_PKCS_PSS).
    RsaPssSha256 = 4,
    /// Input: a SHA-384 digest; salt of 48 bytes, MGF1 with SHA-384.
    RsaPssSha384 = 5,
    /// Input: a SHA-512 digest; salt of 64 bytes, MGF1 with SHA-512.
    RsaPssSha512 = 6,
}

/// One reply from the enclave.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Response {
    /// The id of the request.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// What came of it.
    #[prost(oneof = "response::Result", tags = "9, 10, 11, 12, 13, 14, 15, 16, 17, 18")]
    pub result: Option<response::Result>,
}

/// Results of a [`Response`].
pub mod response {
    /// What came of a request.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Result {
        /// It failed.
        #[prost(message, tag = "9")]
        Fault(super::Fault),
        /// Of [`super::Probe`].
        #[prost(message, tag = "10")]
        Probed(super::Probed),
        /// Of [`super::InitializeToken`].
        #[prost(message, tag = "11")]
        TokenInitialized(super::TokenInitialized),
        /// Of [`super::CreateDeployment`].
        #[prost(message, tag = "12")]
        DeploymentCreated(super::DeploymentCreated),
        /// Of [`super::SignDeploymentCertificate`].
        #[prost(message, tag = "13")]
        DeploymentCertificateSigned(super::DeploymentCertificateSigned),
        /// Of [`super::Open`].
        #[prost(message, tag = "14")]
        Opened(super::Opened),
        /// Of [`super::GenerateKeyPair`].
        #[prost(message, tag = "15")]
        KeyPairGenerated(super::KeyPairGenerated),
        /// Of [`super::Sign`].
        #[prost(message, tag = "16")]
        Signed(super::Signed),
        /// Of [`super::DestroyKeyPair`].
        #[prost(message, tag = "17")]
        KeyPairDestroyed(super::KeyPairDestroyed),
        /// Of [`super::SignCheckpoint`].
        #[prost(message, tag = "18")]
        CheckpointSigned(super::CheckpointSigned),
    }
}

/// Why a request failed, and whether anything was done.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Fault {
    /// What is wrong, for programs.
    #[prost(enumeration = "FaultReason", tag = "1")]
    pub reason: i32,
    /// What is wrong and what to do, for people. Holds no secret.
    #[prost(string, tag = "2")]
    pub message: String,
    /// The token may have done it (the fault came from the operation itself).
    #[prost(bool, tag = "3")]
    pub maybe_performed: bool,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum FaultReason {
    /// Not said: a defect of the enclave.
    Unspecified = 0,
    /// The request itself is malformed or came at the wrong time: a defect of chanceryd.
    BadRequest = 1,
    /// The library can't be loaded or initialized.
    LibraryUnusable = 2,
    /// No token has that label, or more than one has.
    TokenNotFound = 3,
    /// The token isn't initialized, or has no user PIN yet.
    TokenUninitialized = 4,
    /// A token with that label exists already, or no free slot is left.
    TokenExists = 5,
    /// The PIN file can't be read, is empty, or others may read it.
    PinUnreadable = 6,
    /// The token refused the PIN. Never tried again by itself: tokens lock.
    LoginFailed = 7,
    /// The token holds a deployment already.
    DeploymentExists = 8,
    /// The token doesn't hold this deployment's system keys.
    DeploymentMissing = 9,
    /// No object of that key version is in the token.
    KeyNotFound = 10,
    /// An object of that key version exists already.
    KeyExists = 11,
    /// The object in the token isn't the key that the service registered.
    KeyMismatch = 12,
    /// The token lacks the mechanism.
    Unsupported = 13,
    /// The deadline had passed before work began.
    Expired = 14,
    /// The token or its library failed.
    TokenFault = 15,
    /// A checkpoint below the last one was asked for.
    CheckpointRefused = 16,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
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
}

/// Reply to [`GenerateKeyPair`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyPairGenerated {
    /// The version asked for.
    #[prost(string, tag = "1")]
    pub version: String,
    /// SubjectPublicKeyInfo, DER.
    #[prost(bytes = "vec", tag = "2")]
    pub public_key: Vec<u8>,
    /// Count of private-key operations of this incarnation, this one included.
    #[prost(uint64, tag = "3")]
    pub operation: u64,
}

/// Reply to [`Sign`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Signed {
    /// The version asked for.
    #[prost(string, tag = "1")]
    pub version: String,
    /// SHA-256 of the input that was signed.
    #[prost(bytes = "vec", tag = "2")]
    pub input_sha256: Vec<u8>,
    /// What the mechanism gave: see [`Mechanism`].
    #[prost(bytes = "vec", tag = "3")]
    pub signature: Vec<u8>,
    /// Count of private-key operations of this incarnation, this one included.
    #[prost(uint64, tag = "4")]
    pub operation: u64,
    /// The first signature on a new session or object handle: worth a check.
    #[prost(bool, tag = "5")]
    pub first_on_handle: bool,
}

/// Reply to [`DestroyKeyPair`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyPairDestroyed {
    /// Objects removed: 0 when none was there.
    #[prost(uint32, tag = "1")]
    pub objects: u32,
}

/// Reply to [`SignCheckpoint`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct CheckpointSigned {
    /// Signature over the checkpoint's note text: Ed25519, or ECDSA in DER for a P-256 audit key.
    #[prost(bytes = "vec", tag = "1")]
    pub signature: Vec<u8>,
}
