//! Enclave keys while they are open: software keys of every algorithm.
//!
//! [`SoftwareKey`] is one opened key. The bytes that are wrapped, its *secret encoding*, are the scalar in the width of
//! the curve's order, the seed of Ed25519, X25519 and ML-DSA, a PKCS#8 PrivateKeyInfo for RSA, and the bytes of a
//! secret key.
//!
//! **Invariants**
//! * What an opened key holds lies in `memory`, or, as an object of AWS-LC, on the C heap: AWS-LC cleanses what it frees,
//!   but its objects are locked only with the whole process. Work is done on a stack that is wiped after. (One thing
//!   stays behind: AWS-LC's Rust interface frees the result of an agreement, not the key, without wiping it.)
//! * A mechanism is performed only with a key of an algorithm that it is for ([`FaultReason::WrongUse`]) and on an input
//!   of a length that it takes ([`FaultReason::BadRequest`]). What a stranger may have made, a ciphertext or the other
//!   side's point, is [`FaultReason::BadInput`] when it is wrong, and the answer doesn't say how.
//! * Signatures with ECDSA and SM2 have nonces that are hedged: made of the key, the digest and random bytes. RSA
//!   results are checked with the public key before they leave (AWS-LC does).
//!
//! **Not here**: who may use a key and for what (`chanceryd`, and the enclave's dispatch by purpose), wrapping, the
//! cache of opened keys.

mod canonical;
mod cbc;
mod edwards;
mod hedge;
mod import;
mod ml_dsa;
mod montgomery;
mod nist;
mod pkcs8;
mod public_key;
mod rsa;
mod scalar;
mod secp256k1;
mod sm2;
mod symmetric;
#[cfg(test)]
mod tests;

use aes_kw::aes::Aes256;
use chancery_ipc::{FaultReason, KeyAlgorithm, Mechanism};
use sm4::Sm4;
use zeroize::Zeroizing;

use self::{
    edwards::Ed25519, ml_dsa::MlDsa, montgomery::X25519, nist::Nist, rsa::Rsa, scalar::Curve, secp256k1::Secp256k1,
    sm2::Sm2,
};
use crate::{
    fault::Failure,
    memory::{SecretBytes, on_clean_stack},
};

pub(crate) use cbc::{pad, unpad};
pub(crate) use import::check_import;
pub(crate) use pkcs8::to_token_form;
pub(crate) use public_key::peer_point;

/// What a mechanism gave. Wiped, since it may be a plaintext or a shared secret.
pub(crate) type Output = Zeroizing<Vec<u8>>;

/// What a mechanism takes: see [`Mechanism`]. Empty what it does not take.
#[derive(Clone, Copy, Default)]
pub(crate) struct Input<'a> {
    /// The message, the ciphertext, …
    pub(crate) bytes: &'a [u8],
    /// The nonce or initialization vector.
    pub(crate) iv: &'a [u8],
    /// GCM: associated data. RSAES-OAEP: the label.
    pub(crate) associated_data: &'a [u8],
}

/// Where random bytes come from: for keys the token's mixed with the system's, for nonces the system's.
pub(crate) trait Random {
    /// Fills all of `bytes`.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Failure>;
}

/// An opened key.
pub(crate) struct SoftwareKey {
    algorithm: KeyAlgorithm,
    public_key: Vec<u8>,
    opened: Opened,
}

/// What it is opened as.
enum Opened {
    Nist(Nist),
    Secp256k1(Secp256k1),
    Ed25519(Ed25519),
    Rsa(Rsa),
    Sm2(Sm2),
    MlDsa(MlDsa),
    X25519(X25519),
    Aes(SecretBytes),
    Sm4(SecretBytes),
    Hmac(SecretBytes),
}

impl SoftwareKey {
    /// Makes a key. Also gives its secret encoding.
    ///
    /// RSA primes come from AWS-LC's own generator, which takes no randomness from us.
    pub(crate) fn generate(algorithm: KeyAlgorithm, random: &mut dyn Random) -> Result<(Self, SecretBytes), Failure> {
        let secret = match algorithm {
            KeyAlgorithm::Unspecified => return Err(Failure::bad_request("no key algorithm is named")),
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => rsa::generate(algorithm)?,
            _ => match Curve::of(algorithm) {
                Some(curve) => curve.draw(random)?,
                None => {
                    let mut bytes = SecretBytes::zeroed(secret_length(algorithm))?;
                    random.fill(&mut bytes)?;
                    bytes
                }
            },
        };
        Ok((Self::from_secret(algorithm, &secret)?, secret))
    }

    /// Opens a key from its secret encoding; [`FaultReason::BadKey`] if it is none of a key of `algorithm`.
    pub(crate) fn from_secret(algorithm: KeyAlgorithm, secret: &[u8]) -> Result<Self, Failure> {
        if let Some(curve) = Curve::of(algorithm) {
            curve.check(secret)?;
        } else if !is_rsa(algorithm) && secret.len() != secret_length(algorithm) {
            return Err(bad_key(algorithm, "its secret has another length"));
        }
        on_clean_stack(|| Self::open(algorithm, secret))
    }

    fn open(algorithm: KeyAlgorithm, secret: &[u8]) -> Result<Self, Failure> {
        let (public_key, opened) = match algorithm {
            KeyAlgorithm::Unspecified => return Err(Failure::bad_request("no key algorithm is named")),
            KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384 | KeyAlgorithm::EcP521 => {
                let key = Nist::open(algorithm, secret)?;
                (key.public_key(), Opened::Nist(key))
            }
            KeyAlgorithm::EcSecp256k1 => {
                let key = Secp256k1::open(secret)?;
                (key.public_key(), Opened::Secp256k1(key))
            }
            KeyAlgorithm::Ed25519 => {
                let key = Ed25519::open(secret)?;
                (key.public_key(), Opened::Ed25519(key))
            }
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
                let key = Rsa::open(algorithm, secret)?;
                (key.public_key(), Opened::Rsa(key))
            }
            KeyAlgorithm::Sm2 => {
                let key = Sm2::open(secret)?;
                (key.public_key(), Opened::Sm2(key))
            }
            KeyAlgorithm::MlDsa44 | KeyAlgorithm::MlDsa65 | KeyAlgorithm::MlDsa87 => {
                let key = MlDsa::open(algorithm, secret)?;
                (key.public_key(algorithm), Opened::MlDsa(key))
            }
            KeyAlgorithm::X25519 => {
                let key = X25519::open(secret)?;
                (key.public_key()?, Opened::X25519(key))
            }
            KeyAlgorithm::Aes256 => (Vec::new(), Opened::Aes(SecretBytes::copy_of(secret)?)),
            KeyAlgorithm::Sm4 => (Vec::new(), Opened::Sm4(SecretBytes::copy_of(secret)?)),
            KeyAlgorithm::HmacSha256 => (Vec::new(), Opened::Hmac(SecretBytes::copy_of(secret)?)),
        };
        Ok(Self { algorithm, public_key, opened })
    }

    /// What it is made of.
    pub(crate) fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// SubjectPublicKeyInfo, DER, in the one encoding that is accepted; empty for a secret key.
    pub(crate) fn public_key_spki(&self) -> &[u8] {
        &self.public_key
    }

    /// Uses the key: see [`Mechanism`] for what goes in and comes out.
    pub(crate) fn use_key(
        &self,
        mechanism: Mechanism,
        input: Input<'_>,
        random: &mut dyn Random,
    ) -> Result<Output, Failure> {
        if mechanism == Mechanism::Unspecified {
            return Err(Failure::bad_request("no mechanism is named"));
        }
        on_clean_stack(|| self.perform(mechanism, input, random))
    }

    fn perform(&self, mechanism: Mechanism, input: Input<'_>, random: &mut dyn Random) -> Result<Output, Failure> {
        use Mechanism as M;
        use Opened as O;
        let Input { bytes: input, iv, associated_data } = input;
        match (mechanism, &self.opened) {
            (M::Ecdsa, O::Nist(key)) => key.sign(input, random),
            (M::Ecdsa, O::Secp256k1(key)) => key.sign(input, random),
            (M::EcdsaCanonical, O::Nist(key)) if self.algorithm == KeyAlgorithm::EcP256 => {
                canonical::sign(Curve::P256, || key.sign(input, random))
            }
            (M::EcdsaCanonical, O::Secp256k1(key)) => canonical::sign(Curve::Secp256k1, || key.sign(input, random)),
            (M::Eddsa, O::Ed25519(key)) => key.sign(input),
            (M::RsaPkcs1, O::Rsa(key)) => key.sign_pkcs1(input),
            (M::RsaPssSha256 | M::RsaPssSha384 | M::RsaPssSha512, O::Rsa(key)) => key.sign_pss(mechanism, input),
            (
                M::RsaOaepSha1Decrypt | M::RsaOaepSha256Decrypt | M::RsaOaepSha384Decrypt | M::RsaOaepSha512Decrypt,
                O::Rsa(key),
            ) => key.decrypt(mechanism, input, associated_data),
            (M::Sm2, O::Sm2(key)) => key.sign(input, random),
            (M::Sm2Decrypt, O::Sm2(key)) => key.decrypt(input),
            (M::MlDsa, O::MlDsa(key)) => key.sign(input),
            (M::Ecdh, O::Nist(key)) => key.agree(input),
            (M::Ecdh, O::X25519(key)) => key.agree(input),
            (M::GcmEncrypt, O::Aes(key)) => symmetric::aes_gcm_encrypt(key, input, associated_data, random),
            (M::GcmEncryptGivenNonce, O::Aes(key)) => symmetric::aes_gcm_encrypt_given(key, iv, input, associated_data),
            (M::GcmDecrypt, O::Aes(key)) => symmetric::aes_gcm_decrypt(key, input, associated_data),
            (M::GcmEncrypt, O::Sm4(key)) => symmetric::sm4_gcm_encrypt(key, input, associated_data, random),
            (M::GcmEncryptGivenNonce, O::Sm4(key)) => symmetric::sm4_gcm_encrypt_given(key, iv, input, associated_data),
            (M::GcmDecrypt, O::Sm4(key)) => symmetric::sm4_gcm_decrypt(key, input, associated_data),
            (M::CbcEncrypt | M::CbcPadEncrypt, O::Aes(key)) => cbc::encrypt::<Aes256>(mechanism, key, iv, input),
            (M::CbcEncrypt | M::CbcPadEncrypt, O::Sm4(key)) => cbc::encrypt::<Sm4>(mechanism, key, iv, input),
            (M::CbcDecrypt | M::CbcPadDecrypt, O::Aes(key)) => cbc::decrypt::<Aes256>(mechanism, key, iv, input),
            (M::CbcDecrypt | M::CbcPadDecrypt, O::Sm4(key)) => cbc::decrypt::<Sm4>(mechanism, key, iv, input),
            (M::KwpWrap, O::Aes(key)) => symmetric::kwp_wrap(key, input),
            (M::KwpUnwrap, O::Aes(key)) => symmetric::kwp_unwrap(key, input),
            (M::HmacSha256, O::Hmac(key)) => Ok(symmetric::hmac_sha256(key, input)),
            (mechanism, _) => {
                let message = format!("{mechanism:?} is no mechanism for a key of {:?}", self.algorithm);
                Err(Failure::new(FaultReason::WrongUse, message))
            }
        }
    }
}

/// Signs with fresh nonces until the signature is as [`Mechanism::EcdsaCanonical`] says. For whoever else holds the key:
/// `sign` gives r ‖ s in the width of the curve of `algorithm`.
pub(crate) fn until_canonical<E: From<Failure>>(
    algorithm: KeyAlgorithm,
    sign: impl FnMut() -> Result<Output, E>,
) -> Result<Output, E> {
    match Curve::of(algorithm) {
        Some(curve @ (Curve::P256 | Curve::Secp256k1)) => canonical::sign(curve, sign),
        _ => Err(Failure::bad_request(format!("keys of {algorithm:?} make no canonical signatures")).into()),
    }
}

fn is_rsa(algorithm: KeyAlgorithm) -> bool {
    matches!(algorithm, KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096)
}

/// Bytes of a seed or a secret key: of what is neither a scalar nor RSA.
fn secret_length(algorithm: KeyAlgorithm) -> usize {
    if algorithm == KeyAlgorithm::Sm4 { 16 } else { 32 }
}

/// The bytes are no key of `algorithm`, or a weak one.
fn bad_key(algorithm: KeyAlgorithm, why: &str) -> Failure {
    Failure::new(FaultReason::BadKey, format!("no key of {algorithm:?} that can be used: {why}"))
}

/// What the caller sent does not open or is no point.
fn bad_input(what: &str) -> Failure {
    Failure::new(FaultReason::BadInput, what)
}

/// The input has a length that the mechanism does not take.
fn bad_length(mechanism: Mechanism, length: usize) -> Failure {
    Failure::bad_request(format!("{mechanism:?} takes no input of {length} bytes"))
}

/// A library refused what it has no reason to refuse.
fn failed(doing: &'static str) -> Failure {
    Failure::new(FaultReason::TokenFault, format!("{doing} failed in the enclave"))
}
