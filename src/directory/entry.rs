//! One key with its versions, as the directory holds it.

use super::DirectoryError;
use crate::{
    crypto::PublicKey,
    model::{Algorithm, Key, KeyObjects, KeyVersion},
    store::{Row, RowError},
};
use chancery_api::state::KeyAnswer;
use prost::Message;
use std::{collections::BTreeMap, sync::Arc};

/// A key and its versions.
#[derive(Debug, Clone)]
pub struct KeyEntry {
    /// The key.
    pub key: Key,
    /// Its versions by number.
    pub versions: BTreeMap<u64, Arc<Version>>,
    /// Its standing and what was set of its objects; `None`: nothing was.
    pub objects: Option<Arc<KeyObjects>>,
    /// Why the key is not used: the store disagrees with the log.
    pub mismatch: Option<String>,
}

/// A key version.
#[derive(Debug)]
pub struct Version {
    /// The version.
    pub row: KeyVersion,
    /// Its public key, parsed; a secret key has none.
    pub public_key: Option<PublicKey>,
    /// Why the version is not used: the store disagrees with the log.
    pub mismatch: Option<String>,
}

impl Version {
    pub(super) fn new(row: KeyVersion, algorithm: Algorithm, mismatch: Option<String>) -> Result<Self, DirectoryError> {
        let malformed = |problem| DirectoryError::Malformed { name: row.name.to_string(), problem };
        let public_key = match (algorithm.is_secret(), row.public_key.is_empty()) {
            (true, true) => None,
            (true, false) => return Err(malformed("a secret key with a public key".into())),
            (false, _) => {
                Some(PublicKey::registered(algorithm, &row.public_key).map_err(|error| malformed(error.to_string()))?)
            }
        };
        Ok(Self { row, public_key, mismatch })
    }
}

impl KeyEntry {
    /// What one becomes by rows of its own; a new one begins with its key's.
    ///
    /// # Errors
    /// [`DirectoryError`] when the rows do not fit together.
    pub fn changed(before: Option<&Self>, rows: &[Row]) -> Result<Self, DirectoryError> {
        let mut after = before.cloned();
        for row in rows {
            match (row, &mut after) {
                (Row::Key(key), Some(entry)) => entry.key = key.clone(),
                (Row::Key(key), None) => {
                    after = Some(Self { key: key.clone(), versions: BTreeMap::new(), objects: None, mismatch: None });
                }
                (Row::KeyVersion(row), Some(entry)) => {
                    let version = Version::new(row.clone(), entry.key.algorithm, None)?;
                    entry.versions.insert(row.name.number(), Arc::new(version));
                }
                (Row::KeyObjects(row), Some(entry)) => entry.objects = Some(Arc::new(row.clone())),
                (other, _) => return Err(DirectoryError::Orphan(other.name())),
            }
        }
        after.ok_or_else(|| DirectoryError::Orphan("an answer".into()))
    }

    /// As the answer to a request, kept for its retries.
    pub fn to_answer(&self) -> Vec<u8> {
        self.to_answer_of("")
    }

    /// The same, where one of its objects was asked for.
    pub fn to_answer_of(&self, object: &str) -> Vec<u8> {
        let key = [Row::Key(self.key.clone()).state()].into_iter();
        let versions = self.versions.values().map(|version| Row::KeyVersion(version.row.clone()).state());
        let objects = self.objects.iter().map(|objects| Row::KeyObjects(KeyObjects::clone(objects)).state());
        KeyAnswer { states: key.chain(versions).chain(objects).collect(), object: object.to_owned() }.encode_to_vec()
    }

    /// From [`KeyEntry::to_answer`].
    ///
    /// # Errors
    /// [`DirectoryError`] when it is none.
    pub fn from_answer(answer: &[u8]) -> Result<Self, DirectoryError> {
        Self::from_answer_of(answer).map(|(entry, _)| entry)
    }

    /// From [`KeyEntry::to_answer_of`].
    ///
    /// # Errors
    /// [`DirectoryError`] when it is none.
    pub fn from_answer_of(answer: &[u8]) -> Result<(Self, String), DirectoryError> {
        let malformed = |problem: String| DirectoryError::Malformed { name: "an answer".into(), problem };
        let answer = KeyAnswer::decode(answer).map_err(|error| malformed(error.to_string()))?;
        let rows: Result<Vec<_>, RowError> = answer.states.iter().map(Row::parse).collect();
        let entry = Self::changed(None, &rows.map_err(|error| malformed(error.to_string()))?)?;
        Ok((entry, answer.object))
    }

    /// The version of that number, or the primary one.
    pub fn version(&self, number: Option<u64>) -> Option<&Arc<Version>> {
        self.versions.get(&number.unwrap_or(self.key.primary_version))
    }

    /// The number that the next version gets.
    pub fn next_version(&self) -> u64 {
        self.versions.last_key_value().map_or(1, |(number, _)| number + 1)
    }
}
