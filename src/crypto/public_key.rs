//! A registered public key that can verify.
//!
//! **Invariant**: the key parsed as one of its algorithm; the SubjectPublicKeyInfo is kept as it was registered.

use super::{Input, digest_algorithm, encoding::to_der};
use crate::model::{Algorithm, Hash, Mechanism};
use aws_lc_rs::{
    digest::{Digest, SHA256, SHA384, SHA512},
    signature::{self, ParsedPublicKey, VerificationAlgorithm},
};

/// See the module.
#[derive(Debug)]
pub struct PublicKey {
    algorithm: Algorithm,
    spki: Vec<u8>,
    sha256: [u8; 32],
    parsed: Option<ParsedPublicKey>,
}

/// The bytes are no public key of the algorithm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the SubjectPublicKeyInfo holds no {0} key")]
pub struct PublicKeyError(Algorithm);

/// RSA verification algorithms by padding and hash.
fn rsa(mechanism: Mechanism, hash: Hash) -> &'static dyn VerificationAlgorithm {
    match (mechanism, hash) {
        (Mechanism::RsaPss, Hash::Sha256) => &signature::RSA_PSS_2048_8192_SHA256,
        (Mechanism::RsaPss, Hash::Sha384) => &signature::RSA_PSS_2048_8192_SHA384,
        (Mechanism::RsaPss, Hash::Sha512) => &signature::RSA_PSS_2048_8192_SHA512,
        (_, Hash::Sha256) => &signature::RSA_PKCS1_2048_8192_SHA256,
        (_, Hash::Sha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
        (_, Hash::Sha512) => &signature::RSA_PKCS1_2048_8192_SHA512,
    }
}

impl PublicKey {
    /// Parses a SubjectPublicKeyInfo, DER.
    ///
    /// # Errors
    /// [`PublicKeyError`] when it is not one of `algorithm`.
    pub fn parse(algorithm: Algorithm, spki: &[u8]) -> Result<Self, PublicKeyError> {
        let verification: &'static dyn VerificationAlgorithm = match algorithm {
            Algorithm::EcP256 => &signature::ECDSA_P256_SHA256_ASN1,
            Algorithm::EcP384 => &signature::ECDSA_P384_SHA384_ASN1,
            Algorithm::EcP521 => &signature::ECDSA_P521_SHA512_ASN1,
            Algorithm::EcSecp256k1 => &signature::ECDSA_P256K1_SHA256_ASN1,
            Algorithm::Ed25519 => &signature::ED25519,
            Algorithm::Rsa2048 | Algorithm::Rsa3072 | Algorithm::Rsa4096 => &signature::RSA_PKCS1_2048_8192_SHA256,
        };
        let parsed = ParsedPublicKey::new(verification, spki).map_err(|_| PublicKeyError(algorithm))?;
        // An RSA key verifies with six algorithms, so it is parsed per signature: that costs little beside the RSA.
        let parsed = (!algorithm.is_rsa()).then_some(parsed);
        Ok(Self { algorithm, sha256: super::sha256(spki), spki: spki.to_vec(), parsed })
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

    /// Whether `signature` is one of `input`: r ‖ s for ECDSA, the algorithm's own form otherwise.
    pub fn verify(&self, input: &Input, signature: &[u8]) -> bool {
        match (input.mechanism, &self.parsed) {
            (Mechanism::Ed25519, Some(key)) => key.verify_sig(&input.value, signature).is_ok(),
            (Mechanism::Ecdsa, Some(key)) => {
                let Some(digest) = self.ecdsa_digest(&input.value) else { return false };
                let Ok(der) = to_der(self.algorithm, signature) else { return false };
                key.verify_digest_sig(&digest, &der).is_ok()
            }
            (Mechanism::RsaPkcs1 | Mechanism::RsaPss, None) => {
                let Some(hash) = input.hash else { return false };
                let Ok(digest) = Digest::import_less_safe(&input.value, digest_algorithm(hash)) else { return false };
                signature::UnparsedPublicKey::new(rsa(input.mechanism, hash), &self.spki)
                    .verify_digest(&digest, signature)
                    .is_ok()
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
        let mut bytes = vec![0; length - value.len().min(length)];
        bytes.extend_from_slice(&value[..value.len().min(length)]);
        Digest::import_less_safe(&bytes, algorithm).ok()
    }
}
