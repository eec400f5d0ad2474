//! By which hashes a certificate is known.

use super::Signed;
use crate::{
    crypto::{from_der, other_s, sha256, to_der},
    model::Algorithm,
};
use der::Decode;

/// SHA-256 of a certificate's DER, as it is and as whoever has it can also write it: where its issuer signed with ECDSA,
/// (r, n - s) verifies as (r, s) does.
pub(crate) fn fingerprints(certificate: &[u8], issuer: Algorithm) -> Vec<[u8; 32]> {
    let as_it_is = sha256(certificate);
    let otherwise = || {
        issuer.ecdsa_width()?;
        let signed = Signed::from_der(certificate).ok()?;
        let raw = from_der(issuer, signed.signature().ok()?).ok()?;
        let other = to_der(issuer, &other_s(issuer, &raw).ok()?).ok()?;
        Some(sha256(&Signed::encode(&signed.to_be_signed().ok()?, signed.algorithm().clone(), &other)))
    };
    std::iter::once(as_it_is).chain(otherwise()).collect()
}
