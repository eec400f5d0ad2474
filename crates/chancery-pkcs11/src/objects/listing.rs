//! What one slot shows: its objects by handle, id and label.
//!
//! **Invariants**
//! * A name of the service keeps its handle for as long as the process lives, also while it is not listed.
//! * What was changed through here after a listing had begun is not undone by that listing.
//! * Session keys are shown by the process that made them only.
//!
//! **Not here**: asking the service (`refresh`).

use super::{
    Object,
    attributes::Table,
    entry::{Entry, new_handle},
};
use crate::{
    module::config::Sm2Profile,
    rv::{Result, Rv},
};
use chancery_api::v1::{self, KeyState, Standing};
use cryptoki_sys::*;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

/// Objects by class and the value of one attribute.
type Index = HashMap<(CK_OBJECT_CLASS, Vec<u8>), BTreeSet<CK_OBJECT_HANDLE>>;

/// The attributes that clients find objects by.
const INDEXED: [CK_ATTRIBUTE_TYPE; 2] = [CKA_ID, CKA_LABEL];

/// Most objects that live here, on one slot.
const MAXIMUM_LOCAL: usize = 4096;
/// Most objects that may be destroyed once more.
const MAXIMUM_GONE: usize = 4096;

/// See the module.
#[derive(Default)]
pub(super) struct Listing {
    profile: Sm2Profile,
    entries: BTreeMap<CK_OBJECT_HANDLE, Arc<Entry>>,
    names: HashMap<String, CK_OBJECT_HANDLE>,
    indexes: [Index; 2],
    /// Names that were changed through here while a listing is under way.
    changed: Option<HashSet<String>>,
    /// Objects whose key went along with its private object: they are gone, and may be destroyed once more. The latest of
    /// them: not all clients do.
    gone_along: BTreeSet<CK_OBJECT_HANDLE>,
    /// What ends with which session.
    ending: BTreeSet<(CK_SESSION_HANDLE, CK_OBJECT_HANDLE)>,
    /// How many live here.
    locals: usize,
    /// Of the last whole listing.
    revision: Vec<u8>,
    /// When the last listing began that came back.
    asked: Option<Instant>,
}

/// A listing that is under way.
pub(super) struct Begun {
    at: Instant,
    /// What the service may answer "unchanged" to.
    pub(super) revision: Vec<u8>,
}

/// What came of it.
pub(super) enum Listed {
    /// Nothing has changed.
    Unchanged,
    /// All objects there are, and how the service calls this state.
    Objects(Vec<v1::Object>, Vec<u8>),
}

impl Listing {
    /// The same handles, and nothing known of what is behind them.
    pub(super) fn forgotten(&mut self) -> Self {
        Self { names: std::mem::take(&mut self.names), ..Self::default() }
    }

    /// With a profile's numbers.
    pub(super) fn of(self, profile: Sm2Profile) -> Self {
        Self { profile, ..self }
    }

    /// What stands behind a handle.
    pub(super) fn entry(&self, handle: CK_OBJECT_HANDLE) -> Option<&Arc<Entry>> {
        self.entries.get(&handle)
    }

    /// All that is shown, by handle.
    pub(super) fn entries(&self) -> impl Iterator<Item = (CK_OBJECT_HANDLE, &Arc<Entry>)> {
        self.entries.iter().map(|(handle, entry)| (*handle, entry))
    }

    /// Handles of the objects of a class with this CKA_ID or CKA_LABEL; `None` where `kind` is not indexed.
    pub(super) fn indexed(
        &self,
        kind: CK_ATTRIBUTE_TYPE,
        class: CK_OBJECT_CLASS,
        value: &[u8],
    ) -> Option<BTreeSet<CK_OBJECT_HANDLE>> {
        let index = INDEXED.iter().position(|indexed| *indexed == kind)?;
        Some(self.indexes[index].get(&(class, value.to_vec())).cloned().unwrap_or_default())
    }

    /// When it was last asked for.
    pub(super) fn asked(&self) -> Option<Instant> {
        self.asked
    }

    /// Shows one that lives here, until the session ends.
    ///
    /// # Errors
    /// `CKR_HOST_MEMORY` where there are too many.
    pub(super) fn add_local(
        &mut self,
        object: Object,
        session: CK_SESSION_HANDLE,
        mut table: Table,
    ) -> Result<CK_OBJECT_HANDLE> {
        if self.locals == MAXIMUM_LOCAL {
            return Err(Rv(CKR_HOST_MEMORY));
        }
        let handle = new_handle();
        table.bytes(CKA_UNIQUE_ID, format!("session/{handle}"));
        self.put(handle, Entry::local(object, session, table));
        Ok(handle)
    }

    /// Shows other attributes of one that lives here.
    pub(super) fn change_local(&mut self, handle: CK_OBJECT_HANDLE, table: Table) {
        if let Some((object, session)) = self.entry(handle).and_then(|it| Some((it.object.clone(), it.session?))) {
            self.put(handle, Entry::local(object, session, table));
        }
    }

    /// Shows what the service answered to a change, or to the making of an object. Of a new one, `session` is that with
    /// which it ends.
    pub(super) fn change(&mut self, object: v1::Object, session: Option<CK_SESSION_HANDLE>) -> CK_OBJECT_HANDLE {
        self.note(&object.name);
        self.show(object, session)
    }

    /// Shows it no more: it was dropped, or is no use to this process.
    pub(super) fn remove(&mut self, handle: CK_OBJECT_HANDLE) -> Option<Arc<Entry>> {
        let entry = self.take(handle)?;
        if let Some(object) = entry.service() {
            self.note(&object.name);
            self.names.remove(&object.name);
        }
        Some(entry)
    }

    /// All objects of a copy's version stand as it does now: the key is to stay.
    pub(super) fn stand(&mut self, copy: &v1::Object) {
        for entry in self.of_version(&copy.version) {
            if let Some(object) = entry.service() {
                self.change(v1::Object { standing: copy.standing, ..object.clone() }, entry.session);
            }
        }
    }

    /// Shows nothing of a version any more: its key went along with the last private object.
    pub(super) fn remove_version(&mut self, version: &str) {
        for entry in self.of_version(version) {
            let handle = entry.service().and_then(|object| self.names.get(&object.name).copied());
            if let Some(handle) = handle {
                self.remove(handle);
                self.gone_along.insert(handle);
                if self.gone_along.len() > MAXIMUM_GONE {
                    self.gone_along.pop_first();
                }
            }
        }
    }

    /// Whether a handle's key went along with its private object; it may be destroyed once more, which is this.
    pub(super) fn went_along(&mut self, handle: CK_OBJECT_HANDLE) -> bool {
        self.gone_along.remove(&handle)
    }

    /// Shows nothing more that ends with a session; private and secret objects that the service is to drop, by name.
    pub(super) fn end_session(&mut self, session: CK_SESSION_HANDLE) -> Vec<String> {
        let ending = self.ending.range((session, 0)..=(session, CK_OBJECT_HANDLE::MAX));
        let ending = ending.filter_map(|(_, handle)| Some((*handle, Arc::clone(self.entry(*handle)?))));
        let ending: Vec<_> = ending.collect();
        let mut names = Vec::new();
        for (handle, entry) in ending {
            match entry.service() {
                // The public half of a key that stays: it has no other.
                Some(object) if entry.class() == CKO_PUBLIC_KEY && object.standing() != Standing::Session => {
                    self.change(object.clone(), None);
                }
                Some(object) => {
                    if entry.class() != CKO_PUBLIC_KEY {
                        names.push(object.name.clone());
                    }
                    self.remove(handle);
                }
                None => {
                    self.remove(handle);
                }
            }
        }
        names
    }

    /// Whether the service holds keys that end with a session of this process.
    pub(super) fn has_session_keys(&self) -> bool {
        let mut ending = self.ending.iter().filter_map(|(_, handle)| self.entry(*handle));
        ending.any(|entry| entry.service().is_some_and(|object| object.standing() == Standing::Session))
    }

    fn of_version(&self, version: &str) -> Vec<Arc<Entry>> {
        let of = |entry: &&Arc<Entry>| entry.service().is_some_and(|object| object.version == version);
        if version.is_empty() { Vec::new() } else { self.entries.values().filter(of).cloned().collect() }
    }

    /// From now on, changes are newer than the listing that is about to be asked for. One is under way at a time.
    pub(super) fn begin(&mut self) -> Begun {
        self.changed = Some(HashSet::new());
        Begun { at: Instant::now(), revision: self.revision.clone() }
    }

    /// The listing that is under way came to nothing.
    pub(super) fn give_up(&mut self) {
        self.changed = None;
    }

    /// Takes in a listing.
    pub(super) fn finish(&mut self, begun: &Begun, listed: Listed) {
        self.asked = Some(begun.at);
        if let Listed::Objects(objects, revision) = listed {
            self.revision = revision;
            let mut gone: HashSet<_> = (self.entries.values())
                .filter_map(|entry| entry.service().map(|object| object.name.clone()))
                .filter(|name| !self.newer(name))
                .collect();
            for object in objects {
                if !self.newer(&object.name) && self.is_shown(&object) {
                    gone.remove(&object.name);
                    let session = self.named(&object.name).and_then(|entry| entry.session);
                    self.show(object, session);
                }
            }
            for name in gone {
                if let Some(handle) = self.names.get(&name).copied() {
                    self.take(handle);
                }
            }
        }
        self.changed = None;
    }

    /// Whether a name was changed after the listing under way had begun.
    fn newer(&self, name: &str) -> bool {
        self.changed.as_ref().is_some_and(|changed| changed.contains(name))
    }

    /// Whether it is shown: not another process's session key, nor a key that did not stay and is about to be destroyed.
    fn is_shown(&self, object: &v1::Object) -> bool {
        match object.standing() {
            Standing::Unspecified | Standing::Named => true,
            Standing::Provisional => object.state() == KeyState::Active,
            Standing::Session => object.state() == KeyState::Active && self.names.contains_key(&object.name),
        }
    }

    fn named(&self, name: &str) -> Option<&Arc<Entry>> {
        self.entries.get(self.names.get(name)?)
    }

    fn note(&mut self, name: &str) {
        if let Some(changed) = &mut self.changed {
            changed.insert(name.to_owned());
        }
    }

    fn show(&mut self, object: v1::Object, session: Option<CK_SESSION_HANDLE>) -> CK_OBJECT_HANDLE {
        let handle = *self.names.entry(object.name.clone()).or_insert_with(new_handle);
        let same = |entry: &Arc<Entry>| entry.service() == Some(&object) && entry.session == session;
        if !self.entries.get(&handle).is_some_and(same) {
            self.put(handle, Entry::served(object, session, self.profile));
        }
        handle
    }

    fn put(&mut self, handle: CK_OBJECT_HANDLE, entry: Entry) {
        self.take(handle);
        for (index, kind) in self.indexes.iter_mut().zip(INDEXED) {
            index.entry((entry.class(), entry.bytes(kind))).or_default().insert(handle);
        }
        self.locals += usize::from(entry.service().is_none());
        self.ending.extend(entry.session.map(|session| (session, handle)));
        self.entries.insert(handle, Arc::new(entry));
    }

    fn take(&mut self, handle: CK_OBJECT_HANDLE) -> Option<Arc<Entry>> {
        let entry = self.entries.remove(&handle)?;
        self.locals -= usize::from(entry.service().is_none());
        if let Some(session) = entry.session {
            self.ending.remove(&(session, handle));
        }
        for (index, kind) in self.indexes.iter_mut().zip(INDEXED) {
            let key = (entry.class(), entry.bytes(kind));
            if let Some(handles) = index.get_mut(&key) {
                handles.remove(&handle);
                if handles.is_empty() {
                    index.remove(&key);
                }
            }
        }
        Some(entry)
    }
}
