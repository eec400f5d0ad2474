//! A registered trust anchor, ready to validate chains.

use super::RegistryError;
use crate::{
    certificates::{AuthorityCertificate, CertificateError, Signed, quoted},
    model::{Algorithm, NamePattern, OrganizationName, Role, TrustAnchor},
};
use der::Decode;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm};
use std::ops::RangeInclusive;
use x509_cert::name::Name;

/// A trust anchor whose certificate was checked.
#[derive(Debug)]
pub(super) struct Anchor {
    organization: OrganizationName,
    patterns: Vec<NamePattern>,
    authority: AuthorityCertificate,
    /// What webpki needs of it. It knows nothing of the anchor's validity.
    path_end: rustls_pki_types::TrustAnchor<'static>,
    to_be_signed: Vec<u8>,
    signature: Vec<u8>,
}

impl Anchor {
    pub(super) fn parse(given: TrustAnchor) -> Result<Self, RegistryError> {
        let TrustAnchor { organization, certificate, patterns, .. } = given;
        let refused = |source| RegistryError::Anchor { organization: organization.clone(), source };
        let malformed = |why: String| refused(CertificateError::Malformed { what: "certificate", why });
        let authority = AuthorityCertificate::parse(&certificate).map_err(refused)?;
        let signed = Signed::from_der(&certificate).map_err(|error| malformed(error.to_string()))?;
        let to_be_signed = signed.to_be_signed().map_err(|error| malformed(error.to_string()))?;
        let signature = signed.signature().map_err(|error| malformed(error.to_string()))?.to_owned();
        let der = CertificateDer::from(certificate.as_slice());
        let path_end = webpki::anchor_from_trusted_cert(&der).map_err(|error| malformed(error.to_string()))?.to_owned();

        let algorithm = authority.public_key().algorithm();
        if !is_in_tls(algorithm) {
            let (anchor, algorithm) = (display(authority.subject()), algorithm.as_str());
            return Err(RegistryError::AnchorAlgorithm { organization, anchor, algorithm });
        }
        if let Some(pattern) = patterns.iter().find(|pattern| !Role::BY_CERTIFICATE.contains(&pattern.role)) {
            let (anchor, role) = (display(authority.subject()), pattern.role);
            return Err(RegistryError::PatternRole { anchor, organization, role });
        }
        Ok(Self { organization, patterns, authority, path_end, to_be_signed, signature })
    }

    pub(super) fn organization(&self) -> &OrganizationName {
        &self.organization
    }

    pub(super) fn name(&self) -> String {
        display(self.authority.subject())
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.authority.public_key().algorithm()
    }

    pub(super) fn public_key_sha256(&self) -> [u8; 32] {
        self.authority.public_key().sha256()
    }

    /// In seconds since the Unix epoch.
    pub(super) fn validity(&self) -> &RangeInclusive<u64> {
        self.authority.validity()
    }

    pub(super) fn path_end(&self) -> &rustls_pki_types::TrustAnchor<'static> {
        &self.path_end
    }

    /// Whether it may make the bearer of this common name what `role` says.
    pub(super) fn allows(&self, role: Role, common_name: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.role == role && pattern.matches(common_name))
    }

    /// Whether `issuer` signed its certificate, by the algorithms that chains are validated with. Like validation, it
    /// goes by the name first.
    pub(super) fn was_issued_by(&self, issuer: &Self, algorithms: &[&dyn SignatureVerificationAlgorithm]) -> bool {
        let key = issuer.authority.public_key().bits();
        self.authority.issuer() == issuer.authority.subject()
            && (algorithms.iter())
                .any(|algorithm| algorithm.verify_signature(key, &self.to_be_signed, &self.signature).is_ok())
    }
}

/// Whether TLS checks signatures by keys of it (RFC 8446 §4.2.3, as far as rustls goes).
pub(crate) fn is_in_tls(algorithm: Algorithm) -> bool {
    match algorithm {
        Algorithm::EcP256 | Algorithm::EcP384 | Algorithm::EcP521 | Algorithm::Ed25519 => true,
        other => other.is_rsa(),
    }
}

/// A distinguished name, made fit for a message.
pub(super) fn display(name: &Name) -> String {
    quoted(&name.to_string())
}
