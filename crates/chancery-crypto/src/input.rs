//! What a signature is made over, checked against the key once.
//!
//! **Invariant**: an [`Input`] fits its key: a digest has its hash's length, Ed25519 and ML-DSA get a message, RSA a
//! named hash of its own family, SM2 its e.

use super::{PublicKey, hash};
use chancery_model::{Algorithm, Hash, Mechanism, RsaPadding};

/// The longest user id of SM2, in bytes: its length in bits is written with 16 bits (GB/T 32918.2 §5.5).
const MAXIMUM_USER_ID: usize = 8191;

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
        /// SM2: the signer's distinguishing identifier; `None`: the default one.
        user_id: Option<Vec<u8>>,
    },
}

/// What is signed with a key of one algorithm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// How it is signed.
    pub mechanism: Mechanism,
    /// The hash that made the digest; `None` for raw bytes, Ed25519 and ML-DSA.
    pub hash: Option<Hash>,
    /// The digest, for SM2 e, for Ed25519 and ML-DSA the message.
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
    /// The algorithm signs messages.
    #[error("{0} signs messages, not digests: send the message")]
    NeedsMessage(Algorithm),
    /// The algorithm has its own hash.
    #[error("{0} has a hash of its own: name none")]
    NeedsNoHash(Algorithm),
    /// RSA puts the hash's name into what it signs.
    #[error("RSA signs a digest together with its hash's name: name the hash")]
    NeedsHash,
    /// RSA is not used with SM3.
    #[error("RSA signs with sha256, sha384 or sha512, not with sm3")]
    NeedsSha2,
    /// SM2 hashes with SM3.
    #[error("sm2 signs with sm3 only: name that hash or none")]
    NeedsSm3,
    /// The padding is not for this algorithm.
    #[error("a padding can be chosen for RSA keys only")]
    NeedsNoPadding,
    /// The user id is not for this algorithm.
    #[error("a user id goes with sm2 keys only")]
    NeedsNoUserId,
    /// Its length can't be written.
    #[error("a user id has at most {MAXIMUM_USER_ID} bytes, not {0}")]
    UserIdTooLong(usize),
    /// The key is for something else.
    #[error("{0} keys sign nothing")]
    SignsNothing(Algorithm),
}

/// DigestInfo without the digest (RFC 8017 §9.2, note 1), its hash by the last number of its identifier.
fn digest_info_prefix(algorithm: u8, length: u8) -> Vec<u8> {
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

    /// The same, for `key`.
    ///
    /// # Errors
    /// [`InputError`], saying what the algorithm needs.
    pub fn fit(self, key: &PublicKey, padding: Option<RsaPadding>) -> Result<Input, InputError> {
        let algorithm = key.algorithm();
        if padding.is_some() && !algorithm.is_rsa() {
            return Err(InputError::NeedsNoPadding);
        }
        if let Self::Message { user_id: Some(id), .. } = &self {
            match id.len() {
                _ if algorithm != Algorithm::Sm2 => return Err(InputError::NeedsNoUserId),
                length if length > MAXIMUM_USER_ID => return Err(InputError::UserIdTooLong(length)),
                _ => {}
            }
        }
        match algorithm {
            Algorithm::EcP256 | Algorithm::EcP384 | Algorithm::EcP521 | Algorithm::EcSecp256k1 => {
                self.hashed(Mechanism::Ecdsa, algorithm)
            }
            Algorithm::Rsa2048 | Algorithm::Rsa3072 | Algorithm::Rsa4096 => {
                self.for_rsa(padding.unwrap_or(RsaPadding::Pkcs1), algorithm)
            }
            Algorithm::Sm2 => self.for_sm2(key),
            Algorithm::Ed25519 => self.whole(Mechanism::Ed25519, algorithm),
            Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87 => self.whole(Mechanism::MlDsa, algorithm),
            Algorithm::X25519 | Algorithm::Aes256 | Algorithm::Sm4 | Algorithm::HmacSha256 => {
                Err(InputError::SignsNothing(algorithm))
            }
        }
    }

    /// A message that is signed as it is.
    fn whole(self, mechanism: Mechanism, algorithm: Algorithm) -> Result<Input, InputError> {
        match self {
            Self::Message { hash: None, value, .. } => Ok(Input { mechanism, hash: None, value }),
            Self::Message { .. } => Err(InputError::NeedsNoHash(algorithm)),
            Self::Digest { .. } => Err(InputError::NeedsMessage(algorithm)),
        }
    }

    /// A digest, made here or by the caller.
    fn hashed(self, mechanism: Mechanism, algorithm: Algorithm) -> Result<Input, InputError> {
        match self {
            Self::Message { hash: named, value, .. } => {
                let named = named.or(algorithm.default_hash());
                let value = match named {
                    Some(named) => hash(named, &value),
                    None => value,
                };
                Ok(Input { mechanism, hash: named, value })
            }
            Self::Digest { hash: Some(named), value } if value.len() == named.length() => {
                Ok(Input { mechanism, hash: Some(named), value })
            }
            Self::Digest { hash: Some(hash), value } => {
                Err(InputError::WrongLength { hash, expected: hash.length(), given: value.len() })
            }
            Self::Digest { hash: None, value } if (1..=64).contains(&value.len()) => {
                Ok(Input { mechanism, hash: None, value })
            }
            Self::Digest { hash: None, value } => Err(InputError::RawLength(value.len())),
        }
    }

    fn for_rsa(self, padding: RsaPadding, algorithm: Algorithm) -> Result<Input, InputError> {
        let mechanism = match padding {
            RsaPadding::Pkcs1 => Mechanism::RsaPkcs1,
            RsaPadding::Pss => Mechanism::RsaPss,
        };
        match &self {
            Self::Digest { hash: Some(Hash::Sm3), .. } | Self::Message { hash: Some(Hash::Sm3), .. } => {
                Err(InputError::NeedsSha2)
            }
            Self::Digest { hash: None, .. } => Err(InputError::NeedsHash),
            _ => self.hashed(mechanism, algorithm),
        }
    }

    fn for_sm2(self, key: &PublicKey) -> Result<Input, InputError> {
        let value = match self {
            Self::Digest { hash: None | Some(Hash::Sm3), value } if value.len() == Hash::Sm3.length() => value,
            Self::Digest { hash: None | Some(Hash::Sm3), value } => {
                let (hash, given) = (Hash::Sm3, value.len());
                return Err(InputError::WrongLength { hash, expected: hash.length(), given });
            }
            Self::Message { hash: None | Some(Hash::Sm3), value, user_id } => {
                let key = key.sm2().ok_or(InputError::SignsNothing(key.algorithm()))?;
                key.digest(user_id.as_deref(), &value).to_vec()
            }
            _ => return Err(InputError::NeedsSm3),
        };
        Ok(Input { mechanism: Mechanism::Sm2, hash: Some(Hash::Sm3), value })
    }
}

impl Input {
    /// The bytes that the mechanism takes: the digest, for SM2 e, the message for Ed25519 and ML-DSA, and for
    /// RSASSA-PKCS1-v1_5 the DigestInfo (RFC 8017 §9.2).
    pub fn taken(&self) -> Vec<u8> {
        let prefix = match (self.mechanism, self.hash) {
            (Mechanism::RsaPkcs1, Some(Hash::Sha256)) => digest_info_prefix(1, 32),
            (Mechanism::RsaPkcs1, Some(Hash::Sha384)) => digest_info_prefix(2, 48),
            (Mechanism::RsaPkcs1, Some(Hash::Sha512)) => digest_info_prefix(3, 64),
            _ => Vec::new(),
        };
        [prefix.as_slice(), &self.value].concat()
    }
}
