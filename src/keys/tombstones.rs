//! What could still bring a destroyed key back.
//!
//! **Invariant**: honest to a fault: what may hold the key is named until it is certain that it can't. Only ENCLAVE keys
//! were ever copied; a TOKEN key left its token never.

use crate::{
    directory::Directory,
    model::{Key, KeyState, KeyVersion, Protection},
};
use jiff::Timestamp;

/// For people: backups that hold the key, and copies of the store as long as the key-encryption key that they need
/// exists. Empty for a version that is not DESTROYED, and once nothing could bring it back.
pub(super) fn revivable_by(directory: &Directory, key: &Key, version: &KeyVersion) -> Vec<String> {
    let destroyed = version.destroyed_time.filter(|_| version.state == KeyState::Destroyed);
    let (Some(destroyed), Protection::Enclave) = (destroyed, key.protection) else { return Vec::new() };
    let organization = key.name.organization();
    let lived = version.create_time..=destroyed;
    let mut by: Vec<_> = (directory.backups(organization).into_iter())
        .filter(|backup| {
            lived.contains(&backup.create_time) || version.restored_from.as_ref() == Some(&backup.name.to_string())
        })
        .map(|backup| match backup.sha256 {
            Some(_) => backup.name.to_string(),
            None => format!("{} (incomplete)", backup.name),
        })
        .collect();
    let oldest = directory.organization(organization).map_or(0, |organization| organization.oldest_kek_generation);
    if (1..=version.destroyed_under_kek).contains(&oldest) {
        let time = Timestamp::from_nanosecond(destroyed.into()).map(|time| format!("{time:.0}")).unwrap_or_default();
        by.push(format!("copies of the store made before {time}, until RewrapKeys"));
    }
    by
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        directory::LoggedStates,
        model::{Algorithm, Backup, Check, KeyName, Organization, OrganizationName, Purpose},
        store::{Contents, Row},
    };
    use chancery_audit::record::{Genesis, Record};
    use std::collections::BTreeMap;

    fn key(protection: Protection) -> Key {
        Key {
            name: name(),
            owner: "organizations/org1/principals/peer0".parse().unwrap(),
            purpose: Purpose::Encrypt,
            algorithm: Algorithm::Aes256,
            protection,
            check: Check::Never,
            labels: BTreeMap::new(),
            primary_version: 1,
            create_time: 10,
            rotation: None,
            next_rotation: None,
            overlap: None,
            pool_size: 0,
        }
    }

    fn name() -> KeyName {
        OrganizationName::from_id("org1").unwrap().key("k").unwrap()
    }

    fn backup(id: &str, create_time: i64) -> Backup {
        Backup {
            name: format!("organizations/org1/backups/{id}").parse().unwrap(),
            create_time,
            versions: 1,
            token_versions: 0,
            threshold: 1,
            custodians: Vec::new(),
            sha256: Some([0; 32]),
        }
    }

    fn directory(oldest_kek_generation: u64, kek_generation: u64) -> Directory {
        let name = OrganizationName::from_id("org1").unwrap();
        let organization =
            Organization { kek_generation, oldest_kek_generation, ..Organization::new(name, Vec::new(), 1) };
        let backups = [("before", 9), ("early", 10), ("late", 20), ("after", 21)];
        let mut rows = vec![Row::Organization(organization)];
        rows.extend(backups.map(|(id, time)| Row::Backup(backup(id, time))));
        let genesis = Genesis { deployment: "d".into(), ..Genesis::default() };
        let states = rows.iter().map(Row::state).collect();
        let mut logged = LoggedStates::default();
        logged.add(&Record { genesis: Some(genesis), states, ..Record::default() });
        logged.reconcile(Contents { deployment: "d".into(), ..Contents::default() }).unwrap().0
    }

    /// Made at 10, destroyed at 20, under the key-encryption key of generation 2.
    fn destroyed() -> KeyVersion {
        KeyVersion {
            destroyed_time: Some(20),
            destroyed_under_kek: 2,
            ..KeyVersion::new(name().version(1), KeyState::Destroyed, Vec::new(), 10)
        }
    }

    const STORE: &str = "copies of the store made before 1970-01-01T00:00:00Z, until RewrapKeys";
    const BACKUPS: [&str; 2] = ["organizations/org1/backups/early", "organizations/org1/backups/late"];

    #[test]
    fn backups_of_its_life_and_copies_of_the_store_until_it_is_rewrapped() {
        let by = |oldest, current| revivable_by(&directory(oldest, current), &key(Protection::Enclave), &destroyed());
        assert_eq!(by(2, 2), [BACKUPS[0], BACKUPS[1], STORE]);
        assert_eq!(by(1, 2), [BACKUPS[0], BACKUPS[1], STORE], "a rewrap that was not finished");
        assert_eq!(by(2, 3), [BACKUPS[0], BACKUPS[1], STORE], "a rewrap that was not finished");
        assert_eq!(by(3, 3), BACKUPS);
    }

    /// Whoever hung up half way has the entries that were sent.
    #[test]
    fn a_backup_that_was_not_completed_counts() {
        let directory = directory(3, 3);
        directory.apply(vec![Row::Backup(Backup { sha256: None, ..backup("half", 15) })]).unwrap();
        let by = revivable_by(&directory, &key(Protection::Enclave), &destroyed());
        assert_eq!(by, [BACKUPS[0], "organizations/org1/backups/half (incomplete)", BACKUPS[1]]);
    }

    #[test]
    fn the_backup_that_it_was_restored_from() {
        let version = KeyVersion { restored_from: Some("organizations/org1/backups/before".into()), ..destroyed() };
        let by = revivable_by(&directory(3, 3), &key(Protection::Enclave), &version);
        assert_eq!(by, ["organizations/org1/backups/before", BACKUPS[0], BACKUPS[1]]);
    }

    /// A restore's tombstones are unproven: else whoever restores could name another's public key, and lock it out.
    #[test]
    fn a_tombstone_that_was_restored_holds_nobodys_public_key() {
        let public_key = hex::decode(concat!(
            "3059301306072a8648ce3d020106082a8648ce3d030107034200046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a1",
            "3945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
        ))
        .unwrap();
        let key = Key { algorithm: Algorithm::EcP256, purpose: Purpose::Sign, ..key(Protection::Enclave) };
        let holds = |version: KeyVersion| {
            let directory = directory(1, 1);
            let version = KeyVersion { public_key: public_key.clone(), ..version };
            directory.apply(vec![Row::Key(key.clone()), Row::KeyVersion(version)]).unwrap();
            directory.holds(&crate::crypto::sha256(&public_key))
        };
        let restored = KeyVersion { restored_from: Some("organizations/org1/backups/b".into()), ..destroyed() };
        assert!(!holds(KeyVersion { destroyed_under_kek: 0, ..restored.clone() }), "a tombstone came");
        assert!(holds(restored.clone()), "it came alive and was destroyed here");
        assert!(holds(KeyVersion { state: KeyState::Active, destroyed_under_kek: 0, ..restored }), "it came alive");
        assert!(holds(destroyed()), "it was made here");
    }

    #[test]
    fn a_token_key_and_a_living_version_are_revived_by_nothing() {
        assert!(revivable_by(&directory(2, 2), &key(Protection::Token), &destroyed()).is_empty());
        let living = KeyVersion { state: KeyState::Deactivated, ..destroyed() };
        assert!(revivable_by(&directory(2, 2), &key(Protection::Enclave), &living).is_empty());
    }
}
