//! Trust anchors and principals as requests give them: certificates, and what is said of them.

use crate::{
    certificates::{BoundCertificate, PublicKey, Subject},
    error::Error,
    identity::is_in_tls,
    model::{NamePattern, OrganizationName, Registration, Role, TrustAnchor},
};
use der::Decode;
use x509_cert::Certificate;

/// Name patterns that an anchor may have.
const MOST_PATTERNS: usize = 64;
/// Characters of a common name (RFC 5280 appendix A.1).
const LONGEST_PATTERN: usize = 64;

/// A trust anchor to be registered.
#[derive(Debug, Clone)]
pub struct NewAnchor {
    /// DER or PEM.
    pub certificate: Vec<u8>,
    /// Whom it may make peer, orderer or client.
    pub patterns: Vec<NamePattern>,
}

/// A principal to be registered: its name and its public key are its certificate's.
#[derive(Debug, Clone)]
pub struct NewPrincipal {
    /// Its role.
    pub role: Role,
    /// DER or PEM.
    pub certificate: Vec<u8>,
}

impl NewAnchor {
    /// As it would be registered.
    pub(super) fn of(self, organization: &OrganizationName, field: &'static str) -> Result<TrustAnchor, Error> {
        let certificate = BoundCertificate::parse(&self.certificate).map_err(|error| Error::invalid(field, error))?;
        require_patterns(&self.patterns)?;
        Ok(TrustAnchor {
            organization: organization.clone(),
            certificate: certificate.der().to_owned(),
            patterns: self.patterns,
            removed: false,
        })
    }
}

impl NewPrincipal {
    /// As it would be registered, and its certificate, DER. Whether anyone vouches for it is not checked.
    pub(super) fn of(
        &self,
        organization: &OrganizationName,
        field: &'static str,
    ) -> Result<(Registration, Vec<u8>), Error> {
        let der = BoundCertificate::parse(&self.certificate).map_err(|error| Error::invalid(field, error))?;
        let certificate = Certificate::from_der(der.der()).map_err(|error| Error::invalid(field, error))?;
        let subject =
            Subject::of(certificate.tbs_certificate().subject()).map_err(|error| Error::invalid(field, error))?;
        let common_name = subject.common_name().map_err(|error| Error::invalid(field, error))?;
        let name = organization.principal(common_name).map_err(|error| Error::invalid(field, error))?;
        let key = PublicKey::parse(der.public_key()).map_err(|error| Error::invalid(field, error))?;
        if !is_in_tls(key.algorithm()) {
            let why = format!("TLS lacks {}; use a key of P-256, P-384, P-521, Ed25519 or RSA", key.algorithm());
            return Err(Error::invalid(field, why));
        }
        Ok((Registration { name, role: self.role, public_keys_sha256: vec![key.sha256()] }, der.der().to_owned()))
    }
}

/// Refuses patterns that no name or every mistake fits; which roles they may give, the registry says.
pub(super) fn require_patterns(patterns: &[NamePattern]) -> Result<(), Error> {
    if patterns.len() > MOST_PATTERNS {
        return Err(Error::invalid(
            "patterns",
            format!("{} patterns; an anchor may have {MOST_PATTERNS}", patterns.len()),
        ));
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || "@._-*".contains(c);
    let bad = |text: &str| text.is_empty() || text.len() > LONGEST_PATTERN || !text.chars().all(fits);
    match patterns.iter().find(|pattern| bad(&pattern.pattern)) {
        Some(_) => Err(Error::invalid(
            "patterns",
            "a pattern has 1 to 64 of A-Z, a-z, 0-9, `-`, `.`, `_`, `@` and `*`, e.g. `peer*.org1`",
        )),
        None => Ok(()),
    }
}
