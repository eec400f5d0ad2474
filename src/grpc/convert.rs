//! Wire to model and back. A wire value that is not one of ours is rejected with its field's name.

use crate::{
    crypto::{Signable, sha256},
    directory::{KeyEntry, Version},
    error::Error,
    model::{
        Algorithm, Check, CipherMode, Hash, Key, KeyOrVersionName, KeyState, KeyVersion, OaepHash, Origin, Protection,
        Purpose, Rotation, RsaPadding, SignatureFormat,
    },
    operations::Cipher,
};
use chancery_api::{
    reasons,
    v1::{self, rotation_schedule},
};
use prost::Message;
use std::time::Duration;

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

/// Another UUID, which is required, in its one spelling.
pub(super) fn uuid(field: &'static str, text: &str) -> Result<String, Error> {
    let uuid = uuid::Uuid::try_parse(text).map_err(|_| Error::invalid(field, "no UUID"))?;
    Ok(uuid.hyphenated().to_string())
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

/// From a wire enum to the model's: `None` for UNSPECIFIED.
macro_rules! from_wire {
    ($parse:ident, $field:literal, $name:ident { $($words:ident),+ $(,)? }) => {
        pub(super) fn $parse(value: i32) -> Result<Option<$name>, Error> {
            match v1::$name::try_from(value).map_err(|_| unknown($field, value))? {
                v1::$name::Unspecified => Ok(None),
                $(v1::$name::$words => Ok(Some($name::$words)),)+
            }
        }
    };
}

/// From the model's enum to the wire's.
macro_rules! to_wire {
    ($wire:ident, $name:ident { $($words:ident),+ $(,)? }) => {
        pub(super) fn $wire(value: $name) -> v1::$name {
            match value { $($name::$words => v1::$name::$words),+ }
        }
    };
}

/// Both ways.
macro_rules! words {
    ($parse:ident, $wire:ident, $field:literal, $name:ident { $($words:ident),+ $(,)? }) => {
        from_wire!($parse, $field, $name { $($words),+ });
        to_wire!($wire, $name { $($words),+ });
    };
}

words!(
    parse_algorithm,
    wire_algorithm,
    "key.algorithm",
    Algorithm {
        EcP256,
        EcP384,
        EcP521,
        EcSecp256k1,
        Ed25519,
        Rsa2048,
        Rsa3072,
        Rsa4096,
        Sm2,
        MlDsa44,
        MlDsa65,
        MlDsa87,
        X25519,
        Aes256,
        Sm4,
        HmacSha256
    }
);
words!(parse_purpose, wire_purpose, "key.purpose", Purpose { Sign, Certify, Encrypt, Agree, Mac, Wrap });
words!(parse_protection, wire_protection, "key.protection", Protection { Token, Enclave });
words!(check, wire_check, "key.check", Check { Always, Sampled, Never });
to_wire!(wire_origin, Origin { Generated, Imported, Restored });
to_wire!(wire_state, KeyState { PreActive, Active, Suspended, Deactivated, Compromised, Destroyed });
from_wire!(parse_hash, "hash", Hash { Sha256, Sha384, Sha512, Sm3 });
from_wire!(parse_format, "format", SignatureFormat { Der, Raw, Ethereum, Eos });
from_wire!(padding, "padding", RsaPadding { Pkcs1, Pss });
from_wire!(cipher_mode, "mode", CipherMode { Gcm, Cbc, CbcPad });

pub(super) fn algorithm(value: i32) -> Result<Algorithm, Error> {
    parse_algorithm(value)?.ok_or_else(|| Error::invalid("key.algorithm", "required"))
}

/// The purpose named, or the algorithm's first.
pub(super) fn purpose(value: i32, algorithm: Algorithm) -> Result<Purpose, Error> {
    Ok(parse_purpose(value)?.unwrap_or(algorithm.purposes()[0]))
}

pub(super) fn protection(value: i32) -> Result<Protection, Error> {
    Ok(parse_protection(value)?.unwrap_or(Protection::Token))
}

pub(super) fn hash(field: &'static str, value: i32) -> Result<Option<Hash>, Error> {
    parse_hash(value).map_err(|_| unknown(field, value))
}

pub(super) fn format(value: i32) -> Result<SignatureFormat, Error> {
    Ok(parse_format(value)?.unwrap_or(SignatureFormat::Der))
}

/// How a request to encrypt or decrypt says that it be done.
pub(super) fn cipher(mode: i32, iv: Vec<u8>, oaep_hash: i32) -> Result<Cipher, Error> {
    let oaep_hash = match v1::OaepHash::try_from(oaep_hash).map_err(|_| unknown("oaep_hash", oaep_hash))? {
        v1::OaepHash::Unspecified => None,
        v1::OaepHash::OaepSha1 => Some(OaepHash::Sha1),
        v1::OaepHash::OaepSha256 => Some(OaepHash::Sha256),
        v1::OaepHash::OaepSha384 => Some(OaepHash::Sha384),
        v1::OaepHash::OaepSha512 => Some(OaepHash::Sha512),
    };
    Ok(Cipher { mode: cipher_mode(mode)?, iv, oaep_hash })
}

/// Whether a request says that it can wait.
pub(super) fn batch(value: i32) -> Result<bool, Error> {
    let priority = v1::Priority::try_from(value).map_err(|_| unknown("priority", value))?;
    Ok(priority == v1::Priority::Batch)
}

/// What is to be signed or verified.
pub(super) fn signable(
    digest: Option<v1::Digest>,
    message: Option<Vec<u8>>,
    named: i32,
    user_id: Option<Vec<u8>>,
) -> Result<Signable, Error> {
    let message_hash = hash("message_hash", named)?;
    match (digest, message) {
        (Some(_), _) if message_hash.is_some() => {
            Err(Error::invalid("message_hash", "only with `message`; a digest names its own hash"))
        }
        (Some(_), _) if user_id.is_some() => {
            Err(Error::invalid("sm2_user_id", "only with `message`; the digest for an SM2 key holds the user's id"))
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
        (None, Some(value)) => Ok(Signable::Message { hash: message_hash, value, user_id }),
        (None, None) => Err(Error::invalid("input", "required: `digest` or `message`")),
    }
}

pub(super) fn wire_time(nanos: i64) -> Option<prost_types::Timestamp> {
    let subsecond = i32::try_from(nanos.rem_euclid(1_000_000_000)).ok()?;
    Some(prost_types::Timestamp { seconds: nanos.div_euclid(1_000_000_000), nanos: subsecond })
}

/// Nanoseconds since the Unix epoch; a time before it, or absent, is none.
pub(super) fn time(field: &'static str, given: Option<prost_types::Timestamp>) -> Result<Option<i64>, Error> {
    let Some(given) = given else { return Ok(None) };
    let nanos = || {
        let subsecond = i64::from(given.nanos);
        let nanos = given.seconds.checked_mul(1_000_000_000)?.checked_add(subsecond)?;
        ((0..1_000_000_000).contains(&subsecond) && nanos > 0).then_some(nanos)
    };
    nanos().map(Some).ok_or_else(|| Error::invalid(field, "no time from 1970 to 2262"))
}

/// A duration in whole seconds.
pub(super) fn duration(field: &'static str, given: Option<prost_types::Duration>) -> Result<Option<Duration>, Error> {
    let Some(given) = given else { return Ok(None) };
    match u64::try_from(given.seconds) {
        Ok(seconds) if given.nanos == 0 => Ok(Some(Duration::from_secs(seconds))),
        _ => Err(Error::invalid(field, "no duration of whole seconds")),
    }
}

pub(super) fn wire_duration(of: Duration) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds: i64::try_from(of.as_secs()).ok()?, nanos: 0 })
}

fn wire_version(version: &Version) -> v1::KeyVersion {
    let row = &version.row;
    v1::KeyVersion {
        name: row.name.to_string(),
        state: wire_state(row.state).into(),
        public_key: row.public_key.clone(),
        create_time: wire_time(row.create_time),
        certificate: row.certificate.clone().unwrap_or_default(),
        origin: wire_origin(row.origin).into(),
        activate_time: row.activate_time.and_then(wire_time),
        expire_time: row.expire_time.and_then(wire_time),
        destroy_time: row.destroy_time.and_then(wire_time),
        destroyed_time: row.destroyed_time.and_then(wire_time),
        compromised_time: row.compromised_time.and_then(wire_time),
        pooled: row.pooled,
        revivable_by: Vec::new(),
        restored_from: row.restored_from.clone().unwrap_or_default(),
    }
}

fn wire_rotation(key: &Key) -> Option<v1::RotationSchedule> {
    let schedule = match key.rotation.as_ref()? {
        Rotation::Every(interval) => rotation_schedule::Schedule::Interval(wire_duration(*interval)?),
        Rotation::Cron(cron) => rotation_schedule::Schedule::Cron(cron.clone()),
    };
    Some(v1::RotationSchedule { schedule: Some(schedule), next_time: key.next_rotation.and_then(wire_time) })
}

/// A key as callers see it; with all its versions where one key was asked for.
pub(super) fn wire_key(entry: &KeyEntry, with_versions: bool) -> v1::Key {
    let key = &entry.key;
    v1::Key {
        name: key.name.to_string(),
        owner: key.owner.to_string(),
        purpose: wire_purpose(key.purpose).into(),
        algorithm: wire_algorithm(key.algorithm).into(),
        protection: wire_protection(key.protection).into(),
        check: wire_check(key.check).into(),
        labels: key.labels.clone(),
        primary: entry.version(None).map(|version| wire_version(version)),
        versions: if with_versions { entry.versions.values().map(|v| wire_version(v)).collect() } else { Vec::new() },
        create_time: wire_time(key.create_time),
        rotation: wire_rotation(key),
        overlap: key.overlap.and_then(wire_duration),
        pool_size: i32::try_from(key.pool_size).unwrap_or(i32::MAX),
    }
}

/// Says of each version shown what could still bring its key back.
pub(super) fn name_revivers(shown: &mut v1::Key, entry: &KeyEntry, by: impl Fn(&KeyVersion) -> Vec<String>) {
    for version in shown.versions.iter_mut().chain(shown.primary.as_mut()) {
        let kept = entry.versions.values().find(|kept| kept.row.name.to_string() == version.name);
        version.revivable_by = kept.map(|kept| by(&kept.row)).unwrap_or_default();
    }
}
