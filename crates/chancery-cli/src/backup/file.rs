//! A backup's file, as far as it can be read without its key.
//!
//! **Not here**: proof that it is genuine, which only its shares give (the enclave).

use crate::failure::CliError;
use chancery_audit::record::ResourceState;
use chancery_transfer::backup::{
    BackupError, Header,
    file::{Frame, Reader},
};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use std::{collections::HashSet, fs::File, io::Read as _, path::Path};

/// How much of a file is read at a time, in bytes.
pub(super) const CHUNK: usize = 1 << 20;

/// What the parts of a backup say. It proves nothing.
#[derive(Default)]
pub(super) struct Summary {
    reader: Reader,
    pub(super) header: Option<Header>,
    /// Keys and versions that it has states of.
    pub(super) resources: HashSet<String>,
    /// Key versions whose keys it holds.
    pub(super) entries: u64,
}

impl Summary {
    /// Takes the next bytes.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        self.reader.extend(bytes);
        while let Some(frame) = self.reader.next_frame()? {
            match frame {
                Frame::Header(bytes) => self.header = Some(Header::decode(&bytes)?),
                Frame::State(bytes) => {
                    let state = ResourceState::decode(bytes.as_slice());
                    let state = state.map_err(|_| BackupError::File("it has a state that is none"))?;
                    self.resources.insert(state.name);
                }
                Frame::Entry(_) => self.entries += 1,
                Frame::Trailer(_) => {}
            }
        }
        Ok(())
    }

    /// The header of a file that is whole.
    pub(super) fn finish(&self) -> Result<&Header, BackupError> {
        self.reader.finish()?;
        self.header.as_ref().ok_or(BackupError::File("it has no header"))
    }
}

/// A file that was read to its end.
pub(super) struct Read {
    pub(super) summary: Summary,
    pub(super) header: Header,
    pub(super) sha256: [u8; 32],
}

/// Reads a backup.
///
/// # Errors
/// [`CliError::Rejected`] when it is none, or not whole.
pub(super) fn read(path: &Path) -> Result<Read, CliError> {
    let reject = |error: BackupError| CliError::Rejected(format!("{}: {error}", path.display()));
    let (mut summary, mut sha256) = (Summary::default(), Sha256::new());
    let mut file = File::open(path).map_err(CliError::read(path))?;
    let mut buffer = vec![0; CHUNK];
    loop {
        let length = file.read(&mut buffer).map_err(CliError::read(path))?;
        if length == 0 {
            break;
        }
        sha256.update(&buffer[..length]);
        summary.add(&buffer[..length]).map_err(reject)?;
    }
    let header = summary.finish().map_err(reject)?.clone();
    Ok(Read { summary, header, sha256: sha256.finalize().into() })
}
