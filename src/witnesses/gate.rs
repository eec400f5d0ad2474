//! Whether key operations and changes are let through at all.
//!
//! **Invariants**: a gate that opened closes only for good, when the log was shown to be another than the one that was
//! signed. What it costs while open is one atomic load.

use crate::{
    error::{Error, Performed},
    model::Action,
};
use chancery_api::reasons;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

/// How the gate stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Everything is let through.
    Open,
    /// Only reads and cosignatures, until a quorum of witnesses cosigned a checkpoint of this run.
    Waiting {
        /// Who is still to come, in words.
        text: String,
    },
    /// Only what tells members about the log, until the operator put things right.
    Refused {
        /// What is wrong, in words.
        text: String,
    },
}

/// See the module.
pub struct Gate {
    open: AtomicBool,
    standing: watch::Sender<Standing>,
}

/// What changes nothing and uses no private key.
const fn is_read(action: Action) -> bool {
    matches!(
        action,
        Action::Verify
            | Action::GetPublicKey
            | Action::GetKey
            | Action::GetKeyUsage
            | Action::ListKeys
            | Action::ListObjects
            | Action::RenewSessionObjects
            | Action::ListBackups
            | Action::GetOrganization
            | Action::ListOrganizations
            | Action::ListTrustAnchors
            | Action::ListPrincipals
            | Action::ListSuspensions
            | Action::ListGroups
            | Action::GetPolicies
            | Action::ExplainDecision
            | Action::SimulatePolicies
            | Action::ListLimits
            | Action::ListApprovals
            | Action::GetTokenStatus
    ) || is_about_the_log(action)
}

/// What members need to see what became of the log.
const fn is_about_the_log(action: Action) -> bool {
    matches!(
        action,
        Action::ListRecords
            | Action::TailRecords
            | Action::GetCheckpoint
            | Action::GetInclusionProof
            | Action::GetConsistencyProof
            | Action::AddCosignature
    )
}

impl Gate {
    /// One that stands so.
    pub fn new(standing: Standing) -> Self {
        let open = AtomicBool::new(standing == Standing::Open);
        Self { open, standing: watch::channel(standing).0 }
    }

    /// Whether everything is let through.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// Lets an action through, or says why not.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with `WITNESSES_MISSING`, [`Error::Precondition`] with `LOG_ROLLED_BACK`.
    pub fn check(&self, action: Action) -> Result<(), Error> {
        if self.is_open() {
            return Ok(());
        }
        match &*self.standing.borrow() {
            Standing::Open => Ok(()),
            Standing::Waiting { .. } if is_read(action) => Ok(()),
            Standing::Refused { .. } if is_about_the_log(action) => Ok(()),
            Standing::Waiting { text } => Err(Error::Unavailable {
                reason: reasons::WITNESSES_MISSING,
                message: format!("{text}; keys are used and changed only then. Try again"),
                performed: Performed::No,
            }),
            Standing::Refused { text } => Err(refused(text)),
        }
    }

    /// Opens it, unless it was closed for good, or says who is missing.
    pub(super) fn set(&self, standing: Standing) {
        self.standing.send_if_modified(|now| {
            let changes = *now != standing && !matches!(now, Standing::Refused { .. });
            if changes {
                // Before whoever waits hears of it.
                self.open.store(standing == Standing::Open, Ordering::Release);
                *now = standing;
            }
            changes
        });
    }

    /// Until it is open.
    pub async fn opened(&self) {
        self.until(|standing| *standing == Standing::Open).await;
    }

    /// Until it was closed for good.
    pub async fn refused(&self) {
        self.until(|standing| matches!(standing, Standing::Refused { .. })).await;
    }

    async fn until(&self, what: impl FnMut(&Standing) -> bool) {
        if self.standing.subscribe().wait_for(what).await.is_err() {
            std::future::pending().await
        }
    }
}

/// What callers are told of a log that is not the one that was signed.
pub(super) fn refused(text: &str) -> Error {
    Error::Precondition {
        reason: reasons::LOG_ROLLED_BACK,
        message: format!("{text}; nothing is done until that is mended"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting() -> Standing {
        Standing::Waiting { text: "0 of 1".into() }
    }

    fn refusing() -> Standing {
        Standing::Refused { text: "rolled back".into() }
    }

    #[test]
    fn a_closed_gate_lets_reads_through_and_a_refusing_one_what_is_about_the_log() {
        let reason = |gate: &Gate, action| gate.check(action).err().map(|error| error.reason());
        let gate = Gate::new(waiting());
        for action in [Action::Sign, Action::CreateKey, Action::Decrypt, Action::GenerateRandom, Action::SetPolicies] {
            assert_eq!(reason(&gate, action), Some(reasons::WITNESSES_MISSING), "{action}");
        }
        for action in [Action::GetKey, Action::GetCheckpoint, Action::AddCosignature, Action::ListRecords] {
            assert_eq!(reason(&gate, action), None, "{action}");
        }
        gate.set(refusing());
        for action in [Action::Sign, Action::GetKey, Action::AttestKeyVersion] {
            assert_eq!(reason(&gate, action), Some(reasons::LOG_ROLLED_BACK), "{action}");
        }
        assert_eq!(reason(&gate, Action::GetConsistencyProof), None);
    }

    #[test]
    fn nothing_opens_a_gate_that_refuses() {
        let gate = Gate::new(waiting());
        gate.set(Standing::Open);
        assert!(gate.is_open() && gate.check(Action::Sign).is_ok());
        gate.set(refusing());
        for standing in [Standing::Open, waiting()] {
            gate.set(standing);
            assert_eq!((gate.is_open(), gate.standing()), (false, refusing()));
        }
    }
}
