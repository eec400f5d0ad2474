//! Public keys as others write them.

use super::{bare_spki, ml_dsa, secp256k1};
use crate::{
    crypto::tests::openssl::{ALGORITHMS, Openssl},
    crypto::{KeyForms, PublicKey, sha256, with_checksum},
    model::Algorithm,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::fs;

fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn thumbprint(key: &PublicKey) -> String {
    URL_SAFE_NO_PAD.encode(sha256(KeyForms::of(key).jwk.as_bytes()))
}

#[test]
fn a_json_web_keys_hash_is_its_published_thumbprint() {
    // RFC 7638 §3.1.
    let modulus = decoded(concat!(
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3ok",
        "njhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu",
        "6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8a",
        "wapJzKnqDKgw",
    ));
    let prefix = hex::decode("30820122300d06092a864886f70d01010105000382010f003082010a0282010100").unwrap();
    let spki = [prefix.as_slice(), &modulus, &[2, 3, 1, 0, 1]].concat();
    let rsa = PublicKey::parse(Algorithm::Rsa2048, &spki).unwrap();
    assert_eq!(thumbprint(&rsa), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    // RFC 8037 §A.3.
    let x = decoded("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    let spki = [hex::decode("302a300506032b6570032100").unwrap(), x].concat();
    let ed25519 = PublicKey::parse(Algorithm::Ed25519, &spki).unwrap();
    assert_eq!(thumbprint(&ed25519), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn points_and_identifiers_are_what_openssl_makes_of_the_key() {
    let openssl = Openssl::new();
    for algorithm in ALGORITHMS {
        let made = openssl.key(algorithm);
        let key = PublicKey::parse(algorithm, &made.public).unwrap();
        let forms = KeyForms::of(&key);
        let digest = openssl.run("dgst -sha256 -r @", &[&openssl.file(&forms.raw)]);
        assert_eq!(hex::encode(forms.fabric_ski), digest[..64]);
        // Its self-signed certificates have a subject key identifier by RFC 5280 §4.2.1.2 method 1.
        let certificate = openssl.self_signed(&made, "/CN=a", 1, "");
        let said = openssl.run("x509 -in @ -noout -ext subjectKeyIdentifier", &[&certificate.path]);
        let identifier = said.lines().nth(1).unwrap().trim().replace(':', "").to_lowercase();
        assert_eq!(hex::encode(&forms.x509_ski), identifier, "{algorithm}");
        assert!(made.public.ends_with(&forms.raw));

        let curve = algorithm == Algorithm::Sm2 || algorithm.ecdsa_width().is_some();
        if curve {
            let compressed = openssl.path();
            openssl.run("ec -in @ -pubout -conv_form compressed -outform DER -out @", &[&made.path, &compressed]);
            assert!(fs::read(compressed).unwrap().ends_with(&forms.compressed), "{algorithm}");
            let width = algorithm.ecdsa_width().unwrap_or(32);
            assert_eq!((forms.raw.len(), forms.compressed.len()), (1 + 2 * width, 1 + width));
        } else {
            assert!(forms.compressed.is_empty());
        }
        match (algorithm, algorithm.ecdsa_width()) {
            (Algorithm::Sm2, _) => assert_eq!(forms.jwk, "", "no registered key type"),
            (_, Some(width)) => {
                let jwk: serde_json::Value = serde_json::from_str(&forms.jwk).unwrap();
                let [x, y] = ["x", "y"].map(|member| decoded(jwk[member].as_str().unwrap()));
                assert_eq!((x.len(), y.len(), jwk["kty"].as_str()), (width, width, Some("EC")), "RFC 7518 §6.2.1.2");
                assert_eq!([[4].as_slice(), &x, &y].concat(), forms.raw);
            }
            _ => assert!(!forms.jwk.is_empty()),
        }
        assert_eq!(forms.ethereum_address.is_empty(), algorithm != Algorithm::EcSecp256k1);
    }
}

#[test]
fn keys_that_make_no_signatures_here_have_forms_too() {
    let x25519 = Openssl::new().key(Algorithm::X25519).public;
    let forms = KeyForms::of(&PublicKey::parse(Algorithm::X25519, &x25519).unwrap());
    assert_eq!(forms.raw, x25519[12..]);
    assert!(forms.jwk.starts_with(r#"{"crv":"X25519","kty":"OKP","x":""#));
    assert!(PublicKey::parse(Algorithm::Ed25519, &x25519).is_err());

    let spki = bare_spki(&ml_dsa(17), &[1; 1312]);
    let forms = KeyForms::of(&PublicKey::parse(Algorithm::MlDsa44, &spki).unwrap());
    assert_eq!((forms.raw.as_slice(), forms.jwk.as_str()), ([1; 1312].as_slice(), ""));
}

#[test]
fn ethereum_addresses_are_those_published_for_their_keys() {
    let one = "0000000000000000000000000000000000000000000000000000000000000001";
    for (private, address) in [
        (one, "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"),
        // EIP-155.
        (&"46".repeat(32), "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F"),
        // Hardhat's first account.
        (
            "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
            "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        ),
    ] {
        let private = k256::ecdsa::SigningKey::from_slice(&hex::decode(private).unwrap()).unwrap();
        let key = secp256k1(private.verifying_key().to_sec1_point(false).as_bytes());
        assert_eq!(KeyForms::of(&key).ethereum_address, address);
    }
    // EIP-55.
    for address in [
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ] {
        assert_eq!(with_checksum(&address[2..].to_lowercase()), address);
    }
}
