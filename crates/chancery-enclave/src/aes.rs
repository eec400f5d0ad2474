//! AES with a key of the token: one message in, one message out.
//!
//! **Invariant**: a token is never blamed for a ciphertext. SoftHSM answers a tag that does not fit with
//! CKR_GENERAL_ERROR, as it answers much else; so after any failed decryption the key is tried on a message of our own,
//! and only if that fails too did the token fail ([`open`]).

use chancery_ipc::FaultReason;
use cryptoki::{
    context::Function,
    error::Error,
    mechanism::{Mechanism, aead::GcmParams},
    object::ObjectHandle,
    session::Session,
};
use zeroize::Zeroizing;

use crate::{
    fault::{Failure, UseError, while_using},
    software::Random,
};

/// Bytes of a GCM nonce (SP 800-38D §5.2.1.1).
pub(crate) const NONCE: usize = 12;
/// Bytes of a GCM tag.
pub(crate) const TAG: usize = 16;
/// Bytes of a block, and so of a CBC initialization vector.
pub(crate) const BLOCK: usize = 16;

/// The mode of operation, with what it needs beside key and message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode<'a> {
    /// CKM_AES_GCM (PKCS#11 v3.0 §2.12.3) with a tag of 128 bits.
    Gcm { nonce: [u8; NONCE], associated_data: &'a [u8] },
    /// CKM_AES_CBC: whole blocks, no padding, no authentication.
    Cbc { iv: [u8; BLOCK] },
}

impl Mode<'_> {
    fn with<T>(mut self, work: impl FnOnce(&Mechanism<'_>) -> Result<T, Error>) -> Result<T, Error> {
        match &mut self {
            Self::Gcm { nonce, associated_data } => {
                work(&Mechanism::AesGcm(GcmParams::new(nonce, associated_data, (8 * TAG as u64).into())?))
            }
            Self::Cbc { iv } => work(&Mechanism::AesCbc(*iv)),
        }
    }

    /// The same mode for a message of our own.
    fn of_our_own(self, random: &mut dyn Random) -> Result<Self, Failure> {
        Ok(match self {
            Self::Gcm { .. } => {
                let mut nonce = [0; NONCE];
                random.fill(&mut nonce)?;
                Self::Gcm { nonce, associated_data: &[] }
            }
            Self::Cbc { .. } => {
                let mut iv = [0; BLOCK];
                random.fill(&mut iv)?;
                Self::Cbc { iv }
            }
        })
    }
}

/// Encrypts.
pub(crate) fn seal(session: &Session, key: ObjectHandle, mode: Mode<'_>, plain: &[u8]) -> Result<Vec<u8>, UseError> {
    mode.with(|mechanism| session.encrypt(mechanism, key, plain)).map_err(while_using("encrypting"))
}

/// Decrypts. `None` when the token cannot, and it is not the token's fault.
pub(crate) fn open(
    session: &Session,
    key: ObjectHandle,
    mode: Mode<'_>,
    ciphertext: &[u8],
    random: &mut dyn Random,
) -> Result<Option<Zeroizing<Vec<u8>>>, UseError> {
    match mode.with(|mechanism| session.decrypt(mechanism, key, ciphertext)) {
        Ok(plain) => Ok(Some(Zeroizing::new(plain))),
        Err(Error::Pkcs11(_, Function::Decrypt)) => probe(session, key, mode, random).map(|()| None),
        Err(error) => Err(while_using("decrypting")(error)),
    }
}

/// Whether `key` encrypts and decrypts at all.
fn probe(session: &Session, key: ObjectHandle, mode: Mode<'_>, random: &mut dyn Random) -> Result<(), UseError> {
    const MESSAGE: [u8; 2 * BLOCK] = *b"chancery asks: does the key work";
    let mode = mode.of_our_own(random)?;
    let ciphertext = seal(session, key, mode, &MESSAGE)?;
    let plain = mode.with(|mechanism| session.decrypt(mechanism, key, &ciphertext));
    if plain.map_err(while_using("decrypting"))? == MESSAGE {
        return Ok(());
    }
    Err(Failure::new(FaultReason::TokenFault, "the token decrypts what it encrypted to something else").into())
}
