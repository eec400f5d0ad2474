//! Wire to model and back. A wire value that is not one of ours is rejected with its field's name.

use crate::{
    crypto::{Signable, sha256},
    directory::{KeyEntry, Version},
    error::Error,
    model::{Algorithm, Check, Hash, KeyOrVersionName, KeyState, Protection, Purpose, RsaPadding, SignatureFormat},
};
use chancery_api::{reasons, v1};
use prost::Message;

pub(super) fn name<T: std::str::FromStr<Err = E>, E: ToString>(field: &'static str, text: &str) -> Result<T, Error> {
    text.parse().map_err(|error| Error::invalid(field, error))
}

pub(super) fn key_name(text: &str) -> Result<KeyOrVersionName, Error> {
    name("name", text)
}

/// The request's UUID in its one spelling.
pub(super) fn request_id(text: &str) -> Result<String, Error> {
    match uuid::Uuid::try_parse(text) {
        Ok(id) => Ok(id.hyphenated().to_string()),
        Err(_) if text.is_empty() => Err(Error::invalid("request_id", "required: a fresh UUID for each request")),
        Err(_) => Err(Error::invalid("request_id", "no UUID")),
    }
}

/// SHA-256 over a request whose id was cleared.
pub(super) fn content_hash(request: &impl Message) -> [u8; 32] {
    sha256(&request.encode_to_vec())
}

pub(super) fn page_size(given: i32) -> Result<usize, Error> {
    match given {
        0 => Ok(100),
        1..=1000 => Ok(usize::try_from(given).unwrap_or(1000)),
        _ => Err(Error::invalid("page_size", "at most 1000; 0 means 100")),
    }
}

fn unknown(field: &'static str, value: i32) -> Error {
    Error::invalid(field, format!("unknown value {value}"))
}

pub(super) fn algorithm(value: i32) -> Result<Algorithm, Error> {
    let field = "key.algorithm";
    match v1::Algorithm::try_from(value).map_err(|_| unknown(field, value))? {
        v1::Algorithm::Unspecified => Err(Error::invalid(field, "required")),
        v1::Algorithm::EcP256 => Ok(Algorithm::EcP256),
        v1::Algorithm::EcP384 => Ok(Algorithm::EcP384),
        v1::Algorithm::EcP521 => Ok(Algorithm::EcP521),
        v1::Algorithm::EcSecp256k1 => Ok(Algorithm::EcSecp256k1),
        v1::Algorithm::Ed25519 => Ok(Algorithm::Ed25519),
        v1::Algorithm::Rsa2048 => Ok(Algorithm::Rsa2048),
        v1::Algorithm::Rsa3072 => Ok(Algorithm::Rsa3072),
        v1::Algorithm::Rsa4096 => Ok(Algorithm::Rsa4096),
    }
}

pub(super) fn wire_algorithm(algorithm: Algorithm) -> v1::Algorithm {
    match algorithm {
        Algorithm::EcP256 => v1::Algorithm::EcP256,
        Algorithm::EcP384 => v1::Algorithm::EcP384,
        Algorithm::EcP521 => v1::Algorithm::EcP521,
        Algorithm::EcSecp256k1 => v1::Algorithm::EcSecp256k1,
        Algorithm::Ed25519 => v1::Algorithm::Ed25519,
        Algorithm::Rsa2048 => v1::Algorithm::Rsa2048,
        Algorithm::Rsa3072 => v1::Algorithm::Rsa3072,
        Algorithm::Rsa4096 => v1::Algorithm::Rsa4096,
    }
}

pub(super) fn purpose(value: i32) -> Result<Purpose, Error> {
    match v1::Purpose::try_from(value).map_err(|_| unknown("key.purpose", value))? {
        v1::Purpose::Unspecified | v1::Purpose::Sign => Ok(Purpose::Sign),
        v1::Purpose::Certify => Ok(Purpose::Certify),
    }
}

pub(super) fn protection(value: i32) -> Result<Protection, Error> {
    match v1::Protection::try_from(value).map_err(|_| unknown("key.protection", value))? {
        v1::Protection::Unspecified | v1::Protection::Token => Ok(Protection::Token),
    }
}

pub(super) fn check(value: i32) -> Result<Option<Check>, Error> {
    match v1::Check::try_from(value).map_err(|_| unknown("key.check", value))? {
        v1::Check::Unspecified => Ok(None),
        v1::Check::Always => Ok(Some(Check::Always)),
        v1::Check::Sampled => Ok(Some(Check::Sampled)),
        v1::Check::Never => Ok(Some(Check::Never)),
    }
}

pub(super) fn hash(field: &'static str, value: i32) -> Result<Option<Hash>, Error> {
    match v1::Hash::try_from(value).map_err(|_| unknown(field, value))? {
        v1::Hash::Unspecified => Ok(None),
        v1::Hash::Sha256 => Ok(Some(Hash::Sha256)),
        v1::Hash::Sha384 => Ok(Some(Hash::Sha384)),
        v1::Hash::Sha512 => Ok(Some(Hash::Sha512)),
    }
}

pub(super) fn format(value: i32) -> Result<SignatureFormat, Error> {
    match v1::SignatureFormat::try_from(value).map_err(|_| unknown("format", value))? {
        v1::SignatureFormat::Unspecified | v1::SignatureFormat::Der => Ok(SignatureFormat::Der),
        v1::SignatureFormat::Raw => Ok(SignatureFormat::Raw),
    }
}

pub(super) fn padding(value: i32) -> Result<Option<RsaPadding>, Error> {
    match v1::RsaPadding::try_from(value).map_err(|_| unknown("padding", value))? {
        v1::RsaPadding::Unspecified => Ok(None),
        v1::RsaPadding::Pkcs1 => Ok(Some(RsaPadding::Pkcs1)),
        v1::RsaPadding::Pss => Ok(Some(RsaPadding::Pss)),
    }
}

/// What is to be signed or verified.
pub(super) fn signable(digest: Option<v1::Digest>, message: Option<Vec<u8>>, named: i32) -> Result<Signable, Error> {
    let message_hash = hash("message_hash", named)?;
    match (digest, message) {
        (Some(_), _) if message_hash.is_some() => {
            Err(Error::invalid("message_hash", "only with `message`; a digest names its own hash"))
        }
        (Some(digest), _) => {
            let named = hash("digest.hash", digest.hash)?;
            match named {
                Some(named) if digest.value.len() != named.length() => Err(Error::Rejected {
                    reason: reasons::WRONG_DIGEST,
                    field: "digest",
                    message: format!("a {named} digest has {} bytes, not {}", named.length(), digest.value.len()),
                }),
                named => Ok(Signable::Digest { hash: named, value: digest.value }),
            }
        }
        (None, Some(value)) => Ok(Signable::Message { hash: message_hash, value }),
        (None, None) => Err(Error::invalid("input", "required: `digest` or `message`")),
    }
}

pub(super) fn wire_time(nanos: i64) -> Option<prost_types::Timestamp> {
    let subsecond = i32::try_from(nanos.rem_euclid(1_000_000_000)).ok()?;
    Some(prost_types::Timestamp { seconds: nanos.div_euclid(1_000_000_000), nanos: subsecond })
}

pub(super) fn wire_state(state: KeyState) -> v1::KeyState {
    match state {
        KeyState::PreActive => v1::KeyState::PreActive,
        KeyState::Active => v1::KeyState::Active,
        KeyState::Suspended => v1::KeyState::Suspended,
        KeyState::Deactivated => v1::KeyState::Deactivated,
        KeyState::Compromised => v1::KeyState::Compromised,
        KeyState::Destroyed => v1::KeyState::Destroyed,
    }
}

fn wire_version(version: &Version) -> v1::KeyVersion {
    v1::KeyVersion {
        name: version.row.name.to_string(),
        state: wire_state(version.row.state).into(),
        public_key: version.row.public_key.clone(),
        create_time: wire_time(version.row.create_time),
        certificate: version.row.certificate.clone().unwrap_or_default(),
    }
}

/// A key as callers see it; with all its versions where one key was asked for.
pub(super) fn wire_key(entry: &KeyEntry, with_versions: bool) -> v1::Key {
    let key = &entry.key;
    let purpose = match key.purpose {
        Purpose::Sign => v1::Purpose::Sign,
        Purpose::Certify => v1::Purpose::Certify,
    };
    let check = match key.check {
        Check::Always => v1::Check::Always,
        Check::Sampled => v1::Check::Sampled,
        Check::Never => v1::Check::Never,
    };
    let Protection::Token = key.protection;
    v1::Key {
        name: key.name.to_string(),
        owner: key.owner.to_string(),
        purpose: purpose.into(),
        algorithm: wire_algorithm(key.algorithm).into(),
        protection: v1::Protection::Token.into(),
        check: check.into(),
        labels: key.labels.clone(),
        primary: entry.version(None).map(|version| wire_version(version)),
        versions: if with_versions { entry.versions.values().map(|v| wire_version(v)).collect() } else { Vec::new() },
        create_time: wire_time(key.create_time),
    }
}
