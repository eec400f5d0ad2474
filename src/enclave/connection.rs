//! One enclave process and the pipelined conversation with it.
//!
//! **Invariants**: the process is a direct child with one socket, its stdin, and no other descriptor of ours; it gets
//! only the environment that the configuration gives it. Every call is answered once: by the enclave, by its end, or by
//! its deadline. Dropping an [`EnclaveProcess`] ends the process. What a key is to be used on, and what came of that,
//! stays in no buffer here once it was sent or handed on.

use super::{
    pending::{Answer, Pending, Waiting},
    witness::{Ledger, Tally},
};
use chancery_ipc::{
    Frames, HEADER, MAX_FRAME, Operation, Request, Response, encode, request::Verb, response::Result as Reply,
};
use prost::Message;
use std::{
    collections::BTreeMap,
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixStream, unix::OwnedReadHalf, unix::OwnedWriteHalf},
    process::{Child, Command},
    sync::{mpsc, oneshot},
};
use zeroize::Zeroize;

/// The enclave's program can't be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the enclave {}: {source}; install chancery-enclave beside chanceryd or set `token.enclave`", program.display())]
pub struct SpawnError {
    program: PathBuf,
    source: io::Error,
}

/// A call that got no answer from the enclave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The enclave ended before it took the request.
    #[error("the enclave is not running")]
    NotSent,
    /// The enclave ended while it had the request.
    #[error("the enclave ended while it worked on this")]
    Lost,
    /// The enclave did not answer in time.
    #[error("the enclave did not answer in time")]
    TimedOut,
    /// The request is over the frame's limit.
    #[error("the request is too large for the enclave")]
    TooLarge,
}

/// The end of the conversation that callers hold.
#[derive(Clone)]
pub struct Connection {
    requests: mpsc::Sender<Outgoing>,
    pending: Arc<Mutex<Pending>>,
    next_id: Arc<AtomicU64>,
    pub(super) tally: Arc<Tally>,
}

/// A request on its way: wiped when dropped.
struct Outgoing(Request);

impl Drop for Outgoing {
    fn drop(&mut self) {
        if let Some(Verb::UseKey(request)) = &mut self.0.verb {
            request.input.zeroize();
        }
    }
}

/// See the module.
pub struct EnclaveProcess {
    child: Child,
    connection: Connection,
    ended: oneshot::Receiver<String>,
    why: Option<String>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The enclave's program beside the running one.
pub fn default_program() -> PathBuf {
    std::env::current_exe()
        .ok()
        .and_then(|path| path.parent().map(|directory| directory.join("chancery-enclave")))
        .unwrap_or_else(|| "chancery-enclave".into())
}

impl EnclaveProcess {
    /// Starts the program with a fresh socket as its stdin, to use no organization's keys with.
    ///
    /// # Errors
    /// [`SpawnError`] when the program can't be run.
    pub fn spawn(program: &Path, environment: &BTreeMap<String, String>) -> Result<Self, SpawnError> {
        Self::spawn_for(program, environment, Arc::default())
    }

    /// The same; what it does with keys is owed to `ledger`.
    ///
    /// # Errors
    /// [`SpawnError`] when the program can't be run.
    pub(super) fn spawn_for(
        program: &Path,
        environment: &BTreeMap<String, String>,
        ledger: Arc<Ledger>,
    ) -> Result<Self, SpawnError> {
        let failed = |source| SpawnError { program: program.into(), source };
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(failed)?;
        ours.set_nonblocking(true).map_err(failed)?;
        let child = Command::new(program)
            .env_clear()
            .envs(environment)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let (read, write) = UnixStream::from_std(ours).map_err(failed)?.into_split();
        let (requests, queue) = mpsc::channel(1024);
        let (end, ended) = oneshot::channel();
        let pending = Arc::new(Mutex::new(Pending::default()));
        let tally = Arc::new(Tally::new(ledger));
        tokio::spawn(write_requests(queue, write));
        tokio::spawn(read_replies(read, Arc::clone(&pending), Arc::clone(&tally), end));
        let connection = Connection { requests, pending, next_id: Arc::new(AtomicU64::new(1)), tally };
        Ok(Self { child, connection, ended, why: None })
    }

    /// For callers.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Asks a process that nobody supervises yet: its end is noticed at once.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call(&mut self, verb: Verb, deadline: Duration) -> Result<Reply, CallError> {
        let connection = self.connection.clone();
        tokio::select! {
            biased;
            answer = connection.call(verb, deadline, None) => answer.map(|(reply, _)| reply),
            _ = self.ended() => Err(CallError::Lost),
        }
    }

    /// The process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until the conversation has ended, ends the process if it still runs, and says how it ended. May be dropped
    /// and called again.
    pub async fn ended(&mut self) -> String {
        if self.why.is_none() {
            self.why = Some((&mut self.ended).await.unwrap_or_else(|_| "the conversation broke".into()));
        }
        let why = self.why.clone().unwrap_or_default();
        // It exits at end of file; one that doesn't is stuck in its library.
        let status = match tokio::time::timeout(Duration::from_millis(100), self.child.wait()).await {
            Ok(status) => status,
            Err(_) => {
                let _ = self.child.start_kill();
                self.child.wait().await
            }
        };
        match status {
            Ok(status) => format!("{why}; {status}"),
            Err(error) => format!("{why}; {error}"),
        }
    }

    /// Ends a process that hangs.
    pub fn kill(&mut self) {
        let _ = self.child.start_kill();
    }
}

impl Connection {
    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// [`CallError`]; whatever the enclave itself says, faults included, is an answer.
    pub async fn call(&self, verb: Verb, deadline: Duration, request_id: Option<&str>) -> Result<Answer, CallError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let unix = (SystemTime::now() + deadline).duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let deadline_unix_millis = u64::try_from(unix).unwrap_or(u64::MAX);
        let request = Outgoing(Request { id, deadline_unix_millis, verb: Some(verb) });
        if request.0.encoded_len() > MAX_FRAME {
            return Err(CallError::TooLarge);
        }
        let until = Instant::now() + deadline;
        // A place first: from the entry in `pending` to the queue there must be nothing to wait for, or a caller that
        // gives up would leave an entry that nobody answers.
        let place = match tokio::time::timeout_at(until.into(), self.requests.reserve()).await {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => return Err(CallError::NotSent),
            Err(_) => return Err(CallError::TimedOut),
        };
        let (reply, answer) = oneshot::channel();
        {
            let mut pending = lock(&self.pending);
            if pending.ended {
                return Err(CallError::NotSent);
            }
            let request_id = request_id.map(ToOwned::to_owned);
            let makes_key = matches!(request.0.verb, Some(Verb::GenerateKey(_) | Verb::ImportKey(_)));
            pending.waiting.insert(id, Waiting { until, reply, request_id, makes_key });
        }
        place.send(request);
        match tokio::time::timeout_at(until.into(), answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(CallError::Lost),
            // The entry stays until the enclave answers or ends, so that the watchdog sees how long it has been stuck.
            Err(_) => Err(CallError::TimedOut),
        }
    }

    /// Requests that are not answered yet.
    pub fn in_flight(&self) -> usize {
        lock(&self.pending).waiting.len()
    }

    /// By how much the enclave is late, if it is.
    pub fn overdue(&self) -> Option<Duration> {
        lock(&self.pending).overdue(Instant::now())
    }

    /// Request ids that the enclave may have been working on when it ended: the oldest `most`. All callers learn that
    /// theirs are lost.
    pub fn take_lost(&self, most: usize) -> Vec<String> {
        let mut pending = lock(&self.pending);
        pending.ended = true;
        let mut lost: Vec<_> = pending.waiting.drain().collect();
        lost.sort_unstable_by_key(|(id, _)| *id);
        lost.into_iter().take(most).filter_map(|(_, waiting)| waiting.request_id).collect()
    }
}

/// Writes what is queued in one go, so that a burst costs one system call.
async fn write_requests(mut queue: mpsc::Receiver<Outgoing>, mut socket: OwnedWriteHalf) {
    let (mut batch, mut buffer) = (Vec::new(), Vec::new());
    while queue.recv_many(&mut batch, 128).await > 0 {
        // At once: while it is empty there is nothing in it that a longer one would leave behind.
        buffer.reserve(batch.iter().map(|request: &Outgoing| HEADER + request.0.encoded_len()).sum());
        for request in batch.drain(..) {
            if let Err(error) = encode(&request.0, &mut buffer) {
                // Its length was checked before.
                tracing::error!(%error, "a request to the enclave was dropped");
            }
        }
        let written = socket.write_all(&buffer).await;
        buffer.as_mut_slice().zeroize();
        buffer.clear();
        if written.is_err() {
            return;
        }
    }
}

async fn read_replies(
    mut socket: OwnedReadHalf,
    pending: Arc<Mutex<Pending>>,
    tally: Arc<Tally>,
    end: oneshot::Sender<String>,
) {
    let mut frames = Frames::default();
    let mut buffer = vec![0; 1 << 16];
    let why = loop {
        match socket.read(&mut buffer).await {
            Ok(0) => break "the enclave closed its socket".to_owned(),
            Ok(length) => {
                frames.extend(&buffer[..length]);
                buffer[..length].zeroize();
            }
            Err(error) => break format!("reading from the enclave failed: {error}"),
        }
        if let Err(error) = dispatch(&mut frames, &pending, &tally) {
            break format!("the enclave's bytes make no sense: {error}");
        }
    };
    let _ = end.send(why);
}

fn dispatch(frames: &mut Frames, pending: &Mutex<Pending>, tally: &Tally) -> Result<(), chancery_ipc::FrameError> {
    while let Some(Response { id, mut result }) = frames.next_message()? {
        // Whether or not anybody still waits for the answer: what was done is to be recorded.
        let witness = result.as_mut().and_then(operation).map(|operation| tally.enter(operation));
        let waiting = lock(pending).answered(id, Instant::now());
        if let (Some(waiting), Some(result)) = (waiting, result)
            && let Err((Reply::KeyUsed(mut unwanted), _)) = waiting.reply.send((result, witness))
        {
            unwanted.output.zeroize();
        }
    }
    Ok(())
}

/// What was done with a private key, or may have been.
fn operation(reply: &mut Reply) -> Option<Operation> {
    match reply {
        Reply::KeyUsed(used) => Some(std::mem::take(&mut used.operation)),
        Reply::KeyGenerated(made) => Some(std::mem::take(&mut made.operation)),
        Reply::KeyImported(made) => Some(std::mem::take(&mut made.operation)),
        Reply::Fault(said) => said.operation.take().map(|operation| *operation),
        _ => None,
    }
}
