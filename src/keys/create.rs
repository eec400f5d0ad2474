//! Making a key with its first version.

use super::{Begun, Cause, Fresh, Keys, Made, NewObjects, first_answer, rotate::changed, terms};
use crate::{
    access::{Grant, Peer, Target, now},
    audit::Draft,
    directory::KeyEntry,
    error::Error,
    model::{
        Action, Algorithm, Check, Key, KeyName, KeyOrVersionName, KeyState, KeyVersion, LifecycleEvent, PrincipalName,
        Protection, Purpose, RequestId, Rotation,
    },
    policy::Context,
    store::Row,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

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
    /// When the service rotates it.
    pub rotation: Option<Rotation>,
    /// How long the last primary version is still used after a rotation.
    pub overlap: Option<Duration>,
    /// Next versions that are made ahead of time.
    pub pool_size: u32,
    /// When the first version becomes ACTIVE; by default at once. Nanoseconds since the Unix epoch.
    pub activate_time: Option<i64>,
    /// When the first version expires.
    pub expire_time: Option<i64>,
    /// It is made through PKCS#11.
    pub objects: Option<NewObjects>,
}

/// What is checked of signatures unless the request says otherwise.
pub(super) fn default_check(purpose: Purpose, protection: Protection) -> Check {
    match (purpose, protection) {
        (Purpose::Certify, _) => Check::Always,
        (_, Protection::Token) => Check::Sampled,
        (_, Protection::Enclave) => Check::Never,
    }
}

impl NewKey {
    /// Refuses a purpose that the algorithm is not for.
    pub(super) fn require_purpose(&self) -> Result<(), Error> {
        let purposes = self.algorithm.purposes();
        if purposes.contains(&self.purpose) {
            return Ok(());
        }
        let offered: Vec<_> = purposes.iter().map(|purpose| purpose.as_str()).collect();
        let problem = format!("{} keys are for {}, not for {}", self.algorithm, offered.join(", "), self.purpose);
        Err(Error::invalid("key.purpose", problem))
    }

    /// The key as it will be, made at `now`.
    pub(super) fn key(&self, owner: PrincipalName, now: i64) -> Key {
        Key {
            name: self.name.clone(),
            owner,
            purpose: self.purpose,
            algorithm: self.algorithm,
            protection: self.protection,
            check: self.check.unwrap_or_else(|| default_check(self.purpose, self.protection)),
            labels: self.labels.clone(),
            primary_version: 1,
            create_time: now,
            next_rotation: self.rotation.as_ref().and_then(|rotation| terms::next_rotation(rotation, now)),
            rotation: self.rotation.clone(),
            overlap: self.overlap,
            pool_size: self.pool_size,
        }
    }
}

impl Keys {
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
        let busy = self.changes.hold(&new.name).await?;
        if self.admission.access().directory().key(&new.name).is_some() {
            return Err(Error::AlreadyExists(new.name.to_string()));
        }
        let (algorithm, protection) = (new.algorithm, new.protection);
        new.require_purpose()?;
        self.require_terms(new)?;
        self.require_settable(grant, &owner, &BTreeMap::new(), &new.labels)?;
        let (objects, passing) = self.new_objects(new, &owner, now())?.unzip();
        let place = Some((self.place(grant, &owner).await?, passing.flatten()));
        let (material, wrapping) = self.material(&new.name, algorithm, new.purpose, protection).await?;
        let name = new.name.version(1);
        let cause = Cause::Request(grant, request);
        let draft = cause.intent().key(algorithm, protection);
        let (intent, generated) = self.pairs.generate(cause, &name, material, draft).await?;
        let material = Some(Fresh { intent, witness: Some(generated.witness), _wrapping: wrapping });
        let now = now();
        let version = KeyVersion {
            activate_time: new.activate_time,
            expire_time: new.expire_time,
            ..KeyVersion::new(name.clone(), KeyState::PreActive, generated.public_key, now)
        };
        let version = match new.activate_time {
            Some(_) => Ok(version),
            None => version.after(LifecycleEvent::Activate, now).map_err(Error::from),
        };
        let rows = version.map(|version| {
            let rows = [Row::Key(new.key(owner, now)), Row::KeyVersion(version)].into_iter();
            rows.chain(objects.map(Row::KeyObjects)).collect()
        });
        let created = rows.and_then(|rows| changed(None, rows));
        let (rows, after) = self.or_undone(material.as_ref(), created).await?;
        let resource = KeyOrVersionName::Version(name);
        Ok(Made {
            resource,
            algorithm,
            protection,
            rows,
            before: None,
            after,
            object: String::new(),
            material,
            place,
            busy,
        })
    }
}
