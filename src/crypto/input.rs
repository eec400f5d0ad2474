//! What a signature is made over, checked against the key's algorithm once.
//!
//! **Invariant**: an [`Input`] fits its algorithm: a digest has its hash's length, Ed25519 gets a message, RSA a named
//! hash.

use super::hash;
use crate::model::{Algorithm, Hash, Mechanism, RsaPadding};
use chancery_ipc as ipc;

/// What a caller asks to be signed, before it meets the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signable {
    /// A digest of the named hash, or 1 to 64 raw bytes.
    Digest {
        /// The hash that made it.
        hash: Option<Hash>,
        /// The digest.
        value: Vec<u8>,
    },
    /// A message, and the hash to use where the algorithm hashes.
    Message {
        /// The hash; `None`: the algorithm's own.
        hash: Option<Hash>,
        /// The message.
        value: Vec<u8>,
    },
}

/// What is signed with a key of one algorithm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// How it is signed.
    pub mechanism: Mechanism,
    /// The hash that made the digest; `None` for raw bytes and for Ed25519.
    pub hash: Option<Hash>,
    /// The digest, or for Ed25519 the message.
    pub value: Vec<u8>,
}

/// The input does not fit the key's algorithm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// The digest's length is not its hash's.
    #[error("a {hash} digest has {expected} bytes, not {given}")]
    WrongLength {
        /// The hash it names.
        hash: Hash,
        /// The hash's length.
        expected: usize,
        /// The digest's length.
        given: usize,
    },
    /// Raw bytes outside 1 to 64.
    #[error("a digest without a hash has 1 to 64 bytes, not {0}")]
    RawLength(usize),
    /// Ed25519 signs messages.
    #[error("ed25519 signs messages, not digests: send the message")]
    NeedsMessage,
    /// Ed25519 has its own hash.
    #[error("ed25519 has a hash of its own: name none")]
    NeedsNoHash,
    /// RSA puts the hash's name into what it signs.
    #[error("RSA signs a digest together with its hash's name: name the hash")]
    NeedsHash,
    /// The padding is not for this algorithm.
    #[error("a padding can be chosen for RSA keys only")]
    NeedsNoPadding,
}

/// DigestInfo without the digest (RFC 8017 §9.2, note 1).
fn digest_info_prefix(hash: Hash) -> Vec<u8> {
    let (algorithm, length) = match hash {
        Hash::Sha256 => (1, 32),
        Hash::Sha384 => (2, 48),
        Hash::Sha512 => (3, 64),
    };
    let mut prefix = vec![0x30, 17 + length, 0x30, 0x0d, 0x06, 0x09];
    prefix.extend([0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, algorithm, 0x05, 0x00, 0x04, length]);
    prefix
}

impl Signable {
    /// How many bytes are to be signed.
    pub fn size(&self) -> usize {
        match self {
            Self::Digest { value, .. } | Self::Message { value, .. } => value.len(),
        }
    }

    /// The same, for a key of `algorithm`.
    ///
    /// # Errors
    /// [`InputError`], saying what the algorithm needs.
    pub fn fit(self, algorithm: Algorithm, padding: Option<RsaPadding>) -> Result<Input, InputError> {
        if padding.is_some() && !algorithm.is_rsa() {
            return Err(InputError::NeedsNoPadding);
        }
        if algorithm == Algorithm::Ed25519 {
            return match self {
                Self::Message { hash: None, value } => Ok(Input { mechanism: Mechanism::Ed25519, hash: None, value }),
                Self::Message { .. } => Err(InputError::NeedsNoHash),
                Self::Digest { .. } => Err(InputError::NeedsMessage),
            };
        }
        let mechanism = match (algorithm.is_rsa(), padding.unwrap_or(RsaPadding::Pkcs1)) {
            (false, _) => Mechanism::Ecdsa,
            (true, RsaPadding::Pkcs1) => Mechanism::RsaPkcs1,
            (true, RsaPadding::Pss) => Mechanism::RsaPss,
        };
        match self {
            Self::Message { hash: named, value } => {
                let named = named.or(algorithm.default_hash());
                let value = named.map_or(value.clone(), |named| hash(named, &value));
                Ok(Input { mechanism, hash: named, value })
            }
            Self::Digest { hash: Some(named), value } => {
                if value.len() == named.length() {
                    Ok(Input { mechanism, hash: Some(named), value })
                } else {
                    Err(InputError::WrongLength { hash: named, expected: named.length(), given: value.len() })
                }
            }
            Self::Digest { hash: None, .. } if algorithm.is_rsa() => Err(InputError::NeedsHash),
            Self::Digest { hash: None, value } if (1..=64).contains(&value.len()) => {
                Ok(Input { mechanism, hash: None, value })
            }
            Self::Digest { hash: None, value } => Err(InputError::RawLength(value.len())),
        }
    }
}

impl Input {
    /// As the enclave takes it: the mechanism and its input.
    pub fn for_enclave(&self) -> (ipc::Mechanism, Vec<u8>) {
        let hash = self.hash.unwrap_or(Hash::Sha256);
        match self.mechanism {
            Mechanism::Ecdsa => (ipc::Mechanism::Ecdsa, self.value.clone()),
            Mechanism::Ed25519 => (ipc::Mechanism::Eddsa, self.value.clone()),
            Mechanism::RsaPkcs1 => (ipc::Mechanism::RsaPkcs1, [digest_info_prefix(hash), self.value.clone()].concat()),
            Mechanism::RsaPss => {
                let mechanism = match hash {
                    Hash::Sha256 => ipc::Mechanism::RsaPssSha256,
                    Hash::Sha384 => ipc::Mechanism::RsaPssSha384,
                    Hash::Sha512 => ipc::Mechanism::RsaPssSha512,
                };
                (mechanism, self.value.clone())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_the_algorithm_is_refused() {
        let digest = |hash, length| Signable::Digest { hash, value: vec![1; length] };
        let message = |hash| Signable::Message { hash, value: vec![1; 5] };
        let fits = |signable: Signable, algorithm| signable.fit(algorithm, None).is_ok();
        assert!(fits(digest(Some(Hash::Sha512), 64), Algorithm::EcP256), "any hash with any curve");
        assert!(!fits(digest(Some(Hash::Sha256), 31), Algorithm::EcP256));
        assert!(fits(digest(None, 1), Algorithm::EcP256) && fits(digest(None, 64), Algorithm::EcP256));
        assert!(!fits(digest(None, 0), Algorithm::EcP256) && !fits(digest(None, 65), Algorithm::EcP256));
        assert!(
            !fits(digest(None, 32), Algorithm::Rsa2048) && fits(digest(Some(Hash::Sha384), 48), Algorithm::Rsa2048)
        );
        assert!(!fits(digest(Some(Hash::Sha256), 32), Algorithm::Ed25519) && fits(message(None), Algorithm::Ed25519));
        assert!(!fits(message(Some(Hash::Sha512)), Algorithm::Ed25519));
        assert!(message(None).fit(Algorithm::EcP256, Some(RsaPadding::Pss)).is_err());
    }
}
