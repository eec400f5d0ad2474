//! Random bytes for one signature, in the form that RustCrypto draws them in.

use std::convert::Infallible;

use k256::ecdsa::signature::rand_core::{TryCryptoRng, TryRng};
use zeroize::Zeroizing;

use super::Random;
use crate::fault::Failure;

/// 32 random bytes for one signature, drawn beforehand since the source may fail: RFC 6979 makes the nonce of the key, the
/// digest and these (§3.6 there), so that neither a bad source nor a fault in one of two equal signatures gives the key
/// away.
pub(super) struct Hedge {
    bytes: Zeroizing<[u8; 32]>,
}

impl Hedge {
    pub(super) fn draw(random: &mut dyn Random) -> Result<Self, Failure> {
        let mut bytes = Zeroizing::new([0; 32]);
        random.fill(&mut *bytes)?;
        Ok(Self { bytes })
    }
}

impl TryRng for Hedge {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut word = [0; 4];
        self.try_fill_bytes(&mut word)?;
        Ok(u32::from_le_bytes(word))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut word = [0; 8];
        self.try_fill_bytes(&mut word)?;
        Ok(u64::from_le_bytes(word))
    }

    /// The same bytes, over and over: signers ask once, and P-521 for 66.
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(self.bytes.len()) {
            chunk.copy_from_slice(&self.bytes[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Hedge {}
