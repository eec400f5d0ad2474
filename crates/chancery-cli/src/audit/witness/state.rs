//! What a witness cosigned last, and what keeps it from cosigning.
//!
//! **Invariants**
//! * The directory is made by `init` and never by accident: a witness without its state has seen nothing.
//! * One process at a time; the newest cosigned note is durable before anyone gets the cosignature.
//! * While there is evidence in it, nothing is cosigned: an operator decides, by moving it away.

use crate::failure::CliError;
use chancery_audit::checkpoint::{Checkpoint, MAX_NOTE, VerifierKey, WitnessKey, WitnessSigner};
use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

/// The newest cosigned note; empty before the first.
const CHECKPOINT: &str = "checkpoint";
/// The witness's public key.
const VKEY: &str = "witness.vkey";
/// What directories of evidence begin with.
const EVIDENCE: &str = "evidence-";

/// What was cosigned last.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) checkpoint: Checkpoint,
    pub(super) note: String,
    pub(super) time: u64,
}

/// See the module.
pub(super) struct State {
    directory: PathBuf,
    /// Locked until it is dropped.
    _lock: File,
    pub(super) kept: Option<Kept>,
}

/// Makes the state of a witness that has cosigned nothing.
pub(super) fn create(directory: &Path, key: &WitnessKey) -> Result<(), CliError> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(CliError::Rejected(format!(
                "{} exists already: a witness keeps its state; name another directory for another witness",
                directory.display()
            )));
        }
        other => other.map_err(CliError::write(directory))?,
    }
    replace(directory, VKEY, format!("{key}\n").as_bytes())?;
    replace(directory, CHECKPOINT, b"")
}

/// Write, fsync, rename, fsync the directory.
fn replace(directory: &Path, name: &str, bytes: &[u8]) -> Result<(), CliError> {
    let (temporary, path) = (directory.join(format!("{name}.tmp")), directory.join(name));
    let write = || {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        File::open(directory)?.sync_all()
    };
    write().map_err(CliError::write(&path))
}

fn read(path: &Path) -> Result<String, CliError> {
    let mut text = String::new();
    let file = File::open(path).map_err(CliError::read(path))?;
    file.take(MAX_NOTE as u64 + 1).read_to_string(&mut text).map_err(CliError::read(path))?;
    Ok(text)
}

impl State {
    /// Takes the directory, for the witness whose private key is given as PKCS #8 DER, on the log of this key.
    ///
    /// # Errors
    /// [`CliError::Rejected`] when another process has it, when it is another witness's or of another log, and when there is
    /// evidence in it.
    pub(super) fn open(directory: &Path, private: &[u8], log: &VerifierKey) -> Result<(Self, WitnessSigner), CliError> {
        let reject = |problem: String| CliError::Rejected(format!("{}: {problem}", directory.display()));
        let lock = File::open(directory).map_err(CliError::read(directory))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(reject("another process witnesses with this state; one is enough".into()));
            }
            Err(TryLockError::Error(error)) => return Err(CliError::read(directory)(error)),
        }
        let entries = fs::read_dir(directory).map_err(CliError::read(directory))?;
        if let Some(found) = entries.flatten().find(|entry| entry.file_name().to_string_lossy().starts_with(EVIDENCE)) {
            return Err(CliError::Contradicted {
                problem: "this witness found that the log contradicts what it cosigned, and cosigns nothing more"
                    .into(),
                evidence: found.path(),
            });
        }
        let public: WitnessKey =
            (read(&directory.join(VKEY))?.parse()).map_err(|error| reject(format!("{VKEY}: {error}")))?;
        let signer = WitnessSigner::from_pkcs8(public.name(), private)
            .map_err(|error| reject(format!("the witness's key: {error}")))?;
        if *signer.public() != public {
            return Err(reject(format!("it is the state of another witness, {public}")));
        }
        let note = read(&directory.join(CHECKPOINT))?;
        let kept = if note.is_empty() { None } else { Some(parse(&note, log, &public).map_err(reject)?) };
        Ok((Self { directory: directory.to_owned(), _lock: lock, kept }, signer))
    }

    /// Keeps what is about to be cosigned.
    pub(super) fn keep(&mut self, kept: Kept) -> Result<(), CliError> {
        replace(&self.directory, CHECKPOINT, kept.note.as_bytes())?;
        self.kept = Some(kept);
        Ok(())
    }

    /// What names of evidence begin with.
    pub(super) fn evidence(&self) -> PathBuf {
        self.directory.join(EVIDENCE)
    }
}

fn parse(note: &str, log: &VerifierKey, public: &WitnessKey) -> Result<Kept, String> {
    let problem = |error: &dyn std::fmt::Display| {
        format!("{CHECKPOINT}: {error}; it was changed, or is of another log than --log-key says")
    };
    let checkpoint = log.open_note(note).map_err(|error| problem(&error))?;
    let cosignature = public.find(note).map_err(|error| problem(&error))?;
    let cosignature = cosignature.ok_or_else(|| problem(&"this witness did not cosign it"))?;
    Ok(Kept { checkpoint, note: note.to_owned(), time: cosignature.time })
}
