//! Whose process this is: C_Initialize, C_Finalize and fork.
//!
//! **Invariants**
//! * What a parent had is never touched in a forked child, not even to free it: its locks may be held by threads that the
//!   child does not have, and its connection is the parent's. The child has no module until it initializes its own.
//! * What a process has is never freed: functions may be in it at any time.

use crate::{
    module::Module,
    objects::Objects,
    rv::{Result, Rv},
};
use cryptoki_sys::{CKR_CRYPTOKI_ALREADY_INITIALIZED, CKR_CRYPTOKI_NOT_INITIALIZED};
use std::{
    ptr::null_mut,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicPtr, Ordering},
    },
};

struct Process {
    id: u32,
    /// Handles outlive C_Finalize, so that none is given twice.
    objects: Arc<Objects>,
    module: RwLock<Option<Arc<Module>>>,
}

static PROCESS: AtomicPtr<Process> = AtomicPtr::new(null_mut());

/// What this very process has.
fn current() -> Option<&'static Process> {
    // SAFETY: null, or what `own` leaked: it is never freed. Of an inherited one only the id, which never changes, is read.
    let process = unsafe { PROCESS.load(Ordering::Acquire).as_ref() }?;
    (process.id == std::process::id()).then_some(process)
}

/// The same; the first caller of a process makes it.
fn own() -> &'static Process {
    loop {
        let inherited = PROCESS.load(Ordering::Acquire);
        if let Some(process) = current() {
            return process;
        }
        let (objects, module) = (Arc::default(), RwLock::new(None));
        let fresh: *mut _ = Box::leak(Box::new(Process { id: std::process::id(), objects, module }));
        if PROCESS.compare_exchange(inherited, fresh, Ordering::AcqRel, Ordering::Acquire).is_err() {
            // SAFETY: made above, and nobody else has seen it.
            drop(unsafe { Box::from_raw(fresh) });
        }
    }
}

/// C_Initialize.
pub(super) fn initialize() -> Result<()> {
    let process = own();
    // Whoever comes second waits until the first is done.
    let mut module = process.module.write().unwrap_or_else(PoisonError::into_inner);
    match &*module {
        Some(module) if module.lenient_initialize() => Ok(()),
        Some(_) => Err(Rv(CKR_CRYPTOKI_ALREADY_INITIALIZED)),
        None => {
            *module = Some(Arc::new(Module::open(process.objects.clone())?));
            Ok(())
        }
    }
}

/// C_Finalize.
pub(super) fn finalize() -> Result<()> {
    let process = current().ok_or(Rv(CKR_CRYPTOKI_NOT_INITIALIZED))?;
    let module = process.module.write().unwrap_or_else(PoisonError::into_inner).take();
    module.ok_or(Rv(CKR_CRYPTOKI_NOT_INITIALIZED))?.close();
    Ok(())
}

/// The module of this process.
pub(super) fn module() -> Result<Arc<Module>> {
    let process = current().ok_or(Rv(CKR_CRYPTOKI_NOT_INITIALIZED))?;
    let module = process.module.read().unwrap_or_else(PoisonError::into_inner);
    module.clone().ok_or(Rv(CKR_CRYPTOKI_NOT_INITIALIZED))
}
