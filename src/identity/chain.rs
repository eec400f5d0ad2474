//! Which trust anchors a presented chain ends in.

use super::{
    IdentityError, Registry,
    anchor::{Anchor, display},
};
use crate::{certificates::validity, model::OrganizationName};
use der::Decode;
use rustls_pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};
use std::{ops::RangeInclusive, slice};
use webpki::{EndEntityCert, KeyUsage};
use x509_cert::Certificate;

/// How many certificates beside the client's own are looked at. Enough to say what is wrong with a chain through an
/// unregistered intermediate, and few enough that a stranger's chain costs little.
const PRESENTED: usize = 2;

/// A chain that ends in the trust anchors of one organization.
pub(super) struct Vouched<'r> {
    pub(super) certificate: Certificate,
    /// SHA-256 of the client's certificate, DER.
    pub(super) fingerprint: [u8; 32],
    pub(super) organization: &'r OrganizationName,
    /// The anchors that issued the client's certificate itself: several when one key has several certificates; none
    /// when the chain is longer.
    pub(super) issuers: Vec<&'r Anchor>,
}

impl Registry {
    /// Validates a chain, the client's certificate first (RFC 5280 §6.1), at a time within the validity of its
    /// certificates and of the anchor. Presented certificates beyond the first matter only where an anchor is reached
    /// through them.
    ///
    /// # Errors
    /// [`IdentityError`]: malformed, no client certificate, outside its validity, or ending in the anchors of no
    /// organization or of several.
    pub(super) fn vouched(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<Vouched<'_>, IdentityError> {
        let (own, presented) = chain.split_first().ok_or_else(|| IdentityError::Malformed("none was sent".into()))?;
        let certificate = Certificate::from_der(own).map_err(|error| IdentityError::Malformed(error.to_string()))?;
        within(&validity(certificate.tbs_certificate()), now, "the client certificate")?;
        let end_entity = EndEntityCert::try_from(own).map_err(|error| refused(&error, &certificate))?;

        let presented = &presented[..presented.len().min(PRESENTED)];
        let (mut ends, mut issuers) = (Vec::new(), Vec::new());
        let mut refusal = None;
        for anchor in &self.anchors {
            // One anchor at a time, since all that vouch must be known, not just the first.
            let path = end_entity.verify_for_usage(
                self.algorithms.all,
                slice::from_ref(anchor.path_end()),
                presented,
                now,
                KeyUsage::client_auth(),
                None,
                None,
            );
            match path {
                Ok(path) => match within(anchor.validity(), now, "the certificate of its trust anchor") {
                    Ok(()) => {
                        ends.push(anchor);
                        if path.intermediate_certificates().next().is_none() {
                            issuers.push(anchor);
                        }
                    }
                    Err(error) => _ = refusal.get_or_insert(error),
                },
                Err(webpki::Error::UnknownIssuer) => {}
                Err(error) => _ = refusal.get_or_insert(refused(&error, &certificate)),
            }
        }
        // An authority further up that another organization registers must not lock this one's members out.
        let decisive = if issuers.is_empty() { &ends } else { &issuers };
        let Some(first) = decisive.first() else {
            return Err(refusal.unwrap_or_else(|| unknown_anchor(&certificate)));
        };
        let organization = first.organization();
        if decisive.iter().any(|other| other.organization() != organization) {
            return Err(IdentityError::SeveralOrganizations);
        }
        Ok(Vouched { certificate, fingerprint: Sha256::digest(own).into(), organization, issuers })
    }
}

fn within(validity: &RangeInclusive<u64>, now: UnixTime, what: &'static str) -> Result<(), IdentityError> {
    let (not_before, not_after) = (*validity.start(), *validity.end());
    match now.as_secs() {
        now if now < not_before => Err(IdentityError::NotYetValid { what, not_before }),
        now if now > not_after => Err(IdentityError::Expired { what, not_after }),
        _ => Ok(()),
    }
}

fn unknown_anchor(certificate: &Certificate) -> IdentityError {
    IdentityError::UnknownAnchor(format!(
        "the certificate's issuer {} is no registered trust anchor; use a certificate of an authority that your \
         organization registered, or have this one registered",
        display(certificate.tbs_certificate().issuer())
    ))
}

fn refused(error: &webpki::Error, certificate: &Certificate) -> IdentityError {
    use webpki::Error;
    match error {
        Error::CaUsedAsEndEntity => IdentityError::Unfit(
            "it is a certificate authority's (CA:TRUE); use one that was issued to the client".into(),
        ),
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => IdentityError::Unfit(
            "its extended key usage lacks client authentication; have it issued with that, or without the extension"
                .into(),
        ),
        Error::InvalidSignatureForPublicKey => IdentityError::UnknownAnchor(format!(
            "the certificate's issuer {} bears a registered trust anchor's name, but not its key",
            display(certificate.tbs_certificate().issuer())
        )),
        // Of the client's own certificate the validity was checked before, so these are of one presented with it.
        Error::CertExpired { .. } | Error::CertNotValidYet { .. } | Error::EndEntityUsedAsCa => {
            unknown_anchor(certificate)
        }
        Error::UnsupportedCertVersion => {
            IdentityError::Malformed("it is not of X.509 version 3; have it issued anew, with extensions".into())
        }
        Error::UnsupportedCriticalExtension => IdentityError::Malformed(
            "it has a critical extension that is not understood here; have it issued without".into(),
        ),
        Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => IdentityError::Malformed(
            "it is signed with an algorithm that is not accepted; have it issued anew, signed with SHA-256 or longer"
                .into(),
        ),
        other => IdentityError::Malformed(format!("{other}; have it issued anew")),
    }
}
