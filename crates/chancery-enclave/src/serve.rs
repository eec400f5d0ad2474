//! The conversation: one reader, the queues, one writer at a time, and every way it ends.
//!
//! **Invariants**: the reader never calls the library; what uses keys, and what signs checkpoints and
//! statements, have queues of their own, so
//! that a slow verb holds up neither; replies are whole frames, and none
//! leaves once the keys are wiped. A full queue stops the reader.

use std::{
    io::{ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    process::ExitCode,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use chancery_ipc::{Frames, Request, request::Verb};
use rustix::event::{PollFd, PollFlags, poll};

use crate::{
    control::Control,
    hardening::{exit_now, stop_if_ended},
    kek::Keks,
    keys::Keys,
    log,
    login::LoggedIn,
    objects::Directory,
    opened::OpenKeys,
    operations::Operations,
    queue::{Queue, Shape},
    random::TokenRng,
    transfer::Transfers,
    worker::{append, not_begun, work},
};

/// The token or its login is gone (sysexits.h `EX_TEMPFAIL`): start a fresh process.
const EXIT_TOKEN_LOST: i32 = 75;
/// The peer does not speak the protocol (`EX_PROTOCOL`).
const EXIT_PROTOCOL: i32 = 76;
/// The socket failed (`EX_IOERR`).
const EXIT_SOCKET: i32 = 74;

/// How long operations under way may take to end once the process has to.
const PATIENCE: Duration = Duration::from_secs(3);

/// What all threads share.
pub(crate) struct Shared {
    writer: Mutex<UnixStream>,
    control: Queue<Request>,
    running: OnceLock<Running>,
    ending: AtomicBool,
}

/// What exists once the token is open.
pub(crate) struct Running {
    pub(crate) directory: Arc<Directory>,
    /// Ordinary keys of the token.
    pub(crate) keys: Keys,
    pub(crate) keks: Keks,
    /// Keys of the enclave that are open.
    pub(crate) open_keys: OpenKeys,
    pub(crate) rng: TokenRng,
    pub(crate) operations: Operations,
    /// Keys on their way in and out.
    pub(crate) transfers: Mutex<Transfers>,
    /// For the session threads.
    pub(crate) uses: Queue<Request>,
    pub(crate) checkpoints: Queue<Request>,
}

impl Running {
    /// For a deployment on the token of `login`.
    pub(crate) fn new(
        deployment: String,
        login: &LoggedIn,
        sessions: usize,
        open_keys: usize,
        incarnation: [u8; 16],
        transfers: Transfers,
    ) -> Self {
        let directory = Arc::new(Directory::new(deployment));
        Self {
            keys: Keys::new(Arc::clone(&directory)),
            keks: Keks::new(Arc::clone(&directory), login.offer.kek_mechanism),
            directory,
            open_keys: OpenKeys::new(open_keys),
            rng: TokenRng::new(login.has_rng),
            operations: Operations::new(incarnation),
            transfers: Mutex::new(transfers),
            uses: Queue::new(Shape { threads: sessions, bound: 4096, drain: 16 }, weight),
            checkpoints: Queue::new(Shape { threads: 1, bound: 64, drain: 1 }, weight),
        }
    }
}

impl Shared {
    /// What runs since `Open`.
    pub(crate) fn running(&self) -> Option<&Running> {
        self.running.get()
    }

    /// Makes `running` known to the reader.
    pub(crate) fn set_running(&self, running: Running) -> &Running {
        self.running.get_or_init(|| running)
    }

    /// Whether the token is open.
    pub(crate) fn is_open(&self) -> bool {
        self.running.get().is_some()
    }

    /// Whether the process is on its way out.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::SeqCst)
    }

    /// Writes whole frames. A peer that is gone has nothing to be told.
    pub(crate) fn reply(&self, frames: &[u8]) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        stop_if_ended();
        match writer.write_all(frames) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => exit_now(0),
            Err(error) => {
                log::line(&format!("writing to chanceryd failed: {error}"));
                exit_now(EXIT_SOCKET);
            }
        }
    }

    /// Ends the process because the token is lost: what is under way gets a while to be answered, what waits is
    /// answered as not begun. The caller must have written its own replies.
    pub(crate) fn token_lost(&self) -> ! {
        if self.ending.swap(true, Ordering::SeqCst) {
            loop {
                thread::park(); // another thread is ending the process
            }
        }
        log::line("the token is lost; ending, so that a new process can log in anew");
        let deadline = Instant::now() + PATIENCE;
        let queues: Vec<_> = self.queues().collect();
        let mut replies = Vec::new();
        for request in queues.iter().flat_map(|queue| queue.close()) {
            append(&mut replies, request.id, Err(not_begun()));
        }
        self.reply(&replies);
        for queue in queues {
            queue.wait_idle(deadline.saturating_duration_since(Instant::now()));
        }
        exit_now(EXIT_TOKEN_LOST)
    }

    fn queues(&self) -> impl Iterator<Item = &Queue<Request>> {
        let running = self.running.get().into_iter().flat_map(|running| [&running.uses, &running.checkpoints]);
        std::iter::once(&self.control).chain(running)
    }

    /// Brings requests to the threads they belong to.
    fn dispatch(&self, requests: &mut Vec<Request>) {
        let mut uses = Vec::new();
        let mut refused = Vec::new();
        for request in requests.drain(..) {
            let left = match (&request.verb, self.running()) {
                (Some(Verb::UseKey(_) | Verb::CloseKey(_) | Verb::Random(_)), Some(_)) => {
                    uses.push(request);
                    continue;
                }
                (Some(Verb::SignCheckpoint(_) | Verb::SignStatement(_)), Some(running)) => {
                    running.checkpoints.push_all([request])
                }
                _ => self.control.push_all([request]),
            };
            refused.extend(left);
        }
        if let Some(running) = self.running() {
            refused.extend(running.uses.push_all(uses));
        }
        // Queues close only when the token is lost.
        let mut replies = Vec::new();
        for request in refused {
            append(&mut replies, request.id, Err(not_begun()));
        }
        if !replies.is_empty() {
            self.reply(&replies);
        }
    }
}

/// Serves `socket` until end of file, which is success.
pub(crate) fn serve(socket: UnixStream) -> ExitCode {
    let writer = match socket.try_clone() {
        Ok(writer) => writer,
        Err(error) => {
            log::line(&format!("the socket cannot be shared: {error}"));
            exit_now(EXIT_SOCKET);
        }
    };
    let shared = Arc::new(Shared {
        writer: Mutex::new(writer),
        control: Queue::new(Shape { threads: 1, bound: 256, drain: 1 }, weight),
        running: OnceLock::new(),
        ending: AtomicBool::new(false),
    });
    let control = thread::Builder::new().name("control".into()).spawn({
        let shared = Arc::clone(&shared);
        move || {
            let mut control = Control::new(Arc::clone(&shared));
            work(&shared, &shared.control, |verb| control.perform(verb));
            control.end();
        }
    });
    let control = control.expect("the first thread of the process starts");
    read(&shared, socket);
    end(&shared, &control)
}

/// Reads until end of file.
fn read(shared: &Shared, mut socket: UnixStream) {
    let mut frames = Frames::default();
    let mut buffer = vec![0; 256 << 10];
    let mut requests = Vec::new();
    loop {
        wait_for_bytes(&socket);
        let count = match socket.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
            Err(error) => {
                log::line(&format!("reading from chanceryd failed: {error}"));
                exit_now(EXIT_SOCKET);
            }
        };
        frames.extend(&buffer[..count]);
        loop {
            match frames.next_message::<Request>() {
                Ok(Some(request)) => requests.push(request),
                Ok(None) => break,
                Err(error) => {
                    log::line(&format!("the peer does not speak the protocol: {error}"));
                    exit_now(EXIT_PROTOCOL);
                }
            }
        }
        shared.dispatch(&mut requests);
    }
}

/// Waits for a request or the end. A read would wait too, and would be woken each time that chanceryd takes a reply: Linux
/// wakes all who wait on a Unix socket when there is room to write again. An error is left to the read.
fn wait_for_bytes(socket: &UnixStream) {
    let _ = poll(&mut [PollFd::new(socket, PollFlags::IN)], None);
}

/// Nobody listens any more: drop what waits, let what is under way end, then end the library.
fn end(shared: &Shared, control: &JoinHandle<()>) -> ! {
    if shared.ending.swap(true, Ordering::SeqCst) {
        loop {
            thread::park(); // the token was lost at the same time
        }
    }
    for queue in shared.queues() {
        queue.close();
    }
    let deadline = Instant::now() + PATIENCE;
    while !control.is_finished() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
    exit_now(0)
}

/// Bytes that a waiting request holds, roughly.
fn weight(request: &Request) -> usize {
    match &request.verb {
        Some(Verb::UseKey(use_key)) => {
            256 + use_key.input.len() + use_key.associated_data.len() + use_key.key.wrapped.len()
        }
        Some(Verb::SignCheckpoint(sign)) => {
            let records: usize = sign.statements.iter().map(|shown| shown.record.len() + 32 * shown.path.len()).sum();
            256 + 32 * sign.consistency.len() + records
        }
        Some(Verb::SignDeploymentCertificate(sign)) => 256 + sign.tbs_certificate.len(),
        _ => 1024,
    }
}
