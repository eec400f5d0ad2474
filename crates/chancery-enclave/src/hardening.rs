//! What the process gives up before it does anything else.
//!
//! **Invariants**: not dumpable (so `/proc/PID` belongs to root and no debugger of the same user attaches), no core
//! file, no new privileges, umask 077, no inherited descriptor but 0, 1 and 2; the socket closes on exec. Locked
//! memory is best effort, and said when refused. The `unsafe` of this crate is in this file and in `memory`.
//!
//! **Not here**: a seccomp profile and Landlock. Libraries of network HSMs open sockets, devices and files as they
//! please; a profile per deployment belongs right after `C_Initialize`, at the end of `library::Library::load`.

#![allow(unsafe_code)]

use std::{
    fmt,
    fs::OpenOptions,
    io,
    os::{fd::AsFd, unix::net::UnixStream},
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::{
    fs::Mode,
    io::Errno,
    mm::{MlockAllFlags, mlockall},
    net::{AddressFamily, SocketType, sockopt},
    process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit, umask},
};

use crate::{log, memory};

/// The exit code after a panic (sysexits.h `EX_SOFTWARE`).
const EXIT_PANIC: i32 = 70;

/// A step without which the enclave does not start.
#[derive(Debug)]
pub(crate) struct HardeningError {
    step: &'static str,
    errno: Errno,
}

impl fmt::Display for HardeningError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {}", self.step, self.errno)
    }
}

/// Hardens the process. Must run before any thread starts and any descriptor is opened.
pub(crate) fn harden() -> Result<(), HardeningError> {
    let step = |step| move |errno| HardeningError { step, errno };
    abort_on_panic();
    close_inherited().map_err(step("closing inherited descriptors (close_range, Linux 5.9)"))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(step("PR_SET_DUMPABLE"))?;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).map_err(step("RLIMIT_CORE"))?;
    rustix::thread::set_no_new_privs(true).map_err(step("PR_SET_NO_NEW_PRIVS"))?;
    umask(Mode::RWXG | Mode::RWXO);
    lock_memory();
    Ok(())
}

/// Takes the socket over from stdin and puts `/dev/null` in the place of stdin and stdout, so that nothing a vendor's
/// library reads, prints or executes meets the conversation. `None` when stdin is no Unix stream socket.
pub(crate) fn take_socket() -> io::Result<Option<UnixStream>> {
    let stdin = io::stdin();
    let is_unix_stream = sockopt::socket_domain(&stdin) == Ok(AddressFamily::UNIX)
        && sockopt::socket_type(&stdin) == Ok(SocketType::STREAM);
    if !is_unix_stream {
        return Ok(None);
    }
    let socket = UnixStream::from(stdin.as_fd().try_clone_to_owned()?);
    // A parent with an async runtime may have made both ends non-blocking.
    socket.set_nonblocking(false)?;
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    Ok(Some(socket))
}

/// Set before opened keys are wiped: what other threads make from then on may be made with zeros.
static ENDED: AtomicBool = AtomicBool::new(false);

/// Stops the calling thread for good once [`exit_now`] has begun. To be called before anything leaves the process.
pub(crate) fn stop_if_ended() {
    while ENDED.load(Ordering::SeqCst) {
        std::thread::park();
    }
}

/// Ends the process at once, without the library's exit handlers, which race with threads still inside it. Opened keys
/// are wiped first.
pub(crate) fn exit_now(code: i32) -> ! {
    ENDED.store(true, Ordering::SeqCst);
    memory::wipe_all();
    // SAFETY: _exit has no preconditions; it ends the process without running any code of it.
    unsafe { libc::_exit(code) }
}

/// A panic anywhere ends the process: state behind a half-done operation is not to be trusted. The payload may hold
/// what was being signed, so only the place is logged.
fn abort_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        match panic.location() {
            Some(place) => log::line(&format!("panic at {}:{}; ending", place.file(), place.line())),
            None => log::line("panic at an unknown place; ending"),
        }
        exit_now(EXIT_PANIC);
    }));
}

fn close_inherited() -> Result<(), Errno> {
    let (first, last, flags) = (3_u32, u32::MAX, 0_u32);
    // SAFETY: nothing in this process owns a descriptor above 2 yet (`harden` is the first thing `run` does), so no
    // owner is left with a closed one. The call takes three integers and touches no memory.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error().raw_os_error().map_or(Errno::NOSYS, Errno::from_raw_os_error))
}

/// Locks present and future pages as they are touched. Only under an unlimited RLIMIT_MEMLOCK: under a finite one the
/// lock succeeds now and a later allocation fails, in the midst of an operation.
fn lock_memory() {
    let unlimited = Rlimit { current: None, maximum: None };
    let _ = setrlimit(Resource::Memlock, unlimited); // takes CAP_SYS_RESOURCE; the limit read next decides
    let reason = match getrlimit(Resource::Memlock).current {
        Some(limit) => format!("RLIMIT_MEMLOCK is {limit} bytes; set LimitMEMLOCK=infinity"),
        None => match mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT) {
            Ok(()) => return,
            Err(errno) => format!("mlockall: {errno}"),
        },
    };
    log::line(&format!("memory is not locked and may be swapped out: {reason}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a secret in a panic's payload";

    const CHILD: &str = "CHANCERY_TEST_PANICS";

    /// The test runs itself in a process of its own, which panics.
    #[test]
    fn a_panic_ends_the_process_and_shows_only_its_place() {
        if std::env::var_os(CHILD).is_some() {
            abort_on_panic();
            panic!("{SECRET}");
        }
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "hardening::tests::a_panic_ends_the_process_and_shows_only_its_place"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(EXIT_PANIC));
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(said.contains("panic at") && said.contains("hardening.rs") && !said.contains(SECRET), "{said}");
    }
}
