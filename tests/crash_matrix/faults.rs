//! Every operation of the log's writer fails in every way: appends are refused in time, nothing is released that is not
//! recorded, and it goes on when the disk does.

use crate::{
    lower::Life,
    shim::{Action, EIO, ENOSPC, EROFS, Rule},
    writer::DEADLINE,
};
use std::{
    thread,
    time::{Duration, Instant},
};

/// An operation, and whether an append needs it.
const OPERATIONS: [(&str, &str, bool); 15] = [
    ("reserve", ".seg", true),
    ("write", ".seg", true),
    ("sync", ".seg", true),
    ("truncate", ".seg", true),
    ("open", ".seg.tmp", true),
    ("write", ".seg.tmp", true),
    ("sync", ".seg.tmp", true),
    ("rename", ".seg.tmp", true),
    ("dirsync", "audit", true),
    ("any", "audit", true),
    ("write", "log-durable-size", false),
    ("open", "checkpoint.tmp", false),
    ("write", "checkpoint.tmp", false),
    ("sync", "checkpoint.tmp", false),
    ("rename", "checkpoint.tmp", false),
];

/// Beyond the deadline: this machine may be busy.
const MARGIN: Duration = Duration::from_secs(20);

/// The operation fails until somebody has noticed, and then no more.
fn fails_and_heals(operation: &'static str, path: &'static str, needed: bool, action: Action) {
    let what = format!("{operation} of {path}: {action}");
    let mut life = Life::new(31);
    let mut writer = life.start(&[]).unwrap();
    life.shim.set(&[Rule::each(operation, path, action)]);
    let start = Instant::now();
    writer.go();
    let (mut refused, mut unsigned, mut released) = (0, 0, 0);
    let ended = life.listen(&writer, |line| {
        refused += u64::from(line.starts_with("refused"));
        unsigned += u64::from(line.starts_with("unsigned"));
        released += u64::from(line.starts_with("released"));
        // A roll comes after some dozens of records; what an append does not need never keeps one from being released.
        if needed { refused >= 8 } else { released >= 100 }
    });
    assert!(!ended, "{what}: it ended after {released} released, {refused} refused");
    assert!(start.elapsed() < 2 * DEADLINE + MARGIN, "{what}: {:?} until it was refused", start.elapsed());
    assert!(needed || refused == 0, "{what} kept {refused} records out");
    life.shim.set(&[]);
    released = 0;
    let ended = life.listen(&writer, |line| {
        released += u64::from(line.starts_with("released"));
        released >= 20
    });
    assert!(!ended, "{what}: it did not heal");
    drop(writer);
    life.ended(None);
    life.end();
    life.nothing_refused_is_recorded();
}

/// All operations fail in one way.
fn all_fail(action: Action) {
    thread::scope(|scope| {
        for half in OPERATIONS.chunks(8) {
            scope.spawn(move || {
                half.iter().for_each(|(operation, path, needed)| fails_and_heals(operation, path, *needed, action))
            });
        }
    });
}

#[test]
fn a_full_disk_is_refused_at_every_operation_and_heals() {
    all_fail(Action::Error(ENOSPC));
}

#[test]
fn a_failing_disk_is_refused_at_every_operation_and_heals() {
    all_fail(Action::Error(EIO));
}

#[test]
fn a_disk_that_became_read_only_is_refused_at_every_operation_and_heals() {
    all_fail(Action::Error(EROFS));
}

/// A disk that takes part of what it is given takes the rest when it is asked again.
#[test]
fn short_writes_are_continued() {
    let mut life = Life::new(32);
    let mut writer = life.start(&[]).unwrap();
    life.shim.set(&[Rule::each("write", "*", Action::Short)]);
    writer.go();
    life.listen(&writer, |_| false);
    drop(writer);
    life.ended(None);
    assert!(life.refused.is_empty());
    assert!(life.end().released >= 250);
}

/// Slow is not broken; a disk that hangs is refused by the deadline, and goes on when it does.
#[test]
fn a_slow_disk_is_waited_for_and_one_that_hangs_is_not() {
    let mut life = Life::new(33);
    let mut writer = life.start(&[]).unwrap();
    life.shim.set(&[Rule::each("sync", ".seg", Action::Delay(50))]);
    writer.go();
    let mut released = 0;
    life.listen(&writer, |line| {
        released += u64::from(line.starts_with("released"));
        released >= 20
    });
    assert!(life.refused.is_empty());
    for operation in ["write", "sync"] {
        life.shim.set(&[Rule::each(operation, ".seg", Action::Hang)]);
        let start = Instant::now();
        life.listen(&writer, |line| line.starts_with("refused"));
        assert!(start.elapsed() < DEADLINE + MARGIN, "{:?}", start.elapsed());
        life.shim.set(&[]);
        let mut released = 0;
        life.listen(&writer, |line| {
            released += u64::from(line.starts_with("released"));
            released >= 20
        });
    }
    drop(writer);
    life.ended(None);
    // What was refused for being too slow may stand in the log all the same: so its answer says.
    life.end();
}
