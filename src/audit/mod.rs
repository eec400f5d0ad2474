//! The audit log: nothing is released before its record is on disk.
//!
//! **Invariants**: [`AuditLog::append`] returns after the record is durable, or fails and the record counts for nothing.
//! Only a [`Checked`] signature becomes a [`Recorded`] one, and only that can be released. Records are never changed;
//! a torn tail is cut at start or after a disk fault, never below the last durable size.
//!
//! **Not here**: the format (chancery-audit), who may read (`admission`).

mod checkpoints;
mod directory;
mod draft;
mod durable;
mod files;
mod query;
mod shares;
mod users;
mod uses;
mod writer;

pub use checkpoints::{CheckpointError, Checkpoints};
pub use directory::{CreateError, OpenError, Places, ReadLog, create, read, require_empty, write_first_checkpoint};
pub use draft::Draft;
pub use files::Tail;
pub use query::{Page, Query};
pub use shares::{Shares, Taken, day, until_next_day};
pub use users::{DAYS, User, Users};
pub use uses::{RecordedUse, ReleasedUse};

pub(crate) use files::replace;

use crate::{
    access::{Access, Grant},
    crypto::{Form, FormError, Written},
    enclave::{Checked, CheckedSignature, Failed},
    error::{Error, Performed as Done},
    model::{KeyOrVersionName, RequestId},
};
use chancery_api::reasons;
use chancery_audit::{merkle::Frontier, record::Record};

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

/// The log can't take a record right now. Nothing may be released.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// The disk does not take it.
    #[error("the audit log can't be written: {0}; nothing is released until it can")]
    Unwritable(String),
    /// The disk did not take it in time.
    #[error("the audit log did not take the record in time; nothing is released until it can")]
    TooSlow,
    /// The record is over the format's limit.
    #[error("the record would have {0} bytes, over the log's limit")]
    TooLong(usize),
    /// The service is stopping.
    #[error("the service is stopping")]
    Stopped,
}

/// What the writer shares with readers.
struct Shared {
    /// The tree over all durable records.
    tree: Mutex<Frontier>,
    index: Mutex<query::Index>,
    shares: Arc<Shares>,
    users: Mutex<Users>,
    writable: AtomicBool,
    /// No record is taken any more.
    closed: AtomicBool,
}

struct Job {
    /// `None`: only find out whether the log can be written.
    record: Option<Box<Record>>,
    reply: oneshot::Sender<Result<u64, AuditError>>,
}

/// See the module.
pub struct AuditLog {
    jobs: mpsc::Sender<Job>,
    shared: Arc<Shared>,
    deadline: Duration,
    directory: PathBuf,
}

/// A signature whose record is durable.
#[must_use]
pub struct Recorded {
    grant: Grant,
    written: Written,
    version: crate::model::KeyVersionName,
    index: u64,
}

/// A signature on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// As the caller asked for it.
    pub signature: Vec<u8>,
    /// secp256k1, where the signature does not hold it.
    pub recovery_id: Option<u8>,
    /// The version that signed.
    pub version: crate::model::KeyVersionName,
    /// Index of the record.
    pub index: u64,
}

impl Recorded {
    /// Lets the signature go, if it may still be given to whoever asked.
    ///
    /// # Errors
    /// What changed since it was permitted: the signature is gone, and that it was not given out is to be recorded.
    pub fn release(self, access: &Access) -> Result<Released, Box<Failed>> {
        match access.recheck(&self.grant, Some(&self.version)) {
            Ok(()) => {
                let Written { signature, recovery_id } = self.written;
                Ok(Released { signature, recovery_id, version: self.version, index: self.index })
            }
            Err(error) => Err(Box::new(Failed { grant: self.grant, error })),
        }
    }
}

impl AuditLog {
    /// Starts the writer at the end of a log that was read; `users` are those in it, and `shares` what its records took.
    pub fn start(tail: Tail, users: Users, shares: Arc<Shares>, deadline: Duration) -> Self {
        let shared = Arc::new(Shared {
            shares,
            tree: Mutex::new(tail.tree.clone()),
            index: Mutex::new(tail.index.clone()),
            users: Mutex::new(users),
            writable: AtomicBool::new(true),
            closed: AtomicBool::new(false),
        });
        let directory = tail.directory().to_owned();
        let (jobs, queue) = mpsc::channel(8192);
        writer::spawn(tail, queue, Arc::clone(&shared));
        Self { jobs, shared, deadline, directory }
    }

    /// Appends a record and waits until it is durable; its index.
    ///
    /// # Errors
    /// [`AuditError`]. After [`AuditError::TooSlow`] the record may still come to stand in the log.
    pub async fn append(&self, draft: Draft) -> Result<u64, AuditError> {
        match tokio::time::timeout(self.deadline, self.append_settled(draft)).await {
            Ok(result) => result,
            Err(_) => {
                self.shared.writable.store(false, Ordering::Release);
                Err(AuditError::TooSlow)
            }
        }
    }

    /// Appends a record and waits, however long it takes, until it is known whether it stands in the log: for outcomes
    /// of changes, which are in force exactly if they do.
    ///
    /// # Errors
    /// [`AuditError`]: it does not stand there.
    pub async fn append_settled(&self, draft: Draft) -> Result<u64, AuditError> {
        self.submit(Some(draft.into_record())).await
    }

    /// Finds out whether the log can be written, mending it if possible. Without traffic nobody else would.
    pub async fn probe(&self) {
        let _ = tokio::time::timeout(self.deadline, self.submit(None)).await;
    }

    /// Takes no record from now on, so that nothing is released any more. Returns when the last record is durable.
    pub async fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
        // The writer refuses this too, after it is done with everything before.
        self.probe().await;
    }

    async fn submit(&self, record: Option<Box<Record>>) -> Result<u64, AuditError> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Job { record, reply }).await.map_err(|_| AuditError::Stopped)?;
        answer.await.map_err(|_| AuditError::Stopped)?
    }

    /// Records a signature, in the form in which it will be released; one that can't be written in that form, as a
    /// failure.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the log can't be written, [`reasons::SIGNATURE_CHECK_FAILED`] when the form can't be
    /// had: the signature is dropped.
    pub async fn append_signature(&self, checked: Checked, form: Form, request: &RequestId) -> Result<Recorded, Error> {
        let CheckedSignature { grant, version, input, signature, witness, verified } = checked.into_parts();
        let name = version.row.name.clone();
        let written = match &version.public_key {
            Some(key) => form.write(key, &input, signature).map(|written| (written, form.name(key.algorithm()))),
            None => Err(FormError::Unrecoverable),
        };
        let (written, format) = match written {
            Ok(written) => written,
            Err(problem) => {
                tracing::error!(key_version = %name, %problem, "a signature can't be written as it was asked for");
                let error = Error::Internal {
                    reason: reasons::SIGNATURE_CHECK_FAILED,
                    message: format!("{problem}; it was discarded. Try again, and check the token if this goes on"),
                    performed: Done::Unknown,
                };
                let draft = Draft::failed(&grant, request, &error).resource(&name).witness(&witness);
                self.append(draft).await.map_err(|error| unavailable(&error))?;
                return Err(error);
            }
        };
        let draft = Draft::outcome(&grant, request)
            .resource(&name)
            .signature(&input, &written.signature, format, verified)
            .witness(&witness);
        let index = self.append(draft).await.map_err(|error| unavailable(&error))?;
        Ok(Recorded { grant, written, version: name, index })
    }

    /// What each organization's records took today.
    pub fn shares(&self) -> &Arc<Shares> {
        &self.shared.shares
    }

    /// Whether the last record could be written.
    pub fn is_writable(&self) -> bool {
        self.shared.writable.load(Ordering::Acquire)
    }

    /// Durable records, and the root of their tree.
    pub fn tree(&self) -> (u64, [u8; 32]) {
        let tree = self.shared.tree.lock().unwrap_or_else(PoisonError::into_inner);
        (tree.size(), tree.root())
    }

    /// Who used a key, or one version of it, on one of the last `days`.
    pub fn users(&self, of: &KeyOrVersionName, days: u32) -> Vec<User> {
        self.shared.users.lock().unwrap_or_else(PoisonError::into_inner).of(of, days)
    }

    /// One page of durable records.
    ///
    /// # Errors
    /// The I/O error as text.
    pub async fn page(&self, query: Query) -> Result<Page, String> {
        let (shared, directory) = (Arc::clone(&self.shared), self.directory.clone());
        let work = move || {
            let index = shared.index.lock().unwrap_or_else(PoisonError::into_inner).clone();
            query::page(&directory, &index, &query)
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?
    }
}

/// An audit error as the caller is told it.
pub fn unavailable(error: &AuditError) -> Error {
    match error {
        AuditError::TooLong(_) => Error::internal(error),
        // What the disk says is for the operator, who finds it in the service's log.
        _ => Error::Unavailable {
            reason: reasons::AUDIT_UNAVAILABLE,
            message: "the audit log can't be written right now; nothing is released until it can. Try again".into(),
            performed: Done::Unknown,
        },
    }
}
