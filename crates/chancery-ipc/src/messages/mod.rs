//! The verbs. Field numbers never change meaning: both binaries ship together, but a stray old one must fail cleanly.

mod fault;
mod keys;
mod token;
mod transfer;

pub use fault::*;
pub use keys::*;
pub use token::*;
pub use transfer::*;

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
    #[prost(
        oneof = "request::Verb",
        tags = "10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33"
    )]
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
        /// Make a key: in the token, or in the enclave and wrapped.
        #[prost(message, tag = "15")]
        GenerateKey(super::GenerateKey),
        /// Use a private or secret key.
        #[prost(message, tag = "16")]
        UseKey(super::UseKey),
        /// Remove a key version's objects from the token.
        #[prost(message, tag = "17")]
        DestroyKey(super::DestroyKey),
        /// Sign the log's next checkpoint.
        #[prost(message, tag = "18")]
        SignCheckpoint(super::SignCheckpoint),
        /// Forget an opened enclave key: it was suspended or ended.
        #[prost(message, tag = "19")]
        CloseKey(super::CloseKey),
        /// Make an organization's key-encryption key of a generation, unless it is there.
        #[prost(message, tag = "20")]
        EnsureKek(super::EnsureKek),
        /// Destroy an organization's key-encryption key of a generation.
        #[prost(message, tag = "21")]
        DestroyKek(super::DestroyKek),
        /// Wrap a wrapped key anew, under another generation.
        #[prost(message, tag = "22")]
        Rewrap(super::Rewrap),
        /// Random bytes: the token's mixed with the system's.
        #[prost(message, tag = "23")]
        Random(super::Random),
        /// State what is known of a key's origin, signed with the audit key.
        #[prost(message, tag = "24")]
        Attest(super::Attest),
        /// Make a short-lived key that others encrypt keys or shares to.
        #[prost(message, tag = "25")]
        CreateTransportKey(super::CreateTransportKey),
        /// Take a key in that was encrypted to a transport key.
        #[prost(message, tag = "26")]
        ImportKey(super::ImportKey),
        /// Draw a backup key and seal its shares to custodians.
        #[prost(message, tag = "27")]
        BeginBackup(super::BeginBackup),
        /// Encrypt one key under the backup key.
        #[prost(message, tag = "28")]
        BackUpKey(super::BackUpKey),
        /// Close a backup with a seal over all its entries.
        #[prost(message, tag = "29")]
        EndBackup(super::EndBackup),
        /// Put a backup key together from shares.
        #[prost(message, tag = "30")]
        BeginRestore(super::BeginRestore),
        /// Wrap one key of a backup under this deployment's key-encryption key.
        #[prost(message, tag = "31")]
        RestoreKey(super::RestoreKey),
        /// Check a backup's seal and forget its key.
        #[prost(message, tag = "32")]
        EndRestore(super::EndRestore),
        /// State which operations were made.
        #[prost(message, tag = "33")]
        SignStatement(super::SignStatement),
    }
}

/// One reply from the enclave.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Response {
    /// The id of the request.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// What came of it.
    #[prost(
        oneof = "response::Result",
        tags = "9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33"
    )]
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
        /// Of [`super::GenerateKey`].
        #[prost(message, tag = "15")]
        KeyGenerated(super::KeyGenerated),
        /// Of [`super::UseKey`].
        #[prost(message, tag = "16")]
        KeyUsed(super::KeyUsed),
        /// Of [`super::DestroyKey`].
        #[prost(message, tag = "17")]
        KeyDestroyed(super::KeyDestroyed),
        /// Of [`super::SignCheckpoint`].
        #[prost(message, tag = "18")]
        CheckpointSigned(super::CheckpointSigned),
        /// Of [`super::CloseKey`].
        #[prost(message, tag = "19")]
        KeyClosed(super::KeyClosed),
        /// Of [`super::EnsureKek`].
        #[prost(message, tag = "20")]
        KekReady(super::KekReady),
        /// Of [`super::DestroyKek`].
        #[prost(message, tag = "21")]
        KekDestroyed(super::KekDestroyed),
        /// Of [`super::Rewrap`].
        #[prost(message, tag = "22")]
        Rewrapped(super::Rewrapped),
        /// Of [`super::Random`].
        #[prost(message, tag = "23")]
        RandomDrawn(super::RandomDrawn),
        /// Of [`super::Attest`].
        #[prost(message, tag = "24")]
        Attested(super::Attested),
        /// Of [`super::CreateTransportKey`].
        #[prost(message, tag = "25")]
        TransportKeyCreated(super::TransportKeyCreated),
        /// Of [`super::ImportKey`].
        #[prost(message, tag = "26")]
        KeyImported(super::KeyImported),
        /// Of [`super::BeginBackup`].
        #[prost(message, tag = "27")]
        BackupBegun(super::BackupBegun),
        /// Of [`super::BackUpKey`].
        #[prost(message, tag = "28")]
        KeyBackedUp(super::KeyBackedUp),
        /// Of [`super::EndBackup`].
        #[prost(message, tag = "29")]
        BackupEnded(super::BackupEnded),
        /// Of [`super::BeginRestore`].
        #[prost(message, tag = "30")]
        RestoreBegun(super::RestoreBegun),
        /// Of [`super::RestoreKey`].
        #[prost(message, tag = "31")]
        KeyRestored(super::KeyRestored),
        /// Of [`super::EndRestore`].
        #[prost(message, tag = "32")]
        RestoreEnded(super::RestoreEnded),
        /// Of [`super::SignStatement`].
        #[prost(message, tag = "33")]
        StatementSigned(super::StatementSigned),
    }
}
