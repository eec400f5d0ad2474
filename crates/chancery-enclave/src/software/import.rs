//! Judging keys that come from elsewhere, before they are wrapped or put into a token.
//!
//! **Invariants**: what passes is a key of the algorithm that was asked for, all of its parts agree, and its secret
//! encoding is the one that the same key made here would have. No message says anything of the secret.
//!
//! **Not here**: how the key came (the verbs of `transfer`), and whether anyone else knows it.

use chancery_ipc::{KeyAlgorithm, Mechanism};
use der::{
    Any, AnyRef, Decode, Encode, Sequence, Tag, TagNumber, Tagged,
    asn1::{OctetStringRef, UintRef},
};
use pkcs8::PrivateKeyInfoRef;
use sec1::{EcParameters, EcPrivateKey};
use spki::AlgorithmIdentifier;

use super::{
    SoftwareKey, bad_key, failed, is_rsa, ml_dsa,
    public_key::{self, Identifier},
    rsa::{self, Rsa},
    scalar::Curve,
    secret_length,
};
use crate::{
    fault::Failure,
    memory::{SecretBytes, on_clean_stack},
};

/// Judges a key: a PKCS#8 PrivateKeyInfo (RFC 5958) or, for secret keys, the bytes. Gives its secret encoding, or
/// [`chancery_ipc::FaultReason::BadKey`].
pub(crate) fn check_import(algorithm: KeyAlgorithm, key: &[u8]) -> Result<SecretBytes, Failure> {
    if algorithm == KeyAlgorithm::Unspecified {
        return Err(Failure::bad_request("no key algorithm is named"));
    }
    on_clean_stack(|| match Identifier::of(algorithm) {
        None => check_bytes(algorithm, key),
        Some(identifier) => check_pair(algorithm, identifier, key),
    })
}

/// A secret key, or the seed of a private one.
fn check_bytes(algorithm: KeyAlgorithm, bytes: &[u8]) -> Result<SecretBytes, Failure> {
    let length = secret_length(algorithm);
    if bytes.len() != length {
        return Err(bad_key(algorithm, &format!("it has {} bytes, not {length}", bytes.len())));
    }
    if bytes.iter().all(|byte| *byte == bytes[0]) {
        return Err(bad_key(algorithm, "all its bytes are equal"));
    }
    SecretBytes::copy_of(bytes)
}

fn check_pair(algorithm: KeyAlgorithm, identifier: Identifier, key: &[u8]) -> Result<SecretBytes, Failure> {
    let info = PrivateKeyInfoRef::from_der(key)
        .map_err(|_| bad_key(algorithm, "it is no PKCS#8 PrivateKeyInfo in DER, unencrypted"))?;
    if !identifier.is(&info.algorithm) {
        return Err(bad_key(algorithm, "the PKCS#8 PrivateKeyInfo names another algorithm"));
    }
    let inner = info.private_key.as_bytes();
    let mut beside = Vec::from_iter(info.public_key.map(|bits| bits.raw_bytes()));
    let secret = match Curve::of(algorithm) {
        Some(curve) => {
            let (secret, public) = check_scalar(curve, identifier, inner)?;
            beside.extend(public);
            secret
        }
        None if is_rsa(algorithm) => check_rsa(algorithm, identifier, inner)?,
        None => check_bytes(algorithm, seed(algorithm, key, inner)?)?,
    };
    let opened = SoftwareKey::from_secret(algorithm, &secret)?;
    if beside.iter().any(|public| !is_public_key(algorithm, public, opened.public_key_spki())) {
        return Err(bad_key(algorithm, "the public key beside the private key is another's"));
    }
    Ok(secret)
}

/// Whether `bytes`, a point or the key's own form, are the public key of `spki`. Points may be compressed (SEC 1 §2.3.3).
fn is_public_key(algorithm: KeyAlgorithm, bytes: &[u8], spki: &[u8]) -> bool {
    let Some(curve) = Curve::of(algorithm).filter(|curve| bytes.len() == 1 + curve.width()) else {
        return public_key::encode(algorithm, bytes) == spki;
    };
    let (x, y) = spki[spki.len() - 2 * curve.width()..].split_at(curve.width());
    bytes[0] == 2 + (y[curve.width() - 1] & 1) && bytes[1..] == *x
}

/// The scalar of an ECPrivateKey (RFC 5915), and the public key inside it.
fn check_scalar(curve: Curve, identifier: Identifier, inner: &[u8]) -> Result<(SecretBytes, Option<&[u8]>), Failure> {
    let algorithm = curve.algorithm();
    let key = EcPrivateKey::from_der(inner).map_err(|_| bad_key(algorithm, "it holds no ECPrivateKey"))?;
    if let Some(EcParameters::NamedCurve(oid)) = key.parameters
        && Some(oid) != identifier.curve()
    {
        return Err(bad_key(algorithm, "the ECPrivateKey names another curve"));
    }
    curve.check(key.private_key)?;
    if key.private_key[..curve.width() / 2].iter().all(|byte| *byte == 0) {
        return Err(bad_key(algorithm, "the upper half of the scalar is zero"));
    }
    Ok((SecretBytes::copy_of(key.private_key)?, key.public_key))
}

/// The seed inside the PKCS#8 octets: CurvePrivateKey of Ed25519 and X25519 (RFC 8410 §7), the choices `seed` and `both`
/// of ML-DSA (RFC 9881 §6).
fn seed<'a>(algorithm: KeyAlgorithm, key: &[u8], inner: &'a [u8]) -> Result<&'a [u8], Failure> {
    #[derive(Sequence)]
    struct Both<'a> {
        seed: &'a OctetStringRef,
        expanded: &'a OctetStringRef,
    }
    const SEED: Tag = Tag::ContextSpecific { constructed: false, number: TagNumber(0) };

    if matches!(algorithm, KeyAlgorithm::Ed25519 | KeyAlgorithm::X25519) {
        let octets = <&OctetStringRef>::from_der(inner);
        return octets.map(OctetStringRef::as_bytes).map_err(|_| bad_key(algorithm, "it holds no CurvePrivateKey"));
    }
    if let Ok(any) = AnyRef::from_der(inner)
        && any.tag() == SEED
    {
        return Ok(any.value());
    }
    match Both::from_der(inner) {
        // The expanded key is looked at by AWS-LC, which compares it with the seed's.
        Ok(both) if !both.expanded.as_bytes().is_empty() && ml_dsa::agrees(algorithm, key) => Ok(both.seed.as_bytes()),
        Ok(_) => Err(bad_key(algorithm, "the expanded key is not the seed's")),
        Err(_) => Err(bad_key(algorithm, "it holds no seed; export it with its seed (RFC 9881 §6)")),
    }
}

/// RSAPrivateKey of two primes (RFC 8017 §A.1.2).
#[derive(Sequence)]
struct RsaPrivateKey<'a> {
    version: u8,
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
    private_exponent: UintRef<'a>,
    prime1: UintRef<'a>,
    prime2: UintRef<'a>,
    exponent1: UintRef<'a>,
    exponent2: UintRef<'a>,
    coefficient: UintRef<'a>,
}

/// PrivateKeyInfo without what is optional (RFC 5208 §5).
#[derive(Sequence)]
struct PlainPrivateKeyInfo<'a> {
    version: u8,
    algorithm: AlgorithmIdentifier<Any>,
    private_key: &'a OctetStringRef,
}

/// The RSAPrivateKey, in a PrivateKeyInfo without what is optional.
fn check_rsa(algorithm: KeyAlgorithm, identifier: Identifier, inner: &[u8]) -> Result<SecretBytes, Failure> {
    let malformed = || bad_key(algorithm, "it holds no RSAPrivateKey of two primes in DER");
    let key = RsaPrivateKey::from_der(inner).map_err(|_| malformed())?;
    let mut again = SecretBytes::zeroed(inner.len())?;
    if key.version != 0 || key.encode_to_slice(&mut again).map_err(|_| malformed())? != inner {
        return Err(malformed());
    }
    let half = rsa::bits(algorithm) / 2;
    if key.public_exponent.as_bytes() != [1, 0, 1] {
        return Err(bad_key(algorithm, "the public exponent is not 65537"));
    }
    if bit_length(&key.modulus) != 2 * half {
        return Err(bad_key(algorithm, &format!("the modulus has {} bits", bit_length(&key.modulus))));
    }
    let (p, q) = (&key.prime1, &key.prime2);
    if bit_length(p) != half || bit_length(q) != half || bit_length(&key.private_exponent) <= half {
        return Err(bad_key(algorithm, "a prime or the private exponent is too short (FIPS 186-5 §A.1.1)"));
    }
    // About the bound of FIPS 186-5 §A.1.3: primes that are nearer to one another are found from their product.
    if p.as_bytes()[..12] == q.as_bytes()[..12] {
        return Err(bad_key(algorithm, "the primes are too near to one another"));
    }
    let secret = plain_info(identifier, inner)?;
    // AWS-LC compares the exponents with the primes. What is no prime gives a wrong signature, which it notices.
    let signed = Rsa::open(algorithm, &secret)?.sign_pss(Mechanism::RsaPssSha256, &[0; 32]);
    signed.map_err(|_| bad_key(algorithm, "it does not sign"))?;
    Ok(secret)
}

/// A PrivateKeyInfo without what is optional.
pub(super) fn plain_info(identifier: Identifier, inner: &[u8]) -> Result<SecretBytes, Failure> {
    let unencodable = |_| failed("encoding a key");
    let private_key = OctetStringRef::new(inner).map_err(unencodable)?;
    let info = PlainPrivateKeyInfo { version: 0, algorithm: identifier.to_asn1(), private_key };
    let length = info.encoded_len().and_then(usize::try_from).map_err(unencodable)?;
    let mut secret = SecretBytes::zeroed(length)?;
    info.encode_to_slice(&mut secret).map_err(unencodable)?;
    Ok(secret)
}

fn bit_length(integer: &UintRef<'_>) -> usize {
    let bytes = integer.as_bytes();
    bytes.first().map_or(0, |first| bytes.len() * 8 - first.leading_zeros() as usize)
}
