//! Wrapped keys in the store that belong to no living version: left by a crash, or put there by someone.
//!
//! **Invariant**: the log is the authority. What was never registered has never been, and what is DESTROYED stays so,
//! whatever the store holds; after a start it holds no such key.

use crate::{
    directory::Directory,
    model::{KeyState, KeyVersionName, OrganizationName},
    store::{Store, StoreError},
};

/// Wrapped keys that are looked at together.
const BATCH: usize = 1024;

/// Removes them, at start, once open intents are settled. Nobody makes versions meanwhile.
pub(super) async fn remove(directory: &Directory, store: &dyn Store) {
    for organization in directory.organizations() {
        let organization = organization.name;
        match remove_of(directory, store, &organization).await {
            Ok(0) => {}
            Ok(removed) => {
                tracing::warn!(%organization, removed, "the store held wrapped keys of no living version; they were removed");
            }
            Err(error) => {
                tracing::error!(%organization, %error, "the store's wrapped keys can't be checked; the next start tries again");
            }
        }
    }
}

async fn remove_of(
    directory: &Directory,
    store: &dyn Store,
    organization: &OrganizationName,
) -> Result<usize, StoreError> {
    let (mut orphans, mut after) = (Vec::new(), None);
    loop {
        let batch = store.wrapped_keys(organization.clone(), after, BATCH).await?;
        let Some(last) = batch.last() else { break };
        after = Some(last.version.clone());
        orphans.extend(batch.into_iter().map(|key| key.version).filter(|version| !lives(directory, version)));
    }
    let removed = orphans.len();
    if removed > 0 {
        store.remove_wrapped(orphans).await?;
    }
    Ok(removed)
}

fn lives(directory: &Directory, version: &str) -> bool {
    let Ok(name) = version.parse::<KeyVersionName>() else { return false };
    let entry = directory.key(name.key());
    let version = entry.as_ref().and_then(|entry| entry.versions.get(&name.number()));
    version.is_some_and(|version| version.row.state != KeyState::Destroyed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        directory::LoggedStates,
        model::{Algorithm, Check, Key, KeyVersion, Organization, Protection, Purpose},
        store::{Contents, Row, SqliteStore, WrappedKey},
    };
    use chancery_audit::record::{Genesis, Record};
    use std::collections::BTreeMap;

    /// An organization with key `k`: version 1 DESTROYED, the others alive.
    fn directory(versions: u64) -> Directory {
        let organization = OrganizationName::from_id("org1").unwrap();
        let key = Key {
            name: organization.key("k").unwrap(),
            owner: organization.principal("peer0").unwrap(),
            purpose: Purpose::Encrypt,
            algorithm: Algorithm::Aes256,
            protection: Protection::Enclave,
            check: Check::Never,
            labels: BTreeMap::new(),
            primary_version: 2,
            create_time: 1,
            rotation: None,
            next_rotation: None,
            overlap: None,
            pool_size: 0,
        };
        let state = |number| if number == 1 { KeyState::Destroyed } else { KeyState::Suspended };
        let version = |number| KeyVersion::new(key.name.version(number), state(number), Vec::new(), 1);
        let mut rows: Vec<_> = (1..=versions).map(|number| Row::KeyVersion(version(number))).collect();
        rows.push(Row::Key(key.clone()));
        rows.push(Row::Organization(Organization {
            kek_generation: 1,
            oldest_kek_generation: 1,
            ..Organization::new(organization, Vec::new(), 1)
        }));
        let genesis = Genesis { deployment: "d".into(), ..Genesis::default() };
        let states = rows.iter().map(Row::state).collect();
        let mut logged = LoggedStates::default();
        logged.add(&Record { genesis: Some(genesis), states, ..Record::default() });
        logged.reconcile(Contents { deployment: "d".into(), ..Contents::default() }).unwrap().0
    }

    /// Over several batches: what lives stays, byte for byte, and nothing else does.
    #[tokio::test]
    async fn only_wrapped_keys_of_living_versions_survive_a_start() {
        let place = tempfile::tempdir().unwrap();
        let store = SqliteStore::create(&place.path().join("s"), "d").unwrap();
        let living = 2 * BATCH as u64 + 7;
        let directory = directory(living);
        let name = |key: &str, number: u64| format!("organizations/org1/keys/{key}/versions/{number}");
        let mut names: Vec<_> = (1..=living + 1).map(|number| name("k", number)).collect();
        names.extend([name("unknown", 1), "organizations/org1/keys/k/versions/x".into()]);
        let blob = |version: &str| format!("blob of {version}.").into_bytes();
        let wrapped = |version: &String| WrappedKey { version: version.clone(), wrapped: blob(version) };
        store.keep_wrapped(names.iter().map(wrapped).collect()).await.unwrap();

        remove(&directory, &store).await;

        let organization = OrganizationName::from_id("org1").unwrap();
        assert_eq!(store.count_wrapped(organization).await.unwrap(), living - 1);
        for (name, stays) in [(name("k", 1), false), (name("k", 2), true), (name("k", living), true)] {
            assert_eq!(store.wrapped(name.clone()).await.unwrap(), stays.then(|| blob(&name)));
            // Nor does any page of the file, or of its write-ahead log, keep what is gone.
            let files = ["s", "s-wal"].map(|file| std::fs::read(place.path().join(file)).unwrap_or_default());
            let found = files.concat().windows(blob(&name).len()).any(|window| window == blob(&name));
            assert_eq!(found, stays, "{name}");
        }
        for gone in &names[usize::try_from(living).unwrap()..] {
            assert_eq!(store.wrapped(gone.clone()).await.unwrap(), None, "{gone}");
        }
        // Another start finds nothing to do.
        assert_eq!(remove_of(&directory, &store, &OrganizationName::from_id("org1").unwrap()).await.unwrap(), 0);
    }
}
