//! The one encoding of what is bound: fields, each after its length.

use sha2::{Digest, Sha256};

/// Fields one after the other, each as its length (4 bytes, big endian) and its bytes: no two lists encode alike.
pub(crate) fn encode(fields: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(fields.iter().map(|field| 4 + field.len()).sum());
    for field in fields {
        bytes.extend_from_slice(&length(field));
        bytes.extend_from_slice(field);
    }
    bytes
}

/// SHA-256 over a list of fields that grows.
#[derive(Clone, Default)]
pub(crate) struct RunningHash(Sha256);

impl RunningHash {
    pub(crate) fn add(&mut self, field: &[u8]) {
        self.0.update(length(field));
        self.0.update(field);
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// # Panics
/// If a field has 4 GiB or more: every caller bounds what it passes.
fn length(field: &[u8]) -> [u8; 4] {
    u32::try_from(field.len()).expect("fields are bounded far below 4 GiB").to_be_bytes()
}
