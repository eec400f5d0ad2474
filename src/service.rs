//! The composition root: opens every part in order, serves, and ends cleanly.
//!
//! **Invariants**: the service is ready only when log, store, policies and token agree; what a crash left open is
//! settled first. Two services never run on one data directory.
//!
//! **Not here**: making a deployment (`deployment`).

use crate::{
    access::Access,
    admission::{Admission, Floods},
    audit::{self, AuditError, AuditLog, Checkpoints, Draft, OpenError, Places},
    config::{ConfigError, Configuration},
    directory::{DirectoryError, LoggedStates},
    enclave::{Enclave, EnclaveOptions, LoginMarker, Unavailable, default_program},
    grpc::{self, Parts, ServeError, TlsError, server_config},
    issuing::Issuing,
    keys::{Changes, Keys, OpenIntent},
    model::{Action, KeyName, KeyVersionName, OrganizationName},
    policy::{PolicyError, PolicySet},
    signing::{Replays, Signing},
    store::{Commit, RequestKey, SqliteStore, Store, StoreError},
};
use chancery_audit::{
    checkpoint::VerifierKey,
    record::{Kind, Outcome, PolicyFile, PolicySet as RecordedPolicies, Record},
};
use chancery_ipc::TokenAccess;
use rustix::{
    fs::{FlockOperation, Mode, flock},
    process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit, umask},
};
use std::{
    collections::{BTreeMap, HashSet},
    fs::{self, File},
    future::Future,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};
use tokio::{net::TcpListener, time::MissedTickBehavior};

/// Why the service does not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The configuration.
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    /// The policies.
    #[error("policies: {0}")]
    Policy(#[from] PolicyError),
    /// The token.
    #[error("token: {0}")]
    Token(#[from] Unavailable),
    /// The token's audit key is not the log's.
    #[error("token: its audit key is not that of {}; token and data belong to different deployments", .0.display())]
    OtherAuditKey(PathBuf),
    /// The audit log.
    #[error("audit log: {0}")]
    Audit(#[from] OpenError),
    /// The audit log, while running.
    #[error("audit log: {0}")]
    Append(#[from] AuditError),
    /// The store.
    #[error("store: {0}")]
    Store(#[from] StoreError),
    /// Log and store together.
    #[error("{0}")]
    Directory(#[from] DirectoryError),
    /// Another service has the data directory.
    #[error("another chanceryd runs on {}; stop it first, or give this one a data directory of its own", .0.display())]
    Locked(PathBuf),
    /// A file of the deployment.
    #[error("{}: {problem}; run `chanceryd init` for a new deployment, or restore it", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The server's certificate.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    /// The address.
    #[error("cannot listen on {address}: {source}; stop what uses the port, or change `listen`")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The server.
    #[error("{0}")]
    Serve(#[from] ServeError),
}

impl ServiceError {
    /// The process's exit code: see docs/operations.md.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Policy(_) => 78,
            Self::Token(_) | Self::OtherAuditKey(_) | Self::Listen { .. } => 69,
            Self::Audit(_)
            | Self::Append(_)
            | Self::Store(_)
            | Self::Directory(_)
            | Self::Locked(_)
            | Self::File { .. } => 74,
            Self::Tls(_) => 78,
            Self::Serve(_) => 70,
        }
    }
}

/// Files of a deployment below its data directory.
#[derive(Debug, Clone)]
pub struct DataFiles {
    /// The directory.
    pub directory: PathBuf,
    /// The store.
    pub store: PathBuf,
    /// The log's last durable size.
    pub durable: PathBuf,
    /// The server's certificate, PEM.
    pub certificate: PathBuf,
    /// The server's key, PEM, mode 0600.
    pub key: PathBuf,
    /// The deployment's own CA, PEM: what clients trust.
    pub ca: PathBuf,
}

impl DataFiles {
    /// Below `directory`.
    pub fn new(directory: &Path) -> Self {
        let file = |name| directory.join(name);
        Self {
            store: file("store.sqlite"),
            durable: file("log-durable-size"),
            certificate: file("server.pem"),
            key: file("server.key"),
            ca: file("ca.pem"),
            directory: directory.to_owned(),
        }
    }
}

/// Holds a directory until it is dropped.
pub struct DataLock {
    _file: File,
}

impl DataLock {
    /// Takes the directory.
    ///
    /// # Errors
    /// [`ServiceError::Locked`] when another process has it, [`ServiceError::File`] when it isn't there.
    pub fn take(directory: &Path) -> Result<Self, ServiceError> {
        let problem = |error: io::Error| ServiceError::File { path: directory.to_owned(), problem: error.to_string() };
        let file = File::open(directory).map_err(problem)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(_) => Err(ServiceError::Locked(directory.to_owned())),
        }
    }
}

/// The token as the enclave is told of it.
pub fn token_access(configuration: &Configuration) -> TokenAccess {
    let token = &configuration.token;
    TokenAccess {
        library: token.library.to_string_lossy().into_owned(),
        label: token.label.clone(),
        pin_file: token.pin_file.to_string_lossy().into_owned(),
    }
}

/// What the enclave is started with.
pub fn enclave_options(configuration: &Configuration, deployment: &str) -> EnclaveOptions {
    EnclaveOptions {
        program: configuration.token.enclave.clone().unwrap_or_else(default_program),
        environment: configuration.token.environment.clone(),
        token: token_access(configuration),
        deployment: deployment.to_owned(),
        origin: configuration.origin.clone(),
        sessions: configuration.token.sessions,
        operation_deadline: configuration.token.operation_deadline,
    }
}

/// The log's public key.
///
/// # Errors
/// [`ServiceError::File`].
pub fn read_vkey(configuration: &Configuration) -> Result<VerifierKey, ServiceError> {
    let path = &configuration.audit_vkey;
    let problem = |problem: String| ServiceError::File { path: path.clone(), problem };
    let text = fs::read_to_string(path).map_err(|error| problem(error.to_string()))?;
    let key: VerifierKey = text.parse().map_err(|error| problem(format!("no log key: {error}")))?;
    if key.name() != configuration.origin {
        return Err(problem(format!(
            "it is of log {}, the configuration's origin is {}",
            key.name(),
            configuration.origin
        )));
    }
    Ok(key)
}

/// Before anything else: logs to stderr, no core dumps, and a panic ends the process, which recovers from its log.
pub fn prepare_process() {
    let filter =
        tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info,refinery_core=warn".into());
    // What is written here is the service's own; who else may read it, an operator says.
    umask(Mode::from_raw_mode(0o077));
    // It must not panic where stderr can't be written, e.g. a file on a disk that is full.
    let log = tracing_subscriber::fmt().with_env_filter(filter).log_internal_errors(false);
    log.with_writer(io::stderr).with_ansi(false).init();
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "the process stays dumpable");
    }
    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
        tracing::warn!(%error, "core dumps can't be switched off");
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        eprintln!("chanceryd: a defect at {place}: {}", panic.payload_as_str().unwrap_or("panic"));
        std::process::abort();
    }));
}

/// What is gathered while the log is read.
#[derive(Default)]
struct History {
    states: LoggedStates,
    intents: BTreeMap<u64, OpenIntent>,
    /// Changes made: the index of their outcome, their request and key.
    answered: Vec<(u64, RequestKey, KeyName)>,
    policy_sets: HashSet<Vec<u8>>,
    replays: Replays,
}

impl History {
    fn add(&mut self, record: &Record) -> Result<(), String> {
        self.states.add(record).map_err(|error| error.to_string())?;
        self.replays.remember(record);
        if let Some(settled) = record.intent.checked_sub(1) {
            self.intents.remove(&settled);
        }
        match record.kind() {
            Kind::Intent => drop(self.intents.insert(record.index, OpenIntent::new(record))),
            Kind::Outcome if record.outcome() == Outcome::Succeeded => {
                self.answered.extend(answered(record).map(|(request, key)| (record.index, request, key)));
            }
            Kind::PolicySet => drop(self.policy_sets.insert(record.policy_set_hash.clone())),
            _ => {}
        }
        Ok(())
    }
}

/// The request that a key's outcome answered, and the key.
fn answered(record: &Record) -> Option<(RequestKey, KeyName)> {
    let actions = [Action::CreateKey, Action::RotateKey];
    let method = actions.iter().find(|action| action.as_str() == record.action)?.as_str();
    let by = record.principal.as_ref()?;
    let principal = OrganizationName::from_id(&by.organization).ok()?.principal(&by.name).ok()?;
    let key = record.resource.parse::<KeyVersionName>().ok()?.key().clone();
    Some((RequestKey { principal, method, id: record.request_id.clone() }, key))
}

/// A service that is open and not yet serving.
pub struct Service {
    configuration: Configuration,
    parts: Parts,
    changes: Arc<Changes>,
    tls: Arc<rustls::ServerConfig>,
    _locks: [DataLock; 2],
}

impl Service {
    /// Opens policies, log, store and token, in this order, and settles what a crash left open.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn open(configuration: Configuration) -> Result<Self, ServiceError> {
        let policies = PolicySet::load(&configuration.policies)?;
        let files = DataFiles::new(&configuration.data);
        let locks = [DataLock::take(&files.directory)?, DataLock::take(&configuration.audit)?];
        let key = read_vkey(&configuration)?;

        let mut history = History::default();
        let places = Places { directory: configuration.audit.clone(), durable: files.durable.clone() };
        let log = audit::read(&places, &key, configuration.log.segment_bytes, |record| history.add(record))?;
        let log_size = history.states.size();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&files.store)?);
        let deployment = history.states.deployment().unwrap_or_default().to_owned();
        let contents = store.load().await?;
        let behind = contents.log_size;
        let (directory, rows) = history.states.reconcile(contents)?;
        // Nothing came after these: the key as it is now is the answer that was not kept.
        let unknown = history.answered.into_iter().filter(|(index, ..)| *index >= behind);
        let answer = |key: KeyName| directory.key(&key).map(|entry| entry.to_answer());
        let answers = unknown.filter_map(|(_, request, key)| Some((request, answer(key)?))).collect();
        store.commit(Commit { log_size, rows, answers }).await?;
        store.release_all().await?;
        let directory = Arc::new(directory);
        let tls = server_config(&files.certificate, &files.key, directory.registry())?;

        let marker = LoginMarker::new(&files.directory, configuration.token.pin_file.clone());
        let checkpoint_size = Arc::new(AtomicU64::new(log.checkpoint.size));
        let options = enclave_options(&configuration, &deployment);
        let (enclave, opened) = Enclave::start(options, marker, Arc::clone(&checkpoint_size)).await?;
        if VerifierKey::from_spki(key.name(), &opened.audit_public_key).ok().as_ref() != Some(&key) {
            return Err(ServiceError::OtherAuditKey(configuration.audit_vkey));
        }
        tracing::info!(token = opened.token.label, serial = opened.token.serial, "the token is open");

        let enclave = Arc::new(enclave);
        let audit = Arc::new(AuditLog::start(log.tail, configuration.log.append_deadline));
        let newest = (log.checkpoint, log.note);
        let checkpoints = Arc::new(Checkpoints::new(
            Arc::clone(&audit),
            Arc::clone(&enclave),
            key,
            configuration.audit.clone(),
            newest,
            checkpoint_size,
        ));
        record_start(&audit, &policies, &history.policy_sets).await?;
        let access = Arc::new(Access::new(Arc::clone(&directory), policies));
        let floods = Arc::new(Floods::new(configuration.limits.denials_per_second));
        let admission = Arc::new(Admission::new(access, Arc::clone(&audit), Arc::clone(&floods)));
        let changes = Arc::new(Changes::new(store, audit, directory));
        let signing = Arc::new(Signing::new(Arc::clone(&admission), Arc::clone(&enclave), history.replays));
        let keys = Arc::new(Keys::new(Arc::clone(&admission), Arc::clone(&enclave), Arc::clone(&changes)));
        let issuing = Arc::new(Issuing::new(Arc::clone(&admission), Arc::clone(&signing), Arc::clone(&changes)));
        keys.settle_all(history.intents.into_values().collect()).await;
        if let Err(error) = checkpoints.make().await {
            tracing::warn!(%error, "no checkpoint at start; trying again each second");
        }
        let parts = Parts { signing, keys, issuing, admission, checkpoints, floods, enclave };
        Ok(Self { configuration, parts, changes, tls, _locks: locks })
    }

    /// Binds the address, tells `ready` where, and serves until `stop` ends.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn run(
        self,
        ready: impl FnOnce(SocketAddr),
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServiceError> {
        let address = self.configuration.listen;
        let listen = |source| ServiceError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        ready(listener.local_addr().map_err(listen)?);
        let Parts { checkpoints, floods, admission, .. } = self.parts.clone();
        let ticking = tokio::spawn(Arc::clone(&checkpoints).run());
        let mending = tokio::spawn(each_second(self.changes, Arc::clone(&floods), Arc::clone(admission.audit())));
        let result = grpc::serve(listener, self.tls, &self.configuration.limits, self.parts, stop).await;
        ticking.abort();
        mending.abort();
        floods.flush(admission.audit()).await;
        // Connections that outlived the drain must not get signatures past the last checkpoint.
        admission.audit().close().await;
        if let Err(error) = checkpoints.make().await {
            tracing::warn!(%error, "no last checkpoint; the next start makes one");
        }
        Ok(result?)
    }
}

/// Records counts, and tries again what a disk did not take: nobody else would without traffic.
async fn each_second(changes: Arc<Changes>, floods: Arc<Floods>, audit: Arc<AuditLog>) {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tick.tick().await;
        if !audit.is_writable() {
            audit.probe().await;
        }
        changes.flush().await;
        floods.flush(&audit).await;
    }
}

/// Notes the start, and the policies in force if the log has not seen them.
async fn record_start(audit: &AuditLog, policies: &PolicySet, known: &HashSet<Vec<u8>>) -> Result<(), ServiceError> {
    let hash = policies.hash().to_vec();
    if !known.contains(&hash) {
        let file = |(path, text): &(String, String)| PolicyFile { path: path.clone(), text: text.clone() };
        let files = policies.files().iter().map(file).collect();
        audit.append(Draft::policy_set(RecordedPolicies { hash, files })).await?;
    }
    audit.append(Draft::state_change("Start", &[])).await?;
    Ok(())
}
