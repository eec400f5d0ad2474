//! Key derivation and the other side's point.

use super::{bytes, key, p256};
use crate::{
    operations::{
        derive::{Derivation, derivation, derived, other},
        hashing::Hashing,
    },
    rv::Rv,
};
use chancery_model::Algorithm;
use cryptoki_sys::*;

#[test]
fn the_function_of_x9_63_is_nists() {
    // CAVP, ANSI X9.63 (2001): COUNT 0 of SHA-1, SHA-224 and SHA-256 without shared information.
    for (hashing, z, expected) in [
        (Hashing::Sha1, "1c7d7b5f0597b03d06a018466ed1a93e30ed4b04dc64ccdd", "bf71dffd8f4d99223936beb46fee8ccc"),
        (Hashing::Sha256, "96c05619d56c328ab95fe84b18264b08725b85e33fd34f08", "443024c3dae66b95e6f5670601558f71"),
    ] {
        assert_eq!(*derived(Derivation::X963(hashing), &bytes(z), &[], 16), bytes(expected), "{hashing:?}");
    }
    // SHA-256 with shared information, over more than one block.
    let z = bytes("22518b10e70f2a3f243810ae3254139efbee04aa57c7af7d");
    let shared = bytes("75eef81aa3041e33b80971203d2c0c52");
    let expected = "c498af77161cc59f2962b9a713e2b215152d139766ce34a776df11866a69bf2e
                    52a13d9c7c6fc878c50c5ea0bc7b00e0da2447cfd874f6cf92f30d0097111485
                    500c90c3af8b487872d04685d14c8d1dc8d7fa08beb0ce0ababc11f0bd496269
                    142d43525a78e5bc79a17f59676a5706dc54d54d4d1f0bd7e386128ec26afc21";
    assert_eq!(*derived(Derivation::X963(Hashing::Sha256), &z, &shared, 128), bytes(expected));
}

#[test]
fn without_a_function_the_end_of_the_agreement_is_taken() {
    assert_eq!(*derived(Derivation::None, &[1, 2, 3, 4], &[], 4), [1, 2, 3, 4]);
    assert_eq!(*derived(Derivation::None, &[1, 2, 3, 4], &[], 2), [3, 4]);
}

#[test]
fn shared_information_needs_a_function() {
    assert_eq!(derivation(CKD_NULL, &[]), Ok(Derivation::None));
    for (kdf, shared) in [(CKD_NULL, &[1][..]), (0, &[]), (CKD_SHA1_KDF_ASN1, &[]), (CKD_SHA3_256_KDF, &[])] {
        assert_eq!(derivation(kdf, shared), Err(Rv(CKR_MECHANISM_PARAM_INVALID)), "{kdf}");
    }
}

#[test]
fn points_come_raw_or_in_an_octet_string_and_lie_on_the_curve() {
    let x25519 = key(
        Algorithm::X25519,
        "302a300506032b656e032100",
        "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
    );
    // The generator of P-521 (SEC 2 §2.6.1).
    let p521 = key(
        Algorithm::EcP521,
        "30819b301006072a8648ce3d020106052b8104002303818600",
        "04 00C6858E06B70404E9CD9E3ECB662395B4429C648139053FB521F828AF606B4D3D
         BAA14B5E77EFE75928FE1DC127A2FFA8DE3348B3C1856A429BF97E7E31C2E5BD66
         011839296A789A3BC0045C8A5FB42C7D1BD998F54449579B446817AFBD17273E66
         2C97EE72995EF42640C550B9013FAD0761353C7086A272C24088BE94769FD16650",
    );
    for (own, header) in [(&p256(), &[4, 65][..]), (&x25519, &[4, 32]), (&p521, &[4, 0x81, 133])] {
        let point = own.bits().to_vec();
        let wrapped = [header, &point].concat();
        for given in [&point, &wrapped] {
            assert_eq!(other(own, given).map(|key| key.spki().to_vec()), Ok(own.spki().to_vec()));
        }
        let invalid = Some(Rv(CKR_MECHANISM_PARAM_INVALID));
        for given in [&[][..], &[4], &point[1..], &wrapped[1..], &[point.as_slice(), &[0]].concat()] {
            assert_eq!(other(own, given).err(), invalid, "{}: {} bytes", own.algorithm(), given.len());
        }
        let mut wrong = wrapped.clone();
        wrong[header.len() - 1] ^= 1;
        assert_eq!(other(own, &wrong).err(), invalid, "{}: another length", own.algorithm());
    }
    let mut off = p256().bits().to_vec();
    off[64] ^= 1;
    assert!(other(&p256(), &off).is_err(), "not on the curve");
    let compressed = [&[2], &p256().bits()[1..33]].concat();
    assert!(other(&p256(), &compressed).is_err());
}
