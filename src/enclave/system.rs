//! What the enclave does with keys of its own and with none: key-encryption keys, checkpoints, random bytes.

use super::{Enclave, Witness, confused};
use crate::{error::Error, model::OrganizationName};
use chancery_audit::{merkle::Hash, record::Statement};
use chancery_ipc::{self as ipc, request::Verb, response::Result as Reply};
use zeroize::Zeroizing;

/// A statement's record, and its audit path in a tree.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its index.
    pub index: u64,
    /// Its bytes, as stored.
    pub record: Vec<u8>,
    /// The path (RFC 6962 §2.1.1).
    pub path: Vec<Hash>,
}

impl Enclave {
    /// Makes an organization's key-encryption key of a generation, unless it is there.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn ensure_kek(&self, organization: &OrganizationName, generation: u64) -> Result<(), Error> {
        let request = ipc::EnsureKek { organization: organization.id().into(), generation };
        match self.call(Verb::EnsureKek(request), None).await? {
            (Reply::KekReady(_), _) => Ok(()),
            _ => Err(confused()),
        }
    }

    /// Destroys an organization's key-encryption key of a generation that nothing is wrapped under any more.
    ///
    /// # Errors
    /// [`Error`]; do it again.
    pub async fn destroy_kek(&self, organization: &OrganizationName, generation: u64) -> Result<(), Error> {
        let request = ipc::DestroyKek { organization: organization.id().into(), generation };
        match self.call(Verb::DestroyKek(request), None).await? {
            (Reply::KekDestroyed(_), _) => Ok(()),
            _ => Err(confused()),
        }
    }

    /// Signs the log's checkpoint. The enclave writes its text itself, and wants to see that the tree extends the one of the
    /// last checkpoint; a statement that it has is shown.
    ///
    /// # Errors
    /// [`Error`]; the next tick tries again.
    pub async fn sign_checkpoint(
        &self,
        size: u64,
        root: Hash,
        consistency: &[Hash],
        shown: Option<Shown>,
    ) -> Result<Vec<u8>, Error> {
        let vecs = |hashes: &[Hash]| hashes.iter().map(|hash| hash.to_vec()).collect();
        let shown = shown.map(|Shown { index, record, path }| ipc::ShownStatement { index, record, path: vecs(&path) });
        let request = ipc::SignCheckpoint {
            size,
            root: root.to_vec(),
            consistency: vecs(consistency),
            statements: shown.into_iter().collect(),
        };
        match self.call(Verb::SignCheckpoint(request), None).await? {
            (Reply::CheckpointSigned(signed), _) => Ok(signed.signature),
            _ => Err(confused()),
        }
    }

    /// States which operations were made, under the audit key.
    ///
    /// # Errors
    /// [`Error`]; the next tick tries again.
    pub async fn sign_statement(&self) -> Result<Statement, Error> {
        match self.call(Verb::SignStatement(ipc::SignStatement {}), None).await? {
            (Reply::StatementSigned(signed), _) => {
                let ipc::StatementSigned { incarnation, operations, running_hash, signature } = signed;
                Ok(Statement { incarnation, operations, running_hash, signature })
            }
            _ => Err(confused()),
        }
    }

    /// Waits until so many operations were made that a statement is due before the second is over. May be dropped.
    pub async fn statement_due(&self) {
        self.ledger.due().await;
    }

    /// Whether operations were made since the last statement that was recorded, and all that it covers have records.
    pub fn may_state(&self) -> bool {
        self.tally(None).is_some_and(|tally| tally.may_state())
    }

    /// Whether the process of this incarnation runs.
    pub fn is(&self, incarnation: &[u8]) -> bool {
        self.tally(Some(incarnation)).is_some()
    }

    /// A statement of a process is about to be recorded.
    pub fn stating(&self, incarnation: &[u8], operations: u64) {
        self.tally(Some(incarnation)).into_iter().for_each(|tally| tally.stating(operations));
    }

    /// A statement of a process was recorded.
    pub fn stated(&self, incarnation: &[u8], operations: u64) {
        self.tally(Some(incarnation)).into_iter().for_each(|tally| tally.stated(operations));
    }

    /// A statement was shown to the process that made it.
    pub fn shown(&self, incarnation: &[u8], operations: u64) {
        self.tally(Some(incarnation)).into_iter().for_each(|tally| tally.shown(operations));
    }

    /// Takes the operations that have no record yet, to be recorded now.
    pub fn take_owed(&self) -> Vec<Witness> {
        self.ledger.take()
    }

    /// Random bytes, the token's mixed with the system's: 1 to 1024.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn random(&self, length: u32) -> Result<Zeroizing<Vec<u8>>, Error> {
        match self.call(Verb::Random(ipc::Random { length }), None).await? {
            (Reply::RandomDrawn(drawn), _) if drawn.bytes.len() == length as usize => Ok(Zeroizing::new(drawn.bytes)),
            _ => Err(confused()),
        }
    }
}
