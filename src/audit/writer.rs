//! The one thread that writes the log: group commit.
//!
//! **Invariants**: a record's answer goes out after the sync that made it durable. While the disk does not take
//! records, every append fails at once, and the disk is tried again each second.

use super::{AuditError, Job, Shared, Stored, files::Tail};
use crate::enclave::Witness;
use chancery_audit::{record::Record, segment::MAX_RECORD};
use prost::Message;
use std::{
    sync::{Arc, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio::sync::mpsc::Receiver;

/// Records and bytes that share one sync at most.
const BATCH_RECORDS: usize = 1024;
const BATCH_BYTES: usize = 4 << 20;
const RETRY: Duration = Duration::from_secs(1);

/// Random bytes for records' salts, drawn a page at a time.
struct Salts {
    bytes: [u8; 4096],
    used: usize,
}

impl Salts {
    fn next(&mut self) -> Result<Vec<u8>, AuditError> {
        if self.used + 16 > self.bytes.len() {
            getrandom::fill(&mut self.bytes).map_err(|error| AuditError::Unwritable(error.to_string()))?;
            self.used = 0;
        }
        self.used += 16;
        Ok(self.bytes[self.used - 16..self.used].to_vec())
    }
}

pub(super) fn spawn(tail: Tail, mut queue: Receiver<Job>, shared: Arc<Shared>) {
    let work = move || {
        let mut writer = Writer { tail, shared, salts: Salts { bytes: [0; 4096], used: 4096 }, fault: None };
        let mut jobs = Vec::new();
        loop {
            jobs.extend(queue.blocking_recv());
            if jobs.is_empty() {
                return;
            }
            while jobs.len() < BATCH_RECORDS
                && let Ok(job) = queue.try_recv()
            {
                jobs.push(job);
            }
            writer.shared.condition.begin();
            writer.write(std::mem::take(&mut jobs));
            writer.shared.condition.end();
        }
    };
    // Without its thread no record is written, so nothing is released.
    if let Err(error) = std::thread::Builder::new().name("audit-log".into()).spawn(work) {
        tracing::error!(%error, "the audit log's thread can't be started");
    }
}

struct Writer {
    tail: Tail,
    shared: Arc<Shared>,
    salts: Salts,
    /// Why the last append failed, and when the disk was tried last.
    fault: Option<(AuditError, Instant)>,
}

impl Writer {
    fn write(&mut self, jobs: Vec<Job>) {
        let closed = self.shared.closed.load(Ordering::Acquire).then_some(AuditError::Stopped);
        if let Some(error) = closed.or_else(|| self.still_broken()) {
            jobs.into_iter().for_each(|job| drop(job.reply.send(Err(error.clone()))));
            return;
        }
        let mut batch = Vec::with_capacity(jobs.len());
        let mut bytes = 0;
        for mut job in jobs {
            let Some(record) = &mut job.record else {
                // Nothing stands against writing: whoever waits for the log to heal may go on.
                self.shared.condition.sound();
                let _ = job.reply.send(Ok(Stored { index: self.tail.tree.size(), record: Vec::new() }));
                continue;
            };
            match self.encode(record, self.tail.tree.size() + batch.len() as u64) {
                Ok(record) => {
                    bytes += record.len();
                    batch.push((job, record));
                }
                Err(error) => drop(job.reply.send(Err(error))),
            }
            if bytes >= BATCH_BYTES {
                self.commit(std::mem::take(&mut batch));
                bytes = 0;
            }
        }
        self.commit(batch);
    }

    fn encode(&mut self, record: &mut Record, index: u64) -> Result<Vec<u8>, AuditError> {
        record.index = index;
        record.time_unix_nanos = jiff::Timestamp::now().as_nanosecond().try_into().unwrap_or(i64::MAX);
        record.salt = self.salts.next()?;
        let bytes = record.encode_to_vec();
        if bytes.len() > MAX_RECORD { Err(AuditError::TooLong(bytes.len())) } else { Ok(bytes) }
    }

    fn commit(&mut self, batch: Vec<(Job, Vec<u8>)>) {
        if batch.is_empty() {
            return;
        }
        let first = self.tail.tree.size();
        let (jobs, records): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let result = match &self.fault {
            Some((error, _)) => Err(error.clone()),
            None => self.tail.append(&records).map_err(|error| AuditError::Unwritable(error.to_string())),
        };
        match result {
            Ok(offsets) => {
                let (segment, before) = self.tail.segment();
                let written = jobs.iter().filter_map(|job| job.record.as_deref());
                self.shared.index.extend(segment, before, written.zip(offsets));
                let written = jobs.iter().filter_map(|job| job.record.as_deref());
                self.shared.shares.add(written.zip(records.iter().map(Vec::len)));
                let mut users = self.shared.users.lock().unwrap_or_else(PoisonError::into_inner);
                jobs.iter().filter_map(|job| job.record.as_ref()).for_each(|record| users.add(record));
                drop(users);
                self.shared.condition.sound();
                for ((job, record), index) in jobs.into_iter().zip(records).zip(first..) {
                    // From here on its number is taken; of any other job it is owed again once that is dropped.
                    job.witness.into_iter().for_each(Witness::recorded);
                    let _ = job.reply.send(Ok(Stored { index, record }));
                }
            }
            Err(error) => {
                tracing::error!(%error, "the audit log can't be written");
                self.shared.condition.broken(&error);
                if self.fault.is_none() {
                    self.tail.take_back();
                }
                self.fault = Some((error.clone(), Instant::now()));
                jobs.into_iter().for_each(|job| drop(job.reply.send(Err(error.clone()))));
            }
        }
    }

    /// The fault that stands, after trying to mend it at most once a second.
    fn still_broken(&mut self) -> Option<AuditError> {
        let (error, tried) = self.fault.as_mut()?;
        if tried.elapsed() < RETRY {
            return Some(error.clone());
        }
        *tried = Instant::now();
        match self.tail.repair() {
            Ok(()) => {
                tracing::info!("the audit log can be written again");
                self.fault = None;
                None
            }
            Err(problem) => {
                *error = AuditError::Unwritable(problem.to_string());
                self.shared.condition.broken(&*error);
                Some(error.clone())
            }
        }
    }
}
