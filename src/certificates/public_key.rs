//! A public key, in the one encoding that is accepted.

use super::CertificateError;
use crate::model::Algorithm;
use const_oid::{
    ObjectIdentifier,
    db::{
        rfc5912::{ID_EC_PUBLIC_KEY, RSA_ENCRYPTION, SECP_256_R_1, SECP_384_R_1, SECP_521_R_1},
        rfc8410::{ID_ED_25519, ID_X_25519 as ID_X25519},
    },
};
use der::{
    AnyRef, Decode, Encode, Tag, Tagged,
    asn1::{BitStringRef, UintRef},
};
use sha2::{Digest, Sha256};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfo};

/// SEC 2 §2.4.1.
const SECP_256_K_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.10");
/// GM/T 0006.
const SM2_CURVE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.301");
/// RFC 9881 §2: of a key and of its signatures.
pub(super) const ID_ML_DSA_44: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17");
pub(super) const ID_ML_DSA_65: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18");
pub(super) const ID_ML_DSA_87: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.19");
const RSA_PUBLIC_EXPONENT: &[u8] = &[1, 0, 1];

/// A SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) of one of the algorithms of [`Algorithm`] that sign.
///
/// Keys are compared by their hashes, so a second encoding of a key would be a way around every such comparison.
/// Therefore exactly one is accepted: named curves and uncompressed points (RFC 5480 §2), RSA with NULL parameters
/// (RFC 3279 §2.3.1) and exponent 65537, Ed25519 and ML-DSA without parameters (RFC 8410 §3, RFC 9881 §4). SM2 is a
/// named curve (GM/T 0009 §7.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    algorithm: Algorithm,
    der: Vec<u8>,
    bits: Vec<u8>,
}

impl PublicKey {
    /// From a SubjectPublicKeyInfo, DER.
    ///
    /// # Errors
    /// [`CertificateError::Malformed`] when it does not parse or is no key of its curve,
    /// [`CertificateError::UnsupportedKey`] when the algorithm, the size or the encoding is not accepted.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        let malformed = CertificateError::malformed("public key");
        let info = SubjectPublicKeyInfo::<AnyRef<'_>, BitStringRef<'_>>::from_der(der).map_err(&malformed)?;
        let bits = info.subject_public_key.as_bytes().ok_or_else(|| unsupported("its length is no number of bytes"))?;
        let algorithm = match info.algorithm.oid {
            ID_EC_PUBLIC_KEY => elliptic(&info.algorithm, bits)?,
            ID_ED_25519 => bare(Algorithm::Ed25519, 32, &info.algorithm, bits)?,
            ID_ML_DSA_44 => bare(Algorithm::MlDsa44, 1312, &info.algorithm, bits)?,
            ID_ML_DSA_65 => bare(Algorithm::MlDsa65, 1952, &info.algorithm, bits)?,
            ID_ML_DSA_87 => bare(Algorithm::MlDsa87, 2592, &info.algorithm, bits)?,
            ID_X25519 => return Err(unsupported(&format!("x25519 keys sign nothing; {OFFERED}"))),
            RSA_ENCRYPTION => rsa(&info.algorithm, bits)?,
            other => return Err(unsupported(&format!("algorithm {other}; {OFFERED}"))),
        };
        // The decoder is strict; this holds whatever it may learn to tolerate.
        if info.to_der().map_err(malformed)? != der {
            return Err(unsupported("not encoded by the distinguished encoding rules (DER)"));
        }
        Ok(Self { algorithm, der: der.to_owned(), bits: bits.to_owned() })
    }

    /// What it is made of.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The SubjectPublicKeyInfo, DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of the SubjectPublicKeyInfo, DER: what registrations pin.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.der).into()
    }

    /// The leftmost 160 bits of the SHA-256 of the key (RFC 7093 §2 method 1): its subject key identifier.
    pub fn key_identifier(&self) -> [u8; 20] {
        let mut identifier = [0; 20];
        identifier.copy_from_slice(&Sha256::digest(&self.bits)[..20]);
        identifier
    }

    /// The contents of the BIT STRING: a point, an RSAPublicKey, or the algorithm's bytes.
    pub(crate) fn bits(&self) -> &[u8] {
        &self.bits
    }
}

const OFFERED: &str = "use ECDSA on P-256, P-384, P-521 or secp256k1, Ed25519, RSA of 2048, 3072 or 4096 bits, SM2, or \
                       ML-DSA";

fn unsupported(why: &str) -> CertificateError {
    CertificateError::UnsupportedKey(why.to_owned())
}

fn elliptic(identifier: &AlgorithmIdentifierRef<'_>, point: &[u8]) -> Result<Algorithm, CertificateError> {
    let curve = identifier.parameters_oid().map_err(|_| unsupported("the curve is not named; use a named curve"))?;
    let (algorithm, on_curve): (_, fn(&[u8]) -> bool) = match curve {
        SECP_256_R_1 => (Algorithm::EcP256, |point| p256::PublicKey::from_sec1_bytes(point).is_ok()),
        SECP_384_R_1 => (Algorithm::EcP384, |point| p384::PublicKey::from_sec1_bytes(point).is_ok()),
        SECP_521_R_1 => (Algorithm::EcP521, |point| p521::PublicKey::from_sec1_bytes(point).is_ok()),
        SECP_256_K_1 => (Algorithm::EcSecp256k1, |point| k256::PublicKey::from_sec1_bytes(point).is_ok()),
        SM2_CURVE => (Algorithm::Sm2, |point| sm2::PublicKey::from_sec1_bytes(point).is_ok()),
        other => return Err(unsupported(&format!("curve {other}; {OFFERED}"))),
    };
    let uncompressed = point.len() == 1 + 2 * algorithm.ecdsa_width().unwrap_or(32);
    if point.first() != Some(&4) || !uncompressed {
        return Err(unsupported("the point is not in uncompressed form; encode it anew as 04 ‖ x ‖ y"));
    }
    if !on_curve(point) {
        return Err(CertificateError::Malformed { what: "public key", why: "the point is not on its curve".into() });
    }
    Ok(algorithm)
}

/// A key of `length` bytes without parameters.
fn bare(
    algorithm: Algorithm,
    length: usize,
    identifier: &AlgorithmIdentifierRef<'_>,
    key: &[u8],
) -> Result<Algorithm, CertificateError> {
    if identifier.parameters.is_some() {
        return Err(unsupported(&format!("{algorithm} has no parameters; encode it anew without")));
    }
    if key.len() != length {
        let why = format!("{algorithm} keys have {length} bytes");
        return Err(CertificateError::Malformed { what: "public key", why });
    }
    Ok(algorithm)
}

/// RSAPublicKey (RFC 8017 §A.1.1).
#[derive(der::Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
}

fn rsa(identifier: &AlgorithmIdentifierRef<'_>, key: &[u8]) -> Result<Algorithm, CertificateError> {
    if identifier.parameters.is_none_or(|parameters| parameters.tag() != Tag::Null) {
        return Err(unsupported("the parameters of an RSA key are NULL; encode it anew with them"));
    }
    let malformed = CertificateError::malformed("RSA public key");
    let parsed = RsaPublicKey::from_der(key).map_err(&malformed)?;
    if parsed.to_der().map_err(&malformed)? != key {
        return Err(unsupported("not encoded by the distinguished encoding rules (DER)"));
    }
    // One modulus, one key: the same modulus under another exponent would be the same private key's twin.
    if parsed.public_exponent.as_bytes() != RSA_PUBLIC_EXPONENT {
        return Err(unsupported("RSA with a public exponent other than 65537"));
    }
    let modulus = parsed.modulus.as_bytes();
    let odd = modulus.last().is_some_and(|last| last & 1 == 1);
    let bits = modulus.first().map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize);
    match bits {
        _ if !odd => Err(CertificateError::Malformed { what: "RSA public key", why: "the modulus is even".into() }),
        2048 => Ok(Algorithm::Rsa2048),
        3072 => Ok(Algorithm::Rsa3072),
        4096 => Ok(Algorithm::Rsa4096),
        bits => Err(unsupported(&format!("RSA of {bits} bits; {OFFERED}"))),
    }
}
