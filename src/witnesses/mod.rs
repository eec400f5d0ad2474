//! Witnesses: other organizations' word that this log is the one they saw before.
//!
//! **Invariants**
//! * With a policy, no key is used or changed before a quorum cosigned a checkpoint made after this run's start. Nobody can
//!   have cosigned that one before, so disk, store and token that were rolled back together are noticed.
//! * A checkpoint that the log's own key signed and that the log does not extend closes the service for good; it is kept.
//! * A cosignature counts only from the organization that the policy names as its witness.
//!
//! **Not here**: the format and the policy (chancery-audit), following the log (`chancery audit witness`).

mod cosigning;
mod files;
mod gate;

pub use cosigning::Last;
pub use gate::{Gate, Standing};

use crate::{
    audit::{AuditLog, Checkpoints, TreeError},
    error::{Error, Performed},
    model::OrganizationName,
};
use chancery_api::reasons;
use chancery_audit::checkpoint::{
    Checkpoint, MAX_POLICY, PolicyError, VerifierKey, WitnessKey, WitnessPolicy, lines, with_line,
};
use cosigning::Cosigning;
use files::Files;
use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Why the service can't start with its witnesses.
#[derive(Debug, thiserror::Error)]
pub enum WitnessesError {
    /// The policy can't be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The policy is none.
    #[error("{}, {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: PolicyError,
    },
    /// A witness has a name that no organization can have.
    #[error("{}: witness {name:?}: a witness is named as its organization: {problem}", path.display())]
    Name {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
        /// Why.
        problem: String,
    },
    /// The kept checkpoint can't be believed.
    #[error("{}: {problem}; restore it, or move it away if you know why it was changed", path.display())]
    Kept {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// Reads a witness policy.
///
/// # Errors
/// [`WitnessesError`].
pub fn read_policy(path: &Path) -> Result<WitnessPolicy, WitnessesError> {
    let unreadable = |source| WitnessesError::Unreadable { path: path.to_owned(), source };
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_POLICY as u64 + 1).read_to_string(&mut text).map_err(unreadable)?;
    let policy =
        WitnessPolicy::parse(&text).map_err(|source| WitnessesError::Malformed { path: path.to_owned(), source })?;
    for witness in policy.witnesses() {
        OrganizationName::from_id(&witness.name).map_err(|problem| WitnessesError::Name {
            path: path.to_owned(),
            name: witness.name.clone(),
            problem: problem.to_string(),
        })?;
    }
    Ok(policy)
}

/// A witness as members are told of it.
#[derive(Debug, Clone)]
pub struct Witness {
    /// Its organization's id.
    pub name: String,
    /// Its key.
    pub key: WitnessKey,
    /// What it cosigned last.
    pub last: Last,
}

/// A checkpoint that a quorum cosigned.
#[derive(Debug, Clone)]
pub struct Witnessed {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Its note with the log's signature alone.
    pub own: String,
    /// Its note with the cosignatures, too.
    pub cosigned: String,
}

/// How things stand with witnesses.
#[derive(Debug, Clone)]
pub struct View {
    /// The note that is to be cosigned, with what it has so far; empty while there is none.
    pub cosigning: String,
    /// The newest note that a quorum cosigned; empty if there is none.
    pub witnessed: String,
    /// Those of the policy.
    pub witnesses: Vec<Witness>,
    /// The fewest who can be a quorum.
    pub required: usize,
    /// Whether key operations are let through.
    pub standing: Standing,
}

/// See the module.
pub struct Witnesses {
    policy: Option<WitnessPolicy>,
    key: VerifierKey,
    audit: Arc<AuditLog>,
    checkpoints: Arc<Checkpoints>,
    gate: Arc<Gate>,
    files: Files,
    /// Checkpoints of this run have so many records at least.
    fresh: u64,
    cosigning: Mutex<Cosigning>,
    /// Held while the kept note is replaced, so that an older one never replaces a newer.
    writing: tokio::sync::Mutex<()>,
}

impl Witnesses {
    /// With this policy, over this log, whose record `start` says that this run began.
    ///
    /// # Errors
    /// [`WitnessesError`].
    pub async fn open(
        policy: Option<WitnessPolicy>,
        key: VerifierKey,
        audit: Arc<AuditLog>,
        checkpoints: Arc<Checkpoints>,
        data: &Path,
        start: u64,
    ) -> Result<Self, WitnessesError> {
        let files = Files::new(data);
        let kept = |problem: String| WitnessesError::Kept { path: files.cosigned_path(), problem };
        let note = files.cosigned().map_err(|error| kept(error.to_string()))?;
        let waits = policy.as_ref().is_some_and(|policy| !policy.is_none());
        let mut earlier = None;
        if let Some(note) = note {
            let checkpoint = key.open_note(&note).map_err(|error| kept(error.to_string()))?;
            // Of a policy that has changed, it may not be a quorum any more.
            let opened = policy.as_ref().map(|policy| policy.open_note(&key, &note)).transpose();
            let cosigned = opened.map_err(|error| kept(error.to_string()))?;
            earlier = Some((checkpoint, note, cosigned.filter(|found| found.reached)));
        }
        let standing = if waits { Standing::Waiting { text: String::new() } } else { Standing::Open };
        let witnesses = policy.as_ref().map_or(0, |policy| policy.witnesses().len());
        let quorum = earlier.as_ref().and_then(|(_, note, found)| Some((found.clone()?, own_note(&key, note))));
        let this = Self {
            policy,
            key,
            audit,
            checkpoints,
            gate: Arc::new(Gate::new(standing)),
            files,
            fresh: start + 1,
            cosigning: Mutex::new(Cosigning::new(witnesses, quorum)),
            writing: tokio::sync::Mutex::new(()),
        };
        let known = earlier.map(|(checkpoint, ..)| (this.files.cosigned_path(), checkpoint));
        let evidence = this.files.evidence().into_iter();
        let evidence = evidence.filter_map(|(path, note)| Some((path, this.key.open_note(&note).ok()?)));
        for (path, checkpoint) in known.into_iter().chain(evidence) {
            match this.contradiction(&checkpoint).await {
                Ok(None) => {}
                Ok(Some(text)) => this.refuse(text, &path),
                // It may be the one that speaks against the log.
                Err(error) => this.refuse(incomparable(&checkpoint, &error), &path),
            }
        }
        this.tell();
        Ok(this)
    }

    /// What every request passes.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Asks for the newest checkpoint once the one before is done with, and says how things stand; `None` without a policy.
    pub fn view(&self) -> Option<View> {
        let policy = self.policy.as_ref()?;
        let mut cosigning = self.cosigning();
        cosigning.ask(self.checkpoints.newest(), self.fresh, policy);
        let known = policy.witnesses().iter().zip(&cosigning.last);
        let witness = |(witness, last): (&chancery_audit::checkpoint::Witness, &Last)| Witness {
            name: witness.name.clone(),
            key: witness.key.clone(),
            last: *last,
        };
        Some(View {
            cosigning: cosigning.asked.as_ref().map(|asked| asked.note()).unwrap_or_default(),
            witnessed: cosigning.witnessed.as_ref().map(|witnessed| witnessed.note()).unwrap_or_default(),
            witnesses: known.map(witness).collect(),
            required: policy.least(),
            standing: self.gate.standing(),
        })
    }

    /// The newest checkpoint that a quorum cosigned.
    pub fn witnessed(&self) -> Option<Witnessed> {
        let cosigning = self.cosigning();
        let found = cosigning.witnessed.as_ref()?;
        Some(Witnessed { checkpoint: found.checkpoint.clone(), own: found.own.clone(), cosigned: found.note() })
    }

    /// The note of a checkpoint of this log, with the cosignatures that are known for exactly it.
    pub fn with_cosignatures(&self, checkpoint: &Checkpoint, note: String) -> String {
        let cosigning = self.cosigning();
        let mut of_it = [&cosigning.asked, &cosigning.witnessed].into_iter().flatten();
        of_it.find(|known| known.checkpoint == *checkpoint).map_or(note, |known| known.note())
    }

    /// Takes a witness's cosignature, or finds that it proves this log to be another; how many have cosigned what is asked
    /// for, and the fewest who suffice.
    ///
    /// # Errors
    /// [`Error::Rejected`] for a note that is not this log's or has no valid cosignature of the witness,
    /// [`Error::Precondition`] where the caller's organization is no witness or the log was rolled back,
    /// [`Error::Unavailable`] while the note can't be compared with the log.
    pub async fn add(&self, organization: &OrganizationName, note: &str) -> Result<(usize, usize), Error> {
        let invalid = |problem: &dyn std::fmt::Display| Error::invalid("note", problem);
        let checkpoint = self.key.open_note(note).map_err(|error| invalid(&error))?;
        // Whoever brings it: the log's own key signed it.
        let contradiction = self.contradiction(&checkpoint).await.map_err(|error| {
            tracing::error!(%error, size = checkpoint.size, "a checkpoint can't be compared with the log");
            Error::Unavailable {
                reason: reasons::AUDIT_UNAVAILABLE,
                message: "the note can't be compared with the log right now. Try again".into(),
                performed: Performed::No,
            }
        })?;
        if let Some(text) = contradiction {
            self.keep_evidence(&checkpoint, note).await;
            self.refuse(text.clone(), Path::new("the evidence directory"));
            return Err(gate::refused(&text));
        }
        if let Standing::Refused { text } = self.gate.standing() {
            return Err(gate::refused(&text));
        }
        let found = self.policy.as_ref().and_then(|policy| {
            let place = policy.witnesses().iter().position(|witness| witness.name == organization.id())?;
            Some((policy, place))
        });
        let (policy, place) = found.ok_or_else(|| Error::Precondition {
            reason: reasons::NOT_A_WITNESS,
            message: match self.policy {
                None => "the deployment has no witness policy: the operator names one with [witnesses]".into(),
                Some(_) => format!("{organization} is no witness in the deployment's policy"),
            },
        })?;
        let key = &policy.witnesses()[place].key;
        let cosignature = key.find(note).map_err(|error| invalid(&error))?;
        let cosignature = cosignature.ok_or_else(|| invalid(&format!("no cosignature by {key}")))?;
        let (changed, count) = {
            let mut cosigning = self.cosigning();
            let changed = cosigning.add(place, &checkpoint, &cosignature, policy);
            (changed, cosigning.asked.as_ref().map_or(0, |asked| asked.count()))
        };
        if changed {
            self.keep_witnessed().await;
        }
        self.tell();
        Ok((count, policy.least()))
    }

    fn cosigning(&self) -> MutexGuard<'_, Cosigning> {
        // Its changes are whole, whatever happened to a holder of the lock.
        self.cosigning.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How a checkpoint that our key signed contradicts the log, in words.
    async fn contradiction(&self, signed: &Checkpoint) -> Result<Option<String>, TreeError> {
        let (size, _) = self.audit.tree();
        if signed.size > size {
            return Ok(Some(format!(
                "the log has {size} records and its key has signed {}: it was rolled back, or this is another copy of it",
                signed.size
            )));
        }
        let root = self.audit.root_at(signed.size).await?;
        Ok((root != signed.root).then(|| {
            format!("the log's key has signed another history of {} records: there are two copies of it", signed.size)
        }))
    }

    fn refuse(&self, text: String, evidence: &Path) {
        tracing::error!(
            evidence = %evidence.display(),
            "{text}. Nothing is signed or changed any more. Stop the service and put back disk, store and token as they \
             were last: docs/operations.md, \"When the log is not the one that was witnessed\""
        );
        self.gate.set(Standing::Refused { text });
    }

    async fn keep_evidence(&self, checkpoint: &Checkpoint, note: &str) {
        let (files, checkpoint, note) = (self.files.clone(), checkpoint.clone(), note.to_owned());
        let (_, ours) = self.checkpoints.newest();
        let kept = tokio::task::spawn_blocking(move || files.keep_evidence(&checkpoint, &note, &ours)).await;
        match kept.map_err(io::Error::other).flatten() {
            Ok(path) => tracing::error!(path = %path.display(), "a checkpoint that contradicts this log is kept"),
            Err(error) => tracing::error!(%error, "a checkpoint that contradicts this log can't be kept"),
        }
    }

    async fn keep_witnessed(&self) {
        let _held = self.writing.lock().await;
        let Some(Witnessed { cosigned: note, .. }) = self.witnessed() else { return };
        let files = self.files.clone();
        let kept = tokio::task::spawn_blocking(move || files.keep(&note)).await;
        if let Err(error) = kept.map_err(io::Error::other).flatten() {
            tracing::warn!(%error, "the cosigned checkpoint can't be kept; the next one is tried again");
        }
    }

    /// Opens the gate when a quorum cosigned a checkpoint of this run, or says who is missing.
    fn tell(&self) {
        let Some(policy) = self.policy.as_ref().filter(|_| !self.gate.is_open()) else { return };
        let cosigning = self.cosigning();
        if cosigning.witnessed.as_ref().is_some_and(|witnessed| witnessed.checkpoint.size >= self.fresh) {
            let waited = matches!(self.gate.standing(), Standing::Waiting { .. });
            self.gate.set(Standing::Open);
            if waited {
                tracing::info!("a quorum of witnesses cosigned the log as it is: keys may be used");
            }
            return;
        }
        let places = cosigning.asked.as_ref().map(|asked| asked.places()).unwrap_or_default();
        let missing = policy.witnesses().iter().enumerate();
        let missing = missing.filter(|(place, _)| !places.get(*place).copied().unwrap_or(false));
        let missing: Vec<_> = missing.map(|(_, witness)| witness.name.as_str()).collect();
        let text = format!(
            "the service waits for its witnesses to cosign the log as it is now: {} of at least {} did, missing: {}",
            places.iter().filter(|cosigned| **cosigned).count(),
            policy.least(),
            missing.join(", ")
        );
        self.gate.set(Standing::Waiting { text });
    }
}

/// That nothing is known to be wrong, nor to be right.
fn incomparable(signed: &Checkpoint, error: &TreeError) -> String {
    format!("whether the log still has the {} records that its key has signed can't be told: {error}", signed.size)
}

/// A note with the log's own signature lines only.
fn own_note(key: &VerifierKey, note: &str) -> String {
    let Ok((text, signatures)) = lines(note) else { return note.to_owned() };
    let own: Vec<_> = signatures.filter(|line| key.open_note(&format!("{text}\n{line}")).is_ok()).collect();
    own.iter().fold(
        format!("{text}\n"),
        |note, line| if note.ends_with("\n\n") { note + line } else { with_line(&note, line) },
    )
}
