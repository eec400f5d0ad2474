//! A backup as one stream of bytes: magic, header, states and entries, trailer.
//!
//! **Invariants**
//! * A frame is one byte of kind, four of length (big endian), and the payload. Every kind has a longest length, and a
//!   longer one is refused before it is buffered.
//! * A header comes first, a trailer last, and nothing after it.
//! * [`Reader`] and [`Writer`] hash states the same way: what the service tells the enclave is what the file holds.
//!
//! **Not here**: decoding what is in the frames; proof that they are genuine ([`super::Opener`]).

use super::{BackupError, MAX_ENTRY, MAX_HEADER, MAX_TRAILER};
use crate::fields::RunningHash;

/// What every file begins with.
pub const MAGIC: &[u8] = b"chancery-backup/v1\n";

/// The longest state, in bytes: an audit record's.
pub const MAX_STATE: usize = 1 << 20;

/// A frame of the file, by its exact bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// See [`super::Header`].
    Header(Vec<u8>),
    /// A `chancery.audit.v1.ResourceState`.
    State(Vec<u8>),
    /// See [`super::Entry`].
    Entry(Vec<u8>),
    /// See [`super::Trailer`].
    Trailer(Vec<u8>),
}

const KIND_LENGTH: usize = 5;

/// Kinds, and the longest payload of each.
const HEADER: (u8, usize) = (b'H', MAX_HEADER);
const STATE: (u8, usize) = (b'S', MAX_STATE);
const ENTRY: (u8, usize) = (b'E', MAX_ENTRY);
const TRAILER: (u8, usize) = (b'T', MAX_TRAILER);

/// SHA-256 over the states of a backup, each after its length (4 bytes, big endian).
#[derive(Clone, Default)]
pub struct StatesHash(RunningHash);

impl StatesHash {
    /// Adds the next state.
    pub fn add(&mut self, state: &[u8]) {
        self.0.add(state);
    }

    /// The hash of all states so far.
    pub fn finish(&self) -> [u8; 32] {
        self.0.clone().finish()
    }
}

impl std::fmt::Debug for StatesHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StatesHash(…)")
    }
}

/// Writes a backup, appending to a buffer that its caller sends on.
#[derive(Debug)]
pub struct Writer {
    states: StatesHash,
}

impl Writer {
    /// Magic and header.
    pub fn begin(header: &[u8], out: &mut Vec<u8>) -> Result<Self, BackupError> {
        out.extend_from_slice(MAGIC);
        append(HEADER, header, out)?;
        Ok(Self { states: StatesHash::default() })
    }

    /// A key's or version's state.
    pub fn state(&mut self, state: &[u8], out: &mut Vec<u8>) -> Result<(), BackupError> {
        append(STATE, state, out)?;
        self.states.add(state);
        Ok(())
    }

    /// An entry, as the enclave gave it.
    pub fn entry(&mut self, entry: &[u8], out: &mut Vec<u8>) -> Result<(), BackupError> {
        append(ENTRY, entry, out)
    }

    /// The hash that the trailer must seal.
    pub fn states_sha256(&self) -> [u8; 32] {
        self.states.finish()
    }

    /// The trailer, as the enclave gave it: the file is complete.
    pub fn finish(self, trailer: &[u8], out: &mut Vec<u8>) -> Result<(), BackupError> {
        append(TRAILER, trailer, out)
    }
}

fn append((kind, longest): (u8, usize), payload: &[u8], out: &mut Vec<u8>) -> Result<(), BackupError> {
    if payload.len() > longest {
        return Err(BackupError::File("a part is longer than the format allows"));
    }
    out.push(kind);
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes());
    out.extend_from_slice(payload);
    Ok(())
}

/// Reads a backup from chunks of any size.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
    start: usize,
    stage: Stage,
    states: StatesHash,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Magic,
    Header,
    Body,
    Complete,
}

impl Reader {
    /// Adds bytes as they come. Take frames after each call, or the buffer grows.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame; `None` until more bytes come.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, BackupError> {
        if self.stage == Stage::Magic {
            let pending = &self.buffer[self.start..];
            let known = pending.len().min(MAGIC.len());
            if pending[..known] != MAGIC[..known] {
                return Err(BackupError::File("it does not begin with chancery-backup/v1"));
            }
            if known < MAGIC.len() {
                return Ok(None);
            }
            self.start += MAGIC.len();
            self.stage = Stage::Header;
        }
        let pending = &self.buffer[self.start..];
        let Some((&[kind, length @ ..], rest)) = pending.split_first_chunk::<KIND_LENGTH>() else {
            return if self.stage == Stage::Complete && !pending.is_empty() { Err(AFTER_THE_END) } else { Ok(None) };
        };
        let (make, longest, next): (fn(Vec<u8>) -> Frame, usize, Stage) = match (self.stage, kind) {
            (Stage::Complete, _) => return Err(AFTER_THE_END),
            (Stage::Header, b'H') => (Frame::Header, HEADER.1, Stage::Body),
            (Stage::Header, _) => return Err(BackupError::File("its first part is not the header")),
            (_, b'S') => (Frame::State, STATE.1, Stage::Body),
            (_, b'E') => (Frame::Entry, ENTRY.1, Stage::Body),
            (_, b'T') => (Frame::Trailer, TRAILER.1, Stage::Complete),
            _ => return Err(BackupError::File("it has a part of an unknown kind")),
        };
        let length = u32::from_be_bytes(length) as usize;
        if length > longest {
            return Err(BackupError::File("a part is longer than the format allows"));
        }
        let Some(payload) = rest.get(..length) else {
            return Ok(None);
        };
        let frame = make(payload.to_vec());
        if let Frame::State(state) = &frame {
            self.states.add(state);
        }
        self.start += KIND_LENGTH + length;
        self.stage = next;
        Ok(Some(frame))
    }

    /// The hash over the states read so far.
    pub fn states_sha256(&self) -> [u8; 32] {
        self.states.finish()
    }

    /// Whether the bytes so far are a whole file: to be asked when no more come.
    pub fn finish(&self) -> Result<(), BackupError> {
        if self.stage != Stage::Complete {
            return Err(BackupError::File("it ends before its trailer: it was cut"));
        }
        if self.start < self.buffer.len() { Err(AFTER_THE_END) } else { Ok(()) }
    }
}

const AFTER_THE_END: BackupError = BackupError::File("bytes follow its trailer");
