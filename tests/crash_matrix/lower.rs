//! Cycles of the lower level: a process that writes a log is killed, its disk loses what it may, and the next one
//! recovers.

use crate::{
    disk::{Disk, Loss},
    plan::Plan,
    random::Random,
    recovered,
    shim::{Rule, Shim},
    table::Tally,
    writer,
};
use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Duration,
};
use tempfile::TempDir;

/// What no process takes to recover, to end, or to say the next thing.
const PATIENCE: Duration = Duration::from_secs(30);

/// One log over many crashes.
pub struct Life {
    directory: TempDir,
    key: PathBuf,
    pub shim: Shim,
    disk: Disk,
    random: Random,
    /// Of all that was released: the record.
    released: HashMap<u64, String>,
    /// Not released: their appends failed.
    pub refused: Vec<String>,
}

/// A process that has recovered and waits.
pub struct Writer {
    process: Child,
    lines: Receiver<String>,
    /// Bytes of a torn tail that it cut.
    pub cut: u64,
}

impl Writer {
    fn line(&self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("the writer hangs"),
        }
    }

    /// Lets it write.
    pub fn go(&mut self) {
        let _ = self.process.stdin.as_mut().unwrap().write_all(b"go\n");
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Life {
    pub fn new(seed: u64) -> Self {
        let directory = TempDir::new().unwrap();
        let key = writer::create(directory.path());
        let disk = Disk::read(&Self::watched(&directory));
        let shim = Shim::new(directory.path());
        Self { key, shim, disk, random: Random(seed), released: HashMap::new(), refused: Vec::new(), directory }
    }

    fn watched(directory: &TempDir) -> [PathBuf; 2] {
        ["audit", "data"].map(|name| directory.path().join(name))
    }

    /// Starts a process under these rules; `None`: it was killed before it had recovered.
    pub fn start(&mut self, rules: &[Rule]) -> Option<Writer> {
        self.shim.set(rules);
        let program = std::env::current_exe().unwrap();
        let mut process = Command::new(&program)
            .args(["--exact", "a_log_that_is_written_verifies", "--nocapture"])
            .env(writer::LOG, self.directory.path())
            .envs(self.shim.environment(&program, &Self::watched(&self.directory)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut writer = Writer { process, lines, cut: 0 };
        while let Some(line) = writer.line() {
            assert!(!line.starts_with("unreadable"), "the log was not recovered: {line}");
            if let Some((_, cut)) = line.strip_prefix("ready ").and_then(|rest| rest.split_once(' ')) {
                writer.cut = cut.parse().unwrap();
                return Some(writer);
            }
        }
        None
    }

    /// Notes what a process says, until `enough` says so or it ends; whether it ended.
    pub fn listen(&mut self, writer: &Writer, mut enough: impl FnMut(&str) -> bool) -> bool {
        while let Some(line) = writer.line() {
            if let Some((index, name)) = line.strip_prefix("released ").and_then(|rest| rest.split_once(' ')) {
                let before = self.released.insert(index.parse().unwrap(), name.to_owned());
                assert_eq!(before, None, "index {index} was given twice");
            } else if let Some((name, _)) = line.strip_prefix("refused ").and_then(|rest| rest.split_once(' ')) {
                self.refused.push(name.to_owned());
            }
            if enough(&line) {
                return false;
            }
        }
        true
    }

    /// Reads the log, in which everything that was released stands where it was said; how much that was, and the names
    /// of all records.
    pub fn check(&self) -> (u64, Vec<String>) {
        let (records, _) = recovered::read(&self.directory.path().join("audit"), &self.key);
        let names: Vec<_> = records.into_iter().map(|record| record.resource).collect();
        for (index, name) in &self.released {
            let found = names.get(usize::try_from(*index).unwrap());
            assert_eq!(found, Some(name), "record {index} was released, and the log has {}", names.len());
        }
        let mut unique: Vec<_> = names.iter().filter(|name| !name.is_empty()).collect();
        unique.sort();
        unique.dedup();
        assert!(unique.len() + 1 >= names.len(), "a record stands in the log twice");
        (self.released.len() as u64, names)
    }

    /// No record whose append was refused stands in the log: of processes that were not killed amid an append.
    pub fn nothing_refused_is_recorded(&self) {
        let (_, names) = self.check();
        let refused = self.refused.iter().find(|name| names.contains(name));
        assert_eq!(refused, None, "its append was refused, and it stands in the log");
    }

    /// The process is gone: what does the disk hold?
    pub fn ended(&mut self, loss: Option<Loss>) {
        self.disk.follow(self.shim.events(), &mut self.random);
        if let Some(loss) = loss {
            self.disk.lose_power(loss, &mut self.random);
        }
    }

    /// Starts, checks what recovered, writes, and dies as planned; what it found of the time before, and whether the point
    /// was reached.
    pub fn cycle(&mut self, plan: &Plan) -> (Tally, bool) {
        let rules = plan.rules();
        let mut found = Tally::default();
        let mut reached = true;
        if let Some(mut writer) = self.start(if plan.at_start { &rules } else { &[] }) {
            found = self.found(&writer);
            reached = false;
            if !plan.at_start {
                self.shim.set(&rules);
                writer.go();
                let mut done = false;
                self.listen(&writer, |line| {
                    done |= line == "done";
                    done
                });
                reached = !done;
            }
        }
        self.ended(plan.loss);
        (found, reached)
    }

    fn found(&self, writer: &Writer) -> Tally {
        Tally { torn: u64::from(writer.cut > 0), released: self.check().0, ..Tally::default() }
    }

    /// The last start, on a sound disk.
    pub fn end(&mut self) -> Tally {
        let writer = self.start(&[]).expect("nothing kills it");
        self.found(&writer)
    }
}
