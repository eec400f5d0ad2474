//! SM2 and SM4 against the standards' examples and the `openssl` command line.

use chancery_ipc::{FaultReason, KeyAlgorithm, Mechanism};
use der::{
    Decode, Sequence,
    asn1::{OctetString, Uint},
};

use super::{Input, Told, made, opened, openssl_gives, openssl_verifies, to_der, unhex, used, with};
use crate::software::SoftwareKey;

const ID: &[u8] = b"1234567812345678";
const DISTID: &str = "-rawin -digest sm3 -pkeyopt distid:1234567812345678";

/// GB/T 32918.5-2017 §A.2 and §C.2: the same key signs and decrypts.
fn example() -> SoftwareKey {
    opened(KeyAlgorithm::Sm2, &unhex("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8"))
}

/// By OpenSSL, so that nothing of ours judges itself.
fn sm3(bytes: &[u8]) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("input"), bytes).unwrap();
    openssl_gives(directory.path(), "dgst -sm3 -binary input")
}

/// e of a message (GB/T 32918.2 §5.5, §6.1).
fn e(key: &SoftwareKey, message: &[u8]) -> Vec<u8> {
    let curve = unhex(
        "fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc
         28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93
         32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7
         bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0",
    );
    let spki = key.public_key_spki();
    let z = sm3(&[&[0, 128], ID, &curve, &spki[spki.len() - 64..]].concat());
    sm3(&[&z, message].concat())
}

#[test]
fn the_standards_key_and_digest_are_ours() {
    let key = example();
    let public = "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020
                  ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13";
    let header = "3059301306072a8648ce3d020106082a811ccf5501822d03420004";
    assert_eq!(key.public_key_spki(), unhex(&format!("{header}{public}")));
    let expected = unhex("f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640");
    assert_eq!(e(&key, b"message digest"), expected);
}

#[test]
fn openssl_verifies_what_sm2_signs() {
    for key in [example(), made(KeyAlgorithm::Sm2).0] {
        for message in [&b"message digest"[..], &[0x5a; 1000]] {
            let signature = to_der(&used(&key, Mechanism::Sm2, &e(&key, message)).unwrap());
            assert!(openssl_verifies(key.public_key_spki(), message, &signature, DISTID));
            assert!(!openssl_verifies(key.public_key_spki(), b"else", &signature, DISTID));
        }
    }
}

/// GB/T 32918.5-2017 §C.2.
#[test]
fn sm2_decrypts_the_standards_example_and_nothing_that_differs_from_it() {
    let ciphertext = unhex(
        "04 04ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73
            e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0
         59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766
         21886ca989ca9c7d58087307ca93092d651efa",
    );
    let key = example();
    assert_eq!(used(&key, Mechanism::Sm2Decrypt, &ciphertext).unwrap()[..], *b"encryption standard");
    for index in 0..ciphertext.len() {
        let mut changed = ciphertext.clone();
        changed[index] ^= 1;
        assert_eq!(used(&key, Mechanism::Sm2Decrypt, &changed).err(), Some(FaultReason::BadInput), "byte {index}");
    }
    for length in [0, 1, 64, 65, 96, 97, 115] {
        let cut = &ciphertext[..length];
        assert_eq!(used(&key, Mechanism::Sm2Decrypt, cut).err(), Some(FaultReason::BadInput), "{length} bytes");
    }
}

#[test]
fn sm2_decrypts_what_openssl_encrypts() {
    /// SM2Cipher (GM/T 0009 §7.2).
    #[derive(Sequence)]
    struct Ciphertext {
        x: Uint,
        y: Uint,
        c3: OctetString,
        c2: OctetString,
    }
    let directory = tempfile::tempdir().unwrap();
    let (key, _) = made(KeyAlgorithm::Sm2);
    let plaintext = b"a data key of thirty-two bytes..";
    std::fs::write(directory.path().join("key"), key.public_key_spki()).unwrap();
    std::fs::write(directory.path().join("plaintext"), plaintext).unwrap();
    for _ in 0..8 {
        let der = openssl_gives(directory.path(), "pkeyutl -encrypt -pubin -keyform DER -inkey key -in plaintext");
        let parts = Ciphertext::from_der(&der).unwrap();
        let mut ciphertext = vec![4];
        for coordinate in [&parts.x, &parts.y] {
            ciphertext.resize(ciphertext.len() + 32 - coordinate.as_bytes().len(), 0);
            ciphertext.extend_from_slice(coordinate.as_bytes());
        }
        ciphertext.extend_from_slice(parts.c3.as_bytes());
        ciphertext.extend_from_slice(parts.c2.as_bytes());
        assert_eq!(used(&key, Mechanism::Sm2Decrypt, &ciphertext).unwrap()[..], *plaintext);
    }
}

/// RFC 8998 §A.1.
#[test]
fn sm4_gcm_matches_the_rfc() {
    let key = opened(KeyAlgorithm::Sm4, &unhex("0123456789abcdeffedcba9876543210"));
    let nonce = unhex("00001234567800000000abcd");
    let associated_data = unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    let plaintext = unhex(
        "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd
         eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa",
    );
    let expected = unhex(
        "00001234567800000000abcd
         17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735
         d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d
         83de3541e4c2b58177e065a9bf7b62ec",
    );
    let output = key.use_key(Mechanism::GcmEncrypt, with(&plaintext, &associated_data), &mut Told(nonce)).unwrap();
    assert_eq!(*output, expected);
    let given = Input { iv: &expected[..12], ..with(&plaintext, &associated_data) };
    let output_alone = key.use_key(Mechanism::GcmEncryptGivenNonce, given, &mut Told(Vec::new())).unwrap();
    assert_eq!(*output_alone, expected[12..]);
    let back = key.use_key(Mechanism::GcmDecrypt, with(&output, &associated_data), &mut Told(Vec::new())).unwrap();
    assert_eq!(*back, plaintext);
}
