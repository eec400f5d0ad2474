//! Which version is the primary one: how a key's rows change when another takes its place.
//!
//! **Invariants**: a version takes the place of one that has a certificate only with a certificate of its own. The last
//! primary version keeps the earlier of its own `expire_time` and the end of the key's overlap. Nothing here does I/O:
//! requests and schedules change a key in the same way.

use super::{terms::next_rotation, wrong_state};
use crate::{
    access::written,
    directory::{KeyEntry, Version},
    error::Error,
    model::{Key, KeyState, KeyVersion, LifecycleEvent, Origin, Stage},
    store::Row,
};
use std::sync::Arc;

/// The key's primary version.
fn primary(entry: &KeyEntry) -> Result<&Arc<Version>, Error> {
    entry.version(None).ok_or_else(|| Error::NotFound(entry.key.name.to_string()))
}

/// The version that the next rotation takes from the key's pool.
pub(super) fn pooled(entry: &KeyEntry) -> Option<&KeyVersion> {
    let mut versions = entry.versions.values().filter(|version| version.mismatch.is_none()).map(|version| &version.row);
    versions.find(|row| row.pooled && Stage::of(row) == Stage::PreActive)
}

/// Refuses to rotate a key whose primary version must not be followed by one that is made here.
pub(super) fn require_rotatable(entry: &KeyEntry) -> Result<(), Error> {
    let row = &primary(entry)?.row;
    let name = &row.name;
    if row.origin == Origin::Imported {
        return Err(wrong_state(format!(
            "{name} was imported: whoever made it decides what follows. Import the next version with ImportKey, and \
             activate it"
        )));
    }
    match row.state {
        KeyState::Suspended => Err(wrong_state(format!(
            "{name}, the primary version, is SUSPENDED; activate or deactivate it before the key is rotated"
        ))),
        KeyState::PreActive => Err(wrong_state(format!(
            "{name}, the primary version, is PRE_ACTIVE; activate it before the key is rotated"
        ))),
        _ => Ok(()),
    }
}

/// A rotation to `next`, a PRE_ACTIVE version that was just made or waits in the pool. It becomes primary at once, unless
/// a certificate is bound to the present one: a node whose certificate names the old public key must not find another
/// under its key's name.
pub(super) fn rotate(entry: &KeyEntry, next: KeyVersion, now: i64) -> Result<Vec<Row>, Error> {
    let next_rotation = entry.key.rotation.as_ref().and_then(|rotation| next_rotation(rotation, now));
    let key = Key { next_rotation, ..entry.key.clone() };
    let next = KeyVersion { pooled: false, ..next };
    if primary(entry)?.row.certificate.is_some() && next.certificate.is_none() {
        return Ok(vec![Row::Key(key), Row::KeyVersion(next)]);
    }
    succeed(entry, key, next, now)
}

/// Refuses a version whose first day is to come: whoever set the date meant it, and the key's owner does not overrule it.
pub(super) fn require_begun(version: &KeyVersion, now: i64) -> Result<(), Error> {
    match version.activate_time {
        Some(at) if at > now && Stage::of(version) == Stage::PreActive => Err(wrong_state(format!(
            "{} is to be activated at {}, which its owner can't do earlier; ask an officer of the organization",
            version.name,
            written(at)
        ))),
        _ => Ok(()),
    }
}

/// Activates a version. One that is PRE_ACTIVE becomes primary.
pub(super) fn activate(entry: &KeyEntry, version: &KeyVersion, now: i64) -> Result<Vec<Row>, Error> {
    let name = &version.name;
    match Stage::of(version) {
        Stage::PreActive => {}
        _ => {
            let active = version.after(LifecycleEvent::Activate, now)?;
            require_unexpired(version, now)?;
            return Ok(vec![Row::KeyVersion(active)]);
        }
    }
    let last = &primary(entry)?.row;
    if last.certificate.is_some() && version.certificate.is_none() {
        return Err(wrong_state(format!(
            "{name} has no certificate, and {}, the primary version, has one: bind a certificate to it first \
             (BindCertificate)",
            last.name
        )));
    }
    succeed(entry, entry.key.clone(), version.clone(), now)
}

/// Makes `next` ACTIVE and primary, `key` being the key as it is otherwise to be.
fn succeed(entry: &KeyEntry, key: Key, next: KeyVersion, now: i64) -> Result<Vec<Row>, Error> {
    require_unexpired(&next, now)?;
    let last = &primary(entry)?.row;
    let mut rows = vec![Row::Key(Key { primary_version: next.name.number(), ..key })];
    if last.name != next.name {
        rows.extend(overlapped(entry, last, now).map(Row::KeyVersion));
    }
    rows.push(Row::KeyVersion(next.after(LifecycleEvent::Activate, now)?));
    Ok(rows)
}

/// The last primary version, if it is still in use and the key has an overlap.
fn overlapped(entry: &KeyEntry, last: &KeyVersion, now: i64) -> Option<KeyVersion> {
    let overlap = entry.key.overlap?;
    let expired = last.after(LifecycleEvent::Expire, now).ok()?;
    if overlap.is_zero() {
        return Some(expired);
    }
    let end = now.saturating_add(i64::try_from(overlap.as_nanos()).unwrap_or(i64::MAX));
    let expire_time = last.expire_time.map_or(end, |time| time.min(end));
    Some(KeyVersion { expire_time: Some(expire_time), ..last.clone() })
}

fn require_unexpired(version: &KeyVersion, now: i64) -> Result<(), Error> {
    match version.expire_time {
        Some(at) if at <= now => Err(wrong_state(format!(
            "{} expired at {}; give it a later `expire_time` first (UpdateKey)",
            version.name,
            written(at)
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Algorithm, Check, OrganizationName, Protection, Purpose, Rotation};
    use std::{collections::BTreeMap, time::Duration};

    const NOW: i64 = 1_000_000_000_000;
    const SECOND: i64 = 1_000_000_000;

    fn version(number: u64, state: KeyState) -> KeyVersion {
        let key = OrganizationName::from_id("org1").unwrap().key("k").unwrap();
        KeyVersion::new(key.version(number), state, Vec::new(), 1)
    }

    /// A key whose first version is primary.
    fn entry(overlap: Option<u64>, versions: Vec<KeyVersion>) -> KeyEntry {
        let organization = OrganizationName::from_id("org1").unwrap();
        let key = Key {
            name: organization.key("k").unwrap(),
            owner: organization.principal("peer0").unwrap(),
            purpose: Purpose::Mac,
            algorithm: Algorithm::HmacSha256,
            protection: Protection::Enclave,
            check: Check::Never,
            labels: BTreeMap::new(),
            primary_version: 1,
            create_time: 1,
            rotation: Some(Rotation::Every(Duration::from_secs(3600))),
            next_rotation: Some(NOW),
            overlap: overlap.map(Duration::from_secs),
            pool_size: 0,
        };
        let rows: Vec<_> = [Row::Key(key)].into_iter().chain(versions.into_iter().map(Row::KeyVersion)).collect();
        KeyEntry::changed(None, &rows).unwrap()
    }

    fn after(before: &KeyEntry, rows: Result<Vec<Row>, Error>) -> KeyEntry {
        KeyEntry::changed(Some(before), &rows.unwrap()).unwrap()
    }

    fn states(entry: &KeyEntry) -> Vec<KeyState> {
        entry.versions.values().map(|version| version.row.state).collect()
    }

    fn refusal(result: Result<impl std::fmt::Debug, Error>) -> String {
        match result.unwrap_err() {
            Error::Precondition { reason, message } if reason == chancery_api::reasons::WRONG_STATE => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_rotation_makes_the_next_version_primary_and_says_when_the_next_one_is() {
        let before = entry(None, vec![version(1, KeyState::Active)]);
        let rotated = after(&before, rotate(&before, version(2, KeyState::PreActive), NOW));
        assert_eq!((rotated.key.primary_version, states(&rotated)), (2, vec![KeyState::Active; 2]));
        assert_eq!(rotated.key.next_rotation, Some(NOW + 3600 * SECOND));
        assert_eq!(rotated.versions[&1].row.expire_time, None, "until someone deactivates it");
    }

    #[test]
    fn the_last_primary_version_keeps_the_earlier_end() {
        for (expires, overlap, expected) in [
            (None, 60, NOW + 60 * SECOND),
            (Some(NOW + 90 * SECOND), 60, NOW + 60 * SECOND),
            (Some(NOW + 30 * SECOND), 60, NOW + 30 * SECOND),
        ] {
            let last = KeyVersion { expire_time: expires, ..version(1, KeyState::Active) };
            let before = entry(Some(overlap), vec![last]);
            let rotated = after(&before, rotate(&before, version(2, KeyState::PreActive), NOW));
            assert_eq!(rotated.versions[&1].row.expire_time, Some(expected));
            assert_eq!(states(&rotated), [KeyState::Active; 2]);
        }
        let before = entry(Some(0), vec![version(1, KeyState::Active)]);
        let rotated = after(&before, rotate(&before, version(2, KeyState::PreActive), NOW));
        assert_eq!(states(&rotated), [KeyState::Deactivated, KeyState::Active], "no overlap at all");
        // What is out of use already is left as it is.
        let before = entry(Some(60), vec![version(1, KeyState::Compromised)]);
        let rotated = after(&before, rotate(&before, version(2, KeyState::PreActive), NOW));
        assert_eq!(rotated.versions[&1].row, before.versions[&1].row);
    }

    #[test]
    fn no_version_takes_the_place_of_a_certified_one_without_a_certificate() {
        let certified = |row| KeyVersion { certificate: Some(vec![1]), ..row };
        let before = entry(Some(60), vec![certified(version(1, KeyState::Active))]);
        let rotated = after(&before, rotate(&before, version(2, KeyState::PreActive), NOW));
        assert_eq!((rotated.key.primary_version, states(&rotated)), (1, vec![KeyState::Active, KeyState::PreActive]));
        assert_eq!(rotated.key.next_rotation, Some(NOW + 3600 * SECOND));
        assert_eq!(rotated.versions[&1].row.expire_time, None, "its overlap begins when another takes its place");

        let refused = refusal(activate(&rotated, &rotated.versions[&2].row, NOW));
        assert!(refused.contains("BindCertificate"), "{refused}");
        let bound = certified(rotated.versions[&2].row.clone());
        let activated = after(&rotated, activate(&rotated, &bound, NOW));
        assert_eq!((activated.key.primary_version, states(&activated)), (2, vec![KeyState::Active; 2]));
        assert_eq!(activated.versions[&1].row.expire_time, Some(NOW + 60 * SECOND));
        assert_eq!(activated.versions[&2].row.certificate, Some(vec![1]));
    }

    #[test]
    fn a_rotation_takes_the_oldest_of_the_pool() {
        let pooled_one = |number| KeyVersion { pooled: true, ..version(number, KeyState::PreActive) };
        let ending = KeyVersion { destroy_time: Some(NOW), ..pooled_one(2) };
        let versions = vec![version(1, KeyState::Active), ending, pooled_one(3), pooled_one(4)];
        let before = entry(None, versions);
        let taken = pooled(&before).unwrap().clone();
        assert_eq!(taken.name.number(), 3);
        let rotated = after(&before, rotate(&before, taken, NOW));
        assert_eq!((rotated.key.primary_version, rotated.versions[&3].row.pooled), (3, false));
        assert_eq!(pooled(&rotated).unwrap().name.number(), 4);
    }

    #[test]
    fn imported_suspended_and_waiting_versions_are_not_followed() {
        let refused = |row: KeyVersion| refusal(require_rotatable(&entry(None, vec![row])));
        let imported = KeyVersion { origin: Origin::Imported, ..version(1, KeyState::Active) };
        assert!(refused(imported).contains("ImportKey"));
        assert!(refused(version(1, KeyState::Suspended)).contains("SUSPENDED"));
        assert!(refused(version(1, KeyState::PreActive)).contains("PRE_ACTIVE"));
        for state in [KeyState::Active, KeyState::Deactivated, KeyState::Compromised, KeyState::Destroyed] {
            require_rotatable(&entry(None, vec![version(1, state)])).unwrap();
        }
    }

    #[test]
    fn activation_is_for_the_first_version_and_the_suspended_and_never_after_the_end() {
        let before = entry(Some(60), vec![version(1, KeyState::PreActive)]);
        let activated = after(&before, activate(&before, &before.versions[&1].row, NOW));
        assert_eq!((states(&activated), activated.versions[&1].row.expire_time), (vec![KeyState::Active], None));

        let suspended = vec![version(1, KeyState::Active), version(2, KeyState::Suspended)];
        let before = entry(Some(60), suspended);
        let activated = after(&before, activate(&before, &before.versions[&2].row, NOW));
        assert_eq!((activated.key.primary_version, states(&activated)), (1, vec![KeyState::Active; 2]));
        assert_eq!(activated.versions[&1].row.expire_time, None, "the primary version is the same");

        for state in [KeyState::PreActive, KeyState::Suspended] {
            let row = KeyVersion { expire_time: Some(NOW), ..version(1, state) };
            let before = entry(None, vec![row.clone()]);
            assert!(refusal(activate(&before, &row, NOW)).contains("expired at"));
        }
        let before = entry(None, vec![version(1, KeyState::Active)]);
        assert!(refusal(activate(&before, &before.versions[&1].row, NOW)).contains("`activate` is refused"));
    }

    #[test]
    fn an_owner_waits_for_the_date_of_a_version_that_is_to_come() {
        let dated = |state, at| KeyVersion { activate_time: Some(at), ..version(1, state) };
        let refused = refusal(require_begun(&dated(KeyState::PreActive, NOW + 1), NOW));
        assert!(refused.contains(&written(NOW + 1)), "{refused}");
        for begun in [
            dated(KeyState::PreActive, NOW),
            version(1, KeyState::PreActive),
            dated(KeyState::Suspended, NOW + 1),
            dated(KeyState::Active, NOW + 1),
        ] {
            require_begun(&begun, NOW).unwrap();
        }
    }
}
