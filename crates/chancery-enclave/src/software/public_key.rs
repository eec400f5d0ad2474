//! SubjectPublicKeyInfo of opened keys, and of the other side of an agreement.
//!
//! **Invariant**: one key has one encoding (named curve, uncompressed point, NULL parameters for RSA, none for the
//! others), the same one that `spki` gives for keys of the token; no other is accepted from the other side.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ParsedPublicKey,
};
use chancery_ipc::KeyAlgorithm;
use der::{
    Any, AnyRef, Decode, Encode,
    asn1::{BitStringRef, Null, ObjectIdentifier},
};
use spki::{AlgorithmIdentifier, SubjectPublicKeyInfo};

use super::{bad_input, scalar::Curve};
use crate::fault::Failure;

/// RFC 5480 §2.1.1.
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// RFC 8017 §A.1.
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// An AlgorithmIdentifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identifier {
    oid: ObjectIdentifier,
    parameters: Parameters,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parameters {
    Absent,
    Null,
    Curve(ObjectIdentifier),
}

impl Identifier {
    /// The one of keys of `algorithm`; none for secret keys.
    pub(super) fn of(algorithm: KeyAlgorithm) -> Option<Self> {
        let curve = |oid| (EC_PUBLIC_KEY, Parameters::Curve(ObjectIdentifier::new_unwrap(oid)));
        let plain = |oid| (ObjectIdentifier::new_unwrap(oid), Parameters::Absent);
        let (oid, parameters) = match algorithm {
            KeyAlgorithm::EcP256 => curve("1.2.840.10045.3.1.7"),
            KeyAlgorithm::EcP384 => curve("1.3.132.0.34"),
            KeyAlgorithm::EcP521 => curve("1.3.132.0.35"),
            KeyAlgorithm::EcSecp256k1 => curve("1.3.132.0.10"),
            KeyAlgorithm::Sm2 => curve("1.2.156.10197.1.301"),
            KeyAlgorithm::Ed25519 => plain("1.3.101.112"),
            KeyAlgorithm::X25519 => plain("1.3.101.110"),
            KeyAlgorithm::MlDsa44 => plain("2.16.840.1.101.3.4.3.17"),
            KeyAlgorithm::MlDsa65 => plain("2.16.840.1.101.3.4.3.18"),
            KeyAlgorithm::MlDsa87 => plain("2.16.840.1.101.3.4.3.19"),
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => (RSA_ENCRYPTION, Parameters::Null),
            KeyAlgorithm::Unspecified | KeyAlgorithm::Aes256 | KeyAlgorithm::Sm4 | KeyAlgorithm::HmacSha256 => {
                return None;
            }
        };
        Some(Self { oid, parameters })
    }

    /// As the encoder takes it.
    pub(super) fn to_asn1(self) -> AlgorithmIdentifier<Any> {
        let parameters = match self.parameters {
            Parameters::Absent => None,
            Parameters::Null => Some(Any::encode_from(&Null)),
            Parameters::Curve(oid) => Some(Any::encode_from(&oid)),
        };
        let parameters = parameters.transpose().expect("constant parameters encode");
        AlgorithmIdentifier { oid: self.oid, parameters }
    }

    /// The curve's name, for keys on curves that are named.
    pub(super) fn curve(self) -> Option<ObjectIdentifier> {
        if let Parameters::Curve(oid) = self.parameters { Some(oid) } else { None }
    }

    /// Whether `found` is this identifier, parameters included.
    pub(super) fn is(self, found: &AlgorithmIdentifier<AnyRef<'_>>) -> bool {
        let Ok(wanted) = self.to_asn1().to_der() else { return false };
        found.to_der().is_ok_and(|found| found == wanted)
    }
}

/// The SubjectPublicKeyInfo of a key of `algorithm`, an asymmetric one.
pub(super) fn encode(algorithm: KeyAlgorithm, key: &[u8]) -> Vec<u8> {
    let identifier = Identifier::of(algorithm).expect("only asymmetric keys have a public key");
    BitStringRef::from_bytes(key)
        .and_then(|subject_public_key| {
            SubjectPublicKeyInfo { algorithm: identifier.to_asn1(), subject_public_key }.to_der()
        })
        .expect("a public key of a few kilobytes encodes")
}

/// The other side's key of `algorithm`, from a SubjectPublicKeyInfo: 32 bytes for X25519, else an uncompressed point that
/// may yet be on no curve.
pub(super) fn decode_peer(algorithm: KeyAlgorithm, spki: &[u8]) -> Result<Vec<u8>, Failure> {
    let wrong = || bad_input("the other side's public key is no SubjectPublicKeyInfo of a key on the same curve");
    let info = SubjectPublicKeyInfo::<AnyRef<'_>, BitStringRef<'_>>::from_der(spki).map_err(|_| wrong())?;
    let key = info.subject_public_key.as_bytes().ok_or_else(wrong)?;
    let fits = match Curve::of(algorithm) {
        Some(curve) => key.len() == 1 + 2 * curve.width() && key[0] == 4,
        None => key.len() == 32,
    };
    // One encoding and no other: as it would be made here.
    if !fits || encode(algorithm, key) != spki {
        return Err(wrong());
    }
    Ok(key.to_vec())
}

/// The other side's point on a curve of NIST, as a token takes it: uncompressed, and on the curve.
pub(crate) fn peer_point(algorithm: KeyAlgorithm, spki: &[u8]) -> Result<Vec<u8>, Failure> {
    let curve = match algorithm {
        KeyAlgorithm::EcP256 => &ECDSA_P256_SHA256_FIXED,
        KeyAlgorithm::EcP384 => &ECDSA_P384_SHA384_FIXED,
        KeyAlgorithm::EcP521 => &ECDSA_P521_SHA512_FIXED,
        _ => return Err(Failure::bad_request(format!("{algorithm:?} is no curve to agree on in a token"))),
    };
    let point = decode_peer(algorithm, spki)?;
    ParsedPublicKey::new(curve, &point)
        .map_err(|_| bad_input("the other side's public key is no point of the curve"))?;
    Ok(point)
}
