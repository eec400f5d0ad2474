//! Keys: made, looked up, listed, rotated.
//!
//! **Invariants**: a version exists once its outcome is recorded. A key pair whose intent has no such outcome is removed
//! from the token, at once or at the next start.
//!
//! **Not here**: using keys (`signing`), what a token offers (chancery-enclave).

mod changes;

pub use changes::{Begun, Change, Changes};

use crate::{
    access::{Grant, Peer, Target},
    admission::Admission,
    audit::{Draft, Facts, unavailable},
    certificates::PublicKey,
    directory::KeyEntry,
    enclave::{Enclave, Generated, offer},
    error::{Error, Performed},
    model::{
        Action, Algorithm, Check, Key, KeyName, KeyOrVersionName, KeyState, KeyVersion, KeyVersionName,
        OrganizationName, PrincipalName, Protection, Purpose,
    },
    policy::Context,
    store::Row,
};
use chancery_api::reasons;
use chancery_audit::record::{Outcome, Record};
use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

/// A key to make.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Its name.
    pub name: KeyName,
    /// Its owner; by default the caller.
    pub owner: Option<PrincipalName>,
    /// What it is for.
    pub purpose: Purpose,
    /// What it is made of.
    pub algorithm: Algorithm,
    /// Where it lives.
    pub protection: Protection,
    /// Whether signatures are verified; by default as its purpose suggests.
    pub check: Option<Check>,
    /// Free text.
    pub labels: BTreeMap<String, String>,
}

/// Of a changing request: its id, and the hash of its content.
#[derive(Debug, Clone)]
pub struct RequestId {
    /// The UUID, as text.
    pub id: String,
    /// SHA-256 of the request's content.
    pub hash: [u8; 32],
}

/// See the module.
pub struct Keys {
    admission: Arc<Admission>,
    enclave: Arc<Enclave>,
    changes: Arc<Changes>,
    /// Keys being made or rotated: one change of a key at a time.
    busy: Mutex<HashSet<KeyName>>,
}

/// Holds a key's name while it is changed.
struct Busy<'a>(&'a Keys, KeyName);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_nanosecond().try_into().unwrap_or(i64::MAX)
}

impl RequestId {
    /// As a record says it.
    pub fn facts(&self) -> Facts<'_> {
        Facts { request_id: &self.id, request_hash: self.hash }
    }
}

impl Keys {
    /// Over the admitted, the token and the changes.
    pub fn new(admission: Arc<Admission>, enclave: Arc<Enclave>, changes: Arc<Changes>) -> Self {
        Self { admission, enclave, changes, busy: Mutex::default() }
    }

    /// One key.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn key(&self, peer: &Arc<Peer>, name: &KeyName) -> Result<Arc<KeyEntry>, Error> {
        let target = Target::Key(KeyOrVersionName::Key(name.clone()));
        let grant = self.admission.admit(peer, Action::GetKey, target).await?;
        grant.key().cloned()
    }

    /// Up to `limit` keys of an organization after `after`, those that the caller may see, and where to go on.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn list(
        &self,
        peer: &Arc<Peer>,
        organization: &OrganizationName,
        after: Option<KeyName>,
        limit: usize,
    ) -> Result<(Vec<Arc<KeyEntry>>, Option<KeyName>), Error> {
        let target = Target::Organization(organization.clone());
        let grant = self.admission.admit(peer, Action::ListKeys, target).await?;
        let access = self.admission.access();
        let (mut seen, mut after) = (Vec::new(), after);
        while seen.len() < limit {
            let batch = access.directory().keys(organization, after.as_ref(), limit);
            let Some(last) = batch.last() else { return Ok((seen, None)) };
            after = Some(last.key.name.clone());
            for entry in batch {
                if seen.len() == limit {
                    break;
                }
                let target = Target::Key(KeyOrVersionName::Key(entry.key.name.clone()));
                let principal = grant.principal().clone();
                // What the caller may not see is left out; nothing was denied.
                if access.authorize(peer, principal, Action::GetKey, target, Context::new()).is_ok() {
                    after = Some(entry.key.name.clone());
                    seen.push(entry);
                }
            }
        }
        Ok((seen, after))
    }

    /// Makes a key with its first version.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn create(&self, peer: Arc<Peer>, new: NewKey, request: RequestId) -> Result<Arc<KeyEntry>, Error> {
        let principal = self.admission.identify(&peer, Action::CreateKey).await?;
        let facts = request.facts();
        let owner = new.owner.clone().unwrap_or_else(|| principal.name.clone());
        let context = Context::new()
            .text("key", new.name.id())
            .text("owner", owner.to_string())
            .text("purpose", new.purpose.as_str())
            .text("algorithm", new.algorithm.as_str())
            .text("protection", new.protection.as_str());
        let target = Target::Organization(new.name.organization().clone());
        let action = Action::CreateKey;
        let grant = self.admission.authorize(&peer, principal.clone(), action, target, context, &facts).await?;
        if owner.organization() != new.name.organization() {
            return Err(Error::invalid("key.owner", "the owner must be a principal of the key's organization"));
        }
        let change = match self.changes.begin(&principal.name, action.as_str(), &request.id, request.hash).await? {
            Begun::New(change) => change,
            Begun::Answered(_) => {
                self.replayed(&grant, &facts).await?;
                return self.existing(&new.name);
            }
        };
        let result = self.create_granted(&grant, &new, owner, &facts).await;
        let (intent, rows, generated) = match result {
            Ok(made) => made,
            Err(error) => {
                self.changes.abandon(change).await;
                return Err(error);
            }
        };
        let outcome = Draft::outcome(&grant, &facts)
            .resource(&new.name.version(1))
            .key(new.algorithm, new.protection)
            .witness(&generated.witness)
            .states(&rows)
            .after(intent);
        self.changes.finish(change, Some(outcome), rows, Vec::new()).await?;
        self.existing(&new.name)
    }

    async fn create_granted(
        &self,
        grant: &Grant,
        new: &NewKey,
        owner: PrincipalName,
        facts: &Facts<'_>,
    ) -> Result<(u64, Vec<Row>, Generated), Error> {
        let _busy = self.busy(&new.name)?;
        if self.admission.access().directory().key(&new.name).is_some() {
            return Err(Error::AlreadyExists(new.name.to_string()));
        }
        self.require_offered(new.algorithm)?;
        let name = new.name.version(1);
        let intent =
            self.intend(Draft::intent(grant, facts).resource(&name).key(new.algorithm, new.protection)).await?;
        let generated = self.generate(grant, &name, new.algorithm, intent, facts).await?;
        let create_time = now();
        let check = match new.purpose {
            Purpose::Certify => Check::Always,
            Purpose::Sign => Check::Sampled,
        };
        let key = Key {
            name: new.name.clone(),
            owner,
            purpose: new.purpose,
            algorithm: new.algorithm,
            protection: new.protection,
            check: new.check.unwrap_or(check),
            labels: new.labels.clone(),
            primary_version: 1,
            create_time,
        };
        let version = KeyVersion {
            name,
            state: KeyState::Active,
            public_key: generated.public_key.clone(),
            create_time,
            certificate: None,
        };
        Ok((intent, vec![Row::Key(key), Row::KeyVersion(version)], generated))
    }

    /// Makes a new version of a key.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn rotate(&self, peer: Arc<Peer>, name: KeyName, request: RequestId) -> Result<Arc<KeyEntry>, Error> {
        let action = Action::RotateKey;
        let principal = self.admission.identify(&peer, action).await?;
        let facts = request.facts();
        let target = Target::Key(KeyOrVersionName::Key(name.clone()));
        // Whether the caller's role may make keys here is a fact of the organization, which the key doesn't carry.
        let organization = self.admission.access().directory().organization(name.organization());
        let may_enrol = organization.is_some_and(|found| found.enrolling_roles.contains(&principal.role));
        let context = Context::new().flag("mayEnrol", may_enrol);
        let grant = self.admission.authorize(&peer, principal.clone(), action, target, context, &facts).await?;
        grant.key()?;
        let change = match self.changes.begin(&principal.name, action.as_str(), &request.id, request.hash).await? {
            Begun::New(change) => change,
            Begun::Answered(_) => {
                self.replayed(&grant, &facts).await?;
                return self.existing(&name);
            }
        };
        let result = self.rotate_granted(&grant, &name, &facts).await;
        let (intent, version, rows, generated) = match result {
            Ok(made) => made,
            Err(error) => {
                self.changes.abandon(change).await;
                return Err(error);
            }
        };
        let outcome =
            Draft::outcome(&grant, &facts).resource(&version).witness(&generated.witness).states(&rows).after(intent);
        self.changes.finish(change, Some(outcome), rows, Vec::new()).await?;
        self.existing(&name)
    }

    async fn rotate_granted(
        &self,
        grant: &Grant,
        name: &KeyName,
        facts: &Facts<'_>,
    ) -> Result<(u64, KeyVersionName, Vec<Row>, Generated), Error> {
        let _busy = self.busy(name)?;
        // Read under the reservation: another rotation may just have ended.
        let entry = self.existing(name)?;
        let primary = entry.version(None).ok_or_else(|| Error::NotFound(name.to_string()))?;
        let algorithm = entry.key.algorithm;
        self.require_offered(algorithm)?;
        let version = name.version(entry.next_version());
        let intent = self.intend(Draft::intent(grant, facts).resource(&version)).await?;
        let generated = self.generate(grant, &version, algorithm, intent, facts).await?;
        // A node whose certificate names the old public key must not find another under its key's name.
        let bound = primary.row.certificate.is_some();
        let row = KeyVersion {
            name: version.clone(),
            state: if bound { KeyState::PreActive } else { KeyState::Active },
            public_key: generated.public_key.clone(),
            create_time: now(),
            certificate: None,
        };
        let mut rows = vec![Row::KeyVersion(row)];
        if !bound {
            rows.insert(0, Row::Key(Key { primary_version: version.number(), ..entry.key.clone() }));
        }
        Ok((intent, version, rows, generated))
    }

    /// Settles an intent that an earlier process left without an outcome.
    ///
    /// # Errors
    /// [`Error`] when the token or the log can't take it; it stays open.
    pub async fn reconcile(&self, intent: &Record) -> Result<(), Error> {
        let removed = self.enclave.discard(&intent.resource).await?;
        tracing::warn!(resource = intent.resource, removed, "an operation that a crash left half done was undone");
        let draft = Draft::reconciled(intent, Outcome::NotPerformed);
        self.admission.audit().append(draft).await.map_err(|error| unavailable(&error))?;
        Ok(())
    }

    fn busy(&self, name: &KeyName) -> Result<Busy<'_>, Error> {
        if self.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone()) {
            Ok(Busy(self, name.clone()))
        } else {
            Err(Error::Precondition {
                reason: reasons::WRONG_STATE,
                message: format!("{name} is being changed by another request; try again when that is done"),
            })
        }
    }

    fn existing(&self, name: &KeyName) -> Result<Arc<KeyEntry>, Error> {
        self.admission.access().directory().key(name).ok_or_else(|| Error::NotFound(name.to_string()))
    }

    fn require_offered(&self, algorithm: Algorithm) -> Result<(), Error> {
        let Some(opened) = self.enclave.opened() else { return Ok(()) };
        let offers = |algorithm: &Algorithm| opened.algorithms.contains(&(offer(*algorithm) as i32));
        if offers(&algorithm) {
            return Ok(());
        }
        let offered: Vec<_> = Algorithm::ALL.iter().filter(|one| offers(one)).map(|one| one.as_str()).collect();
        Err(Error::Precondition {
            reason: reasons::UNSUPPORTED_ALGORITHM,
            message: format!("the token has no {algorithm}; it offers {}", offered.join(", ")),
        })
    }

    async fn intend(&self, draft: Draft) -> Result<u64, Error> {
        self.admission.audit().append(draft).await.map_err(|error| unavailable(&error))
    }

    /// Makes the key pair, or records that it was not made.
    async fn generate(
        &self,
        grant: &Grant,
        version: &KeyVersionName,
        algorithm: Algorithm,
        intent: u64,
        facts: &Facts<'_>,
    ) -> Result<Generated, Error> {
        let access = self.admission.access();
        let made = self.enclave.generate(access, grant, &version.to_string(), algorithm).await;
        let error = match made.and_then(|generated| canonical(generated, algorithm)) {
            Ok(generated) => return Ok(generated),
            Err(error) => error,
        };
        // What may have been made is removed; if the token is away, the next start does it: the intent stays open.
        let unmade =
            error.performed() != Some(Performed::Unknown) || self.enclave.discard(&version.to_string()).await.is_ok();
        if unmade {
            let draft = Draft::failed(grant, facts, &error).resource(version).after(intent);
            self.admission.audit().append(draft).await.map_err(|error| unavailable(&error))?;
        }
        Err(error)
    }

    async fn replayed(&self, grant: &Grant, facts: &Facts<'_>) -> Result<(), Error> {
        let draft = Draft::replayed(grant, facts);
        self.admission.audit().append(draft).await.map(|_| ()).map_err(|error| unavailable(&error))
    }
}

/// Keys are compared by their hashes, so what is registered must be in the one encoding that certificates are held to.
fn canonical(generated: Generated, algorithm: Algorithm) -> Result<Generated, Error> {
    let problem = match PublicKey::parse(&generated.public_key) {
        Ok(key) if key.algorithm() == algorithm => return Ok(generated),
        Ok(key) => format!("it is {}", key.algorithm()),
        Err(error) => error.to_string(),
    };
    Err(Error::Internal {
        reason: reasons::INTERNAL,
        message: format!("the token's public key is no {algorithm} key: {problem}"),
        performed: Performed::Unknown,
    })
}
