//! The signature algorithms of certificates and requests: their identifiers, and checking in software.

use super::{
    CertificateError, PublicKey,
    public_key::{ID_ML_DSA_44, ID_ML_DSA_65, ID_ML_DSA_87},
};
use crate::{
    crypto::{self, Form, Signable},
    model::{Algorithm, Hash, SignatureFormat},
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

/// SM2 with SM3 (GM/T 0006).
const SM2_WITH_SM3: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.501");

/// How a signature by a key of `algorithm` over a digest by `hash` is named in certificates: RFC 5758 §3.2 (ECDSA, no
/// parameters), RFC 4055 §5 (RSASSA-PKCS1-v1_5, NULL), RFC 8410 §3 (Ed25519), RFC 9881 §2 (ML-DSA), GM/T 0006 (SM2 with
/// SM3), these three without parameters. `hash` is `None` for Ed25519 and ML-DSA, which hash by themselves.
///
/// `None` where X.509 has no name for it. Certificates are signed with [`Algorithm::default_hash`].
pub fn signature_algorithm(algorithm: Algorithm, hash: Option<Hash>) -> Option<AlgorithmIdentifierOwned> {
    let (ecdsa, rsa) = match hash {
        Some(Hash::Sha256) => (Some(ECDSA_WITH_SHA_256), Some(SHA_256_WITH_RSA_ENCRYPTION)),
        Some(Hash::Sha384) => (Some(ECDSA_WITH_SHA_384), Some(SHA_384_WITH_RSA_ENCRYPTION)),
        Some(Hash::Sha512) => (Some(ECDSA_WITH_SHA_512), Some(SHA_512_WITH_RSA_ENCRYPTION)),
        Some(Hash::Sm3) | None => (None, None),
    };
    let oid = match algorithm {
        Algorithm::Ed25519 if hash.is_none() => Some(ID_ED_25519),
        Algorithm::MlDsa44 if hash.is_none() => Some(ID_ML_DSA_44),
        Algorithm::MlDsa65 if hash.is_none() => Some(ID_ML_DSA_65),
        Algorithm::MlDsa87 if hash.is_none() => Some(ID_ML_DSA_87),
        Algorithm::Sm2 if hash == Some(Hash::Sm3) => Some(SM2_WITH_SM3),
        algorithm if algorithm.is_rsa() => rsa,
        algorithm if algorithm.ecdsa_width().is_some() => ecdsa,
        _ => None,
    };
    let parameters = algorithm.is_rsa().then(|| Any::from(Null));
    oid.map(|oid| AlgorithmIdentifierOwned { oid, parameters })
}

/// The identifier for what a key signs certificates and requests with.
pub(super) fn default_signature_algorithm(key: &PublicKey) -> Result<AlgorithmIdentifierOwned, CertificateError> {
    let algorithm = key.algorithm();
    signature_algorithm(algorithm, algorithm.default_hash())
        .ok_or_else(|| CertificateError::UnsupportedKey(format!("{algorithm} keys sign nothing")))
}

impl PublicKey {
    /// Checks a signature over `message`: ECDSA as Ecdsa-Sig-Value, DER (RFC 3279 §2.2.3), high or low s; RSA by
    /// RSASSA-PKCS1-v1_5; SM2 in the same form as ECDSA, by the default user id; Ed25519; ML-DSA.
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
        let verifies = || {
            let key = crypto::PublicKey::parse(kind, self.der()).ok()?;
            let message = Signable::Message { hash, value: message.to_vec(), user_id: None };
            let input = message.fit(&key, None).ok()?;
            let signature = Form::new(kind, SignatureFormat::Der, None).ok()?.read(&key, &input, signature)?;
            key.verify(&input, &signature).then_some(())
        };
        verifies().ok_or(CertificateError::BadSignature)
    }

    /// The hash that an identifier names; `None`: the algorithm's own.
    fn hash_named_by(&self, given: &AlgorithmIdentifierOwned) -> Result<Option<Hash>, CertificateError> {
        let accepted = |hash: &Option<Hash>| {
            // RFC 4055 §5: a verifier accepts RSA with absent parameters as well as with NULL.
            let absent = self.algorithm().is_rsa() && given.parameters.is_none();
            signature_algorithm(self.algorithm(), *hash).is_some_and(|expected| {
                given.oid == expected.oid && (absent || given.parameters == expected.parameters)
            })
        };
        let hashes = Hash::ALL.iter().copied().map(Some);
        hashes.chain([None]).find(accepted).ok_or_else(|| CertificateError::UnsupportedSignature {
            given: given.oid.to_string(),
            key: self.algorithm(),
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
