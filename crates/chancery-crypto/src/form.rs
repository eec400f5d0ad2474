//! How a signature is written: DER, r ‖ s, Ethereum's and EOS' 65 bytes.
//!
//! **Invariants**: a [`Form`] is one that its algorithm has. A recovery id was computed from the signature as it is
//! written, never guessed; what is written as EOS is canonical.
//!
//! **Not here**: making canonical signatures (chancery-enclave signs until one is).

use super::{EncodingError, Input, PublicKey, from_der, low_s, recovery::recovery_id, to_der};
use chancery_model::{Algorithm, SignatureFormat};

/// How a signature by a key of one algorithm is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    format: SignatureFormat,
    low_s: bool,
}

/// A signature as the caller gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// As the form says.
    pub signature: Vec<u8>,
    /// secp256k1, where the signature does not hold it.
    pub recovery_id: Option<u8>,
}

/// The form can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// The algorithm's signatures are not written like that.
    #[error("{algorithm} signatures are not written as {format}; they are as {}", offered(*.algorithm))]
    NotOffered {
        /// The key's.
        algorithm: Algorithm,
        /// What was asked for.
        format: SignatureFormat,
    },
    /// It is no signature of the algorithm.
    #[error(transparent)]
    Malformed(#[from] EncodingError),
    /// r or s is too long or too short for nodeos.
    #[error("the signature is not canonical as EOS demands")]
    NotCanonical,
    /// No point with that r was found: the signature is of another key or digest.
    #[error("the public key can't be recovered from the signature")]
    Unrecoverable,
}

fn offered(algorithm: Algorithm) -> String {
    let formats: Vec<_> = formats(algorithm).iter().map(|format| format.as_str()).collect();
    formats.join(", ")
}

/// The forms that an algorithm's signatures have; DER and raw are the same where the algorithm has one of its own.
fn formats(algorithm: Algorithm) -> &'static [SignatureFormat] {
    use SignatureFormat::{Der, Eos, Ethereum, Raw};
    match algorithm {
        Algorithm::EcSecp256k1 => &[Der, Raw, Ethereum, Eos],
        Algorithm::EcP256 => &[Der, Raw, Eos],
        _ => &[Der, Raw],
    }
}

/// Whether a signature is two integers.
fn has_integers(algorithm: Algorithm) -> bool {
    algorithm == Algorithm::Sm2 || algorithm.ecdsa_width().is_some()
}

/// Whether an integer of 32 bytes has 32 bytes in DER: no zero byte to drop, no sign byte to add.
fn is_canonical(integer: &[u8]) -> bool {
    matches!(integer, [first, second, ..] if first & 0x80 == 0 && (*first != 0 || second & 0x80 != 0))
}

impl Form {
    /// The form for signatures by keys of `algorithm`; s is low by default in all but r ‖ s, and always where the
    /// format says so. SM2 has no low s.
    ///
    /// # Errors
    /// [`FormError::NotOffered`], naming the formats that the algorithm has.
    pub fn new(algorithm: Algorithm, format: SignatureFormat, low_s: Option<bool>) -> Result<Self, FormError> {
        if !formats(algorithm).contains(&format) {
            return Err(FormError::NotOffered { algorithm, format });
        }
        let low = match format {
            SignatureFormat::Der => low_s.unwrap_or(true),
            SignatureFormat::Raw => low_s.unwrap_or(false),
            SignatureFormat::Ethereum | SignatureFormat::Eos => true,
        };
        Ok(Self { format, low_s: low && algorithm.ecdsa_width().is_some() })
    }

    /// Its format.
    pub fn format(self) -> SignatureFormat {
        self.format
    }

    /// As the record names it: empty where the algorithm has a form of its own.
    pub fn name(self, algorithm: Algorithm) -> &'static str {
        if has_integers(algorithm) { self.format.as_str() } else { "" }
    }

    /// Writes a signature over `input`, given as r ‖ s or in the algorithm's own form.
    ///
    /// # Errors
    /// [`FormError`]: it is no signature of the algorithm, not canonical where it must be, or, where a recovery id goes
    /// with it, not one over `input` by `key`.
    pub fn write(self, key: &PublicKey, input: &Input, signature: Vec<u8>) -> Result<Written, FormError> {
        let algorithm = key.algorithm();
        if !has_integers(algorithm) {
            return Ok(Written { signature, recovery_id: None });
        }
        let raw = if self.low_s { low_s(algorithm, &signature)? } else { signature };
        let recovered = || recovery_id(algorithm, key.bits(), &input.value, &raw).ok_or(FormError::Unrecoverable);
        match self.format {
            SignatureFormat::Der | SignatureFormat::Raw => {
                let recovery_id = if algorithm == Algorithm::EcSecp256k1 { Some(recovered()?) } else { None };
                let der = self.format == SignatureFormat::Der;
                let signature = if der { to_der(algorithm, &raw)? } else { checked(algorithm, raw)? };
                Ok(Written { signature, recovery_id })
            }
            SignatureFormat::Ethereum => match recovered()? {
                // Ethereum has no v for an r that was reduced: one signature in 2^127.
                id @ (0 | 1) => Ok(Written { signature: [raw.as_slice(), &[27 + id]].concat(), recovery_id: None }),
                _ => Err(FormError::Unrecoverable),
            },
            SignatureFormat::Eos => {
                let (r, s) = raw.split_at(raw.len() / 2);
                if !is_canonical(r) || !is_canonical(s) {
                    return Err(FormError::NotCanonical);
                }
                Ok(Written { signature: [&[31 + recovered()?], raw.as_slice()].concat(), recovery_id: None })
            }
        }
    }

    /// The signature in a written one, as [`PublicKey::verify`] takes it; `None` when it is not written like this. In
    /// DER and r ‖ s, both the lower and the higher s are taken.
    pub fn read(self, key: &PublicKey, input: &Input, written: &[u8]) -> Option<Vec<u8>> {
        let raw = self.integers(key.algorithm(), written)?;
        if matches!(self.format, SignatureFormat::Ethereum | SignatureFormat::Eos) {
            // One way to write it, with the right recovery id.
            let again = self.write(key, input, raw.clone()).ok()?;
            return (again.signature == written).then_some(raw);
        }
        Some(raw)
    }

    /// The r ‖ s in a written signature, or the algorithm's own form, whatever it is over; `None` when none is found.
    pub fn integers(self, algorithm: Algorithm, written: &[u8]) -> Option<Vec<u8>> {
        match self.format {
            _ if !has_integers(algorithm) => Some(written.to_vec()),
            SignatureFormat::Der => from_der(algorithm, written).ok(),
            SignatureFormat::Raw => Some(written.to_vec()),
            SignatureFormat::Ethereum => written.get(..64).map(<[u8]>::to_vec),
            SignatureFormat::Eos => written.get(1..65).map(<[u8]>::to_vec),
        }
    }

    /// The recovery id that goes with a signature which was written before.
    pub fn recovery_id(self, key: &PublicKey, input: &Input, written: &[u8]) -> Option<u8> {
        let raw = self.read(key, input, written)?;
        self.write(key, input, raw).ok()?.recovery_id
    }
}

/// r ‖ s whose integers are in range.
fn checked(algorithm: Algorithm, raw: Vec<u8>) -> Result<Vec<u8>, EncodingError> {
    to_der(algorithm, &raw).map(|_| raw)
}
