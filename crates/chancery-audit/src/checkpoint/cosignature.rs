//! Cosignatures: a witness's word that a checkpoint extends all that it saw of the log (C2SP tlog-cosignature, Ed25519).
//!
//! **Invariants**
//! * A witness's key has exactly one text, and a cosignature one encoding; Ed25519 is verified strictly, as for logs.
//! * Every line that names a witness's key must be that witness's; one that is not spoils the note.
//! * A cosignature's time is under its signature.
//!
//! **Not here**: who must have cosigned ([`super::WitnessPolicy`]), what a witness checks first
//! ([`super::Checkpoint::extends`]), files of keys (`chancery audit witness`).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, KeypairBytes, SecretDocument};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::key::{KeyError, check_name, ed25519, hex};
use super::note::{DASH, signature_line, split};
use super::{Checkpoint, CheckpointError};

/// C2SP signature type of an Ed25519 cosignature with its time.
const COSIGNATURE: u8 = 0x04;

/// The latest time that a cosignature may have (tlog-cosignature, "Format").
const LATEST: u64 = i64::MAX as u64;

/// The public key of a witness, with the name it cosigns under: type 0x04, 32 bytes of Ed25519.
#[derive(Clone, PartialEq, Eq)]
pub struct WitnessKey {
    name: String,
    key: VerifyingKey,
}

/// A cosignature that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// When the witness cosigned, by its own clock: seconds since the Unix epoch.
    pub time: u64,
    /// The note's line, with its newline.
    pub line: String,
}

impl WitnessKey {
    /// A key under a witness's name.
    pub fn new(name: &str, public: &[u8; 32]) -> Result<Self, KeyError> {
        check_name(name)?;
        Ok(Self { name: name.to_owned(), key: ed25519(public)? })
    }

    /// The name the witness cosigns under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The raw public key: two witnesses with equal ones are the same.
    pub fn public(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// The first 4 bytes of SHA-256(name ‖ 0x0A ‖ 0x04 ‖ key).
    pub fn key_id(&self) -> [u8; 4] {
        let hash = Sha256::new().chain_update(&self.name).chain_update([b'\n', COSIGNATURE]).chain_update(self.key);
        let hash = hash.finalize();
        [hash[0], hash[1], hash[2], hash[3]]
    }

    /// Whether `signature` is this witness's over the note text at `time`.
    pub fn verify(&self, text: &str, time: u64, signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        time <= LATEST && self.key.verify_strict(message(text, time).as_bytes(), &signature).is_ok()
    }

    /// The witness's newest cosignature on a note; `None` if no line names its key. That the log signed the note is not
    /// looked at.
    ///
    /// # Errors
    /// [`CheckpointError::Note`], and [`CheckpointError::BadSignature`] where a line names the key and is not its own.
    pub fn find(&self, note: &str) -> Result<Option<Cosignature>, CheckpointError> {
        let (text, signatures) = split(note)?;
        let mut newest: Option<Cosignature> = None;
        for line in signatures.split_inclusive('\n') {
            let (name, key_id, blob) = signature_line(line.trim_end_matches('\n'))?;
            if name != self.name || key_id != self.key_id() {
                continue;
            }
            let bad = || CheckpointError::BadSignature { name: name.to_owned() };
            let (time, signature) = blob.split_first_chunk::<8>().ok_or_else(bad)?;
            let time = u64::from_be_bytes(*time);
            if !signature.try_into().is_ok_and(|signature| self.verify(text, time, signature)) {
                return Err(bad());
            }
            if newest.as_ref().is_none_or(|known| known.time < time) {
                newest = Some(Cosignature { time, line: line.to_owned() });
            }
        }
        Ok(newest)
    }
}

/// What a witness signs (tlog-cosignature, "Ed25519 signed message").
fn message(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// A note with one more signature line, unless it has that line already.
pub fn with_line(note: &str, line: &str) -> String {
    match split(note) {
        Ok((_, signatures)) if signatures.split_inclusive('\n').any(|known| known == line) => note.to_owned(),
        _ => format!("{note}{line}"),
    }
}

/// A note's text, and its signature lines with their newlines: nothing is verified.
///
/// # Errors
/// [`CheckpointError::Note`].
pub fn lines(note: &str) -> Result<(&str, impl Iterator<Item = &str>), CheckpointError> {
    let (text, signatures) = split(note)?;
    Ok((text, signatures.split_inclusive('\n')))
}

/// The vkey text: `name+keyid+base64(0x04 ‖ key)`.
impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = [&[COSIGNATURE][..], self.key.as_bytes()].concat();
        write!(f, "{}+{}+{}", self.name, hex(&self.key_id()), STANDARD.encode(encoded))
    }
}

/// Reads vkey text; newlines after it, as a file has them, are dropped.
impl FromStr for WitnessKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.trim_end_matches(['\r', '\n']).splitn(3, '+');
        let (Some(name), Some(key_id), Some(base64)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Form("it must be name+keyid+base64"));
        };
        let encoded = STANDARD.decode(base64).map_err(|_| KeyError::Form("its last part must be base64"))?;
        let key = match encoded.split_first() {
            Some((&COSIGNATURE, public)) => Self::new(name, public.try_into().map_err(|_| KeyError::PublicKey)?)?,
            _ => return Err(KeyError::NotAWitness),
        };
        if hex(&key.key_id()) == key_id { Ok(key) } else { Err(KeyError::KeyId) }
    }
}

impl fmt::Debug for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WitnessKey({self})")
    }
}

/// A witness's private key. It is wiped when dropped.
pub struct WitnessSigner {
    public: WitnessKey,
    key: SigningKey,
}

impl WitnessSigner {
    /// The key of 32 random bytes.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let key = SigningKey::from_bytes(seed);
        Ok(Self { public: WitnessKey::new(name, key.verifying_key().as_bytes())?, key })
    }

    /// Reads PKCS #8 DER (RFC 8410).
    pub fn from_pkcs8(name: &str, der: &[u8]) -> Result<Self, KeyError> {
        let key =
            SigningKey::from_pkcs8_der(der).map_err(|_| KeyError::Form("it must be an Ed25519 key in PKCS #8"))?;
        Ok(Self { public: WitnessKey::new(name, key.verifying_key().as_bytes())?, key })
    }

    /// PKCS #8 DER (RFC 8410 §7) without the public key, which OpenSSL 3.0 does not read beside the private one.
    pub fn to_pkcs8(&self) -> Result<SecretDocument, KeyError> {
        let pair = KeypairBytes { secret_key: self.key.to_bytes(), public_key: None };
        pair.to_pkcs8_der().map_err(|_| KeyError::PublicKey)
    }

    /// Its public key.
    pub fn public(&self) -> &WitnessKey {
        &self.public
    }

    /// Cosigns: the line to add to the note of `checkpoint`. `time` is in seconds since the Unix epoch, and must not be
    /// before that of the witness's cosignature before.
    pub fn cosign(&self, checkpoint: &Checkpoint, time: u64) -> Cosignature {
        let time = time.min(LATEST);
        let signature = self.key.sign(message(&checkpoint.text(), time).as_bytes());
        let blob = [&self.public.key_id()[..], &time.to_be_bytes(), &signature.to_bytes()].concat();
        Cosignature { time, line: format!("{DASH}{} {}\n", self.public.name, STANDARD.encode(blob)) }
    }
}

impl fmt::Debug for WitnessSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WitnessSigner({})", self.public)
    }
}
