//! What PKCS#11 calls each algorithm: key types, generation mechanisms, curves, parameter sets.
//!
//! **Not here**: numbers that no standard has, of SM2 and SM4 (`operations::vendor`).

use crate::{module::config::Sm2Profile, operations::vendor};
use chancery_api::v1;
use chancery_model::Algorithm;
use cryptoki_sys::*;

/// An elliptic curve: its name in DER, which is CKA_EC_PARAMS.
pub(super) struct Curve {
    algorithm: v1::Algorithm,
    /// As objects show it.
    parameters: &'static [u8],
    /// As clients may write it, too: the name as PrintableString (PKCS#11 v3.0 §2.3.3), or an older OID.
    others: &'static [&'static [u8]],
}

const CURVES: &[Curve] = &[
    // RFC 5480 §2.1.1.1.
    Curve {
        algorithm: v1::Algorithm::EcP256,
        parameters: &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
        others: &[],
    },
    Curve { algorithm: v1::Algorithm::EcP384, parameters: &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22], others: &[] },
    Curve { algorithm: v1::Algorithm::EcP521, parameters: &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23], others: &[] },
    // SEC 2 §A.2.1.
    Curve {
        algorithm: v1::Algorithm::EcSecp256k1,
        parameters: &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a],
        others: &[],
    },
    // RFC 8410 §3; before it 1.3.6.1.4.1.11591.15.1 and 1.3.6.1.4.1.3029.1.5.1.
    Curve {
        algorithm: v1::Algorithm::Ed25519,
        parameters: &[0x06, 0x03, 0x2b, 0x65, 0x70],
        others: &[b"\x13\x0cedwards25519", &[0x06, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01]],
    },
    Curve {
        algorithm: v1::Algorithm::X25519,
        parameters: &[0x06, 0x03, 0x2b, 0x65, 0x6e],
        others: &[b"\x13\x0acurve25519", &[0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x97, 0x55, 0x01, 0x05, 0x01]],
    },
    // GM/T 0006.
    Curve {
        algorithm: v1::Algorithm::Sm2,
        parameters: &[0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d],
        others: &[],
    },
];

/// CKA_EC_PARAMS of an algorithm's keys.
pub(super) fn curve(algorithm: v1::Algorithm) -> Option<&'static [u8]> {
    CURVES.iter().find(|curve| curve.algorithm == algorithm).map(|curve| curve.parameters)
}

/// The algorithm whose curve a client names.
pub(super) fn of_curve(parameters: &[u8]) -> Option<v1::Algorithm> {
    let named = |curve: &&Curve| curve.parameters == parameters || curve.others.contains(&parameters);
    CURVES.iter().find(named).map(|curve| curve.algorithm)
}

/// CKA_PARAMETER_SET of an algorithm's keys (PKCS#11 v3.2 §6.67).
pub(super) fn parameter_set(algorithm: v1::Algorithm) -> Option<CK_ULONG> {
    match algorithm {
        v1::Algorithm::MlDsa44 => Some(CKP_ML_DSA_44),
        v1::Algorithm::MlDsa65 => Some(CKP_ML_DSA_65),
        v1::Algorithm::MlDsa87 => Some(CKP_ML_DSA_87),
        _ => None,
    }
}

/// CKA_MODULUS_BITS of an algorithm's keys.
pub(super) fn modulus_bits(algorithm: v1::Algorithm) -> Option<CK_ULONG> {
    match algorithm {
        v1::Algorithm::Rsa2048 => Some(2048),
        v1::Algorithm::Rsa3072 => Some(3072),
        v1::Algorithm::Rsa4096 => Some(4096),
        _ => None,
    }
}

/// CKA_VALUE_LEN of a secret key.
pub(super) fn secret_length(algorithm: v1::Algorithm) -> Option<CK_ULONG> {
    match algorithm {
        v1::Algorithm::Aes256 | v1::Algorithm::HmacSha256 => Some(32),
        v1::Algorithm::Sm4 => Some(16),
        _ => None,
    }
}

/// CKA_KEY_TYPE of an algorithm's keys.
pub(super) fn key_type(algorithm: v1::Algorithm, profile: Sm2Profile) -> CK_KEY_TYPE {
    use v1::Algorithm as A;
    match algorithm {
        A::EcP256 | A::EcP384 | A::EcP521 | A::EcSecp256k1 => CKK_EC,
        A::Ed25519 => CKK_EC_EDWARDS,
        A::X25519 => CKK_EC_MONTGOMERY,
        A::Rsa2048 | A::Rsa3072 | A::Rsa4096 => CKK_RSA,
        A::MlDsa44 | A::MlDsa65 | A::MlDsa87 => CKK_ML_DSA,
        A::Aes256 => CKK_AES,
        A::HmacSha256 => CKK_GENERIC_SECRET,
        A::Sm2 => vendor::keys(profile).sm2,
        A::Sm4 => vendor::keys(profile).sm4,
        A::Unspecified => CK_UNAVAILABLE_INFORMATION,
    }
}

/// The mechanism that makes keys of an algorithm.
pub(super) fn generation(algorithm: v1::Algorithm, profile: Sm2Profile) -> CK_MECHANISM_TYPE {
    use v1::Algorithm as A;
    match algorithm {
        A::EcP256 | A::EcP384 | A::EcP521 | A::EcSecp256k1 => CKM_EC_KEY_PAIR_GEN,
        A::Ed25519 => CKM_EC_EDWARDS_KEY_PAIR_GEN,
        A::X25519 => CKM_EC_MONTGOMERY_KEY_PAIR_GEN,
        A::Rsa2048 | A::Rsa3072 | A::Rsa4096 => CKM_RSA_PKCS_KEY_PAIR_GEN,
        A::MlDsa44 | A::MlDsa65 | A::MlDsa87 => CKM_ML_DSA_KEY_PAIR_GEN,
        A::Aes256 => CKM_AES_KEY_GEN,
        A::HmacSha256 => CKM_GENERIC_SECRET_KEY_GEN,
        A::Sm2 => vendor::keys(profile).make_sm2,
        A::Sm4 => vendor::keys(profile).make_sm4,
        A::Unspecified => CK_UNAVAILABLE_INFORMATION,
    }
}

/// The algorithm as the rest of the code base knows it.
pub(super) fn model(algorithm: v1::Algorithm) -> Option<Algorithm> {
    use v1::Algorithm as A;
    Some(match algorithm {
        A::Unspecified => return None,
        A::EcP256 => Algorithm::EcP256,
        A::EcP384 => Algorithm::EcP384,
        A::EcP521 => Algorithm::EcP521,
        A::EcSecp256k1 => Algorithm::EcSecp256k1,
        A::Ed25519 => Algorithm::Ed25519,
        A::Rsa2048 => Algorithm::Rsa2048,
        A::Rsa3072 => Algorithm::Rsa3072,
        A::Rsa4096 => Algorithm::Rsa4096,
        A::Sm2 => Algorithm::Sm2,
        A::MlDsa44 => Algorithm::MlDsa44,
        A::MlDsa65 => Algorithm::MlDsa65,
        A::MlDsa87 => Algorithm::MlDsa87,
        A::X25519 => Algorithm::X25519,
        A::Aes256 => Algorithm::Aes256,
        A::Sm4 => Algorithm::Sm4,
        A::HmacSha256 => Algorithm::HmacSha256,
    })
}
