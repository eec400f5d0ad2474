//! pkcs11-tool reads and writes objects: certificates, agreement on secrets, secret keys.

use crate::{
    desk::{Desk, MESSAGE},
    pkcs11::succeed,
    shared::key,
};

const PEER: &str = "org1-peer0";

/// A certificate that a client writes lies at the service: another process reads it, before any login, and its owner
/// may delete it.
#[test]
fn a_certificate_is_written_read_and_deleted() {
    let desk = Desk::new(PEER);
    let make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -subj /CN=elsewhere";
    desk.judge(&format!("{make} -outform DER -out ca.der"));
    let written = succeed(&mut desk.pkcs11_tool("--write-object ca.der --type cert --label tool-ca --id b001")).text;
    assert!(written.contains("subject:    DN: CN=elsewhere"), "{written}");
    let read = "--read-object --type cert --label tool-ca --output-file read.der";
    succeed(&mut desk.pkcs11_tool_without_login(read));
    assert_eq!(desk.read("read.der"), desk.read("ca.der"));
    succeed(&mut desk.pkcs11_tool("--delete-object --type cert --label tool-ca"));
    let listed = succeed(&mut desk.pkcs11_tool("--list-objects --type cert")).text;
    assert!(!listed.contains("tool-ca"), "{listed}");
}

/// A certificate that an operator bound to a key by gRPC is an object with the id and label of that key.
#[test]
fn a_bound_certificate_is_an_object() {
    let desk = Desk::new(PEER);
    desk.officer_makes("tool-bound", "--algorithm ec-p256");
    let name = key("tool-bound");
    desk.chancery("org1-ca", &format!("keys create {} --algorithm ec-p256 --purpose certify", key("tool-issuer")));
    desk.chancery("org1-ca", &format!("csr {} --subject CN=ca --out @/ca.csr", key("tool-issuer")));
    let issue = format!("certificates issue --ca {}", key("tool-issuer"));
    desk.chancery("org1-ca", &format!("{issue} --csr @/ca.csr --profile root-ca --out @/root.pem"));
    desk.chancery(PEER, &format!("csr {name} --subject CN=peer0,OU=peer --out @/peer.csr"));
    desk.chancery("org1-ca", &format!("{issue} --csr @/peer.csr --profile peer --out @/peer.pem"));
    desk.judge("x509 -in peer.pem -outform DER -out peer.der");
    desk.chancery(PEER, &format!("certificates bind {name}/versions/1 --in @/peer.pem"));
    succeed(&mut desk.pkcs11_tool_without_login("--read-object --type cert --label tool-bound --output-file read.der"));
    assert_eq!(desk.read("read.der"), desk.read("peer.der"));
}

/// ECDH with a key that an officer made for it: both sides have the same secret.
#[test]
fn a_secret_is_agreed_on_with_openssl() {
    let desk = Desk::new(PEER);
    desk.officer_makes("tool-agree", "--algorithm ec-p256 --purpose agree");
    desk.chancery(PEER, &format!("keys public {} --out @/ours.pem", key("tool-agree")));
    desk.judge("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out theirs.key");
    desk.judge("pkey -in theirs.key -pubout -outform DER -out theirs.der");
    let derive = format!("--derive --mechanism ECDH1-DERIVE --id {}", desk.id("tool-agree"));
    succeed(&mut desk.pkcs11_tool(&format!("{derive} --input-file theirs.der --output-file here")));
    desk.judge("pkeyutl -derive -inkey theirs.key -peerkey ours.pem -out there");
    assert_eq!(desk.read("here"), desk.read("there"));
}

/// A secret key with known bytes: what pkcs11-tool encrypts with it, openssl decrypts with those bytes, and back.
#[test]
fn a_secret_key_encrypts_as_openssl_does() {
    let desk = Desk::new(PEER);
    let bytes = desk.judge("rand -hex 32").trim().to_owned();
    desk.write("bytes", hex::decode(&bytes).unwrap());
    let import = format!("keys import {} --in @/bytes --unattested --owner peer0", key("tool-aes"));
    desk.chancery("org1-security", &format!("{import} --algorithm aes-256 --purpose encrypt"));
    let iv = "000102030405060708090a0b0c0d0e0f";
    let cipher = format!("--mechanism AES-CBC-PAD --id {} --iv {iv}", desk.id("tool-aes"));
    succeed(&mut desk.pkcs11_tool(&format!("--encrypt {cipher} --input-file message --output-file sealed")));
    desk.judge(&format!("enc -aes-256-cbc -K {bytes} -iv {iv} -d -in sealed -out opened"));
    assert_eq!(desk.read("opened"), MESSAGE);
    desk.judge(&format!("enc -aes-256-cbc -K {bytes} -iv {iv} -in message -out theirs"));
    succeed(&mut desk.pkcs11_tool(&format!("--decrypt {cipher} --input-file theirs --output-file ours")));
    assert_eq!(desk.read("ours"), MESSAGE);
}

/// RSA decryption of what openssl encrypted, with a key that an officer made for it.
#[test]
fn an_rsa_key_decrypts_what_openssl_encrypted() {
    let desk = Desk::new(PEER);
    desk.officer_makes("tool-decrypt", "--algorithm rsa-2048 --purpose encrypt --protection enclave");
    desk.chancery(PEER, &format!("keys public {} --out @/public.pem", key("tool-decrypt")));
    let encrypt = "pkeyutl -encrypt -pubin -inkey public.pem -in message -out sealed -pkeyopt rsa_padding_mode:oaep";
    desk.judge(&format!("{encrypt} -pkeyopt rsa_oaep_md:sha256"));
    let decrypt = format!("--decrypt --id {} --input-file sealed --output-file opened", desk.id("tool-decrypt"));
    succeed(
        &mut desk
            .pkcs11_tool(&format!("{decrypt} --mechanism RSA-PKCS-OAEP --hash-algorithm SHA256 --mgf MGF1-SHA256")),
    );
    assert_eq!(desk.read("opened"), MESSAGE);
}
