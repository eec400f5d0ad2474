//! Threads that call C_Sign in a loop, each with its session, in a process of their own: the same code whatever module
//! they load.
//!
//! Each signature is C_SignInit, C_Sign for the length and C_Sign, as Fabric's provider and Go's binding have it.

use crate::{Result, child::Child};
use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    mechanism::Mechanism,
    object::{Attribute, ObjectClass, ObjectHandle},
    session::{Session, UserType},
    slot::Slot,
    types::AuthPin,
};
use std::{
    io,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

/// The most threads that are asked for.
const THREADS: usize = 8;

/// The process that loops.
pub(crate) struct Loops(Child);

impl Loops {
    /// Starts this program in a role that [`serve`]s.
    pub(crate) fn start(role: &mut Command) -> Result<Self> {
        let mut child = Child::spawn(role)?;
        child.wait_for("ready")?;
        Ok(Self(child))
    }

    /// With a key that a token has, through this module.
    pub(crate) fn of_key(module: &Path, token: &str, pin: &str, key: &str) -> Result<Command> {
        let mut role = Child::role()?;
        role.arg("key-loops").arg(module).args([token, pin, key]);
        Ok(role)
    }

    /// Signatures a second with so many threads.
    pub(crate) fn measure(&mut self, threads: usize, length: Duration) -> Result<f64> {
        self.0.tell(&format!("{threads} {}", length.as_millis()))?;
        Ok(self.0.wait_for("rate")?.parse()?)
    }
}

/// A module in its first use.
pub(crate) fn open(module: &Path) -> Result<Pkcs11> {
    let pkcs11 = Pkcs11::new(module)?;
    pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
    Ok(pkcs11)
}

/// The child: loops with the key of this label.
pub(crate) fn find_and_serve(module: &Path, token: &str, pin: &str, key: &str) -> Result<()> {
    let pkcs11 = open(module)?;
    let is_it = |slot: &Slot| pkcs11.get_token_info(*slot).is_ok_and(|info| info.label() == token);
    let slot = pkcs11.get_slots_with_token()?.into_iter().find(is_it).ok_or("the module has no such token")?;
    let session = pkcs11.open_ro_session(slot)?;
    session.login(UserType::User, Some(&AuthPin::from(pin)))?;
    let wanted = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label(key.into())];
    let key = session.find_objects(&wanted)?.first().copied().ok_or("the token has no such key")?;
    serve(&pkcs11, slot, session, key)
}

/// The child: answers `THREADS MILLISECONDS` with `rate SIGNATURES_PER_SECOND` until its stdin ends.
pub(crate) fn serve(pkcs11: &Pkcs11, slot: Slot, first: Session, key: ObjectHandle) -> Result<()> {
    let mut sessions = vec![first];
    for _ in 1..THREADS {
        sessions.push(pkcs11.open_ro_session(slot)?);
    }
    println!("ready");
    for line in io::stdin().lines() {
        let line = line?;
        let (threads, millis) = line.split_once(' ').ok_or("give threads and milliseconds")?;
        let rate = signatures(&mut sessions[..threads.parse()?], key, Duration::from_millis(millis.parse()?))?;
        println!("rate {rate}");
    }
    Ok(())
}

fn signatures(sessions: &mut [Session], key: ObjectHandle, length: Duration) -> Result<f64> {
    let (stop, total) = (AtomicBool::new(false), AtomicU64::new(0));
    let sign = |session: &mut Session| -> Result<()> {
        while !stop.load(Ordering::Relaxed) {
            session.sign(&Mechanism::Ecdsa, key, &[7; 32])?;
            total.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    let begin = Instant::now();
    thread::scope(|scope| {
        let threads: Vec<_> = sessions.iter_mut().map(|session| scope.spawn(|| sign(session))).collect();
        thread::sleep(length);
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
    })?;
    Ok(total.into_inner() as f64 / begin.elapsed().as_secs_f64())
}
