//! What the enclave says it did with private keys, until the log has it.
//!
//! **Invariants**
//! * An operation's [`Witness`] is made once, when its answer arrives, whoever still waits for that. It is moved into the
//!   operation's record; wherever it is dropped before that is durable, its operation is owed.
//! * What is owed is recorded by itself as soon as the log takes records: no number is left out, and none comes twice.
//! * Nothing more is stated while the statement before covers an operation without a record: only what the last statement
//!   of a process covers may ever be missing.
//! * Requests wait here while too much lies beyond the last statement that the enclave was shown: it would refuse them.
//!
//! **Not here**: making statements and recording what is owed (`audit`).

use super::recorded::Recorded;
use chancery_audit::operations::MOST_UNSHOWN;
use chancery_ipc::Operation;
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::{Notify, watch};

/// A statement is due after so many operations.
const STATED_EVERY: u64 = 1024;
/// So many may lie beyond the last one that was shown when a request is sent: what the enclave allows, less those that are
/// with it already.
const MOST_SENT: u64 = MOST_UNSHOWN - 512;
/// The most operations that are owed: what the enclave does while it is shown nothing.
const MOST_OWED: usize = 4096;

/// One operation with a private key that the log is to show.
#[derive(Debug)]
#[must_use]
pub struct Witness {
    operation: Operation,
    /// Of its process.
    recorded: Arc<Recorded>,
    ledger: Arc<Ledger>,
}

impl Witness {
    /// Its number.
    pub fn number(&self) -> u64 {
        self.operation.number
    }

    /// What the record shows of it.
    pub(crate) fn operation(&self) -> &Operation {
        &self.operation
    }

    /// Its record is durable.
    pub(crate) fn recorded(mut self) {
        let Operation { number, .. } = std::mem::take(&mut self.operation);
        if number != 0 {
            self.recorded.enter(number);
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if self.operation.number != 0 {
            self.ledger.owe(std::mem::take(&mut self.operation), Arc::clone(&self.recorded));
        }
    }
}

type Owed = (Operation, Arc<Recorded>);

/// Operations whose record is owed, of every enclave process since the service started.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    owed: Mutex<VecDeque<Owed>>,
    /// A statement is due.
    due: Notify,
}

impl Ledger {
    fn owed(&self) -> MutexGuard<'_, VecDeque<Owed>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn owe(&self, operation: Operation, recorded: Arc<Recorded>) {
        let mut owed = self.owed();
        if owed.len() < MOST_OWED {
            owed.push_back((operation, recorded));
        } else {
            // The log shows it as missing.
            tracing::error!(number = operation.number, version = operation.version, "an operation stays unrecorded");
        }
    }

    /// Takes what is owed, to be recorded now.
    pub(super) fn take(self: &Arc<Self>) -> Vec<Witness> {
        let owed = std::mem::take(&mut *self.owed());
        let witness = |(operation, recorded)| Witness { operation, recorded, ledger: Arc::clone(self) };
        owed.into_iter().map(witness).collect()
    }

    /// Waits until a statement is due.
    pub(super) async fn due(&self) {
        self.due.notified().await;
    }
}

/// What is known of one enclave process's operations.
#[derive(Debug)]
pub(super) struct Tally {
    ledger: Arc<Ledger>,
    /// The highest number that was answered.
    seen: AtomicU64,
    /// How many the last recorded statement covers.
    stated: AtomicU64,
    /// The same of the last statement that may have been recorded.
    tried: AtomicU64,
    /// Those that have a record.
    recorded: Arc<Recorded>,
    /// How many a statement covers that the enclave was shown.
    shown: watch::Sender<u64>,
}

impl Tally {
    pub(super) fn new(ledger: Arc<Ledger>) -> Self {
        let (seen, stated, tried, recorded) = Default::default();
        Self { ledger, seen, stated, tried, recorded, shown: watch::Sender::new(0) }
    }

    /// An operation was answered.
    pub(super) fn enter(&self, operation: Operation) -> Witness {
        self.seen.fetch_max(operation.number, Ordering::AcqRel);
        let unstated = operation.number.saturating_sub(self.stated.load(Ordering::Acquire));
        if unstated >= STATED_EVERY && self.has_records() {
            self.ledger.due.notify_one();
        }
        Witness { operation, recorded: Arc::clone(&self.recorded), ledger: Arc::clone(&self.ledger) }
    }

    /// Whether all operations that any statement in the log covers have their records there, too.
    fn has_records(&self) -> bool {
        self.recorded.up_to() >= self.tried.load(Ordering::Acquire)
    }

    /// Whether there is something to state, and another statement may be recorded.
    pub(super) fn may_state(&self) -> bool {
        self.seen.load(Ordering::Acquire) > self.stated.load(Ordering::Acquire) && self.has_records()
    }

    /// A statement is about to be recorded.
    pub(super) fn stating(&self, operations: u64) {
        self.tried.fetch_max(operations, Ordering::AcqRel);
    }

    /// A statement was recorded.
    pub(super) fn stated(&self, operations: u64) {
        self.stated.fetch_max(operations, Ordering::AcqRel);
    }

    /// A statement was shown to the enclave.
    pub(super) fn shown(&self, operations: u64) {
        self.shown.send_if_modified(|shown| {
            let more = operations > *shown;
            *shown = operations.max(*shown);
            more
        });
    }

    /// Waits until the enclave would take one more operation. May be dropped.
    pub(super) async fn room(&self) {
        let has_room = |shown: &u64| self.seen.load(Ordering::Acquire).saturating_sub(*shown) < MOST_SENT;
        if has_room(&self.shown.borrow()) {
            return;
        }
        self.ledger.due.notify_one();
        // It fails only when the sender is gone, which is this.
        let _ = self.shown.subscribe().wait_for(has_room).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn tally() -> (Arc<Ledger>, Tally) {
        let ledger = Arc::<Ledger>::default();
        (Arc::clone(&ledger), Tally::new(ledger))
    }

    fn operation(number: u64) -> Operation {
        Operation { number, ..Operation::default() }
    }

    #[test]
    fn what_is_dropped_is_owed_and_what_is_recorded_is_not() {
        let (ledger, tally) = tally();
        tally.enter(operation(1)).recorded();
        drop(tally.enter(operation(2)));
        let owed = ledger.take();
        assert_eq!(owed.iter().map(Witness::number).collect::<Vec<_>>(), [2]);
        assert!(ledger.take().is_empty(), "taken");
        drop(owed);
        for owed in ledger.take() {
            assert_eq!(owed.number(), 2, "its record failed, too");
            owed.recorded();
        }
        assert!(ledger.take().is_empty());
    }

    #[test]
    fn a_statement_is_due_after_so_many_operations() {
        let (ledger, tally) = tally();
        let due = || ledger.due().now_or_never().is_some();
        (1..STATED_EVERY).for_each(|number| tally.enter(operation(number)).recorded());
        assert!(!due() && tally.may_state());
        tally.enter(operation(STATED_EVERY)).recorded();
        assert!(due());
        tally.stated(STATED_EVERY);
        tally.enter(operation(STATED_EVERY + 1)).recorded();
        assert!(!due() && tally.may_state());
    }

    #[test]
    fn nothing_is_stated_while_a_stated_operation_has_no_record() {
        let (ledger, tally) = tally();
        tally.enter(operation(1)).recorded();
        let late = tally.enter(operation(2));
        tally.enter(operation(3)).recorded();
        assert!(tally.may_state(), "a first statement may precede records");
        // It may stand in the log whether or not anybody hears of that.
        tally.stating(3);
        assert!(!tally.may_state());
        tally.enter(operation(3 + STATED_EVERY)).recorded();
        assert!(!tally.may_state() && ledger.due().now_or_never().is_none());
        drop(late);
        assert!(!tally.may_state(), "owed is not recorded");
        ledger.take().into_iter().for_each(Witness::recorded);
        assert!(tally.may_state());
    }

    #[test]
    fn requests_wait_for_a_statement_that_was_shown() {
        let (ledger, tally) = tally();
        tally.enter(operation(MOST_SENT - 1)).recorded();
        assert!(tally.room().now_or_never().is_some());
        tally.enter(operation(MOST_SENT)).recorded();
        let _ = ledger.due().now_or_never();
        let mut waiting = Box::pin(tally.room());
        assert!((&mut waiting).now_or_never().is_none());
        assert!(ledger.due().now_or_never().is_some(), "whoever waits asks for one");
        tally.stated(MOST_SENT);
        assert!((&mut waiting).now_or_never().is_none(), "recorded is not shown");
        tally.shown(1);
        assert!(waiting.now_or_never().is_some());
    }
}
