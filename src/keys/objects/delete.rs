//! Dropping objects, and keys that do not stay along with their last one: `C_DestroyObject`.

use super::{Current, Facts, ObjectRequest};
use crate::{
    access::{Peer, now},
    error::Error,
    keys::{Answered, Keys},
    model::{Action, Half, KeyStanding, LifecycleEvent, ObjectName, RequestId, SetObject, Stage},
    store::Row,
};
use chancery_api::reasons;
use std::sync::Arc;

impl Current<'_> {
    /// Whether no other object of its class bears its id, and it was to stay. Objects of a session whose key was kept end
    /// with it as long as the key has another of their class.
    fn is_last_with_its_id(&self) -> bool {
        let name = &self.object.name;
        let of_session = name.object.number == 1 && self.entry.was_kept();
        let others = self.entry.objects_of(self.version);
        let mut of_class =
            others.iter().filter(|other| other.name != *name && other.name.object.half == name.object.half);
        !of_class.any(|other| of_session || other.id == self.object.id)
    }

    /// Whether nothing shows the private or secret key any more without it.
    fn is_last_of_the_key(&self) -> bool {
        let name = &self.object.name;
        let others = self.entry.objects_of(self.version);
        let private = |half| matches!(half, Half::Private | Half::Secret);
        private(name.object.half) && !others.iter().any(|other| other.name != *name && private(other.name.object.half))
    }
}

impl Keys {
    /// Drops an object; whether its key went along.
    ///
    /// # Errors
    /// [`Error`]; `LAST_OBJECT`.
    pub async fn delete_object(&self, peer: Arc<Peer>, name: ObjectName, request: RequestId) -> Result<bool, Error> {
        let facts = |current: &Current<'_>| Facts {
            standing: current.entry.standing(),
            ids: [current.version.implied_id().to_vec(), current.object.id.clone()],
            flag: current.is_last_with_its_id(),
        };
        let asked = ObjectRequest { action: Action::DeleteObject, name, flag: "last", facts, id: request };
        let delete = |current: &Current<'_>, _: &_| {
            let object = current.object.name.object;
            let row = current.entry.objects_row();
            let passing = row.standing != KeyStanding::Named;
            if !passing && current.is_last_with_its_id() {
                return Err(Error::Precondition {
                    reason: reasons::LAST_OBJECT,
                    message: format!(
                        "{} is the last {} object of a named key that bears its id, by which clients find it; a \
                         security officer can have the key destroyed (ScheduleKeyVersionDestruction)",
                        current.object.name, object.half
                    ),
                });
            }
            let number = current.version.row.name.number();
            let mut rows = Vec::new();
            if passing && current.is_last_of_the_key() {
                if !Stage::of(&current.version.row).is_ending() {
                    rows.push(Row::KeyVersion(current.version.row.after(LifecycleEvent::ScheduleDestruction, now())?));
                }
            } else if object.number == 1 {
                let set = row.to_set(number, object);
                rows.push(Row::KeyObjects(row.with(SetObject { dropped: true, ..set })));
            } else {
                let mut row = row;
                row.objects.retain(|set| (set.version, set.object) != (number, object));
                rows.push(Row::KeyObjects(row));
            }
            Ok(Answered { edited: rows.into(), object: object.to_string() })
        };
        let (entry, name) = self.alter_objects(&peer, asked, delete).await?;
        let version = entry.version(Some(name.version.number()));
        // A named key's version may be on its way out, too, but not because of this.
        Ok(entry.standing() != KeyStanding::Named
            && version.is_none_or(|version| version.row.destroy_time.is_some() || version.row.destroyed_time.is_some()))
    }
}
