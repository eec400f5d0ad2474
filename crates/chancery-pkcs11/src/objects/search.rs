//! Which objects a template means (PKCS#11 v3.0 §5.7.7).
//!
//! **Invariant**: what is not shown is not searched: private objects need a login.

use super::{entry::Entry, listing::Listing};
use crate::attribute::Template;
use cryptoki_sys::*;
use std::collections::BTreeSet;

/// Classes that there are.
const CLASSES: [CK_OBJECT_CLASS; 4] = [CKO_CERTIFICATE, CKO_PUBLIC_KEY, CKO_PRIVATE_KEY, CKO_SECRET_KEY];

/// See the module.
pub(super) struct Search<'a> {
    template: &'a Template,
    /// Of the class that is searched for, or all.
    classes: Vec<CK_OBJECT_CLASS>,
    logged_in: bool,
    /// The quirk of this name.
    rsa_and_ec_only: bool,
}

impl<'a> Search<'a> {
    /// For a template.
    pub(super) fn new(template: &'a Template, logged_in: bool) -> Self {
        let wanted = template.bytes(CKA_CLASS);
        let meant = |class: &CK_OBJECT_CLASS| wanted.is_none_or(|bytes| bytes == class.to_ne_bytes());
        Self { template, classes: CLASSES.into_iter().filter(meant).collect(), logged_in, rsa_and_ec_only: false }
    }

    /// The same, where the quirk is on, without key pairs of other types.
    pub(super) fn among_rsa_and_ec(self, only: bool) -> Self {
        Self { rsa_and_ec_only: only, ..self }
    }

    /// Whether the service could know of something that this process does not: there are such objects, they outlast a
    /// session, and would be shown.
    pub(super) fn concerns_service(&self) -> bool {
        let secret = |class: &CK_OBJECT_CLASS| matches!(*class, CKO_PRIVATE_KEY | CKO_SECRET_KEY);
        let shown = self.classes.iter().any(|class| self.logged_in || !secret(class));
        shown && self.template.bytes(CKA_TOKEN) != Some(&[0])
    }

    /// Whether it names what it looks for, by CKA_ID or CKA_LABEL.
    pub(super) fn names(&self) -> bool {
        [CKA_ID, CKA_LABEL].iter().any(|kind| self.template.bytes(*kind).is_some())
    }

    /// Handles of what matches: of the service's keys the oldest first, which no key that is made later can precede; then
    /// all else, in the order in which handles were given out.
    pub(super) fn run(&self, listing: &Listing) -> Vec<CK_OBJECT_HANDLE> {
        match self.candidates(listing) {
            Some(handles) => {
                let entries = handles.into_iter().filter_map(|handle| Some((handle, listing.entry(handle)?)));
                self.matching(entries.map(|(handle, entry)| (handle, entry.as_ref())))
            }
            None => self.matching(listing.entries().map(|(handle, entry)| (handle, entry.as_ref()))),
        }
    }

    /// By the first attribute that there is an index of.
    fn candidates(&self, listing: &Listing) -> Option<BTreeSet<CK_OBJECT_HANDLE>> {
        self.template
            .0
            .iter()
            .find_map(|attribute| {
                let of_class = |class| listing.indexed(attribute.kind, class, &attribute.value);
                self.classes.iter().map(|class| of_class(*class)).collect::<Option<Vec<_>>>()
            })
            .map(|sets| sets.into_iter().flatten().collect())
    }

    fn matching<'e>(&self, entries: impl Iterator<Item = (CK_OBJECT_HANDLE, &'e Entry)>) -> Vec<CK_OBJECT_HANDLE> {
        let matches = |entry: &Entry| {
            self.classes.contains(&entry.class())
                && (self.logged_in || !entry.private())
                && (!self.rsa_and_ec_only || !is_other_pair(entry))
                && entry.table().matches(self.template)
        };
        let mut found: Vec<_> = entries
            .filter(|(_, entry)| matches(entry))
            .map(|(handle, entry)| (entry.made().unwrap_or((i64::MAX, 0)), handle))
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, handle)| handle).collect()
    }
}

/// Whether it is half of a key pair that is neither RSA nor EC.
fn is_other_pair(entry: &Entry) -> bool {
    let usual = |kind: CK_KEY_TYPE| entry.table().has(CKA_KEY_TYPE, &kind.to_ne_bytes());
    matches!(entry.class(), CKO_PUBLIC_KEY | CKO_PRIVATE_KEY) && ![CKK_RSA, CKK_EC].into_iter().any(usual)
}
