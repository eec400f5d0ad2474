//! One page of records, from the newest or the oldest on.
//!
//! **Invariants**: only records that were durable when the page was asked for are given, and each of them is wanted by
//! itself, whatever the index says. Pages go on from numbers of records, so that a log that grows moves none of them.

use super::{
    Closed, Index, Open, Segments,
    file::IndexFile,
    locked,
    memory::Memory,
    postings::{BLOCK, Block, Damaged, Found, Postings, Wanted, find},
    segment::Reader,
    terms,
};
use chancery_audit::{record::Record, segment::file_name};
use prost::Message;
use std::{
    mem,
    sync::{Arc, PoisonError, RwLock},
};

/// Steps in the index, and records read, for one page at most.
const STEPS: u32 = 50_000;
const READS: u32 = 10_000;
/// Steps while the writer waits for its turn.
const LOCKED_STEPS: u32 = 4096;
/// A page is full with so many bytes of records, or a byte less than the longest more.
const PAGE_BYTES: usize = 2 << 20;

/// A defect.
const CONTRADICTION: &str = "an index in memory contradicts itself";

/// Which records are wanted.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Only records whose principal, resource or count is of this organization.
    pub organization: String,
    /// From this index on; newest first: below it.
    pub from: u64,
    /// At most so many.
    pub limit: usize,
    /// From the newest record to the oldest.
    pub newest_first: bool,
    /// Only of this key or key version.
    pub key: Option<String>,
    /// Only of this principal's id in the organization of that id.
    pub principal: Option<(String, String)>,
    /// Only since then, nanoseconds since the Unix epoch.
    pub since: Option<i64>,
    /// Only before then.
    pub until: Option<i64>,
    /// Only of this action.
    pub action: Option<String>,
    /// Only of this outcome, by its number.
    pub outcome: Option<i32>,
    /// Only of this request id.
    pub request_id: Option<String>,
}

/// A page of records.
#[derive(Debug, Default)]
pub struct Page {
    /// The records, in the order that was asked for.
    pub records: Vec<Record>,
    /// From where the next page goes on; `None`: every durable record was looked at.
    pub next: Option<u64>,
    /// How many records were durable.
    pub end: u64,
}

/// Whether `resource` is `name` or lies below it.
fn is_within(resource: &str, name: &str) -> bool {
    resource.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a record is of the organization with this id: by its principal, its resource, or what it counts.
pub fn concerns(record: &Record, organization: &str) -> bool {
    terms::organizations(record).any(|id| id == organization)
}

impl Query {
    /// Whether a record is wanted.
    pub(super) fn wants(&self, record: &Record) -> bool {
        let is = |wanted: &Option<String>, found: &String| wanted.as_ref().is_none_or(|wanted| wanted == found);
        concerns(record, &self.organization)
            && self.key.as_ref().is_none_or(|key| is_within(&record.resource, key))
            && self.principal.as_ref().is_none_or(|(organization, name)| {
                record.principal.as_ref().is_some_and(|by| (&by.organization, &by.name) == (organization, name))
            })
            && self.since.is_none_or(|since| record.time_unix_nanos >= since)
            && self.until.is_none_or(|until| record.time_unix_nanos < until)
            && is(&self.action, &record.action)
            && self.outcome.is_none_or(|outcome| record.outcome == outcome)
            && is(&self.request_id, &record.request_id)
    }

    fn wanted(&self) -> Wanted {
        Wanted {
            terms: terms::of_query(self),
            newest_first: self.newest_first,
            since: self.since.unwrap_or(i64::MIN),
            until: self.until,
        }
    }
}

/// A segment as one query sees it.
enum Source<'i> {
    Closed(&'i Arc<Closed>),
    Open(&'i Open),
}

impl Source<'_> {
    fn first_index(&self) -> u64 {
        match self {
            Self::Closed(closed) => closed.identity.first_index,
            Self::Open(open) => open.first_index,
        }
    }

    /// The record after its last; an open one has no last.
    fn end(&self) -> u64 {
        match self {
            Self::Closed(closed) => self.first_index() + u64::from(closed.identity.records),
            Self::Open(_) => u64::MAX,
        }
    }
}

impl Segments {
    /// The segments from the one of record `from` on; newest first: from the one that the record before `from` is in, to
    /// the first.
    fn sources(&self, from: u64, newest_first: bool) -> Vec<Source<'_>> {
        let closed = self.closed.iter().map(Source::Closed);
        let mut all: Vec<_> = closed.chain([Source::Open(&self.open)]).collect();
        let after = all.partition_point(|source| source.first_index() <= from.saturating_sub(u64::from(newest_first)));
        if newest_first {
            all.truncate(after);
            all.reverse();
        } else {
            all.drain(..after.saturating_sub(1));
        }
        all
    }
}

/// What one page may still cost.
struct Budget {
    steps: u32,
    reads: u32,
    /// An index was made again: the next one is the next page's.
    rebuilt: bool,
}

/// A position in a segment for a place in the log.
fn position(place: u64, first_index: u64) -> u32 {
    u32::try_from(place.saturating_sub(first_index)).unwrap_or(u32::MAX)
}

impl Index {
    /// Candidates of a segment; `None`: its index must be made again, and that is for the next page.
    fn find(&self, source: &Source, wanted: &Wanted, from: u64, budget: &mut Budget) -> Result<Option<Found>, String> {
        let from = position(from, source.first_index());
        let in_memory = |memory: &RwLock<Memory>, budget: &mut Budget| {
            let memory = memory.read().unwrap_or_else(PoisonError::into_inner);
            let allowed = budget.steps.min(LOCKED_STEPS);
            let mut left = allowed;
            let found = find(&mut &*memory, wanted, from.min(memory.records()), &mut left);
            budget.steps -= allowed - left;
            found.map_err(|Damaged| CONTRADICTION.to_owned())
        };
        let closed = match source {
            Source::Open(open) => return in_memory(&open.memory, budget).map(Some),
            Source::Closed(closed) => closed,
        };
        let unwritten = locked(&closed.memory).clone();
        if let Some(memory) = unwritten {
            return in_memory(&memory, budget).map(Some);
        }
        let from = from.min(closed.identity.records);
        let found = IndexFile::open(&self.folders.index, &closed.identity)
            .and_then(|mut file| find(&mut file, wanted, from, &mut budget.steps));
        if let Ok(found) = found {
            return Ok(Some(found));
        }
        if mem::replace(&mut budget.rebuilt, true) {
            return Ok(None);
        }
        let memory = self.made_again(closed)?;
        in_memory(&memory, budget).map(Some)
    }
}

impl Index {
    /// A block of a segment.
    fn block(&self, source: &Source, number: u32) -> Result<Block, String> {
        let memory = match source {
            Source::Open(open) => Arc::clone(&open.memory),
            Source::Closed(closed) => {
                let file = IndexFile::open(&self.folders.index, &closed.identity);
                match file.and_then(|mut file| file.block(number)) {
                    Ok(block) => return Ok(block),
                    Err(Damaged) => self.made_again(closed)?,
                }
            }
        };
        let memory = memory.read().unwrap_or_else(PoisonError::into_inner);
        (&mut &*memory).block(number).map_err(|Damaged| CONTRADICTION.to_owned())
    }

    /// A closed segment's index in memory, where its file is of no use; the file is made again from it.
    fn made_again(&self, closed: &Arc<Closed>) -> Result<Arc<RwLock<Memory>>, String> {
        let memory = closed.in_memory(&self.folders)?;
        // Without the thread that writes, it stays in memory.
        let _ = self.unwritten.send(Arc::clone(closed));
        Ok(memory)
    }
}

/// See [`Index::stored`].
pub(super) fn stored(index: &Index, record: u64) -> Result<Option<Vec<u8>>, String> {
    let end = *index.end.borrow();
    let segments = index.segments();
    let sources = segments.sources(record, false);
    let Some(source) = sources.first().filter(|source| record < end && source.first_index() <= record) else {
        return Ok(None);
    };
    let first_index = source.first_index();
    let number = position(record, first_index) / BLOCK;
    let block = index.block(source, number)?;
    let mut reader = Reader::open(&index.folders.log.join(file_name(first_index)), first_index)?;
    let bytes = reader.record(record, (first_index + u64::from(number * BLOCK), block.offset))?;
    Ok(Some(bytes.to_vec()))
}

/// See [`Index::page`].
pub(super) fn page(index: &Index, query: &Query) -> Result<Page, String> {
    // In this order: what the segments have beyond `end` came later.
    let end = *index.end.borrow();
    let segments = index.segments();
    let wanted = query.wanted();
    let from = if query.newest_first { query.from.min(end) } else { query.from };
    let mut pager = Pager { index, query, wanted, page: Page { end, ..Page::default() }, bytes: 0 };
    let mut budget = Budget { steps: STEPS, reads: READS, rebuilt: false };
    for source in segments.sources(from, query.newest_first) {
        let place = if query.newest_first { from.min(source.end()) } else { from.max(source.first_index()) };
        if pager.segment(&source, place, &mut budget)? {
            break;
        }
    }
    Ok(pager.page)
}

/// A page in the making.
struct Pager<'q> {
    index: &'q Index,
    query: &'q Query,
    wanted: Wanted,
    page: Page,
    bytes: usize,
}

impl Pager<'_> {
    /// Takes what is wanted of a segment from a place on. Whether the page ends there.
    fn segment(&mut self, source: &Source, from: u64, budget: &mut Budget) -> Result<bool, String> {
        let first_index = source.first_index();
        let mut reader = None;
        let mut place = from;
        loop {
            let Some(found) = self.index.find(source, &self.wanted, place, budget)? else {
                return Ok(self.stop(place));
            };
            for candidate in found.candidates {
                let record = first_index + u64::from(candidate.position);
                let here = record + u64::from(self.query.newest_first);
                if record >= self.page.end && !self.query.newest_first {
                    return Ok(true);
                }
                if budget.reads == 0 || self.page.records.len() >= self.query.limit || self.bytes >= PAGE_BYTES {
                    return Ok(self.stop(here));
                }
                budget.reads -= 1;
                if reader.is_none() {
                    let path = self.index.folders.log.join(file_name(first_index));
                    reader = Some(Reader::open(&path, first_index)?);
                }
                let Some(reader) = &mut reader else { continue };
                let block = u64::from(candidate.position - candidate.position % BLOCK);
                let stored = reader.record(record, (first_index + block, candidate.block_offset))?;
                let decoded = Record::decode(stored).map_err(|error| error.to_string())?;
                if self.query.wants(&decoded) {
                    self.bytes += stored.len();
                    self.page.records.push(decoded);
                }
            }
            let Some(next) = found.next else { return Ok(false) };
            place = first_index + u64::from(next);
            if budget.steps == 0 {
                return Ok(self.stop(place));
            }
        }
    }

    /// The page ends; the next goes on at this place. Always true.
    fn stop(&mut self, place: u64) -> bool {
        let more = if self.query.newest_first { place > 0 } else { place < self.page.end };
        self.page.next = more.then_some(place);
        true
    }
}
