//! Revocation lists: taken from whoever brings them, since the anchor's signature speaks for them.
//!
//! **Invariant**: of an anchor's key the list with the highest number is in force, and no list with a lower or equal one
//! follows it.

use super::{AnchorName, AnchorView, Asked, Edit, Registrar, anchors::parsed};
use crate::{
    access::{Peer, Target, written},
    certificates::{AuthorityCertificate, CertificateList, list_der, quoted},
    error::Error,
    identity::UnixTime,
    model::{Action, OrganizationName, RequestId, RevocationList, TrustAnchor},
    store::Row,
};
use chancery_api::reasons;
use std::sync::Arc;

/// How far the anchor's clock may be ahead, in seconds.
const AHEAD: u64 = 300;

/// Whose list it is.
#[derive(Debug, Clone)]
pub enum ListIssuer {
    /// That anchor's.
    Anchor(AnchorName),
    /// Of whichever anchor of the organization signed it.
    Any(OrganizationName),
}

impl ListIssuer {
    fn organization(&self) -> &OrganizationName {
        match self {
            Self::Anchor(name) => &name.organization,
            Self::Any(name) => name,
        }
    }
}

impl Registrar {
    /// Puts an anchor's newer revocation list, DER or PEM, in force. The same list again changes nothing.
    ///
    /// # Errors
    /// [`Error`]; `WRONG_STATE` when a list with the same or a higher number is in force, `CRL_EXPIRED` when it is past
    /// its next update and would lock everybody out.
    pub async fn update_revocation_list(
        &self,
        peer: Arc<Peer>,
        issuer: ListIssuer,
        crl: Vec<u8>,
        request: RequestId,
    ) -> Result<AnchorView, Error> {
        let target = Target::Organization(issuer.organization().clone());
        let asked = Asked { action: Action::UpdateRevocationList, target, request, field: "crl" };
        let row = self.change(&peer, asked, |_| {
            let invalid = |error| Error::invalid("crl", error);
            let der = list_der(&crl).map_err(invalid)?;
            let list = CertificateList::parse(&der).map_err(invalid)?;
            let (anchor, authority) = self.signer(&issuer, &list, &der)?;
            let unchanged = || Edit { answer: Row::Anchor(anchor.clone()), rows: Vec::new(), dangerous: None };
            if self.is_in_force(&authority, &list, &der, issuer.organization()) {
                return Ok(unchanged());
            }
            self.require_newer(&authority, &list)?;
            self.require_timely(&list, issuer.organization())?;
            let organization = issuer.organization().clone();
            let id = crate::certificates::authority_id(&anchor.certificate);
            let row = Row::RevocationList(RevocationList { organization, anchor: id, crl: der.into_owned() });
            Ok(Edit { rows: vec![row], ..unchanged() })
        });
        self.view(row.await?)
    }

    /// The anchor in use that signed a list. Of several certificates of one key the first.
    fn signer(
        &self,
        issuer: &ListIssuer,
        list: &CertificateList,
        der: &[u8],
    ) -> Result<(TrustAnchor, AuthorityCertificate), Error> {
        let candidates = match issuer {
            ListIssuer::Anchor(name) => vec![self.anchor_in_use(name)?],
            ListIssuer::Any(name) => self.directory().anchors(name, "", usize::MAX),
        };
        let mut named = false;
        for anchor in candidates.into_iter().filter(|anchor| !anchor.removed) {
            let authority = parsed(&anchor).map_err(Error::internal)?;
            if authority.subject() != list.issuer() {
                continue;
            }
            named = true;
            if CertificateList::verify(der, authority.public_key()).is_err() {
                continue;
            }
            if !authority.signs_lists() {
                let why = "the anchor's certificate does not allow its key to sign revocation lists (no cRLSign); suspend \
                           what is to be revoked instead";
                return Err(Error::invalid("crl", why));
            }
            return Ok((anchor, authority));
        }
        Err(Error::invalid(
            "crl",
            match named {
                true => {
                    "its issuer bears a trust anchor's name, but its signature is not that anchor's key's".to_owned()
                }
                false => format!(
                    "its issuer {} is no trust anchor that it could be of; give a list of the anchor itself",
                    quoted(&list.issuer().to_string())
                ),
            },
        ))
    }

    fn is_in_force(
        &self,
        authority: &AuthorityCertificate,
        list: &CertificateList,
        der: &[u8],
        organization: &OrganizationName,
    ) -> bool {
        let registry = self.directory().registry().load();
        let same = |found: &Arc<CertificateList>| found.number() == list.number();
        registry.list(&authority.public_key().sha256()).is_some_and(same)
            && (self.directory().anchors(organization, "", usize::MAX).iter())
                .any(|anchor| self.directory().revocation_list(anchor).as_deref() == Some(der))
    }

    fn require_newer(&self, authority: &AuthorityCertificate, list: &CertificateList) -> Result<(), Error> {
        let registry = self.directory().registry().load();
        match registry.list(&authority.public_key().sha256()) {
            Some(before) if list.number() <= before.number() => Err(Error::Precondition {
                reason: reasons::WRONG_STATE,
                message: format!(
                    "the list's number is {}, that of the one in force is {}; give a newer one",
                    list.number(),
                    before.number()
                ),
            }),
            _ => Ok(()),
        }
    }

    fn require_timely(&self, list: &CertificateList, organization: &OrganizationName) -> Result<(), Error> {
        let now = UnixTime::now().as_secs();
        let time = |seconds: u64| written(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000_000));
        if list.this_update() > now + AHEAD {
            let why = format!("it is of {}, which is yet to come; check both clocks", time(list.this_update()));
            return Err(Error::invalid("crl", why));
        }
        let accepted = self.directory().organization(organization).is_some_and(|found| found.accept_expired_crl);
        if list.next_update() <= now && !accepted {
            return Err(Error::Precondition {
                reason: reasons::CRL_EXPIRED,
                message: format!(
                    "the next list was due at {}: with this one nobody whom its anchor vouches for would be let in; give a \
                     newer one",
                    time(list.next_update())
                ),
            });
        }
        Ok(())
    }
}
