//! Start-up with an audit log that is missing, damaged, cut or another's: refused, and `audit verify` agrees.

use crate::{
    attempt::{Kept, copy, start},
    harness::{Deployment, expect_code},
};
use chancery_audit::segment::Frames;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

/// The only segment of a young log.
fn segment(deployment: &Deployment) -> PathBuf {
    deployment.dir().join("audit/00000000000000000000.seg")
}

/// A stopped deployment, its segment, and where each frame begins; the last is where the data end.
fn stopped() -> (Deployment, PathBuf, Vec<usize>) {
    let mut deployment = Deployment::start();
    deployment.stop();
    let path = segment(&deployment);
    let bytes = fs::read(&path).unwrap();
    let (_, mut frames) = Frames::new(&bytes).unwrap();
    let mut offsets: Vec<_> = frames.by_ref().map(|frame| frame.unwrap().offset).collect();
    offsets.push(frames.end_offset());
    (deployment, path, offsets)
}

fn flip(path: &Path, offset: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset] ^= 0x20;
    fs::write(path, bytes).unwrap();
}

/// `audit verify` fails and says `word`.
#[track_caller]
fn unverified(output: &Output, word: &str) {
    expect_code(output, 1);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains(word), "{word:?} is missing in: {text}");
}

#[test]
fn one_changed_byte_is_refused_and_its_record_named() {
    let (deployment, path, offsets) = stopped();
    let whole = Kept::new(deployment.dir());
    let last = offsets.len() - 2;
    let cases = [
        ("magic", 3, 0),
        ("version", 9, 0),
        ("first index", 13, 0),
        ("origin", 30, 0),
        ("tree root", 60, 0),
        ("header's checksum", 86, 0),
        ("first record's length", offsets[0], 0),
        ("first record", offsets[0] + 20, 0),
        ("a length", offsets[5], 5),
        ("a length's high byte", offsets[5] + 3, 5),
        ("a checksum", offsets[5] + 5, 5),
        ("a record's first byte", offsets[5] + 8, 5),
        ("a record", offsets[5] + 30, 5),
        ("a record's last byte", offsets[6] - 1, 5),
        ("the last length", offsets[last], last),
        ("the last checksum", offsets[last] + 4, last),
        ("the last record's last byte", offsets[last + 1] - 1, last),
    ];
    for (what, offset, record) in cases {
        flip(&path, offset);
        let name = format!("record {record}");
        unverified(&deployment.verify_log(), &name);
        let attempt = start(&deployment);
        assert!(!attempt.served, "{what}");
        attempt.refused(74, &["audit log", &name]);
        whole.restore();
    }
    start(&deployment).served();
}

/// Bytes after the last durable record are the one thing that the service itself puts right, and says so; the verifier
/// takes them for damage.
#[test]
fn what_follows_the_last_durable_record_is_cut_at_start() {
    let (deployment, path, offsets) = stopped();
    let (end, next) = (offsets[offsets.len() - 1], format!("record {}", offsets.len() - 1));
    let whole = Kept::new(deployment.dir());
    assert!(fs::metadata(&path).unwrap().len() > end as u64 + 5000, "zeros are reserved");
    for at in [0, 1, 3, 4, 5000] {
        flip(&path, end + at);
        unverified(&deployment.verify_log(), &next);
        let attempt = start(&deployment);
        attempt.served();
        assert!(attempt.stderr.contains("torn record"), "{}", attempt.stderr);
        expect_code(&deployment.verify_log(), 0);
        whole.restore();
    }
    // Half of a frame, as a crash in the midst of a write leaves it.
    let mut bytes = fs::read(&path).unwrap();
    let frame = bytes[offsets[3]..offsets[4]].to_vec();
    bytes[end..end + frame.len() / 2].copy_from_slice(&frame[..frame.len() / 2]);
    fs::write(&path, bytes).unwrap();
    unverified(&deployment.verify_log(), &next);
    start(&deployment).served();
    expect_code(&deployment.verify_log(), 0);
}

#[test]
fn a_log_cut_below_its_durable_size_is_refused() {
    let (deployment, path, offsets) = stopped();
    let whole = Kept::new(deployment.dir());
    let records = offsets.len() - 1;
    for (length, record) in
        [(offsets[records] - 1, records - 1), (offsets[records - 1], records - 1), (offsets[4] + 3, 4), (88, 0)]
    {
        fs::File::options().write(true).open(&path).unwrap().set_len(length as u64).unwrap();
        unverified(&deployment.verify_log(), &format!("record {record}"));
        start(&deployment).refused(74, &["audit log", &format!("record {record}")]);
        whole.restore();
    }
    fs::write(&path, b"CHANC").unwrap();
    unverified(&deployment.verify_log(), "record 0");
    start(&deployment).refused(74, &["record 0"]);
}

/// Records that no checkpoint signs yet are protected by the durable size alone.
#[test]
fn records_after_the_checkpoint_are_not_cut_either() {
    let (mut deployment, path, _) = stopped();
    let checkpoint = Kept::new(deployment.dir().join("audit/checkpoint"));
    deployment.serve();
    deployment.kill();
    checkpoint.restore();
    let whole = Kept::new(deployment.dir());
    let bytes = fs::read(&path).unwrap();
    let frames: Vec<_> = Frames::new(&bytes).unwrap().1.map(Result::unwrap).collect();
    let last = frames.last().unwrap();
    expect_code(&deployment.verify_log(), 0);
    flip(&path, last.offset + 8);
    start(&deployment).refused(74, &[&format!("record {}", last.index), "durable"]);
    whole.restore();
    fs::File::options().write(true).open(&path).unwrap().set_len(last.offset as u64).unwrap();
    start(&deployment).refused(74, &[&format!("record {}", last.index), "durable"]);
    whole.restore();
    start(&deployment).served();
}

#[test]
fn a_log_that_is_missing_or_strange_is_refused() {
    let (deployment, path, _) = stopped();
    let whole = Kept::new(deployment.dir());
    let audit = deployment.dir().join("audit");

    fs::remove_dir_all(&audit).unwrap();
    start(&deployment).refused(74, &["/audit", "chanceryd init"]);
    assert!(!audit.exists(), "a log is never made by accident");
    fs::create_dir(&audit).unwrap();
    start(&deployment).refused(74, &["no audit log in"]);
    unverified(&deployment.verify_log(), "checkpoint");
    whole.restore();

    fs::remove_file(&path).unwrap();
    start(&deployment).refused(74, &["no audit log in"]);
    whole.restore();

    fs::write(audit.join("notes.txt"), "mine").unwrap();
    start(&deployment).refused(74, &["notes.txt"]);
    unverified(&deployment.verify_log(), "notes.txt");
    whole.restore();

    copy(&path, &audit.join("00000000000000000003.seg"));
    start(&deployment).refused(74, &["record"]);
    unverified(&deployment.verify_log(), "record");
    whole.restore();

    fs::remove_file(audit.join("checkpoint")).unwrap();
    start(&deployment).refused(74, &["checkpoint"]);
    unverified(&deployment.verify_log(), "checkpoint");
    whole.restore();

    fs::remove_file(deployment.dir().join("data/log-durable-size")).unwrap();
    start(&deployment).refused(74, &["log-durable-size"]);
    whole.restore();
    start(&deployment).served();
}

#[test]
fn the_log_of_another_deployment_is_refused() {
    let ((deployment, path, _), (other, other_path, _)) = (stopped(), stopped());
    let whole = Kept::new(deployment.dir());
    let replace = |name: &str| {
        let to = deployment.dir().join(name);
        if to.is_dir() {
            fs::remove_dir_all(&to).unwrap()
        } else {
            fs::remove_file(&to).unwrap()
        }
        copy(&other.dir().join(name), &to);
    };
    replace("audit");
    start(&deployment).refused(74, &["audit log", "another deployment"]);
    unverified(&deployment.verify_log(), "checkpoint");
    whole.restore();

    replace("audit/checkpoint");
    start(&deployment).refused(74, &["checkpoint"]);
    unverified(&deployment.verify_log(), "checkpoint");
    whole.restore();

    fs::copy(&other_path, &path).unwrap();
    start(&deployment).refused(74, &["record 0"]);
    unverified(&deployment.verify_log(), "record 0");
    whole.restore();

    // The other's log with its key: the configuration's origin tells.
    replace("audit");
    replace("audit.vkey");
    start(&deployment).refused(74, &["audit.vkey"]);
    // Even when that is edited too, the store is of this deployment.
    let (from, to) = (origin(&deployment), origin(&other));
    crate::attempt::edit(&deployment.dir().join("chancery.toml"), &from, &to);
    start(&deployment).refused(74, &["store", "deployment"]);
    // And if the store comes along, the token is of this one.
    replace("data");
    start(&deployment).refused(69, &["token", "deployment"]);
}

fn origin(deployment: &Deployment) -> String {
    let text = fs::read_to_string(deployment.dir().join("chancery.toml")).unwrap();
    text.lines().find(|line| line.starts_with("origin")).unwrap().to_owned()
}
