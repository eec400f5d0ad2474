//! Private keys of curves: scalars in the width of the curve's order, most significant byte first.

use chancery_ipc::KeyAlgorithm;

use super::{Random, bad_key, failed};
use crate::{fault::Failure, memory::SecretBytes};

/// A curve whose private keys are scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
    Secp256k1,
    Sm2,
}

/// SP 800-186 §3.2.1.3.
const P256: &[u8] = &[
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
/// SP 800-186 §3.2.1.4.
const P384: &[u8] = &[
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf, 0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0,
    0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73,
];
/// SP 800-186 §3.2.1.5.
const P521: &[u8] = &[
    0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfa, 0x51, 0x86, 0x87, 0x83,
    0xbf, 0x2f, 0x96, 0x6b, 0x7f, 0xcc, 0x01, 0x48, 0xf7, 0x09, 0xa5, 0xd0, 0x3b, 0xb5, 0xc9, 0xb8, 0x89, 0x9c, 0x47,
    0xae, 0xbb, 0x6f, 0xb7, 0x1e, 0x91, 0x38, 0x64, 0x09,
];
/// SEC 2 §2.4.1.
const SECP256K1: &[u8] = &[
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc,
    0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];
/// One less than the order (GB/T 32918.5): a signature needs the inverse of 1 + d, so that d ends at n - 2 (GB/T 32918.1
/// §6.1).
const SM2: &[u8] = &[
    0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x72, 0x03, 0xdf,
    0x6b, 0x21, 0xc6, 0x05, 0x2b, 0x53, 0xbb, 0xf4, 0x09, 0x39, 0xd5, 0x41, 0x22,
];

impl Curve {
    pub(super) fn of(algorithm: KeyAlgorithm) -> Option<Self> {
        match algorithm {
            KeyAlgorithm::EcP256 => Some(Self::P256),
            KeyAlgorithm::EcP384 => Some(Self::P384),
            KeyAlgorithm::EcP521 => Some(Self::P521),
            KeyAlgorithm::EcSecp256k1 => Some(Self::Secp256k1),
            KeyAlgorithm::Sm2 => Some(Self::Sm2),
            _ => None,
        }
    }

    pub(super) fn algorithm(self) -> KeyAlgorithm {
        match self {
            Self::P256 => KeyAlgorithm::EcP256,
            Self::P384 => KeyAlgorithm::EcP384,
            Self::P521 => KeyAlgorithm::EcP521,
            Self::Secp256k1 => KeyAlgorithm::EcSecp256k1,
            Self::Sm2 => KeyAlgorithm::Sm2,
        }
    }

    /// Bytes of a scalar and of a coordinate.
    pub(super) fn width(self) -> usize {
        self.bound().len()
    }

    /// What private keys are below: the order, for SM2 one less.
    fn bound(self) -> &'static [u8] {
        match self {
            Self::P256 => P256,
            Self::P384 => P384,
            Self::P521 => P521,
            Self::Secp256k1 => SECP256K1,
            Self::Sm2 => SM2,
        }
    }

    /// A random private key, by rejection sampling (FIPS 186-5 §A.2.2).
    pub(super) fn draw(self, random: &mut dyn Random) -> Result<SecretBytes, Failure> {
        let mut scalar = SecretBytes::zeroed(self.width())?;
        // A source that works is rejected a hundred times in a row with a chance below 2^-100 (P-521, once masked: 2^-262).
        for _ in 0..100 {
            random.fill(&mut scalar)?;
            // The order of P-521 has 521 bits of the 528.
            scalar[0] &= if self == Self::P521 { 1 } else { 0xff };
            if self.admits(&scalar) {
                return Ok(scalar);
            }
        }
        Err(failed("drawing a private key from the random source"))
    }

    /// [`chancery_ipc::FaultReason::BadKey`] unless `scalar` is a private key of the curve.
    pub(super) fn check(self, scalar: &[u8]) -> Result<(), Failure> {
        if scalar.len() != self.width() {
            return Err(bad_key(self.algorithm(), "the scalar has not the curve's width"));
        }
        if self.admits(scalar) { Ok(()) } else { Err(bad_key(self.algorithm(), "the scalar is out of range")) }
    }

    /// 0 < scalar < bound, in constant time.
    fn admits(self, scalar: &[u8]) -> bool {
        let nonzero = scalar.iter().fold(0, |bits, byte| bits | byte) != 0;
        nonzero && subtract(scalar, self.bound()).1
    }

    /// Replaces s by n - s where that is lower (SEC 1 §4.1.3 allows both). For curves of ECDSA.
    pub(super) fn lower(self, s: &mut [u8]) {
        let (other, _) = subtract(self.bound(), s);
        if subtract(&other, s).1 {
            s.copy_from_slice(&other);
        }
    }
}

/// minuend - subtrahend, modulo the width, and whether it borrowed (minuend < subtrahend), in constant time. Equal widths.
fn subtract(minuend: &[u8], subtrahend: &[u8]) -> (zeroize::Zeroizing<Vec<u8>>, bool) {
    let mut difference = zeroize::Zeroizing::new(vec![0; minuend.len()]);
    let mut borrow = 0;
    for (index, byte) in difference.iter_mut().enumerate().rev() {
        let wide = 0x100 + u16::from(minuend[index]) - u16::from(subtrahend[index]) - borrow;
        *byte = wide as u8;
        borrow = 1 - (wide >> 8);
    }
    (difference, borrow == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Curve; 5] = [Curve::P256, Curve::P384, Curve::P521, Curve::Secp256k1, Curve::Sm2];

    /// Gives what it was told to, one after the other.
    struct Told(Vec<Vec<u8>>);

    impl Random for Told {
        fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Failure> {
            bytes.copy_from_slice(&self.0.remove(0));
            Ok(())
        }
    }

    #[test]
    fn what_is_no_private_key_is_drawn_again() {
        for curve in ALL {
            let mut highest = curve.bound().to_vec();
            *highest.last_mut().unwrap() -= 1;
            let mut told =
                Told(vec![vec![0; curve.width()], vec![0xff; curve.width()], curve.bound().to_vec(), highest.clone()]);
            assert_eq!(*curve.draw(&mut told).unwrap(), *highest, "{curve:?}");
            assert!(told.0.is_empty(), "{curve:?}");
        }
    }

    #[test]
    fn the_ends_of_the_range_are_exact() {
        for curve in ALL {
            let mut one = vec![0; curve.width()];
            assert!(curve.check(&one).is_err(), "{curve:?}: zero");
            one[curve.width() - 1] = 1;
            assert!(curve.check(&one).is_ok(), "{curve:?}: one");
            assert!(curve.check(curve.bound()).is_err(), "{curve:?}: the bound");
            assert!(curve.check(&one[1..]).is_err(), "{curve:?}: short");
        }
    }

    #[test]
    fn a_broken_source_is_an_error_and_no_endless_loop() {
        struct Stuck;
        impl Random for Stuck {
            fn fill(&mut self, _: &mut [u8]) -> Result<(), Failure> {
                Ok(())
            }
        }
        assert!(Curve::P256.draw(&mut Stuck).is_err());
    }

    #[test]
    fn the_lower_s_is_taken() {
        let mut one = [0; 32];
        one[31] = 1;
        let mut high = [0; 32];
        high.copy_from_slice(SECP256K1);
        high[31] -= 1;
        for s in [one, high] {
            let mut lowered = s;
            Curve::Secp256k1.lower(&mut lowered);
            assert_eq!(lowered, one);
        }
    }
}
