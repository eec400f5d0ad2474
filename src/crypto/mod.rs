//! Public-key cryptography in software, as the service uses it: the crate chancery-crypto, and how the enclave is asked for
//! a signature.
//!
//! **Invariant**: nothing here holds or sees a private key.
//!
//! **Not here**: signing and decrypting (chancery-enclave), certificates (`certificates`).

#[cfg(test)]
pub(crate) mod tests;

pub use chancery_crypto::*;

use crate::model::{Hash, Mechanism, SignatureFormat};
use chancery_ipc as ipc;

/// An input as the enclave takes it, for a signature to be written in that form: the mechanism and its input.
pub fn for_enclave(input: &Input, form: Form) -> (ipc::Mechanism, Vec<u8>) {
    let mechanism = match (input.mechanism, input.hash) {
        (Mechanism::Ecdsa, _) if form.format() == SignatureFormat::Eos => ipc::Mechanism::EcdsaCanonical,
        (Mechanism::Ecdsa, _) => ipc::Mechanism::Ecdsa,
        (Mechanism::Ed25519, _) => ipc::Mechanism::Eddsa,
        (Mechanism::MlDsa, _) => ipc::Mechanism::MlDsa,
        (Mechanism::Sm2, _) => ipc::Mechanism::Sm2,
        (Mechanism::RsaPss, Some(Hash::Sha256)) => ipc::Mechanism::RsaPssSha256,
        (Mechanism::RsaPss, Some(Hash::Sha384)) => ipc::Mechanism::RsaPssSha384,
        (Mechanism::RsaPss, Some(Hash::Sha512)) => ipc::Mechanism::RsaPssSha512,
        (Mechanism::RsaPkcs1, Some(Hash::Sha256 | Hash::Sha384 | Hash::Sha512)) => ipc::Mechanism::RsaPkcs1,
        // No signature, which `fit` never gives: the enclave refuses it.
        _ => ipc::Mechanism::Unspecified,
    };
    (mechanism, input.taken())
}
