//! What the service does to keys by itself: rotations, activations and expiries by date, destructions, pools.
//!
//! **Invariants**: of all services on one store, one runs schedules. What was missed while none ran is made up for once.
//! What fails is tried again later, each thing by itself: no key keeps others waiting. Nothing is destroyed while the
//! clock is in doubt, or the key's organization is frozen.
//!
//! **Not here**: how versions change (`model::lifecycle`, `keys::succession`), what requests do.

mod agenda;
mod lease;
mod recurrence;
mod retries;
mod work;

pub use recurrence::next_rotation;

use super::{ClockGuard, EvidenceFile, Keys};
use crate::{
    audit::Draft,
    directory::Directory,
    error::Error,
    model::{KeyName, Organization},
    store::{Row, Store},
};
use agenda::{Agenda, Item, Work};
use lease::Lease;
use retries::Retries;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, mpsc::UnboundedReceiver},
    time::MissedTickBehavior,
};

const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// What waits for something is looked at again after so many seconds.
const PAUSE: i64 = 1;
/// What waits for an officer, or for the token, after so many.
const LONG_PAUSE: i64 = 5;
/// Every so many seconds the clock's last reading is kept.
const READINGS: u64 = 60;
/// Keys that are read at a time at the start.
const BATCH: usize = 1000;

/// See the module.
pub struct Schedule {
    keys: Arc<Keys>,
    clock: Arc<ClockGuard>,
    readings: EvidenceFile,
    lease: Lease,
    stopping: AtomicBool,
    stopped: Notify,
}

/// What became of one thing on the agenda.
enum Done {
    /// It was done, or is not to be done any more.
    Yes,
    /// It was done in part: go on after so many seconds.
    InPart(i64),
    /// Not yet: look again after so many seconds.
    NotYet(i64),
}

fn seconds(count: i64) -> i64 {
    count.saturating_mul(NANOS_PER_SECOND)
}

/// One tick a second, whatever the last one took.
fn ticks() -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}

impl Schedule {
    /// Over these keys, by this clock.
    pub fn new(keys: Arc<Keys>, clock: Arc<ClockGuard>, readings: EvidenceFile, store: Arc<dyn Store>) -> Self {
        let (stopping, stopped) = Default::default();
        Self { keys, clock, readings, lease: Lease::new(store), stopping, stopped }
    }

    fn directory(&self) -> &Arc<Directory> {
        self.keys.changes.directory()
    }

    /// Runs until [`Schedule::stop`]; what is under way is finished first.
    pub async fn run(&self) {
        tokio::join!(self.watch(), self.work());
        self.keep_reading().await;
        self.lease.give_up().await;
    }

    /// Ends [`Schedule::run`].
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.stopped.notify_waiters();
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Waits for the next tick; false: for nothing any more.
    async fn next(&self, ticks: &mut tokio::time::Interval) -> bool {
        let stopped = self.stopped.notified();
        if self.is_stopping() {
            return false;
        }
        tokio::select! {
            _ = ticks.tick() => !self.is_stopping(),
            () = stopped => false,
        }
    }

    /// Keeps the lease, and an eye on the clock.
    async fn watch(&self) {
        let (mut ticks, mut count, mut told) = (ticks(), 0u64, false);
        while self.next(&mut ticks).await {
            match self.freeze().await {
                Err(error) if !told => {
                    tracing::error!(%error, "the clock jumped; nothing is destroyed, and that is to be recorded yet");
                    told = true;
                }
                Err(_) => {}
                Ok(()) => told = false,
            }
            self.lease.renew().await;
            if count.is_multiple_of(READINGS) {
                self.keep_reading().await;
            }
            count += 1;
        }
    }

    async fn keep_reading(&self) {
        let Some(evidence) = self.clock.evidence() else { return };
        let readings = self.readings.clone();
        let written = tokio::task::spawn_blocking(move || readings.write(&evidence)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(%error, "the clock's reading can't be kept; the next start has less to judge the clock by");
        }
    }

    /// Freezes destruction for every organization if the clock jumped.
    async fn freeze(&self) -> Result<(), Error> {
        let Some(why) = self.clock.jump() else { return Ok(()) };
        let _held = self.keys.changes.hold_organizations().await;
        let thawed = self.directory().organizations().into_iter().filter(|found| found.destruction_frozen.is_none());
        let frozen = |found| Row::Organization(Organization { destruction_frozen: Some(why.clone()), ..found });
        // A record each, for each is shown to its own organization.
        for row in thawed.map(frozen) {
            let rows = vec![row];
            self.keys.changes.apply(Draft::state_change("FreezeDestruction", &rows), rows).await?;
        }
        self.clock.recorded(&why);
        tracing::error!(
            why,
            "the clock jumped: no key is destroyed until an officer of its organization confirms the clock. Correct the \
             clock first, then have officers run `chancery keys confirm-clock`"
        );
        Ok(())
    }

    /// Does what is due, each second.
    async fn work(&self) {
        let mut changed = self.directory().watch_keys();
        let (mut agenda, mut retries) = (self.agenda(), Retries::default());
        tracing::debug!(items = agenda.len(), "keys' schedules are read");
        let mut ticks = ticks();
        while self.next(&mut ticks).await {
            self.round(&mut agenda, &mut retries, &mut changed).await;
        }
    }

    /// All that keys ask for.
    fn agenda(&self) -> Agenda {
        let mut agenda = Agenda::default();
        for organization in self.directory().organizations() {
            let mut after: Option<KeyName> = None;
            loop {
                let batch = self.directory().keys(&organization.name, after.as_ref(), BATCH);
                let Some(last) = batch.last() else { break };
                after = Some(last.key.name.clone());
                batch.iter().for_each(|entry| agenda.follow(&entry.key.name, Some(entry)));
            }
        }
        // What was begun is finished whatever the clock says now.
        for version in self.keys.destructions.all_begun() {
            let item = Item { key: version.key().clone(), work: Work::Destroy(version.number()) };
            agenda.move_to(&item, i64::MIN);
        }
        agenda
    }

    fn follow(&self, agenda: &mut Agenda, changed: &mut UnboundedReceiver<KeyName>) {
        while let Ok(key) = changed.try_recv() {
            agenda.follow(&key, self.directory().key(&key).as_deref());
        }
    }

    /// Does what is due now.
    async fn round(&self, agenda: &mut Agenda, retries: &mut Retries, changed: &mut UnboundedReceiver<KeyName>) {
        while !self.is_stopping() {
            self.follow(agenda, changed);
            // Without the log nothing can be done, and nothing need be tried.
            if !self.lease.is_held() || !self.keys.admission.audit().is_writable() {
                return;
            }
            let now = self.clock.now();
            let Some(item) = agenda.next(now) else { return };
            // Whatever comes of it, it does not come again at once; if its key changes, it is looked at anew.
            agenda.move_to(&item, now.saturating_add(seconds(PAUSE)));
            match self.perform(&item, now).await {
                Ok(Done::Yes) => retries.succeeded(&item),
                Ok(Done::InPart(pause)) => {
                    retries.succeeded(&item);
                    self.follow(agenda, changed);
                    agenda.move_to(&item, now.saturating_add(seconds(pause)));
                }
                Ok(Done::NotYet(pause)) => agenda.move_to(&item, now.saturating_add(seconds(pause))),
                Err(error) => agenda.move_to(&item, now.saturating_add(seconds(retries.failed(&item, &error)))),
            }
        }
    }
}

#[cfg(test)]
mod tests;
