//! Certificate signing requests (PKCS #10, RFC 2986), certificates and revocation lists (X.509, RFC 5280): parsed,
//! checked, and, but for lists, built.
//!
//! Building has two phases, since the private key is elsewhere: a draft gives the bytes to be signed, and is finished
//! with the signature over them.
//!
//! **Invariants**
//! * A [`PublicKey`] has one encoding: two of them are the same key exactly if their bytes are equal.
//! * A [`CertificateRequest`] proved possession of its private key.
//! * Of a request only its key, its name and its DNS names and IP addresses reach a certificate; everything else comes
//!   from the [`Profile`].
//!
//! **Not here**: I/O, clocks and random numbers (all given by the caller), signing (`enclave`), whether the caller may
//! ask (`policy`), what a client certificate is worth (`identity`).

mod authority;
mod bound;
mod certificate_list;
mod der_or_pem;
mod error;
mod fingerprints;
mod issue;
mod profile;
mod public_key;
mod request;
mod signature;
mod subject;
mod subject_alternative_name;
#[cfg(test)]
mod tests;

pub use authority::AuthorityCertificate;
pub(crate) use authority::{authority_id, validity};
pub use bound::BoundCertificate;
pub use certificate_list::{CertificateList, ListNumber, MAXIMUM_LIST_SIZE, list_der};
pub use error::CertificateError;
pub(crate) use error::quoted;
pub(crate) use fingerprints::fingerprints;
pub use issue::{CertificateDraft, Issuance};
pub use profile::Profile;
pub use public_key::PublicKey;
pub use request::{CertificateRequest, MAXIMUM_REQUEST_SIZE, RequestDraft};
pub(crate) use signature::Signed;
pub use signature::signature_algorithm;
pub use subject::Subject;
pub use subject_alternative_name::SubjectAlternativeName;
