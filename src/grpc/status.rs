//! The one table from [`Error`] to gRPC status (google.rpc.Status with ErrorInfo and BadRequest).
//!
//! **Invariant**: equal errors give equal bytes, whoever asks.

use crate::error::{Error, Performed};
use chancery_api::reasons::{self, DOMAIN};
use std::collections::HashMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

fn code(error: &Error) -> Code {
    match error {
        Error::Unidentified { .. } => Code::Unauthenticated,
        Error::Denied => Code::PermissionDenied,
        Error::Rejected { .. } | Error::InvalidPolicies { .. } => Code::InvalidArgument,
        Error::NotFound(_) => Code::NotFound,
        Error::AlreadyExists(_) => Code::AlreadyExists,
        Error::Precondition { .. } => Code::FailedPrecondition,
        Error::Exhausted { .. } => Code::ResourceExhausted,
        Error::Unavailable { .. } => Code::Unavailable,
        Error::Deadline(_) => Code::DeadlineExceeded,
        Error::Internal { .. } => Code::Internal,
    }
}

fn is_retryable(error: &Error) -> bool {
    match error {
        Error::Unavailable { .. } | Error::Deadline(_) => true,
        Error::Exhausted { retry_after, .. } => retry_after.is_some(),
        Error::Precondition { reason, .. } => *reason == reasons::BUSY,
        _ => false,
    }
}

/// What the caller gets.
pub(super) fn status(error: &Error) -> Status {
    let mut metadata = HashMap::from([("retryable".to_owned(), is_retryable(error).to_string())]);
    if let Some(performed) = error.performed() {
        let performed = match performed {
            Performed::No => "NOT_PERFORMED",
            Performed::Unknown => "UNKNOWN",
        };
        metadata.insert("performed".to_owned(), performed.to_owned());
    }
    let mut details = ErrorDetails::new();
    details.set_error_info(error.reason(), DOMAIN, metadata);
    if let Error::Exhausted { retry_after: Some(after), .. } = error {
        details.set_retry_info(Some(*after));
    }
    if let Error::Rejected { field, message, .. } = error {
        details.add_bad_request_violation(*field, message);
    }
    if let Error::InvalidPolicies { field, findings } = error {
        for finding in findings {
            details.add_bad_request_violation(*field, finding);
        }
    }
    Status::with_error_details(code(error), error.to_string(), details)
}

/// The same, as a stream's answer carries it.
pub(super) fn rpc_status(error: &Error) -> chancery_api::rpc::Status {
    use prost::Message;
    let status = status(error);
    // The details of a tonic status are an encoded google.rpc.Status.
    chancery_api::rpc::Status::decode(status.details()).unwrap_or_else(|_| chancery_api::rpc::Status {
        code: status.code().into(),
        message: status.message().to_owned(),
        details: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// The table, whole: what callers program against.
    #[test]
    fn every_error_has_its_code_reason_and_retryability() {
        let text = |what: &str| what.to_owned();
        let errors = [
            Error::Unidentified { reason: "KEY_HELD_HERE", message: text("m") },
            Error::Denied,
            Error::invalid("name", "m"),
            Error::InvalidPolicies { field: "text", findings: vec![text("1:1: m"), text("2:1: n")] },
            Error::NotFound(text("x")),
            Error::AlreadyExists(text("x")),
            Error::Precondition { reason: "WRONG_STATE", message: text("m") },
            Error::Precondition { reason: "BUSY", message: text("m") },
            Error::Exhausted { reason: "RATE_EXCEEDED", message: text("m"), retry_after: Some(Duration::from_secs(1)) },
            Error::Exhausted { reason: "TOO_MANY_KEYS", message: text("m"), retry_after: None },
            Error::Unavailable { reason: "TOKEN_UNAVAILABLE", message: text("m"), performed: Performed::Unknown },
            Error::Deadline(Performed::No),
            Error::internal("m"),
        ];
        let table: Vec<_> = (errors.iter())
            .map(|error| {
                let status = status(error);
                let info = status.get_details_error_info().unwrap();
                let performed = info.metadata.get("performed").cloned().unwrap_or_default();
                format!("{:?} {} {} {performed}", status.code(), info.reason, info.metadata["retryable"])
            })
            .collect();
        insta::assert_snapshot!(table.join("\n"), @r"
        Unauthenticated KEY_HELD_HERE false 
        PermissionDenied DENIED false 
        InvalidArgument INVALID_ARGUMENT false 
        InvalidArgument INVALID_POLICY false 
        NotFound NOT_FOUND false 
        AlreadyExists ALREADY_EXISTS false 
        FailedPrecondition WRONG_STATE false 
        FailedPrecondition BUSY true 
        ResourceExhausted RATE_EXCEEDED true 
        ResourceExhausted TOO_MANY_KEYS false 
        Unavailable TOKEN_UNAVAILABLE true UNKNOWN
        DeadlineExceeded DEADLINE_EXCEEDED true NOT_PERFORMED
        Internal INTERNAL false NOT_PERFORMED
        ");
    }

    #[test]
    fn a_streams_error_is_the_unary_one() {
        let error = Error::invalid("name", "m");
        let (unary, streamed) = (status(&error), rpc_status(&error));
        assert_eq!((streamed.code, streamed.message.as_str()), (Code::InvalidArgument as i32, unary.message()));
        assert_eq!(streamed.details.len(), 2, "ErrorInfo and BadRequest");
    }
}
