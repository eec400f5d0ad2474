//! The checkpoint that witnesses are asked to cosign, and the newest one that enough of them did.
//!
//! **Invariants**: witnesses come at times of their own, so the one that is asked for stays the same until a quorum has
//! cosigned it; it never gets smaller. A cosignature counts for exactly the text it was given for.
//!
//! **Not here**: verifying cosignatures and the log's own signature ([`super::Witnesses`]).

use chancery_audit::checkpoint::{Checkpoint, Cosignature, Cosigned, WitnessPolicy, with_line};
use std::time::{Duration, Instant};

/// How long others may still add theirs once a quorum is reached.
const GRACE: Duration = Duration::from_secs(5);

/// A checkpoint, its note with the log's signature, and what each witness of the policy gave for it.
#[derive(Debug, Clone)]
pub(super) struct Collected {
    pub(super) checkpoint: Checkpoint,
    /// With the log's signature alone.
    pub(super) own: String,
    lines: Vec<Option<Cosignature>>,
    since: Instant,
}

impl Collected {
    fn new(checkpoint: Checkpoint, note: String, witnesses: usize) -> Self {
        Self { checkpoint, own: note, lines: vec![None; witnesses], since: Instant::now() }
    }

    /// The note with its cosignatures, in the policy's order.
    pub(super) fn note(&self) -> String {
        let lines = self.lines.iter().flatten();
        lines.fold(self.own.clone(), |note, cosignature| with_line(&note, &cosignature.line))
    }

    pub(super) fn places(&self) -> Vec<bool> {
        self.lines.iter().map(Option::is_some).collect()
    }

    pub(super) fn count(&self) -> usize {
        self.lines.iter().flatten().count()
    }

    fn add(&mut self, witness: usize, cosignature: &Cosignature) {
        if let Some(line) = self.lines.get_mut(witness)
            && line.as_ref().is_none_or(|known| known.time < cosignature.time)
        {
            *line = Some(cosignature.clone());
        }
    }
}

/// When a witness cosigned last, and what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Last {
    /// Records of the checkpoint.
    pub size: u64,
    /// By its own clock, in seconds since the Unix epoch; 0: never that is known.
    pub time: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Cosigning {
    pub(super) asked: Option<Collected>,
    pub(super) witnessed: Option<Collected>,
    pub(super) last: Vec<Last>,
}

impl Cosigning {
    /// Goes on after what a quorum cosigned in an earlier run.
    pub(super) fn new(witnesses: usize, earlier: Option<(Cosigned, String)>) -> Self {
        let mut cosigning = Self { asked: None, witnessed: None, last: vec![Last::default(); witnesses] };
        if let Some((found, note)) = earlier {
            let mut collected = Collected::new(found.checkpoint, note, witnesses);
            for (witness, cosignature) in found.cosignatures.iter().enumerate() {
                if let Some(cosignature) = cosignature {
                    cosigning.last[witness] = Last { size: collected.checkpoint.size, time: cosignature.time };
                    collected.add(witness, cosignature);
                }
            }
            cosigning.witnessed = Some(collected);
        }
        cosigning
    }

    /// Asks for the newest checkpoint from now on, if what was asked for is done with. `fresh`: none is asked for below.
    pub(super) fn ask(&mut self, newest: (Checkpoint, String), fresh: u64, policy: &WitnessPolicy) {
        let done = self.asked.as_ref().is_none_or(|asked| {
            asked.count() == asked.lines.len() || (policy.is_reached(&asked.places()) && asked.since.elapsed() >= GRACE)
        });
        let larger = self.asked.as_ref().is_none_or(|asked| asked.checkpoint.size < newest.0.size);
        if done && larger && newest.0.size >= fresh {
            self.asked = Some(Collected::new(newest.0, newest.1, policy.witnesses().len()));
        }
    }

    /// Takes a verified cosignature; whether it changed the newest checkpoint that a quorum cosigned.
    pub(super) fn add(
        &mut self,
        witness: usize,
        checkpoint: &Checkpoint,
        cosignature: &Cosignature,
        policy: &WitnessPolicy,
    ) -> bool {
        if let Some(last) = self.last.get_mut(witness)
            && last.time <= cosignature.time
        {
            *last = Last { size: checkpoint.size, time: cosignature.time };
        }
        if let Some(asked) = self.asked.as_mut().filter(|asked| asked.checkpoint == *checkpoint) {
            asked.add(witness, cosignature);
            if policy.is_reached(&asked.places()) {
                self.witnessed = Some(asked.clone());
                return true;
            }
        } else if let Some(witnessed) = self.witnessed.as_mut().filter(|known| known.checkpoint == *checkpoint) {
            witnessed.add(witness, cosignature);
            return true;
        }
        false
    }
}
