//! A certificate authority's certificate: what issues, and what an organization registers as its trust anchor.

use super::{CertificateError, PublicKey};
use der::{Decode, Encode};
use sha2::{Digest, Sha256};
use std::ops::RangeInclusive;
use x509_cert::{
    Certificate, TbsCertificate,
    ext::pkix::{BasicConstraints, KeyUsage, SubjectKeyIdentifier},
    name::Name,
};

/// A certificate that may issue others (RFC 5280 §4.2.1.9, §4.2.1.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityCertificate {
    issuer: Name,
    subject: Name,
    public_key: PublicKey,
    key_identifier: Vec<u8>,
    signs_lists: bool,
    validity: RangeInclusive<u64>,
}

impl AuthorityCertificate {
    /// From DER. Whether it is still valid, and who signed it, is not checked.
    ///
    /// # Errors
    /// [`CertificateError::Malformed`], [`CertificateError::UnsupportedKey`], or [`CertificateError::Issuer`] when it
    /// is not a certificate authority's.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        let malformed = CertificateError::malformed("issuer certificate");
        let certificate = Certificate::from_der(der).map_err(&malformed)?;
        let certified = certificate.tbs_certificate();
        // Its names are written into certificates, and must be found there byte for byte.
        if certificate.to_der().map_err(&malformed)? != der {
            return Err(CertificateError::Issuer("its certificate is not encoded by the rules of DER".into()));
        }
        let constraints = certified.get_extension::<BasicConstraints>().map_err(&malformed)?;
        if !constraints.is_some_and(|(_, constraints)| constraints.ca) {
            return Err(CertificateError::Issuer(
                "its certificate is no certificate authority's (basicConstraints without CA:TRUE)".into(),
            ));
        }
        // RFC 5280 §6.1.4 (n): without the extension the key's use is not restricted.
        let usage = certified.get_extension::<KeyUsage>().map_err(&malformed)?;
        if usage.as_ref().is_some_and(|(_, usage)| !usage.key_cert_sign()) {
            return Err(CertificateError::Issuer("its certificate does not allow issuing (no keyCertSign)".into()));
        }
        if certified.subject().is_empty() {
            return Err(CertificateError::Issuer("its certificate has no subject".into()));
        }
        let public_key = PublicKey::parse(&certified.subject_public_key_info().to_der().map_err(&malformed)?)?;
        let identifier = certified.get_extension::<SubjectKeyIdentifier>().map_err(&malformed)?;
        Ok(Self {
            issuer: certified.issuer().clone(),
            subject: certified.subject().clone(),
            key_identifier: match identifier {
                Some((_, identifier)) => identifier.0.into_bytes().into_vec(),
                None => public_key.key_identifier().to_vec(),
            },
            public_key,
            signs_lists: usage.is_none_or(|(_, usage)| usage.crl_sign()),
            validity: validity(certified),
        })
    }

    /// Whose name its certificate was issued under.
    pub fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// Its name, as issued certificates give their issuer.
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// The key that verifies what it issued.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Its subject key identifier; computed when the certificate has none.
    pub fn key_identifier(&self) -> &[u8] {
        &self.key_identifier
    }

    /// Whether its key may sign revocation lists (RFC 5280 §6.3.3 (f)).
    pub fn signs_lists(&self) -> bool {
        self.signs_lists
    }

    /// notBefore to notAfter, both inclusive, in seconds since the Unix epoch.
    pub fn validity(&self) -> &RangeInclusive<u64> {
        &self.validity
    }
}

/// The last part of a trust anchor's name, from its certificate, DER.
pub(crate) fn authority_id(certificate: &[u8]) -> String {
    hex::encode(&Sha256::digest(certificate)[..16])
}

/// notBefore to notAfter, both inclusive (RFC 5280 §4.1.2.5), in seconds since the Unix epoch.
pub(crate) fn validity(certified: &TbsCertificate) -> RangeInclusive<u64> {
    let validity = certified.validity();
    validity.not_before.to_unix_duration().as_secs()..=validity.not_after.to_unix_duration().as_secs()
}
