//! Why a request failed.

use std::fmt;

/// Why a request failed, and whether anything was done.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Fault {
    /// What is wrong, for programs.
    #[prost(enumeration = "FaultReason", tag = "1")]
    pub reason: i32,
    /// What is wrong and what to do, for people. Holds no secret.
    #[prost(string, tag = "2")]
    pub message: String,
    /// The token may have done it (the fault came from the operation itself).
    #[prost(bool, tag = "3")]
    pub maybe_performed: bool,
    /// What the log must show of it, if a private or secret key may have been used or made.
    #[prost(message, optional, boxed, tag = "4")]
    pub operation: Option<Box<super::Operation>>,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum FaultReason {
    /// Not said: a defect of the enclave.
    Unspecified = 0,
    /// The request itself is malformed or came at the wrong time: a defect of chanceryd.
    BadRequest = 1,
    /// The library can't be loaded or initialized.
    LibraryUnusable = 2,
    /// No token has that label, or more than one has.
    TokenNotFound = 3,
    /// The token isn't initialized, or has no user PIN yet.
    TokenUninitialized = 4,
    /// A token with that label exists already, or no free slot is left.
    TokenExists = 5,
    /// The PIN file can't be read, is empty, or others may read it.
    PinUnreadable = 6,
    /// The token refused the PIN. Never tried again by itself: tokens lock.
    LoginFailed = 7,
    /// The token holds a deployment already.
    DeploymentExists = 8,
    /// The token doesn't hold this deployment's system keys.
    DeploymentMissing = 9,
    /// No object of that key version is in the token.
    KeyNotFound = 10,
    /// An object of that key version exists already.
    KeyExists = 11,
    /// The object in the token isn't the key that the service registered.
    KeyMismatch = 12,
    /// The token lacks the mechanism.
    Unsupported = 13,
    /// The deadline had passed before work began.
    Expired = 14,
    /// The token or its library failed.
    TokenFault = 15,
    /// A checkpoint that does not extend the last one was asked for, or a statement shown that is not the enclave's.
    CheckpointRefused = 16,
    /// The enclave key is not open: send it along, wrapped.
    KeyNotOpen = 17,
    /// A wrapped key, backup entry, share or sealed key fails its check: changed, swapped, or another deployment's.
    Tampered = 18,
    /// The organization's key-encryption key of that generation isn't in the token.
    KekNotFound = 19,
    /// The key does not allow this use.
    WrongUse = 20,
    /// The caller's input is wrong: a ciphertext that does not open, a public key that is no point.
    BadInput = 21,
    /// A key to import is weak, malformed or no key of its algorithm.
    BadKey = 22,
    /// The transport key has expired or was never here; so does every one when the enclave restarts.
    TransportKeyExpired = 23,
    /// Too few shares, or shares that do not belong together.
    BadShares = 24,
    /// Too much of it at a time: transport keys, backups under way.
    Busy = 25,
    /// Too many operations lie beyond the last statement that was shown in the log: nothing was done. Show one.
    Unwitnessed = 26,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
