//! The token by itself: threads that call C_Sign in a loop, each with its session, in a process of their own.
//!
//! The token is SoftHSM as the service's is: the same library, configuration and kind of key, in another directory.

use crate::{Result, child::Child, deployment::Deployment};
use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    mechanism::Mechanism,
    object::{Attribute, ObjectHandle},
    session::{Session, UserType},
    types::AuthPin,
};
use der::Encode;
use std::{
    fs, io,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

/// The most threads that are asked for.
const THREADS: usize = 8;

/// The process that loops.
pub(crate) struct Direct(Child);

impl Direct {
    /// Starts it with a new token.
    pub(crate) fn start(deployment: &Deployment) -> Result<Self> {
        let directory = deployment.beside("direct")?;
        let tokens = directory.join("tokens");
        fs::create_dir(&tokens)?;
        let configuration = directory.join("softhsm2.conf");
        let template = include_str!("../../softhsm/softhsm2.conf");
        fs::write(&configuration, template.replace("@TOKENS@", &tokens.to_string_lossy()))?;
        let mut command: Command = Child::role()?;
        command.arg("direct-token").arg(deployment.library()?).env("SOFTHSM2_CONF", configuration);
        let mut child = Child::spawn(&mut command)?;
        child.wait_for("ready")?;
        Ok(Self(child))
    }

    /// Signatures a second with so many threads.
    pub(crate) fn measure(&mut self, threads: usize, length: Duration) -> Result<f64> {
        self.0.tell(&format!("{threads} {}", length.as_millis()))?;
        Ok(self.0.wait_for("rate")?.parse()?)
    }
}

/// The child: answers `THREADS MILLISECONDS` with `rate SIGNATURES_PER_SECOND` until its stdin ends.
pub(crate) fn serve(library: &Path) -> Result<()> {
    let (mut sessions, key) = open(library)?;
    println!("ready");
    for line in io::stdin().lines() {
        let line = line?;
        let (threads, millis) = line.split_once(' ').ok_or("give threads and milliseconds")?;
        let rate = signatures(&mut sessions[..threads.parse()?], key, Duration::from_millis(millis.parse()?))?;
        println!("rate {rate}");
    }
    Ok(())
}

fn open(library: &Path) -> Result<(Vec<Session>, ObjectHandle)> {
    let pkcs11 = Pkcs11::new(library)?;
    pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
    let pin = AuthPin::from("benchmark-pin");
    let slot = pkcs11.get_slots_with_token()?.first().copied().ok_or("the token has no slot")?;
    pkcs11.init_token(slot, &pin, "bench")?;
    // SoftHSM moves a token that was initialized to another slot.
    let slot = pkcs11.get_slots_with_initialized_token()?.first().copied().ok_or("the token was not initialized")?;
    let session = pkcs11.open_rw_session(slot)?;
    session.login(UserType::So, Some(&pin))?;
    session.init_pin(&pin)?;
    session.logout()?;
    session.login(UserType::User, Some(&pin))?;
    let curve = const_oid::db::rfc5912::SECP_256_R_1.to_der()?;
    let public = [Attribute::Token(true), Attribute::Verify(true), Attribute::EcParams(curve)];
    let private = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
    ];
    let (_, key) = session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private)?;
    let mut sessions = vec![session];
    for _ in 1..THREADS {
        sessions.push(pkcs11.open_rw_session(slot)?);
    }
    Ok((sessions, key))
}

fn signatures(sessions: &mut [Session], key: ObjectHandle, length: Duration) -> Result<f64> {
    let (stop, total) = (AtomicBool::new(false), AtomicU64::new(0));
    let sign = |session: &mut Session| -> Result<()> {
        while !stop.load(Ordering::Relaxed) {
            // Asks for the length first: a few hundredths of a signature.
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
