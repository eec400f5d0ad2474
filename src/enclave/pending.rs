//! Requests that were sent to the enclave and are not answered, and whether it is late with them.
//!
//! **Invariant**: while a token makes a key, a search for another one may wait for it there. The enclave is then late
//! with the search only when it is late with the key, or once that is made.

use super::witness::Witness;
use chancery_ipc::response::Result as Reply;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// What the enclave said, and what it did with a private key.
pub(super) type Answer = (Reply, Option<Witness>);

/// A request without its answer.
pub(super) struct Waiting {
    /// Its deadline.
    pub(super) until: Instant,
    /// Who waits.
    pub(super) reply: oneshot::Sender<Answer>,
    /// The caller's request id, for the quarantine.
    pub(super) request_id: Option<String>,
    /// It makes a key, which may take long.
    pub(super) makes_key: bool,
}

/// See the module.
#[derive(Default)]
pub(super) struct Pending {
    /// By number.
    pub(super) waiting: HashMap<u64, Waiting>,
    /// The enclave is gone.
    pub(super) ended: bool,
    /// When the last key was made.
    key_made: Option<Instant>,
}

impl Pending {
    /// Takes out what is answered now.
    pub(super) fn answered(&mut self, id: u64, now: Instant) -> Option<Waiting> {
        let waiting = self.waiting.remove(&id)?;
        if waiting.makes_key {
            self.key_made = Some(now);
        }
        Some(waiting)
    }

    /// By how much the enclave is late with the request that it is latest with.
    pub(super) fn overdue(&self, now: Instant) -> Option<Duration> {
        let making = self.waiting.values().filter(|waiting| waiting.makes_key).map(|waiting| waiting.until).max();
        let excused = making.max(self.key_made);
        let due = |waiting: &Waiting| match waiting.makes_key {
            true => waiting.until,
            false => excused.map_or(waiting.until, |excused| waiting.until.max(excused)),
        };
        self.waiting.values().filter_map(|waiting| now.checked_duration_since(due(waiting))).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A request of each of these deadlines, by number, and whether it makes a key.
    fn pending(requests: &[(Instant, bool)]) -> Pending {
        let waiting = |&(until, makes_key)| Waiting { until, reply: oneshot::channel().0, request_id: None, makes_key };
        Pending { waiting: (0..).zip(requests.iter().map(waiting)).collect(), ..Pending::default() }
    }

    #[test]
    fn the_latest_request_counts() {
        let now = Instant::now();
        assert_eq!(pending(&[]).overdue(now), None);
        let late = pending(&[(now - 3 * SECOND, false), (now - SECOND, false), (now + SECOND, false)]);
        assert_eq!(late.overdue(now), Some(3 * SECOND));
        assert_eq!(pending(&[(now - 4 * SECOND, true)]).overdue(now), Some(4 * SECOND));
    }

    #[test]
    fn what_waits_for_a_key_to_be_made_is_late_only_after_that() {
        let now = Instant::now();
        let mut requests = pending(&[(now + 50 * SECOND, true), (now, false)]);
        assert_eq!(requests.overdue(now + 20 * SECOND), None, "the token may take its time");
        assert_eq!(requests.overdue(now + 53 * SECOND), Some(3 * SECOND), "both hang");
        assert!(requests.answered(0, now + 30 * SECOND).is_some());
        assert_eq!(requests.overdue(now + 31 * SECOND), Some(SECOND), "nothing to wait for since");
        assert!(requests.answered(1, now + 31 * SECOND).is_some() && requests.answered(1, now).is_none());
        assert_eq!(requests.overdue(now + 99 * SECOND), None);
    }
}
