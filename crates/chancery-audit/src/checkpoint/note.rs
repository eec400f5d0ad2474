//! Signed notes around checkpoints (C2SP signed-note).
//!
//! **Invariants**
//! * The signed text is everything before the last empty line, its final newline included.
//! * Every line that names our key must verify; one that does not spoils the note.
//!
//! **Not here**: notes about anything but checkpoints.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Checkpoint, CheckpointError, VerifierKey};

/// The longest note that is read, in bytes: far more than 100 post-quantum cosignatures take.
pub const MAX_NOTE: usize = 1 << 20;

/// The most signature lines that are read; signed-note asks for at least 16.
pub const MAX_SIGNATURES: usize = 100;

/// What every signature line begins with: an em dash and a space.
pub(super) const DASH: &str = "\u{2014} ";

impl VerifierKey {
    /// The full signed note of `checkpoint`, from a signature over its text that was made elsewhere: 64 bytes for Ed25519,
    /// ASN.1 DER for ECDSA. The signature is not verified here.
    pub fn sign_note(&self, checkpoint: &Checkpoint, signature: &[u8]) -> String {
        let blob = [&self.key_id()[..], signature].concat();
        format!("{}\n{DASH}{} {}\n", checkpoint.text(), self.name(), STANDARD.encode(blob))
    }

    /// The note with this key's signature alone, in the one form that it has for this checkpoint and signature: no other
    /// signature line, and the smaller s of an ECDSA signature. A note with extension lines has no such form.
    pub fn own_note(&self, note: &str) -> Result<String, CheckpointError> {
        let checkpoint = self.open_note(note)?;
        let (text, signatures) = split(note)?;
        if text != checkpoint.text() {
            return Err(CheckpointError::Body("it has extension lines, which a log does not write"));
        }
        for line in signatures.split_terminator('\n') {
            let (name, key_id, signature) = signature_line(line)?;
            // It was verified above, as every line of this key.
            if name == self.name() && key_id == self.key_id() {
                return Ok(self.sign_note(&checkpoint, &self.normalized(&signature)));
            }
        }
        Err(CheckpointError::NotSigned { name: self.name().to_owned(), key_id: self.key_id() })
    }

    /// The checkpoint in a note whose signatures were not looked at.
    pub(crate) fn unproven(note: &str) -> Result<Checkpoint, CheckpointError> {
        Checkpoint::parse(split(note)?.0)
    }

    /// The checkpoint in `note`, if this key signed it and its origin is the key's name.
    pub fn open_note(&self, note: &str) -> Result<Checkpoint, CheckpointError> {
        let text = self.verified_text(note)?;
        let checkpoint = Checkpoint::parse(text)?;
        if checkpoint.origin != self.name() {
            return Err(CheckpointError::WrongOrigin { origin: checkpoint.origin, name: self.name().to_owned() });
        }
        Ok(checkpoint)
    }

    /// The text of any signed note that carries this key's valid signature.
    pub(super) fn verified_text<'n>(&self, note: &'n str) -> Result<&'n str, CheckpointError> {
        let (text, signatures) = split(note)?;
        let mut verified = false;
        for line in signatures.split_terminator('\n') {
            let (name, key_id, signature) = signature_line(line)?;
            if name != self.name() || key_id != self.key_id() {
                continue;
            }
            if !self.verify(text, &signature) {
                return Err(CheckpointError::BadSignature { name: name.to_owned() });
            }
            verified = true;
        }
        if verified {
            Ok(text)
        } else {
            Err(CheckpointError::NotSigned { name: self.name().to_owned(), key_id: self.key_id() })
        }
    }
}

/// A note's text (with its newline) and its block of signature lines.
pub(super) fn split(note: &str) -> Result<(&str, &str), CheckpointError> {
    if note.len() > MAX_NOTE {
        return Err(CheckpointError::Note("it is longer than 1 MiB"));
    }
    if note.bytes().any(|b| b < 0x20 && b != b'\n') {
        return Err(CheckpointError::Note("it has control characters"));
    }
    let blank = note.rfind("\n\n").ok_or(CheckpointError::Note("no empty line parts text and signatures"))?;
    // Both cuts are at newlines, so within character boundaries.
    let (text, signatures) = (&note[..=blank], &note[blank + 2..]);
    if signatures.is_empty() {
        return Err(CheckpointError::Note("it has no signatures"));
    }
    if !signatures.ends_with('\n') {
        return Err(CheckpointError::Note("its last line must end in a newline"));
    }
    if signatures.bytes().filter(|b| *b == b'\n').count() > MAX_SIGNATURES {
        return Err(CheckpointError::Note("it has more than 100 signatures"));
    }
    Ok((text, signatures))
}

/// Name, key id and signature of one line, `— name base64(key id ‖ signature)`.
pub(super) fn signature_line(line: &str) -> Result<(&str, [u8; 4], Vec<u8>), CheckpointError> {
    let malformed = CheckpointError::Note("a signature line must be an em dash, a name and base64");
    let parsed = line.strip_prefix(DASH).and_then(|rest| rest.split_once(' ')).and_then(|(name, base64)| {
        let blob = STANDARD.decode(base64).ok()?;
        let (key_id, signature) = blob.split_first_chunk::<4>()?;
        (!name.is_empty() && !signature.is_empty()).then(|| (name, *key_id, signature.to_vec()))
    });
    parsed.ok_or(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    // golang.org/x/mod/sumdb/note, package documentation: a note that is not a checkpoint.
    #[test]
    fn opens_the_go_example() {
        let key: VerifierKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
        let text = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
        let note = format!(
            "{text}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
        );
        assert_eq!(key.verified_text(&note), Ok(text));
        assert!(matches!(key.open_note(&note), Err(CheckpointError::Body(_))));
    }

    // C2SP signed-note, "Note", quasimodo's poem: its text has an empty line of its own.
    #[test]
    fn splits_at_the_last_empty_line() {
        let note = "a\n\nb\n\n— someone AAAAAAA=\n";
        assert_eq!(split(note), Ok(("a\n\nb\n", "— someone AAAAAAA=\n")));
    }
}
