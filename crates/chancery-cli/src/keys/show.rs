//! How a key is printed.
//!
//! **Invariant**: bytes are hexadecimal in JSON, enums are words.

use crate::{
    failure::CliError,
    output::{self, Listing, Output},
    time::{self, rfc3339},
    words::{self, word},
};
use chancery_api::{
    names::KeyVersionName,
    v1::{Key, KeyVersion, RotationSchedule, rotation_schedule::Schedule},
};
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

fn origin(version: &KeyVersion) -> &'static str {
    word(words::ORIGINS, version.origin())
}

/// Prints a key with all its versions.
pub(crate) fn print(form: Output, key: &Key) -> Result<(), CliError> {
    if form == Output::Json {
        return output::json(&json(key));
    }
    let labels: Vec<String> = key.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let mut fields = vec![
        ("name", key.name.clone()),
        ("algorithm", algorithm(key).to_owned()),
        ("purpose", purpose(key).to_owned()),
        ("owner", key.owner.clone()),
        ("protection", protection(key).to_owned()),
        ("check", check(key).to_owned()),
        ("labels", labels.join(" ")),
        ("created", rfc3339(key.create_time)),
    ];
    if let Some(rotation) = &key.rotation {
        fields.push(("rotation", schedule(rotation)));
    }
    if let Some(overlap) = &key.overlap {
        fields.push(("overlap", time::duration(overlap)));
    }
    if key.pool_size > 0 {
        fields.push(("pool", format!("up to {} made ahead", key.pool_size)));
    }
    output::fields(&fields)?;
    output::bytes(b"\n")?;
    let primary = key.primary.as_ref().map_or("", |version| &version.name);
    // Answers that carry only the primary version still show it.
    let versions = if key.versions.is_empty() { key.primary.as_slice() } else { &key.versions };
    let mut listing = Listing::new(form, ["version", "state", "primary", "origin", "certificate", "created", "dates"]);
    listing.page(versions.iter().map(|version| {
        let certificate = if version.certificate.is_empty() { "" } else { "bound" };
        let role = match (version.name == primary, version.pooled) {
            (true, _) => "primary",
            (false, true) => "pooled",
            (false, false) => "",
        };
        (
            Value::Null,
            [
                version.name.parse().map_or(version.name.clone(), |name: KeyVersionName| name.number().to_string()),
                state(version).to_owned(),
                role.to_owned(),
                origin(version).to_owned(),
                certificate.to_owned(),
                rfc3339(version.create_time),
                dates(version),
            ],
        )
    }))?;
    for version in versions.iter().filter(|version| !version.revivable_by.is_empty()) {
        output::bytes(format!("\n{}\n", output::printable(&revivable(version))).as_bytes())?;
    }
    listing.finish("no versions")
}

fn schedule(rotation: &RotationSchedule) -> String {
    let when = match &rotation.schedule {
        Some(Schedule::Interval(every)) => format!("every {}", time::duration(every)),
        Some(Schedule::Cron(cron)) => format!("at \"{cron}\" UTC"),
        None => "by a schedule that this version of chancery does not know".to_owned(),
    };
    match rotation.next_time {
        Some(next) => format!("{when}, next {}", rfc3339(Some(next))),
        None => when,
    }
}

/// What happened or will happen to a version, and when.
fn dates(version: &KeyVersion) -> String {
    let dates = [
        ("activates", version.activate_time),
        ("expires", version.expire_time),
        ("compromised", version.compromised_time),
        ("to be destroyed", version.destroy_time),
        ("destroyed", version.destroyed_time),
    ];
    let mut dates: Vec<String> = (dates.into_iter())
        .filter(|(_, time)| time.is_some())
        .map(|(what, time)| format!("{what} {}", rfc3339(time)))
        .collect();
    if !version.restored_from.is_empty() {
        dates.push(format!("restored from {}", version.restored_from));
    }
    dates.join(", ")
}

/// What still holds a destroyed version's key.
fn revivable(version: &KeyVersion) -> String {
    format!("{} could be revived by {}", version.name, version.revivable_by.join("; "))
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
        "rotation": key.rotation.as_ref().map(rotation_json),
        "overlap_seconds": key.overlap.as_ref().map(|overlap| overlap.seconds),
        "pool_size": key.pool_size,
        "primary": key.primary.as_ref().map(version_json),
        "versions": key.versions.iter().map(version_json).collect::<Vec<_>>(),
    })
}

fn rotation_json(rotation: &RotationSchedule) -> Value {
    let (interval, cron) = match &rotation.schedule {
        Some(Schedule::Interval(every)) => (Some(every.seconds), None),
        Some(Schedule::Cron(cron)) => (None, Some(cron)),
        None => (None, None),
    };
    object!({ "interval_seconds": interval, "cron": cron, "next_time": rfc3339(rotation.next_time) })
}

fn version_json(version: &KeyVersion) -> Value {
    object!({
        "name": version.name,
        "state": state(version),
        "origin": origin(version),
        "pooled": version.pooled,
        "public_key": hex::encode(&version.public_key),
        "certificate": hex::encode(&version.certificate),
        "create_time": rfc3339(version.create_time),
        "activate_time": rfc3339(version.activate_time),
        "expire_time": rfc3339(version.expire_time),
        "destroy_time": rfc3339(version.destroy_time),
        "destroyed_time": rfc3339(version.destroyed_time),
        "compromised_time": rfc3339(version.compromised_time),
        "revivable_by": version.revivable_by,
        "restored_from": version.restored_from,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_api::v1::{Algorithm, Check, KeyState, Origin, Protection, Purpose};

    fn version() -> KeyVersion {
        KeyVersion {
            name: "organizations/org1/keys/peer0/versions/1".into(),
            state: KeyState::Active.into(),
            public_key: vec![0x30, 0x59],
            create_time: Some(prost_types::Timestamp { seconds: 0, nanos: 5 }),
            origin: Origin::Imported.into(),
            expire_time: Some(prost_types::Timestamp { seconds: 60, nanos: 0 }),
            ..KeyVersion::default()
        }
    }

    #[test]
    fn json_has_words_and_hex() {
        let key = Key {
            name: "organizations/org1/keys/peer0".into(),
            owner: "organizations/org1/principals/peer0".into(),
            purpose: Purpose::Sign.into(),
            algorithm: Algorithm::EcP256.into(),
            protection: Protection::Enclave.into(),
            check: Check::Sampled.into(),
            labels: [("site".to_owned(), "a".to_owned())].into(),
            primary: Some(version()),
            versions: vec![version()],
            rotation: Some(RotationSchedule { schedule: Some(Schedule::Cron("0 3 1 * *".into())), next_time: None }),
            overlap: Some(prost_types::Duration { seconds: 7 * 86_400, nanos: 0 }),
            ..Key::default()
        };
        let version = object!({
            "name": "organizations/org1/keys/peer0/versions/1",
            "state": "ACTIVE",
            "origin": "imported",
            "pooled": false,
            "public_key": "3059",
            "certificate": "",
            "create_time": "1970-01-01T00:00:00.000000005Z",
            "activate_time": "",
            "expire_time": "1970-01-01T00:01:00Z",
            "destroy_time": "",
            "destroyed_time": "",
            "compromised_time": "",
            "revivable_by": [],
            "restored_from": "",
        });
        assert_eq!(
            json(&key),
            object!({
                "name": "organizations/org1/keys/peer0",
                "algorithm": "ec-p256",
                "purpose": "sign",
                "owner": "organizations/org1/principals/peer0",
                "protection": "enclave",
                "check": "sampled",
                "labels": { "site": "a" },
                "create_time": "",
                "rotation": { "interval_seconds": null, "cron": "0 3 1 * *", "next_time": "" },
                "overlap_seconds": 604_800,
                "pool_size": 0,
                "primary": version,
                "versions": [version],
            })
        );
    }

    #[test]
    fn people_read_schedules_dates_and_what_could_revive_a_key() {
        let next_time = Some(prost_types::Timestamp { seconds: 0, nanos: 0 });
        let every = prost_types::Duration { seconds: 90 * 86_400, nanos: 0 };
        let rotation = RotationSchedule { schedule: Some(Schedule::Interval(every)), next_time };
        assert_eq!(schedule(&rotation), "every 90d, next 1970-01-01T00:00:00Z");
        let version = KeyVersion {
            destroyed_time: next_time,
            revivable_by: vec!["organizations/org1/backups/b1".into(), "copies of the store".into()],
            ..version()
        };
        assert_eq!(dates(&version), "expires 1970-01-01T00:01:00Z, destroyed 1970-01-01T00:00:00Z");
        assert_eq!(
            revivable(&version),
            "organizations/org1/keys/peer0/versions/1 could be revived by organizations/org1/backups/b1; copies of the store"
        );
    }
}
