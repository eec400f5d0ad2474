//! Against tools and libraries that were written by others.

mod input;
mod key_forms;
pub(crate) mod openssl;
mod signature_forms;
mod sm2;
mod wycheproof;

use super::PublicKey;
use crate::model::Algorithm;

/// A SubjectPublicKeyInfo without parameters, whose identifier is given as DER.
pub(crate) fn bare_spki(identifier: &[u8], key: &[u8]) -> Vec<u8> {
    let algorithm = [&[0x30, 2 + identifier.len() as u8, 6, identifier.len() as u8], identifier].concat();
    let bits = [&[3, 0x82, ((key.len() + 1) >> 8) as u8, (key.len() + 1) as u8, 0], key].concat();
    let length = algorithm.len() + bits.len();
    [&[0x30, 0x82, (length >> 8) as u8, length as u8], algorithm.as_slice(), &bits].concat()
}

/// The SubjectPublicKeyInfo of 04 ‖ x ‖ y on secp256k1 (RFC 5480 §2, SEC 2 §2.4.1).
fn secp256k1(point: &[u8]) -> PublicKey {
    let prefix = hex::decode("3056301006072a8648ce3d020106052b8104000a034200").unwrap();
    PublicKey::parse(Algorithm::EcSecp256k1, &[prefix.as_slice(), point].concat()).unwrap()
}

/// The last number of ML-DSA's identifiers (RFC 9881 §2).
pub(crate) fn ml_dsa(number: u8) -> Vec<u8> {
    vec![0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, number]
}
