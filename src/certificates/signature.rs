//! The signature algorithms of certificates and requests: their identifiers, and checking in software.

use super::{CertificateError, PublicKey};
use crate::{
    crypto::{self, Signable, from_der},
    model::{Algorithm, Hash},
};
use const_oid::{
    ObjectIdentifier,
    db::{
        rfc5912::{
            ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ECDSA_WITH_SHA_512, SHA_256_WITH_RSA_ENCRYPTION,
            SHA_384_WITH_RSA_ENCRYPTION, SHA_512_WITH_RSA_ENCRYPTION,
        },
        rfc8410::ID_ED_25519,
    },
};
use der::{
    Any, AnyRef, Decode, Encode, Tag,
    asn1::{BitStringRef, Null},
};
use spki::AlgorithmIdentifierOwned;

/// How a signature by a key of `algorithm` over a digest by `hash` is named in certificates: RFC 5758 §3.2 (ECDSA, no
/// parameters), RFC 4055 §5 (RSASSA-PKCS1-v1_5, NULL), RFC 8410 §3 (Ed25519, no parameters, `hash` is ignored).
///
/// Certificates are signed with [`Algorithm::default_hash`].
pub fn signature_algorithm(algorithm: Algorithm, hash: Hash) -> AlgorithmIdentifierOwned {
    let (ecdsa, rsa) = match hash {
        Hash::Sha256 => (ECDSA_WITH_SHA_256, SHA_256_WITH_RSA_ENCRYPTION),
        Hash::Sha384 => (ECDSA_WITH_SHA_384, SHA_384_WITH_RSA_ENCRYPTION),
        Hash::Sha512 => (ECDSA_WITH_SHA_512, SHA_512_WITH_RSA_ENCRYPTION),
    };
    let bare = |oid: ObjectIdentifier| AlgorithmIdentifierOwned { oid, parameters: None };
    match algorithm {
        Algorithm::Ed25519 => bare(ID_ED_25519),
        algorithm if algorithm.is_rsa() => AlgorithmIdentifierOwned { oid: rsa, parameters: Some(Any::from(Null)) },
        _ => bare(ecdsa),
    }
}

/// The identifier for what a key of `algorithm` signs certificates and requests with.
pub(super) fn default_signature_algorithm(algorithm: Algorithm) -> AlgorithmIdentifierOwned {
    // Ed25519 hashes by itself; its identifier names no hash.
    signature_algorithm(algorithm, algorithm.default_hash().unwrap_or(Hash::Sha512))
}

impl PublicKey {
    /// Checks a signature over `message`: ECDSA as Ecdsa-Sig-Value, DER (RFC 3279 §2.2.3), high or low s; RSA by
    /// RSASSA-PKCS1-v1_5; Ed25519.
    ///
    /// # Errors
    /// [`CertificateError::UnsupportedSignature`] when `algorithm` is none that this key makes,
    /// [`CertificateError::BadSignature`] when the signature does not verify.
    pub fn verify(
        &self,
        algorithm: &AlgorithmIdentifierOwned,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CertificateError> {
        let (kind, hash) = (self.algorithm(), self.hash_named_by(algorithm)?);
        let hash = (kind != Algorithm::Ed25519).then_some(hash);
        let verifies = || {
            let key = crypto::PublicKey::parse(kind, self.der()).ok()?;
            let input = Signable::Message { hash, value: message.to_vec() }.fit(kind, None).ok()?;
            let signature = match kind.ecdsa_width() {
                Some(_) => from_der(kind, signature).ok()?,
                None => signature.to_vec(),
            };
            key.verify(&input, &signature).then_some(())
        };
        verifies().ok_or(CertificateError::BadSignature)
    }

    fn hash_named_by(&self, given: &AlgorithmIdentifierOwned) -> Result<Hash, CertificateError> {
        let accepted = |hash: &Hash| {
            let expected = signature_algorithm(self.algorithm(), *hash);
            // RFC 4055 §5: a verifier accepts RSA with absent parameters as well as with NULL.
            let absent = self.algorithm().is_rsa() && given.parameters.is_none();
            given.oid == expected.oid && (absent || given.parameters == expected.parameters)
        };
        Hash::ALL.iter().copied().find(accepted).ok_or_else(|| CertificateError::UnsupportedSignature {
            given: given.oid.to_string(),
            key: self.algorithm().as_str(),
        })
    }
}

/// What PKCS #10 requests and X.509 certificates have in common (the SIGNED type of X.509 §6).
#[derive(der::Sequence)]
pub(crate) struct Signed<'a> {
    to_be_signed: AnyRef<'a>,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitStringRef<'a>,
}

impl<'a> Signed<'a> {
    /// The bytes that the signature is over, as they came.
    pub(crate) fn to_be_signed(&self) -> der::Result<Vec<u8>> {
        self.to_be_signed.to_der()
    }

    pub(crate) fn algorithm(&self) -> &AlgorithmIdentifierOwned {
        &self.algorithm
    }

    pub(crate) fn signature(&self) -> der::Result<&'a [u8]> {
        self.signature.as_bytes().ok_or_else(|| Tag::BitString.value_error().into())
    }

    /// `to_be_signed` must be a DER value.
    pub(super) fn encode(to_be_signed: &[u8], algorithm: AlgorithmIdentifierOwned, signature: &[u8]) -> Vec<u8> {
        let encode = || {
            let (to_be_signed, signature) = (AnyRef::from_der(to_be_signed)?, BitStringRef::from_bytes(signature)?);
            Signed { to_be_signed, algorithm, signature }.to_der()
        };
        encode().expect("a DER value, an identifier and a signature, all far under the encoder's 256 MiB")
    }
}
