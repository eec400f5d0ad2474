//! One key with its versions, as the directory holds it.

use super::DirectoryError;
use crate::{
    crypto::PublicKey,
    model::{Algorithm, Key, KeyVersion},
};
use std::{collections::BTreeMap, sync::Arc};

/// A key and its versions.
#[derive(Debug, Clone)]
pub struct KeyEntry {
    /// The key.
    pub key: Key,
    /// Its versions by number.
    pub versions: BTreeMap<u64, Arc<Version>>,
    /// Why the key is not used: the store disagrees with the log.
    pub mismatch: Option<String>,
}

/// A key version.
#[derive(Debug)]
pub struct Version {
    /// The version.
    pub row: KeyVersion,
    /// Its public key, parsed.
    pub public_key: PublicKey,
    /// Why the version is not used: the store disagrees with the log.
    pub mismatch: Option<String>,
}

impl Version {
    pub(super) fn new(row: KeyVersion, algorithm: Algorithm, mismatch: Option<String>) -> Result<Self, DirectoryError> {
        let public_key = PublicKey::parse(algorithm, &row.public_key)
            .map_err(|error| DirectoryError::Malformed { name: row.name.to_string(), problem: error.to_string() })?;
        Ok(Self { row, public_key, mismatch })
    }
}

impl KeyEntry {
    /// The version of that number, or the primary one.
    pub fn version(&self, number: Option<u64>) -> Option<&Arc<Version>> {
        self.versions.get(&number.unwrap_or(self.key.primary_version))
    }

    /// The number that the next version gets.
    pub fn next_version(&self) -> u64 {
        self.versions.last_key_value().map_or(1, |(number, _)| number + 1)
    }
}
