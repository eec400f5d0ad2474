//! The guard over clocks that are set by hand.

use super::*;
use std::sync::atomic::{AtomicI64, Ordering};

const SECOND: i64 = NANOS_PER_SECOND;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;
/// 2026-11-20T12:00:00Z.
const NOON: i64 = 1_795_176_000 * SECOND;

struct Set {
    wall: AtomicI64,
    since_boot: AtomicI64,
    boot_id: &'static str,
}

impl Clock for Set {
    fn wall(&self) -> i64 {
        self.wall.load(Ordering::Relaxed)
    }

    fn since_boot(&self) -> i64 {
        self.since_boot.load(Ordering::Relaxed)
    }

    fn boot_id(&self) -> String {
        self.boot_id.into()
    }
}

impl Set {
    fn at(wall: i64, since_boot: i64, boot_id: &'static str) -> Arc<Self> {
        Arc::new(Self { wall: wall.into(), since_boot: since_boot.into(), boot_id })
    }

    fn pass(&self, time: i64) {
        self.wall.fetch_add(time, Ordering::Relaxed);
        self.since_boot.fetch_add(time, Ordering::Relaxed);
    }

    fn step(&self, by: i64) {
        self.wall.fetch_add(by, Ordering::Relaxed);
    }
}

fn start(clock: &Arc<Set>, evidence: Option<&Evidence>, last_record: i64) -> ClockGuard {
    ClockGuard::start(Arc::clone(clock) as Arc<dyn Clock>, evidence, last_record)
}

/// What a service that ran until `wall` leaves, on a host started `since_boot` before.
fn left(wall: i64, since_boot: i64, boot_id: &str) -> Evidence {
    Evidence { boot_id: boot_id.into(), booted: wall - since_boot, wall }
}

#[test]
fn time_that_passes_is_no_jump() {
    let clock = Set::at(NOON, DAY, "a");
    let guard = start(&clock, None, NOON - MINUTE);
    for _ in 0..100 {
        clock.pass(DAY);
        assert_eq!(guard.jump(), None);
    }
    assert_eq!(guard.now(), NOON + 100 * DAY);
}

#[test]
fn a_step_either_way_is_a_jump_until_it_is_recorded() {
    for step in [2 * HOUR, -2 * HOUR, 30 * DAY, -30 * DAY] {
        let clock = Set::at(NOON, DAY, "a");
        let guard = start(&clock, None, NOON);
        clock.step(step);
        let jump = guard.jump().unwrap_or_else(|| panic!("{step}"));
        assert!(jump.contains(&text(NOON + step)) && jump.contains(&text(NOON)), "{jump}");
        assert_eq!(guard.evidence(), None, "the next start must see it, too");
        clock.pass(MINUTE);
        assert_eq!(guard.jump(), Some(jump.clone()), "it is the same jump");
        guard.recorded(&jump);
        assert_eq!(guard.jump(), None);
        assert!(guard.evidence().is_some());
        // The way back is a jump of its own.
        clock.step(-step);
        assert!(guard.jump().is_some());
    }
}

#[test]
fn a_jump_during_a_jump_must_be_recorded_too() {
    let clock = Set::at(NOON, DAY, "a");
    let guard = start(&clock, None, NOON);
    clock.step(DAY);
    let first = guard.jump().unwrap();
    clock.step(DAY);
    guard.jump().unwrap();
    guard.recorded(&first);
    assert!(guard.jump().is_some(), "the second one is not recorded");
}

#[test]
fn small_steps_are_no_jump_but_add_up() {
    let clock = Set::at(NOON, DAY, "a");
    let guard = start(&clock, None, NOON);
    clock.step(59 * MINUTE);
    assert_eq!(guard.jump(), None);
    clock.step(2 * MINUTE);
    assert!(guard.jump().is_some());
}

/// Restarts of the service do not forget what the steps added up to.
#[test]
fn small_steps_add_up_across_restarts() {
    let clock = Set::at(NOON, DAY, "a");
    let mut evidence = start(&clock, None, NOON).evidence();
    clock.step(40 * MINUTE);
    let guard = start(&clock, evidence.as_ref(), NOON);
    assert_eq!(guard.jump(), None);
    evidence = guard.evidence();
    clock.step(40 * MINUTE);
    assert!(start(&clock, evidence.as_ref(), NOON + 40 * MINUTE).jump().is_some());
}

/// The boot clock tells how long the service was down: a month is no jump, a step of two hours meanwhile is.
#[test]
fn on_the_same_boot_downtime_is_known() {
    let before = left(NOON, DAY, "a");
    let month = Set::at(NOON + 30 * DAY, 31 * DAY, "a");
    assert_eq!(start(&month, Some(&before), NOON).jump(), None);
    for step in [2 * HOUR, -2 * HOUR] {
        let stepped = Set::at(NOON + 30 * DAY + step, 31 * DAY, "a");
        assert!(start(&stepped, Some(&before), NOON).jump().is_some(), "{step}");
    }
}

/// Whatever the boot clock says, time before the log's last record is wrong.
#[test]
fn a_clock_behind_the_log_is_a_jump_on_any_boot() {
    let clock = Set::at(NOON, DAY, "a");
    for evidence in [None, Some(left(NOON - MINUTE, DAY - MINUTE, "a")), Some(left(NOON - MINUTE, DAY, "b"))] {
        assert_eq!(start(&clock, evidence.as_ref(), NOON + 59 * MINUTE).jump(), None);
        let jump = start(&clock, evidence.as_ref(), NOON + 2 * HOUR).jump().unwrap();
        assert!(jump.contains(&text(NOON)) && jump.contains(&text(NOON + 2 * HOUR)), "{jump}");
    }
}

/// After a restart of the host, nothing but what was last seen tells the time: a pause of minutes is none to speak of.
#[test]
fn on_another_boot_more_than_an_hour_is_a_jump() {
    for boot_id in ["b", ""] {
        let before = left(NOON, DAY, boot_id);
        for (now, jumps) in [(NOON + 10 * MINUTE, false), (NOON + 2 * HOUR, true), (NOON - 2 * HOUR, true)] {
            let clock = Set::at(now, MINUTE, if boot_id.is_empty() { "" } else { "a" });
            assert_eq!(start(&clock, Some(&before), NOON - DAY).jump().is_some(), jumps, "{}", text(now));
        }
    }
    // Without evidence, the log's last record is what was last seen.
    assert!(start(&Set::at(NOON, MINUTE, "a"), None, NOON - 2 * HOUR).jump().is_some());
    assert_eq!(start(&Set::at(NOON, MINUTE, "a"), None, NOON - MINUTE).jump(), None);
}

#[test]
fn the_hosts_clocks_tick_together() {
    let guard = ClockGuard::start(Arc::new(SystemClock), None, SystemClock.wall());
    assert!(SystemClock.since_boot() > 0 && !SystemClock.boot_id().is_empty());
    assert_eq!(guard.jump(), None);
    assert!(guard.now() > NOON - 365 * DAY);
}
