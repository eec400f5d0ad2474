//! Whether the log takes records, and if not, why.
//!
//! **Invariant**: a log whose disk does not answer is down after the deadline, although nobody can say so but the clock:
//! the writer itself waits for the disk.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// See the module.
pub(super) struct Condition {
    writable: AtomicBool,
    problem: Mutex<String>,
    start: Instant,
    /// When the writer turned to the disk, in milliseconds from the start, and one; 0 while it waits for records.
    working_since: AtomicU64,
    deadline: Duration,
}

impl Condition {
    pub(super) fn new(deadline: Duration) -> Self {
        let (writable, working_since) = (AtomicBool::new(true), AtomicU64::new(0));
        Self { writable, problem: Mutex::default(), start: Instant::now(), working_since, deadline }
    }

    /// The writer turns to the disk.
    pub(super) fn begin(&self) {
        let since = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.working_since.store(since + 1, Ordering::Release);
    }

    /// The disk answered.
    pub(super) fn end(&self) {
        self.working_since.store(0, Ordering::Release);
    }

    /// Records are taken.
    pub(super) fn sound(&self) {
        self.writable.store(true, Ordering::Release);
    }

    /// Records are not taken, for this reason.
    pub(super) fn broken(&self, problem: impl ToString) {
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem.to_string();
        self.writable.store(false, Ordering::Release);
    }

    /// How long the disk has not answered, where that is longer than it may take.
    pub(super) fn stalled(&self) -> Option<Duration> {
        let since = self.working_since.load(Ordering::Acquire).checked_sub(1)?;
        let waiting = self.start.elapsed().saturating_sub(Duration::from_millis(since));
        (waiting > self.deadline).then_some(waiting)
    }

    /// Why no record is taken; `None` if they are.
    pub(super) fn problem(&self) -> Option<String> {
        if let Some(waiting) = self.stalled() {
            return Some(format!("the disk has not answered for {} seconds", waiting.as_secs()));
        }
        let writable = self.writable.load(Ordering::Acquire);
        (!writable).then(|| self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    pub(super) fn is_sound(&self) -> bool {
        self.writable.load(Ordering::Acquire) && self.stalled().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_does_not_answer_is_down_until_it_does() {
        let condition = Condition::new(Duration::ZERO);
        assert!(condition.is_sound() && condition.problem().is_none());
        condition.begin();
        std::thread::sleep(Duration::from_millis(20));
        assert!(!condition.is_sound());
        assert!(condition.problem().unwrap().contains("not answered"));
        condition.end();
        assert!(condition.is_sound());
        condition.broken("No space left on device");
        assert_eq!(condition.problem().as_deref(), Some("No space left on device"));
        condition.sound();
        assert_eq!(condition.problem(), None);
    }
}
