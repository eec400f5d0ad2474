//! Keys: made, looked up, listed, rotated.
//!
//! **Invariants**: a version exists once its outcome is recorded. A key pair whose intent has no such outcome is removed
//! from the token, at once or at the next start.
//!
//! **Not here**: using keys (`signing`), what a token offers (chancery-enclave).

mod changes;
mod pairs;

pub use changes::{Begun, Busy, Change, Changes};
pub use pairs::OpenIntent;

use crate::{
    access::{Grant, Peer, Target},
    admission::Admission,
    audit::{Draft, unavailable},
    directory::KeyEntry,
    enclave::{Enclave, Generated},
    error::Error,
    model::{
        Action, Algorithm, Check, Key, KeyName, KeyOrVersionName, KeyState, KeyVersion, KeyVersionName,
        OrganizationName, PrincipalName, Protection, Purpose, RequestId,
    },
    policy::Context,
    store::Row,
};
use pairs::Pairs;
use std::{collections::BTreeMap, sync::Arc};

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

/// See the module.
pub struct Keys {
    admission: Arc<Admission>,
    changes: Arc<Changes>,
    pairs: Pairs,
}

fn now() -> i64 {
    jiff::Timestamp::now().as_nanosecond().try_into().unwrap_or(i64::MAX)
}

impl Keys {
    /// Over the admitted, the token and the changes.
    pub fn new(admission: Arc<Admission>, enclave: Arc<Enclave>, changes: Arc<Changes>) -> Self {
        let pairs = Pairs::new(Arc::clone(&admission), enclave);
        Self { admission, changes, pairs }
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
                // What the caller may not see is left out; nothing was denied.
                if access.authorize(grant.caller(), Action::GetKey, target, Context::new()).is_ok() {
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
        let caller = self.admission.identify(&peer, Action::CreateKey).await?;
        let owner = new.owner.clone().unwrap_or_else(|| caller.principal().name.clone());
        let context = Context::new()
            .text("key", new.name.id())
            .text("owner", owner.to_string())
            .text("purpose", new.purpose.as_str())
            .text("algorithm", new.algorithm.as_str())
            .text("protection", new.protection.as_str());
        let target = Target::Organization(new.name.organization().clone());
        let action = Action::CreateKey;
        let grant = self.admission.authorize(&caller, action, target, context, &request).await?;
        if owner.organization() != new.name.organization() {
            return Err(Error::invalid("key.owner", "the owner must be a principal of the key's organization"));
        }
        let change = match self.changes.begin(&caller.principal().name, action.as_str(), &request).await? {
            Begun::New(change) => change,
            Begun::Answered(answer) => {
                self.replayed(Draft::replayed(&grant, &request).resource(&new.name.version(1))).await?;
                return first_answer(&answer);
            }
        };
        let made = self.create_granted(&grant, &new, owner, &request).await;
        self.finish(change, &grant, &request, made).await
    }

    async fn create_granted(
        &self,
        grant: &Grant,
        new: &NewKey,
        owner: PrincipalName,
        request: &RequestId,
    ) -> Result<Made, Error> {
        let busy = self.changes.hold(&new.name)?;
        if self.admission.access().directory().key(&new.name).is_some() {
            return Err(Error::AlreadyExists(new.name.to_string()));
        }
        self.pairs.require_offered(new.algorithm)?;
        let name = new.name.version(1);
        let draft = Draft::intent(grant, request).key(new.algorithm, new.protection);
        let (intent, generated) = self.pairs.make(grant, &name, new.algorithm, draft, request).await?;
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
            name: name.clone(),
            state: KeyState::Active,
            public_key: generated.public_key.clone(),
            create_time,
            certificate: None,
        };
        let rows = vec![Row::Key(key), Row::KeyVersion(version)];
        let entry = KeyEntry::changed(None, &rows).map_err(Error::internal)?;
        let (algorithm, protection) = (new.algorithm, new.protection);
        Ok(Made { intent, version: name, algorithm, protection, rows, entry, generated, busy })
    }

    /// Records what was made and puts it in force.
    async fn finish(
        &self,
        change: Change,
        grant: &Grant,
        request: &RequestId,
        made: Result<Made, Error>,
    ) -> Result<Arc<KeyEntry>, Error> {
        let made = match made {
            Ok(made) => made,
            Err(error) => {
                self.changes.abandon(change).await;
                return Err(error);
            }
        };
        let outcome = Draft::outcome(grant, request)
            .resource(&made.version)
            .key(made.algorithm, made.protection)
            .witness(&made.generated.witness)
            .states(&made.rows)
            .after(made.intent.index);
        let result = self.changes.finish(change, Some(outcome), made.rows, made.entry.to_answer()).await;
        if result.is_err() {
            self.pairs.leave_open(made.intent);
        }
        drop(made.busy);
        result.map(|()| Arc::new(made.entry))
    }

    /// Makes a new version of a key.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn rotate(&self, peer: Arc<Peer>, name: KeyName, request: RequestId) -> Result<Arc<KeyEntry>, Error> {
        let action = Action::RotateKey;
        let caller = self.admission.identify(&peer, action).await?;
        let target = Target::Key(KeyOrVersionName::Key(name.clone()));
        // Whether the caller's role may make keys here is a fact of the organization, which the key doesn't carry.
        let organization = self.admission.access().directory().organization(name.organization());
        let may_enrol = organization.is_some_and(|found| found.enrolling_roles.contains(&caller.principal().role));
        let context = Context::new().flag("mayEnrol", may_enrol);
        let grant = self.admission.authorize(&caller, action, target, context, &request).await?;
        grant.key()?;
        let change = match self.changes.begin(&caller.principal().name, action.as_str(), &request).await? {
            Begun::New(change) => change,
            Begun::Answered(answer) => {
                self.replayed(Draft::replayed(&grant, &request)).await?;
                return first_answer(&answer);
            }
        };
        let made = self.rotate_granted(&grant, &name, &request).await;
        self.finish(change, &grant, &request, made).await
    }

    async fn rotate_granted(&self, grant: &Grant, name: &KeyName, request: &RequestId) -> Result<Made, Error> {
        let busy = self.changes.hold(name)?;
        // Read while it is held: another rotation may just have ended.
        let entry = self.existing(name)?;
        let primary = entry.version(None).ok_or_else(|| Error::NotFound(name.to_string()))?;
        let algorithm = entry.key.algorithm;
        self.pairs.require_offered(algorithm)?;
        let version = name.version(entry.next_version());
        let draft = Draft::intent(grant, request);
        let (intent, generated) = self.pairs.make(grant, &version, algorithm, draft, request).await?;
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
        let protection = entry.key.protection;
        let entry = KeyEntry::changed(Some(&entry), &rows).map_err(Error::internal)?;
        Ok(Made { intent, version, algorithm, protection, rows, entry, generated, busy })
    }

    /// Settles what earlier processes left without an outcome. What can't be settled now stays open.
    pub async fn settle_all(&self, intents: Vec<OpenIntent>) {
        self.pairs.settle_all(intents).await;
    }

    fn existing(&self, name: &KeyName) -> Result<Arc<KeyEntry>, Error> {
        self.admission.access().directory().key(name).ok_or_else(|| Error::NotFound(name.to_string()))
    }

    async fn replayed(&self, draft: Draft) -> Result<(), Error> {
        self.admission.audit().append(draft).await.map(|_| ()).map_err(|error| unavailable(&error))
    }
}

/// A version whose key pair is made and which is not yet in force.
struct Made {
    intent: OpenIntent,
    version: KeyVersionName,
    algorithm: Algorithm,
    protection: Protection,
    rows: Vec<Row>,
    /// The key as it is afterwards.
    entry: KeyEntry,
    generated: Generated,
    busy: Busy,
}

/// The key as the request left it, whatever became of it since.
fn first_answer(answer: &[u8]) -> Result<Arc<KeyEntry>, Error> {
    KeyEntry::from_answer(answer).map(Arc::new).map_err(Error::internal)
}
