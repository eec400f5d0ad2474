//! [`Auditor`]: a verifier that also knows what records mean.

use crate::{
    Contradiction, Findings, Withheld,
    decisions::Decisions,
    keys::Keys,
    members::Members,
    signatures::{self, Checked, Verified},
};
use chancery_audit::{
    checkpoint::VerifierKey,
    operations::{GENERATE, IMPORT},
    record::{Kind, Outcome, Record},
    snapshot::{self, Snapshot},
    verify::{Entry, Fault, Missing, Verifier, VerifyError, spread},
};
use chancery_crypto::PublicKey;
use chancery_model::Action;
use std::{collections::BTreeMap, sync::Arc};

/// How much is checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Verify every signature under the recorded public key: some 30 µs each.
    pub signatures: bool,
    /// Every operation of the enclave without a record is an error, also where a crash explains it, and so is every use of
    /// which the log says that nothing was released.
    pub strict: bool,
}

/// Verifies one log, and what its records say. Used as a [`Verifier`].
#[derive(Debug, Clone)]
pub struct Auditor {
    verifier: Verifier,
    options: Options,
    history: History,
}

/// What the records so far left behind.
#[derive(Debug, Clone, Default)]
struct History {
    keys: Keys,
    members: Members,
    decisions: Decisions,
    decided: u64,
    uses: u64,
    committed: u64,
    verified: BTreeMap<&'static str, u64>,
    message_not_in_log: u64,
    withheld: Withheld,
}

/// A signature to be checked.
struct Signed<'r> {
    at: usize,
    record: &'r Record,
    key: Arc<PublicKey>,
}

impl Auditor {
    /// As [`Verifier::new`].
    ///
    /// # Errors
    /// [`VerifyError`] when the checkpoint can't be believed.
    pub fn new(key: VerifierKey, checkpoint_note: &str, options: Options) -> Result<Self, VerifyError> {
        Ok(Self::of(Verifier::new(key, checkpoint_note)?, options))
    }

    /// As [`Verifier::after`]: what the snapshot says of keys, members and policies is what archived records left behind.
    ///
    /// # Errors
    /// [`VerifyError`] when the checkpoint can't be believed, or the snapshot contradicts itself.
    pub fn after(
        key: VerifierKey,
        checkpoint_note: &str,
        snapshot: &Snapshot,
        options: Options,
    ) -> Result<Self, VerifyError> {
        let mut auditor = Self::of(Verifier::after(key, checkpoint_note, snapshot)?, options);
        auditor.history.recall(snapshot).map_err(|contradiction| VerifyError {
            record: snapshot.records(),
            segment: snapshot::file_name(snapshot.records()),
            offset: 0,
            fault: Fault::Contradiction(contradiction.to_string()),
        })?;
        Ok(auditor)
    }

    fn of(verifier: Verifier, options: Options) -> Self {
        let verifier = if options.strict { verifier.missing(Missing::Never) } else { verifier };
        Self { verifier, options, history: History::default() }
    }

    /// As [`Verifier::segment_batches`].
    ///
    /// # Errors
    /// [`VerifyError`]; [`Fault::Contradiction`] where the bytes hold and their meaning does not.
    pub fn segment_batches(
        &mut self,
        name: &str,
        bytes: &[u8],
        mut visit: impl FnMut(&[Entry<'_>]),
    ) -> Result<(), VerifyError> {
        let Self { verifier, options, history } = self;
        verifier.segment_batches(name, bytes, |entries| {
            history.take(entries, *options).map_err(|(at, contradiction)| VerifyError {
                record: entries[at].record.index,
                segment: name.to_owned(),
                offset: entries[at].offset,
                fault: Fault::Contradiction(contradiction.to_string()),
            })?;
            visit(entries);
            Ok(())
        })
    }

    /// As [`Verifier::finish`].
    ///
    /// # Errors
    /// [`VerifyError`].
    pub fn finish(self) -> Result<Findings, VerifyError> {
        let Self { verifier, options, history } = self;
        Ok(Findings {
            report: verifier.finish()?,
            key_versions: history.keys.versions(),
            policy_sets: history.decisions.sets(),
            decisions: history.decided,
            uses: history.uses,
            committed_signatures: history.committed,
            signatures: options.signatures.then_some(history.verified),
            message_not_in_log: history.message_not_in_log,
            withheld: history.withheld,
        })
    }
}

impl History {
    /// Takes in what archived records left behind.
    fn recall(&mut self, snapshot: &Snapshot) -> Result<(), Contradiction> {
        for set in snapshot.policy_sets() {
            self.decisions.keep(set)?;
        }
        for state in snapshot.states().iter().filter_map(|last| last.state.as_ref()) {
            self.keys.state(state)?;
            self.members.state(state)?;
        }
        Ok(())
    }

    /// Takes in records, and says at which of them there is a contradiction: the first, whoever finds it when.
    fn take(&mut self, entries: &[Entry<'_>], options: Options) -> Result<(), (usize, Contradiction)> {
        let mut signed = Vec::new();
        let mut wrong = None;
        for (at, entry) in entries.iter().enumerate() {
            match self.record(&entry.record, options.strict) {
                Ok(None) => {}
                Ok(Some(key)) => signed.push(Signed { at, record: &entry.record, key }),
                Err(contradiction) => {
                    wrong = Some((at, contradiction));
                    break;
                }
            }
        }
        let checked = spread(&signed, |signed| signatures::check(signed.record, &signed.key, options.signatures));
        for (signed, checked) in signed.iter().zip(checked) {
            let Checked { committed, verified } = checked.map_err(|contradiction| (signed.at, contradiction))?;
            self.committed += u64::from(committed);
            match verified {
                Verified::Yes => *self.verified.entry(signed.key.algorithm().as_str()).or_default() += 1,
                Verified::MessageNotInLog => self.message_not_in_log += 1,
                Verified::NotAsked => {}
            }
        }
        wrong.map_or(Ok(()), Err)
    }

    /// Holds a record against those before it; the public key that its signature is checked under, if it has one.
    fn record(&mut self, record: &Record, strict: bool) -> Result<Option<Arc<PublicKey>>, Contradiction> {
        if let Some(set) = &record.policy_set {
            // It names itself.
            self.decisions.keep(set)?;
            return Ok(None);
        }
        let decided = self.decisions.check(record)?;
        self.decided += u64::from(decided);
        let mut key = None;
        match of_use(record) {
            Some(Use::Released) => key = self.released(record, decided)?,
            Some(Use::Withheld) if strict => {
                return Err(Contradiction::Withheld { version: record.resource.clone() });
            }
            Some(Use::Withheld) => self.withheld(record),
            None => {}
        }
        for state in &record.states {
            self.keys.state(state)?;
            self.members.state(state)?;
        }
        Ok(key)
    }

    /// A use whose output was released; the public key that its signature is checked under, if it is one.
    fn released(&mut self, record: &Record, decided: bool) -> Result<Option<Arc<PublicKey>>, Contradiction> {
        if !decided || record.policy_ids.is_empty() {
            return Err(Contradiction::Undecided);
        }
        self.uses += 1;
        let version = self.keys.used(record)?;
        self.members.check_user(record)?;
        if record.signature.is_empty() {
            let signs = signatures::signs(&record.mechanism);
            return if signs { Err(Contradiction::NoSignature) } else { Ok(None) };
        }
        let public = version.public_key.as_ref();
        Ok(Some(Arc::clone(public.ok_or(Contradiction::Malformed("a secret key signs nothing"))?)))
    }

    /// Counts a use of which nothing was released, and of which versions there should have been none.
    fn withheld(&mut self, record: &Record) {
        self.withheld.uses += 1;
        if self.keys.used(record).is_err() {
            *self.withheld.of_unusable.entry(record.resource.clone()).or_default() += 1;
        }
    }
}

/// What a record says of what a private or secret key was used for.
enum Use {
    Released,
    /// It failed, or came too late: only the log says that nobody got what the enclave made.
    Withheld,
}

/// The use that a record is of, if it is of one: making a key and taking one in are none.
fn of_use(record: &Record) -> Option<Use> {
    if record.kind != Kind::Outcome as i32 {
        return None;
    }
    let makes = [GENERATE, IMPORT].contains(&record.mechanism.as_str());
    let uses = || record.action.parse().is_ok_and(|action: Action| action.uses_key());
    let of_enclave = || record.enclave_operation > 0 && (!record.mechanism.is_empty() && !makes || uses());
    match record.outcome == Outcome::Succeeded as i32 {
        true if !record.signature.is_empty() || of_enclave() => Some(Use::Released),
        false if of_enclave() => Some(Use::Withheld),
        _ => None,
    }
}
