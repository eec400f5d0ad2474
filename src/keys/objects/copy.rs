//! Other objects of the same version: `C_CopyObject`.

use super::{Changed, Current, ObjectEdit, ObjectRequest, update::settled};
use crate::{
    access::{Peer, now},
    audit::DAYS,
    directory::KeyEntry,
    error::Error,
    keys::{Answered, Keys},
    model::{Action, KeyObjects, KeyOrVersionName, KeyStanding, ObjectId, ObjectName, RequestId, SetObject},
    store::Row,
};
use chancery_api::reasons;
use std::sync::Arc;

/// Objects of one version at most.
const OBJECTS_OF_A_VERSION: usize = 16;

impl Keys {
    /// Whether anybody used the key lately. A session key is not named by that until it is to stay.
    pub(in crate::keys) fn was_used(&self, entry: &KeyEntry) -> bool {
        let key = KeyOrVersionName::Key(entry.key.name.clone());
        !self.admission.audit().users(&key, DAYS).is_empty()
    }

    /// Makes another object of the same version. `keep`: a SESSION key is to stay.
    ///
    /// # Errors
    /// [`Error`]; `TOO_MANY_OBJECTS`.
    pub async fn copy_object(
        &self,
        peer: Arc<Peer>,
        name: ObjectName,
        edit: ObjectEdit,
        keep: bool,
        request: RequestId,
    ) -> Result<Changed, Error> {
        let facts = |current: &Current<'_>| edit.facts(current);
        let asked = ObjectRequest { action: Action::CopyObject, name, flag: "renames", facts, id: request };
        // Held until the key counts by itself.
        let mut place = None;
        let copy = |current: &Current<'_>, _: &_| {
            edit.require(self, current)?;
            let mut row = current.entry.objects_row();
            if current.entry.objects_of(current.version).len() >= OBJECTS_OF_A_VERSION {
                return Err(Error::Exhausted {
                    reason: reasons::TOO_MANY_OBJECTS,
                    message: format!(
                        "{} has {OBJECTS_OF_A_VERSION} objects, as many as it may; destroy copies that are not needed",
                        current.version.row.name
                    ),
                    retry_after: None,
                });
            }
            let number = row.last_copy.max(1).checked_add(1).ok_or_else(|| Error::internal("copies are used up"))?;
            let object = ObjectId { half: current.object.name.object.half, number };
            let original = SetObject {
                version: current.version.row.name.number(),
                object,
                id: Some(current.object.id.clone()),
                label: Some(current.object.label.clone()),
                modifiable: current.object.modifiable,
                dropped: false,
            };
            row = KeyObjects { last_copy: number, ..row.with(edit.apply(original)) };
            let owner = &current.entry.key.owner;
            if keep && row.standing == KeyStanding::Session {
                // The process stays, to tell its session's objects from those that are kept.
                row = match self.was_used(current.entry) {
                    true => KeyObjects { standing: KeyStanding::Named, ..row },
                    false => {
                        let (standing, collect_time) = (KeyStanding::Provisional, Some(self.collect_time(now())));
                        settled(current, KeyObjects { standing, collect_time, ..row })?
                    }
                };
                place = self.passing.take(owner, row.standing)?;
            } else if row.standing == KeyStanding::Provisional {
                row = settled(current, row)?;
            }
            Ok(Answered { edited: vec![Row::KeyObjects(row)].into(), object: object.to_string() })
        };
        self.alter_objects(&peer, asked, copy).await
    }
}
