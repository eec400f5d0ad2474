//! Organizations' trust anchors and their revocation lists.

use super::Directory;
use crate::{
    model::{OrganizationName, TrustAnchor},
    store::anchor_name,
};
use std::ops::Bound;

impl Directory {
    /// A trust anchor by the last part of its name, removed or not.
    pub fn anchor(&self, organization: &OrganizationName, id: &str) -> Option<TrustAnchor> {
        self.read().anchors.get(&format!("{organization}/anchors/{id}")).cloned()
    }

    /// Up to `limit` trust anchors of an organization by name, removed ones too, those after `after`, the last part of a
    /// name.
    pub fn anchors(&self, organization: &OrganizationName, after: &str, limit: usize) -> Vec<TrustAnchor> {
        let prefix = format!("{organization}/anchors/");
        let from = Bound::Excluded(format!("{prefix}{after}"));
        let content = self.read();
        (content.anchors.range((from, Bound::Unbounded)))
            .take_while(|(name, _)| name.starts_with(&prefix))
            .take(limit)
            .map(|(_, anchor)| anchor.clone())
            .collect()
    }

    /// The bytes of a trust anchor's own revocation list.
    pub fn revocation_list(&self, anchor: &TrustAnchor) -> Option<Vec<u8>> {
        let name = format!("{}/revocations", anchor_name(anchor));
        self.read().revocation_lists.get(&name).map(|(row, _)| row.crl.clone())
    }
}
