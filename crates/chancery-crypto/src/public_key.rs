//! A registered public key: verifies, or is encrypted to.
//!
//! **Invariant**: the SubjectPublicKeyInfo is kept as it was registered. What verifies is made of it at once where the key
//! comes from outside, and at its first use where it was registered before: most of very many keys are used by nobody.

use super::{Input, digest_algorithm, encoding::to_der, sm2_key::Sm2Key};
use aws_lc_rs::{
    digest::{Digest, SHA256, SHA384, SHA512},
    signature::{self, ParsedPublicKey, VerificationAlgorithm},
};
use chancery_model::{Algorithm, Hash, Mechanism};
use const_oid::ObjectIdentifier;
use der::{AnyRef, Decode, asn1::BitStringRef};
use spki::SubjectPublicKeyInfo;
use std::sync::OnceLock;

/// RFC 5480 §2.1.1.
const ID_EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// GM/T 0006.
const SM2_CURVE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.301");
/// RFC 8410 §3.
const ID_X25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.110");

/// See the module.
#[derive(Debug)]
pub struct PublicKey {
    algorithm: Algorithm,
    spki: Vec<u8>,
    sha256: [u8; 32],
    /// Length of the BIT STRING's contents, which end the SubjectPublicKeyInfo.
    bits: usize,
    /// `None` where the key is not one of its algorithm after all: it verifies nothing.
    verifier: OnceLock<Option<Verifier>>,
}

#[derive(Debug)]
enum Verifier {
    Parsed(ParsedPublicKey),
    /// An RSA key verifies with six algorithms, so it is parsed per signature: that costs little beside the RSA.
    Rsa,
    Sm2(Box<Sm2Key>),
    /// It verifies nothing.
    Agreement,
}

/// The bytes are no public key of the algorithm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the SubjectPublicKeyInfo holds no {0} key")]
pub struct PublicKeyError(Algorithm);

/// RSA verification algorithms by padding and hash; none for SM3.
fn rsa(mechanism: Mechanism, hash: Hash) -> Option<&'static dyn VerificationAlgorithm> {
    match (mechanism, hash) {
        (Mechanism::RsaPss, Hash::Sha256) => Some(&signature::RSA_PSS_2048_8192_SHA256),
        (Mechanism::RsaPss, Hash::Sha384) => Some(&signature::RSA_PSS_2048_8192_SHA384),
        (Mechanism::RsaPss, Hash::Sha512) => Some(&signature::RSA_PSS_2048_8192_SHA512),
        (Mechanism::RsaPkcs1, Hash::Sha256) => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        (Mechanism::RsaPkcs1, Hash::Sha384) => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        (Mechanism::RsaPkcs1, Hash::Sha512) => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        _ => None,
    }
}

/// How aws-lc verifies; `None` for what it does not know or that does not sign.
fn verification(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    match algorithm {
        Algorithm::EcP256 => Some(&signature::ECDSA_P256_SHA256_ASN1),
        Algorithm::EcP384 => Some(&signature::ECDSA_P384_SHA384_ASN1),
        Algorithm::EcP521 => Some(&signature::ECDSA_P521_SHA512_ASN1),
        Algorithm::EcSecp256k1 => Some(&signature::ECDSA_P256K1_SHA256_ASN1),
        Algorithm::Ed25519 => Some(&signature::ED25519),
        Algorithm::Rsa2048 | Algorithm::Rsa3072 | Algorithm::Rsa4096 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::MlDsa44 => Some(&signature::ML_DSA_44),
        Algorithm::MlDsa65 => Some(&signature::ML_DSA_65),
        Algorithm::MlDsa87 => Some(&signature::ML_DSA_87),
        Algorithm::Sm2 | Algorithm::X25519 | Algorithm::Aes256 | Algorithm::Sm4 | Algorithm::HmacSha256 => None,
    }
}

/// A SubjectPublicKeyInfo, and the contents of its BIT STRING.
fn info(spki: &[u8]) -> Option<(SubjectPublicKeyInfo<AnyRef<'_>, BitStringRef<'_>>, &[u8])> {
    let info = SubjectPublicKeyInfo::<AnyRef<'_>, BitStringRef<'_>>::from_der(spki).ok()?;
    let bits = info.subject_public_key.as_bytes()?;
    Some((info, bits))
}

impl Verifier {
    fn of(algorithm: Algorithm, spki: &[u8]) -> Option<Self> {
        let (info, bits) = info(spki)?;
        match (algorithm, verification(algorithm)) {
            (_, Some(verification)) => {
                let parsed = ParsedPublicKey::new(verification, spki).ok()?;
                Some(if algorithm.is_rsa() { Self::Rsa } else { Self::Parsed(parsed) })
            }
            (Algorithm::Sm2, None) => {
                let curve = info.algorithm.parameters_oid().ok()?;
                let named = (info.algorithm.oid, curve) == (ID_EC_PUBLIC_KEY, SM2_CURVE);
                named.then(|| Sm2Key::parse(bits).map(Box::new).map(Self::Sm2)).flatten()
            }
            (Algorithm::X25519, None) => {
                let x25519 = info.algorithm.oid == ID_X25519 && info.algorithm.parameters.is_none();
                (x25519 && bits.len() == 32).then_some(Self::Agreement)
            }
            _ => None,
        }
    }
}

impl PublicKey {
    /// Parses a SubjectPublicKeyInfo, DER.
    ///
    /// # Errors
    /// [`PublicKeyError`] when it is not one of `algorithm`, or the algorithm has no public keys.
    pub fn parse(algorithm: Algorithm, spki: &[u8]) -> Result<Self, PublicKeyError> {
        let key = Self::registered(algorithm, spki)?;
        if key.verifier().is_some() { Ok(key) } else { Err(PublicKeyError(algorithm)) }
    }

    /// One that was parsed before it was registered.
    ///
    /// # Errors
    /// [`PublicKeyError`] when it is no SubjectPublicKeyInfo at all.
    pub fn registered(algorithm: Algorithm, spki: &[u8]) -> Result<Self, PublicKeyError> {
        let (_, bits) = info(spki).ok_or(PublicKeyError(algorithm))?;
        let (sha256, bits) = (super::sha256(spki), bits.len());
        Ok(Self { algorithm, sha256, spki: spki.to_vec(), bits, verifier: OnceLock::new() })
    }

    fn verifier(&self) -> Option<&Verifier> {
        self.verifier.get_or_init(|| Verifier::of(self.algorithm, &self.spki)).as_ref()
    }

    /// What it is made of.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// SubjectPublicKeyInfo, DER.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// SHA-256 of the SubjectPublicKeyInfo.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// The key alone, the contents of the BIT STRING: an uncompressed point, an RSAPublicKey, or the algorithm's bytes.
    pub fn bits(&self) -> &[u8] {
        &self.spki[self.spki.len() - self.bits..]
    }

    /// The key where it is one of SM2.
    pub(crate) fn sm2(&self) -> Option<&Sm2Key> {
        match self.verifier()? {
            Verifier::Sm2(key) => Some(key),
            _ => None,
        }
    }

    /// Whether `signature` is one of `input`: r ‖ s for ECDSA and SM2, the algorithm's own form otherwise.
    pub fn verify(&self, input: &Input, signature: &[u8]) -> bool {
        let Some(verifier) = self.verifier() else { return false };
        match (input.mechanism, verifier) {
            (Mechanism::Ed25519 | Mechanism::MlDsa, Verifier::Parsed(key)) => {
                key.verify_sig(&input.value, signature).is_ok()
            }
            (Mechanism::Ecdsa, Verifier::Parsed(key)) => {
                let Some(digest) = self.ecdsa_digest(&input.value) else { return false };
                let Ok(der) = to_der(self.algorithm, signature) else { return false };
                key.verify_digest_sig(&digest, &der).is_ok()
            }
            (Mechanism::Sm2, Verifier::Sm2(key)) => key.verify(&input.value, signature),
            (mechanism @ (Mechanism::RsaPkcs1 | Mechanism::RsaPss), Verifier::Rsa) => {
                let Some((algorithm, hash)) =
                    input.hash.and_then(|hash| rsa(mechanism, hash).zip(digest_algorithm(hash)))
                else {
                    return false;
                };
                let Ok(digest) = Digest::import_less_safe(&input.value, hash) else { return false };
                signature::UnparsedPublicKey::new(algorithm, &self.spki).verify_digest(&digest, signature).is_ok()
            }
            _ => false,
        }
    }

    /// The digest as the integer that ECDSA signs (FIPS 186-5 §6.4.1), in as many bytes as the verifier's own hash has:
    /// the leftmost bits of a longer one, leading zeros before a shorter one.
    fn ecdsa_digest(&self, value: &[u8]) -> Option<Digest> {
        let (algorithm, length) = match self.algorithm {
            Algorithm::EcP256 | Algorithm::EcSecp256k1 => (&SHA256, 32),
            Algorithm::EcP384 => (&SHA384, 48),
            // 64 bytes are fewer bits than the order of P-521 has: nothing is ever cut.
            Algorithm::EcP521 => (&SHA512, 64),
            _ => return None,
        };
        Digest::import_less_safe(&leftmost(value, length), algorithm).ok()
    }
}

/// The leftmost `length` bytes of a digest, or all of it after leading zeros.
pub(crate) fn leftmost(digest: &[u8], length: usize) -> Vec<u8> {
    let taken = &digest[..digest.len().min(length)];
    [vec![0; length - taken.len()].as_slice(), taken].concat()
}
