//! Public-key cryptography in software: what is signed, how signatures and keys are written, whether signatures verify,
//! and encrypting to a public key.
//!
//! The service checks signatures with it before it releases them, and auditors verify a log's with the same code.
//!
//! **Invariant**: nothing here holds or sees a private key.
//!
//! **Not here**: signing and decrypting (chancery-enclave), certificates (the service's `certificates`).
#![forbid(unsafe_code)]

mod encoding;
mod encryption;
mod form;
mod input;
mod key_forms;
mod public_key;
mod recovery;
mod sm2_ciphertext;
mod sm2_key;

pub use encoding::{EncodingError, from_der, low_s, other_s, to_der};
pub use encryption::{EncryptionError, encrypt_oaep, encrypt_to};
pub use form::{Form, FormError, Written};
pub use input::{Input, InputError, Signable};
pub use key_forms::{KeyForms, with_checksum};
pub use public_key::{PublicKey, PublicKeyError};
pub use sm2_ciphertext::{MAXIMUM_SM2_PLAINTEXT, Sm2CiphertextError, sm2_ciphertext_from, sm2_ciphertext_to_der};

use aws_lc_rs::digest;
use chancery_model::Hash;
use sm3::{Digest as _, Sm3};

/// The digest of `message`.
pub fn hash(hash: Hash, message: &[u8]) -> Vec<u8> {
    match digest_algorithm(hash) {
        Some(algorithm) => digest::digest(algorithm, message).as_ref().to_vec(),
        None => Sm3::digest(message).to_vec(),
    }
}

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// Whether two byte strings are equal, in a time that does not tell where they differ.
pub fn equal(one: &[u8], other: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one, other).is_ok()
}

/// The hash in aws-lc, which has no SM3.
fn digest_algorithm(hash: Hash) -> Option<&'static digest::Algorithm> {
    match hash {
        Hash::Sha256 => Some(&digest::SHA256),
        Hash::Sha384 => Some(&digest::SHA384),
        Hash::Sha512 => Some(&digest::SHA512),
        Hash::Sm3 => None,
    }
}
