//! The crash matrix: at every kind of write, the log's writer and the whole service are killed, or lose power on a disk that
//! loses, tears and reorders what was not synced; whatever had been released is in the recovered log.
//!
//! `make test` runs a part of it, `make crash-matrix` all: docs/reliability.md.

#![allow(unreachable_pub, reason = "modules of one test program")]

#[path = "../harness/mod.rs"]
mod harness;
#[allow(dead_code, reason = "shared with the crashes")]
#[path = "../crash/load.rs"]
mod load;
#[path = "../harness/shim.rs"]
mod shim;

mod disk;
mod faults;
mod lower;
mod matrix;
mod plan;
mod random;
mod recovered;
mod sequences;
mod service;
mod table;
mod writer;

use disk::Loss;
use lower::Life;
use shim::{Action, Rule};
use std::path::Path;

/// Also the process that the lower level kills (see `writer`).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_written_verifies() {
    if let Some(directory) = std::env::var_os(writer::LOG) {
        return writer::write(Path::new(&directory)).await;
    }
    let mut life = Life::new(1);
    let mut writer = life.start(&[]).unwrap();
    writer.go();
    assert!(life.listen(&writer, |_| false));
    drop(writer);
    assert!(life.check().0 >= 250 && life.refused.is_empty());
}

/// The matrix can fail: on a disk whose syncs lie, it does.
#[test]
fn a_disk_that_lies_is_noticed() {
    let mut life = Life::new(2);
    let mut writer = life.start(&[]).unwrap();
    life.shim.set(&[Rule::each("sync", ".seg", Action::Lie)]);
    writer.go();
    life.listen(&writer, |line| line.starts_with("released 50 "));
    drop(writer);
    life.ended(Some(Loss::All));
    let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        life.start(&[]);
        life.check()
    }));
    assert!(checked.is_err(), "records that were released are gone, and nobody noticed");
}
