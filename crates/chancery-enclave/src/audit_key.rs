//! The deployment's audit key: signs checkpoints, statements of operations and attestation statements.
//!
//! **Invariant**: it signs texts only, and the three kinds never look alike: each statement begins with a line that no
//! log's origin begins with (`checkpoint::check_origin`).

use chancery_ipc::{FaultReason, KeyAlgorithm};
use cryptoki::{mechanism::Mechanism, object::ObjectHandle, session::Session};
use sha2::{Digest, Sha256};

use crate::{
    ecdsa,
    fault::{Failure, while_doing},
    objects::Pair,
    token_use,
};

/// The key's handle, valid in every session, and how it signs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AuditKey {
    object: ObjectHandle,
    scheme: Scheme,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    /// Ed25519 over the text.
    Ed25519,
    /// ECDSA P-256 over the text's SHA-256, in DER.
    EcdsaP256,
}

impl AuditKey {
    pub(crate) fn of(pair: &Pair) -> Result<Self, Failure> {
        let scheme = match pair.public.algorithm {
            KeyAlgorithm::Ed25519 => Scheme::Ed25519,
            KeyAlgorithm::EcP256 => Scheme::EcdsaP256,
            other => {
                let message = format!("the token's audit key is one of {other:?}, which Chancery never makes");
                return Err(Failure::new(FaultReason::KeyMismatch, message));
            }
        };
        Ok(Self { object: pair.private, scheme })
    }

    /// Signs a text: 64 bytes of Ed25519, or ECDSA in DER.
    pub(crate) fn sign(&self, session: &Session, text: &str, doing: &'static str) -> Result<Vec<u8>, Failure> {
        let sign = |mechanism: &Mechanism<'_>, input: &[u8]| {
            session.sign(mechanism, self.object, input).map_err(while_doing(doing))
        };
        match self.scheme {
            Scheme::Ed25519 => sign(&token_use::eddsa(), text.as_bytes()),
            Scheme::EcdsaP256 => {
                let raw = sign(&Mechanism::Ecdsa, &Sha256::digest(text))?;
                ecdsa::to_der(&raw).ok_or_else(not_a_signature)
            }
        }
    }
}

/// The token's output is no ECDSA signature.
pub(crate) fn not_a_signature() -> Failure {
    Failure::new(FaultReason::TokenFault, "the token gave no pair of integers as an ECDSA signature").after_a_change()
}
