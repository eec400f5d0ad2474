//! Key agreement with keys of the `openssl` command line.

use chancery_ipc::{FaultReason, KeyAlgorithm, Mechanism};

use super::{made, opened, openssl_gives, openssl_key, openssl_options, used};
use crate::software::{check_import, public_key};

const ALL: [KeyAlgorithm; 4] = [KeyAlgorithm::EcP256, KeyAlgorithm::EcP384, KeyAlgorithm::EcP521, KeyAlgorithm::X25519];

#[test]
fn both_sides_get_the_same_secret() {
    for algorithm in ALL {
        let directory = tempfile::tempdir().unwrap();
        let (key, _) = made(algorithm);
        std::fs::write(directory.path().join("ours"), key.public_key_spki()).unwrap();
        std::fs::write(directory.path().join("theirs"), openssl_key(openssl_options(algorithm))).unwrap();
        let theirs = openssl_gives(directory.path(), "pkey -in theirs -inform DER -pubout -outform DER");
        let expected =
            openssl_gives(directory.path(), "pkeyutl -derive -inkey theirs -keyform DER -peerkey ours -peerform DER");
        assert_eq!(*used(&key, Mechanism::Ecdh, &theirs).unwrap(), expected, "{algorithm:?}");
        let imported = check_import(algorithm, &std::fs::read(directory.path().join("theirs")).unwrap()).unwrap();
        let same = used(&opened(algorithm, &imported), Mechanism::Ecdh, key.public_key_spki()).unwrap();
        assert_eq!(*same, expected, "{algorithm:?}, imported");
    }
}

#[test]
fn another_algorithm_and_points_off_the_curve_are_bad_input() {
    for algorithm in ALL {
        let (key, _) = made(algorithm);
        let agree = |peer: &[u8]| used(&key, Mechanism::Ecdh, peer).err();
        for other in ALL.into_iter().filter(|other| *other != algorithm).chain([KeyAlgorithm::Ed25519]) {
            assert_eq!(agree(made(other).0.public_key_spki()), Some(FaultReason::BadInput), "{algorithm:?} {other:?}");
        }
        let good = made(algorithm).0.public_key_spki().to_vec();
        assert_eq!(agree(&good), None, "{algorithm:?}");
        assert_eq!(agree(&[&good[..], &[0]].concat()), Some(FaultReason::BadInput), "{algorithm:?}: trailing");
        assert_eq!(agree(&[]), Some(FaultReason::BadInput));
        if algorithm != KeyAlgorithm::X25519 {
            let mut off = good.clone();
            *off.last_mut().unwrap() ^= 1;
            assert_eq!(agree(&off), Some(FaultReason::BadInput), "{algorithm:?}: off the curve");
        }
    }
}

/// RFC 7748 §6.1: points of small order.
#[test]
fn x25519_gives_no_secret_of_zeros() {
    let (key, _) = made(KeyAlgorithm::X25519);
    let mut one = [0; 32];
    one[0] = 1;
    for point in [[0; 32], one] {
        let peer = public_key::encode(KeyAlgorithm::X25519, &point);
        assert_eq!(used(&key, Mechanism::Ecdh, &peer).err(), Some(FaultReason::BadInput));
    }
}
