//! What a restore is asked with: its header, and then the states of the backup's log.
//!
//! **Invariants**: what a caller's states take of memory is bounded, whatever their lengths; their hash tells them apart
//! by content, number and order, and not by the messages that they came in.

use crate::{error::Error, model::OrganizationName, policy::Context};
use chancery_api::reasons;
use chancery_audit::checkpoint::Checkpoint;
use sha2::{Digest, Sha256};

/// A backup to bring back.
#[derive(Debug, Clone)]
pub struct RestoreRequest {
    /// Whose keys.
    pub organization: OrganizationName,
    /// The restore job that the shares are sealed to.
    pub job: Vec<u8>,
    /// Custodians' shares, sealed.
    pub shares: Vec<Vec<u8>>,
    /// The checkpoint of the log of the backup's deployment; empty: there is none.
    pub checkpoint: String,
    /// There is no such log.
    pub without_log: bool,
    /// SHA-256 of the request without job and shares, which are others each time.
    pub terms: [u8; 32],
}

/// What follows a restore's header.
#[derive(Debug)]
pub enum RestorePart {
    /// Last states of the organization's keys and versions in the log of the backup's deployment.
    States(Vec<Vec<u8>>),
    /// The backup's file, a piece of it.
    Chunk(Vec<u8>),
}

/// The most bytes of logged states: those of some 200,000 keys.
const MOST_BYTES: usize = 256 << 20;
/// What a state takes beside its own bytes.
const BESIDE: usize = 64;
/// The most logged states.
const MOST_STATES: usize = 1 << 20;
/// The longest origin of a log that is recorded, in bytes.
const LONGEST_ORIGIN: usize = 256;

impl RestoreRequest {
    /// What is decided on and recorded: which log the caller verified and how many of its states came, or that there was
    /// none.
    pub(super) fn context(&self, states: usize) -> Result<Context, Error> {
        let context = Context::new().flag("withoutLog", self.without_log);
        let Some(log) = self.log()? else { return Ok(context) };
        let states = i64::try_from(states).unwrap_or(i64::MAX);
        Ok(context.text("log", format!("{} {}", log.origin, log.size)).number("loggedStates", states))
    }

    /// For the officer who approves: the log that the caller verified.
    pub(super) fn summary(&self, states: usize) -> Result<String, Error> {
        let without = if self.without_log { ", destroyed versions too" } else { "" };
        let log = self.log()?.map(|log| {
            let origin = log.origin.escape_debug();
            format!(", with {states} states of the log {origin} at size {}", log.size)
        });
        Ok(format!("{}{without}", log.unwrap_or_default()))
    }

    fn log(&self) -> Result<Option<Checkpoint>, Error> {
        if self.checkpoint.is_empty() {
            return Ok(None);
        }
        let text = self.checkpoint.split_once("\n\n").map(|(text, _signatures)| format!("{text}\n"));
        let checkpoint = Checkpoint::parse(text.as_deref().unwrap_or(&self.checkpoint));
        let checkpoint = checkpoint.map_err(|error| Error::invalid("checkpoint", error))?;
        if checkpoint.origin.len() > LONGEST_ORIGIN {
            return Err(Error::invalid("checkpoint", format!("its origin is over {LONGEST_ORIGIN} bytes")));
        }
        Ok(Some(checkpoint))
    }
}

/// The states that came so far.
#[derive(Debug, Default)]
pub(super) struct LoggedStates {
    states: Vec<Vec<u8>>,
    bytes: usize,
    hash: Sha256,
}

impl LoggedStates {
    /// Takes in further states of the log that `asked` names.
    ///
    /// # Errors
    /// [`Error::Rejected`] where it names none, and once they are too many.
    pub(super) fn add(&mut self, asked: &RestoreRequest, states: Vec<Vec<u8>>) -> Result<(), Error> {
        if asked.checkpoint.is_empty() && !states.is_empty() {
            return Err(Error::invalid("logged_states", "name the log that they are of: give its checkpoint"));
        }
        let too_many = |message| Error::Rejected { reason: reasons::TOO_LARGE, field: "logged_states", message };
        if states.len() > MOST_STATES - self.states.len() {
            return Err(too_many(format!("over {MOST_STATES} states")));
        }
        for state in states {
            self.bytes += state.len() + BESIDE;
            if self.bytes > MOST_BYTES {
                return Err(too_many(format!("over {MOST_BYTES} bytes, {BESIDE} added to each state's own")));
            }
            self.hash.update((state.len() as u64).to_be_bytes());
            self.hash.update(&state);
            self.states.push(state);
        }
        Ok(())
    }

    /// All of them, in the order in which they came.
    pub(super) fn all(&self) -> &[Vec<u8>] {
        &self.states
    }

    /// SHA-256 of all of them, each after its length.
    pub(super) fn sha256(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(checkpoint: &str) -> RestoreRequest {
        RestoreRequest {
            organization: OrganizationName::from_id("org1").unwrap(),
            job: Vec::new(),
            shares: Vec::new(),
            checkpoint: checkpoint.into(),
            without_log: false,
            terms: [0; 32],
        }
    }

    fn rejected<T: std::fmt::Debug>(result: Result<T, Error>) -> (&'static str, &'static str) {
        match result {
            Err(Error::Rejected { reason, field, .. }) => (reason, field),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_context_says_with_which_log_a_restore_is_done() {
        let said = |asked: RestoreRequest, states| {
            let context = asked.context(states)?;
            Ok::<Vec<_>, Error>(context.iter().map(|(name, value)| format!("{name}={value}")).collect())
        };
        let text = Checkpoint { origin: "example/audit".into(), size: 12, root: [7; 32] }.text();
        let log = ["log=example/audit 12", "loggedStates=2", "withoutLog=false"];
        for note in [text.clone(), format!("{text}\n\u{2014} example/audit Az3grlgtzPICa5OS\n")] {
            assert_eq!(said(asked(&note), 2).unwrap(), log);
        }
        assert_eq!(said(asked(""), 0).unwrap(), ["withoutLog=false"]);
        assert_eq!(rejected(said(asked("a log of mine"), 0)).1, "checkpoint");
        assert_eq!(rejected(LoggedStates::default().add(&asked(""), vec![Vec::new()])).1, "logged_states");
    }

    #[test]
    fn states_are_bounded_in_bytes_and_number() {
        let asked = asked("a log");
        let large = (reasons::TOO_LARGE, "logged_states");
        let mut empty = LoggedStates::default();
        empty.add(&asked, vec![Vec::new(); MOST_STATES]).unwrap();
        assert_eq!(rejected(empty.add(&asked, vec![Vec::new()])), large);
        let mut long = LoggedStates { bytes: MOST_BYTES - BESIDE - 1, ..LoggedStates::default() };
        long.add(&asked, vec![vec![0]]).unwrap();
        assert_eq!(rejected(long.add(&asked, vec![Vec::new()])), large, "what it takes beside its bytes counts");
    }

    #[test]
    fn the_hash_tells_states_apart_and_not_messages() {
        let hash = |messages: &[&[&str]]| {
            let mut states = LoggedStates::default();
            for message in messages {
                let message = message.iter().map(|state| state.as_bytes().to_vec()).collect();
                states.add(&asked("a log"), message).unwrap();
            }
            states.sha256()
        };
        let honest = hash(&[&["a", "bc"]]);
        assert_eq!(hash(&[&["a"], &[], &["bc"]]), honest);
        for other in [&["a", "bd"][..], &["bc", "a"], &["ab", "c"], &["abc"], &["a"], &["a", "bc", ""], &[]] {
            assert_ne!(hash(&[other]), honest, "{other:?}");
        }
    }
}
