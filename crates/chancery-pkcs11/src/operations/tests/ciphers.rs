//! Parameters and lengths of ciphers.

use crate::{
    mechanism::{Mechanism, Parameter},
    operations::{
        cipher::{Sealing, suits},
        scheme::MOST_BYTES,
        table::{Cipher, Mode},
    },
    rv::{Result, Rv},
};
use chancery_model::{Algorithm, OaepHash};
use cryptoki_sys::*;

fn sealing(cipher: Cipher, parameter: Parameter) -> Result<Sealing> {
    let algorithm = match cipher {
        Cipher::Oaep => Algorithm::Rsa2048,
        Cipher::Sm2 { .. } => Algorithm::Sm2,
        Cipher::Aes(_) => Algorithm::Aes256,
        Cipher::Sm4(_) => Algorithm::Sm4,
    };
    assert!(suits(cipher, algorithm));
    Sealing::new(cipher, &Mechanism { kind: 0, parameter }, algorithm)
}

const INVALID: Rv = Rv(CKR_MECHANISM_PARAM_INVALID);

#[test]
fn gcm_has_nonces_of_12_and_tags_of_16_bytes() {
    let gcm = |iv: usize, tag_bits| {
        sealing(Cipher::Aes(Mode::Gcm), Parameter::Gcm { iv: vec![0; iv], aad: vec![1], tag_bits })
    };
    let sealing = gcm(12, 128).unwrap();
    assert_eq!((sealing.ciphertext_length(5), sealing.plaintext_length(21)), (21, 5));
    assert!(sealing.takes_ciphertext(16) && !sealing.takes_ciphertext(15));
    for (iv, tag) in [(0, 128), (11, 128), (13, 128), (16, 128), (12, 96), (12, 0), (12, u64::MAX)] {
        assert_eq!(gcm(iv, tag), Err(INVALID), "{iv} {tag}");
    }
}

#[test]
fn cbc_takes_whole_blocks_and_pads_to_them() {
    for (cipher, padded) in [(Cipher::Aes as fn(Mode) -> Cipher, Algorithm::Aes256), (Cipher::Sm4, Algorithm::Sm4)] {
        assert!(suits(cipher(Mode::Cbc), padded));
        let with = |mode, length| sealing(cipher(mode), Parameter::Bytes(vec![0; length]));
        for length in [0, 8, 15, 17] {
            assert_eq!(with(Mode::Cbc, length), Err(INVALID));
        }
        let (cbc, padded) = (with(Mode::Cbc, 16).unwrap(), with(Mode::CbcPad, 16).unwrap());
        for length in [0, 1, 15, 16, 17, 32] {
            assert_eq!(cbc.takes_plaintext(length), length > 0 && length % 16 == 0);
            assert_eq!(padded.ciphertext_length(length), length / 16 * 16 + 16);
        }
        assert!(!padded.takes_ciphertext(0) && padded.takes_ciphertext(16) && !padded.takes_ciphertext(17));
        assert!(cbc.takes_plaintext(MOST_BYTES) && !cbc.takes_plaintext(MOST_BYTES + 16));
    }
}

#[test]
fn oaep_has_mgf1_of_its_own_hash() {
    let oaep = |hash, mgf| sealing(Cipher::Oaep, Parameter::Oaep { hash, mgf, label: Vec::new() });
    for (number, mgf, hash, room) in [
        (CKM_SHA_1, CKG_MGF1_SHA1, OaepHash::Sha1, 214),
        (CKM_SHA256, CKG_MGF1_SHA256, OaepHash::Sha256, 190),
        (CKM_SHA384, CKG_MGF1_SHA384, OaepHash::Sha384, 158),
        (CKM_SHA512, CKG_MGF1_SHA512, OaepHash::Sha512, 126),
    ] {
        let sealing = oaep(number, mgf).unwrap();
        assert_eq!(
            (sealing.hash, sealing.plaintext_length(256), sealing.ciphertext_length(1)),
            (Some(hash), room, 256)
        );
        assert!(sealing.takes_plaintext(0) && sealing.takes_plaintext(room) && !sealing.takes_plaintext(room + 1));
        assert!(sealing.takes_ciphertext(256) && !sealing.takes_ciphertext(255));
    }
    for (hash, mgf) in [(CKM_SHA256, CKG_MGF1_SHA1), (CKM_SHA_1, 0), (CKM_MD5, CKG_MGF1_SHA1), (0, 0)] {
        assert_eq!(oaep(hash, mgf), Err(INVALID));
    }
    assert_eq!(sealing(Cipher::Oaep, Parameter::None), Err(INVALID));
}

#[test]
fn lengths_near_the_largest_number_do_no_harm() {
    for cipher in [
        Cipher::Sm2 { der: true },
        Cipher::Sm2 { der: false },
        Cipher::Aes(Mode::Gcm),
        Cipher::Aes(Mode::CbcPad),
        Cipher::Aes(Mode::Cbc),
    ] {
        let parameter = match cipher {
            Cipher::Aes(Mode::Gcm) => Parameter::Gcm { iv: vec![0; 12], aad: Vec::new(), tag_bits: 128 },
            Cipher::Aes(_) => Parameter::Bytes(vec![0; 16]),
            _ => Parameter::None,
        };
        let sealing = sealing(cipher, parameter).unwrap();
        for length in [usize::MAX, usize::MAX - 15, isize::MAX as usize] {
            assert!(sealing.ciphertext_length(length) >= length && sealing.plaintext_length(length) <= length);
            assert!(!sealing.takes_plaintext(length) && !sealing.takes_ciphertext(length), "{cipher:?}");
        }
    }
}
