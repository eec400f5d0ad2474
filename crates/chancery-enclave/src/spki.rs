//! Public keys: from the token's attributes to SubjectPublicKeyInfo (RFC 5280 §4.1.2.7, RFC 5480, RFC 8410).
//!
//! **Invariant**: one key has one encoding here (named curve, uncompressed point, NULL parameters for RSA), so that
//! its SHA-256 identifies it.

use chancery_ipc::{FaultReason, KeyAlgorithm};
use cryptoki::{
    object::{Attribute, AttributeType, KeyType, ObjectHandle},
    session::Session,
};
use der::{
    Any, Decode, Encode, Sequence,
    asn1::{BitString, Null, ObjectIdentifier, OctetStringRef, PrintableStringRef, UintRef},
};
use sha2::{Digest, Sha256};
use spki::{AlgorithmIdentifier, SubjectPublicKeyInfoOwned};

use crate::fault::{Failure, while_doing};

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// The curves that keys are made on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
    Secp256k1,
}

impl Curve {
    const ALL: [Self; 4] = [Self::P256, Self::P384, Self::P521, Self::Secp256k1];

    /// The curve of an algorithm's keys, if that is one of these.
    pub(crate) fn of(algorithm: KeyAlgorithm) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| curve.algorithm() == algorithm)
    }

    fn algorithm(self) -> KeyAlgorithm {
        match self {
            Self::P256 => KeyAlgorithm::EcP256,
            Self::P384 => KeyAlgorithm::EcP384,
            Self::P521 => KeyAlgorithm::EcP521,
            Self::Secp256k1 => KeyAlgorithm::EcSecp256k1,
        }
    }

    /// The curve's object identifier (RFC 5480 §2.1.1.1, SEC 2).
    pub(crate) fn oid(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Self::P256 => "1.2.840.10045.3.1.7",
            Self::P384 => "1.3.132.0.34",
            Self::P521 => "1.3.132.0.35",
            Self::Secp256k1 => "1.3.132.0.10",
        })
    }

    /// Bytes of a coordinate.
    pub(crate) fn width(self) -> usize {
        match self {
            Self::P256 | Self::Secp256k1 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

/// `CKA_EC_PARAMS` of Ed25519 as an object identifier (PKCS#11 v3.0 §2.3.5).
pub(crate) fn ed25519_oid() -> ObjectIdentifier {
    ED25519
}

/// A public key of the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey {
    /// Curve or length of the modulus: what the key truly is, whatever was registered.
    pub(crate) algorithm: KeyAlgorithm,
    /// SubjectPublicKeyInfo.
    pub(crate) der: Vec<u8>,
}

impl PublicKey {
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub(crate) fn sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.der).into()
    }
}

/// Reads a public-key object.
pub(crate) fn read(session: &Session, object: ObjectHandle) -> Result<PublicKey, Failure> {
    let attributes =
        |wanted: &[AttributeType]| session.get_attributes(object, wanted).map_err(while_doing("reading a public key"));
    let [Attribute::KeyType(key_type)] = attributes(&[AttributeType::KeyType])?[..] else {
        return Err(unreadable("it has no CKA_KEY_TYPE"));
    };
    if key_type == KeyType::RSA {
        let found = attributes(&[AttributeType::Modulus, AttributeType::PublicExponent])?;
        let [Attribute::Modulus(modulus), Attribute::PublicExponent(exponent)] = &found[..] else {
            return Err(unreadable("it lacks CKA_MODULUS or CKA_PUBLIC_EXPONENT"));
        };
        return rsa(modulus, exponent);
    }
    let found = attributes(&[AttributeType::EcParams, AttributeType::EcPoint])?;
    let [Attribute::EcParams(parameters), Attribute::EcPoint(point)] = &found[..] else {
        return Err(unreadable("it is no RSA key and lacks CKA_EC_PARAMS or CKA_EC_POINT"));
    };
    match curve_of(parameters)? {
        Some(curve) => ec(curve, point),
        None => ed25519(point),
    }
}

/// What defines a public key object (PKCS#11 v3.0 §2.1.2, §2.3.3), from the SubjectPublicKeyInfo that [`read`] gives.
pub(crate) fn attributes(spki: &[u8]) -> Result<Vec<Attribute>, Failure> {
    let foreign = || Failure::new(FaultReason::Unsupported, "no token takes public keys of this kind here");
    let info = SubjectPublicKeyInfoOwned::from_der(spki).map_err(|_| foreign())?;
    let key = info.subject_public_key.as_bytes().ok_or_else(foreign)?;
    if info.algorithm.oid == RSA_ENCRYPTION {
        let key = RsaPublicKey::from_der(key).map_err(|_| foreign())?;
        return Ok(vec![
            Attribute::Modulus(key.modulus.as_bytes().to_vec()),
            Attribute::PublicExponent(key.exponent.as_bytes().to_vec()),
        ]);
    }
    let parameters = match info.algorithm.parameters {
        Some(curve) if info.algorithm.oid == EC_PUBLIC_KEY => curve.to_der(),
        None if info.algorithm.oid == ED25519 => ED25519.to_der(),
        _ => return Err(foreign()),
    };
    let point = OctetStringRef::new(key).and_then(|point| point.to_der());
    let (Ok(parameters), Ok(point)) = (parameters, point) else { return Err(foreign()) };
    Ok(vec![Attribute::EcParams(parameters), Attribute::EcPoint(point)])
}

/// `CKA_EC_PARAMS` names the curve by object identifier, or (for Edwards curves) by a PrintableString. `None`: Ed25519.
fn curve_of(parameters: &[u8]) -> Result<Option<Curve>, Failure> {
    if let Ok(name) = PrintableStringRef::from_der(parameters)
        && name.as_str() == "edwards25519"
    {
        return Ok(None);
    }
    let oid = ObjectIdentifier::from_der(parameters).map_err(|_| unreadable("CKA_EC_PARAMS names no curve"))?;
    if oid == ED25519 {
        return Ok(None);
    }
    let curve = Curve::ALL.into_iter().find(|curve| curve.oid() == oid);
    curve.map(Some).ok_or_else(|| unreadable("CKA_EC_PARAMS names a curve that Chancery does not use"))
}

fn ec(curve: Curve, point: &[u8]) -> Result<PublicKey, Failure> {
    let point = unwrap_point(point, 1 + 2 * curve.width())?;
    if point[0] != 4 {
        return Err(unreadable("CKA_EC_POINT is not an uncompressed point"));
    }
    encode(curve.algorithm(), EC_PUBLIC_KEY, Some(Any::encode_from(&curve.oid())), point)
}

fn ed25519(point: &[u8]) -> Result<PublicKey, Failure> {
    encode(KeyAlgorithm::Ed25519, ED25519, None, unwrap_point(point, 32)?)
}

/// RSAPublicKey (RFC 8017 §A.1.1).
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<PublicKey, Failure> {
    let algorithm = match modulus.iter().skip_while(|byte| **byte == 0).count() {
        256 => KeyAlgorithm::Rsa2048,
        384 => KeyAlgorithm::Rsa3072,
        512 => KeyAlgorithm::Rsa4096,
        _ => return Err(unreadable("its modulus has a length that Chancery does not use")),
    };
    let key = UintRef::new(modulus)
        .and_then(|modulus| RsaPublicKey { modulus, exponent: UintRef::new(exponent)? }.to_der())
        .map_err(|_| unreadable("its modulus or exponent is no integer"))?;
    encode(algorithm, RSA_ENCRYPTION, Some(Any::encode_from(&Null)), &key)
}

/// The point is a DER OCTET STRING (PKCS#11 v3.0 §2.3.3); some tokens give it raw. The lengths tell them apart.
fn unwrap_point(attribute: &[u8], length: usize) -> Result<&[u8], Failure> {
    let point = if attribute.len() == length {
        attribute
    } else {
        <&OctetStringRef>::from_der(attribute)
            .map_err(|_| unreadable("CKA_EC_POINT is neither an OCTET STRING nor a point"))?
            .as_bytes()
    };
    if point.len() == length { Ok(point) } else { Err(unreadable("CKA_EC_POINT does not fit the curve")) }
}

fn encode(
    algorithm: KeyAlgorithm,
    oid: ObjectIdentifier,
    parameters: Option<der::Result<Any>>,
    key: &[u8],
) -> Result<PublicKey, Failure> {
    let der = parameters
        .transpose()
        .and_then(|parameters| {
            SubjectPublicKeyInfoOwned {
                algorithm: AlgorithmIdentifier { oid, parameters },
                subject_public_key: BitString::from_bytes(key)?,
            }
            .to_der()
        })
        .map_err(|_| unreadable("it cannot be encoded"))?;
    Ok(PublicKey { algorithm, der })
}

fn unreadable(why: &str) -> Failure {
    Failure::new(FaultReason::TokenFault, format!("the token's public key object cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(point: &[u8]) -> Vec<u8> {
        OctetStringRef::new(point).unwrap().to_der().unwrap()
    }

    #[test]
    fn a_point_reads_the_same_raw_and_wrapped() {
        for curve in Curve::ALL {
            let mut point = vec![7; 1 + 2 * curve.width()];
            point[0] = 4;
            assert_eq!(ec(curve, &point).unwrap(), ec(curve, &wrapped(&point)).unwrap());
        }
        assert_eq!(ed25519(&[9; 32]).unwrap(), ed25519(&wrapped(&[9; 32])).unwrap());
    }

    #[test]
    fn compressed_and_odd_points_are_refused() {
        let mut compressed = [7; 33];
        compressed[0] = 2;
        assert!(ec(Curve::P256, &wrapped(&compressed)).is_err());
        assert!(ec(Curve::P256, &[]).is_err());
        let mut hybrid = [7; 65];
        hybrid[0] = 6;
        assert!(ec(Curve::P256, &hybrid).is_err());
    }

    /// RFC 8410 §10.1.
    #[test]
    fn ed25519_matches_the_rfc() {
        let point = hex::decode("19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1").unwrap();
        let expected = format!("302a300506032b6570032100{}", hex::encode(&point));
        assert_eq!(hex::encode(ed25519(&point).unwrap().der), expected);
    }

    #[test]
    fn the_curve_may_be_named_in_two_ways() {
        let name = PrintableStringRef::new("edwards25519").unwrap().to_der().unwrap();
        assert_eq!(curve_of(&name).unwrap(), None);
        assert_eq!(curve_of(&ED25519.to_der().unwrap()).unwrap(), None);
        assert!(curve_of(&ObjectIdentifier::new_unwrap("1.2.156.10197.1.301").to_der().unwrap()).is_err());
    }
}
