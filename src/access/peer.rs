//! The other end of a connection: its verified chain, and who that makes it.
//!
//! **Invariant**: an identity is never older than the registry, the set of keys kept here, or the certificate's validity.

use crate::{
    directory::Directory,
    identity::{Identity, IdentityError},
};
use rustls_pki_types::{CertificateDer, UnixTime};
use std::{
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

/// See the module.
#[derive(Debug)]
pub struct Peer {
    chain: Vec<CertificateDer<'static>>,
    address: SocketAddr,
    judged: Mutex<Option<(u64, Result<Identity, IdentityError>)>>,
}

impl Peer {
    /// A peer whose handshake ended well.
    pub fn new(chain: Vec<CertificateDer<'static>>, address: SocketAddr) -> Self {
        Self { chain, address, judged: Mutex::new(None) }
    }

    /// Where it connects from.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// SHA-256 of its certificate, DER.
    pub fn fingerprint(&self) -> [u8; 32] {
        crate::crypto::sha256(self.chain.first().map_or(&[], |certificate| certificate.as_ref()))
    }

    /// Who it is now: judged once, and again whenever the answer could be another.
    pub(super) fn identify(&self, directory: &Directory) -> Result<Identity, IdentityError> {
        let epoch = directory.identity_epoch();
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
