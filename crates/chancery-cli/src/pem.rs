//! PEM and DER files of others.
//!
//! **Not here**: private keys ([`crate::private_key`]).

use crate::failure::CliError;
use der::{Decode as _, Encode as _, pem};
use spki::SubjectPublicKeyInfoRef;
use std::path::Path;
use x509_cert::Certificate;
use zeroize::Zeroizing;

/// No key or certificate file is longer than this, in bytes.
pub(crate) const MAX_FILE: u64 = 256 << 10;

/// The first block with one of these labels, and its content.
pub(crate) fn block<'l>(text: &[u8], labels: &[&'l str]) -> Option<(&'l str, Zeroizing<Vec<u8>>)> {
    labels.iter().find_map(|label| {
        let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
        let start = find(text, begin.as_bytes())?;
        let length = find(&text[start..], end.as_bytes())? + end.len();
        let (_, der) = pem::decode_vec(&text[start..start + length]).ok()?;
        Some((*label, Zeroizing::new(der)))
    })
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// The SubjectPublicKeyInfo (DER) of a public key, or of the certificate that holds it, in PEM or DER.
pub(crate) fn public_key(path: &Path, file: &[u8]) -> Result<Vec<u8>, CliError> {
    let der = match block(file, &["PUBLIC KEY", "CERTIFICATE"]) {
        Some((_, der)) => der,
        None => Zeroizing::new(file.to_vec()),
    };
    if SubjectPublicKeyInfoRef::from_der(&der).is_ok() {
        return Ok(der.to_vec());
    }
    let certified = Certificate::from_der(&der)
        .ok()
        .and_then(|certificate| certificate.tbs_certificate().subject_public_key_info().to_der().ok());
    certified.ok_or_else(|| {
        CliError::Rejected(format!("{} holds neither a public key nor a certificate, PEM or DER", path.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use p256::pkcs8::EncodePublicKey as _;

    #[test]
    fn a_public_key_is_found_in_each_form() {
        let key = p256::SecretKey::from_slice(&[7; 32]).unwrap().public_key();
        let (der, pem) = (key.to_public_key_der().unwrap(), key.to_public_key_pem(Default::default()).unwrap());
        let path = Path::new("peer.pem");
        assert_eq!(public_key(path, der.as_bytes()).unwrap(), der.as_bytes());
        assert_eq!(public_key(path, format!("a comment\n{pem}").as_bytes()).unwrap(), der.as_bytes());

        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        let spki = rcgen::PublicKeyData::subject_public_key_info(&made.signing_key);
        assert_eq!(public_key(path, made.cert.pem().as_bytes()).unwrap(), spki);
        assert_eq!(public_key(path, made.cert.der()).unwrap(), spki);
        let error = public_key(path, b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n").unwrap_err();
        assert_eq!(error.exit_code(), 65);
    }
}
