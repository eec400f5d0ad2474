//! The proof that an authority wants to vouch for an organization: its key's signature over both names.
//!
//! **Invariant**: a proof is of one deployment and one organization, so that nobody can use it elsewhere.

use crate::{
    certificates::{AuthorityCertificate, signature_algorithm},
    error::Error,
    model::{Hash, OrganizationName},
};

/// What is signed.
pub(super) fn text(deployment: &str, organization: &OrganizationName) -> Vec<u8> {
    format!("chancery trust anchor v1\n{deployment}\n{organization}\n").into_bytes()
}

/// Checks a proof as openssl makes it: ECDSA, DER, and RSA PKCS #1, both of SHA-256, or Ed25519.
pub(super) fn require(authority: &AuthorityCertificate, text: &[u8], proof: &[u8]) -> Result<(), Error> {
    let key = authority.public_key();
    // Ed25519 hashes by itself.
    let hash = key.algorithm().default_hash().map(|_| Hash::Sha256);
    let verified = signature_algorithm(key.algorithm(), hash).map(|algorithm| key.verify(&algorithm, text, proof));
    match verified {
        Some(Ok(())) => Ok(()),
        _ => Err(Error::invalid(
            "proof",
            "it is not the anchor key's signature over `proof_text` of ListTrustAnchors: make it with `openssl dgst -sha256 \
             -sign` (ECDSA, RSA) or `openssl pkeyutl -sign -rawin` (Ed25519), or leave it away and have a second officer \
             approve",
        )),
    }
}
