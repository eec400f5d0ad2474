//! Sessions and who is logged in: all of it local, so that both cost nothing and never fail for the service's sake.
//!
//! **Invariant**: a slot without sessions has nobody logged in.

use crate::{
    operations::Operations,
    rv::{Result, Rv},
};
use cryptoki_sys::{CK_SESSION_HANDLE, CK_SLOT_ID, CKR_SESSION_HANDLE_INVALID};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
};

/// The next handle. No handle is given twice in a process's life; a forked child goes on from its parent's, so that an
/// inherited handle means nothing there.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A session.
pub struct Session {
    /// Its handle, unique in the process's life.
    pub handle: CK_SESSION_HANDLE,
    /// Its slot, counted from 1.
    pub slot: CK_SLOT_ID,
    /// CKF_RW_SESSION.
    pub writes: bool,
    /// What it has under way. Never held while the service is asked.
    pub operations: Mutex<Operations>,
}

/// The open sessions of all slots.
pub(super) struct Sessions(RwLock<State>);

struct State {
    open: HashMap<CK_SESSION_HANDLE, Arc<Session>>,
    /// Of slot 1, 2 and so on.
    slots: Vec<Slot>,
}

#[derive(Clone, Default)]
struct Slot {
    sessions: usize,
    writing: usize,
    logged_in: bool,
}

impl Sessions {
    pub(super) fn new(slots: usize) -> Self {
        Self(RwLock::new(State { open: HashMap::new(), slots: vec![Slot::default(); slots] }))
    }

    pub(super) fn open(&self, slot: CK_SLOT_ID, writes: bool) -> CK_SESSION_HANDLE {
        let handle = NEXT.fetch_add(1, Ordering::Relaxed);
        let session = Arc::new(Session { handle, slot, writes, operations: Mutex::default() });
        let mut state = self.write();
        if let Some(slot) = state.slot(slot) {
            slot.sessions += 1;
            slot.writing += usize::from(writes);
        }
        state.open.insert(handle, session);
        handle
    }

    pub(super) fn session(&self, handle: CK_SESSION_HANDLE) -> Result<Arc<Session>> {
        self.read().open.get(&handle).cloned().ok_or(Rv(CKR_SESSION_HANDLE_INVALID))
    }

    pub(super) fn close(&self, handle: CK_SESSION_HANDLE) -> Result<Arc<Session>> {
        let mut state = self.write();
        let session = state.open.remove(&handle).ok_or(Rv(CKR_SESSION_HANDLE_INVALID))?;
        if let Some(slot) = state.slot(session.slot) {
            slot.sessions -= 1;
            slot.writing -= usize::from(session.writes);
            slot.logged_in &= slot.sessions > 0;
        }
        Ok(session)
    }

    pub(super) fn close_all(&self, slot: CK_SLOT_ID) -> Vec<Arc<Session>> {
        let mut state = self.write();
        let closed = state.open.extract_if(|_, session| session.slot == slot).map(|(_, session)| session).collect();
        if let Some(slot) = state.slot(slot) {
            *slot = Slot::default();
        }
        closed
    }

    pub(super) fn counts(&self, slot: CK_SLOT_ID) -> (usize, usize) {
        self.write().slot(slot).map_or((0, 0), |slot| (slot.sessions, slot.writing))
    }

    /// Whether nobody was logged in before.
    pub(super) fn log_in(&self, session: &Session) -> Result<bool> {
        let mut state = self.write();
        // Closed meanwhile: a login without a session would outlive them all.
        if !state.open.contains_key(&session.handle) {
            return Err(Rv(CKR_SESSION_HANDLE_INVALID));
        }
        Ok(state.slot(session.slot).is_some_and(|slot| !std::mem::replace(&mut slot.logged_in, true)))
    }

    /// Whether somebody was logged in before.
    pub(super) fn log_out(&self, slot: CK_SLOT_ID) -> bool {
        self.write().slot(slot).is_some_and(|slot| std::mem::take(&mut slot.logged_in))
    }

    pub(super) fn logged_in(&self, slot: CK_SLOT_ID) -> bool {
        index(slot).and_then(|index| self.read().slots.get(index).map(|slot| slot.logged_in)).unwrap_or(false)
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn slot(&mut self, id: CK_SLOT_ID) -> Option<&mut Slot> {
        index(id).and_then(|index| self.slots.get_mut(index))
    }
}

fn index(slot: CK_SLOT_ID) -> Option<usize> {
    usize::try_from(slot).ok()?.checked_sub(1)
}
