//! ECDSA signatures as EOS takes them.

use super::{Output, failed, scalar::Curve};
use crate::fault::Failure;

/// Signatures made before giving up. About one of two is canonical.
const ATTEMPTS: usize = 128;

/// Signs with fresh nonces until r and the lower s are 32 bytes in DER: no sign byte before, no zero byte to drop.
pub(super) fn sign<E: From<Failure>>(curve: Curve, mut sign: impl FnMut() -> Result<Output, E>) -> Result<Output, E> {
    for _ in 0..ATTEMPTS {
        let mut signature = sign()?;
        let (r, s) = signature.split_at_mut(curve.width());
        curve.lower(s);
        if is_canonical(r) && is_canonical(s) {
            return Ok(signature);
        }
    }
    Err(failed("making a canonical signature").into())
}

fn is_canonical(integer: &[u8]) -> bool {
    integer[0] & 0x80 == 0 && !(integer[0] == 0 && integer[1] & 0x80 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_is_canonical_if_der_needs_exactly_its_width() {
        for (first, second, canonical) in
            [(0x7f, 0xff, true), (0x80, 0, false), (0, 0x80, true), (0, 0x7f, false), (1, 0, true)]
        {
            let mut integer = [0; 32];
            (integer[0], integer[1]) = (first, second);
            assert_eq!(is_canonical(&integer), canonical, "{first:02x}{second:02x}");
        }
    }

    #[test]
    fn nonces_that_never_suit_are_an_error_and_no_endless_loop() {
        assert!(sign(Curve::P256, || Ok::<_, Failure>(Output::new(vec![0xff; 64]))).is_err());
    }
}
