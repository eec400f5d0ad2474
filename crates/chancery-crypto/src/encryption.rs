//! Encrypting to a public key.

use super::{PublicKey, sm2_ciphertext};
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384, OAEP_SHA512_MGF1SHA512,
    OaepPublicEncryptingKey, PublicEncryptingKey,
};
use chancery_model::{Algorithm, OaepHash};

/// The plaintext was not encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncryptionError {
    /// The key is for something else.
    #[error("nothing is encrypted to {0} keys; use an RSA or sm2 key")]
    NotForEncryption(Algorithm),
    /// The plaintext does not fit.
    #[error("{algorithm} encrypts {minimum} to {maximum} bytes, not {given}; encrypt a key, and the data with that")]
    Length {
        /// The key's.
        algorithm: Algorithm,
        /// The fewest bytes.
        minimum: usize,
        /// The most bytes.
        maximum: usize,
        /// How many there are.
        given: usize,
    },
    /// SM2 has none.
    #[error("sm2 encryption takes no associated data")]
    NeedsNoLabel,
    /// The library refused: a defect.
    #[error("the plaintext could not be encrypted")]
    Failed,
}

/// `plaintext` encrypted to `key`: RSAES-OAEP with SHA-256 and `label` (RFC 8017 §7.1), or SM2 as DER (GM/T 0009 §7.2).
///
/// # Errors
/// [`EncryptionError`].
pub fn encrypt_to(key: &PublicKey, plaintext: &[u8], label: &[u8]) -> Result<Vec<u8>, EncryptionError> {
    let Some(sm2) = key.sm2() else {
        return encrypt_oaep(key, OaepHash::Sha256, plaintext, label);
    };
    if !label.is_empty() {
        return Err(EncryptionError::NeedsNoLabel);
    }
    fits(key.algorithm(), plaintext, 1, sm2_ciphertext::MAXIMUM_SM2_PLAINTEXT)?;
    let joined = sm2.encrypt(plaintext).ok_or(EncryptionError::Failed)?;
    sm2_ciphertext::sm2_ciphertext_to_der(&joined).ok_or(EncryptionError::Failed)
}

/// `plaintext` encrypted to an RSA key: RSAES-OAEP with `hash`, also for MGF1, and `label` (RFC 8017 §7.1).
///
/// # Errors
/// [`EncryptionError`].
pub fn encrypt_oaep(
    key: &PublicKey,
    hash: OaepHash,
    plaintext: &[u8],
    label: &[u8],
) -> Result<Vec<u8>, EncryptionError> {
    let algorithm = key.algorithm();
    if !algorithm.is_rsa() {
        return Err(EncryptionError::NotForEncryption(algorithm));
    }
    let oaep = match hash {
        OaepHash::Sha1 => &OAEP_SHA1_MGF1SHA1,
        OaepHash::Sha256 => &OAEP_SHA256_MGF1SHA256,
        OaepHash::Sha384 => &OAEP_SHA384_MGF1SHA384,
        OaepHash::Sha512 => &OAEP_SHA512_MGF1SHA512,
    };
    let rsa = PublicEncryptingKey::from_der(key.spki()).and_then(|key| Ok(OaepPublicEncryptingKey::new(key)?));
    let rsa = rsa.map_err(|_| EncryptionError::Failed)?;
    fits(algorithm, plaintext, 0, rsa.max_plaintext_size(oaep))?;
    let mut ciphertext = vec![0; rsa.ciphertext_size()];
    let written =
        rsa.encrypt(oaep, plaintext, &mut ciphertext, Some(label)).map_err(|_| EncryptionError::Failed)?.len();
    ciphertext.truncate(written);
    Ok(ciphertext)
}

fn fits(algorithm: Algorithm, plaintext: &[u8], minimum: usize, maximum: usize) -> Result<(), EncryptionError> {
    match plaintext.len() {
        given if (minimum..=maximum).contains(&given) => Ok(()),
        given => Err(EncryptionError::Length { algorithm, minimum, maximum, given }),
    }
}
