//! `chancery audit verify` on logs as a service writes them: whole, damaged, and being written.
//!
//! The logs are made here from chancery-audit's writing half, and signed with a key of ed25519-dalek.

#[allow(dead_code, reason = "tests/transfer.rs uses the rest")]
mod log;

use log::Log;
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

fn verify(log: &Path, key: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chancery"))
        .env_remove("CHANCERY_CONFIG")
        .args(["audit", "verify", "--log"])
        .arg(log)
        .arg("--key")
        .arg(key)
        .args(more)
        .output()
        .unwrap()
}

fn fails(log: &Log) -> (i32, Value) {
    let output = verify(&log.dir, &log.vkey, &["--output", "json"]);
    assert!(output.stdout.is_empty(), "{output:?}");
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    (output.status.code().unwrap(), error["error"].clone())
}

#[test]
fn a_whole_log_verifies_and_says_what_was_proved() {
    let mut log = Log::new();
    log.append(10);
    log.roll();
    log.append(5);
    log.sign();
    log.append(3);
    log.write();

    let output = verify(&log.dir, &log.vkey, &["--output", "json"]);
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["verified"], true);
    assert_eq!(report["records"], 18);
    assert_eq!(report["checkpoint"]["size"], 15);
    assert_eq!(report["past_checkpoint"], 3);
    assert_eq!(report["segments"], 2);
    assert_eq!(report["by_kind"]["OUTCOME"], 17);

    let output = verify(&log.dir, &log.vkey, &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    for said in ["records 0 to 14", "3 records, well-formed", "records/s"] {
        assert!(text.contains(said), "{text}");
    }
}

/// Places all over the segments, so that headers, lengths, checksums and records are hit alike; fewer in the last one,
/// whose end is read again several times before it is called damaged.
#[test]
fn a_changed_byte_is_found_and_its_record_named() {
    let mut log = Log::new();
    log.append(6);
    log.roll();
    log.append(4);
    log.sign();
    log.write();
    for (segment, step) in log.segments().into_iter().zip([29, 997]) {
        let good = fs::read(&segment).unwrap();
        for at in (0..good.len()).step_by(step) {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            fs::write(&segment, bad).unwrap();
            let (code, error) = fails(&log);
            assert_eq!(code, 1, "byte {at} of {}: {error}", segment.display());
            assert!(error["record"].as_u64().is_some_and(|record| record <= 10), "{error}");
        }
        fs::write(&segment, good).unwrap();
    }
    assert!(verify(&log.dir, &log.vkey, &[]).status.success());
}

#[test]
fn what_is_missing_or_does_not_belong_is_found() {
    let mut log = Log::new();
    log.append(6);
    log.roll();
    log.append(4);
    log.sign();
    log.write();

    let foreign = log.dir.join("notes.txt");
    fs::write(&foreign, "hello").unwrap();
    let (code, error) = fails(&log);
    assert_eq!(code, 1);
    assert!(error["message"].as_str().unwrap().contains("notes.txt"), "{error}");
    fs::remove_file(foreign).unwrap();

    let checkpoint = log.dir.join("checkpoint");
    let note = fs::read_to_string(&checkpoint).unwrap();
    fs::remove_file(&checkpoint).unwrap();
    assert_eq!(fails(&log).0, 1);
    fs::write(&checkpoint, note.replace("\n10\n", "\n11\n")).unwrap();
    assert_eq!(fails(&log).0, 1);
    fs::write(&checkpoint, &note).unwrap();

    // The last segment removed: what remains is whole in itself, and the checkpoint says that there was more.
    let last = log.segments().pop().unwrap();
    fs::remove_file(last).unwrap();
    let (code, error) = fails(&log);
    assert_eq!((code, &error["record"]), (1, &6.into()));
}

#[test]
fn another_key_proves_nothing() {
    let mut log = Log::new();
    log.append(3);
    log.sign();
    log.write();
    let other = Log::new();
    assert_eq!(verify(&log.dir, &other.vkey, &[]).status.code(), Some(1));
}

#[test]
fn files_that_are_not_there_are_no_verdict() {
    let mut log = Log::new();
    log.append(3);
    log.sign();
    log.write();
    assert_eq!(verify(Path::new("/nowhere"), &log.vkey, &[]).status.code(), Some(66));
    assert_eq!(verify(&log.dir, Path::new("/nowhere"), &[]).status.code(), Some(66));
    let no_key = log.dir.join("../no-key");
    fs::write(&no_key, "not a key").unwrap();
    assert_eq!(verify(&log.dir, &no_key, &[]).status.code(), Some(65));
}

/// The service is in the middle of a write when the auditor looks; by the next look it is done.
#[test]
fn a_half_written_end_is_read_again() {
    let mut log = Log::new();
    log.append(4);
    log.sign();
    log.append(1);
    log.write();
    let segment = log.segments().pop().unwrap();
    let whole = fs::read(&segment).unwrap();
    let end = whole.iter().rposition(|byte| *byte != 0).unwrap();
    let mut torn = whole.clone();
    torn[end - 4..=end].fill(0);
    fs::write(&segment, torn).unwrap();

    let writer = thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        fs::write(&segment, whole).unwrap();
    });
    let output = verify(&log.dir, &log.vkey, &[]);
    writer.join().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// A log that is appended to, rolled and signed anew all the time verifies at every look.
#[test]
fn a_live_log_verifies() {
    let mut log = Log::new();
    log.append(2);
    log.sign();
    log.write();
    let (dir, vkey) = (log.dir.clone(), log.vkey.clone());
    let looked = Arc::new(AtomicBool::new(false));
    let writer = thread::spawn({
        let looked = Arc::clone(&looked);
        move || {
            for round in 1.. {
                log.append(3);
                if round % 20 == 0 {
                    log.roll();
                    log.append(1);
                }
                if round % 2 == 0 {
                    log.sign();
                }
                log.write();
                if looked.load(Ordering::Relaxed) {
                    break;
                }
                thread::sleep(Duration::from_millis(5));
            }
            log
        }
    });
    let looks: Vec<Output> = (0..20).map(|_| verify(&dir, &vkey, &[])).collect();
    looked.store(true, Ordering::Relaxed);
    let log = writer.join().unwrap();
    for output in looks {
        assert!(output.status.success(), "{output:?}");
    }
    assert!(verify(&log.dir, &log.vkey, &[]).status.success());
}
