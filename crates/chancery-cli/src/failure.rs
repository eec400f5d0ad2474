//! Why a command failed: the exit code, and what people and scripts read on stderr.
//!
//! **Invariants**
//! * One table says which gRPC code ends in which exit code, and denied, rejected, unavailable and failed stay apart.
//! * A message says what failed, why, and what to do next.
//!
//! **Not here**: decoding of the service's errors (chancery-client).

mod advice;

use crate::output::{self, Output};
use advice::advice;
use chancery_audit::verify::VerifyError;
use chancery_client::{ClientError, Code, ConfigError};
use chancery_policy::Finding;
use serde_json::{Value, json};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Verification failed.
pub(crate) const EXIT_UNVERIFIED: u8 = 1;
/// Wrong usage or configuration.
pub(crate) const EXIT_USAGE: u8 = 64;
const EXIT_REJECTED: u8 = 65;
const EXIT_INPUT: u8 = 66;
/// The service can't be reached or can't serve now.
pub(crate) const EXIT_UNAVAILABLE: u8 = 69;
const EXIT_INTERNAL: u8 = 70;
const EXIT_OUTPUT: u8 = 73;
pub(crate) const EXIT_DENIED: u8 = 77;

/// The exit code of a call that failed.
pub(crate) fn exit_code(code: Code) -> u8 {
    match code {
        Code::InvalidArgument | Code::FailedPrecondition | Code::AlreadyExists | Code::NotFound | Code::OutOfRange => {
            EXIT_REJECTED
        }
        Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted => EXIT_UNAVAILABLE,
        Code::PermissionDenied | Code::Unauthenticated => EXIT_DENIED,
        Code::Ok | Code::Cancelled | Code::Unknown | Code::Aborted | Code::Unimplemented | Code::Internal => {
            EXIT_INTERNAL
        }
        // Only we say so: the service's log is not the one that was seen before.
        Code::DataLoss => EXIT_UNVERIFIED,
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The arguments don't fit together.
    #[error("{0}")]
    Usage(String),
    /// The client's configuration can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The service did not do it.
    #[error("can't {doing}: {error}")]
    Call {
        /// What was tried, e.g. "sign with organizations/org1/keys/peer0".
        doing: String,
        /// Why it failed.
        error: ClientError,
    },
    /// The input can't be what it is given as.
    #[error("{0}")]
    Rejected(String),
    /// Policies do not parse, or do not fit the schema.
    #[error("the policies are refused; {} to correct", if .0.len() == 1 { "one thing".into() } else { format!("{} things", .0.len()) })]
    Policies(Vec<Finding>),
    /// An input can't be read.
    #[error("can't read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An output can't be written.
    #[error("can't write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A copy of the audit log does not verify.
    #[error("the log does not verify: {0}")]
    Unverified(#[from] VerifyError),
    /// A directory is not a log, so that nothing is proved.
    #[error("the log does not verify: {0}")]
    NoLog(String),
    /// A receipt proves nothing.
    #[error("the receipt does not verify: {0}")]
    Unreceipted(String),
    /// The enclave does not vouch for a key that secrets would be sealed to.
    #[error("nothing was sealed: {0}")]
    Unattested(String),
    /// Witnesses did not vouch for it.
    #[error("{0}")]
    Unwitnessed(String),
    /// The log's key signed what contradicts what was seen before.
    #[error("{problem}; the evidence is in {}", evidence.display())]
    Contradicted {
        /// What is wrong.
        problem: String,
        /// Where the evidence is.
        evidence: PathBuf,
    },
    /// The service's answer, or we, are wrong.
    #[error("{0}")]
    Internal(String),
}

/// Says what was being done when a call failed.
pub(crate) trait Doing<T> {
    /// `what` completes "can't …".
    fn doing(self, what: impl Into<String>) -> Result<T, CliError>;
}

impl<T> Doing<T> for Result<T, ClientError> {
    fn doing(self, what: impl Into<String>) -> Result<T, CliError> {
        self.map_err(|error| CliError::Call { doing: what.into(), error })
    }
}

impl CliError {
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Read { path, source }
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Write { path, source }
    }

    /// The service's reason, if it gave one.
    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            Self::Call { error, .. } => error.reason.as_deref(),
            _ => None,
        }
    }

    /// The process's exit code.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Config(_) => EXIT_USAGE,
            Self::Call { error, .. } => exit_code(error.code),
            Self::Rejected(_) | Self::Policies(_) => EXIT_REJECTED,
            Self::Read { .. } => EXIT_INPUT,
            // A reader that has seen enough (`| head`) is no failure.
            Self::Write { source, .. } if source.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Write { .. } => EXIT_OUTPUT,
            Self::Unverified(_)
            | Self::NoLog(_)
            | Self::Unattested(_)
            | Self::Unreceipted(_)
            | Self::Unwitnessed(_)
            | Self::Contradicted { .. } => EXIT_UNVERIFIED,
            Self::Internal(_) => EXIT_INTERNAL,
        }
    }

    /// Writes the error to stderr.
    pub(crate) fn report(&self, form: Output) {
        if self.exit_code() == 0 {
            return;
        }
        match form {
            Output::Json => output::complain(&self.json().to_string()),
            Output::Table => {
                if let Self::Policies(findings) = self {
                    findings.iter().for_each(|finding| output::complain(&output::printable(&finding.to_string())));
                }
                output::complain(&format!("error: {}", output::printable(&self.to_string())));
                if let Some(next) = self.next() {
                    output::complain(&format!(" next: {next}"));
                }
            }
        }
    }

    /// What to do about it, where we can tell.
    fn next(&self) -> Option<&'static str> {
        match self {
            Self::Usage(_) => Some("see `chancery help`"),
            Self::Config(_) => Some("correct the file, or name another with --config or CHANCERY_CONFIG"),
            Self::Call { error, .. } => advice(error),
            Self::Unverified(_) | Self::NoLog(_) => Some(
                "keep the files as they are, compare them with another copy of the log, and ask who could write here",
            ),
            Self::Unreceipted(_) => {
                Some("ask for it anew with `chancery audit proof`, and compare --key with the deployment's audit.vkey")
            }
            Self::Unattested(_) => Some("ask for a new job, and compare --audit-key with the deployment's audit.vkey"),
            Self::Unwitnessed(_) => Some("fetch newer cosignatures with `chancery audit checkpoint --witnessed`"),
            Self::Contradicted { .. } => Some(
                "show the evidence to the operator and to the other members, and compare it with what their witnesses \
                 kept. Only when it is explained, move the evidence away, and this witness goes on from what it cosigned; \
                 a log that was begun anew takes a new state (`chancery audit witness init`)",
            ),
            Self::Internal(_) => Some("report it, with the service's log of this moment"),
            Self::Rejected(_) | Self::Policies(_) | Self::Read { .. } | Self::Write { .. } => None,
        }
    }

    /// The object on stderr with `--output json`.
    fn json(&self) -> Value {
        let mut error = json!({ "message": self.to_string(), "exit_code": self.exit_code() });
        if let Some(next) = self.next() {
            error["next"] = next.into();
        }
        match self {
            Self::Call { doing, error: call } => {
                error["doing"] = doing.as_str().into();
                error["code"] = code_name(call.code).into();
                error["reason"] = call.reason.as_deref().into();
                error["retryable"] = call.retryable.into();
                error["performed"] = call.performed.map(|performed| performed.as_str()).into();
                error["violations"] = (call.violations.iter())
                    .map(|violation| json!({ "field": violation.field, "description": violation.description }))
                    .collect();
            }
            Self::Policies(findings) => {
                let finding = |of: &Finding| json!({ "file": of.file, "line": of.line, "column": of.column, "message": of.message, "help": of.help });
                error["findings"] = findings.iter().map(finding).collect();
            }
            Self::Unverified(found) => {
                error["record"] = found.record.into();
                error["segment"] = found.segment.as_str().into();
                error["offset"] = found.offset.into();
            }
            _ => {}
        }
        json!({ "error": error })
    }
}

/// The code as google.rpc.Code spells it.
pub(crate) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests;
