//! Keeps one enclave serving: starts it, notices its end or a hang, and starts a fresh one.
//!
//! **Invariants**: what was in flight at an end is answered as lost. A refused login ends supervision: the PIN is never
//! tried again by itself. Two ends in a row while logging in do the same, for the count of tries is then unknown.

use super::{
    connection::{CallError, Connection, EnclaveProcess, SpawnError},
    fault,
    gate::{Class, Gate, Turn},
    login::{LoginMarker, LoginRefused},
    pending::Answer,
    quarantine::Quarantine,
    witness::{Ledger, Tally},
};
use crate::{
    access::Grant,
    error::{Error, Performed as Done},
    store::Store,
};
use chancery_api::reasons;
use chancery_audit::checkpoint::Checkpoint;
use chancery_ipc::{self as ipc, FaultReason, request::Verb, response::Result as Reply};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{sync::watch, task::JoinHandle};

/// How long a call waits for a fresh enclave before it fails.
const WAIT_FOR_RESTART: Duration = Duration::from_secs(3);
/// Making a key pair may take so long at least.
const GENERATION_DEADLINE: Duration = Duration::from_secs(60);
/// Verbs of the enclave's one control thread that are sent at a time. An answer that is late ends the enclave, and so each
/// waits here for its turn, organization by organization, and there for nothing; a queue that is full there would hold up
/// signatures, too.
const TURNS: usize = 1;
/// Uses of keys that are with the enclave at a time: enough to keep every session busy. The rest wait at the gate, where
/// those who came later can still go first.
const USES: usize = 256;
/// An enclave that is so late with an answer hangs.
const PATIENCE: Duration = Duration::from_secs(2);
/// The first restart is immediate; one that fails soon after is tried again after so many milliseconds.
const BACKOFF_MILLIS: [u64; 6] = [0, 20, 100, 500, 2_000, 5_000];
/// An enclave that ran for so long ended by an accident of its own.
const STABLE: Duration = Duration::from_secs(10);

/// What an enclave is started with.
#[derive(Debug, Clone)]
pub struct EnclaveOptions {
    /// The enclave's program.
    pub program: PathBuf,
    /// Environment variables for the PKCS#11 library.
    pub environment: BTreeMap<String, String>,
    /// The token.
    pub token: ipc::TokenAccess,
    /// The deployment.
    pub deployment: String,
    /// The log's origin.
    pub origin: String,
    /// Session threads.
    pub sessions: u32,
    /// The most ENCLAVE keys that are open at a time.
    pub open_keys: u32,
    /// An operation not answered by then is given up, and the enclave ended.
    pub operation_deadline: Duration,
}

/// What the enclave said of its token when it opened.
pub type OpenedToken = ipc::Opened;

#[derive(Clone)]
enum State {
    Starting,
    Ready {
        connection: Connection,
        opened: Arc<OpenedToken>,
    },
    /// For good: an operator must act.
    Stopped,
}

/// The token can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// The program can't be started.
    #[error("{0}")]
    Spawn(#[from] SpawnError),
    /// An earlier login was refused.
    #[error("{0}")]
    Login(#[from] LoginRefused),
    /// The enclave says why.
    #[error("{0}")]
    Token(String),
}

/// See the module.
pub struct Enclave {
    state: watch::Receiver<State>,
    quarantine: Arc<Quarantine>,
    restarts: Arc<AtomicU64>,
    operation_deadline: Duration,
    sessions: usize,
    /// See [`TURNS`].
    turns: Arc<Gate>,
    gate: Arc<Gate>,
    supervisor: JoinHandle<()>,
    /// Operations without a record.
    pub(super) ledger: Arc<Ledger>,
    /// Where wrapped keys are kept.
    pub(super) store: Arc<dyn Store>,
}

impl Drop for Enclave {
    fn drop(&mut self) {
        self.supervisor.abort();
    }
}

impl Enclave {
    /// Starts an enclave, opens the token, and keeps it served from then on.
    ///
    /// # Errors
    /// [`Unavailable`] when the first opening fails.
    pub async fn start(
        options: EnclaveOptions,
        marker: LoginMarker,
        newest: watch::Receiver<(Checkpoint, String)>,
        store: Arc<dyn Store>,
    ) -> Result<(Self, Arc<OpenedToken>), Unavailable> {
        let ledger = Arc::<Ledger>::default();
        let (process, opened) = open(&options, &marker, &newest, &ledger).await.map_err(|failure| failure.why)?;
        let opened = Arc::new(opened);
        let ready = State::Ready { connection: process.connection().clone(), opened: Arc::clone(&opened) };
        let (publish, state) = watch::channel(ready);
        let quarantine = Arc::new(Quarantine::default());
        let restarts = Arc::new(AtomicU64::new(0));
        let (operation_deadline, sessions) = (options.operation_deadline, options.sessions as usize);
        let supervision = Supervision {
            options,
            marker,
            newest,
            ledger: Arc::clone(&ledger),
            publish,
            quarantine: Arc::clone(&quarantine),
            restarts: Arc::clone(&restarts),
        };
        let supervisor = tokio::spawn(supervision.run(process));
        let (turns, gate) = (Gate::new(TURNS), Gate::new(USES));
        let enclave =
            Self { state, quarantine, restarts, operation_deadline, sessions, turns, gate, supervisor, ledger, store };
        Ok((enclave, opened))
    }

    /// What is known of the token while it is open.
    pub fn opened(&self) -> Option<Arc<OpenedToken>> {
        match &*self.state.borrow() {
            State::Ready { opened, .. } => Some(Arc::clone(opened)),
            _ => None,
        }
    }

    /// Whether requests wait for a session of the token.
    pub fn is_busy(&self) -> bool {
        match &*self.state.borrow() {
            State::Ready { connection, .. } => connection.in_flight() >= self.sessions,
            _ => true,
        }
    }

    /// How often the enclave was started anew.
    pub fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Waits for the turn to use a key: what peers and orderers ask for goes first, what can wait (`batch`) goes last. May
    /// be dropped: whoever does not wait any more is in nobody's way.
    ///
    /// # Errors
    /// [`Error::Deadline`] when it does not come, [`Error::Unavailable`] when the enclave does not.
    pub async fn turn(&self, grant: &Grant, batch: bool) -> Result<Turn, Error> {
        if let Some(turn) = self.gate.try_enter() {
            return Ok(turn);
        }
        // Nobody holds a turn only to wait for the enclave.
        self.ready().await?;
        let principal = grant.caller().principal();
        let entering = self.gate.enter(Class::of(principal.role, batch), principal.name.organization().id());
        let entered = tokio::time::timeout(self.operation_deadline, entering).await;
        entered.ok().flatten().ok_or(Error::Deadline(Done::No))
    }

    /// As [`Enclave::exchange`], with a fault as the error it means.
    pub(super) async fn call(&self, verb: Verb, request_id: Option<&str>) -> Result<Answer, Error> {
        match self.exchange(verb, request_id).await? {
            (Reply::Fault(said), _) => Err(fault(said)),
            answered => Ok(answered),
        }
    }

    /// Sends a verb to the enclave that serves, waiting for a fresh one if need be, and for room in what it may do before
    /// it is shown its next statement.
    pub(super) async fn exchange(&self, verb: Verb, request_id: Option<&str>) -> Result<Answer, Error> {
        if request_id.is_some_and(|id| self.quarantine.holds(id)) {
            return Err(Error::Precondition {
                reason: reasons::QUARANTINED,
                message: "this request was in flight at two crashes of the enclave and is not tried again; \
                          tell the operator"
                    .into(),
            });
        }
        let _turn = if one_by_one(&verb) {
            let entering = self.turns.enter(Class::Normal, organization(&verb));
            let turn = tokio::time::timeout(GENERATION_DEADLINE, entering).await.ok().flatten();
            Some(turn.ok_or(Error::Deadline(Done::No))?)
        } else {
            None
        };
        let connection = self.ready().await?;
        // A token may take its time to make a key.
        let deadline = match &verb {
            Verb::GenerateKey(_) | Verb::ImportKey(_) => self.operation_deadline.max(GENERATION_DEADLINE),
            _ => self.operation_deadline,
        };
        if takes_number(&verb) && tokio::time::timeout(self.operation_deadline, connection.tally.room()).await.is_err()
        {
            return Err(unwitnessed());
        }
        match connection.call(verb, deadline, request_id).await {
            Ok(answer) => Ok(answer),
            Err(CallError::NotSent) => Err(unavailable("the token's enclave just ended; try again", Done::No)),
            Err(CallError::Lost) => Err(unavailable(
                "the token's enclave ended while it worked on this; nothing was released",
                Done::Unknown,
            )),
            Err(CallError::TimedOut) => Err(Error::Deadline(Done::Unknown)),
            Err(error @ CallError::TooLarge) => {
                Err(Error::Rejected { reason: reasons::TOO_LARGE, field: "message", message: error.to_string() })
            }
        }
    }

    /// The process that serves, if it is the one of this incarnation.
    pub(super) fn tally(&self, incarnation: Option<&[u8]>) -> Option<Arc<Tally>> {
        match &*self.state.borrow() {
            State::Ready { connection, opened } if incarnation.is_none_or(|named| named == opened.incarnation) => {
                Some(Arc::clone(&connection.tally))
            }
            _ => None,
        }
    }

    async fn ready(&self) -> Result<Connection, Error> {
        let mut state = self.state.clone();
        let found = tokio::time::timeout(WAIT_FOR_RESTART, state.wait_for(|state| !matches!(state, State::Starting)));
        match found.await.map(|state| state.map(|state| state.clone())) {
            Ok(Ok(State::Ready { connection, .. })) => Ok(connection),
            Ok(Ok(State::Stopped)) => {
                Err(unavailable("the token is closed until an operator acts; the service's log says why", Done::No))
            }
            _ => Err(unavailable("the token's enclave is being started; try again", Done::No)),
        }
    }
}

/// Whether the enclave's one control thread does it.
fn one_by_one(verb: &Verb) -> bool {
    !matches!(
        verb,
        Verb::UseKey(_) | Verb::CloseKey(_) | Verb::Random(_) | Verb::SignCheckpoint(_) | Verb::SignStatement(_)
    )
}

/// Whether the enclave enters it in its chain of operations.
fn takes_number(verb: &Verb) -> bool {
    matches!(verb, Verb::UseKey(_) | Verb::GenerateKey(_) | Verb::ImportKey(_))
}

/// Whose key a verb is about; empty: the service does it for itself, or for one organization after another.
fn organization(verb: &Verb) -> &str {
    let name = match verb {
        Verb::GenerateKey(of) => &of.version,
        Verb::ImportKey(of) => &of.version,
        Verb::Attest(of) => &of.key.version,
        Verb::BackUpKey(of) => &of.key.version,
        Verb::Rewrap(of) => &of.key.version,
        Verb::EnsureKek(of) => &of.organization,
        Verb::CreateTransportKey(of) => &of.organization,
        _ => return "",
    };
    name.split('/').nth(1).unwrap_or(name)
}

fn unavailable(message: &str, performed: Done) -> Error {
    Error::Unavailable { reason: reasons::TOKEN_UNAVAILABLE, message: message.into(), performed }
}

/// The log does not show in time what the enclave did.
fn unwitnessed() -> Error {
    let message = "the enclave waits until the audit log shows its last statement, which takes too long; try again";
    Error::Unavailable { reason: reasons::UNWITNESSED, message: message.into(), performed: Done::No }
}

struct Supervision {
    options: EnclaveOptions,
    marker: LoginMarker,
    newest: watch::Receiver<(Checkpoint, String)>,
    ledger: Arc<Ledger>,
    publish: watch::Sender<State>,
    quarantine: Arc<Quarantine>,
    restarts: Arc<AtomicU64>,
}

impl Supervision {
    async fn run(self, mut process: EnclaveProcess) {
        let mut failures = 0;
        loop {
            let started = Instant::now();
            let why = self.watch(&mut process).await;
            self.publish.send_replace(State::Starting);
            // What a session's thread may have taken from the queue at once.
            let begun = self.options.sessions as usize * 16;
            let lost = process.connection().take_lost(begun);
            tracing::error!(why, in_flight = lost.len(), "the enclave ended; starting a fresh one");
            self.quarantine.add(lost);
            drop(process);
            failures = if started.elapsed() >= STABLE { 0 } else { failures + 1 };
            match self.reopen(&mut failures).await {
                Some(fresh) => process = fresh,
                None => return,
            }
        }
    }

    /// Returns when the enclave has ended, by itself or because it hung.
    async fn watch(&self, process: &mut EnclaveProcess) -> String {
        let mut tick = tokio::time::interval(Duration::from_millis(500));
        loop {
            tokio::select! {
                why = process.ended() => return why,
                _ = tick.tick() => {}
            }
            if process.connection().overdue().is_some_and(|late| late > PATIENCE) {
                process.kill();
                return format!(
                    "it was over {PATIENCE:?} late with an answer and was killed; {}",
                    process.ended().await
                );
            }
        }
    }

    async fn reopen(&self, failures: &mut usize) -> Option<EnclaveProcess> {
        let mut ends_at_login = 0;
        loop {
            let pause = BACKOFF_MILLIS[(*failures).saturating_sub(1).min(BACKOFF_MILLIS.len() - 1)];
            tokio::time::sleep(Duration::from_millis(pause)).await;
            match open(&self.options, &self.marker, &self.newest, &self.ledger).await {
                Ok((process, opened)) => {
                    self.restarts.fetch_add(1, Ordering::Relaxed);
                    let connection = process.connection().clone();
                    self.publish.send_replace(State::Ready { connection, opened: Arc::new(opened) });
                    tracing::info!("the enclave serves again");
                    return Some(process);
                }
                Err(failure) => {
                    *failures += 1;
                    ends_at_login = if failure.ended { ends_at_login + 1 } else { 0 };
                    if failure.for_good || ends_at_login > 1 {
                        tracing::error!(why = %failure.why, "the token stays closed until an operator acts");
                        self.publish.send_replace(State::Stopped);
                        return None;
                    }
                    tracing::warn!(why = %failure.why, "the token can't be opened; trying again");
                }
            }
        }
    }
}

struct OpenFailure {
    why: Unavailable,
    /// The enclave ended before it answered: maybe in the library's login.
    ended: bool,
    for_good: bool,
}

async fn open(
    options: &EnclaveOptions,
    marker: &LoginMarker,
    newest: &watch::Receiver<(Checkpoint, String)>,
    ledger: &Arc<Ledger>,
) -> Result<(EnclaveProcess, OpenedToken), OpenFailure> {
    let failure = |why: Unavailable, ended, for_good| OpenFailure { why, ended, for_good };
    marker.begin().map_err(|refused| failure(refused.into(), false, true))?;
    let mut process = EnclaveProcess::spawn_for(&options.program, &options.environment, Arc::clone(ledger))
        .map_err(|error| failure(error.into(), false, false))?;
    let verb = Verb::Open(ipc::Open {
        token: options.token.clone(),
        deployment: options.deployment.clone(),
        origin: options.origin.clone(),
        sessions: options.sessions,
        open_keys: options.open_keys,
        checkpoint: newest.borrow().1.clone(),
    });
    let deadline = options.operation_deadline.max(Duration::from_secs(10));
    match process.call(verb, deadline).await {
        Ok(Reply::Opened(opened)) => {
            marker.end(false);
            Ok((process, opened))
        }
        Ok(Reply::Fault(said)) => {
            let refused = said.reason() == FaultReason::LoginFailed;
            marker.end(refused);
            Err(failure(Unavailable::Token(said.message), false, refused))
        }
        Ok(_) => Err(failure(Unavailable::Token("the enclave gave a wrong answer".into()), true, false)),
        Err(error) => Err(failure(Unavailable::Token(error.to_string()), true, false)),
    }
}
