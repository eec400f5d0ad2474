//! A certificate file, and what is shown of it before anyone relies on it.
//!
//! **Invariant**: a file with several certificates is refused: which of them was meant must not be a guess.

use crate::{failure::CliError, files, pem};
use der::{Decode as _, Encode as _, asn1::ObjectIdentifier};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use x509_cert::{Certificate, ext::pkix::name::DirectoryString};

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// A certificate that was given as a file.
pub(super) struct Given {
    path: PathBuf,
    certificate: Certificate,
    /// As it is sent.
    pub(super) der: Vec<u8>,
}

/// Reads a certificate, PEM or DER.
///
/// # Errors
/// [`CliError::Rejected`] when there is none in the file, or more than one.
pub(super) fn read(path: &Path) -> Result<Given, CliError> {
    let file = files::read(path, pem::MAX_FILE)?;
    if file.windows(BEGIN.len()).filter(|window| *window == BEGIN).count() > 1 {
        let path = path.display();
        return Err(CliError::Rejected(format!("{path} holds several certificates: give a file with the one meant")));
    }
    let der = pem::block(&file, &["CERTIFICATE"]).map_or(file, |(_, der)| der.to_vec());
    let certificate = Certificate::from_der(&der)
        .map_err(|_| CliError::Rejected(format!("{} holds no certificate, PEM or DER", path.display())))?;
    Ok(Given { path: path.to_owned(), certificate, der })
}

const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

impl Given {
    /// RFC 4514.
    pub(super) fn subject(&self) -> String {
        self.certificate.tbs_certificate().subject().to_string()
    }

    /// The name that it gives a principal.
    ///
    /// # Errors
    /// [`CliError::Rejected`] unless the subject has one common name.
    pub(super) fn common_name(&self) -> Result<String, CliError> {
        let mut names = (self.certificate.tbs_certificate().subject().iter())
            .filter(|attribute| attribute.oid == COMMON_NAME)
            .map(|attribute| DirectoryString::try_from(&attribute.value).map(|name| name.value().into_owned()));
        match (names.next(), names.next()) {
            (Some(Ok(name)), None) => Ok(name),
            _ => Err(CliError::Rejected(format!(
                "{}: a principal's certificate has one common name (CN), and the subject is {}",
                self.path.display(),
                self.subject()
            ))),
        }
    }

    /// SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` says it, without colons.
    pub(super) fn sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.der).into()
    }

    /// SHA-256 of its SubjectPublicKeyInfo.
    pub(super) fn public_key_sha256(&self) -> Result<[u8; 32], CliError> {
        let spki = self.certificate.tbs_certificate().subject_public_key_info().to_der();
        spki.map(|spki| Sha256::digest(spki).into())
            .map_err(|_| CliError::Rejected(format!("{}: its public key does not encode", self.path.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair};
    use std::fs;

    fn made(names: &[&str]) -> rcgen::Certificate {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for name in names {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        params.self_signed(&KeyPair::generate().unwrap()).unwrap()
    }

    #[test]
    fn one_certificate_in_either_form() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let certificate = made(&["ca.org1"]);
        for file in [certificate.pem().into_bytes(), certificate.der().to_vec()] {
            fs::write(&path, file).unwrap();
            let given = read(&path).unwrap();
            assert_eq!((given.common_name().unwrap().as_str(), &given.der[..]), ("ca.org1", &certificate.der()[..]));
            assert_eq!(given.subject(), "CN=ca.org1");
        }
        for file in [certificate.pem().repeat(2), "no certificate".into()] {
            fs::write(&path, file).unwrap();
            assert_eq!(read(&path).err().unwrap().exit_code(), 65);
        }
        fs::write(&path, made(&[]).pem()).unwrap();
        assert_eq!(read(&path).unwrap().common_name().unwrap_err().exit_code(), 65);
    }
}
