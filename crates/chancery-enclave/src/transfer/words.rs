//! Algorithms, purposes and origins as the formats of `chancery-transfer` spell them.

use chancery_ipc::{KeyAlgorithm, KeyOrigin, KeyPurpose};
use chancery_transfer::statement::Origin;

use crate::fault::Failure;

/// The command line's name of an algorithm.
pub(super) fn algorithm(algorithm: KeyAlgorithm) -> Result<&'static str, Failure> {
    use KeyAlgorithm as A;
    Ok(match algorithm {
        A::Unspecified => return Err(Failure::bad_request("no key algorithm is named")),
        A::EcP256 => "ec-p256",
        A::EcP384 => "ec-p384",
        A::EcP521 => "ec-p521",
        A::EcSecp256k1 => "ec-secp256k1",
        A::Ed25519 => "ed25519",
        A::Rsa2048 => "rsa-2048",
        A::Rsa3072 => "rsa-3072",
        A::Rsa4096 => "rsa-4096",
        A::Sm2 => "sm2",
        A::MlDsa44 => "ml-dsa-44",
        A::MlDsa65 => "ml-dsa-65",
        A::MlDsa87 => "ml-dsa-87",
        A::X25519 => "x25519",
        A::Aes256 => "aes-256",
        A::Sm4 => "sm4",
        A::HmacSha256 => "hmac-sha256",
    })
}

/// A purpose, in the enclave's sense: keys that certify are keys that sign.
pub(super) fn purpose(purpose: KeyPurpose) -> Result<&'static str, Failure> {
    Ok(match purpose {
        KeyPurpose::Unspecified => return Err(Failure::bad_request("no key purpose is named")),
        KeyPurpose::Sign => "sign",
        KeyPurpose::Encrypt => "encrypt",
        KeyPurpose::Agree => "agree",
        KeyPurpose::Mac => "mac",
        KeyPurpose::Wrap => "wrap",
    })
}

pub(super) fn origin(origin: KeyOrigin) -> Result<Origin, Failure> {
    match origin {
        KeyOrigin::Unspecified => Err(Failure::bad_request("no origin is named")),
        KeyOrigin::Generated => Ok(Origin::Generated),
        KeyOrigin::Imported => Ok(Origin::Imported),
        KeyOrigin::Restored => Ok(Origin::Restored),
    }
}

/// What an entry of a backup that says this becomes. Its seal proves that someone wrote it who can put the backup's key
/// together, not that an enclave did: so it makes of no key one that was generated here.
pub(super) fn restored_origin(of_entry: &str) -> Option<KeyOrigin> {
    match of_entry {
        "generated" | "restored" => Some(KeyOrigin::Restored),
        "imported" => Some(KeyOrigin::Imported),
        _ => None,
    }
}
