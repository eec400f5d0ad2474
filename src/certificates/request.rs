//! Certificate signing requests (PKCS #10, RFC 2986): built for a key kept here, and parsed from whoever sends one.

use super::{
    CertificateError, PublicKey, Subject, SubjectAlternativeName,
    der_or_pem::der_or_pem,
    signature::{Signed, default_signature_algorithm},
    subject,
};
use const_oid::{AssociatedOid, db::rfc5912::ID_EXTENSION_REQ};
use der::{Decode, Encode, asn1::SetOfVec};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::{
    attr::Attributes,
    ext::{ToExtension, pkix::SubjectAltName},
    name::Name,
    request::{CertReqInfo, ExtensionReq, Version},
};

/// The most bytes that a request or a certificate may have, DER or PEM.
pub const MAXIMUM_REQUEST_SIZE: usize = 64 * 1024;

const WHAT: &str = "certificate signing request";
/// RFC 7468 §7.
const LABELS: [&str; 2] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];

/// A request that awaits its signature.
#[derive(Debug)]
pub struct RequestDraft {
    to_be_signed: Vec<u8>,
    signature_algorithm: AlgorithmIdentifierOwned,
}

impl RequestDraft {
    /// `subject` as RFC 4514 text with one CN, `alternative_names` each `dns:NAME` or `ip:ADDRESS`, `public_key` a
    /// SubjectPublicKeyInfo, DER.
    ///
    /// # Errors
    /// [`CertificateError`], naming the part that is not accepted.
    pub fn new(
        subject: &str,
        alternative_names: &[impl AsRef<str>],
        public_key: &[u8],
    ) -> Result<Self, CertificateError> {
        let subject = subject::parse(subject)?;
        Subject::of(&subject)?.common_name()?;
        let names = alternative_names.iter().map(|name| name.as_ref().parse()).collect::<Result<Vec<_>, _>>()?;
        let key = PublicKey::parse(public_key)?;
        let info = CertReqInfo {
            version: Version::V1,
            attributes: asking_for(&subject, &names)?,
            subject,
            public_key: SubjectPublicKeyInfoOwned::from_der(key.der()).map_err(CertificateError::Encoding)?,
        };
        let to_be_signed = info.to_der().map_err(CertificateError::Encoding)?;
        Ok(Self { to_be_signed, signature_algorithm: default_signature_algorithm(&key)? })
    }

    /// What the key signs, hashed with [`crate::model::Algorithm::default_hash`]: CertificationRequestInfo, DER.
    pub fn to_be_signed(&self) -> &[u8] {
        &self.to_be_signed
    }

    /// The request, DER. `signature` as X.509 has it: Ecdsa-Sig-Value for ECDSA and SM2, else the algorithm's own form.
    pub fn finish(self, signature: &[u8]) -> Vec<u8> {
        Signed::encode(&self.to_be_signed, self.signature_algorithm, signature)
    }
}

/// The extensionRequest attribute (RFC 2985 §5.4.2), left out when there is nothing to ask for.
fn asking_for(subject: &Name, names: &[SubjectAlternativeName]) -> Result<Attributes, CertificateError> {
    let mut attributes = SetOfVec::new();
    if !names.is_empty() {
        let names = names.iter().map(SubjectAlternativeName::to_general_name).collect::<Result<_, _>>()?;
        let extension = SubjectAltName(names).to_extension(subject, &[]).map_err(CertificateError::Encoding)?;
        let attribute = ExtensionReq(vec![extension]).try_into().map_err(CertificateError::Encoding)?;
        attributes.insert(attribute).map_err(CertificateError::Encoding)?;
    }
    Ok(attributes)
}

/// A request whose signature verified: its sender holds the private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRequest {
    name: Name,
    subject: Subject,
    public_key: PublicKey,
    alternative_names: Vec<SubjectAlternativeName>,
}

impl CertificateRequest {
    /// From DER or PEM (RFC 7468 §7), and checks its own signature: the proof of possession. Extensions asked for
    /// other than subject alternative names are ignored: they are the profile's to give.
    ///
    /// # Errors
    /// [`CertificateError`]: too large, malformed, an unsupported key or alternative name, or a bad signature.
    pub fn parse(bytes: &[u8]) -> Result<Self, CertificateError> {
        Self::parse_der(&der_or_pem(bytes, MAXIMUM_REQUEST_SIZE, WHAT, &LABELS)?)
    }

    fn parse_der(der: &[u8]) -> Result<Self, CertificateError> {
        let malformed = CertificateError::malformed(WHAT);
        let signed = Signed::from_der(der).map_err(&malformed)?;
        let to_be_signed = signed.to_be_signed().map_err(&malformed)?;
        // The version is checked here: only v1(0) decodes.
        let info = CertReqInfo::from_der(&to_be_signed).map_err(&malformed)?;
        let public_key = PublicKey::parse(&info.public_key.to_der().map_err(&malformed)?)?;
        public_key.verify(signed.algorithm(), &to_be_signed, signed.signature().map_err(&malformed)?)?;
        Ok(Self {
            subject: Subject::of(&info.subject)?,
            name: info.subject,
            public_key,
            alternative_names: asked_for(&info.attributes)?,
        })
    }

    /// The parts of the subject.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The key that the request is for, and was signed with.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The DNS names and IP addresses asked for.
    pub fn alternative_names(&self) -> &[SubjectAlternativeName] {
        &self.alternative_names
    }

    pub(super) fn name(&self) -> &Name {
        &self.name
    }
}

fn asked_for(attributes: &Attributes) -> Result<Vec<SubjectAlternativeName>, CertificateError> {
    let malformed = CertificateError::malformed("extension request");
    let mut asked = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.oid == ID_EXTENSION_REQ) {
        for value in attribute.values.iter() {
            let request: ExtensionReq = value.decode_as().map_err(&malformed)?;
            asked.extend(request.0.into_iter().filter(|extension| extension.extn_id == SubjectAltName::OID));
        }
    }
    match asked.as_slice() {
        [] => Ok(Vec::new()),
        [one] => {
            let names = SubjectAltName::from_der(one.extn_value.as_bytes()).map_err(&malformed)?;
            names.0.iter().map(SubjectAlternativeName::from_general_name).collect()
        }
        _ => Err(CertificateError::SubjectAlternativeName("asked for several times; ask once".into())),
    }
}
