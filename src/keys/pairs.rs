//! Key pairs in the token: made for a version whose intent is recorded, and removed when no outcome follows.
//!
//! **Invariants**: an intent without an outcome is settled before the next try to make its version, or at the next start.
//! Settling never removes the pair of a version that exists.
//!
//! **Not here**: versions and keys (`keys`), putting them in force (`changes`).

use crate::{
    access::Grant,
    admission::Admission,
    audit::{Draft, unavailable},
    certificates::PublicKey,
    crypto,
    enclave::{Enclave, Generated, offer},
    error::{Error, Performed},
    model::{Algorithm, KeyVersionName, RequestId},
};
use chancery_api::reasons;
use chancery_audit::record::{Outcome, Record};
use std::sync::{Arc, Mutex, PoisonError};

/// An intent without an outcome: what it names may have been made, and is to be removed.
#[derive(Debug, Clone)]
pub struct OpenIntent {
    pub(super) index: u64,
    version: String,
    request_id: String,
}

impl OpenIntent {
    /// Of an intent's record.
    pub fn new(record: &Record) -> Self {
        Self { index: record.index, version: record.resource.clone(), request_id: record.request_id.clone() }
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

    /// Refuses an algorithm that the token lacks, naming what it offers.
    pub(super) fn require_offered(&self, algorithm: Algorithm) -> Result<(), Error> {
        let Some(opened) = self.enclave.opened() else { return Ok(()) };
        let offers = |algorithm: &Algorithm| opened.algorithms.contains(&(offer(*algorithm) as i32));
        if offers(&algorithm) {
            return Ok(());
        }
        let offered: Vec<_> = Algorithm::ALL.iter().filter(|one| offers(one)).map(|one| one.as_str()).collect();
        Err(Error::Precondition {
            reason: reasons::UNSUPPORTED_ALGORITHM,
            message: format!("the token has no {algorithm}; it offers {}", offered.join(", ")),
        })
    }

    /// Records the intent and makes the key pair, or records that it was not made.
    pub(super) async fn make(
        &self,
        grant: &Grant,
        version: &KeyVersionName,
        algorithm: Algorithm,
        intent: Draft,
        request: &RequestId,
    ) -> Result<(OpenIntent, Generated), Error> {
        let name = version.to_string();
        let audit = self.admission.audit();
        let recorded = audit.append(intent.resource(version)).await;
        let index = recorded.map_err(|error| unavailable(&error))?;
        let intent = OpenIntent { index, version: name.clone(), request_id: request.id.clone() };
        let made = match self.settle_before(&name).await {
            Ok(()) => self.enclave.generate(self.admission.access(), grant, &name, algorithm).await,
            Err(error) => Err(error),
        };
        let error = match made.and_then(|generated| canonical(generated, algorithm)) {
            Ok(generated) => return Ok((intent, generated)),
            Err(error) => error,
        };
        // What may have been made is removed. If the token is away, it is before the next try or at the next start.
        let unmade = error.performed() != Some(Performed::Unknown) || self.enclave.discard(&name).await.is_ok();
        let draft = Draft::failed(grant, request, &error).resource(version).after(index);
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
        let version: KeyVersionName = intent.version.parse().map_err(Error::internal)?;
        let made = (self.admission.access().directory().key(version.key()))
            .is_some_and(|entry| entry.versions.contains_key(&version.number()));
        if !made {
            let removed = self.enclave.discard(&intent.version).await?;
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
    let problem = match PublicKey::parse(&generated.public_key) {
        Ok(key) if key.algorithm() != algorithm => format!("it is {}", key.algorithm()),
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
