//! What exists, in memory: organizations and their registry, keys and their versions.
//!
//! **Invariants**: the content is what the audit log's administrative records say. A key that the store tells
//! otherwise is kept with the reason, and not used. Entries are immutable: a change puts a new one in its place, so an
//! entry held across an await can be compared with the current one.
//!
//! **Not here**: making changes durable (`audit`, `store`), decisions (`access`).

mod anchors;
mod approvals;
mod entry;
mod limits;
mod members;
mod objects;
mod policies;
mod preview;
mod reconcile;

pub use entry::{KeyEntry, Version};
pub use members::{Member, NODES_PER_ORGANIZATION, Standing};
pub use objects::KeyObject;
pub use reconcile::{DirectoryError, LoggedStates};

use crate::{
    identity::{Members, Registry, RegistryError, Revocations},
    model::{
        Approval, Backup, BackupName, Group, KeyName, Limit, LimitSubject, Node, Organization, OrganizationName,
        OrganizationPolicies, PrincipalName, Registration, RevocationList, Role, Suspension, TrustAnchor, Usage,
    },
    store::Row,
};
use arc_swap::ArcSwap;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    ops::Bound,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// See the module.
pub struct Directory {
    deployment: String,
    content: RwLock<Content>,
    /// Told of every key that changes.
    watcher: OnceLock<UnboundedSender<KeyName>>,
    registry: Arc<ArcSwap<Registry>>,
    identity_epoch: AtomicU64,
}

#[derive(Default)]
struct Content {
    organizations: BTreeMap<OrganizationName, Organization>,
    anchors: BTreeMap<String, TrustAnchor>,
    registrations: BTreeMap<String, Registration>,
    nodes: BTreeMap<OrganizationName, BTreeMap<PrincipalName, Node>>,
    suspensions: BTreeMap<String, Suspension>,
    groups: BTreeMap<String, Group>,
    /// The full names of the groups that someone is in.
    groups_of: HashMap<PrincipalName, BTreeSet<String>>,
    revocation_lists: BTreeMap<String, (RevocationList, Revocations)>,
    policies: BTreeMap<OrganizationName, OrganizationPolicies>,
    limits: BTreeMap<LimitSubject, Limit>,
    usages: BTreeMap<LimitSubject, Usage>,
    approvals: BTreeMap<String, Approval>,
    keys: BTreeMap<KeyName, Arc<KeyEntry>>,
    key_counts: limits::KeyCounts,
    backups: BTreeMap<BackupName, Backup>,
    objects: objects::ObjectIndex,
    /// SHA-256 of the SubjectPublicKeyInfo of every key version ever kept here.
    public_keys: HashSet<[u8; 32]>,
}

impl Directory {
    fn new(
        deployment: String,
        rows: impl IntoIterator<Item = Row>,
        mismatches: &HashMap<String, String>,
    ) -> Result<Self, DirectoryError> {
        let mut content = Content::default();
        content.apply(rows.into_iter().collect(), mismatches)?;
        let registry = Arc::new(ArcSwap::from_pointee(content.registry()?));
        let watcher = OnceLock::new();
        Ok(Self { deployment, content: RwLock::new(content), watcher, registry, identity_epoch: AtomicU64::new(1) })
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Content> {
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The deployment's id.
    pub fn deployment(&self) -> &str {
        &self.deployment
    }

    /// The registration of a principal.
    pub fn registration(&self, name: &PrincipalName) -> Option<Registration> {
        self.read().registrations.get(&name.to_string()).cloned()
    }

    /// The organization that runs the service: the platform operator's.
    pub fn operator(&self) -> Option<OrganizationName> {
        let content = self.read();
        let operator = content.registrations.values().find(|row| row.role == Role::PlatformOperator);
        operator.map(|row| row.name.organization().clone())
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

    /// All organizations, by name.
    pub fn organizations(&self) -> Vec<Organization> {
        self.read().organizations.values().cloned().collect()
    }

    /// Names of keys that change from now on. One may watch; for another, nothing comes.
    pub fn watch_keys(&self) -> UnboundedReceiver<KeyName> {
        let (sender, receiver) = unbounded_channel();
        let _ = self.watcher.set(sender);
        receiver
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

    /// An organization's backups, by name.
    pub fn backups(&self, organization: &OrganizationName) -> Vec<Backup> {
        let content = self.read();
        content.backups.values().filter(|backup| backup.name.organization() == organization).cloned().collect()
    }

    /// Whether a key version with this public key (SHA-256 of its SubjectPublicKeyInfo) was ever kept here.
    pub fn holds(&self, public_key_sha256: &[u8; 32]) -> bool {
        self.read().public_keys.contains(public_key_sha256)
    }

    /// Takes over what a durable record says.
    ///
    /// # Errors
    /// [`DirectoryError`] when the rows do not fit together: a defect of whoever made the record.
    pub fn apply(&self, rows: Vec<Row>) -> Result<(), DirectoryError> {
        let identities = rows.iter().any(|row| {
            // Whoever waits for a node's key looks each time.
            !matches!(
                row,
                Row::Key(_)
                    | Row::Node(_)
                    | Row::Backup(_)
                    | Row::Policies(_)
                    | Row::Limit(_)
                    | Row::Usage(_)
                    | Row::Approval(_)
                    | Row::KeyObjects(_)
                    | Row::CertificateObject(_)
            )
        });
        let registry = rows.iter().any(|row| {
            matches!(
                row,
                Row::Organization(_)
                    | Row::Anchor(_)
                    | Row::Registration(_)
                    | Row::Suspension(_)
                    | Row::RevocationList(_)
            )
        });
        let changed: BTreeSet<KeyName> = (rows.iter())
            .filter_map(|row| match row {
                Row::Key(row) => Some(row.name.clone()),
                Row::KeyVersion(row) => Some(row.name.key().clone()),
                Row::KeyObjects(row) => Some(row.key.clone()),
                _ => None,
            })
            .collect();
        let mut content = self.content.write().unwrap_or_else(PoisonError::into_inner);
        content.apply(rows, &HashMap::new())?;
        if registry {
            self.registry.store(Arc::new(content.registry()?));
        }
        drop(content);
        if let Some(watcher) = self.watcher.get() {
            // One that is gone does not care.
            changed.into_iter().for_each(|key| drop(watcher.send(key)));
        }
        if identities {
            self.identity_epoch.fetch_add(1, Ordering::AcqRel);
        }
        Ok(())
    }
}

impl Content {
    fn registry(&self) -> Result<Registry, RegistryError> {
        Registry::new(self.members())
    }

    fn members(&self) -> Members {
        Members {
            organizations: self.organizations.values().cloned().collect(),
            anchors: self.anchors.values().cloned().collect(),
            registrations: self.registrations.values().cloned().collect(),
            suspensions: self.suspensions.values().filter(|row| !row.lifted).cloned().collect(),
            revocation_lists: self.revocation_lists.values().map(|(_, parsed)| parsed.clone()).collect(),
        }
    }

    fn apply(&mut self, rows: Vec<Row>, mismatches: &HashMap<String, String>) -> Result<(), DirectoryError> {
        self.objects.changed(&rows);
        let (mut versions, mut objects) = (Vec::new(), Vec::new());
        for row in rows {
            let name = row.name();
            let mismatch = mismatches.get(&name).cloned();
            match row {
                Row::Organization(row) => drop(self.organizations.insert(row.name.clone(), row)),
                // A registry entry that was tampered with vouches for nobody; its name stays taken.
                Row::Anchor(_) if mismatch.is_some() => {}
                Row::Registration(row) if mismatch.is_some() => {
                    self.registrations.insert(name, Registration { public_keys_sha256: Vec::new(), ..row });
                }
                Row::Anchor(row) => drop(self.anchors.insert(name, row)),
                Row::Registration(row) => drop(self.registrations.insert(name, row)),
                Row::Approval(_) if mismatch.is_some() => {}
                // The rest is as the log says, whatever the store says: what forbids must not be lost, and a node that
                // were forgotten would be let in as a new one.
                Row::Node(row) => self.put_node(row),
                Row::Suspension(row) => drop(self.suspensions.insert(name, row)),
                Row::Group(row) => self.put_group(row),
                Row::RevocationList(row) => {
                    let parsed = Revocations::parse(&row)?;
                    self.revocation_lists.insert(name, (row, parsed));
                }
                Row::Policies(row) => drop(self.policies.insert(row.organization.clone(), row)),
                Row::Limit(row) => drop(self.limits.insert(row.subject.clone(), row)),
                Row::Usage(row) => drop(self.usages.insert(row.subject.clone(), row)),
                Row::Approval(row) => drop(self.approvals.insert(name, row)),
                Row::Backup(row) => drop(self.backups.insert(row.name.clone(), row)),
                Row::Key(row) => {
                    let before = self.keys.get(&row.name);
                    let versions = before.map(|entry| entry.versions.clone()).unwrap_or_default();
                    let objects = before.and_then(|entry| entry.objects.clone());
                    self.put_key(row.name.clone(), Arc::new(KeyEntry { key: row, versions, objects, mismatch }));
                }
                Row::KeyVersion(row) => versions.push((row, mismatch)),
                Row::KeyObjects(row) => objects.push(row),
                Row::CertificateObject(row) => self.objects.put_certificate(row),
            }
        }
        // Keys first: a version belongs to one.
        for (mut row, mismatch) in versions {
            let entry = self.keys.get(row.name.key()).ok_or_else(|| DirectoryError::Orphan(row.name.to_string()))?;
            // All of a key's names share their text.
            let name = entry.key.name.clone();
            row.name = name.version(row.name.number());
            let version = Version::new(row, entry.key.algorithm, mismatch)?;
            if let Some(key) = version.public_key.as_ref().filter(|_| version.row.was_kept_here()) {
                self.public_keys.insert(*key.sha256());
            }
            self.objects.put_version(&version);
            let mut entry = KeyEntry::clone(entry);
            entry.versions.insert(version.row.name.number(), Arc::new(version));
            self.put_key(name, Arc::new(entry));
        }
        // As the log says: what was edited in the store decides no key's standing.
        objects.into_iter().for_each(|row| self.put_objects(row));
        Ok(())
    }
}
