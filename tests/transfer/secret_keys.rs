//! Secret keys with known bytes: what the imported key computes, others compute with those bytes.
//!
//! Without a protection they find their way into the enclave. Of symmetric keys that are made here nobody knows the bytes, so this is the proof that AES-256, SM4 and HMAC are what
//! they are called.

use crate::{
    desk::{Desk, NODE, OFFICER},
    gcm::Gcm,
    shared::{deployment, key},
};

fn random(desk: &Desk<'_>, bytes: usize) -> Vec<u8> {
    hex::decode(desk.openssl.text(&format!("rand -hex {bytes}")).trim()).unwrap()
}

/// Imports fresh bytes, as hexadecimal digits: the bytes.
fn imported(desk: &Desk<'_>, name: &str, algorithm: &str, purpose: &str) -> Vec<u8> {
    let bytes = random(desk, if algorithm == "sm4" { 16 } else { 32 });
    let file = desk.file("secret.hex", hex::encode(&bytes));
    let options = format!("--algorithm {algorithm} --purpose {purpose}");
    let shown = desk.import(name, &file, &options);
    assert_eq!((&shown["protection"], &shown["primary"]["origin"]), (&"enclave".into(), &"imported".into()));
    bytes
}

fn encrypts_as_openssl_does(algorithm: &str, cipher: &'static str) {
    let desk = Desk::at(deployment());
    let name = key(&format!("secret-{algorithm}"));
    let bytes = imported(&desk, &name, algorithm, "encrypt");
    let mut known = Gcm { desk: &desk, cipher, key: [0; 32], length: bytes.len() };
    known.key[..bytes.len()].copy_from_slice(&bytes);
    for (plain, associated) in [(&b""[..], &b"header"[..]), (b"sixteen bytes!!!", b""), (&[7; 100], &[9; 33])] {
        let (input, aad) = (desk.file("plain", plain), desk.file("aad", associated));
        let (sealed, opened) = (desk.path("sealed"), desk.path("opened"));
        desk.run(NODE, &format!("encrypt {name} --in {input} --aad {aad} --out {sealed}"));
        let by_service = desk.read("sealed");
        let nonce = by_service[..12].try_into().unwrap();
        assert_eq!(by_service, known.seal(nonce, associated, plain), "{algorithm}");

        let theirs = known.seal(random(&desk, 12).try_into().unwrap(), associated, plain);
        let sealed = desk.file("sealed", &theirs);
        desk.run(NODE, &format!("decrypt {name} --in {sealed} --aad {aad} --out {opened}"));
        assert_eq!(desk.read("opened"), plain);

        let mut changed = theirs;
        *changed.last_mut().unwrap() ^= 1;
        let sealed = desk.file("sealed", changed);
        let refused = desk.refused(NODE, &format!("decrypt {name} --in {sealed} --aad {aad} --out {opened}"));
        assert_eq!(refused.reason, "BAD_INPUT", "{refused:?}");
    }
}

#[test]
fn aes() {
    encrypts_as_openssl_does("aes-256", "aes-256");
}

#[test]
fn sm4() {
    encrypts_as_openssl_does("sm4", "sm4");
}

/// RFC 5649.
#[test]
fn wrapped_keys_are_openssls() {
    let desk = Desk::at(deployment());
    let name = key("wrapping");
    let bytes = hex::encode(imported(&desk, &name, "aes-256", "wrap"));
    for length in [16, 32, 71] {
        let plain = desk.file("plain", random(&desk, length));
        let (here, there) = (desk.path("here"), desk.path("there"));
        desk.run(NODE, &format!("wrap {name} --in {plain} --out {here}"));
        desk.openssl.text(&format!("enc -id-aes256-wrap-pad -K {bytes} -iv a65959a6 -in {plain} -out {there}"));
        assert_eq!(desk.read("here"), desk.read("there"), "{length} bytes");
        let opened = desk.path("opened");
        desk.run(NODE, &format!("unwrap {name} --in {there} --out {opened}"));
        assert_eq!(desk.read("opened"), desk.read("plain"));
    }
}

#[test]
fn codes_are_openssls() {
    let desk = Desk::at(deployment());
    let name = key("codes");
    let bytes = hex::encode(imported(&desk, &name, "hmac-sha256", "mac"));
    for length in [0, 1, 64, 5000] {
        let message = desk.file("message", vec![0x5a; length]);
        let code = desk.path("code");
        desk.run(NODE, &format!("mac {name} --in {message} --out {code}"));
        let line = format!("dgst -sha256 -mac HMAC -macopt hexkey:{bytes} -r {message}");
        let expected = desk.openssl.text(&line);
        assert!(expected.starts_with(&hex::encode(desk.read("code"))), "{expected}");
    }
}

/// SoftHSM 2.6.1 has no SM4, and does not know the length of a secret key that it unwrapped.
#[test]
fn the_token_takes_none_of_them_and_the_error_names_the_enclave() {
    let desk = Desk::at(deployment());
    for (algorithm, purpose, length) in
        [("sm4", "encrypt", 16), ("aes-256", "encrypt", 32), ("aes-256", "wrap", 32), ("hmac-sha256", "mac", 32)]
    {
        let name = key(&format!("in-token-{algorithm}-{purpose}"));
        let file = desk.file("secret.hex", hex::encode(random(&desk, length)));
        let options = format!("--algorithm {algorithm} --purpose {purpose}");
        let refused = desk.refused(OFFICER, &desk.importing(&name, &file, &format!("{options} --protection token")));
        assert_eq!(refused.reason, "UNSUPPORTED_ALGORITHM", "{algorithm}: {refused:?}");
        assert!(refused.message.contains("ENCLAVE"), "{refused:?}");
        assert_eq!(desk.refused(OFFICER, &format!("keys show {name}")).reason, "NOT_FOUND");
    }
}
