//! Where a program is killed, and what is lost by that.

use crate::{
    disk::Loss,
    random::Random,
    shim::{Action, Rule},
};

/// An operation to be killed at: a name for people, the shim's words for it, and how many happen in a cycle or so.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    pub name: &'static str,
    operation: &'static str,
    path: &'static str,
    often: usize,
}

const fn point(name: &'static str, operation: &'static str, path: &'static str, often: usize) -> Point {
    Point { name, operation, path, often }
}

/// Every kind of write to the log's files.
pub const LOG: [Point; 15] = [
    point("records: write", "write", ".seg", 60),
    point("records: sync", "sync", ".seg", 60),
    point("records: reserve", "reserve", ".seg", 5),
    point("durable size: write", "write", "log-durable-size", 60),
    point("segment closed: cut", "truncate", ".seg", 4),
    point("segment begun: create", "open", ".seg.tmp", 4),
    point("segment begun: write", "write", ".seg.tmp", 4),
    point("segment begun: sync", "sync", ".seg.tmp", 4),
    point("segment begun: rename", "rename", ".seg.tmp", 4),
    point("checkpoint: create", "open", "checkpoint.tmp", 6),
    point("checkpoint: write", "write", "checkpoint.tmp", 6),
    point("checkpoint: sync", "sync", "checkpoint.tmp", 6),
    point("checkpoint: rename", "rename", "checkpoint.tmp", 6),
    point("directory: sync", "dirsync", "*", 10),
    point("any operation", "any", "*", 300),
];

/// Of the whole service: its checkpoints and segments are rarer, and it has a store.
pub const SERVICE: [Point; 12] = [
    point("records: write", "write", ".seg", 40),
    point("records: sync", "sync", ".seg", 40),
    point("records: reserve", "reserve", ".seg", 1),
    point("durable size: write", "write", "log-durable-size", 40),
    point("segment begun: rename", "rename", ".seg.tmp", 1),
    point("checkpoint: write", "write", "checkpoint.tmp", 1),
    point("checkpoint: sync", "sync", "checkpoint.tmp", 1),
    point("checkpoint: rename", "rename", "checkpoint.tmp", 1),
    point("directory: sync", "dirsync", "*", 1),
    point("store: write", "write", "store.sqlite", 40),
    point("store: sync", "sync", "store.sqlite", 20),
    point("any operation", "any", "*", 200),
];

/// There are few operations, of any kind.
const START: Point = point("while it starts", "any", "*", 6);

/// One cycle: start, recover, write, die.
#[derive(Debug, Clone)]
pub struct Plan {
    pub point: Point,
    pub at: Action,
    /// The how-manyth such operation.
    pub number: u64,
    /// While it recovers, not afterwards.
    pub at_start: bool,
    /// What goes wrong before, and heals.
    pub fault: Option<Rule>,
    /// `None`: the machine goes on, and with it everything that was written.
    pub loss: Option<Loss>,
}

impl Plan {
    pub fn random(points: &[Point], random: &mut Random) -> Self {
        let at = *random.of(&[Action::KillBefore, Action::KillMiddle, Action::KillAfter]);
        let loss = *random.of(&[None, Some(Loss::All), Some(Loss::Tail), Some(Loss::Any)]);
        let at_start = random.one_in(8);
        let point = if at_start { START } else { *random.of(points) };
        let number = random.below(point.often) as u64 + 1;
        let fault = (!at_start && random.one_in(12)).then(|| fault(random));
        Self { point, at, number, at_start, fault, loss }
    }

    /// The rule that kills, and the fault before it.
    pub fn rules(&self) -> Vec<Rule> {
        let kill = Rule::once(self.point.operation, self.point.path, self.number, self.at);
        self.fault.iter().cloned().chain([kill]).collect()
    }

    /// For a table of what was tried.
    pub fn phase(&self) -> &'static str {
        match self.at {
            Action::KillBefore => "before",
            Action::KillMiddle => "amid",
            _ => "after",
        }
    }

    pub fn lost(&self) -> &'static str {
        match self.loss {
            None => "kill -9",
            Some(Loss::All) => "power, all unsynced lost",
            Some(Loss::Tail) => "power, the last lost and torn",
            Some(Loss::Any) => "power, any part lost",
        }
    }
}

/// A failure of the disk that the writer must heal from.
fn fault(random: &mut Random) -> Rule {
    use crate::shim::{EIO, ENOSPC};
    let number = random.below(8) as u64 + 1;
    match random.below(6) {
        0 => Rule::once("sync", ".seg", number, Action::Drop),
        1 => Rule::once("write", ".seg", number, Action::Short),
        2 => Rule::once("write", ".seg", number, Action::Error(ENOSPC)),
        3 => Rule::once("reserve", ".seg", number % 2 + 1, Action::Error(ENOSPC)),
        4 => Rule::once("dirsync", "*", number, Action::Error(EIO)),
        _ => Rule::once("rename", "*", number, Action::Error(EIO)),
    }
}
