//! Signatures of two integers: r ‖ s as the enclave gives them, and Ecdsa-Sig-Value (RFC 3279 §2.2.3) as X.509 wants
//! them. SM2Signature (GB/T 35276 §7.3) has the same form.

use chancery_model::Algorithm;
use der::{Decode, Encode, asn1::UintRef};
use sm2::dsa::Signature as Sm2Signature;

/// The bytes are no signature of the algorithm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no {0} signature")]
pub struct EncodingError(Algorithm);

macro_rules! by_curve {
    ($algorithm:expr, $signature:ident => $body:expr) => {
        match $algorithm {
            Algorithm::EcP256 => {
                use p256::ecdsa::Signature as $signature;
                $body
            }
            Algorithm::EcP384 => {
                use p384::ecdsa::Signature as $signature;
                $body
            }
            Algorithm::EcP521 => {
                use p521::ecdsa::Signature as $signature;
                $body
            }
            Algorithm::EcSecp256k1 => {
                use k256::ecdsa::Signature as $signature;
                $body
            }
            other => Err(EncodingError(other)),
        }
    };
}

/// SM2Signature.
#[derive(der::Sequence)]
struct Sm2Value<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

impl Sm2Value<'_> {
    fn encode(raw: &[u8]) -> Option<Vec<u8>> {
        let signature = Sm2Signature::from_slice(raw).ok()?;
        let (r, s) = (signature.r_bytes(), signature.s_bytes());
        Sm2Value { r: UintRef::new(&r).ok()?, s: UintRef::new(&s).ok()? }.to_der().ok()
    }

    fn decode(der: &[u8]) -> Option<Vec<u8>> {
        let value = Sm2Value::from_der(der).ok()?;
        let mut raw = [0; Sm2Signature::BYTE_SIZE];
        let (r, s) = raw.split_at_mut(32);
        place(value.r, r)?;
        place(value.s, s)?;
        Sm2Signature::from_slice(&raw).ok()?;
        Some(raw.to_vec())
    }
}

/// Writes an integer big-endian over the whole of `out`; `None` when it is longer.
pub(crate) fn place(integer: UintRef<'_>, out: &mut [u8]) -> Option<()> {
    let bytes = integer.as_bytes();
    let start = out.len().checked_sub(bytes.len())?;
    out[..start].fill(0);
    out[start..].copy_from_slice(bytes);
    Some(())
}

/// Ecdsa-Sig-Value of r ‖ s.
///
/// # Errors
/// [`EncodingError`] when `raw` has another length, or r or s is zero or not below the group's order.
pub fn to_der(algorithm: Algorithm, raw: &[u8]) -> Result<Vec<u8>, EncodingError> {
    if algorithm == Algorithm::Sm2 {
        return Sm2Value::encode(raw).ok_or(EncodingError(algorithm));
    }
    by_curve!(algorithm, Signature => {
        let signature = Signature::from_slice(raw).map_err(|_| EncodingError(algorithm))?;
        Ok(signature.to_der().as_bytes().to_vec())
    })
}

/// r ‖ s of an Ecdsa-Sig-Value.
///
/// # Errors
/// [`EncodingError`] when `der` is none, or r or s is out of range.
pub fn from_der(algorithm: Algorithm, der: &[u8]) -> Result<Vec<u8>, EncodingError> {
    if algorithm == Algorithm::Sm2 {
        return Sm2Value::decode(der).ok_or(EncodingError(algorithm));
    }
    by_curve!(algorithm, Signature => {
        let signature = Signature::from_der(der).map_err(|_| EncodingError(algorithm))?;
        Ok(signature.to_bytes().to_vec())
    })
}

/// The same signature with the smaller of s and n - s. Of ECDSA only: an SM2 signature with n - s is none.
///
/// # Errors
/// [`EncodingError`] as [`to_der`].
pub fn low_s(algorithm: Algorithm, raw: &[u8]) -> Result<Vec<u8>, EncodingError> {
    by_curve!(algorithm, Signature => {
        let signature = Signature::from_slice(raw).map_err(|_| EncodingError(algorithm))?;
        Ok(signature.normalize_s().to_bytes().to_vec())
    })
}

/// The same signature with n - s in the place of s, which verifies alike. Of ECDSA only, as [`low_s`].
///
/// # Errors
/// [`EncodingError`] as [`to_der`].
pub fn other_s(algorithm: Algorithm, raw: &[u8]) -> Result<Vec<u8>, EncodingError> {
    by_curve!(algorithm, Signature => {
        let signature = Signature::from_slice(raw).map_err(|_| EncodingError(algorithm))?;
        let (r, s) = signature.split_scalars();
        let other = Signature::from_scalars(r, -s).map_err(|_| EncodingError(algorithm))?;
        Ok(other.to_bytes().to_vec())
    })
}
