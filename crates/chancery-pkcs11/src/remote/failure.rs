//! Why the service gave no result, and the one table from that to return values (docs/pkcs11.md, "Return values").
//!
//! **Invariant**: never CKR_DEVICE_ERROR, CKR_DEVICE_MEMORY, CKR_DEVICE_REMOVED, CKR_TOKEN_NOT_PRESENT or
//! CKR_USER_NOT_LOGGED_IN: clients keep a session that answered so for ever, or panic. CKR_SESSION_HANDLE_INVALID is what
//! makes them open another and go on.
//! (CKR_USER_NOT_LOGGED_IN is for clients that have not logged in, which is found before the service is asked.)
//!
//! **Not here**: what is wrong with arguments, found before the service is asked.

use crate::{log, rv::Rv};
use chancery_api::reasons as r;
use chancery_client::{ClientError, Code, Performed};
use cryptoki_sys::*;
use std::io;

/// Why the service gave no result.
#[derive(Debug, Clone)]
pub struct Failure(pub ClientError);

/// What was to be done, which decides the return value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Using a private or secret key.
    Using,
    /// The same, on data that a key has encrypted or wrapped.
    Decrypting,
    /// Making a key or object.
    Making,
    /// Changing or dropping an object.
    Changing,
    /// Looking for objects.
    Finding,
}

impl Failure {
    /// One that whoever reads the log hears of.
    pub(super) fn reported(error: ClientError) -> Self {
        log::line(format_args!("{error}"));
        Self(error)
    }

    /// C_Finalize was called.
    pub(super) fn closed() -> Self {
        Self(closed())
    }

    /// Whether the service may have done what was asked, for all that is known.
    pub fn leaves_doubt(&self) -> bool {
        self.0.performed != Some(Performed::NotPerformed) && !is_settled(&self.0)
    }

    /// As PKCS#11 says it.
    pub fn rv(&self, doing: Doing) -> Rv {
        let reason = self.0.reason.as_deref().and_then(|reason| by_reason(reason, doing));
        Rv(reason.unwrap_or_else(|| by_code(self.0.code, doing)))
    }
}

fn by_reason(reason: &str, doing: Doing) -> Option<CK_RV> {
    Some(match reason {
        // It may not, or not so much of it.
        r::DENIED
        | r::SUSPENDED
        | r::APPROVAL_NEEDED
        | r::APPROVAL_WAITING
        | r::CONFIRMATION_NEEDED
        | r::LABEL_RESERVED
        | r::RATE_EXCEEDED
        | r::QUOTA_EXHAUSTED
        | r::LOG_SHARE_EXHAUSTED
        | r::TOO_MANY_KEYS
        | r::TOO_MANY_PROVISIONAL_KEYS
        | r::TOO_MANY_SESSION_KEYS
        | r::TOO_MANY_OBJECTS
        | r::LAST_OBJECT
        | r::NOT_A_WITNESS => CKR_FUNCTION_REJECTED,
        // It is not who may.
        r::IDENTITY_AMBIGUOUS
        | r::NO_ROLE
        | r::NAME_NOT_ALLOWED
        | r::KEY_HELD_HERE
        | r::CERTIFICATE_EXPIRED
        | r::CERTIFICATE_REVOKED
        | r::CRL_EXPIRED
        | r::UNKNOWN_ANCHOR
        | r::KEY_PENDING => CKR_FUNCTION_REJECTED,
        // It can't be done now, and that lasted until the deadline.
        r::TOKEN_UNAVAILABLE
        | r::AUDIT_UNAVAILABLE
        | r::STORE_UNAVAILABLE
        | r::WITNESSES_MISSING
        | r::UNWITNESSED
        | r::LOG_ROLLED_BACK
        | r::BUSY
        | r::DEADLINE_EXCEEDED => CKR_SESSION_HANDLE_INVALID,
        r::WRONG_STATE => match doing {
            Doing::Using | Doing::Decrypting => CKR_KEY_FUNCTION_NOT_PERMITTED,
            Doing::Changing => CKR_ACTION_PROHIBITED,
            Doing::Making | Doing::Finding => CKR_FUNCTION_REJECTED,
        },
        r::OBJECT_UNMODIFIABLE => CKR_ACTION_PROHIBITED,
        r::ID_OF_ANOTHER_KEY => CKR_ATTRIBUTE_VALUE_INVALID,
        r::WRONG_PURPOSE => match doing {
            Doing::Making => CKR_TEMPLATE_INCONSISTENT,
            _ => CKR_KEY_FUNCTION_NOT_PERMITTED,
        },
        r::UNSUPPORTED_ALGORITHM => CKR_MECHANISM_INVALID,
        r::WRONG_DIGEST => CKR_DATA_LEN_RANGE,
        r::TOO_LARGE => too_large(doing),
        r::INVALID_ARGUMENT | r::BAD_INPUT | r::BAD_KEY | r::INVALID_POLICY => wrong_input(doing),
        r::NOT_FOUND => not_found(doing),
        r::ALREADY_EXISTS => already_exists(doing),
        // Something is wrong with the service or with what it keeps: the message in the log says what.
        r::CHECKSUM_MISMATCH
        | r::REQUEST_ID_REUSED
        | r::QUARANTINED
        | r::WRAPPED_KEY_INVALID
        | r::STATE_MISMATCH
        | r::KEY_MISMATCH
        | r::SIGNATURE_CHECK_FAILED
        | r::JOB_EXPIRED
        | r::BAD_SHARES
        | r::TAMPERED
        | r::INTERNAL => CKR_FUNCTION_FAILED,
        // Of a newer service.
        _ => return None,
    })
}

fn by_code(code: Code, doing: Doing) -> CK_RV {
    match code {
        Code::Unavailable | Code::DeadlineExceeded | Code::Aborted | Code::DataLoss => CKR_SESSION_HANDLE_INVALID,
        Code::PermissionDenied | Code::Unauthenticated | Code::ResourceExhausted | Code::FailedPrecondition => {
            CKR_FUNCTION_REJECTED
        }
        Code::InvalidArgument => wrong_input(doing),
        // The transport's own limit.
        Code::OutOfRange => too_large(doing),
        Code::NotFound => not_found(doing),
        Code::AlreadyExists => already_exists(doing),
        Code::Unimplemented => CKR_FUNCTION_NOT_SUPPORTED,
        Code::Cancelled => CKR_CRYPTOKI_NOT_INITIALIZED,
        Code::Internal | Code::Unknown | Code::Ok => CKR_FUNCTION_FAILED,
    }
}

fn wrong_input(doing: Doing) -> CK_RV {
    match doing {
        Doing::Using => CKR_DATA_INVALID,
        Doing::Decrypting => CKR_ENCRYPTED_DATA_INVALID,
        Doing::Making => CKR_TEMPLATE_INCONSISTENT,
        Doing::Changing => CKR_ATTRIBUTE_VALUE_INVALID,
        Doing::Finding => CKR_ARGUMENTS_BAD,
    }
}

fn too_large(doing: Doing) -> CK_RV {
    match doing {
        Doing::Using => CKR_DATA_LEN_RANGE,
        Doing::Decrypting => CKR_ENCRYPTED_DATA_LEN_RANGE,
        Doing::Changing | Doing::Making | Doing::Finding => wrong_input(doing),
    }
}

fn not_found(doing: Doing) -> CK_RV {
    match doing {
        Doing::Using | Doing::Decrypting => CKR_KEY_HANDLE_INVALID,
        Doing::Changing => CKR_OBJECT_HANDLE_INVALID,
        // Its organization is gone.
        Doing::Making | Doing::Finding => CKR_FUNCTION_REJECTED,
    }
}

fn already_exists(doing: Doing) -> CK_RV {
    match doing {
        Doing::Making => CKR_TEMPLATE_INCONSISTENT,
        Doing::Changing => CKR_ATTRIBUTE_VALUE_INVALID,
        Doing::Using | Doing::Decrypting | Doing::Finding => CKR_FUNCTION_FAILED,
    }
}

/// C_Finalize was called while the caller waited, or before.
pub(super) fn closed() -> ClientError {
    local(Code::Cancelled, None, "C_Finalize was called")
}

/// A defect of this module.
pub(super) fn thread_ended() -> ClientError {
    local(Code::Internal, Some(r::INTERNAL), "the module's thread ended, and so did those after it")
}

/// Whether asking once more would bring the same answer.
pub(super) fn is_settled(error: &ClientError) -> bool {
    let lost = matches!(error.code, Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled);
    !lost && !error.retryable && !has_thread_ended(error)
}

/// Whether it is [`thread_ended`]: another thread may do what this one did not.
pub(super) fn has_thread_ended(error: &ClientError) -> bool {
    *error == thread_ended()
}

/// The system gives no thread or no file descriptor.
pub(super) fn unstartable(error: io::Error) -> ClientError {
    local(Code::Unavailable, None, &format!("can't start the thread that speaks with the service: {error}"))
}

fn local(code: Code, reason: Option<&str>, message: &str) -> ClientError {
    ClientError {
        code,
        reason: reason.map(str::to_owned),
        message: message.to_owned(),
        retryable: false,
        retry_after: None,
        performed: None,
        violations: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOING: [Doing; 5] = [Doing::Using, Doing::Decrypting, Doing::Making, Doing::Changing, Doing::Finding];

    /// The names of the values that the table gives.
    fn name(value: CK_RV) -> &'static str {
        macro_rules! names {
            ($($name:ident)+) => {
                match value {
                    $($name => stringify!($name).trim_start_matches("CKR_"),)+
                    _ => panic!("a value that the table should not give, or that is new to this test: {value:#x}"),
                }
            };
        }
        names! {
            CKR_FUNCTION_REJECTED CKR_SESSION_HANDLE_INVALID CKR_FUNCTION_FAILED CKR_KEY_FUNCTION_NOT_PERMITTED
            CKR_ACTION_PROHIBITED CKR_TEMPLATE_INCONSISTENT CKR_MECHANISM_INVALID CKR_DATA_LEN_RANGE CKR_DATA_INVALID
            CKR_ENCRYPTED_DATA_INVALID CKR_ENCRYPTED_DATA_LEN_RANGE CKR_ATTRIBUTE_VALUE_INVALID CKR_ARGUMENTS_BAD
            CKR_KEY_HANDLE_INVALID CKR_OBJECT_HANDLE_INVALID CKR_FUNCTION_NOT_SUPPORTED CKR_CRYPTOKI_NOT_INITIALIZED
        }
    }

    fn row(title: &str, error: ClientError) -> String {
        let failure = Failure(error);
        let values = DOING.map(|doing| name(failure.rv(doing).0));
        let same = values.iter().all(|value| *value == values[0]);
        format!("{title}: {}", if same { values[0].to_owned() } else { values.join(" ") })
    }

    /// The table, whole: what clients program against. Columns: using, decrypting, making, changing, finding.
    #[test]
    fn every_reason_and_every_code_has_its_value() {
        let by_reason = r::ALL.iter().map(|(reason, _)| {
            // The code of a reason that is in the table decides nothing.
            row(reason, local(Code::Ok, Some(reason), ""))
        });
        let by_code = (0..=16).map(|code| {
            let code = Code::from_i32(code);
            row(&format!("{code:?}"), local(code, None, ""))
        });
        let table: Vec<_> = by_reason.chain(by_code).collect();
        insta::assert_snapshot!(table.join("\n"));
    }

    #[test]
    fn a_reason_of_a_newer_service_is_judged_by_its_code() {
        let error = local(Code::PermissionDenied, Some("NEWER"), "");
        assert_eq!(Failure(error).rv(Doing::Using), Rv(CKR_FUNCTION_REJECTED));
    }
}
