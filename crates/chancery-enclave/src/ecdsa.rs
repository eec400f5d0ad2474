//! ECDSA signatures as certificates and notes carry them.

use der::{Encode, Sequence, asn1::UintRef};

/// ECDSA-Sig-Value (RFC 3279 §2.2.3).
#[derive(Sequence)]
struct SigValue<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

/// r ‖ s, each of the same width (PKCS#11 v3.0 §2.3.1), as DER. `None` if it is no such pair.
pub(crate) fn to_der(raw: &[u8]) -> Option<Vec<u8>> {
    if raw.is_empty() || !raw.len().is_multiple_of(2) {
        return None;
    }
    let (r, s) = raw.split_at(raw.len() / 2);
    SigValue { r: UintRef::new(r).ok()?, s: UintRef::new(s).ok()? }.to_der().ok()
}

#[cfg(test)]
mod tests {
    use super::to_der;

    #[test]
    fn integers_are_minimal_and_unsigned() {
        let mut raw = [0_u8; 64];
        raw[31] = 0x80; // r = 128: needs a leading zero
        raw[63] = 1; // s = 1: sheds 31 of them
        assert_eq!(to_der(&raw).unwrap(), [0x30, 7, 2, 2, 0, 0x80, 2, 1, 1]);
    }

    #[test]
    fn an_odd_length_is_no_pair() {
        assert!(to_der(&[1, 2, 3]).is_none());
        assert!(to_der(&[]).is_none());
    }
}
