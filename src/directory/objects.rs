//! Keys and certificates as PKCS#11 clients see them.
//!
//! **Invariants**: what nobody set is implied by the version, so that a key of any origin has objects. Keys that do not
//! stay are counted by owner with every change: nothing is counted anew.
//!
//! **Not here**: who may see or change objects (the service's `objects`).

use super::{Content, Directory, KeyEntry, Version};
use crate::{
    crypto::sha256,
    model::{
        CertificateObject, Half, KeyName, KeyObjects, KeyStanding, KeyState, KeyVersionName, ObjectId, ObjectName,
        OrganizationName, PrincipalName, Stage,
    },
    store::Row,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Bound,
};

/// A private, public or secret object as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyObject {
    /// Its name.
    pub name: ObjectName,
    /// CKA_ID.
    pub id: Vec<u8>,
    /// CKA_LABEL.
    pub label: Vec<u8>,
    /// CKA_MODIFIABLE.
    pub modifiable: bool,
    /// Its id was set.
    pub id_is_set: bool,
}

/// What the directory knows beside the keys' own entries.
#[derive(Default)]
pub(super) struct ObjectIndex {
    certificates: BTreeMap<PrincipalName, BTreeMap<String, CertificateObject>>,
    /// Versions by the id that is implied of them.
    by_id: HashMap<(OrganizationName, [u8; 32]), KeyVersionName>,
    /// Keys that do not stay and are not destroyed yet, by owner.
    passing: HashMap<PrincipalName, BTreeSet<KeyName>>,
    /// Grows with every change that an organization's listings could show.
    revisions: HashMap<OrganizationName, u64>,
}

impl Version {
    /// SHA-256 of the public key's point or bits, which Fabric calls its subject key identifier; of a secret key, of the
    /// version's name.
    pub fn implied_id(&self) -> [u8; 32] {
        match &self.public_key {
            Some(key) => sha256(key.bits()),
            None => sha256(self.row.name.to_string().as_bytes()),
        }
    }
}

impl KeyEntry {
    /// How long the key stays. One that was rotated or certified is in use.
    pub fn standing(&self) -> KeyStanding {
        let Some(objects) = &self.objects else { return KeyStanding::Named };
        let is_certified = self.versions.values().any(|version| version.row.certificate.is_some());
        match objects.standing {
            _ if self.versions.len() > 1 => KeyStanding::Named,
            KeyStanding::Provisional if is_certified => KeyStanding::Named,
            standing => standing,
        }
    }

    /// Whether it was a session key that was made to stay.
    pub fn was_kept(&self) -> bool {
        let of_process = self.objects.as_ref().is_some_and(|objects| !objects.process.is_empty());
        of_process && self.standing() != KeyStanding::Session
    }

    /// What was set of the key, or of one of which nothing was.
    pub fn objects_row(&self) -> KeyObjects {
        match &self.objects {
            Some(objects) => KeyObjects { standing: self.standing(), ..KeyObjects::clone(objects) },
            None => KeyObjects::named(self.key.name.clone()),
        }
    }

    /// One object of a version.
    pub fn object(&self, version: &Version, object: ObjectId) -> Option<KeyObject> {
        let set = self.objects.as_ref().and_then(|objects| objects.set(version.row.name.number(), object));
        let is_implied = object.number == 1 && self.halves().contains(&object.half);
        if set.map_or(!is_implied, |set| set.dropped) {
            return None;
        }
        let id = set.and_then(|set| set.id.clone());
        let label = set.and_then(|set| set.label.clone());
        Some(KeyObject {
            name: ObjectName { version: version.row.name.clone(), object },
            id_is_set: id.is_some(),
            id: id.unwrap_or_else(|| version.implied_id().to_vec()),
            label: label.unwrap_or_else(|| self.key.name.id().into()),
            modifiable: set.is_none_or(|set| set.modifiable),
        })
    }

    /// A version's objects.
    pub fn objects_of(&self, version: &Version) -> Vec<KeyObject> {
        let firsts = self.halves().iter().map(|half| ObjectId::first(*half));
        let set = self.objects.iter().flat_map(|objects| &objects.objects);
        let copies = set.filter(|set| set.version == version.row.name.number() && set.object.number > 1);
        firsts.chain(copies.map(|set| set.object)).filter_map(|object| self.object(version, object)).collect()
    }

    /// What its versions show.
    pub fn halves(&self) -> &'static [Half] {
        if self.key.algorithm.is_secret() { &[Half::Secret] } else { &[Half::Private, Half::Public] }
    }

    /// Whether a version's halves bear one id that somebody gave them, and not one of Fabric's counters, which it replaces
    /// once it knows the public key.
    pub fn is_named(&self, version: &Version) -> bool {
        let objects = self.objects_of(version);
        let given = |half| {
            let of = objects.iter().filter(move |object| object.name.object.half == half && object.id_is_set);
            of.map(|object| &object.id).filter(|id| !id.is_empty() && !id.starts_with(b"BCP")).collect::<BTreeSet<_>>()
        };
        match self.halves() {
            [one] => !given(*one).is_empty(),
            [one, other, ..] => !given(*one).is_disjoint(&given(*other)),
            [] => false,
        }
    }

    /// Whether it does not stay, and its destruction is not scheduled yet.
    pub fn is_passing(&self) -> bool {
        let over =
            |version: &Version| matches!(version.row.state, KeyState::Destroyed) || Stage::of(&version.row).is_ending();
        self.standing() != KeyStanding::Named && !self.versions.values().all(|version| over(version))
    }
}

impl ObjectIndex {
    /// Counts a row that listings of its organization could show.
    pub(super) fn changed(&mut self, rows: &[Row]) {
        let organization = |row: &Row| match row {
            Row::Key(row) => Some(row.name.organization().clone()),
            Row::KeyVersion(row) => Some(row.name.key().organization().clone()),
            Row::KeyObjects(row) => Some(row.key.organization().clone()),
            Row::CertificateObject(row) => Some(row.principal.organization().clone()),
            Row::Organization(row) => Some(row.name.clone()),
            Row::Group(row) => Some(row.organization.clone()),
            Row::Policies(row) => Some(row.organization.clone()),
            _ => None,
        };
        let organizations: BTreeSet<_> = rows.iter().filter_map(organization).collect();
        for organization in organizations {
            *self.revisions.entry(organization).or_insert(0) += 1;
        }
    }

    pub(super) fn put_certificate(&mut self, row: CertificateObject) {
        if !row.is_dropped() {
            self.certificates.entry(row.principal.clone()).or_default().insert(row.certificate_id.clone(), row);
        } else if let Some(kept) = self.certificates.get_mut(&row.principal) {
            // What was dropped is in the log.
            kept.remove(&row.certificate_id);
        }
    }

    pub(super) fn put_version(&mut self, version: &Version) {
        let name = &version.row.name;
        self.by_id.insert((name.key().organization().clone(), version.implied_id()), name.clone());
    }

    pub(super) fn put_key(&mut self, entry: &KeyEntry) {
        let Some(objects) = &entry.objects else { return };
        let owner = &entry.key.owner;
        if entry.is_passing() {
            self.passing.entry(owner.clone()).or_default().insert(objects.key.clone());
        } else if let Some(keys) = self.passing.get_mut(owner) {
            keys.remove(&objects.key);
        }
    }
}

impl Content {
    pub(super) fn put_objects(&mut self, row: KeyObjects) {
        if let Some(entry) = self.keys.get(&row.key) {
            let entry = KeyEntry { objects: Some(row.into()), ..KeyEntry::clone(entry) };
            self.put_key(entry.key.name.clone(), entry.into());
        }
    }
}

impl Directory {
    /// The version of this organization that a 32-byte id is implied of.
    pub fn version_by_id(&self, organization: &OrganizationName, id: &[u8]) -> Option<KeyVersionName> {
        let id: [u8; 32] = id.try_into().ok()?;
        self.read().objects.by_id.get(&(organization.clone(), id)).cloned()
    }

    /// How many of an owner's keys do not stay: PROVISIONAL ones, and SESSION ones.
    pub fn passing_keys(&self, owner: &PrincipalName) -> (u64, u64) {
        let content = self.read();
        let entries = content.objects.passing.get(owner).into_iter().flatten().filter_map(|key| content.keys.get(key));
        entries.fold((0, 0), |(provisional, session), entry| match entry.standing() {
            KeyStanding::Named => (provisional, session),
            KeyStanding::Provisional => (provisional + 1, session),
            KeyStanding::Session => (provisional, session + 1),
        })
    }

    /// One of a principal's certificates, unless it was dropped.
    pub fn certificate_object(&self, principal: &PrincipalName, id: &str) -> Option<CertificateObject> {
        let content = self.read();
        let found = content.objects.certificates.get(principal)?.get(id)?;
        (!found.is_dropped()).then(|| found.clone())
    }

    /// Whether a principal has this certificate (DER).
    pub fn has_certificate_object(&self, principal: &PrincipalName, certificate: &[u8]) -> bool {
        let content = self.read();
        let mut all = content.objects.certificates.get(principal).into_iter().flat_map(|all| all.values());
        all.any(|kept| kept.certificate == certificate)
    }

    /// Up to `limit` certificates of a principal by id, those after `after`.
    pub fn certificate_objects(
        &self,
        principal: &PrincipalName,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<CertificateObject> {
        let content = self.read();
        let Some(all) = content.objects.certificates.get(principal) else { return Vec::new() };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let after = all.range::<str, _>((from, Bound::Unbounded)).map(|(_, certificate)| certificate);
        after.filter(|certificate| !certificate.is_dropped()).take(limit).cloned().collect()
    }

    /// A number that grows whenever a listing of the organization's objects could change.
    pub fn objects_revision(&self, organization: &OrganizationName) -> u64 {
        self.read().objects.revisions.get(organization).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Algorithm, Check, Key, KeyVersion, Protection, SetObject};

    fn key(algorithm: Algorithm) -> Key {
        let organization = OrganizationName::from_id("org1").unwrap();
        Key {
            name: organization.key("k").unwrap(),
            owner: organization.principal("peer0").unwrap(),
            purpose: algorithm.purposes()[0],
            algorithm,
            protection: Protection::Enclave,
            check: Check::Never,
            labels: BTreeMap::new(),
            primary_version: 1,
            create_time: 1,
            rotation: None,
            next_rotation: None,
            overlap: None,
            pool_size: 0,
        }
    }

    fn set(object: &str, id: Option<&[u8]>) -> SetObject {
        let (object, id) = (object.parse().unwrap(), id.map(<[u8]>::to_vec));
        SetObject { version: 1, object, id, label: None, modifiable: true, dropped: false }
    }

    fn rows(algorithm: Algorithm, standing: KeyStanding, objects: &[SetObject]) -> Vec<Row> {
        let key = key(algorithm);
        let public_key = if algorithm.is_secret() { Vec::new() } else { public_key() };
        let version = KeyVersion::new(key.name.version(1), KeyState::Active, public_key, 1);
        let named = KeyObjects { standing, ..KeyObjects::named(key.name.clone()) };
        let objects = objects.iter().cloned().fold(named, KeyObjects::with);
        vec![Row::Key(key), Row::KeyVersion(version), Row::KeyObjects(objects)]
    }

    /// SubjectPublicKeyInfo of P-256's generator.
    fn public_key() -> Vec<u8> {
        let point = concat!(
            "3059301306072a8648ce3d020106082a8648ce3d030107034200046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a1",
            "3945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
        );
        hex::decode(point).unwrap()
    }

    #[test]
    fn halves_that_bear_one_id_name_a_key() {
        let named = |objects: &[SetObject]| {
            let rows = rows(Algorithm::EcP256, KeyStanding::Provisional, objects);
            let entry = KeyEntry::changed(None, &rows).unwrap();
            entry.is_named(entry.version(None).unwrap())
        };
        assert!(!named(&[]), "what is implied was given by nobody");
        assert!(!named(&[set("private", Some(b"id"))]));
        assert!(!named(&[set("private", Some(b"id")), set("public", Some(b"other"))]));
        assert!(!named(&[set("private", Some(b"BCP1")), set("public", Some(b"BCP1"))]));
        assert!(!named(&[set("private", Some(b"")), set("public", Some(b""))]));
        assert!(named(&[set("private", Some(b"id")), set("public", Some(b"id"))]));
        assert!(named(&[set("private-2", Some(b"id")), set("public", Some(b"id"))]));
        let dropped = SetObject { dropped: true, ..set("private", Some(b"id")) };
        assert!(!named(&[dropped, set("public", Some(b"id"))]));
    }

    #[test]
    fn keys_that_do_not_stay_are_counted_until_they_go_or_stay() {
        let directory = Directory::new(String::new(), [], &HashMap::new()).unwrap();
        let owner = key(Algorithm::HmacSha256).owner;
        let apply = |standing| directory.apply(rows(Algorithm::HmacSha256, standing, &[])).unwrap();
        apply(KeyStanding::Provisional);
        assert_eq!(directory.passing_keys(&owner), (1, 0));
        apply(KeyStanding::Session);
        assert_eq!(directory.passing_keys(&owner), (0, 1));
        apply(KeyStanding::Named);
        assert_eq!(directory.passing_keys(&owner), (0, 0));
        apply(KeyStanding::Session);
        let name = key(Algorithm::HmacSha256).name.version(1);
        let ending = KeyVersion { destroy_time: Some(3), ..KeyVersion::new(name, KeyState::Deactivated, vec![], 1) };
        directory.apply(vec![Row::KeyVersion(ending)]).unwrap();
        assert_eq!(directory.passing_keys(&owner), (0, 0));
    }

    #[test]
    fn a_certificate_that_was_dropped_is_kept_no_more() {
        let directory = Directory::new(String::new(), [], &HashMap::new()).unwrap();
        let principal = key(Algorithm::HmacSha256).owner;
        let row = |certificate: &[u8]| CertificateObject {
            principal: principal.clone(),
            certificate_id: "c".into(),
            certificate: certificate.to_vec(),
            id: Vec::new(),
            label: Vec::new(),
            version: None,
        };
        directory.apply(vec![Row::CertificateObject(row(b"der"))]).unwrap();
        assert!(directory.has_certificate_object(&principal, b"der"));
        directory.apply(vec![Row::CertificateObject(row(b""))]).unwrap();
        assert!(directory.read().objects.certificates[&principal].is_empty());
    }

    #[test]
    fn a_version_is_found_by_the_id_that_is_implied_of_it() {
        let directory = Directory::new(String::new(), [], &HashMap::new()).unwrap();
        directory.apply(rows(Algorithm::EcP256, KeyStanding::Named, &[])).unwrap();
        let (key, id) = (key(Algorithm::EcP256), sha256(&public_key()[26..]));
        let organization = key.name.organization();
        assert_eq!(directory.version_by_id(organization, &id), Some(key.name.version(1)));
        assert_eq!(directory.version_by_id(organization, &id[1..]), None);
        let other = OrganizationName::from_id("org2").unwrap();
        assert_eq!(directory.version_by_id(&other, &id), None);
    }
}
