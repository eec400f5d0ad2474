//! What is to be done with a key, checked against the key once.
//!
//! **Invariant**: a [`Fitted`] work suits its key's purpose and algorithm, and its sizes are within the API's limits.

use super::Cipher;
use crate::{
    crypto::PublicKey,
    enclave::Use,
    error::Error,
    model::{Action, Key, Mechanism, Mode, Purpose},
    policy::Context,
};
use chancery_api::reasons;
use zeroize::Zeroizing;

/// What is asked for.
pub enum Work {
    /// A shared secret with the holder of a SubjectPublicKeyInfo, DER.
    Derive {
        /// Theirs.
        public_key: Vec<u8>,
    },
    /// Encryption.
    Encrypt {
        /// What to encrypt.
        plaintext: Zeroizing<Vec<u8>>,
        /// Authenticated along with it; RSA: the label.
        associated_data: Vec<u8>,
        /// How.
        cipher: Cipher,
    },
    /// Decryption.
    Decrypt {
        /// As encryption gave it.
        ciphertext: Vec<u8>,
        /// As it was given to encryption.
        associated_data: Vec<u8>,
        /// How.
        cipher: Cipher,
    },
    /// A message authentication code.
    Mac {
        /// Of this.
        message: Zeroizing<Vec<u8>>,
    },
    /// The code that one given must equal.
    VerifyMac {
        /// Of this.
        message: Zeroizing<Vec<u8>>,
    },
    /// Wrapping the bytes of a key that the caller holds.
    Wrap {
        /// The key's bytes.
        plaintext: Zeroizing<Vec<u8>>,
    },
    /// Unwrapping them.
    Unwrap {
        /// As wrapping gave it.
        wrapped: Vec<u8>,
    },
}

/// Work that suits its key.
pub(super) enum Fitted {
    /// The public half did it: the result.
    Public(Vec<u8>),
    /// The private or secret key must do it.
    Private(Use),
}

/// The most bytes of a plaintext or message.
pub(super) const MOST_BYTES: usize = 3 << 20;
/// The most bytes of a key to wrap.
const MOST_WRAPPED: usize = 4096;

impl Work {
    /// The action that policies decide on.
    pub fn action(&self) -> Action {
        match self {
            Self::Derive { .. } => Action::DeriveSharedSecret,
            Self::Encrypt { .. } => Action::Encrypt,
            Self::Decrypt { .. } => Action::Decrypt,
            Self::Mac { .. } => Action::GenerateMac,
            Self::VerifyMac { .. } => Action::VerifyMac,
            Self::Wrap { .. } => Action::WrapKey,
            Self::Unwrap { .. } => Action::UnwrapKey,
        }
    }

    /// What policies may read of it.
    pub(super) fn context(&self) -> Context {
        let size = match self {
            Self::Derive { .. } => return Context::new(),
            Self::Encrypt { plaintext: bytes, .. }
            | Self::Mac { message: bytes }
            | Self::VerifyMac { message: bytes }
            | Self::Wrap { plaintext: bytes } => bytes.len(),
            Self::Decrypt { ciphertext: bytes, .. } | Self::Unwrap { wrapped: bytes } => bytes.len(),
        };
        let context = Context::new().number("size", i64::try_from(size).unwrap_or(i64::MAX));
        let mode = match self {
            Self::Encrypt { cipher, .. } => cipher.mode_to_encrypt(),
            Self::Decrypt { cipher, .. } => cipher.mode_to_decrypt(),
            _ => Mode::Default,
        };
        // What a request does not say stands in no record.
        if mode == Mode::Default { context } else { context.text("mode", mode.as_str()) }
    }

    /// The same, for `key`.
    pub(super) fn fit(self, key: &Key, public_key: Option<&PublicKey>) -> Result<Fitted, Error> {
        let (purpose, what) = match self {
            Self::Derive { .. } => (Purpose::Agree, "key agreement"),
            Self::Encrypt { .. } | Self::Decrypt { .. } => (Purpose::Encrypt, "encryption"),
            Self::Mac { .. } | Self::VerifyMac { .. } => (Purpose::Mac, "message authentication codes"),
            Self::Wrap { .. } | Self::Unwrap { .. } => (Purpose::Wrap, "wrapping keys"),
        };
        if key.purpose != purpose {
            return Err(Error::Precondition {
                reason: reasons::WRONG_PURPOSE,
                message: format!("{} is for {}, not for {what}", key.name, key.purpose),
            });
        }
        match self {
            Self::Derive { public_key } => {
                at_most("public_key", &public_key, 1024)?;
                Ok(private(Mechanism::Ecdh, Verb::Ecdh, public_key.into(), Vec::new()))
            }
            Self::Encrypt { plaintext, associated_data, cipher } => {
                cipher.encrypt(key.algorithm, public_key, plaintext, associated_data)
            }
            Self::Decrypt { ciphertext, associated_data, cipher } => {
                cipher.decrypt(key.algorithm, ciphertext, associated_data)
            }
            Self::Mac { message } | Self::VerifyMac { message } => {
                at_most("message", &message, MOST_BYTES)?;
                Ok(private(Mechanism::Hmac, Verb::HmacSha256, message, Vec::new()))
            }
            Self::Wrap { plaintext } => {
                if plaintext.is_empty() {
                    return Err(Error::invalid("plaintext", "required"));
                }
                at_most("plaintext", &plaintext, MOST_WRAPPED)?;
                Ok(private(Mechanism::Kwp, Verb::KwpWrap, plaintext, Vec::new()))
            }
            Self::Unwrap { wrapped } => {
                at_most("wrapped_key", &wrapped, MOST_WRAPPED + 16)?;
                Ok(private(Mechanism::Kwp, Verb::KwpUnwrap, wrapped.into(), Vec::new()))
            }
        }
    }
}

use chancery_ipc::Mechanism as Verb;

pub(super) fn private(mechanism: Mechanism, verb: Verb, input: Zeroizing<Vec<u8>>, associated_data: Vec<u8>) -> Fitted {
    Fitted::Private(Use { mechanism, verb, input, associated_data, iv: Vec::new() })
}

pub(super) fn at_most(field: &'static str, bytes: &[u8], most: usize) -> Result<(), Error> {
    if bytes.len() <= most {
        return Ok(());
    }
    Err(Error::Rejected {
        reason: reasons::TOO_LARGE,
        field,
        message: format!("{} bytes; at most {most}", bytes.len()),
    })
}
