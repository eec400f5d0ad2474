//! Changing, copying and dropping objects.
//!
//! **Invariants**
//! * What would change nothing is answered without asking.
//! * Key material is destroyed by the service alone, which keeps the last object of a named key.

use super::{
    Object, Objects, Value,
    attributes::Table,
    entry::Entry,
    listing::Listing,
    template::{is_id, is_label},
};
use crate::{
    attribute::Template,
    module::{Module, Session},
    remote::Doing,
    rv::{Result, Rv},
};
use chancery_api::v1::{self, ObjectClass, Standing};
use chancery_client::request_id;
use cryptoki_sys::*;

/// What a template changes of an object; what is as it was is not among it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Change {
    id: Option<Vec<u8>>,
    label: Option<Vec<u8>>,
    /// Only false.
    modifiable: Option<bool>,
}

impl Change {
    /// Of an object, by a template without the attributes `besides`.
    fn of(entry: &Entry, template: &Template, besides: &[CK_ATTRIBUTE_TYPE]) -> Result<Self> {
        let mut change = Self::default();
        for attribute in template.0.iter().filter(|attribute| !besides.contains(&attribute.kind)) {
            let value = attribute.value.as_slice();
            if entry.table().has(attribute.kind, value) {
                continue;
            }
            match attribute.kind {
                CKA_ID if is_id(value) => change.id = Some(value.to_vec()),
                CKA_LABEL if is_label(value) => change.label = Some(value.to_vec()),
                CKA_MODIFIABLE if value == [0] => change.modifiable = Some(false),
                CKA_ID | CKA_LABEL => return Err(Rv(CKR_ATTRIBUTE_VALUE_INVALID)),
                kind if entry.table().value(kind) == Value::Absent => {
                    return Err(Rv(CKR_ATTRIBUTE_TYPE_INVALID));
                }
                _ => return Err(Rv(CKR_ATTRIBUTE_READ_ONLY)),
            }
        }
        Ok(change)
    }

    /// Its attributes, changed, as something that ends with a session.
    fn applied(&self, entry: &Entry) -> Table {
        let mut table = entry.table().clone();
        table.flags(&[(CKA_TOKEN, false)]);
        for (kind, value) in [(CKA_ID, &self.id), (CKA_LABEL, &self.label)] {
            if let Some(value) = value {
                table.bytes(kind, value.as_slice());
            }
        }
        if let Some(modifiable) = self.modifiable {
            table.flags(&[(CKA_MODIFIABLE, modifiable)]);
        }
        table
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Objects {
    /// C_SetAttributeValue: CKA_ID, CKA_LABEL, CKA_MODIFIABLE (to false).
    ///
    /// # Errors
    /// As PKCS#11 v3.0 §5.7.6.
    pub fn set(&self, module: &Module, session: &Session, handle: CK_OBJECT_HANDLE, template: &Template) -> Result<()> {
        let entry = self.entry(module, session, handle)?;
        let change = Change::of(&entry, template, &[])?;
        if change.is_empty() {
            return Ok(());
        }
        if !entry.table().has(CKA_MODIFIABLE, &[1]) {
            return Err(Rv(CKR_ACTION_PROHIBITED));
        }
        let slot = self.slot(session)?;
        let Some(object) = entry.service() else {
            slot.write().change_local(handle, change.applied(&entry));
            return Ok(());
        };
        let name = object.name.clone();
        let changed = match Kept::of(&name) {
            Kept::Bound => return Err(Rv(CKR_ACTION_PROHIBITED)),
            Kept::Certificate if change.modifiable.is_some() => return Err(Rv(CKR_ATTRIBUTE_READ_ONLY)),
            Kept::Certificate => {
                let (id, label) = (change.id, change.label);
                let request = v1::UpdateCertificateObjectRequest { name, id, label, request_id: request_id() };
                module.remote.call(move |client, attempt| {
                    let request = attempt.request(request.clone());
                    async move { client.objects().update_certificate_object(request).await }
                })
            }
            Kept::Key => {
                let Change { id, label, modifiable } = change;
                let request = v1::UpdateObjectRequest { name, id, label, modifiable, request_id: request_id() };
                module.remote.call(move |client, attempt| {
                    let request = attempt.request(request.clone());
                    async move { client.objects().update_object(request).await }
                })
            }
        };
        let changed = changed.map_err(|failure| failure.rv(Doing::Changing))?;
        slot.write().change(changed, entry.session);
        Ok(())
    }

    /// C_CopyObject: another object of the same version, certificate or secret. A copy is as lasting as its original, or more.
    ///
    /// # Errors
    /// As PKCS#11 v3.0 §5.7.2; `CKR_TEMPLATE_INCONSISTENT` for a copy that ends with the session of what does not,
    /// `CKR_ACTION_PROHIBITED` for a certificate's copy under the same id and label.
    pub fn copy(
        &self,
        module: &Module,
        session: &Session,
        handle: CK_OBJECT_HANDLE,
        template: &Template,
    ) -> Result<CK_OBJECT_HANDLE> {
        let entry = self.entry(module, session, handle)?;
        let change = Change::of(&entry, template, &[CKA_TOKEN])?;
        let token = template.boolean(CKA_TOKEN)?.unwrap_or(!entry.ends());
        match (&entry.object, token) {
            (Object::Key(key), _) if token || entry.ends() => {
                self.alias(module, session, &key.object.name, change, token && entry.ends())
            }
            (Object::Certificate(object), true) => {
                let changed = |change: Option<Vec<u8>>, kind| change.unwrap_or_else(|| entry.bytes(kind));
                let (id, label) = (changed(change.id, CKA_ID), changed(change.label, CKA_LABEL));
                if entry.service().is_some() && is_given(&self.slot(session)?.read(), object, &id, &label) {
                    return Err(Rv(CKR_ACTION_PROHIBITED));
                }
                self.give(module, session, object.certificate.clone(), id, label)
            }
            (Object::Key(_), _) | (Object::PublicKey(_) | Object::Secret(_), true) => {
                Err(Rv(CKR_TEMPLATE_INCONSISTENT))
            }
            (object, false) => self.keep(module, session, object.clone(), change.applied(&entry)),
        }
    }

    /// Another object of a key at the service, which is to stay from now on where `keep` says so.
    fn alias(
        &self,
        module: &Module,
        session: &Session,
        name: &str,
        change: Change,
        keep: bool,
    ) -> Result<CK_OBJECT_HANDLE> {
        let Change { id, label, modifiable } = change;
        let request =
            v1::CopyObjectRequest { name: name.to_owned(), id, label, modifiable, keep, request_id: request_id() };
        let copy = module.remote.call(move |client, attempt| {
            let request = attempt.request(request.clone());
            async move { client.objects().copy_object(request).await }
        });
        let copy = copy.map_err(|failure| failure.rv(Doing::Changing))?;
        let slot = self.slot(session)?;
        let mut listing = slot.write();
        listing.stand(&copy);
        let ends = copy.standing() == Standing::Session;
        // Under the lock, as `session_closed` ends what is listed.
        if ends && let Err(closed) = module.session(session.handle) {
            drop(listing);
            if copy.class() != ObjectClass::PublicKeyObject {
                let_go(module, slot.organization(), copy.name);
            }
            return Err(closed);
        }
        Ok(listing.change(copy, ends.then_some(session.handle)))
    }

    /// C_DestroyObject.
    ///
    /// # Errors
    /// As PKCS#11 v3.0 §5.7.3; `CKR_FUNCTION_REJECTED` for a named key's last object of its class.
    pub fn destroy(&self, module: &Module, session: &Session, handle: CK_OBJECT_HANDLE) -> Result<()> {
        let slot = self.slot(session)?;
        if slot.write().went_along(handle) {
            return Ok(());
        }
        let entry = self.entry(module, session, handle)?;
        let Some(object) = entry.service() else {
            slot.write().remove(handle);
            return Ok(());
        };
        let (name, request_id) = (object.name.clone(), request_id());
        let key_destroyed = match Kept::of(&name) {
            Kept::Bound => return Err(Rv(CKR_ACTION_PROHIBITED)),
            Kept::Certificate => {
                let request = v1::DeleteCertificateObjectRequest { name, request_id };
                let dropped = module.remote.call(move |client, attempt| {
                    let request = attempt.request(request.clone());
                    async move { client.objects().delete_certificate_object(request).await }
                });
                dropped.map(|_| false)
            }
            Kept::Key => {
                let request = v1::DeleteObjectRequest { name, request_id };
                let dropped = module.remote.call(move |client, attempt| {
                    let request = attempt.request(request.clone());
                    async move { client.objects().delete_object(request).await }
                });
                dropped.map(|dropped| dropped.key_destroyed)
            }
        };
        let key_destroyed = key_destroyed.map_err(|failure| failure.rv(Doing::Changing))?;
        let mut listing = slot.write();
        listing.remove(handle);
        if key_destroyed {
            listing.remove_version(&object.version);
        }
        Ok(())
    }

    /// A session was closed: what lived for its length is gone, session keys at the service are dropped in the background.
    pub fn session_closed(&self, module: &Module, session: &Session) {
        let Ok(slot) = self.slot(session) else { return };
        let mut listing = slot.write();
        let names = listing.end_session(session.handle);
        // Another slot of the organization may have some.
        let alone = module.config.slots.iter().filter(|it| it.organization == slot.organization()).count() == 1;
        if !names.is_empty() && alone && !listing.has_session_keys() {
            module.remote.drop_session_keys(slot.organization());
        }
        drop(listing);
        for name in names {
            let_go(module, slot.organization(), name);
        }
    }
}

/// Drops a session key's private or secret object in the background.
pub(super) fn let_go(module: &Module, organization: &str, name: String) {
    let request = v1::DeleteObjectRequest { name, request_id: request_id() };
    module.remote.call_later(organization, move |client, attempt| {
        let request = attempt.request(request.clone());
        async move { client.objects().delete_object(request).await }
    });
}

/// Whether the caller has given a certificate under this id and label: the service keeps each but once, so that a copy would
/// be the original, and go with it.
fn is_given(listing: &Listing, certificate: &v1::Object, id: &[u8], label: &[u8]) -> bool {
    let same =
        |object: &v1::Object| object.certificate == certificate.certificate && object.id == id && object.label == label;
    let mut objects = listing.entries().filter_map(|(_, entry)| entry.service());
    objects.any(|object| same(object) && matches!(Kept::of(&object.name), Kept::Certificate))
}

/// Where the service keeps an object, which its name says.
enum Kept {
    /// With a key version.
    Key,
    /// With the principal who gave it.
    Certificate,
    /// With a key version, as the certificate that is bound to it: nobody changes it through here.
    Bound,
}

impl Kept {
    fn of(name: &str) -> Self {
        match name.rsplit_once('/') {
            Some((_, "certificate")) => Self::Bound,
            Some((parent, _)) if parent.ends_with("/certificates") => Self::Certificate,
            _ => Self::Key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::listing::Listed;

    #[test]
    fn a_given_certificate_has_no_copy_that_would_be_itself() {
        let certificate = |name: &str| {
            let (id, label, certificate) = (b"x".to_vec(), b"y".to_vec(), vec![0x30, 0x00]);
            let mut object = v1::Object { name: name.to_owned(), id, label, certificate, ..v1::Object::default() };
            object.set_class(ObjectClass::CertificateObject);
            object
        };
        let is_given = |name: &str, id: &[u8]| {
            let mut listing = Listing::default();
            let begun = listing.begin();
            listing.finish(&begun, Listed::Objects(vec![certificate(name)], Vec::new()));
            is_given(&listing, &certificate(name), id, b"y")
        };
        assert!(is_given("organizations/org1/principals/p/certificates/1", b"x"));
        assert!(!is_given("organizations/org1/principals/p/certificates/1", b"z"));
        assert!(!is_given("organizations/org1/keys/k/versions/1/objects/certificate", b"x"), "that one is the key's");
    }
}
