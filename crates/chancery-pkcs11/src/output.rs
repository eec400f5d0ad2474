//! What a function puts into a caller's buffer (PKCS#11 v3.0 §5.2).

use zeroize::Zeroizing;

/// How much room the caller has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// No buffer: only the length is asked for, and the operation stays active.
    Ask,
    /// So many bytes.
    Bytes(usize),
}

impl Room {
    /// Whether `length` bytes fit; asking never does.
    pub fn fits(self, length: usize) -> bool {
        matches!(self, Self::Bytes(room) if length <= room)
    }

    /// `length`, where it does not fit.
    pub fn lacks(self, length: usize) -> Option<usize> {
        (!self.fits(length)).then_some(length)
    }
}

/// What comes of it.
#[derive(PartialEq, Eq)]
pub enum Output {
    /// The result, which may be a secret.
    Bytes(Zeroizing<Vec<u8>>),
    /// So many bytes are needed, or may be: `CKR_OK` where the length was asked for, `CKR_BUFFER_TOO_SMALL` otherwise. The
    /// operation stays active.
    Needs(usize),
}

impl From<Vec<u8>> for Output {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Zeroizing::new(bytes))
    }
}
