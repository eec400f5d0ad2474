//! Checkpoints of the audit log: composed here and signed here.
//!
//! **Invariants**: one origin per process; sizes never fall, neither below the last one signed nor below the one that
//! stood on disk at `Open`; one size has one root. What is about to be signed counts as signed.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_ipc::{CheckpointSigned, FaultReason, SignCheckpoint};
use chancery_transfer::statement::RESERVED_PREFIX;
use cryptoki::session::Session;

use crate::{audit_key::AuditKey, fault::Failure};

/// The note's text (C2SP tlog-checkpoint): origin, size, root.
fn text(origin: &str, size: u64, root: &[u8; 32]) -> String {
    format!("{origin}\n{size}\n{}\n", STANDARD.encode(root))
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
    key: AuditKey,
    origin: String,
    progress: Progress,
}

impl CheckpointSigner {
    pub(crate) fn new(session: Session, key: AuditKey, origin: String, floor: u64) -> Self {
        Self { session, key, origin, progress: Progress { floor, last: None } }
    }

    pub(crate) fn sign(&mut self, request: &SignCheckpoint) -> Result<CheckpointSigned, Failure> {
        let Ok(root) = <[u8; 32]>::try_from(request.root.as_slice()) else {
            return Err(Failure::bad_request("a root hash has 32 bytes"));
        };
        self.progress.advance(request.size, root)?;
        let text = text(&self.origin, request.size, &root);
        let signature = self.key.sign(&self.session, &text, "signing a checkpoint")?;
        Ok(CheckpointSigned { signature })
    }
}

/// Checks the origin line (C2SP tlog-checkpoint, signed-note). The audit key signs attestation statements too, whose first
/// line no origin may resemble: docs/attestation.md, "Domain separation".
pub(crate) fn check_origin(origin: &str) -> Result<(), Failure> {
    if origin.is_empty()
        || origin.len() > 255
        || origin.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
    {
        return Err(Failure::bad_request(
            "an origin has 1 to 255 bytes and no whitespace, control character or plus sign",
        ));
    }
    if origin.starts_with(RESERVED_PREFIX) {
        let message = format!("an origin does not begin with {RESERVED_PREFIX}: attestation statements do");
        return Err(Failure::bad_request(message));
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

    /// What the audit key signs as a checkpoint is never a statement, whose first line would be the origin.
    #[test]
    fn no_origin_begins_as_a_statement_does() {
        assert!(check_origin("log.example/a").is_ok());
        assert!(check_origin("example/chancery-attestation/v1").is_ok());
        for origin in [chancery_transfer::statement::FIRST_LINE, RESERVED_PREFIX, "chancery-attestation/v2"] {
            assert_eq!(check_origin(origin).unwrap_err().reason, FaultReason::BadRequest, "{origin}");
        }
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
