//! How a key is printed.
//!
//! **Invariant**: bytes are hexadecimal in JSON, enums are words.

use crate::{
    failure::CliError,
    output::{self, Listing, Output},
    time::rfc3339,
    words::{self, word},
};
use chancery_api::v1::{Key, KeyVersion};
use serde_json::{Value, json as object};

pub(super) fn algorithm(key: &Key) -> &'static str {
    word(words::ALGORITHMS, key.algorithm())
}

pub(super) fn purpose(key: &Key) -> &'static str {
    word(words::PURPOSES, key.purpose())
}

pub(super) fn protection(key: &Key) -> &'static str {
    word(words::PROTECTIONS, key.protection())
}

pub(super) fn state(version: &KeyVersion) -> &'static str {
    word(words::STATES, version.state())
}

fn check(key: &Key) -> &'static str {
    word(words::CHECKS, key.check())
}

/// Prints a key with all its versions.
pub(super) fn print(form: Output, key: &Key) -> Result<(), CliError> {
    if form == Output::Json {
        return output::json(&json(key));
    }
    let labels: Vec<String> = key.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    output::fields(&[
        ("name", key.name.clone()),
        ("algorithm", algorithm(key).to_owned()),
        ("purpose", purpose(key).to_owned()),
        ("owner", key.owner.clone()),
        ("protection", protection(key).to_owned()),
        ("check", check(key).to_owned()),
        ("labels", labels.join(" ")),
        ("created", rfc3339(key.create_time)),
    ])?;
    output::bytes(b"\n")?;
    let primary = key.primary.as_ref().map_or("", |version| &version.name);
    // Answers that carry only the primary version still show it.
    let versions = if key.versions.is_empty() { key.primary.as_slice() } else { &key.versions };
    let mut listing = Listing::new(form, ["version", "state", "primary", "certificate", "created"]);
    listing.page(versions.iter().map(|version| {
        let certificate = if version.certificate.is_empty() { "" } else { "bound" };
        let is_primary = if version.name == primary { "primary" } else { "" };
        (
            Value::Null,
            [
                version.name.clone(),
                state(version).to_owned(),
                is_primary.to_owned(),
                certificate.to_owned(),
                rfc3339(version.create_time),
            ],
        )
    }))?;
    listing.finish("no versions")
}

/// A key as JSON.
pub(super) fn json(key: &Key) -> Value {
    object!({
        "name": key.name,
        "algorithm": algorithm(key),
        "purpose": purpose(key),
        "owner": key.owner,
        "protection": protection(key),
        "check": check(key),
        "labels": key.labels,
        "create_time": rfc3339(key.create_time),
        "primary": key.primary.as_ref().map(version_json),
        "versions": key.versions.iter().map(version_json).collect::<Vec<_>>(),
    })
}

fn version_json(version: &KeyVersion) -> Value {
    object!({
        "name": version.name,
        "state": state(version),
        "public_key": hex::encode(&version.public_key),
        "certificate": hex::encode(&version.certificate),
        "create_time": rfc3339(version.create_time),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_api::v1::{Algorithm, Check, KeyState, Protection, Purpose};

    #[test]
    fn json_has_words_and_hex() {
        let version = KeyVersion {
            name: "organizations/org1/keys/peer0/versions/1".into(),
            state: KeyState::Active.into(),
            public_key: vec![0x30, 0x59],
            create_time: Some(prost_types::Timestamp { seconds: 0, nanos: 5 }),
            certificate: Vec::new(),
        };
        let key = Key {
            name: "organizations/org1/keys/peer0".into(),
            owner: "organizations/org1/principals/peer0".into(),
            purpose: Purpose::Sign.into(),
            algorithm: Algorithm::EcP256.into(),
            protection: Protection::Token.into(),
            check: Check::Sampled.into(),
            labels: [("site".to_owned(), "a".to_owned())].into(),
            primary: Some(version.clone()),
            versions: vec![version],
            create_time: None,
        };
        let version = object!({
            "name": "organizations/org1/keys/peer0/versions/1",
            "state": "ACTIVE",
            "public_key": "3059",
            "certificate": "",
            "create_time": "1970-01-01T00:00:00.000000005Z",
        });
        assert_eq!(
            json(&key),
            object!({
                "name": "organizations/org1/keys/peer0",
                "algorithm": "ec-p256",
                "purpose": "sign",
                "owner": "organizations/org1/principals/peer0",
                "protection": "token",
                "check": "sampled",
                "labels": { "site": "a" },
                "create_time": "",
                "primary": version,
                "versions": [version],
            })
        );
    }
}
