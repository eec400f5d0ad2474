//! What witnesses' cosignatures make of a checkpoint.
//!
//! **Invariant**: cosignatures count only for the very checkpoint in question, size and root.

use crate::{failure::CliError, files};
use chancery_audit::checkpoint::{Checkpoint, MAX_NOTE, MAX_POLICY, Verdict, VerifierKey, WitnessPolicy};
use std::path::{Path, PathBuf};

/// The options by which a verifier demands witnesses.
#[derive(Debug, clap::Args)]
pub(crate) struct Demanded {
    /// The witness policy: fails unless its quorum cosigned the checkpoint
    #[arg(long, value_name = "POLICY_FILE")]
    witnesses: Option<PathBuf>,
    /// The cosigned note of the same checkpoint, from `chancery audit checkpoint --witnessed` or `audit proof --witnessed`
    #[arg(long, value_name = "NOTE_FILE", requires = "witnesses")]
    cosignatures: Option<PathBuf>,
}

fn text(path: &Path, limit: usize) -> Result<String, CliError> {
    String::from_utf8(files::read(path, limit as u64)?)
        .map_err(|_| CliError::Rejected(format!("{} is no text", path.display())))
}

impl Demanded {
    /// How far `checkpoint` is vouched for, which `log` signed in `note`: by the cosignatures in the file that was given, or
    /// else in `note` itself.
    ///
    /// # Errors
    /// [`CliError::Unwitnessed`] where a policy is given and its quorum is not reached.
    pub(crate) fn verdict(&self, log: &VerifierKey, checkpoint: &Checkpoint, note: &str) -> Result<Verdict, CliError> {
        let Some(path) = &self.witnesses else { return Ok(Verdict::Logged) };
        let policy = WitnessPolicy::parse(&text(path, MAX_POLICY)?)
            .map_err(|error| CliError::Rejected(format!("{}, {error}", path.display())))?;
        if note.is_empty() && self.cosignatures.is_none() {
            return Err(CliError::Usage(
                "a receipt has no cosignatures of its own: give them with --cosignatures".into(),
            ));
        }
        let apart = self.cosignatures.as_deref().map(|path| text(path, MAX_NOTE)).transpose()?;
        let found = policy
            .open_note(log, apart.as_deref().unwrap_or(note))
            .map_err(|error| CliError::Unwitnessed(format!("the cosigned checkpoint can't be believed: {error}")))?;
        if found.checkpoint != *checkpoint {
            return Err(CliError::Unwitnessed(format!(
                "the cosignatures are of another checkpoint, of {} records, and not of that of {}",
                found.checkpoint.size, checkpoint.size
            )));
        }
        if !found.reached {
            return Err(CliError::Unwitnessed(format!(
                "{}, and the policy's quorum is not among them: it needs {} at least",
                found.verdict(),
                policy.least()
            )));
        }
        Ok(found.verdict())
    }
}
