//! Revocation lists, as the registry judges certificates by them.

use super::{Identity, IdentityError, Registry, RegistryError, chain::Vouched};
use crate::{
    certificates::{AuthorityCertificate, CertificateList, authority_id},
    model::{OrganizationName, RevocationList, TrustAnchor},
};
use rustls_pki_types::UnixTime;
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

/// A trust anchor's revocation list, parsed once.
#[derive(Debug, Clone)]
pub struct Revocations {
    /// Whose members it speaks of.
    pub organization: OrganizationName,
    /// The last part of its trust anchor's name.
    pub anchor: String,
    /// The list.
    pub list: Arc<CertificateList>,
}

impl Revocations {
    /// From what is kept.
    ///
    /// # Errors
    /// [`RegistryError::RevocationList`].
    pub fn parse(row: &RevocationList) -> Result<Self, RegistryError> {
        let RevocationList { organization, anchor, crl } = row;
        match CertificateList::parse(crl) {
            Ok(list) => Ok(Self { organization: organization.clone(), anchor: anchor.clone(), list: Arc::new(list) }),
            Err(source) => Err(RegistryError::RevocationList { organization: organization.clone(), source }),
        }
    }
}

/// The newest list of each anchor key, by SHA-256 of its SubjectPublicKeyInfo: a key may have several certificates, and
/// what it revoked stays revoked when one of them is removed.
pub(super) fn newest(anchors: &[TrustAnchor], lists: Vec<Revocations>) -> HashMap<[u8; 32], Arc<CertificateList>> {
    let mut newest: HashMap<_, Arc<CertificateList>> = HashMap::with_capacity(lists.len());
    for Revocations { organization, anchor, list } in lists {
        let of = |one: &&TrustAnchor| one.organization == organization && authority_id(&one.certificate) == anchor;
        let found = anchors.iter().find(of).map(|one| AuthorityCertificate::parse(&one.certificate));
        // An anchor that is in use was parsed before: of one that is not, nobody asks.
        let Some(Ok(authority)) = found else { continue };
        match newest.entry(authority.public_key().sha256()) {
            Entry::Vacant(free) => _ = free.insert(list),
            Entry::Occupied(mut before) if before.get().number() < list.number() => _ = before.insert(list),
            Entry::Occupied(_) => {}
        }
    }
    newest
}

impl Registry {
    /// The list in force of the anchors with this key (SHA-256 of the SubjectPublicKeyInfo).
    pub fn list(&self, public_key_sha256: &[u8; 32]) -> Option<&Arc<CertificateList>> {
        self.lists.get(public_key_sha256)
    }

    /// Refuses what its anchor revoked; then, unless its organization says otherwise, whatever came from an anchor whose
    /// list is past its next update. Must be the last judgement: the second refusal carries the identity.
    pub(super) fn unrevoked(
        &self,
        vouched: &Vouched<'_>,
        identity: Identity,
        now: UnixTime,
    ) -> Result<Identity, IdentityError> {
        // Several issuers have the same key: each verifies the certificate's one signature.
        let list = vouched.issuers.iter().find_map(|anchor| self.list(&anchor.public_key_sha256()));
        let Some(list) = list else { return Ok(identity) };
        if list.revokes(vouched.certificate.tbs_certificate().serial_number()) {
            return Err(IdentityError::Revoked);
        }
        let next_update = list.next_update();
        if self.organization(vouched.organization).is_some_and(|found| found.accept_expired_crl) {
            return Ok(identity);
        }
        if now.as_secs() >= next_update {
            return Err(IdentityError::ListExpired { next_update, otherwise: Box::new(identity) });
        }
        Ok(Identity { not_after: identity.not_after.min(next_update), ..identity })
    }
}
