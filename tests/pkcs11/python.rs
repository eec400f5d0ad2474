//! Python: python-pkcs11 and PyKCS11 make keys and use them, in 16 threads, and `cryptography` judges.

use crate::{
    desk::Desk,
    foreign::Script,
    pkcs11::{LABEL, PIN, module, succeed},
};

/// Runs a program of tests/pkcs11/python for whom an officer made secret keys: as a client for which OpenSSL's engine is not
/// tried, which stops at Ed25519 keys.
fn run(program: &str, keys: &str) {
    let desk = Desk::new("org1-ca");
    let (aes, hmac) = (format!("{keys}-aes"), format!("{keys}-hmac"));
    desk.officer_makes(&aes, "--algorithm aes-256 --purpose encrypt --protection enclave");
    desk.officer_makes(&hmac, "--algorithm hmac-sha256 --purpose mac --protection enclave");
    let script = Script::python(program);
    let mut command = desk.command(script.program.to_str().unwrap(), "");
    script.complete(&mut command);
    command
        .env("PKCS11_LIB", module())
        .env("PKCS11_LABEL", LABEL)
        .env("PKCS11_PIN", PIN)
        .env("PKCS11_AES", aes)
        .env("PKCS11_HMAC", hmac);
    succeed(&mut command);
}

#[test]
fn python_pkcs11_signs() {
    run("with_python_pkcs11.py", "python-pkcs11");
}

#[test]
fn pykcs11_signs() {
    run("with_pykcs11.py", "pykcs11");
}
