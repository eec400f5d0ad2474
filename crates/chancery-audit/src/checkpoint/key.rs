//! Verifier keys: who may sign a checkpoint, as C2SP vkey text.
//!
//! **Invariants**
//! * A key has exactly one text; parsing anything but that text (and a newline after it) fails.
//! * Ed25519 keys of small order are refused, and Ed25519 signatures are verified strictly (no cofactor, no malleability).
//!
//! **Not here**: signature type 0x02 (another project's ECDSA, whose key id does not cover the name), private keys.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::Verifier as _;
use p256::pkcs8::{DecodePublicKey as _, EncodePublicKey as _};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// C2SP signed-note signature type of plain Ed25519.
const ED25519: u8 = 0x01;

/// Our signature type for P-256: 0xff says "no assigned type", and what follows is an identifier of our own
/// (signed-note, "Signature types").
const ECDSA_P256: &[u8] = b"\xffchancery/ecdsa-p256-sha256/v1\n";

/// The public key of a log, with the name it signs under.
///
/// Two types exist: Ed25519 (type 0x01 of signed-note) and ECDSA over P-256 with SHA-256, whose type is the byte 0xff, the
/// text `chancery/ecdsa-p256-sha256/v1` and a newline, whose encoded key is the SPKI DER with the point uncompressed, and
/// whose signatures are ASN.1 DER. In both the key id is the first 4 bytes of SHA-256(name ‖ 0x0A ‖ type ‖ key).
#[derive(Clone)]
pub struct VerifierKey {
    name: String,
    /// Signature type, then encoded public key.
    encoded: Vec<u8>,
    algorithm: Algorithm,
}

#[derive(Clone)]
enum Algorithm {
    Ed25519(ed25519_dalek::VerifyingKey),
    EcdsaP256(p256::ecdsa::VerifyingKey),
}

/// Why text or DER is not a verifier key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// A key's name is empty or holds a space, a plus or a control character.
    #[error("{0:?} cannot be a key's name: it must not be empty nor hold spaces, plus or control characters")]
    Name(String),
    /// The text is not `name+keyid+base64`.
    #[error("not a verifier key: {0}")]
    Form(&'static str),
    /// The key id does not belong to name and key.
    #[error("the key id does not belong to this name and key: the text was changed or copied badly")]
    KeyId,
    /// The algorithm is neither Ed25519 nor ECDSA P-256 in our encoding.
    #[error("only Ed25519 and ECDSA P-256 keys can sign checkpoints")]
    Algorithm,
    /// The key is no witness's.
    #[error(
        "a witness's key is of type 0x04 (cosignature/v1, Ed25519), and this is none; `chancery audit witness init` makes one"
    )]
    NotAWitness,
    /// The public key is not a valid, canonically encoded point of its curve.
    #[error("the public key is invalid or not canonically encoded")]
    PublicKey,
}

impl VerifierKey {
    /// The key in a DER SubjectPublicKeyInfo, Ed25519 or P-256, under the log's name.
    pub fn from_spki(name: &str, spki_der: &[u8]) -> Result<Self, KeyError> {
        check_name(name)?;
        let encoded = if let Ok(key) = ed25519_dalek::VerifyingKey::from_public_key_der(spki_der) {
            [&[ED25519][..], key.as_bytes()].concat()
        } else if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_der(spki_der) {
            let spki = key.to_public_key_der().map_err(|_| KeyError::PublicKey)?;
            [ECDSA_P256, spki.as_bytes()].concat()
        } else {
            return Err(KeyError::Algorithm);
        };
        Ok(Self { name: name.to_owned(), algorithm: decode(&encoded)?, encoded })
    }

    /// The name the key signs under, which is its log's origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What signature lines call the key by, beside its name. Short: it identifies, it does not authenticate.
    pub fn key_id(&self) -> [u8; 4] {
        let hash = Sha256::new().chain_update(&self.name).chain_update(b"\n").chain_update(&self.encoded).finalize();
        [hash[0], hash[1], hash[2], hash[3]]
    }

    /// Whether `signature` is this key's over `text`: 64 bytes for Ed25519 (RFC 8032), ASN.1 DER for ECDSA.
    pub fn verify(&self, text: &str, signature: &[u8]) -> bool {
        match &self.algorithm {
            Algorithm::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(text.as_bytes(), &signature).is_ok()),
            Algorithm::EcdsaP256(key) => p256::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify(text.as_bytes(), &signature).is_ok()),
        }
    }
}

impl VerifierKey {
    /// Of the two ECDSA signatures that are as good as each other, (r, s) and (r, n - s), the one with the smaller s.
    pub(super) fn normalized(&self, signature: &[u8]) -> Vec<u8> {
        match (&self.algorithm, p256::ecdsa::Signature::from_der(signature)) {
            (Algorithm::EcdsaP256(_), Ok(ecdsa)) => ecdsa.normalize_s().to_der().as_bytes().to_vec(),
            _ => signature.to_vec(),
        }
    }
}

pub(super) fn check_name(name: &str) -> Result<(), KeyError> {
    if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+') {
        return Err(KeyError::Name(name.to_owned()));
    }
    Ok(())
}

/// Type and key, as the base64 part of a vkey holds them.
fn decode(encoded: &[u8]) -> Result<Algorithm, KeyError> {
    if let Some(spki) = encoded.strip_prefix(ECDSA_P256) {
        let key = p256::ecdsa::VerifyingKey::from_public_key_der(spki).map_err(|_| KeyError::PublicKey)?;
        let canonical = key.to_public_key_der().map_err(|_| KeyError::PublicKey)?;
        return if canonical.as_bytes() == spki { Ok(Algorithm::EcdsaP256(key)) } else { Err(KeyError::PublicKey) };
    }
    match encoded.split_first() {
        Some((&ED25519, key)) => ed25519(key.try_into().map_err(|_| KeyError::PublicKey)?).map(Algorithm::Ed25519),
        _ => Err(KeyError::Algorithm),
    }
}

/// A public key that is canonically encoded and not of small order.
pub(super) fn ed25519(bytes: &[u8; 32]) -> Result<ed25519_dalek::VerifyingKey, KeyError> {
    let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::PublicKey)?;
    // Some points have a second, unreduced encoding, and from_bytes keeps what it was given.
    let canonical = key.to_edwards().compress().as_bytes() == bytes;
    if canonical && !key.is_weak() { Ok(key) } else { Err(KeyError::PublicKey) }
}

/// The vkey text: `name+keyid+base64(type ‖ key)`, the key id as 8 lower-case hex digits.
impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}+{}", self.name, hex(&self.key_id()), STANDARD.encode(&self.encoded))
    }
}

/// Reads vkey text; newlines after it, as a file has them, are dropped.
impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.trim_end_matches(['\r', '\n']).splitn(3, '+');
        let (Some(name), Some(key_id), Some(base64)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Form("it must be name+keyid+base64"));
        };
        check_name(name)?;
        let encoded = STANDARD.decode(base64).map_err(|_| KeyError::Form("its last part must be base64"))?;
        let key = Self { name: name.to_owned(), algorithm: decode(&encoded)?, encoded };
        if hex(&key.key_id()) != key_id {
            return Err(KeyError::KeyId);
        }
        Ok(key)
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

impl PartialEq for VerifierKey {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.encoded == other.encoded
    }
}

impl Eq for VerifierKey {}

impl Hash for VerifierKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.encoded.hash(state);
    }
}

/// A key id as vkeys spell it.
pub(super) fn hex(key_id: &[u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(*key_id))
}
