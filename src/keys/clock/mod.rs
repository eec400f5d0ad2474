//! Whether the host's clock can be trusted with what can't be undone.
//!
//! **Invariants**: a clock that goes another way than the boot clock, or the log, by more than an hour is noticed before
//! anything is destroyed by it; nothing is until that is recorded. Small steps add up: they are counted from the first
//! reading of a boot, across restarts of the service. What the last reading was is kept outside the log; without it, the
//! log's last record is what counts.
//!
//! **Not here**: recording a freeze (`keys::schedule`), lifting it (`keys::confirm`).

mod evidence;

pub use evidence::EvidenceFile;

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use std::{
    fs,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// A clock that is off by more has jumped.
const TOLERANCE: i64 = 3600 * NANOS_PER_SECOND;

/// Where times come from.
pub trait Clock: Send + Sync {
    /// Now, nanoseconds since the Unix epoch.
    fn wall(&self) -> i64;

    /// Time since the host was started, sleep included, nanoseconds. Nobody can set it.
    fn since_boot(&self) -> i64;

    /// Names this run of the host; empty where that is not known.
    fn boot_id(&self) -> String;
}

/// The host's clocks.
pub struct SystemClock;

impl Clock for SystemClock {
    fn wall(&self) -> i64 {
        Timestamp::now().as_nanosecond().try_into().unwrap_or(i64::MAX)
    }

    fn since_boot(&self) -> i64 {
        let time = clock_gettime(ClockId::Boottime);
        time.tv_sec.saturating_mul(NANOS_PER_SECOND).saturating_add(time.tv_nsec)
    }

    fn boot_id(&self) -> String {
        fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
    }
}

/// What earlier readings tell of the clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The host's run that the readings are of; empty where that is not known.
    pub boot_id: String,
    /// The time at which that run began, by the clock as it was first read.
    pub booted: i64,
    /// The last reading.
    pub wall: i64,
}

/// See the module.
pub struct ClockGuard {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    boot_id: String,
    /// The time at which this run of the host began, by the clock as it is trusted.
    booted: i64,
    /// A jump that is not recorded yet.
    jump: Option<String>,
}

fn text(nanos: i64) -> String {
    match Timestamp::from_nanosecond(nanos.into()) {
        Ok(time) => format!("{time:.0}"),
        Err(_) => format!("{nanos} ns"),
    }
}

impl ClockGuard {
    /// Judges the clock by the last run's evidence and the time of the log's last record.
    pub fn start(clock: Arc<dyn Clock>, evidence: Option<&Evidence>, last_record: i64) -> Self {
        let (wall, boot_id) = (clock.wall(), clock.boot_id());
        let booted = wall.saturating_sub(clock.since_boot());
        let same_boot = evidence.filter(|before| !boot_id.is_empty() && before.boot_id == boot_id);
        // What was last seen, by whoever saw it last.
        let seen = evidence.map_or(last_record, |before| before.wall.max(last_record));
        let jump = match same_boot {
            Some(before) => off(booted, before.booted)
                .then(|| by_boot_clock(wall, wall.saturating_sub(booted).saturating_add(before.booted)))
                .or_else(|| behind(wall, last_record)),
            None => behind(wall, seen).or_else(|| ahead(wall, seen)),
        };
        // The first reading of this boot stays what later ones are measured by, unless it was the wrong one.
        let booted = same_boot.filter(|_| jump.is_none()).map_or(booted, |before| before.booted);
        Self { clock, state: Mutex::new(State { boot_id, booted, jump }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The host's clock, nanoseconds since the Unix epoch.
    pub fn now(&self) -> i64 {
        self.clock.wall()
    }

    /// Why nothing may be destroyed: a jump that is not recorded yet.
    pub fn jump(&self) -> Option<String> {
        let mut state = self.state();
        let wall = self.clock.wall();
        let booted = wall.saturating_sub(self.clock.since_boot());
        if off(booted, state.booted) {
            state.jump = Some(by_boot_clock(wall, wall.saturating_sub(booted).saturating_add(state.booted)));
            // One jump is told once; the way back is another.
            state.booted = booted;
        }
        state.jump.clone()
    }

    /// The jump stands in the log now.
    pub fn recorded(&self, jump: &str) {
        let mut state = self.state();
        if state.jump.as_deref() == Some(jump) {
            state.jump = None;
        }
    }

    /// What to keep for the next start; none while a jump is not recorded, for that start must see it, too.
    pub fn evidence(&self) -> Option<Evidence> {
        if self.jump().is_some() {
            return None;
        }
        let state = self.state();
        Some(Evidence { boot_id: state.boot_id.clone(), booted: state.booted, wall: self.clock.wall() })
    }
}

fn off(one: i64, other: i64) -> bool {
    one.saturating_sub(other).saturating_abs() > TOLERANCE
}

fn by_boot_clock(wall: i64, expected: i64) -> String {
    format!("the clock says {}, by the time since the host was started it should be {}", text(wall), text(expected))
}

fn behind(wall: i64, seen: i64) -> Option<String> {
    let behind = off(wall, seen) && wall < seen;
    behind.then(|| format!("the clock says {}, but the log or the service last saw {}", text(wall), text(seen)))
}

fn ahead(wall: i64, seen: i64) -> Option<String> {
    let ahead = off(wall, seen) && wall > seen;
    ahead.then(|| {
        format!(
            "the clock says {}; the log or the service last saw {}, and the host was started anew since: nothing tells \
             whether so much time went by",
            text(wall),
            text(seen)
        )
    })
}

#[cfg(test)]
mod tests;
