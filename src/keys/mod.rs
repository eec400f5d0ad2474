//! Keys: made, looked up, listed, rotated, and led through their life.
//!
//! **Invariants**: a version exists once its outcome is recorded. A key pair whose intent has no such outcome is removed
//! from the token, at once or at the next start. A state changes only as [`crate::model::LIFECYCLE`] says, and a version
//! that may not be used any more is closed in the enclave before the caller is answered.
//!
//! **Not here**: using keys (`signing`), what a token offers (chancery-enclave).

mod cause;
mod clock;
mod confirm;
mod create;
mod destruction;
mod filter;
mod import;
mod keks;
mod labels;
mod list;
mod objects;
mod orphans;
mod pairs;
mod rewrap;
mod rotate;
mod schedule;
mod succession;
mod terms;
mod tombstones;
mod transitions;
mod update;
mod usage;

pub use clock::{Clock, ClockGuard, Evidence, EvidenceFile, SystemClock};
pub use confirm::Confirmed;
pub use create::NewKey;
pub use filter::{Filter, FilterError};
pub use import::Sealed;
pub use keks::{Generation, Rewrapped};
pub use list::{Listing, Page};
pub use objects::{Changed, NewObjects, ObjectEdit, require_attribute, require_free_id};
pub use pairs::OpenIntent;
pub use schedule::{Schedule, next_rotation};
pub use transitions::Destruction;
pub use update::{Dates, KeyUpdate};
pub use usage::KeyUsage;

use crate::{
    access::{Caller, Grant, Peer, Target},
    admission::Admission,
    approvals::Approvals,
    audit::{Draft, unavailable},
    changes::{Begun, Busy, Change, Changes},
    config::{KeyOptions, Pkcs11Options},
    directory::{KeyEntry, Version},
    enclave::{Enclave, Material, Witness},
    error::Error,
    limits::KeyPlace,
    model::{
        Action, Algorithm, Key, KeyName, KeyOrVersionName, KeyVersion, LifecycleError, PrincipalName, Protection,
        Purpose, RequestId, Stage,
    },
    policy::Context,
    store::{Row, Store},
};
use cause::Cause;
use chancery_api::reasons;
use destruction::Destructions;
use keks::Keks;
use objects::{Leases, PassingPlace, PassingPlaces};
use pairs::Pairs;
use std::sync::Arc;

/// See the module.
pub struct Keys {
    admission: Arc<Admission>,
    changes: Arc<Changes>,
    approvals: Arc<Approvals>,
    pairs: Pairs,
    keks: Keks,
    destructions: Destructions,
    store: Arc<dyn Store>,
    options: KeyOptions,
    pkcs11: Pkcs11Options,
    passing: PassingPlaces,
    leases: Leases,
    /// One import at a time: whether a key is here already is only known once those before it are in force.
    importing: tokio::sync::Mutex<()>,
}

/// What a request leaves of a key, not yet in force.
struct Made {
    /// What the record is of: the key, or the one version that changed.
    resource: KeyOrVersionName,
    algorithm: Algorithm,
    protection: Protection,
    rows: Vec<Row>,
    /// The key as it was; `None`: it is new.
    before: Option<Arc<KeyEntry>>,
    /// The key as it is afterwards.
    after: KeyEntry,
    /// Which of its objects the answer is about, if one.
    object: String,
    /// Where key material was made.
    material: Option<Fresh>,
    /// Of a new key: it is one of those that its organization may have.
    place: Option<(KeyPlace, Option<PassingPlace>)>,
    busy: Busy,
}

/// What an edit of a key's objects leaves, and which object is the answer.
struct Answered {
    edited: Edited,
    object: String,
}

/// Key material that was made for a version that is not registered yet.
struct Fresh {
    intent: OpenIntent,
    /// That it was made, until its record says so.
    witness: Option<Witness>,
    /// What it is wrapped under stays until the version is registered: a rewrap leaves out what is not.
    _wrapping: Option<Generation>,
}

/// A request for one change of one key.
struct Asked {
    action: Action,
    target: KeyOrVersionName,
    context: Context,
    request: RequestId,
}

/// What an edit leaves of a key.
struct Edited {
    rows: Vec<Row>,
    /// What a second officer is asked, where the edit is dangerous.
    dangerous: Option<String>,
}

impl From<Vec<Row>> for Edited {
    fn from(rows: Vec<Row>) -> Self {
        Self { rows, dangerous: None }
    }
}

impl Keys {
    /// Over the admitted, the token, the changes and what takes two officers.
    pub fn new(
        admission: Arc<Admission>,
        enclave: Arc<Enclave>,
        changes: Arc<Changes>,
        approvals: Arc<Approvals>,
        store: Arc<dyn Store>,
        (options, pkcs11): (KeyOptions, Pkcs11Options),
    ) -> Self {
        let keks = Keks::new(Arc::clone(&enclave), Arc::clone(&changes), Arc::clone(&store));
        let audit = Arc::clone(admission.audit());
        let destructions = Destructions::new(Arc::clone(&enclave), audit, Arc::clone(&changes));
        let pairs = Pairs::new(Arc::clone(&admission), enclave);
        let importing = tokio::sync::Mutex::default();
        let passing = PassingPlaces::new(Arc::clone(changes.directory()), &pkcs11);
        let leases = Leases::new(pkcs11.session_lease);
        Self {
            admission,
            changes,
            approvals,
            pairs,
            keks,
            destructions,
            store,
            options,
            pkcs11,
            passing,
            leases,
            importing,
        }
    }

    /// The deployment's id.
    pub fn deployment(&self) -> &str {
        self.admission.access().directory().deployment()
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

    /// What could still bring a DESTROYED version's key back, for people.
    pub fn revivable_by(&self, key: &Key, version: &KeyVersion) -> Vec<String> {
        tombstones::revivable_by(self.admission.access().directory(), key, version)
    }

    /// Settles what earlier processes left without an outcome. What can't be settled now stays open.
    pub async fn settle_all(&self, intents: Vec<OpenIntent>) {
        let (destructions, others) = intents.into_iter().partition(|intent| intent.destroys);
        self.pairs.settle_all(others).await;
        self.destructions.resume(destructions).await;
        orphans::remove(self.changes.directory(), &*self.store).await;
    }

    /// One change that needs no token: `edit` is given the key while nobody else changes it, and says its rows.
    async fn alter<E: Into<Edited>>(
        &self,
        peer: &Arc<Peer>,
        asked: Asked,
        edit: impl FnOnce(&KeyEntry, &Grant) -> Result<E, Error> + Send,
    ) -> Result<Arc<KeyEntry>, Error> {
        let caller = self.admission.identify(peer, asked.action).await?;
        let edit = |entry: &KeyEntry, grant: &Grant| {
            edit(entry, grant).map(|edited| Answered { edited: edited.into(), object: String::new() })
        };
        self.alter_answered(caller, asked, edit).await.map(|(entry, _)| entry)
    }

    /// The same for a caller who is identified; with the object that was asked for.
    async fn alter_answered(
        &self,
        caller: Caller,
        asked: Asked,
        edit: impl FnOnce(&KeyEntry, &Grant) -> Result<Answered, Error> + Send,
    ) -> Result<(Arc<KeyEntry>, String), Error> {
        let Asked { action, target, context, request } = asked;
        let grant = self.admission.authorize(&caller, action, Target::Key(target.clone()), context, &request).await?;
        grant.version()?;
        let change = match self.changes.begin(&caller.principal().name, action.as_str(), &request).await? {
            Begun::New(change) => change,
            Begun::Answered(answer) => {
                self.replayed(Draft::replayed(&grant, &request)).await?;
                let (entry, object) = KeyEntry::from_answer_of(&answer).map_err(Error::internal)?;
                return Ok((Arc::new(entry), object));
            }
        };
        let mut answered = String::new();
        let altered = async {
            let busy = match action {
                // Clients send these for both halves of a key at once.
                Action::UpdateObject | Action::CopyObject | Action::DeleteObject => {
                    self.changes.hold_in_turn(target.key()).await?
                }
                _ => self.changes.hold(target.key()).await?,
            };
            // Read while it is held, and decided once more: another change may just have ended.
            self.admission.access().recheck(&grant, None)?;
            let before = self.existing(target.key())?;
            let Answered { edited: Edited { mut rows, dangerous }, object } = edit(&before, &grant)?;
            answered.clone_from(&object);
            let after = KeyEntry::changed(Some(&before), &rows).map_err(Error::internal)?;
            if let Some(summary) = dangerous {
                rows.extend(self.approvals.require(&grant, &request, summary).await?);
            }
            let (algorithm, protection) = (before.key.algorithm, before.key.protection);
            let before = Some(before);
            Ok(Made {
                resource: target,
                algorithm,
                protection,
                rows,
                before,
                after,
                object,
                material: None,
                place: None,
                busy,
            })
        };
        let made = altered.await;
        let entry = self.finish(change, &grant, &request, made).await?;
        Ok((entry, answered))
    }

    /// Records what a request leaves and puts it in force.
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
        let mut outcome = Draft::outcome(grant, request)
            .resource(&made.resource)
            .key(made.algorithm, made.protection)
            .states(&made.rows);
        let mut material = made.material;
        if let Some(fresh) = &mut material {
            outcome = outcome.witness(fresh.witness.take()).after(fresh.intent.index);
        }
        let result = self.changes.finish(change, Some(outcome), made.rows, made.after.to_answer_of(&made.object)).await;
        if let (Err(_), Some(fresh)) = (&result, material) {
            self.pairs.leave_open(fresh.intent);
        }
        result?;
        if let Some(before) = &made.before {
            self.close_unusable(before, &made.after).await;
        }
        drop((made.place, made.busy));
        Ok(Arc::new(made.after))
    }

    /// Wipes the ENCLAVE versions that were usable and no longer are from the enclave's memory.
    async fn close_unusable(&self, before: &KeyEntry, after: &KeyEntry) {
        if after.key.protection != Protection::Enclave {
            return;
        }
        for (number, version) in &before.versions {
            // A PRE_ACTIVE one may have signed its certificate signing request.
            let usable = |version: &Version| matches!(Stage::of(&version.row), Stage::PreActive | Stage::Active);
            if !usable(version) || after.version(Some(*number)).is_some_and(|version| usable(version)) {
                continue;
            }
            if let Err(error) = self.pairs.enclave().close(&version.row.name.to_string()).await {
                // An enclave that is down has nothing open.
                tracing::warn!(version = %version.row.name, %error, "a version's key was not closed in the enclave");
            }
        }
    }

    /// What to make, if the token or the enclave offers it, and the hold on what it is wrapped under until it is registered.
    async fn material(
        &self,
        name: &KeyName,
        algorithm: Algorithm,
        purpose: Purpose,
        protection: Protection,
    ) -> Result<(Material, Option<Generation>), Error> {
        self.pairs.require_offered(algorithm, protection)?;
        let generation = match protection {
            Protection::Token => None,
            Protection::Enclave => Some(self.keks.generation(name.organization()).await?),
        };
        let kek_generation = generation.as_ref().map_or(0, Generation::number);
        Ok((Material { algorithm, purpose, protection, kek_generation }, generation))
    }

    /// A place for a new key of `owner`, as long as its organization and its owner may have one more.
    async fn place(&self, grant: &Grant, owner: &PrincipalName) -> Result<KeyPlace, Error> {
        let caller = grant.caller();
        match self.admission.limits().key_place(owner, caller.principal().name == *owner) {
            Ok(place) => Ok(place),
            Err(error) => Err(self.admission.rejected(caller, error).await),
        }
    }

    fn existing(&self, name: &KeyName) -> Result<Arc<KeyEntry>, Error> {
        self.admission.access().directory().key(name).ok_or_else(|| Error::NotFound(name.to_string()))
    }

    async fn replayed(&self, draft: Draft) -> Result<(), Error> {
        self.admission.audit().append(draft).await.map(|_| ()).map_err(|error| unavailable(&error))
    }

    /// Whether the caller's role may make keys in its organization: a fact of the organization, which no key carries.
    fn may_enrol(&self, caller: &Caller, key: &KeyName) -> Context {
        let organization = self.admission.access().directory().organization(key.organization());
        let may = organization.is_some_and(|found| found.enrolling_roles.contains(&caller.principal().role));
        Context::new().flag("mayEnrol", may)
    }
}

/// The key as the request left it, whatever became of it since.
fn first_answer(answer: &[u8]) -> Result<Arc<KeyEntry>, Error> {
    KeyEntry::from_answer(answer).map(Arc::new).map_err(Error::internal)
}

fn wrong_state(message: String) -> Error {
    Error::Precondition { reason: reasons::WRONG_STATE, message }
}

impl From<LifecycleError> for Error {
    fn from(refused: LifecycleError) -> Self {
        wrong_state(refused.to_string())
    }
}
