//! The composition root: opens every part in order, serves, and ends cleanly.
//!
//! **Invariants**: the service is ready only when log, store, policies and token agree; what a crash left open is
//! settled first. Two services never run on one data directory.
//!
//! **Not here**: making a deployment (`deployment`).

mod addresses;
mod error;
mod files;
mod history;

pub use addresses::Addresses;
pub use error::ServiceError;
pub use files::{DataFiles, DataLock, read_vkey};

use crate::{
    access::Access,
    admission::{Admission, Floods},
    approvals::Approvals,
    audit::{self, Archiver, AuditLog, Checkpoints, Draft, Receipts, TrustedTime},
    backups::Backups,
    changes::Changes,
    config::Configuration,
    enclave::{Enclave, EnclaveOptions, LoginMarker, default_program},
    grpc::{self, Parts, TlsError, server_config},
    issuing::Issuing,
    keys::{ClockGuard, EvidenceFile, Keys, Schedule, SystemClock},
    limiting::Limiting,
    limits::Limits,
    mirror::{self, Mirror},
    model::{KeyName, Organization},
    objects::Objects,
    operations::Operations,
    policies::PolicyDesk,
    policy::{Policies, PolicySet},
    registry::Registrar,
    signing::Signing,
    store::{Commit, SqliteStore, Store},
    witnesses::{Gate, Standing, Witnesses, read_policy},
};
use chancery_audit::{checkpoint::VerifierKey, record::Record};
use chancery_ipc::TokenAccess;
use history::History;
use rustix::{
    fs::{Mode, statvfs},
    process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit, umask},
};
use std::{collections::HashMap, future::Future, io, net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::JoinSet,
    time::MissedTickBehavior,
};

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
    archiver: Option<Archiver>,
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
        let witness_policy = configuration.witnesses.as_deref().map(read_policy).transpose()?;
        let files = DataFiles::new(&configuration.data);
        let locks = [DataLock::take(&files.directory)?, DataLock::take(&configuration.audit)?];
        let key = read_vkey(&configuration)?;

        let snapshot = audit::read_snapshot(&configuration.audit)?;
        let mut history = snapshot.as_ref().map(History::after).unwrap_or_default();
        let places = files.log_places(&configuration.audit);
        let visit = |record: &Record| history.add(record);
        let log = audit::read(&places, &key, configuration.log.segment_bytes, snapshot.as_ref(), visit)?;
        // It may be large, and what it says is in the history.
        drop(snapshot);
        let log_size = history.states.size();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&files.store)?);
        let deployment = history.states.deployment().unwrap_or_default().to_owned();
        let contents = store.load().await?;
        let behind = contents.log_size;
        let (directory, rows) = history.states.reconcile(contents)?;
        // Nothing came after these: the key as it is now is the answer that was not kept.
        let unknown = history.answered.into_iter().filter(|(index, ..)| *index >= behind);
        let answer = |key: KeyName, object: &str| directory.key(&key).map(|entry| entry.to_answer_of(object));
        let answers = unknown.filter_map(|(_, request, key, object)| Some((request, answer(key, &object)?))).collect();
        store.commit(Commit { log_size, rows, answers }).await?;
        store.release_all().await?;
        let directory = Arc::new(directory);
        let tls = server_config(&files.certificate, &files.key, directory.registry())?;

        let marker = LoginMarker::new(&files.directory, configuration.token.pin_file.clone());
        let (newest, _) = watch::channel((log.checkpoint, log.note));
        let options = enclave_options(&configuration, &deployment);
        let (enclave, opened) = Enclave::start(options, marker, newest.subscribe(), Arc::clone(&store)).await?;
        if VerifierKey::from_spki(key.name(), &opened.audit_public_key).ok().as_ref() != Some(&key) {
            return Err(ServiceError::OtherAuditKey(configuration.audit_vkey));
        }
        tracing::info!(token = opened.token.label, serial = opened.token.serial, "the token is open");

        let enclave = Arc::new(enclave);
        let shares = Arc::new(history.shares);
        let audit = AuditLog::start(log.tail, log.archived, history.users, shares, configuration.log.append_deadline);
        let audit = Arc::new(audit);
        let access = Arc::new(Access::new(Arc::clone(&directory), policies)?);
        let start = record_start(&audit, &access.policies(), &history.policy_sets).await?;
        let checkpoints = Arc::new(Checkpoints::new(
            Arc::clone(&audit),
            Arc::clone(&enclave),
            key.clone(),
            configuration.audit.clone(),
            newest,
            start,
        ));
        let receipts = Arc::new(Receipts::new(Arc::clone(&audit), Arc::clone(&checkpoints), key.clone()));
        let (log, points) = (Arc::clone(&audit), Arc::clone(&checkpoints));
        let witnesses = Arc::new(Witnesses::open(witness_policy, key, log, points, &files.directory, start).await?);
        let limits = &configuration.limits;
        let share = limits.denial_bytes.of_volume(volume_bytes(&configuration.audit));
        let floods = Arc::new(Floods::new(limits.denials_per_second, Arc::clone(audit.shares()), share));
        let changes = Arc::new(Changes::new(Arc::clone(&store), Arc::clone(&audit), directory));
        let limits = Arc::new(Limits::new(Arc::clone(&changes), Arc::clone(&audit), limits));
        let gate = Arc::clone(witnesses.gate());
        let admission = Admission::new(access, audit, Arc::clone(&floods), limits, Arc::clone(&changes), gate);
        let admission = Arc::new(admission);
        let officers = configuration.officers.clone();
        let approvals = Arc::new(Approvals::new(Arc::clone(&admission), Arc::clone(&changes), officers));
        let signing = Arc::new(Signing::new(Arc::clone(&admission), Arc::clone(&enclave), history.replays));
        let operations = Arc::new(Operations::new(Arc::clone(&admission), Arc::clone(&enclave)));
        let keys = Arc::new(Keys::new(
            Arc::clone(&admission),
            Arc::clone(&enclave),
            Arc::clone(&changes),
            Arc::clone(&approvals),
            Arc::clone(&store),
            (configuration.keys.clone(), configuration.pkcs11.clone()),
        ));
        let backups = Arc::new(Backups::new(
            Arc::clone(&admission),
            Arc::clone(&enclave),
            Arc::clone(&changes),
            Arc::clone(&approvals),
            Arc::clone(&keys),
            Arc::clone(&store),
        ));
        let issuing = Arc::new(Issuing::new(Arc::clone(&admission), Arc::clone(&signing), Arc::clone(&changes)));
        let objects = Arc::new(Objects::new(Arc::clone(&admission), Arc::clone(&changes), Arc::clone(&issuing)));
        let policies = Arc::new(PolicyDesk::new(
            Arc::clone(&admission),
            Arc::clone(&changes),
            Arc::clone(&approvals),
            configuration.policies.clone(),
        ));
        let limiting = Arc::new(Limiting::new(Arc::clone(&admission), Arc::clone(&changes)));
        let registrar = Arc::new(Registrar::new(Arc::clone(&admission), Arc::clone(&approvals), Arc::clone(&changes)));
        keys.settle_all(history.intents.into_values().collect()).await;
        if let Err(error) = checkpoints.make().await {
            tracing::warn!(%error, "no checkpoint at start; trying again each second");
        }
        let readings = EvidenceFile::new(&files.directory);
        let clock = ClockGuard::start(Arc::new(SystemClock), readings.read().as_ref(), history.last_time);
        let clock = Arc::new(clock);
        let archiver = configuration.log.archive.as_ref().map(|options| {
            let (log, time) = (Arc::clone(admission.audit()), trusted_time(Arc::clone(&clock), Arc::clone(&changes)));
            Archiver::new(log, Arc::clone(&checkpoints), configuration.audit.clone(), options, time)
        });
        let schedule = Arc::new(Schedule::new(Arc::clone(&keys), clock, readings, store));
        let parts = Parts {
            signing,
            operations,
            keys,
            approvals,
            backups,
            registrar,
            policies,
            issuing,
            objects,
            limiting,
            admission,
            checkpoints,
            receipts,
            witnesses,
            floods,
            enclave,
        };
        Ok(Self { configuration, parts, changes, schedule, archiver, tls, _locks: locks })
    }

    /// Binds the addresses, tells `ready` which, and for what it still waits if so, and serves until `stop` ends.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn run(
        self,
        ready: impl FnOnce(&Addresses),
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServiceError> {
        // Whoever reads `ready` may send one at once.
        let hangup = signal(SignalKind::hangup());
        let (listener, api) = bind(self.configuration.listen).await?;
        let Parts { checkpoints, floods, admission, policies, witnesses, .. } = self.parts.clone();
        let mut bound = Addresses { api, mirror: None, waits: None };
        let mut mirroring = JoinSet::new();
        if let Some(address) = self.configuration.mirror {
            let (listener, address) = bind(address).await?;
            let mirror = Mirror::new(Arc::clone(admission.audit()), Arc::clone(&checkpoints));
            mirroring.spawn(mirror.serve(listener, mirror::tls(&self.tls).map_err(TlsError::from)?));
            tracing::info!(%address, "the log's tree is mirrored over HTTPS");
            bound.mirror = Some(address);
        }
        if let Standing::Waiting { text } | Standing::Refused { text } = witnesses.gate().standing() {
            bound.waits = Some(text);
        }
        ready(&bound);
        let reloading = tokio::spawn(reload_at_each(hangup, policies));
        let ticking = tokio::spawn(Arc::clone(&checkpoints).run());
        let mending = tokio::spawn(each_second(self.changes, Arc::clone(&floods), Arc::clone(&admission)));
        let archiving = self.archiver.map(|archiver| tokio::spawn(archiver.run()));
        let schedule = Arc::clone(&self.schedule);
        let gate = Arc::clone(witnesses.gate());
        let mut scheduling = tokio::spawn(async move { run_schedule(&schedule, &gate).await });
        let result = grpc::serve(listener, self.tls, &self.configuration.limits, self.parts, stop).await;
        self.schedule.stop();
        if !witnesses.gate().is_open() {
            scheduling.abort();
        }
        if tokio::time::timeout(SCHEDULE_DRAIN, &mut scheduling).await.is_err() {
            // What it leaves half done has an intent in the log.
            scheduling.abort();
        }
        mirroring.abort_all();
        ticking.abort();
        mending.abort();
        reloading.abort();
        // What it leaves half done, the next start goes on with.
        archiving.inspect(|archiving| archiving.abort());
        // A disk that hangs must not keep the service from stopping: it costs what is left of quotas.
        let _ = tokio::time::timeout(SCHEDULE_DRAIN, admission.limits().close()).await;
        let _ = tokio::time::timeout(SCHEDULE_DRAIN, floods.flush_all(admission.audit())).await;
        let _ = tokio::time::timeout(SCHEDULE_DRAIN, checkpoints.state_all()).await;
        // Connections that outlived the drain must not get signatures past the last checkpoint.
        admission.audit().close().await;
        match tokio::time::timeout(SCHEDULE_DRAIN, checkpoints.make()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "no last checkpoint; the next start makes one"),
            Err(_) => tracing::warn!("the last checkpoint takes too long; the next start makes one"),
        }
        Ok(result?)
    }
}

/// The time, until the clock jumps, and again once officers of an organization confirmed it.
fn trusted_time(clock: Arc<ClockGuard>, changes: Arc<Changes>) -> TrustedTime {
    Box::new(move || {
        let frozen = |organizations: Vec<Organization>| {
            !organizations.is_empty() && organizations.iter().all(|found| found.destruction_frozen.is_some())
        };
        let doubtful = clock.jump().is_some() || frozen(changes.directory().organizations());
        (!doubtful).then(|| clock.now())
    })
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServiceError> {
    let listen = |source| ServiceError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    let bound = listener.local_addr().map_err(listen)?;
    Ok((listener, bound))
}

/// What keys' schedules ask for is done by nobody's request, and passes the gate all the same.
async fn run_schedule(schedule: &Schedule, gate: &Gate) {
    gate.opened().await;
    tokio::select! {
        () = schedule.run() => {}
        // What it leaves half done has an intent in the log.
        () = gate.refused() => {}
    }
}

/// Reads the base policies again at each SIGHUP. What can't be used is told in the service's log.
async fn reload_at_each(hangup: io::Result<Signal>, policies: Arc<PolicyDesk>) {
    let mut hangup = match hangup {
        Ok(hangup) => hangup,
        Err(error) => {
            tracing::warn!(%error, "SIGHUP reloads nothing; `chancery policy reload` does");
            return;
        }
    };
    while hangup.recv().await.is_some() {
        if let Err(error) = policies.reload_directory().await {
            tracing::warn!(%error, "SIGHUP: the base policies were not loaded");
        }
    }
}

/// Records counts, and tries again what a disk did not take: nobody else would without traffic.
async fn each_second(changes: Arc<Changes>, floods: Arc<Floods>, admission: Arc<Admission>) {
    let audit = admission.audit();
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tick.tick().await;
        if !audit.is_writable() {
            audit.probe().await;
        }
        changes.flush().await;
        floods.flush(audit).await;
        admission.limits().tidy();
    }
}

/// The size of the volume that a directory lies on; one that can't be told counts as large.
fn volume_bytes(directory: &Path) -> u64 {
    match statvfs(directory) {
        Ok(volume) => volume.f_blocks.saturating_mul(volume.f_frsize),
        Err(error) => {
            tracing::warn!(%error, "the size of the log's volume is unknown");
            u64::MAX
        }
    }
}

/// Notes the start, and of the policies in force those that are not the ones the log noted last; the start's index.
async fn record_start(
    audit: &AuditLog,
    policies: &Policies,
    noted: &HashMap<String, Vec<u8>>,
) -> Result<u64, ServiceError> {
    let is_noted = |path: &str, hash: [u8; 32]| noted.get(path).is_some_and(|noted| *noted == hash);
    if !is_noted("", policies.base().hash()) {
        audit.append(Draft::policy_set(policies.base())).await?;
    }
    for set in policies.organizations().filter(|set| !is_noted(&set.path(), set.hash())) {
        audit.append(Draft::organization_policy_set(set)).await?;
    }
    Ok(audit.append(Draft::state_change("Start", &[])).await?)
}
