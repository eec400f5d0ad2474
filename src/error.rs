//! What a caller is told when it does not get what it asked for.
//!
//! **Invariants**: denied (policy or identity said no), rejected (the request is wrong) and failed (we broke) never mix.
//! A message holds no secret and nothing of another organization.
//!
//! **Not here**: gRPC codes (`grpc::status`).

use chancery_api::reasons;
use std::time::Duration;

/// Whether a failed operation was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Performed {
    /// Nothing was done.
    No,
    /// It may have been done; nothing was released.
    Unknown,
}

/// See the module. Each variant is one thing the caller can do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The certificate makes nobody of the caller: get another certificate or registration.
    #[error("{message}")]
    Unidentified {
        /// A constant of [`reasons`].
        reason: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// Policy does not allow it: ask a security officer.
    #[error("permission denied: your organization's policies do not allow this, or the resource does not exist")]
    Denied,
    /// A field is wrong: correct the request.
    #[error("`{field}`: {message}")]
    Rejected {
        /// A constant of [`reasons`].
        reason: &'static str,
        /// Path of the field.
        field: &'static str,
        /// What is wrong and what is expected.
        message: String,
    },
    /// Policies do not parse or do not fit the schema: correct what is named.
    #[error("the policies are refused, and those in force stay: {}", .findings.first().map_or("", String::as_str))]
    InvalidPolicies {
        /// Path of the field that they came in, or what they were read from.
        field: &'static str,
        /// Each thing that is wrong, with its place and what was probably meant; at least one.
        findings: Vec<String>,
    },
    /// Not there, where the caller may look.
    #[error("{0} does not exist")]
    NotFound(String),
    /// There already.
    #[error("{0} exists already")]
    AlreadyExists(String),
    /// The resource's state does not allow it: change that first.
    #[error("{message}")]
    Precondition {
        /// A constant of [`reasons`].
        reason: &'static str,
        /// What the state is and what would be needed.
        message: String,
    },
    /// A limit is reached: try again when `retry_after` is over.
    #[error("{message}")]
    Exhausted {
        /// A constant of [`reasons`].
        reason: &'static str,
        /// Which limit, and who can raise it.
        message: String,
        /// From when on it may be tried again; `None`: only once the limit is raised.
        retry_after: Option<Duration>,
    },
    /// Something that is needed is down: try again with the same request id.
    #[error("{message}")]
    Unavailable {
        /// A constant of [`reasons`].
        reason: &'static str,
        /// What is down.
        message: String,
        /// Whether the operation was done.
        performed: Performed,
    },
    /// The deadline passed: try again with the same request id.
    #[error("the deadline passed before the token answered")]
    Deadline(Performed),
    /// A defect: tell the operator.
    #[error("internal error: {message}")]
    Internal {
        /// A constant of [`reasons`].
        reason: &'static str,
        /// What broke.
        message: String,
        /// Whether the operation was done.
        performed: Performed,
    },
}

impl Error {
    /// A malformed field.
    pub fn invalid(field: &'static str, problem: impl ToString) -> Self {
        Self::Rejected { reason: reasons::INVALID_ARGUMENT, field, message: problem.to_string() }
    }

    /// A request id that came with other content before.
    pub fn reused() -> Self {
        Self::Rejected {
            reason: reasons::REQUEST_ID_REUSED,
            field: "request_id",
            message: "this id was used before with other content; take a fresh UUID for each request".into(),
        }
    }

    /// A defect of the service before anything was done.
    pub fn internal(problem: impl ToString) -> Self {
        Self::Internal { reason: reasons::INTERNAL, message: problem.to_string(), performed: Performed::No }
    }

    /// The service ended while it worked on this.
    pub fn stopped() -> Self {
        Self::Unavailable {
            reason: reasons::TOKEN_UNAVAILABLE,
            message: "the service stopped while it worked on this; nothing was released. Try again".into(),
            performed: Performed::Unknown,
        }
    }

    /// The reason that `ErrorInfo` carries.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unidentified { reason, .. }
            | Self::Rejected { reason, .. }
            | Self::Precondition { reason, .. }
            | Self::Exhausted { reason, .. }
            | Self::Unavailable { reason, .. }
            | Self::Internal { reason, .. } => reason,
            Self::Denied => reasons::DENIED,
            Self::InvalidPolicies { .. } => reasons::INVALID_POLICY,
            Self::NotFound(_) => reasons::NOT_FOUND,
            Self::AlreadyExists(_) => reasons::ALREADY_EXISTS,
            Self::Deadline(_) => reasons::DEADLINE_EXCEEDED,
        }
    }

    /// Whether a failed operation was done; `None` where the question does not arise.
    pub fn performed(&self) -> Option<Performed> {
        match self {
            Self::Unavailable { performed, .. } | Self::Deadline(performed) | Self::Internal { performed, .. } => {
                Some(*performed)
            }
            _ => None,
        }
    }
}
