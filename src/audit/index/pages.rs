//! A file in pages of 4 KiB, each of which tells whether it is as it was written.
//!
//! **Invariant**: no byte of a page is used unless its checksum, its number and the file's id are right: what a disk
//! lost, changed or put in another place reads as [`Damaged`].

use super::postings::Damaged;
use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::FileExt,
};

const PAGE: usize = 4096;
/// Bytes of a page that are its content: whole entries of 4, 8, 16 and 24 bytes.
pub(super) const CONTENT: usize = 4080;

/// Writes pages.
pub(super) struct Writer<W> {
    out: W,
    id: u64,
    number: u32,
    page: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Pages of the file `id`.
    pub(super) fn new(out: W, id: u64) -> Self {
        Self { out, id, number: 0, page: Vec::with_capacity(PAGE) }
    }

    /// Appends an entry, whose length divides [`CONTENT`].
    pub(super) fn entry(&mut self, entry: &[u8]) -> io::Result<()> {
        if self.page.len() + entry.len() > CONTENT {
            self.end_page()?;
        }
        self.page.extend_from_slice(entry);
        Ok(())
    }

    /// Ends a page that was begun: what comes next begins another. How many pages there are.
    pub(super) fn end_page(&mut self) -> io::Result<u32> {
        if !self.page.is_empty() {
            self.page.resize(CONTENT, 0);
            self.page.extend_from_slice(&self.id.to_le_bytes());
            self.page.extend_from_slice(&self.number.to_le_bytes());
            let checksum = crc32c::crc32c(&self.page);
            self.page.extend_from_slice(&checksum.to_le_bytes());
            self.out.write_all(&self.page)?;
            self.page.clear();
            self.number += 1;
        }
        Ok(self.number)
    }

    /// Ends the last page.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.end_page()?;
        self.out.flush()
    }
}

/// The page of a file that was read last.
pub(super) struct Page {
    number: Option<u32>,
    bytes: Vec<u8>,
}

impl Page {
    pub(super) fn new() -> Self {
        Self { number: None, bytes: vec![0; PAGE] }
    }

    /// The content of page `number` of the file `id`.
    pub(super) fn read(&mut self, file: &File, id: u64, number: u32) -> Result<&[u8], Damaged> {
        if self.number != Some(number) {
            self.number = None;
            file.read_exact_at(&mut self.bytes, u64::from(number) * PAGE as u64).map_err(|_| Damaged)?;
            let (covered, checksum) = self.bytes.split_at(PAGE - 4);
            if crc32c::crc32c(covered).to_le_bytes() != checksum
                || covered[CONTENT..CONTENT + 8] != id.to_le_bytes()
                || covered[CONTENT + 8..] != number.to_le_bytes()
            {
                return Err(Damaged);
            }
            self.number = Some(number);
        }
        Ok(&self.bytes[..CONTENT])
    }
}

/// A row of entries of `SIZE` bytes, from a page on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Row<const SIZE: usize> {
    pub(super) first_page: u32,
    pub(super) count: u32,
}

impl<const SIZE: usize> Row<SIZE> {
    /// Entries of one page.
    const PER_PAGE: u32 = (CONTENT / SIZE) as u32;

    /// The page after its last.
    pub(super) fn end_page(self) -> u32 {
        self.first_page.saturating_add(self.count.div_ceil(Self::PER_PAGE))
    }

    /// The nth entry.
    pub(super) fn entry(self, n: u32, file: &File, id: u64, page: &mut Page) -> Result<[u8; SIZE], Damaged> {
        if n >= self.count {
            return Err(Damaged);
        }
        let content = page.read(file, id, self.first_page + n / Self::PER_PAGE)?;
        let start = (n % Self::PER_PAGE) as usize * SIZE;
        content[start..].first_chunk().copied().ok_or(Damaged)
    }
}
