//! What exists, in memory: organizations and their registry, keys and their versions.
//!
//! **Invariants**: the content is what the audit log's administrative records say. A key that the store tells
//! otherwise is kept with the reason, and not used. Entries are immutable: a change puts a new one in its place, so an
//! entry held across an await can be compared with the current one.
//!
//! **Not here**: making changes durable (`audit`, `store`), decisions (`access`).

mod entry;
mod reconcile;

pub use entry::{KeyEntry, Version};
pub use reconcile::{DirectoryError, LoggedStates};

use crate::{
    crypto::sha256,
    identity::{Registry, RegistryError},
    model::{KeyName, Organization, OrganizationName, Registration, TrustAnchor},
    store::Row,
};
use arc_swap::ArcSwap;
use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// See the module.
pub struct Directory {
    content: RwLock<Content>,
    registry: Arc<ArcSwap<Registry>>,
    identity_epoch: AtomicU64,
}

#[derive(Default)]
struct Content {
    organizations: BTreeMap<OrganizationName, Organization>,
    anchors: BTreeMap<String, TrustAnchor>,
    registrations: BTreeMap<String, Registration>,
    keys: BTreeMap<KeyName, Arc<KeyEntry>>,
    /// SHA-256 of the SubjectPublicKeyInfo of every key version ever kept here, with the key's name.
    public_keys: HashMap<[u8; 32], KeyName>,
}

impl Directory {
    fn new(rows: impl IntoIterator<Item = Row>, mismatches: &HashMap<String, String>) -> Result<Self, DirectoryError> {
        let mut content = Content::default();
        content.apply(rows.into_iter().collect(), mismatches)?;
        let registry = Arc::new(ArcSwap::from_pointee(content.registry()?));
        Ok(Self { content: RwLock::new(content), registry, identity_epoch: AtomicU64::new(1) })
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Content> {
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The registry, as the TLS layer shares it.
    pub fn registry(&self) -> &Arc<ArcSwap<Registry>> {
        &self.registry
    }

    /// Grows whenever a certificate could be judged otherwise than before.
    pub fn identity_epoch(&self) -> u64 {
        self.identity_epoch.load(Ordering::Acquire)
    }

    /// The key, whether usable or not.
    pub fn key(&self, name: &KeyName) -> Option<Arc<KeyEntry>> {
        self.read().keys.get(name).cloned()
    }

    /// The organization.
    pub fn organization(&self, name: &OrganizationName) -> Option<Organization> {
        self.read().organizations.get(name).cloned()
    }

    /// Up to `limit` keys of `organization` by name, those after the key id `after`.
    pub fn keys(&self, organization: &OrganizationName, after: Option<&KeyName>, limit: usize) -> Vec<Arc<KeyEntry>> {
        let content = self.read();
        let from = match after {
            Some(after) => Bound::Excluded(after.clone()),
            // A key id begins with a letter or digit, and "0" sorts before all of them.
            None => match organization.key("0") {
                Ok(first) => Bound::Included(first),
                Err(_) => return Vec::new(),
            },
        };
        let all = content.keys.range((from, Bound::Unbounded));
        all.take_while(|(name, _)| name.organization() == organization)
            .take(limit)
            .map(|(_, entry)| Arc::clone(entry))
            .collect()
    }

    /// Whether a key version with this public key (SHA-256 of its SubjectPublicKeyInfo) was ever kept here.
    pub fn holds(&self, public_key_sha256: &[u8; 32]) -> bool {
        self.read().public_keys.contains_key(public_key_sha256)
    }

    /// Takes over what a durable record says.
    ///
    /// # Errors
    /// [`DirectoryError`] when the rows do not fit together: a defect of whoever made the record.
    pub fn apply(&self, rows: Vec<Row>) -> Result<(), DirectoryError> {
        let identities = rows.iter().any(|row| !matches!(row, Row::Key(_)));
        let registry =
            rows.iter().any(|row| matches!(row, Row::Organization(_) | Row::Anchor(_) | Row::Registration(_)));
        let mut content = self.content.write().unwrap_or_else(PoisonError::into_inner);
        content.apply(rows, &HashMap::new())?;
        if registry {
            self.registry.store(Arc::new(content.registry()?));
        }
        drop(content);
        if identities {
            self.identity_epoch.fetch_add(1, Ordering::AcqRel);
        }
        Ok(())
    }
}

impl Content {
    fn registry(&self) -> Result<Registry, RegistryError> {
        Registry::new(
            self.organizations.values().cloned().collect(),
            self.anchors.values().cloned().collect(),
            self.registrations.values().cloned().collect(),
        )
    }

    fn apply(&mut self, rows: Vec<Row>, mismatches: &HashMap<String, String>) -> Result<(), DirectoryError> {
        let mut versions = Vec::new();
        for row in rows {
            let name = row.name();
            let mismatch = mismatches.get(&name).cloned();
            match row {
                Row::Organization(row) => drop(self.organizations.insert(row.name.clone(), row)),
                // A registry entry that was tampered with vouches for nobody; its name stays taken.
                Row::Anchor(_) if mismatch.is_some() => {}
                Row::Registration(row) if mismatch.is_some() => {
                    let public_key_sha256 = sha256(format!("no key: {name}").as_bytes());
                    self.registrations.insert(name, Registration { public_key_sha256, ..row });
                }
                Row::Anchor(row) => drop(self.anchors.insert(name, row)),
                Row::Registration(row) => drop(self.registrations.insert(name, row)),
                Row::Key(row) => {
                    let versions = self.keys.get(&row.name).map(|entry| entry.versions.clone()).unwrap_or_default();
                    self.keys.insert(row.name.clone(), Arc::new(KeyEntry { key: row, versions, mismatch }));
                }
                Row::KeyVersion(row) => versions.push((row, mismatch)),
            }
        }
        // Keys first: a version belongs to one.
        for (row, mismatch) in versions {
            let name = row.name.key().clone();
            let entry = self.keys.get(&name).ok_or_else(|| DirectoryError::Orphan(row.name.to_string()))?;
            let version = Version::new(row, entry.key.algorithm, mismatch)?;
            self.public_keys.insert(*version.public_key.sha256(), name.clone());
            let mut entry = KeyEntry::clone(entry);
            entry.versions.insert(version.row.name.number(), Arc::new(version));
            self.keys.insert(name, Arc::new(entry));
        }
        Ok(())
    }
}
