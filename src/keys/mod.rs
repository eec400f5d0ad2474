//! Keys: made, looked up, listed, rotated.
//!
//! **Invariants**: a version exists once its outcome is recorded. A key pair whose intent has no such outcome is removed
//! from the token, at once or at the next start.
//!
//! **Not here**: using keys (`signing`), what a token offers (chancery-enclave).

mod changes;

pub use changes::{Begun, Busy, Change, Changes};

use crate::{
    access::{Grant, Peer, Target},
    admission::Admission,
    audit::{Draft, unavailable},
    certificates::PublicKey,
    crypto,
    directory::KeyEntry,
    enclave::{Enclave, Generated, offer},
    error::{Error, Performed},
    model::{
        Action, Algorithm, Check, Key, KeyName, KeyOrVersionName, KeyState, KeyVersion, KeyVersionName,
        OrganizationName, PrincipalName, Protection, Purpose, RequestId,
    },
    policy::Context,
    store::Row,
};
use chancery_api::reasons;
use chancery_audit::record::{Outcome, Record};
use std::{
    collections::BTreeMap,
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

/// An intent without an outcome: what it names may have been made, and is to be removed.
#[derive(Debug, Clone)]
pub struct OpenIntent {
    index: u64,
    version: String,
    request_id: String,
}

impl OpenIntent {
    /// Of an intent's record.
    pub fn new(record: &Record) -> Self {
        Self { index: record.index, version: record.resource.clone(), request_id: record.request_id.clone() }
    }
}

/// See the module.
pub struct Keys {
    admission: Arc<Admission>,
    enclave: Arc<Enclave>,
    changes: Arc<Changes>,
    /// Settled before the next version of that name is made, or at the next start.
    open: Mutex<Vec<OpenIntent>>,
}

fn now() -> i64 {
    jiff::Timestamp::now().as_nanosecond().try_into().unwrap_or(i64::MAX)
}

impl Keys {
    /// Over the admitted, the token and the changes.
    pub fn new(admission: Arc<Admission>, enclave: Arc<Enclave>, changes: Arc<Changes>) -> Self {
        Self { admission, enclave, changes, open: Mutex::default() }
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
        self.require_offered(new.algorithm)?;
        let name = new.name.version(1);
        let draft = Draft::intent(grant, request).key(new.algorithm, new.protection);
        let (intent, generated) = self.generate(grant, &name, new.algorithm, draft, request).await?;
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
            self.leave_open(made.intent);
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
        self.require_offered(algorithm)?;
        let version = name.version(entry.next_version());
        let draft = Draft::intent(grant, request);
        let (intent, generated) = self.generate(grant, &version, algorithm, draft, request).await?;
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
        for intent in intents {
            if let Err(error) = self.settle(&intent).await {
                tracing::warn!(version = intent.version, %error, "an open intent can't be settled yet");
                self.leave_open(intent);
            }
        }
    }

    /// Removes what an intent may have made, unless a later one made the version.
    async fn settle(&self, intent: &OpenIntent) -> Result<(), Error> {
        let version: KeyVersionName = intent.version.parse().map_err(Error::internal)?;
        let made = (self.admission.access().directory().key(version.key()))
            .is_some_and(|entry| entry.versions.contains_key(&version.number()));
        if !made {
            let removed = self.enclave.discard(&intent.version).await?;
            tracing::warn!(version = intent.version, removed, "an operation that was left half done was undone");
        }
        let draft = Draft::reconciled(intent.index, &intent.version, &intent.request_id, Outcome::NotPerformed);
        self.admission.audit().append(draft).await.map_err(|error| unavailable(&error))?;
        Ok(())
    }

    fn leave_open(&self, intent: OpenIntent) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).push(intent);
    }

    /// Settles open intents of a version before it is made.
    async fn settle_before(&self, version: &str) -> Result<(), Error> {
        let open = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            let (of_it, others) = open.drain(..).partition(|intent| intent.version == version);
            *open = others;
            let of_it: Vec<OpenIntent> = of_it;
            of_it
        };
        let mut result = Ok(());
        for intent in open {
            if let Err(error) = self.settle(&intent).await {
                self.leave_open(intent);
                result = Err(error);
            }
        }
        result
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

    /// Records the intent and makes the key pair, or records that it was not made.
    async fn generate(
        &self,
        grant: &Grant,
        version: &KeyVersionName,
        algorithm: Algorithm,
        intent: Draft,
        request: &RequestId,
    ) -> Result<(OpenIntent, Generated), Error> {
        let name = version.to_string();
        let audit = self.admission.audit();
        let recorded = audit.append(intent.resource(version)).await;
        let index = recorded.map_err(|error| unavailable(&error))?;
        let intent = OpenIntent { index, version: name.clone(), request_id: request.id.clone() };
        let made = match self.settle_before(&name).await {
            Ok(()) => self.enclave.generate(self.admission.access(), grant, &name, algorithm).await,
            Err(error) => Err(error),
        };
        let error = match made.and_then(|generated| canonical(generated, algorithm)) {
            Ok(generated) => return Ok((intent, generated)),
            Err(error) => error,
        };
        // What may have been made is removed. If the token is away, it is before the next try or at the next start.
        let unmade = error.performed() != Some(Performed::Unknown) || self.enclave.discard(&name).await.is_ok();
        let draft = Draft::failed(grant, request, &error).resource(version).after(index);
        if !unmade || audit.append(draft).await.is_err() {
            self.leave_open(intent);
        }
        Err(error)
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

/// Keys are compared by their hashes, so what is registered must be in the one encoding that certificates are held to.
fn canonical(generated: Generated, algorithm: Algorithm) -> Result<Generated, Error> {
    let problem = match PublicKey::parse(&generated.public_key) {
        Ok(key) if key.algorithm() != algorithm => format!("it is {}", key.algorithm()),
        Ok(_) => match crypto::PublicKey::parse(algorithm, &generated.public_key) {
            Ok(_) => return Ok(generated),
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    };
    Err(Error::Internal {
        reason: reasons::INTERNAL,
        message: format!("the token's public key is no {algorithm} key: {problem}"),
        performed: Performed::Unknown,
    })
}
