//! What went wrong, and the one table from the library's errors to the reasons of the conversation.
//!
//! **Invariants**: a message names the C function and the `CKR_` value and holds no secret; `maybe_performed` is true
//! only when the operation itself (not its preparation) failed in a way that leaves its outcome open.

use chancery_ipc::{Fault, FaultReason, Operation};
use cryptoki::{
    context::Function,
    error::{Error, RvError},
};

/// Why a request failed. Becomes a [`Fault`].
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) reason: FaultReason,
    pub(crate) message: String,
    /// See [`Fault::maybe_performed`].
    pub(crate) maybe_performed: bool,
    /// See [`Fault::operation`].
    pub(crate) operation: Option<Box<Operation>>,
    /// The login, or the token itself, is gone: once open, the process must end.
    pub(crate) token_lost: bool,
}

impl Failure {
    pub(crate) fn new(reason: FaultReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), maybe_performed: false, operation: None, token_lost: false }
    }

    /// The request is malformed or came at the wrong time: a defect of chanceryd.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(FaultReason::BadRequest, message)
    }

    /// Says that something was changed before the failure.
    pub(crate) fn after_a_change(mut self) -> Self {
        self.maybe_performed = true;
        self
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        let Failure { reason, message, maybe_performed, operation, .. } = failure;
        Self { reason: reason.into(), message, maybe_performed, operation }
    }
}

/// For `map_err`: the library's error while `doing` something.
pub(crate) fn while_doing(doing: &'static str) -> impl Fn(Error) -> Failure {
    move |error| from_library(doing, &error)
}

/// Why using a key of the token came to nothing.
#[derive(Debug)]
pub(crate) enum UseError {
    /// The object behind the handle is gone, or the handle was never valid: nothing was done.
    StaleHandle,
    /// Anything else.
    Failed(Failure),
}

impl From<Failure> for UseError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// For `map_err`: the library's error while using a key.
pub(crate) fn while_using(doing: &'static str) -> impl Fn(Error) -> UseError {
    move |error| match error {
        Error::Pkcs11(RvError::KeyHandleInvalid | RvError::ObjectHandleInvalid, _) => UseError::StaleHandle,
        error => UseError::Failed(from_library(doing, &error)),
    }
}

/// What a `CKR_` value means to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// The session, the login or the token is gone, or the session is stuck in an operation.
    TokenLost,
    /// The token cannot do this at all.
    Unsupported,
    /// The input doesn't suit the mechanism or the key; nothing was done.
    BadInput,
    /// The key is not for this use; nothing was done.
    WrongUse,
    /// The token refused what we passed; nothing was done.
    Refused,
    /// The object isn't there.
    Gone,
    /// The PIN.
    Pin,
    /// No user PIN is set.
    NoPin,
    /// Anything else: it concerns this one operation.
    Failed,
}

/// The table (PKCS#11 v3.0 §5.1).
fn meaning(value: RvError) -> Meaning {
    use RvError as R;
    match value {
        R::SessionHandleInvalid
        | R::SessionClosed
        | R::DeviceRemoved
        | R::DeviceError
        | R::TokenNotPresent
        | R::TokenNotRecognized
        | R::UserNotLoggedIn
        | R::GeneralError
        | R::CryptokiNotInitialized
        | R::FipsSelfTestFailed
        // A session that still has an operation open cannot be freed through this wrapper (no C_SessionCancel).
        | R::OperationActive => Meaning::TokenLost,
        R::MechanismInvalid
        | R::MechanismParamInvalid
        | R::FunctionNotSupported
        | R::CurveNotSupported
        | R::DomainParamsInvalid
        | R::KeySizeRange => Meaning::Unsupported,
        R::DataInvalid | R::DataLenRange | R::KeyTypeInconsistent => Meaning::BadInput,
        R::KeyFunctionNotPermitted => Meaning::WrongUse,
        R::ArgumentsBad
        | R::AttributeTypeInvalid
        | R::AttributeValueInvalid
        | R::AttributeReadOnly
        | R::TemplateIncomplete
        | R::TemplateInconsistent
        | R::ActionProhibited
        | R::SessionReadOnly
        | R::TokenWriteProtected => Meaning::Refused,
        R::KeyHandleInvalid | R::ObjectHandleInvalid => Meaning::Gone,
        R::PinIncorrect | R::PinInvalid | R::PinLenRange | R::PinExpired | R::PinLocked | R::PinTooWeak => Meaning::Pin,
        R::UserPinNotInitialized => Meaning::NoPin,
        _ => Meaning::Failed,
    }
}

/// What to do about it, where we know.
fn advice(value: RvError) -> &'static str {
    match value {
        RvError::PinIncorrect => {
            ": the PIN is wrong; put the right one into the file and start again (it is not tried twice: tokens lock)"
        }
        RvError::PinLocked => ": the user PIN is locked; the token's security officer must set it anew",
        RvError::PinExpired => ": the user PIN has expired and must be changed at the token",
        RvError::PinInvalid | RvError::PinLenRange | RvError::PinTooWeak => ": the token does not take a PIN like this",
        RvError::UserPinNotInitialized => ": no user PIN is set; the token's security officer must set it",
        RvError::SessionCount => ": the token allows no more sessions; configure fewer",
        RvError::DeviceMemory => ": the token is full",
        _ => "",
    }
}

/// The function whose failure leaves open whether the deed was done.
fn is_the_deed(function: Function) -> bool {
    use Function as F;
    matches!(
        function,
        F::Sign
            | F::Encrypt
            | F::Decrypt
            | F::DeriveKey
            | F::WrapKey
            | F::UnwrapKey
            | F::GenerateKey
            | F::GenerateKeyPair
            | F::CreateObject
            | F::DestroyObject
            | F::InitToken
            | F::InitPIN
    )
}

fn from_library(doing: &str, error: &Error) -> Failure {
    let Error::Pkcs11(value, function) = error else {
        return unexpected(doing, error);
    };
    let meaning = meaning(*value);
    let reason = match meaning {
        Meaning::TokenLost | Meaning::Refused | Meaning::Failed => FaultReason::TokenFault,
        Meaning::Unsupported => FaultReason::Unsupported,
        Meaning::BadInput => FaultReason::BadRequest,
        Meaning::WrongUse => FaultReason::WrongUse,
        Meaning::Gone => FaultReason::KeyNotFound,
        Meaning::Pin => FaultReason::LoginFailed,
        Meaning::NoPin => FaultReason::TokenUninitialized,
    };
    Failure {
        reason,
        message: format!("{doing}: C_{function:?} gave {}{}", ckr_name(*value), advice(*value)),
        maybe_performed: is_the_deed(*function) && matches!(meaning, Meaning::TokenLost | Meaning::Failed),
        operation: None,
        token_lost: meaning == Meaning::TokenLost,
    }
}

/// Errors that are no `CKR_` value.
fn unexpected(doing: &str, error: &Error) -> Failure {
    let reason = match error {
        Error::LibraryLoading(_) | Error::MissingSymbol(_) => FaultReason::LibraryUnusable,
        Error::NullFunctionPointer | Error::NotSupported => FaultReason::Unsupported,
        _ => FaultReason::TokenFault,
    };
    Failure::new(reason, format!("{doing}: {error}"))
}

/// `SessionHandleInvalid` → `CKR_SESSION_HANDLE_INVALID`.
fn ckr_name(value: RvError) -> String {
    match value {
        RvError::VendorDefined(code) => format!("CKR_VENDOR_DEFINED ({code:#x})"),
        RvError::UnknownErrorCode(code) => format!("an unknown CKR value ({code:#x})"),
        value => {
            let mut name = String::from("CKR");
            for letter in format!("{value:?}").chars() {
                if letter.is_ascii_uppercase() {
                    name.push('_');
                }
                name.push(letter.to_ascii_uppercase());
            }
            name
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_standards() {
        assert_eq!(ckr_name(RvError::SessionHandleInvalid), "CKR_SESSION_HANDLE_INVALID");
        assert_eq!(ckr_name(RvError::SlotIdInvalid), "CKR_SLOT_ID_INVALID");
        assert_eq!(ckr_name(RvError::VendorDefined(0x8000_0001)), "CKR_VENDOR_DEFINED (0x80000001)");
    }

    #[test]
    fn a_lost_session_ends_the_process_and_leaves_open_whether_c_sign_signed() {
        for value in [RvError::SessionHandleInvalid, RvError::DeviceError, RvError::UserNotLoggedIn] {
            let preparing = while_doing("signing")(Error::Pkcs11(value, Function::SignInit));
            assert!(preparing.token_lost && !preparing.maybe_performed, "{preparing:?}");
            let signing = while_doing("signing")(Error::Pkcs11(value, Function::Sign));
            assert!(signing.token_lost && signing.maybe_performed, "{signing:?}");
            assert_eq!(signing.reason, FaultReason::TokenFault);
        }
    }

    #[test]
    fn what_concerns_one_request_does_not_end_the_process() {
        for (value, reason, maybe) in [
            (RvError::DataLenRange, FaultReason::BadRequest, false),
            (RvError::KeyFunctionNotPermitted, FaultReason::WrongUse, false),
            (RvError::MechanismInvalid, FaultReason::Unsupported, false),
            (RvError::KeyHandleInvalid, FaultReason::KeyNotFound, false),
            (RvError::FunctionFailed, FaultReason::TokenFault, true),
        ] {
            let failure = while_doing("signing")(Error::Pkcs11(value, Function::Sign));
            assert_eq!((failure.reason, failure.maybe_performed, failure.token_lost), (reason, maybe, false));
        }
    }

    #[test]
    fn the_message_says_who_said_what_and_what_to_do() {
        let failure = while_doing("logging in")(Error::Pkcs11(RvError::PinLocked, Function::Login));
        assert_eq!(failure.reason, FaultReason::LoginFailed);
        assert_eq!(
            failure.message,
            "logging in: C_Login gave CKR_PIN_LOCKED: the user PIN is locked; the token's security officer must set it anew"
        );
    }
}
