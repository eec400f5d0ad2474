//! What the enclave does with keys of its own and with none: key-encryption keys, checkpoints, random bytes.

use super::{Enclave, confused};
use crate::{error::Error, model::OrganizationName};
use chancery_ipc::{self as ipc, request::Verb, response::Result as Reply};
use zeroize::Zeroizing;

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

    /// Signs the log's checkpoint. The enclave writes its text itself.
    ///
    /// # Errors
    /// [`Error`]; the next tick tries again.
    pub async fn sign_checkpoint(&self, size: u64, root: [u8; 32]) -> Result<Vec<u8>, Error> {
        match self.call(Verb::SignCheckpoint(ipc::SignCheckpoint { size, root: root.to_vec() }), None).await? {
            (Reply::CheckpointSigned(signed), _) => Ok(signed.signature),
            _ => Err(confused()),
        }
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
