//! Reading single records of a segment file.
//!
//! **Invariant**: a record is given only if its frame is sound and it has the index that was asked for.

use chancery_audit::segment::{FRAME_OVERHEAD, Frames, Header, MAX_RECORD};
use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

/// Bytes read at a time; where a record is longer, as many as the longest has.
const WINDOW: usize = 32 << 10;
const LONGEST_WINDOW: usize = MAX_RECORD + 64;

/// A segment that is open for reading, and the part of it that was read last.
pub(super) struct Reader {
    file: File,
    name: String,
    /// The window's bytes.
    buffer: Vec<u8>,
    /// Where the window begins in the file: at the frame of record `index`.
    offset: u64,
    index: u64,
}

impl Reader {
    /// Opens a segment, at its first record.
    pub(super) fn open(path: &Path, first_index: u64) -> Result<Self, String> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| format!("{name}: {error}"))?;
        Ok(Self { file, name, buffer: Vec::new(), offset: Header::LENGTH as u64, index: first_index })
    }

    /// The record of this index. `block`: the index of a record that is not after it, and where its frame begins.
    pub(super) fn record(&mut self, index: u64, block: (u64, u64)) -> Result<&[u8], String> {
        // What was read last may have it.
        if self.buffer.is_empty() || self.index < block.0 || self.index > index {
            (self.index, self.offset) = block;
            self.buffer.clear();
        }
        loop {
            let frame =
                Frames::resume(&self.buffer, self.index).map_while(Result::ok).find(|frame| frame.index == index);
            if let Some(frame) = frame {
                let start = frame.offset + FRAME_OVERHEAD;
                let end = start + frame.record.len();
                return Ok(&self.buffer[start..end]);
            }
            self.advance()?;
        }
    }

    /// Shows so many records from the first on, each with where its frame begins.
    pub(super) fn each(
        &mut self,
        records: u64,
        mut show: impl FnMut(u64, &[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut left = records;
        while left > 0 {
            for frame in Frames::resume(&self.buffer, self.index).map_while(Result::ok) {
                show(self.offset + frame.offset as u64, frame.record)?;
                left -= 1;
                if left == 0 {
                    return Ok(());
                }
            }
            self.advance()?;
        }
        Ok(())
    }

    /// Reads the window that begins with the first frame that this one does not hold whole.
    fn advance(&mut self) -> Result<(), String> {
        let mut frames = Frames::resume(&self.buffer, self.index);
        frames.by_ref().map_while(Result::ok).for_each(drop);
        let passed = frames.end_offset();
        let length = if passed == 0 && !self.buffer.is_empty() { LONGEST_WINDOW } else { WINDOW };
        if passed == 0 && self.buffer.len() >= LONGEST_WINDOW {
            return Err(self.damaged());
        }
        self.index = frames.next_index();
        self.offset += passed as u64;
        let before = (passed == 0).then_some(self.buffer.len());
        self.buffer.resize(length, 0);
        let read =
            read_at(&self.file, &mut self.buffer, self.offset).map_err(|error| format!("{}: {error}", self.name))?;
        self.buffer.truncate(read);
        // Nothing more than what held no frame.
        if read == 0 || before.is_some_and(|before| before > 0 && read <= before) {
            return Err(self.damaged());
        }
        Ok(())
    }

    fn damaged(&self) -> String {
        format!("{}: record {} can't be read: the segment was changed or cut", self.name, self.index)
    }
}

fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read_at(&mut buffer[length..], offset + length as u64)? {
            0 => break,
            more => length += more,
        }
    }
    Ok(length)
}
