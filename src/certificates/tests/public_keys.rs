//! A key has one encoding.

use crate::crypto::tests::openssl::{ALGORITHMS, Openssl};
use crate::{
    certificates::{CertificateError, PublicKey},
    model::Algorithm,
};
use std::fs;

#[test]
fn keys_of_every_algorithm_made_by_openssl_are_recognized() {
    let openssl = Openssl::new();
    for algorithm in ALGORITHMS {
        let key = openssl.key(algorithm);
        let parsed = PublicKey::parse(&key.public).unwrap();
        assert_eq!((parsed.algorithm(), parsed.der()), (algorithm, key.public.as_slice()));
        let digest = openssl.run("dgst -sha256 -r @", &[&openssl.file(&key.public)]);
        assert_eq!(hex::encode(parsed.sha256()), digest[..64]);
    }
}

/// DER of a SEQUENCE, for keys that openssl won't write.
fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = match content.len() {
        short @ 0..128 => vec![short as u8],
        medium @ 128..256 => vec![0x81, medium as u8],
        long => vec![0x82, (long >> 8) as u8, long as u8],
    };
    [&[tag], length.as_slice(), content].concat()
}

fn bit_string(content: &[u8]) -> Vec<u8> {
    tlv(3, &[&[0], content].concat())
}

const EC: &[u8] = &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const ECDH: &[u8] = &[0x06, 5, 0x2b, 0x81, 4, 1, 12];
const P256: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const ED25519: &[u8] = &[0x06, 3, 0x2b, 0x65, 0x70];
const RSA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const RSA_PSS: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
const NULL: &[u8] = &[5, 0];

#[test]
fn no_second_encoding_of_a_key_is_accepted() {
    let openssl = Openssl::new();
    let ec = openssl.key(Algorithm::EcP256);
    let (compressed, explicit) = (openssl.path(), openssl.path());
    openssl.run("ec -in @ -pubout -conv_form compressed -outform DER -out @", &[&ec.path, &compressed]);
    openssl.run("ec -in @ -pubout -param_enc explicit -outform DER -out @", &[&ec.path, &explicit]);
    let point = &ec.public[26..];
    let hybrid = [&[6 | point[64] & 1], &point[1..]].concat();
    let ed25519 = openssl.key(Algorithm::Ed25519).public;
    let rsa = openssl.key(Algorithm::Rsa2048).public;
    let rsa_key = &rsa[24..];
    let mut padded = rsa_key.to_vec();
    // A second leading zero in the modulus, and lengths to match.
    padded.insert(8, 0);
    padded[7] += 1;
    padded[3] += 1;
    let indefinite = [&[0x30, 0x80], &ec.public[2..], &[0, 0]].concat();
    let long_length = [&[0x30, 0x81, ec.public[1]], &ec.public[2..]].concat();

    // The pieces are right: put together as they were, they are the keys.
    assert_eq!(sequence(&[&sequence(&[EC, P256]), &bit_string(point)]), ec.public);
    assert_eq!(sequence(&[&sequence(&[RSA, NULL]), &bit_string(rsa_key)]), rsa);
    assert_eq!(sequence(&[&sequence(&[ED25519]), &bit_string(&ed25519[12..])]), ed25519);

    for (what, der) in [
        ("compressed point", fs::read(compressed).unwrap()),
        ("hybrid point", sequence(&[&sequence(&[EC, P256]), &bit_string(&hybrid)])),
        ("compact point", sequence(&[&sequence(&[EC, P256]), &bit_string(&[&[5], &point[1..33]].concat())])),
        ("explicit parameters", fs::read(explicit).unwrap()),
        ("no parameters", sequence(&[&sequence(&[EC]), &bit_string(point)])),
        ("id-ecDH", sequence(&[&sequence(&[ECDH, P256]), &bit_string(point)])),
        ("a key within the key", sequence(&[&sequence(&[EC, P256]), &bit_string(&ec.public)])),
        ("unused bits", sequence(&[&sequence(&[EC, P256]), &tlv(3, &[&[1], point].concat())])),
        ("trailing byte", [ec.public.as_slice(), &[0]].concat()),
        ("indefinite length", indefinite),
        ("long form of a short length", long_length),
        ("third part of the algorithm", sequence(&[&sequence(&[EC, P256, NULL]), &bit_string(point)])),
        ("RSA without parameters", sequence(&[&sequence(&[RSA]), &bit_string(rsa_key)])),
        ("RSA for PSS only", sequence(&[&sequence(&[RSA_PSS]), &bit_string(rsa_key)])),
        ("RSA modulus with leading zeros", sequence(&[&sequence(&[RSA, NULL]), &bit_string(&padded)])),
        ("RSA key with a trailing byte", sequence(&[&sequence(&[RSA, NULL]), &bit_string(&[rsa_key, &[0]].concat())])),
        ("Ed25519 with NULL", sequence(&[&sequence(&[ED25519, NULL]), &bit_string(&ed25519[12..])])),
    ] {
        assert!(PublicKey::parse(&der).is_err(), "{what}");
    }
}

#[test]
fn keys_that_are_none_or_not_offered_are_refused_with_what_to_use() {
    let openssl = Openssl::new();
    let generated = |options: &str| {
        let path = openssl.path();
        openssl.run(&format!("genpkey -algorithm {options} -out @"), &[&path]);
        openssl.public(&path)
    };
    for options in [
        "EC -pkeyopt ec_paramgen_curve:P-224",
        "EC -pkeyopt ec_paramgen_curve:brainpoolP256r1",
        "RSA -pkeyopt rsa_keygen_bits:1024",
        "RSA -pkeyopt rsa_keygen_bits:2056",
        "RSA -pkeyopt rsa_keygen_pubexp:3",
        "X25519",
        "ED448",
    ] {
        let error = PublicKey::parse(&generated(options)).unwrap_err();
        assert!(matches!(error, CertificateError::UnsupportedKey(_)), "{options}: {error}");
    }
    let mut off_curve = generated("EC -pkeyopt ec_paramgen_curve:P-256");
    *off_curve.last_mut().unwrap() ^= 1;
    let error = PublicKey::parse(&off_curve).unwrap_err();
    assert!(error.to_string().contains("not on its curve"), "{error}");
}
