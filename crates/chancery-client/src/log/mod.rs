//! The log's history as this client saw it: each connection's log must extend the largest checkpoint seen before.
//!
//! **Invariants**
//! * With a log configured, no answer is given out from a connection whose log was not asked about first. Once a log
//!   contradicts what was seen, nothing more is asked of the service, and the evidence is on disk.
//! * What the file says is read before the service is asked, so that another process's newer word is no contradiction.
//! * A service that can't answer is no evidence: the connection goes on, [`Client::unchecked`] tells, and it is asked again.
//!
//! **Not here**: what makes two checkpoints contradict each other (chancery-audit), witnesses' cosignatures.

mod evidence;
mod seen;

pub use evidence::Evidence;

use crate::{Client, ClientError, ConnectError, Transport, connect::Connector};
use chancery_api::v1::{GetCheckpointRequest, GetConsistencyProofRequest, audit_service_client::AuditServiceClient};
use chancery_audit::{
    checkpoint::{Checkpoint, VerifierKey},
    merkle::Hash,
};
use seen::{Seen, SeenFile};
use std::{
    path::PathBuf,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, timeout};
use tonic::Request;

/// How long the service may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// After no answer, it is asked again with the first call after that.
const AGAIN: Duration = Duration::from_secs(10);

/// What client.toml says of the log.
#[derive(Debug, Clone)]
pub(crate) struct LogConfig {
    pub(crate) key: VerifierKey,
    pub(crate) seen: PathBuf,
}

/// See the module.
pub(crate) struct History {
    key: VerifierKey,
    file: SeenFile,
    /// The connection that was asked about last, as [`Connector::made`] counts.
    checked: AtomicU64,
    asking: tokio::sync::Mutex<()>,
    outcome: Mutex<Outcome>,
}

#[derive(Default)]
struct Outcome {
    contradicted: Option<ConnectError>,
    /// Why nothing is known of the newest connection's log, and when that was.
    unchecked: Option<(ClientError, Instant)>,
}

/// Why a log was not found to extend what was seen.
enum Failed {
    Unanswered(ClientError),
    Contradicted(Box<Evidence>),
}

impl From<ClientError> for Failed {
    fn from(error: ClientError) -> Self {
        Self::Unanswered(error)
    }
}

impl History {
    pub(crate) fn new(config: &LogConfig) -> Self {
        Self {
            key: config.key.clone(),
            file: SeenFile::new(config.seen.clone(), config.key.clone()),
            checked: AtomicU64::new(0),
            asking: tokio::sync::Mutex::default(),
            outcome: Mutex::default(),
        }
    }

    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn unchecked(&self) -> Option<ClientError> {
        self.outcome().unchecked.as_ref().map(|(error, _)| error.clone())
    }

    /// Whether the newest connection was asked about: its answer, or `None` if it is to be asked now.
    fn known(&self, connector: &Connector) -> Option<Result<(), ConnectError>> {
        let outcome = self.outcome();
        if let Some(error) = &outcome.contradicted {
            return Some(Err(error.clone()));
        }
        let due = outcome.unchecked.as_ref().is_some_and(|(_, when)| when.elapsed() >= AGAIN);
        let checked = self.checked.load(Ordering::Acquire);
        (!due && checked != 0 && checked == connector.made()).then_some(Ok(()))
    }

    /// Makes sure that the newest connection's log was asked about; cheap where it was. `transport` must not check.
    pub(crate) async fn ensure(&self, transport: &Transport) -> Result<(), ConnectError> {
        if let Some(known) = self.known(&transport.connector) {
            return known;
        }
        let _asking = self.asking.lock().await;
        if let Some(known) = self.known(&transport.connector) {
            return known;
        }
        let asked = match timeout(PATIENCE, self.ask(transport)).await {
            Ok(asked) => asked,
            Err(_) => Err(Failed::Unanswered(ClientError::deadline_exceeded())),
        };
        // A connection that is lost while it is asked about shows in the next count.
        let made = transport.connector.made();
        let contradicted = match asked {
            Ok(()) => {
                self.outcome().unchecked = None;
                None
            }
            Err(Failed::Unanswered(error)) => {
                self.outcome().unchecked = Some((error, Instant::now()));
                None
            }
            Err(Failed::Contradicted(evidence)) => Some(self.contradicted(*evidence)),
        };
        self.checked.store(made, Ordering::Release);
        match contradicted {
            None => Ok(()),
            Some(error) => {
                self.outcome().contradicted = Some(error.clone());
                Err(error)
            }
        }
    }

    fn contradicted(&self, evidence: Evidence) -> ConnectError {
        let mut prefix = self.file.path().as_os_str().to_owned();
        prefix.push(".evidence-");
        let evidence_is = match evidence.write(&PathBuf::from(prefix)) {
            Ok(directory) => format!("the evidence is in {}", directory.display()),
            Err(error) => format!("the evidence can't be written: {error}"),
        };
        ConnectError::Contradicted { problem: evidence.problem, evidence: evidence_is }
    }

    async fn ask(&self, transport: &Transport) -> Result<(), Failed> {
        let file = self.file.clone();
        let kept = blocking(move || file.read()).await?;
        let mut audit = AuditServiceClient::new(transport.clone());
        let shown = audit.get_checkpoint(Request::new(GetCheckpointRequest {})).await.map_err(ClientError::from)?;
        let shown = shown.into_inner().note;
        let evidence = |problem: String, proof: Vec<Vec<u8>>| {
            let kept = kept.as_ref().map(|kept| kept.note.clone()).unwrap_or_default();
            let (key, shown) = (self.key.to_string(), shown.clone());
            Failed::Contradicted(Box::new(Evidence { key, kept, shown, proof, problem }))
        };
        let checkpoint = (self.key.open_note(&shown)).map_err(|error| {
            evidence(format!("the service shows a checkpoint that is not the log's: {error}"), vec![])
        })?;
        if let Some(kept) = &kept {
            let proof = match checkpoint.needs_proof_from(&kept.checkpoint) {
                true => consistency(audit, kept.checkpoint.size, checkpoint.size).await?,
                false => Vec::new(),
            };
            let extended = checkpoint.extends(&kept.checkpoint, &hashes(&proof));
            extended.map_err(|contradiction| evidence(contradiction.to_string(), proof))?;
            if kept.checkpoint == checkpoint {
                return Ok(());
            }
        }
        let (file, new) = (self.file.clone(), Seen { checkpoint: checkpoint.clone(), note: shown.clone() });
        let now = blocking(move || file.keep(new)).await?;
        // Another process was faster, with another history.
        if now.checkpoint.size == checkpoint.size && now.checkpoint.root != checkpoint.root {
            let two = chancery_audit::checkpoint::Contradiction::OtherRoot { size: checkpoint.size };
            return Err(evidence(two.to_string(), vec![]));
        }
        Ok(())
    }
}

/// The hashes of a proof; one of another length stands as zeroes, which prove nothing.
pub fn hashes(proof: &[Vec<u8>]) -> Vec<Hash> {
    proof.iter().map(|hash| hash.as_slice().try_into().unwrap_or_default()).collect()
}

async fn consistency(
    mut audit: AuditServiceClient<Transport>,
    old_size: u64,
    new_size: u64,
) -> Result<Vec<Vec<u8>>, ClientError> {
    let request = GetConsistencyProofRequest { old_size, new_size };
    Ok(audit.get_consistency_proof(Request::new(request)).await.map_err(ClientError::from)?.into_inner().hashes)
}

/// File locks may wait for another process.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, ClientError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| error.to_string()).flatten().map_err(|problem| {
        ClientError::local(tonic::Code::Internal, format!("the largest checkpoint seen can't be kept: {problem}"))
    })
}

impl Client {
    /// Why the log of the newest connection was not compared with what was seen before; `None`: it was, or no log is
    /// configured.
    pub fn unchecked(&self) -> Option<ClientError> {
        self.transport.history.as_ref().and_then(|history| history.unchecked())
    }

    /// The consistency proof from one size of the log to another.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn consistency(&self, older: &Checkpoint, newer: &Checkpoint) -> Result<Vec<Vec<u8>>, ClientError> {
        let request = GetConsistencyProofRequest { old_size: older.size, new_size: newer.size };
        let answer = self
            .retry(|attempt| {
                let (mut audit, request) = (self.audit(), attempt.request(request));
                async move { audit.get_consistency_proof(request).await }
            })
            .await?;
        Ok(answer.hashes)
    }
}
