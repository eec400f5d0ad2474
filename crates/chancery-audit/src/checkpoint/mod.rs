//! Checkpoints: a tree's size and root under its log's name, signed as a C2SP signed note.
//!
//! **Invariants**
//! * [`VerifierKey::open_note`] hands out a checkpoint only after its signature verified and its origin is the key's name.
//! * Lines signed by keys we do not know are ignored, and never make a note valid.
//! * Base64 and numbers have one accepted form each, so a changed byte cannot leave a note the same.
//!
//! **Not here**: the log's own signatures (the enclave makes them), the rules of what it may sign (a log never signs two
//! checkpoints that contradict each other).

mod cosignature;
mod extension;
mod key;
mod note;
mod policy;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

pub use cosignature::{Cosignature, WitnessKey, WitnessSigner, lines, with_line};
pub use extension::Contradiction;
pub use key::{KeyError, VerifierKey};
pub use note::{MAX_NOTE, MAX_SIGNATURES};
pub use policy::{Cosigned, MAX_POLICY, MAX_WITNESSES, PolicyError, PolicyProblem, Verdict, Witness, WitnessPolicy};

use crate::merkle::Hash;

/// A log's state at one size (C2SP tlog-checkpoint).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name: one non-empty line, equal to the name of the key that signs.
    pub origin: String,
    /// How many records the tree holds.
    pub size: u64,
    /// The root of the RFC 6962 tree of records 0 to `size` - 1.
    pub root: Hash,
}

/// Why a note is not a checkpoint that we may believe.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CheckpointError {
    /// The note does not have the form of a signed note.
    #[error("not a signed note: {0}")]
    Note(&'static str),
    /// The note's text is not a checkpoint.
    #[error("not a checkpoint: {0}")]
    Body(&'static str),
    /// No line names our key: another key signed it, or nobody did.
    #[error("no signature by {name} with key id {}", key::hex(.key_id))]
    NotSigned {
        /// The name of the key that was looked for.
        name: String,
        /// Its key id.
        key_id: [u8; 4],
    },
    /// A line names our key, and its signature is not that key's over this text.
    #[error("the signature by {name} is wrong: the note was changed, or the signature is forged")]
    BadSignature {
        /// The name of the key.
        name: String,
    },
    /// Our key signed a checkpoint of another log.
    #[error("the checkpoint's origin is {origin:?}, the key's name is {name:?}")]
    WrongOrigin {
        /// The origin line.
        origin: String,
        /// The name of the key.
        name: String,
    },
}

impl Checkpoint {
    /// The note text that is signed: origin, size and base64 root, each with its newline.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// Reads a note text. It proves nothing: signatures are [`VerifierKey::open_note`]'s business.
    ///
    /// Extension lines (tlog-checkpoint, "Note text", item 4) are accepted and dropped: [`Checkpoint::text`] does not
    /// give them back.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let body = text.strip_suffix('\n').ok_or(CheckpointError::Body("its text must end in a newline"))?;
        if body.chars().any(|c| c != '\n' && c.is_control()) {
            return Err(CheckpointError::Body("its text has control characters"));
        }
        let mut lines = body.split('\n');
        let mut line = || lines.next().filter(|line| !line.is_empty());

        let origin = line().ok_or(CheckpointError::Body("the first line must be the origin"))?.to_owned();
        let size = line()
            .and_then(parse_size)
            .ok_or(CheckpointError::Body("the second line must be the tree size in decimal, without leading zeroes"))?;
        let root = line()
            .and_then(|line| STANDARD.decode(line).ok())
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(CheckpointError::Body("the third line must be the base64 of a 32-byte root"))?;
        if lines.any(str::is_empty) {
            return Err(CheckpointError::Body("an extension line is empty"));
        }
        Ok(Self { origin, size, root })
    }
}

/// Decimal digits without sign or leading zeroes, so that a size has one form only.
fn parse_size(line: &str) -> Option<u64> {
    let canonical = line.bytes().all(|b| b.is_ascii_digit()) && (line == "0" || !line.starts_with('0'));
    if canonical { line.parse().ok() } else { None }
}
