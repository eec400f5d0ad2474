//! A closed segment's index as a file: written once, read a page at a time.
//!
//! | pages | entries | each |
//! |---|---|---|
//! | 1 | header | magic, version, records, hash probe, root of the log's tree after the segment, times, row lengths |
//! | … | terms, by hash | hash (8), first posting (4), postings (4) |
//! | … | postings | the record's number in the segment (4) |
//! | … | blocks of records | offset in the segment (8), earliest time (8), latest time (8) |
//!
//! Numbers are little-endian; a page's last 16 bytes are the segment's first index, the page's number and a checksum.
//!
//! **Invariant**: a file of another segment, another log, another version or with other hashes is not used.

use super::{
    memory::Memory,
    pages::{Page, Row, Writer},
    postings::{Block, Damaged, List, Postings},
    terms,
};
use chancery_audit::{merkle::Hash, segment::TEMPORARY_SUFFIX};
use std::{
    cmp::Ordering,
    fs::{self, File},
    io::{self, BufWriter},
    path::Path,
    sync::Arc,
};

const MAGIC: &[u8; 8] = b"CHANCIDX";
const VERSION: u32 = 1;

/// The name of the index of the segment that begins with record `first_index`.
pub(super) fn file_name(first_index: u64) -> String {
    format!("{first_index:020}.idx")
}

/// The first record in the name of an index; `None` if no index can be called so.
pub(super) fn parse_file_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".idx")?;
    if digits.len() == 20 { digits.parse().ok() } else { None }
}

/// What an index must be of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    /// The segment's first record.
    pub(super) first_index: u64,
    /// How many it has.
    pub(super) records: u32,
    /// The root of the log's tree after its last record: no other records have it.
    pub(super) root: Hash,
}

/// Writes the file beside its place, then puts it there. It is not synced: one that a crash spoils is made again.
pub(super) fn write(directory: &Path, identity: &Identity, memory: &Memory) -> io::Result<()> {
    let name = file_name(identity.first_index);
    let temporary = directory.join(format!("{name}{TEMPORARY_SUFFIX}"));
    let mut pages = Writer::new(BufWriter::with_capacity(1 << 20, File::create(&temporary)?), identity.first_index);
    let terms = memory.sorted();
    let count = |n: usize| u32::try_from(n).map_err(io::Error::other);
    let postings: usize = terms.iter().map(|(_, positions)| positions.len()).sum();
    let lengths = [count(terms.len())?, count(postings)?, count(memory.blocks().len())?];
    pages.entry(&header(identity, memory, lengths))?;
    pages.end_page()?;
    let mut first = 0;
    for (term, positions) in &terms {
        let length = count(positions.len())?;
        let mut entry = [0; 16];
        entry[..8].copy_from_slice(&term.to_le_bytes());
        entry[8..12].copy_from_slice(&u32::to_le_bytes(first));
        entry[12..].copy_from_slice(&length.to_le_bytes());
        pages.entry(&entry)?;
        first += length;
    }
    pages.end_page()?;
    for position in terms.iter().flat_map(|(_, positions)| *positions) {
        pages.entry(&position.to_le_bytes())?;
    }
    pages.end_page()?;
    for Block { offset, first_time, last_time } in memory.blocks() {
        let mut entry = [0; 24];
        entry[..8].copy_from_slice(&offset.to_le_bytes());
        entry[8..16].copy_from_slice(&first_time.to_le_bytes());
        entry[16..].copy_from_slice(&last_time.to_le_bytes());
        pages.entry(&entry)?;
    }
    pages.finish()?;
    fs::rename(temporary, directory.join(name))
}

fn header(identity: &Identity, memory: &Memory, lengths: [u32; 3]) -> Vec<u8> {
    let (first_time, last_time) = (&memory).times().unwrap_or_default();
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&identity.records.to_le_bytes());
    header.extend_from_slice(&terms::probe().to_le_bytes());
    header.extend_from_slice(&identity.root);
    header.extend_from_slice(&first_time.to_le_bytes());
    header.extend_from_slice(&last_time.to_le_bytes());
    lengths.iter().for_each(|length| header.extend_from_slice(&length.to_le_bytes()));
    header
}

/// The file and its rows.
struct Layout {
    file: File,
    id: u64,
    terms: Row<16>,
    postings: Row<4>,
    blocks: Row<24>,
}

/// See the module.
pub(super) struct IndexFile {
    layout: Arc<Layout>,
    times: (i64, i64),
    /// Pages of terms and of blocks that were read last.
    page: Page,
    block_page: Page,
}

/// Takes the next bytes of a header.
fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Damaged> {
    let (bytes, after) = rest.split_first_chunk().ok_or(Damaged)?;
    *rest = after;
    Ok(*bytes)
}

impl IndexFile {
    /// Opens the index of a segment, if it is there and of just that segment.
    pub(super) fn open(directory: &Path, identity: &Identity) -> Result<Self, Damaged> {
        let id = identity.first_index;
        let file = File::open(directory.join(file_name(id))).map_err(|_| Damaged)?;
        let mut page = Page::new();
        let mut rest = page.read(&file, id, 0)?;
        let expected = (MAGIC, VERSION, identity.records, terms::probe(), identity.root);
        let magic = take(&mut rest)?;
        let version = u32::from_le_bytes(take(&mut rest)?);
        let records = u32::from_le_bytes(take(&mut rest)?);
        let probe = u64::from_le_bytes(take(&mut rest)?);
        if (&magic, version, records, probe, take(&mut rest)?) != expected {
            return Err(Damaged);
        }
        let times = (i64::from_le_bytes(take(&mut rest)?), i64::from_le_bytes(take(&mut rest)?));
        let mut length = || take(&mut rest).map(u32::from_le_bytes);
        let terms = Row { first_page: 1, count: length()? };
        let postings = Row { first_page: terms.end_page(), count: length()? };
        let blocks = Row { first_page: postings.end_page(), count: length()? };
        let layout = Arc::new(Layout { file, id, terms, postings, blocks });
        Ok(Self { layout, times, page, block_page: Page::new() })
    }

    /// The nth term's hash, first posting and count.
    fn term(&mut self, n: u32) -> Result<(u64, u32, u32), Damaged> {
        let Layout { file, id, terms, .. } = &*self.layout;
        let entry = terms.entry(n, file, *id, &mut self.page)?;
        let mut rest = entry.as_slice();
        let hash = u64::from_le_bytes(take(&mut rest)?);
        Ok((hash, u32::from_le_bytes(take(&mut rest)?), u32::from_le_bytes(take(&mut rest)?)))
    }
}

/// One term's postings in a file.
pub(super) struct FileList {
    layout: Arc<Layout>,
    first: u32,
    count: u32,
    page: Page,
}

impl List for FileList {
    fn count(&self) -> u32 {
        self.count
    }

    fn at(&mut self, n: u32) -> Result<u32, Damaged> {
        let Layout { file, id, postings, .. } = &*self.layout;
        let n = self.first.checked_add(n).ok_or(Damaged)?;
        postings.entry(n, file, *id, &mut self.page).map(u32::from_le_bytes)
    }
}

impl Postings for IndexFile {
    type List = FileList;

    fn times(&self) -> Option<(i64, i64)> {
        Some(self.times)
    }

    fn list(&mut self, term: u64) -> Result<Option<FileList>, Damaged> {
        let (mut low, mut high) = (0, self.layout.terms.count);
        while low < high {
            let middle = low + (high - low) / 2;
            let (hash, first, count) = self.term(middle)?;
            match hash.cmp(&term) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => {
                    let layout = Arc::clone(&self.layout);
                    return Ok(Some(FileList { layout, first, count, page: Page::new() }));
                }
            }
        }
        Ok(None)
    }

    fn block(&mut self, number: u32) -> Result<Block, Damaged> {
        let Layout { file, id, blocks, .. } = &*self.layout;
        let entry = blocks.entry(number, file, *id, &mut self.block_page)?;
        let mut rest = entry.as_slice();
        Ok(Block {
            offset: u64::from_le_bytes(take(&mut rest)?),
            first_time: i64::from_le_bytes(take(&mut rest)?),
            last_time: i64::from_le_bytes(take(&mut rest)?),
        })
    }
}
