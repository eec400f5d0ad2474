//! Bad requests: each gets its code, its reason and the field at fault, and the service goes on.
#![forbid(unsafe_code)]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/shared.rs"]
mod shared;

mod certificates;
mod ciphers;
mod keys;
mod lists;
mod signing;
mod sizes;

use chancery_client::{ClientError, Code};

/// A rejected request: INVALID_ARGUMENT with this reason, and a violation of this field that says something.
fn is_rejected<T: std::fmt::Debug>(answer: Result<T, ClientError>, reason: &str, field: &str, what: &str) {
    let error = answer.expect_err(what);
    assert_eq!((error.code, error.reason.as_deref()), (Code::InvalidArgument, Some(reason)), "{what}: {error}");
    let [violation] = error.violations.as_slice() else { panic!("{what}: {:?}", error.violations) };
    assert_eq!(violation.field, field, "{what}: {error}");
    assert!(violation.description.len() > 5 && !error.retryable && error.performed.is_none(), "{what}: {error:?}");
    assert!(error.message.len() < 600, "{what}: hostile input is not repeated at length");
}

/// Another refusal.
fn is_refused<T: std::fmt::Debug>(answer: Result<T, ClientError>, code: Code, reason: &str, what: &str) {
    let error = answer.expect_err(what);
    assert_eq!((error.code, error.reason.as_deref()), (code, Some(reason)), "{what}: {error}");
    assert!(!error.retryable && error.violations.is_empty(), "{what}: {error:?}");
}

/// Names that are none, of a key or key version.
const MALFORMED: [&str; 14] = [
    "",
    "peer0",
    "organizations/org1",
    "organizations/org1/keys",
    "organizations/org1/keys/",
    "organizations/org1/keys/Peer0",
    "organizations/org1/keys/peer0/",
    "organizations/org1/keys/peer0/versions/0",
    "organizations/org1/keys/peer0/versions/01",
    "organizations/org1/keys/peer0/versions/-1",
    "organizations/org1/keys/../../org2/keys/peer0",
    "organizations/org1/keys/peer0%2f..",
    "/organizations/org1/keys/peer0",
    "organizations/org1/keys/peer0\u{0}",
];
