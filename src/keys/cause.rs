//! Why a key is changed: someone asked, or its schedule says so. Records are the same but for that.

use crate::{
    access::Grant,
    audit::Draft,
    enclave::Mandate,
    error::Error,
    model::{Key, RequestId, Scheduled},
};

/// See the module.
#[derive(Clone, Copy)]
pub(super) enum Cause<'a> {
    /// A request that was permitted.
    Request(&'a Grant, &'a RequestId),
    /// What the schedule of this key says.
    Schedule(Scheduled, &'a Key),
}

impl<'a> Cause<'a> {
    pub(super) fn mandate(self) -> Mandate<'a> {
        match self {
            Self::Request(grant, _) => Mandate::Granted(grant),
            Self::Schedule(..) => Mandate::Schedule,
        }
    }

    /// The caller's request id, if there is a caller.
    pub(super) fn request_id(self) -> &'a str {
        match self {
            Self::Request(_, request) => &request.id,
            Self::Schedule(..) => "",
        }
    }

    /// What a crash could leave half done is about to start.
    pub(super) fn intent(self) -> Draft {
        match self {
            Self::Request(grant, request) => Draft::intent(grant, request),
            Self::Schedule(what, key) => Draft::scheduled_intent(what, key),
        }
    }

    /// It was done.
    pub(super) fn outcome(self) -> Draft {
        match self {
            Self::Request(grant, request) => Draft::outcome(grant, request),
            Self::Schedule(what, key) => Draft::scheduled_outcome(what, key),
        }
    }

    /// It failed after it was permitted.
    pub(super) fn failed(self, error: &Error) -> Draft {
        match self {
            Self::Request(grant, request) => Draft::failed(grant, request, error),
            Self::Schedule(what, key) => Draft::scheduled_failed(what, key, error),
        }
    }
}
