//! When requests are due.
//!
//! **Invariant**: no request is due at or after the end, and none after the run was stopped.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};
use tokio::time::Instant;

/// Timers tick in milliseconds: a wake-up that is late by less than this is our own.
const TIMER: Duration = Duration::from_millis(2);

/// From when a request that was due at `due` is measured, when it is sent now. One that was waited for is not charged with
/// the timer's lateness; one that could not be sent in time is measured from when it was due.
pub(super) fn measured_from(due: Instant, waited: bool) -> Instant {
    let now = Instant::now();
    if waited && now.saturating_duration_since(due) <= TIMER { now } else { due }
}

/// The schedule that all connections draw from.
pub(super) struct Pace {
    start: Instant,
    end: Instant,
    /// Requests per second; `None` for a closed loop, in which a request is due when it can be sent.
    rate: Option<f64>,
    drawn: AtomicU64,
    stopped: AtomicBool,
}

impl Pace {
    pub(super) fn new(start: Instant, length: Duration, rate: Option<f64>) -> Self {
        let (drawn, stopped) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { start, end: start + length, rate, drawn, stopped }
    }

    /// When the next request is due, which may be past; `None` when there is no more.
    pub(super) fn draw(&self) -> Option<Instant> {
        let now = Instant::now();
        if now >= self.end || self.stopped.load(Ordering::Relaxed) {
            return None;
        }
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        let due = match self.rate {
            None => now,
            Some(rate) => self.start + Duration::from_secs_f64(number as f64 / rate),
        };
        (due < self.end).then_some(due)
    }

    /// Makes all requests not yet drawn fall away.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(super) fn start(&self) -> Instant {
        self.start
    }

    pub(super) fn end(&self) -> Instant {
        self.end
    }

    /// After this nobody waits for an answer.
    pub(super) fn give_up(&self) -> Instant {
        self.end + super::GRACE
    }

    /// How many requests an open loop has in all.
    pub(super) fn scheduled(&self) -> Option<u64> {
        self.rate.map(|rate| (rate * (self.end - self.start).as_secs_f64()).ceil() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_open_loop_keeps_its_schedule_through_a_stall() {
        let start = Instant::now();
        let pace = Pace::new(start, Duration::from_secs(2), Some(10.0));
        assert_eq!(pace.draw(), Some(start));
        tokio::time::advance(Duration::from_secs(1)).await;
        // A second late, and due as if nothing had happened.
        assert_eq!(pace.draw(), Some(start + Duration::from_millis(100)));
        let rest = std::iter::from_fn(|| pace.draw()).count();
        assert_eq!((rest, pace.scheduled()), (18, Some(20)));
    }

    #[tokio::test(start_paused = true)]
    async fn lateness_is_the_services_unless_it_is_the_timers() {
        let due = Instant::now();
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(measured_from(due, true), Instant::now());
        assert_eq!(measured_from(due, false), due);
        tokio::time::advance(Duration::from_millis(50)).await;
        assert_eq!(measured_from(due, true), due);
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_loop_ends_with_its_time_or_when_stopped() {
        let pace = Pace::new(Instant::now(), Duration::from_secs(1), None);
        tokio::time::advance(Duration::from_millis(999)).await;
        assert_eq!(pace.draw(), Some(Instant::now()));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(pace.draw(), None);

        let pace = Pace::new(Instant::now(), Duration::from_secs(1), None);
        pace.stop();
        assert_eq!(pace.draw(), None);
    }
}
