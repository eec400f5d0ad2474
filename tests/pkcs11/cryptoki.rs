//! A program on the `cryptoki` crate (tests/pkcs11/cryptoki), in a process of its own.

use crate::{
    harness::program,
    pkcs11::{LABEL, PIN, as_client, module, succeed},
    shared::deployment,
};

/// Makes keys, finds them, signs, verifies, alone and in 16 threads; p256 and AWS-LC check the signatures.
#[test]
fn the_cryptoki_crate_signs() {
    let client = program("examples/cryptoki-client");
    let mut command = as_client(deployment(), "org1-ca", client);
    command.arg("check").env("PKCS11_LIB", module()).env("PKCS11_LABEL", LABEL).env("PKCS11_PIN", PIN);
    succeed(&mut command);
}
