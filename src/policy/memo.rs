//! Permits that a policy set gave, so that the same question is not evaluated again.
//!
//! **Invariants**
//! * A permit is remembered for the whole request. What the policies say of a request depends on nothing else, and the
//!   set they belong to never changes, so that what is remembered can't go stale.
//! * Denials are not remembered: they take the same steps each time, whether what was asked for exists or not, and a
//!   flood of them displaces nobody's permits.
//! * Memory is bounded.

use super::AccessRequest;
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

/// Requests remembered at most, about a kilobyte each.
const CAPACITY: usize = 16_384;

/// See the module.
#[derive(Default)]
pub(super) struct Permits(RwLock<HashMap<AccessRequest, Arc<[String]>>>);

impl Permits {
    /// `@id` of every permit that matched this request before.
    pub(super) fn find(&self, request: &AccessRequest) -> Option<Arc<[String]>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(request).cloned()
    }

    /// Remembers them. When it is full it begins anew: what is asked often is back at once.
    pub(super) fn remember(&self, request: AccessRequest, policy_ids: Arc<[String]>) {
        let mut permits = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if permits.len() >= CAPACITY {
            permits.clear();
        }
        permits.insert(request, policy_ids);
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.0.read().unwrap().len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tables::{ROWS, SHIPPED, shipped_files};
    use super::super::{AccessRequest, Context, PolicySet};
    use super::*;
    use crate::model::Action;

    /// Every row of the tables, asked twice of a set that remembers: the second answer is the first.
    #[test]
    fn a_remembered_permit_says_what_was_decided_and_denials_are_not_remembered() {
        let set = PolicySet::from_files(shipped_files()).unwrap();
        let mut permitted = std::collections::HashSet::new();
        for row in ROWS.iter() {
            for _ in 0..2 {
                assert_eq!(row.failure(&set), None);
            }
            if SHIPPED.authorize(row.request.clone()).is_ok() {
                permitted.insert(row.request.clone());
            }
            assert_eq!(set.permits().count(), permitted.len(), "{}", row.place);
        }
        assert!(!permitted.is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let request = ROWS.iter().map(|row| &row.request).find(|request| request.action == Action::Sign).unwrap();
        let permits = Permits::default();
        let sized = |size| AccessRequest { context: Context::new().number("size", size), ..request.clone() };
        for size in 0..=CAPACITY as i64 {
            permits.remember(sized(size), Arc::from([]));
        }
        assert_eq!(permits.count(), 1);
        assert!(permits.find(&sized(CAPACITY as i64)).is_some() && permits.find(&sized(0)).is_none());
    }
}
