//! Signatures that the `openssl` command line verifies, and ciphertexts that it made.

use chancery_ipc::{KeyAlgorithm, Mechanism};

use super::{made, openssl_gives, openssl_verifies, to_der, used, with};
use crate::software::{SoftwareKey, tests::System};

const CURVES: [KeyAlgorithm; 4] =
    [KeyAlgorithm::EcP256, KeyAlgorithm::EcP384, KeyAlgorithm::EcP521, KeyAlgorithm::EcSecp256k1];

/// All that PKCS#11 takes: shorter than the order, as long, and longer, which is cut (FIPS 186-5 §6.4.1).
#[test]
fn ecdsa_signs_digests_of_every_length() {
    for algorithm in CURVES {
        let (key, _) = made(algorithm);
        for length in [1, 20, 28, 31, 32, 33, 47, 48, 49, 63, 64] {
            let digest: Vec<u8> = (0..length).map(|index| 0xff - index).collect();
            let signature = to_der(&used(&key, Mechanism::Ecdsa, &digest).unwrap());
            assert!(openssl_verifies(key.public_key_spki(), &digest, &signature, ""), "{algorithm:?}: {length}");
        }
        // The tool takes no more than 64 bytes; so it judges the integer that is left of longer ones.
        let digest: Vec<u8> = (1..=64).collect();
        for long in longer(algorithm, &digest) {
            let signature = to_der(&used(&key, Mechanism::Ecdsa, &long).unwrap());
            assert!(openssl_verifies(key.public_key_spki(), &digest, &signature, ""), "{algorithm:?}: {}", long.len());
        }
        let signature = to_der(&used(&key, Mechanism::Ecdsa, &[1; 32]).unwrap());
        assert!(!openssl_verifies(key.public_key_spki(), &[2; 32], &signature, ""), "{algorithm:?}");
    }
}

/// Digests of 65 and 66 bytes whose leftmost bits, as many as the order has, are the integer of `digest`.
fn longer(algorithm: KeyAlgorithm, digest: &[u8]) -> [Vec<u8>; 2] {
    if algorithm != KeyAlgorithm::EcP521 {
        return [[digest, &[1]].concat(), [digest, &[1, 2]].concat()];
    }
    // 521 of 528 bits: seven are cut, so the integer stands seven bits to the left.
    let mut shifted = vec![0; 66];
    for (index, byte) in digest.iter().enumerate() {
        shifted[index + 1] |= byte >> 1;
        shifted[index + 2] |= byte << 7;
    }
    shifted[65] |= 0x55;
    [[&[0], digest].concat(), shifted]
}

#[test]
fn nonces_of_equal_digests_differ() {
    for (algorithm, mechanism) in CURVES
        .map(|curve| (curve, Mechanism::Ecdsa))
        .into_iter()
        .chain([(KeyAlgorithm::Sm2, Mechanism::Sm2), (KeyAlgorithm::MlDsa44, Mechanism::MlDsa)])
    {
        let (key, _) = made(algorithm);
        let [first, second] = [0, 1].map(|_| used(&key, mechanism, &[7; 32]).unwrap());
        assert_ne!(first[..16], second[..16], "{algorithm:?}");
    }
}

#[test]
fn canonical_signatures_verify_and_are_canonical() {
    for algorithm in [KeyAlgorithm::EcP256, KeyAlgorithm::EcSecp256k1] {
        let (key, _) = made(algorithm);
        for round in 0..24 {
            let digest = [round; 32];
            let signature = used(&key, Mechanism::EcdsaCanonical, &digest).unwrap();
            let der = to_der(&signature);
            // SEQUENCE { INTEGER of 32 bytes, INTEGER of 32 bytes }: neither a sign byte nor a byte less.
            assert_eq!((der.len(), der[3], der[37]), (70, 32, 32), "{algorithm:?}: {der:02x?}");
            assert!(signature[32] < 0x80, "the lower s");
            if round < 4 {
                assert!(openssl_verifies(key.public_key_spki(), &digest, &der, ""), "{algorithm:?}");
            }
        }
    }
}

#[test]
fn ed25519_signs_messages() {
    let (key, _) = made(KeyAlgorithm::Ed25519);
    for message in [&b"a message"[..], &[0xa5; 5000]] {
        let signature = used(&key, Mechanism::Eddsa, message).unwrap();
        assert!(openssl_verifies(key.public_key_spki(), message, &signature, "-rawin"));
        assert!(!openssl_verifies(key.public_key_spki(), b"else", &signature, "-rawin"));
    }
}

/// The DigestInfo of a digest of zeros (RFC 8017 §9.2, note 1), written out.
fn digest_info(hash: &str) -> Vec<u8> {
    let prefix = match hash {
        "sha256" => "3031300d060960864801650304020105000420",
        "sha384" => "3041300d060960864801650304020205000430",
        _ => "3051300d060960864801650304020305000440",
    };
    let mut info = hex::decode(prefix).unwrap();
    info.extend_from_slice(&zeros(hash));
    info
}

fn zeros(hash: &str) -> Vec<u8> {
    vec![0; hash[3..].parse::<usize>().unwrap() / 8]
}

#[test]
fn rsa_signs_with_both_paddings_and_three_hashes() {
    for algorithm in [KeyAlgorithm::Rsa2048, KeyAlgorithm::Rsa3072, KeyAlgorithm::Rsa4096] {
        let (key, _) = made(algorithm);
        for (hash, pss, salt) in [
            ("sha256", Mechanism::RsaPssSha256, 32),
            ("sha384", Mechanism::RsaPssSha384, 48),
            ("sha512", Mechanism::RsaPssSha512, 64),
        ] {
            let signature = used(&key, Mechanism::RsaPkcs1, &digest_info(hash)).unwrap();
            let options = format!("-pkeyopt digest:{hash}");
            assert!(openssl_verifies(key.public_key_spki(), &zeros(hash), &signature, &options), "{hash}");
            assert!(!openssl_verifies(key.public_key_spki(), &vec![1; salt], &signature, &options), "{hash}");
            let signature = used(&key, pss, &zeros(hash)).unwrap();
            let options = format!(
                "-pkeyopt digest:{hash} -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:{salt} -pkeyopt rsa_mgf1_md:{hash}"
            );
            assert!(openssl_verifies(key.public_key_spki(), &zeros(hash), &signature, &options), "{hash}");
        }
    }
}

fn oaep(key: &SoftwareKey, hash: &str, plaintext: &[u8], label: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("key"), key.public_key_spki()).unwrap();
    std::fs::write(directory.path().join("plaintext"), plaintext).unwrap();
    let label =
        if label.is_empty() { String::new() } else { format!("-pkeyopt rsa_oaep_label:{}", hex::encode(label)) };
    let options = format!("-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:{hash} -pkeyopt rsa_mgf1_md:{hash}");
    let command = format!("pkeyutl -encrypt -pubin -keyform DER -inkey key -in plaintext {options} {label}");
    openssl_gives(directory.path(), &command)
}

#[test]
fn rsa_decrypts_with_the_label_and_not_without() {
    let (key, _) = made(KeyAlgorithm::Rsa2048);
    let hashes = [
        ("sha1", Mechanism::RsaOaepSha1Decrypt),
        ("sha256", Mechanism::RsaOaepSha256Decrypt),
        ("sha384", Mechanism::RsaOaepSha384Decrypt),
        ("sha512", Mechanism::RsaOaepSha512Decrypt),
    ];
    for (hash, mechanism) in hashes {
        for label in ["", "a label"] {
            let ciphertext = oaep(&key, hash, b"a data key", label);
            let decrypt =
                |mechanism, label: &str| key.use_key(mechanism, with(&ciphertext, label.as_bytes()), &mut System).ok();
            assert_eq!(decrypt(mechanism, label).unwrap()[..], *b"a data key");
            assert!(decrypt(mechanism, "another label").is_none());
            for (_, other) in hashes.into_iter().filter(|(other, _)| *other != hash) {
                assert!(decrypt(other, label).is_none(), "{hash} by {other:?}");
            }
        }
    }
}
