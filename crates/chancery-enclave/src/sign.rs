//! Signing with ordinary keys, on a session thread.
//!
//! **Invariants**: the input's length and the key's kind are judged before the token is called; every signature that
//! may exist has its own number, and only those have one.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use chancery_ipc::{FaultReason, Mechanism, Sign, Signed};
use cryptoki::{
    mechanism::{
        self, MechanismType,
        eddsa::{EddsaParams, EddsaSignatureScheme},
        rsa::{PkcsMgfType, PkcsPssParams},
    },
    session::Session,
};
use sha2::{Digest, Sha256};

use crate::{
    fault::{Failure, is_stale_handle, while_doing},
    keys::{Key, Keys},
    spki::KeyKind,
};

/// Counts private-key operations of this incarnation.
#[derive(Debug, Default)]
pub(crate) struct Operations(AtomicU64);

impl Operations {
    /// Takes the next number, beginning with 1.
    pub(crate) fn take(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// One session and whether it has signed.
#[derive(Debug)]
pub(crate) struct Signer {
    session: Session,
    used: bool,
}

impl Signer {
    pub(crate) fn new(session: Session) -> Self {
        Self { session, used: false }
    }

    /// Signs what `request` asks for.
    pub(crate) fn sign(&mut self, keys: &Keys, operations: &Operations, request: Sign) -> Result<Signed, Failure> {
        let mechanism = check_input(&request)?;
        let signature = match self.attempt(keys, operations, &request, mechanism)? {
            Attempt::Signed(signature) => signature,
            // The handle was stale, and so nothing was signed: another process replaced or removed the object.
            Attempt::StaleHandle => match self.attempt(keys, operations, &request, mechanism)? {
                Attempt::Signed(signature) => signature,
                Attempt::StaleHandle => {
                    let message = format!("the key of {} left the token while it was used", request.version);
                    return Err(Failure::new(FaultReason::KeyNotFound, message));
                }
            },
        };
        let first_on_session = !std::mem::replace(&mut self.used, true);
        Ok(Signed {
            input_sha256: Sha256::digest(&request.input).to_vec(),
            version: request.version,
            signature: signature.bytes,
            operation: signature.operation,
            first_on_handle: signature.first_on_handle || first_on_session,
        })
    }

    fn attempt(
        &self,
        keys: &Keys,
        operations: &Operations,
        request: &Sign,
        mechanism: Mechanism,
    ) -> Result<Attempt, Failure> {
        let key: Arc<Key> = keys.key(&self.session, &request.version, &request.public_key_sha256)?;
        let mechanism = for_token(mechanism, key.kind)?;
        let Some(_in_token) = key.hold() else {
            let message = format!("the key of {} was destroyed", request.version);
            return Err(Failure::new(FaultReason::KeyNotFound, message));
        };
        match self.session.sign(&mechanism, key.private, &request.input) {
            Ok(bytes) => {
                Ok(Attempt::Signed(Signature { bytes, operation: operations.take(), first_on_handle: key.note_use() }))
            }
            Err(error) if is_stale_handle(&error) => {
                keys.forget(&request.version, &key);
                Ok(Attempt::StaleHandle)
            }
            Err(error) => {
                let failure = while_doing("signing")(error);
                if failure.maybe_performed {
                    // A signature may exist that nobody was given: its number shows as a gap.
                    operations.take();
                }
                Err(failure)
            }
        }
    }
}

enum Attempt {
    Signed(Signature),
    StaleHandle,
}

struct Signature {
    bytes: Vec<u8>,
    operation: u64,
    first_on_handle: bool,
}

/// The request's mechanism, if its input has a length that the mechanism takes.
fn check_input(request: &Sign) -> Result<Mechanism, Failure> {
    let mechanism = Mechanism::try_from(request.mechanism).unwrap_or(Mechanism::Unspecified);
    let length = request.input.len();
    let fits = match mechanism {
        Mechanism::Unspecified => return Err(Failure::bad_request("no mechanism is named")),
        Mechanism::Ecdsa => (1..=66).contains(&length),
        Mechanism::Eddsa => true,
        Mechanism::RsaPkcs1 => (1..=501).contains(&length), // a modulus of 512 bytes less 11 of padding
        Mechanism::RsaPssSha256 => length == 32,
        Mechanism::RsaPssSha384 => length == 48,
        Mechanism::RsaPssSha512 => length == 64,
    };
    if request.public_key_sha256.len() != 32 {
        return Err(Failure::bad_request("public_key_sha256 has 32 bytes"));
    }
    if !fits {
        return Err(Failure::bad_request(format!("{mechanism:?} takes no input of {length} bytes")));
    }
    Ok(mechanism)
}

/// The PKCS#11 mechanism, if it is one for this kind of key.
fn for_token(mechanism: Mechanism, kind: KeyKind) -> Result<mechanism::Mechanism<'static>, Failure> {
    let pss = |hash_alg, mgf, salt: u64| {
        mechanism::Mechanism::RsaPkcsPss(PkcsPssParams { hash_alg, mgf, s_len: salt.into() })
    };
    Ok(match (mechanism, kind) {
        (Mechanism::Ecdsa, KeyKind::Ec(_)) => mechanism::Mechanism::Ecdsa,
        (Mechanism::Eddsa, KeyKind::Ed25519) => eddsa(),
        (Mechanism::RsaPkcs1, KeyKind::Rsa) => mechanism::Mechanism::RsaPkcs,
        (Mechanism::RsaPssSha256, KeyKind::Rsa) => pss(MechanismType::SHA256, PkcsMgfType::MGF1_SHA256, 32),
        (Mechanism::RsaPssSha384, KeyKind::Rsa) => pss(MechanismType::SHA384, PkcsMgfType::MGF1_SHA384, 48),
        (Mechanism::RsaPssSha512, KeyKind::Rsa) => pss(MechanismType::SHA512, PkcsMgfType::MGF1_SHA512, 64),
        (mechanism, kind) => {
            return Err(Failure::bad_request(format!("{mechanism:?} is no mechanism for a key of kind {kind:?}")));
        }
    })
}

/// CKM_EDDSA without parameters: pure Ed25519 (RFC 8032 §5.1).
pub(crate) fn eddsa() -> mechanism::Mechanism<'static> {
    mechanism::Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519))
}
