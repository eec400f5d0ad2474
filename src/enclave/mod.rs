//! The service's side of chancery-enclave: the process, its supervision, and the only way to use a private key.
//!
//! **Invariants**: [`Enclave::sign`] takes a [`Grant`] and rechecks it; there is no other way to a signature with an
//! organization's key. A reply that names another version or input than the request did is a fault, not a signature. A
//! signature that fails its check is dropped here and written nowhere.
//!
//! **Not here**: PKCS#11 (chancery-enclave), recording (`audit`).

mod connection;
mod login;
mod quarantine;
mod supervisor;

pub use connection::{CallError, EnclaveProcess, SpawnError, default_program};
pub use login::{LoginMarker, LoginRefused};
pub use supervisor::{Enclave, EnclaveOptions, OpenedToken, Unavailable};

use crate::{
    access::{Access, Grant, require_active},
    crypto::{Input, sha256},
    directory::Version,
    error::{Error, Performed as Done},
    model::{Algorithm, Check},
};
use chancery_api::reasons;
use chancery_ipc::{self as ipc, FaultReason, KeyAlgorithm, request::Verb, response::Result as Reply};
use std::sync::Arc;

/// A use of a private key that was made, and is not yet checked.
#[must_use]
pub struct Performed {
    grant: Grant,
    version: Arc<Version>,
    input: Input,
    signature: Vec<u8>,
    witness: Witness,
    first_on_handle: bool,
}

/// A signature that was checked as its key demands, and is not yet recorded.
#[must_use]
pub struct Checked(CheckedSignature);

/// What is recorded of a [`Checked`] signature. Only [`Checked::into_parts`] makes one that matters: nothing takes it
/// back.
pub(crate) struct CheckedSignature {
    pub(crate) grant: Grant,
    pub(crate) version: Arc<Version>,
    pub(crate) input: Input,
    /// r ‖ s for ECDSA, the algorithm's own form otherwise.
    pub(crate) signature: Vec<u8>,
    pub(crate) witness: Witness,
    pub(crate) verified: bool,
}

impl Checked {
    /// For recording.
    pub(crate) fn into_parts(self) -> CheckedSignature {
        self.0
    }
}

/// A use of a private key that failed: the grant comes back, so that the failure can be recorded.
#[must_use]
pub struct Failed {
    /// What was permitted.
    pub grant: Grant,
    /// What the caller is told.
    pub error: Error,
}

/// The enclave's own count of what it did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Witness {
    /// 16 bytes that name the enclave process.
    pub incarnation: Vec<u8>,
    /// Private-key operations of that process, this one included.
    pub operation: u64,
}

/// A key pair that was made in the token.
#[must_use]
pub struct Generated {
    /// SubjectPublicKeyInfo, DER.
    pub public_key: Vec<u8>,
    /// The enclave's count.
    pub witness: Witness,
}

/// One signature in so many is verified where a key's `check` is sampled.
const SAMPLE: u64 = 64;

impl Performed {
    /// Verifies the signature as the key's `check` says.
    ///
    /// # Errors
    /// `SIGNATURE_CHECK_FAILED`: the token is faulty. The signature is gone: a faulty deterministic signature can reveal
    /// the key.
    pub fn check(self) -> Result<Checked, Box<Failed>> {
        let wanted = match self.grant.key().map(|entry| entry.key.check) {
            Ok(Check::Never) => false,
            Ok(Check::Sampled) => self.first_on_handle || self.witness.operation.is_multiple_of(SAMPLE),
            Ok(Check::Always) | Err(_) => true,
        };
        if wanted && !self.version.public_key.verify(&self.input, &self.signature) {
            let message = format!(
                "the token's signature does not verify under the public key of {}; it was discarded. Check the token, \
                 and suspend the key if this happens again",
                self.version.row.name
            );
            tracing::error!(key_version = %self.version.row.name, "a signature failed its check");
            let error = Error::Internal { reason: reasons::SIGNATURE_CHECK_FAILED, message, performed: Done::Unknown };
            return Err(Box::new(Failed { grant: self.grant, error }));
        }
        let Self { grant, version, input, signature, witness, .. } = self;
        Ok(Checked(CheckedSignature { grant, version, input, signature, witness, verified: wanted }))
    }
}

impl Enclave {
    /// Signs. Identity, policy and the version's state are rechecked first.
    ///
    /// # Errors
    /// [`Failed`] with the grant, to be recorded.
    pub async fn sign(
        &self,
        access: &Access,
        grant: Grant,
        input: Input,
        request_id: &str,
    ) -> Result<Performed, Box<Failed>> {
        let version = match grant.version().and_then(|version| require_active(version).map(|()| Arc::clone(version))) {
            Ok(version) => version,
            Err(error) => return Err(Box::new(Failed { grant, error })),
        };
        if let Err(error) = access.recheck(&grant, Some(&version.row.name)) {
            return Err(Box::new(Failed { grant, error }));
        }
        // Ids are their principals' own: one must not quarantine another's.
        let request_id = format!("{} {request_id}", grant.caller().principal().name);
        match self.sign_unchecked(&version, &input, &request_id).await {
            Ok((signed, incarnation)) => Ok(Performed {
                grant,
                version,
                input,
                signature: signed.signature,
                witness: Witness { incarnation, operation: signed.operation },
                first_on_handle: signed.first_on_handle,
            }),
            Err(error) => Err(Box::new(Failed { grant, error })),
        }
    }

    async fn sign_unchecked(
        &self,
        version: &Version,
        input: &Input,
        request_id: &str,
    ) -> Result<(ipc::Signed, Vec<u8>), Error> {
        let name = version.row.name.to_string();
        let (mechanism, bytes) = input.for_enclave();
        let expected = sha256(&bytes);
        let verb = Verb::Sign(ipc::Sign {
            version: name.clone(),
            public_key_sha256: version.public_key.sha256().to_vec(),
            mechanism: mechanism.into(),
            input: bytes,
        });
        match self.call(verb, Some(request_id)).await? {
            (Reply::Signed(signed), incarnation) if signed.version == name && signed.input_sha256 == expected => {
                Ok((signed, incarnation))
            }
            _ => Err(confused()),
        }
    }

    /// Makes a key pair for a version that is not registered and whose intent is recorded.
    ///
    /// # Errors
    /// [`Error`]; with [`Done::Unknown`] the pair may exist, and must be reconciled.
    pub async fn generate(
        &self,
        access: &Access,
        grant: &Grant,
        version: &str,
        algorithm: Algorithm,
    ) -> Result<Generated, Error> {
        access.recheck(grant, None)?;
        let request = ipc::GenerateKeyPair { version: version.into(), algorithm: offer(algorithm).into() };
        let mut answer = self.exchange(Verb::GenerateKeyPair(request.clone()), None).await?;
        if matches!(&answer.0, Reply::Fault(said) if said.reason() == FaultReason::KeyExists) {
            // No such version is registered: an earlier enclave made it and nobody learned of it.
            self.discard(version).await?;
            answer = self.exchange(Verb::GenerateKeyPair(request), None).await?;
        }
        match answer {
            (Reply::KeyPairGenerated(made), incarnation) if made.version == version => Ok(Generated {
                public_key: made.public_key,
                witness: Witness { incarnation, operation: made.operation },
            }),
            (Reply::Fault(said), _) => Err(fault(said)),
            _ => Err(confused()),
        }
    }

    /// Removes the key pair of a version that never came to be.
    ///
    /// # Errors
    /// [`Error`]; try again when the token is back.
    pub async fn discard(&self, version: &str) -> Result<u32, Error> {
        match self.call(Verb::DestroyKeyPair(ipc::DestroyKeyPair { version: version.into() }), None).await? {
            (Reply::KeyPairDestroyed(gone), _) => Ok(gone.objects),
            _ => Err(confused()),
        }
    }

    /// Signs the log's checkpoint. The enclave writes its text itself.
    ///
    /// # Errors
    /// [`Error`]; the next tick tries again.
    pub async fn sign_checkpoint(&self, size: u64, root: [u8; 32]) -> Result<Vec<u8>, Error> {
        match self.call(Verb::SignCheckpoint(ipc::SignCheckpoint { size, root: root.to_vec() }), None).await? {
            (Reply::CheckpointSigned(signed), _) => Ok(signed.signature),
            _ => Err(confused()),
        }
    }
}

fn confused() -> Error {
    Error::Internal {
        reason: reasons::INTERNAL,
        message: "the enclave answered another request than it was sent".into(),
        performed: Done::Unknown,
    }
}

/// The algorithm as the enclave names it.
pub fn offer(algorithm: Algorithm) -> KeyAlgorithm {
    match algorithm {
        Algorithm::EcP256 => KeyAlgorithm::EcP256,
        Algorithm::EcP384 => KeyAlgorithm::EcP384,
        Algorithm::EcP521 => KeyAlgorithm::EcP521,
        Algorithm::EcSecp256k1 => KeyAlgorithm::EcSecp256k1,
        Algorithm::Ed25519 => KeyAlgorithm::Ed25519,
        Algorithm::Rsa2048 => KeyAlgorithm::Rsa2048,
        Algorithm::Rsa3072 => KeyAlgorithm::Rsa3072,
        Algorithm::Rsa4096 => KeyAlgorithm::Rsa4096,
    }
}

/// A fault of the enclave as the caller is told it.
fn fault(fault: ipc::Fault) -> Error {
    let performed = if fault.maybe_performed { Done::Unknown } else { Done::No };
    let message = fault.message.clone();
    match fault.reason() {
        FaultReason::Expired => Error::Deadline(Done::No),
        FaultReason::Unsupported => Error::Precondition { reason: reasons::UNSUPPORTED_ALGORITHM, message },
        FaultReason::KeyMismatch | FaultReason::KeyNotFound => {
            Error::Precondition { reason: reasons::KEY_MISMATCH, message }
        }
        FaultReason::TokenFault => Error::Unavailable { reason: reasons::TOKEN_UNAVAILABLE, message, performed },
        _ => Error::Internal { reason: reasons::INTERNAL, message, performed },
    }
}
