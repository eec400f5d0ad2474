//! An organization's keys, page by page.
//!
//! **Invariant**: a page costs no more than [`EXAMINED`] keys, however many there are and however few the caller may see:
//! it may be short, or empty, and say where to go on.

use super::{Filter, Keys};
use crate::{
    access::{Peer, Target},
    directory::KeyEntry,
    error::Error,
    model::{Action, KeyName, KeyOrVersionName, OrganizationName},
    policy::Context,
};
use std::sync::Arc;

/// Keys that one page looks at.
const EXAMINED: usize = 20_000;
/// Keys taken from the directory at a time.
const BATCH: usize = 256;
/// Keys whose policies are asked before others have their turn.
const BETWEEN_TURNS: usize = 1024;

/// What is to be listed.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Whose keys.
    pub organization: OrganizationName,
    /// Which of them.
    pub filter: Filter,
    /// Those after this one.
    pub after: Option<KeyName>,
    /// The most on a page.
    pub limit: usize,
}

/// Keys, and where to go on; `None`: those were the last.
pub type Page = (Vec<Arc<KeyEntry>>, Option<KeyName>);

impl Keys {
    /// The next keys that the caller may see.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn list(&self, peer: &Arc<Peer>, listing: Listing) -> Result<Page, Error> {
        let Listing { organization, filter, mut after, limit } = listing;
        let target = Target::Organization(organization.clone());
        let grant = self.admission.admit(peer, Action::ListKeys, target).await?;
        let access = self.admission.access();
        let mut seen = Vec::new();
        let mut examined = 0;
        while seen.len() < limit && examined < EXAMINED {
            let size = if filter.is_empty() { limit.min(BATCH) } else { BATCH };
            let batch = access.directory().keys(&organization, after.as_ref(), size);
            if batch.is_empty() {
                return Ok((seen, None));
            }
            for entry in batch {
                if seen.len() == limit {
                    break;
                }
                examined += 1;
                after = Some(entry.key.name.clone());
                let target = || Target::Key(KeyOrVersionName::Key(entry.key.name.clone()));
                // What the caller may not see is left out; nothing was denied.
                if filter.matches(&entry)
                    && access.authorize(grant.caller(), Action::GetKey, target(), Context::new()).is_ok()
                {
                    seen.push(entry);
                }
                if examined % BETWEEN_TURNS == 0 {
                    tokio::task::yield_now().await;
                }
            }
        }
        Ok((seen, after))
    }
}
