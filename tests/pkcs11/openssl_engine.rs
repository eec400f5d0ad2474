//! OpenSSL with its PKCS#11 engine: requests, certificates, signatures and CMS with a key behind the module, checked by
//! an OpenSSL without.

use crate::{
    desk::{Desk, MESSAGE},
    pkcs11::{LABEL, succeed},
};

const CLIENT: &str = "org1-client";

/// What makes an openssl command take its key from the token: by `option`, `-key` or whatever it calls that.
pub(crate) fn key(option: &str, label: &str) -> String {
    format!("-engine pkcs11 -keyform engine {option} pkcs11:token={LABEL};object={label};type=private")
}

/// What writes out a public key of the token's.
fn public(label: &str) -> String {
    format!("pkey -pubin -engine pkcs11 -inform engine -in pkcs11:token={LABEL};object={label};type=public")
}

/// A key of the client's own making, its request and its self-signed certificate, both valid.
pub(crate) fn certified(desk: &Desk, key_type: &str, label: &str, id: &str) {
    let make = format!("--keypairgen --key-type {key_type} --usage-sign --label {label} --id {id}");
    succeed(&mut desk.pkcs11_tool(&make));
    desk.openssl(&format!("req -new {} -subj /CN=localhost -out request.pem", key("-key", label)));
    assert!(desk.judge("req -in request.pem -verify -noout").contains("verify OK"));
    desk.openssl(&format!("req -x509 -new {} -subj /CN=localhost -days 2 -out certificate.pem", key("-key", label)));
    desk.judge("verify -x509_strict -check_ss_sig -CAfile certificate.pem certificate.pem");
    desk.judge("x509 -in certificate.pem -pubkey -noout -out public.pem");
}

fn signs(key_type: &str, label: &str, id: &str) {
    let desk = Desk::new(CLIENT);
    certified(&desk, key_type, label, id);
    for hash in ["sha256", "sha384", "sha512"] {
        desk.openssl(&format!("dgst -{hash} {} -out signature message", key("-sign", label)));
        desk.judge(&format!("dgst -{hash} -verify public.pem -signature signature message"));
    }
    // Attached and detached, and an attacker's change of it.
    let cms = "-signer certificate.pem -in message -binary -outform DER";
    let sign = format!("cms -sign {} {cms}", key("-inkey", label));
    desk.openssl(&format!("{sign} -nodetach -out attached"));
    let trusted = "-inform DER -CAfile certificate.pem -purpose any -binary";
    desk.judge(&format!("cms -verify {trusted} -in attached -out opened"));
    assert_eq!(desk.read("opened"), MESSAGE);
    desk.openssl(&format!("{sign} -out detached"));
    desk.judge(&format!("cms -verify {trusted} -in detached -content message -out opened"));
    desk.judge_refuses(&format!("cms -verify {trusted} -in detached -content digest -out opened"));
}

#[test]
fn ec_p256() {
    signs("EC:prime256v1", "engine-p256", "e001");
}

#[test]
fn ec_p384() {
    signs("EC:secp384r1", "engine-p384", "e002");
}

#[test]
fn rsa() {
    signs("rsa:2048", "engine-rsa", "e003");
}

#[test]
fn rsa_pss() {
    let (desk, label) = (Desk::new(CLIENT), "engine-pss");
    certified(&desk, "rsa:2048", label, "e004");
    let pss = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest";
    desk.openssl(&format!("dgst -sha256 {} {pss} -out signature message", key("-sign", label)));
    desk.judge(&format!("dgst -sha256 -verify public.pem {pss} -signature signature message"));
    desk.openssl(&format!("req -new -sha384 {} {pss} -subj /CN=localhost -out request.pem", key("-key", label)));
    assert!(desk.judge("req -in request.pem -verify -noout").contains("verify OK"));
}

/// A CA whose key is behind the module issues a certificate.
#[test]
fn an_authority_issues_certificates() {
    let (desk, label) = (Desk::new(CLIENT), "engine-ca");
    certified(&desk, "EC:prime256v1", label, "e005");
    let authority = "req -x509 -new -subj /CN=ca -addext basicConstraints=critical,CA:TRUE -days 2 -out ca.pem";
    desk.openssl(&format!("{authority} {}", key("-key", label)));
    desk.judge("req -new -newkey rsa:2048 -nodes -keyout leaf.key -subj /CN=leaf -out leaf.csr");
    let issue = "x509 -req -in leaf.csr -CA ca.pem -CAkeyform engine -days 1 -out leaf.pem";
    desk.openssl(&format!("{issue} -engine pkcs11 -CAkey pkcs11:token={LABEL};object={label};type=private"));
    desk.judge("verify -CAfile ca.pem leaf.pem");
}

/// The engine reads a public key without its private half, and derives a secret.
#[test]
fn public_keys_and_agreement() {
    let desk = Desk::new(CLIENT);
    desk.officer_makes("engine-agree", "--algorithm ec-p256 --purpose agree");
    desk.openssl(&format!("{} -out ours.pem", public("engine-agree")));
    desk.judge("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out theirs.key");
    desk.judge("pkey -in theirs.key -pubout -out theirs.pem");
    desk.openssl(&format!("pkeyutl -derive {} -peerkey theirs.pem -out here", key("-inkey", "engine-agree")));
    desk.judge("pkeyutl -derive -inkey theirs.key -peerkey ours.pem -out there");
    assert_eq!(desk.read("here"), desk.read("there"));
}

/// RSA decryption through the engine of what openssl encrypted.
#[test]
fn decryption() {
    let desk = Desk::new(CLIENT);
    desk.officer_makes("engine-decrypt", "--algorithm rsa-2048 --purpose encrypt --protection enclave");
    desk.openssl(&format!("{} -out public.pem", public("engine-decrypt")));
    let oaep = "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256";
    desk.judge(&format!("pkeyutl -encrypt -pubin -inkey public.pem -in message -out sealed {oaep}"));
    desk.openssl(&format!("pkeyutl -decrypt {} -in sealed -out opened {oaep}", key("-inkey", "engine-decrypt")));
    assert_eq!(desk.read("opened"), MESSAGE);
}

/// libp11 0.4.12 finds no key at all beside one of a type that it does not know; the quirk keeps those out of its sight.
#[test]
fn other_keys_are_kept_out_of_sight() {
    let desk = Desk::new("org1-opssc").with_quirk("rsa_and_ec_only");
    desk.officer_makes("engine-ed25519", "--algorithm ed25519");
    desk.officer_makes("engine-ml-dsa", "--algorithm ml-dsa-65 --protection enclave");
    desk.officer_makes("engine-beside", "--algorithm ec-p256");
    desk.openssl(&format!("dgst -sha256 {} -out signature message", key("-sign", "engine-beside")));
    desk.openssl(&format!("{} -out public.pem", public("engine-beside")));
    desk.judge("dgst -sha256 -verify public.pem -signature signature message");
    let listed = succeed(&mut desk.pkcs11_tool("--list-objects")).text;
    assert!(!listed.contains("engine-ed25519") && !listed.contains("engine-ml-dsa"), "{listed}");
}
