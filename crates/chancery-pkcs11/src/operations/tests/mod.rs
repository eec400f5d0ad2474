//! The parts that are computed here, against published vectors and on hostile input.

mod agreement;
mod ciphers;
mod hashing;
mod schemes;
mod stages;
mod table;
mod verification;

use crate::{
    mechanism::{Mechanism, Parameter},
    module::config::{Quirks, SlotConfig, Sm2Profile},
};
use chancery_api::v1::Protection;
use chancery_crypto::PublicKey;
use chancery_model::Algorithm;
use cryptoki_sys::CK_MECHANISM_TYPE;

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex.replace([' ', '\n'], "")).unwrap()
}

fn slot(sm2: Sm2Profile) -> SlotConfig {
    SlotConfig {
        label: "org1".into(),
        organization: "organizations/org1".into(),
        protection: Protection::Token,
        pin: None,
        sm2,
        quirks: Quirks::default(),
    }
}

fn plain(kind: CK_MECHANISM_TYPE) -> Mechanism {
    Mechanism { kind, parameter: Parameter::None }
}

/// A public key: what its SubjectPublicKeyInfo begins with, and its bits.
fn key(algorithm: Algorithm, prefix: &str, bits: &str) -> PublicKey {
    PublicKey::parse(algorithm, &[bytes(prefix), bytes(bits)].concat()).unwrap()
}

/// The key of RFC 6979 §A.2.5.
fn p256() -> PublicKey {
    key(
        Algorithm::EcP256,
        "3059301306072a8648ce3d020106082a8648ce3d030107034200",
        "04 60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6
         7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299",
    )
}

/// Of RFC 8032 §7.1, test 2.
fn ed25519() -> PublicKey {
    let bits = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    key(Algorithm::Ed25519, "302a300506032b6570032100", bits)
}

/// Of GB/T 32918.5 annex A.
fn sm2() -> PublicKey {
    key(
        Algorithm::Sm2,
        "3059301306072a8648ce3d020106082a811ccf5501822d034200",
        "04 09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020
         CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13",
    )
}
