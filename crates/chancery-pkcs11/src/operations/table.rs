//! The mechanisms: one row each, with the standard's number or a vendor's, what it does, and for which sizes of keys.
//!
//! **Invariant**: whatever C_GetMechanismList names is here, and what is here is done: a function that has no row for a
//! number answers `CKR_MECHANISM_INVALID`.
//!
//! **Not here**: parameters (`scheme`, `cipher`), making keys (`objects`).

use super::{hashing::Hashing, vendor};
use crate::{
    module::config::SlotConfig,
    rv::{Result, Rv},
};
use chancery_model::Hash;
use cryptoki_sys::*;

/// What a mechanism does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    /// Digests.
    Digest(Hashing),
    /// Signs and verifies.
    Sign(Signs),
    /// Encrypts and decrypts.
    Encrypt(Cipher),
    /// Wraps and unwraps secrets (RFC 5649).
    Wrap,
    /// Derives a secret from an agreement (PKCS#11 v3.0 §2.3.17).
    Agree,
    /// Makes keys.
    MakeKeys,
}

/// How it signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signs {
    /// ECDSA: of what this hash makes of the data, or of the data as a digest.
    Ecdsa(Option<Hashing>),
    /// Ed25519, pure.
    Ed25519,
    /// ML-DSA, pure.
    MlDsa,
    /// RSASSA-PKCS1-v1_5: of what this hash makes of the data, or of the data as a DigestInfo.
    RsaPkcs1(Option<Hash>),
    /// RSASSA-PSS: of what this hash makes of the data, or of the data as the digest of the parameter's hash.
    RsaPss(Option<Hash>),
    /// SM2.
    Sm2 {
        /// The data is the message; otherwise it is e.
        message: bool,
        /// The signature is DER; otherwise it is r ‖ s.
        der: bool,
    },
    /// HMAC with SHA-256.
    Hmac,
}

/// How it encrypts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cipher {
    /// RSAES-OAEP.
    Oaep,
    /// SM2.
    Sm2 {
        /// The ciphertext is DER; otherwise it is C1 ‖ C3 ‖ C2.
        der: bool,
    },
    /// AES.
    Aes(Mode),
    /// SM4.
    Sm4(Mode),
}

/// A block cipher's mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// SP 800-38D.
    Gcm,
    /// SP 800-38A §6.2, whole blocks.
    Cbc,
    /// The same with the padding of PKCS #7.
    CbcPad,
}

/// A mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    /// CKM_*.
    pub(crate) kind: CK_MECHANISM_TYPE,
    /// What it does.
    pub(crate) does: Does,
    /// The smallest and the largest key, in the unit that the standard has for the mechanism; zeros where it has none.
    pub(crate) sizes: (u64, u64),
    /// CKF_*.
    pub(crate) flags: CK_FLAGS,
}

const SIGNATURE: CK_FLAGS = CKF_SIGN | CKF_VERIFY;
const CIPHER: CK_FLAGS = CKF_ENCRYPT | CKF_DECRYPT;
const WEIERSTRASS: CK_FLAGS = CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS;
/// Their curves may be written by name, too (PKCS#11 v3.0 §2.3.3).
const EDWARDS: CK_FLAGS = CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_CURVENAME;

/// Bits.
const EC: (u64, u64) = (256, 521);
/// Bits.
const RSA: (u64, u64) = (2048, 4096);
/// Bytes.
const AES: (u64, u64) = (32, 32);
/// Bytes of the public key.
const ML_DSA: (u64, u64) = (1312, 2592);

const fn row(kind: CK_MECHANISM_TYPE, does: Does, sizes: (u64, u64), flags: CK_FLAGS) -> Row {
    Row { kind, does, sizes, flags }
}

const fn digests(kind: CK_MECHANISM_TYPE, hash: Hashing) -> Row {
    row(kind, Does::Digest(hash), (0, 0), CKF_DIGEST)
}

const fn ecdsa(kind: CK_MECHANISM_TYPE, hash: Option<Hashing>) -> Row {
    row(kind, Does::Sign(Signs::Ecdsa(hash)), EC, SIGNATURE | WEIERSTRASS)
}

const fn rsa(kind: CK_MECHANISM_TYPE, signs: Signs) -> Row {
    row(kind, Does::Sign(signs), RSA, SIGNATURE)
}

const fn aes(kind: CK_MECHANISM_TYPE, mode: Mode) -> Row {
    row(kind, Does::Encrypt(Cipher::Aes(mode)), AES, CIPHER)
}

/// Those of the standard.
const STANDARD: &[Row] = &[
    digests(CKM_SHA_1, Hashing::Sha1),
    digests(CKM_SHA224, Hashing::Sha224),
    digests(CKM_SHA256, Hashing::Sha256),
    digests(CKM_SHA384, Hashing::Sha384),
    digests(CKM_SHA512, Hashing::Sha512),
    row(CKM_EC_KEY_PAIR_GEN, Does::MakeKeys, EC, CKF_GENERATE_KEY_PAIR | WEIERSTRASS),
    ecdsa(CKM_ECDSA, None),
    ecdsa(CKM_ECDSA_SHA1, Some(Hashing::Sha1)),
    ecdsa(CKM_ECDSA_SHA224, Some(Hashing::Sha224)),
    ecdsa(CKM_ECDSA_SHA256, Some(Hashing::Sha256)),
    ecdsa(CKM_ECDSA_SHA384, Some(Hashing::Sha384)),
    ecdsa(CKM_ECDSA_SHA512, Some(Hashing::Sha512)),
    row(CKM_EC_EDWARDS_KEY_PAIR_GEN, Does::MakeKeys, (255, 255), CKF_GENERATE_KEY_PAIR | EDWARDS),
    row(CKM_EDDSA, Does::Sign(Signs::Ed25519), (255, 255), SIGNATURE | EDWARDS),
    row(CKM_EC_MONTGOMERY_KEY_PAIR_GEN, Does::MakeKeys, (255, 255), CKF_GENERATE_KEY_PAIR | EDWARDS),
    row(CKM_ECDH1_DERIVE, Does::Agree, (255, 521), CKF_DERIVE | WEIERSTRASS),
    row(CKM_RSA_PKCS_KEY_PAIR_GEN, Does::MakeKeys, RSA, CKF_GENERATE_KEY_PAIR),
    rsa(CKM_RSA_PKCS, Signs::RsaPkcs1(None)),
    rsa(CKM_SHA256_RSA_PKCS, Signs::RsaPkcs1(Some(Hash::Sha256))),
    rsa(CKM_SHA384_RSA_PKCS, Signs::RsaPkcs1(Some(Hash::Sha384))),
    rsa(CKM_SHA512_RSA_PKCS, Signs::RsaPkcs1(Some(Hash::Sha512))),
    rsa(CKM_RSA_PKCS_PSS, Signs::RsaPss(None)),
    rsa(CKM_SHA256_RSA_PKCS_PSS, Signs::RsaPss(Some(Hash::Sha256))),
    rsa(CKM_SHA384_RSA_PKCS_PSS, Signs::RsaPss(Some(Hash::Sha384))),
    rsa(CKM_SHA512_RSA_PKCS_PSS, Signs::RsaPss(Some(Hash::Sha512))),
    row(CKM_RSA_PKCS_OAEP, Does::Encrypt(Cipher::Oaep), RSA, CIPHER),
    row(CKM_AES_KEY_GEN, Does::MakeKeys, AES, CKF_GENERATE),
    aes(CKM_AES_GCM, Mode::Gcm),
    aes(CKM_AES_CBC, Mode::Cbc),
    aes(CKM_AES_CBC_PAD, Mode::CbcPad),
    row(CKM_AES_KEY_WRAP_KWP, Does::Wrap, AES, CKF_WRAP | CKF_UNWRAP),
    row(CKM_AES_KEY_WRAP_PAD, Does::Wrap, AES, CKF_WRAP | CKF_UNWRAP),
    // Bits here, bytes there, as the standard has it.
    row(CKM_GENERIC_SECRET_KEY_GEN, Does::MakeKeys, (256, 256), CKF_GENERATE),
    row(CKM_SHA256_HMAC, Does::Sign(Signs::Hmac), (32, 32), SIGNATURE),
    row(CKM_ML_DSA_KEY_PAIR_GEN, Does::MakeKeys, ML_DSA, CKF_GENERATE_KEY_PAIR),
    row(CKM_ML_DSA, Does::Sign(Signs::MlDsa), ML_DSA, SIGNATURE),
];

/// All of a slot's.
pub(super) fn rows(slot: &SlotConfig) -> impl Iterator<Item = &'static Row> + use<> {
    STANDARD.iter().chain(vendor::rows(slot.sm2))
}

/// One of a slot's.
///
/// # Errors
/// `CKR_MECHANISM_INVALID`.
pub(super) fn row_of(slot: &SlotConfig, kind: CK_MECHANISM_TYPE) -> Result<&'static Row> {
    rows(slot).find(|row| row.kind == kind).ok_or(Rv(CKR_MECHANISM_INVALID))
}
