//! Public-key cryptography in software: what is signed, how signatures are written, and whether they verify.
//!
//! **Invariant**: nothing here holds or sees a private key.
//!
//! **Not here**: signing (chancery-enclave), certificates (`certificates`).

mod encoding;
mod input;
mod public_key;

pub use encoding::{EncodingError, from_der, low_s, to_der};
pub use input::{Input, InputError, Signable};
pub use public_key::{PublicKey, PublicKeyError};

use crate::model::Hash;
use aws_lc_rs::digest;

/// The digest of `message`.
pub fn hash(hash: Hash, message: &[u8]) -> Vec<u8> {
    digest::digest(digest_algorithm(hash), message).as_ref().to_vec()
}

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

fn digest_algorithm(hash: Hash) -> &'static digest::Algorithm {
    match hash {
        Hash::Sha256 => &digest::SHA256,
        Hash::Sha384 => &digest::SHA384,
        Hash::Sha512 => &digest::SHA512,
    }
}
