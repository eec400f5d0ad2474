//! A certificate that someone brings for a key kept here.

use super::{CertificateError, MAXIMUM_REQUEST_SIZE, authority::validity, der_or_pem::der_or_pem};
use der::{Decode, Encode};
use sha2::{Digest, Sha256};
use std::ops::RangeInclusive;
use x509_cert::Certificate;

const WHAT: &str = "certificate";

/// A certificate, as far as it matters to the key that it certifies. Who issued it is its holder's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundCertificate {
    der: Vec<u8>,
    public_key: Vec<u8>,
    key_sha256: [u8; 32],
    validity: RangeInclusive<u64>,
}

impl BoundCertificate {
    /// From DER or PEM, of one certificate.
    ///
    /// # Errors
    /// [`CertificateError::TooLarge`] or [`CertificateError::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CertificateError> {
        let malformed = CertificateError::malformed(WHAT);
        let der = der_or_pem(bytes, MAXIMUM_REQUEST_SIZE, WHAT, &["CERTIFICATE"])?;
        let certificate = Certificate::from_der(&der).map_err(&malformed)?;
        let certified = certificate.tbs_certificate();
        let info = certified.subject_public_key_info();
        Ok(Self {
            key_sha256: Sha256::digest(info.subject_public_key.raw_bytes()).into(),
            public_key: certified.subject_public_key_info().to_der().map_err(malformed)?,
            validity: validity(certified),
            der: der.into_owned(),
        })
    }

    /// The certificate, DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Its SubjectPublicKeyInfo, DER.
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// SHA-256 of the public key alone, a point or the algorithm's bytes: Fabric's subject key identifier.
    pub fn key_sha256(&self) -> [u8; 32] {
        self.key_sha256
    }

    /// notBefore to notAfter, both inclusive, in seconds since the Unix epoch.
    pub fn validity(&self) -> &RangeInclusive<u64> {
        &self.validity
    }
}
