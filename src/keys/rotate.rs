//! Rotation by request: a key gets its next version.

use super::{Begun, Cause, Fresh, Keys, Made, first_answer, succession};
use crate::{
    access::{Grant, Peer, Target, now},
    audit::Draft,
    directory::KeyEntry,
    error::Error,
    model::{Action, KeyName, KeyOrVersionName, KeyState, KeyVersion, RequestId},
    store::Row,
};
use std::sync::Arc;

impl Keys {
    /// Makes the next version of a key, or takes it from the key's pool.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn rotate(&self, peer: Arc<Peer>, name: KeyName, request: RequestId) -> Result<Arc<KeyEntry>, Error> {
        let action = Action::RotateKey;
        let caller = self.admission.identify(&peer, action).await?;
        let target = Target::Key(KeyOrVersionName::Key(name.clone()));
        let context = self.may_enrol(&caller, &name);
        let grant = self.admission.authorize(&caller, action, target, context, &request).await?;
        grant.version()?;
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
        let busy = self.changes.hold(name).await?;
        // Read while it is held: another rotation may just have ended.
        let before = self.existing(name)?;
        succession::require_rotatable(&before)?;
        let (algorithm, protection) = (before.key.algorithm, before.key.protection);
        let (next, material) = match succession::pooled(&before) {
            Some(pooled) => {
                self.admission.access().recheck(grant, None)?;
                (pooled.clone(), None)
            }
            None => {
                let (next, material) = self.make_next(Cause::Request(grant, request), &before).await?;
                (next, Some(material))
            }
        };
        let resource = KeyOrVersionName::Version(next.name.clone());
        let rotated = succession::rotate(&before, next, now()).and_then(|rows| changed(Some(&before), rows));
        let (rows, after) = self.or_undone(material.as_ref(), rotated).await?;
        Ok(Made {
            resource,
            algorithm,
            protection,
            rows,
            before: Some(before),
            after,
            object: String::new(),
            material,
            place: None,
            busy,
        })
    }

    /// Makes what a key's next version is to be, PRE_ACTIVE and not yet in force. The key is held.
    pub(super) async fn make_next(&self, cause: Cause<'_>, entry: &KeyEntry) -> Result<(KeyVersion, Fresh), Error> {
        let key = &entry.key;
        let (material, wrapping) = self.material(&key.name, key.algorithm, key.purpose, key.protection).await?;
        let version = key.name.version(entry.next_version());
        let (intent, generated) = self.pairs.generate(cause, &version, material, cause.intent()).await?;
        let row = KeyVersion::new(version, KeyState::PreActive, generated.public_key, now());
        Ok((row, Fresh { intent, witness: Some(generated.witness), _wrapping: wrapping }))
    }

    /// What comes of material that was made. If nothing does, it is removed, or else before the next try or at the next
    /// start.
    pub(super) async fn or_undone<T>(&self, fresh: Option<&Fresh>, result: Result<T, Error>) -> Result<T, Error> {
        if let (Err(_), Some(fresh)) = (&result, fresh) {
            self.pairs.settle_all(vec![fresh.intent.clone()]).await;
        }
        result
    }
}

/// The rows, and the key as it is with them.
pub(super) fn changed(before: Option<&KeyEntry>, rows: Vec<Row>) -> Result<(Vec<Row>, KeyEntry), Error> {
    let after = KeyEntry::changed(before, &rows).map_err(Error::internal)?;
    Ok((rows, after))
}
