//! Keys in files, and certificates made with them: the server's own, and in development the clients'.
//!
//! **Invariant**: private keys of organizations never come here; these are TLS keys.

use super::{DeploymentError, pem};
use crate::certificates::{CertificateDraft, CertificateRequest, Issuance, Profile, RequestDraft};
use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};

/// A P-256 key of this process, until it is written to its file.
pub(super) struct FileKey(EcdsaKeyPair);

fn broken(error: impl std::fmt::Display) -> DeploymentError {
    DeploymentError::Internal(error.to_string())
}

pub(super) fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0)
}

pub(super) fn serial() -> Result<[u8; 20], DeploymentError> {
    let mut serial = [0; 20];
    getrandom::fill(&mut serial).map_err(broken)?;
    Ok(serial)
}

impl FileKey {
    /// A fresh key.
    pub(super) fn generate() -> Result<Self, DeploymentError> {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map(Self).map_err(broken)
    }

    /// PKCS #8, PEM.
    pub(super) fn pem(&self) -> Result<String, DeploymentError> {
        let der = self.0.to_pkcs8v1().map_err(broken)?;
        pem("PRIVATE KEY", der.as_ref())
    }

    /// SubjectPublicKeyInfo, DER.
    pub(super) fn public_key(&self) -> Result<Vec<u8>, DeploymentError> {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().map_err(broken)?;
        Ok(der.as_ref().to_vec())
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, DeploymentError> {
        // Low s, as certificates for Fabric have it.
        let signature = self.0.sign(&SystemRandom::new(), message).map_err(broken)?;
        let raw = crate::crypto::from_der(crate::model::Algorithm::EcP256, signature.as_ref()).map_err(broken)?;
        crate::crypto::low_s(crate::model::Algorithm::EcP256, &raw)
            .and_then(|raw| crate::crypto::to_der(crate::model::Algorithm::EcP256, &raw))
            .map_err(broken)
    }

    /// A proven request for this key.
    pub(super) fn request(&self, subject: &str, names: &[String]) -> Result<CertificateRequest, DeploymentError> {
        let build = DeploymentError::certificate(subject);
        let draft = RequestDraft::new(subject, names, &self.public_key()?).map_err(build)?;
        let signature = self.sign(draft.to_be_signed())?;
        CertificateRequest::parse(&draft.finish(&signature)).map_err(DeploymentError::certificate(subject))
    }

    /// A certificate signed by this key; `authority` is its own, or `None` where it signs itself.
    pub(super) fn issue(
        &self,
        profile: Profile,
        request: &CertificateRequest,
        authority: Option<&[u8]>,
    ) -> Result<Vec<u8>, DeploymentError> {
        let issuance = Issuance {
            profile,
            request,
            issuer_key: &self.public_key()?,
            issuer_certificate: authority,
            serial: serial()?,
            now: now(),
        };
        let draft = CertificateDraft::new(&issuance).map_err(DeploymentError::certificate(profile))?;
        let signature = self.sign(draft.to_be_signed())?;
        Ok(draft.finish(&signature))
    }
}
