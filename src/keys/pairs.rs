//! Key material in the token or the enclave: made for a version whose intent is recorded, and removed when no outcome follows.
//!
//! **Invariants**: an intent without an outcome is settled before the next try to make its version, or at the next start.
//! Settling never removes the pair of a version that exists.
//!
//! **Not here**: versions and keys (`keys`), putting them in force (`changes`).

use super::Cause;
use crate::{
    admission::Admission,
    audit::{Draft, unavailable},
    certificates::PublicKey,
    crypto,
    enclave::{self, Enclave, Generated, Material},
    error::{Error, Performed},
    model::{Algorithm, KeyVersionName, Protection, Scheduled},
};
use chancery_api::reasons;
use chancery_audit::record::{Outcome, Record};
use std::sync::{Arc, Mutex, PoisonError};

/// An intent without an outcome: what it names may have been made, and is to be removed; or is to be destroyed, and may be
/// gone already.
#[derive(Debug, Clone)]
pub struct OpenIntent {
    pub(super) index: u64,
    pub(super) version: String,
    /// It is to be destroyed, not made.
    pub(super) destroys: bool,
    request_id: String,
}

impl OpenIntent {
    /// Of an intent's record.
    pub fn new(record: &Record) -> Self {
        let destroys = record.action == Scheduled::Destruction.as_str();
        let (version, request_id) = (record.resource.clone(), record.request_id.clone());
        Self { index: record.index, version, destroys, request_id }
    }
}

/// See the module.
pub(super) struct Pairs {
    admission: Arc<Admission>,
    enclave: Arc<Enclave>,
    open: Mutex<Vec<OpenIntent>>,
}

impl Pairs {
    pub(super) fn new(admission: Arc<Admission>, enclave: Arc<Enclave>) -> Self {
        Self { admission, enclave, open: Mutex::default() }
    }

    pub(super) fn enclave(&self) -> &Arc<Enclave> {
        &self.enclave
    }

    /// Refuses an algorithm that the token, or the enclave, lacks, naming what is offered.
    pub(super) fn require_offered(&self, algorithm: Algorithm, protection: Protection) -> Result<(), Error> {
        let Some(opened) = self.enclave.opened() else { return Ok(()) };
        let offers = |list: &[i32], algorithm: &Algorithm| list.contains(&(enclave::algorithm(*algorithm) as i32));
        let (here, who) = match protection {
            Protection::Token => (&opened.algorithms, "the token"),
            Protection::Enclave => (&opened.enclave_algorithms, "the enclave"),
        };
        if offers(here, &algorithm) {
            return Ok(());
        }
        let offered: Vec<_> = Algorithm::ALL.iter().filter(|one| offers(here, one)).map(|one| one.as_str()).collect();
        let elsewhere = protection == Protection::Token && offers(&opened.enclave_algorithms, &algorithm);
        let hint = if elsewhere { format!(". Protection ENCLAVE has {algorithm}") } else { String::new() };
        Err(Error::Precondition {
            reason: reasons::UNSUPPORTED_ALGORITHM,
            message: format!("{who} has no {algorithm}; it offers {}{hint}", offered.join(", ")),
        })
    }

    /// Makes a key for a version.
    pub(super) async fn generate(
        &self,
        cause: Cause<'_>,
        version: &KeyVersionName,
        material: Material,
        intent: Draft,
    ) -> Result<(OpenIntent, Generated), Error> {
        let work = self.enclave.generate(self.admission.access(), cause.mandate(), version, material);
        self.make(cause, version, material.algorithm, intent, work).await
    }

    /// Records the intent and does the work that makes the key, or records that it was not made.
    pub(super) async fn make(
        &self,
        cause: Cause<'_>,
        version: &KeyVersionName,
        algorithm: Algorithm,
        intent: Draft,
        work: impl Future<Output = Result<Generated, Error>>,
    ) -> Result<(OpenIntent, Generated), Error> {
        let name = version.to_string();
        let audit = self.admission.audit();
        let recorded = audit.append(intent.resource(version)).await;
        let index = recorded.map_err(|error| unavailable(&error))?;
        let request_id = cause.request_id().to_owned();
        let intent = OpenIntent { index, version: name.clone(), destroys: false, request_id };
        let made = match self.settle_before(&name).await {
            Ok(()) => work.await,
            Err(error) => Err(error),
        };
        let error = match made.and_then(|generated| canonical(generated, algorithm)) {
            Ok(generated) => return Ok((intent, generated)),
            Err(error) => error,
        };
        // What may have been made is removed. If the token is away, it is before the next try or at the next start.
        let unmade = error.performed() != Some(Performed::Unknown) || self.enclave.discard(version).await.is_ok();
        let draft = cause.failed(&error).resource(version).after(index);
        if !unmade || audit.append(draft).await.is_err() {
            self.leave_open(intent);
        }
        Err(error)
    }

    /// Settles what earlier processes left without an outcome. What can't be settled now stays open.
    pub(super) async fn settle_all(&self, intents: Vec<OpenIntent>) {
        for intent in intents {
            if let Err(error) = self.settle(&intent).await {
                tracing::warn!(version = intent.version, %error, "an open intent can't be settled yet");
                self.leave_open(intent);
            }
        }
    }

    /// Removes what an intent may have made, unless a later one made the version.
    async fn settle(&self, intent: &OpenIntent) -> Result<(), Error> {
        let Ok(version) = intent.version.parse::<KeyVersionName>() else {
            // No key's: a backup, of which nothing is left here.
            let draft = Draft::reconciled(intent.index, &intent.version, &intent.request_id, Outcome::Unknown);
            self.admission.audit().append(draft).await.map_err(|error| unavailable(&error))?;
            return Ok(());
        };
        let made = (self.admission.access().directory().key(version.key()))
            .is_some_and(|entry| entry.versions.contains_key(&version.number()));
        if !made {
            let removed = self.enclave.discard(&version).await?;
            tracing::warn!(version = intent.version, removed, "an operation that was left half done was undone");
        }
        let draft = Draft::reconciled(intent.index, &intent.version, &intent.request_id, Outcome::NotPerformed);
        self.admission.audit().append(draft).await.map_err(|error| unavailable(&error))?;
        Ok(())
    }

    pub(super) fn leave_open(&self, intent: OpenIntent) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).push(intent);
    }

    /// Settles open intents of a version before it is made.
    async fn settle_before(&self, version: &str) -> Result<(), Error> {
        let open = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            let (of_it, others) = open.drain(..).partition(|intent| intent.version == version);
            *open = others;
            let of_it: Vec<OpenIntent> = of_it;
            of_it
        };
        let mut result = Ok(());
        for intent in open {
            if let Err(error) = self.settle(&intent).await {
                self.leave_open(intent);
                result = Err(error);
            }
        }
        result
    }
}

/// Keys are compared by their hashes, so what is registered must be in the one encoding that certificates are held to.
fn canonical(generated: Generated, algorithm: Algorithm) -> Result<Generated, Error> {
    if algorithm.is_secret() && generated.public_key.is_empty() {
        return Ok(generated);
    }
    let parsed = match algorithm {
        // Certificates have none of these; `crypto` holds them to their one encoding.
        Algorithm::X25519 => None,
        _ => Some(PublicKey::parse(&generated.public_key)),
    };
    let problem = match parsed.transpose() {
        Ok(Some(key)) if key.algorithm() != algorithm => format!("it is {}", key.algorithm()),
        Ok(_) => match crypto::PublicKey::parse(algorithm, &generated.public_key) {
            Ok(_) => return Ok(generated),
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    };
    Err(Error::Internal {
        reason: reasons::INTERNAL,
        message: format!("the token's public key is no {algorithm} key: {problem}"),
        performed: Performed::Unknown,
    })
}
