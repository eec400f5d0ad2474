//! What is to be said to the service before the thread ends.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::Notify;

/// How much is owed.
#[derive(Default)]
pub(super) struct Debts {
    open: AtomicUsize,
    settled: Notify,
}

/// One debt, settled when it is dropped.
pub(super) struct Owed(Arc<Debts>);

impl Debts {
    /// One more.
    pub(super) fn owe(self: &Arc<Self>) -> Owed {
        self.open.fetch_add(1, Ordering::AcqRel);
        Owed(Arc::clone(self))
    }

    /// Waits until nothing is owed.
    pub(super) async fn settled(&self) {
        loop {
            let settled = self.settled.notified();
            if self.open.load(Ordering::Acquire) == 0 {
                return;
            }
            settled.await;
        }
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if self.0.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.settled.notify_one();
        }
    }
}
