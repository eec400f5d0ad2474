//! Issuing: from a checked request and a profile to a certificate that awaits its signature.

use super::{
    AuthorityCertificate, CertificateError, CertificateRequest, Profile, PublicKey,
    error::quoted,
    signature::{Signed, default_signature_algorithm},
    subject,
};
use crate::model::OrganizationName;
use der::{DateTime, Decode, Encode, Sequence, asn1::OctetString};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use std::{ops::RangeInclusive, time::Duration};
use x509_cert::{
    certificate::Version,
    ext::{
        Extension, ToExtension,
        pkix::{AuthorityKeyIdentifier, BasicConstraints, KeyUsage, KeyUsages, SubjectAltName, SubjectKeyIdentifier},
    },
    name::Name,
    serial_number::SerialNumber,
    time::{Time, Validity},
};

/// Clocks of others may be this much behind, in seconds.
const BACKDATED: u64 = 5 * 60;

/// Everything that a certificate follows from.
#[derive(Debug, Clone, Copy)]
pub struct Issuance<'a> {
    /// What it is for.
    pub profile: Profile,
    /// Who asks, for which key.
    pub request: &'a CertificateRequest,
    /// The public key of the issuing key version: SubjectPublicKeyInfo, DER.
    pub issuer_key: &'a [u8],
    /// The issuing key version's certificate, DER; `None` for [`Profile::RootCa`], which signs itself.
    pub issuer_certificate: Option<&'a [u8]>,
    /// Random bytes for the serial number.
    pub serial: [u8; 20],
    /// Seconds since the Unix epoch.
    pub now: u64,
}

/// A certificate that awaits its signature.
#[derive(Debug)]
pub struct CertificateDraft {
    to_be_signed: Vec<u8>,
    signature_algorithm: AlgorithmIdentifierOwned,
}

/// TBSCertificate (RFC 5280 §4.1), version 3.
#[derive(Sequence)]
struct ToBeSigned {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: Version,
    serial_number: SerialNumber,
    signature: AlgorithmIdentifierOwned,
    issuer: Name,
    validity: Validity,
    subject: Name,
    subject_public_key_info: SubjectPublicKeyInfoOwned,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

/// Who signs: a key and the name it bears.
struct Issuer {
    name: Name,
    key: PublicKey,
    key_identifier: Vec<u8>,
    validity: RangeInclusive<u64>,
}

impl CertificateDraft {
    /// Checks the request against the profile and the issuer's certificate against its key, and builds what is to be
    /// signed. A node's subject is built anew: O (at most one, from the request), OU (the profile's), CN.
    ///
    /// # Errors
    /// [`CertificateError::Subject`] and [`CertificateError::SubjectAlternativeName`] when the request asks for what
    /// the profile does not give; [`CertificateError::Issuer`] when the issuer can't issue it.
    pub fn new(issuance: &Issuance<'_>) -> Result<Self, CertificateError> {
        let Issuance { profile, request, now, .. } = *issuance;
        let issuer = issuer(issuance)?;
        let subject = subject(profile, request)?;
        if profile != Profile::RootCa && subject == issuer.name {
            // It would look self-issued (RFC 5280 §3.2).
            return Err(CertificateError::Subject("it equals the issuer's; name the holder otherwise".into()));
        }
        let not_before = now.saturating_sub(BACKDATED).max(*issuer.validity.start());
        let not_after = now.saturating_add(profile.lifetime()).min(*issuer.validity.end());
        let signature_algorithm = default_signature_algorithm(&issuer.key)?;
        let certificate = ToBeSigned {
            version: Version::V3,
            serial_number: serial_number(issuance.serial)?,
            signature: signature_algorithm.clone(),
            validity: Validity::new(time(not_before)?, time(not_after)?),
            extensions: extensions(profile, request, &issuer, &subject)?,
            issuer: issuer.name,
            subject,
            subject_public_key_info: SubjectPublicKeyInfoOwned::from_der(request.public_key().der())
                .map_err(CertificateError::Encoding)?,
        };
        let to_be_signed = certificate.to_der().map_err(CertificateError::Encoding)?;
        Ok(Self { to_be_signed, signature_algorithm })
    }

    /// What the issuing key signs, hashed with [`crate::model::Algorithm::default_hash`]: TBSCertificate, DER.
    pub fn to_be_signed(&self) -> &[u8] {
        &self.to_be_signed
    }

    /// The certificate, DER. `signature` as X.509 has it: Ecdsa-Sig-Value for ECDSA and SM2 (Fabric takes low s only), else
    /// the algorithm's own form.
    pub fn finish(self, signature: &[u8]) -> Vec<u8> {
        Signed::encode(&self.to_be_signed, self.signature_algorithm, signature)
    }
}

fn issuer(issuance: &Issuance<'_>) -> Result<Issuer, CertificateError> {
    let Issuance { profile, request, issuer_certificate, now, .. } = *issuance;
    let key = PublicKey::parse(issuance.issuer_key)?;
    let Some(certificate) = issuer_certificate.filter(|_| profile != Profile::RootCa) else {
        if profile != Profile::RootCa {
            return Err(CertificateError::Issuer(
                "the issuing key has no certificate; issue its own first, with profile root-ca".into(),
            ));
        }
        if *request.public_key() != key {
            return Err(CertificateError::Issuer(
                "a root certificate is self-signed: make the request with the issuing key itself".into(),
            ));
        }
        let key_identifier = key.key_identifier().to_vec();
        return Ok(Issuer { name: request.name().clone(), key, key_identifier, validity: 0..=u64::MAX });
    };
    let certificate = AuthorityCertificate::parse(certificate)?;
    if *certificate.public_key() != key {
        return Err(CertificateError::Issuer(
            "the certificate is of another key than the one that issues; bind the issuing key's own".into(),
        ));
    }
    if !certificate.validity().contains(&now) {
        return Err(CertificateError::Issuer(
            "its certificate has expired or is not valid yet; check the clock, or renew the certificate".into(),
        ));
    }
    Ok(Issuer {
        name: certificate.subject().clone(),
        key,
        key_identifier: certificate.key_identifier().to_owned(),
        validity: certificate.validity().clone(),
    })
}

fn subject(profile: Profile, request: &CertificateRequest) -> Result<Name, CertificateError> {
    let asked = request.subject();
    let common_name = asked.common_name()?;
    if asked.organizations.len() > 1 {
        return Err(CertificateError::Subject("several organizations (O); give at most one".into()));
    }
    let Some(unit) = profile.organizational_unit() else { return Ok(request.name().clone()) };
    // The rule for principals' names does not depend on the organization.
    OrganizationName::from_id("any").and_then(|any| any.principal(common_name)).map_err(|_| {
        CertificateError::Subject(format!(
            "common name {} is no principal's: 1 to 64 of A-Z, a-z, 0-9, `-`, `.`, `_`, `@`",
            quoted(common_name)
        ))
    })?;
    if let Some(other) = asked.organizational_units.iter().find(|asked| *asked != unit) {
        return Err(CertificateError::Subject(format!(
            "the request asks for OU={}, profile {profile} gives OU={unit}; ask for that or for none",
            quoted(other)
        )));
    }
    subject::from_parts(asked.organizations.first().map(String::as_str), unit, common_name)
}

fn extensions(
    profile: Profile,
    request: &CertificateRequest,
    issuer: &Issuer,
    subject: &Name,
) -> Result<Vec<Extension>, CertificateError> {
    let octets = |bytes: &[u8]| OctetString::new(bytes).map_err(CertificateError::Encoding);
    let ca = profile == Profile::RootCa;
    let usage = if ca { KeyUsages::KeyCertSign | KeyUsages::CRLSign } else { KeyUsages::DigitalSignature.into() };
    let constraints = BasicConstraints { ca, path_len_constraint: ca.then_some(0) };
    let names = request.alternative_names();
    if !names.is_empty() && !profile.has_alternative_names() {
        return Err(CertificateError::SubjectAlternativeName(format!(
            "profile {profile} has none, the request asks for {}; leave it out",
            names[0]
        )));
    }
    let names = names.iter().map(|name| name.to_general_name()).collect::<Result<Vec<_>, _>>()?;

    let key_identifier = SubjectKeyIdentifier(octets(&request.public_key().key_identifier())?);
    let authority =
        AuthorityKeyIdentifier { key_identifier: Some(octets(&issuer.key_identifier)?), ..Default::default() };
    let mut extensions = vec![
        (true, &constraints).to_extension(subject, &[]),
        (true, &KeyUsage(usage)).to_extension(subject, &[]),
        (false, &key_identifier).to_extension(subject, &[]),
    ];
    if !ca {
        extensions.push((false, &authority).to_extension(subject, &[]));
    }
    if !names.is_empty() {
        extensions.push((false, &SubjectAltName(names)).to_extension(subject, &[]));
    }
    extensions.into_iter().collect::<Result<_, _>>().map_err(CertificateError::Encoding)
}

/// RFC 5280 §4.1.2.2: positive and at most 20 octets. 158 bits of the given bytes remain.
fn serial_number(mut bytes: [u8; 20]) -> Result<SerialNumber, CertificateError> {
    bytes[0] = bytes[0] & 0x3f | 0x40;
    SerialNumber::new(&bytes).map_err(CertificateError::Encoding)
}

/// RFC 5280 §4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050.
fn time(seconds: u64) -> Result<Time, CertificateError> {
    DateTime::from_unix_duration(Duration::from_secs(seconds)).map(Time::from).map_err(CertificateError::Encoding)
}
