//! Uses of a key: signatures, and those whose output is recorded nowhere.
//!
//! **Invariants**: each takes a [`Grant`] and rechecks it; there is no other way to use an organization's key. A reply
//! that names another version or input than the request did is a fault. A signature that fails its check is dropped here
//! and written nowhere.

use super::{Enclave, Failed, Turn, Witness, confused, fault};
use crate::{
    access::{Access, Grant},
    crypto::{Form, Input, for_enclave, sha256},
    directory::{KeyEntry, Version},
    error::{Error, Performed as Done},
    model::{Algorithm, Check, Mechanism, Origin, Protection, Purpose},
};
use chancery_api::reasons;
use chancery_ipc::{self as ipc, FaultReason, request::Verb, response::Result as Reply};
use std::sync::Arc;
use zeroize::Zeroizing;

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
    /// r ‖ s for ECDSA and SM2, the algorithm's own form otherwise.
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

/// What to do with a key, other than signing.
pub struct Use {
    /// How, for the record.
    pub mechanism: Mechanism,
    /// How, for the enclave.
    pub verb: ipc::Mechanism,
    /// What the mechanism takes.
    pub input: Zeroizing<Vec<u8>>,
    /// GCM: associated data. RSAES-OAEP: the label.
    pub associated_data: Vec<u8>,
    /// The nonce or initialization vector, for verbs that take one.
    pub iv: Vec<u8>,
}

/// A use of a key that was made and is not yet recorded. Its output is recorded nowhere.
#[must_use]
pub struct Used {
    pub(crate) grant: Grant,
    pub(crate) version: Arc<Version>,
    pub(crate) mechanism: Mechanism,
    pub(crate) output: Zeroizing<Vec<u8>>,
    pub(crate) witness: Witness,
}

/// What a mechanism takes, as [`Use`] says.
#[derive(Clone, Copy, Default)]
struct Taken<'a> {
    input: &'a [u8],
    associated_data: &'a [u8],
    iv: &'a [u8],
}

/// A use that came to nothing, and what the enclave may have done nevertheless.
struct Unused {
    error: Error,
    witness: Option<Witness>,
}

impl From<Error> for Unused {
    fn from(error: Error) -> Self {
        Self { error, witness: None }
    }
}

/// One signature in so many is verified where a key's `check` is sampled.
const SAMPLE: u64 = 64;

impl Performed {
    /// Verifies the signature as the key's `check` says; RSA always, for one fault in it can reveal the key.
    ///
    /// # Errors
    /// `SIGNATURE_CHECK_FAILED`: the token is faulty. The signature is gone: a faulty deterministic signature can reveal
    /// the key.
    pub fn check(self) -> Result<Checked, Box<Failed>> {
        let wanted = match self.grant.key().map(|entry| (entry.key.check, entry.key.algorithm)) {
            Ok((_, algorithm)) if algorithm.is_rsa() => true,
            Ok((Check::Never, _)) => false,
            Ok((Check::Sampled, _)) => self.first_on_handle || self.witness.number().is_multiple_of(SAMPLE),
            Ok((Check::Always, _)) | Err(_) => true,
        };
        let verifies = || self.version.public_key.as_ref().is_some_and(|key| key.verify(&self.input, &self.signature));
        if wanted && !verifies() {
            let message = format!(
                "the signature does not verify under the public key of {}; it was discarded. Check the token, and \
                 suspend the key if this happens again",
                self.version.row.name
            );
            tracing::error!(key_version = %self.version.row.name, "a signature failed its check");
            let error = Error::Internal { reason: reasons::SIGNATURE_CHECK_FAILED, message, performed: Done::Unknown };
            return Err(Box::new(Failed { grant: self.grant, error, witness: Some(self.witness) }));
        }
        let Self { grant, version, input, signature, witness, .. } = self;
        Ok(Checked(CheckedSignature { grant, version, input, signature, witness, verified: wanted }))
    }
}

impl Enclave {
    /// Signs, for a signature to be written in `form`. Identity, policy and the version's state are rechecked first. The
    /// turn ends with it.
    ///
    /// # Errors
    /// [`Failed`] with the grant, to be recorded.
    pub async fn sign(
        &self,
        access: &Access,
        grant: Grant,
        input: Input,
        form: Form,
        request_id: &str,
        turn: Turn,
    ) -> Result<Performed, Box<Failed>> {
        let (mechanism, bytes) = for_enclave(&input, form);
        let performed =
            self.perform(access, &grant, mechanism, Taken { input: &bytes, ..Taken::default() }, request_id).await;
        drop(turn);
        match performed {
            Ok((version, used, witness)) => Ok(Performed {
                grant,
                version,
                input,
                signature: used.output,
                witness,
                first_on_handle: used.first_on_handle,
            }),
            Err(Unused { error, witness }) => Err(Box::new(Failed { grant, error, witness })),
        }
    }

    /// Decrypts, derives, authenticates, wraps. Identity, policy and the version's state are rechecked first. The turn ends
    /// with it.
    ///
    /// # Errors
    /// [`Failed`] with the grant, to be recorded.
    pub async fn use_key(
        &self,
        access: &Access,
        grant: Grant,
        work: Use,
        request_id: &str,
        turn: Turn,
    ) -> Result<Used, Box<Failed>> {
        let Use { mechanism, verb, input, associated_data, iv } = work;
        let taken = Taken { input: &input, associated_data: &associated_data, iv: &iv };
        let performed = self.perform(access, &grant, verb, taken, request_id).await;
        drop(turn);
        match performed {
            Ok((version, used, witness)) => {
                Ok(Used { grant, version, mechanism, output: Zeroizing::new(used.output), witness })
            }
            Err(Unused { error, witness }) => Err(Box::new(Failed { grant, error, witness })),
        }
    }

    async fn perform(
        &self,
        access: &Access,
        grant: &Grant,
        mechanism: ipc::Mechanism,
        taken: Taken<'_>,
        request_id: &str,
    ) -> Result<(Arc<Version>, ipc::KeyUsed, Witness), Unused> {
        let (entry, version) = (grant.key()?, Arc::clone(grant.version()?));
        grant.require_usable(&version)?;
        access.recheck(grant, Some(&version.row.name))?;
        let expected = sha256(taken.input);
        let key = key_ref(entry, &version);
        // Each is wiped once it was sent.
        let verb = |wrapped| {
            Verb::UseKey(ipc::UseKey {
                key: ipc::KeyRef { wrapped, ..key.clone() },
                mechanism: mechanism.into(),
                input: taken.input.to_vec(),
                associated_data: taken.associated_data.to_vec(),
                iv: taken.iv.to_vec(),
            })
        };
        // Ids are their principals' own: one must not quarantine another's.
        let request_id = format!("{} {request_id}", grant.caller().principal().name);
        let still = || access.recheck(grant, Some(&version.row.name));
        let answer = match self.exchange(verb(Vec::new()), Some(&request_id)).await? {
            // It is opened from the key as it was wrapped, if it may still be used.
            (Reply::Fault(said), _) if said.reason() == FaultReason::KeyNotOpen => {
                let with_key = |wrapped| still().map(|()| verb(wrapped));
                self.call_with_wrapped(&key.version, Some(&request_id), with_key).await?
            }
            (Reply::Fault(said), witness) => return Err(Unused { error: fault(said), witness }),
            answered => answered,
        };
        if still().is_err() && entry.key.protection == Protection::Enclave {
            // It may have been opened after whoever ended it had closed it. What it gave is not released.
            if let Err(error) = self.close(&version.row.name.to_string()).await {
                return Err(Unused { error, witness: answer.1 });
            }
        }
        match answer {
            (Reply::KeyUsed(used), Some(witness))
                if used.version == version.row.name.to_string() && used.input_sha256 == expected =>
            {
                Ok((version, used, witness))
            }
            (_, witness) => Err(Unused { error: confused(), witness }),
        }
    }
}

/// A registered version as the enclave is told of it, without its wrapped key.
pub fn key_ref(entry: &KeyEntry, version: &Version) -> ipc::KeyRef {
    let origin = match version.row.origin {
        Origin::Generated => ipc::KeyOrigin::Generated,
        Origin::Imported => ipc::KeyOrigin::Imported,
        Origin::Restored => ipc::KeyOrigin::Restored,
    };
    ipc::KeyRef {
        version: version.row.name.to_string(),
        public_key_sha256: version.public_key.as_ref().map_or_else(|| sha256(&[]), |key| *key.sha256()).to_vec(),
        algorithm: algorithm(entry.key.algorithm).into(),
        purpose: purpose(entry.key.purpose).into(),
        origin: origin.into(),
        protection: protection(entry.key.protection).into(),
        wrapped: Vec::new(),
    }
}

/// The algorithm as the enclave names it.
pub fn algorithm(algorithm: Algorithm) -> ipc::KeyAlgorithm {
    match algorithm {
        Algorithm::EcP256 => ipc::KeyAlgorithm::EcP256,
        Algorithm::EcP384 => ipc::KeyAlgorithm::EcP384,
        Algorithm::EcP521 => ipc::KeyAlgorithm::EcP521,
        Algorithm::EcSecp256k1 => ipc::KeyAlgorithm::EcSecp256k1,
        Algorithm::Ed25519 => ipc::KeyAlgorithm::Ed25519,
        Algorithm::Rsa2048 => ipc::KeyAlgorithm::Rsa2048,
        Algorithm::Rsa3072 => ipc::KeyAlgorithm::Rsa3072,
        Algorithm::Rsa4096 => ipc::KeyAlgorithm::Rsa4096,
        Algorithm::Sm2 => ipc::KeyAlgorithm::Sm2,
        Algorithm::MlDsa44 => ipc::KeyAlgorithm::MlDsa44,
        Algorithm::MlDsa65 => ipc::KeyAlgorithm::MlDsa65,
        Algorithm::MlDsa87 => ipc::KeyAlgorithm::MlDsa87,
        Algorithm::X25519 => ipc::KeyAlgorithm::X25519,
        Algorithm::Aes256 => ipc::KeyAlgorithm::Aes256,
        Algorithm::Sm4 => ipc::KeyAlgorithm::Sm4,
        Algorithm::HmacSha256 => ipc::KeyAlgorithm::HmacSha256,
    }
}

/// The purpose as the enclave names it: certificates are signed, too.
pub fn purpose(purpose: Purpose) -> ipc::KeyPurpose {
    match purpose {
        Purpose::Sign | Purpose::Certify => ipc::KeyPurpose::Sign,
        Purpose::Encrypt => ipc::KeyPurpose::Encrypt,
        Purpose::Agree => ipc::KeyPurpose::Agree,
        Purpose::Mac => ipc::KeyPurpose::Mac,
        Purpose::Wrap => ipc::KeyPurpose::Wrap,
    }
}

/// The protection as the enclave names it.
pub fn protection(protection: Protection) -> ipc::KeyProtection {
    match protection {
        Protection::Token => ipc::KeyProtection::Token,
        Protection::Enclave => ipc::KeyProtection::Enclave,
    }
}
