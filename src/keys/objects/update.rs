//! Ids and labels: `C_SetAttributeValue`.

use super::{Changed, Current, Facts, ObjectRequest, require_attribute, require_free_id};
use crate::{
    access::Peer,
    directory::KeyEntry,
    error::Error,
    keys::{Answered, Edited, Keys},
    model::{Action, KeyObjects, KeyStanding, ObjectName, RequestId, SetObject},
    store::Row,
};
use chancery_api::reasons;
use std::sync::Arc;

/// What is to be set; what is `None` stays, or is as in the original.
#[derive(Debug, Clone, Default)]
pub struct ObjectEdit {
    /// CKA_ID.
    pub id: Option<Vec<u8>>,
    /// CKA_LABEL.
    pub label: Option<Vec<u8>>,
    /// CKA_MODIFIABLE becomes false.
    pub unmodifiable: bool,
}

impl ObjectEdit {
    /// Refuses attributes that are too long, and an id that is another version's.
    pub(super) fn require(&self, keys: &Keys, current: &Current<'_>) -> Result<(), Error> {
        let own = &current.version.row.name;
        let (id, label) = (self.id.as_deref().unwrap_or_default(), self.label.as_deref().unwrap_or_default());
        require_attribute("id", id)?;
        require_attribute("label", label)?;
        require_free_id(keys.changes.directory(), own.key().organization(), Some(own), ("id", id))
    }

    /// Whether an object with these attributes is found by others than this one.
    fn renames(&self, current: &Current<'_>) -> bool {
        let object = &current.object;
        self.id.as_ref().is_some_and(|id| *id != object.id) || self.label.as_ref().is_some_and(|l| *l != object.label)
    }

    pub(super) fn facts(&self, current: &Current<'_>) -> Facts {
        Facts {
            standing: current.entry.standing(),
            ids: [current.version.implied_id().to_vec(), self.id.clone().unwrap_or_else(|| current.object.id.clone())],
            flag: self.renames(current),
        }
    }

    pub(super) fn apply(&self, set: SetObject) -> SetObject {
        SetObject {
            id: self.id.clone().or(set.id),
            label: self.label.clone().or(set.label),
            modifiable: set.modifiable && !self.unmodifiable,
            ..set
        }
    }
}

/// The key's objects once these are in force: a provisional key whose halves now bear one id has its name.
pub(super) fn settled(current: &Current<'_>, row: KeyObjects) -> Result<KeyObjects, Error> {
    let rows = [Row::KeyObjects(row.clone())];
    let after = KeyEntry::changed(Some(current.entry), &rows).map_err(Error::internal)?;
    if row.standing == KeyStanding::Provisional && after.is_named(current.version) {
        return Ok(KeyObjects { standing: KeyStanding::Named, collect_time: None, ..row });
    }
    Ok(row)
}

impl Keys {
    /// Sets attributes of an object.
    ///
    /// # Errors
    /// [`Error`]; `OBJECT_UNMODIFIABLE`.
    pub async fn update_object(
        &self,
        peer: Arc<Peer>,
        name: ObjectName,
        edit: ObjectEdit,
        request: RequestId,
    ) -> Result<Changed, Error> {
        let facts = |current: &Current<'_>| edit.facts(current);
        let asked = ObjectRequest { action: Action::UpdateObject, name, flag: "renames", facts, id: request };
        let update = |current: &Current<'_>, _: &_| {
            let object = current.object.name.object;
            if !edit.renames(current) && (!edit.unmodifiable || !current.object.modifiable) {
                return Ok(Answered { edited: Edited::from(Vec::new()), object: object.to_string() });
            }
            if !current.object.modifiable {
                return Err(Error::Precondition {
                    reason: reasons::OBJECT_UNMODIFIABLE,
                    message: format!("{} is CKA_MODIFIABLE false", current.object.name),
                });
            }
            edit.require(self, current)?;
            let before = current.entry.objects_row();
            let set = edit.apply(before.to_set(current.version.row.name.number(), object));
            let rows = vec![Row::KeyObjects(settled(current, before.with(set))?)];
            Ok(Answered { edited: rows.into(), object: object.to_string() })
        };
        self.alter_objects(&peer, asked, update).await
    }
}
