//! Objects of a key that is being made.

use super::{PassingPlace, require_attribute, require_free_id};
use crate::{
    error::Error,
    keys::{Keys, NewKey},
    model::{Half, KeyObjects, KeyStanding, ObjectId, PrincipalName, Protection, SetObject},
};

/// What a request gives the objects of the key that it makes. An id or label that is `None` is implied.
#[derive(Debug, Clone, Default)]
pub struct NewObjects {
    /// Of the public object.
    pub public: [Option<Vec<u8>>; 2],
    /// Of the private or secret object.
    pub private: [Option<Vec<u8>>; 2],
    /// UUID of the process with whose session the key ends.
    pub process: Option<String>,
    /// CKA_MODIFIABLE false.
    pub unmodifiable: bool,
}

/// Where the attributes stand in the request.
const FIELDS: [[&str; 2]; 2] =
    [["objects.public_id", "objects.public_label"], ["objects.private_id", "objects.private_label"]];

impl NewObjects {
    /// Whether the halves bear one id that is no counter of Fabric's: the key has its name at once.
    fn standing(&self, is_secret: bool) -> KeyStanding {
        let given = |id: &Option<Vec<u8>>| id.as_ref().is_some_and(|id| !id.is_empty() && !id.starts_with(b"BCP"));
        match &self.process {
            Some(_) => KeyStanding::Session,
            None if given(&self.private[0]) && (is_secret || self.private[0] == self.public[0]) => KeyStanding::Named,
            None => KeyStanding::Provisional,
        }
    }

    fn row(&self, new: &NewKey, standing: KeyStanding, collect_time: i64) -> KeyObjects {
        let is_secret = new.algorithm.is_secret();
        let set = |half, [id, label]: &[Option<Vec<u8>>; 2]| SetObject {
            version: 1,
            object: ObjectId::first(half),
            id: id.clone(),
            label: label.clone(),
            modifiable: !self.unmodifiable,
            dropped: false,
        };
        let first = set(if is_secret { Half::Secret } else { Half::Private }, &self.private);
        let public = (!is_secret).then(|| set(Half::Public, &self.public));
        let named = KeyObjects {
            standing,
            process: self.process.clone().unwrap_or_default(),
            collect_time: (standing == KeyStanding::Provisional).then_some(collect_time),
            ..KeyObjects::named(new.name.clone())
        };
        public.into_iter().chain([first]).fold(named, KeyObjects::with)
    }
}

impl Keys {
    /// The row of a new key's objects, and its place among those that do not stay. `now` is when the key is made.
    pub(in crate::keys) fn new_objects(
        &self,
        new: &NewKey,
        owner: &PrincipalName,
        now: i64,
    ) -> Result<Option<(KeyObjects, Option<PassingPlace>)>, Error> {
        let Some(objects) = &new.objects else { return Ok(None) };
        if objects.process.is_some() && new.protection != Protection::Enclave {
            let problem = "session keys live in the enclave: ENCLAVE expected";
            return Err(Error::invalid("key.protection", problem));
        }
        let organization = new.name.organization();
        for (fields, [id, label]) in FIELDS.into_iter().zip([&objects.public, &objects.private]) {
            for (field, value) in fields.into_iter().zip([id, label]) {
                require_attribute(field, value.as_deref().unwrap_or_default())?;
            }
            require_free_id(
                self.changes.directory(),
                organization,
                None,
                (fields[0], id.as_deref().unwrap_or_default()),
            )?;
        }
        let standing = objects.standing(new.algorithm.is_secret());
        let place = self.passing.take(owner, standing)?;
        if let Some(process) = &objects.process {
            self.leases.renew(owner, process)?;
        }
        Ok(Some((objects.row(new, standing, self.collect_time(now)), place)))
    }

    /// When a key that becomes PROVISIONAL now is destroyed unless it is named or used.
    pub(super) fn collect_time(&self, now: i64) -> i64 {
        let wait = i64::try_from(self.pkcs11.provisional.as_nanos()).unwrap_or(i64::MAX);
        now.saturating_add(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(public: &[u8], private: &[u8]) -> NewObjects {
        let id = |id: &[u8]| [Some(id.to_vec()).filter(|id| !id.is_empty()), None];
        NewObjects { public: id(public), private: id(private), ..NewObjects::default() }
    }

    #[test]
    fn a_key_has_its_name_once_its_halves_bear_one_id() {
        for (public, private, is_secret, standing) in [
            (b"k".as_slice(), b"k".as_slice(), false, KeyStanding::Named),
            (b"k", b"l", false, KeyStanding::Provisional),
            (b"", b"k", false, KeyStanding::Provisional),
            (b"k", b"", false, KeyStanding::Provisional),
            (b"", b"", false, KeyStanding::Provisional),
            (b"BCPUB1", b"BCPRV1", false, KeyStanding::Provisional),
            (b"BCP1", b"BCP1", false, KeyStanding::Provisional),
            (b"", b"k", true, KeyStanding::Named),
            (b"", b"", true, KeyStanding::Provisional),
        ] {
            assert_eq!(objects(public, private).standing(is_secret), standing, "{public:?} {private:?}");
            let process = Some("3f1e".to_owned());
            let session = NewObjects { process, ..objects(public, private) };
            assert_eq!(session.standing(is_secret), KeyStanding::Session);
        }
    }
}
