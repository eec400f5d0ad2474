//! Nodes whose public keys were not seen before: recorded before anything is done for them.
//!
//! **Invariants**: a key makes a node of its bearer only once it stands in the log; requests that come with it at a time
//! make one record. Whoever can issue certificates makes a bounded number of records a second with them, and of names in
//! all.
//!
//! **Not here**: which keys are let in (`directory`, `access`), their approval by an officer (`registry`).

use super::Floods;
use crate::{
    access::now,
    audit::Draft,
    changes::Changes,
    directory::Standing,
    error::Error,
    model::{Node, NodeKey, Principal},
    store::Row,
};
use chancery_api::reasons;
use std::{sync::Arc, time::Duration};

/// Whom new keys of an organization's nodes are counted against: no principal has such a name.
const NEW_KEYS: &str = "new node keys";

/// Takes down what was not seen before. See the module.
pub(super) struct Sightings {
    floods: Arc<Floods>,
    changes: Arc<Changes>,
}

impl Sightings {
    pub(super) fn new(floods: Arc<Floods>, changes: Arc<Changes>) -> Self {
        Self { floods, changes }
    }

    /// Records a node's public key, unless someone just did. Whether it is let in, the directory says afterwards. Runs to
    /// its end, whether the caller waits or not.
    ///
    /// # Errors
    /// [`Error::Exhausted`] beyond the organization's budget, [`Error::Unavailable`] when it could not be recorded.
    pub(super) async fn record(self: &Arc<Self>, node: Principal, public_key_sha256: [u8; 32]) -> Result<(), Error> {
        let sightings = Arc::clone(self);
        let work = async move { sightings.record_uncancelled(&node, public_key_sha256).await };
        // A task ends early only with the service: a panic ends the process.
        tokio::spawn(work).await.map_err(|_| Error::stopped())?
    }

    async fn record_uncancelled(&self, node: &Principal, public_key_sha256: [u8; 32]) -> Result<(), Error> {
        let _held = self.changes.hold_organizations().await;
        let directory = self.changes.directory();
        if directory.standing(&node.name, &public_key_sha256) != Standing::New {
            return Ok(());
        }
        let organization = node.name.organization();
        if !self.floods.within_budget(organization.id(), NEW_KEYS, reasons::RATE_EXCEEDED) {
            return Err(Error::Exhausted {
                reason: reasons::RATE_EXCEEDED,
                message: format!("{organization} has shown too many new node keys within a second; try again"),
                retry_after: Some(Duration::from_secs(1)),
            });
        }
        let known = directory.member(&node.name).node;
        let strict = directory.organization(organization).is_some_and(|row| row.pin_strict);
        let pending = known.is_some() && strict;
        if known.is_some() {
            let (name, key) = (&node.name, hex::encode(public_key_sha256));
            let ask = "a known node shows a new public key; ask its organization whether it is the node's own";
            tracing::warn!(%name, key, pending, "{ask}");
        }
        let reason = match (&known, pending) {
            (_, true) => reasons::KEY_PENDING,
            (Some(_), false) => NEW_KEY,
            (None, false) => "",
        };
        let known = known.unwrap_or_else(|| Node { principal: node.name.clone(), keys: Vec::new() });
        let rows = vec![Row::Node(known.with(NodeKey { public_key_sha256, first_seen: now(), pending }))];
        let draft = Draft::state_change("SeeNode", &rows).of_principal(node).reason(reason);
        self.changes.apply(draft, rows).await.map(drop)
    }
}

/// The record's reason where a known node shows a new key and is let in.
const NEW_KEY: &str = "NEW_KEY";
