//! Hash functions that are computed here, piece by piece.

use aws_lc_rs::digest::{self, Context, SHA1_FOR_LEGACY_USE_ONLY, SHA224, SHA256, SHA384, SHA512};
use chancery_model::Hash;
use sm3::{Digest as _, Sm3};

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hashing {
    /// SHA-1 (FIPS 180-4): for what old clients ask, never chosen here.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// SM3 (GB/T 32905).
    Sm3,
}

impl Hashing {
    /// The hash in aws-lc, which has no SM3.
    fn algorithm(self) -> Option<&'static digest::Algorithm> {
        match self {
            Self::Sha1 => Some(&SHA1_FOR_LEGACY_USE_ONLY),
            Self::Sha224 => Some(&SHA224),
            Self::Sha256 => Some(&SHA256),
            Self::Sha384 => Some(&SHA384),
            Self::Sha512 => Some(&SHA512),
            Self::Sm3 => None,
        }
    }

    /// Length of a digest in bytes.
    pub(crate) fn length(self) -> usize {
        self.algorithm().map_or(Hash::Sm3.length(), digest::Algorithm::output_len)
    }

    /// As the service names it; SHA-1 and SHA-224 it does not name, and signs as raw bytes.
    pub(super) fn named(self) -> Option<Hash> {
        match self {
            Self::Sha1 | Self::Sha224 => None,
            Self::Sha256 => Some(Hash::Sha256),
            Self::Sha384 => Some(Hash::Sha384),
            Self::Sha512 => Some(Hash::Sha512),
            Self::Sm3 => Some(Hash::Sm3),
        }
    }

    /// Of no bytes so far.
    pub(crate) fn begin(self) -> Hasher {
        match self.algorithm() {
            Some(algorithm) => Hasher::AwsLc(Context::new(algorithm)),
            None => Hasher::Sm3(Sm3::new()),
        }
    }
}

/// A digest in the making.
#[derive(Clone)]
pub(crate) enum Hasher {
    /// By aws-lc.
    AwsLc(Context),
    /// SM3.
    Sm3(Sm3),
}

impl Hasher {
    /// More bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::AwsLc(context) => context.update(bytes),
            Self::Sm3(hash) => hash.update(bytes),
        }
    }

    /// The digest.
    pub(crate) fn finish(self) -> Vec<u8> {
        match self {
            Self::AwsLc(context) => context.finish().as_ref().to_vec(),
            Self::Sm3(hash) => hash.finalize().to_vec(),
        }
    }
}

impl From<Hash> for Hashing {
    fn from(hash: Hash) -> Self {
        match hash {
            Hash::Sha256 => Self::Sha256,
            Hash::Sha384 => Self::Sha384,
            Hash::Sha512 => Self::Sha512,
            Hash::Sm3 => Self::Sm3,
        }
    }
}
