//! The log in tests/golden/v1, written by the first release: it stays readable, and docs/audit-log.md shows its bytes.
//!
//! `CHANCERY_WRITE_GOLDEN=1` writes it anew; do that only before a format's first release.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use chancery_audit::checkpoint::VerifierKey;
use chancery_audit::merkle::leaf_hash;
use chancery_audit::receipt::{encode as encode_receipt, verify as verify_receipt};
use chancery_audit::segment::{CHECKPOINT_FILE, Frames, file_name};
use chancery_audit::verify::Verifier;

use crate::sample::{self, encode};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1")
}

/// Two records of the sample: its genesis and a count, and 16 zeroes.
fn tiny() -> (Vec<u8>, String) {
    let sample = sample::records();
    let mut records = vec![sample[0].clone(), sample[7].clone()];
    records[1].index = 1;
    let records = encode(&records);
    let (_, segment) = sample::files(&records, &[], 16).remove(0);
    (segment, sample::note(&sample::checkpoint(&records)))
}

#[test]
fn the_golden_log_verifies() {
    let dir = golden();
    if std::env::var_os("CHANCERY_WRITE_GOLDEN").is_some() {
        let (segment, note) = tiny();
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(file_name(0)), segment).unwrap();
        fs::write(dir.join(CHECKPOINT_FILE), note).unwrap();
        fs::write(dir.join("audit.vkey"), format!("{}\n", sample::key())).unwrap();
    }
    let key: VerifierKey = fs::read_to_string(dir.join("audit.vkey")).unwrap().parse().unwrap();
    let note = fs::read_to_string(dir.join(CHECKPOINT_FILE)).unwrap();
    let segment = fs::read(dir.join(file_name(0))).unwrap();

    let mut verifier = Verifier::new(key, &note).unwrap();
    verifier.segment(&file_name(0), &segment).unwrap();
    let report = verifier.finish().unwrap();
    assert_eq!((report.records, report.past_checkpoint), (2, 0));

    assert_eq!((segment, note), tiny(), "what is written today differs from version 1");
}

#[test]
fn the_golden_receipt_verifies() {
    let dir = golden();
    let records = {
        let segment = fs::read(dir.join(file_name(0))).unwrap();
        let (_, frames) = Frames::new(&segment).unwrap();
        frames.map(|frame| frame.unwrap().record.to_vec()).collect::<Vec<_>>()
    };
    let note = fs::read_to_string(dir.join(CHECKPOINT_FILE)).unwrap();
    let written = encode_receipt(Some(&records[1]), 1, &[leaf_hash(&records[0])], &note);
    if std::env::var_os("CHANCERY_WRITE_GOLDEN").is_some() {
        fs::write(dir.join("receipt"), &written).unwrap();
    }
    let receipt = fs::read_to_string(dir.join("receipt")).unwrap();
    let logged = verify_receipt(&receipt, &sample::key()).unwrap();
    assert_eq!((logged.stored, logged.checkpoint.size), (records[1].clone(), 2));
    assert_eq!(receipt, written, "what is written today differs from version 1");
}

#[test]
fn the_specification_shows_the_golden_log() {
    let dir = golden();
    let spec = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/audit-log.md")).unwrap();
    let segment = fs::read(dir.join(file_name(0))).unwrap();
    let (_, frames) = Frames::new(&segment).unwrap();
    let leaves = frames.map(|frame| hex::encode(leaf_hash(frame.unwrap().record)));
    let texts = ["audit.vkey", CHECKPOINT_FILE, "receipt"].map(|file| fs::read_to_string(dir.join(file)).unwrap());
    for shown in leaves.chain(texts).chain([hexdump(&segment)]) {
        assert!(spec.contains(&shown), "docs/audit-log.md lacks:\n{shown}");
    }
}

/// As `hexdump -C` prints it, without its last line.
fn hexdump(bytes: &[u8]) -> String {
    let mut dump = String::new();
    for (number, row) in bytes.chunks(16).enumerate() {
        let half = |half: &[u8]| half.iter().map(|b| format!("{b:02x} ")).collect::<String>();
        let (left, right) = row.split_at(row.len().min(8));
        let text: String = row.iter().map(|b| if (0x20..0x7f).contains(b) { char::from(*b) } else { '.' }).collect();
        writeln!(dump, "{:08x}  {:24} {:24} |{text}|", number * 16, half(left), half(right)).unwrap();
    }
    dump
}
