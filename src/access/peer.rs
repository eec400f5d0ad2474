//! The other end of a connection: its verified chain, and who that makes it.
//!
//! **Invariant**: an identity is never older than the registry, the set of keys kept here, or the certificate's validity.

use crate::{
    directory::Directory,
    identity::{Identity, IdentityError},
    model::OrganizationName,
};
use rustls_pki_types::{CertificateDer, UnixTime};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
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
    streams: Arc<Semaphore>,
    memory: Arc<Semaphore>,
    judged: Mutex<Option<(u64, Result<Identity, IdentityError>)>>,
}

impl Peer {
    /// A peer whose handshake ended well.
    pub fn new(chain: Vec<CertificateDer<'static>>, address: SocketAddr) -> Self {
        Self {
            chain,
            address,
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

    /// SHA-256 of its certificate, DER.
    pub fn fingerprint(&self) -> [u8; 32] {
        crate::crypto::sha256(self.chain.first().map_or(&[], |certificate| certificate.as_ref()))
    }

    /// Whose trust anchor vouches for it, whatever else is wrong with its certificate.
    pub(super) fn vouching(&self, directory: &Directory) -> Option<OrganizationName> {
        directory.registry().load().vouching(&self.chain, UnixTime::now())
    }

    /// Who it is at `epoch`, the directory's identity epoch: judged once, and again whenever the answer could be another.
    pub(super) fn identify(&self, directory: &Directory, epoch: u64) -> Result<Identity, IdentityError> {
        let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, result)) = &*judged
            && *at == epoch
            && !expired(result)
        {
            return result.clone();
        }
        let registry = directory.registry().load();
        let result = registry.identify(&self.chain, UnixTime::now(), &|hash| directory.holds(hash));
        *judged = Some((epoch, result.clone()));
        result
    }

    /// Whether the certificate has expired since it was judged.
    pub(super) fn has_expired(&self) -> bool {
        self.judged.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_none_or(|(_, result)| expired(result))
    }
}

fn expired(result: &Result<Identity, IdentityError>) -> bool {
    matches!(result, Ok(identity) if UnixTime::now().as_secs() >= identity.not_after)
}
