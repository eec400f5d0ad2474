//! SM2 ciphertexts: C1C3C2 in one string (GB/T 32918.4 §6.1), as the enclave takes them, and DER (GM/T 0009 §7.2).
//!
//! **Invariants**: of both forms exactly one encoding of a ciphertext is taken, with C1 on the curve.

use super::encoding::place;
use der::{
    Decode, Encode,
    asn1::{OctetStringRef, UintRef},
};

/// The longest plaintext, in bytes.
pub const MAXIMUM_SM2_PLAINTEXT: usize = 4096;

const POINT: usize = 65;
const C3: usize = 32;

/// The bytes are no SM2 ciphertext.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Sm2CiphertextError {
    /// Neither form.
    #[error("it is neither DER as GM/T 0009 has it nor 04 ‖ x ‖ y ‖ C3 ‖ C2")]
    Malformed,
    /// C1 is not on the curve.
    #[error("its point C1 is not on the curve")]
    NotOnCurve,
    /// C2 is empty or too long.
    #[error("it holds {0} bytes, and must hold 1 to {MAXIMUM_SM2_PLAINTEXT}")]
    Length(usize),
}

/// SM2Cipher.
#[derive(der::Sequence)]
struct Sm2Cipher<'a> {
    x: UintRef<'a>,
    y: UintRef<'a>,
    c3: &'a OctetStringRef,
    c2: &'a OctetStringRef,
}

/// 04 ‖ x ‖ y ‖ C3 ‖ C2 of a ciphertext in either form.
///
/// # Errors
/// [`Sm2CiphertextError`].
pub fn sm2_ciphertext_from(input: &[u8]) -> Result<Vec<u8>, Sm2CiphertextError> {
    let joined = match input.first() {
        Some(4) => input.to_vec(),
        Some(0x30) => from_der(input).ok_or(Sm2CiphertextError::Malformed)?,
        _ => return Err(Sm2CiphertextError::Malformed),
    };
    let length = joined.len().checked_sub(POINT + C3).ok_or(Sm2CiphertextError::Malformed)?;
    if !(1..=MAXIMUM_SM2_PLAINTEXT).contains(&length) {
        return Err(Sm2CiphertextError::Length(length));
    }
    sm2::PublicKey::from_sec1_bytes(&joined[..POINT]).map_err(|_| Sm2CiphertextError::NotOnCurve)?;
    Ok(joined)
}

fn from_der(der: &[u8]) -> Option<Vec<u8>> {
    let cipher = Sm2Cipher::from_der(der).ok()?;
    // The decoder is strict; this holds whatever it may learn to tolerate.
    if cipher.to_der().ok()? != der || cipher.c3.as_bytes().len() != C3 {
        return None;
    }
    let mut joined = vec![4; POINT];
    place(cipher.x, &mut joined[1..33])?;
    place(cipher.y, &mut joined[33..])?;
    joined.extend_from_slice(cipher.c3.as_bytes());
    joined.extend_from_slice(cipher.c2.as_bytes());
    Some(joined)
}

/// SM2Cipher of 04 ‖ x ‖ y ‖ C3 ‖ C2.
pub fn sm2_ciphertext_to_der(joined: &[u8]) -> Option<Vec<u8>> {
    let (point, rest) = joined.split_at_checked(POINT)?;
    let (c3, c2) = rest.split_at_checked(C3)?;
    let cipher = Sm2Cipher {
        x: UintRef::new(&point[1..33]).ok()?,
        y: UintRef::new(&point[33..]).ok()?,
        c3: OctetStringRef::new(c3).ok()?,
        c2: OctetStringRef::new(c2).ok()?,
    };
    cipher.to_der().ok()
}
