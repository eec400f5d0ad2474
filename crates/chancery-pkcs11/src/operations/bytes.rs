//! Data that is kept until the service, or a public key, is given all of it.
//!
//! **Invariant**: growing leaves no copy of it in memory: it may be a secret.

use super::scheme::MOST_BYTES;
use crate::rv::{Result, Rv};
use cryptoki_sys::CKR_DATA_LEN_RANGE;
use zeroize::Zeroizing;

/// The most bytes that are gathered: a ciphertext is a little longer.
const MOST_GATHERED: usize = MOST_BYTES + 16;

/// See the module.
#[derive(Clone, Default)]
pub(super) struct GatheredBytes(Zeroizing<Vec<u8>>);

impl GatheredBytes {
    /// More data.
    ///
    /// # Errors
    /// `CKR_DATA_LEN_RANGE`: more than the service takes.
    pub(super) fn add(&mut self, part: &[u8]) -> Result<()> {
        let Self(bytes) = self;
        if part.len() > MOST_GATHERED.saturating_sub(bytes.len()) {
            return Err(Rv(CKR_DATA_LEN_RANGE));
        }
        reserve(bytes, part.len());
        bytes.extend_from_slice(part);
        Ok(())
    }

    /// How much there is, in bytes.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// All of it.
    pub(super) fn finish(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

/// Makes room for so many bytes. A vector that grows by itself leaves its former bytes in memory.
fn reserve(bytes: &mut Zeroizing<Vec<u8>>, more: usize) {
    if bytes.capacity() - bytes.len() < more {
        let room = (bytes.len() + more).max(2 * bytes.capacity());
        let mut larger = Zeroizing::new(Vec::with_capacity(room));
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }
}
