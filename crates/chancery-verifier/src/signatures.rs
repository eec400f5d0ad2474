//! Whether a released signature is the one that the enclave made, and whether it is one at all.
//!
//! **Invariant**: needs no record but its own and the version's public key, so that any number are checked at once.

use crate::Contradiction;
use chancery_audit::{merkle::Hash as Sha256Hash, operations::signature_commitment, record::Record};
use chancery_crypto::{Form, Input, PublicKey, sha256};
use chancery_model::{Algorithm, Hash, Mechanism, SignatureFormat};

/// What was found of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checked {
    /// It is the one that the enclave committed to.
    pub(crate) committed: bool,
    pub(crate) verified: Verified,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verified {
    NotAsked,
    MessageNotInLog,
    Yes,
}

/// Checks a record's signature under a version's public key; `verify`: also as a signature.
pub(crate) fn check(record: &Record, key: &PublicKey, verify: bool) -> Result<Checked, Contradiction> {
    let input = input(record)?;
    if !fits(key.algorithm(), input.mechanism) {
        return Err(Contradiction::Malformed("its mechanism is not of the key's algorithm"));
    }
    let format = match record.signature_format.as_str() {
        "" => SignatureFormat::Der,
        word => word.parse().map_err(|_| Contradiction::Malformed("its format is unknown"))?,
    };
    // Both the lower and the higher s are taken: which one was asked for is not recorded.
    let form = Form::new(key.algorithm(), format, Some(false))
        .map_err(|_| Contradiction::Malformed("the key's algorithm has no such format"))?;
    let committed = match Sha256Hash::try_from(record.enclave_commitment.as_slice()) {
        Ok(commitment) => {
            check_commitment(record, &input, form, key, &commitment)?;
            true
        }
        Err(_) => false,
    };
    let verified = match input.mechanism {
        Mechanism::Ed25519 | Mechanism::MlDsa => Verified::MessageNotInLog,
        _ if !verify => Verified::NotAsked,
        _ => {
            let signature = form.read(key, &input, &record.signature);
            if !signature.is_some_and(|signature| key.verify(&input, &signature)) {
                return Err(Contradiction::Signature { version: record.resource.clone() });
            }
            Verified::Yes
        }
    };
    Ok(Checked { committed, verified })
}

/// Whether a record's mechanism is one that signs.
pub(crate) fn signs(mechanism: &str) -> bool {
    let of_rsa = [Mechanism::RsaPkcs1, Mechanism::RsaPss].iter().any(|rsa| mechanism.starts_with(rsa.as_str()));
    let mechanism = mechanism.parse();
    of_rsa || matches!(mechanism, Ok(Mechanism::Ecdsa | Mechanism::Sm2 | Mechanism::Ed25519 | Mechanism::MlDsa))
}

/// Whether keys of an algorithm sign with a mechanism.
fn fits(algorithm: Algorithm, mechanism: Mechanism) -> bool {
    match mechanism {
        Mechanism::Ecdsa => algorithm.ecdsa_width().is_some(),
        Mechanism::RsaPkcs1 | Mechanism::RsaPss => algorithm.is_rsa(),
        Mechanism::Sm2 => algorithm == Algorithm::Sm2,
        Mechanism::Ed25519 => algorithm == Algorithm::Ed25519,
        Mechanism::MlDsa => algorithm.is_ml_dsa(),
        _ => false,
    }
}

fn check_commitment(
    record: &Record,
    input: &Input,
    form: Form,
    key: &PublicKey,
    commitment: &Sha256Hash,
) -> Result<(), Contradiction> {
    let output = form
        .integers(key.algorithm(), &record.signature)
        .ok_or(Contradiction::Malformed("it is not written in its format"))?;
    let input_sha256 = match input.mechanism {
        // The log has the message's SHA-256 in its place.
        Mechanism::Ed25519 | Mechanism::MlDsa => Sha256Hash::try_from(record.digest.as_slice())
            .map_err(|_| Contradiction::Malformed("its message's hash is not 32 bytes"))?,
        _ => sha256(&input.taken()),
    };
    let made = signature_commitment(&record.mechanism, &input_sha256, &output);
    if made == *commitment { Ok(()) } else { Err(Contradiction::Commitment) }
}

/// What was signed, as the record says.
fn input(record: &Record) -> Result<Input, Contradiction> {
    let malformed = Contradiction::Malformed;
    let hash: Option<Hash> = match record.digest_algorithm.as_str() {
        "" => None,
        word => Some(word.parse().map_err(|_| malformed("its digest's hash is unknown"))?),
    };
    let rsa = |mechanism: Mechanism| {
        let hash = record.mechanism.strip_prefix(mechanism.as_str())?.strip_prefix('-')?;
        (hash == record.digest_algorithm).then_some(mechanism)
    };
    let mechanism = match record.mechanism.parse() {
        Ok(mechanism @ (Mechanism::Ecdsa | Mechanism::Sm2 | Mechanism::Ed25519 | Mechanism::MlDsa)) => mechanism,
        _ => (rsa(Mechanism::RsaPkcs1).or_else(|| rsa(Mechanism::RsaPss)))
            .ok_or(malformed("its mechanism is none that signs"))?,
    };
    Ok(Input { mechanism, hash, value: record.digest.clone() })
}
