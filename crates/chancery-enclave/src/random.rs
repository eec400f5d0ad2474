//! Random bytes: the token's mixed with the system's.
//!
//! **Invariant**: what comes out is unpredictable as long as one of the two is: HKDF-SHA256 (RFC 5869) is drawn from
//! 32 bytes of each. A token without a generator (CKF_RNG) leaves the system's, which is said once.

use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use chancery_ipc::{FaultReason, RandomDrawn};
use cryptoki::{
    error::{Error, RvError},
    session::Session,
};
use zeroize::Zeroizing;

use crate::{
    fault::{Failure, while_doing},
    log,
    software::Random,
};

/// Bytes drawn from each of the two.
const SEED: usize = 32;
/// The most bytes of one [`chancery_ipc::Random`].
const MOST: u32 = 1024;
/// The most that HKDF-SHA256 gives for one seed (RFC 5869 §2.3).
const CHUNK: usize = 255 * 32;

/// Whether the token has a generator.
#[derive(Debug)]
pub(crate) struct TokenRng(AtomicBool);

impl TokenRng {
    pub(crate) fn new(has_one: bool) -> Self {
        let rng = Self(AtomicBool::new(true));
        if !has_one {
            rng.note_missing();
        }
        rng
    }

    /// Random bytes drawn with the help of `session`.
    pub(crate) fn on<'a>(&'a self, session: &'a Session) -> MixedRandom<'a> {
        MixedRandom { token: self, session }
    }

    fn note_missing(&self) {
        if self.0.swap(false, Ordering::Relaxed) {
            log::line("the token has no random number generator; random bytes are the system's alone");
        }
    }

    fn draw(&self, session: &Session, seed: &mut [u8]) -> Result<(), Failure> {
        if !self.0.load(Ordering::Relaxed) {
            return Ok(());
        }
        match session.generate_random_slice(seed) {
            Ok(()) => Ok(()),
            Err(Error::Pkcs11(RvError::RandomNoRng | RvError::FunctionNotSupported, _)) => {
                self.note_missing();
                Ok(())
            }
            Err(error) => Err(while_doing("drawing random bytes")(error)),
        }
    }
}

/// The token's bytes mixed with the system's.
#[derive(Debug)]
pub(crate) struct MixedRandom<'a> {
    token: &'a TokenRng,
    session: &'a Session,
}

impl MixedRandom<'_> {
    /// What a caller asks for.
    pub(crate) fn drawn(&mut self, length: u32) -> Result<RandomDrawn, Failure> {
        if !(1..=MOST).contains(&length) {
            return Err(Failure::bad_request(format!("1 to {MOST} random bytes are drawn at a time")));
        }
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes)?;
        Ok(RandomDrawn { bytes })
    }
}

impl Random for MixedRandom<'_> {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Failure> {
        for chunk in bytes.chunks_mut(CHUNK) {
            let mut seed = Zeroizing::new([0; 2 * SEED]);
            let (token, system) = seed.split_at_mut(SEED);
            self.token.draw(self.session, token)?;
            SystemRandom.fill(system)?;
            mix(&*seed, chunk)?;
        }
        Ok(())
    }
}

/// The system's bytes alone, for nonces: a network HSM's round trip would cost more than the signature. RFC 6979 makes
/// good nonces without them, and those of GCM may be known if only they differ.
#[derive(Debug)]
pub(crate) struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Failure> {
        getrandom::fill(bytes)
            .map_err(|error| Failure::new(FaultReason::TokenFault, format!("no random bytes: {error}")))
    }
}

/// HKDF-SHA256 of `seed`.
fn mix(seed: &[u8], bytes: &mut [u8]) -> Result<(), Failure> {
    struct Length(usize);
    impl KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let prk = Salt::new(HKDF_SHA256, b"chancery random v1").extract(seed);
    let expanded = prk.expand(&[], Length(bytes.len())).and_then(|okm| okm.fill(bytes));
    expanded.map_err(|_| Failure::new(FaultReason::TokenFault, "HKDF gives no so many bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python's hmac module: HKDF (RFC 5869) of the bytes 0 to 63.
    #[test]
    fn the_mix_is_hkdf_of_both() {
        let seed: Vec<u8> = (0..64).collect();
        let mut bytes = [0; 42];
        mix(&seed, &mut bytes).unwrap();
        assert_eq!(
            hex::encode(bytes),
            "71f2e5bf899fea5334e36ee7c78de11ac0ce0d42edef064d4001190bec7b3aa088cfbd9cc9251f444059"
        );
        for changed in [0, 31, 32, 63] {
            let mut other = seed.clone();
            other[changed] ^= 1;
            let mut different = [0; 42];
            mix(&other, &mut different).unwrap();
            assert_ne!(different, bytes);
        }
    }
}
