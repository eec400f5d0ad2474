//! Signature schemes: a mechanism with its parameter, on a key's algorithm.
//!
//! **Invariants**
//! * Signing and verifying take the same data to the same input.
//! * The length of a signature is known before it is made; of DER, the most it can be.
//!
//! **Not here**: who signs (`sign`), who verifies (`verify`).

use super::{bytes::GatheredBytes, hashing::Hasher, table::Signs};
use crate::{
    mechanism::{Mechanism, Parameter},
    module::config::Quirks,
    rv::{Result, Rv},
};
use chancery_api::v1;
use chancery_crypto::{Input, Signable};
use chancery_model::{Algorithm, Hash, Mechanism as How, RsaPadding};
use cryptoki_sys::{
    CK_MECHANISM_TYPE, CKG_MGF1_SHA256, CKG_MGF1_SHA384, CKG_MGF1_SHA512, CKM_SHA256, CKM_SHA384, CKM_SHA512,
    CKR_DATA_INVALID, CKR_DATA_LEN_RANGE, CKR_MECHANISM_PARAM_INVALID,
};
use zeroize::Zeroizing;

/// The most bytes that the service takes of anything.
pub(super) const MOST_BYTES: usize = 3 << 20;
/// The longest user id of SM2 (GB/T 32918.2 §5.5).
const MOST_USER_ID: usize = 8191;
/// The longest digest that ECDSA is given.
const MOST_DIGEST: usize = 64;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scheme {
    signs: Signs,
    algorithm: Algorithm,
    /// RSASSA-PSS over a digest.
    hash: Option<Hash>,
    /// SM2; `None`: the default one.
    user_id: Option<Vec<u8>>,
    der: bool,
    low_s: bool,
}

/// Data on its way into a signature.
#[derive(Clone)]
pub(super) enum Gathered {
    /// Hashed as it comes.
    Hash(Hasher),
    /// Kept.
    Bytes(GatheredBytes),
}

impl Gathered {
    /// None so far, to be kept.
    pub(super) fn bytes() -> Self {
        Self::Bytes(GatheredBytes::default())
    }

    /// More data.
    ///
    /// # Errors
    /// `CKR_DATA_LEN_RANGE`: more than the service takes.
    pub(super) fn add(&mut self, part: &[u8]) -> Result<()> {
        match self {
            Self::Hash(hasher) => {
                hasher.update(part);
                Ok(())
            }
            Self::Bytes(bytes) => bytes.add(part),
        }
    }

    /// The digest, or the data.
    pub(super) fn finish(self) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Hash(hasher) => Zeroizing::new(hasher.finish()),
            Self::Bytes(bytes) => bytes.finish(),
        }
    }
}

/// Whether keys of an algorithm sign so.
pub(super) fn suits(signs: Signs, algorithm: Algorithm) -> bool {
    match signs {
        Signs::Ecdsa(_) => algorithm.ecdsa_width().is_some(),
        Signs::Ed25519 => algorithm == Algorithm::Ed25519,
        Signs::MlDsa => algorithm.is_ml_dsa(),
        Signs::RsaPkcs1(_) | Signs::RsaPss(_) => algorithm.is_rsa(),
        Signs::Sm2 { .. } => algorithm == Algorithm::Sm2,
        Signs::Hmac => algorithm == Algorithm::HmacSha256,
    }
}

impl Scheme {
    /// # Errors
    /// `CKR_MECHANISM_PARAM_INVALID`.
    pub(super) fn new(signs: Signs, mechanism: &Mechanism, algorithm: Algorithm, quirks: Quirks) -> Result<Self> {
        let (mut hash, mut user_id) = (None, None);
        match (signs, &mechanism.parameter) {
            (Signs::RsaPss(of), Parameter::Pss { .. }) => hash = Some(pss_hash(of, &mechanism.parameter)?),
            (Signs::RsaPss(_), _) => return Err(Rv(CKR_MECHANISM_PARAM_INVALID)),
            (_, Parameter::None) => {}
            (Signs::Sm2 { message: true, .. }, Parameter::Bytes(id)) if id.len() <= MOST_USER_ID => {
                user_id = Some(id.clone());
            }
            // Ed25519ctx and Ed25519ph the service does not have.
            (Signs::Ed25519, Parameter::Eddsa { prehash: false, context }) if context.is_empty() => {}
            // Hedging is the token's affair: it may be preferred, not demanded nor forbidden.
            (Signs::MlDsa, Parameter::MlDsa { hedge: 0, context }) if context.is_empty() => {}
            _ => return Err(Rv(CKR_MECHANISM_PARAM_INVALID)),
        }
        let (der, low_s) = match signs {
            Signs::Ecdsa(_) => (quirks.ecdsa_der, quirks.ecdsa_low_s),
            Signs::Sm2 { der, message } => (der || (message && quirks.ecdsa_der), false),
            _ => (false, false),
        };
        Ok(Self { signs, algorithm, hash, user_id, der, low_s })
    }

    /// Whether it is HMAC.
    pub(super) fn is_hmac(&self) -> bool {
        self.signs == Signs::Hmac
    }

    /// Where the data goes.
    pub(super) fn gather(&self) -> Gathered {
        let hashing = match self.signs {
            Signs::Ecdsa(hashing) => hashing,
            Signs::RsaPkcs1(hash) | Signs::RsaPss(hash) => hash.map(Into::into),
            _ => None,
        };
        hashing.map_or_else(Gathered::bytes, |hashing| Gathered::Hash(hashing.begin()))
    }

    /// The length of a signature in bytes; of DER, the most.
    pub(super) fn length(&self) -> usize {
        let raw = match self.algorithm {
            Algorithm::EcP256 | Algorithm::EcSecp256k1 | Algorithm::Ed25519 | Algorithm::Sm2 => 64,
            Algorithm::EcP384 => 96,
            Algorithm::EcP521 => 132,
            Algorithm::Rsa2048 => 256,
            Algorithm::Rsa3072 => 384,
            Algorithm::Rsa4096 => 512,
            Algorithm::MlDsa44 => 2420,
            Algorithm::MlDsa65 => 3309,
            Algorithm::MlDsa87 => 4627,
            // HMAC; the others sign nothing.
            Algorithm::HmacSha256 | Algorithm::X25519 | Algorithm::Aes256 | Algorithm::Sm4 => 32,
        };
        match (self.der, self.algorithm) {
            (false, _) => raw,
            // The sequence's header has three bytes, but no integer needs a sign byte: the order has 521 bits.
            (true, Algorithm::EcP521) => raw + 2 * 2 + 3,
            (true, _) => raw + 2 * 3 + 2,
        }
    }

    /// Whether a signature may have this length.
    pub(super) fn may_have(&self, length: usize) -> bool {
        if self.der { length <= self.length() } else { length == self.length() }
    }

    /// What is signed of the gathered data.
    ///
    /// # Errors
    /// `CKR_DATA_LEN_RANGE`, `CKR_DATA_INVALID`.
    pub(super) fn signable(&self, data: Vec<u8>) -> Result<Signable> {
        let digest = |hash, value| Ok(Signable::Digest { hash, value });
        let of_length = |fits: bool| if fits { Ok(()) } else { Err(Rv(CKR_DATA_LEN_RANGE)) };
        match self.signs {
            Signs::Ecdsa(hashing) => {
                of_length((1..=MOST_DIGEST).contains(&data.len()))?;
                digest(hashing.and_then(super::hashing::Hashing::named), data)
            }
            Signs::RsaPkcs1(Some(hash)) => digest(Some(hash), data),
            Signs::RsaPkcs1(None) => {
                let (hash, value) = parse_digest_info(&data).ok_or(Rv(CKR_DATA_INVALID))?;
                digest(Some(hash), value.to_vec())
            }
            Signs::RsaPss(_) => {
                of_length(self.hash.is_some_and(|hash| hash.length() == data.len()))?;
                digest(self.hash, data)
            }
            Signs::Sm2 { message: false, .. } => {
                of_length(data.len() == Hash::Sm3.length())?;
                digest(Some(Hash::Sm3), data)
            }
            Signs::Sm2 { message: true, .. } | Signs::Ed25519 | Signs::MlDsa | Signs::Hmac => {
                Ok(Signable::Message { hash: None, value: data, user_id: self.user_id.clone() })
            }
        }
    }

    /// The padding, of RSA.
    pub(super) fn padding(&self) -> Option<RsaPadding> {
        match self.signs {
            Signs::RsaPkcs1(_) => Some(RsaPadding::Pkcs1),
            Signs::RsaPss(_) => Some(RsaPadding::Pss),
            _ => None,
        }
    }

    /// How signatures are written.
    pub(super) fn format(&self) -> v1::SignatureFormat {
        if self.der { v1::SignatureFormat::Der } else { v1::SignatureFormat::Raw }
    }

    /// Whether the smaller s is asked for; `None` where there is nothing to ask.
    pub(super) fn low_s(&self) -> Option<bool> {
        matches!(self.signs, Signs::Ecdsa(_)).then_some(self.low_s)
    }
}

/// The hash of CK_RSA_PKCS_PSS_PARAMS: that of the mechanism where it has one, with MGF1 of the same hash and a salt as long
/// as the digest, for the service makes no other signatures.
fn pss_hash(of: Option<Hash>, parameter: &Parameter) -> Result<Hash> {
    const HASHES: [(CK_MECHANISM_TYPE, u64, Hash); 3] = [
        (CKM_SHA256, CKG_MGF1_SHA256, Hash::Sha256),
        (CKM_SHA384, CKG_MGF1_SHA384, Hash::Sha384),
        (CKM_SHA512, CKG_MGF1_SHA512, Hash::Sha512),
    ];
    let Parameter::Pss { hash, mgf, salt } = parameter else { return Err(Rv(CKR_MECHANISM_PARAM_INVALID)) };
    HASHES
        .into_iter()
        .find(|row| (row.0, row.1) == (*hash, *mgf))
        .map(|row| row.2)
        .filter(|hash| *salt == hash.length() as u64 && of.is_none_or(|of| of == *hash))
        .ok_or(Rv(CKR_MECHANISM_PARAM_INVALID))
}

/// The hash and the digest of a DigestInfo (RFC 8017 §9.2) in its one encoding with NULL parameters, of SHA-256, SHA-384 or
/// SHA-512. Others the service signs none of: SHA-1 and MD5 are broken, and bytes without a hash's name could be anything.
fn parse_digest_info(data: &[u8]) -> Option<(Hash, &[u8])> {
    [Hash::Sha256, Hash::Sha384, Hash::Sha512].into_iter().find_map(|hash| {
        let prefix = Input { mechanism: How::RsaPkcs1, hash: Some(hash), value: Vec::new() }.taken();
        let digest = data.strip_prefix(prefix.as_slice())?;
        (digest.len() == hash.length()).then_some((hash, digest))
    })
}
