//! What each key may be used for, and what each mechanism takes: one table for keys of the token and of the enclave.
//!
//! **Invariant**: nothing is done with a key, nor is the token called, for a use that this table does not have.

use chancery_ipc::{FaultReason, KeyAlgorithm, KeyPurpose, Mechanism, UseKey};

use crate::{fault::Failure, spki::Curve};

/// The longest key that is wrapped with AES Key Wrap, in bytes: an RSA key of 4096 bits in PKCS #8 takes 2.4 KB.
const MAX_WRAPPED_KEY: usize = 16 << 10;

/// The purpose that a mechanism serves.
fn purpose_of(mechanism: Mechanism) -> KeyPurpose {
    use Mechanism as M;
    match mechanism {
        M::Unspecified => KeyPurpose::Unspecified,
        M::Ecdsa | M::EcdsaCanonical | M::Eddsa | M::Sm2 | M::MlDsa => KeyPurpose::Sign,
        M::RsaPkcs1 | M::RsaPssSha256 | M::RsaPssSha384 | M::RsaPssSha512 => KeyPurpose::Sign,
        M::RsaOaepSha1Decrypt | M::RsaOaepSha256Decrypt | M::RsaOaepSha384Decrypt | M::RsaOaepSha512Decrypt => {
            KeyPurpose::Encrypt
        }
        M::Sm2Decrypt | M::GcmEncrypt | M::GcmEncryptGivenNonce | M::GcmDecrypt => KeyPurpose::Encrypt,
        M::CbcEncrypt | M::CbcDecrypt | M::CbcPadEncrypt | M::CbcPadDecrypt => KeyPurpose::Encrypt,
        M::Ecdh => KeyPurpose::Agree,
        M::HmacSha256 => KeyPurpose::Mac,
        M::KwpWrap | M::KwpUnwrap => KeyPurpose::Wrap,
    }
}

/// Whether `mechanism` makes signatures.
pub(crate) fn signs(mechanism: Mechanism) -> bool {
    purpose_of(mechanism) == KeyPurpose::Sign
}

/// Whether `mechanism` is one for keys of `algorithm`.
fn is_for(mechanism: Mechanism, algorithm: KeyAlgorithm) -> bool {
    use KeyAlgorithm as A;
    use Mechanism as M;
    match mechanism {
        M::Unspecified => false,
        M::Ecdsa => Curve::of(algorithm).is_some(),
        M::EcdsaCanonical => matches!(algorithm, A::EcP256 | A::EcSecp256k1),
        M::Eddsa => algorithm == A::Ed25519,
        M::RsaPkcs1 | M::RsaPssSha256 | M::RsaPssSha384 | M::RsaPssSha512 => modulus_bytes(algorithm).is_some(),
        M::RsaOaepSha1Decrypt | M::RsaOaepSha256Decrypt | M::RsaOaepSha384Decrypt | M::RsaOaepSha512Decrypt => {
            modulus_bytes(algorithm).is_some()
        }
        M::Sm2 | M::Sm2Decrypt => algorithm == A::Sm2,
        M::MlDsa => matches!(algorithm, A::MlDsa44 | A::MlDsa65 | A::MlDsa87),
        M::Ecdh => matches!(algorithm, A::EcP256 | A::EcP384 | A::EcP521 | A::X25519),
        M::GcmEncrypt | M::GcmEncryptGivenNonce | M::GcmDecrypt => matches!(algorithm, A::Aes256 | A::Sm4),
        M::CbcEncrypt | M::CbcDecrypt | M::CbcPadEncrypt | M::CbcPadDecrypt => {
            matches!(algorithm, A::Aes256 | A::Sm4)
        }
        M::HmacSha256 => algorithm == A::HmacSha256,
        M::KwpWrap | M::KwpUnwrap => algorithm == A::Aes256,
    }
}

/// All mechanisms but none.
const MECHANISMS: [Mechanism; 25] = {
    use Mechanism as M;
    [
        M::Ecdsa,
        M::Eddsa,
        M::RsaPkcs1,
        M::RsaPssSha256,
        M::RsaPssSha384,
        M::RsaPssSha512,
        M::EcdsaCanonical,
        M::Sm2,
        M::MlDsa,
        M::RsaOaepSha1Decrypt,
        M::RsaOaepSha256Decrypt,
        M::RsaOaepSha384Decrypt,
        M::RsaOaepSha512Decrypt,
        M::Sm2Decrypt,
        M::Ecdh,
        M::GcmEncrypt,
        M::GcmEncryptGivenNonce,
        M::GcmDecrypt,
        M::CbcEncrypt,
        M::CbcDecrypt,
        M::CbcPadEncrypt,
        M::CbcPadDecrypt,
        M::HmacSha256,
        M::KwpWrap,
        M::KwpUnwrap,
    ]
};

/// Whether a key of `algorithm` can serve `purpose`: some mechanism must.
pub(crate) fn can_serve(algorithm: KeyAlgorithm, purpose: KeyPurpose) -> bool {
    MECHANISMS.iter().any(|mechanism| purpose_of(*mechanism) == purpose && is_for(*mechanism, algorithm))
}

/// Whether keys of `algorithm` have no public half.
pub(crate) fn is_secret(algorithm: KeyAlgorithm) -> bool {
    matches!(algorithm, KeyAlgorithm::Aes256 | KeyAlgorithm::Sm4 | KeyAlgorithm::HmacSha256)
}

/// Bytes of an RSA key's modulus.
fn modulus_bytes(algorithm: KeyAlgorithm) -> Option<usize> {
    match algorithm {
        KeyAlgorithm::Rsa2048 => Some(256),
        KeyAlgorithm::Rsa3072 => Some(384),
        KeyAlgorithm::Rsa4096 => Some(512),
        _ => None,
    }
}

/// The request's mechanism, if it suits algorithm and purpose of the key, and its input that mechanism.
///
/// # Errors
/// `WrongUse` for another purpose; `BadInput` for a ciphertext or a key to wrap of an impossible length, which is the
/// caller's; `BadRequest` for the rest, which chanceryd should have seen.
pub(crate) fn check(request: &UseKey) -> Result<Mechanism, Failure> {
    let (mechanism, key) = (request.mechanism(), &request.key);
    let algorithm = key.algorithm();
    if mechanism == Mechanism::Unspecified {
        return Err(Failure::bad_request("no mechanism is named"));
    }
    if key.public_key_sha256.len() != 32 {
        return Err(Failure::bad_request("public_key_sha256 has 32 bytes"));
    }
    if !is_for(mechanism, algorithm) {
        return Err(Failure::bad_request(format!("{mechanism:?} is no mechanism for a key of {algorithm:?}")));
    }
    if key.purpose() != purpose_of(mechanism) {
        let message = format!("{mechanism:?} is no use of a key that was made for purpose {:?}", key.purpose());
        return Err(Failure::new(FaultReason::WrongUse, message));
    }
    if !takes_associated_data(mechanism) && !request.associated_data.is_empty() {
        return Err(Failure::bad_request(format!("{mechanism:?} takes no associated data")));
    }
    if request.iv.len() != iv_length(mechanism) {
        let message = format!("{mechanism:?} takes an iv of {} bytes", iv_length(mechanism));
        return Err(Failure::bad_request(message));
    }
    let length = request.input.len();
    if !takes(mechanism, algorithm, length) {
        let reason = match purpose_of(mechanism) {
            KeyPurpose::Sign | KeyPurpose::Mac => FaultReason::BadRequest,
            _ => FaultReason::BadInput,
        };
        return Err(Failure::new(reason, format!("{mechanism:?} takes no input of {length} bytes")));
    }
    Ok(mechanism)
}

fn takes_associated_data(mechanism: Mechanism) -> bool {
    use Mechanism as M;
    let gcm = matches!(mechanism, M::GcmEncrypt | M::GcmEncryptGivenNonce | M::GcmDecrypt);
    gcm || matches!(
        mechanism,
        M::RsaOaepSha1Decrypt | M::RsaOaepSha256Decrypt | M::RsaOaepSha384Decrypt | M::RsaOaepSha512Decrypt
    )
}

/// Bytes of the nonce or initialization vector that `mechanism` takes.
fn iv_length(mechanism: Mechanism) -> usize {
    use Mechanism as M;
    match mechanism {
        M::GcmEncryptGivenNonce => 12,
        M::CbcEncrypt | M::CbcDecrypt | M::CbcPadEncrypt | M::CbcPadDecrypt => 16,
        _ => 0,
    }
}

/// Whether `mechanism` takes an input of `length` bytes.
fn takes(mechanism: Mechanism, algorithm: KeyAlgorithm, length: usize) -> bool {
    use Mechanism as M;
    match mechanism {
        M::Unspecified => false,
        M::Ecdsa | M::EcdsaCanonical => (1..=66).contains(&length),
        M::Eddsa | M::MlDsa | M::HmacSha256 => true,
        M::GcmEncrypt | M::GcmEncryptGivenNonce | M::CbcPadEncrypt => true,
        M::CbcEncrypt | M::CbcDecrypt | M::CbcPadDecrypt => length > 0 && length.is_multiple_of(16),
        // RFC 8017 §9.2: eleven bytes of padding at least.
        M::RsaPkcs1 => modulus_bytes(algorithm).is_some_and(|modulus| (1..=modulus - 11).contains(&length)),
        M::RsaPssSha256 | M::Sm2 => length == 32,
        M::RsaPssSha384 => length == 48,
        M::RsaPssSha512 => length == 64,
        M::RsaOaepSha1Decrypt | M::RsaOaepSha256Decrypt | M::RsaOaepSha384Decrypt | M::RsaOaepSha512Decrypt => {
            modulus_bytes(algorithm) == Some(length)
        }
        M::Sm2Decrypt => length > 65 + 32,
        M::Ecdh => (32..=256).contains(&length),
        M::GcmDecrypt => length >= 12 + 16,
        M::KwpWrap => (1..=MAX_WRAPPED_KEY).contains(&length),
        M::KwpUnwrap => (16..=MAX_WRAPPED_KEY + 16).contains(&length) && length.is_multiple_of(8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole table of algorithm × purpose, written out.
    #[test]
    fn each_algorithm_serves_these_purposes() {
        use KeyPurpose as P;
        for number in 1..=16 {
            let algorithm = KeyAlgorithm::try_from(number).unwrap();
            let expected: &[P] = match number {
                1..=3 => &[P::Sign, P::Agree],
                4 | 5 | 10..=12 => &[P::Sign],
                6..=9 => &[P::Sign, P::Encrypt],
                13 => &[P::Agree],
                14 => &[P::Encrypt, P::Wrap],
                15 => &[P::Encrypt],
                _ => &[P::Mac],
            };
            for purpose in [P::Unspecified, P::Sign, P::Encrypt, P::Agree, P::Mac, P::Wrap] {
                assert_eq!(can_serve(algorithm, purpose), expected.contains(&purpose), "{algorithm:?} {purpose:?}");
            }
        }
    }

    #[test]
    fn every_mechanism_is_listed_once() {
        for number in 1..=25 {
            let mechanism = Mechanism::try_from(number).unwrap();
            assert_eq!(MECHANISMS.iter().filter(|listed| **listed == mechanism).count(), 1, "{mechanism:?}");
        }
        assert!(Mechanism::try_from(26).is_err());
    }
}
