//! The first use of a key that was made through PKCS#11 and not named: from then on it stays.
//!
//! **Invariants**: such a key is used only once the log says that it stays, so that no key is collected that made
//! anything. Whoever collects keys holds them likewise, and sees it.
//!
//! **Not here**: collecting what was never used (`keys::schedule`).

use crate::{
    access::Grant,
    audit::Draft,
    changes::Changes,
    directory::KeyEntry,
    error::Error,
    model::{KeyObjects, KeyStanding, Principal},
    store::Row,
};
use std::sync::Arc;

/// Makes used keys stay. See the module.
pub(super) struct FirstUses {
    changes: Arc<Changes>,
}

impl FirstUses {
    pub(super) fn new(changes: Arc<Changes>) -> Self {
        Self { changes }
    }

    /// Makes sure that the key of a use stays. Nearly free for one that does. Runs to its end, whether the caller waits or
    /// not.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it could not be recorded; `BUSY` when others change the key for too long.
    pub(super) async fn settle(self: &Arc<Self>, grant: &Grant) -> Result<(), Error> {
        let entry = grant.key()?;
        if entry.standing() != KeyStanding::Provisional {
            return Ok(());
        }
        // It may stay since the grant was given, and whoever changes the key must not wait for itself.
        let now = self.changes.directory().key(&entry.key.name);
        if now.is_none_or(|now| now.standing() != KeyStanding::Provisional) {
            return Ok(());
        }
        let (uses, entry) = (Arc::clone(self), Arc::clone(entry));
        let by = grant.caller().principal().clone();
        let work = async move { uses.settle_uncancelled(&entry, &by).await };
        // A task ends early only with the service: a panic ends the process.
        tokio::spawn(work).await.map_err(|_| Error::stopped())?
    }

    async fn settle_uncancelled(&self, entry: &KeyEntry, by: &Principal) -> Result<(), Error> {
        let name = &entry.key.name;
        let _busy = self.changes.hold_in_turn(name).await?;
        // One that was collected meanwhile is refused when it is used.
        let current = self.changes.directory().key(name).filter(|entry| entry.is_passing());
        let Some(current) = current.filter(|entry| entry.standing() == KeyStanding::Provisional) else { return Ok(()) };
        let row = KeyObjects { standing: KeyStanding::Named, collect_time: None, ..current.objects_row() };
        let rows = vec![Row::KeyObjects(row)];
        let draft = Draft::state_change("NameKey", &rows).of_principal(by).resource(name);
        self.changes.apply(draft, rows).await.map(drop)
    }
}
