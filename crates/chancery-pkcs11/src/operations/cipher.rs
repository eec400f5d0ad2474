//! Encryption schemes: a mechanism with its parameter, on a key's algorithm.
//!
//! **Invariant**: the length of a ciphertext is known before it is made, and how long a plaintext may be; of what is padded
//! or DER, the most it can be.
//!
//! **Not here**: who encrypts (`encrypt`), who decrypts (`decrypt`).

use super::{
    scheme::MOST_BYTES,
    table::{Cipher, Mode},
};
use crate::{
    mechanism::{Mechanism, Parameter},
    rv::{Result, Rv},
};
use chancery_api::v1;
use chancery_crypto::MAXIMUM_SM2_PLAINTEXT;
use chancery_model::{Algorithm, OaepHash};
use cryptoki_sys::{
    CK_MECHANISM_TYPE, CKG_MGF1_SHA1, CKG_MGF1_SHA256, CKG_MGF1_SHA384, CKG_MGF1_SHA512, CKM_SHA_1, CKM_SHA256,
    CKM_SHA384, CKM_SHA512, CKR_MECHANISM_PARAM_INVALID,
};

/// Bytes of a block of AES and SM4.
const BLOCK: usize = 16;
/// Bytes of GCM's tag: the service makes no shorter ones.
const TAG: usize = 16;
/// What SM2 adds: C1 and C3.
const SM2_ADDED: usize = 65 + 32;
/// What SM2 adds at most in DER (GM/T 0009 §7.2): two integers, two octet strings and a sequence, with their headers.
const SM2_ADDED_DER: usize = 35 + 35 + 34 + 4 + 4;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sealing {
    cipher: Cipher,
    algorithm: Algorithm,
    /// GCM's nonce, CBC's initialization vector.
    pub(super) iv: Vec<u8>,
    /// GCM's additional data, OAEP's label.
    pub(super) associated: Vec<u8>,
    /// OAEP's.
    pub(super) hash: Option<OaepHash>,
}

/// Whether keys of an algorithm encrypt so.
pub(super) fn suits(cipher: Cipher, algorithm: Algorithm) -> bool {
    match cipher {
        Cipher::Oaep => algorithm.is_rsa(),
        Cipher::Sm2 { .. } => algorithm == Algorithm::Sm2,
        Cipher::Aes(_) => algorithm == Algorithm::Aes256,
        Cipher::Sm4(_) => algorithm == Algorithm::Sm4,
    }
}

impl Sealing {
    /// # Errors
    /// `CKR_MECHANISM_PARAM_INVALID`.
    pub(super) fn new(cipher: Cipher, mechanism: &Mechanism, algorithm: Algorithm) -> Result<Self> {
        let plain = Self { cipher, algorithm, iv: Vec::new(), associated: Vec::new(), hash: None };
        match (cipher, &mechanism.parameter) {
            (Cipher::Oaep, Parameter::Oaep { hash, mgf, label }) => {
                Ok(Self { associated: label.clone(), hash: Some(oaep_hash(*hash, *mgf)?), ..plain })
            }
            (Cipher::Sm2 { .. }, Parameter::None) => Ok(plain),
            (Cipher::Aes(Mode::Gcm), Parameter::Gcm { iv, aad, tag_bits: 128 }) if iv.len() == 12 => {
                Ok(Self { iv: iv.clone(), associated: aad.clone(), ..plain })
            }
            (Cipher::Aes(Mode::Cbc | Mode::CbcPad) | Cipher::Sm4(_), Parameter::Bytes(iv)) if iv.len() == BLOCK => {
                Ok(Self { iv: iv.clone(), ..plain })
            }
            _ => Err(Rv(CKR_MECHANISM_PARAM_INVALID)),
        }
    }

    /// Whether the public half of a key pair encrypts.
    pub(super) fn is_public(cipher: Cipher) -> bool {
        matches!(cipher, Cipher::Oaep | Cipher::Sm2 { .. })
    }

    fn mode_of(&self) -> Option<Mode> {
        match self.cipher {
            Cipher::Aes(mode) | Cipher::Sm4(mode) => Some(mode),
            Cipher::Oaep | Cipher::Sm2 { .. } => None,
        }
    }

    /// As the service names it.
    pub(super) fn mode(&self) -> v1::CipherMode {
        match self.mode_of() {
            None => v1::CipherMode::Unspecified,
            Some(Mode::Gcm) => v1::CipherMode::Gcm,
            Some(Mode::Cbc) => v1::CipherMode::Cbc,
            Some(Mode::CbcPad) => v1::CipherMode::CbcPad,
        }
    }

    /// As the service names it.
    pub(super) fn oaep_hash(&self) -> v1::OaepHash {
        match self.hash {
            None => v1::OaepHash::Unspecified,
            Some(OaepHash::Sha1) => v1::OaepHash::OaepSha1,
            Some(OaepHash::Sha256) => v1::OaepHash::OaepSha256,
            Some(OaepHash::Sha384) => v1::OaepHash::OaepSha384,
            Some(OaepHash::Sha512) => v1::OaepHash::OaepSha512,
        }
    }

    /// Whether ciphertexts are C1 ‖ C3 ‖ C2, which the service takes and does not give.
    pub(super) fn is_joined(&self) -> bool {
        matches!(self.cipher, Cipher::Sm2 { der: false })
    }

    /// Bytes of the modulus, of RSA.
    fn modulus(&self) -> usize {
        match self.algorithm {
            Algorithm::Rsa2048 => 256,
            Algorithm::Rsa3072 => 384,
            _ => 512,
        }
    }

    /// The longest plaintext of OAEP (RFC 8017 §7.1.1).
    fn oaep_room(&self) -> usize {
        let hash = match self.hash {
            Some(OaepHash::Sha1) => 20,
            Some(OaepHash::Sha384) => 48,
            Some(OaepHash::Sha512) => 64,
            Some(OaepHash::Sha256) | None => 32,
        };
        self.modulus() - 2 * hash - 2
    }

    /// How long the ciphertext of so many bytes is, at most.
    pub(super) fn ciphertext_length(&self, plaintext: usize) -> usize {
        match self.cipher {
            Cipher::Oaep => self.modulus(),
            Cipher::Sm2 { der: false } => plaintext.saturating_add(SM2_ADDED),
            Cipher::Sm2 { der: true } => plaintext.saturating_add(SM2_ADDED_DER),
            Cipher::Aes(mode) | Cipher::Sm4(mode) => match mode {
                Mode::Gcm => plaintext.saturating_add(TAG),
                Mode::Cbc => plaintext,
                Mode::CbcPad => plaintext.saturating_add(BLOCK - plaintext % BLOCK),
            },
        }
    }

    /// How long the plaintext of a ciphertext of so many bytes is, at most.
    pub(super) fn plaintext_length(&self, ciphertext: usize) -> usize {
        match self.cipher {
            Cipher::Oaep => self.oaep_room(),
            Cipher::Sm2 { .. } => ciphertext.saturating_sub(SM2_ADDED),
            Cipher::Aes(Mode::Gcm) | Cipher::Sm4(Mode::Gcm) => ciphertext.saturating_sub(TAG),
            Cipher::Aes(_) | Cipher::Sm4(_) => ciphertext,
        }
    }

    /// Whether so many bytes can be encrypted.
    pub(super) fn takes_plaintext(&self, length: usize) -> bool {
        match (self.cipher, self.mode_of()) {
            (Cipher::Oaep, _) => length <= self.oaep_room(),
            (Cipher::Sm2 { .. }, _) => (1..=MAXIMUM_SM2_PLAINTEXT).contains(&length),
            (_, Some(Mode::Cbc)) => (BLOCK..=MOST_BYTES).contains(&length) && length.is_multiple_of(BLOCK),
            _ => length <= MOST_BYTES,
        }
    }

    /// Whether so many bytes can be decrypted.
    pub(super) fn takes_ciphertext(&self, length: usize) -> bool {
        match (self.cipher, self.mode_of()) {
            (Cipher::Oaep, _) => length == self.modulus(),
            (Cipher::Sm2 { .. }, _) => length <= self.ciphertext_length(MAXIMUM_SM2_PLAINTEXT),
            (_, Some(Mode::Cbc)) => (BLOCK..=MOST_BYTES).contains(&length) && length.is_multiple_of(BLOCK),
            (_, Some(Mode::CbcPad)) => (BLOCK..=MOST_BYTES + BLOCK).contains(&length) && length.is_multiple_of(BLOCK),
            _ => (TAG..=MOST_BYTES + TAG).contains(&length),
        }
    }
}

/// OAEP's hash, with MGF1 of the same hash: the service has no mixed ones.
fn oaep_hash(hash: CK_MECHANISM_TYPE, mgf: u64) -> Result<OaepHash> {
    match (hash, mgf) {
        (CKM_SHA_1, CKG_MGF1_SHA1) => Ok(OaepHash::Sha1),
        (CKM_SHA256, CKG_MGF1_SHA256) => Ok(OaepHash::Sha256),
        (CKM_SHA384, CKG_MGF1_SHA384) => Ok(OaepHash::Sha384),
        (CKM_SHA512, CKG_MGF1_SHA512) => Ok(OaepHash::Sha512),
        _ => Err(Rv(CKR_MECHANISM_PARAM_INVALID)),
    }
}
