//! The other end of a connection: its verified chain, and who that makes it.
//!
//! **Invariants**: an identity is never older than the registry, the set of keys kept here, or the validity of the
//! certificate and of its anchor's revocation list. Who is a node by its certificate has a public key that the directory
//! knows of its name, and that does not wait for an officer.

#[cfg(test)]
mod tests;

use crate::{
    directory::{Directory, Standing},
    identity::{Identity, IdentityError, Registry},
    model::OrganizationName,
};
use rustls_pki_types::{CertificateDer, UnixTime};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Streams open at a time.
pub const STREAMS_PER_CONNECTION: usize = 8;
/// Bytes of messages that streams hold at a time.
const MEMORY_PER_CONNECTION: usize = 16 << 20;

/// See the module.
#[derive(Debug)]
pub struct Peer {
    chain: Vec<CertificateDer<'static>>,
    address: SocketAddr,
    shim: AtomicBool,
    streams: Arc<Semaphore>,
    memory: Arc<Semaphore>,
    judged: Mutex<Option<Judgement>>,
}

/// What was said of a peer's certificate.
#[derive(Debug)]
struct Judgement {
    /// The identity epoch that it is of.
    epoch: u64,
    result: Result<Identity, IdentityError>,
    /// A node whose public key was not found yet among those known of it.
    unknown: bool,
}

impl Peer {
    /// A peer whose handshake ended well.
    pub fn new(chain: Vec<CertificateDer<'static>>, address: SocketAddr) -> Self {
        Self {
            chain,
            address,
            shim: AtomicBool::new(false),
            streams: Arc::new(Semaphore::new(STREAMS_PER_CONNECTION)),
            memory: Arc::new(Semaphore::new(MEMORY_PER_CONNECTION)),
            judged: Mutex::new(None),
        }
    }

    /// A place for one more stream, given back when it is dropped; `None` when there are enough.
    pub fn open_stream(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.streams).try_acquire_owned().ok()
    }

    /// Waits for so many bytes of the memory that messages of this connection's streams may take.
    pub async fn share(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes.min(MEMORY_PER_CONNECTION)).unwrap_or(u32::MAX);
        Arc::clone(&self.memory).acquire_many_owned(bytes).await.ok()
    }

    /// Where it connects from.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// It says that it is the PKCS#11 module, from now on.
    pub fn claims_shim(&self) {
        self.shim.store(true, Ordering::Relaxed);
    }

    /// Whether it ever said so.
    pub fn is_shim(&self) -> bool {
        self.shim.load(Ordering::Relaxed)
    }

    /// SHA-256 of its certificate, DER.
    pub fn fingerprint(&self) -> [u8; 32] {
        crate::crypto::sha256(self.chain.first().map_or(&[], |certificate| certificate.as_ref()))
    }

    /// Whose trust anchor vouches for it, whatever else is wrong with its certificate.
    pub(super) fn vouching(&self, directory: &Directory) -> Option<OrganizationName> {
        directory.registry().load().vouching(&self.chain, UnixTime::now())
    }

    /// Who it is at `epoch`, the directory's identity epoch: judged once, and again whenever the answer could be another.
    ///
    /// # Errors
    /// [`IdentityError`]; [`IdentityError::KeyUnseen`] where a node's public key must be recorded first.
    pub(super) fn identify(&self, directory: &Directory, epoch: u64) -> Result<Identity, IdentityError> {
        let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        let judgement = match judged.take() {
            Some(current) if current.epoch == epoch && !expired(&current.result) => current,
            _ => self.judge(directory, epoch),
        };
        let judgement = judged.insert(judgement);
        let identity = judgement.result.clone()?;
        if judgement.unknown {
            // Looked up until it is let in: what becomes known of nodes makes no epoch.
            let Identity { principal, public_key_sha256, .. } = identity.clone();
            match directory.standing(&principal.name, &public_key_sha256) {
                Standing::LetIn => judgement.unknown = false,
                Standing::Waits => {
                    return Err(IdentityError::KeyPending { name: principal.name, public_key_sha256 });
                }
                Standing::New => {
                    return Err(IdentityError::KeyUnseen { principal: Box::new(principal), public_key_sha256 });
                }
            }
        }
        Ok(identity)
    }

    fn judge(&self, directory: &Directory, epoch: u64) -> Judgement {
        let result = self.identify_by(&directory.registry().load(), directory);
        let unknown = result.as_ref().is_ok_and(|identity| identity.by_certificate);
        Judgement { epoch, result, unknown }
    }

    /// Who it would be by another registry, now.
    pub(super) fn identify_by(&self, registry: &Registry, directory: &Directory) -> Result<Identity, IdentityError> {
        registry.identify(&self.chain, UnixTime::now(), &|hash| directory.holds(hash))
    }

    /// Whether the certificate has expired since it was judged.
    pub(super) fn has_expired(&self) -> bool {
        self.judged.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_none_or(|judged| expired(&judged.result))
    }
}

fn expired(result: &Result<Identity, IdentityError>) -> bool {
    match result {
        Ok(identity) => UnixTime::now().as_secs() >= identity.not_after,
        Err(IdentityError::ListExpired { otherwise, .. }) => UnixTime::now().as_secs() >= otherwise.not_after,
        Err(_) => false,
    }
}
