//! Software keys, against vectors and tools that we did not write.

mod agreement;
mod cbc;
mod import;
mod ml_dsa;
mod openssl;
mod residue;
mod shangmi;
mod uses;
mod wycheproof;

use std::{path::Path, process::Command};

use chancery_ipc::{FaultReason, KeyAlgorithm, Mechanism};

use super::{Input, Output, Random, SoftwareKey};
use crate::{fault::Failure, memory::SecretBytes};

/// The system's random bytes.
struct System;

impl Random for System {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Failure> {
        getrandom::fill(bytes).unwrap();
        Ok(())
    }
}

/// Gives these bytes, once.
struct Told(Vec<u8>);

impl Random for Told {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Failure> {
        bytes.copy_from_slice(&self.0);
        self.0.clear();
        Ok(())
    }
}

fn made(algorithm: KeyAlgorithm) -> (SoftwareKey, SecretBytes) {
    SoftwareKey::generate(algorithm, &mut System).map_err(said).unwrap()
}

fn opened(algorithm: KeyAlgorithm, secret: &[u8]) -> SoftwareKey {
    SoftwareKey::from_secret(algorithm, secret).map_err(said).unwrap()
}

/// Uses a key, without associated data.
fn used(key: &SoftwareKey, mechanism: Mechanism, input: &[u8]) -> Result<Output, FaultReason> {
    key.use_key(mechanism, Input { bytes: input, ..Input::default() }, &mut System).map_err(|failure| failure.reason)
}

/// An input with associated data.
fn with<'a>(bytes: &'a [u8], associated_data: &'a [u8]) -> Input<'a> {
    Input { bytes, associated_data, ..Input::default() }
}

fn said(failure: Failure) -> String {
    failure.message
}

fn unhex(text: &str) -> Vec<u8> {
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}

/// r ‖ s as DER.
fn to_der(signature: &[u8]) -> Vec<u8> {
    crate::ecdsa::to_der(signature).unwrap()
}

/// Runs `openssl` in `directory` and gives whether it succeeded, and what it wrote.
fn openssl(directory: &Path, arguments: &str) -> (bool, Vec<u8>) {
    let output = Command::new("openssl").args(arguments.split_whitespace()).current_dir(directory).output().unwrap();
    (output.status.success(), output.stdout)
}

/// What `openssl` writes, which must succeed.
fn openssl_gives(directory: &Path, arguments: &str) -> Vec<u8> {
    let (success, output) = openssl(directory, arguments);
    assert!(success, "openssl {arguments}");
    output
}

/// Whether `openssl pkeyutl` verifies: `options` say how.
fn openssl_verifies(spki: &[u8], input: &[u8], signature: &[u8], options: &str) -> bool {
    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in [("key", spki), ("input", input), ("signature", signature)] {
        std::fs::write(directory.path().join(name), bytes).unwrap();
    }
    let command = format!("pkeyutl -verify -pubin -keyform DER -inkey key -in input -sigfile signature {options}");
    openssl(directory.path(), &command).0
}

/// A PKCS#8 key, DER, that `openssl genpkey` makes with `options`.
fn openssl_key(options: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    openssl_gives(directory.path(), &format!("genpkey -out key {options}"));
    openssl_gives(directory.path(), "pkcs8 -topk8 -nocrypt -in key -outform DER")
}

/// The options of `openssl genpkey` for a key of `algorithm`.
fn openssl_options(algorithm: KeyAlgorithm) -> &'static str {
    match algorithm {
        KeyAlgorithm::EcP256 => "-algorithm EC -pkeyopt ec_paramgen_curve:P-256",
        KeyAlgorithm::EcP384 => "-algorithm EC -pkeyopt ec_paramgen_curve:P-384",
        KeyAlgorithm::EcP521 => "-algorithm EC -pkeyopt ec_paramgen_curve:P-521",
        KeyAlgorithm::EcSecp256k1 => "-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1",
        KeyAlgorithm::Sm2 => "-algorithm EC -pkeyopt ec_paramgen_curve:SM2",
        KeyAlgorithm::Ed25519 => "-algorithm ED25519",
        KeyAlgorithm::X25519 => "-algorithm X25519",
        KeyAlgorithm::Rsa2048 => "-algorithm RSA -pkeyopt rsa_keygen_bits:2048",
        KeyAlgorithm::Rsa3072 => "-algorithm RSA -pkeyopt rsa_keygen_bits:3072",
        KeyAlgorithm::Rsa4096 => "-algorithm RSA -pkeyopt rsa_keygen_bits:4096",
        other => panic!("openssl 3.0 makes no {other:?}"),
    }
}
