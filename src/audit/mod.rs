//! The audit log: nothing is released before its record is on disk.
//!
//! **Invariants**: [`AuditLog::append`] returns after the record is durable, or fails and the record counts for nothing.
//! Only a [`Checked`] signature becomes a [`Recorded`] one, and only that can be released. Records are never changed;
//! a torn tail is cut at start or after a disk fault, never below the last durable size.
//!
//! **Not here**: the format (chancery-audit), who may read (`admission`).

mod archive;
mod checkpoints;
mod condition;
mod directory;
mod draft;
mod durable;
mod files;
mod index;
mod order;
mod receipts;
mod shares;
mod statements;
mod tree;
mod users;
mod uses;
mod writer;

pub use archive::{ArchiveError, Archiver, TrustedTime};
pub use checkpoints::{CheckpointError, Checkpoints};
pub use directory::{
    CreateError, OpenError, Places, ReadLog, create, read, read_snapshot, require_empty, write_first_checkpoint,
};
pub use draft::Draft;
pub use files::Tail;
pub use index::{Page, Query, concerns};
pub use order::EndingUses;
pub use receipts::{ReceiptError, Receipts};
pub use shares::{Shares, Taken, day, until_next_day};
pub use statements::StatementError;
pub use tree::TreeError;
pub use users::{DAYS, User, Users};
pub use uses::{RecordedUse, ReleasedUse};

pub(crate) use files::replace;

use crate::{
    access::{Access, Grant},
    crypto::{Form, FormError, Written},
    enclave::{Checked, CheckedSignature, Failed, Witness},
    error::{Error, Performed as Done},
    model::{KeyOrVersionName, RequestId},
};
use chancery_api::reasons;
use chancery_audit::{merkle::Hash, record::Record, snapshot::Archived, tiles::Tile};

use condition::Condition;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{mpsc, oneshot, watch};
use tree::Tree;

/// The log can't take a record right now. Nothing may be released.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// The disk does not take it. Whatever part of it came there is cut away; only where power is lost amid that may it
    /// be found at the next start.
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
    tree: Arc<Tree>,
    index: Arc<index::Index>,
    shares: Arc<Shares>,
    users: Mutex<Users>,
    /// What is said of the records that are archived, if some are.
    archived: Mutex<Option<Archived>>,
    condition: Condition,
    /// No record is taken any more.
    closed: AtomicBool,
}

struct Job {
    /// `None`: only find out whether the log can be written.
    record: Option<Box<Record>>,
    /// What the record shows of the enclave's operations.
    witness: Option<Witness>,
    reply: oneshot::Sender<Result<Stored, AuditError>>,
}

/// A durable record.
struct Stored {
    index: u64,
    /// Its bytes.
    record: Vec<u8>,
}

/// See the module.
pub struct AuditLog {
    jobs: mpsc::Sender<Job>,
    shared: Arc<Shared>,
    deadline: Duration,
    /// See `order`.
    order: tokio::sync::RwLock<()>,
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
            Err(error) => Err(Box::new(Failed { grant: self.grant, error, witness: None })),
        }
    }
}

impl AuditLog {
    /// Starts the writer at the end of a log that was read; `users` are those in it, and `shares` what its records took.
    pub fn start(
        tail: Tail,
        archived: Option<Archived>,
        users: Users,
        shares: Arc<Shares>,
        deadline: Duration,
    ) -> Self {
        let shared = Arc::new(Shared {
            shares,
            tree: tail.grower.tree(),
            index: Arc::clone(&tail.index),
            users: Mutex::new(users),
            archived: Mutex::new(archived),
            condition: Condition::new(deadline),
            closed: AtomicBool::new(false),
        });
        let (jobs, queue) = mpsc::channel(8192);
        writer::spawn(tail, queue, Arc::clone(&shared));
        Self { jobs, shared, deadline, order: tokio::sync::RwLock::default() }
    }

    /// Appends a record and waits until it is durable; its index.
    ///
    /// # Errors
    /// [`AuditError`]. After [`AuditError::TooSlow`] the record may still come to stand in the log.
    pub async fn append(&self, draft: Draft) -> Result<u64, AuditError> {
        self.append_stored(draft).await.map(|stored| stored.index)
    }

    /// The same; the record as it stands there.
    async fn append_stored(&self, draft: Draft) -> Result<Stored, AuditError> {
        let (record, witness) = draft.into_parts();
        match tokio::time::timeout(self.deadline, self.submit(Some(record), witness)).await {
            Ok(result) => result,
            Err(_) => {
                self.shared.condition.broken(AuditError::TooSlow);
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
        let (record, witness) = draft.into_parts();
        self.submit(Some(record), witness).await.map(|stored| stored.index)
    }

    /// Finds out whether the log can be written, mending it if possible. Without traffic nobody else would.
    pub async fn probe(&self) {
        let _ = tokio::time::timeout(self.deadline, self.submit(None, None)).await;
    }

    /// Takes no record from now on, so that nothing is released any more. Returns when the last record is durable.
    pub async fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
        // The writer refuses this too, after it is done with everything before.
        self.probe().await;
    }

    async fn submit(&self, record: Option<Box<Record>>, witness: Option<Witness>) -> Result<Stored, AuditError> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Job { record, witness, reply }).await.map_err(|_| AuditError::Stopped)?;
        answer.await.map_err(|_| AuditError::Stopped)?
    }

    /// Records a signature, in the form in which it will be released; one that can't be written in that form, or that must
    /// not be made any more, as a failure.
    ///
    /// # Errors
    /// What ended the use, [`Error::Unavailable`] when the log can't be written, [`reasons::SIGNATURE_CHECK_FAILED`] when
    /// the form can't be had: the signature is dropped.
    pub async fn append_signature(
        &self,
        access: &Access,
        checked: Checked,
        form: Form,
        request: &RequestId,
    ) -> Result<Recorded, Error> {
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
                let draft = Draft::failed(&grant, request, &error).witness(witness);
                self.append(draft).await.map_err(|error| unavailable(&error))?;
                return Err(error);
            }
        };
        let _turn = match self.recording_use(access, &grant, &name).await {
            Ok(turn) => turn,
            Err(error) => {
                let draft = Draft::failed(&grant, request, &error).resource(&name).witness(witness);
                self.append(draft).await.map_err(|error| unavailable(&error))?;
                return Err(error);
            }
        };
        let draft = Draft::outcome(&grant, request)
            .resource(&name)
            .signature(&input, &written.signature, format, verified)
            .witness(witness);
        #[cfg(feature = "sabotage")]
        if crate::sabotage::leaves_out_this_record().await {
            draft.into_parts().1.into_iter().for_each(Witness::recorded);
            return Ok(Recorded { grant, written, version: name, index: 0 });
        }
        let index = self.append(draft).await.map_err(|error| unavailable(&error))?;
        Ok(Recorded { grant, written, version: name, index })
    }

    /// What each organization's records took today.
    pub fn shares(&self) -> &Arc<Shares> {
        &self.shared.shares
    }

    /// Whether the last record could be written, and the disk is not kept waiting for now.
    pub fn is_writable(&self) -> bool {
        self.shared.condition.is_sound()
    }

    /// Why no record can be written, for the operator; `None` if they can.
    pub fn problem(&self) -> Option<String> {
        self.shared.condition.problem()
    }

    /// Ends when the disk has not answered for longer than an append may take, and the deadline has passed: nobody should
    /// wait any more for what needs the log.
    pub async fn stalled(&self) {
        loop {
            tokio::time::sleep(self.deadline).await;
            if self.shared.condition.stalled().is_some() {
                return;
            }
        }
    }

    /// Durable records, and the root of their tree.
    pub fn tree(&self) -> (u64, Hash) {
        self.shared.tree.size_and_root()
    }

    /// The root over the first `size` records.
    ///
    /// # Errors
    /// [`TreeError`].
    pub async fn root_at(&self, size: u64) -> Result<Hash, TreeError> {
        self.read_tree(move |tree| tree.root_at(size)).await
    }

    /// The audit path of a record in the tree over the first `size` records (RFC 6962 §2.1.1).
    ///
    /// # Errors
    /// [`TreeError`].
    pub async fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, TreeError> {
        self.read_tree(move |tree| tree.inclusion(index, size)).await
    }

    /// That the first `new` records extend the first `old` (RFC 6962 §2.1.2).
    ///
    /// # Errors
    /// [`TreeError`].
    pub async fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, TreeError> {
        self.read_tree(move |tree| tree.consistency(old, new)).await
    }

    /// The hashes of one tile of the tree.
    ///
    /// # Errors
    /// [`TreeError`].
    pub async fn tile(&self, tile: Tile) -> Result<Vec<Hash>, TreeError> {
        self.read_tree(move |tree| tree.tile(tile)).await
    }

    /// Makes the tiles durable that hold something of the first `size` records: before those may be archived.
    ///
    /// # Errors
    /// [`TreeError::Files`].
    pub async fn sync_tiles(&self, size: u64) -> Result<(), TreeError> {
        self.read_tree(move |tree| tree.sync_through(size).map_err(|error| TreeError::Files(error.to_string()))).await
    }

    /// Tiles may have to come from a disk.
    async fn read_tree<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Tree) -> Result<T, TreeError> + Send + 'static,
    ) -> Result<T, TreeError> {
        let tree = Arc::clone(&self.shared.tree);
        let done = tokio::task::spawn_blocking(move || read(&tree)).await;
        done.unwrap_or_else(|error| Err(TreeError::Files(error.to_string())))
    }

    /// The first record that is not archived.
    pub fn first(&self) -> u64 {
        self.archived().map_or(0, |archived| archived.records)
    }

    /// What is said of the records that are archived, if some are.
    fn archived(&self) -> Option<Archived> {
        self.shared.archived.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_archived(&self, archived: Archived) {
        *self.shared.archived.lock().unwrap_or_else(PoisonError::into_inner) = Some(archived);
    }

    /// Who used a key, or one version of it, on one of the last `days`.
    pub fn users(&self, of: &KeyOrVersionName, days: u32) -> Vec<User> {
        self.shared.users.lock().unwrap_or_else(PoisonError::into_inner).of(of, days)
    }

    /// How many records are durable, now and whenever more are.
    pub fn growth(&self) -> watch::Receiver<u64> {
        self.shared.index.watch()
    }

    /// The bytes of a record as they are stored; `None` if the log does not have it.
    ///
    /// # Errors
    /// The I/O error as text.
    pub async fn stored(&self, record: u64) -> Result<Option<Vec<u8>>, String> {
        self.read_records(move |index| index.stored(record)).await
    }

    /// One page of durable records.
    ///
    /// # Errors
    /// The I/O error as text.
    pub async fn page(&self, query: Query) -> Result<Page, String> {
        let first = self.first();
        let again = query.clone();
        match self.read_records(move |index| index.page(&query)).await {
            // What it was reading was archived meanwhile.
            Err(_) if self.first() != first => self.read_records(move |index| index.page(&again)).await,
            page => page,
        }
    }

    async fn read_records<T: Send + 'static>(
        &self,
        read: impl FnOnce(&index::Index) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let index = Arc::clone(&self.shared.index);
        let work = move || read(&index);
        tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?
    }

    /// Nobody looks any more for records before `record`.
    async fn forget_before(&self, record: u64) {
        let index = Arc::clone(&self.shared.index);
        let work = move || index.forget_before(record);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(work).await {
            tracing::warn!(%error, "the index of archived segments can't be removed; trying again in an hour");
        }
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
