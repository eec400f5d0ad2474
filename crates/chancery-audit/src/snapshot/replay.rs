//! Making a snapshot from the records themselves, or from an earlier snapshot and those that came after it.

use std::collections::{BTreeMap, VecDeque};

use prost::Message;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{Snapshot, SnapshotError};
use crate::merkle::{Frontier, leaf_hash};
use crate::record::{Genesis, Kind, LastPolicies, LastState, Record, Snapshot as RawSnapshot};

/// Goes through records in order, and keeps what a snapshot of them has.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    tree: Frontier,
    genesis: Option<Genesis>,
    states: BTreeMap<String, LastState>,
    intents: BTreeMap<u64, Vec<u8>>,
    policies: BTreeMap<String, LastPolicies>,
    enclaves: VecDeque<Vec<u8>>,
}

/// Enclave processes that are kept. One lives at a time; the records of the one before may come a little later.
const ENCLAVES: usize = 8;

/// Records that no log has.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReplayError {
    /// One does not decode.
    #[error("record {index} is no record: {problem}")]
    Undecodable {
        /// Which.
        index: u64,
        /// Why.
        problem: prost::DecodeError,
    },
    /// One is another than comes next.
    #[error("record {found} stands where record {expected} should")]
    Index {
        /// Which comes next.
        expected: u64,
        /// Which stands there.
        found: u64,
    },
    /// What they add up to is no snapshot.
    #[error("{0}")]
    Snapshot(#[from] SnapshotError),
}

impl Replay {
    /// Goes on after a snapshot.
    pub fn after(snapshot: &Snapshot) -> Self {
        let raw = &snapshot.raw;
        let named = |last: &LastState| last.state.as_ref().map(|state| (state.name.clone(), last.clone()));
        Self {
            tree: snapshot.tree.clone(),
            genesis: raw.genesis.clone(),
            states: raw.states.iter().filter_map(named).collect(),
            intents: (snapshot.open_intents.iter().map(|record| record.index)).zip(raw.open_intents.clone()).collect(),
            policies: raw.policies.iter().map(|last| (last.path.clone(), last.clone())).collect(),
            enclaves: raw.enclaves.iter().cloned().collect(),
        }
    }

    /// The tree of the records so far.
    pub fn tree(&self) -> &Frontier {
        &self.tree
    }

    /// Takes in the next record's stored bytes.
    ///
    /// # Errors
    /// [`ReplayError`]: it was not taken in.
    pub fn add(&mut self, stored: &[u8]) -> Result<Record, ReplayError> {
        let expected = self.tree.size();
        let record = Record::decode(stored).map_err(|problem| ReplayError::Undecodable { index: expected, problem })?;
        if record.index != expected {
            return Err(ReplayError::Index { expected, found: record.index });
        }
        self.tree.push(leaf_hash(stored));
        if let Some(genesis) = &record.genesis {
            self.genesis = Some(genesis.clone());
        }
        for state in &record.states {
            let last = LastState { record: record.index, state: Some(state.clone()) };
            self.states.insert(state.name.clone(), last);
        }
        if let Some(intent) = record.intent.checked_sub(1) {
            self.intents.remove(&intent);
        }
        if record.kind == Kind::Intent as i32 {
            self.intents.insert(record.index, stored.to_vec());
        }
        self.note_policies(&record);
        self.note_enclave(&record.enclave_incarnation);
        self.note_enclave(record.statement.as_ref().map_or(&[], |statement| &statement.incarnation));
        Ok(record)
    }

    fn note_enclave(&mut self, incarnation: &[u8]) {
        if incarnation.len() != 16 || self.enclaves.front().is_some_and(|last| last == incarnation) {
            return;
        }
        self.enclaves.retain(|other| other != incarnation);
        self.enclaves.push_front(incarnation.to_vec());
        self.enclaves.truncate(ENCLAVES);
    }

    fn note_policies(&mut self, record: &Record) {
        if let Some(set) = &record.policy_set {
            let path = record.resource.clone();
            let last = self.policies.entry(path.clone()).or_insert_with(|| LastPolicies { path, ..Default::default() });
            let before = last.recorded.replace(set.clone());
            last.earlier.extend(before);
            return;
        }
        let mut decided = |path: &str, hash: &[u8]| {
            let Some(last) = self.policies.get_mut(path).filter(|last| !last.earlier.is_empty()) else { return };
            if last.recorded.as_ref().is_some_and(|recorded| recorded.hash == hash) {
                last.earlier.clear();
            } else if let Some(at) = last.earlier.iter().rposition(|set| set.hash == hash) {
                last.earlier.drain(..at);
            }
        };
        decided("", &record.policy_set_hash);
        if let Some(by) = record.principal.as_ref().filter(|_| !record.organization_policy_set_hash.is_empty()) {
            decided(&format!("organizations/{}/policies", by.organization), &record.organization_policy_set_hash);
        }
    }

    /// The snapshot of the records so far.
    ///
    /// # Errors
    /// [`ReplayError::Snapshot`]: they do not begin with a genesis record.
    pub fn snapshot(&self) -> Result<Snapshot, ReplayError> {
        let raw = RawSnapshot {
            records: self.tree.size(),
            subtrees: self.tree.subtrees().iter().map(|hash| hash.to_vec()).collect(),
            genesis: self.genesis.clone(),
            states: self.states.values().cloned().collect(),
            open_intents: self.intents.values().cloned().collect(),
            policies: self.policies.values().cloned().collect(),
            enclaves: self.enclaves.iter().cloned().collect(),
        };
        let sha256 = Sha256::digest(raw.encode_to_vec()).into();
        Ok(Snapshot::check(raw, sha256)?)
    }
}
