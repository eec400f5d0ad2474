//! Every verb but those of the session threads and of the checkpoints' thread, one after the other, on one thread with its own
//! session. Making, destroying and wrapping keys is in `lifecycle`.
//!
//! **Invariants**: the library is loaded, sessions are opened and the login is made on this thread only. A process
//! logs in to one token, once; `Open` ends a ceremony, so that a process that serves can't sign certificates.

use std::{
    sync::{Arc, PoisonError},
    thread::{self, JoinHandle},
};

use chancery_ipc::{
    CreateDeployment, DeploymentCertificateSigned, DeploymentCreated, FaultReason, KeyAlgorithm, Open, Opened,
    SignDeploymentCertificate, TokenAccess, TokenInitialized, request::Verb, response::Result as Reply,
};
use cryptoki::{object::ObjectHandle, session::Session};

use crate::{
    audit_key::AuditKey,
    ceremony,
    checkpoint::{self, CheckpointSigner},
    fault::{Failure, while_doing},
    generate::Maker,
    library::{self, Library},
    log,
    login::{LoggedIn, Login},
    objects::{self, SystemKey},
    serve::{Running, Shared},
    transfer::{Surroundings, Transfers},
    using::{self, User},
    worker::work,
};

/// The most session threads.
const MAX_SESSIONS: u32 = 1024;

/// The control thread's state.
pub(crate) struct Control {
    pub(crate) shared: Arc<Shared>,
    library: Option<Library>,
    login: Login,
    maker: Maker,
    /// The deployment CA's key, after the ceremony and until `Open`.
    ca: Option<ObjectHandle>,
    threads: Vec<JoinHandle<()>>,
}

impl Control {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, library: None, login: Login::NotTried, maker: Maker::new(), ca: None, threads: Vec::new() }
    }

    /// Does what `verb` asks for.
    pub(crate) fn perform(&mut self, verb: Verb) -> Result<Reply, Failure> {
        match verb {
            Verb::Probe(probe) => Library::load(&mut self.library, &probe.library)?.describe().map(Reply::Probed),
            Verb::InitializeToken(request) => {
                library::check_access(&request.token)?;
                if !matches!(self.login, Login::NotTried) {
                    return Err(Failure::bad_request("a process that has logged in initializes no token"));
                }
                let library = Library::load(&mut self.library, &request.token.library)?;
                let token = ceremony::initialize_token(library, &request)?;
                Ok(Reply::TokenInitialized(TokenInitialized { token }))
            }
            Verb::CreateDeployment(request) => self.create_deployment(&request).map(Reply::DeploymentCreated),
            Verb::SignDeploymentCertificate(request) => {
                self.sign_certificate(&request).map(Reply::DeploymentCertificateSigned)
            }
            Verb::Open(request) => self.open(request).map(Reply::Opened),
            Verb::GenerateKey(request) => self.generate(request).map(Reply::KeyGenerated),
            Verb::DestroyKey(request) => self.destroy(&request).map(Reply::KeyDestroyed),
            Verb::EnsureKek(request) => self.ensure_kek(request).map(Reply::KekReady),
            Verb::DestroyKek(request) => self.destroy_kek(request).map(Reply::KekDestroyed),
            Verb::Rewrap(request) => self.rewrap(request).map(Reply::Rewrapped),
            Verb::UseKey(_)
            | Verb::CloseKey(_)
            | Verb::Random(_)
            | Verb::SignCheckpoint(_)
            | Verb::SignStatement(_) => Err(not_open()),
            verb => self.transfer(verb),
        }
    }

    /// Keys on their way in and out.
    fn transfer(&self, verb: Verb) -> Result<Reply, Failure> {
        let (logged_in, running) = self.open_token()?;
        let mut transfers = running.transfers.lock().unwrap_or_else(PoisonError::into_inner);
        transfers.perform(&Surroundings { shared: &self.shared, logged_in, running }, verb)
    }

    /// Ends the library in good order once the queues are closed: a TPM frees its object slots only then.
    pub(crate) fn end(self) {
        for thread in self.threads {
            // A thread that panicked has ended the process.
            let _ = thread.join();
        }
        drop(self.login);
        if let Some(Err(failure)) = self.library.map(Library::finalize) {
            log::line(&failure.message);
        }
    }

    fn create_deployment(&mut self, request: &CreateDeployment) -> Result<DeploymentCreated, Failure> {
        objects::check_deployment(&request.deployment)?;
        self.log_in(&request.token)?;
        let logged_in = self.login.done()?;
        let keys = ceremony::create_deployment(
            &logged_in.session,
            &mut self.maker,
            &request.deployment,
            &logged_in.offer.algorithms,
        )?;
        self.ca = Some(keys.ca);
        Ok(DeploymentCreated {
            audit_public_key: keys.audit_public_key,
            ca_public_key: keys.ca_public_key,
            token: logged_in.token.clone(),
        })
    }

    fn sign_certificate(
        &mut self,
        request: &SignDeploymentCertificate,
    ) -> Result<DeploymentCertificateSigned, Failure> {
        let Some(ca) = self.ca else {
            let message = "only the process that ran the ceremony signs certificates of the deployment, until it opens";
            return Err(Failure::bad_request(message));
        };
        let signature = ceremony::sign_certificate(&self.login.done()?.session, ca, &request.tbs_certificate)?;
        Ok(DeploymentCertificateSigned { signature })
    }

    fn open(&mut self, request: Open) -> Result<Opened, Failure> {
        if self.shared.is_open() {
            return Err(Failure::bad_request("this process has opened its token already"));
        }
        if !(1..=MAX_SESSIONS).contains(&request.sessions) {
            return Err(Failure::bad_request(format!("sessions must be 1 to {MAX_SESSIONS}")));
        }
        if request.open_keys == 0 {
            return Err(Failure::bad_request("open_keys must be at least 1"));
        }
        objects::check_deployment(&request.deployment)?;
        checkpoint::check_origin(&request.origin)?;
        self.log_in(&request.token)?;
        let logged_in = self.login.done()?;
        let session = &logged_in.session;
        let audit_key = objects::find_pair(session, &SystemKey::Audit.id(&request.deployment))?;
        let ca_key = objects::find_pair(session, &SystemKey::DeploymentCa.id(&request.deployment))?;
        let (Some(audit_key), Some(_)) = (audit_key, ca_key) else {
            return Err(missing(session, &request.deployment)?);
        };
        let mut incarnation = [0; 16];
        getrandom::fill(&mut incarnation)
            .map_err(|error| Failure::new(FaultReason::TokenFault, format!("no random bytes: {error}")))?;

        // Session threads only ever use keys: read-only sessions suffice (PKCS#11 v3.0 §5.6).
        let library = Library::load(&mut self.library, &request.token.library)?;
        let (name, pkcs11) = (library.name()?, library.pkcs11());
        let session = || pkcs11.open_ro_session(logged_in.slot).map_err(while_doing("opening a session"));
        let users = (0..request.sessions).map(|_| session().map(User::new)).collect::<Result<Vec<_>, _>>()?;
        let signer = AuditKey::of(&audit_key)?;
        let last = checkpoint::last(&request, &audit_key.public.der, self.ca.is_some())?;
        let mut checkpoints = CheckpointSigner::new(session()?, signer, request.origin, last);

        self.ca = None;
        let transfers = Transfers::new(signer, &logged_in.token, &name, incarnation);
        let (threads, open_keys) = (users.len(), request.open_keys as usize);
        let running = Running::new(request.deployment, logged_in, threads, open_keys, incarnation, transfers);
        self.shared.set_running(running);
        for (number, mut user) in users.into_iter().enumerate() {
            self.threads.push(start(&self.shared, format!("session-{number}"), move |shared, running| {
                work(shared, &running.uses, |verb| match verb {
                    Verb::UseKey(request) => user.use_key(running, request).map(Reply::KeyUsed),
                    Verb::CloseKey(request) => using::close(running, &request).map(Reply::KeyClosed),
                    Verb::Random(request) => user.random(running, &request).map(Reply::RandomDrawn),
                    _ => Err(misdirected()),
                });
            })?);
        }
        self.threads.push(start(&self.shared, "checkpoints".into(), move |shared, running| {
            work(shared, &running.checkpoints, |verb| match verb {
                Verb::SignCheckpoint(request) => {
                    // Checkpoints come every second: what has expired is not kept until somebody asks for it.
                    if let Ok(mut transfers) = running.transfers.try_lock() {
                        transfers.forget_expired();
                    }
                    checkpoints.sign(&running.operations, &request).map(Reply::CheckpointSigned)
                }
                Verb::SignStatement(_) => checkpoints.state(&running.operations).map(Reply::StatementSigned),
                _ => Err(misdirected()),
            });
        })?);
        Ok(Opened {
            incarnation: incarnation.to_vec(),
            audit_public_key: audit_key.public.der,
            token: logged_in.token.clone(),
            algorithms: logged_in.offer.algorithms.iter().map(|algorithm| i32::from(*algorithm)).collect(),
            enclave_algorithms: enclave_algorithms(logged_in),
            library: name,
        })
    }

    /// The login and what runs since `Open`.
    pub(crate) fn open_token(&self) -> Result<(&LoggedIn, &Running), Failure> {
        let running = self.shared.running().ok_or_else(not_open)?;
        Ok((self.login.done()?, running))
    }

    /// The same, and what makes objects.
    pub(crate) fn parts(&mut self) -> Result<(&LoggedIn, &Running, &mut Maker), Failure> {
        let running = self.shared.running().ok_or_else(not_open)?;
        Ok((self.login.done()?, running, &mut self.maker))
    }

    /// Loads the library and logs in to the token that `access` names.
    fn log_in(&mut self, access: &TokenAccess) -> Result<(), Failure> {
        library::check_access(access)?;
        self.login.log_in(Library::load(&mut self.library, &access.library)?, access)
    }
}

/// Every algorithm, where the token can encrypt data keys.
fn enclave_algorithms(logged_in: &LoggedIn) -> Vec<i32> {
    let every = (1..).take_while(|number| KeyAlgorithm::try_from(*number).is_ok());
    every.filter(|_| logged_in.offer.kek_mechanism.is_some()).collect()
}

fn start(
    shared: &Arc<Shared>,
    name: String,
    run: impl FnOnce(&Shared, &Running) + Send + 'static,
) -> Result<JoinHandle<()>, Failure> {
    let shared = Arc::clone(shared);
    thread::Builder::new()
        .name(name)
        .spawn(move || run(&shared, shared.running().expect("set before any thread starts")))
        .map_err(|error| Failure {
            // Some threads may run: only a new process is whole.
            token_lost: true,
            ..Failure::new(FaultReason::TokenFault, format!("no thread could be started: {error}"))
        })
}

/// Why a deployment isn't on the token.
fn missing(session: &Session, deployment: &str) -> Result<Failure, Failure> {
    let why = if objects::any_system_key(session)? {
        "it holds keys of another deployment, or one of the two system keys is gone"
    } else {
        "it holds no deployment at all: run the ceremony (init), or check the token's label"
    };
    Ok(Failure::new(FaultReason::DeploymentMissing, format!("the token lacks deployment {deployment:?}: {why}")))
}

pub(crate) fn not_open() -> Failure {
    Failure::bad_request("no token is open in this process")
}

fn misdirected() -> Failure {
    Failure::bad_request("the request reached a thread that does not answer it")
}
