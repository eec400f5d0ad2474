//! Permits that were given, so that the same question is not evaluated again.
//!
//! **Invariants**
//! * What is remembered was permitted whatever the request says ([`Standing`]), and is used only while the policies
//!   that were asked, the key and every identity, group and organization are the very ones it was decided on.
//! * Denials are not remembered: they take the same steps each time, whether what was asked for exists or not, and a
//!   flood of them displaces nobody's permits.
//! * Memory is bounded, and one certificate's questions displace few of another's.

use super::{Target, same};
use crate::{
    directory::KeyEntry,
    model::{Action, Principal},
    policy::{Asked, Context, Permit, Session, Standing},
};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

/// Parts, each with its own lock; a certificate's questions are all in one.
pub(super) const PARTS: usize = 64;
/// Permits in a part at most, about a kilobyte each.
pub(super) const PART_CAPACITY: usize = 256;

/// What was asked, but for its circumstances.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) principal: &'a Principal,
    pub(super) action: Action,
    pub(super) target: &'a Target,
}

/// By certificate fingerprint, action and target.
type Key = ([u8; 32], Action, Target);

/// A permit, and what it was decided on.
pub(super) struct Known {
    standing: Standing,
    asked: Asked,
    entry: Option<Arc<KeyEntry>>,
    identity_epoch: u64,
}

/// See the module.
pub(super) struct Decisions([RwLock<HashMap<Key, Arc<Known>>>; PARTS]);

impl Default for Decisions {
    fn default() -> Self {
        Self(std::array::from_fn(|_| RwLock::default()))
    }
}

impl Question<'_> {
    fn key(self) -> Key {
        (self.principal.certificate_fingerprint, self.action, self.target.clone())
    }
}

impl Known {
    /// The permit again, under these circumstances.
    ///
    /// # Errors
    /// As [`Standing::permit`].
    pub(super) fn permit(&self, context: Context, session: Session) -> Result<Permit, Context> {
        self.standing.permit(context, session)
    }
}

impl Decisions {
    fn part(&self, question: Question<'_>) -> &RwLock<HashMap<Key, Arc<Known>>> {
        &self.0[usize::from(question.principal.certificate_fingerprint[0]) % PARTS]
    }

    /// What was permitted before and still is.
    pub(super) fn find(
        &self,
        question: Question<'_>,
        asked: &Asked,
        entry: Option<&Arc<KeyEntry>>,
        identity_epoch: u64,
    ) -> Option<Arc<Known>> {
        let part = self.part(question).read().unwrap_or_else(PoisonError::into_inner);
        let known = part.get(&question.key()).filter(|known| {
            known.identity_epoch == identity_epoch
                && known.asked.are(asked)
                && same(known.entry.as_ref(), entry)
                && known.standing.principal() == question.principal
        });
        known.cloned()
    }

    /// Remembers a permit, if it holds for every request of its kind. A part that is full begins anew: what is asked
    /// often is back at once.
    pub(super) fn remember(
        &self,
        question: Question<'_>,
        asked: &Asked,
        entry: Option<&Arc<KeyEntry>>,
        identity_epoch: u64,
        permit: &Permit,
    ) {
        let Some(standing) = permit.standing() else { return };
        let known = Known { standing, asked: asked.clone(), entry: entry.cloned(), identity_epoch };
        let mut part = self.part(question).write().unwrap_or_else(PoisonError::into_inner);
        if part.len() >= PART_CAPACITY && !part.contains_key(&question.key()) {
            part.clear();
        }
        part.insert(question.key(), Arc::new(known));
    }

    /// How many permits are remembered.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|part| part.read().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }
}
