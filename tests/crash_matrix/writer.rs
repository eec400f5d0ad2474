//! The lower level: a process that does nothing but write an audit log, as the service does it, on a disk that fails.
//!
//! It is this test program again, told by its environment where the log lies. On stdout it says `ready SIZE CUT` once it
//! has recovered, waits for a line, and from then on says `released INDEX NAME` for each record whose append succeeded,
//! `refused NAME` for each other.

use aws_lc_rs::signature::Ed25519KeyPair;
use chancery::audit::{self, AuditLog, Draft, Places, Shares, Users};
use chancery_audit::{
    checkpoint::{Checkpoint, VerifierKey},
    record::Genesis,
};
use std::{
    fs,
    io::{self, BufRead, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Where the log is that the process writes.
pub const LOG: &str = "CRASH_MATRIX_LOG";
/// So small that a segment is full after a few dozen records.
const SEGMENT_BYTES: u64 = 8 << 10;
/// What the disk may take for an append.
pub const DEADLINE: Duration = Duration::from_secs(2);
const TASKS: u64 = 4;
/// As many records, and the process ends by itself.
const ENOUGH: u64 = 250;

pub struct Key {
    pair: Ed25519KeyPair,
    pub verifier: VerifierKey,
}

/// The key that signs the log's checkpoints.
pub fn key() -> Key {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let public = aws_lc_rs::signature::KeyPair::public_key(&pair).as_ref();
    // SubjectPublicKeyInfo of an Ed25519 key, RFC 8410 §4.
    let spki = [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00], public].concat();
    let verifier = VerifierKey::from_spki("crash-matrix", &spki).unwrap();
    Key { pair, verifier }
}

impl Key {
    fn note(&self, checkpoint: &Checkpoint) -> String {
        self.verifier.sign_note(checkpoint, self.pair.sign(checkpoint.text().as_bytes()).as_ref())
    }
}

pub fn places(directory: &Path) -> Places {
    let data = directory.join("data");
    Places {
        directory: directory.join("audit"),
        durable: data.join("log-durable-size"),
        tiles: data.join("tiles"),
        index: data.join("index"),
    }
}

/// Makes a log with a first record and its checkpoint; where its public key lies.
pub fn create(directory: &Path) -> PathBuf {
    let (key, places) = (key(), places(directory));
    fs::create_dir_all(directory.join("data")).unwrap();
    let genesis = Genesis {
        deployment: "crash-matrix".into(),
        origins: vec![key.verifier.name().into()],
        audit_vkey: key.verifier.to_string(),
        ..Genesis::default()
    };
    let checkpoint = audit::create(&places, &key.verifier, vec![Draft::genesis(genesis)]).unwrap();
    audit::write_first_checkpoint(&places, &key.note(&checkpoint)).unwrap();
    let path = directory.join("audit.vkey");
    fs::write(&path, format!("{}\n", key.verifier)).unwrap();
    path
}

fn say(line: &str) {
    // Not println: the test harness would hold it back.
    io::stdout().lock().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Recovers the log, waits for a line, and writes until it is killed or it is enough.
pub async fn write(directory: &Path) {
    let (key, places) = (key(), places(directory));
    let read = audit::read(&places, &key.verifier, SEGMENT_BYTES, None, |_| {}).unwrap_or_else(|error| {
        say(&format!("unreadable {error}"));
        std::process::exit(74);
    });
    let cut = read.cut_bytes;
    let log = Arc::new(AuditLog::start(read.tail, None, Users::default(), Arc::new(Shares::default()), DEADLINE));
    say(&format!("ready {} {cut}", log.tree().0));
    io::stdin().lock().read_line(&mut String::new()).unwrap();
    let begin = log.tree().0;
    let written = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (log, written) = (Arc::clone(&log), Arc::clone(&written));
            tokio::spawn(async move {
                let mut number = 0;
                while written.load(Ordering::Relaxed) < ENOUGH {
                    number += 1;
                    let padding = "x".repeat((number * 37 + task * 101) as usize % 700);
                    let name = format!("{begin}-{task}-{number}-{padding}");
                    match log.append(Draft::state_change("Write", &[]).resource(&name)).await {
                        Ok(index) => {
                            written.fetch_add(1, Ordering::Relaxed);
                            say(&format!("released {index} {name}"));
                        }
                        Err(error) => {
                            say(&format!("refused {name} {error}"));
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                    }
                }
            })
        })
        .collect();
    let checkpoints = tokio::spawn({
        let log = Arc::clone(&log);
        async move {
            loop {
                let (size, root) = log.tree();
                let note = key.note(&Checkpoint { origin: key.verifier.name().to_owned(), size, root });
                if let Err(error) = audit::write_first_checkpoint(&places, &note) {
                    say(&format!("unsigned {size} {error}"));
                }
                log.probe().await;
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
        }
    });
    for task in tasks {
        task.await.unwrap();
    }
    log.close().await;
    checkpoints.abort();
    say("done");
}
