//! Checkpoints of the audit log: composed here and signed here.
//!
//! **Invariants**: one origin per process; sizes never fall, neither below the last one signed nor below the one that
//! stood on disk at `Open`; one size has one root. What is about to be signed counts as signed.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_ipc::{CheckpointSigned, FaultReason, SignCheckpoint};
use cryptoki::{mechanism::Mechanism, object::ObjectHandle, session::Session};
use sha2::{Digest, Sha256};

use crate::{
    ecdsa,
    fault::{Failure, while_doing},
    objects::Pair,
    sign,
    spki::{Curve, KeyKind},
};

/// The note's text (C2SP tlog-checkpoint): origin, size, root.
fn text(origin: &str, size: u64, root: &[u8; 32]) -> String {
    format!("{origin}\n{size}\n{}\n", STANDARD.encode(root))
}

/// The audit key's ways to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    /// Ed25519 over the text.
    Ed25519,
    /// ECDSA P-256 over the text's SHA-256, in DER.
    EcdsaP256,
}

/// What checkpoints may be signed.
#[derive(Debug)]
struct Progress {
    floor: u64,
    last: Option<(u64, [u8; 32])>,
}

impl Progress {
    /// Admits a checkpoint, which from then on counts as signed.
    fn advance(&mut self, size: u64, root: [u8; 32]) -> Result<(), Failure> {
        let refused = |why: String| Failure::new(FaultReason::CheckpointRefused, why);
        if size < self.floor {
            return Err(refused(format!("a checkpoint of size {size} is below {}, which is on disk", self.floor)));
        }
        match self.last {
            Some((last, _)) if size < last => {
                return Err(refused(format!("a checkpoint of size {size} is below {last}, which was signed")));
            }
            Some((last, other)) if size == last && root != other => {
                return Err(refused(format!("another root was signed for size {size}: the log was forked")));
            }
            _ => {}
        }
        self.last = Some((size, root));
        Ok(())
    }
}

/// Signs checkpoints on a session of its own.
#[derive(Debug)]
pub(crate) struct CheckpointSigner {
    session: Session,
    key: ObjectHandle,
    scheme: Scheme,
    origin: String,
    progress: Progress,
}

impl CheckpointSigner {
    pub(crate) fn new(session: Session, audit_key: &Pair, origin: String, floor: u64) -> Result<Self, Failure> {
        let scheme = match audit_key.public.kind {
            KeyKind::Ed25519 => Scheme::Ed25519,
            KeyKind::Ec(Curve::P256) => Scheme::EcdsaP256,
            kind => {
                let message = format!("the token's audit key is of kind {kind:?}, which Chancery never makes");
                return Err(Failure::new(FaultReason::KeyMismatch, message));
            }
        };
        Ok(Self { session, key: audit_key.private, scheme, origin, progress: Progress { floor, last: None } })
    }

    pub(crate) fn sign(&mut self, request: &SignCheckpoint) -> Result<CheckpointSigned, Failure> {
        let Ok(root) = <[u8; 32]>::try_from(request.root.as_slice()) else {
            return Err(Failure::bad_request("a root hash has 32 bytes"));
        };
        self.progress.advance(request.size, root)?;
        let text = text(&self.origin, request.size, &root);
        let doing = while_doing("signing a checkpoint");
        let signature = match self.scheme {
            Scheme::Ed25519 => self.session.sign(&sign::eddsa(), self.key, text.as_bytes()).map_err(doing)?,
            Scheme::EcdsaP256 => {
                let raw = self.session.sign(&Mechanism::Ecdsa, self.key, &Sha256::digest(text)).map_err(doing)?;
                ecdsa::to_der(&raw).ok_or_else(not_a_signature)?
            }
        };
        Ok(CheckpointSigned { signature })
    }
}

/// The token's output is no ECDSA signature.
pub(crate) fn not_a_signature() -> Failure {
    Failure::new(FaultReason::TokenFault, "the token gave no pair of integers as an ECDSA signature").after_a_change()
}

/// Checks the origin line (C2SP tlog-checkpoint, signed-note).
pub(crate) fn check_origin(origin: &str) -> Result<(), Failure> {
    if origin.is_empty()
        || origin.len() > 255
        || origin.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
    {
        return Err(Failure::bad_request(
            "an origin has 1 to 255 bytes and no whitespace, control character or plus sign",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_three_lines() {
        assert_eq!(
            text("log.example/a", 42, &[0xff; 32]),
            "log.example/a\n42\n//////////////////////////////////////////8=\n"
        );
    }

    #[test]
    fn sizes_never_fall_and_one_size_has_one_root() {
        let mut progress = Progress { floor: 5, last: None };
        assert!(progress.advance(4, [1; 32]).is_err());
        assert!(progress.advance(5, [1; 32]).is_ok());
        assert!(progress.advance(5, [1; 32]).is_ok());
        assert!(progress.advance(5, [2; 32]).is_err());
        assert!(progress.advance(9, [3; 32]).is_ok());
        assert!(progress.advance(8, [3; 32]).is_err());
        assert!(progress.advance(9, [3; 32]).is_ok());
    }
}
