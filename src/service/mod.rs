//! The composition root: opens every part in order, serves, and ends cleanly.
//!
//! **Invariants**: the service is ready only when log, store, policies and token agree; what a crash left open is
//! settled first. Two services never run on one data directory.
//!
//! **Not here**: making a deployment (`deployment`).

mod error;
mod files;
mod history;

pub use error::ServiceError;
pub use files::{DataFiles, DataLock, read_vkey};

use crate::{
    access::Access,
    admission::{Admission, Floods},
    audit::{self, AuditLog, Checkpoints, Draft, Places},
    backups::Backups,
    config::Configuration,
    enclave::{Enclave, EnclaveOptions, LoginMarker, default_program},
    grpc::{self, Parts, server_config},
    issuing::Issuing,
    keys::{Changes, ClockGuard, EvidenceFile, Keys, Schedule, SystemClock},
    model::KeyName,
    operations::Operations,
    policy::PolicySet,
    signing::Signing,
    store::{Commit, SqliteStore, Store},
};
use chancery_audit::{
    checkpoint::VerifierKey,
    record::{PolicyFile, PolicySet as RecordedPolicies},
};
use chancery_ipc::TokenAccess;
use history::History;
use rustix::{
    fs::Mode,
    process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit, umask},
};
use std::{
    collections::HashSet,
    future::Future,
    io,
    net::SocketAddr,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};
use tokio::{net::TcpListener, time::MissedTickBehavior};

/// How long what keys' schedules began may go on once the service stops.
const SCHEDULE_DRAIN: Duration = Duration::from_secs(5);

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
        open_keys: configuration.token.open_keys,
        operation_deadline: configuration.token.operation_deadline,
    }
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

/// A service that is open and not yet serving.
pub struct Service {
    configuration: Configuration,
    parts: Parts,
    changes: Arc<Changes>,
    schedule: Arc<Schedule>,
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
        let (enclave, opened) =
            Enclave::start(options, marker, Arc::clone(&checkpoint_size), Arc::clone(&store)).await?;
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
        let changes = Arc::new(Changes::new(Arc::clone(&store), audit, directory));
        let signing = Arc::new(Signing::new(Arc::clone(&admission), Arc::clone(&enclave), history.replays));
        let operations = Arc::new(Operations::new(Arc::clone(&admission), Arc::clone(&enclave)));
        let keys = Arc::new(Keys::new(
            Arc::clone(&admission),
            Arc::clone(&enclave),
            Arc::clone(&changes),
            Arc::clone(&store),
            configuration.keys.clone(),
        ));
        let backups = Arc::new(Backups::new(
            Arc::clone(&admission),
            Arc::clone(&enclave),
            Arc::clone(&changes),
            Arc::clone(&keys),
            Arc::clone(&store),
        ));
        let issuing = Arc::new(Issuing::new(Arc::clone(&admission), Arc::clone(&signing), Arc::clone(&changes)));
        keys.settle_all(history.intents.into_values().collect()).await;
        if let Err(error) = checkpoints.make().await {
            tracing::warn!(%error, "no checkpoint at start; trying again each second");
        }
        let readings = EvidenceFile::new(&files.directory);
        let clock = ClockGuard::start(Arc::new(SystemClock), readings.read().as_ref(), history.last_time);
        let schedule = Arc::new(Schedule::new(Arc::clone(&keys), Arc::new(clock), readings, store));
        let parts = Parts { signing, operations, keys, backups, issuing, admission, checkpoints, floods, enclave };
        Ok(Self { configuration, parts, changes, schedule, tls, _locks: locks })
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
        let schedule = Arc::clone(&self.schedule);
        let mut scheduling = tokio::spawn(async move { schedule.run().await });
        let result = grpc::serve(listener, self.tls, &self.configuration.limits, self.parts, stop).await;
        self.schedule.stop();
        if tokio::time::timeout(SCHEDULE_DRAIN, &mut scheduling).await.is_err() {
            // What it leaves half done has an intent in the log.
            scheduling.abort();
        }
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
