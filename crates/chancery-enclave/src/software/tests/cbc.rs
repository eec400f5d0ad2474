//! Cipher block chaining: published vectors, the openssl command line, and what is refused.

use chancery_ipc::{FaultReason, KeyAlgorithm, Mechanism};

use super::{Input, Told, made, opened, openssl_gives, unhex};
use crate::software::{Output, SoftwareKey};

const IV: &str = "000102030405060708090a0b0c0d0e0f";

/// Uses a key in a mode that draws no random bytes.
fn used(key: &SoftwareKey, mechanism: Mechanism, iv: &[u8], bytes: &[u8]) -> Result<Output, FaultReason> {
    let input = Input { bytes, iv, ..Input::default() };
    key.use_key(mechanism, input, &mut Told(Vec::new())).map_err(|failure| failure.reason)
}

/// SP 800-38A §F.2.5 and §F.2.6 for AES-256; draft-ribose-cfrg-sm4-10 §A.2.2 for SM4.
#[test]
fn published_vectors() {
    for (algorithm, key, iv, plain, expected) in [
        (
            KeyAlgorithm::Aes256,
            "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
            IV,
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
            "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d
             39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b",
        ),
        (
            KeyAlgorithm::Sm4,
            "0123456789abcdeffedcba9876543210",
            IV,
            "aaaaaaaabbbbbbbbccccccccddddddddeeeeeeeeffffffffaaaaaaaabbbbbbbb",
            "78ebb11cc40b0a48312aaeb2040244cb4cb7016951909226979b0d15dc6a8f6d",
        ),
    ] {
        let (key, iv, plain, expected) = (opened(algorithm, &unhex(key)), unhex(iv), unhex(plain), unhex(expected));
        assert_eq!(*used(&key, Mechanism::CbcEncrypt, &iv, &plain).unwrap(), expected, "{algorithm:?}");
        assert_eq!(*used(&key, Mechanism::CbcDecrypt, &iv, &expected).unwrap(), plain, "{algorithm:?}");
        let padded = used(&key, Mechanism::CbcPadEncrypt, &iv, &plain).unwrap();
        assert_eq!((padded.len(), &padded[..plain.len()]), (plain.len() + 16, &expected[..]));
        assert_eq!(*used(&key, Mechanism::CbcPadDecrypt, &iv, &padded).unwrap(), plain);
    }
}

#[test]
fn openssl_encrypts_the_same() {
    for (algorithm, cipher) in [(KeyAlgorithm::Aes256, "aes-256-cbc"), (KeyAlgorithm::Sm4, "sm4-cbc")] {
        let (key, secret) = made(algorithm);
        for length in [0, 1, 15, 16, 17, 32, 1000, 70_000] {
            let plain: Vec<u8> = (0..length).map(|index| index as u8).collect();
            let directory = tempfile::tempdir().unwrap();
            std::fs::write(directory.path().join("plain"), &plain).unwrap();
            let command = format!("enc -{cipher} -K {} -iv {IV} -in plain", hex::encode(&secret[..]));
            let theirs = openssl_gives(directory.path(), &command);
            let ours = used(&key, Mechanism::CbcPadEncrypt, &unhex(IV), &plain).unwrap();
            assert_eq!(*ours, theirs, "{cipher}: {length}");
            assert_eq!(*used(&key, Mechanism::CbcPadDecrypt, &unhex(IV), &theirs).unwrap(), plain);
            if length % 16 == 0 && length > 0 {
                let theirs = openssl_gives(directory.path(), &format!("{command} -nopad"));
                assert_eq!(*used(&key, Mechanism::CbcEncrypt, &unhex(IV), &plain).unwrap(), theirs);
                assert_eq!(*used(&key, Mechanism::CbcDecrypt, &unhex(IV), &theirs).unwrap(), plain);
            }
        }
    }
}

#[test]
fn what_is_no_input_is_refused() {
    for algorithm in [KeyAlgorithm::Aes256, KeyAlgorithm::Sm4] {
        let (key, _) = made(algorithm);
        for mechanism in
            [Mechanism::CbcEncrypt, Mechanism::CbcDecrypt, Mechanism::CbcPadEncrypt, Mechanism::CbcPadDecrypt]
        {
            for iv in [&[][..], &[1; 12], &[1; 15], &[1; 17]] {
                assert_eq!(used(&key, mechanism, iv, &[2; 32]).err(), Some(FaultReason::BadRequest), "{mechanism:?}");
            }
        }
        for length in [0, 1, 15, 17, 31] {
            let text = vec![2; length];
            assert_eq!(used(&key, Mechanism::CbcEncrypt, &[1; 16], &text).err(), Some(FaultReason::BadRequest));
            for mechanism in [Mechanism::CbcDecrypt, Mechanism::CbcPadDecrypt] {
                assert_eq!(used(&key, mechanism, &[1; 16], &text).err(), Some(FaultReason::BadInput));
            }
        }
        for nonce in [&[][..], &[1; 11], &[1; 16]] {
            let refused = used(&key, Mechanism::GcmEncryptGivenNonce, nonce, b"text").err();
            assert_eq!(refused, Some(FaultReason::BadRequest));
        }
    }
}

/// Whatever is wrong with a padding, the answer is the same word for word.
#[test]
fn wrong_paddings_are_all_one() {
    let (key, _) = made(KeyAlgorithm::Aes256);
    let mut said = std::collections::BTreeSet::new();
    for (place, byte) in [(15, 0), (15, 17), (15, 255), (15, 2), (14, 9), (0, 1)] {
        let mut block = [16; 16];
        block[place] = byte;
        let sealed = used(&key, Mechanism::CbcEncrypt, &[1; 16], &[[5; 16], block].concat()).unwrap();
        let input = Input { bytes: &sealed, iv: &[1; 16], ..Input::default() };
        let failure = key.use_key(Mechanism::CbcPadDecrypt, input, &mut Told(Vec::new())).unwrap_err();
        said.insert((failure.reason as i32, failure.message));
    }
    assert_eq!(said.len(), 1, "{said:?}");
}
