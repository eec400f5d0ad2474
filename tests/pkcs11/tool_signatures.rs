//! OpenSC's pkcs11-tool makes keys and signs with them; OpenSSL checks the signatures.

use crate::{
    desk::{Desk, MESSAGE},
    pkcs11::succeed,
    shared::key,
};

const PEER: &str = "org1-peer0";

/// A key pair of pkcs11-tool's making, with `id` on both halves, and its public half in `public.der`.
fn generated(desk: &Desk, key_type: &str, label: &str, id: &str) {
    let line = format!("--keypairgen --key-type {key_type} --usage-sign --label {label} --id {id}");
    let made = succeed(&mut desk.pkcs11_tool(&line)).text;
    assert_eq!(made.matches(&format!("ID:         {id}")).count(), 2, "both halves bear the id: {made}");
    assert!(made.contains("never extractable, local"), "{made}");
    desk.write("public.der", public_key(desk, &made, id));
}

/// SubjectPublicKeyInfo. pkcs11-tool 0.23 reads out no P-384 and no Ed25519 key, of whatever token; the point that it
/// prints is put into the structure of RFC 5480 §2 and RFC 8410 §4 by hand.
fn public_key(desk: &Desk, printed: &str, id: &str) -> Vec<u8> {
    let point = printed.lines().find_map(|line| line.trim().strip_prefix("EC_POINT:")).map(str::trim);
    let by_hand = match point {
        Some(point) if point.starts_with("0461") => Some(("3076301006072a8648ce3d020106052b81040022036200", point)),
        Some(point) if point.starts_with("0420") => Some(("302a300506032b6570032100", point)),
        _ => None,
    };
    if let Some((prefix, point)) = by_hand {
        return hex::decode(format!("{prefix}{}", &point[4..])).unwrap();
    }
    succeed(
        &mut desk.pkcs11_tool_without_login(&format!("--read-object --type pubkey --id {id} --output-file read.der")),
    );
    desk.read("read.der")
}

/// Signs `input` into `signature`.
fn sign(desk: &Desk, id: &str, mechanism: &str, input: &str) {
    let line = format!("--sign --id {id} --mechanism {mechanism} --input-file {input} --output-file signature");
    succeed(&mut desk.pkcs11_tool(&line));
}

const VERIFY: &str = "pkeyutl -verify -pubin -keyform DER -inkey public.der -sigfile signature";

#[test]
fn ecdsa_signatures_are_valid_for_openssl() {
    let desk = Desk::new(PEER);
    let curves =
        [("prime256v1", "a001", 64), ("secp384r1", "a002", 96), ("secp521r1", "a008", 132), ("secp256k1", "a009", 64)];
    for (curve, id, bytes) in curves {
        generated(&desk, &format!("EC:{curve}"), &format!("tool-{curve}"), id);
        sign(&desk, id, "ECDSA", "digest");
        assert_eq!(desk.read("signature").len(), bytes, "r and s, each as long as the field");
        sign(&desk, id, "ECDSA --signature-format openssl", "digest");
        desk.judge(&format!("{VERIFY} -in digest"));
        for hash in ["sha256", "sha384", "sha512"] {
            sign(&desk, id, &format!("ECDSA-{} --signature-format openssl", hash.to_uppercase()), "message");
            desk.judge(&format!("dgst -{hash} -verify public.der -keyform DER -signature signature message"));
        }
        // The judge can say no.
        desk.judge_refuses("dgst -sha256 -verify public.der -keyform DER -signature signature digest");
    }
}

#[test]
fn rsa_signatures_are_valid_for_openssl() {
    let desk = Desk::new(PEER);
    generated(&desk, "rsa:2048", "tool-rsa", "a003");
    for hash in ["sha256", "sha384", "sha512"] {
        sign(&desk, "a003", &format!("{}-RSA-PKCS", hash.to_uppercase()), "message");
        desk.judge(&format!("dgst -{hash} -verify public.der -keyform DER -signature signature message"));
        sign(&desk, "a003", &format!("{}-RSA-PKCS-PSS", hash.to_uppercase()), "message");
        desk.judge(&format!(
            "dgst -{hash} -sigopt rsa_padding_mode:pss -verify public.der -keyform DER -signature signature message"
        ));
    }
    sign(&desk, "a003", "RSA-PKCS-PSS --hash-algorithm SHA256 --mgf MGF1-SHA256", "digest");
    desk.judge(&format!("{VERIFY} -in digest -pkeyopt rsa_padding_mode:pss -pkeyopt digest:sha256"));
    // DigestInfo of RFC 8017 §9.2, as a client composes it.
    let information =
        [&hex::decode("3031300d060960864801650304020105000420").unwrap(), &desk.read("digest")[..]].concat();
    desk.write("information", information);
    sign(&desk, "a003", "RSA-PKCS", "information");
    desk.judge("dgst -sha256 -verify public.der -keyform DER -signature signature message");
}

#[test]
fn ed25519_signatures_are_valid_for_openssl() {
    // Not a client that OpenSSL's engine is: that finds no key beside one of Ed25519.
    let desk = Desk::new("org1-orderer0");
    generated(&desk, "EC:edwards25519", "tool-ed25519", "a004");
    sign(&desk, "a004", "EDDSA", "message");
    desk.judge(&format!("{VERIFY} -rawin -in message"));
}

/// Without `--usage-sign` pkcs11-tool asks for every use that the type has. A key here has one purpose: it signs.
#[test]
fn keys_made_for_every_use_sign() {
    let desk = Desk::new(PEER);
    for (key_type, id, mechanism) in
        [("EC:prime256v1", "a005", "ECDSA --signature-format openssl"), ("rsa:2048", "a006", "")]
    {
        let line = format!("--keypairgen --key-type {key_type} --label tool-every-use --id {id}");
        let made = succeed(&mut desk.pkcs11_tool(&line)).text;
        assert!(made.contains("Usage:      sign\n"), "{made}");
        desk.write("public.der", public_key(&desk, &made, id));
        if mechanism.is_empty() {
            sign(&desk, id, "SHA256-RSA-PKCS", "message");
        } else {
            sign(&desk, id, mechanism, "digest");
        }
        desk.judge("dgst -sha256 -verify public.der -keyform DER -signature signature message");
    }
}

/// What an officer made for a node is there without further ado: labelled with the key's id, filed under SHA-256 of the
/// point, as Fabric looks for it.
#[test]
fn a_key_that_an_officer_made_is_found_and_signs() {
    let desk = Desk::new(PEER);
    desk.officer_makes("tool-officer", "--algorithm ec-p256");
    desk.chancery(PEER, &format!("keys public {} --out @/public.pem", key("tool-officer")));
    desk.judge("pkey -pubin -in public.pem -outform DER -out public.der");
    let spki = desk.read("public.der");
    desk.write("point", &spki[spki.len() - 65..]);
    let id = desk.judge("dgst -sha256 -r point")[..64].to_owned();
    let listed = succeed(&mut desk.pkcs11_tool("--list-objects")).text;
    let found = listed.split("Key Object").filter(|object| object.contains("label:      tool-officer\n"));
    let found: Vec<_> = found.collect();
    assert_eq!(found.len(), 2, "a private and a public object: {listed}");
    assert!(found.iter().all(|object| object.contains(&id)), "{listed}");
    sign(&desk, &id, "ECDSA --signature-format openssl", "digest");
    desk.judge(&format!("{VERIFY} -in digest"));
    let list = format!("--output json audit list --action Sign --key {}", key("tool-officer"));
    let records = desk.chancery("org1-auditor", &list);
    assert_eq!(records.matches("\"action\":\"Sign\"").count(), 1, "one signature, one request: {records}");
}

/// Local operations: the module verifies, digests and draws random bytes itself.
#[test]
fn verification_digests_and_random_bytes() {
    let desk = Desk::new(PEER);
    generated(&desk, "EC:prime256v1", "tool-local", "a007");
    sign(&desk, "a007", "ECDSA", "digest");
    let verify = "--verify --id a007 --mechanism ECDSA --signature-file signature --input-file";
    let valid = succeed(&mut desk.pkcs11_tool(&format!("{verify} digest"))).text;
    assert!(valid.contains("Signature is valid"), "{valid}");
    desk.write("other", [7; 32]);
    let invalid = crate::pkcs11::run(&mut desk.pkcs11_tool(&format!("{verify} other"))).text;
    assert!(invalid.contains("Invalid signature"), "{invalid}");
    for hash in ["sha256", "sha384", "sha512"] {
        let line = format!("--hash --mechanism {} --input-file message --output-file hashed", hash.to_uppercase());
        succeed(&mut desk.pkcs11_tool_without_login(&line));
        desk.judge(&format!("dgst -{hash} -binary -out expected message"));
        assert_eq!(desk.read("hashed"), desk.read("expected"), "{hash} of {} bytes", MESSAGE.len());
    }
    let random = succeed(&mut desk.pkcs11_tool_without_login("--generate-random 33 --output-file random"));
    assert_eq!(desk.read("random").len(), 33, "{}", random.text);
    assert_ne!(desk.read("random"), [0; 33]);
}
