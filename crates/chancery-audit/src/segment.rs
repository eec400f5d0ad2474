//! Segment files: a header and framed records, in the bytes a log directory holds.
//!
//! **Invariants**
//! * Every byte of a segment is covered: by the header's CRC-32C, by a frame's CRC-32C, or by having to be zero.
//! * Reading never panics and never allocates: frames borrow from the file's bytes.
//! * A CRC finds accidents; forgeries are found by the Merkle root ([`crate::verify`]).
//!
//! **Not here**: opening, preallocating, syncing and repairing files (the service's `audit` module); what records mean.

use thiserror::Error;

use crate::merkle::Hash;

/// The file in a log directory that holds the newest signed checkpoint.
pub const CHECKPOINT_FILE: &str = "checkpoint";

/// How the names of files end that are being written, before they are renamed: readers pass them over.
pub const TEMPORARY_SUFFIX: &str = ".tmp";

/// The longest record, in bytes.
pub const MAX_RECORD: usize = 1 << 20;

/// The bytes of a frame before its record: length and checksum.
pub const FRAME_OVERHEAD: usize = 8;

const MAGIC: [u8; 8] = *b"CHANCLOG";
const VERSION: u32 = 1;

/// The name of the segment that begins with record `first_index`: 20 decimal digits and ".seg".
pub fn file_name(first_index: u64) -> String {
    format!("{first_index:020}.seg")
}

/// The first index in a segment's file name; `None` if no segment can be called so.
pub fn parse_file_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    if digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().ok() } else { None }
}

/// What stands at the beginning of a segment and chains it to those before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The index of the segment's first record.
    pub first_index: u64,
    /// SHA-256 of the log's origin (without a newline).
    pub origin_hash: [u8; 32],
    /// The root of the tree of all records before this segment.
    pub tree_root: Hash,
}

/// What is wrong with a segment's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SegmentError {
    /// The file is shorter than a header.
    #[error("the file is {length} bytes long, too short for a segment's header")]
    Short {
        /// The file's length in bytes.
        length: usize,
    },
    /// The file does not begin with a segment's magic bytes.
    #[error("the file does not begin with CHANCLOG: it is no segment, or its first bytes were changed")]
    Magic,
    /// The header fails its checksum.
    #[error("the segment's header fails its checksum: it was changed or half written")]
    HeaderChecksum,
    /// The header is sound, and of a version that this program does not know.
    #[error("the segment has format version {0}, this program reads version 1")]
    Version(u32),
    /// A frame cannot be read. At the end of a log being written it may be a frame of which only a part is there yet.
    #[error(
        "record {index} at offset {offset}: its frame reaches beyond the end of the file or fails its checksum: it was \
         changed, or is half written"
    )]
    Torn {
        /// The record's index.
        index: u64,
        /// Where its frame begins in the file.
        offset: usize,
    },
    /// The frames end with a zero length, and further bytes are not zero.
    #[error("record {index} is missing: a byte at offset {offset} is not zero after the end of the data")]
    DirtyTail {
        /// The index of the record that would come next.
        index: u64,
        /// Where the first byte stands that is not zero.
        offset: usize,
    },
}

impl Header {
    /// The header's length in bytes.
    pub const LENGTH: usize = 88;

    /// Magic, version, fields, and the CRC-32C of all before it; numbers little-endian.
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.first_index.to_le_bytes());
        bytes[20..52].copy_from_slice(&self.origin_hash);
        bytes[52..84].copy_from_slice(&self.tree_root);
        let crc = crc32c::crc32c(&bytes[..84]);
        bytes[84..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the header at the beginning of `bytes`, which may go on after it.
    pub fn decode(bytes: &[u8]) -> Result<Self, SegmentError> {
        let bytes: &[u8; Self::LENGTH] = bytes.first_chunk().ok_or(SegmentError::Short { length: bytes.len() })?;
        if bytes[..8] != MAGIC {
            return Err(SegmentError::Magic);
        }
        if crc32c::crc32c(&bytes[..84]) != u32_at(bytes, 84) {
            return Err(SegmentError::HeaderChecksum);
        }
        match u32_at(bytes, 8) {
            VERSION => Ok(Self {
                first_index: u64::from(u32_at(bytes, 12)) | u64::from(u32_at(bytes, 16)) << 32,
                origin_hash: array_at(bytes, 20),
                tree_root: array_at(bytes, 52),
            }),
            other => Err(SegmentError::Version(other)),
        }
    }
}

/// Appends a record's frame: length (u32 LE), CRC-32C over length and record (u32 LE), record.
///
/// # Panics
/// If the record is empty or longer than [`MAX_RECORD`]: a writer checks that before it gives the record an index.
pub fn append_frame(buffer: &mut Vec<u8>, record: &[u8]) {
    assert!(!record.is_empty() && record.len() <= MAX_RECORD, "a record has 1 to {MAX_RECORD} bytes");
    let length = (record.len() as u32).to_le_bytes();
    buffer.reserve(FRAME_OVERHEAD + record.len());
    buffer.extend_from_slice(&length);
    buffer.extend_from_slice(&frame_checksum(length, record).to_le_bytes());
    buffer.extend_from_slice(record);
}

/// One stored record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The record's index, counted from the header's `first_index`.
    pub index: u64,
    /// Where its frame begins in the file.
    pub offset: usize,
    /// The record's exact bytes.
    pub record: &'a [u8],
}

/// The frames of a segment, in order. After an error there are no more.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    file: &'a [u8],
    index: u64,
    offset: usize,
    done: bool,
}

impl<'a> Frames<'a> {
    /// Reads the header, and stands before the first frame.
    pub fn new(file: &'a [u8]) -> Result<(Header, Self), SegmentError> {
        let header = Header::decode(file)?;
        let frames = Self { file, index: header.first_index, offset: Header::LENGTH, done: false };
        Ok((header, frames))
    }

    /// Reads a part of a segment that begins with the frame of record `index`. Offsets count from the part's beginning;
    /// a frame that goes on beyond the part's end reads as torn.
    pub fn resume(part: &'a [u8], index: u64) -> Self {
        Self { file: part, index, offset: 0, done: false }
    }

    /// The offset of the first byte after the last good frame.
    pub fn end_offset(&self) -> usize {
        self.offset
    }

    /// The index that the next frame has, or would have.
    pub fn next_index(&self) -> u64 {
        self.index
    }

    fn read(&mut self) -> Result<Option<Frame<'a>>, SegmentError> {
        let (index, offset) = (self.index, self.offset);
        let torn = SegmentError::Torn { index, offset };
        let rest = &self.file[offset..];
        if rest.first_chunk().is_none_or(|length| *length == [0; 4]) {
            return match first_nonzero(rest) {
                None => Ok(None),
                Some(_) if rest.len() < 4 => Err(torn),
                Some(at) => Err(SegmentError::DirtyTail { index, offset: offset + at }),
            };
        }
        let Some((overhead, rest)) = rest.split_first_chunk::<FRAME_OVERHEAD>() else {
            return Err(torn);
        };
        let length: [u8; 4] = array_at(overhead, 0);
        let size = u32::from_le_bytes(length) as usize;
        if size > MAX_RECORD || size > rest.len() {
            return Err(torn);
        }
        let record = &rest[..size];
        if frame_checksum(length, record) != u32_at(overhead, 4) {
            return Err(torn);
        }
        // Indexes end at 2^64 - 1: a frame beyond has none, and a hostile header must not make us overflow.
        self.index = index.checked_add(1).ok_or(torn)?;
        self.offset = offset + FRAME_OVERHEAD + size;
        Ok(Some(Frame { index, offset, record }))
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, SegmentError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let item = self.read().transpose();
        self.done = !matches!(item, Some(Ok(_)));
        item
    }
}

impl std::iter::FusedIterator for Frames<'_> {}

fn frame_checksum(length: [u8; 4], record: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&length), record)
}

/// The place of the first byte that is not zero; preallocated tails are long, so whole blocks are looked at first.
fn first_nonzero(bytes: &[u8]) -> Option<usize> {
    const BLOCK: usize = 4096;
    let block = bytes.chunks(BLOCK).position(|block| block.iter().fold(0, |all, b| all | b) != 0)?;
    let at = bytes[block * BLOCK..].iter().position(|b| *b != 0)?;
    Some(block * BLOCK + at)
}

/// `N` bytes at a place that the caller's array type has room for.
fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}
