//! The TLS server's check of client certificates.

use super::{IdentityError, Registry};
use arc_swap::ArcSwap;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls13_signature},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, UnixTime};
use std::{sync::Arc, time::Duration};

/// Lets in whoever holds the key of a certificate whose chain ends in the trust anchors of exactly one organization
/// of the registry now in force. TLS 1.3 only; a certificate is mandatory.
///
/// An alert says little, so what is finer than that is judged by [`Registry::identify`] once the connection stands,
/// and answered to the caller.
#[derive(Debug)]
pub struct ClientVerifier {
    registry: Arc<ArcSwap<Registry>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientVerifier {
    /// A verifier that follows every change of `registry`.
    pub fn new(registry: Arc<ArcSwap<Registry>>) -> Self {
        Self { registry, algorithms: aws_lc_rs::default_provider().signature_verification_algorithms }
    }
}

impl ClientCertVerifier for ClientVerifier {
    /// None: strangers are not told who the members are.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let chain: Vec<_> = std::iter::once(end_entity).chain(intermediates).map(|one| (**one).into()).collect();
        match self.registry.load().vouched(&chain, now) {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(error) => Err(Error::InvalidCertificate(as_alert(&error, now))),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(PeerIncompatible::Tls12NotOfferedOrEnabled))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The TLS error, and with it the alert (RFC 8446 §6.2), that comes nearest.
fn as_alert(error: &IdentityError, time: UnixTime) -> CertificateError {
    let seconds = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    match error {
        IdentityError::UnknownAnchor(_) => CertificateError::UnknownIssuer,
        IdentityError::Expired { not_after, .. } => {
            CertificateError::ExpiredContext { time, not_after: seconds(*not_after) }
        }
        IdentityError::NotYetValid { not_before, .. } => {
            CertificateError::NotValidYetContext { time, not_before: seconds(*not_before) }
        }
        IdentityError::Malformed(_) => CertificateError::BadEncoding,
        IdentityError::Unfit(_) => CertificateError::InvalidPurpose,
        IdentityError::Revoked => CertificateError::Revoked,
        IdentityError::SeveralOrganizations
        | IdentityError::Ambiguous(_)
        | IdentityError::NameNotAllowed { .. }
        | IdentityError::NoRole(_)
        | IdentityError::KeyHeldHere
        | IdentityError::Suspended(_)
        | IdentityError::KeyUnseen { .. }
        | IdentityError::KeyPending { .. }
        | IdentityError::ListExpired { .. } => CertificateError::ApplicationVerificationFailure,
    }
}
