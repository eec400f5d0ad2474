//! Why a call failed, decoded.
//!
//! **Invariant**: a failure of the connection is UNAVAILABLE whatever the layers below called it, except where waiting
//! can't help: a certificate that the service refused is UNAUTHENTICATED.
//!
//! **Not here**: exit codes and return values (whoever reports the error), the reasons themselves
//! ([`chancery_api::reasons`]).

use crate::ConnectError;
use chancery_api::{reasons, rpc};
use prost::Message as _;
use rustls::AlertDescription;
use std::{error::Error, fmt, time::Duration};
use tonic::{Code, Status, TimeoutExpired};
use tonic_types::StatusExt as _;

/// Whether a failed operation was done all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Performed {
    /// Nothing was done.
    NotPerformed,
    /// It may have been done; nothing was released.
    Unknown,
}

impl Performed {
    /// The word of `ErrorInfo.metadata`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotPerformed => "NOT_PERFORMED",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// A field of the request that is wrong (`google.rpc.BadRequest`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldViolation {
    /// Path of the field in the request.
    pub field: String,
    /// What is wrong with it.
    pub description: String,
}

/// A call that failed: what `google.rpc.Status` and its details say, or how the connection was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientError {
    /// The gRPC code.
    pub code: Code,
    /// The stable name of the cause ([`chancery_api::reasons`]); `None` where the service gave none.
    pub reason: Option<String>,
    /// For people.
    pub message: String,
    /// The same request, with the same request id, may succeed later.
    pub retryable: bool,
    /// Not before that is over (`google.rpc.RetryInfo`).
    pub retry_after: Option<Duration>,
    /// On a failed operation.
    pub performed: Option<Performed>,
    /// On a malformed request.
    pub violations: Vec<FieldViolation>,
}

impl ClientError {
    /// An error that was found here: no details.
    pub(crate) fn local(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            reason: None,
            message: message.into(),
            retryable: code == Code::Unavailable,
            retry_after: None,
            performed: None,
            violations: Vec::new(),
        }
    }

    /// The deadline passed before there was an answer.
    pub fn deadline_exceeded() -> Self {
        Self {
            reason: Some(reasons::DEADLINE_EXCEEDED.to_owned()),
            ..Self::local(Code::DeadlineExceeded, "no answer before the deadline")
        }
    }

    /// The transport ended before there was a whole answer.
    pub(crate) fn from_transport(error: &(dyn Error + 'static)) -> Self {
        if let Some(connect) = find::<ConnectError>(error) {
            return connect.clone().into();
        }
        if find::<TimeoutExpired>(error).is_some() {
            return Self::deadline_exceeded();
        }
        // The last cause is the one that says something: those above it are "transport error".
        let mut cause = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        Self::local(Code::Unavailable, format!("the connection to the service was lost: {cause}"))
    }
}

fn find<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

impl From<ConnectError> for ClientError {
    fn from(error: ConnectError) -> Self {
        let message = error.to_string();
        match error {
            ConnectError::Unreachable(_) => Self::local(Code::Unavailable, message),
            ConnectError::Untrusted { .. } => Self { retryable: false, ..Self::local(Code::Unavailable, message) },
            ConnectError::Contradicted { .. } => {
                Self { reason: Some(reasons::LOG_ROLLED_BACK.to_owned()), ..Self::local(Code::DataLoss, message) }
            }
            ConnectError::Refused(alert) => {
                let reason = match alert {
                    AlertDescription::CertificateExpired => Some(reasons::CERTIFICATE_EXPIRED.to_owned()),
                    AlertDescription::UnknownCA => Some(reasons::UNKNOWN_ANCHOR.to_owned()),
                    _ => None,
                };
                Self { reason, ..Self::local(Code::Unauthenticated, message) }
            }
        }
    }
}

impl From<Status> for ClientError {
    fn from(status: Status) -> Self {
        // A status that came over the wire has no source; one that was made here has.
        if let Some(source) = status.source() {
            return Self::from_transport(source);
        }
        let info = status.get_details_error_info().filter(|info| info.domain == reasons::DOMAIN);
        let said = |key: &str| info.as_ref().and_then(|info| info.metadata.get(key)).map(String::as_str);
        let retryable = match said("retryable") {
            Some(word) => word == "true",
            None => status.code() == Code::Unavailable,
        };
        let performed = match said("performed") {
            Some("NOT_PERFORMED") => Some(Performed::NotPerformed),
            Some("UNKNOWN") => Some(Performed::Unknown),
            _ => None,
        };
        let violations = (status.get_details_bad_request().into_iter())
            .flat_map(|bad| bad.field_violations)
            .map(|violation| FieldViolation { field: violation.field, description: violation.description })
            .collect();
        Self {
            code: status.code(),
            message: status.message().to_owned(),
            retryable,
            retry_after: status.get_details_retry_info().and_then(|info| info.retry_delay),
            performed,
            violations,
            reason: info.map(|info| info.reason),
        }
    }
}

/// The error that a stream answers one of its requests with.
impl From<rpc::Status> for ClientError {
    fn from(status: rpc::Status) -> Self {
        let details = status.encode_to_vec();
        Status::with_details(Code::from(status.code), status.message, details.into()).into()
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        // The message may say it all already.
        for violation in self.violations.iter().filter(|violation| !self.message.contains(&violation.description)) {
            write!(f, "; {}: {}", violation.field, violation.description)?;
        }
        match &self.reason {
            Some(reason) => write!(f, " ({reason})"),
            None => Ok(()),
        }
    }
}

impl Error for ClientError {}
