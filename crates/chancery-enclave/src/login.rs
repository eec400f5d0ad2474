//! The PIN, from its file to `C_Login`.
//!
//! **Invariants**: a PIN lives only in memory that is wiped on drop, from the read to the end of the call; no message
//! holds it; one login attempt per process, none when a single wrong one could lock the token.

use std::{
    fs::{File, OpenOptions},
    io::Read,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
};

use chancery_ipc::{FaultReason, TokenAccess, TokenDescription};
use cryptoki::{
    error::{Error, RvError},
    session::{Session, UserType},
    slot::{Slot, TokenInfo},
    types::AuthPin,
};
use zeroize::Zeroizing;

use crate::{
    fault::{Failure, while_doing},
    library::{self, Library, Offer},
};

/// The longest PIN file, in bytes.
const MAX_PIN: usize = 1024;

/// Reads a PIN from a file that only its owner can read.
pub(crate) fn read_pin(path: &str) -> Result<AuthPin, Failure> {
    let refused =
        |why: &str| Failure::new(FaultReason::PinUnreadable, format!("the PIN file {path} cannot be used: {why}"));
    // O_NONBLOCK: opening a FIFO must not wait for its writer.
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    let mut file = file.map_err(|error| refused(&error.to_string()))?;
    let metadata = file.metadata().map_err(|error| refused(&error.to_string()))?;
    if !metadata.is_file() {
        return Err(refused("it is not a regular file"));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(refused(&format!(
            "others may read or change it (mode {:04o}): chmod 600",
            metadata.mode() & 0o7777
        )));
    }
    let mut buffer = Zeroizing::new(vec![0; MAX_PIN + 1]);
    let length = fill(&mut file, &mut buffer).map_err(|error| refused(&error.to_string()))?;
    if length > MAX_PIN {
        return Err(refused("it is too long"));
    }
    let text = std::str::from_utf8(&buffer[..length]).map_err(|_| refused("it is not UTF-8"))?;
    let pin = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    if pin.is_empty() {
        return Err(refused("it is empty"));
    }
    Ok(AuthPin::from(pin))
}

/// Reads without the intermediate buffers of `read_to_end`, which nobody would wipe.
fn fill(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..])? {
            0 => break,
            count => length += count,
        }
    }
    Ok(length)
}

/// The process's one login.
#[derive(Debug)]
pub(crate) enum Login {
    /// No attempt has reached a token.
    NotTried,
    /// The attempt failed.
    Failed,
    /// It succeeded.
    Done(LoggedIn),
}

/// A token that the process has logged in to.
#[derive(Debug)]
pub(crate) struct LoggedIn {
    pub(crate) slot: Slot,
    pub(crate) token: TokenDescription,
    pub(crate) offer: Offer,
    /// It has a random number generator.
    pub(crate) has_rng: bool,
    /// The control thread's session. While it is open, the login stands.
    pub(crate) session: Session,
}

impl Login {
    /// The login, if it was made.
    pub(crate) fn done(&self) -> Result<&LoggedIn, Failure> {
        match self {
            Self::Done(done) => Ok(done),
            _ => Err(Failure::bad_request("no token is open in this process")),
        }
    }

    /// Logs in to the token that `access` names; at most one attempt per process reaches a token.
    pub(crate) fn log_in(&mut self, library: &Library, access: &TokenAccess) -> Result<(), Failure> {
        match self {
            Self::Done(done) if done.token.label == access.label => return Ok(()),
            Self::Done(_) => return Err(Failure::bad_request("this process has logged in to another token")),
            Self::Failed => {
                let message = "this process has tried its one login, which failed; start a new one once that is mended";
                return Err(Failure::new(FaultReason::LoginFailed, message));
            }
            Self::NotTried => {}
        }
        let (slot, info) = library.token(&access.label)?;
        let offer = library.offer(slot)?;
        let session = library.pkcs11().open_rw_session(slot).map_err(while_doing("opening a session"))?;
        if let Err(failure) = login(&session, &info, &access.pin_file) {
            // A PIN that could not be read was not tried.
            if failure.reason != FaultReason::PinUnreadable {
                *self = Self::Failed;
            }
            return Err(failure);
        }
        *self = Self::Done(LoggedIn { slot, token: library::describe(&info), offer, has_rng: info.rng(), session });
        Ok(())
    }
}

fn login(session: &Session, info: &TokenInfo, pin_file: &str) -> Result<(), Failure> {
    if info.user_pin_locked() {
        let message = "the user PIN is locked; the token's security officer must set it anew";
        return Err(Failure::new(FaultReason::LoginFailed, message));
    }
    if info.user_pin_final_try() {
        let message = "one wrong PIN more would lock the token, so this last try is left to a person: log in once by \
                       hand (pkcs11-tool --login --list-objects), then start again";
        return Err(Failure::new(FaultReason::LoginFailed, message));
    }
    let pin = read_pin(pin_file)?;
    match session.login(UserType::User, Some(&pin)) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(error) => {
            let failure = while_doing("logging in")(error);
            let reason = match failure.reason {
                FaultReason::TokenUninitialized => FaultReason::TokenUninitialized,
                _ => FaultReason::LoginFailed,
            };
            Err(Failure { reason, message: format!("{} (PIN file {pin_file})", failure.message), ..failure })
        }
    }
}
