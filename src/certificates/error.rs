//! What can be wrong with a request, a certificate or their parts.

use crate::model::Algorithm;

/// Why a request or certificate was not accepted, or could not be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// More bytes than a request or a certificate may have.
    #[error("it is {given} bytes long, at most {maximum} are accepted")]
    TooLarge {
        /// Its length in bytes.
        given: usize,
        /// The most that is accepted.
        maximum: usize,
    },
    /// It does not parse.
    #[error("malformed {what}: {why}")]
    Malformed {
        /// What was being parsed.
        what: &'static str,
        /// What the parser found.
        why: String,
    },
    /// A public key that is none of the algorithms kept here, or not in its one encoding.
    #[error("unsupported public key: {0}")]
    UnsupportedKey(String),
    /// A signature algorithm that the key can't have used, or that is not accepted.
    #[error("signature algorithm {given} is not accepted for the {key} key; {}", accepted(*.key))]
    UnsupportedSignature {
        /// Its object identifier.
        given: String,
        /// The key's algorithm.
        key: Algorithm,
    },
    /// The signature does not verify.
    #[error(
        "the signature does not verify with the public key; make the request anew, signed with its own private key"
    )]
    BadSignature,
    /// The distinguished name can't be taken.
    #[error("subject: {0}")]
    Subject(String),
    /// An alternative name can't be taken.
    #[error("subject alternative name: {0}")]
    SubjectAlternativeName(String),
    /// The issuer's certificate or key can't issue this.
    #[error("issuer: {0}")]
    Issuer(String),
    /// What was built does not encode: a defect here, not of the request.
    #[error("encoding failed: {0}")]
    Encoding(der::Error),
}

/// What a key may have signed with.
fn accepted(key: Algorithm) -> &'static str {
    match key {
        Algorithm::Sm2 => "sign with SM3",
        _ if key.default_hash().is_none() => "sign with the algorithm's own, without parameters",
        _ => "sign with SHA-256, SHA-384 or SHA-512",
    }
}

impl CertificateError {
    pub(super) fn malformed(what: &'static str) -> impl Fn(der::Error) -> Self {
        move |error| Self::Malformed { what, why: error.to_string() }
    }
}

/// Text of others, made fit for a message: escaped, and not at length.
pub(crate) fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(80).flat_map(char::escape_default).collect();
    if text.chars().nth(80).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}
