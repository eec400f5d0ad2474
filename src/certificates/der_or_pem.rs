//! Structures as people have them in files: DER, or PEM around it.

use super::CertificateError;
use std::borrow::Cow;

/// The DER of one structure, which stands there as it is or as PEM (RFC 7468) under one of `labels`, in at
/// most `maximum` bytes.
pub(super) fn der_or_pem<'b>(
    bytes: &'b [u8],
    maximum: usize,
    what: &'static str,
    labels: &[&str],
) -> Result<Cow<'b, [u8]>, CertificateError> {
    if bytes.len() > maximum {
        return Err(CertificateError::TooLarge { given: bytes.len(), maximum });
    }
    if !bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
        return Ok(Cow::Borrowed(bytes));
    }
    let malformed = |why: String| CertificateError::Malformed { what, why };
    match der::pem::decode_vec(bytes.trim_ascii()) {
        Ok((label, der)) if labels.contains(&label) => Ok(Cow::Owned(der)),
        Ok((label, _)) => {
            let label: String = label.chars().take(40).collect();
            Err(malformed(format!("the PEM holds a {label}; give a {}", labels[0])))
        }
        Err(error) => Err(malformed(error.to_string())),
    }
}
