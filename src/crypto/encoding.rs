//! ECDSA signatures: r ‖ s as PKCS#11 gives them, and Ecdsa-Sig-Value (RFC 3279 §2.2.3) as X.509 wants them.

use crate::model::Algorithm;

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

/// Ecdsa-Sig-Value of r ‖ s.
///
/// # Errors
/// [`EncodingError`] when `raw` has another length, or r or s is zero or not below the group's order.
pub fn to_der(algorithm: Algorithm, raw: &[u8]) -> Result<Vec<u8>, EncodingError> {
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
    by_curve!(algorithm, Signature => {
        let signature = Signature::from_der(der).map_err(|_| EncodingError(algorithm))?;
        Ok(signature.to_bytes().to_vec())
    })
}

/// The same signature with the smaller of s and n - s.
///
/// # Errors
/// [`EncodingError`] as [`to_der`].
pub fn low_s(algorithm: Algorithm, raw: &[u8]) -> Result<Vec<u8>, EncodingError> {
    by_curve!(algorithm, Signature => {
        let signature = Signature::from_slice(raw).map_err(|_| EncodingError(algorithm))?;
        Ok(signature.normalize_s().to_bytes().to_vec())
    })
}
