//! Public keys as clients describe them, made into SubjectPublicKeyInfo (RFC 5280 §4.1).

use super::{attributes::der, kinds};
use crate::{
    attribute::Template,
    module::config::Sm2Profile,
    rv::{Result, Rv},
};
use chancery_api::v1::Algorithm;
use chancery_crypto::PublicKey;
use cryptoki_sys::*;

/// Tags of DER.
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// id-ecPublicKey (RFC 5480 §2.1.1), DER.
const EC_PUBLIC_KEY: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// rsaEncryption with NULL (RFC 8017 §A.1), DER.
const RSA_ENCRYPTION: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
/// id-ml-dsa-44 to -87 (RFC 9881 §2) end in the parameter set's number and 16.
const ML_DSA: [u8; 10] = [0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03];

/// The key that a template describes.
///
/// # Errors
/// As PKCS#11 v3.0 §5.7.1; `CKR_CURVE_NOT_SUPPORTED`, `CKR_KEY_SIZE_RANGE` for what nothing here verifies with.
pub(super) fn public_key(template: &Template, profile: Sm2Profile) -> Result<(Algorithm, PublicKey)> {
    let bytes = |kind| template.bytes(kind).ok_or(Rv(CKR_TEMPLATE_INCOMPLETE));
    let key_type = template.number(CKA_KEY_TYPE)?.ok_or(Rv(CKR_TEMPLATE_INCOMPLETE))?;
    let (algorithm, identifier, bits) = match key_type {
        CKK_RSA => {
            let (modulus, exponent) = (unsigned(bytes(CKA_MODULUS)?), unsigned(bytes(CKA_PUBLIC_EXPONENT)?));
            let length = modulus.len() as CK_ULONG * 8;
            let sizes = [Algorithm::Rsa2048, Algorithm::Rsa3072, Algorithm::Rsa4096];
            let algorithm = sizes.into_iter().find(|it| kinds::modulus_bits(*it) == Some(length));
            let numbers = [integer(modulus), integer(exponent)].concat();
            (algorithm.ok_or(Rv(CKR_KEY_SIZE_RANGE))?, RSA_ENCRYPTION.to_vec(), der(SEQUENCE, &numbers))
        }
        CKK_ML_DSA => {
            let set = template.number(CKA_PARAMETER_SET)?.ok_or(Rv(CKR_TEMPLATE_INCOMPLETE))?;
            let sets = [Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87];
            let algorithm = sets.into_iter().find(|it| kinds::parameter_set(*it) == Some(set));
            let algorithm = algorithm.ok_or(Rv(CKR_ATTRIBUTE_VALUE_INVALID))?;
            (algorithm, [&ML_DSA[..], &[set as u8 + 16]].concat(), bytes(CKA_VALUE)?.to_vec())
        }
        _ => {
            let parameters = bytes(CKA_EC_PARAMS)?;
            let algorithm = kinds::of_curve(parameters)
                .filter(|algorithm| kinds::key_type(*algorithm, profile) == key_type)
                .ok_or(Rv(CKR_CURVE_NOT_SUPPORTED))?;
            let name = kinds::curve(algorithm).unwrap_or(parameters);
            let identifier = match algorithm {
                // RFC 8410 §3: the curve is the algorithm.
                Algorithm::Ed25519 | Algorithm::X25519 => name.to_vec(),
                _ => [EC_PUBLIC_KEY, name].concat(),
            };
            (algorithm, identifier, point(algorithm, bytes(CKA_EC_POINT)?)?.to_vec())
        }
    };
    let spki =
        der(SEQUENCE, &[der(SEQUENCE, &identifier), der(BIT_STRING, &[&[0], bits.as_slice()].concat())].concat());
    let key = kinds::model(algorithm).and_then(|model| PublicKey::parse(model, &spki).ok());
    Ok((algorithm, key.ok_or(Rv(CKR_ATTRIBUTE_VALUE_INVALID))?))
}

/// A point or key of an algorithm, in an OCTET STRING or as it is, which some clients give.
fn point(algorithm: Algorithm, given: &[u8]) -> Result<&[u8]> {
    let length = match algorithm {
        Algorithm::EcP384 => 97,
        Algorithm::EcP521 => 133,
        Algorithm::Ed25519 | Algorithm::X25519 => 32,
        _ => 65,
    };
    let bits = &given[given.len().saturating_sub(length)..];
    if bits.len() == length && (bits == given || der(OCTET_STRING, bits) == given) {
        Ok(bits)
    } else {
        Err(Rv(CKR_ATTRIBUTE_VALUE_INVALID))
    }
}

/// A number without leading zeros.
fn unsigned(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..]
}

/// A positive INTEGER.
fn integer(unsigned: &[u8]) -> Vec<u8> {
    let sign: &[u8] = if unsigned.first().is_some_and(|byte| *byte < 0x80) { &[] } else { &[0] };
    der(INTEGER, &[sign, unsigned].concat())
}
