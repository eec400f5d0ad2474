//! The service's side of chancery-enclave: the process, its supervision, and the only way to use a private key.
//!
//! **Invariants**: [`Enclave::sign`] and [`Enclave::use_key`] take a [`Grant`] and recheck it; there is no other way to
//! use an organization's key. Keys are made and ended by a [`Mandate`]. Wrapped keys pass through, never opened ones.
//!
//! **Not here**: PKCS#11 (chancery-enclave), recording (`audit`).

mod connection;
mod gate;
mod lifecycle;
mod login;
mod pending;
mod quarantine;
mod recorded;
mod supervisor;
mod system;
mod transfer;
mod uses;
mod witness;
mod wrapped;

pub use connection::{CallError, EnclaveProcess, SpawnError, default_program};
pub use gate::Turn;
pub use lifecycle::{Generated, Material, NewMaterial};
pub use login::{LoginMarker, LoginRefused};
pub use supervisor::{Enclave, EnclaveOptions, OpenedToken, Unavailable};
pub use system::Shown;
pub use transfer::{Custodian, Statement, TransportKey};
pub use uses::{Checked, Performed, Use, Used, algorithm, key_ref, protection, purpose};

pub use witness::Witness;

pub(crate) use uses::CheckedSignature;

use crate::{
    access::{Access, Grant},
    error::{Error, Performed as Done},
};
use chancery_api::reasons;
use chancery_ipc::{self as ipc, FaultReason};

/// A use of a private key that failed: the grant comes back, so that the failure can be recorded.
#[must_use]
pub struct Failed {
    /// What was permitted.
    pub grant: Grant,
    /// What the caller is told.
    pub error: Error,
    /// What the enclave did, or may have done, and the log does not show yet.
    pub witness: Option<Witness>,
}

/// By whose leave a key is made or ended.
#[derive(Clone, Copy)]
pub enum Mandate<'a> {
    /// Someone asked and policy permits it.
    Granted(&'a Grant),
    /// The key's own schedule, which someone set who was permitted to.
    Schedule,
}

impl Mandate<'_> {
    fn recheck(self, access: &Access) -> Result<(), Error> {
        match self {
            Self::Granted(grant) => access.recheck(grant, None),
            Self::Schedule => Ok(()),
        }
    }
}

fn confused() -> Error {
    Error::Internal {
        reason: reasons::INTERNAL,
        message: "the enclave answered another request than it was sent".into(),
        performed: Done::Unknown,
    }
}

/// A fault of the enclave as the caller is told it.
fn fault(fault: ipc::Fault) -> Error {
    let performed = if fault.maybe_performed { Done::Unknown } else { Done::No };
    let message = fault.message.clone();
    let precondition = |reason| Error::Precondition { reason, message: message.clone() };
    match fault.reason() {
        FaultReason::Expired => Error::Deadline(Done::No),
        FaultReason::Unsupported => precondition(reasons::UNSUPPORTED_ALGORITHM),
        FaultReason::KeyMismatch | FaultReason::KeyNotFound => precondition(reasons::KEY_MISMATCH),
        FaultReason::Tampered | FaultReason::KekNotFound => precondition(reasons::WRAPPED_KEY_INVALID),
        FaultReason::WrongUse => precondition(reasons::WRONG_PURPOSE),
        FaultReason::BadInput => precondition(reasons::BAD_INPUT),
        FaultReason::BadKey => precondition(reasons::BAD_KEY),
        FaultReason::TransportKeyExpired => precondition(reasons::JOB_EXPIRED),
        FaultReason::BadShares => precondition(reasons::BAD_SHARES),
        FaultReason::Busy => precondition(reasons::BUSY),
        FaultReason::TokenFault => Error::Unavailable { reason: reasons::TOKEN_UNAVAILABLE, message, performed },
        FaultReason::Unwitnessed => Error::Unavailable { reason: reasons::UNWITNESSED, message, performed },
        _ => Error::Internal { reason: reasons::INTERNAL, message, performed },
    }
}
