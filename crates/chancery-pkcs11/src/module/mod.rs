//! What one process initialized: configuration, slots, sessions, login.
//!
//! **Invariants**
//! * Whatever the init arguments say, every function may be called from any thread.
//! * Closing a process's last session on a slot logs it out (PKCS#11 v3.0 §5.6.2).
//! * No lock is held while the service is asked.
//!
//! **Not here**: pointers (`ffi`), what objects are (`objects`), what is done with them (`operations`).

pub mod config;
pub mod pin;
mod session;

pub use session::Session;

use crate::{
    log,
    objects::Objects,
    remote::Remote,
    rv::{Result, Rv},
};
use config::{Config, SlotConfig};
use cryptoki_sys::{
    CK_FLAGS, CK_SESSION_HANDLE, CK_SLOT_ID, CK_USER_TYPE, CKF_RW_SESSION, CKF_SERIAL_SESSION, CKR_GENERAL_ERROR,
    CKR_OPERATION_NOT_INITIALIZED, CKR_PIN_INCORRECT, CKR_SESSION_PARALLEL_NOT_SUPPORTED, CKR_SLOT_ID_INVALID,
    CKR_USER_ALREADY_LOGGED_IN, CKR_USER_NOT_LOGGED_IN, CKR_USER_TYPE_INVALID, CKU_CONTEXT_SPECIFIC, CKU_USER,
};
use session::Sessions;
use std::sync::Arc;

/// A module between C_Initialize and C_Finalize.
pub struct Module {
    /// As the file says.
    pub config: Arc<Config>,
    /// The way to the service.
    pub remote: Arc<Remote>,
    /// What handles stand for.
    pub objects: Arc<Objects>,
    sessions: Sessions,
}

impl Module {
    /// Reads the configuration. Nothing is connected yet: a service that is down is no reason to fail.
    ///
    /// # Errors
    /// `CKR_GENERAL_ERROR` for a configuration that can't be used; the reason goes to the host's standard error.
    pub fn open(objects: Arc<Objects>) -> Result<Self> {
        log::open();
        let config = Config::load(&Config::path()).map_err(|error| {
            log::always(format_args!("C_Initialize: {error}"));
            Rv(CKR_GENERAL_ERROR)
        })?;
        Ok(Self::over(config, objects))
    }

    /// With this configuration, and the handles of a process.
    pub fn over(config: Config, objects: Arc<Objects>) -> Self {
        let config = Arc::new(config);
        let remote = Arc::new(Remote::new(config.clone()));
        objects.opened(&config);
        Self { sessions: Sessions::new(config.slots.len()), config, remote, objects }
    }

    /// Whether one of the slots has a client that initializes twice and takes no refusal.
    pub fn lenient_initialize(&self) -> bool {
        self.config.slots.iter().any(|slot| slot.quirks.lenient_initialize)
    }

    /// Ids of all slots, each with its token.
    pub fn slots(&self) -> impl Iterator<Item = CK_SLOT_ID> {
        (1..).take(self.config.slots.len())
    }

    /// A slot.
    ///
    /// # Errors
    /// `CKR_SLOT_ID_INVALID`.
    pub fn slot(&self, id: CK_SLOT_ID) -> Result<&SlotConfig> {
        let index = usize::try_from(id).ok().and_then(|id| id.checked_sub(1));
        index.and_then(|index| self.config.slots.get(index)).ok_or(Rv(CKR_SLOT_ID_INVALID))
    }

    /// C_OpenSession.
    ///
    /// # Errors
    /// As PKCS#11 v3.0 §5.6.1.
    pub fn open_session(&self, slot: CK_SLOT_ID, flags: CK_FLAGS) -> Result<CK_SESSION_HANDLE> {
        self.slot(slot)?;
        if flags & CKF_SERIAL_SESSION == 0 {
            return Err(Rv(CKR_SESSION_PARALLEL_NOT_SUPPORTED));
        }
        Ok(self.sessions.open(slot, flags & CKF_RW_SESSION != 0))
    }

    /// An open session.
    ///
    /// # Errors
    /// `CKR_SESSION_HANDLE_INVALID`.
    pub fn session(&self, handle: CK_SESSION_HANDLE) -> Result<Arc<Session>> {
        self.sessions.session(handle)
    }

    /// C_CloseSession.
    ///
    /// # Errors
    /// `CKR_SESSION_HANDLE_INVALID`.
    pub fn close_session(&self, handle: CK_SESSION_HANDLE) -> Result<()> {
        let session = self.sessions.close(handle)?;
        self.objects.session_closed(self, &session);
        Ok(())
    }

    /// C_CloseAllSessions.
    ///
    /// # Errors
    /// `CKR_SLOT_ID_INVALID`.
    pub fn close_all_sessions(&self, slot: CK_SLOT_ID) -> Result<()> {
        self.slot(slot)?;
        for session in self.sessions.close_all(slot) {
            self.objects.session_closed(self, &session);
        }
        Ok(())
    }

    /// Sessions of a slot: all, and those that may write.
    pub fn session_counts(&self, slot: CK_SLOT_ID) -> (usize, usize) {
        self.sessions.counts(slot)
    }

    /// C_Login. The PIN is checked first, whoever is logged in.
    ///
    /// # Errors
    /// As PKCS#11 v3.0 §5.6.8; `CKR_USER_TYPE_INVALID` for the security officer, whom this token does not have.
    pub fn login(&self, session: &Session, user: CK_USER_TYPE, pin: &[u8]) -> Result<()> {
        if user != CKU_USER && user != CKU_CONTEXT_SPECIFIC {
            return Err(Rv(CKR_USER_TYPE_INVALID));
        }
        let slot = self.slot(session.slot)?;
        if pin.is_empty() || slot.pin.as_ref().is_some_and(|expected| !expected.is(pin)) {
            return Err(Rv(CKR_PIN_INCORRECT));
        }
        // No key asks for it before each use (CKA_ALWAYS_AUTHENTICATE is false).
        if user == CKU_CONTEXT_SPECIFIC {
            return Err(Rv(CKR_OPERATION_NOT_INITIALIZED));
        }
        if self.sessions.log_in(session)? || slot.quirks.lenient_login {
            return Ok(());
        }
        Err(Rv(CKR_USER_ALREADY_LOGGED_IN))
    }

    /// C_Logout.
    ///
    /// # Errors
    /// `CKR_USER_NOT_LOGGED_IN`.
    pub fn logout(&self, slot: CK_SLOT_ID) -> Result<()> {
        if self.sessions.log_out(slot) { Ok(()) } else { Err(Rv(CKR_USER_NOT_LOGGED_IN)) }
    }

    /// Whether the user is logged in on a slot. Private objects are shown to a logged-in user only.
    pub fn logged_in(&self, slot: CK_SLOT_ID) -> bool {
        self.sessions.logged_in(slot)
    }

    /// C_Finalize: every session is closed, then the connection. Calls that are under way have a share of the module; who
    /// waits for the service in one is answered.
    pub fn close(&self) {
        for slot in self.slots() {
            for session in self.sessions.close_all(slot) {
                self.objects.session_closed(self, &session);
            }
        }
        self.remote.close();
    }
}
