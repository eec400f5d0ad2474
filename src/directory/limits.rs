//! Limits, what was used of them, and how many keys there are.
//!
//! **Invariant**: the counts of keys follow every change of the keys: nothing is counted anew.

use super::{Content, Directory, KeyEntry};
use crate::model::{KeyName, KeyState, Limit, LimitSubject, OrganizationName, PrincipalName, Usage};
use std::{collections::HashMap, hash::Hash, ops::Bound, sync::Arc};

/// Keys with a version that is not DESTROYED, or without a version yet.
#[derive(Default)]
pub(super) struct KeyCounts {
    organizations: HashMap<OrganizationName, u64>,
    owners: HashMap<PrincipalName, u64>,
}

fn counts(entry: &KeyEntry) -> bool {
    // The newest one lives longest, as a rule.
    let mut states = entry.versions.values().rev().map(|version| version.row.state);
    entry.versions.is_empty() || states.any(|state| state != KeyState::Destroyed)
}

fn add<K: Eq + Hash + Clone>(to: &mut HashMap<K, u64>, key: &K) {
    match to.get_mut(key) {
        Some(count) => *count += 1,
        None => drop(to.insert(key.clone(), 1)),
    }
}

fn take<K: Eq + Hash>(from: &mut HashMap<K, u64>, key: &K) {
    if let Some(count) = from.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            from.remove(key);
        }
    }
}

impl KeyCounts {
    fn replaced(&mut self, before: Option<&KeyEntry>, after: &KeyEntry) {
        // First what is more: a key that stays as it was takes nothing out of the maps.
        if counts(after) {
            add(&mut self.organizations, after.key.name.organization());
            add(&mut self.owners, &after.key.owner);
        }
        if let Some(before) = before.filter(|before| counts(before)) {
            take(&mut self.organizations, before.key.name.organization());
            take(&mut self.owners, &before.key.owner);
        }
    }
}

impl Content {
    /// Puts a key in place, and keeps count.
    pub(super) fn put_key(&mut self, name: KeyName, entry: Arc<KeyEntry>) {
        let before = self.keys.insert(name, Arc::clone(&entry));
        self.key_counts.replaced(before.as_deref(), &entry);
        self.objects.put_key(&entry);
    }
}

impl Directory {
    /// Whether anybody or anything is limited.
    pub fn has_limits(&self) -> bool {
        !self.read().limits.is_empty()
    }

    /// A subject's limit.
    pub fn limit(&self, subject: &LimitSubject) -> Option<Limit> {
        self.read().limits.get(subject).cloned()
    }

    /// Up to `most` limits of an organization, by subject, those after `after`.
    pub fn limits(&self, organization: &OrganizationName, after: Option<&LimitSubject>, most: usize) -> Vec<Limit> {
        let content = self.read();
        let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.clone()));
        let all = content.limits.range((from, Bound::Unbounded)).map(|(_, limit)| limit);
        all.filter(|limit| limit.subject.organization() == organization && limit.limits()).take(most).cloned().collect()
    }

    /// What a subject has reserved.
    pub fn usage(&self, subject: &LimitSubject) -> Option<Usage> {
        self.read().usages.get(subject).cloned()
    }

    /// An organization's keys that count.
    pub fn count_keys(&self, organization: &OrganizationName) -> u64 {
        self.read().key_counts.organizations.get(organization).copied().unwrap_or(0)
    }

    /// The keys that a principal owns and that count.
    pub fn count_keys_of(&self, owner: &PrincipalName) -> u64 {
        self.read().key_counts.owners.get(owner).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{Algorithm, Check, Key, KeyVersion, Protection, Purpose},
        store::Row,
    };
    use std::collections::BTreeMap;

    fn key(id: &str, owner: &str) -> Key {
        let organization = OrganizationName::from_id("org1").unwrap();
        Key {
            name: organization.key(id).unwrap(),
            owner: organization.principal(owner).unwrap(),
            purpose: Purpose::Mac,
            algorithm: Algorithm::HmacSha256,
            protection: Protection::Enclave,
            check: Check::Never,
            labels: BTreeMap::new(),
            primary_version: 1,
            create_time: 1,
            rotation: None,
            next_rotation: None,
            overlap: None,
            pool_size: 0,
        }
    }

    fn version(key: &Key, number: u64, state: KeyState) -> Row {
        Row::KeyVersion(KeyVersion::new(key.name.version(number), state, Vec::new(), 1))
    }

    #[test]
    fn keys_are_counted_until_their_last_version_is_destroyed() {
        let directory = Directory::new(String::new(), [], &HashMap::new()).unwrap();
        let organization = OrganizationName::from_id("org1").unwrap();
        let of = |owner: &str| directory.count_keys_of(&organization.principal(owner).unwrap());
        let all = || directory.count_keys(&organization);
        let apply = |rows: Vec<Row>| directory.apply(rows).unwrap();
        let (one, two) = (key("one", "peer0"), key("two", "peer1"));
        apply(vec![Row::Key(one.clone()), version(&one, 1, KeyState::Active)]);
        apply(vec![Row::Key(two.clone()), version(&two, 1, KeyState::Active)]);
        assert_eq!((all(), of("peer0"), of("peer1")), (2, 1, 1));
        apply(vec![version(&one, 2, KeyState::PreActive), Row::Key(one.clone())]);
        apply(vec![version(&one, 1, KeyState::Destroyed)]);
        assert_eq!((all(), of("peer0")), (2, 1), "its second version lives");
        apply(vec![Row::Key(key("two", "peer0"))]);
        assert_eq!((all(), of("peer0"), of("peer1")), (2, 2, 0), "it was given to another");
        apply(vec![version(&one, 2, KeyState::Destroyed)]);
        assert_eq!((all(), of("peer0")), (1, 1));
    }
}
