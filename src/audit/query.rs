//! Reading durable records back, a page at a time.
//!
//! **Invariant**: only records that were durable when the page was asked for are read.

use chancery_audit::{
    record::Record,
    segment::{Frames, MAX_RECORD, file_name},
};
use prost::Message;
use std::{fs::File, os::unix::fs::FileExt, path::Path};

/// Every so many records, where one stands is remembered.
const STRIDE: u64 = 256;
/// Bytes read at a time: at least two of the longest records.
const WINDOW: usize = 2 * MAX_RECORD + 64;
/// Records looked at for one page at most.
const SCAN: u64 = 50_000;
/// A page is full with so many bytes of records.
const PAGE_BYTES: usize = 4 << 20;

/// Where records stand, sparsely.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    places: Vec<Place>,
    /// Durable records.
    pub(super) end: u64,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    record: u64,
    segment: u64,
    offset: u64,
}

impl Index {
    /// Notes where a record stands, if it is one of those remembered: every [`STRIDE`]th, and each segment's first.
    pub(super) fn add(&mut self, record: u64, segment: u64, offset: u64) {
        if record.is_multiple_of(STRIDE) || record == segment {
            self.places.push(Place { record, segment, offset });
        }
    }

    /// Takes over what a longer index of the same log has more.
    pub(super) fn extend_from(&mut self, longer: &Self) {
        self.places.extend_from_slice(&longer.places[self.places.len()..]);
        self.end = longer.end;
    }

    fn place(&self, record: u64) -> Option<Place> {
        let after = self.places.partition_point(|place| place.record <= record);
        after.checked_sub(1).map(|at| self.places[at])
    }

    fn next_segment(&self, after: u64) -> Option<Place> {
        let at = self.places.partition_point(|place| place.segment <= after);
        self.places.get(at).copied()
    }
}

/// Which records are wanted.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Only records whose principal or resource is of this organization.
    pub organization: String,
    /// From this index on.
    pub from: u64,
    /// At most so many.
    pub limit: usize,
    /// Only of this key or key version.
    pub key: Option<String>,
    /// Only of this principal's id in the organization of that id.
    pub principal: Option<(String, String)>,
    /// Only since then, nanoseconds since the Unix epoch.
    pub since: Option<i64>,
}

/// A page of records.
#[derive(Debug, Default)]
pub struct Page {
    /// The records, oldest first.
    pub records: Vec<Record>,
    /// From where the next page goes on; `None`: every durable record was looked at.
    pub next: Option<u64>,
}

/// Whether `resource` is `name` or lies below it.
fn is_within(resource: &str, name: &str) -> bool {
    resource.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Query {
    fn wants(&self, record: &Record) -> bool {
        let id = |name: &str| format!("organizations/{name}");
        let by = record.principal.as_ref();
        let counted = record.count.as_ref();
        let own = is_within(&record.resource, &id(&self.organization))
            || by.is_some_and(|by| by.organization == self.organization)
            || counted.is_some_and(|count| count.organization == self.organization);
        own && self.key.as_ref().is_none_or(|key| is_within(&record.resource, key))
            && self.principal.as_ref().is_none_or(|(organization, name)| {
                by.is_some_and(|by| (&by.organization, &by.name) == (organization, name))
            })
            && self.since.is_none_or(|since| record.time_unix_nanos >= since)
    }
}

/// One page of the log in `directory`.
pub(super) fn page(directory: &Path, index: &Index, query: &Query) -> Result<Page, String> {
    let mut page = Page::default();
    let last = index.end.min(query.from.saturating_add(SCAN));
    let mut bytes = 0;
    let mut place = index.place(query.from);
    while let Some(Place { mut record, segment, mut offset }) = place.take() {
        let path = directory.join(file_name(segment));
        let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut buffer = vec![0; WINDOW];
        loop {
            let length = read_at(&file, &mut buffer, offset).map_err(|error| format!("{}: {error}", path.display()))?;
            let mut frames = Frames::resume(&buffer[..length], record);
            // A frame that the window cuts through reads as torn, and is read again with the next window.
            for frame in frames.by_ref().map_while(Result::ok) {
                if frame.index >= last || page.records.len() == query.limit || bytes >= PAGE_BYTES {
                    page.next = (frame.index < index.end).then_some(frame.index);
                    return Ok(page);
                }
                if frame.index >= query.from {
                    let found = Record::decode(frame.record).map_err(|error| error.to_string())?;
                    if query.wants(&found) {
                        bytes += frame.record.len();
                        page.records.push(found);
                    }
                }
            }
            if frames.end_offset() == 0 {
                break;
            }
            record = frames.next_index();
            offset += frames.end_offset() as u64;
        }
        place = if record < last { index.next_segment(segment) } else { None };
        if place.is_none() && record < index.end {
            page.next = Some(record);
        }
    }
    Ok(page)
}

fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read_at(&mut buffer[length..], offset + length as u64)? {
            0 => break,
            more => length += more,
        }
    }
    Ok(length)
}
