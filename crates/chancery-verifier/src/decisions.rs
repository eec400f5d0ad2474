//! Policy sets that stand in the log, and whether they explain each decision.
//!
//! **Invariant**: a decision names sets whose text stands in an earlier record, and policies that are in them. Denials,
//! too: one that names no policy was made because none permits it.

use crate::Contradiction;
use chancery_audit::record::{PolicySet, Record};
use chancery_policy::RecordedSet;
use std::{collections::HashMap, sync::Arc};

/// Sets by their hash.
#[derive(Debug, Clone, Default)]
pub(crate) struct Decisions {
    sets: HashMap<Vec<u8>, Arc<RecordedSet>>,
}

impl Decisions {
    /// Takes in a set that a record keeps.
    pub(crate) fn keep(&mut self, set: &PolicySet) -> Result<(), Contradiction> {
        let files: Vec<_> = set.files.iter().map(|file| (file.path.clone(), file.text.clone())).collect();
        let read = RecordedSet::read(&files).map_err(|error| Contradiction::PolicySet(error.to_string()))?;
        if read.hash().as_slice() != set.hash {
            return Err(Contradiction::PolicySetHash);
        }
        self.sets.insert(set.hash.clone(), Arc::new(read));
        Ok(())
    }

    /// How many sets there are.
    pub(crate) fn sets(&self) -> u64 {
        self.sets.len() as u64
    }

    /// Whether the sets that a record names explain its decision; true if it names any.
    pub(crate) fn check(&self, record: &Record) -> Result<bool, Contradiction> {
        let base = self.named(&record.policy_set_hash)?;
        let own = self.named(&record.organization_policy_set_hash)?;
        if let Some(organization) = own.and_then(|own| own.organization())
            && let Some(by) = &record.principal
            && organization.id() != by.organization
        {
            let (found, organization) = (organization.to_string(), by.organization.clone());
            return Err(Contradiction::OtherPolicies { found, organization });
        }
        let has = |id: &&String| [base, own].into_iter().flatten().any(|set| set.has(id));
        match record.policy_ids.iter().find(|id| !has(id)) {
            Some(id) => Err(Contradiction::UnknownPolicy { id: id.clone() }),
            None => Ok(base.is_some()),
        }
    }

    fn named(&self, hash: &[u8]) -> Result<Option<&RecordedSet>, Contradiction> {
        if hash.is_empty() {
            return Ok(None);
        }
        let unknown = || Contradiction::UnknownPolicySet { hash: hex::encode(hash) };
        self.sets.get(hash).map(|set| Some(set.as_ref())).ok_or_else(unknown)
    }
}
