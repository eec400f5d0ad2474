//! From a verified chain to a principal.

use super::{
    IdentityError, Registry,
    anchor::{display, is_in_tls},
    chain::Vouched,
};
use crate::{
    certificates::{PublicKey, Subject, fingerprints, validity},
    model::{OrganizationName, Principal, PrincipalName, Role, Suspended},
};
use der::Encode;
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_cert::ext::pkix::KeyUsage;

/// A client that was identified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who it is, and as what.
    pub principal: Principal,
    /// Whether the certificate alone makes it that, rather than a registration: then its public key is held against
    /// those that are known of its name.
    pub by_certificate: bool,
    /// SHA-256 of the certificate's SubjectPublicKeyInfo, DER.
    pub public_key_sha256: [u8; 32],
    /// Since the Unix epoch, the first second that its certificate is valid.
    pub not_before: u64,
    /// Since the Unix epoch, the last second that both its certificate and its trust anchor's are valid, or the first that
    /// the anchor's revocation list is not, whichever comes first: from then on it is judged anew.
    pub not_after: u64,
}

impl Registry {
    /// Identifies the holder of a chain, the client's certificate first; possession of the private key is the
    /// handshake's to prove. `held_here` says whether the SHA-256 of a SubjectPublicKeyInfo is that of a key kept by
    /// this service.
    ///
    /// # Errors
    /// [`IdentityError`], with what its holder can do about it.
    pub fn identify(
        &self,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
        held_here: &dyn Fn(&[u8; 32]) -> bool,
    ) -> Result<Identity, IdentityError> {
        // 1. Whose: the organization in whose anchors the chain ends.
        let vouched = self.vouched(chain, now)?;
        let Vouched { certificate, organization, issuers, .. } = &vouched;
        // 2. Issued by a registered anchor itself: patterns are the anchor's, and say nothing of authorities below it.
        let Some(valid_until) = issuers.iter().map(|anchor| *anchor.validity().end()).max() else {
            return Err(IdentityError::UnknownAnchor(format!(
                "the certificate was issued through {}, an intermediate authority that {organization} did not \
                 register; register that authority itself as a trust anchor, or use a certificate that a registered \
                 one issued directly",
                display(certificate.tbs_certificate().issuer())
            )));
        };
        for fingerprint in issuers.iter().flat_map(|anchor| fingerprints(&chain[0], anchor.algorithm())) {
            self.require_not_suspended(organization, Suspended::Certificate(fingerprint))?;
        }
        // 3. For signing, by a key in its one encoding that is not kept here.
        let certified = certificate.tbs_certificate();
        let malformed = |error: der::Error| IdentityError::Malformed(error.to_string());
        let usage = certified.get_extension::<KeyUsage>().map_err(malformed)?;
        if usage.is_some_and(|(_, usage)| !usage.digital_signature()) {
            return Err(IdentityError::Unfit("its key usage lacks digitalSignature; have it issued with that".into()));
        }
        let key = PublicKey::parse(&certified.subject_public_key_info().to_der().map_err(malformed)?)
            .map_err(|error| IdentityError::Malformed(error.to_string()))?;
        if !is_in_tls(key.algorithm()) {
            return Err(IdentityError::Unfit(format!(
                "TLS lacks {}; use a key of P-256, P-384, P-521, Ed25519 or RSA",
                key.algorithm()
            )));
        }
        let public_key_sha256 = key.sha256();
        if held_here(&public_key_sha256) {
            return Err(IdentityError::KeyHeldHere);
        }
        self.require_not_suspended(organization, Suspended::PublicKey(public_key_sha256))?;
        // 4. Who: one common name.
        let subject = Subject::of(certified.subject()).map_err(|error| IdentityError::Malformed(error.to_string()))?;
        let name = (subject.common_name().map_err(|error| error.to_string()))
            .and_then(|name| organization.principal(name).map_err(|error| error.to_string()))
            .map_err(IdentityError::Ambiguous)?;
        self.require_not_suspended(organization, Suspended::Principal(name.clone()))?;
        // 5. As what: the registry's word, else the certificate's within the registry's bounds.
        let registration = self.registration(organization, &public_key_sha256);
        let role = match registration {
            Some((registered, role)) if *registered == name => *role,
            Some((registered, _)) => {
                let why = format!("its public key is registered for {registered}; use that common name");
                return Err(IdentityError::NameNotAllowed { name, why });
            }
            None => self.role_by_certificate(&vouched, &subject, &name)?,
        };
        // 6. Not revoked.
        let identity = Identity {
            principal: Principal { name, role, certificate_fingerprint: vouched.fingerprint },
            public_key_sha256,
            not_before: *validity(certified).start(),
            by_certificate: registration.is_none(),
            not_after: valid_until.min(*validity(certified).end()),
        };
        self.unrevoked(&vouched, identity, now)
    }

    /// Whose trust anchor issued the chain, whatever else is wrong with it.
    pub fn vouching(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Option<OrganizationName> {
        self.vouched(chain, now).ok().map(|vouched| vouched.organization.clone())
    }

    fn role_by_certificate(
        &self,
        vouched: &Vouched<'_>,
        subject: &Subject,
        name: &PrincipalName,
    ) -> Result<Role, IdentityError> {
        let not_allowed = |why: &str| IdentityError::NameNotAllowed { name: name.clone(), why: why.to_owned() };
        if self.is_registered(name) {
            return Err(not_allowed(
                "it is registered with another public key; use that key, or have this one registered too",
            ));
        }
        let roles: Vec<Role> = (subject.organizational_units.iter())
            .filter_map(|unit| Role::BY_CERTIFICATE.into_iter().find(|role| role.as_str() == unit))
            .collect();
        match roles.as_slice() {
            [] => Err(IdentityError::NoRole(name.clone())),
            [role] if vouched.issuers.iter().any(|anchor| anchor.allows(*role, name.id())) => Ok(*role),
            [role] => Err(not_allowed(&format!(
                "its trust anchor may not make this name {role}; have the organization allow the anchor the name, or \
                 register the key"
            ))),
            _ => {
                Err(IdentityError::Ambiguous("several OUs of peer, orderer and client; have it issued with one".into()))
            }
        }
    }
}
