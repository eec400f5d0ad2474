//! Sequences that chance brings rarely: a crash, a start, and a second crash or fault at the worst place.

use crate::{
    disk::Loss,
    lower::Life,
    shim::{Action, EIO, ENOSPC, Rule},
};

/// No checkpoint can be written: they sync the log's directory too, and would hide that nobody else did.
const NO_CHECKPOINTS: Rule =
    Rule { operation: "open", path: "checkpoint.tmp", first: 1, count: 0, action: Action::Error(EIO) };

fn kill(operation: &'static str, path: &'static str, number: u64) -> Rule {
    Rule::once(operation, path, number, Action::KillAfter)
}

/// A segment that was begun by a process which was killed before it synced the name: the next process writes to it, what
/// it releases is on disk, and so must the name be.
#[test]
fn a_segment_whose_name_was_not_synced_outlives_a_kill_and_a_loss_of_power() {
    let mut life = Life::new(11);
    let mut writer = life.start(&[]).unwrap();
    life.shim.set(&[NO_CHECKPOINTS, kill("rename", ".seg.tmp", 1)]);
    writer.go();
    assert!(life.listen(&writer, |line| line == "done"), "no segment was begun");
    life.ended(None);

    let mut writer = life.start(&[]).unwrap();
    life.shim.set(&[NO_CHECKPOINTS]);
    writer.go();
    let mut released = 0;
    life.listen(&writer, |line| {
        released += u64::from(line.starts_with("released"));
        released == 5
    });
    drop(writer);
    life.ended(Some(Loss::All));
    life.end();
}

/// Records that a killed process wrote and did not sync count once the next process has read them: it must sync them
/// before anything else is said of them.
#[test]
fn records_that_only_memory_held_are_synced_before_they_count() {
    let mut life = Life::new(12);
    let mut writer = life.start(&[]).unwrap();
    life.shim.set(&[NO_CHECKPOINTS, kill("write", ".seg", 4)]);
    writer.go();
    life.listen(&writer, |_| false);
    life.ended(None);
    let writer = life.start(&[]).unwrap();
    let (_, before) = life.check();
    drop(writer);
    life.ended(Some(Loss::All));
    life.start(&[]).unwrap();
    assert_eq!(life.check().1, before, "a store that took these records over would be ahead of the log");
}

/// A roll that failed after the new segment got its name: what mends it must leave a log that can be opened, whenever it
/// is killed.
#[test]
fn a_roll_that_failed_half_way_is_mended_without_a_gap() {
    for (operation, number) in [("truncate", 1), ("reserve", 1), ("rename", 1), ("dirsync", 1), ("write", 2)] {
        let mut life = Life::new(13);
        let mut writer = life.start(&[]).unwrap();
        life.shim.set(&[NO_CHECKPOINTS, Rule::each("dirsync", "*", Action::Error(EIO))]);
        writer.go();
        assert!(!life.listen(&writer, |line| line.starts_with("refused")), "no segment was begun");
        life.shim.set(&[NO_CHECKPOINTS, kill(operation, ".seg", number), kill(operation, "audit", number)]);
        assert!(life.listen(&writer, |line| line == "done"), "it was not mended");
        drop(writer);
        life.ended(None);
        life.end();
    }
}

/// An fsync fails once and then reports success, while the page cache shows what the disk does not have.
#[test]
fn an_fsync_that_failed_once_is_not_believed_afterwards() {
    for number in [1, 5, 12] {
        let mut life = Life::new(14 + number);
        let mut writer = life.start(&[]).unwrap();
        life.shim.set(&[Rule::once("sync", ".seg", number, Action::Drop)]);
        writer.go();
        assert!(!life.listen(&writer, |line| line.starts_with("refused")));
        let mut healed = 0;
        life.listen(&writer, |line| {
            healed += u64::from(line.starts_with("released"));
            healed == 20
        });
        drop(writer);
        life.ended(Some(Loss::All));
        life.end();
        life.nothing_refused_is_recorded();
    }
}

/// Whole records of a batch reached the disk before the write failed. Their appends were refused: a service that is killed
/// before it could mend anything must not find them at its next start.
#[test]
fn a_batch_that_was_half_written_leaves_nothing_when_the_service_is_killed() {
    let mut life = Life::new(20);
    let mut writer = life.start(&[]).unwrap();
    life.shim
        .set(&[Rule::once("write", ".seg", 4, Action::Short), Rule::once("write", ".seg", 5, Action::Error(ENOSPC))]);
    writer.go();
    life.listen(&writer, |line| line.starts_with("refused"));
    drop(writer);
    life.ended(None);
    life.end();
    life.nothing_refused_is_recorded();
}
