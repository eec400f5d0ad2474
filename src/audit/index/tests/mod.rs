//! The index answers as a plain scan of the log does, whatever happened to its files.

mod damage;
mod scan;

use super::{Folders, Index, Memory, Query, ReadSegment, file};
use chancery_audit::{
    merkle::{Frontier, leaf_hash},
    record::{Count, Kind, Principal, Record},
    segment::{Header, append_frame, file_name},
};
use prost::Message;
use std::{
    fs,
    ops::Range,
    path::PathBuf,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const SECOND: i64 = 1_000_000_000;

/// A log on disk, and its index.
struct Log {
    directory: TempDir,
    records: Vec<Record>,
    closed: Vec<ReadSegment>,
    /// The open segment's first record.
    open: u64,
}

impl Log {
    /// Writes records into segments that end at these indexes; the rest is open.
    fn write(mut records: Vec<Record>, mut ends: Vec<u64>) -> Self {
        let directory = TempDir::new().unwrap();
        fs::create_dir(directory.path().join("log")).unwrap();
        (0..).zip(&mut records).for_each(|(index, record)| record.index = index);
        let end = records.len() as u64;
        ends.retain(|at| (1..end).contains(at));
        ends.sort_unstable();
        ends.dedup();
        let mut log = Self { directory, records, closed: Vec::new(), open: 0 };
        let mut tree = Frontier::default();
        let mut first = 0;
        for (at, to) in ends.iter().chain([&end]).enumerate() {
            log.segment(&mut tree, first..*to);
            if at < ends.len() {
                log.closed.push(ReadSegment { first_index: first, records: to - first, root: tree.root() });
                first = *to;
            }
        }
        log.open = first;
        log
    }

    fn segment(&self, tree: &mut Frontier, range: Range<u64>) {
        let header = Header { first_index: range.start, origin_hash: [7; 32], tree_root: tree.root() };
        let mut bytes = header.encode().to_vec();
        for index in range.clone() {
            let record = self.records[usize::try_from(index).unwrap()].encode_to_vec();
            append_frame(&mut bytes, &record);
            tree.push(leaf_hash(&record));
        }
        if range.end == self.records.len() as u64 {
            bytes.extend_from_slice(&[0; 100]);
        }
        fs::write(self.directory.path().join("log").join(file_name(range.start)), bytes).unwrap();
    }

    fn folders(&self) -> Folders {
        Folders { log: self.directory.path().join("log"), index: self.directory.path().join("index") }
    }

    /// An index as a service's start makes it.
    fn index(&self) -> Index {
        let path = self.folders().log.join(file_name(self.open));
        let open = Memory::read(&path, self.open, self.records.len() as u64 - self.open).unwrap();
        Index::start(self.folders(), &self.closed, self.open, open)
    }

    /// The same, once every closed segment has its file.
    fn settled(&self) -> Index {
        let index = self.index();
        let deadline = Instant::now() + Duration::from_secs(60);
        while index.segments().closed.iter().any(|closed| {
            file::IndexFile::open(&index.folders.index, &closed.identity).is_err()
                || super::locked(&closed.memory).is_some()
        }) {
            assert!(Instant::now() < deadline, "the files are not written");
            std::thread::sleep(Duration::from_millis(2));
        }
        index
    }

    fn files(&self) -> Vec<PathBuf> {
        self.closed.iter().map(|of| self.folders().index.join(file::file_name(of.first_index))).collect()
    }

    /// What a plain scan finds.
    fn scan(&self, query: &Query) -> Vec<u64> {
        let mut found: Vec<_> =
            self.records.iter().filter(|record| query.wants(record)).map(|record| record.index).collect();
        if query.newest_first {
            found.reverse();
        }
        found
    }
}

/// What the index finds, page by page.
fn pages(index: &Index, query: &Query) -> Vec<u64> {
    let from = if query.newest_first { u64::MAX } else { 0 };
    let mut query = Query { from, ..query.clone() };
    let mut found = Vec::new();
    loop {
        let page = index.page(&query).unwrap();
        assert!(page.records.len() <= query.limit);
        found.extend(page.records.iter().map(|record| record.index));
        let Some(next) = page.next else { return found };
        assert!(if query.newest_first { next < query.from } else { next > query.from }, "it goes on");
        query.from = next;
    }
}

/// The nth record of a small world, in which a few organizations, keys and people meet.
fn record(seed: u64) -> Record {
    let pick = |shift: u32, of: &[&str]| of[usize::try_from(seed >> shift).unwrap_or(usize::MAX) % of.len()].to_owned();
    let organization = pick(3, &["org1", "org2", "org3"]);
    let kinds = [Kind::Outcome, Kind::Denial, Kind::Intent];
    let below =
        pick(9, &["", "/keys/a", "/keys/ab", "/keys/a/versions/1", "/keys/a/versions/2", "/keys/a/versions/1/x"]);
    let principal = (!seed.is_multiple_of(5)).then(|| Principal {
        organization: pick(1, &["org1", "org2", ""]),
        name: pick(7, &["peer0", "peer1", ""]),
        ..Principal::default()
    });
    let count =
        (seed.is_multiple_of(11)).then(|| Count { organization: pick(5, &["org1", "org3"]), ..Count::default() });
    Record {
        kind: kinds[usize::try_from(seed % 3).unwrap()].into(),
        principal,
        action: pick(4, &["Sign", "Verify", "CreateKey", ""]),
        resource: if seed.is_multiple_of(13) {
            "deployment".into()
        } else {
            format!("organizations/{organization}{below}")
        },
        outcome: i32::try_from(seed % 4).unwrap(),
        request_id: if seed.is_multiple_of(6) { format!("id-{}", seed % 17) } else { String::new() },
        // A clock that is set back now and then.
        time_unix_nanos: SECOND * i64::try_from(seed % 1000).unwrap(),
        count,
        ..Record::default()
    }
}
